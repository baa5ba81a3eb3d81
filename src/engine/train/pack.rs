//! Packs the trained model into the files of a model folder, which the page and the command line load.

use super::Session;
use crate::engine::load::tokenizer;
use crate::engine::protocol::ModelFile;
use crate::engine::{EngineError, Files};
use crate::model::{t5, transformer};
use crate::train::TrainError;
use crate::train::flat::Flat;
use crate::train::transformer::TextToBits;
use crate::weights::manifest::{Manifest, Shard, TokenizerFile};
use crate::weights::official::Component;
use crate::weights::shards::{PackOptions, pack, sha256, verify};
use crate::weights::{Tensors, WeightsError};

/// Prompts that the page offers of the result.
const EXAMPLES: usize = 8;
const MANIFEST: &str = "manifest.json";
const TOKENIZER: &str = "tokenizer.json";

impl Session {
    /// The averaged weights under `name`, in half precision; the manifest comes last. The image tokenizer's shards are
    /// those of the model that the training was set up with, byte for byte, so that both models decode each other's
    /// images and links.
    pub async fn pack(&self, name: &str, files: &impl Files) -> Result<Vec<ModelFile>, EngineError> {
        let mut packed = Vec::new();
        let mut put = |name: &str, bytes: Vec<u8>| {
            let name = name.to_string();
            packed.push(ModelFile { name, bytes });
        };
        let json = tokenizer(&self.base, files).await?;
        let tokenizer = TokenizerFile {
            file: TOKENIZER.to_string(),
            bytes: json.len() as u64,
            sha256: sha256(&json),
        };
        put(TOKENIZER, json);
        let mut shards = Vec::new();
        let vae = self.base.shards.iter().filter_map(image_tokenizer);
        for (number, (shard, file)) in vae.enumerate() {
            let bytes = files.read(&file, &mut |_| {}).await?;
            verify(&shard, &bytes)?;
            let file = format!("vae-{:05}.safetensors", number + 1);
            put(&file, bytes);
            shards.push(Shard { file, ..shard });
        }
        for (shard, bytes) in pack(&self.tensors().await?, &PackOptions::PAGE)? {
            put(&shard.file, bytes);
            shards.push(shard);
        }
        let manifest = Manifest {
            name: name.to_string(),
            transformer: Some(self.config.transformer.clone()),
            text_encoder: Some(self.config.text_encoder.clone()),
            vocabulary: self.config.vocabulary.clone(),
            words: self.config.words.clone(),
            examples: self.context.show.iter().take(EXAMPLES).cloned().collect(),
            tokenizer: Some(tokenizer),
            shards,
            // The base model's baseline was trained on other pictures.
            baseline: None,
            // Its training record does not describe this training.
            training: None,
            ..self.base.clone()
        };
        put(MANIFEST, manifest.to_json().map_err(WeightsError::from)?);
        Ok(packed)
    }

    /// The averaged weights of both networks under their official names.
    async fn tensors(&self) -> Result<Tensors, TrainError> {
        let TextToBits {
            transformer,
            text_encoder,
        } = self.state.average();
        let mut tensors = Tensors::new();
        for (component, flat, official) in [
            (
                Component::Transformer,
                Flat::values(&transformer, |_| true),
                transformer::official_name as fn(&str) -> String,
            ),
            (
                Component::TextEncoder,
                Flat::values(&text_encoder, |_| true),
                t5::official_name,
            ),
        ] {
            let Some(flat) = flat else { continue };
            let named = flat.export("").await?.into_iter();
            tensors.extend(named.map(|(path, data)| (format!("{}{}", component.prefix(), official(&path)), data)));
        }
        Ok(tensors)
    }
}

/// A shard as far as it is of the image tokenizer, and its file in the model that it comes from.
fn image_tokenizer(shard: &Shard) -> Option<(Shard, String)> {
    let mut own = shard.clone();
    own.tensors.retain(|name, _| name.starts_with(Component::Vae.prefix()));
    (!own.tensors.is_empty()).then(|| (own, shard.file.clone()))
}

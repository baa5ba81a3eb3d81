//! Finished runs and packed models on disk, to pack or to start another run from.

use super::TrainError;
use super::checkpoint::Checkpoint;
use super::settings::{TokenizerSettings, TransformerSettings};
use super::transformer::TextToBits;
use super::words::carry_rows;
use crate::model::t5;
use crate::model::transformer;
use crate::model::vae::Vae;
use crate::weights::directory::load_directory;
use crate::weights::official::Component;
use crate::weights::{export_module, load_module, shards};
use burn::module::Module;
use burn::tensor::{DType, Device, TensorData};
use serde::de::DeserializeOwned;
use std::path::Path;

impl TokenizerSettings {
    /// The tokenizer of a run's checkpoint, with averaged weights.
    pub fn load(path: &Path, device: &Device) -> Result<(Self, Vae), TrainError> {
        let (settings, checkpoint) = read::<Self>(path)?;
        let vae = Vae::new(&settings.vae, device)?;
        let vae = averaged(checkpoint, vae)?;
        Ok((settings, vae))
    }
}

impl TransformerSettings {
    /// The networks of a run's checkpoint, with averaged weights, and the steps it took.
    pub fn load(path: &Path, device: &Device) -> Result<(Self, TextToBits, usize), TrainError> {
        let (settings, checkpoint) = read::<Self>(path)?;
        let steps = checkpoint.step;
        let model = averaged(checkpoint, settings.module(device)?)?;
        Ok((settings, model, steps))
    }
}

fn read<S: DeserializeOwned>(path: &Path) -> Result<(S, Checkpoint), TrainError> {
    let checkpoint = Checkpoint::load(path)?;
    let settings = serde_json::from_str(&checkpoint.config).map_err(|error| {
        let what = format!("it is of the other network or of another version ({error})");
        TrainError::Checkpoint(path.display().to_string(), what)
    })?;
    Ok((settings, checkpoint))
}

/// The averaged weights of another run's checkpoint in `module`, which may differ in whatever has no weights.
pub fn start_from<M: Module>(path: &Path, module: M) -> Result<M, TrainError> {
    averaged(Checkpoint::load(path)?, module)
}

/// The transformer and text encoder of a packed model in `model`. Embedding rows of token ids that both vocabularies
/// have are taken from the packed model; the others stay as `model` has them.
pub fn start_from_packed(
    folder: &Path,
    model: TextToBits,
    settings: &TransformerSettings,
) -> Result<TextToBits, TrainError> {
    let (manifest, mut tensors) = load_directory(folder)?;
    let mut take = |component: Component| shards::take_component(&mut tensors, component.prefix());
    let transformer = load_module(
        model.transformer,
        &mut take(Component::Transformer),
        transformer::official_name,
    )?;
    let mut text = take(Component::TextEncoder);
    if let (Some(token_ids), Some(packed)) = (&manifest.vocabulary, text.get(t5::EMBEDDING).cloned()) {
        let own = export_module(&model.text_encoder, t5::official_name);
        if let Some((name, own)) = own.into_iter().find(|(name, _)| name == t5::EMBEDDING) {
            text.insert(name, carry_rows(own, &settings.token_ids, &packed, token_ids));
        }
    }
    let text_encoder = load_module(model.text_encoder, &mut text, t5::official_name)?;
    Ok(TextToBits {
        transformer,
        text_encoder,
    })
}

fn averaged<M: Module>(checkpoint: Checkpoint, module: M) -> Result<M, TrainError> {
    let Checkpoint { mut model, mut ema, .. } = checkpoint;
    for (name, data) in &mut model {
        if let Some(average) = ema.remove(name) {
            // Averages are kept flat.
            *data = TensorData::from_bytes(average.into_bytes(), data.shape().clone(), DType::F32);
        }
    }
    Ok(load_module(module, &mut model, str::to_string)?)
}

/// SHA-256 over the weights of a tokenizer's encoder, by which a transformer knows the bits it was trained on.
pub fn fingerprint(vae: &Vae) -> String {
    let weights = export_module(&vae.encoder, str::to_string);
    let bytes: Vec<u8> = weights
        .into_iter()
        .flat_map(|(_, data)| data.as_bytes().to_vec())
        .collect();
    shards::sha256(&bytes)
}

//! `infinity pack`: two finished runs become one model folder that the page and the command line load.

use super::CliError;
use crate::model::schedule::MAX_SCALES;
use crate::model::{t5, transformer};
use crate::train::finished::fingerprint;
use crate::train::run::CHECKPOINT;
use crate::train::settings::{TokenizerSettings, TransformerSettings};
use crate::weights::directory::write_model;
use crate::weights::export_module;
use crate::weights::manifest::{FORMAT, FloatType, Manifest, Sampling};
use crate::weights::official::Component;
use crate::weights::shards::PackOptions;
use burn::tensor::Device;
use clap::Args;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Make a model folder of a trained tokenizer and transformer.
#[derive(Args, Debug)]
pub struct Pack {
    /// Folder of the tokenizer's run
    #[arg(long, value_name = "DIR")]
    tokenizer: PathBuf,
    /// Folder of the transformer's run, trained on that tokenizer
    #[arg(long, value_name = "DIR")]
    transformer: PathBuf,
    /// The T5 tokenizer
    #[arg(long, value_name = "FILE", default_value = "models/t5_tokenizer.json")]
    text_tokenizer: PathBuf,
    /// Folder to create; must not exist or be empty
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[arg(long)]
    name: String,
    /// Licence of the weights
    #[arg(long, default_value = "MIT OR Apache-2.0")]
    licence: String,
    /// Stored precision: f32, f16 or bf16
    #[arg(long, default_value = "f16")]
    dtype: FloatType,
    /// Most MiB of a shard
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=64))]
    shard_mib: u64,
    /// The model's own guidance, one value or one per scale
    #[arg(long, value_delimiter = ',', default_value = "3")]
    cfg: Vec<f64>,
    /// The model's own temperature, one value or one per scale
    #[arg(long, value_delimiter = ',', default_value = "1")]
    tau: Vec<f64>,
    /// The model's own nucleus; 1 keeps both values of a bit
    #[arg(long, default_value_t = 1.0)]
    top_p: f64,
    /// Prompts that the page offers
    #[arg(long, value_delimiter = ';')]
    examples: Vec<String>,
}

impl Pack {
    pub fn run(self) -> Result<(), CliError> {
        let device = Device::flex();
        let (tokenizer, vae) = TokenizerSettings::load(&self.tokenizer.join(CHECKPOINT), &device)?;
        let (settings, model) = TransformerSettings::load(&self.transformer.join(CHECKPOINT), &device)?;
        if settings.tokenizer != fingerprint(&vae) {
            return Err(CliError::OtherTokenizer {
                transformer: self.transformer,
                tokenizer: self.tokenizer,
            });
        }
        let json = std::fs::read(&self.text_tokenizer).map_err(|error| CliError::Tokenizer {
            path: self.text_tokenizer.clone(),
            reason: error.to_string(),
        })?;
        let manifest = Manifest {
            format: FORMAT.to_string(),
            name: self.name,
            licence: self.licence,
            transformer: Some(settings.transformer),
            vae: Some(tokenizer.vae),
            text_encoder: Some(settings.text_encoder),
            tokenizer: None,
            vocabulary: Some(settings.pieces),
            words: settings.words,
            examples: self.examples,
            scales: settings.data.scales.min(MAX_SCALES),
            sampling: Sampling {
                cfg: self.cfg,
                tau: self.tau,
                top_p: self.top_p,
            },
            shards: Vec::new(),
        };
        let collect = |tensors: Vec<(String, _)>| tensors.into_iter().collect();
        let networks = BTreeMap::from([
            (Component::Vae, collect(export_module(&vae, str::to_string))),
            (
                Component::Transformer,
                collect(export_module(&model.transformer, transformer::official_name)),
            ),
            (
                Component::TextEncoder,
                collect(export_module(&model.text_encoder, t5::official_name)),
            ),
        ]);
        let options = PackOptions {
            max_bytes: self.shard_mib << 20,
            dtype: Some(self.dtype),
        };
        let manifest = write_model(&self.out, manifest, networks, Some(&json), &options)?;
        let (bytes, shards) = (manifest.total_bytes(), manifest.shards.len());
        println!("wrote {}: {bytes} bytes in {shards} shards", self.out.display());
        Ok(())
    }
}

//! What a run trains and on what, as its checkpoint remembers it: a finished tokenizer is found again by it, and a resume
//! with other settings is refused.

use super::TrainError;
use super::checkpoint::Checkpoint;
use super::ema::Ema;
use super::transformer::TextToBits;
use crate::model::config::{T5Config, TransformerConfig, VaeConfig};
use crate::model::t5::T5Encoder;
use crate::model::transformer::Transformer;
use crate::model::vae::Vae;
use crate::weights::{export_module, load_module, shards};
use burn::module::Module;
use burn::tensor::Device;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::path::Path;

/// The stream of batches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataSettings {
    /// `emoji`, or a folder of captioned images.
    pub data: String,
    pub batch: usize,
    pub seed: u64,
    /// Scales of the schedule's prefix.
    pub scales: usize,
    /// Share of square batches.
    pub square_share: f64,
}

/// A run of the first stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TokenizerSettings {
    pub vae: VaeConfig,
    pub edge_weight: f64,
    pub quantizer_warmup: usize,
    pub data: DataSettings,
}

/// A run of the second stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TransformerSettings {
    pub transformer: TransformerConfig,
    pub text_encoder: T5Config,
    /// Words of the captions, and the pieces whose rows the embedding table keeps.
    pub words: Vec<String>,
    pub pieces: Vec<u32>,
    /// SHA-256 of the tokenizer's averaged weights.
    pub tokenizer: String,
    /// Largest flip probability of self-correction; 0 is teacher forcing.
    pub flips: f64,
    /// Targets stay those of the clean image: the paper's baseline in place of self-correction.
    pub inputs_only: bool,
    pub condition_dropout: f64,
    pub reweight_by_scale: bool,
    pub data: DataSettings,
}

impl TokenizerSettings {
    /// The tokenizer of a run's checkpoint, with averaged weights.
    pub fn load(path: &Path, device: &Device) -> Result<(Self, Vae), TrainError> {
        let (settings, checkpoint) = read::<Self>(path)?;
        let vae = Vae::new(&settings.vae, device)?;
        let vae = averaged(checkpoint, vae, device)?;
        Ok((settings, vae))
    }
}

impl TransformerSettings {
    pub fn module(&self, device: &Device) -> Result<TextToBits, TrainError> {
        Ok(TextToBits {
            transformer: Transformer::new(&self.transformer, device)?,
            text_encoder: T5Encoder::new(&self.text_encoder, device)?,
        })
    }

    /// The networks of a run's checkpoint, with averaged weights.
    pub fn load(path: &Path, device: &Device) -> Result<(Self, TextToBits), TrainError> {
        let (settings, checkpoint) = read::<Self>(path)?;
        let model = averaged(checkpoint, settings.module(device)?, device)?;
        Ok((settings, model))
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
pub fn start_from<M: Module>(path: &Path, module: M, device: &Device) -> Result<M, TrainError> {
    averaged(Checkpoint::load(path)?, module, device)
}

fn averaged<M: Module>(mut checkpoint: Checkpoint, module: M, device: &Device) -> Result<M, TrainError> {
    let module = load_module(module, &mut checkpoint.model, str::to_string)?;
    let mut ema = Ema::new(0.0);
    ema.import(&checkpoint.ema, device);
    Ok(ema.apply(module))
}

/// SHA-256 over the weights of a tokenizer, by which a transformer knows the one it was trained on.
pub fn fingerprint(vae: &Vae) -> String {
    let weights = export_module(vae, str::to_string);
    let bytes: Vec<u8> = weights
        .into_iter()
        .flat_map(|(_, data)| data.as_bytes().to_vec())
        .collect();
    shards::sha256(&bytes)
}

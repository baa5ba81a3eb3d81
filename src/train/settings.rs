//! What a run trains and on what, as its checkpoint remembers it: a finished tokenizer is found again by it, and a resume
//! with other settings is refused.

use super::TrainError;
use super::checkpoint::Checkpoint;
use super::tokenizer::TokenizerOptions;
use super::transformer::TextToBits;
use crate::model::config::{T5Config, TransformerConfig, VaeConfig};
use crate::model::t5::{self, T5Encoder};
use crate::model::transformer::{self, Transformer};
use crate::model::vae::Vae;
use crate::weights::directory::load_directory;
use crate::weights::official::Component;
use crate::weights::{export_module, load_module, shards};
use burn::module::Module;
use burn::tensor::{DType, Device, TensorData};
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
    pub options: TokenizerOptions,
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
    /// SHA-256 of the averaged weights of the tokenizer's encoder.
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
        let vae = averaged(checkpoint, vae)?;
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
        let model = averaged(checkpoint, settings.module(device)?)?;
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
pub fn start_from<M: Module>(path: &Path, module: M) -> Result<M, TrainError> {
    averaged(Checkpoint::load(path)?, module)
}

/// The transformer and text encoder of a packed model in `model`. Text pieces that both vocabularies have keep what they
/// mean; the others stay as `model` has them.
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
    if let (Some(pieces), Some(packed)) = (&manifest.vocabulary, text.get(t5::EMBEDDING)) {
        let width = settings.text_encoder.d_model;
        let own = export_module(&model.text_encoder, t5::official_name)
            .into_iter()
            .find(|(name, _)| name == t5::EMBEDDING);
        if let Some((name, own)) = own {
            let mut rows: Vec<f32> = own.iter::<f32>().collect();
            let packed: Vec<f32> = packed.iter::<f32>().collect();
            for (row, piece) in rows.chunks_exact_mut(width).zip(&settings.pieces) {
                let known = pieces.iter().position(|known| known == piece);
                if let Some(known) = known.and_then(|place| packed.chunks_exact(width).nth(place)) {
                    row.copy_from_slice(known);
                }
            }
            text.insert(name, TensorData::new(rows, own.shape().clone()));
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

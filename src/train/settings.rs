//! What a run trains and on what, as its checkpoint remembers it: a finished tokenizer is found again by it, and a
//! resume with other settings is refused.

use super::TrainError;
use super::tokenizer::TokenizerOptions;
use super::transformer::TextToBits;
use crate::model::config::{T5Config, TransformerConfig, VaeConfig};
use crate::model::t5::T5Encoder;
use crate::model::transformer::Transformer;
use burn::tensor::Device;
use serde::{Deserialize, Serialize};

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
    /// Words of the captions, and the token ids whose rows the embedding table has.
    pub words: Vec<String>,
    #[serde(rename = "pieces")]
    pub token_ids: Vec<u32>,
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

impl TransformerSettings {
    pub fn module(&self, device: &Device) -> Result<TextToBits, TrainError> {
        Ok(TextToBits {
            transformer: Transformer::new(&self.transformer, device)?,
            text_encoder: T5Encoder::new(&self.text_encoder, device)?,
        })
    }
}

/// Channels of an attention head of the small models.
pub const HEAD: usize = 32;

/// A small transformer in the recipe of the default model, before its own sizes are changed.
pub fn small_transformer(width: usize, depth: usize, bits: usize, text_dim: usize) -> TransformerConfig {
    TransformerConfig {
        text_maxlen: 32,
        ..TransformerConfig::released(width, depth, (width / HEAD).max(1), bits, text_dim)
    }
}

/// The text encoder beside it, with a vocabulary of `vocab_size` token ids.
pub fn small_text_encoder(vocab_size: usize, text_dim: usize, depth: usize) -> T5Config {
    T5Config {
        vocab_size,
        d_model: text_dim,
        d_kv: HEAD,
        d_ff: 2 * text_dim,
        num_layers: depth,
        num_heads: 4,
        layer_norm_epsilon: 1e-6,
        relative_attention_num_buckets: 32,
        relative_attention_max_distance: 128,
    }
}

//! Loads a model and draws images with it: commands in, a stream of events out.
//!
//! The page's worker and the command line use the same [`Engine`]. They differ in the [`Host`] that receives the events
//! and in the [`Files`] that hold the model.

mod aspect;
mod backpressure;
mod edit_mask;
mod encode_decode;
mod error;
mod flip_comparison;
mod flip_masks;
mod generate;
mod gpu;
mod host;
mod load;
mod options;
mod picture;
pub mod protocol;
pub mod train;

pub use error::EngineError;
pub use gpu::{Gpu, tuned};
pub use host::{CheckpointStore, Files, Host};

use crate::kernels::matmul::WeightFormat;
use crate::model::sampling::SamplingOptions;
use crate::model::t5::T5Encoder;
use crate::model::text::PromptEncoder;
use crate::model::transformer::Transformer;
use crate::model::vae::{Decoder, Encoder};
use crate::weights::Manifest;
use burn::tensor::Device;
use std::cell::OnceCell;

/// A model on a device, ready for prompts.
pub struct Engine {
    device: Device,
    /// Stored format of the layers' weights.
    weights: WeightFormat,
    prompts: PromptEncoder,
    text_encoder: T5Encoder,
    transformer: Transformer,
    decoder: Decoder,
    /// Only there once an image was read.
    encoder: OnceCell<Encoder>,
    manifest: Manifest,
    defaults: SamplingOptions,
}

impl Engine {
    /// What it computes on.
    pub fn device(&self) -> &Device {
        &self.device
    }
}

//! Training of the two networks: the tokenizer, then the transformer with the text encoder.

pub mod batch;
pub mod checkpoint;
pub mod ema;
pub mod error;
#[cfg(not(target_family = "wasm"))]
pub mod finished;
pub mod flat;
#[cfg(test)]
mod gradients;
pub mod init;
pub mod optimizer;
pub mod perceptual;
#[cfg(not(target_family = "wasm"))]
pub mod picture;
#[cfg(not(target_family = "wasm"))]
pub mod plan;
#[cfg(not(target_family = "wasm"))]
pub mod run;
pub mod settings;
pub mod stages;
pub mod step;
#[cfg(not(target_family = "wasm"))]
pub mod stream;
pub mod tokenizer;
pub mod transformer;
pub mod words;

pub use error::TrainError;

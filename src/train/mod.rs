//! Training of the two networks: the tokenizer, then the transformer with the text encoder.

#[cfg(not(target_family = "wasm"))]
pub mod batch;
#[cfg(not(target_family = "wasm"))]
pub mod checkpoint;
pub mod ema;
pub mod error;
pub mod flat;
pub mod init;
pub mod optimizer;
pub mod perceptual;
#[cfg(not(target_family = "wasm"))]
pub mod picture;
#[cfg(not(target_family = "wasm"))]
pub mod run;
#[cfg(not(target_family = "wasm"))]
pub mod settings;
#[cfg(not(target_family = "wasm"))]
pub mod stages;
pub mod tokenizer;
pub mod transformer;

pub use error::TrainError;

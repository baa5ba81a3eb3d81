//! Training of the two networks: the tokenizer, then the transformer with the text encoder.

pub mod ema;
pub mod error;
pub mod init;
pub mod optimizer;
pub mod perceptual;
pub mod tokenizer;
pub mod transformer;

#[cfg(not(target_family = "wasm"))]
pub mod checkpoint;
#[cfg(not(target_family = "wasm"))]
pub mod run;

pub use error::TrainError;

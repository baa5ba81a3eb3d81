//! What can go wrong in training.

use crate::data::DataError;
use crate::model::ModelError;
use crate::weights::WeightsError;

/// Errors of a training run; whatever was saved before stays valid.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error(transparent)]
    Weights(#[from] WeightsError),
    #[error("{option} = {value} is not possible; {remedy}")]
    Option {
        option: &'static str,
        value: String,
        remedy: &'static str,
    },
    #[error("the loss became {loss} at step {step}; lower the learning rate and resume from the last checkpoint")]
    Diverged { step: usize, loss: f32 },
    #[error("reading from the device failed: {0}; free memory or use a smaller batch")]
    Device(String),
    #[error("{path}: {error}; check that the path exists and can be written")]
    Io { path: String, error: std::io::Error },
    #[error("{0} is not a checkpoint of this run: {1}; start again with an empty output directory")]
    Checkpoint(String, String),
    #[error("a training sample could not be made: {0}")]
    Data(#[from] DataError),
    #[cfg(not(target_family = "wasm"))]
    #[error("the picture {0} could not be written: {1}; check that the folder can be written")]
    Picture(String, image::ImageError),
    #[error("the caption or prompt `{0}` cannot be read: {1}")]
    Caption(String, String),
    #[error("the caption or prompt `{0}` has words that are in no caption of the data: {1}; leave them out")]
    Words(String, String),
}

//! Everything the engine can refuse or fail at, each with what to do about it.

use super::protocol::Event;
use crate::model::ModelError;
use crate::model::text::TextError;
use crate::train::TrainError;
use crate::weights::WeightsError;

/// Errors of loading a model, generating an image and training.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error("the prompt has {found} characters and at most {limit} are read; shorten it")]
    PromptTooLong { found: usize, limit: usize },
    #[error(transparent)]
    Text(#[from] TextError),
    #[error("seeds are whole numbers; use one from 0 to 9007199254740991")]
    Seed,
    #[error("there is no shape `{name}`; choose one of {known}")]
    Aspect { name: String, known: String },
    #[error("the options cannot be read ({0}); check their names and types")]
    Options(String),
    #[error("{file} could not be loaded ({reason}); check its address and the connection, and try again")]
    Download { file: String, reason: String },
    #[error("this model lacks its {0}, so it cannot draw; convert it again with all three networks and the tokenizer")]
    Incomplete(&'static str),
    #[error("this model came without the network that reads images; convert it again with its whole VAE")]
    NoEncoder,
    #[error("the bits do not fit this model and shape ({0}); use those of an image that this model made in this shape")]
    EditMask(String),
    #[error("these bits cannot be flipped ({0}); choose among the scales and tokens of the image")]
    Flips(String),
    #[error(
        "the baseline does not fit its model: {0} differs; train and pack both with one tokenizer and the same words"
    )]
    Baseline(&'static str),
    #[error("the picture has {found} bytes and not four for each of {width} x {height} pixels; scale it to this size")]
    Picture { found: usize, height: usize, width: usize },
    #[error("the {engine} engine could not start ({reason}); choose the other engine")]
    Device { engine: &'static str, reason: String },
    #[error("the GPU failed ({0}); try again, or choose the CPU engine")]
    DeviceLost(String),
    #[error(transparent)]
    Training(#[from] TrainError),
    #[error("{0}; change it and start again")]
    TrainConfig(String),
    #[error("the saved training cannot go on ({0}); start a new one")]
    Checkpoint(String),
    #[error("no training is set up; choose pictures and start one")]
    NoTraining,
    #[error("the training could not be kept ({0}); free some storage, or save the model now")]
    CheckpointStore(String),
    #[error(transparent)]
    Weights(#[from] WeightsError),
    #[error(transparent)]
    Model(#[from] ModelError),
}

impl EngineError {
    /// A stable code for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Text(TextError::Empty) => "prompt-empty",
            Self::PromptTooLong { .. } | Self::Text(TextError::TooLong { .. }) => "prompt-too-long",
            Self::Text(TextError::Unknown(_)) => "prompt-unknown",
            Self::Text(TextError::Tokenizer(_) | TextError::Vocabulary(_)) => "weights",
            Self::Seed | Self::Aspect { .. } | Self::Options(_) | Self::Flips(_) => "options",
            Self::Model(ModelError::Option { .. } | ModelError::ListLength { .. }) => "options",
            Self::Model(_) => "model",
            Self::Download { .. } => "download",
            Self::Incomplete(_) | Self::NoEncoder | Self::Baseline(_) | Self::Weights(_) => "weights",
            Self::EditMask(_) => "bits",
            Self::Picture { .. } => "picture",
            Self::Device { .. } => "device",
            Self::DeviceLost(_) => "device-lost",
            Self::Training(_) | Self::TrainConfig(_) | Self::NoTraining => "training",
            Self::Checkpoint(_) => "checkpoint",
            Self::CheckpointStore(_) => "storage",
        }
    }

    /// The option at fault, by its name in [`Options`](super::protocol::Options).
    pub fn field(&self) -> Option<&'static str> {
        match self {
            Self::PromptTooLong { .. } => Some("prompt"),
            Self::Text(TextError::Empty | TextError::TooLong { .. } | TextError::Unknown(_)) => Some("prompt"),
            Self::Seed => Some("seed"),
            Self::Aspect { .. } => Some("aspect"),
            Self::EditMask(_) => Some("keep"),
            Self::Flips(_) => Some("flips"),
            Self::Model(ModelError::Option { option, .. } | ModelError::ListLength { option, .. }) => match *option {
                "prompt length" => Some("prompt"),
                "top_p" => Some("topP"),
                option => Some(option),
            },
            _ => None,
        }
    }

    /// The event that reports it.
    pub fn event(&self) -> Event {
        Event::Error {
            code: self.code(),
            field: self.field(),
            message: self.to_string(),
        }
    }
}

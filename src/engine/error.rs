//! Everything the engine can refuse or fail at, each with what to do about it.

use super::protocol::Event;
use crate::model::ModelError;
use crate::weights::WeightsError;

/// Errors of loading a model and of drawing an image.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error("The prompt is empty. Say what to draw, for example “a red apple”.")]
    PromptEmpty,
    #[error("The prompt is too long: {found} {unit}, and the model reads at most {limit}. Shorten it.")]
    PromptTooLong {
        found: usize,
        limit: usize,
        unit: &'static str,
    },
    #[error("The model has not learned any of these words: {}. Try one of the examples.", .0.join(", "))]
    PromptUnknown(Vec<String>),
    #[error("The seed must be a whole number from 0 to 9007199254740991.")]
    Seed(f64),
    #[error("There is no shape “{name}”. Choose one of {known}.")]
    Aspect { name: String, known: String },
    #[error("The options cannot be read: {0}.")]
    Options(String),
    #[error("{file} could not be loaded: {reason}. Check the connection and try again.")]
    Download { file: String, reason: String },
    #[error("This model lacks its {0}, so it cannot draw. Convert it again with all three networks and the tokenizer.")]
    Incomplete(&'static str),
    #[error("The {engine} engine could not start: {reason}. Choose the other engine.")]
    Device { engine: &'static str, reason: String },
    #[error("The graphics device failed: {0}. Try again, or choose the CPU engine.")]
    DeviceLost(String),
    #[error(transparent)]
    Weights(#[from] WeightsError),
    #[error(transparent)]
    Model(#[from] ModelError),
}

impl EngineError {
    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::PromptEmpty => "prompt-empty",
            Self::PromptTooLong { .. } => "prompt-too-long",
            Self::PromptUnknown(_) => "prompt-unknown",
            Self::Seed(_) | Self::Aspect { .. } | Self::Options(_) => "options",
            Self::Model(ModelError::Option { .. } | ModelError::ListLength { .. }) => "options",
            Self::Model(_) => "model",
            Self::Download { .. } => "download",
            Self::Incomplete(_) | Self::Weights(_) => "weights",
            Self::Device { .. } => "device",
            Self::DeviceLost(_) => "device-lost",
        }
    }

    /// The option at fault, by its name in [`Options`](super::protocol::Options).
    pub fn field(&self) -> Option<&'static str> {
        match self {
            Self::PromptEmpty | Self::PromptTooLong { .. } | Self::PromptUnknown(_) => Some("prompt"),
            Self::Seed(_) => Some("seed"),
            Self::Aspect { .. } => Some("aspect"),
            Self::Model(ModelError::Option { option, .. } | ModelError::ListLength { option, .. }) => match *option {
                "prompt length" => Some("prompt"),
                "top_p" => Some("topP"),
                option => Some(option),
            },
            _ => None,
        }
    }

    /// The event that tells the page.
    pub fn event(&self) -> Event {
        Event::Error {
            code: self.code(),
            field: self.field(),
            message: self.to_string(),
        }
    }
}

//! Everything the engine can refuse or fail at, each with what to do about it.

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
    #[error("The model knows none of these words: {}. Try {} or one of the examples.", .words.join(", "), .known)]
    PromptUnknown { words: Vec<String>, known: String },
    #[error("The seed must be a whole number from 0 to 9007199254740991, not {0}.")]
    Seed(f64),
    #[error("There is no shape “{name}”. Choose one of {known}.")]
    Aspect { name: String, known: String },
    #[error("{name} must be a number {range}, not {value}. {remedy}")]
    Range {
        field: &'static str,
        name: &'static str,
        value: f64,
        range: &'static str,
        remedy: &'static str,
    },
    #[error("{name} has {found} values, and an image of this model has {scales} scales. Give one value, or {scales}.")]
    ListLength {
        field: &'static str,
        name: &'static str,
        found: usize,
        scales: usize,
    },
    #[error("The options cannot be read: {0}.")]
    Options(String),
    #[error("The manifest of the model cannot be read: {0}. Check the address of the model.")]
    Manifest(String),
    #[error("{file} could not be loaded: {reason}. Check the connection and try again.")]
    Download { file: String, reason: String },
    #[error("{file} is not the file that the manifest describes: its SHA-256 differs. Download it again.")]
    Checksum { file: String },
    #[error("The text tokenizer cannot be used: {0}.")]
    Tokenizer(String),
    #[error("The {engine} engine could not start: {reason}. Choose the other engine.")]
    Device { engine: &'static str, reason: String },
    #[error("The graphics device failed: {0}. Try again, or choose the CPU engine.")]
    DeviceLost(String),
    #[error("{0}")]
    Weights(#[from] WeightsError),
    #[error("{0}")]
    Model(#[from] ModelError),
}

impl EngineError {
    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::PromptEmpty => "prompt-empty",
            Self::PromptTooLong { .. } => "prompt-too-long",
            Self::PromptUnknown { .. } => "prompt-unknown",
            Self::Seed(_) | Self::Aspect { .. } | Self::Range { .. } | Self::ListLength { .. } | Self::Options(_) => {
                "options"
            }
            Self::Manifest(_) => "manifest",
            Self::Download { .. } => "download",
            Self::Checksum { .. } | Self::Weights(_) => "weights",
            Self::Tokenizer(_) => "tokenizer",
            Self::Device { .. } => "device",
            Self::DeviceLost(_) => "device-lost",
            Self::Model(_) => "model",
        }
    }

    /// The option at fault, by its name in [`Options`](super::protocol::Options).
    pub fn field(&self) -> Option<&'static str> {
        match self {
            Self::PromptEmpty | Self::PromptTooLong { .. } | Self::PromptUnknown { .. } => Some("prompt"),
            Self::Seed(_) => Some("seed"),
            Self::Aspect { .. } => Some("aspect"),
            Self::Range { field, .. } | Self::ListLength { field, .. } => Some(field),
            _ => None,
        }
    }
}

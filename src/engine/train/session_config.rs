//! The settings of a training session that its checkpoint stores; a session with other settings is refused.

use crate::engine::protocol::TrainConfig;
use crate::model::config::{T5Config, TransformerConfig};
use serde::{Deserialize, Serialize};

/// The networks of a training and its data. Field names in a checkpoint stay those of its first version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionConfig {
    #[serde(rename = "study")]
    pub train: TrainConfig,
    /// Name of the data.
    #[serde(rename = "material")]
    pub data: String,
    /// Fingerprint of the image tokenizer whose bits are learned.
    #[serde(rename = "codec")]
    pub tokenizer_fingerprint: String,
    pub scales: usize,
    pub transformer: TransformerConfig,
    pub text_encoder: T5Config,
    /// Token ids of the embedding table's rows; `None` if every token id has its row.
    pub vocabulary: Option<Vec<u32>>,
    pub words: Vec<String>,
}

impl SessionConfig {
    pub fn to_json(&self) -> String {
        // Numbers, strings and lists always serialize.
        serde_json::to_string(self).unwrap_or_else(|error| unreachable!("{error}"))
    }

    /// Why a checkpoint with these settings cannot be resumed with the settings `now`; the networks are not compared.
    pub fn refusal(&self, now: &Self) -> Option<&'static str> {
        if self.tokenizer_fingerprint != now.tokenizer_fingerprint || self.scales != now.scales {
            return Some("it was begun with another model");
        }
        if self.train != now.train {
            return Some("it was begun with other settings");
        }
        (self.data != now.data).then_some("it was begun with other pictures or captions")
    }
}

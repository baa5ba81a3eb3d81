//! What a checkpoint remembers of its session, to go on with the same and to refuse another.

use crate::engine::protocol::Study;
use crate::model::config::{T5Config, TransformerConfig};
use serde::{Deserialize, Serialize};

/// The networks that are trained, and on what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub study: Study,
    /// Name of the data.
    pub material: String,
    /// The image tokenizer, whose bits are learned.
    pub codec: String,
    pub scales: usize,
    pub transformer: TransformerConfig,
    pub text_encoder: T5Config,
    /// None: every piece has its row.
    pub vocabulary: Option<Vec<u32>>,
    pub words: Vec<String>,
}

impl Plan {
    pub fn to_json(&self) -> String {
        // Numbers, strings and lists always serialise.
        serde_json::to_string(self).unwrap_or_else(|error| unreachable!("{error}"))
    }

    /// Why a checkpoint of `self` cannot go on as what `now` asks for. The networks are the checkpoint's own.
    pub fn refusal(&self, now: &Self) -> Option<&'static str> {
        if self.codec != now.codec || self.scales != now.scales {
            return Some("it was begun with another model");
        }
        if self.study != now.study {
            return Some("it was begun with other settings");
        }
        (self.material != now.material).then_some("it was begun with other pictures or captions")
    }
}

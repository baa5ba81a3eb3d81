//! `manifest.json`: what a model is made of, which networks fit together, and every byte that belongs to it.
//!
//! A manifest comes from the network, so it is checked before any download: sizes are bounded, ranges lie within their
//! shards, file names cannot leave the folder, and networks must fit each other.

mod check;
mod error;

pub use error::ManifestError;

use crate::model::config::{T5Config, TransformerConfig, VaeConfig};
use crate::model::sampling::{PerScale, SamplingOptions};
use burn::tensor::DType;
use serde::de::{DeserializeOwned, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

/// The only version there is.
pub const FORMAT: &str = "infinity-manifest/1";

/// The most bytes of a shard, unless it holds a single tensor that is larger (a shard never splits a tensor).
pub const MAX_SHARD_BYTES: u64 = 64 << 20;

/// The most bytes of a shard that holds a single tensor: what a 32-bit browser can address, with room to work.
pub const MAX_TENSOR_SHARD_BYTES: u64 = 1 << 30;

/// Scales of the longest schedule.
pub const MAX_SCALES: usize = 13;

/// A model: its networks, how to sample from it, and where its weights are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub format: String,
    pub name: String,
    pub licence: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transformer: Option<TransformerConfig>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vae: Option<VaeConfig>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text_encoder: Option<T5Config>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<TokenizerFile>,
    /// Token ids of the rows of a reduced embedding table: row `i` belongs to token id `vocabulary[i]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vocabulary: Option<Vec<u32>>,
    /// The words a small model was trained on, in lower case; other words of a prompt are skipped. Empty for free text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<String>,
    /// Prompts to try first, which the page offers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<String>,
    /// How many scales of the schedule the model was trained for.
    pub scales: usize,
    #[serde(default)]
    pub sampling: Sampling,
    /// The manifest of the teacher-forced baseline: the same model trained without bitwise self-correction, to compare.
    /// It is a path from this manifest's folder through at most one other, such as `twin/manifest.json`. The baseline
    /// shares this model's image tokenizer, text tokenizer and vocabulary, so it consists of a transformer and a text
    /// encoder.
    ///
    /// The key is `twin` in every manifest that is written; `baseline` is read too.
    #[serde(
        rename = "twin",
        alias = "baseline",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub baseline: Option<String>,
    /// How the transformer was trained, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training: Option<Training>,
    pub shards: Vec<Shard>,
}

/// How a transformer was trained, in the terms of the paper's Tables 7 and 8.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// Largest flip probability p; 0 is teacher forcing.
    pub flips: f64,
    /// The flips were in the inputs only and targets stayed those of the clean image: random flips in place of
    /// self-correction.
    pub inputs_only: bool,
    /// Steps of the last run; it may have started from another run's weights.
    pub steps: usize,
    /// Images of a step.
    pub batch: usize,
}

impl fmt::Display for Training {
    /// In the words of the paper's Table 7.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match (self.flips > 0.0, self.inputs_only) {
            (false, _) => f.write_str("teacher forcing"),
            (true, true) => write!(f, "random flip, p = {}", self.flips),
            (true, false) => write!(f, "self-correction, p = {}", self.flips),
        }
    }
}

/// The tokenizer's file beside the manifest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenizerFile {
    pub file: String,
    pub bytes: u64,
    pub sha256: String,
}

/// Defaults of generation; a list has one value for all scales or one for each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sampling {
    /// Guidance strength; 1 is none.
    pub cfg: Vec<f64>,
    /// Temperature `tau` of the logits.
    pub tau: Vec<f64>,
    /// Probability mass of the nucleus that each bit is sampled from; 1 keeps both values.
    pub top_p: f64,
}

/// The paper's best decoding (Sec. 4.7) with the official tools' nucleus.
impl Default for Sampling {
    fn default() -> Self {
        Self {
            cfg: vec![4.0],
            tau: vec![1.0],
            top_p: 0.97,
        }
    }
}

/// A list of one value is for all scales.
impl From<&Sampling> for SamplingOptions {
    fn from(sampling: &Sampling) -> Self {
        let per_scale = |list: &[f64]| match list {
            [value] => PerScale::All(*value),
            list => PerScale::Each(list.to_vec()),
        };
        Self {
            cfg: per_scale(&sampling.cfg),
            tau: per_scale(&sampling.tau),
            top_p: sampling.top_p,
            ..Self::default()
        }
    }
}

/// One safetensors file of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shard {
    pub file: String,
    pub bytes: u64,
    pub sha256: String,
    /// By name, with the component's prefix.
    #[serde(deserialize_with = "unique")]
    pub tensors: BTreeMap<String, TensorRange>,
}

/// A tensor inside a shard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TensorRange {
    pub dtype: FloatType,
    pub shape: Vec<usize>,
    /// First byte and the byte after the last, counted from the start of the file.
    pub range: [u64; 2],
}

/// How weights are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum FloatType {
    F32,
    F16,
    BF16,
}

impl FloatType {
    pub fn dtype(self) -> DType {
        match self {
            Self::F32 => DType::F32,
            Self::F16 => DType::F16,
            Self::BF16 => DType::BF16,
        }
    }

    pub fn of(dtype: DType) -> Option<Self> {
        match dtype {
            DType::F32 => Some(Self::F32),
            DType::F16 => Some(Self::F16),
            DType::BF16 => Some(Self::BF16),
            _ => None,
        }
    }
}

impl FromStr for FloatType {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "f32" => Ok(Self::F32),
            "f16" => Ok(Self::F16),
            "bf16" => Ok(Self::BF16),
            _ => Err("choose f32, f16 or bf16".to_string()),
        }
    }
}

impl Manifest {
    /// Reads and checks a manifest.
    pub fn parse(json: &[u8]) -> Result<Self, ManifestError> {
        /// Only the version, so that a later one is refused as such.
        #[derive(Deserialize)]
        struct Versioned {
            format: String,
        }

        let Versioned { format } = serde_json::from_slice(json)?;
        if format != FORMAT {
            return Err(ManifestError::Format(format));
        }
        let manifest: Self = serde_json::from_slice(json)?;
        manifest.check()?;
        Ok(manifest)
    }

    /// The bytes of `manifest.json`, after a check.
    pub fn to_json(&self) -> Result<Vec<u8>, ManifestError> {
        self.check()?;
        let mut json = serde_json::to_vec_pretty(self)?;
        json.push(b'\n');
        Ok(json)
    }

    /// Bytes of all shards.
    pub fn total_bytes(&self) -> u64 {
        self.shards.iter().map(|shard| shard.bytes).sum()
    }
}

/// A map whose keys may not repeat, where serde would keep the last.
fn unique<'de, D, V>(deserializer: D) -> Result<BTreeMap<String, V>, D::Error>
where
    D: Deserializer<'de>,
    V: DeserializeOwned,
{
    struct Unique<V>(PhantomData<V>);

    impl<'de, V: DeserializeOwned> Visitor<'de> for Unique<V> {
        type Value = BTreeMap<String, V>;

        fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
            f.write_str("an object without repeated names")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut all = BTreeMap::new();
            while let Some(name) = map.next_key::<String>()? {
                let value = map.next_value()?;
                if all.insert(name.clone(), value).is_some() {
                    return Err(A::Error::custom(format!("`{name}` is listed twice")));
                }
            }
            Ok(all)
        }
    }

    deserializer.deserialize_map(Unique(PhantomData))
}

#[cfg(test)]
pub(super) mod tests;

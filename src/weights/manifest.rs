//! `manifest.json`: what a model is made of, which networks fit together, and every byte that belongs to it.
//!
//! A manifest comes from the network, so nothing in it is believed: sizes are bounded, ranges are checked against their
//! shards, names cannot leave the folder, and networks that do not fit each other are refused before any download.

use super::official::Component;
use super::source::byte_count;
use crate::model::config::{Classifier, T5Config, TransformerConfig, VaeConfig};
use crate::model::sampling::{PerScale, SamplingOptions};
use crate::model::transformer::MAX_CONVENTIONAL_BITS;
use burn::tensor::DType;
use serde::de::{DeserializeOwned, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::{BTreeMap, BTreeSet};
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

/// What can be wrong with a manifest.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    #[error("the manifest is not the JSON expected ({0}); download it again or convert the model again")]
    Json(#[from] serde_json::Error),
    #[error(
        "the manifest is of format `{0}` and this program reads `{FORMAT}`; update the program or convert the \
        model again"
    )]
    Format(String),
    #[error("{field} is {value}, which no model has ({rule}); convert the model again")]
    Size {
        field: &'static str,
        value: String,
        rule: &'static str,
    },
    #[error(
        "the VAE has {codebook_dim} channels and the transformer predicts {bits} bits per token, but needs {expected}; \
         take the VAE this transformer was trained with"
    )]
    VaeMismatch {
        codebook_dim: usize,
        bits: usize,
        expected: usize,
    },
    #[error(
        "the text encoder is {d_model} wide and the transformer expects {text_dim}; \
         take the text encoder this transformer was trained with"
    )]
    TextMismatch { d_model: usize, text_dim: usize },
    #[error("the vocabulary {0}; convert or train the model again")]
    Vocabulary(String),
    #[error("`{0}` is not a plain file name; use letters, digits, `.`, `-` and `_`, and do not start with `.`")]
    FileName(String),
    #[error(
        "`{0}` is not the path of a twin's manifest; use a plain file name other than manifest.json, or one below a \
        single folder such as `twin/manifest.json`"
    )]
    TwinPath(String),
    #[error("{what} `{name}` is listed twice; convert the model again")]
    Duplicate { what: &'static str, name: String },
    #[error(
        "shard `{file}` has {bytes} bytes, over the limit of {limit}; convert the model again with a smaller \
        --shard-mib"
    )]
    ShardTooLarge { file: String, bytes: u64, limit: u64 },
    #[error("`{0}` is not a SHA-256 in lower-case hexadecimal; convert the model again")]
    Hash(String),
    #[error("tensor `{name}` of shard `{file}` is wrong: {why}; convert the model again")]
    Tensor {
        name: String,
        file: String,
        why: &'static str,
    },
    #[error("the manifest describes a {0} but lists no tensors of it; convert the model again")]
    NoTensors(&'static str),
}

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
    /// Piece ids that the rows of a cut embedding table stand for: row `i` is piece `vocabulary[i]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vocabulary: Option<Vec<u32>>,
    /// The words a small model was trained on, lower case; others in a prompt are skipped. Empty for free text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<String>,
    /// Prompts to try first, which the page offers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<String>,
    /// How many scales of the schedule the model was trained for.
    pub scales: usize,
    #[serde(default)]
    pub sampling: Sampling,
    /// The manifest of the same model trained by teacher forcing, without bitwise self-correction, to compare: a path from
    /// this manifest's folder through at most one other, such as `twin/manifest.json`. It shares this model's image
    /// tokenizer, text tokenizer and vocabulary, so it needs no more than a transformer and a text encoder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub twin: Option<String>,
    /// How the transformer was trained, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training: Option<Training>,
    pub shards: Vec<Shard>,
}

/// What tells models of the paper's Tables 7 and 8 apart.
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
    /// Mass of the nucleus that each bit is drawn from; 1 keeps both values.
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

    /// Everything that can be known without the shards themselves.
    pub fn check(&self) -> Result<(), ManifestError> {
        if self.format != FORMAT {
            return Err(ManifestError::Format(self.format.clone()));
        }
        self.check_networks()?;
        self.check_shards()
    }

    /// The networks' sizes, that they fit each other, and the defaults.
    pub fn check_networks(&self) -> Result<(), ManifestError> {
        bounded("scales", self.scales, MAX_SCALES)?;
        self.transformer.as_ref().map_or(Ok(()), check_transformer)?;
        self.vae.as_ref().map_or(Ok(()), check_vae)?;
        self.text_encoder.as_ref().map_or(Ok(()), check_t5)?;
        self.check_fit()?;
        self.check_vocabulary()?;
        self.check_sampling()?;
        self.twin.as_deref().map_or(Ok(()), check_twin)?;
        self.training.as_ref().map_or(Ok(()), check_training)?;
        self.tokenizer.as_ref().map_or(Ok(()), |tokenizer| {
            check_file_name(&tokenizer.file)?;
            check_hash(&tokenizer.sha256)
        })
    }

    fn check_fit(&self) -> Result<(), ManifestError> {
        let Some(transformer) = &self.transformer else {
            return Ok(());
        };
        if let Some(vae) = &self.vae {
            let expected = vae.codebook_dim * if transformer.patchify { 4 } else { 1 };
            if transformer.bits != expected {
                return Err(ManifestError::VaeMismatch {
                    codebook_dim: vae.codebook_dim,
                    bits: transformer.bits,
                    expected,
                });
            }
        }
        match &self.text_encoder {
            Some(t5) if t5.d_model != transformer.text_dim => Err(ManifestError::TextMismatch {
                d_model: t5.d_model,
                text_dim: transformer.text_dim,
            }),
            _ => Ok(()),
        }
    }

    fn check_vocabulary(&self) -> Result<(), ManifestError> {
        let Some(pieces) = &self.vocabulary else {
            return Ok(());
        };
        let rows = self.text_encoder.as_ref().map(|t5| t5.vocab_size);
        let wrong = |what: String| Err(ManifestError::Vocabulary(what));
        match rows {
            None => return wrong("is given without a text encoder".into()),
            Some(rows) if rows != pieces.len() => {
                let count = pieces.len();
                return wrong(format!("has {count} pieces for a table of {rows} rows"));
            }
            Some(_) => {}
        }
        let mut seen = BTreeSet::new();
        match pieces.iter().find(|piece| !seen.insert(**piece)) {
            Some(piece) => wrong(format!("lists piece {piece} twice")),
            None => Ok(()),
        }
    }

    fn check_sampling(&self) -> Result<(), ManifestError> {
        let Sampling { cfg, tau, top_p } = &self.sampling;
        let bad = |field, value: String, rule| Err(ManifestError::Size { field, value, rule });
        for (field, list) in [("sampling.cfg", cfg), ("sampling.tau", tau)] {
            if list.len() != 1 && list.len() != self.scales {
                let rule = "a list has one value for all scales or one for each";
                return bad(field, format!("a list of {}", list.len()), rule);
            }
        }
        if let Some(value) = cfg.iter().find(|v| !(0.0..=100.0).contains(*v)) {
            return bad("sampling.cfg", value.to_string(), "between 0 and 100");
        }
        if let Some(value) = tau.iter().find(|v| !(1e-3..=100.0).contains(*v)) {
            return bad("sampling.tau", value.to_string(), "between 0.001 and 100");
        }
        if !(*top_p > 0.0 && *top_p <= 1.0) {
            return bad("sampling.top_p", top_p.to_string(), "above 0, at most 1");
        }
        Ok(())
    }

    fn check_shards(&self) -> Result<(), ManifestError> {
        let mut files: BTreeSet<&str> = self.tokenizer.iter().map(|t| t.file.as_str()).collect();
        let mut names = BTreeSet::new();
        for shard in &self.shards {
            check_file_name(&shard.file)?;
            if !files.insert(&shard.file) || shard.file == "manifest.json" {
                let name = shard.file.clone();
                return Err(ManifestError::Duplicate { what: "file", name });
            }
            check_shard(shard)?;
            for name in shard.tensors.keys() {
                if !names.insert(name.as_str()) {
                    let name = name.clone();
                    return Err(ManifestError::Duplicate { what: "tensor", name });
                }
                if !self.has_component_of(name) {
                    return Err(ManifestError::Tensor {
                        name: name.clone(),
                        file: shard.file.clone(),
                        why: "it belongs to no network that the manifest describes",
                    });
                }
            }
        }
        for component in Component::ALL.into_iter().filter(|c| self.has(*c)) {
            if !names.iter().any(|name| name.starts_with(component.prefix())) {
                return Err(ManifestError::NoTensors(component.title()));
            }
        }
        Ok(())
    }

    fn has_component_of(&self, name: &str) -> bool {
        let mut all = Component::ALL.into_iter();
        all.any(|component| self.has(component) && name.starts_with(component.prefix()))
    }

    fn has(&self, component: Component) -> bool {
        match component {
            Component::TextEncoder => self.text_encoder.is_some(),
            Component::Transformer => self.transformer.is_some(),
            Component::Vae => self.vae.is_some(),
        }
    }
}

fn check_training(training: &Training) -> Result<(), ManifestError> {
    match (0.0..=1.0).contains(&training.flips) {
        true => Ok(()),
        false => Err(ManifestError::Size {
            field: "training.flips",
            value: training.flips.to_string(),
            rule: "a probability between 0 and 1",
        }),
    }
}

fn check_shard(shard: &Shard) -> Result<(), ManifestError> {
    check_hash(&shard.sha256)?;
    let limit = match shard.tensors.len() {
        1 => MAX_TENSOR_SHARD_BYTES,
        _ => MAX_SHARD_BYTES,
    };
    if shard.bytes > limit {
        let (file, bytes) = (shard.file.clone(), shard.bytes);
        return Err(ManifestError::ShardTooLarge { file, bytes, limit });
    }
    let mut by_start: Vec<_> = shard.tensors.iter().collect();
    by_start.sort_by_key(|(_, tensor)| tensor.range);
    let mut covered = 8; // The length field of the safetensors header.
    for (name, tensor) in by_start {
        let [begin, end] = tensor.range;
        let wrong = |why| {
            let (name, file) = (name.clone(), shard.file.clone());
            Err(ManifestError::Tensor { name, file, why })
        };
        if end > shard.bytes {
            return wrong("its range ends behind the shard");
        }
        if begin < covered {
            return wrong("its range covers bytes of the header or of another tensor");
        }
        match byte_count(&tensor.shape, tensor.dtype.dtype()) {
            Some(bytes) if end.checked_sub(begin) == Some(bytes) => covered = end,
            _ => return wrong("its shape and dtype do not make the length of its range"),
        }
    }
    Ok(())
}

fn check_transformer(config: &TransformerConfig) -> Result<(), ManifestError> {
    bounded("transformer.embed_dim", config.embed_dim, 1 << 16)?;
    bounded("transformer.depth", config.depth, 1 << 10)?;
    bounded("transformer.num_heads", config.num_heads, 1 << 10)?;
    bounded("transformer.block_chunks", config.block_chunks, 1 << 10)?;
    bounded("transformer.ffn_hidden", config.ffn_hidden, 1 << 20)?;
    bounded("transformer.text_dim", config.text_dim, 1 << 16)?;
    bounded("transformer.text_maxlen", config.text_maxlen, 1 << 16)?;
    bounded("transformer.bits", config.bits, 1 << 10)?;
    divides(
        "transformer.embed_dim",
        config.embed_dim,
        4 * config.num_heads,
        "4 x num_heads divides it",
    )?;
    divides(
        "transformer.depth",
        config.depth,
        config.block_chunks,
        "block_chunks divides it",
    )?;
    divides("transformer.text_dim", config.text_dim, 128, "128 divides it")?;
    if config.classifier == Classifier::Conventional && config.bits > MAX_CONVENTIONAL_BITS {
        return Err(ManifestError::Size {
            field: "transformer.bits",
            value: config.bits.to_string(),
            rule: "at most 16 with the conventional classifier",
        });
    }
    if config.patchify {
        divides("transformer.bits", config.bits, 4, "4 divides it in patchified models")?;
    }
    small("transformer.norm_eps", config.norm_eps)
}

fn check_vae(config: &VaeConfig) -> Result<(), ManifestError> {
    bounded("vae.codebook_dim", config.codebook_dim, 1 << 10)?;
    bounded("vae.base_ch", config.base_ch, 1 << 14)?;
    bounded("vae.num_res_blocks", config.num_res_blocks, 1 << 6)?;
    bounded("vae.patch_size", config.patch_size, 1 << 8)?;
    bounded("vae.stem_patch", config.stem_patch, config.patch_size)?;
    bounded("vae.norm_groups", config.norm_groups, 1 << 10)?;
    bounded("vae.ch_mult", config.ch_mult.len(), 16)?;
    for &multiplier in &config.ch_mult {
        bounded("vae.ch_mult", multiplier, 1 << 8)?;
    }
    divides(
        "vae.patch_size",
        config.patch_size,
        config.stem_patch,
        "stem_patch divides it",
    )?;
    let stride = config.patch_size / config.stem_patch;
    if !stride.is_power_of_two() || stride.ilog2() as usize >= config.ch_mult.len() {
        return Err(ManifestError::Size {
            field: "vae.patch_size",
            value: config.patch_size.to_string(),
            rule: "stem_patch times a power of two, halved once per level but the last at most",
        });
    }
    Ok(())
}

fn check_t5(config: &T5Config) -> Result<(), ManifestError> {
    bounded("text_encoder.vocab_size", config.vocab_size, 1 << 20)?;
    bounded("text_encoder.d_model", config.d_model, 1 << 16)?;
    bounded("text_encoder.d_kv", config.d_kv, 1 << 12)?;
    bounded("text_encoder.d_ff", config.d_ff, 1 << 20)?;
    bounded("text_encoder.num_layers", config.num_layers, 1 << 10)?;
    bounded("text_encoder.num_heads", config.num_heads, 1 << 10)?;
    let buckets = config.relative_attention_num_buckets;
    bounded("text_encoder.relative_attention_num_buckets", buckets, 1 << 12)?;
    let distance = config.relative_attention_max_distance;
    bounded("text_encoder.relative_attention_max_distance", distance, 1 << 20)?;
    small("text_encoder.layer_norm_epsilon", config.layer_norm_epsilon)
}

fn bounded(field: &'static str, value: usize, limit: usize) -> Result<(), ManifestError> {
    match (1..=limit).contains(&value) {
        true => Ok(()),
        false => Err(ManifestError::Size {
            field,
            value: value.to_string(),
            rule: "above zero and of sensible size",
        }),
    }
}

fn divides(field: &'static str, value: usize, by: usize, rule: &'static str) -> Result<(), ManifestError> {
    match value.is_multiple_of(by) {
        true => Ok(()),
        false => Err(ManifestError::Size {
            field,
            value: value.to_string(),
            rule,
        }),
    }
}

fn small(field: &'static str, value: f64) -> Result<(), ManifestError> {
    match (0.0..=1e-2).contains(&value) {
        true => Ok(()),
        false => Err(ManifestError::Size {
            field,
            value: value.to_string(),
            rule: "between 0 and 0.01",
        }),
    }
}

fn check_file_name(name: &str) -> Result<(), ManifestError> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    match !name.is_empty() && name.len() <= 200 && !name.starts_with('.') && name.bytes().all(plain) {
        true => Ok(()),
        false => Err(ManifestError::FileName(name.to_string())),
    }
}

/// A file beside the manifest or in a folder beside it.
fn check_twin(path: &str) -> Result<(), ManifestError> {
    let plain = match path.split_once('/') {
        Some((folder, file)) => check_file_name(folder).and(check_file_name(file)),
        None => check_file_name(path),
    };
    match plain {
        Ok(()) if path != "manifest.json" => Ok(()),
        _ => Err(ManifestError::TwinPath(path.to_string())),
    }
}

fn check_hash(hash: &str) -> Result<(), ManifestError> {
    let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    match hash.len() == 64 && hash.bytes().all(hex) {
        true => Ok(()),
        false => Err(ManifestError::Hash(hash.to_string())),
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
pub(super) mod tests {
    use super::*;
    use serde_json::{Value, json};

    pub fn hash(digit: char) -> String {
        digit.to_string().repeat(64)
    }

    fn valid() -> Value {
        json!({
            "format": FORMAT,
            "name": "tiny",
            "licence": "MIT",
            "transformer": {
                "embed_dim": 64, "depth": 4, "num_heads": 4, "block_chunks": 2, "ffn_hidden": 256,
                "text_dim": 128, "text_maxlen": 8, "bits": 16
            },
            "vae": {"codebook_dim": 16, "base_ch": 32, "ch_mult": [1, 2, 2], "num_res_blocks": 1, "patch_size": 4},
            "text_encoder": {
                "vocab_size": 3, "d_model": 128, "d_kv": 16, "d_ff": 64, "num_layers": 1, "num_heads": 2
            },
            "tokenizer": {"file": "tokenizer.json", "bytes": 10, "sha256": hash('a')},
            "vocabulary": [0, 1, 7],
            "scales": 5,
            "sampling": {"cfg": [4.0], "tau": [1.0, 1.0, 1.0, 0.5, 0.5], "top_p": 0.97},
            "shards": [
                {"file": "w-1.safetensors", "bytes": 200, "sha256": hash('1'), "tensors": {
                    "transformer.pos_start": {"dtype": "F32", "shape": [1, 1, 4], "range": [100, 116]},
                    "vae.x": {"dtype": "BF16", "shape": [2], "range": [116, 120]}
                }},
                {"file": "w-2.safetensors", "bytes": 80, "sha256": hash('2'), "tensors": {
                    "text_encoder.shared.weight": {"dtype": "F16", "shape": [3], "range": [70, 76]}
                }}
            ]
        })
    }

    fn parse(value: &Value) -> Result<Manifest, ManifestError> {
        Manifest::parse(&serde_json::to_vec(value).unwrap())
    }

    /// The complaint about a valid manifest in which one place is set to another value.
    fn complaint(pointer: &str, value: Value) -> String {
        let mut manifest = valid();
        match manifest.pointer_mut(pointer) {
            Some(place) => *place = value,
            None => {
                let (parent, key) = pointer.rsplit_once('/').unwrap();
                manifest.pointer_mut(parent).unwrap()[key] = value;
            }
        }
        parse(&manifest).unwrap_err().to_string()
    }

    #[test]
    fn reads_back_what_it_writes() {
        let manifest = parse(&valid()).unwrap();
        assert_eq!(manifest.total_bytes(), 280);
        assert_eq!(Manifest::parse(&manifest.to_json().unwrap()).unwrap(), manifest);
        let mut least = valid();
        for key in ["vae", "text_encoder", "tokenizer", "vocabulary", "sampling"] {
            least.as_object_mut().unwrap().remove(key);
        }
        least["shards"].as_array_mut().unwrap().pop();
        least["shards"][0]["tensors"].as_object_mut().unwrap().remove("vae.x");
        let least = parse(&least).unwrap();
        assert_eq!(least.sampling, Sampling::default());
        let json = String::from_utf8(least.to_json().unwrap()).unwrap();
        assert!(!json.contains("vocabulary") && !json.contains("null"), "{json}");
    }

    #[test]
    fn refuses_other_formats_and_unknown_fields() {
        let later = complaint("/format", json!("infinity-manifest/2"));
        assert!(
            later.contains("`infinity-manifest/2`") && later.contains("update"),
            "{later}"
        );
        assert!(complaint("/colour", json!(1)).contains("colour"));
        assert!(complaint("/shards/0/colour", json!(1)).contains("colour"));
        assert!(Manifest::parse(b"{").unwrap_err().to_string().contains("JSON"));
    }

    #[test]
    fn refuses_networks_that_do_not_fit() {
        let vae = complaint("/vae/codebook_dim", json!(32));
        assert!(
            vae.contains("32 channels") && vae.contains("16 bits") && vae.contains("take the VAE"),
            "{vae}"
        );
        let patchify = complaint("/transformer/patchify", json!(true));
        assert!(patchify.contains("needs 64"), "{patchify}");
        let text = complaint("/transformer/text_dim", json!(256));
        assert!(text.contains("128 wide") && text.contains("expects 256"), "{text}");
        let mut fits = valid();
        fits["transformer"]["patchify"] = json!(true);
        fits["vae"]["codebook_dim"] = json!(4);
        assert!(parse(&fits).is_ok());
    }

    #[test]
    fn refuses_absurd_sizes() {
        for (pointer, value, expected) in [
            ("/transformer/embed_dim", json!(0), "embed_dim is 0"),
            ("/transformer/embed_dim", json!(1u64 << 40), "embed_dim"),
            ("/transformer/embed_dim", json!(72), "4 x num_heads"),
            ("/transformer/depth", json!(5), "block_chunks divides"),
            ("/transformer/norm_eps", json!(1.0), "norm_eps"),
            ("/transformer/bits", json!(100_000), "bits"),
            ("/vae/ch_mult", json!([]), "ch_mult"),
            ("/vae/ch_mult", json!([1, 0, 1]), "ch_mult"),
            ("/vae/patch_size", json!(6), "power of two"),
            ("/vae/patch_size", json!(8), "halved once per level"),
            ("/vae/stem_patch", json!(8), "stem_patch"),
            ("/text_encoder/num_heads", json!(0), "num_heads"),
            ("/scales", json!(14), "scales is 14"),
            ("/scales", json!(4), "sampling.tau is a list of 5"),
            ("/sampling/top_p", json!(0.0), "top_p"),
            ("/sampling/tau/0", json!(0.0), "tau"),
            ("/sampling/cfg/0", json!(-1.0), "cfg"),
            ("/vocabulary", json!([0, 1]), "2 pieces for a table of 3"),
            ("/vocabulary", json!([0, 1, 1]), "piece 1 twice"),
        ] {
            let message = complaint(pointer, value);
            assert!(message.contains(expected), "{pointer}: {message}");
        }
    }

    #[test]
    fn refuses_bad_shards() {
        let tensor =
            |begin: u64, end: u64, shape: Value| json!({"dtype": "F32", "shape": shape, "range": [begin, end]});
        let start = "/shards/0/tensors/transformer.pos_start";
        for (pointer, value, expected) in [
            (start, tensor(100, 116, json!([5])), "do not make the length"),
            (start, tensor(116, 100, json!([4])), "do not make the length"),
            (
                start,
                tensor(100, 116, json!([1u64 << 32, 1u64 << 32, 4])),
                "do not make the length",
            ),
            (start, tensor(192, 208, json!([4])), "ends behind the shard"),
            (start, tensor(0, 16, json!([4])), "bytes of the header"),
            (start, tensor(104, 120, json!([4])), "another tensor"),
            ("/shards/0/bytes", json!((64u64 << 20) + 1), "over the limit"),
            ("/shards/1/bytes", json!((1u64 << 30) + 1), "over the limit"),
            ("/shards/0/sha256", json!("12"), "SHA-256"),
            ("/shards/0/sha256", json!(hash('A')), "SHA-256"),
            (
                "/shards/1/file",
                json!("w-1.safetensors"),
                "file `w-1.safetensors` is listed twice",
            ),
            ("/shards/1/file", json!("tokenizer.json"), "listed twice"),
            ("/shards/1/file", json!("manifest.json"), "listed twice"),
            (
                "/shards/1/tensors/vae.x",
                tensor(76, 80, json!([1])),
                "tensor `vae.x` is listed twice",
            ),
            (
                "/shards/1/tensors/head.weight",
                tensor(76, 80, json!([1])),
                "no network",
            ),
            ("/shards/1", Value::Null, "JSON"),
        ] {
            let message = complaint(pointer, value);
            assert!(message.contains(expected), "{pointer}: {message}");
        }
        let mut one_large = valid();
        one_large["shards"][1]["bytes"] = json!(200u64 << 20);
        assert!(parse(&one_large).is_ok());
        let mut lacking = valid();
        lacking["shards"].as_array_mut().unwrap().pop();
        assert!(parse(&lacking).unwrap_err().to_string().contains("no tensors of it"));
        let twice = serde_json::to_string(&valid()).unwrap();
        let twice = twice.replace("\"vae.x\":", "\"transformer.pos_start\":");
        assert!(
            Manifest::parse(twice.as_bytes())
                .unwrap_err()
                .to_string()
                .contains("listed twice")
        );
    }

    #[test]
    fn refuses_names_that_leave_the_folder() {
        for name in [
            "",
            "..",
            "../x",
            "a/b",
            "a\\b",
            "/etc/passwd",
            ".hidden",
            "c:x",
            "a b",
            "a\0",
        ] {
            for pointer in ["/shards/0/file", "/tokenizer/file"] {
                assert!(complaint(pointer, json!(name)).contains("plain file name"), "{name}");
            }
        }
    }

    #[test]
    fn a_twin_is_a_file_here_or_one_folder_down() {
        for path in ["twin/manifest.json", "teacher-forcing.json"] {
            let mut manifest = valid();
            manifest["twin"] = json!(path);
            assert_eq!(parse(&manifest).unwrap().twin.as_deref(), Some(path));
        }
        for path in [
            "",
            "manifest.json",
            "../manifest.json",
            "./manifest.json",
            "/twin/manifest.json",
            "a/b/manifest.json",
            "twin/",
            "https://elsewhere/manifest.json",
            "twin\\manifest.json",
        ] {
            assert!(complaint("/twin", json!(path)).contains("a twin's manifest"), "{path}");
        }
    }
}

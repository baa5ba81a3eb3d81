//! What can be wrong with a checkpoint, each with what to do about it.

use super::manifest::ManifestError;
use super::pickle::PickleError;
use super::safetensors::SafetensorsError;
use std::path::PathBuf;

/// Errors of reading, checking and writing weights.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    #[error(
        "the checkpoint lacks {} of the tensors this model needs, the first is `{}`; it belongs to another model \
        or was cut short: download it again or pick the configuration it was trained with",
        .0.len(), .0.first().map(String::as_str).unwrap_or_default()
    )]
    Missing(Vec<String>),
    #[error(
        "this model has no place for {} of the checkpoint's tensors, the first is `{}`; pick the configuration \
        the checkpoint was trained with",
        .0.len(), .0.first().map(String::as_str).unwrap_or_default()
    )]
    Unexpected(Vec<String>),
    #[error(
        "tensor `{name}` has shape {found:?} but this model needs {expected:?}; pick the configuration the \
        checkpoint was trained with"
    )]
    Shape {
        name: String,
        expected: Vec<usize>,
        found: Vec<usize>,
    },
    #[error("tensor `{name}` is stored as {dtype}, but weights must be f32, f16 or bf16; convert the file first")]
    DType { name: String, dtype: String },
    #[error(
        "tensor `{name}` has shape {found:?} where {rank} axes are expected; this is not a checkpoint of this \
        model: check which file you picked"
    )]
    Rank {
        name: String,
        rank: usize,
        found: Vec<usize>,
    },
    #[error(
        "tensor `{name}` of shape {shape:?} cannot be made of {found} bytes; the file is damaged: download it again"
    )]
    ByteCount {
        name: String,
        shape: Vec<usize>,
        found: usize,
    },
    #[error("`{first}` and `{second}` are two spellings of one tensor; keep one of them and save the checkpoint again")]
    Spellings { first: String, second: String },
    #[error(
        "buffer `{0}` must be all zero and is not; this model adds a bias to its keys, which Infinity has not: it \
        cannot be converted"
    )]
    KeyBias(String),
    #[error(
        "the blocks of this checkpoint do not form equal chunks ({0}); it was cut short or edited: download it again"
    )]
    Chunks(String),
    #[error(
        "`cfg_uncond` has {found} rows but text_maxlen is {wanted}; pass --text-maxlen {found}, or --extend-cfg-uncond to repeat its rows"
    )]
    UnconditionalRows { found: usize, wanted: usize },
    #[error(
        "the {what} cannot be worked out from shape {shape:?} of `{name}`; this is not a checkpoint of this \
        model: check which file you picked"
    )]
    Underivable {
        what: &'static str,
        name: String,
        shape: Vec<usize>,
    },
    #[error(
        "no tensor here has a name of Infinity's transformer, its VAE or a T5 encoder; check which file you picked"
    )]
    Unrecognised,
    #[error("{value} of tensor `{name}` does not fit into f16; choose bf16, which has the range of f32")]
    F16Range { name: String, value: f32 },
    #[error(
        "tensor `{name}` holds a value that is not a finite number; the training that wrote it had diverged: use \
        an earlier checkpoint"
    )]
    NotFinite { name: String },
    #[error(
        "shard `{file}` has {found} bytes where the manifest says {expected}; it was cut short or replaced: \
        download it again"
    )]
    ShardLength { file: String, expected: u64, found: u64 },
    #[error(
        "shard `{file}` is not the one the manifest describes (its SHA-256 differs); remove it and download it again"
    )]
    ShardHash { file: String },
    #[error(
        "this is no archive that torch.save writes ({0}); save it again with torch.save of torch 1.6 or later, or \
        as safetensors"
    )]
    Archive(String),
    #[error(
        "this file is a pickle, but none that torch.save wrote ({0}); save the weights with torch.save or as \
        safetensors"
    )]
    Legacy(&'static str),
    #[error(
        "no state dict in this file: looked at the top level, `vae`, `state_dict`, `trainer.gpt_fsdp` and \
        `trainer.gpt_wo_ddp`, and the top level holds {0}; save the weights alone with \
        torch.save(model.state_dict(), ..)"
    )]
    NoStateDict(String),
    #[error("tensor `{name}` points outside its storage ({why}); the file is damaged: download it again")]
    OutsideStorage { name: String, why: &'static str },
    #[error("the index of the sharded checkpoint is wrong: {0}; download the folder again as a whole")]
    Index(String),
    #[error("neither safetensors nor a file of torch.save; check which file you picked")]
    UnknownFormat,
    #[error(
        "there is no checkpoint in this folder; it should hold model.safetensors, model.safetensors.index.json, \
        pytorch_model.bin or pytorch_model.bin.index.json"
    )]
    EmptyDirectory,
    #[error("{path} exists already; remove it or choose another place", path = .0.display())]
    Exists(PathBuf),
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{file}: {source}")]
    In { file: String, source: Box<WeightsError> },
    #[error(transparent)]
    Safetensors(#[from] SafetensorsError),
    #[error(transparent)]
    Pickle(#[from] PickleError),
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

impl WeightsError {
    /// The same error, told with the file it is about.
    pub fn within(self, file: impl Into<String>) -> Self {
        let (file, source) = (file.into(), Box::new(self));
        Self::In { file, source }
    }
}

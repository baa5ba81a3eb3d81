//! What can be wrong with a manifest, each with what to do about it.

use super::FORMAT;

/// Errors of reading and checking a manifest.
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
        "`{0}` is not the path of a baseline's manifest; use a plain file name other than manifest.json, or one below a \
        single folder such as `twin/manifest.json`"
    )]
    BaselinePath(String),
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

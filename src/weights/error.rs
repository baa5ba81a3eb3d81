//! What can be wrong with a checkpoint, each with what to do about it.

/// Errors of reading, checking and writing weights.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    #[error(
        "the checkpoint lacks {} of the tensors this model needs, the first is `{}`; it belongs to another model or was cut short: download it again or pick the configuration it was trained with",
        .0.len(), .0.first().map(String::as_str).unwrap_or_default()
    )]
    Missing(Vec<String>),
    #[error(
        "the checkpoint holds {} tensors this model has no place for, the first is `{}`; pick the configuration the checkpoint was trained with",
        .0.len(), .0.first().map(String::as_str).unwrap_or_default()
    )]
    Unexpected(Vec<String>),
    #[error(
        "tensor `{name}` has shape {found:?} but this model needs {expected:?}; pick the configuration the checkpoint was trained with"
    )]
    Shape {
        name: String,
        expected: Vec<usize>,
        found: Vec<usize>,
    },
    #[error("tensor `{name}` is stored as {dtype}, but weights must be f32, f16 or bf16; convert the file first")]
    DType { name: String, dtype: String },
}

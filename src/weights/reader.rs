//! What every checkpoint file offers: a list of named tensors, read one at a time.

use super::WeightsError;
use burn::tensor::{DType, TensorData};

/// A tensor of a file, before its values are read.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorInfo {
    pub name: String,
    pub dtype: DType,
    pub shape: Vec<usize>,
}

/// A checkpoint whose values stay on disk until asked for, so that one tensor is in memory at a time.
pub trait TensorReader {
    fn entries(&self) -> &[TensorInfo];

    /// The values of `entries()[index]`, in their dtype and row-major.
    fn read(&mut self, index: usize) -> Result<TensorData, WeightsError>;
}

/// Bytes of `shape` elements of `dtype`; `None` if no machine could hold them.
pub fn byte_count(shape: &[usize], dtype: DType) -> Option<u64> {
    let elements = shape.iter().try_fold(1u64, |all, &n| all.checked_mul(n as u64))?;
    elements.checked_mul(dtype.size() as u64)
}

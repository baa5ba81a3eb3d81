//! Checkpoints in and out: named tensors on one side, modules on the other.

mod error;
mod module;

pub use error::WeightsError;
pub use module::{export_module, load_module, parameter_shapes};

use burn::tensor::TensorData;
use std::collections::BTreeMap;

/// A state dict: official tensor name -> values, in the dtype of the file.
pub type Tensors = BTreeMap<String, TensorData>;

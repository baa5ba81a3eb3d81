//! Checkpoints in and out: named tensors on one side, modules on the other.
//!
//! [`files`] opens what others wrote (safetensors, `torch.save`, sharded folders), [`official`] gives it our names,
//! [`shards`] and [`manifest`] are what we write, [`fill`] fills networks, `module` reads them.

mod error;
pub mod fill;
pub mod manifest;
mod module;
pub mod official;
pub mod pickle;
pub mod reader;
pub mod safetensors;
pub mod shards;

#[cfg(not(target_family = "wasm"))]
pub mod directory;
#[cfg(not(target_family = "wasm"))]
pub mod files;
#[cfg(not(target_family = "wasm"))]
mod legacy;
#[cfg(not(target_family = "wasm"))]
mod pth;
#[cfg(not(target_family = "wasm"))]
mod sharded;
#[cfg(not(target_family = "wasm"))]
mod single_file;

#[cfg(test)]
mod tests;

pub use error::WeightsError;
pub use fill::load_module;
pub use manifest::Manifest;
pub use module::{export_module, parameter_shapes};

#[cfg(not(target_family = "wasm"))]
pub use directory::{load_directory, write_model};

use burn::tensor::TensorData;
use std::collections::BTreeMap;

/// A state dict: official tensor name -> values, in the dtype of the file.
pub type Tensors = BTreeMap<String, TensorData>;

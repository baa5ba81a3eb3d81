//! Checkpoint files and folders on disk.

use super::WeightsError;
use super::reader::TensorReader;
use super::sharded::ShardedDirectory;
use super::single_file::{self, named};
use std::path::Path;

/// Names that a folder of Hugging Face may hold, the index files last.
const SINGLE_FILES: [&str; 2] = ["model.safetensors", "pytorch_model.bin"];
const INDEX_FILES: [&str; 2] = ["model.safetensors.index.json", "pytorch_model.bin.index.json"];

/// Opens a file (safetensors or `torch.save`) or a folder (single or sharded checkpoint of Hugging Face).
pub fn open(path: &Path) -> Result<Box<dyn TensorReader>, WeightsError> {
    match path.is_dir() {
        true => open_directory(path).map_err(|error| named(error, path)),
        false => single_file::open(path),
    }
}

fn open_directory(path: &Path) -> Result<Box<dyn TensorReader>, WeightsError> {
    let existing = |names: [&str; 2]| names.map(|n| path.join(n)).into_iter().find(|p| p.is_file());
    // A folder with an index may also hold a single file for one of the other libraries; the index is complete.
    if let Some(index) = existing(INDEX_FILES) {
        return Ok(Box::new(ShardedDirectory::open(&index)?));
    }
    match existing(SINGLE_FILES) {
        Some(file) => single_file::open(&file),
        None => Err(WeightsError::EmptyDirectory),
    }
}

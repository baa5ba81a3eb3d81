//! A model folder on disk: written as a whole or not at all, verified when read.

use super::files::io;
use super::manifest::{Manifest, Shard};
use super::shards::{decode, sha256, verify};
use super::{Tensors, WeightsError};
use std::path::{Path, PathBuf};

/// The file that describes a folder.
pub const MANIFEST_FILE: &str = "manifest.json";

/// Reads a model folder: every shard is verified, every tensor decoded under its full name.
pub fn load_directory(directory: &Path) -> Result<(Manifest, Tensors), WeightsError> {
    let manifest = load_manifest(directory)?;
    let mut tensors = Tensors::new();
    for shard in &manifest.shards {
        let bytes = read_shard(directory, shard)?;
        tensors.extend(decode(shard, &bytes, "")?);
    }
    Ok((manifest, tensors))
}

/// Reads and checks the manifest of a folder, and the tokenizer's file if it has one.
pub fn load_manifest(directory: &Path) -> Result<Manifest, WeightsError> {
    let path = directory.join(MANIFEST_FILE);
    let json = std::fs::read(&path).map_err(io("read", &path))?;
    let manifest =
        Manifest::parse(&json).map_err(|error| WeightsError::from(error).within(path.display().to_string()))?;
    load_tokenizer(directory, &manifest)?;
    Ok(manifest)
}

/// The verified bytes of the tokenizer's file, if the model has one.
pub fn load_tokenizer(directory: &Path, manifest: &Manifest) -> Result<Option<Vec<u8>>, WeightsError> {
    let Some(tokenizer) = &manifest.tokenizer else {
        return Ok(None);
    };
    let path = directory.join(&tokenizer.file);
    let bytes = std::fs::read(&path).map_err(io("read", &path))?;
    if sha256(&bytes) != tokenizer.sha256 {
        let file = tokenizer.file.clone();
        return Err(WeightsError::ShardHash { file });
    }
    Ok(Some(bytes))
}

/// The verified bytes of one shard.
pub fn read_shard(directory: &Path, shard: &Shard) -> Result<Vec<u8>, WeightsError> {
    let path = directory.join(&shard.file);
    let found = std::fs::metadata(&path).map_err(io("read", &path))?.len();
    if found != shard.bytes {
        return Err(WeightsError::ShardLength {
            file: shard.file.clone(),
            expected: shard.bytes,
            found,
        });
    }
    let bytes = std::fs::read(&path).map_err(io("read", &path))?;
    verify(shard, &bytes)?;
    Ok(bytes)
}

/// A folder being written, beside its final place. Dropped before [`finish`](Self::finish), it leaves nothing.
pub struct DirectoryWriter {
    target: PathBuf,
    partial: PathBuf,
    finished: bool,
}

impl DirectoryWriter {
    /// Starts a folder that will be `target`, which must not exist (an empty folder may).
    pub fn create(target: &Path) -> Result<Self, WeightsError> {
        let occupied = || WeightsError::Exists(target.to_path_buf());
        let taken = match std::fs::read_dir(target) {
            Ok(mut entries) => entries.next().is_some(),
            Err(_) => target.symlink_metadata().is_ok(),
        };
        if taken {
            return Err(occupied());
        }
        let name = target.file_name().ok_or_else(occupied)?.to_string_lossy();
        let partial = target.with_file_name(format!(".{name}.partial-{}", std::process::id()));
        if let Some(parent) = partial.parent().filter(|p| !p.as_os_str().is_empty()) {
            std::fs::create_dir_all(parent).map_err(io("create", parent))?;
        }
        std::fs::create_dir(&partial).map_err(io("create", &partial))?;
        Ok(Self {
            target: target.to_path_buf(),
            partial,
            finished: false,
        })
    }

    /// Writes one file of the folder.
    pub fn write(&self, file: &str, bytes: &[u8]) -> Result<(), WeightsError> {
        let path = self.partial.join(file);
        std::fs::write(&path, bytes).map_err(io("write", &path))
    }

    /// Writes the manifest and puts the folder in its place.
    pub fn finish(mut self, manifest: &Manifest) -> Result<(), WeightsError> {
        self.write(MANIFEST_FILE, &manifest.to_json()?)?;
        // An empty folder in the way is replaced on Unix and must be removed first elsewhere.
        if self.target.is_dir() {
            std::fs::remove_dir(&self.target).map_err(io("replace", &self.target))?;
        }
        std::fs::rename(&self.partial, &self.target).map_err(io("create", &self.target))?;
        self.finished = true;
        Ok(())
    }
}

impl Drop for DirectoryWriter {
    fn drop(&mut self) {
        if !self.finished {
            // Already failing: the first error is the one to tell.
            let _ = std::fs::remove_dir_all(&self.partial);
        }
    }
}

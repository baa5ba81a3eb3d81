//! A model folder on disk: written as a whole or not at all, verified when read.

use super::manifest::{Manifest, Shard, TokenizerFile};
use super::official::Component;
use super::shards::{PackOptions, decode, pack, sha256, verify};
use super::single_file::io;
use super::{Tensors, WeightsError};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The file that describes a folder.
pub const MANIFEST_FILE: &str = "manifest.json";

/// The tokenizer's file in the folders that we write.
pub const TOKENIZER_FILE: &str = "tokenizer.json";

/// Writes a whole model folder and gives the manifest it got.
///
/// `networks` has each network's tensors under their names in that network (no prefix); `manifest` says everything but
/// the shards and the tokenizer's file, which are filled in here. On any error `directory` stays as it was.
pub fn write_model(
    directory: &Path,
    manifest: Manifest,
    networks: BTreeMap<Component, Tensors>,
    tokenizer: Option<&[u8]>,
    options: &PackOptions,
) -> Result<Manifest, WeightsError> {
    manifest.check_networks()?;
    let mut named = Tensors::new();
    for (component, tensors) in networks {
        let prefixed = |(name, data)| (format!("{}{name}", component.prefix()), data);
        named.extend(tensors.into_iter().map(prefixed));
    }
    let writer = DirectoryWriter::create(directory)?;
    let mut manifest = Manifest {
        tokenizer: tokenizer.map(|bytes| writer.write_tokenizer(bytes)).transpose()?,
        shards: Vec::new(),
        ..manifest
    };
    for (shard, bytes) in pack(&named, options)? {
        writer.write(&shard.file, &bytes)?;
        manifest.shards.push(shard);
    }
    writer.finish(&manifest)?;
    Ok(manifest)
}

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

/// Reads a model folder as [`load_directory`] does; a baseline's folder together with what it shares with its model:
/// the image tokenizer and the text tokenizer. Gives the bytes of the text tokenizer's file as well.
pub fn load_whole(directory: &Path) -> Result<(Manifest, Tensors, Option<Vec<u8>>), WeightsError> {
    let (mut manifest, mut tensors) = load_directory(directory)?;
    let mut tokenizer = load_tokenizer(directory, &manifest)?;
    if (manifest.vae.is_none() || tokenizer.is_none())
        && let Some(folder) = model_of_baseline(directory)?
    {
        let (model, mut shared) = load_directory(&folder)?;
        if manifest.vae.is_none() {
            shared.retain(|name, _| name.starts_with(Component::Vae.prefix()));
            tensors.extend(shared);
            manifest.vae = model.vae.clone();
            // What one of them holds need not fit the other.
            manifest.check_networks()?;
        }
        if tokenizer.is_none() {
            tokenizer = load_tokenizer(&folder, &model)?;
            manifest.tokenizer = model.tokenizer;
        }
    }
    Ok((manifest, tensors, tokenizer))
}

/// The folder around this one, if the model there names this one's manifest as its baseline.
fn model_of_baseline(directory: &Path) -> Result<Option<PathBuf>, WeightsError> {
    let directory = directory.canonicalize().map_err(io("read", directory))?;
    let Some(parent) = directory.parent() else {
        return Ok(None);
    };
    if !parent.join(MANIFEST_FILE).exists() {
        return Ok(None);
    }
    let baseline = load_manifest(parent)?.baseline.map(|path| parent.join(path));
    Ok((baseline == Some(directory.join(MANIFEST_FILE))).then(|| parent.to_path_buf()))
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

    /// Writes the tokenizer and describes it for the manifest.
    pub fn write_tokenizer(&self, bytes: &[u8]) -> Result<TokenizerFile, WeightsError> {
        self.write(TOKENIZER_FILE, bytes)?;
        Ok(TokenizerFile {
            file: TOKENIZER_FILE.to_string(),
            bytes: bytes.len() as u64,
            sha256: sha256(bytes),
        })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::config::VaeConfig;
    use crate::weights::manifest::{FORMAT, Sampling};
    use burn::tensor::{DType, TensorData};

    fn manifest() -> Manifest {
        let vae: VaeConfig = serde_json::from_value(serde_json::json!({
            "codebook_dim": 16, "base_ch": 32, "ch_mult": [1, 1, 2, 2, 4], "num_res_blocks": 1, "patch_size": 16,
            "stem_patch": 1
        }))
        .unwrap();
        Manifest {
            format: FORMAT.to_string(),
            name: "tiny".to_string(),
            licence: "MIT".to_string(),
            transformer: None,
            vae: Some(vae),
            text_encoder: None,
            tokenizer: None,
            vocabulary: None,
            words: Vec::new(),
            examples: vec!["a red ball".to_string()],
            scales: 5,
            sampling: Sampling::default(),
            baseline: None,
            training: None,
            shards: Vec::new(),
        }
    }

    fn networks(largest: f32) -> BTreeMap<Component, Tensors> {
        let ramp: Vec<f32> = (0..3000).map(|i| (i as f32 / 2999.0) * largest).collect();
        let tensors = ["decoder.a", "decoder.b", "encoder.c"]
            .map(|name| (name.to_string(), TensorData::new(ramp.clone(), [30, 100])));
        BTreeMap::from([(Component::Vae, Tensors::from(tensors))])
    }

    fn names(directory: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(directory).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_written_model_is_read_back() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("models/tiny");
        let options = PackOptions {
            max_bytes: 14_000,
            ..PackOptions::PAGE
        };
        let written = write_model(&folder, manifest(), networks(2.0), Some(b"{}"), &options).unwrap();
        let (manifest, tensors) = load_directory(&folder).unwrap();
        assert_eq!(manifest, written);
        assert_eq!(manifest.examples, ["a red ball"]);
        assert_eq!(load_tokenizer(&folder, &manifest).unwrap().unwrap(), b"{}");
        assert_eq!(manifest.shards.len(), 2);
        assert!(manifest.shards.iter().all(|shard| shard.bytes <= 14_000));
        assert_eq!(tensors.len(), 3);
        for (name, data) in &networks(2.0)[&Component::Vae] {
            let half = data.clone().convert_dtype(DType::F16);
            assert_eq!(tensors[&format!("vae.{name}")], half, "{name}");
        }
        assert_eq!(names(folder.parent().unwrap()), ["tiny"]);

        // Equal input, equal bytes.
        let again = parent.path().join("again");
        write_model(&again, self::manifest(), networks(2.0), Some(b"{}"), &options).unwrap();
        assert_eq!(names(&again), names(&folder));
        for name in names(&again) {
            let read = |folder: &Path| std::fs::read(folder.join(&name)).unwrap();
            assert_eq!(read(&again), read(&folder), "{name}");
        }
    }

    #[test]
    fn a_model_that_cannot_be_written_leaves_nothing() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("tiny");
        let refuse = |manifest, networks| {
            let error = write_model(&folder, manifest, networks, Some(b"{}"), &PackOptions::PAGE).unwrap_err();
            assert_eq!(names(parent.path()), [""; 0]);
            error.to_string()
        };
        assert!(refuse(manifest(), networks(1e6)).contains("does not fit into f16"));
        assert!(refuse(manifest(), BTreeMap::new()).contains("lists no tensors"));
        let absurd = Manifest {
            scales: 99,
            ..manifest()
        };
        assert!(refuse(absurd, networks(1.0)).contains("scales is 99"));

        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("mine.txt"), "kept").unwrap();
        let taken = write_model(&folder, manifest(), networks(1.0), None, &PackOptions::PAGE).unwrap_err();
        assert!(taken.to_string().contains("exists already"), "{taken}");
        assert_eq!(names(&folder), ["mine.txt"]);
    }
}

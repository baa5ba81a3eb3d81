//! Folders of Hugging Face: several weight files and an index that says which tensor lies in which.

use super::WeightsError;
use super::reader::{TensorInfo, TensorReader, byte_count};
use super::single_file::{io, open};
use burn::tensor::TensorData;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// The part of the index file that matters.
#[derive(Deserialize)]
struct Index {
    #[serde(default)]
    metadata: Metadata,
    /// Tensor name -> file name.
    weight_map: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
struct Metadata {
    /// Bytes of all tensors together.
    total_size: Option<u64>,
}

/// An opened folder whose index and files agree.
pub struct ShardedDirectory {
    shards: Vec<Box<dyn TensorReader>>,
    entries: Vec<TensorInfo>,
    /// For each entry, its shard and its place there.
    places: Vec<(usize, usize)>,
}

impl ShardedDirectory {
    /// Opens the folder of an index file and checks that both say the same.
    pub fn open(index_path: &Path) -> Result<Self, WeightsError> {
        let bytes = std::fs::read(index_path).map_err(io("read", index_path))?;
        let index: Index =
            serde_json::from_slice(&bytes).map_err(|error| wrong(format!("it is not the JSON expected ({error})")))?;
        if index.weight_map.is_empty() {
            return Err(wrong("it lists no tensors".into()));
        }
        let mut directory = Self {
            shards: Vec::new(),
            entries: Vec::new(),
            places: Vec::new(),
        };
        let mut by_file: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (name, file) in &index.weight_map {
            by_file.entry(file).or_default().push(name);
        }
        for (file, names) in by_file {
            directory.add(index_path, file, &names, &index.weight_map)?;
        }
        directory.check_total(index.metadata.total_size)?;
        Ok(directory)
    }

    fn add(
        &mut self,
        index_path: &Path,
        file: &str,
        names: &[&str],
        weight_map: &BTreeMap<String, String>,
    ) -> Result<(), WeightsError> {
        if file.is_empty() || file.contains(['/', '\\']) || file.starts_with('.') {
            return Err(wrong(format!("`{file}` is not a file name within the folder")));
        }
        let path = index_path.with_file_name(file);
        if !path.is_file() {
            return Err(wrong(format!("its file `{file}` is missing")));
        }
        let shard = open(&path)?;
        for (place, entry) in shard.entries().iter().enumerate() {
            match weight_map.get(&entry.name) {
                Some(listed) if listed == file => {
                    self.places.push((self.shards.len(), place));
                    self.entries.push(entry.clone());
                }
                Some(listed) => {
                    let name = &entry.name;
                    return Err(wrong(format!(
                        "it places `{name}` in `{listed}`, but `{file}` holds it"
                    )));
                }
                None => {
                    return Err(wrong(format!(
                        "`{file}` holds `{}`, which it does not list",
                        entry.name
                    )));
                }
            }
        }
        let held = |name: &&&str| shard.entries().iter().any(|entry| entry.name == **name);
        if let Some(absent) = names.iter().find(|name| !held(name)) {
            return Err(wrong(format!(
                "it places `{absent}` in `{file}`, which does not hold it"
            )));
        }
        self.shards.push(shard);
        Ok(())
    }

    fn check_total(&self, stated: Option<u64>) -> Result<(), WeightsError> {
        let sizes = self.entries.iter().map(|e| byte_count(&e.shape, e.dtype));
        let held = sizes.sum::<Option<u64>>();
        match (stated, held) {
            (Some(stated), Some(held)) if stated != held => Err(wrong(format!(
                "it states {stated} bytes of tensors and the files hold {held}"
            ))),
            _ => Ok(()),
        }
    }
}

impl TensorReader for ShardedDirectory {
    fn entries(&self) -> &[TensorInfo] {
        &self.entries
    }

    fn read(&mut self, index: usize) -> Result<TensorData, WeightsError> {
        let (shard, place) = self.places[index];
        self.shards[shard].read(place)
    }
}

fn wrong(what: String) -> WeightsError {
    WeightsError::Index(what)
}

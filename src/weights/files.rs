//! Checkpoint files and folders on disk, told apart by their first bytes.

use super::WeightsError;
use super::legacy::LegacyFile;
use super::pth::PthFile;
use super::safetensors::{self, Header, LENGTH_BYTES};
use super::sharded::ShardedDirectory;
use super::source::{Entry, Source};
use burn::tensor::TensorData;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

/// Names that a folder of Hugging Face may hold, the index files last.
const SINGLE_FILES: [&str; 2] = ["model.safetensors", "pytorch_model.bin"];
const INDEX_FILES: [&str; 2] = ["model.safetensors.index.json", "pytorch_model.bin.index.json"];

/// Opens a file (safetensors or `torch.save`) or a folder (single or sharded checkpoint of Hugging Face).
pub fn open(path: &Path) -> Result<Box<dyn Source>, WeightsError> {
    let opened = match path.is_dir() {
        true => open_directory(path),
        false => open_file(path),
    };
    opened.map_err(|error| match error {
        // These say which file.
        WeightsError::Io { .. } | WeightsError::In { .. } => error,
        error => error.within(path.display().to_string()),
    })
}

fn open_directory(path: &Path) -> Result<Box<dyn Source>, WeightsError> {
    let existing = |names: [&str; 2]| names.map(|n| path.join(n)).into_iter().find(|p| p.is_file());
    // A folder with an index may also hold a single file for one of the other libraries; the index is complete.
    if let Some(index) = existing(INDEX_FILES) {
        return Ok(Box::new(ShardedDirectory::open(&index)?));
    }
    match existing(SINGLE_FILES) {
        Some(file) => open(&file),
        None => Err(WeightsError::EmptyDirectory),
    }
}

fn open_file(path: &Path) -> Result<Box<dyn Source>, WeightsError> {
    let mut file = File::open(path).map_err(io("open", path))?;
    let mut start = Vec::new();
    let prefix = (&mut file).take(LENGTH_BYTES as u64 + 1);
    { prefix }.read_to_end(&mut start).map_err(io("read", path))?;
    file.rewind().map_err(io("read", path))?;
    match &start[..] {
        [b'P', b'K', 3, 4, ..] => Ok(Box::new(PthFile::open(BufReader::new(file))?)),
        [0x80, 1..=5, ..] if start.get(LENGTH_BYTES) != Some(&b'{') => {
            Ok(Box::new(LegacyFile::open(BufReader::new(file))?))
        }
        _ if start.get(LENGTH_BYTES) == Some(&b'{') || looks_like(path, "safetensors") => {
            Ok(Box::new(SafetensorsFile::open(file, path)?))
        }
        _ => Err(WeightsError::UnknownFormat),
    }
}

fn looks_like(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|e| e == extension)
}

/// A safetensors file of which only the header is in memory.
struct SafetensorsFile {
    file: File,
    path: std::path::PathBuf,
    header: Header,
}

impl SafetensorsFile {
    fn open(mut file: File, path: &Path) -> Result<Self, WeightsError> {
        let file_bytes = file.metadata().map_err(io("read", path))?.len();
        if file_bytes < LENGTH_BYTES as u64 {
            return Err(safetensors::SafetensorsError::Short(file_bytes).into());
        }
        let mut prefix = [0; LENGTH_BYTES];
        file.read_exact(&mut prefix).map_err(io("read", path))?;
        let mut json = vec![0; Header::length(prefix, file_bytes)?];
        file.read_exact(&mut json).map_err(io("read", path))?;
        let header = Header::parse(&json, file_bytes)?;
        let path = path.to_path_buf();
        Ok(Self { file, path, header })
    }
}

impl Source for SafetensorsFile {
    fn entries(&self) -> &[Entry] {
        &self.header.entries
    }

    fn read(&mut self, index: usize) -> Result<TensorData, WeightsError> {
        let range = &self.header.ranges[index];
        let mut bytes = vec![0; (range.end - range.start) as usize];
        let start = SeekFrom::Start(range.start);
        self.file.seek(start).map_err(io("read", &self.path))?;
        self.file.read_exact(&mut bytes).map_err(io("read", &self.path))?;
        safetensors::decode(&self.header.entries[index], bytes)
    }
}

/// Names the file an input or output error is about.
pub(super) fn io<'a>(action: &'static str, path: &'a Path) -> impl Fn(std::io::Error) -> WeightsError + 'a {
    move |source| WeightsError::Io {
        action,
        path: path.to_path_buf(),
        source,
    }
}

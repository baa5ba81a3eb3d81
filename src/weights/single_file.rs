//! One checkpoint file on disk, safetensors or `torch.save`, told apart by its first bytes.

use super::WeightsError;
use super::legacy::LegacyFile;
use super::pth::PthFile;
use super::reader::{TensorInfo, TensorReader};
use super::safetensors::{self, Header, LENGTH_BYTES};
use burn::tensor::TensorData;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

/// Opens a file; an error names it.
pub fn open(path: &Path) -> Result<Box<dyn TensorReader>, WeightsError> {
    open_file(path).map_err(|error| named(error, path))
}

/// The error with the path it is about, unless it already has one.
pub(super) fn named(error: WeightsError, path: &Path) -> WeightsError {
    match error {
        WeightsError::Io { .. } | WeightsError::In { .. } => error,
        error => error.within(path.display().to_string()),
    }
}

fn open_file(path: &Path) -> Result<Box<dyn TensorReader>, WeightsError> {
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

impl TensorReader for SafetensorsFile {
    fn entries(&self) -> &[TensorInfo] {
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

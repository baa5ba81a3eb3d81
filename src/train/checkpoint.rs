//! A training run put aside: one safetensors file that is replaced whole, so that a run cut off anywhere resumes
//! exactly.

#[cfg(not(target_family = "wasm"))]
use super::TrainError;
use crate::weights::Tensors;
use burn::tensor::{Bytes, DType, TensorData};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::HashMap;
#[cfg(not(target_family = "wasm"))]
use std::path::Path;

/// Everything the next step depends on.
pub struct Checkpoint {
    /// Steps done.
    pub step: usize,
    /// The run's configuration as JSON, to refuse a resume with another one.
    pub config: String,
    pub model: Tensors,
    pub optimizer: Tensors,
    pub ema: Tensors,
}

const PARTS: [&str; 3] = ["model", "optimizer", "ema"];

impl Checkpoint {
    /// Writes beside `path`, then renames.
    #[cfg(not(target_family = "wasm"))]
    pub fn save(&self, path: &Path) -> Result<(), TrainError> {
        let bytes = self.encode().map_err(|error| broken(path, &error))?;
        let temporary = path.with_extension("partial");
        let io = |error| io_error(&temporary, error);
        std::fs::write(&temporary, bytes).map_err(io)?;
        std::fs::rename(&temporary, path).map_err(|error| io_error(path, error))
    }

    /// The bytes of its file.
    pub fn encode(&self) -> Result<Vec<u8>, String> {
        let parts = [&self.model, &self.optimizer, &self.ema];
        let mut views = Vec::new();
        for (part, tensors) in PARTS.iter().zip(parts) {
            for (name, data) in tensors {
                let dtype = match data.dtype() {
                    DType::F32 => Dtype::F32,
                    DType::I64 => Dtype::I64,
                    other => return Err(format!("{name} has dtype {other:?}")),
                };
                let view = TensorView::new(dtype, data.shape().to_vec(), data.as_bytes());
                views.push((format!("{part}/{name}"), view.map_err(|error| error.to_string())?));
            }
        }
        let metadata = HashMap::from([
            ("step".to_string(), self.step.to_string()),
            ("config".to_string(), self.config.clone()),
        ]);
        safetensors::serialize(views, Some(metadata)).map_err(|error| error.to_string())
    }

    /// Reads what [`save`](Self::save) wrote.
    #[cfg(not(target_family = "wasm"))]
    pub fn load(path: &Path) -> Result<Self, TrainError> {
        let bytes = std::fs::read(path).map_err(|error| io_error(path, error))?;
        Self::decode(&bytes).map_err(|error| broken(path, &error))
    }

    /// From the bytes of its file; the error says what is wrong with them.
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| error.to_string())?;
        let file = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
        let metadata = header.metadata().clone().unwrap_or_default();
        let field = |key: &str| metadata.get(key).cloned().ok_or(format!("no `{key}` in its metadata"));
        let [mut model, mut optimizer, mut ema] = [Tensors::new(), Tensors::new(), Tensors::new()];
        for (name, view) in file.iter() {
            let dtype = match view.dtype() {
                Dtype::F32 => DType::F32,
                Dtype::I64 => DType::I64,
                other => return Err(format!("{name} has dtype {other:?}")),
            };
            let bytes = Bytes::from_bytes_vec(view.data().to_vec());
            let data = TensorData::from_bytes(bytes, view.shape().to_vec(), dtype);
            let (part, name) = name.split_once('/').ok_or(format!("unknown tensor {name}"))?;
            let part = match part {
                "model" => &mut model,
                "optimizer" => &mut optimizer,
                "ema" => &mut ema,
                other => return Err(format!("unknown part {other}")),
            };
            part.insert(name.to_string(), data);
        }
        Ok(Self {
            step: field("step")?
                .parse()
                .map_err(|_| "its step is not a number".to_string())?,
            config: field("config")?,
            model,
            optimizer,
            ema,
        })
    }
}

#[cfg(not(target_family = "wasm"))]
fn broken(path: &Path, error: &str) -> TrainError {
    TrainError::Checkpoint(path.display().to_string(), error.to_string())
}

/// An error about a path.
#[cfg(not(target_family = "wasm"))]
pub fn io_error(path: &Path, error: std::io::Error) -> TrainError {
    TrainError::Io {
        path: path.display().to_string(),
        error,
    }
}

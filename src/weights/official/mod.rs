//! Official checkpoints in our names: which network a file holds, its sizes, and where each tensor goes.
//!
//! Our names are the official ones in one spelling: `blocks.{i}.` for the transformer's blocks however the file groups
//! them, no inner `.conv` / `.norm` in the VAE, Hugging Face's names for T5. Everything here works on names and shapes;
//! values are read later, one tensor at a time.

pub mod t5;
pub mod transformer;
pub mod vae;

use super::WeightsError;
use super::reader::{TensorInfo, TensorReader};
use burn::tensor::{DType, TensorData};
use std::collections::BTreeMap;

/// One of the three networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Component {
    TextEncoder,
    Transformer,
    Vae,
}

impl Component {
    pub const ALL: [Self; 3] = [Self::TextEncoder, Self::Transformer, Self::Vae];

    /// What our shards put before its tensors' names.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::TextEncoder => "text_encoder.",
            Self::Transformer => "transformer.",
            Self::Vae => "vae.",
        }
    }

    /// What messages call it.
    pub fn title(self) -> &'static str {
        match self {
            Self::TextEncoder => "text encoder",
            Self::Transformer => "transformer",
            Self::Vae => "VAE",
        }
    }

    /// Whose tensors these are, by names that only one network has.
    pub fn recognise(entries: &[TensorInfo]) -> Option<Self> {
        let has = |name: &str| entries.iter().any(|entry| entry.name == name);
        if has("pos_start") || has("cfg_uncond") {
            Some(Self::Transformer)
        } else if has("decoder.conv_in.weight") || has("decoder.conv_in.conv.weight") {
            Some(Self::Vae)
        } else if has("encoder.final_layer_norm.weight") {
            Some(Self::TextEncoder)
        } else {
            None
        }
    }
}

/// How to make one of our tensors.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedTensor {
    /// Our name, without the component's prefix.
    pub name: String,
    /// Index of the source's entry.
    pub index: usize,
    /// Shape after [`PlannedTensor::read`]; only the rows may differ from the entry's.
    pub shape: Vec<usize>,
    pub dtype: DType,
}

/// A network's sizes and how to read it from a source.
#[derive(Debug)]
pub struct ImportPlan<C> {
    pub config: C,
    /// In the order of the network.
    pub tensors: Vec<PlannedTensor>,
    /// Entries that must be zero and are then dropped.
    zeros: Vec<usize>,
}

impl<C> ImportPlan<C> {
    /// Checks the buffers that this model does not have, which is only right if they are zero.
    pub fn check_zeros(&self, source: &mut dyn TensorReader) -> Result<(), WeightsError> {
        for &index in &self.zeros {
            let is_zero = source.read(index)?.iter::<f32>().all(|value| value == 0.0);
            if !is_zero {
                return Err(WeightsError::KeyBias(source.entries()[index].name.clone()));
            }
        }
        Ok(())
    }
}

impl PlannedTensor {
    /// The values, with rows dropped or repeated (row `i` is row `i mod n`) where the plan says so.
    pub fn read(&self, source: &mut dyn TensorReader) -> Result<TensorData, WeightsError> {
        let data = source.read(self.index)?;
        if data.shape().to_vec() == self.shape {
            return Ok(data);
        }
        let wanted = self.shape.iter().product::<usize>() * data.dtype().size();
        let bytes = data.as_bytes().iter().copied().cycle().take(wanted).collect();
        super::safetensors::decode(
            &TensorInfo {
                name: self.name.clone(),
                dtype: self.dtype,
                shape: self.shape.clone(),
            },
            bytes,
        )
    }
}

/// Entries by our names.
struct Named<'a> {
    entries: &'a [TensorInfo],
    indices: BTreeMap<String, usize>,
}

impl<'a> Named<'a> {
    /// `rename` gives our name, or none for what is to be left out.
    fn new(entries: &'a [TensorInfo], rename: impl Fn(&str) -> Option<String>) -> Result<Self, WeightsError> {
        let mut indices = BTreeMap::new();
        for (index, entry) in entries.iter().enumerate() {
            let Some(name) = rename(&entry.name) else {
                continue;
            };
            if let Some(other) = indices.insert(name, index) {
                return Err(WeightsError::Spellings {
                    first: entries[other].name.clone(),
                    second: entry.name.clone(),
                });
            }
        }
        Ok(Self { entries, indices })
    }

    fn has(&self, name: &str) -> bool {
        self.indices.contains_key(name)
    }

    /// The shape of a tensor that sizes are read from.
    fn shape<const D: usize>(&self, name: &str) -> Result<[usize; D], WeightsError> {
        let index = self.indices.get(name);
        let index = index.ok_or_else(|| WeightsError::Missing(vec![name.to_string()]))?;
        let found = &self.entries[*index].shape;
        found.as_slice().try_into().map_err(|_| WeightsError::Rank {
            name: name.to_string(),
            rank: D,
            found: found.clone(),
        })
    }

    /// How many of `name(0), name(1), ..` there are.
    fn count(&self, name: impl Fn(usize) -> String) -> usize {
        (0..).take_while(|&i| self.has(&name(i))).count()
    }

    /// Matches what there is with what the network needs.
    fn plan(mut self, expected: Vec<(String, Vec<usize>)>) -> Result<Vec<PlannedTensor>, WeightsError> {
        let absent = expected.iter().filter(|(name, _)| !self.has(name));
        let missing: Vec<String> = absent.map(|(name, _)| name.clone()).collect();
        if !missing.is_empty() {
            return Err(WeightsError::Missing(missing));
        }
        let mut planned = Vec::with_capacity(expected.len());
        for (name, shape) in expected {
            let Some(index) = self.indices.remove(&name) else {
                return Err(WeightsError::Missing(vec![name]));
            };
            let entry = &self.entries[index];
            if entry.shape != shape {
                let found = entry.shape.clone();
                let expected = shape;
                return Err(WeightsError::Shape { name, expected, found });
            }
            let dtype = entry.dtype;
            if !matches!(dtype, DType::F64 | DType::F32 | DType::F16 | DType::BF16) {
                let dtype = format!("{dtype:?}");
                return Err(WeightsError::DType { name, dtype });
            }
            planned.push(PlannedTensor {
                name,
                index,
                shape,
                dtype,
            });
        }
        if !self.indices.is_empty() {
            let unknown = self.indices.into_values();
            let unknown = unknown.map(|index| self.entries[index].name.clone());
            return Err(WeightsError::Unexpected(unknown.collect()));
        }
        Ok(planned)
    }
}

/// The error of a size that does not follow from a shape.
fn underivable(what: &'static str, name: &str, shape: &[usize]) -> WeightsError {
    WeightsError::Underivable {
        what,
        name: name.to_string(),
        shape: shape.to_vec(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Entries in memory, all f32.
    pub struct Memory {
        entries: Vec<TensorInfo>,
        values: Vec<TensorData>,
    }

    impl Memory {
        /// Every tensor holds 1, 2, 3, ..
        pub fn counting(shapes: impl IntoIterator<Item = (String, Vec<usize>)>) -> Self {
            let mut memory = Self {
                entries: Vec::new(),
                values: Vec::new(),
            };
            for (name, shape) in shapes {
                memory.add(&name, &shape, |i| i as f32 + 1.0);
            }
            memory
        }

        pub fn add(&mut self, name: &str, shape: &[usize], value: impl Fn(usize) -> f32) {
            let values: Vec<f32> = (0..shape.iter().product()).map(value).collect();
            self.values.push(TensorData::new(values, shape.to_vec()));
            self.entries.push(TensorInfo {
                name: name.to_string(),
                dtype: DType::F32,
                shape: shape.to_vec(),
            });
        }

        pub fn rename(mut self, rename: impl Fn(&str) -> String) -> Self {
            for entry in &mut self.entries {
                entry.name = rename(&entry.name);
            }
            self
        }

        pub fn without(mut self, name: &str) -> Self {
            let index = self.entries.iter().position(|entry| entry.name == name).unwrap();
            self.entries.remove(index);
            self.values.remove(index);
            self
        }
    }

    impl TensorReader for Memory {
        fn entries(&self) -> &[TensorInfo] {
            &self.entries
        }

        fn read(&mut self, index: usize) -> Result<TensorData, WeightsError> {
            Ok(self.values[index].clone())
        }
    }
}

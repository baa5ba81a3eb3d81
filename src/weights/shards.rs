//! Weights in pieces: safetensors files of bounded size that a page fetches one by one and checks before use.

use super::fill::RawTensor;
use super::manifest::{FloatType, MAX_SHARD_BYTES, Shard, TensorRange};
use super::reader::TensorInfo;
use super::safetensors::{self, Header, LENGTH_BYTES};
use super::{Tensors, WeightsError};
use burn::tensor::{DType, TensorData};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::ops::Range;

/// How tensors become shards.
#[derive(Clone, Copy, Debug)]
pub struct PackOptions {
    /// The most bytes of a shard, unless a single tensor is larger.
    pub max_bytes: u64,
    /// Stored precision; as given if absent.
    pub dtype: Option<FloatType>,
}

impl PackOptions {
    /// For models that a page fetches: half precision, and shards small enough that progress is seen to move.
    pub const PAGE: Self = Self {
        max_bytes: 4 << 20,
        dtype: Some(FloatType::F16),
    };
}

impl Default for PackOptions {
    fn default() -> Self {
        Self {
            max_bytes: MAX_SHARD_BYTES,
            dtype: None,
        }
    }
}

/// Packs named tensors (with their component's prefix) into shards; equal input gives equal bytes.
pub fn pack(tensors: &Tensors, options: &PackOptions) -> Result<Vec<(Shard, Vec<u8>)>, WeightsError> {
    let named: Vec<(&String, &TensorData)> = tensors.iter().collect();
    let sizes: Vec<(&str, u64)> = named
        .iter()
        .map(|(name, data)| {
            let stored = stored_type(name, data.dtype(), options.dtype)?;
            let bytes = data.num_elements() as u64 * stored.dtype().size() as u64;
            Ok((name.as_str(), bytes))
        })
        .collect::<Result<_, WeightsError>>()?;
    let groups = group(&sizes, options.max_bytes);
    let count = groups.len();
    let packed = groups.into_iter().enumerate().map(|(i, group)| {
        let stored = named[group].iter().map(|(name, data)| {
            let data = cast(name, (*data).clone(), options.dtype)?;
            Ok((name.to_string(), data))
        });
        encode(shard_name(i, count), &stored.collect::<Result<Vec<_>, WeightsError>>()?)
    });
    packed.collect()
}

/// Name of shard `index` (from 0) of `count`.
pub fn shard_name(index: usize, count: usize) -> String {
    format!("weights-{:05}-of-{count:05}.safetensors", index + 1)
}

/// Divides a sequence of tensors (name and bytes) into shards of at most `max_bytes`, header included. A tensor that is
/// larger than that lies alone; components never share a shard.
pub fn group(sizes: &[(&str, u64)], max_bytes: u64) -> Vec<Range<usize>> {
    /// An upper bound of one tensor's header bytes besides its name: dtype, eight axes, two offsets, punctuation.
    const PER_TENSOR: u64 = 300;
    /// The length field, braces and the padding to eight bytes.
    const PER_FILE: u64 = 24;

    let component = |name: &str| name.split('.').next().unwrap_or_default().to_string();
    let mut groups: Vec<Range<usize>> = Vec::new();
    let mut filled = 0;
    for (i, (name, bytes)) in sizes.iter().enumerate() {
        let added = bytes.saturating_add(PER_TENSOR + name.len() as u64);
        match groups.last_mut() {
            Some(last)
                if component(sizes[last.start].0) == component(name) && added <= max_bytes.saturating_sub(filled) =>
            {
                last.end = i + 1;
            }
            _ => {
                groups.push(i..i + 1);
                filled = PER_FILE;
            }
        }
        filled = filled.saturating_add(added);
    }
    groups
}

/// Writes one shard and describes it.
pub fn encode(file: String, tensors: &[(String, TensorData)]) -> Result<(Shard, Vec<u8>), WeightsError> {
    let bytes = safetensors::write(tensors)?;
    // Reading our own header back gives the ranges as any reader will see them.
    let json = Header::length(first_bytes(&bytes)?, bytes.len() as u64)?;
    let header = Header::parse(&bytes[LENGTH_BYTES..LENGTH_BYTES + json], bytes.len() as u64)?;
    let mut listed = BTreeMap::new();
    for (entry, range) in header.entries.into_iter().zip(header.ranges) {
        let dtype = stored_type(&entry.name, entry.dtype, None)?;
        let (shape, range) = (entry.shape, [range.start, range.end]);
        listed.insert(entry.name, TensorRange { dtype, shape, range });
    }
    let shard = Shard {
        file,
        bytes: bytes.len() as u64,
        sha256: sha256(&bytes),
        tensors: listed,
    };
    Ok((shard, bytes))
}

fn first_bytes(bytes: &[u8]) -> Result<[u8; LENGTH_BYTES], WeightsError> {
    let short = safetensors::SafetensorsError::Short(bytes.len() as u64);
    bytes.first_chunk().copied().ok_or(short.into())
}

/// Checks that `bytes` are the shard that the manifest describes.
pub fn verify(shard: &Shard, bytes: &[u8]) -> Result<(), WeightsError> {
    if bytes.len() as u64 != shard.bytes {
        return Err(WeightsError::ShardLength {
            file: shard.file.clone(),
            expected: shard.bytes,
            found: bytes.len() as u64,
        });
    }
    if sha256(bytes) != shard.sha256 {
        let file = shard.file.clone();
        return Err(WeightsError::ShardHash { file });
    }
    Ok(())
}

/// The tensors of a verified shard whose names start with `prefix`, without it.
pub fn decode(shard: &Shard, bytes: &[u8], prefix: &str) -> Result<Tensors, WeightsError> {
    let wanted = shard
        .tensors
        .iter()
        .filter_map(|(name, tensor)| Some((name.strip_prefix(prefix)?, tensor)));
    wanted
        .map(|(name, tensor)| Ok((name.to_string(), decode_tensor(name, tensor, bytes)?)))
        .collect()
}

/// One tensor of a shard.
pub fn decode_tensor(name: &str, tensor: &TensorRange, shard: &[u8]) -> Result<TensorData, WeightsError> {
    let [begin, end] = tensor.range.map(|at| usize::try_from(at).unwrap_or(usize::MAX));
    let entry = TensorInfo {
        name: name.to_string(),
        dtype: tensor.dtype.dtype(),
        shape: tensor.shape.clone(),
    };
    safetensors::decode(&entry, shard.get(begin..end).unwrap_or_default().to_vec())
}

/// A tensor that still lies in the bytes of its verified shard.
pub struct ShardTensor<'a> {
    pub tensor: &'a TensorRange,
    pub shard: &'a [u8],
}

impl RawTensor for ShardTensor<'_> {
    fn dtype(&self) -> DType {
        self.tensor.dtype.dtype()
    }

    fn shape(&self) -> Vec<usize> {
        self.tensor.shape.clone()
    }

    fn bytes(&self) -> &[u8] {
        let [begin, end] = self.tensor.range.map(|at| usize::try_from(at).unwrap_or(usize::MAX));
        self.shard.get(begin..end).unwrap_or_default()
    }
}

/// Takes the tensors of one component out of a map, without their prefix.
pub fn take_component(tensors: &mut Tensors, prefix: &str) -> Tensors {
    let taken = tensors.extract_if(.., |name, _| name.starts_with(prefix));
    taken
        .map(|(name, data)| (name[prefix.len()..].to_string(), data))
        .collect()
}

/// The precision a tensor is stored in: as asked for, or its own (f64, which no model needs, becomes f32).
pub fn stored_type(name: &str, found: DType, wanted: Option<FloatType>) -> Result<FloatType, WeightsError> {
    let own = match found {
        DType::F64 => Some(FloatType::F32),
        other => FloatType::of(other),
    };
    let own = own.ok_or_else(|| WeightsError::DType {
        name: name.to_string(),
        dtype: format!("{found:?}"),
    })?;
    Ok(wanted.unwrap_or(own))
}

/// Brings values to the precision they are stored in. Whatever is not a finite number afterwards is refused.
pub fn cast(name: &str, data: TensorData, wanted: Option<FloatType>) -> Result<TensorData, WeightsError> {
    let dtype = stored_type(name, data.dtype(), wanted)?.dtype();
    if let Some(value) = data
        .iter::<f32>()
        .find(|value| !value.is_finite() || overflows(*value, dtype))
    {
        let name = name.to_string();
        return Err(match value.is_finite() {
            true => WeightsError::F16Range { name, value },
            false => WeightsError::NotFinite { name },
        });
    }
    Ok(match dtype == data.dtype() {
        true => data,
        false => data.convert_dtype(dtype),
    })
}

/// Whether rounding to f16 would give infinity. bf16 has the exponents of f32; the values that would round up to
/// infinity there are within half a unit of the largest f32, which no weight is.
fn overflows(value: f32, dtype: DType) -> bool {
    match dtype {
        DType::F16 => half::f16::from_f32(value).is_infinite(),
        DType::BF16 => half::bf16::from_f32(value).is_infinite(),
        _ => false,
    }
}

/// SHA-256 in lower-case hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use half::{bf16, f16};

    fn tensor(values: &[f32]) -> TensorData {
        TensorData::new(values.to_vec(), [values.len()])
    }

    fn sample() -> Tensors {
        let ramp = |n: usize| (0..n).map(|i| (i as f32 - 7.0) * 0.37).collect::<Vec<_>>();
        Tensors::from([
            ("transformer.a".to_string(), tensor(&ramp(100))),
            ("transformer.b".to_string(), tensor(&ramp(300))),
            ("transformer.c".to_string(), tensor(&ramp(2000))),
            ("transformer.d".to_string(), tensor(&ramp(10))),
            (
                "vae.a".to_string(),
                TensorData::new(vec![bf16::from_f32(0.1); 6], [2, 3]),
            ),
        ])
    }

    fn with(max_bytes: u64) -> PackOptions {
        PackOptions { max_bytes, dtype: None }
    }

    #[test]
    fn a_round_trip_keeps_every_bit() {
        for max_bytes in [1, 2500, 5000, MAX_SHARD_BYTES] {
            let packed = pack(&sample(), &with(max_bytes)).unwrap();
            let mut back = Tensors::new();
            for (shard, bytes) in &packed {
                verify(shard, bytes).unwrap();
                assert!(shard.bytes <= max_bytes || shard.tensors.len() == 1, "{max_bytes}");
                back.extend(decode(shard, bytes, "").unwrap());
            }
            assert_eq!(back, sample());
            assert_eq!(packed, pack(&sample(), &with(max_bytes)).unwrap());
        }
    }

    #[test]
    fn large_tensors_lie_alone_and_components_apart() {
        let names = |max_bytes| -> Vec<Vec<String>> {
            let packed = pack(&sample(), &with(max_bytes)).unwrap();
            packed
                .into_iter()
                .map(|(shard, _)| shard.tensors.into_keys().collect())
                .collect()
        };
        let all = ["transformer.a", "transformer.b", "transformer.c", "transformer.d"];
        assert_eq!(
            names(MAX_SHARD_BYTES),
            vec![all.map(String::from).to_vec(), vec!["vae.a".to_string()]]
        );
        let packed = names(4000);
        assert_eq!(packed[0], ["transformer.a", "transformer.b"]);
        assert_eq!(packed[1..].concat(), ["transformer.c", "transformer.d", "vae.a"]);
        assert_eq!(packed.len(), 4);
    }

    #[test]
    fn headers_are_counted() {
        // Tensors of no bytes fill a shard by their names alone.
        let empty = TensorData::new(Vec::<f32>::new(), [0, 1_000_000, 1_000_000, 1_000_000]);
        let many: Tensors = (0..200).map(|i| (format!("vae.{i:0100}"), empty.clone())).collect();
        let packed = pack(&many, &with(4096)).unwrap();
        assert!(packed.len() > 1);
        assert!(
            packed
                .iter()
                .all(|(shard, bytes)| shard.bytes <= 4096 && bytes.len() as u64 == shard.bytes)
        );
    }

    #[test]
    fn decodes_only_what_is_asked_for() {
        let packed = pack(&sample(), &PackOptions::default()).unwrap();
        let (shard, bytes) = &packed[1];
        assert_eq!(decode(shard, bytes, "vae.").unwrap().keys().collect::<Vec<_>>(), ["a"]);
        assert!(decode(shard, bytes, "transformer.").unwrap().is_empty());
        let mut all = sample();
        let vae = take_component(&mut all, "vae.");
        assert_eq!((vae.len(), all.len()), (1, 4));
        assert_eq!(vae["a"], sample()["vae.a"]);
    }

    #[test]
    fn refuses_shards_that_changed() {
        let (shard, bytes) = pack(&sample(), &PackOptions::default()).unwrap().remove(0);
        let message = verify(&shard, &bytes[1..]).unwrap_err().to_string();
        assert!(
            message.contains(&shard.file) && message.contains("download it again"),
            "{message}"
        );
        for at in [0, 9, bytes.len() - 1] {
            let mut other = bytes.clone();
            other[at] ^= 1;
            let message = verify(&shard, &other).unwrap_err().to_string();
            assert!(
                message.contains(&shard.file) && message.contains("SHA-256"),
                "{message}"
            );
        }
        let mut outside = shard.clone();
        outside
            .tensors
            .values_mut()
            .for_each(|t| t.range = [u64::MAX - 1, u64::MAX]);
        assert!(decode(&outside, &bytes, "").is_err());
    }

    #[test]
    fn casts_round_to_nearest_even() {
        // Halfway between two bf16 values: the even one.
        let values = [1.0 + 1.0 / 256.0, 1.0 + 3.0 / 256.0, -0.3, 65504.0];
        let data = cast("x", tensor(&values), Some(FloatType::BF16)).unwrap();
        assert_eq!(data.try_to_vec::<bf16>().unwrap(), values.map(bf16::from_f32));
        assert_eq!(data.try_to_vec::<bf16>().unwrap()[0].to_f32(), 1.0);
        let data = cast("x", tensor(&values), Some(FloatType::F16)).unwrap();
        assert_eq!(data.try_to_vec::<f16>().unwrap(), values.map(f16::from_f32));
        let back = cast("x", data, Some(FloatType::F32)).unwrap();
        assert_eq!(
            back.try_to_vec::<f32>().unwrap(),
            values.map(|v| f16::from_f32(v).to_f32())
        );
        let double = cast("x", TensorData::new(vec![0.1f64], [1]), None).unwrap();
        assert_eq!(double.try_to_vec::<f32>().unwrap(), [0.1]);
    }

    #[test]
    fn refuses_values_without_a_place() {
        let message = |data, dtype| cast("x", data, dtype).unwrap_err().to_string();
        assert!(message(tensor(&[1.0, 65520.0]), Some(FloatType::F16)).contains("65520 of tensor `x`"));
        assert!(cast("x", tensor(&[65520.0]), Some(FloatType::BF16)).is_ok());
        for value in [f32::NAN, f32::INFINITY] {
            assert!(message(tensor(&[0.0, value]), None).contains("not a finite number"));
        }
        assert!(message(TensorData::new(vec![1i64], [1]), None).contains("I64"));
        let packed = pack(
            &Tensors::from([("vae.x".into(), TensorData::new(vec![1i32], [1]))]),
            &PackOptions::default(),
        );
        assert!(packed.is_err());
    }
}

//! The safetensors format, a piece at a time: the header from a prefix of the file, then any tensor by its byte range.
//!
//! A file is 8 bytes of little-endian header length, a JSON header, and the body that the header's offsets index.
//! Offsets must tile the body exactly; whatever does not is refused with the name of the tensor at fault.

use super::reader::{TensorInfo, byte_count};
use super::{Tensors, WeightsError};
use ::safetensors::tensor::{Dtype, TensorView};
use burn::tensor::{BoolStore, DType, TensorData};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use std::ops::Range;

/// Bytes of the length field that opens a file.
pub const LENGTH_BYTES: usize = 8;

/// The longest header the format allows.
pub const MAX_HEADER_BYTES: u64 = 100_000_000;

/// What can be wrong with a safetensors file.
#[derive(Debug, thiserror::Error)]
pub enum SafetensorsError {
    #[error("a file of {0} bytes is too short for a safetensors header; it was cut short: download it again")]
    Short(u64),
    #[error(
        "the header claims {header} bytes but only {left} follow; \
         the file was cut short or is no safetensors file: download it again"
    )]
    HeaderCut { header: u64, left: u64 },
    #[error(
        "the header claims {0} bytes and the format allows {MAX_HEADER_BYTES}; \
         this is no safetensors file: check which file you picked"
    )]
    HeaderTooLarge(u64),
    #[error(
        "the header is not the JSON that opens a safetensors file ({0}); \
         the file is damaged or of another kind: download it again"
    )]
    Header(#[source] serde_json::Error),
    #[error("tensor `{0}` is listed twice; the file is damaged: write it again with the safetensors library")]
    Duplicate(String),
    #[error("tensor `{name}` has dtype `{dtype}`, which is not read here; convert the file to F32, F16 or BF16 first")]
    DType { name: String, dtype: String },
    #[error("tensor `{name}` claims the impossible shape {shape:?}; the file is damaged: download it again")]
    TooLarge { name: String, shape: Vec<u64> },
    #[error(
        "tensor `{name}` of shape {shape:?} needs {expected} bytes but its offsets {begin}..{end} do not span them; \
         the file is damaged: download it again"
    )]
    Length {
        name: String,
        shape: Vec<u64>,
        expected: u64,
        begin: u64,
        end: u64,
    },
    #[error("tensors `{first}` and `{second}` share bytes; the file is damaged: download it again")]
    Overlap { first: String, second: String },
    #[error("bytes {begin}..{end} of the body belong to no tensor; the file is damaged: download it again")]
    Gap { begin: u64, end: u64 },
    #[error(
        "tensor `{name}` ends at byte {end} of the body but the file holds only {body}; \
         it was cut short: download it again"
    )]
    OutOfRange { name: String, end: u64, body: u64 },
    #[error("cannot write these tensors as safetensors: {0}")]
    Write(#[from] ::safetensors::SafeTensorError),
}

/// The checked header of a file.
#[derive(Debug, PartialEq)]
pub struct Header {
    /// Tensors in the order of their bytes.
    pub entries: Vec<TensorInfo>,
    /// For each entry, its bytes in the file (not in the body).
    pub ranges: Vec<Range<u64>>,
}

impl Header {
    /// Bytes of JSON that follow the length field, for a file of `file_bytes`.
    pub fn length(prefix: [u8; LENGTH_BYTES], file_bytes: u64) -> Result<usize, SafetensorsError> {
        let header = u64::from_le_bytes(prefix);
        let left = file_bytes
            .checked_sub(LENGTH_BYTES as u64)
            .ok_or(SafetensorsError::Short(file_bytes))?;
        if header > MAX_HEADER_BYTES {
            return Err(SafetensorsError::HeaderTooLarge(header));
        }
        if header > left {
            return Err(SafetensorsError::HeaderCut { header, left });
        }
        Ok(header as usize)
    }

    /// Parses the JSON of a file of `file_bytes` and checks that its tensors tile the body.
    pub fn parse(json: &[u8], file_bytes: u64) -> Result<Self, SafetensorsError> {
        let start = LENGTH_BYTES as u64 + json.len() as u64;
        let body = file_bytes
            .checked_sub(start)
            .ok_or(SafetensorsError::Short(file_bytes))?;
        let Listed(mut listed) = serde_json::from_slice(json).map_err(SafetensorsError::Header)?;
        listed.sort_by(|(a, left), (b, right)| (left.data_offsets, a).cmp(&(right.data_offsets, b)));
        check_unique(&listed)?;
        check_tiling(&listed, body)?;
        let mut header = Header {
            entries: Vec::with_capacity(listed.len()),
            ranges: Vec::with_capacity(listed.len()),
        };
        for (name, tensor) in listed {
            let [begin, end] = tensor.data_offsets;
            header.entries.push(tensor.entry(name)?);
            header.ranges.push(start + begin..start + end);
        }
        Ok(header)
    }
}

/// Reads a whole file held in memory.
pub fn read(bytes: &[u8]) -> Result<Tensors, WeightsError> {
    let file_bytes = bytes.len() as u64;
    let (prefix, rest) = bytes
        .split_first_chunk::<LENGTH_BYTES>()
        .ok_or(SafetensorsError::Short(file_bytes))?;
    let length = Header::length(*prefix, file_bytes)?;
    let header = Header::parse(&rest[..length], file_bytes)?;
    let mut tensors = Tensors::new();
    for (entry, range) in header.entries.iter().zip(&header.ranges) {
        let values = bytes[range.start as usize..range.end as usize].to_vec();
        tensors.insert(entry.name.clone(), decode(entry, values)?);
    }
    Ok(tensors)
}

/// Gives the bytes of one tensor their dtype and shape.
pub fn decode(entry: &TensorInfo, bytes: Vec<u8>) -> Result<TensorData, WeightsError> {
    let found = bytes.len();
    TensorData::try_from_bytes_vec(bytes, entry.shape.clone(), entry.dtype).map_err(|_| WeightsError::ByteCount {
        name: entry.name.clone(),
        shape: entry.shape.clone(),
        found,
    })
}

/// Writes a file in memory: equal tensors give equal bytes, whatever their order.
pub fn write(tensors: &[(String, TensorData)]) -> Result<Vec<u8>, SafetensorsError> {
    let views = tensors
        .iter()
        .map(|(name, data)| {
            let dtype = stored_dtype(data.dtype()).ok_or_else(|| SafetensorsError::DType {
                name: name.clone(),
                dtype: format!("{:?}", data.dtype()),
            })?;
            Ok((name, TensorView::new(dtype, data.shape().to_vec(), data.as_bytes())?))
        })
        .collect::<Result<Vec<_>, SafetensorsError>>()?;
    Ok(::safetensors::serialize(views, None)?)
}

/// A tensor as the header lists it.
#[derive(Deserialize)]
struct Tensor {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: [u64; 2],
}

impl Tensor {
    fn entry(self, name: String) -> Result<TensorInfo, SafetensorsError> {
        let Some(dtype) = read_dtype(&self.dtype) else {
            return Err(SafetensorsError::DType {
                name,
                dtype: self.dtype,
            });
        };
        let shape: Option<Vec<usize>> = self.shape.iter().map(|&n| n.try_into().ok()).collect();
        let sized = shape.and_then(|shape| Some((byte_count(&shape, dtype)?, shape)));
        let Some((expected, shape)) = sized else {
            return Err(SafetensorsError::TooLarge {
                name,
                shape: self.shape,
            });
        };
        let [begin, end] = self.data_offsets;
        if end.checked_sub(begin) != Some(expected) {
            let shape = self.shape;
            return Err(SafetensorsError::Length {
                name,
                shape,
                expected,
                begin,
                end,
            });
        }
        Ok(TensorInfo { name, dtype, shape })
    }
}

/// The header's JSON object with repeated keys kept, which a map would hide.
struct Listed(Vec<(String, Tensor)>);

impl<'de> Deserialize<'de> for Listed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Lister;

        impl<'de> Visitor<'de> for Lister {
            type Value = Listed;

            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("an object of tensor descriptions")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Listed, A::Error> {
                let mut listed = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    if name == "__metadata__" {
                        map.next_value::<IgnoredAny>()?;
                    } else {
                        listed.push((name, map.next_value()?));
                    }
                }
                Ok(Listed(listed))
            }
        }

        deserializer.deserialize_map(Lister)
    }
}

fn check_unique(listed: &[(String, Tensor)]) -> Result<(), SafetensorsError> {
    let mut names: Vec<&str> = listed.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(SafetensorsError::Duplicate(pair[0].to_string())),
        None => Ok(()),
    }
}

/// Every byte of the body belongs to exactly one tensor. `listed` is in the order of offsets.
fn check_tiling(listed: &[(String, Tensor)], body: u64) -> Result<(), SafetensorsError> {
    let mut covered = 0;
    let mut previous = "";
    for (name, tensor) in listed {
        let [begin, end] = tensor.data_offsets;
        if end > body {
            let name = name.clone();
            return Err(SafetensorsError::OutOfRange { name, end, body });
        }
        if begin < covered {
            let (first, second) = (previous.to_string(), name.clone());
            return Err(SafetensorsError::Overlap { first, second });
        }
        if begin > covered {
            return Err(SafetensorsError::Gap {
                begin: covered,
                end: begin,
            });
        }
        covered = covered.max(end);
        previous = name;
    }
    if covered < body {
        return Err(SafetensorsError::Gap {
            begin: covered,
            end: body,
        });
    }
    Ok(())
}

fn read_dtype(name: &str) -> Option<DType> {
    Some(match name {
        "F64" => DType::F64,
        "F32" => DType::F32,
        "F16" => DType::F16,
        "BF16" => DType::BF16,
        "I64" => DType::I64,
        "I32" => DType::I32,
        "I16" => DType::I16,
        "I8" => DType::I8,
        "U64" => DType::U64,
        "U32" => DType::U32,
        "U16" => DType::U16,
        "U8" => DType::U8,
        "BOOL" => DType::Bool(BoolStore::U8),
        _ => return None,
    })
}

fn stored_dtype(dtype: DType) -> Option<Dtype> {
    Some(match dtype {
        DType::F64 => Dtype::F64,
        DType::F32 => Dtype::F32,
        DType::F16 => Dtype::F16,
        DType::BF16 => Dtype::BF16,
        DType::I64 => Dtype::I64,
        DType::I32 => Dtype::I32,
        DType::I16 => Dtype::I16,
        DType::I8 => Dtype::I8,
        DType::U64 => Dtype::U64,
        DType::U32 => Dtype::U32,
        DType::U16 => Dtype::U16,
        DType::U8 => Dtype::U8,
        DType::Bool(BoolStore::U8) => Dtype::BOOL,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(header: &str, body: usize) -> Vec<u8> {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.extend(std::iter::repeat_n(7u8, body));
        bytes
    }

    fn complaint(header: &str, body: usize) -> String {
        read(&file(header, body)).unwrap_err().to_string()
    }

    fn f32s(name: &str, shape: &str, begin: u64, end: u64) -> String {
        format!(r#""{name}":{{"dtype":"F32","shape":{shape},"data_offsets":[{begin},{end}]}}"#)
    }

    #[test]
    fn writes_and_reads_back() {
        let tensors = vec![
            ("b".to_string(), TensorData::new(vec![1.0f32, -2.5], [2])),
            (
                "a".to_string(),
                TensorData::new(vec![half::bf16::from_f32(0.3); 6], [2, 3]),
            ),
            ("mask".to_string(), TensorData::new(vec![i64::MIN, 4], [2])),
            ("empty".to_string(), TensorData::new(Vec::<f32>::new(), [0, 3])),
        ];
        let bytes = write(&tensors).unwrap();
        let back = read(&bytes).unwrap();
        assert_eq!(back, tensors.iter().cloned().collect());
        let reversed: Vec<_> = tensors.into_iter().rev().collect();
        assert_eq!(write(&reversed).unwrap(), bytes);
    }

    #[test]
    fn metadata_is_skipped_and_any_order_of_names_is_read() {
        let header = format!(
            r#"{{"__metadata__":{{"format":"pt"}},{},{}}}"#,
            f32s("late", "[1]", 4, 8),
            f32s("early", "[]", 0, 4)
        );
        let tensors = read(&file(&header, 8)).unwrap();
        assert_eq!(tensors["early"].shape().to_vec(), Vec::<usize>::new());
        assert_eq!(tensors["late"].shape().to_vec(), [1]);
    }

    #[test]
    fn refuses_what_is_cut_short() {
        assert!(read(&[1, 2, 3]).unwrap_err().to_string().contains("3 bytes"));
        let whole = file(&format!("{{{}}}", f32s("x", "[2]", 0, 8)), 8);
        assert!(read(&whole).is_ok());
        for end in 0..whole.len() {
            let message = read(&whole[..end]).unwrap_err().to_string();
            assert!(message.contains("download it again"), "{end}: {message}");
        }
    }

    #[test]
    fn refuses_impossible_headers() {
        let mut bytes = u64::MAX.to_le_bytes().to_vec();
        bytes.extend([0; 32]);
        assert!(read(&bytes).unwrap_err().to_string().contains("format allows"));
        bytes[..8].copy_from_slice(&1000u64.to_le_bytes());
        assert!(read(&bytes).unwrap_err().to_string().contains("only 32 follow"));
        assert!(complaint("not json", 0).contains("not the JSON"));
        assert!(complaint(r#"{"x":3}"#, 0).contains("not the JSON"));
        let negative = r#"{"x":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#;
        assert!(complaint(negative, 4).contains("not the JSON"));
        assert!(complaint(&"[".repeat(100_000), 0).contains("not the JSON"));
    }

    #[test]
    fn refuses_bad_offsets() {
        let two = |a: String, b: String| format!("{{{a},{b}}}");
        let overlap = two(f32s("a", "[2]", 0, 8), f32s("b", "[2]", 4, 12));
        assert!(complaint(&overlap, 12).contains("`a` and `b` share bytes"));
        let nested = two(f32s("a", "[4]", 0, 16), f32s("b", "[1]", 4, 8));
        assert!(complaint(&nested, 16).contains("share bytes"));
        let gap = two(f32s("a", "[1]", 0, 4), f32s("b", "[1]", 8, 12));
        assert!(complaint(&gap, 12).contains("bytes 4..8"));
        let outside = format!("{{{}}}", f32s("a", "[4]", 0, 16));
        assert!(complaint(&outside, 12).contains("holds only 12"));
        let huge = format!("{{{}}}", f32s("a", "[1]", u64::MAX - 3, u64::MAX));
        assert!(complaint(&huge, 4).contains("holds only 4"));
        let trailing = format!("{{{}}}", f32s("a", "[1]", 0, 4));
        assert!(complaint(&trailing, 6).contains("bytes 4..6"));
        let backwards = two(f32s("a", "[2]", 0, 8), f32s("b", "[1]", 8, 4));
        assert!(complaint(&backwards, 8).contains("do not span"));
    }

    #[test]
    fn refuses_wrong_lengths_dtypes_and_duplicates() {
        let wrong = format!("{{{}}}", f32s("a", "[3]", 0, 8));
        assert!(complaint(&wrong, 8).contains("needs 12 bytes"));
        let absurd = format!("{{{}}}", f32s("a", "[4294967296,4294967296,4]", 0, 8));
        assert!(complaint(&absurd, 8).contains("impossible shape"));
        let dtype = r#"{"a":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]}}"#;
        assert!(complaint(dtype, 4).contains("`F8_E4M3`"));
        let duplicates = format!("{{{},{}}}", f32s("a", "[1]", 0, 4), f32s("a", "[1]", 0, 4));
        assert!(complaint(&duplicates, 4).contains("`a` is listed twice"));
    }
}

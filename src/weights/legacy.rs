//! Files that `torch.save` wrote before torch 1.6: five pickles in a row and then the storages, no archive around them.
//!
//! The pickles are a magic number, the version of the format, facts about the machine, the state dict, and the keys of
//! the storages in the order in which they follow: each an element count of eight bytes and its raw elements.

use super::WeightsError;
use super::pickle::{Node, Pickle, PickleError, StridedView};
use super::pth::{entry, gather, span, state_dict};
use super::reader::{TensorInfo, TensorReader};
use burn::tensor::TensorData;
use std::collections::HashMap;
use std::io::{Read, Seek, SeekFrom};

/// The pickled magic number with which every such file starts.
const MAGIC: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
/// The only version of the format there has been.
const VERSION: i64 = 1001;
/// Bytes of the count before each storage.
const COUNT_BYTES: u64 = 8;
/// As much of a file is read for its pickles at first; if it holds more of them, twice as much, and so on.
const FIRST_READ: u64 = 1 << 20;
/// Far more than the description of any checkpoint.
const MOST_READ: u64 = 256 << 20;

/// An opened file whose state dict has been found.
#[derive(Debug)]
pub struct LegacyFile<R> {
    reader: R,
    entries: Vec<TensorInfo>,
    /// For each entry its view and where its storage begins in the file.
    locations: Vec<(StridedView, u64)>,
}

impl<R: Read + Seek> LegacyFile<R> {
    pub fn open(mut reader: R) -> Result<Self, WeightsError> {
        let mut limit = FIRST_READ;
        loop {
            let mut start = Vec::new();
            reader.rewind().map_err(read_error)?;
            (&mut reader).take(limit).read_to_end(&mut start).map_err(read_error)?;
            let whole = (start.len() as u64) < limit;
            match Description::parse(&start) {
                Err(WeightsError::Pickle(PickleError::Truncated(_))) if !whole && limit < MOST_READ => limit *= 2,
                described => return Self::locate(reader, described?),
            }
        }
    }

    /// Finds the storages, whose lengths must be those that the state dict gives.
    fn locate(mut reader: R, Description { dict, keys, end }: Description) -> Result<Self, WeightsError> {
        let length = reader.seek(SeekFrom::End(0)).map_err(read_error)?;
        let state_dict = state_dict(&dict)?;
        let mut sizes = HashMap::new();
        for (_, view) in &state_dict {
            if let Some(storage) = dict.storage(view) {
                sizes.insert(storage.key.as_str(), (storage.elements, storage.dtype.size() as u64));
            }
        }
        let mut places = HashMap::new();
        let mut at = end;
        for key in &keys {
            let &(elements, element) = sizes.get(key.as_str()).ok_or(WeightsError::Legacy(
                "it holds values that its state dict does not name, so their length is unknown",
            ))?;
            let mut count = [0; COUNT_BYTES as usize];
            reader.seek(SeekFrom::Start(at)).map_err(read_error)?;
            reader.read_exact(&mut count).map_err(read_error)?;
            if u64::from_le_bytes(count) != elements {
                return Err(WeightsError::Legacy("a storage has another length than described"));
            }
            let begin = at + COUNT_BYTES;
            let next = elements.checked_mul(element).and_then(|bytes| begin.checked_add(bytes));
            at = next
                .filter(|&next| next <= length)
                .ok_or(WeightsError::Legacy("it ends inside its values; download it again"))?;
            places.insert(key.as_str(), begin);
        }
        let (mut entries, mut locations) = (Vec::new(), Vec::new());
        for (name, view) in state_dict {
            let (entry, storage) = entry(name, view, &dict)?;
            let place = places.get(storage.key.as_str());
            let place = place.ok_or(WeightsError::Legacy("a storage is missing; download it again"))?;
            entries.push(entry);
            locations.push((view.clone(), *place));
        }
        Ok(Self {
            reader,
            entries,
            locations,
        })
    }
}

impl<R: Read + Seek> TensorReader for LegacyFile<R> {
    fn entries(&self) -> &[TensorInfo] {
        &self.entries
    }

    fn read(&mut self, index: usize) -> Result<TensorData, WeightsError> {
        let (entry, (view, place)) = (&self.entries[index], &self.locations[index]);
        let element = entry.dtype.size();
        // `entry` has checked that offset and span lie within the storage, `locate` that the file holds the storage.
        let span = span(view).unwrap_or_default();
        let start = SeekFrom::Start(place + view.offset * element as u64);
        self.reader.seek(start).map_err(read_error)?;
        let mut bytes = vec![0; span as usize * element];
        self.reader.read_exact(&mut bytes).map_err(read_error)?;
        super::safetensors::decode(entry, gather(bytes, view, element))
    }
}

/// What the pickles say.
struct Description {
    dict: Pickle,
    /// Keys of the storages in the order of the file.
    keys: Vec<String>,
    /// Where the storages begin.
    end: u64,
}

impl Description {
    fn parse(bytes: &[u8]) -> Result<Self, WeightsError> {
        let mut rest = bytes
            .strip_prefix(MAGIC)
            .ok_or(WeightsError::Legacy("it does not start with torch's magic number"))?;
        let mut next = || -> Result<Pickle, WeightsError> {
            let (pickle, length) = Pickle::parse_first(rest)?;
            rest = &rest[length..];
            Ok(pickle)
        };
        let version = next()?;
        if version.node(version.root()) != &Node::Int(VERSION) {
            return Err(WeightsError::Legacy("its format is of another version than 1001"));
        }
        let machine = next()?;
        if let Some(little) = machine.get(machine.root(), "little_endian")
            && machine.node(little) != &Node::Bool(true)
        {
            return Err(WeightsError::Legacy("its numbers are not little-endian"));
        }
        let dict = next()?;
        let order = next()?;
        let keys = match order.node(order.root()) {
            Node::List(keys) => keys.iter().map(|key| order.text(*key).map(str::to_string)).collect(),
            _ => None,
        };
        Ok(Self {
            dict,
            keys: keys.ok_or(WeightsError::Legacy("the list of its storages is none"))?,
            end: (bytes.len() - rest.len()) as u64,
        })
    }
}

fn read_error(error: std::io::Error) -> WeightsError {
    WeightsError::Archive(format!("it cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use super::super::pickle::tests::Assembler;
    use super::super::pth::tests::floats;
    use super::*;
    use std::io::Cursor;

    /// A tensor as torch described it then, with the sixth value of its storage.
    fn tensor(all: Assembler, key: &str, elements: i32, shape: &[i32], strides: &[i32]) -> Assembler {
        all.global("torch._utils", "_rebuild_tensor_v2")
            .raw(b"((")
            .text("storage")
            .global("torch", "FloatStorage")
            .text(key)
            .text("cpu")
            .int(elements)
            .raw(b"NtQ")
            .int(0)
            .ints(shape)
            .ints(strides)
            .raw(b"\x89")
            .global("collections", "OrderedDict")
            .raw(b")RtR")
    }

    fn storage(values: &[f32]) -> Vec<u8> {
        [(values.len() as u64).to_le_bytes().to_vec(), floats(values)].concat()
    }

    /// Two tensors, the first transposed; the storages lie in the other order.
    fn file() -> Vec<u8> {
        let version = Assembler::new().raw(b"M\xe9\x03").stop();
        let machine = Assembler::new().raw(b"}").text("little_endian").raw(b"\x88s").stop();
        let dict = Assembler::new().raw(b"}").text("a");
        let dict = tensor(dict, "11", 6, &[3, 2], &[1, 3]).raw(b"s").text("b");
        let dict = tensor(dict, "7", 2, &[2], &[1]).raw(b"s").stop();
        let keys = Assembler::new().raw(b"](").text("7").text("11").raw(b"e").stop();
        let values = [storage(&[8.0, 9.0]), storage(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0])].concat();
        [MAGIC.to_vec(), version, machine, dict, keys, values].concat()
    }

    fn open(bytes: Vec<u8>) -> Result<LegacyFile<Cursor<Vec<u8>>>, WeightsError> {
        LegacyFile::open(Cursor::new(bytes))
    }

    #[test]
    fn reads_strided_tensors_from_storages_in_any_order() {
        let mut file = open(file()).unwrap();
        let names: Vec<_> = file.entries().iter().map(|entry| entry.name.clone()).collect();
        assert_eq!(names, ["a", "b"]);
        let a = file.read(0).unwrap();
        assert_eq!(a.shape().to_vec(), [3, 2]);
        assert_eq!(a.try_to_vec::<f32>().unwrap(), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
        assert_eq!(file.read(1).unwrap().try_to_vec::<f32>().unwrap(), [8.0, 9.0]);
    }

    #[test]
    fn every_prefix_is_refused() {
        let whole = file();
        for end in 0..whole.len() {
            assert!(open(whole[..end].to_vec()).is_err(), "{end} of {}", whole.len());
        }
    }

    #[test]
    fn refuses_what_does_not_fit_together() {
        let whole = file();
        let complaint = |at: usize, byte: u8| {
            let mut bytes = whole.clone();
            bytes[at] = byte;
            open(bytes).unwrap_err().to_string()
        };
        assert!(complaint(5, 0).contains("magic number"));
        assert!(complaint(MAGIC.len() + 3, 0).contains("another version"));
        let count = whole.len() - 24 - 8;
        assert!(complaint(count, 5).contains("another length"));
        let endian = whole.iter().position(|&byte| byte == 0x88).unwrap();
        assert!(complaint(endian, 0x89).contains("not little-endian"));
    }
}

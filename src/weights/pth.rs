//! Files of `torch.save`: a zip archive with one pickle, which describes tensors, and one raw entry per storage.
//!
//! The state dict may lie at the top level or inside the containers that the official tools write (slim weights, VAE
//! files, training snapshots); optimizer state and settings beside it are never read.

use super::WeightsError;
use super::pickle::{Id, Node, Pickle, Storage, StridedView};
use super::reader::{TensorInfo, TensorReader, byte_count};
use burn::tensor::TensorData;
use std::collections::BTreeSet;
use std::io::{Read, Seek, SeekFrom};
use zip::{CompressionMethod, ZipArchive};

/// Far more than the description of any checkpoint, optimizer and all.
const MAX_PICKLE_BYTES: u64 = 256 << 20;

/// Where official files keep the weights, deepest first.
const STATE_DICT_PATHS: [&[&str]; 5] = [
    &["trainer", "gpt_fsdp"],
    &["trainer", "gpt_wo_ddp"],
    &["vae"],
    &["state_dict"],
    &[],
];

/// An opened archive whose state dict has been found.
pub struct PthFile<R> {
    archive: ZipArchive<R>,
    /// The folder inside the archive, with its slash.
    prefix: String,
    entries: Vec<TensorInfo>,
    locations: Vec<Location>,
}

/// Where the values of one entry lie: a view whose shape has been checked against the rest.
struct Location {
    /// Name of the storage's entry.
    file: String,
    view: StridedView,
    storage_bytes: u64,
}

impl<R: Read + Seek> PthFile<R> {
    pub fn open(reader: R) -> Result<Self, WeightsError> {
        let mut archive = ZipArchive::new(reader).map_err(archive_error)?;
        let prefix = find_prefix(&archive)?;
        check_byte_order(&mut archive, &prefix)?;
        let bytes = read_entry(&mut archive, &format!("{prefix}data.pkl"), MAX_PICKLE_BYTES)?;
        let pickle = Pickle::parse(&bytes)?;
        let mut file = Self {
            archive,
            prefix,
            entries: Vec::new(),
            locations: Vec::new(),
        };
        for (name, view) in state_dict(&pickle)? {
            file.add(name, view, &pickle)?;
        }
        Ok(file)
    }

    fn add(&mut self, name: &str, view: &StridedView, pickle: &Pickle) -> Result<(), WeightsError> {
        let (entry, storage) = entry(name, view, pickle)?;
        // `entry` has checked that these do not overflow.
        let storage_bytes = storage.elements * storage.dtype.size() as u64;
        self.entries.push(entry);
        self.locations.push(Location {
            file: format!("{}data/{}", self.prefix, storage.key),
            view: view.clone(),
            storage_bytes,
        });
        Ok(())
    }
}

impl<R: Read + Seek> TensorReader for PthFile<R> {
    fn entries(&self) -> &[TensorInfo] {
        &self.entries
    }

    fn read(&mut self, index: usize) -> Result<TensorData, WeightsError> {
        let (entry, location) = (&self.entries[index], &self.locations[index]);
        let bad = |why| WeightsError::OutsideStorage {
            name: entry.name.clone(),
            why,
        };
        let element = entry.dtype.size();
        let stored = check_entry(&mut self.archive, &location.file)?;
        if stored != location.storage_bytes {
            return Err(bad("the storage has another length than described"));
        }
        // `open` has checked that offset and span lie within the storage, and the archive holds the storage.
        let span = span(&location.view).ok_or_else(|| bad("its strides overflow"))?;
        let mut file = self.archive.by_name_seek(&location.file).map_err(archive_error)?;
        let start = location.view.offset * element as u64;
        file.seek(SeekFrom::Start(start)).map_err(read_error)?;
        let mut bytes = vec![0; span as usize * element];
        file.read_exact(&mut bytes).map_err(read_error)?;
        let values = gather(bytes, &location.view, element);
        super::safetensors::decode(entry, values)
    }
}

/// A view as an entry, with its storage, once it is known to lie inside it.
pub(super) fn entry<'a>(
    name: &str,
    view: &StridedView,
    pickle: &'a Pickle,
) -> Result<(TensorInfo, &'a Storage), WeightsError> {
    let bad = |why| WeightsError::OutsideStorage {
        name: name.to_string(),
        why,
    };
    let storage = pickle.storage(view).ok_or_else(|| bad("it has none"))?;
    let dtype = storage.dtype;
    let element = dtype.size() as u64;
    let storage_bytes = storage.elements.checked_mul(element);
    storage_bytes.ok_or_else(|| bad("its size overflows"))?;
    let sizes: Option<Vec<usize>> = view.shape.iter().map(|&n| n.try_into().ok()).collect();
    let shape = sizes.ok_or_else(|| bad("its shape is impossible"))?;
    let bytes = byte_count(&shape, dtype).ok_or_else(|| bad("its shape is impossible"))?;
    let span = span(view).ok_or_else(|| bad("its strides overflow"))?;
    let end = view.offset.checked_add(span);
    if end.is_none_or(|end| end > storage.elements) {
        return Err(bad("it ends behind it"));
    }
    if bytes / element > span {
        return Err(bad("it reads elements more than once"));
    }
    let name = name.to_string();
    Ok((TensorInfo { name, dtype, shape }, storage))
}

/// Elements from the first to the last one of a view; zero for an empty tensor.
pub(super) fn span(view: &StridedView) -> Option<u64> {
    if view.shape.contains(&0) {
        return Some(0);
    }
    let axes = view.shape.iter().zip(&view.strides);
    axes.map(|(n, stride)| (n - 1).checked_mul(*stride))
        .try_fold(1u64, |all, step| all.checked_add(step?))
}

/// Copies a strided view (the bytes of its span) to row-major order.
pub(super) fn gather(span: Vec<u8>, view: &StridedView, element: usize) -> Vec<u8> {
    if span.is_empty() || is_row_major(view) {
        return span;
    }
    let elements = view.shape.iter().product::<u64>() as usize;
    let mut values = Vec::with_capacity(elements * element);
    let mut index = vec![0; view.shape.len()];
    let mut at = 0u64;
    for _ in 0..elements {
        let start = at as usize * element;
        values.extend_from_slice(&span[start..start + element]);
        for axis in (0..index.len()).rev() {
            index[axis] += 1;
            at += view.strides[axis];
            if index[axis] < view.shape[axis] {
                break;
            }
            at -= view.strides[axis] * view.shape[axis];
            index[axis] = 0;
        }
    }
    values
}

fn is_row_major(view: &StridedView) -> bool {
    let mut expected = 1;
    view.shape.iter().zip(&view.strides).rev().all(|(&n, &stride)| {
        let fits = n == 1 || stride == expected;
        expected *= n;
        fits
    })
}

/// The tensors of the first place that holds any.
pub(super) fn state_dict(pickle: &Pickle) -> Result<Vec<(&str, &StridedView)>, WeightsError> {
    for place in STATE_DICT_PATHS {
        let dict = place.iter().try_fold(pickle.root(), |dict, key| pickle.get(dict, key));
        let tensors = dict.map(|dict| tensors(pickle, dict)).unwrap_or_default();
        if !tensors.is_empty() {
            let mut names = BTreeSet::new();
            return match tensors.iter().find(|(name, _)| !names.insert(*name)) {
                Some((name, _)) => Err(super::safetensors::SafetensorsError::Duplicate(name.to_string()).into()),
                None => Ok(tensors),
            };
        }
    }
    let keys = pickle
        .items(pickle.root())
        .iter()
        .filter_map(|(key, _)| pickle.text(*key));
    let keys: Vec<&str> = keys.take(12).collect();
    let found = match keys.is_empty() {
        true => "no named values".to_string(),
        false => keys.join(", "),
    };
    Err(WeightsError::NoStateDict(found))
}

fn tensors(pickle: &Pickle, dict: Id) -> Vec<(&str, &StridedView)> {
    let items = pickle.items(dict).iter();
    items
        .filter_map(|(key, value)| match pickle.node(*value) {
            Node::Tensor(view) => Some((pickle.text(*key)?, view)),
            _ => None,
        })
        .collect()
}

/// torch puts everything into one folder, named after the file.
fn find_prefix<R: Read + Seek>(archive: &ZipArchive<R>) -> Result<String, WeightsError> {
    let mut prefixes = archive.file_names().filter_map(|name| {
        let prefix = name.strip_suffix("data.pkl")?;
        (prefix.is_empty() || prefix.ends_with('/')).then_some(prefix)
    });
    match (prefixes.next(), prefixes.next()) {
        (Some(prefix), None) => Ok(prefix.to_string()),
        (None, _) => Err(WeightsError::Archive("it has no entry data.pkl".into())),
        (Some(_), Some(_)) => Err(WeightsError::Archive("it has several entries data.pkl".into())),
    }
}

fn check_byte_order<R: Read + Seek>(archive: &mut ZipArchive<R>, prefix: &str) -> Result<(), WeightsError> {
    let name = format!("{prefix}byteorder");
    if archive.index_for_name(&name).is_none() {
        return Ok(()); // Older torch wrote none; it ran on little-endian machines.
    }
    match &read_entry(archive, &name, 16)?[..] {
        b"little" => Ok(()),
        _ => Err(WeightsError::Archive("its numbers are not little-endian".into())),
    }
}

fn read_entry<R: Read + Seek>(archive: &mut ZipArchive<R>, name: &str, limit: u64) -> Result<Vec<u8>, WeightsError> {
    let size = check_entry(archive, name)?;
    if size > limit {
        return Err(WeightsError::Archive(format!("its entry {name} has {size} bytes")));
    }
    let mut bytes = vec![0; size as usize];
    let mut file = archive.by_name_seek(name).map_err(archive_error)?;
    file.read_exact(&mut bytes).map_err(read_error)?;
    Ok(bytes)
}

/// The length of an entry, which must be stored as it is (torch never compresses), so that it cannot exceed the file.
fn check_entry<R: Read + Seek>(archive: &mut ZipArchive<R>, name: &str) -> Result<u64, WeightsError> {
    let total = archive.offset() + archive.central_directory_start();
    let index = archive.index_for_name(name);
    let index = index.ok_or_else(|| WeightsError::Archive(format!("its entry {name} is missing")))?;
    let file = archive.by_index_raw(index).map_err(archive_error)?;
    if file.compression() != CompressionMethod::Stored {
        return Err(WeightsError::Archive(format!("its entry {name} is compressed")));
    }
    if file.compressed_size() != file.size() || file.size() > total {
        return Err(WeightsError::Archive(format!(
            "the length of its entry {name} is wrong"
        )));
    }
    Ok(file.size())
}

fn archive_error(error: zip::result::ZipError) -> WeightsError {
    WeightsError::Archive(error.to_string())
}

fn read_error(error: std::io::Error) -> WeightsError {
    WeightsError::Archive(format!("it cannot be read: {error}"))
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::pickle::tests::Assembler;
    use super::*;
    use std::io::{Cursor, Write};
    use zip::write::{SimpleFileOptions, ZipWriter};

    /// An archive in torch's layout.
    pub fn archive(entries: &[(&str, &[u8])], method: CompressionMethod) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default().compression_method(method);
        for (name, bytes) in entries {
            writer.start_file(format!("model/{name}"), options).unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    fn stored(entries: &[(&str, &[u8])]) -> Vec<u8> {
        archive(entries, CompressionMethod::Stored)
    }

    pub fn floats(values: &[f32]) -> Vec<u8> {
        values.iter().flat_map(|v| v.to_le_bytes()).collect()
    }

    fn open(bytes: Vec<u8>) -> Result<PthFile<Cursor<Vec<u8>>>, WeightsError> {
        PthFile::open(Cursor::new(bytes))
    }

    /// A file with one tensor `w` over twelve floats 0..11.
    fn one(offset: i32, shape: &[i32], strides: &[i32]) -> Result<Vec<f32>, WeightsError> {
        let values: Vec<f32> = (0..12u8).map(f32::from).collect();
        let pickle = Assembler::new()
            .raw(b"}")
            .text("w")
            .tensor("0", 12, offset, shape, strides)
            .raw(b"s");
        let mut file = open(stored(&[("data.pkl", &pickle.stop()), ("data/0", &floats(&values))]))?;
        let data = file.read(0)?;
        let expected: Vec<usize> = shape.iter().map(|&n| n as usize).collect();
        assert_eq!(data.shape().to_vec(), expected);
        Ok(data.try_to_vec().unwrap())
    }

    #[test]
    fn honours_strides_and_offsets() {
        let plain = one(0, &[3, 4], &[4, 1]).unwrap();
        assert_eq!(plain, (0..12u8).map(f32::from).collect::<Vec<_>>());
        assert_eq!(
            one(0, &[4, 3], &[1, 4]).unwrap(),
            [0., 4., 8., 1., 5., 9., 2., 6., 10., 3., 7., 11.]
        );
        assert_eq!(one(5, &[2, 2], &[4, 1]).unwrap(), [5., 6., 9., 10.]);
        assert_eq!(one(1, &[2, 1, 3], &[6, 99, 2]).unwrap(), [1., 3., 5., 7., 9., 11.]);
        assert_eq!(one(11, &[], &[]).unwrap(), [11.]);
        assert!(one(12, &[0, 5], &[5, 1]).unwrap().is_empty());
    }

    #[test]
    fn refuses_views_that_leave_their_storage() {
        for (offset, shape, strides, why) in [
            (1, &[3, 4][..], &[4, 1][..], "ends behind"),
            (13, &[], &[], "ends behind"),
            (0, &[2, 2], &[100, 1], "ends behind"),
            (0, &[i32::MAX; 8], &[i32::MAX; 8], "impossible"),
            (0, &[1000, 1000], &[0, 0], "more than once"),
            (0, &[2, 3], &[0, 1], "more than once"),
        ] {
            let message = one(offset, shape, strides).unwrap_err().to_string();
            assert!(message.contains(why), "{shape:?}: {message}");
        }
    }

    #[test]
    fn finds_the_state_dict_in_every_container() {
        let weights = |all: Assembler| all.raw(b"}").text("w").tensor("0", 2, 0, &[2], &[1]).raw(b"s");
        let other = |all: Assembler| all.raw(b"}").text("bad").tensor("1", 2, 0, &[2], &[1]).raw(b"s");
        let nest = |path: &[&str]| {
            let mut all = Assembler::new();
            for key in path {
                all = all.raw(b"}").text("epoch").raw(b"K\x07s").text(key);
            }
            all = weights(all);
            for _ in path {
                // A sibling that must be ignored.
                all = other(all.raw(b"s").text("optimizer")).raw(b"s");
            }
            all.stop()
        };
        for path in STATE_DICT_PATHS {
            let bytes = stored(&[
                ("data.pkl", &nest(path)),
                ("byteorder", b"little"),
                ("data/0", &floats(&[1.5, 2.5])),
            ]);
            let mut file = open(bytes).unwrap();
            assert_eq!(file.entries().len(), 1, "{path:?}");
            assert_eq!(file.entries()[0].name, "w");
            assert_eq!(file.read(0).unwrap().try_to_vec::<f32>().unwrap(), [1.5, 2.5]);
        }
        let elsewhere = open(stored(&[("data.pkl", &nest(&["model"]))]));
        let message = elsewhere.err().unwrap().to_string();
        assert!(message.contains("holds epoch, model, optimizer"), "{message}");
    }

    #[test]
    fn refuses_foreign_archives() {
        let pickle = Assembler::new()
            .raw(b"}")
            .text("w")
            .tensor("0", 2, 0, &[2], &[1])
            .raw(b"s")
            .stop();
        let values = floats(&[1.0, 2.0]);
        let complaint = |bytes: Vec<u8>| match open(bytes) {
            Err(error) => error.to_string(),
            Ok(mut file) => file.read(0).unwrap_err().to_string(),
        };
        for (bytes, expected) in [
            (b"PK\x03\x04 nonsense".to_vec(), "no archive that torch.save writes"),
            (stored(&[("weights", &values)]), "no entry data.pkl"),
            (
                stored(&[("data.pkl", &pickle), ("b/data.pkl", &pickle)]),
                "several entries",
            ),
            (stored(&[("data.pkl", &pickle), ("byteorder", b"big")]), "little-endian"),
            (stored(&[("data.pkl", &pickle)]), "data/0 is missing"),
            (
                stored(&[("data.pkl", &pickle), ("data/0", &values[..4])]),
                "another length",
            ),
            (
                archive(
                    &[("data.pkl", &pickle), ("data/0", &values)],
                    CompressionMethod::Deflated,
                ),
                "compressed",
            ),
        ] {
            let message = complaint(bytes);
            assert!(message.contains(expected), "{expected}: {message}");
        }
        let twice = Assembler::new().raw(b"}");
        let twice = twice.text("w").tensor("0", 2, 0, &[2], &[1]).raw(b"s");
        let twice = twice.text("w").tensor("0", 2, 0, &[2], &[1]).raw(b"s");
        assert!(complaint(stored(&[("data.pkl", &twice.stop())])).contains("listed twice"));
    }
}

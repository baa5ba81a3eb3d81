//! Checkpoints as a whole: every layout of the golden case, conversion there and back, and damaged files.

use super::files;
use super::official::{Component, t5, transformer, vae};
use super::pickle::Pickle;
use super::reader::TensorReader;
use super::shards::{self, PackOptions};
use super::{Tensors, WeightsError, safetensors};
use crate::golden;
use burn::tensor::{DType, TensorData};
use serde_json::Value;
use std::io::{Cursor, Read};
use std::path::Path;

/// Every tensor of a file under its own name.
fn raw(source: &mut dyn TensorReader) -> Tensors {
    let names: Vec<String> = source.entries().iter().map(|e| e.name.clone()).collect();
    let read = |(i, name)| (name, source.read(i).unwrap());
    names.into_iter().enumerate().map(read).collect()
}

/// The transformer's tensors of a file under our names.
fn ours(source: &mut dyn TensorReader) -> Tensors {
    let plan = transformer::plan(source.entries(), &transformer::Options::default()).unwrap();
    plan.check_zeros(source).unwrap();
    let read = |planned: &super::official::PlannedTensor| (planned.name.clone(), planned.read(source).unwrap());
    plan.tensors.iter().map(read).collect()
}

fn assert_same_bits(name: &str, found: &TensorData, reference: &TensorData) {
    // A bf16 file holds the f32 values rounded to nearest even.
    let expected = reference.clone().convert_dtype(found.dtype());
    assert!(matches!(found.dtype(), DType::F32 | DType::BF16), "{name}");
    assert_eq!(found.shape(), expected.shape(), "{name}");
    assert_eq!(found.as_bytes(), expected.as_bytes(), "{name}");
}

fn check_digest(name: &str, data: &TensorData, digest: &Value) {
    let shape: Vec<usize> = serde_json::from_value(digest["shape"].clone()).unwrap();
    assert_eq!(data.shape().to_vec(), shape, "{name}");
    let values: Vec<f64> = data.iter::<f64>().collect();
    // Sums depend on the order of addition, nothing else.
    let sum: f64 = values.iter().map(|v| v.abs()).sum();
    let near = |a: f64, b: &Value| (a - b.as_f64().unwrap()).abs() <= 1e-9 * sum.max(1.0);
    assert!(near(sum, &digest["abs_sum"]), "{name}: {sum} {digest}");
    if !digest["sum"].is_null() {
        assert!(near(values.iter().sum(), &digest["sum"]), "{name}");
    }
    for (value, first) in values.iter().zip(digest["first"].as_array().into_iter().flatten()) {
        assert_eq!(*value as f32, first.as_f64().unwrap() as f32, "{name}");
    }
    if let Some(last) = digest["last"].as_f64() {
        assert_eq!(values.last().map(|v| *v as f32), Some(last as f32), "{name}");
    }
}

fn digests<'a>(case: &'a golden::Case, key: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    let digests = case.manifest[key].as_object().unwrap();
    assert!(!digests.is_empty());
    digests.iter()
}

/// Checks one layout; the transformer's are compared with the reference file too.
fn check_layout(case: &golden::Case, path: &Path) {
    let mut source = files::open(path).unwrap();
    let found = raw(&mut *source);
    if Component::recognise(source.entries()) == Some(Component::Vae) {
        for (name, digest) in digests(case, "vae_tensor_digest") {
            check_digest(name, &found[name], digest);
        }
        let config = vae::plan(source.entries()).unwrap().config;
        let stated = &case.config()["vae"];
        assert_eq!(Value::from(config.codebook_dim), stated["codebook_dim"]);
        assert_eq!(Value::from(config.base_ch), stated["base_ch"]);
        assert_eq!(Value::from(config.ch_mult), stated["ch_mult"]);
        assert_eq!(Value::from(config.num_res_blocks), stated["num_res_blocks"]);
        assert_eq!(Value::from(config.patch_size), stated["patch_size"]);
        return;
    }
    let mut reference = files::open(&case.path("reference_safetensors")).unwrap();
    let expected = ours(&mut *reference);
    let converted = ours(&mut *source);
    assert_eq!(converted.len(), expected.len());
    for (name, data) in &converted {
        assert_same_bits(name, data, &expected[name]);
    }
    for (name, digest) in digests(case, "tensor_digest") {
        if let Some(data) = found.get(name).filter(|data| data.dtype() == DType::F32) {
            check_digest(name, data, digest);
        }
    }
    let plan = transformer::plan(source.entries(), &transformer::Options::default()).unwrap();
    let stated = &case.config()["model"];
    for (key, value) in [
        ("embed_dim", plan.config.embed_dim),
        ("depth", plan.config.depth),
        ("num_heads", plan.config.num_heads),
        ("ffn_hidden", plan.config.ffn_hidden),
        ("Ct5", plan.config.text_dim),
        ("text_maxlen", plan.config.text_maxlen),
        ("d_vae", plan.config.bits),
    ] {
        assert_eq!(stated[key], value, "{key}");
    }
    let chunks = plan.config.block_chunks;
    assert!(chunks == 1 || stated["block_chunks"] == chunks);
}

#[test]
fn every_layout_gives_the_reference_tensors() {
    for case in golden::cases("checkpoint_conversion") {
        let layouts = case.manifest["layouts"].as_object().unwrap();
        assert!(!layouts.is_empty(), "{}", case.name);
        for key in layouts.keys() {
            check_layout(&case, &case.path(key));
        }
        let folder = tempfile::tempdir().unwrap();
        write_sharded(&case.path("reference_safetensors"), folder.path());
        check_layout(&case, folder.path());
    }
}

/// A safetensors file as the 8B model comes: a folder of two shards with an index. The second is bf16, rounded to
/// nearest even by hand, and neither is written by our own code.
fn write_sharded(file: &Path, folder: &Path) {
    use ::safetensors::tensor::{Dtype, TensorView, serialize_to_file};
    let half = |bits: u32| ((bits + 0x7fff + (bits >> 16 & 1)) >> 16) as u16;
    let stored: Vec<(String, TensorData)> = golden::read_tensors(file).into_iter().collect();
    let (first, second) = stored.split_at(stored.len() / 2);
    let mut index = serde_json::json!({"metadata": {"total_size": 0}, "weight_map": {}});
    let mut total = 0;
    for (i, (part, dtype)) in [(first, Dtype::F32), (second, Dtype::BF16)].into_iter().enumerate() {
        let shard = format!("model-{:05}-of-00002.safetensors", i + 1);
        let bytes = part.iter().map(|(name, data)| {
            let bits = data.iter::<f32>().map(f32::to_bits);
            let bytes: Vec<u8> = match dtype {
                Dtype::F32 => bits.flat_map(u32::to_le_bytes).collect(),
                _ => bits.map(half).flat_map(u16::to_le_bytes).collect(),
            };
            (name, data.shape().to_vec(), bytes)
        });
        let bytes: Vec<_> = bytes.collect();
        let views = bytes.iter().map(|(name, shape, bytes)| {
            index["weight_map"][name.as_str()] = Value::from(shard.as_str());
            total += bytes.len();
            (name.as_str(), TensorView::new(dtype, shape.clone(), bytes).unwrap())
        });
        let views: Vec<_> = views.collect();
        serialize_to_file(views, None, &folder.join(&shard)).unwrap();
    }
    index["metadata"]["total_size"] = Value::from(total);
    let path = folder.join("model.safetensors.index.json");
    std::fs::write(path, serde_json::to_vec(&index).unwrap()).unwrap();
}

#[test]
fn digests_hold_for_the_reference_itself() {
    for case in golden::cases("checkpoint_conversion") {
        let mut reference = files::open(&case.path("reference_safetensors")).unwrap();
        let tensors = raw(&mut *reference);
        for (name, digest) in digests(&case, "tensor_digest") {
            check_digest(name, &tensors[name], digest);
        }
        let listed = digests(&case, "tensor_digest").count();
        assert_eq!(listed, tensors.len());
    }
}

#[test]
fn conversion_there_and_back_keeps_every_bit() {
    for case in golden::cases("checkpoint_conversion") {
        let mut source = files::open(&case.path("reference_safetensors")).unwrap();
        let tensors = ours(&mut *source);
        let named = tensors
            .iter()
            .map(|(name, data)| (format!("transformer.{name}"), data.clone()));
        let options = PackOptions {
            max_bytes: 200_000,
            dtype: None,
        };
        let packed = shards::pack(&named.collect(), &options).unwrap();
        assert!(packed.len() > 3);
        let mut back = Tensors::new();
        for (shard, bytes) in &packed {
            shards::verify(shard, bytes).unwrap();
            back.extend(shards::decode(shard, bytes, "transformer.").unwrap());
        }
        assert_eq!(back, tensors);
    }
}

#[test]
fn the_text_encoder_of_the_golden_case_is_recognised() {
    for case in golden::cases("t5_encoder") {
        let source = files::open(&case.path("weights")).unwrap();
        assert_eq!(Component::recognise(source.entries()), Some(Component::TextEncoder));
        let config = t5::plan(source.entries()).unwrap().config;
        for (key, value) in [
            ("vocab_size", config.vocab_size),
            ("d_model", config.d_model),
            ("d_kv", config.d_kv),
            ("d_ff", config.d_ff),
            ("num_layers", config.num_layers),
            ("num_heads", config.num_heads),
            ("relative_attention_num_buckets", config.relative_attention_num_buckets),
        ] {
            assert_eq!(case.config()[key], value, "{key}");
        }
    }
}

/// A small generator (xorshift), so that a failure repeats.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }

    /// A copy with a few bytes changed, and sometimes cut.
    fn damage(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut copy = bytes.to_vec();
        if self.below(3) == 0 {
            copy.truncate(self.below(bytes.len()));
        }
        for _ in 0..self.below(4) {
            if !copy.is_empty() {
                let at = self.below(copy.len());
                copy[at] = self.below(256) as u8;
            }
        }
        copy
    }
}

/// Opens and reads everything; only panics and runaway work count as failure.
fn try_all(opened: Result<Box<dyn TensorReader>, WeightsError>) -> bool {
    let Ok(mut source) = opened else {
        return false;
    };
    let count = source.entries().len();
    (0..count).filter(|&i| source.read(i).is_ok()).count() == count
}

fn golden_files(extension: &str) -> Vec<std::path::PathBuf> {
    let cases = golden::cases("checkpoint_conversion");
    let files = cases.iter().flat_map(|case| {
        let layouts = case.manifest["layouts"].as_object().unwrap();
        layouts.keys().map(|key| case.path(key)).collect::<Vec<_>>()
    });
    files
        .filter(|path| path.is_file() && path.extension().is_some_and(|e| e == extension))
        .collect()
}

#[test]
fn damaged_pickles_never_panic() {
    let mut random = Random(0x5eed);
    for path in golden_files("pth") {
        let mut archive = zip::ZipArchive::new(std::fs::File::open(&path).unwrap()).unwrap();
        let name = archive
            .file_names()
            .find(|n| n.ends_with("data.pkl"))
            .unwrap()
            .to_string();
        let mut pickle = Vec::new();
        archive.by_name(&name).unwrap().read_to_end(&mut pickle).unwrap();
        assert!(Pickle::parse(&pickle).is_ok());
        let refused = (0..2000)
            .filter(|_| Pickle::parse(&random.damage(&pickle)).is_err())
            .count();
        assert!(refused > 500, "{refused}");
    }
}

#[test]
fn damaged_archives_never_panic() {
    let mut random = Random(0xfeed);
    for path in golden_files("pth") {
        let bytes = std::fs::read(&path).unwrap();
        // Damage where structure lies: the pickle at the start and the directory at the end.
        let (head, tail) = (12_000.min(bytes.len()), 12_000.min(bytes.len()));
        for round in 0..150 {
            let mut copy = bytes.clone();
            let middle = copy.len();
            match round % 2 {
                0 => _ = copy.splice(..head, random.damage(&bytes[..head])),
                _ => _ = copy.splice(middle - tail.., random.damage(&bytes[middle - tail..])),
            }
            let opened = super::pth::PthFile::open(Cursor::new(copy));
            try_all(opened.map(|file| Box::new(file) as Box<dyn TensorReader>));
        }
    }
}

#[test]
fn damaged_safetensors_never_panic() {
    let mut random = Random(0xbeef);
    let tensors: Vec<(String, TensorData)> = (0..20)
        .map(|i| (format!("layer.{i}.weight"), TensorData::new(vec![i as f32; 6], [2, 3])))
        .collect();
    let bytes = safetensors::write(&tensors).unwrap();
    assert!(safetensors::read(&bytes).is_ok());
    let refused = (0..20_000)
        .filter(|_| safetensors::read(&random.damage(&bytes)).is_err())
        .count();
    assert!(refused > 5_000, "{refused}");
}

mod sharded {
    use super::*;
    use serde_json::json;
    use std::fs::write;

    type Spoil = fn(&mut Value, &Path);

    /// A folder of two shards whose index the closure may spoil; the error of opening it.
    fn open(spoil: impl FnOnce(&mut Value, &Path)) -> Result<Tensors, String> {
        let folder = tempfile::tempdir().unwrap();
        let one = |name: &str, value: f32| vec![(name.to_string(), TensorData::new(vec![value; 2], [2]))];
        write(
            folder.path().join("a.safetensors"),
            safetensors::write(&one("x", 1.0)).unwrap(),
        )
        .unwrap();
        write(
            folder.path().join("b.safetensors"),
            safetensors::write(&one("y", 2.0)).unwrap(),
        )
        .unwrap();
        let mut index = json!({
            "metadata": {"total_size": 16},
            "weight_map": {"x": "a.safetensors", "y": "b.safetensors"}
        });
        spoil(&mut index, folder.path());
        let index_path = folder.path().join("model.safetensors.index.json");
        write(index_path, serde_json::to_vec(&index).unwrap()).unwrap();
        files::open(folder.path())
            .map(|mut source| raw(&mut *source))
            .map_err(|e| e.to_string())
    }

    #[test]
    fn reads_across_shards() {
        let tensors = open(|_, _| {}).unwrap();
        assert_eq!(tensors["x"].try_to_vec::<f32>().unwrap(), [1.0, 1.0]);
        assert_eq!(tensors["y"].try_to_vec::<f32>().unwrap(), [2.0, 2.0]);
        assert!(open(|index, _| index["metadata"] = json!({})).is_ok());
    }

    #[test]
    fn refuses_an_index_that_disagrees() {
        let spoils: [(Spoil, &str); 8] = [
            (
                |_, dir| std::fs::remove_file(dir.join("b.safetensors")).unwrap(),
                "`b.safetensors` is missing",
            ),
            (
                |_, dir| _ = std::fs::copy(dir.join("a.safetensors"), dir.join("b.safetensors")),
                "places `x` in `a",
            ),
            (
                |_, dir| write(dir.join("b.safetensors"), both()).unwrap(),
                "`z`, which it does not list",
            ),
            (
                |index, _| index["weight_map"]["z"] = json!("b.safetensors"),
                "places `z` in `b",
            ),
            (
                |index, _| index["metadata"]["total_size"] = json!(12),
                "states 12 bytes",
            ),
            (
                |index, _| index["weight_map"]["y"] = json!("../b.safetensors"),
                "not a file name",
            ),
            (|index, _| index["weight_map"] = json!({}), "lists no tensors"),
            (|index, _| *index = json!("text"), "not the JSON"),
        ];
        for (spoil, expected) in spoils {
            let message = open(spoil).unwrap_err();
            assert!(
                message.contains(expected) && message.contains("download"),
                "{expected}: {message}"
            );
        }
    }

    fn both() -> Vec<u8> {
        let data = TensorData::new(vec![2.0f32; 2], [2]);
        safetensors::write(&[("y".to_string(), data.clone()), ("z".to_string(), data)]).unwrap()
    }
}

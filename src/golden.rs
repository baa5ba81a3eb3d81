//! Test harness for the golden vectors: finds cases by their manifests, compares tensors on a device, records the worst
//! error.
//!
//! Cases live in `tests/golden`, or in the directory that `INFINITY_GOLDEN` names. A case states its own sizes,
//! schedules and tolerances, so a new one runs without a change here.
//!
//! [`test_per_device`] makes one test per device of a golden test. The test's name chooses the device, and the
//! environment variable `INFINITY_CASE` chooses one case by its name:
//!
//! ```text
//! cargo test --locked --lib golden_pyramids_wgpu
//! INFINITY_CASE=a_quant_d4_2x1 cargo test --locked --lib golden_pyramids
//! ```

use burn::tensor::{DType, Device, DeviceKind, Int, Tensor, TensorData};
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// One golden case: its manifest and its tensors.
pub struct Case {
    pub name: String,
    pub manifest: Value,
    pub dir: PathBuf,
    tensors: BTreeMap<String, TensorData>,
}

/// The directory of manifests.
pub fn directory() -> PathBuf {
    std::env::var_os("INFINITY_GOLDEN")
        .map(PathBuf::from)
        .unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden"))
}

/// The directory of the evaluation network's cases, which `INFINITY_GOLDEN` does not replace.
pub fn efficientnet() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/efficientnet")
}

/// The name of the only case to run, if `INFINITY_CASE` is set.
pub fn chosen() -> Option<String> {
    std::env::var("INFINITY_CASE").ok()
}

/// Every case of one `kind` that `INFINITY_CASE` lets through. The shipped directory has at least one of each kind that
/// a test asks for. A test whose kind the chosen case is not of has nothing to do and passes.
pub fn cases(kind: &str) -> Vec<Case> {
    let dir = directory();
    if let Some(name) = chosen() {
        let known = |dir: &Path| manifests(dir).iter().any(|manifest| manifest["case"] == name.as_str());
        assert!(
            known(&dir) || known(&efficientnet()),
            "INFINITY_CASE is {name}, and {} has no case of that name",
            dir.display()
        );
    }
    let cases = cases_in(&dir, kind);
    assert!(
        !cases.is_empty() || std::env::var_os("INFINITY_GOLDEN").is_some() || chosen().is_some(),
        "no golden case of kind {kind} in {}",
        dir.display()
    );
    cases
}

/// Every case of one `kind` in a directory that `INFINITY_CASE` lets through.
pub fn cases_in(dir: &Path, kind: &str) -> Vec<Case> {
    let chosen = chosen();
    let wanted = |manifest: &Value| {
        manifest["kind"] == kind && chosen.as_ref().is_none_or(|name| manifest["case"] == name.as_str())
    };
    let manifests = manifests(dir).into_iter();
    manifests
        .filter(wanted)
        .map(|manifest| Case::open(dir, manifest))
        .collect()
}

/// All manifests of a directory, in the order of their file names.
fn manifests(dir: &Path) -> Vec<Value> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(dir)
        .unwrap_or_else(|e| panic!("no golden vectors in {}: {e}", dir.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "json"))
        .collect();
    paths.sort();
    let read = |path: &PathBuf| serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    paths.iter().map(read).collect()
}

/// Makes the tests `$flex` and `$wgpu` of `fn $run(name: &str, device: &Device)`: one per device, so that each can be
/// run by its name and a failure on one device does not hide the other.
macro_rules! test_per_device {
    ($run:ident: $flex:ident, $wgpu:ident) => {
        #[test]
        fn $flex() {
            let [(name, device), _] = $crate::golden::devices();
            $run(name, &device);
        }

        #[test]
        fn $wgpu() {
            let [_, (name, device)] = $crate::golden::devices();
            $run(name, &device);
        }
    };
}
pub(crate) use test_per_device;

/// The devices every case runs on: the CPU engine and WebGPU's code path over the machine's Vulkan.
pub fn devices() -> [(&'static str, Device); 2] {
    [("flex", Device::flex()), ("wgpu", wgpu())]
}

fn wgpu() -> Device {
    use std::sync::OnceLock;
    static DEVICE: OnceLock<Device> = OnceLock::new();
    DEVICE
        .get_or_init(|| {
            Device::wgpu_options()
                .device_kind(DeviceKind::DefaultDevice)
                .init()
                .expect("a Vulkan adapter for the tests: install mesa-vulkan-drivers")
        })
        .clone()
}

/// Reads a file of tensors (safetensors, or weights that `torch.save` wrote) into named data, whatever the dtype.
pub fn read_tensors(path: &Path) -> BTreeMap<String, TensorData> {
    if path.extension().is_some_and(|e| e == "pth") {
        let mut file = crate::weights::files::open(path).unwrap();
        let names: Vec<String> = file.entries().iter().map(|entry| entry.name.clone()).collect();
        let read = |(i, name)| (name, file.read(i).unwrap());
        return names.into_iter().enumerate().map(read).collect();
    }
    let bytes = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let file = SafeTensors::deserialize(&bytes).unwrap();
    file.iter()
        .map(|(name, view)| {
            let dtype = match view.dtype() {
                Dtype::F32 => DType::F32,
                Dtype::F16 => DType::F16,
                Dtype::BF16 => DType::BF16,
                Dtype::U8 => DType::U8,
                Dtype::I32 => DType::I32,
                Dtype::I64 => DType::I64,
                Dtype::F64 => DType::F64,
                other => panic!("{name}: {other:?}"),
            };
            let bytes = burn::tensor::Bytes::from_bytes_vec(view.data().to_vec());
            (
                name.to_string(),
                TensorData::from_bytes(bytes, view.shape().to_vec(), dtype),
            )
        })
        .collect()
}

impl Case {
    fn open(dir: &Path, manifest: Value) -> Self {
        let tensors = match manifest["files"]["io"].as_str() {
            Some(io) => read_tensors(&dir.join(io)),
            None => BTreeMap::new(),
        };
        Self {
            name: manifest["case"].as_str().unwrap().to_string(),
            dir: dir.to_path_buf(),
            manifest,
            tensors,
        }
    }

    pub fn config(&self) -> &Value {
        &self.manifest["config"]
    }

    /// `config.key` as any deserialisable type.
    pub fn get<T: serde::de::DeserializeOwned>(&self, key: &str) -> T {
        serde_json::from_value(self.config()[key].clone())
            .unwrap_or_else(|e| panic!("{}: config.{key}: {e}", self.name))
    }

    pub fn scalar(&self, key: &str) -> f64 {
        self.manifest["scalars"][key].as_f64().unwrap()
    }

    /// The file that `files.key` names.
    pub fn path(&self, key: &str) -> PathBuf {
        self.dir.join(self.manifest["files"][key].as_str().unwrap())
    }

    pub fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// Names of the stored tensors with this prefix, in order.
    pub fn names(&self, prefix: &str) -> Vec<String> {
        let starts = |n: &&String| n.starts_with(prefix);
        self.tensors.keys().filter(starts).cloned().collect()
    }

    pub fn data(&self, name: &str) -> TensorData {
        self.tensors
            .get(name)
            .unwrap_or_else(|| panic!("{} has no tensor {name}", self.name))
            .clone()
    }

    pub fn float<const D: usize>(&self, name: &str, device: &Device) -> Tensor<D> {
        Tensor::from_data(self.data(name).convert::<f32>(), device)
    }

    pub fn int<const D: usize>(&self, name: &str, device: &Device) -> Tensor<D, Int> {
        Tensor::from_data(self.data(name).convert::<i32>(), device)
    }

    pub fn ints(&self, name: &str) -> Vec<i64> {
        self.data(name).convert::<i64>().try_to_vec().unwrap()
    }

    /// Compares a tensor with the stored output of that name by the manifest's rule `|a-b| <= atol + rtol*|b|`.
    pub fn check<const D: usize>(&self, device: &str, name: &str, found: Tensor<D>) {
        let data = found.into_data().convert::<f32>();
        self.check_values(device, name, &data.shape().to_vec(), &data.try_to_vec().unwrap());
    }

    /// As [`check`](Self::check), for integers and bits.
    pub fn check_int<const D: usize>(&self, device: &str, name: &str, found: Tensor<D, Int>) {
        let data = found.into_data().convert::<f32>();
        self.check_values(device, name, &data.shape().to_vec(), &data.try_to_vec().unwrap());
    }

    pub fn check_values(&self, device: &str, name: &str, shape: &[usize], found: &[f32]) {
        let spec = self.spec(name);
        let expected = self.data(name);
        assert_eq!(shape, expected.shape().to_vec(), "{} {name}: shape", self.name);
        let expected: Vec<f32> = expected.convert::<f32>().try_to_vec().unwrap();
        let tol = &spec["tol"];
        let number = |key: &str| tol[key].as_f64().unwrap_or(0.0) as f32;
        let (atol, rtol) = (number("atol"), number("rtol"));
        let allowed = (number("max_fraction_differing") * expected.len() as f32) as usize;
        let (mut worst, mut share) = (0.0f32, 0.0f32);
        let mut outside = 0;
        for (a, b) in found.iter().zip(&expected) {
            let error = (a - b).abs();
            let error = if error.is_nan() { f32::INFINITY } else { error };
            let limit = atol + rtol * b.abs();
            worst = worst.max(error);
            share = share.max(if error == 0.0 { 0.0 } else { error / limit });
            outside += (error > limit) as usize;
        }
        self.record(device, name, worst, share);
        assert!(
            outside <= allowed,
            "{} on {device}: {name}: {outside} of {} outside tolerance {tol}, worst error {worst:e}",
            self.name,
            expected.len()
        );
    }

    /// Appends to `target/golden.tsv`, from which `make parity` writes docs/parity.md: the worst error, and the largest
    /// share of its tolerance that an error takes.
    fn record(&self, device: &str, tensor: &str, worst: f32, share: f32) {
        use std::io::Write;
        let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("target");
        std::fs::create_dir_all(&target).unwrap();
        let kind = self.manifest["kind"].as_str().unwrap();
        // One write a line, so that tests that run side by side do not mix theirs.
        let line = format!("{}\t{kind}\t{device}\t{tensor}\t{worst:e}\t{share:e}\n", self.name);
        let mut options = std::fs::OpenOptions::new();
        let mut file = options
            .create(true)
            .append(true)
            .open(target.join("golden.tsv"))
            .unwrap();
        file.write_all(line.as_bytes()).unwrap();
    }

    fn spec(&self, name: &str) -> &Value {
        self.manifest["tensors"]
            .as_array()
            .and_then(|all| all.iter().find(|t| t["name"] == name))
            .unwrap_or_else(|| panic!("{} does not list {name}", self.name))
    }
}

mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Every kind of case that a test asks for.
    const KINDS: [&str; 15] = [
        "bitwise_self_correction",
        "bsq_entropy",
        "checkpoint_conversion",
        "labels",
        "lfq",
        "multiscale_bsq_training_loss",
        "quantizer_bsq",
        "resize",
        "rope2d_apply",
        "rope2d_tables",
        "t5_encoder",
        "train_step",
        "transformer_ar_inference",
        "transformer_teacher_forcing",
        "vae_roundtrip",
    ];

    /// The shipped cases are whole: every kind, every file a manifest names, and no file that none names.
    #[test]
    fn the_shipped_directory_is_complete() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
        let read = |name: &str| -> Value { serde_json::from_slice(&std::fs::read(dir.join(name)).unwrap()).unwrap() };
        let mut kinds = BTreeSet::new();
        let mut named = BTreeSet::from(["INDEX.json".to_string(), "README.md".to_string()]);
        for entry in read("INDEX.json")["cases"].as_array().unwrap() {
            let file = entry["manifest"].as_str().unwrap();
            let manifest = read(file);
            assert_eq!((&manifest["case"], &manifest["kind"]), (&entry["case"], &entry["kind"]));
            kinds.insert(manifest["kind"].as_str().unwrap().to_string());
            named.insert(file.to_string());
            let files = manifest["files"].as_object().unwrap().values();
            named.extend(files.map(|name| name.as_str().unwrap().to_string()));
            if let Some(io) = manifest["files"]["io"].as_str() {
                let tensors = manifest["tensors"].as_array().unwrap();
                let listed: BTreeSet<&str> = tensors.iter().map(|t| t["name"].as_str().unwrap()).collect();
                let stored = read_tensors(&dir.join(io));
                assert_eq!(listed, stored.keys().map(String::as_str).collect(), "{file}");
            }
        }
        assert_eq!(kinds, KINDS.map(String::from).into());
        let entries = std::fs::read_dir(&dir).unwrap();
        let present: BTreeSet<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(present, named);
    }
}

//! `infinity convert` as a user runs it: every layout of the golden checkpoints, options, and inputs that must fail.

use burn::tensor::{DType, TensorData};
use infinity::weights::directory::load_tokenizer;
use infinity::weights::official::{transformer, vae};
use infinity::weights::source::Source;
use infinity::weights::{Manifest, Tensors, files, load_directory, safetensors};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The checkpoints of one golden case.
struct Case {
    directory: PathBuf,
    manifest: Value,
}

impl Case {
    fn all(kind: &str) -> Vec<Self> {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
        let directory = std::env::var_os("INFINITY_GOLDEN").map_or(shipped, PathBuf::from);
        let mut cases = Vec::new();
        for entry in std::fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|e| e == "json") {
                let manifest: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
                if manifest["kind"] == kind {
                    let directory = directory.clone();
                    cases.push(Self { directory, manifest });
                }
            }
        }
        assert!(!cases.is_empty() || std::env::var_os("INFINITY_GOLDEN").is_some());
        cases
    }

    fn path(&self, key: &str) -> PathBuf {
        self.directory.join(self.manifest["files"][key].as_str().unwrap())
    }

    /// The layouts that are here, by key.
    fn layouts(&self) -> BTreeMap<String, PathBuf> {
        let keys = self.manifest["layouts"].as_object().unwrap().keys();
        let paths = keys.map(|key| (key.clone(), self.path(key)));
        paths.filter(|(_, path)| path.exists()).collect()
    }
}

fn checkpoints() -> Vec<Case> {
    Case::all("checkpoint_conversion")
}

fn convert(arguments: &[&dyn AsRef<std::ffi::OsStr>]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_infinity"));
    command.arg("convert");
    for argument in arguments {
        command.arg(argument.as_ref());
    }
    command.output().unwrap()
}

fn converted(arguments: &[&dyn AsRef<std::ffi::OsStr>], out: &Path) -> (Manifest, Tensors) {
    let output = convert(arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    load_directory(out).unwrap()
}

/// The message of a conversion that must fail with status 1, and without leaving anything in `parent`.
fn complaint(arguments: &[&dyn AsRef<std::ffi::OsStr>], parent: &Path) -> String {
    let before = listing(parent);
    let output = convert(arguments);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.starts_with("error: "), "{message}");
    assert_eq!(listing(parent), before, "{message}");
    message
}

fn listing(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// What a conversion of `source` must hold: our names, with the prefix.
fn reference(source: &mut dyn Source) -> Tensors {
    let (prefix, planned) = match vae::plan(source.entries()) {
        Ok(plan) => ("vae.", plan.tensors),
        Err(_) => {
            let plan = transformer::plan(source.entries(), &transformer::Options::default()).unwrap();
            ("transformer.", plan.tensors)
        }
    };
    let mut read = |index| source.read(index).unwrap();
    let tensors = planned
        .into_iter()
        .map(|t| (format!("{prefix}{}", t.name), read(t.index)));
    tensors.collect()
}

fn rounded(data: &TensorData, dtype: DType) -> TensorData {
    data.clone().convert_dtype(dtype)
}

#[test]
fn every_layout_becomes_the_same_folder() {
    for case in checkpoints() {
        let expected = reference(&mut *files::open(&case.path("reference_safetensors")).unwrap());
        let mut checked = 0;
        for (key, path) in case.layouts() {
            let parent = tempfile::tempdir().unwrap();
            let out = parent.path().join("model");
            let (manifest, tensors) = converted(&[&path, &"--out", &out], &out);
            assert_eq!(listing(parent.path()), std::slice::from_ref(&out), "{key}");
            if manifest.transformer.is_none() {
                assert_eq!(tensors, reference(&mut *files::open(&path).unwrap()), "{key}");
                continue;
            }
            assert_eq!(tensors.len(), expected.len(), "{key}");
            for (name, data) in &tensors {
                assert_eq!(data, &rounded(&expected[name], data.dtype()), "{key}: {name}");
            }
            assert!(!tensors.keys().any(|name| name.ends_with("zero_k_bias")));
            checked += 1;
        }
        assert!(checked >= 2, "only {checked} transformer layouts");
    }
}

#[test]
fn transformer_and_vae_make_one_model() {
    for case in checkpoints() {
        let parent = tempfile::tempdir().unwrap();
        let (slim, vae_file) = (case.path("slim_pth"), case.path("vae_pth"));
        if !slim.exists() || !vae_file.exists() {
            continue;
        }
        let out = parent.path().join("nested/model");
        let options: [&dyn AsRef<std::ffi::OsStr>; 12] = [
            &slim,
            &"--out",
            &out,
            &"--vae",
            &vae_file,
            &"--shard-mib",
            &"1",
            &"--name",
            &"tiny",
            &"--scales",
            &"5",
            &"--licence=MIT",
        ];
        let (manifest, tensors) = converted(&options, &out);
        let (config, latent) = (manifest.transformer.unwrap(), manifest.vae.unwrap());
        assert_eq!(config.patchify, config.bits == 4 * latent.codebook_dim);
        assert_eq!((manifest.name.as_str(), manifest.licence.as_str()), ("tiny", "MIT"));
        assert_eq!(manifest.scales, 5);
        assert!(manifest.shards.len() >= 2);
        assert!(manifest.shards.iter().all(|shard| shard.bytes <= 1 << 20));
        let mut expected = reference(&mut *files::open(&slim).unwrap());
        expected.extend(reference(&mut *files::open(&vae_file).unwrap()));
        assert_eq!(tensors, expected);

        // Equal input, equal bytes.
        let again = parent.path().join("again");
        let mut repeated = options;
        repeated[2] = &again;
        converted(&repeated, &again);
        for (a, b) in listing(&out).iter().zip(listing(&again)) {
            assert_eq!(a.file_name(), b.file_name());
            assert_eq!(std::fs::read(a).unwrap(), std::fs::read(b).unwrap());
        }
    }
}

#[test]
fn precision_is_chosen_and_rounded() {
    for case in checkpoints() {
        let path = case.path("reference_safetensors");
        let expected = reference(&mut *files::open(&path).unwrap());
        for (name, dtype) in [("f32", DType::F32), ("f16", DType::F16), ("bf16", DType::BF16)] {
            let parent = tempfile::tempdir().unwrap();
            let out = parent.path().join("model");
            let (_, tensors) = converted(&[&path, &"--out", &out, &"--dtype", &name], &out);
            assert_eq!(tensors.len(), expected.len());
            for (name, data) in &tensors {
                assert_eq!(data, &rounded(&expected[name], dtype), "{name}");
            }
        }
    }
}

#[test]
fn text_encoder_and_tokenizer_come_along() {
    const TOKENIZER: &str = r#"{"version":"1.0","truncation":null,"padding":null,"added_tokens":[],"normalizer":null,
        "pre_tokenizer":null,"post_processor":null,"decoder":null,
        "model":{"type":"WordLevel","vocab":{"a":0,"b":1},"unk_token":"a"}}"#;
    for case in Case::all("t5_encoder") {
        let parent = tempfile::tempdir().unwrap();
        let tokenizer = parent.path().join("words.json");
        std::fs::write(&tokenizer, TOKENIZER).unwrap();
        // As Hugging Face lays it out: a folder with model.safetensors.
        let folder = parent.path().join("encoder");
        std::fs::create_dir(&folder).unwrap();
        std::fs::copy(case.path("weights"), folder.join("model.safetensors")).unwrap();
        let out = parent.path().join("model");
        let (manifest, tensors) = converted(&[&folder, &"--out", &out, &"--tokenizer", &tokenizer], &out);
        assert_eq!(load_tokenizer(&out, &manifest).unwrap().unwrap(), TOKENIZER.as_bytes());
        let config = manifest.text_encoder.unwrap();
        assert_eq!(case.manifest["config"]["d_model"], config.d_model);
        let stored = safetensors::read(&std::fs::read(case.path("weights")).unwrap()).unwrap();
        assert_eq!(tensors["text_encoder.shared.weight"], stored["shared.weight"]);

        std::fs::write(&tokenizer, "{}").unwrap();
        let other = parent.path().join("other");
        let message = complaint(&[&folder, &"--out", &other, &"--tokenizer", &tokenizer], parent.path());
        assert!(message.contains("words.json is not a tokenizer.json"), "{message}");
    }
}

#[test]
fn networks_that_do_not_fit_are_refused() {
    for (case, encoder) in checkpoints().iter().zip(Case::all("t5_encoder")) {
        let parent = tempfile::tempdir().unwrap();
        let out = parent.path().join("model");
        let (model, encoder) = (case.path("reference_safetensors"), encoder.path("weights"));
        let message = complaint(&[&model, &"--out", &out, &"--text-encoder", &encoder], parent.path());
        assert!(
            message.contains("take the text encoder this transformer was trained with"),
            "{message}"
        );
        let message = complaint(&[&model, &"--out", &out, &"--vae", &encoder], parent.path());
        assert!(
            message.contains("holds a text encoder where a VAE is asked for"),
            "{message}"
        );
        let message = complaint(&[&encoder, &"--out", &out, &"--text-encoder", &encoder], parent.path());
        assert!(message.contains("text encoder is given twice"), "{message}");
    }
}

#[test]
fn plain_block_names_need_no_chunks() {
    for case in checkpoints() {
        let path = case.path("reference_safetensors");
        let parent = tempfile::tempdir().unwrap();
        let plain: Vec<(String, TensorData)> = reference(&mut *files::open(&path).unwrap())
            .into_iter()
            .map(|(name, data)| (name.trim_start_matches("transformer.").to_string(), data))
            .collect();
        assert!(plain.iter().any(|(name, _)| name.starts_with("blocks.1.")));
        let file = parent.path().join("plain.safetensors");
        std::fs::write(&file, safetensors::write(&plain).unwrap()).unwrap();
        let chunks = case.manifest["config"]["model"]["block_chunks"].to_string();
        let (first, second) = (parent.path().join("first"), parent.path().join("second"));
        let (manifest, tensors) = converted(&[&file, &"--out", &first, &"--block-chunks", &chunks], &first);
        let (official, expected) = converted(&[&path, &"--out", &second], &second);
        assert_eq!(manifest.transformer, official.transformer);
        assert_eq!(tensors, expected);
        assert_eq!(manifest.shards, official.shards);
    }
}

#[test]
fn unconditional_rows_follow_the_option() {
    for case in checkpoints() {
        let path = case.path("reference_safetensors");
        let rows = case.manifest["config"]["model"]["text_maxlen"].as_u64().unwrap();
        let (fewer, more) = ((rows - 1).to_string(), (rows + 1).to_string());
        let parent = tempfile::tempdir().unwrap();
        let out = parent.path().join("fewer");
        let (manifest, tensors) = converted(&[&path, &"--out", &out, &"--text-maxlen", &fewer], &out);
        assert_eq!(manifest.transformer.unwrap().text_maxlen as u64, rows - 1);
        assert_eq!(tensors["transformer.cfg_uncond"].shape().to_vec()[0] as u64, rows - 1);
        let out = parent.path().join("more");
        let arguments: [&dyn AsRef<std::ffi::OsStr>; 6] =
            [&path, &"--out", &out, &"--text-maxlen", &more, &"--extend-cfg-uncond"];
        let message = complaint(&arguments[..5], parent.path());
        assert!(message.contains("--extend-cfg-uncond"), "{message}");
        let (manifest, _) = converted(&arguments, &out);
        assert_eq!(manifest.transformer.unwrap().text_maxlen as u64, rows + 1);
    }
}

#[test]
fn an_existing_folder_is_left_alone() {
    for case in checkpoints() {
        let parent = tempfile::tempdir().unwrap();
        let out = parent.path().join("model");
        std::fs::create_dir(&out).unwrap();
        let path = case.path("reference_safetensors");
        converted(&[&path, &"--out", &out], &out);
        let manifest = std::fs::read(out.join("manifest.json")).unwrap();
        let message = complaint(&[&path, &"--out", &out], parent.path());
        assert!(message.contains("exists already"), "{message}");
        assert_eq!(std::fs::read(out.join("manifest.json")).unwrap(), manifest);
    }
}

#[test]
fn a_changed_shard_is_refused_by_name() {
    for case in checkpoints() {
        let parent = tempfile::tempdir().unwrap();
        let out = parent.path().join("model");
        let (manifest, _) = converted(&[&case.path("reference_safetensors"), &"--out", &out], &out);
        let file = &manifest.shards[0].file;
        let mut bytes = std::fs::read(out.join(file)).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        std::fs::write(out.join(file), &bytes).unwrap();
        let message = load_directory(&out).unwrap_err().to_string();
        assert!(message.contains(file.as_str()), "{message}");
        std::fs::write(out.join(file), &bytes[1..]).unwrap();
        assert!(load_directory(&out).unwrap_err().to_string().contains("cut short"));
    }
}

#[test]
fn damaged_and_foreign_files_are_refused() {
    let parent = tempfile::tempdir().unwrap();
    let out = parent.path().join("model");
    let file = parent.path().join("weights.pth");
    let refuse = |bytes: &[u8]| {
        std::fs::write(&file, bytes).unwrap();
        complaint(&[&file, &"--out", &out], parent.path())
    };
    for case in checkpoints() {
        for path in case.layouts().into_values().filter(|path| path.is_file()) {
            let whole = std::fs::read(path).unwrap();
            for length in [whole.len() / 2, whole.len() - 1] {
                let message = refuse(&whole[..length]);
                assert!(message.contains("weights.pth"), "{message}");
            }
        }
        let reference = std::fs::read(case.path("reference_safetensors")).unwrap();
        assert!(refuse(&reference[..reference.len() - 4]).contains("cut short"));
    }
    assert!(refuse(b"").contains("neither safetensors nor a file of torch.save"));
    assert!(refuse(b"GIF89a-something").contains("neither safetensors nor"));
    assert!(refuse(b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.").contains("before 1.6"));
    let foreign = safetensors::write(&[("x".to_string(), TensorData::new(vec![1.0f32], [1]))]).unwrap();
    assert!(refuse(&foreign).contains("no tensor here has a name of"));
    let nowhere = parent.path().join("nowhere.pth");
    assert!(complaint(&[&nowhere, &"--out", &out], parent.path()).contains("nowhere.pth"));
    let empty = parent.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    assert!(complaint(&[&empty, &"--out", &out], parent.path()).contains("no checkpoint in this folder"));
}

#[test]
fn a_pickle_that_calls_the_system_is_refused_unexecuted() {
    use std::io::Write;
    let parent = tempfile::tempdir().unwrap();
    let (file, out) = (parent.path().join("evil.pth"), parent.path().join("model"));
    let trace = parent.path().join("executed");
    let mut pickle = b"\x80\x02cos\nsystem\n(X".to_vec();
    let command = format!("touch {}", trace.display());
    pickle.extend((command.len() as u32).to_le_bytes());
    pickle.extend(command.as_bytes());
    pickle.extend(b"tR.");
    let mut archive = zip::ZipWriter::new(std::fs::File::create(&file).unwrap());
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    archive.start_file("evil/data.pkl", stored).unwrap();
    archive.write_all(&pickle).unwrap();
    archive.finish().unwrap();
    let message = complaint(&[&file, &"--out", &out], parent.path());
    assert!(
        message.contains("`os.system`") && message.contains("evil.pth"),
        "{message}"
    );
    assert!(!trace.exists());
}

//! `infinity convert` as a user runs it: every layout of the golden checkpoints, options, and inputs that must fail.

use burn::tensor::{DType, Device, TensorData};
use infinity::model::config::VaeConfig;
use infinity::model::vae::Vae;
use infinity::weights::directory::load_tokenizer;
use infinity::weights::official::{transformer, vae};
use infinity::weights::reader::TensorReader;
use infinity::weights::{Manifest, Tensors, export_module, files, load_directory, safetensors};
use serde_json::{Value, json};
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

    /// The containers it comes in, by key.
    fn layouts(&self) -> BTreeMap<String, PathBuf> {
        let keys = self.manifest["layouts"].as_object().unwrap().keys();
        keys.map(|key| (key.clone(), self.path(key))).collect()
    }
}

/// Every tensor of a file, under its own name.
fn stored(path: &Path) -> Vec<(String, TensorData)> {
    let mut source = files::open(path).unwrap();
    let names: Vec<String> = source.entries().iter().map(|entry| entry.name.clone()).collect();
    let read = |(i, name)| (name, source.read(i).unwrap());
    names.into_iter().enumerate().map(read).collect()
}

/// A folder of two shards with an index, the second in bf16, as the 8B model comes.
fn write_sharded(case: &Case, folder: &Path) {
    let all = stored(&case.path("reference_safetensors"));
    let (mut map, mut total) = (serde_json::Map::new(), 0);
    for (shard, dtype, part) in [
        ("a.safetensors", DType::F32, &all[..all.len() / 2]),
        ("b.safetensors", DType::BF16, &all[all.len() / 2..]),
    ] {
        let tensors = part.iter().map(|(name, data)| (name.clone(), rounded(data, dtype)));
        let tensors: Vec<(String, TensorData)> = tensors.collect();
        total += tensors.iter().map(|(_, data)| data.as_bytes().len()).sum::<usize>();
        map.extend(tensors.iter().map(|(name, _)| (name.clone(), shard.into())));
        std::fs::write(folder.join(shard), safetensors::write(&tensors).unwrap()).unwrap();
    }
    let index = json!({"metadata": {"total_size": total}, "weight_map": map});
    std::fs::write(folder.join("model.safetensors.index.json"), index.to_string()).unwrap();
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
    assert!(
        message.starts_with("error: ") && message.lines().count() == 1,
        "{message}"
    );
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
fn reference(source: &mut dyn TensorReader) -> Tensors {
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
        let sharded = tempfile::tempdir().unwrap();
        write_sharded(&case, sharded.path());
        let mut layouts = case.layouts();
        layouts.insert("shards made here".to_string(), sharded.path().to_path_buf());
        layouts.insert("reference".to_string(), case.path("reference_safetensors"));
        for (key, path) in layouts {
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
        }
    }
}

#[test]
fn transformer_and_vae_make_one_model() {
    for case in checkpoints() {
        let parent = tempfile::tempdir().unwrap();
        let (model, vae_file) = (case.path("training_pth"), case.path("vae_pth"));
        let out = parent.path().join("nested/model");
        let options: [&dyn AsRef<std::ffi::OsStr>; 12] = [
            &model,
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
        let mut expected = reference(&mut *files::open(&model).unwrap());
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
    // The first pickle of a file of torch before 1.6, and nothing behind it.
    assert!(refuse(b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.").contains("cut short"));
    let foreign = safetensors::write(&[("x".to_string(), TensorData::new(vec![1.0f32], [1]))]).unwrap();
    assert!(refuse(&foreign).contains("no tensor here has a name of"));
    let nowhere = parent.path().join("nowhere.pth");
    assert!(complaint(&[&nowhere, &"--out", &out], parent.path()).contains("nowhere.pth"));
    let empty = parent.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    assert!(complaint(&[&empty, &"--out", &out], parent.path()).contains("no checkpoint in this folder"));
}

#[test]
fn safetensors_with_impossible_headers_are_refused() {
    let parent = tempfile::tempdir().unwrap();
    let (file, out) = (parent.path().join("weights.safetensors"), parent.path().join("model"));
    let refuse = |length: Option<u64>, header: Value, data: usize| {
        let header = header.to_string();
        let mut bytes = length.unwrap_or(header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.resize(bytes.len() + data, 0);
        std::fs::write(&file, bytes).unwrap();
        let message = complaint(&[&file, &"--out", &out], parent.path());
        assert!(message.contains("weights.safetensors: "), "{message}");
        message
    };
    let tensor =
        |dtype: &str, shape: Value, range: [u64; 2]| json!({"dtype": dtype, "shape": shape, "data_offsets": range});
    let whole = json!({"cfg_uncond": tensor("F32", json!([4]), [0, 16])});
    assert!(refuse(Some(u64::MAX), whole.clone(), 16).contains("check which file you picked"));
    assert!(refuse(Some(1 << 20), whole.clone(), 16).contains("download it again"));
    assert!(refuse(None, whole, 12).contains("cut short: download it again"));
    let overlapping = json!({
        "cfg_uncond": tensor("F32", json!([4]), [0, 16]),
        "pos_start": tensor("F32", json!([4]), [8, 24]),
    });
    assert!(refuse(None, overlapping, 24).contains("share bytes; the file is damaged: download it again"));
    let too_many = json!({"cfg_uncond": tensor("F32", json!([1u64 << 40, 1u64 << 40]), [0, 16])});
    assert!(refuse(None, too_many, 16).contains("`cfg_uncond` claims the impossible shape"));
    let foreign = json!({"cfg_uncond": tensor("F7", json!([4]), [0, 16])});
    assert!(refuse(None, foreign, 16).contains("has dtype `F7`, which is not read here; convert the file"));
}

#[test]
fn weights_of_a_wrong_dtype_are_refused() {
    for case in checkpoints() {
        let parent = tempfile::tempdir().unwrap();
        let (file, out) = (parent.path().join("weights.safetensors"), parent.path().join("model"));
        let mut tensors = stored(&case.path("reference_safetensors"));
        let (_, bias) = tensors.iter_mut().find(|(name, _)| name == "word_embed.bias").unwrap();
        *bias = bias.clone().convert_dtype(DType::I64);
        std::fs::write(&file, safetensors::write(&tensors).unwrap()).unwrap();
        let message = complaint(&[&file, &"--out", &out], parent.path());
        assert!(
            message.contains("`word_embed.bias` is stored as I64") && message.contains("convert the file first"),
            "{message}"
        );
    }
}

#[test]
fn a_failure_after_the_first_shards_leaves_nothing() {
    for case in checkpoints() {
        let parent = tempfile::tempdir().unwrap();
        let (file, out) = (parent.path().join("weights.safetensors"), parent.path().join("model"));
        for (value, dtype, expected) in [
            (1e6f32, "f16", "does not fit into f16; choose bf16"),
            (f32::NAN, "f32", "not a finite number"),
        ] {
            let mut tensors = stored(&case.path("reference_safetensors"));
            let (_, bias) = tensors.iter_mut().find(|(name, _)| name == "head.bias").unwrap();
            let mut values: Vec<f32> = bias.iter::<f32>().collect();
            values[3] = value;
            *bias = TensorData::new(values, bias.shape().to_vec());
            std::fs::write(&file, safetensors::write(&tensors).unwrap()).unwrap();
            let options: [&dyn AsRef<std::ffi::OsStr>; 7] =
                [&file, &"--out", &out, &"--shard-mib", &"1", &"--dtype", &dtype];
            let message = complaint(&options, parent.path());
            assert!(message.contains("`transformer.head.bias`"), "{message}");
            assert!(message.contains(expected), "{message}");
        }
    }
}

#[test]
fn a_vae_of_another_width_is_refused() {
    let parent = tempfile::tempdir().unwrap();
    let (file, out) = (parent.path().join("vae.safetensors"), parent.path().join("model"));
    let config = VaeConfig {
        codebook_dim: 6,
        base_ch: 32,
        ch_mult: vec![1, 1],
        num_res_blocks: 1,
        patch_size: 2,
        stem_patch: 1,
        norm_groups: 32,
        encoder: None,
    };
    let vae = Vae::new(&config, &Device::flex()).unwrap();
    let tensors = export_module(&vae, str::to_string);
    std::fs::write(&file, safetensors::write(&tensors).unwrap()).unwrap();
    for case in checkpoints() {
        let model = case.path("reference_safetensors");
        let message = complaint(&[&model, &"--out", &out, &"--vae", &file], parent.path());
        assert!(
            message.contains("the VAE has 6 channels") && message.contains("take the VAE"),
            "{message}"
        );

        // The same in a folder that somebody put together.
        converted(&[&model, &"--out", &out, &"--vae", &case.path("vae_pth")], &out);
        let path = out.join("manifest.json");
        let mut manifest: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        manifest["vae"]["codebook_dim"] = json!(6);
        std::fs::write(&path, manifest.to_string()).unwrap();
        let message = load_directory(&out).unwrap_err().to_string();
        assert!(
            message.contains("the VAE has 6 channels") && message.contains("take the VAE"),
            "{message}"
        );
        std::fs::remove_dir_all(&out).unwrap();
    }
}

#[test]
fn missing_and_unexpected_tensors_are_refused_by_name() {
    for case in checkpoints() {
        let parent = tempfile::tempdir().unwrap();
        let (file, out) = (parent.path().join("weights.safetensors"), parent.path().join("model"));
        let tensors = stored(&case.path("reference_safetensors"));
        let refuse = |tensors: &[(String, TensorData)]| {
            std::fs::write(&file, safetensors::write(tensors).unwrap()).unwrap();
            complaint(&[&file, &"--out", &out], parent.path())
        };
        let without: Vec<_> = tensors
            .iter()
            .filter(|(name, _)| name != "head.bias")
            .cloned()
            .collect();
        let message = refuse(&without);
        assert!(
            message.contains("lacks 1 of the tensors") && message.contains("`head.bias`"),
            "{message}"
        );
        let mut with = tensors;
        with.push(("head.scale".to_string(), TensorData::new(vec![1.0f32], [1])));
        let message = refuse(&with);
        assert!(
            message.contains("no place for 1 of the checkpoint's tensors"),
            "{message}"
        );
        assert!(message.contains("`head.scale`"), "{message}");
    }
}

#[test]
fn a_pickle_that_calls_the_system_is_refused_unexecuted() {
    let parent = tempfile::tempdir().unwrap();
    let (file, out) = (parent.path().join("evil.pth"), parent.path().join("model"));
    let trace = parent.path().join("executed");
    let mut pickle = b"\x80\x02cos\nsystem\n(X".to_vec();
    let command = format!("touch {}", trace.display());
    pickle.extend((command.len() as u32).to_le_bytes());
    pickle.extend(command.as_bytes());
    pickle.extend(b"tR.");
    write_pth(&file, &pickle);
    let message = complaint(&[&file, &"--out", &out], parent.path());
    assert!(
        message.contains("`os.system`") && message.contains("evil.pth"),
        "{message}"
    );
    assert!(!trace.exists());
    // The opcode NEXT_BUFFER, which no weights need.
    write_pth(&file, b"\x80\x02\x97.");
    let message = complaint(&[&file, &"--out", &out], parent.path());
    assert!(
        message.contains("opcode 0x97") && message.contains("nothing was executed"),
        "{message}"
    );
}

/// An archive as torch.save makes it, of this pickle and no tensors.
fn write_pth(path: &Path, pickle: &[u8]) {
    use std::io::Write;
    let mut archive = zip::ZipWriter::new(std::fs::File::create(path).unwrap());
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    archive.start_file("evil/data.pkl", stored).unwrap();
    archive.write_all(pickle).unwrap();
    archive.finish().unwrap();
}

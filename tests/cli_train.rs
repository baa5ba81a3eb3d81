//! `infinity train` and `infinity pack` as a user runs them, with networks of a few thousand parameters.

use safetensors::SafeTensors;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

/// The command line `words`, run in `folder`.
fn infinity(folder: &Path, words: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_infinity"));
    command
        .current_dir(folder)
        .args(words.split_whitespace())
        .output()
        .unwrap()
}

fn succeed(folder: &Path, words: &str) {
    let output = infinity(folder, words);
    assert!(
        output.status.success(),
        "{words}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn train(folder: &Path, stage: &str, out: &str, more: &str) {
    let text = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/t5_tokenizer.json");
    let text = text.display();
    let sizes = match stage {
        "tokenizer" => "--bits 8 --base-ch 16 --ch-mult 1 --stem-patch 16".to_string(),
        _ => format!(
            "--embed-dim 32 --depth 1 --heads 2 --text-depth 1 --show apple --tokenizer first --text-tokenizer {text}"
        ),
    };
    let run = "--data emoji:flat,single,plain,still,apple,car --scales 2 --batch 2 --steps 2 --warmup 1";
    succeed(folder, &format!("train {stage} --out {out} {run} {sizes} {more}"));
}

fn pack(tokenizer: &str, transformer: &str, out: &str) -> String {
    let text = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/t5_tokenizer.json");
    let text = text.display();
    format!("pack --tokenizer {tokenizer} --transformer {transformer} --text-tokenizer {text} --out {out} --name {out}")
}

/// Every tensor of a model folder, as it is stored.
fn tensors(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let shards = files.filter(|path| path.extension().is_some_and(|extension| extension == "safetensors"));
    let mut all = BTreeMap::new();
    for shard in shards {
        let bytes = std::fs::read(shard).unwrap();
        for (name, view) in SafeTensors::deserialize(&bytes).unwrap().tensors() {
            all.insert(name, view.data().to_vec());
        }
    }
    all
}

#[test]
fn a_decoder_that_was_trained_on_takes_the_place_of_the_old_one() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    train(folder, "tokenizer", "first", "");
    train(folder, "transformer", "bits", "");
    succeed(folder, &pack("first", "bits", "model"));

    train(
        folder,
        "tokenizer",
        "second",
        "--init-from first --decoder-only --weight-decay 0.1",
    );
    // Of the transformer's run as of the packed model.
    succeed(folder, &pack("second", "bits", "from-run"));
    succeed(folder, &pack("second", "model", "from-model"));
    let [old, run, model] = ["model", "from-run", "from-model"].map(|name| tensors(&folder.join(name)));
    assert_eq!(run, model);
    assert_eq!(old.keys().collect::<Vec<_>>(), run.keys().collect::<Vec<_>>());
    let changed: Vec<&String> = old.keys().filter(|&name| old[name] != run[name]).collect();
    assert!(!changed.is_empty());
    assert!(
        changed.iter().all(|name| name.starts_with("vae.decoder.")),
        "{changed:?}"
    );

    // A baseline is packed with what is its own, and without what it shares. `--twin` is the old name of the option.
    succeed(
        folder,
        &format!("{} --twin bits", pack("first", "model", "with-old-name")),
    );
    succeed(
        folder,
        &format!("{} --baseline bits", pack("first", "model", "with-twin")),
    );
    let whole = tensors(&folder.join("with-twin"));
    let baseline = tensors(&folder.join("with-twin/twin"));
    assert_eq!(whole, old);
    assert_eq!(tensors(&folder.join("with-old-name/twin")), baseline);
    let own = |(name, _): &(&String, _)| !name.starts_with("vae.");
    assert_eq!(
        baseline.iter().collect::<Vec<_>>(),
        old.iter().filter(own).collect::<Vec<_>>()
    );
    let manifest = std::fs::read_to_string(folder.join("with-twin/manifest.json")).unwrap();
    assert!(manifest.contains("twin/manifest.json"), "{manifest}");
    // How it was trained came through both packings, and a baseline is packed again with the tokenizer that it shares.
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    let training = serde_json::json!({"flips": 0.3, "inputs_only": false, "steps": 2, "batch": 2});
    assert_eq!(manifest["training"], training);
    succeed(folder, &pack("first", "with-twin/twin", "of-twin"));
    assert_eq!(tensors(&folder.join("of-twin")), old);

    // Other bits are another matter.
    train(folder, "tokenizer", "third", "--seed 9");
    for transformer in ["bits", "model"] {
        let output = infinity(folder, &pack("third", transformer, "mixed"));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains("third"), "{said}");
        assert!(!folder.join("mixed").exists());
    }
}

#[test]
fn a_decoder_alone_needs_the_tokenizer_it_belongs_to() {
    let folder = tempfile::tempdir().unwrap();
    let output = infinity(folder.path(), "train tokenizer --out run --steps 1 --decoder-only");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("--init-from"), "{said}");
}

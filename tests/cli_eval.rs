//! `infinity eval` as a user runs it, on the tiny random model: the scores that need no picture classifier.

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

#[path = "../examples/tiny_model.rs"]
#[allow(dead_code, reason = "the example's own main")]
mod tiny_model;

/// A folder with the model as `tiny`, and its baseline in that.
fn model() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let tokenizer = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/t5_tokenizer.json");
    tiny_model::write(&folder.path().join("tiny"), &std::fs::read(tokenizer).unwrap()).unwrap();
    folder
}

/// `infinity eval` with `words`, run in `folder`.
fn eval(folder: &Path, words: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_infinity"));
    let command = command.current_dir(folder).arg("eval").args(words.split_whitespace());
    command.output().unwrap()
}

/// The table that was printed, and the JSON that was written.
fn report(folder: &Path, words: &str) -> (String, Value) {
    let output = eval(
        folder,
        &format!("{words} --data emoji:flat,plain,still --out report.json"),
    );
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let json = std::fs::read(folder.join("report.json")).unwrap();
    (
        String::from_utf8(output.stdout).unwrap(),
        serde_json::from_slice(&json).unwrap(),
    )
}

#[test]
fn bits_of_a_model_and_of_its_baseline() {
    let folder = model();
    let mut losses = Vec::new();
    for (path, name) in [("tiny", "Tiny random model"), ("tiny/twin", "Tiny random twin")] {
        let (table, json) = report(folder.path(), &format!("bits --model {path} --images 2"));
        assert!(
            table.contains("| held out | own |") && table.contains("| seen | shuffled"),
            "{table}"
        );
        assert_eq!(json["model"], name);
        assert_eq!(json["rows"].as_array().unwrap().len(), 4);
        assert_eq!(json["rows"][0]["scales"].as_array().unwrap().len(), 5);
        losses.push(json["rows"][0]["loss"]["mean"].as_f64().unwrap());
    }
    // Random weights know nothing, each in its own way.
    assert!(
        losses.iter().all(|&loss| loss > 0.6) && losses[0] != losses[1],
        "{losses:?}"
    );
}

#[test]
fn self_correction_of_the_tokenizer_and_of_both_transformers() {
    let folder = model();
    let (table, json) = report(folder.path(), "self-correction --model tiny --images 2 --flips 20");
    for line in [
        "| flipped, re-quantized | 20 |",
        "| transformer, self-corrected | 20 |",
        "| transformer, teacher forcing (baseline) | 20 |",
        "| self-corrected minus baseline | 20 |",
    ] {
        assert!(table.contains(line), "{line} in {table}");
    }
    let recovery = &json["recovery"];
    assert_eq!(
        (&recovery["flipped_scales"], recovery["rows"].as_array().unwrap().len()),
        (&3.into(), 6)
    );
    assert_eq!(recovery["rows"][0]["errors"][4]["mean"], 0.0, "unflipped");
    assert!(recovery["rows"][2]["errors"][4]["mean"].as_f64().unwrap() > 0.0);

    let (table, json) = report(folder.path(), "self-correction --model tiny/twin --images 2 --flips 20");
    assert!(!table.contains("minus baseline"), "a baseline has no baseline: {table}");
    assert_eq!(json["recovery"]["leads"], serde_json::json!([]));
}

#[test]
fn what_is_missing_is_named_with_a_remedy() {
    let folder = model();
    for (words, said) in [
        ("prompts --model tiny", "make eval-weights"),
        ("bits --model nowhere", "nowhere"),
        ("bits --model tiny --data emoji:zeppelin", "zeppelin"),
        ("bits --model tiny --images 1", "--images"),
    ] {
        let output = eval(folder.path(), words);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && error.contains(said), "{words}: {error}");
    }
}

//! `infinity generate` as a user runs it, on the tiny random model.

use std::path::Path;
use std::process::{Command, Output};

#[path = "../examples/tiny_model.rs"]
#[allow(dead_code, reason = "the example's own main")]
mod tiny_model;

fn write_model(target: &Path) {
    let tokenizer = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/t5_tokenizer.json");
    tiny_model::write(target, &std::fs::read(tokenizer).unwrap()).unwrap();
}

/// Runs in `folder`, which holds the model as `tiny`.
fn generate(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_infinity"));
    command
        .current_dir(folder)
        .arg("generate")
        .args(arguments)
        .args(["--model", "tiny"])
        .output()
        .unwrap()
}

#[test]
fn the_same_seed_writes_the_same_image_and_every_scale() {
    let folder = tempfile::tempdir().unwrap();
    write_model(&folder.path().join("tiny"));
    let draw = |seed: &str, out: &str| {
        let arguments = [
            "a red zeppelin apple",
            "--seed",
            seed,
            "--aspect",
            "3:1",
            "--out",
            out,
            "--scales",
            "scales",
        ];
        let output = generate(folder.path(), &arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(
            said.contains("has not learned: zeppelin") && said.contains("scale 5 of 5"),
            "{said}"
        );
        image::open(folder.path().join(out)).unwrap().into_rgba8()
    };
    let [first, again, other] = [("7", "a.png"), ("7", "b.png"), ("8", "c.png")].map(|(seed, out)| draw(seed, out));
    assert_eq!(first, again);
    assert_ne!(first, other);
    let scales = (1..=5).map(|k| folder.path().join(format!("scales/scale-0{k}.png")));
    let scales: Vec<_> = scales.map(|path| image::open(path).unwrap().into_rgba8()).collect();
    assert_eq!(scales[4], other);
    assert!(
        scales
            .windows(2)
            .all(|pair| pair[0] != pair[1] && pair[0].dimensions() == other.dimensions())
    );
}

#[test]
fn what_cannot_be_drawn_is_said_in_a_sentence_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    write_model(&folder.path().join("tiny"));
    let cases: [(&[&str], &str); 7] = [
        (&["", "--out", "x.png"], "the prompt is empty;"),
        (&["quantum flux", "--out", "x.png"], "quantum, flux;"),
        (
            &["apple", "--out", "x.png", "--cfg", "1e9"],
            "cfg = 1000000000 is not possible;",
        ),
        (&["apple", "--out", "x.png", "--cfg", "1,2"], "2 numbers for 5 scales;"),
        (
            &["apple", "--out", "x.png", "--tau", "nan"],
            "tau = NaN is not possible;",
        ),
        (&["apple", "--out", "x.png", "--aspect", "0:0"], "no shape `0:0`;"),
        (&["apple", "--out", "nowhere/x.png"], "choose another file"),
    ];
    for (arguments, expected) in cases {
        let output = generate(folder.path(), arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            !output.status.success() && said.contains(expected),
            "{arguments:?}: {said}"
        );
        assert!(!said.contains("panicked"), "{said}");
    }
    let left: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["tiny"]);
}

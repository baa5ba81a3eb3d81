//! `infinity data` as a user runs it.

use std::path::Path;
use std::process::{Command, Output};

/// `infinity data` with `words`, run in `folder`.
fn data(folder: &Path, words: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_infinity"));
    let command = command.current_dir(folder).arg("data").args(words.split_whitespace());
    command.output().unwrap()
}

fn succeed(folder: &Path, words: &str) -> String {
    let output = data(folder, words);
    assert!(
        output.status.success(),
        "{words}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_preview_is_a_sheet_with_its_captions() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let said = succeed(
        folder,
        "preview --out sheet.png --count 10 --size 48x32 --data emoji:flat,plain,still,single",
    );
    assert!(said.contains("sheet.png") && said.contains("sheet.txt"), "{said}");
    // Two rows of eight, two pixels around each.
    let sheet = image::open(folder.join("sheet.png")).unwrap().into_rgb8();
    assert_eq!(sheet.dimensions(), (8 * 50 + 2, 2 * 34 + 2));
    let captions = std::fs::read_to_string(folder.join("sheet.txt")).unwrap();
    let lines: Vec<&str> = captions.lines().collect();
    assert_eq!(lines.len(), 10);
    assert!(
        lines[9].starts_with("row 2, column 2: ") && lines[9].len() > 20,
        "{captions}"
    );

    // The same seed shows the same, another one and the other side of the split do not.
    let sheet = |words: &str| {
        succeed(
            folder,
            &format!("preview --out other.png --count 10 --size 48x32 {words}"),
        );
        std::fs::read_to_string(folder.join("other.txt")).unwrap()
    };
    let data = "--data emoji:flat,plain,still,single";
    assert_eq!(sheet(data), captions);
    assert_ne!(sheet(&format!("{data} --seed 2")), captions);
    assert_ne!(sheet(&format!("{data} --held-out")), captions);
}

#[test]
fn impossible_requests_are_refused_with_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::create_dir(folder.join("packages")).unwrap();
    std::fs::write(folder.join("broken.tgz"), b"no archive").unwrap();
    for (words, said) in [
        ("build packages", "npm pack"),
        ("build broken.tgz", "broken.tgz"),
        ("build nowhere.tgz", "nowhere.tgz"),
        ("preview --out sheet.png --data emoji:zeppelin", "zeppelin"),
        ("preview --out sheet.png --size 4", "16"),
        ("preview --out nowhere/sheet.png --count 1", "nowhere"),
    ] {
        let output = data(folder, words);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && error.contains(said), "{words}: {error}");
    }
    assert!(!folder.join("data").exists() && !folder.join("sheet.png").exists());
}

//! docs/security.md against the sources: what it names as a control or as a test is there. Whether a test shows what it is
//! named for, only its breaking tells.

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// What stands between backquotes.
fn named(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// `FILE::NAME`, and where that is.
fn test(word: &str) -> Option<(PathBuf, &str)> {
    let (file, name) = word.split_once("::")?;
    let is_name = |text: &str| {
        text.bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    if !is_name(name) {
        return None;
    }
    if file.starts_with("src/") {
        return Some((root().join(file), name));
    }
    is_name(file).then(|| (root().join(format!("tests/it/{file}.rs")), name))
}

/// Whether the file has a test of this name, by itself or once per database.
fn has_test(file: &Path, name: &str) -> bool {
    let Ok(text) = std::fs::read_to_string(file) else {
        return false;
    };
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    // Listed for a macro that makes one of it for each database.
    if lines.contains(&format!("{name},").as_str()) {
        return true;
    }
    let opens = format!("fn {name}(");
    let Some(at) = lines.iter().position(|line| line.contains(&opens)) else {
        return false;
    };
    let before = lines[..at].iter().rev();
    let mut above = before.skip_while(|line| line.starts_with("///"));
    above.next().is_some_and(|line| {
        let ignored = line.contains("ignore");
        !ignored
            && (line.starts_with("#[test]")
                || line.starts_with("#[tokio::test")
                || line.ends_with("on_each_backend! {"))
    })
}

fn document() -> String {
    std::fs::read_to_string(root().join("docs/security.md")).unwrap()
}

#[test]
fn every_control_and_every_test_that_is_named_is_there() {
    let text = document();
    let mut gone = Vec::new();
    let mut tests = 0;
    for word in named(&text) {
        if let Some((file, name)) = test(word) {
            tests += 1;
            if !has_test(&file, name) {
                gone.push(word.to_owned());
            }
        } else if word.starts_with("src/") {
            let path = root().join(word);
            if !path.is_file() {
                gone.push(word.to_owned());
            }
        }
    }
    assert_eq!(gone, Vec::<String>::new());
    assert!(tests > 40, "{tests} tests were found in the document");
}

#[test]
fn every_threat_has_a_control_and_a_test() {
    let text = document();
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| ")).collect();
    let rows: Vec<&str> = rows
        .into_iter()
        .filter(|row| !row.starts_with("| Threat |") && !row.starts_with("| ---"))
        .collect();
    assert!(rows.len() > 30, "{}", rows.len());
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [threat, control, tests] = cells.as_slice() else {
            panic!("three cells: {row}");
        };
        assert!(!threat.is_empty() && !control.is_empty(), "{row}");
        let all: Vec<&str> = named(tests).collect();
        assert!(
            !all.is_empty() && all.iter().all(|word| test(word).is_some()),
            "{row}"
        );
    }
}

//! The files of cases, `tests/corpus/*.toml`, one per family: read, completed with what is usual in their family, and
//! refused where they say anything that no case can say.
//!
//! It runs nothing and judges nothing.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::{Table, Value};

use super::FAMILIES;
use super::case::Case;
use crate::support::tally::tell;

/// The files of cases.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

/// The cases of one file, each with whatever its table `usual` says for all of them.
pub fn family(name: &str) -> Vec<Case> {
    let path = folder().join(format!("{name}.toml"));
    let text = std::fs::read_to_string(&path).unwrap();
    let mut table: Table = toml::from_str(&text).unwrap_or_else(|why| panic!("{name}: {why}"));
    let usual = match table.remove("usual") {
        Some(Value::Table(usual)) => usual,
        None => Table::new(),
        Some(other) => panic!("{name}: `usual` is {other:?}"),
    };
    let Some(Value::Array(cases)) = table.remove("case") else {
        panic!("{name} holds no case");
    };
    assert!(table.is_empty(), "{name}: what is {table:?}?");
    let complete = |case: Value| {
        let mut all = usual.clone();
        all.extend(case.as_table().unwrap().clone());
        let shown = all
            .get("name")
            .and_then(Value::as_str)
            .unwrap_or("a case")
            .to_owned();
        Case::deserialize(Value::Table(all)).unwrap_or_else(|why| panic!("{name}, {shown}: {why}"))
    };
    cases.into_iter().map(complete).collect()
}

#[test]
fn the_corpus_is_large_and_every_case_is_a_sentence_of_its_own() {
    let cases: Vec<Case> = FAMILIES.iter().copied().flat_map(family).collect();
    let names: BTreeSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names.len(), cases.len(), "two cases have one name");
    assert!(cases.len() >= 150, "only {} cases", cases.len());
    for case in &cases {
        let (name, words) = (&case.name, case.name.split(' ').count());
        assert!((4..=24).contains(&words), "no sentence: {name}");
        let texts = [&case.says, &case.prints, &case.hides];
        let told = texts
            .iter()
            .any(|texts| texts.iter().any(|text| !text.is_empty()));
        let shows_otherwise =
            case.exit.is_none() || !case.deliveries.is_empty() || !case.holds.is_empty();
        assert!(
            told || shows_otherwise || case.is_mute(),
            "{name} expects no message"
        );
    }
    tell(&format!("corpus: {} cases of bad input", cases.len()));
}

#[test]
fn every_file_of_cases_is_run() {
    let entries = std::fs::read_dir(folder()).unwrap();
    let mut found: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    found.sort();
    let mut run: Vec<String> = FAMILIES.iter().map(|name| format!("{name}.toml")).collect();
    run.sort();
    assert_eq!(found, run);
}

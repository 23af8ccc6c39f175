//! What relink takes from others: each direct dependency has its reason on the page, and none asks for a newer Rust
//! than relink itself.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap()
}

fn manifest() -> toml::Table {
    read("Cargo.toml").parse().unwrap()
}

/// The names in a section of Cargo.toml, sorted, as they should stand on the page.
fn declared(section: &str) -> Vec<String> {
    let manifest = manifest();
    let mut names: Vec<String> = manifest[section]
        .as_table()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    names.sort();
    assert!(!names.is_empty(), "[{section}] is empty");
    names
}

/// The tables of the page's section, in order: each row's crate and reason.
fn explained() -> Vec<Vec<(String, String)>> {
    let page = read("docs/architecture.md");
    let (_, section) = page.split_once("\n## Dependencies\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let mut tables = Vec::new();
    for line in section.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        match cells[..] {
            ["", "Crate", ..] => tables.push(Vec::new()),
            ["", rule, ..] if rule.starts_with("---") => {}
            ["", name, reason, ""] => {
                let table: &mut Vec<_> = tables.last_mut().expect("a heading above the rows");
                table.push((name.to_owned(), reason.to_owned()));
            }
            _ => {}
        }
    }
    tables
}

#[test]
fn every_direct_dependency_has_its_reason_and_none_is_left_over() {
    let tables = explained();
    assert_eq!(tables.len(), 2, "one for relink, one for its tests");
    for (section, table) in ["dependencies", "dev-dependencies"].iter().zip(&tables) {
        let names: Vec<String> = table.iter().map(|(name, _)| name.clone()).collect();
        assert_eq!(
            names,
            declared(section),
            "[{section}] and docs/architecture.md, by name"
        );
        for (name, reason) in table {
            assert!(
                reason.split_whitespace().count() >= 3,
                "{name}: {reason:?} is no reason"
            );
        }
    }
    let manifest = manifest();
    for section in ["build-dependencies", "target", "patch", "replace"] {
        assert!(
            !manifest.contains_key(section),
            "[{section}] has no table on the page"
        );
    }
}

/// `1.95` and `1.95.0` are the same to cargo.
fn version(text: &str) -> (u32, u32, u32) {
    let mut parts = text.split('.').map(|part| part.parse().unwrap());
    let mut next = || parts.next().unwrap_or(0);
    (next(), next(), next())
}

/// Every package that is built on this system, with the oldest Rust that it says it takes.
fn needed_by_packages() -> BTreeMap<String, Option<String>> {
    let host = Command::new("rustc").arg("-vV").output().unwrap();
    let host = String::from_utf8(host.stdout).unwrap();
    let host = host
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .unwrap();
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version=1", "--locked", "--offline"])
        .args(["--filter-platform", host])
        .current_dir(root())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let said = |package: &serde_json::Value, key: &str| package[key].as_str().map(str::to_owned);
    packages
        .iter()
        .map(|package| {
            let name = said(package, "name").unwrap();
            let name = format!("{name} {}", said(package, "version").unwrap());
            (name, said(package, "rust_version"))
        })
        .collect()
}

#[test]
fn no_dependency_needs_a_newer_rust_than_relink_says() {
    let packages = needed_by_packages();
    assert!(packages.len() > 100, "{packages:?}");
    let stated = manifest()["package"]["rust-version"]
        .as_str()
        .unwrap()
        .to_owned();
    for (name, needed) in &packages {
        if let Some(needed) = needed {
            assert!(
                version(needed) <= version(&stated),
                "{name} needs Rust {needed}, relink says {stated}"
            );
        }
    }
    // And the page that people read says the same.
    assert!(read("README.md").contains(&format!("Rust ({stated} or newer)")));
}

#[test]
fn everything_comes_from_one_registry_by_its_hash() {
    let lock: toml::Table = read("Cargo.lock").parse().unwrap();
    for package in lock["package"].as_array().unwrap() {
        let said = |key: &str| package.get(key).and_then(toml::Value::as_str);
        let name = said("name").unwrap();
        if name == "relink" {
            continue;
        }
        let source = said("source").unwrap_or("a folder");
        assert!(
            source.starts_with("registry+") && Path::new(source).ends_with("crates.io-index"),
            "{name} comes from {source}"
        );
        assert!(said("checksum").is_some(), "{name} has no hash");
    }
}

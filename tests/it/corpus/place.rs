//! The folder that a case runs in: what is put there before, and what is there afterwards.
//!
//! It opens nothing that could keep it waiting, and follows no link. Only a file that was not given, or that is not as
//! it was given, may say anything about the run.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::case::{Alteration, Case, Given, Kind};
use super::spelling::{CANARY, Spelling};

/// Every entry below a folder, by its path from there.
pub type Entries = BTreeMap<String, Entry>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    File(Vec<u8>),
    /// A file of holes, by its length.
    Large(u64),
    Link(PathBuf),
    Other,
}

const LARGE: u64 = 64 * 1024 * 1024;

pub fn furnish(folder: &Path, case: &Case, spelling: &Spelling<'_>) {
    // Whoever the client runs as gets as far as this.
    allow(folder, 0o755);
    for given in &case.files {
        put(folder, given, spelling);
    }
    // A folder that nobody may write to is closed once everything is in it.
    for given in case.files.iter().filter(|given| given.kind == Kind::Folder) {
        allow(&folder.join(&given.path), mode(given));
    }
}

fn put(folder: &Path, given: &Given, spelling: &Spelling<'_>) {
    let path = folder.join(&given.path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    match given.kind {
        Kind::Text => {
            fs::write(&path, spelling.bytes(&given.text)).unwrap();
            allow(&path, mode(given));
        }
        Kind::Hole => {
            let file = fs::File::create(&path).unwrap();
            file.set_len(given.size).unwrap();
            allow(&path, mode(given));
        }
        Kind::Folder => fs::create_dir_all(&path).unwrap(),
        Kind::Link => symlink(spelling.text(&given.to), &path).unwrap(),
        Kind::Pipe => {
            let made = Command::new("mkfifo").arg(&path).status().unwrap();
            assert!(made.success(), "no pipe could be made");
        }
    }
}

fn mode(given: &Given) -> u32 {
    u32::from_str_radix(&given.mode, 8).unwrap()
}

fn allow(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

pub fn alter(folder: &Path, alterations: &[Alteration], spelling: &Spelling<'_>) {
    for Alteration { path, from, to } in alterations {
        let path = folder.join(path);
        let text = fs::read_to_string(&path).unwrap();
        let from = spelling.text(from);
        assert!(text.contains(&from), "`{from}` is not in {text}");
        let altered = spelling.text(to);
        fs::write(&path, text.replace(&from, &altered)).unwrap();
    }
}

pub fn entries(folder: &Path) -> Entries {
    let mut found = Entries::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(at) = folders.pop() {
        for entry in fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            let metadata = fs::symlink_metadata(&path).unwrap();
            let name = path.strip_prefix(folder).unwrap().display().to_string();
            let entry = if metadata.is_dir() {
                folders.push(path);
                Entry::Other
            } else if metadata.is_symlink() {
                Entry::Link(fs::read_link(&path).unwrap())
            } else if !metadata.is_file() {
                Entry::Other
            } else if metadata.len() > LARGE {
                Entry::Large(metadata.len())
            } else {
                Entry::File(fs::read(&path).unwrap())
            };
            found.insert(name, entry);
        }
    }
    found
}

/// What is wrong with the folder after the run.
pub fn complaints(
    before: &Entries,
    after: &Entries,
    case: &Case,
    spelling: &Spelling<'_>,
) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, entry) in before {
        match after.get(name) {
            Some(same) if same == entry => {}
            // A file that the run is expected to leave may have been there.
            Some(_) if case.leaves.contains(name) => {}
            Some(_) => wrong.push(format!("`{name}` was changed")),
            None => wrong.push(format!("`{name}` is gone")),
        }
    }
    for name in after.keys().filter(|name| !before.contains_key(*name)) {
        if !case.leaves.contains(name) {
            wrong.push(format!("`{name}` was left behind"));
        }
    }
    for name in &case.leaves {
        if after
            .get(name)
            .is_none_or(|entry| before.get(name) == Some(entry))
        {
            wrong.push(format!("`{name}` was not written"));
        }
    }
    for (name, texts) in &case.holds {
        let Some(Entry::File(bytes)) = after.get(name) else {
            wrong.push(format!("`{name}` is no file"));
            continue;
        };
        let held = String::from_utf8_lossy(bytes);
        let missing = texts
            .iter()
            .filter(|text| !held.contains(&spelling.text(text)));
        for text in missing {
            wrong.push(format!("`{name}` does not hold `{text}`: {held}"));
        }
    }
    wrong.extend(leaks(before, after));
    wrong
}

/// Files of the run's own that hold a secret.
pub fn leaks(before: &Entries, after: &Entries) -> Vec<String> {
    let holds = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains(CANARY);
    let mut wrong = Vec::new();
    for (name, entry) in after {
        let Entry::File(bytes) = entry else { continue };
        if before.get(name) != Some(entry) && holds(bytes) {
            wrong.push(format!("a secret is in `{name}`"));
        }
    }
    wrong
}

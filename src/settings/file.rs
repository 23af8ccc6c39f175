//! The configuration file: where it is looked for, how it is read, and what is said of a mistake in it.
//!
//! One file is used, alone: nothing is put together from several. No message repeats a value of the file, since one of
//! them may hold a password.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::document::{Document, KEYS};
use super::unknown;
use crate::config::Environment;
use crate::error::Error;
use crate::files::{self, FoundText};
use crate::redact::redact;
use crate::store::Names;

/// Enough of a key that there is not to find it by.
const SHOWN: usize = 80;
const EVERYBODY: &str = "/etc/relink/config.toml";

/// The file that is in use, or none.
#[derive(Debug, Default)]
pub struct ConfigFile {
    path: Option<PathBuf>,
    pub document: Document,
    /// Of each key in the file, counted from 1.
    lines: BTreeMap<String, usize>,
}

impl ConfigFile {
    /// The one that is named (`--config`, then `RELINK_CONFIG`), else the first that there is of the user's own and
    /// the host's.
    ///
    /// # Errors
    /// Configuration: a named one is missing; it cannot be read, is no TOML, or has an unknown key.
    pub fn find(named: Option<&Path>, environment: &Environment) -> Result<ConfigFile, Error> {
        let named = named.filter(|path| !path.as_os_str().is_empty());
        if let Some(path) = named.or(environment.relink_config.as_deref()) {
            return match files::read_settings(path)? {
                Some(found) => ConfigFile::parse(path, &found),
                None => Err(Error::configuration(
                    format!("there is no configuration file `{}`", path.display()),
                    "name a file that there is with --config or RELINK_CONFIG, or leave both out",
                )),
            };
        }
        for path in places(environment) {
            if let Some(found) = files::read_settings(&path)? {
                return ConfigFile::parse(&path, &found);
            }
        }
        Ok(ConfigFile::default())
    }

    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.lines.contains_key(key)
    }

    /// A path in the file is meant from the file's own folder.
    #[must_use]
    pub fn beside(&self, path: &Path) -> PathBuf {
        let folder = self.path.as_deref().and_then(Path::parent);
        folder.map_or_else(|| path.to_owned(), |folder| folder.join(path))
    }

    /// The value of `key` cannot be used.
    #[must_use]
    pub fn refuse(&self, key: &str, why: &str, hint: &str) -> Error {
        let place = place(self.path.as_deref(), self.lines.get(key).copied());
        Error::configuration(format!("{place}: `{key}`: {}", redact(why)), hint)
    }

    /// `/etc/relink/config.toml, line 4`
    #[must_use]
    pub fn place(&self, key: &str) -> String {
        let place = place(self.path.as_deref(), self.lines.get(key).copied());
        place.replace('`', "")
    }

    /// `path` is for the messages, and for paths that are meant from beside the file.
    ///
    /// # Errors
    /// Configuration: it is no TOML, has an unknown key, a value of another type, or is open to others.
    pub fn parse(path: &Path, found: &FoundText) -> Result<ConfigFile, Error> {
        let text: &str = &found.text;
        let table = DeTable::parse(text).map_err(|error| {
            let message = error.message().lines().next().unwrap_or_default();
            unreadable(path, text, "", (error.span(), message))
        })?;
        let mut keys = Vec::new();
        collect(table.get_ref(), "", &mut keys);
        keys.sort_by_key(|(_, at)| *at);
        let known = known_keys();
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        for (key, at) in &keys {
            if !known.contains(&key.as_str()) {
                let place = place(Some(path), Some(line(text, *at)));
                let hint = unknown::hint(key, &known);
                let shown: String = redact(key).chars().take(SHOWN).collect();
                return Err(Error::configuration(
                    format!("{place}: unknown key `{shown}`"),
                    hint,
                ));
            }
        }
        let document: Document = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            let around = keys.iter().rev().find(|(_, begin)| *begin <= at);
            let key = around.map_or("", |(key, _)| key.as_str());
            unreadable(
                path,
                text,
                key,
                (error.span(), &without_value(error.message())),
            )
        })?;
        if found.is_writable {
            return Err(Error::configuration(
                format!("everybody on this host may write `{}`", path.display()),
                format!("chmod o-w {}", path.display()),
            ));
        }
        let holds_url = document.connection.as_ref();
        if found.is_open && holds_url.is_some_and(|it| it.database_url.is_some()) {
            return Err(Error::configuration(
                format!(
                    "`{}` holds a database URL and is open to everybody on this host",
                    path.display()
                ),
                format!("chmod 600 {}", path.display()),
            ));
        }
        let lines = keys
            .into_iter()
            .map(|(key, at)| (key, line(text, at)))
            .collect();
        Ok(ConfigFile {
            path: Some(path.to_owned()),
            document,
            lines,
        })
    }
}

/// Those of the sections, and a key for each name of the database's.
fn known_keys() -> BTreeSet<String> {
    let mut known: BTreeSet<String> = KEYS.iter().map(|key| (*key).to_owned()).collect();
    for (key, _) in Names::default().entries() {
        let key = format!("schema.{key}");
        known.extend(key.rsplit_once('.').map(|(section, _)| section.to_owned()));
        known.insert(key);
    }
    known
}

/// The user's own, then the host's.
fn places(environment: &Environment) -> Vec<PathBuf> {
    // The specification has a relative one ignored.
    let own = environment.xdg_config_home.clone();
    let own = own.filter(|folder| folder.is_absolute());
    let own = own.or_else(|| environment.home.as_ref().map(|home| home.join(".config")));
    let own = own.map(|folder| folder.join("relink/config.toml"));
    own.into_iter().chain([PathBuf::from(EVERYBODY)]).collect()
}

/// Every key below `table` with its sections, and where it begins.
fn collect(table: &DeTable<'_>, section: &str, keys: &mut Vec<(String, usize)>) {
    for (key, value) in table {
        let name = format!("{section}{}", key.get_ref());
        if let DeValue::Table(below) = value.get_ref() {
            collect(below, &format!("{name}."), keys);
        }
        keys.push((name, key.span().start));
    }
}

fn line(text: &str, at: usize) -> usize {
    let before = text.as_bytes().iter().take(at);
    before.filter(|byte| **byte == b'\n').count() + 1
}

fn place(path: Option<&Path>, line: Option<usize>) -> String {
    let path = path.map_or_else(String::new, |path| path.display().to_string());
    match line {
        Some(line) => format!("`{path}`, line {line}"),
        None => format!("`{path}`"),
    }
}

/// What was expected, without what is there: it may be a password in the wrong place.
fn without_value(message: &str) -> String {
    match message
        .rsplit_once("expected ")
        .map(|(_, expected)| expected)
    {
        Some("u16" | "u32" | "u64" | "usize") => "expected a whole number".to_owned(),
        Some(expected) if expected.starts_with("struct") => "expected a table".to_owned(),
        Some(expected) => format!("expected {expected}"),
        None => "its value cannot be used".to_owned(),
    }
}

/// The error's own text shows the line as it stands in the file: only its message is passed on.
fn unreadable(
    path: &Path,
    text: &str,
    key: &str,
    (span, message): (Option<std::ops::Range<usize>>, &str),
) -> Error {
    let at = span.map(|span| line(text, span.start));
    let place = place(Some(path), at);
    let key = if key.is_empty() {
        String::new()
    } else {
        format!("`{}`: ", redact(key))
    };
    Error::configuration(
        format!("{place}: {key}{}", redact(message)),
        "docs/config.example.toml shows every key with its type",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_own_file_comes_before_the_hosts() {
        let home = Environment {
            home: Some(PathBuf::from("/home/ops")),
            ..Environment::default()
        };
        let shown = |environment: &Environment| {
            let places = places(environment);
            let texts: Vec<String> = places.iter().map(|p| p.display().to_string()).collect();
            texts.join(" ")
        };
        assert_eq!(
            shown(&home),
            "/home/ops/.config/relink/config.toml /etc/relink/config.toml"
        );
        let xdg = Environment {
            xdg_config_home: Some(PathBuf::from("/srv/conf")),
            ..home
        };
        assert_eq!(
            shown(&xdg),
            "/srv/conf/relink/config.toml /etc/relink/config.toml"
        );
        assert_eq!(shown(&Environment::default()), "/etc/relink/config.toml");
    }

    /// Also the keys that it shows without giving them a value.
    #[test]
    fn the_example_shows_every_key_that_there_is() {
        let example = include_str!("../../docs/config.example.toml");
        let key = |line: &str| {
            let (key, _) = line.strip_prefix("# ")?.split_once(" = ")?;
            key.chars()
                .all(|c| c.is_ascii_lowercase() || c == '_')
                .then_some(())
        };
        let given: Vec<&str> = example
            .lines()
            .map(|line| key(line).map_or(line, |()| &line[2..]))
            .collect();
        for text in [example.to_owned(), given.join("\n")] {
            let found = FoundText {
                text: text.into(),
                is_open: false,
                is_writable: false,
            };
            let read = ConfigFile::parse(Path::new("example"), &found);
            let read = read.unwrap_or_else(|error| panic!("{error}"));
            if found.text.as_str() == example {
                continue;
            }
            let shown: BTreeSet<String> = read.lines.into_keys().collect();
            assert_eq!(shown, known_keys());
        }
    }
}

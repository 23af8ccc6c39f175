//! The command line as it was typed, fit to be shown and to be typed again: quoted where a shell needs it, without keys,
//! and without the database URL, which may hold a password.
//!
//! Suggested commands are made from it, so that what is suggested is what would be accepted.

use std::ffi::{OsStr, OsString};
use std::fmt;

use crate::redact::redact;

/// Each word as a shell takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLine {
    words: Vec<String>,
    /// From a bare `--` on: no word of them is a flag, and no flag may be put after them.
    rest: Vec<String>,
}

const DATABASE_URL: &str = "--database-url";
/// Where the variable holds what was typed; elsewhere it might lead to another database.
const EXPORTED_DATABASE_URL: &str = "--database-url \"$DATABASE_URL\"";
/// No URL: to be filled in.
const UNTOLD_DATABASE_URL: &str = "--database-url URL";

impl CommandLine {
    /// `arguments` without the program's name.
    #[must_use]
    pub fn shown(arguments: impl IntoIterator<Item = OsString>) -> Self {
        CommandLine::shown_beside(arguments, None)
    }

    /// The same where `exported` is what DATABASE_URL holds.
    #[must_use]
    pub fn shown_beside(
        arguments: impl IntoIterator<Item = OsString>,
        exported: Option<&OsStr>,
    ) -> Self {
        let exported = exported.and_then(OsStr::to_str);
        let database = |typed: Option<&str>| {
            let shown = if typed.is_some() && typed == exported {
                EXPORTED_DATABASE_URL
            } else {
                UNTOLD_DATABASE_URL
            };
            shown.to_owned()
        };
        let mut words = vec!["relink".to_owned()];
        let mut rest = Vec::new();
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let text = argument.to_string_lossy().into_owned();
            if text == "--" {
                rest.push(text);
                rest.extend(arguments.map(|word| quote(&redact(&word.to_string_lossy()))));
                break;
            }
            if text == DATABASE_URL {
                let typed = arguments.next();
                words.push(database(typed.as_deref().and_then(OsStr::to_str)));
            } else if is_of(&text, DATABASE_URL) {
                let typed = argument.to_str().and_then(|word| word.split_once('='));
                words.push(database(typed.map(|(_, url)| url)));
            } else {
                words.push(quote(&redact(&text)));
            }
        }
        CommandLine { words, rest }
    }

    /// For a person to type next: without what concerns monitoring, which is told of runs that it waits for.
    #[must_use]
    pub fn for_a_person(&self) -> Self {
        self.clone()
            .without("--check")
            .without_value("--metrics-file")
            .without_value("--ping-url-file")
    }

    /// Whether this flag was typed, and not only its variable set.
    #[must_use]
    pub fn gives(&self, flag: &str) -> bool {
        let is_it = |word: &String| {
            word == flag
                || is_of(word, flag)
                || word.split_once(' ').is_some_and(|(w, _)| w == flag)
        };
        self.words.iter().any(is_it)
    }

    /// `--database-url` as it is shown, if it was typed.
    #[must_use]
    pub fn database_url(&self) -> Option<&str> {
        let is_it = |word: &&String| word.starts_with(DATABASE_URL);
        self.words.iter().find(is_it).map(String::as_str)
    }

    /// With this switch, once.
    #[must_use]
    pub fn with(mut self, switch: &str) -> Self {
        if !self.words.iter().any(|word| word == switch) {
            self.words.push(switch.to_owned());
        }
        self
    }

    /// Without this switch.
    #[must_use]
    pub fn without(mut self, switch: &str) -> Self {
        self.words.retain(|word| word != switch);
        self
    }

    /// With this value for `flag`, in place of any other.
    #[must_use]
    pub fn with_value(self, flag: &str, value: &str) -> Self {
        self.without_value(flag).with_another_value(flag, value)
    }

    /// With this value for `flag`, beside any other.
    #[must_use]
    pub fn with_another_value(mut self, flag: &str, value: &str) -> Self {
        self.words.push(flag.to_owned());
        self.words.push(quote(value));
        self
    }

    /// Without `flag` and its value.
    #[must_use]
    pub fn without_value(self, flag: &str) -> Self {
        let mut kept = Vec::with_capacity(self.words.len());
        let mut words = self.words.into_iter();
        while let Some(word) = words.next() {
            if word == flag {
                let _value = words.next();
            } else if !is_of(&word, flag) {
                kept.push(word);
            }
        }
        CommandLine {
            words: kept,
            rest: self.rest,
        }
    }

    /// The same for another subcommand.
    #[must_use]
    pub fn renamed(mut self, from: &str, to: &str) -> Self {
        if let Some(word) = self.words.iter_mut().find(|word| *word == from) {
            to.clone_into(word);
        }
        self
    }
}

/// Whether `word` is `--flag=…`, quoted or not.
fn is_of(word: &str, flag: &str) -> bool {
    word.trim_start_matches('\'')
        .strip_prefix(flag)
        .is_some_and(|rest| rest.starts_with('='))
}

impl fmt::Display for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words.join(" "))?;
        self.rest.iter().try_for_each(|word| write!(f, " {word}"))
    }
}

/// One word of a command, quoted where a shell needs it.
#[must_use]
pub fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(words: &[&str]) -> CommandLine {
        CommandLine::shown(words.iter().map(OsString::from))
    }

    #[test]
    fn a_suggested_command_is_the_typed_one_with_one_thing_changed() {
        let line = typed(&[
            "regen",
            "--all",
            "--plan-out=a b.json",
            "--expect",
            "1111-2222",
        ]);
        assert_eq!(
            line.clone().with("--commit").with("--commit").to_string(),
            "relink regen --all '--plan-out=a b.json' --expect 1111-2222 --commit"
        );
        assert_eq!(
            line.clone().with_value("--expect", "7f3a-91c2").to_string(),
            "relink regen --all '--plan-out=a b.json' --expect 7f3a-91c2"
        );
        assert_eq!(
            line.clone().without_value("--expect").to_string(),
            "relink regen --all '--plan-out=a b.json'"
        );
        assert_eq!(
            typed(&["--live", "inspect", "--all"])
                .renamed("inspect", "regen")
                .to_string(),
            "relink --live regen --all"
        );
    }

    #[test]
    fn nobody_is_told_to_type_what_concerns_monitoring() {
        let line = typed(&[
            "inspect",
            "--all",
            "--check",
            "--metrics-file=a.prom",
            "-q",
            "--ping-url-file",
            "a b",
        ]);
        assert_eq!(line.for_a_person().to_string(), "relink inspect --all -q");
    }

    #[test]
    fn a_quoted_value_is_taken_away_with_its_flag() {
        let line = typed(&[
            "regen",
            "--plan-out=plan.json",
            "--reason=it's late",
            "--all",
        ]);
        assert_eq!(
            line.without_value("--plan-out").to_string(),
            "relink regen '--reason=it'\\''s late' --all"
        );
        let quoted = typed(&["regen", "--plan-out=my plan.json", "--all"]);
        assert_eq!(
            quoted.without_value("--plan-out").to_string(),
            "relink regen --all"
        );
    }

    #[test]
    fn no_flag_is_put_where_no_flag_is_read() {
        let line = typed(&["retire", "--commit", "--", "plink_1", "--yes"]);
        assert!(!line.gives("--yes"));
        assert_eq!(
            line.with("--yes")
                .with_value("--expect", "7f3a-91c2")
                .to_string(),
            "relink retire --commit --yes --expect 7f3a-91c2 -- plink_1 --yes"
        );
    }

    #[test]
    fn no_password_and_no_key_is_shown() {
        let url = "postgres://club:hunter2@db/club";
        let joined = format!("--database-url={url}");
        for words in [
            vec!["regen", "--database-url", url, "--all"],
            vec!["regen", &joined, "--all"],
        ] {
            let line = typed(&words).to_string();
            assert_eq!(line, "relink regen --database-url URL --all");
            // A variable of another value would lead the command to another database.
            for (exported, shown) in [(url, "\"$DATABASE_URL\""), ("postgres://db/other", "URL")] {
                let words = words.iter().map(OsString::from);
                let line = CommandLine::shown_beside(words, Some(OsStr::new(exported)));
                let expected = format!("--database-url {shown}");
                assert_eq!(line.database_url(), Some(expected.as_str()));
                assert!(line.gives("--database-url"));
            }
        }
        // Put together here, so that no text in the sources looks like a key.
        let key = format!("sk_live_{}", "abcdefghijklmnop1234");
        let line = typed(&["regen", "--reason", &key]).to_string();
        assert!(!line.contains("abcdefghijklmnop"), "{line}");
    }
}

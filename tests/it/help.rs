//! What relink says of itself: help texts, topics, version, and what was probably meant.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sqlx::{Connection, SqliteConnection};

use crate::support::grammar::every_command;
use crate::support::world::{Output, run_binary};

const HEADINGS: [&str; 5] = [
    "Selection",
    "Releasing a hold",
    "Safety",
    "Output",
    "Connection",
];

fn said(args: &[&str]) -> String {
    let output = run_binary(args, &[]);
    assert_eq!(output.code, Some(0), "{args:?}: {}", output.stderr);
    assert_eq!(output.stderr, "", "{args:?}");
    output.stdout
}

#[test]
fn the_help_of_every_command_is_as_it_was() {
    let secret = [
        ("DATABASE_URL", "postgres://u:hunter2@h/d"),
        ("STRIPE_API_KEY", "sk_test_canary"),
    ];
    let mut all = String::new();
    for spoken in every_command() {
        let words = spoken.with(&["--help"]);
        let args: Vec<&str> = words.iter().map(String::as_str).collect();
        let output = run_binary(&args, &secret);
        assert_eq!(output.code, Some(0), "{}", output.stderr);
        assert_eq!(output.stderr, "");
        all.push_str(&format!("$ relink {}\n{}\n", args.join(" "), output.stdout));
    }
    assert!(
        !all.contains("hunter2") && !all.contains("canary"),
        "a help text shows a secret"
    );
    insta::assert_snapshot!(all);
}

#[test]
fn every_flag_stands_under_a_heading() {
    for spoken in every_command() {
        for flag in spoken
            .command
            .get_arguments()
            .filter(|arg| !arg.is_positional())
        {
            let heading = flag.get_help_heading().unwrap_or("none");
            assert!(
                HEADINGS.contains(&heading),
                "{flag} of `relink {}` stands under {heading}",
                spoken.words.join(" ")
            );
        }
    }
}

#[test]
fn every_command_has_examples_and_each_can_be_typed() {
    for spoken in every_command() {
        let name = spoken.dashed();
        let text = spoken.command.get_after_help().map(ToString::to_string);
        let text = text.unwrap_or_else(|| panic!("{name} has no examples"));
        assert!(text.starts_with("Example"), "{name}: {text}");
        let examples: Vec<&str> = text.lines().filter_map(|l| l.strip_prefix("  ")).collect();
        assert!(!examples.is_empty(), "{name}: {text}");
        for example in examples {
            assert!(example.len() <= 98, "{name}: help would break {example}");
            let words = shell_words(example);
            let own = [vec!["relink".to_owned()], spoken.words.clone()].concat();
            let is_own = words.starts_with(&own) || spoken.words.is_empty();
            assert!(is_own, "{name} shows another command: {example}");
            let line = words.iter().map(OsString::from);
            if let Err(error) = relink::cli::parse(line) {
                assert!(!error.use_stderr(), "{name}: {example}\n{error}");
            }
        }
    }
}

/// The words of the first command of a line. Knows single quotes, and where a pipe or a redirection begins.
fn shell_words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (at, piece) in line.split('\'').enumerate() {
        if at % 2 == 1 {
            words.push(piece.to_owned());
            continue;
        }
        for word in piece.split_whitespace() {
            if matches!(word, "|" | ">") {
                return words;
            }
            words.push(word.to_owned());
        }
    }
    words
}

#[test]
fn the_short_version_is_one_line_and_the_long_one_says_what_it_was_built_from_and_for() {
    let number = env!("CARGO_PKG_VERSION");
    assert_eq!(said(&["-V"]), format!("relink {number}\n"));
    let long = said(&["--version"]);
    let lines: Vec<&str> = long.lines().collect();
    assert_eq!(lines.len(), 4, "{long}");
    assert_eq!(lines[0], format!("relink {number}"));
    let revision = lines[1].strip_prefix("revision    ").unwrap();
    assert!(is_revision(revision), "{revision}");
    assert_eq!(
        lines[2],
        format!("Stripe API  {}", relink::actions::API_VERSION)
    );
    assert!(
        lines[3].starts_with("databases   PostgreSQL; SQLite 3."),
        "{long}"
    );
}

/// HEAD in twelve digits, or more where those would name two; `unknown` in an archive of the sources.
fn is_revision(text: &str) -> bool {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let head = Command::new("git")
        .args(["rev-parse", "--short=12", "HEAD"])
        .current_dir(root)
        .output();
    match head {
        Ok(head) if head.status.success() && root.join(".git").exists() => {
            let head = String::from_utf8(head.stdout).unwrap();
            let bare = text.strip_suffix(", modified").unwrap_or(text);
            bare.len() >= 12 && bare == head.trim()
        }
        _ => text == "unknown",
    }
}

#[tokio::test]
async fn the_version_of_sqlite_is_that_of_the_one_built_in() {
    let mut sqlite = SqliteConnection::connect("sqlite::memory:").await.unwrap();
    let (version,): (String,) = sqlx::query_as("SELECT sqlite_version()")
        .fetch_one(&mut sqlite)
        .await
        .unwrap();
    assert!(
        said(&["--version"]).contains(&format!("SQLite {version}, built in")),
        "it is {version}: correct store::SQLITE_VERSION"
    );
}

fn mistaken(args: &[&str]) -> Output {
    let output = run_binary(args, &[("STRIPE_API_KEY", "sk_test_canary")]);
    assert_eq!(output.code, Some(2), "{args:?}: {}", output.stderr);
    output
}

#[test]
fn a_mistaken_word_is_answered_with_what_was_probably_meant() {
    let cases: [(&[&str], &str); 8] = [
        (&["regn"], "a similar subcommand exists: 'regen'"),
        (
            &["regen", "--all", "--comit"],
            "a similar argument exists: '--commit'",
        ),
        (
            &["inspect", "--all", "--verdict", "leakd"],
            "a similar value exists: 'leaked'",
        ),
        (
            &["inspect", "--all", "-o", "jsn"],
            "a similar value exists: 'json'",
        ),
        (&["journal", "shw"], "a similar subcommand exists: 'show'"),
        (&["completions", "bsh"], "a similar value exists: 'bash'"),
        (
            &["help", "exit-code"],
            "a similar subcommand exists: 'exit-codes'",
        ),
        (
            &["help", "journal", "lst"],
            "a similar subcommand exists: 'list'",
        ),
    ];
    for (args, tip) in cases {
        let output = mistaken(args);
        assert_eq!(output.stdout, "", "{args:?}");
        assert!(output.stderr.contains(tip), "{args:?}: {}", output.stderr);
    }
}

#[test]
fn a_key_in_a_mistaken_word_is_blotted_out_and_the_tip_is_kept() {
    let shown = mistaken(&["inspect", "--all", "--verdict", "sk_live_canary"]).stderr;
    assert!(shown.contains("'sk_live_…'"), "{shown}");
    assert!(!shown.contains("canary"), "{shown}");
    let shown = mistaken(&["regen", "--all", "--stripe-key-fil=sk_live_canary"]).stderr;
    assert!(shown.contains("exists: '--stripe-key-file'"), "{shown}");
    assert!(!shown.contains("canary"), "{shown}");
}

#[test]
fn a_program_is_told_what_was_probably_meant_as_well() {
    let output = mistaken(&["regen", "--all", "--comit", "-o", "json"]);
    let document: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(
        document["error"]["hint"],
        "a similar argument exists: '--commit'; see --help"
    );
}

#[test]
fn a_program_is_told_which_arguments_are_missing_and_which_values_there_are() {
    let message = |args: &[&str]| {
        let document: serde_json::Value = serde_json::from_str(&mistaken(args).stdout).unwrap();
        document["error"]["message"].as_str().unwrap().to_owned()
    };
    for asked in [
        &["-o", "json"][..],
        &["-ojson"],
        &["-qo", "json"],
        &["-vqo=json"],
        &["--output", "json"],
    ] {
        let missing = message(&[&["inspect"], asked].concat());
        assert!(
            missing.contains("not provided: <--tournament-id <N>|"),
            "{missing}"
        );
    }
    let unknown = message(&["completions", "tcsh", "-o", "json"]);
    assert!(
        unknown.ends_with("[possible values: bash, zsh, fish]"),
        "{unknown}"
    );
}

#[test]
fn what_is_repeated_of_a_mistaken_value_moves_nothing_on_a_screen() {
    for args in [
        ["regen", "--all", "--max-amount", "5:\u{7}\rx"],
        ["regen", "--all", "--max-amount", "5\u{202e}.00:USD"],
        ["regen", "--all", "--min-age", "5\nhint: rm"],
    ] {
        let shown = mistaken(&args).stderr;
        let is_obeyed = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!shown.contains(is_obeyed), "{shown:?}");
        assert!(!shown.contains("\nhint: rm"), "{shown}");
    }
}

/// relink's sources, without the sandbox's own, as names and texts; each text ends where its tests begin.
fn sources() -> Vec<(String, String)> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            let name = path.display().to_string();
            if path.is_dir() && !name.ends_with("/sandbox") && !name.ends_with("/tests") {
                folders.push(path);
            } else if name.ends_with(".rs") {
                let text = fs::read_to_string(&path).unwrap();
                let code = text.split("\n#[cfg(test)]\nmod").next().unwrap_or_default();
                found.push((name, code.to_owned()));
            }
        }
    }
    found
}

/// The words in quotes for which `is_wanted` holds; a value's name on the command line is none.
fn quoted(text: &str, is_wanted: impl Fn(&str) -> bool) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    for line in text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
    {
        let pieces: Vec<&str> = line.split('"').collect();
        for pair in pieces.chunks_exact(2) {
            if is_wanted(pair[1]) && !pair[0].ends_with("value_name = ") {
                words.insert(pair[1].to_owned());
            }
        }
    }
    words
}

#[test]
fn every_exit_code_is_told_of() {
    let text = said(&["help", "exit-codes"]);
    let (_, source) = sources()
        .into_iter()
        .find(|(name, _)| name.ends_with("src/exit.rs"))
        .unwrap();
    let function = source.split("pub fn code(").nth(1).unwrap();
    let function = function.split("\n    }\n").next().unwrap();
    let arms = function.lines().filter_map(|line| line.split_once(" => "));
    let codes: Vec<&str> = arms.map(|(_, code)| code.trim_end_matches(',')).collect();
    assert!(codes.len() > 13, "{codes:?}");
    for code in codes {
        let told = text
            .lines()
            .filter(|line| line.trim_start().starts_with(&format!("{code} ")));
        assert_eq!(told.count(), 1, "{code} in\n{text}");
    }
    insta::assert_snapshot!(text);
}

#[test]
fn every_variable_that_the_sources_read_is_told_of() {
    let text = said(&["help", "environment"]);
    let is_variable = |word: &str| {
        let plain = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
        word.len() > 3
            && word.starts_with(|c: char| c.is_ascii_uppercase())
            && word.bytes().all(plain)
    };
    let mut read = BTreeSet::new();
    for (name, code) in sources() {
        let reads = ["env::var", "env = \"", "variable("];
        // The tests' own stops are in no binary that users have, and what is read at the build is not read later.
        let is_users = !name.ends_with("kill_points.rs") && !name.ends_with("build.rs");
        if reads.iter().any(|how| code.contains(how)) && is_users {
            read.extend(quoted(&code, is_variable));
        }
    }
    for known in [
        "DATABASE_URL",
        "STRIPE_API_KEY",
        "NO_COLOR",
        "RUST_LOG",
        "USER",
    ] {
        assert!(read.contains(known), "{known} was not found in the sources");
    }
    for variable in read {
        let told = text
            .lines()
            .any(|line| line.split_whitespace().next() == Some(variable.as_str()));
        assert!(told, "{variable} is read, and not in\n{text}");
    }
    insta::assert_snapshot!(text);
}

#[test]
fn every_document_that_the_sources_print_is_told_of() {
    let text = said(&["help", "json"]);
    let is_schema = |word: &str| word.starts_with("relink.") && word.contains('/');
    let mut printed = BTreeSet::new();
    for (name, code) in sources() {
        if !name.contains("/ui/topics/") {
            printed.extend(quoted(&code, is_schema));
        }
    }
    let told = text.split_whitespace().filter(|word| is_schema(word));
    let told: BTreeSet<String> = told.map(str::to_owned).collect();
    assert!(printed.len() > 7, "{printed:?}");
    assert_eq!(told, printed);
    insta::assert_snapshot!(text);
}

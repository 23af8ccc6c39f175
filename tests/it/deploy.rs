//! The samples of docs/deploy: what operators copy must be accepted as it stands, by systemd, by relink's own command
//! line, and by Prometheus as far as names go.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use relink::cli::parse;
use relink::exit::ExitStatus;

use crate::support::world::*;

const INSTALLED: &str = "/usr/local/bin/relink";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/deploy")
}

fn read(name: &str) -> String {
    std::fs::read_to_string(folder().join(name)).unwrap()
}

fn names(extensions: &[&str]) -> Vec<String> {
    let entries = std::fs::read_dir(folder()).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| extensions.iter().any(|e| name.ends_with(e)))
        .collect();
    names.sort();
    assert!(!names.is_empty(), "no {extensions:?} in docs/deploy");
    names
}

/// systemd reads the samples with the binary in its place, and has nothing to say.
#[test]
fn systemd_accepts_every_unit() {
    // `tests/run` says where it is, or that it is missing, and says so to whoever runs it.
    let told = std::env::var("RELINK_TEST_SYSTEMD_ANALYZE");
    let program = told.expect("run tests/run: it looks for systemd-analyze");
    if program == "missing" {
        return;
    }
    let copies = tempfile::tempdir().unwrap();
    let mut units = Vec::new();
    for name in names(&[".service", ".timer"]) {
        let text = read(&name).replace(INSTALLED, env!("CARGO_BIN_EXE_relink"));
        assert!(!text.contains("/usr/local/"), "{name}");
        units.push(copies.path().join(name));
        std::fs::write(units.last().unwrap(), text).unwrap();
    }
    let verified = Command::new(program)
        .args(["verify", "--man=no"])
        .args(&units)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&verified.stderr);
    // Whatever it says of the host's own units is not about these.
    let own =
        |line: &&str| line.contains("relink") || line.contains(&*copies.path().to_string_lossy());
    let about_ours: Vec<&str> = said.lines().filter(own).collect();
    assert!(about_ours.is_empty() && verified.status.success(), "{said}");
}

/// Every timer starts a unit that is there.
#[test]
fn every_timer_has_its_service() {
    let services = names(&[".service"]);
    for timer in names(&[".timer"]) {
        let service = timer.replace(".timer", ".service");
        assert!(services.contains(&service), "{service} is missing");
    }
}

/// The words of each relink command in the samples, without the program's name.
fn commands() -> Vec<(String, Vec<String>)> {
    let mut commands = Vec::new();
    for name in names(&[".service"]) {
        let whole = read(&name).replace("\\\n", " ");
        let line = whole
            .lines()
            .find_map(|line| line.strip_prefix("ExecStart="));
        commands.push((name, words(line.unwrap())));
    }
    for name in names(&[".crontab"]) {
        let text = read(&name);
        for line in text.lines().filter(|line| line.contains(" relink ")) {
            let Some((_, command)) = line.split_once(" * relink ") else {
                assert!(line.starts_with('#'), "{line}");
                continue;
            };
            commands.push((name.clone(), words(&format!("relink {command}"))));
        }
    }
    for name in names(&[".md"]) {
        for line in read(&name).lines() {
            if let Some(command) = line.strip_prefix("relink ") {
                commands.push((name.clone(), words(&format!("relink {command}"))));
            }
        }
    }
    assert!(commands.len() >= 6, "{commands:?}");
    commands
}

/// As systemd and a shell split them, as far as the samples go; nothing from a redirection or a pipe on.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (at, piece) in line.split('"').enumerate() {
        if at % 2 == 1 {
            words.push(piece.to_owned());
        } else {
            words.extend(piece.split_whitespace().map(str::to_owned));
        }
    }
    let is_shell = |word: &String| word.contains('>') || word == "|";
    let end = words.iter().position(is_shell).unwrap_or(words.len());
    words.truncate(end);
    words.remove(0);
    words
}

#[test]
fn every_command_of_the_samples_is_one_that_relink_accepts() {
    for (name, words) in commands() {
        let line = std::iter::once("relink").chain(words.iter().map(String::as_str));
        let line = line.map(std::ffi::OsString::from);
        if let Err(error) = parse(line) {
            panic!("{name}: {}: {error}", words.join(" "));
        }
        // And by the binary: whatever is wrong with a flag is said before the help that is asked for behind it.
        let mut asked: Vec<&str> = words.iter().map(String::as_str).collect();
        asked.push("--help");
        let output = run_binary(&asked, &[]);
        assert_eq!(output.code, Some(0), "{name}: {}", output.stderr);
    }
}

/// A live commit without a person at the terminal is accepted only with a limit; a key and a secret only from files.
#[test]
fn what_runs_unattended_has_its_limits_and_no_secret_in_its_arguments() {
    for (name, words) in commands() {
        let has = |flag: &str| words.iter().any(|word| word == flag);
        if has("--yes") && !has("webhook") {
            assert!(
                has("--max-orders") || has("--expect-count"),
                "{name}: {words:?}"
            );
        }
        if !name.ends_with(".md") {
            assert!(has("--stripe-key-file"), "{name}: {words:?}");
        }
    }
}

#[tokio::test]
async fn the_alert_rules_name_gauges_and_labels_that_are_written() {
    let world = World::on(Backend::Sqlite).await;
    world.order(pending(5500).behind(expired_session())).await;
    let collector = tempfile::tempdir().unwrap();
    let mut written = String::new();
    for command in ["inspect", "regen"] {
        let file = collector.path().join(command);
        let arguments = [command, "--all", "--metrics-file", file.to_str().unwrap()];
        assert_eq!(world.relink(&arguments).await.code, Some(0));
        written += &std::fs::read_to_string(file).unwrap();
    }
    // Its gauges come from `webhook serve`; its own tests read them.
    let receiver = include_str!("../../src/receiver/metrics.rs");
    let rules = read("relink.rules.yml");
    let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
    let mut used = BTreeSet::new();
    for line in rules
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
    {
        for (at, _) in line.match_indices("relink_") {
            let rest = &line[at..];
            let name = &rest[..rest.find(|c| !is_name(c)).unwrap_or(rest.len())];
            let quoted = format!("\"{name}\"");
            assert!(
                written.contains(&format!("\n{name}{{")) || receiver.contains(&quoted),
                "{name} is written by nobody"
            );
            used.insert(name.to_owned());
        }
        for (label, _) in [("command", ""), ("scope", ""), ("verdict", "")] {
            for piece in line.split(&format!("{label}=")).skip(1) {
                let values = piece.trim_start_matches('~').trim_start_matches('"');
                let values = values.split('"').next().unwrap();
                for value in values.split('|') {
                    let shown = format!("{label}=\"{value}\"");
                    assert!(written.contains(&shown), "no series has {shown}");
                }
            }
        }
    }
    assert!(used.len() >= 7, "{used:?}");
}

/// Whoever is called by an exit code finds it in the guide.
#[test]
fn the_guide_knows_every_exit_code() {
    let guide = read("README.md");
    let listed: BTreeSet<u8> = guide
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" |").next())
        .flat_map(|cell| cell.split(", "))
        .filter_map(|code| code.parse().ok())
        .collect();
    let all: BTreeSet<u8> = ExitStatus::ALL.into_iter().map(ExitStatus::code).collect();
    assert_eq!(listed, all);
}

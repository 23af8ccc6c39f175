//! The architecture, held by the sources themselves: which room may reach for what.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let name = path.strip_prefix(&root).unwrap().display().to_string();
                files.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    files.sort();
    assert!(files.len() > 40, "the sources were not found");
    files
}

/// The lines that are code: no comments, and nothing from the file's own tests on.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .take_while(|(_, line)| !line.starts_with("#[cfg(test)]"))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// Every place where a file for which `applies` holds says one of `words`.
fn uses(applies: impl Fn(&str) -> bool, words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (name, text) in sources().iter().filter(|(name, _)| applies(name)) {
        for (at, line) in code(text) {
            for word in words.iter().filter(|word| line.contains(**word)) {
                found.push(format!("src/{name}:{}: {word}", at + 1));
            }
        }
    }
    found
}

fn within(name: &str, rooms: &[&str]) -> bool {
    rooms.iter().any(|room| name.starts_with(room))
}

#[test]
fn the_pure_rooms_reach_for_no_clock_no_network_no_database_and_no_terminal() {
    let pure = [
        "doctor/",
        "domain/",
        "plan/",
        "saga/",
        "saved_plan/",
        "actions/",
        "monitor/exposition",
        "monitor/gauges",
        "webhook/decision",
        "webhook/event",
        "webhook/handler",
        "webhook/incident",
        "webhook/payment",
        "webhook/signature",
    ];
    let words = [
        "reqwest",
        "hyper",
        "sqlx",
        "tokio",
        "clap::",
        "axum",
        "indicatif",
        "dialoguer",
        "comfy_table",
        "std::io",
        "std::fs",
        "std::env",
        "std::net",
        "SystemTime",
        "Instant::now",
        "Timestamp::now",
        "rand::",
        "Uuid",
        "tracing",
        "crate::stripe",
        "crate::store",
        "crate::sandbox",
        "crate::ui",
        "crate::files",
        "crate::commands",
        "crate::execute",
        "async fn",
    ];
    assert_eq!(
        uses(|name| within(name, &pure), &words),
        Vec::<String>::new()
    );
}

#[test]
fn the_sandbox_shares_nothing_with_what_it_rehearses() {
    let words = [
        "crate::stripe",
        "crate::store",
        "crate::domain",
        "crate::plan",
        "crate::saga",
        "crate::actions",
        "crate::execute",
    ];
    assert_eq!(
        uses(|name| within(name, &["sandbox/"]), &words),
        Vec::<String>::new()
    );
}

#[test]
fn only_the_store_talks_to_the_database_and_only_stripe_to_stripe() {
    let others = |name: &str| !within(name, &["store/", "sandbox/"]);
    assert_eq!(uses(others, &["sqlx::"]), Vec::<String>::new());
    // The receiver's server listens; only its own room calls Stripe. A watchdog is pinged from a room of its own.
    let others = |name: &str| !within(name, &["stripe/", "sandbox/", "receiver/server", "ping.rs"]);
    assert_eq!(
        uses(others, &["reqwest::", "hyper::"]),
        Vec::<String>::new()
    );
}

#[test]
fn what_is_pinged_can_be_sent_no_key_and_no_order() {
    let words = [
        "crate::stripe",
        "crate::secrets",
        "crate::config",
        "crate::store",
        "crate::plan",
        "crate::monitor",
        "StripeKey",
        "AUTHORIZATION",
    ];
    assert_eq!(uses(|name| name == "ping.rs", &words), Vec::<String>::new());
}

#[test]
fn only_the_ui_prints_and_only_files_writes_files() {
    // What the build says to cargo, no user sees.
    let printers = |name: &str| !within(name, &["ui/", "logging.rs", "build.rs"]);
    let words = [
        "println!",
        "eprintln!",
        "print!(",
        "io::stdout",
        "io::stderr",
        "dbg!",
    ];
    assert_eq!(uses(printers, &words), Vec::<String>::new());
    let writers = |name: &str| !within(name, &["files.rs", "sandbox/"]);
    let words = [
        "fs::write",
        "File::create",
        "OpenOptions",
        "fs::rename",
        "fs::remove",
        "create_dir",
    ];
    assert_eq!(uses(writers, &words), Vec::<String>::new());
}

#[test]
fn only_the_approval_makes_an_approved_plan() {
    let others = |name: &str| name != "approval.rs";
    assert_eq!(
        uses(others, &["Approved {", "Approved::"]),
        Vec::<String>::new()
    );
}

#[test]
fn nothing_below_the_approval_knows_of_a_dry_run() {
    assert_eq!(uses(|_| true, &["dry_run", "is_dry"]), Vec::<String>::new());
}

/// On the page a room stands at the beginning of a line, two spaces in; several may share a line.
#[test]
fn the_page_names_every_room_and_no_other() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/architecture.md")).unwrap();
    let (_, rooms) = page.split_once("```\nsrc/\n").unwrap();
    let (rooms, _) = rooms.split_once("```").unwrap();
    let named: BTreeSet<String> = rooms
        .lines()
        .filter_map(|line| line.strip_prefix("  "))
        .filter(|line| !line.starts_with(' '))
        .flat_map(|line| {
            let words = line.split(' ').map(str::to_owned);
            words.take_while(|word| word.ends_with('/') || word.ends_with(".rs"))
        })
        .collect();
    let there: BTreeSet<String> = fs::read_dir(root.join("src"))
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            if entry.path().is_dir() {
                format!("{name}/")
            } else {
                name
            }
        })
        .collect();
    assert_eq!(named, there);
}

#[test]
fn every_file_says_first_what_it_is_and_stays_readable() {
    for (name, text) in sources() {
        assert!(
            text.starts_with("//! "),
            "src/{name} does not open by saying what it is"
        );
        let lines = text.lines().count();
        assert!(
            lines <= 500,
            "src/{name} has {lines} lines: split it by meaning"
        );
    }
}

//! `--metrics-file`: what the file says of a world, that it is there however a run ended, and that it changes nothing
//! about the run.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::on_each_backend;
use crate::support::world::*;

/// A folder as node_exporter reads it.
pub struct Collector(tempfile::TempDir);

impl Collector {
    pub fn new() -> Self {
        Collector(tempfile::tempdir().unwrap())
    }

    pub fn file(&self) -> PathBuf {
        self.0.path().join("relink.prom")
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.file()).unwrap()
    }

    /// The value of the one series of this name whose labels include these.
    fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let series = read(&self.text());
        let mut found = series.into_iter().filter(|series| {
            let is = |(name, value): &(&str, &str)| {
                series.labels.get(*name).map(String::as_str) == Some(*value)
            };
            series.name == name && labels.iter().all(is)
        });
        let value = found.next().map(|series| series.value);
        assert!(found.next().is_none(), "several series {name} {labels:?}");
        value
    }
}

struct Series {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

/// Prometheus' text format by its own grammar, strictly: each family has its HELP and TYPE before its samples and
/// appears once, each series appears once, the file ends with a line feed.
fn read(text: &str) -> Vec<Series> {
    assert!(text.ends_with('\n'), "the last line is not ended");
    let is_name = |name: &str| {
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
        !name.is_empty()
            && name.chars().all(word)
            && !name.starts_with(|c: char| c.is_ascii_digit())
    };
    let mut series: Vec<Series> = Vec::new();
    let mut seen = BTreeSet::new();
    let mut families = BTreeSet::new();
    let (mut helped, mut family) = (String::new(), String::new());
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').expect("a help text");
            assert!(
                is_name(name) && !help.is_empty() && !help.contains('\\'),
                "{line}"
            );
            assert!(families.insert(name.to_owned()), "{name} appears twice");
            name.clone_into(&mut helped);
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            assert_eq!(rest, format!("{helped} gauge"));
            helped.clone_into(&mut family);
        } else {
            let one = sample(line);
            assert_eq!(one.name, family, "{line} is not of the family before it");
            assert!(one.labels.keys().all(|name| is_name(name)), "{line}");
            assert!(
                seen.insert(line.rsplit_once(' ').unwrap().0.to_owned()),
                "{line} appears twice"
            );
            series.push(one);
        }
    }
    let sampled: BTreeSet<String> = series.iter().map(|one| one.name.clone()).collect();
    assert_eq!(sampled, families, "a family without a sample");
    series
}

fn sample(line: &str) -> Series {
    let (head, value) = line.rsplit_once(' ').expect("a value");
    let (name, rest) = head.split_once('{').unwrap_or((head, "}"));
    let mut inner = rest.strip_suffix('}').expect("a closing brace");
    let mut labels = BTreeMap::new();
    while !inner.is_empty() {
        let (label, after) = inner.split_once("=\"").expect("a label");
        let (value, after) = unquoted(after);
        assert!(labels.insert(label.to_owned(), value).is_none(), "{line}");
        inner = after.strip_prefix(',').unwrap_or(after);
    }
    Series {
        name: name.to_owned(),
        labels,
        value: value.parse().expect("a number"),
    }
}

fn unquoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value, &text[at + 1..]),
            '\\' => match chars.next().map(|(_, c)| c) {
                Some('n') => value.push('\n'),
                Some(c @ ('\\' | '"')) => value.push(c),
                other => panic!("no escape: {other:?} in {text}"),
            },
            other => value.push(other),
        }
    }
    panic!("a label's value is not closed: {text}")
}

async fn run(world: &World, collector: &Collector, arguments: &[&str]) -> Output {
    let mut all = arguments.to_vec();
    let file = collector.file();
    all.extend(["--metrics-file", file.to_str().unwrap()]);
    world.relink(&all).await
}

async fn club(world: &World) -> OrderId {
    let dead = world.order(pending(5500).behind(expired_session())).await;
    world.order(pending(6500).behind(open_session())).await;
    world.order(pending(5500).behind(active_link())).await;
    world.order(paid(5500).behind(active_link())).await;
    world.order(pending(4500).behind(paid_session())).await;
    let twice = pending(5500).behind(active_link()).and_also(active_link());
    world.order(twice).await;
    dead
}

fn now() -> f64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.unwrap().as_secs_f64()
}

on_each_backend! {
    async fn the_probe_writes_what_it_found(world) {
        club(&world).await;
        let collector = Collector::new();
        let begun = now();
        let output = run(&world, &collector, &["inspect", "--all", "--check"]).await;
        assert_eq!(output.code, Some(11), "{}{}", output.stdout, output.stderr);
        let job = [("command", "inspect"), ("mode", "test"), ("scope", "all")];
        for (name, expected) in [
            ("relink_stranded_orders", 2.0),
            ("relink_paid_unrecorded_orders", 1.0),
            ("relink_leaked_orders", 1.0),
            ("relink_duplicate_orders", 1.0),
            ("relink_open_incidents", 0.0),
            ("relink_last_exit_code", 11.0),
        ] {
            assert_eq!(collector.value(name, &job), Some(expected), "{name}");
        }
        assert_eq!(collector.value("relink_stranded_amount_minor", &[("currency", "usd")]), Some(12_000.0));
        assert_eq!(collector.value("relink_orders", &[("verdict", "healthy")]), Some(1.0));
        assert_eq!(collector.value("relink_orders", &[("verdict", "overpaid")]), Some(0.0));
        assert!(collector.value("relink_oldest_stranded_age_seconds", &job) > Some(0.0));
        for name in ["relink_last_run_timestamp_seconds", "relink_last_success_timestamp_seconds"] {
            let at = collector.value(name, &job).unwrap();
            assert!((begun - 1.0..=now()).contains(&at), "{name} is {at}");
        }
        let mode = std::fs::metadata(collector.file()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o644);
        let left = std::fs::read_dir(collector.0.path()).unwrap().count();
        assert_eq!(left, 1, "a draft was left behind");
    }
}

#[tokio::test]
async fn a_commit_leaves_the_numbers_that_hold_after_it() {
    let world = World::on(Backend::Sqlite).await;
    let orders = [5500, 6500];
    for amount in orders {
        world.order(pending(amount).behind(expired_session())).await;
    }
    let collector = Collector::new();
    let dry = run(&world, &collector, &["regen", "--all"]).await;
    assert_eq!(dry.code, Some(0), "{}", dry.stderr);
    assert!(!dry.stdout.contains("--metrics-file"), "{}", dry.stdout);
    assert_eq!(collector.value("relink_stranded_orders", &[]), Some(2.0));
    let info = [("run", "")];
    assert_eq!(collector.value("relink_last_run_info", &info), Some(1.0));

    let output = run(&world, &collector, &["regen", "--all", "--commit", "--yes"]).await;
    assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
    assert_eq!(collector.value("relink_stranded_orders", &[]), Some(0.0));
    assert_eq!(
        collector.value("relink_stranded_amount_minor", &[]),
        Some(0.0)
    );
    assert_eq!(
        collector.value("relink_orders", &[("verdict", "healthy")]),
        Some(2.0)
    );
    let runs = world.journaled("runs", "SELECT run_id FROM {}").await;
    let info = [("run", runs[0].as_str()), ("command", "regen")];
    assert_eq!(collector.value("relink_last_run_info", &info), Some(1.0));
}

#[tokio::test]
async fn a_run_that_failed_says_so_and_keeps_what_was_known() {
    let world = World::on(Backend::Sqlite).await;
    club(&world).await;
    let collector = Collector::new();
    run(&world, &collector, &["inspect", "--all"]).await;
    let success = collector.value("relink_last_success_timestamp_seconds", &[]);
    let account = [("account", "acct_1SandboxRelink")];
    let known = collector.value("relink_stranded_orders", &account);
    assert_eq!(known, Some(2.0), "{}", collector.text());
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;

    let file = collector.file();
    let arguments = ["inspect", "--all", "--metrics-file", file.to_str().unwrap()];
    for (environment, code) in [
        (("STRIPE_API_KEY", "nonsense"), 4),
        (("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none"), 9),
    ] {
        let output = world.relink_with(&arguments, &[environment]).await;
        assert_eq!(output.code, Some(code), "{}", output.stderr);
        assert_eq!(
            collector.value("relink_last_exit_code", &account),
            Some(f64::from(code))
        );
        assert_eq!(collector.value("relink_stranded_orders", &account), known);
        assert_eq!(
            collector.value("relink_last_success_timestamp_seconds", &account),
            success
        );
        assert!(collector.value("relink_last_run_timestamp_seconds", &account) > success);
    }
}

#[tokio::test]
async fn a_narrower_look_never_passes_for_one_at_all_orders() {
    let world = World::on(Backend::Sqlite).await;
    let dead = club(&world).await;
    let collector = Collector::new();
    run(&world, &collector, &["inspect", "--all"]).await;
    run(
        &world,
        &collector,
        &["inspect", "--order-id", &dead.to_string()],
    )
    .await;
    assert_eq!(
        collector.value("relink_stranded_orders", &[("scope", "all")]),
        None
    );
    let scope = [("scope", "order 1001")];
    assert_eq!(collector.value("relink_stranded_orders", &scope), Some(1.0));
}

#[tokio::test]
async fn a_file_that_cannot_be_written_is_a_warning_and_changes_nothing() {
    let world = World::on(Backend::Sqlite).await;
    let order = world.order(pending(5500).behind(expired_session())).await;
    let folder = tempfile::tempdir().unwrap();
    // The name of a folder cannot become a file's.
    let taken = folder.path().join("relink.prom");
    std::fs::create_dir(&taken).unwrap();
    let command = [
        "regen",
        "--all",
        "--commit",
        "--yes",
        "-q",
        "-o",
        "json",
        "--metrics-file",
        taken.to_str().unwrap(),
    ];
    let output = world.relink(&command).await;
    assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
    let report: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(report["exit_code"], 0, "{report}");
    assert_eq!(world.live_objects_of(order).await.len(), 1);
    assert!(
        output
            .stderr
            .contains("monitoring was not told of this run"),
        "{}",
        output.stderr
    );
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

/// The next command after the probe's is one for a person, and it is accepted as it stands.
#[tokio::test]
async fn the_probe_suggests_a_command_that_can_be_typed() {
    let world = World::on(Backend::Sqlite).await;
    world.order(pending(5500).behind(expired_session())).await;
    let collector = Collector::new();
    let output = run(&world, &collector, &["inspect", "--all", "--check"]).await;
    let next = output
        .stdout
        .lines()
        .find(|line| line.starts_with("next: "))
        .unwrap();
    let words: Vec<&str> = next["next: relink ".len()..].split(' ').collect();
    assert_eq!(&words[..2], ["regen", "--all"]);
    let typed = world.relink(&words[..2]).await;
    assert!(
        !next.contains("--check") && !next.contains("--metrics"),
        "{next}"
    );
    assert_eq!(typed.code, Some(0), "{}", typed.stderr);
}

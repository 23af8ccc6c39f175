//! What the pages for people must name: every verdict and every command, and of the verdicts those that money hangs on.
//! What they say of each is for a person to read.

use std::collections::BTreeSet;
use std::path::Path;

use relink::plan::Verdict;

use crate::support::grammar::every_command;

const GUIDE: &str = "README.md";
const RUNBOOK: &str = "docs/runbook.md";
const ALERTS: &str = "docs/deploy/relink.rules.yml";

fn read(page: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{page}: {error}"))
}

/// What stands between backquotes, in its order.
fn named(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The text from `begin` to `end`.
fn between<'a>(page: &'a str, begin: &str, end: &str) -> &'a str {
    let (_, rest) = page.split_once(begin).expect("the page has this part");
    rest.split_once(end).expect("the part ends").0
}

#[test]
fn the_guide_lists_the_verdicts_in_the_order_in_which_they_are_tried() {
    let guide = read(GUIDE);
    let listed = between(&guide, "The verdicts, in the order", "[docs/runbook.md]");
    let listed: Vec<&str> = named(listed).collect();
    assert_eq!(listed, Verdict::ALL.map(Verdict::name));
}

#[test]
fn the_runbook_says_once_what_to_do_about_each_verdict() {
    let runbook = read(RUNBOOK);
    let part = between(&runbook, "\n## 8. Every verdict\n", "\n## ");
    let rows = part.lines().filter(|line| line.starts_with("| `"));
    let mut listed: Vec<&str> = rows
        .flat_map(|row| named(row.split(" | ").next().unwrap()))
        .collect();
    listed.sort_unstable();
    let mut all = Verdict::ALL.map(Verdict::name);
    all.sort_unstable();
    assert_eq!(listed, all);
}

#[test]
fn the_alert_for_money_is_about_the_verdicts_that_are() {
    let money = Verdict::ALL.into_iter().filter(|it| it.is_about_money());
    let money: BTreeSet<&str> = money.map(Verdict::name).collect();
    let alerts = read(ALERTS);
    let listed = between(&alerts, "verdict=~\"", "\"");
    assert_eq!(listed.split('|').collect::<BTreeSet<_>>(), money);
}

#[test]
fn the_guide_lists_every_command() {
    let guide = read(GUIDE);
    let table = between(&guide, "| command | does |", "\n\n");
    let listed: BTreeSet<&str> = named(table)
        .filter_map(|words| words.strip_prefix("relink ")?.split(' ').next())
        .collect();
    let commands = every_command();
    let first: BTreeSet<&str> = commands
        .iter()
        .filter_map(|spoken| spoken.words.first().map(String::as_str))
        .collect();
    assert_eq!(listed, first);
}

//! A diagnosis as people and programs read it.

use insta::assert_snapshot;

use super::super::json::{DoctorDocument, render};
use super::super::{doctor, sanitize};
use super::*;
use crate::doctor::{Check, Diagnosis, Outcome, Trouble};

fn check(name: &'static str, outcome: Outcome, found: &str, remedy: Option<&str>) -> Check {
    Check {
        name,
        outcome,
        found: found.to_owned(),
        remedy: remedy.map(str::to_owned),
    }
}

fn one_of_each(text: &str) -> Diagnosis {
    let why = format!("the database was not reached{text}");
    Diagnosis {
        checks: vec![
            check(
                "database",
                Outcome::Failed(Trouble::Unavailable),
                &format!("the database cannot be reached: connection refused{text}"),
                Some(&format!("check host, port and network{text}")),
            ),
            check("update_rights", Outcome::NotChecked { why }, "", None),
            check(
                "read_events",
                Outcome::Failed(Trouble::Permission),
                "the key lacks a permission: rak_event_read",
                Some("give the restricted key read on events"),
            ),
            check(
                "key",
                Outcome::Passed,
                "a restricted key of test mode",
                None,
            ),
            check(
                "clock",
                Outcome::Warned,
                "this host's clock is 10 min ahead of Stripe's",
                Some("let the host keep time by NTP"),
            ),
        ],
    }
}

#[test]
fn a_person_reads_a_line_for_each_check_and_what_to_do_below() {
    assert_snapshot!(doctor::text(&one_of_each(""), PLAIN), @r#"
┌───────────────┬─────────────┬────────────────────────────────────────────────────┐
│ check         ┆ outcome     ┆ what was found                                     │
╞═══════════════╪═════════════╪════════════════════════════════════════════════════╡
│ database      ┆ failed      ┆ the database cannot be reached: connection refused │
│ update rights ┆ not checked ┆ the database was not reached                       │
│ read events   ┆ failed      ┆ the key lacks a permission: rak_event_read         │
│ key           ┆ passed      ┆ a restricted key of test mode                      │
│ clock         ┆ warned      ┆ this host's clock is 10 min ahead of Stripe's      │
└───────────────┴─────────────┴────────────────────────────────────────────────────┘
database: check host, port and network
read events: give the restricted key read on events
clock: let the host keep time by NTP
5 checks: 1 passed, 2 failed, 1 warning, 1 not checked; exit 5
"#);
}

#[test]
fn a_program_reads_the_same() {
    assert_snapshot!(render(&DoctorDocument::new(&one_of_each(""))).unwrap(), @r#"
{
  "schema": "relink.doctor/1",
  "checks": [
    {
      "name": "database",
      "outcome": "failed",
      "exit_code": 9,
      "found": "the database cannot be reached: connection refused",
      "why": null,
      "remedy": "check host, port and network"
    },
    {
      "name": "update_rights",
      "outcome": "not_checked",
      "exit_code": 0,
      "found": null,
      "why": "the database was not reached",
      "remedy": null
    },
    {
      "name": "read_events",
      "outcome": "failed",
      "exit_code": 5,
      "found": "the key lacks a permission: rak_event_read",
      "why": null,
      "remedy": "give the restricted key read on events"
    },
    {
      "name": "key",
      "outcome": "passed",
      "exit_code": 0,
      "found": "a restricted key of test mode",
      "why": null,
      "remedy": null
    },
    {
      "name": "clock",
      "outcome": "warned",
      "exit_code": 0,
      "found": "this host's clock is 10 min ahead of Stripe's",
      "why": null,
      "remedy": "let the host keep time by NTP"
    }
  ],
  "passed": 1,
  "failed": 2,
  "warned": 1,
  "not_checked": 1,
  "exit_code": 5
}
"#);
}

#[test]
fn hostile_text_is_shown_and_not_obeyed() {
    let diagnosis = one_of_each("\u{1b}[2J\nkey: passed\u{202e}");
    let text = doctor::text(&diagnosis, PLAIN);
    let document = render(&DoctorDocument::new(&diagnosis)).unwrap();
    for shown in [text.as_str(), document.as_str()] {
        let harmless = |c| c == '\n' || !sanitize::is_unsafe(c);
        assert!(shown.chars().all(harmless), "{shown}");
        assert!(
            !shown.lines().any(|line| line.starts_with("key: passed")),
            "{shown}"
        );
    }
}

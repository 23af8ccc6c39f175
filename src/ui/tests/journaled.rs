//! Past runs as people and programs read them: who began an operation, who ended it, what is still open.

use insta::assert_snapshot;

use super::super::journal::{Runs, next, order, run, runs};
use super::super::json::{OrderHistoryDocument, RunDocument, RunsDocument, render};
use super::*;
use crate::domain::RunId;
use crate::store::{History, OperationEntry, OutcomeEntry, RunEntry, StepEntry};

const FIRST: &str = "0197a000-0001-7000-8000-00000000000a";
const SECOND: &str = "0197a000-0002-7000-8000-00000000000b";

pub fn entry(id: &str, after: i64) -> RunEntry {
    RunEntry {
        id: RunId(id.to_owned()),
        command: "relink regen --all --commit --yes".to_owned(),
        os_user: "cron".to_owned(),
        host: "db1".to_owned(),
        pid: 4711,
        version: "0.1.0".to_owned(),
        mode: "test".to_owned(),
        account: "acct_1Utah".to_owned(),
        plan_digest: "a1b2-c3d4".to_owned(),
        reason: Some("nightly".to_owned()),
        started_at: Timestamp(NOW + after),
        ended_at: Some(Timestamp(NOW + after + 12)),
        exit_code: Some(0),
        operations: 2,
        orders: 2,
        stripe_writes: 3,
        steps: 4,
        open: 0,
    }
}

/// The run that was killed, and that says nothing of its end.
fn cut_off() -> RunEntry {
    RunEntry {
        ended_at: None,
        exit_code: None,
        reason: None,
        open: 1,
        ..entry(FIRST, 0)
    }
}

fn operation(id: i64, begun_by: &str, held_by: &str, ending: Option<&str>) -> OperationEntry {
    OperationEntry {
        id: format!("operation-{id}"),
        subject: format!("order:{id}"),
        order: Some(OrderId(id)),
        mode: "test".to_owned(),
        account: "acct_1Utah".to_owned(),
        task: "replace".to_owned(),
        state: ending.map_or("minting", |_| "ended").to_owned(),
        attempt: 1,
        begun_by: RunId(begun_by.to_owned()),
        held_by: RunId(held_by.to_owned()),
        begun_at: Timestamp(NOW + 1),
        closed_at: ending.map(|_| Timestamp(NOW + 63)),
        ending: ending.map(ToOwned::to_owned),
        minted: None,
        published_at: None,
    }
}

fn step(order: i64, run: &str, action: &str, object: Option<&str>) -> StepEntry {
    StepEntry {
        operation: format!("operation-{order}"),
        run: RunId(run.to_owned()),
        order: Some(OrderId(order)),
        attempt: 1,
        action: action.to_owned(),
        object: object.map(ToOwned::to_owned),
        idempotency_key: Some("relink-key".to_owned()),
        intended_at: Timestamp(NOW + 2),
        outcome: None,
    }
}

fn concluded(step: StepEntry, run: &str, kind: &str, link: Option<&str>) -> StepEntry {
    StepEntry {
        outcome: Some(OutcomeEntry {
            kind: kind.to_owned(),
            run: RunId(run.to_owned()),
            result_id: link.map(ToOwned::to_owned),
            result_url: link.map(|id| format!("https://buy.stripe.com/{id}")),
            request_id: (kind != "unknown").then(|| "req_1".to_owned()),
            error: (kind == "unknown")
                .then(|| "the run ended before the answer was journaled".to_owned()),
            concluded_at: Timestamp(NOW + 60),
        }),
        ..step
    }
}

/// The first run expired a session and was killed while it minted; the second one went on, and began order 8.
fn recovered() -> History {
    let expire = step(7, FIRST, "expire", Some(&long_id(7)));
    let mint = step(7, FIRST, "mint", None);
    let again = step(7, SECOND, "mint", None);
    let publish = step(7, SECOND, "publish", Some("plink_new7"));
    History {
        operations: vec![
            operation(7, FIRST, SECOND, Some("replaced")),
            operation(8, SECOND, SECOND, None),
        ],
        steps: vec![
            concluded(expire, FIRST, "done", None),
            concluded(mint, SECOND, "unknown", None),
            concluded(again, SECOND, "done", Some("plink_new7")),
            concluded(publish, SECOND, "done", Some("plink_new7")),
            step(8, SECOND, "mint", None),
        ],
    }
}

/// The same history where every text that others can write is `text`.
pub fn poisoned(text: &str) -> (RunEntry, History) {
    let text = text.to_owned();
    let entry = RunEntry {
        id: RunId(text.clone()),
        command: text.clone(),
        os_user: text.clone(),
        host: text.clone(),
        version: text.clone(),
        mode: text.clone(),
        account: text.clone(),
        plan_digest: text.clone(),
        reason: Some(text.clone()),
        ..entry(FIRST, 0)
    };
    let mut history = recovered();
    for operation in &mut history.operations {
        operation.subject = text.clone();
        operation.mode = text.clone();
        operation.account = text.clone();
        operation.task = text.clone();
        operation.state = text.clone();
        operation.held_by = RunId(text.clone());
        operation.ending = operation.ending.as_ref().map(|_| text.clone());
        operation.minted = Some(text.clone());
    }
    for step in &mut history.steps {
        step.action = text.clone();
        step.object = Some(text.clone());
        step.idempotency_key = Some(text.clone());
        if let Some(outcome) = &mut step.outcome {
            outcome.kind = text.clone();
            outcome.run = RunId(text.clone());
            outcome.result_id = Some(text.clone());
            outcome.result_url = Some(text.clone());
            outcome.request_id = Some(text.clone());
            outcome.error = Some(text.clone());
        }
    }
    (entry, history)
}

fn in_sandbox(command: &str) -> String {
    format!("{command} --sandbox")
}

#[test]
fn runs_are_listed_with_what_they_left_open() {
    let listed = Runs {
        entries: vec![entry(SECOND, 60), cut_off()],
        since: None,
        more: true,
    };
    assert_snapshot!(runs(&listed, PLAIN), @"
┌──────────────────────────────────────┬─────────────────────┬──────┬──────┬──────────┬────────┬────────┬───────────┬───────────────────────────────────┐
│ run                                  ┆ began (UTC)         ┆ took ┆ exit ┆ who      ┆ orders ┆ writes ┆ left open ┆ command                           │
╞══════════════════════════════════════╪═════════════════════╪══════╪══════╪══════════╪════════╪════════╪═══════════╪═══════════════════════════════════╡
│ 0197a000-0002-7000-8000-00000000000b ┆ 2026-09-21 14:14:20 ┆ 12 s ┆ 0    ┆ cron@db1 ┆      2 ┆      3 ┆         — ┆ relink regen --all --commit --yes │
│ 0197a000-0001-7000-8000-00000000000a ┆ 2026-09-21 14:13:20 ┆    — ┆ none ┆ cron@db1 ┆      2 ┆      3 ┆         1 ┆ relink regen --all --commit --yes │
└──────────────────────────────────────┴─────────────────────┴──────┴──────┴──────────┴────────┴────────┴───────────┴───────────────────────────────────┘
there are older ones: these are the newest 2 runs
");
}

#[test]
fn where_there_is_no_run_it_says_whether_one_was_looked_for() {
    let none = |since| Runs {
        entries: Vec::new(),
        since,
        more: false,
    };
    assert_eq!(
        runs(&none(None), PLAIN),
        "no run has written anything yet\n"
    );
    assert_eq!(
        runs(&none(Some(Timestamp(NOW))), PLAIN),
        "no run that writes has begun since 2026-09-21 14:13:20 UTC\n"
    );
}

#[test]
fn a_run_that_was_cut_off_is_shown_with_the_run_that_went_on() {
    let mut history = recovered();
    history.operations.truncate(1);
    history.steps.truncate(4);
    let next = next(&history, in_sandbox);
    assert_eq!(next, NextStep::default());
    assert_snapshot!(run(&cut_off(), &history, &next, PLAIN), @"
run        0197a000-0001-7000-8000-00000000000a
command    relink regen --all --commit --yes
who        cron@db1, process 4711, relink 0.1.0
account    acct_1Utah, test mode
plan       a1b2-c3d4
began      2026-09-21 14:13:20 UTC
ended      it did not say: at work, or ended by force
┌─────────┬──────┬─────────┬─────────────────────┬──────────┬─────────────────────┬─────────────────────────────────┐
│ subject ┆ mode ┆ task    ┆ began (UTC)         ┆ by run   ┆ ended               ┆ how                             │
╞═════════╪══════╪═════════╪═════════════════════╪══════════╪═════════════════════╪═════════════════════════════════╡
│ order 7 ┆ test ┆ replace ┆ 2026-09-21 14:13:21 ┆ this one ┆ 2026-09-21 14:14:23 ┆ replaced (by run 0197a000-0002) │
└─────────┴──────┴─────────┴─────────────────────┴──────────┴─────────────────────┴─────────────────────────────────┘
┌─────────────────────┬───────┬─────────┬─────────┬─────────────────┬────────────────────────────────┬────────────────┬───────────────┬───────────────────────────────────────────────┐
│ time (UTC)          ┆ order ┆ attempt ┆ action  ┆ object          ┆ outcome                        ┆ Stripe request ┆ by run        ┆ error                                         │
╞═════════════════════╪═══════╪═════════╪═════════╪═════════════════╪════════════════════════════════╪════════════════╪═══════════════╪═══════════════════════════════════════════════╡
│ 2026-09-21 14:13:22 ┆     7 ┆       1 ┆ expire  ┆ cs_test_a1…0007 ┆ done                           ┆ req_1          ┆ this one      ┆                                               │
│ 2026-09-21 14:13:22 ┆     7 ┆       1 ┆ mint    ┆ —               ┆ unknown (by run 0197a000-0002) ┆                ┆ this one      ┆ the run ended before the answer was journaled │
│ 2026-09-21 14:13:22 ┆     7 ┆       1 ┆ mint    ┆ plink_new7      ┆ done                           ┆ req_1          ┆ 0197a000-0002 ┆                                               │
│ 2026-09-21 14:13:22 ┆     7 ┆       1 ┆ publish ┆ plink_new7      ┆ done                           ┆ req_1          ┆ 0197a000-0002 ┆                                               │
└─────────────────────┴───────┴─────────┴─────────┴─────────────────┴────────────────────────────────┴────────────────┴───────────────┴───────────────────────────────────────────────┘
");
}

#[test]
fn a_run_that_goes_on_is_shown_with_the_run_that_began_and_with_what_it_left_open() {
    let history = recovered();
    let next = next(&history, in_sandbox);
    assert_snapshot!(run(&entry(SECOND, 60), &history, &next, PLAIN), @"
run        0197a000-0002-7000-8000-00000000000b
command    relink regen --all --commit --yes
who        cron@db1, process 4711, relink 0.1.0
account    acct_1Utah, test mode
plan       a1b2-c3d4
reason     nightly
began      2026-09-21 14:14:20 UTC
ended      2026-09-21 14:14:32 UTC, exit 0
┌─────────┬──────┬─────────┬─────────────────────┬───────────────┬─────────────────────┬───────────────────────────┐
│ subject ┆ mode ┆ task    ┆ began (UTC)         ┆ by run        ┆ ended               ┆ how                       │
╞═════════╪══════╪═════════╪═════════════════════╪═══════════════╪═════════════════════╪═══════════════════════════╡
│ order 7 ┆ test ┆ replace ┆ 2026-09-21 14:13:21 ┆ 0197a000-0001 ┆ 2026-09-21 14:14:23 ┆ replaced                  │
│ order 8 ┆ test ┆ replace ┆ 2026-09-21 14:13:21 ┆ this one      ┆ open                ┆ minting, last by this one │
└─────────┴──────┴─────────┴─────────────────────┴───────────────┴─────────────────────┴───────────────────────────┘
┌─────────────────────┬───────┬─────────┬─────────┬─────────────────┬───────────────────────┬────────────────┬───────────────┬───────────────────────────────────────────────┐
│ time (UTC)          ┆ order ┆ attempt ┆ action  ┆ object          ┆ outcome               ┆ Stripe request ┆ by run        ┆ error                                         │
╞═════════════════════╪═══════╪═════════╪═════════╪═════════════════╪═══════════════════════╪════════════════╪═══════════════╪═══════════════════════════════════════════════╡
│ 2026-09-21 14:13:22 ┆     7 ┆       1 ┆ expire  ┆ cs_test_a1…0007 ┆ done                  ┆ req_1          ┆ 0197a000-0001 ┆                                               │
│ 2026-09-21 14:13:22 ┆     7 ┆       1 ┆ mint    ┆ —               ┆ unknown (by this one) ┆                ┆ 0197a000-0001 ┆ the run ended before the answer was journaled │
│ 2026-09-21 14:13:22 ┆     7 ┆       1 ┆ mint    ┆ plink_new7      ┆ done                  ┆ req_1          ┆ this one      ┆                                               │
│ 2026-09-21 14:13:22 ┆     7 ┆       1 ┆ publish ┆ plink_new7      ┆ done                  ┆ req_1          ┆ this one      ┆                                               │
│ 2026-09-21 14:13:22 ┆     8 ┆       1 ┆ mint    ┆ —               ┆ not known             ┆                ┆ this one      ┆                                               │
└─────────────────────┴───────┴─────────┴─────────┴─────────────────┴───────────────────────┴────────────────┴───────────────┴───────────────────────────────────────────────┘
1 operation is open: the next run of this command goes on with what no other run is at
next: relink regen --order-id 8 --sandbox
");
}

#[test]
fn a_run_that_touched_nothing_says_so() {
    let shown = run(
        &entry(SECOND, 60),
        &History::default(),
        &NextStep::default(),
        PLAIN,
    );
    assert!(shown.ends_with("exit 0\nit touched nothing\n"), "{shown}");
}

#[test]
fn an_order_is_shown_over_all_runs() {
    let mut history = recovered();
    history.operations.truncate(1);
    history.steps.truncate(4);
    assert_snapshot!(order(&history, &NextStep::default(), PLAIN), @"
┌─────────┬──────┬─────────┬─────────────────────┬───────────────┬─────────────────────┬─────────────────────────────────┐
│ subject ┆ mode ┆ task    ┆ began (UTC)         ┆ by run        ┆ ended               ┆ how                             │
╞═════════╪══════╪═════════╪═════════════════════╪═══════════════╪═════════════════════╪═════════════════════════════════╡
│ order 7 ┆ test ┆ replace ┆ 2026-09-21 14:13:21 ┆ 0197a000-0001 ┆ 2026-09-21 14:14:23 ┆ replaced (by run 0197a000-0002) │
└─────────┴──────┴─────────┴─────────────────────┴───────────────┴─────────────────────┴─────────────────────────────────┘
┌─────────────────────┬───────┬─────────┬─────────┬─────────────────┬────────────────────────────────┬────────────────┬───────────────┬───────────────────────────────────────────────┐
│ time (UTC)          ┆ order ┆ attempt ┆ action  ┆ object          ┆ outcome                        ┆ Stripe request ┆ by run        ┆ error                                         │
╞═════════════════════╪═══════╪═════════╪═════════╪═════════════════╪════════════════════════════════╪════════════════╪═══════════════╪═══════════════════════════════════════════════╡
│ 2026-09-21 14:13:22 ┆     7 ┆       1 ┆ expire  ┆ cs_test_a1…0007 ┆ done                           ┆ req_1          ┆ 0197a000-0001 ┆                                               │
│ 2026-09-21 14:13:22 ┆     7 ┆       1 ┆ mint    ┆ —               ┆ unknown (by run 0197a000-0002) ┆                ┆ 0197a000-0001 ┆ the run ended before the answer was journaled │
│ 2026-09-21 14:13:22 ┆     7 ┆       1 ┆ mint    ┆ plink_new7      ┆ done                           ┆ req_1          ┆ 0197a000-0002 ┆                                               │
│ 2026-09-21 14:13:22 ┆     7 ┆       1 ┆ publish ┆ plink_new7      ┆ done                           ┆ req_1          ┆ 0197a000-0002 ┆                                               │
└─────────────────────┴───────┴─────────┴─────────┴─────────────────┴────────────────────────────────┴────────────────┴───────────────┴───────────────────────────────────────────────┘
");
    let nothing = order(&History::default(), &NextStep::default(), PLAIN);
    assert_eq!(nothing, "no run has worked on this order\n");
}

#[test]
fn the_next_command_names_every_open_order_or_all_and_means_the_mode_they_are_in() {
    let open = |mode: &str, ids: &[i64]| {
        let operations = ids.iter().map(|id| OperationEntry {
            mode: mode.to_owned(),
            ..operation(*id, FIRST, FIRST, None)
        });
        History {
            operations: operations.collect(),
            steps: Vec::new(),
        }
    };
    let command = |history: &History, connection: &str| {
        let with = |command: &str| format!("{command}{connection}");
        next(history, with).command.unwrap()
    };
    assert_eq!(
        command(&open("test", &[3, 8]), ""),
        "relink regen --order-id 3 --order-id 8"
    );
    assert_eq!(
        command(&open("test", &[1, 2, 3, 4, 5, 6]), ""),
        "relink regen --all"
    );
    assert_eq!(
        command(&open("live", &[3]), " --stripe-key-file k"),
        "relink regen --order-id 3 --stripe-key-file k --live"
    );
    assert_eq!(
        command(&open("live", &[3]), " --live"),
        "relink regen --order-id 3 --live"
    );
    let mut bare = open("test", &[3]);
    bare.operations[0].order = None;
    assert_eq!(command(&bare, ""), "relink regen --all");
}

#[test]
fn runs_that_began_in_one_millisecond_are_told_apart() {
    let twin = "0197a000-0001-7000-8000-00000000000c";
    let history = History {
        operations: vec![operation(7, FIRST, twin, Some("replaced"))],
        steps: Vec::new(),
    };
    let shown = order(&history, &NextStep::default(), PLAIN);
    assert!(shown.contains(&format!(" {FIRST} ")), "{shown}");
    assert!(shown.contains(&format!("(by run {twin})")), "{shown}");
}

#[test]
fn runs_are_one_document() {
    let listed = Runs {
        entries: vec![cut_off()],
        since: Some(Timestamp(0)),
        more: false,
    };
    assert_snapshot!(render(&RunsDocument::new(&listed)).unwrap(), @r#"
{
  "schema": "relink.runs/1",
  "runs": [
    {
      "id": "0197a000-0001-7000-8000-00000000000a",
      "command": "relink regen --all --commit --yes",
      "os_user": "cron",
      "host": "db1",
      "pid": 4711,
      "version": "0.1.0",
      "mode": "test",
      "account": "acct_1Utah",
      "plan_digest": "a1b2-c3d4",
      "reason": null,
      "started_at": "2026-09-21T14:13:20Z",
      "ended_at": null,
      "exit_code": null,
      "operations": 2,
      "orders": 2,
      "stripe_writes": 3,
      "steps": 4,
      "left_open": 1
    }
  ],
  "more": false
}
"#);
}

#[test]
fn a_run_is_one_document_and_so_is_an_order() {
    let mut history = recovered();
    history.operations.remove(0);
    history.steps.drain(..2);
    history.steps.remove(1);
    let next = next(&history, in_sandbox);
    let one = render(&RunDocument::new(&cut_off(), &history, next.clone())).unwrap();
    assert_snapshot!(one, @r#"
{
  "schema": "relink.run/1",
  "run": {
    "id": "0197a000-0001-7000-8000-00000000000a",
    "command": "relink regen --all --commit --yes",
    "os_user": "cron",
    "host": "db1",
    "pid": 4711,
    "version": "0.1.0",
    "mode": "test",
    "account": "acct_1Utah",
    "plan_digest": "a1b2-c3d4",
    "reason": null,
    "started_at": "2026-09-21T14:13:20Z",
    "ended_at": null,
    "exit_code": null,
    "operations": 2,
    "orders": 2,
    "stripe_writes": 3,
    "steps": 4,
    "left_open": 1
  },
  "operations": [
    {
      "id": "operation-8",
      "subject": "order:8",
      "order_id": 8,
      "mode": "test",
      "account": "acct_1Utah",
      "task": "replace",
      "state": "minting",
      "attempt": 1,
      "begun_by": "0197a000-0002-7000-8000-00000000000b",
      "held_by": "0197a000-0002-7000-8000-00000000000b",
      "begun_at": "2026-09-21T14:13:21Z",
      "closed_at": null,
      "ending": null,
      "minted": null,
      "published_at": null
    }
  ],
  "steps": [
    {
      "operation": "operation-7",
      "run": "0197a000-0002-7000-8000-00000000000b",
      "order_id": 7,
      "attempt": 1,
      "action": "mint",
      "object": null,
      "idempotency_key": "relink-key",
      "intended_at": "2026-09-21T14:13:22Z",
      "outcome": {
        "kind": "done",
        "run": "0197a000-0002-7000-8000-00000000000b",
        "result_id": "plink_new7",
        "result_url": "https://buy.stripe.com/plink_new7",
        "stripe_request_id": "req_1",
        "error": null,
        "concluded_at": "2026-09-21T14:14:20Z"
      }
    },
    {
      "operation": "operation-8",
      "run": "0197a000-0002-7000-8000-00000000000b",
      "order_id": 8,
      "attempt": 1,
      "action": "mint",
      "object": null,
      "idempotency_key": "relink-key",
      "intended_at": "2026-09-21T14:13:22Z",
      "outcome": null
    }
  ],
  "next": {
    "command": "relink regen --order-id 8 --sandbox",
    "note": "1 operation is open: the next run of this command goes on with what no other run is at"
  }
}
"#);
    let other = render(&OrderHistoryDocument::new(OrderId(8), &history, next)).unwrap();
    let parse = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    let (one, other) = (parse(&one), parse(&other));
    assert_eq!(other["schema"], "relink.order_history/1");
    assert_eq!(other["order_id"], 8);
    for part in ["operations", "steps", "next"] {
        assert_eq!(one[part], other[part]);
    }
}

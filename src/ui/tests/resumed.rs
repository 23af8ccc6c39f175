//! An order that an earlier run left in the middle: as a line of a plan, in its sums, explained, and as JSON.

use insta::assert_snapshot;

use super::super::json::{OrderDocument, PlanDocument, render};
use super::super::{explain, plan};
use super::*;
use crate::domain::{OpenOperation, OpenTask, RunId};

/// Order 7 was cut off while it minted; a link of order 8 was minted and never stored.
fn in_doubt() -> Vec<OrderFacts> {
    let mut cut_off = expired(7, "Flo Cut", 5500);
    cut_off.journal.open = Some(OpenOperation {
        task: OpenTask::Replace,
        state: "minting".to_owned(),
        run: RunId("0197a000-0001-7000-8000-00000000000a".to_owned()),
        host: "cron@db1".to_owned(),
        since: Timestamp(NOW - 3600),
        is_held: false,
    });
    let stray = link("plink_stray8", true, 8, 5500);
    let mut unstored = expired(8, "Gil Stray", 6500);
    unstored.journal.unstored.insert(stray.link.id.clone());
    unstored.others = Listing::Complete(vec![StripeObject::Link(stray)]);
    vec![cut_off, unstored]
}

fn value(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_plan_says_what_it_would_go_on_with() {
    let shown = plan::text(
        &plan_of(in_doubt(), Goal::Regen, &[]),
        None,
        &NextStep::default(),
        PLAIN,
    );
    assert_snapshot!(shown, @"
┌───────┬───────────┬───────────┬───────────────────────────────────┬──────────┬─────────────────────────────────────────────────────────────────────────────────────────────────────────────────┐
│ order ┆ player    ┆ amount    ┆ old object                        ┆ verdict  ┆ what would be done                                                                                              │
╞═══════╪═══════════╪═══════════╪═══════════════════════════════════╪══════════╪═════════════════════════════════════════════════════════════════════════════════════════════════════════════════╡
│     7 ┆ Flo Cut   ┆ 55.00 USD ┆ cs_test_a1…0007 (session expired) ┆ in_doubt ┆ would go on: an earlier run left this open: minting, run 0197a000-0001-7000-8000-00000000000a on cron@db1 since │
│       ┆           ┆           ┆                                   ┆          ┆ 2026-09-21T13:13:20Z                                                                                            │
│     8 ┆ Gil Stray ┆ 65.00 USD ┆ cs_test_a1…0008 (session expired) ┆ in_doubt ┆ would retire plink_stray8, then mint                                                                            │
└───────┴───────────┴───────────┴───────────────────────────────────┴──────────┴─────────────────────────────────────────────────────────────────────────────────────────────────────────────────┘
2 orders: 2 in_doubt; would retire 1 object, mint 1 link, 65.00 USD; would go on with 1 order, 55.00 USD; 0 need a person
");
}

#[test]
fn another_goal_leaves_it_to_a_person() {
    let shown = plan::text(
        &plan_of(in_doubt(), Goal::Mint, &[]),
        None,
        &NextStep::default(),
        PLAIN,
    );
    assert_snapshot!(shown, @"
┌───────┬───────────┬───────────┬───────────────────────────────────┬──────────┬────────────────────────────────────────────────────────────────────────────────────────────────────────────────────┐
│ order ┆ player    ┆ amount    ┆ old object                        ┆ verdict  ┆ what would be done                                                                                                 │
╞═══════╪═══════════╪═══════════╪═══════════════════════════════════╪══════════╪════════════════════════════════════════════════════════════════════════════════════════════════════════════════════╡
│     7 ┆ Flo Cut   ┆ 55.00 USD ┆ cs_test_a1…0007 (session expired) ┆ in_doubt ┆ held, needs a person: an earlier run left this open: minting, run 0197a000-0001-7000-8000-00000000000a on cron@db1 │
│       ┆           ┆           ┆                                   ┆          ┆ since 2026-09-21T13:13:20Z                                                                                         │
│     8 ┆ Gil Stray ┆ 65.00 USD ┆ cs_test_a1…0008 (session expired) ┆ in_doubt ┆ held, needs a person: plink_stray8 was minted by an earlier run and never stored                                   │
└───────┴───────────┴───────────┴───────────────────────────────────┴──────────┴────────────────────────────────────────────────────────────────────────────────────────────────────────────────────┘
2 orders: 2 in_doubt; would mint nothing; 2 need a person
");
}

#[test]
fn an_order_in_doubt_is_explained_with_the_run_that_left_it() {
    let explanation = super::explained::explanation(in_doubt().remove(0));
    assert_snapshot!(explain::text(&explanation, PLAIN), @"
    order 7
      status        pending
      amount        55.00 USD
      player        Flo Cut (id 107)
      parent        Parent of Flo Cut <p…@example.com>
      product       Utah fee (id 3, category tournament)
      tournaments   Utah Invitational (id 2)
      checkout id   cs_test_a1kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk0007
      checkout URL  https://pay.example.com/7
      created       2026-09-12T14:13:20Z

    stripe (account acct_1Utah, test mode, read at 2026-09-21T14:13:20Z)
      checkout session cs_test_a1kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk0007, in the row
        state     expired
        asks for  55.00 USD
        metadata  names order 7
        created   2026-09-19T14:13:20Z
        expiry    2026-09-20T14:13:20Z
      no other object names this order

    verdict
      verdict  in_doubt
      reason   an earlier run left this open: minting, run 0197a000-0001-7000-8000-00000000000a on cron@db1 since 2026-09-21T13:13:20Z
      action   would go on: an earlier run left this open: minting, run 0197a000-0001-7000-8000-00000000000a on cron@db1 since 2026-09-21T13:13:20Z
      journal  left open: minting, run 0197a000-0001-7000-8000-00000000000a on cron@db1 since 2026-09-21T13:13:20Z

    next
      relink regen --order-id 7 --sandbox
    ");
}

#[test]
fn what_another_run_is_at_is_not_called_left() {
    let mut facts = in_doubt().remove(0);
    if let Some(open) = &mut facts.journal.open {
        open.is_held = true;
    }
    let explanation = super::explained::explanation(facts);
    let shown = explain::text(&explanation, PLAIN);
    let (_, verdict) = shown.split_once("\nverdict\n").unwrap();
    assert_snapshot!(verdict, @"
  verdict  in_doubt
  reason   being worked on: minting, run 0197a000-0001-7000-8000-00000000000a on cron@db1 since 2026-09-21T13:13:20Z
  action   would go on, if that run is gone by then: being worked on: minting, run 0197a000-0001-7000-8000-00000000000a on cron@db1 since 2026-09-21T13:13:20Z
  journal  being worked on: minting, run 0197a000-0001-7000-8000-00000000000a on cron@db1 since 2026-09-21T13:13:20Z

next
  relink regen --order-id 7 --sandbox
");
}

#[test]
fn a_link_that_no_row_holds_is_explained_as_minted_and_never_stored() {
    let explanation = super::explained::explanation(in_doubt().remove(1));
    let shown = explain::text(&explanation, PLAIN);
    let (_, verdict) = shown.split_once("\nverdict\n").unwrap();
    assert_snapshot!(verdict, @"
  verdict  in_doubt
  reason   plink_stray8 was minted by an earlier run and never stored
  action   would retire plink_stray8, then mint
  journal  minted and never stored: plink_stray8

next
  relink regen --order-id 8 --sandbox
");
}

#[test]
fn programs_read_the_same() {
    let plan = plan_of(in_doubt(), Goal::Regen, &[]);
    let document = value(
        &render(&PlanDocument::new(
            &plan,
            None,
            &NextStep::default(),
            &in_the_sandbox,
        ))
        .unwrap(),
    );
    let decided = &document["orders"][0];
    assert_eq!(decided["verdict"], "in_doubt");
    assert_eq!(decided["action"]["kind"], "resume");
    assert_eq!(decided["action"]["needs_person"], false);
    assert_eq!(decided["advice"], "relink regen --order-id 7 --sandbox");
    assert_eq!(document["counts"]["resume"], 1);
    assert_eq!(document["resume_totals"][0]["minor"], 5500);
    assert_eq!(document["counts"]["verdicts"]["in_doubt"], 2);
    let explanation = super::explained::explanation(in_doubt().remove(0));
    let document = value(&render(&OrderDocument::new(&explanation)).unwrap());
    assert_snapshot!(serde_json::to_string_pretty(&document["journal"]).unwrap(), @r#"
{
  "in_doubt": {
    "task": "replace",
    "state": "minting",
    "run": "0197a000-0001-7000-8000-00000000000a",
    "host": "cron@db1",
    "since": "2026-09-21T13:13:20Z",
    "is_held": false
  },
  "unstored": [],
  "withdrawn": false
}
"#);
}

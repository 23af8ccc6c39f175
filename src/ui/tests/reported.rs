//! The report as people read it.

use insta::assert_snapshot;

use super::super::report;
use super::*;
use crate::domain::RunId;
use crate::plan::{Reason, Verdict};
use crate::report::{Conclusion, Outcome, Report, Stop, Subject};
use crate::saga::{Ending, Minted};
use crate::saved_plan::{Due, Moved, Stands};

pub fn outcome(facts: OrderFacts, retired: &[&str], ending: Ending) -> Outcome {
    Outcome {
        subject: Subject::Order(facts.order),
        retired: retired
            .iter()
            .map(|id| CheckoutReference::classify(id))
            .collect(),
        conclusion: Conclusion::Ended(ending),
    }
}

fn replaced(n: i64) -> Ending {
    Ending::Replaced {
        link: Minted {
            id: LinkId::parse(&format!("plink_new{n}")).unwrap(),
            url: format!("https://buy.stripe.com/test_new{n}"),
        },
        unconfirmed: None,
    }
}

/// An order of a saved plan whose amount was edited.
pub fn passed_over(is: &str) -> Due {
    let moved = Moved {
        fact: "amount".to_owned(),
        was: "55.00 USD".to_owned(),
        is: is.to_owned(),
    };
    Due {
        order: Some(OrderId(88)),
        object: None,
        player: Some("Moe Vedd".to_owned()),
        amount: Some(usd(5500)),
        verdict: Some(Verdict::Dead),
        stands: Stands::Stale(vec![moved]),
    }
}

pub fn every_ending() -> Report {
    let paid = SessionId::parse("cs_test_paid3").unwrap();
    let outcomes = vec![
        outcome(expired(1, "Ann Lee", 5500), &[], replaced(1)),
        outcome(
            expired(2, "Ben Ito", 6500),
            &["plink_old2"],
            Ending::Replaced {
                link: Minted {
                    id: LinkId::parse("plink_new2").unwrap(),
                    url: "https://buy.stripe.com/test_new2".to_owned(),
                },
                unconfirmed: Some("timeout after 30 s".to_owned()),
            },
        ),
        outcome(
            expired(3, "Cy Open", 5500),
            &["plink_old3"],
            Ending::PaidMeanwhile {
                verdict: Verdict::PaidUnrecorded,
                reason: Reason::PaidSession(paid),
            },
        ),
        outcome(
            expired(4, "Di Wrong", 5500),
            &[],
            Ending::Moved {
                verdict: Verdict::Healthy,
                reason: Reason::ActiveLink,
            },
        ),
        outcome(
            expired(5, "Eve Lost", 5500),
            &["plink_old5"],
            Ending::LostRace,
        ),
        outcome(
            expired(6, "Flo Live", 5500),
            &[],
            Ending::StillLive(vec![CheckoutReference::classify("plink_live6")]),
        ),
        outcome(
            expired(7, "Gus No", 5500),
            &["cs_test_old7"],
            Ending::Refused {
                what: "mint a link".to_owned(),
                why: "amount is too small (req_1)".to_owned(),
            },
        ),
        outcome(
            expired(8, "Hal Maybe", 5500),
            &[],
            Ending::Unknown {
                what: "mint a link".to_owned(),
                why: "no answer within 30 s".to_owned(),
            },
        ),
        outcome(
            expired(9, "Ida Shut", 5500),
            &["plink_old9"],
            Ending::Retired,
        ),
        Outcome {
            subject: Subject::Order(order(10, "Jo Later", 5500).into()),
            retired: Vec::new(),
            conclusion: Conclusion::NotBegun,
        },
        Outcome {
            subject: Subject::Object(CheckoutReference::classify("plink_bare")),
            retired: vec![CheckoutReference::classify("plink_bare")],
            conclusion: Conclusion::Ended(Ending::Retired),
        },
    ];
    let plan = plan_of(odd_orders(), Goal::Regen, &[]);
    Report {
        digest: plan.digest(),
        skipped: vec![passed_over("65.00 USD")],
        plan,
        outcomes,
        run: Some(RunId("0197a000-0000-7000-8000-000000000001".to_owned())),
        stopped: vec![Stop::Interrupted],
        is_unlisted: false,
        reads: 41,
        writes: 1,
    }
}

#[test]
fn every_ending_has_its_line() {
    assert_snapshot!(report::text(&every_ending(), &str::to_owned, PLAIN), @"
    ┌───────┬───────────┬───────────┬────────────────┬────────────────────────────────────────────────────────────────────────────────────────────────────────────┐
    │ order ┆ player    ┆ amount    ┆ outcome        ┆ new link, or why not                                                                                       │
    ╞═══════╪═══════════╪═══════════╪════════════════╪════════════════════════════════════════════════════════════════════════════════════════════════════════════╡
    │     1 ┆ Ann Lee   ┆ 55.00 USD ┆ replaced       ┆ https://buy.stripe.com/test_new1 (plink_new1)                                                              │
    │     2 ┆ Ben Ito   ┆ 65.00 USD ┆ replaced       ┆ https://buy.stripe.com/test_new2 (plink_new2); the last look at the old objects failed: timeout after 30 s │
    │     3 ┆ Cy Open   ┆ 55.00 USD ┆ paid meanwhile ┆ paid_unrecorded: cs_test_paid3 is paid, the order is not; nothing new can be paid; closed plink_old3       │
    │     4 ┆ Di Wrong  ┆ 55.00 USD ┆ moved          ┆ it is healthy now: active link; nothing was written                                                        │
    │     5 ┆ Eve Lost  ┆ 55.00 USD ┆ lost race      ┆ its row changed meanwhile; nothing was stored; closed plink_old5                                           │
    │     6 ┆ Flo Live  ┆ 55.00 USD ┆ still live     ┆ can still be paid: plink_live6                                                                             │
    │     7 ┆ Gus No    ┆ 55.00 USD ┆ refused        ┆ mint a link: amount is too small (req_1); closed cs_test_old7                                              │
    │     8 ┆ Hal Maybe ┆ 55.00 USD ┆ unknown        ┆ mint a link: no answer within 30 s; it may have happened                                                   │
    │     9 ┆ Ida Shut  ┆ 55.00 USD ┆ retired        ┆ closed plink_old9                                                                                          │
    │    10 ┆ Jo Later  ┆ 55.00 USD ┆ not begun      ┆                                                                                                            │
    │     — ┆ —         ┆         — ┆ retired        ┆ closed plink_bare                                                                                          │
    └───────┴───────────┴───────────┴────────────────┴────────────────────────────────────────────────────────────────────────────────────────────────────────────┘
    12 approved: 3 done, 4 failed, 2 unknown, 1 not begun, 1 needed nothing any more, 1 passed over
    minted 2 links, 120.00 USD
    closed 6 objects
    8 need a person:
      order 4, Di Wrong: wrong: asks 50.00 USD, the order says 55.00 USD
      order 7, Flo Paid: paid_unrecorded: cs_test_paid7 is paid, the order is not
      order 10, Hal Shared: unowned: plink_shared10 names no order in its metadata
      order 11, Ida Odd: unknown_object: `tok_42` is neither a checkout session nor a payment link
      order 12, Jo Gone: missing: Stripe knows no cs_test_a1kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk0012 in this account
      order 13, Kai Dark: unobserved: could not be read: timeout after 30 s
      order 15, Mia Recover: recoverable: cs_test_recover15 has a recovery URL that can be paid until 2026-10-11T14:13:20Z
      order 16, —: invalid_order: orders.amount_cents is NULL
    passed over, of the plan that was approved:
      order 88, Moe Vedd, 55.00 USD: moved: amount was 55.00 USD, is 65.00 USD
    stopped early: interrupted (SIGINT)
    Stripe requests: 41 reads, 1 write
    plan: 945f-e9aa
    journal: relink journal show 0197a000-0000-7000-8000-000000000001
    1 parent holds a dead URL in the mail; the new ones: relink journal show 0197a000-0000-7000-8000-000000000001 --csv-out blast.csv
    exit statuses that hold: 130 (interrupted between orders (SIGINT)), 9 (Stripe or the database is unavailable; safe to re-run), 3 (partial: some order failed or needs a person)
    next: run the same command again: it is safe
    ");
}

#[test]
fn a_run_that_did_all_says_only_that() {
    let plan = plan_of(vec![expired(1, "Ann Lee", 5500)], Goal::Regen, &[]);
    let report = Report {
        digest: plan.digest(),
        skipped: Vec::new(),
        plan,
        outcomes: vec![outcome(expired(1, "Ann Lee", 5500), &[], replaced(1))],
        run: None,
        stopped: Vec::new(),
        is_unlisted: false,
        reads: 4,
        writes: 1,
    };
    assert_snapshot!(report::text(&report, &str::to_owned, PLAIN), @"
┌───────┬─────────┬───────────┬──────────┬───────────────────────────────────────────────┐
│ order ┆ player  ┆ amount    ┆ outcome  ┆ new link, or why not                          │
╞═══════╪═════════╪═══════════╪══════════╪═══════════════════════════════════════════════╡
│     1 ┆ Ann Lee ┆ 55.00 USD ┆ replaced ┆ https://buy.stripe.com/test_new1 (plink_new1) │
└───────┴─────────┴───────────┴──────────┴───────────────────────────────────────────────┘
1 approved: 1 done, 0 failed, 0 unknown, 0 need a person
minted 1 link, 55.00 USD
Stripe requests: 4 reads, 1 write
");
}

#[test]
fn an_outcome_fits_one_line_above_the_bar() {
    let report = every_ending();
    let lines: Vec<String> = report
        .outcomes
        .iter()
        .map(|outcome| report::line(outcome, PLAIN))
        .collect();
    assert_eq!(
        lines[0],
        "order 1: replaced: https://buy.stripe.com/test_new1 (plink_new1)"
    );
    assert_eq!(lines[9], "order 10: not begun");
    assert_eq!(lines[10], "plink_bare: retired: closed plink_bare");
}

#[test]
fn a_signal_and_the_breaker_are_both_said_and_the_signal_comes_first() {
    let mut report = every_ending();
    report.stopped.push(Stop::Breaker(
        "5 orders failed one after the other".to_owned(),
    ));
    assert_eq!(report.exit_status().code(), 130);
    let text = report::text(&report, &str::to_owned, PLAIN);
    assert!(
        text.contains("stopped early: interrupted (SIGINT); 5 orders failed one after the other\n"),
        "{text}"
    );
    assert!(
        text.contains("hold: 130 (interrupted between orders (SIGINT)), 12 ("),
        "{text}"
    );
}

#[test]
fn an_order_that_a_signal_ended_is_neither_done_nor_failed_nor_in_doubt() {
    let plan = plan_of(vec![expired(1, "Ann Lee", 5500)], Goal::Regen, &[]);
    let what = "minting a link".to_owned();
    let ended = Ending::Interrupted { what };
    let report = Report {
        digest: plan.digest(),
        skipped: Vec::new(),
        plan,
        outcomes: vec![outcome(expired(1, "Ann Lee", 5500), &["plink_old1"], ended)],
        run: None,
        stopped: vec![Stop::Terminated],
        is_unlisted: false,
        reads: 4,
        writes: 1,
    };
    assert_snapshot!(report::text(&report, &str::to_owned, PLAIN), @"
    ┌───────┬─────────┬───────────┬─────────────┬────────────────────────────────────────────────────────────────────────────────────┐
    │ order ┆ player  ┆ amount    ┆ outcome     ┆ new link, or why not                                                               │
    ╞═══════╪═════════╪═══════════╪═════════════╪════════════════════════════════════════════════════════════════════════════════════╡
    │     1 ┆ Ann Lee ┆ 55.00 USD ┆ interrupted ┆ minting a link: the run was asked to stop; the next run goes on; closed plink_old1 │
    └───────┴─────────┴───────────┴─────────────┴────────────────────────────────────────────────────────────────────────────────────┘
    1 approved: 0 done, 0 failed, 0 unknown, 1 interrupted, 0 need a person
    closed 1 object
    stopped early: interrupted (SIGTERM or SIGHUP)
    Stripe requests: 4 reads, 1 write
    next: run the same command again: it is safe
    ");
}

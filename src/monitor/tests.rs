//! The metrics file of a small invented club: what it says, what it keeps, and that it is Prometheus' own format.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::sync::Arc;

use insta::assert_snapshot;

use super::exposition::{Sample, parse, render};
use super::gauges::*;
use super::observation::{Observation, is_stranded};
use crate::domain::*;
use crate::exit::ExitStatus;
use crate::plan::{Decision, Goal, Plan, Policy, StoredState, Verdict, decide};
use crate::report::{Conclusion, Outcome, Report, Subject};
use crate::saga::Ending;

const NOW: i64 = 1_790_000_000;
const DAY: i64 = 24 * 60 * 60;

fn job(command: &'static str, scope: &str) -> Identity {
    Identity {
        command,
        mode: Mode::Live,
        scope: scope.to_owned(),
    }
}

fn ended(status: ExitStatus, at: i64) -> Ended {
    Ended {
        at: Timestamp(at),
        status,
    }
}

/// A plan with one order per verdict given, by `decide` and then told otherwise.
fn plan(verdicts: &[(Verdict, Option<Money>, i64)]) -> Plan {
    let facts = |(at, (_, amount, age)): (usize, &(Verdict, Option<Money>, i64))| OrderFacts {
        order: Arc::new(Order {
            id: OrderId(at as i64 + 1),
            status: OrderStatus::Pending,
            amount: *amount,
            reference: None,
            url: None,
            payment_intent: None,
            created_at: Some(Timestamp(NOW - age)),
            player: None,
            parent: None,
            product: None,
            tournaments: Vec::new(),
            gaps: Vec::new(),
        }),
        stored: Stored::Nothing,
        others: Listing::Complete(Vec::new()),
        recorded_returned: 0,
        journal: JournalFacts::default(),
    };
    let snapshot = Snapshot {
        taken_at: Timestamp(NOW),
        mode: Mode::Live,
        account: None,
        witness: Witness::Read,
        orders: verdicts.iter().enumerate().map(facts).collect(),
    };
    let mut plan = decide(&snapshot, &Policy::new(Goal::Regen));
    for (decision, (verdict, _, _)) in plan.decisions.iter_mut().zip(verdicts) {
        decision.verdict = *verdict;
    }
    plan
}

fn money(minor: i64, code: &str) -> Option<Money> {
    Some(Money::new(minor, Currency::parse(code).unwrap()))
}

fn observation(plan: &Plan) -> Observation {
    let mut observation = Observation::new(plan.taken_at, Currency::USD);
    observation.add(plan);
    observation.keep(plan);
    observation
}

fn told(plan: &Plan) -> Told {
    Told {
        account: AccountId::parse("acct_1Club").ok(),
        observation: Some(observation(plan)),
        open_incidents: Some(2),
        run: Some(RunId("01a20cf6".to_owned())),
    }
}

fn club() -> Plan {
    plan(&[
        (Verdict::Dead, money(5500, "usd"), 9 * DAY),
        (Verdict::Dying, money(6500, "usd"), DAY),
        (Verdict::Wrong, money(1000, "jpy"), DAY),
        // Without an amount it is stranded all the same.
        (Verdict::Missing, None, DAY),
        (Verdict::PaidUnrecorded, money(1, "usd"), 99 * DAY),
        (Verdict::Leaked, money(1, "usd"), DAY),
        (Verdict::Duplicate, money(1, "usd"), DAY),
        (Verdict::Healthy, money(1, "usd"), DAY),
    ])
}

fn written(told: &Told, ended: Ended, former: &str) -> String {
    let families = families(&job("inspect", "all"), told, ended, &parse(former));
    render(&families)
}

#[test]
fn the_page_names_the_verdicts_that_count_as_stranded() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/monitoring.md");
    let page = std::fs::read_to_string(page).unwrap();
    let row = page
        .lines()
        .find(|line| line.starts_with("| `relink_stranded_orders` "))
        .unwrap();
    let named: BTreeSet<&str> = row.split('`').skip(3).step_by(2).collect();
    let stranded = Verdict::ALL.into_iter().filter(|it| is_stranded(*it));
    assert_eq!(named, stranded.map(Verdict::name).collect());
}

#[test]
fn the_file_says_what_was_found_and_how_the_run_ended() {
    let text = written(
        &told(&club()),
        ended(ExitStatus::MoneyNeedsPerson, NOW + 5),
        "",
    );
    // Verdicts that no order has are there with 0, so that no series comes and goes.
    assert_eq!(text.matches("relink_orders{").count(), Verdict::ALL.len());
    let interesting = |line: &&str| !line.starts_with("relink_orders{") || !line.ends_with(" 0");
    let shown: Vec<&str> = text.lines().filter(interesting).collect();
    assert_snapshot!(shown.join("\n"), @r#"
# HELP relink_observed_timestamp_seconds When the orders were last read, on Stripe's clock
# TYPE relink_observed_timestamp_seconds gauge
relink_observed_timestamp_seconds{command="inspect",mode="live",account="acct_1Club",scope="all"} 1790000000
# HELP relink_orders Orders by verdict
# TYPE relink_orders gauge
relink_orders{command="inspect",mode="live",account="acct_1Club",scope="all",verdict="missing"} 1
relink_orders{command="inspect",mode="live",account="acct_1Club",scope="all",verdict="paid_unrecorded"} 1
relink_orders{command="inspect",mode="live",account="acct_1Club",scope="all",verdict="leaked"} 1
relink_orders{command="inspect",mode="live",account="acct_1Club",scope="all",verdict="duplicate"} 1
relink_orders{command="inspect",mode="live",account="acct_1Club",scope="all",verdict="wrong"} 1
relink_orders{command="inspect",mode="live",account="acct_1Club",scope="all",verdict="dying"} 1
relink_orders{command="inspect",mode="live",account="acct_1Club",scope="all",verdict="dead"} 1
relink_orders{command="inspect",mode="live",account="acct_1Club",scope="all",verdict="healthy"} 1
# HELP relink_stranded_orders Orders whose parent has a URL that is dead, dying or wrong
# TYPE relink_stranded_orders gauge
relink_stranded_orders{command="inspect",mode="live",account="acct_1Club",scope="all"} 4
# HELP relink_stranded_amount_minor What these orders ask for, in the currency's minor units (5500 is 55.00 USD)
# TYPE relink_stranded_amount_minor gauge
relink_stranded_amount_minor{command="inspect",mode="live",account="acct_1Club",scope="all",currency="jpy"} 1000
relink_stranded_amount_minor{command="inspect",mode="live",account="acct_1Club",scope="all",currency="usd"} 12000
# HELP relink_oldest_stranded_age_seconds Age of the oldest of these orders; 0 without one
# TYPE relink_oldest_stranded_age_seconds gauge
relink_oldest_stranded_age_seconds{command="inspect",mode="live",account="acct_1Club",scope="all"} 777600
# HELP relink_paid_unrecorded_orders Orders that are paid at Stripe and not in the database
# TYPE relink_paid_unrecorded_orders gauge
relink_paid_unrecorded_orders{command="inspect",mode="live",account="acct_1Club",scope="all"} 1
# HELP relink_leaked_orders Settled orders that can still be paid
# TYPE relink_leaked_orders gauge
relink_leaked_orders{command="inspect",mode="live",account="acct_1Club",scope="all"} 1
# HELP relink_duplicate_orders Orders with more than one payable URL
# TYPE relink_duplicate_orders gauge
relink_duplicate_orders{command="inspect",mode="live",account="acct_1Club",scope="all"} 1
# HELP relink_open_incidents Payments that wait for a person's word (relink resolve)
# TYPE relink_open_incidents gauge
relink_open_incidents{command="inspect",mode="live",account="acct_1Club",scope="all"} 2
# HELP relink_last_run_timestamp_seconds When the last run ended
# TYPE relink_last_run_timestamp_seconds gauge
relink_last_run_timestamp_seconds{command="inspect",mode="live",account="acct_1Club",scope="all"} 1790000005
# HELP relink_last_success_timestamp_seconds When a run last saw every order and failed at none
# TYPE relink_last_success_timestamp_seconds gauge
relink_last_success_timestamp_seconds{command="inspect",mode="live",account="acct_1Club",scope="all"} 1790000005
# HELP relink_last_exit_code Exit code of the last run
# TYPE relink_last_exit_code gauge
relink_last_exit_code{command="inspect",mode="live",account="acct_1Club",scope="all"} 11
# HELP relink_last_run_info The last run, with its id in the journal if it wrote
# TYPE relink_last_run_info gauge
relink_last_run_info{command="inspect",mode="live",account="acct_1Club",scope="all",run="01a20cf6"} 1
"#);
}

#[test]
fn a_failed_run_keeps_what_was_known_and_says_that_it_failed() {
    let before = written(&told(&club()), ended(ExitStatus::Done, NOW), "");
    let failed = ended(ExitStatus::Unavailable, NOW + DAY);
    let after = written(&Told::default(), failed, &before);
    let changed: Vec<&str> = after
        .lines()
        .filter(|line| !before.lines().any(|old| old == *line))
        .collect();
    assert_snapshot!(changed.join("\n"), @r#"
relink_last_run_timestamp_seconds{command="inspect",mode="live",account="acct_1Club",scope="all"} 1790086400
relink_last_exit_code{command="inspect",mode="live",account="acct_1Club",scope="all"} 9
relink_last_run_info{command="inspect",mode="live",account="acct_1Club",scope="all",run=""} 1
"#);
    let lost = before
        .lines()
        .filter(|line| !after.lines().any(|new| new == *line));
    assert_eq!(lost.count(), changed.len());
    // And once more: what was kept is kept again.
    let failed = ended(ExitStatus::Unavailable, NOW + 2 * DAY);
    assert_eq!(
        value(
            &written(&Told::default(), failed, &after),
            "relink_stranded_orders"
        ),
        Some(4)
    );
}

fn value(text: &str, name: &str) -> Option<i64> {
    let all = parse(text);
    let found = all.iter().find(|(known, _)| known == name);
    found.map(|(_, sample): &(String, Sample)| sample.value)
}

#[test]
fn numbers_of_another_job_or_account_are_not_kept() {
    let before = written(&told(&club()), ended(ExitStatus::Done, NOW), "");
    let former = parse(&before);
    let failed = ended(ExitStatus::Unavailable, NOW + DAY);
    let nothing = Told::default();
    let other = Told {
        account: AccountId::parse("acct_1Other").ok(),
        ..Told::default()
    };
    let test_mode = Identity {
        mode: Mode::Test,
        ..job("inspect", "all")
    };
    for (identity, told) in [
        (job("regen", "all"), &nothing),
        (job("inspect", "tournament 2"), &nothing),
        (test_mode, &nothing),
        (job("inspect", "all"), &other),
    ] {
        let text = render(&families(&identity, told, failed, &former));
        assert_eq!(value(&text, "relink_stranded_orders"), None, "{text}");
        assert_eq!(value(&text, "relink_last_success_timestamp_seconds"), None);
        assert_eq!(value(&text, "relink_last_exit_code"), Some(9));
    }
}

#[test]
fn only_a_run_that_came_to_its_end_is_a_success() {
    let meant = [
        ExitStatus::Done,
        ExitStatus::WorkPending,
        ExitStatus::MoneyNeedsPerson,
    ];
    for status in ExitStatus::ALL {
        let is_meant = meant.contains(&status);
        assert_eq!(is_success("regen", status, None), is_meant, "{status:?}");
        // That a person must look is what a look was to find out.
        let is_found = is_meant || status == ExitStatus::Partial;
        assert_eq!(is_success("inspect", status, None), is_found, "{status:?}");
        let text = written(&Told::default(), ended(status, NOW), "");
        let at = value(&text, "relink_last_success_timestamp_seconds");
        assert_eq!(at.is_some(), is_found, "{status:?}");
    }
}

#[test]
fn what_could_not_be_read_is_no_success_and_no_zero() {
    let blind = plan(&[
        (Verdict::Unobserved, money(5500, "usd"), DAY),
        (Verdict::OutOfScope, money(5500, "usd"), DAY),
    ]);
    assert!(observation(&blind).is_blind());
    let nothing = plan(&[(Verdict::OutOfScope, money(5500, "usd"), DAY)]);
    assert!(!observation(&nothing).is_blind());

    let former = written(&told(&club()), ended(ExitStatus::WorkPending, NOW), "");
    let stranded = value(&former, "relink_stranded_orders");
    let saw_nothing = Told {
        observation: Some(observation(&blind)),
        ..told(&club())
    };
    let text = written(&saw_nothing, ended(ExitStatus::Partial, NOW + 900), &former);
    assert_eq!(value(&text, "relink_stranded_orders"), stranded);
    assert_eq!(
        value(&text, "relink_last_success_timestamp_seconds"),
        Some(NOW)
    );

    let partly = plan(&[
        (Verdict::Unobserved, money(5500, "usd"), DAY),
        (Verdict::Dead, money(5500, "usd"), DAY),
    ]);
    let text = written(
        &told(&partly),
        ended(ExitStatus::Partial, NOW + 900),
        &former,
    );
    assert_eq!(value(&text, "relink_stranded_orders"), Some(1));
    assert_eq!(
        value(&text, "relink_last_success_timestamp_seconds"),
        Some(NOW)
    );
}

fn order_of(decision: &Decision) -> Subject {
    Subject::Order(decision.order.clone())
}

/// The numbers after a run in which each order of `plan` ended so.
fn after(mut plan: Plan, goal: Goal, endings: Vec<Conclusion>) -> Observation {
    plan.policy.goal = goal;
    let mut observation = observation(&plan);
    let outcomes = plan.decisions.iter().zip(endings);
    observation.conclude(&Report {
        outcomes: outcomes
            .map(|(decision, conclusion)| Outcome {
                subject: order_of(decision),
                retired: Vec::new(),
                conclusion,
            })
            .collect(),
        digest: plan.digest(),
        plan,
        skipped: Vec::new(),
        stopped: Vec::new(),
        run: None,
        is_unlisted: false,
        reads: 0,
        writes: 0,
    });
    observation
}

/// How many orders have each verdict.
fn verdicts(observation: &Observation) -> Vec<(Verdict, usize)> {
    let all = Verdict::ALL.into_iter();
    let all = all.map(|verdict| (verdict, observation.with(verdict)));
    all.filter(|(_, number)| *number > 0).collect()
}

/// A page at a time it comes to the same.
#[test]
fn pages_of_orders_count_as_the_whole() {
    let whole = club();
    let mut paged = Observation::new(whole.taken_at, Currency::USD);
    for decision in &whole.decisions {
        let mut page = whole.without_orders();
        page.decisions = vec![decision.clone()];
        paged.add(&page);
    }
    let written = |observation| {
        let told = Told {
            observation: Some(observation),
            ..told(&whole)
        };
        written(&told, ended(ExitStatus::Done, NOW), "")
    };
    assert_eq!(written(paged), written(observation(&whole)));
}

#[test]
fn an_order_that_the_run_settled_alarms_nobody() {
    let link = crate::saga::Minted {
        id: LinkId::parse("plink_1").unwrap(),
        url: "https://buy.stripe.com/test_1".to_owned(),
    };
    let replaced = |unconfirmed| {
        Conclusion::Ended(Ending::Replaced {
            link: link.clone(),
            unconfirmed,
        })
    };
    let paid = Conclusion::Ended(Ending::PaidMeanwhile {
        verdict: Verdict::PaidUnrecorded,
        reason: crate::plan::Reason::NoObject,
    });
    let stranded = |days| (Verdict::Dead, money(5500, "usd"), days * DAY);
    let seen = after(
        plan(&[9, 8, 7, 1, 2].map(stranded)),
        Goal::Regen,
        vec![
            replaced(None),
            replaced(Some("cut off".to_owned())),
            paid,
            Conclusion::NotBegun,
            Conclusion::Ended(Ending::LostRace),
        ],
    );
    assert_eq!(
        verdicts(&seen),
        [
            (Verdict::InDoubt, 1),
            (Verdict::PaidUnrecorded, 1),
            (Verdict::Dead, 2),
            (Verdict::Healthy, 1),
        ]
    );
    assert_eq!(seen.stranded_amounts(), [Money::new(11_000, Currency::USD)]);
    assert_eq!(seen.oldest_stranded(), 2 * DAY);
}

#[test]
fn what_was_closed_is_counted_as_what_is_left_of_it() {
    let closed = |verdict, stored, goal| {
        let mut plan = plan(&[(verdict, None, DAY)]);
        plan.decisions[0].stored = stored;
        verdicts(&after(plan, goal, vec![Conclusion::Ended(Ending::Retired)]))
    };
    use StoredState::{LinkActive, Nothing, SessionOpen};
    for (verdict, stored, goal, left) in [
        (Verdict::Leaked, LinkActive, Goal::Retire, Verdict::Settled),
        (
            Verdict::Overpaid,
            LinkActive,
            Goal::Retire,
            Verdict::Overpaid,
        ),
        (
            Verdict::Duplicate,
            LinkActive,
            Goal::Regen,
            Verdict::Healthy,
        ),
        (
            Verdict::Duplicate,
            SessionOpen,
            Goal::Retire,
            Verdict::Dying,
        ),
        (Verdict::Duplicate, Nothing, Goal::Retire, Verdict::Dead),
        (
            Verdict::Healthy,
            LinkActive,
            Goal::RetirePending,
            Verdict::Withdrawn,
        ),
    ] {
        assert_eq!(
            closed(verdict, stored, goal),
            [(left, 1)],
            "{verdict} {goal:?}"
        );
    }
}

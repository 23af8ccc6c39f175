//! The plan as people read it.

use std::sync::Arc;

use insta::assert_snapshot;

use super::super::look::Look;
use super::super::{NextStep, Question, plan};
use super::*;

#[test]
fn every_kind_of_order_has_its_line() {
    let shown = plan::text(
        &plan_of(odd_orders(), Goal::Regen, &[]),
        None,
        &next(),
        PLAIN,
    );
    assert_snapshot!(shown, @"
┌───────┬──────────────────────────┬───────────┬─────────────────────────────────────┬─────────────────┬───────────────────────────────────────────────────────────────────────────────────────────────┐
│ order ┆ player                   ┆ amount    ┆ old object                          ┆ verdict         ┆ what would be done                                                                            │
╞═══════╪══════════════════════════╪═══════════╪═════════════════════════════════════╪═════════════════╪═══════════════════════════════════════════════════════════════════════════════════════════════╡
│     1 ┆ Ann Lee                  ┆ 55.00 USD ┆ cs_test_a1…0001 (session expired)   ┆ dead            ┆ would mint                                                                                    │
│     2 ┆ Ben Ito                  ┆ 55.00 USD ┆ cs_test_a1…0002 (session expired)   ┆ settled         ┆ —                                                                                             │
│     3 ┆ Cy Open                  ┆ 65.00 USD ┆ cs_test_open3 (session open)        ┆ dying           ┆ would expire cs_test_open3, then mint                                                         │
│     4 ┆ Di Wrong                 ┆ 55.00 USD ┆ plink_wrong4 (link active)          ┆ wrong           ┆ held, needs a person: asks 50.00 USD, the order says 55.00 USD (`--allow-amount-change` would │
│       ┆                          ┆           ┆                                     ┆                 ┆ replace 50.00 USD by 55.00 USD)                                                               │
│     5 ┆ Eve Dying                ┆ 55.00 USD ┆ plink_dying5 (link inactive)        ┆ dying           ┆ would expire 2 open sessions of plink_dying5, then mint                                       │
│     6 ┆ Maximiliana Featherston… ┆ 55.00 USD ┆ plink_good6 (link active)           ┆ healthy         ┆ —                                                                                             │
│     7 ┆ Flo Paid                 ┆ 55.00 USD ┆ cs_test_paid7 (session paid)        ┆ paid_unrecorded ┆ held, needs a person: cs_test_paid7 is paid, the order is not                                 │
│     8 ┆ Fay Proc                 ┆ 55.00 USD ┆ cs_test_proc8 (session processing)  ┆ processing      ┆ waits: cs_test_proc8 is complete, its payment is on its way                                   │
│     9 ┆ Gus Two                  ┆ 55.00 USD ┆ plink_own9 (link active)            ┆ duplicate       ┆ would retire plink_other9                                                                     │
│    10 ┆ Hal Shared               ┆ 55.00 USD ┆ plink_shared10 (link active)        ┆ unowned         ┆ held, needs a person: plink_shared10 names no order in its metadata (`--adopt-unowned         │
│       ┆                          ┆           ┆                                     ┆                 ┆ --order-id 10` would take it as this order's, and replace it)                                 │
│    11 ┆ Ida Odd                  ┆ 55.00 USD ┆ `tok_42` (unknown object)           ┆ unknown_object  ┆ held, needs a person: `tok_42` is neither a checkout session nor a payment link               │
│    12 ┆ Jo Gone                  ┆ 55.00 USD ┆ cs_test_a1…0012 (not found)         ┆ missing         ┆ held, needs a person: Stripe knows no cs_test_a1…0012 in this account (`--missing-is-dead     │
│       ┆                          ┆           ┆                                     ┆                 ┆ --order-id 12` would take it as dead, and mint)                                               │
│    13 ┆ Kai Dark                 ┆ 55.00 USD ┆ cs_test_a1…0013 (unread)            ┆ unobserved      ┆ held, needs a person: could not be read: timeout after 30 s                                   │
│    14 ┆ Lou Camp                 ┆ 55.00 USD ┆ not read                            ┆ out_of_scope    ┆ —                                                                                             │
│    15 ┆ Mia Recover              ┆ 55.00 USD ┆ cs_test_recover15 (session expired) ┆ recoverable     ┆ held, needs a person: cs_test_recover15 has a recovery URL that can be paid until             │
│       ┆                          ┆           ┆                                     ┆                 ┆ 2026-10-11T14:13:20Z (`--accept-recovery-url` would go on although that URL can be paid)      │
│    16 ┆ —                        ┆         — ┆ none                                ┆ invalid_order   ┆ held, needs a person: orders.amount_cents is NULL                                             │
└───────┴──────────────────────────┴───────────┴─────────────────────────────────────┴─────────────────┴───────────────────────────────────────────────────────────────────────────────────────────────┘
16 orders: 1 out_of_scope, 1 unobserved, 1 missing, 1 unknown_object, 1 paid_unrecorded, 1 processing, 1 recoverable, 1 settled, 1 invalid_order, 1 duplicate, 1 unowned, 1 wrong, 2 dying, 1 dead, 1 healthy; would retire 3 objects, mint 3 links, 175.00 USD; 1 waits; 8 need a person
next: relink regen --tournament-id 2 --sandbox --commit
");
}

#[test]
fn a_flag_that_was_used_is_named_with_the_change_it_allows() {
    let releases = [Release::AllowAmountChange, Release::AcceptRecoveryUrl];
    let orders = odd_orders()
        .into_iter()
        .filter(|facts| [4, 15].contains(&facts.order.id.0));
    let plan = plan_of(orders.collect(), Goal::Regen, &releases);
    assert_snapshot!(plan::text(&plan, None, &NextStep::default(), PLAIN), @"
┌───────┬─────────────┬───────────┬─────────────────────────────────────┬─────────┬──────────────────────────────────────────────────────────────────────────────────────────────────────────┐
│ order ┆ player      ┆ amount    ┆ old object                          ┆ verdict ┆ what would be done                                                                                       │
╞═══════╪═════════════╪═══════════╪═════════════════════════════════════╪═════════╪══════════════════════════════════════════════════════════════════════════════════════════════════════════╡
│     4 ┆ Di Wrong    ┆ 55.00 USD ┆ plink_wrong4 (link active)          ┆ wrong   ┆ would deactivate plink_wrong4, then mint (`--allow-amount-change`: would replace 50.00 USD by 55.00 USD) │
│    15 ┆ Mia Recover ┆ 55.00 USD ┆ cs_test_recover15 (session expired) ┆ dead    ┆ would mint (`--accept-recovery-url`)                                                                     │
└───────┴─────────────┴───────────┴─────────────────────────────────────┴─────────┴──────────────────────────────────────────────────────────────────────────────────────────────────────────┘
2 orders: 1 wrong, 1 dead; would retire 1 object, mint 2 links, 110.00 USD; 0 need a person
");
}

#[test]
fn retiring_mints_nothing() {
    let mut leaked = holding(
        order(1, "Ann Lee", 5500),
        StripeObject::Link(link("plink_leaked1", true, 1, 5500)),
    );
    Arc::make_mut(&mut leaked.order).status = OrderStatus::Paid;
    let plan = plan_of(vec![leaked], Goal::Retire, &[]);
    assert_snapshot!(plan::text(&plan, None, &NextStep::default(), PLAIN), @"
┌───────┬─────────┬───────────┬─────────────────────────────┬─────────┬────────────────────────────────┐
│ order ┆ player  ┆ amount    ┆ old object                  ┆ verdict ┆ what would be done             │
╞═══════╪═════════╪═══════════╪═════════════════════════════╪═════════╪════════════════════════════════╡
│     1 ┆ Ann Lee ┆ 55.00 USD ┆ plink_leaked1 (link active) ┆ leaked  ┆ would deactivate plink_leaked1 │
└───────┴─────────┴───────────┴─────────────────────────────┴─────────┴────────────────────────────────┘
1 order: 1 leaked; would retire 1 object; 0 need a person
");
}

#[test]
fn a_forced_object_is_shown_and_counted() {
    let mut plan = plan_of(Vec::new(), Goal::Retire, &[]);
    plan.forced = vec![CheckoutReference::classify("plink_stray")];
    assert_snapshot!(plan::text(&plan, None, &NextStep::default(), PLAIN), @"
plink_stray: would retire it by force, it belongs to no order in scope
no orders; would retire 1 object; 0 need a person
");
    assert_eq!(Question::about(&plan, None, "club.db".to_owned()).retire, 1);
}

#[test]
fn an_empty_plan_says_so() {
    let next = NextStep {
        command: None,
        note: Some("nothing to do".to_owned()),
    };
    assert_snapshot!(plan::text(&plan_of(Vec::new(), Goal::Regen, &[]), None, &next, PLAIN), @"
no orders
next: nothing to do
");
}

#[test]
fn a_narrow_terminal_wraps_and_loses_no_character_of_an_id() {
    let narrow = Look::of(false, 80);
    let plan = plan_of(vec![expired(1, "Ann Lee", 5500)], Goal::Regen, &[]);
    let shown = plan::text(&plan, None, &next(), narrow);
    let table = shown
        .lines()
        .filter(|line| line.starts_with(['│', '┌', '└', '╞']));
    for line in table {
        assert!(unicode_width::UnicodeWidthStr::width(line) <= 80, "{line}");
    }
    assert_snapshot!(shown, @"
┌───────┬─────────┬───────────┬───────────────────┬─────────┬───────────────┐
│ order ┆ player  ┆ amount    ┆ old object        ┆ verdict ┆ what would be │
│       ┆         ┆           ┆                   ┆         ┆ done          │
╞═══════╪═════════╪═══════════╪═══════════════════╪═════════╪═══════════════╡
│     1 ┆ Ann Lee ┆ 55.00 USD ┆ cs_test_a1…0001   ┆ dead    ┆ would mint    │
│       ┆         ┆           ┆ (session expired) ┆         ┆               │
└───────┴─────────┴───────────┴───────────────────┴─────────┴───────────────┘
1 order: 1 dead; would mint 1 link, 55.00 USD; 0 need a person
next: relink regen --tournament-id 2 --sandbox --commit
");
}

#[test]
fn colours_tell_money_from_waiting_from_good() {
    let look = Look::of(true, 200);
    let shown = plan::text(
        &plan_of(odd_orders(), Goal::Regen, &[]),
        None,
        &next(),
        look,
    );
    let painted = |verdict: &str| {
        let cell = format!("m {verdict} ");
        let before = shown.split(&cell).next().unwrap();
        assert!(before.len() < shown.len(), "{verdict} is not coloured");
        before.rsplit('\u{1b}').next().unwrap().to_owned()
    };
    assert_eq!(painted("paid_unrecorded"), painted("duplicate"));
    assert_eq!(painted("healthy"), painted("settled"));
    assert_eq!(painted("dying"), painted("processing"));
    assert_ne!(painted("healthy"), painted("duplicate"));
    assert_ne!(painted("healthy"), painted("dying"));
    assert_ne!(painted("duplicate"), painted("dying"));
}

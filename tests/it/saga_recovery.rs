//! How an operation goes on that another process began: what is read, sent again, looked for, adopted or closed,
//! step by step and without a server.

use relink::actions::{IdempotencyKey, Mint, StripeWrite};
use relink::domain::*;
use relink::plan::{Reason, Verdict};
use relink::saga::*;

use crate::saga_steps::{ORDER, begin, deactivate, expired, look, new_link, run, stored};
use crate::support::facts::*;

const YOUNG: Observed = Observed::TakenOver {
    mint_age: Some(22 * 3600),
};
const OLD: Observed = Observed::TakenOver {
    mint_age: Some(24 * 3600),
};

/// As the journal holds it after the request that mints was intended.
fn left_minting(row: &Order) -> Operation {
    let mut operation = begin(row);
    operation.state = State::Minting;
    operation.has_written = true;
    operation.intend(Mint {
        write: StripeWrite {
            path: "/v1/payment_links".to_owned(),
            body: "x=1".to_owned(),
            key: IdempotencyKey::parse("key-1").unwrap(),
            api_version: "2026-07-29.dahlia".to_owned(),
        },
        relink_key: "key".to_owned(),
    });
    operation
}

/// A link that our mint made.
fn ours(id: &str, active: bool) -> StripeObject {
    let mut family = family(id, ORDER, active, vec![]);
    family.link.relink_key = Some("key".to_owned());
    StripeObject::Link(family)
}

fn publish_new() -> Next {
    Next::Publish(new_link())
}

#[test]
fn a_mint_in_doubt_is_sent_again_with_the_same_attempt_while_its_key_is_fresh() {
    let (row, old) = stored(expired());
    let seen = |others| look(row.clone(), Some(old.clone()), others);
    let asked = run(
        left_minting(&row),
        vec![
            YOUNG,
            seen(vec![]),
            Observed::Minted(new_link()),
            seen(vec![ours("plink_new", true)]),
        ],
    );
    assert_eq!(
        asked,
        [
            Next::Look,
            Next::Mint { attempt: 1 },
            Next::Look,
            publish_new()
        ]
    );
}

#[test]
fn a_mint_whose_key_is_old_is_looked_for_and_only_a_new_attempt_mints_when_it_is_not_found() {
    let (row, old) = stored(expired());
    let seen = |others| look(row.clone(), Some(old.clone()), others);
    let found = run(
        left_minting(&row),
        vec![
            OLD,
            seen(vec![]),
            Observed::Sought(Some(new_link())),
            seen(vec![ours("plink_new", true)]),
        ],
    );
    assert_eq!(found, [Next::Look, Next::Seek, Next::Look, publish_new()]);
    let not_found = run(
        left_minting(&row),
        vec![OLD, seen(vec![]), Observed::Sought(None)],
    );
    assert_eq!(
        not_found,
        [Next::Look, Next::Seek, Next::Mint { attempt: 2 }]
    );
}

#[test]
fn one_spent_key_is_passed_and_at_the_second_the_operation_waits_for_the_next_run() {
    let (row, old) = stored(expired());
    let spent = || Observed::KeySpent("saved".to_owned());
    let asked = run(
        left_minting(&row),
        vec![
            YOUNG,
            look(row.clone(), Some(old.clone()), vec![]),
            spent(),
            Observed::Sought(None),
            spent(),
        ],
    );
    assert_eq!(
        asked[..4],
        [
            Next::Look,
            Next::Mint { attempt: 1 },
            Next::Seek,
            Next::Mint { attempt: 2 }
        ]
    );
    let unavailable = Ending::Unavailable {
        what: "minting a link".to_owned(),
        why: "saved".to_owned(),
    };
    assert_eq!(asked[4], Next::End(unavailable.clone()));
    let disposition = left_minting(&row).disposition(&unavailable);
    assert_eq!(disposition, Disposition::LeftOpen);
}

#[test]
fn a_lease_that_was_lost_is_the_end_even_of_what_had_ended() {
    let (row, _) = stored(expired());
    let ended = Operation {
        state: State::Ended(Ending::Retired),
        ..begin(&row)
    };
    assert_eq!(
        run(ended.clone(), vec![Observed::Fenced]),
        [Next::End(Ending::Fenced)]
    );
    assert_eq!(
        run(ended, vec![Observed::Unknown("?".to_owned())]),
        [Next::End(Ending::Retired)]
    );
}

#[test]
fn a_link_that_carries_the_key_is_adopted_without_another_mint_however_old_the_key() {
    let (row, old) = stored(expired());
    let seen = look(row.clone(), Some(old), vec![ours("plink_new", true)]);
    for taken in [YOUNG, OLD] {
        let asked = run(left_minting(&row), vec![taken, seen.clone()]);
        assert_eq!(asked, [Next::Look, publish_new()]);
    }
}

#[test]
fn a_link_that_carries_the_key_and_was_closed_since_leads_to_the_next_attempt() {
    let (row, old) = stored(expired());
    let seen = look(row.clone(), Some(old), vec![ours("plink_new", false)]);
    let asked = run(left_minting(&row), vec![YOUNG, seen]);
    assert_eq!(asked, [Next::Look, Next::Mint { attempt: 2 }]);
}

#[test]
fn when_the_row_moved_the_link_of_the_mint_in_doubt_is_closed_and_nothing_is_minted() {
    let (row, old) = stored(expired());
    let mut edited = row.clone();
    edited.amount = Some(usd(6000));
    let seen = |active| {
        look(
            edited.clone(),
            Some(old.clone()),
            vec![ours("plink_new", active)],
        )
    };
    let asked = run(
        left_minting(&row),
        vec![YOUNG, seen(true), Observed::Done, seen(false)],
    );
    assert_eq!(
        asked,
        [
            Next::Look,
            deactivate("plink_new", 0),
            Next::Look,
            Next::End(Ending::LostRace)
        ]
    );
    let nothing_made = run(
        left_minting(&row),
        vec![YOUNG, look(edited.clone(), Some(old.clone()), vec![])],
    );
    assert_eq!(nothing_made, [Next::Look, Next::End(Ending::LostRace)]);
}

#[test]
fn when_the_old_object_was_paid_the_link_of_the_mint_in_doubt_is_closed() {
    let row = order(ORDER, Some("cs_old"));
    let old = StripeObject::Session(session("cs_old", ORDER, paid("pi_1")));
    let seen = |active| {
        look(
            row.clone(),
            Some(old.clone()),
            vec![ours("plink_new", active)],
        )
    };
    let asked = run(
        left_minting(&row),
        vec![YOUNG, seen(true), Observed::Done, seen(false)],
    );
    assert_eq!(asked[1], deactivate("plink_new", 1));
    let Next::End(Ending::PaidMeanwhile { verdict, .. }) = &asked[3] else {
        panic!("{asked:?}");
    };
    assert_eq!(*verdict, Verdict::PaidUnrecorded);
}

#[test]
fn a_key_that_stripe_answers_with_a_saved_failure_is_looked_for_and_never_sent_again() {
    let (row, old) = stored(expired());
    let asked = run(
        left_minting(&row),
        vec![
            YOUNG,
            look(row.clone(), Some(old), vec![]),
            Observed::KeySpent("500".to_owned()),
            Observed::Sought(None),
            Observed::Refused("no".to_owned()),
        ],
    );
    assert_eq!(
        asked[1..4],
        [
            Next::Mint { attempt: 1 },
            Next::Seek,
            Next::Mint { attempt: 2 }
        ]
    );
    assert!(matches!(&asked[4], Next::End(Ending::Refused { .. })));
}

#[test]
fn a_publication_that_was_only_intended_is_preceded_by_a_look_and_a_stored_one_is_confirmed() {
    let (row, old) = stored(expired());
    let mut operation = left_minting(&row);
    operation.minted = Some(new_link());
    operation.state = State::Publishing;
    let fresh = look(
        row.clone(),
        Some(old.clone()),
        vec![ours("plink_new", true)],
    );
    let asked = run(operation.clone(), vec![YOUNG, fresh]);
    assert_eq!(asked, [Next::Look, publish_new()]);

    // The journal lost the last step, the row did not: our own link in it is no lost race.
    let stored = look(
        order(ORDER, Some("plink_new")),
        Some(ours("plink_new", true)),
        vec![old],
    );
    let asked = run(operation, vec![YOUNG, stored]);
    let replaced = Ending::Replaced {
        link: new_link(),
        unconfirmed: None,
    };
    assert_eq!(asked, [Next::Look, Next::End(replaced)]);
}

#[test]
fn what_was_to_be_closed_is_closed_by_whoever_takes_over_and_ends_as_it_was_meant_to() {
    let (row, old) = stored(expired());
    let mut operation = begin(&row);
    operation.has_written = true;
    let ending = Ending::PaidMeanwhile {
        verdict: Verdict::Processing,
        reason: Reason::Recorded("cs_old is on its way".to_owned()),
    };
    operation.state = State::Retiring {
        targets: vec![CheckoutReference::classify("plink_new")],
        queue: vec![],
        then: Then::End(ending.clone()),
    };
    let seen = |active| {
        look(
            row.clone(),
            Some(old.clone()),
            vec![ours("plink_new", active)],
        )
    };
    let asked = run(
        operation,
        vec![OLD, seen(true), Observed::Done, seen(false)],
    );
    assert_eq!(
        asked,
        [
            Next::Look,
            deactivate("plink_new", 1),
            Next::Look,
            Next::End(ending)
        ]
    );
}

#[test]
fn whoever_lost_the_lease_touches_nothing_more_wherever_it_stands() {
    let (row, _) = stored(expired());
    let mut retiring = begin(&row);
    retiring.state = State::Retiring {
        targets: vec![],
        queue: vec![Write::Deactivate(LinkId::parse("plink_old").unwrap())],
        then: Then::Mint,
    };
    let mut examining = left_minting(&row);
    examining.minted = Some(new_link());
    examining.state = State::Examining;
    for operation in [begin(&row), retiring, left_minting(&row), examining] {
        let (ended, next) = step(operation, Observed::Fenced);
        assert_eq!(next, Next::End(Ending::Fenced));
        assert_eq!(ended.disposition(&Ending::Fenced), Disposition::NotOurs);
    }
}

#[test]
fn doubt_is_left_open_only_once_something_was_sent() {
    let (row, _) = stored(expired());
    let unknown = Ending::Unknown {
        what: "reading the order".to_owned(),
        why: "timeout".to_owned(),
    };
    assert_eq!(begin(&row).disposition(&unknown), Disposition::Closed);
    assert_eq!(
        left_minting(&row).disposition(&unknown),
        Disposition::LeftOpen
    );
}

#[test]
fn an_object_that_the_row_came_to_hold_meanwhile_is_not_retired_as_a_second_one() {
    let own = family("plink_own", ORDER, true, vec![]);
    let row = order(ORDER, Some("plink_own"));
    let second = StripeObject::Link(family("plink_two", ORDER, true, vec![]));
    let mut operation = begin(&row);
    operation.task = Task::Retire;
    operation.has_written = true;
    operation.state = State::Retiring {
        targets: vec![CheckoutReference::classify("plink_two")],
        queue: vec![],
        then: Then::End(Ending::Retired),
    };
    let now_held = look(
        order(ORDER, Some("plink_two")),
        Some(second),
        vec![StripeObject::Link(own)],
    );
    let asked = run(operation, vec![YOUNG, now_held]);
    assert_eq!(asked, [Next::Look, Next::End(Ending::LostRace)]);
}

#[test]
fn of_two_links_that_carry_the_key_the_active_one_is_adopted() {
    let (row, old) = stored(expired());
    let seen = look(
        row.clone(),
        Some(old),
        vec![ours("plink_before", false), ours("plink_new", true)],
    );
    let asked = run(left_minting(&row), vec![YOUNG, seen]);
    assert_eq!(asked, [Next::Look, publish_new()]);
}

#[test]
fn an_intended_mint_is_the_one_of_its_attempt_and_of_no_other() {
    let (row, _) = stored(expired());
    let mut operation = left_minting(&row);
    let body = |mint: Option<&Mint>| mint.map(|mint| mint.write.body.clone());
    assert_eq!(body(operation.intended(1)), Some("x=1".to_owned()));
    assert_eq!(body(operation.intended(2)), None);
    operation.attempt = 2;
    assert_eq!(body(operation.intended(2)), None);
}

#[test]
fn in_doubt_and_before_publishing_only_a_current_reading_counts() {
    let (row, _) = stored(expired());
    let mut operation = begin(&row);
    assert!(!operation.needs_current_index());
    operation.state = State::Doubting;
    assert!(operation.needs_current_index());
    operation.state = State::Examining;
    operation.minted = Some(new_link());
    assert!(operation.needs_current_index());
}

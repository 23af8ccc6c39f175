//! What a look shows and what it does not: the protocol's eyes, case by case. Whatever is mistaken here closes the
//! wrong object, or publishes over one that can be paid.

use relink::domain::*;
use relink::saga::*;

use crate::saga_steps::{
    ORDER, begin, deactivate, expire, expired, look, new_family, new_link, run, stored,
};
use crate::support::facts::*;

fn link(id: &str, active: bool) -> StripeObject {
    StripeObject::Link(family(id, ORDER, active, vec![]))
}

/// What is asked for once the new link was minted and the look shows these objects besides the old one.
fn after_the_mint(others: Vec<StripeObject>) -> Next {
    let (row, old) = stored(expired());
    let mut asked = run(
        begin(&row),
        vec![
            Observed::Claimed,
            look(row.clone(), Some(old.clone()), vec![]),
            Observed::Minted(new_link()),
            look(row.clone(), Some(old), others),
        ],
    );
    asked.remove(3)
}

#[test]
fn a_link_whose_sessions_were_not_all_listed_is_never_called_closed() {
    let mut half_read = family("plink_named", ORDER, false, vec![]);
    half_read.sessions = Listing::Unfinished("page 2: timeout".to_owned());
    let (row, _) = stored(expired());
    let mut operation = begin(&row);
    operation.order = None;
    operation.task = Task::RetireObjects(vec![CheckoutReference::classify("plink_named")]);
    let seen = Observed::Looked(Box::new(Look {
        decision: None,
        objects: vec![StripeObject::Link(half_read)],
    }));
    let asked = run(operation, vec![Observed::Claimed, seen]);
    let Next::End(Ending::Unknown { why, .. }) = &asked[1] else {
        panic!("{asked:?}");
    };
    assert_eq!(why, "a listing did not finish: page 2: timeout");
}

/// No order says what it means for an object that is closed by its id alone.
#[test]
fn an_object_of_unknown_status_is_never_called_closed() {
    let named = CheckoutReference::classify("cs_named");
    let expected = Expected {
        reference: None,
        amount: None,
    };
    let operation = Operation::new(None, Task::RetireObjects(vec![named]), expected);
    let seen = |state| {
        Observed::Looked(Box::new(Look {
            decision: None,
            objects: vec![StripeObject::Session(session("cs_named", ORDER, state))],
        }))
    };
    let paused = SessionState::Unknown("paused".to_owned());
    let asked = run(
        operation,
        vec![
            Observed::Claimed,
            seen(SessionState::Open),
            Observed::Done,
            seen(paused),
        ],
    );
    let why = "could not be read: cs_named has the unknown status `paused`".to_owned();
    let what = "proving that nothing is payable".to_owned();
    assert_eq!(
        asked,
        [
            Next::Look,
            expire("cs_named", 1),
            Next::Look,
            Next::End(Ending::Unknown { what, why })
        ]
    );
}

#[test]
fn what_names_another_order_by_now_is_no_part_of_an_order_whose_row_is_gone() {
    let own = link("plink_own", true);
    let others = StripeObject::Link(family("plink_other", ORDER + 1, true, vec![]));
    let look = Look::without_row(OrderId(ORDER), vec![others, own.clone()]);
    assert_eq!(look.objects, [own]);
}

#[test]
fn the_new_link_is_told_from_the_other_links_of_the_order() {
    let next = after_the_mint(vec![link("plink_before", false), new_family(true)]);
    assert_eq!(next, Next::Publish(new_link()));
}

#[test]
fn a_payer_at_the_new_link_hides_no_other_object_that_can_be_paid() {
    let visit = StripeObject::Session(Session {
        link: Some(new_link().id),
        ..session("cs_visit", ORDER, SessionState::Open)
    });
    let alone = after_the_mint(vec![new_family(true), visit.clone()]);
    assert_eq!(alone, Next::Publish(new_link()));
    let beside = after_the_mint(vec![new_family(true), visit, link("plink_app", true)]);
    assert_eq!(beside, deactivate("plink_app", 1));
}

#[test]
fn what_turned_up_while_the_old_object_was_closed_is_closed_before_the_mint() {
    let open = StripeObject::Session(session("cs_old", ORDER, SessionState::Open));
    let (row, open) = stored(open);
    let mut operation = begin(&row);
    operation.state = State::Retiring {
        targets: vec![CheckoutReference::classify("cs_old")],
        queue: vec![],
        then: Then::Mint,
    };
    let seen = |held: StripeObject, others| look(row.clone(), Some(held), others);
    let asked = run(
        operation,
        vec![
            seen(open, vec![]),
            Observed::Done,
            seen(expired(), vec![link("plink_late", true)]),
            Observed::Done,
            seen(expired(), vec![link("plink_late", false)]),
        ],
    );
    assert_eq!(
        asked,
        [
            expire("cs_old", 1),
            Next::Look,
            deactivate("plink_late", 2),
            Next::Look,
            Next::Mint { attempt: 1 }
        ]
    );
}

#[test]
fn the_next_attempt_forgets_the_link_of_the_one_before() {
    let (row, old) = stored(expired());
    let mut operation = begin(&row);
    for observed in [
        Observed::Claimed,
        look(row.clone(), Some(old.clone()), vec![]),
        Observed::Minted(new_link()),
        look(row.clone(), Some(old), vec![new_family(false)]),
    ] {
        operation = step(operation, observed).0;
    }
    assert_eq!((operation.attempt, operation.minted), (2, None));
}

#[test]
fn a_target_that_dropped_out_of_sight_proves_nothing() {
    let row = order(ORDER, Some("cs_old"));
    let duplicate = StripeObject::Link(family("plink_two", ORDER, true, vec![]));
    let asked = run(
        begin(&row),
        vec![
            Observed::Claimed,
            look(row.clone(), Some(expired()), vec![duplicate]),
            Observed::Done,
            look(row.clone(), Some(expired()), vec![]),
        ],
    );
    assert!(
        matches!(&asked[3], Next::End(Ending::Unknown { .. })),
        "{asked:?}"
    );
}

#[test]
fn what_stays_live_is_given_up_after_some_rounds() {
    let (row, open) = stored(StripeObject::Session(session(
        "cs_old",
        ORDER,
        SessionState::Open,
    )));
    let mut observations = vec![Observed::Claimed];
    for _ in 0..10 {
        observations.push(look(row.clone(), Some(open.clone()), vec![]));
        observations.push(Observed::Done);
    }
    let asked = run(begin(&row), observations);
    assert!(
        asked
            .iter()
            .any(|next| matches!(next, Next::End(Ending::StillLive(_)))),
        "{asked:?}"
    );
    assert!(!asked.iter().any(|next| matches!(next, Next::Mint { .. })));
}

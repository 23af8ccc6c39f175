//! The protocol while the world moves: rows that are edited, payments and objects that turn up between the
//! approval, the mint and the publication.

use relink::domain::*;
use relink::saga::*;

use crate::saga_steps::{
    ORDER, begin, deactivate, expire, expired, look, new_family, new_link, run, stored,
};
use crate::support::facts::*;

#[test]
fn once_what_turned_up_late_is_closed_the_same_link_is_looked_at_again_and_published() {
    let (row, old) = stored(expired());
    let other = |active| StripeObject::Link(family("plink_app", ORDER, active, vec![]));
    let seen = |others| look(row.clone(), Some(old.clone()), others);
    let asked = run(
        begin(&row),
        vec![
            Observed::Claimed,
            seen(vec![]),
            Observed::Minted(new_link()),
            seen(vec![new_family(true), other(true)]),
            Observed::Done,
            seen(vec![new_family(true), other(false)]),
            seen(vec![new_family(true), other(false)]),
        ],
    );
    assert_eq!(
        asked[3..],
        [
            deactivate("plink_app", 1),
            Next::Look,
            Next::Look,
            Next::Publish(new_link()),
        ]
    );
}

/// A process that was cut off may still send the request that it journaled: what was approved to go is never
/// counted on again, although the row still names it.
#[test]
fn the_approved_object_goes_even_when_only_the_amount_was_edited_meanwhile() {
    let open = StripeObject::Session(session("cs_old", ORDER, SessionState::Open));
    let (row, open) = stored(open);
    let edited = Order {
        amount: Some(usd(9900)),
        ..row.clone()
    };
    let asked = run(
        begin(&row),
        vec![
            Observed::Claimed,
            look(row.clone(), Some(open.clone()), vec![]),
            Observed::Unavailable("it did not get through".to_owned()),
            look(edited.clone(), Some(open), vec![]),
            Observed::Done,
            look(edited, Some(expired()), vec![]),
        ],
    );
    assert_eq!(
        asked[1..],
        [
            expire("cs_old", 1),
            Next::Look,
            expire("cs_old", 2),
            Next::Look,
            Next::End(Ending::LostRace),
        ]
    );
}

#[test]
fn a_recovery_url_that_turned_up_late_is_not_brought_to_life_by_expiring_its_session() {
    let (row, old) = stored(expired());
    let late = StripeObject::Session(Session {
        recovery: Some(Recovery { expires_at: None }),
        ..session("cs_late", ORDER, SessionState::Open)
    });
    let asked = run(
        begin(&row),
        vec![
            Observed::Claimed,
            look(row.clone(), Some(old.clone()), vec![]),
            Observed::Minted(new_link()),
            look(row.clone(), Some(old), vec![new_family(true), late]),
        ],
    );
    assert_eq!(asked[3], deactivate("plink_new", 0));
}

#[test]
fn nothing_is_published_while_another_object_is_payable() {
    let (row, old) = stored(expired());
    let other = StripeObject::Link(family("plink_app", ORDER, true, vec![]));
    let asked = run(
        begin(&row),
        vec![
            Observed::Claimed,
            look(row.clone(), Some(old.clone()), vec![]),
            Observed::Minted(new_link()),
            look(row.clone(), Some(old), vec![new_family(true), other]),
        ],
    );
    assert_eq!(asked[3], deactivate("plink_app", 1));
}

#[test]
fn when_the_row_moved_before_or_at_publication_only_our_own_link_is_closed() {
    let (row, old) = stored(expired());
    let app = StripeObject::Link(family("plink_app", ORDER, true, vec![]));
    let moved = order(ORDER, Some("plink_app"));
    let before = run(
        begin(&row),
        vec![
            Observed::Claimed,
            look(row.clone(), Some(old.clone()), vec![]),
            Observed::Minted(new_link()),
            look(moved.clone(), Some(app.clone()), vec![new_family(true)]),
            Observed::Done,
            look(moved.clone(), Some(app.clone()), vec![new_family(false)]),
        ],
    );
    assert_eq!(
        before[3..],
        [
            deactivate("plink_new", 0),
            Next::Look,
            Next::End(Ending::LostRace)
        ]
    );

    let at = run(
        begin(&row),
        vec![
            Observed::Claimed,
            look(row.clone(), Some(old.clone()), vec![]),
            Observed::Minted(new_link()),
            look(row.clone(), Some(old), vec![new_family(true)]),
            Observed::RowMoved,
            Observed::Done,
            look(moved, Some(app), vec![new_family(false)]),
        ],
    );
    assert_eq!(
        at[4..],
        [
            deactivate("plink_new", 0),
            Next::Look,
            Next::End(Ending::LostRace)
        ]
    );
}

#[test]
fn an_old_object_found_paid_after_the_publication_takes_the_new_link_down() {
    let (row, old) = stored(expired());
    let paid_copy = StripeObject::Session(Session {
        recovered_from: Some(SessionId::parse("cs_old").unwrap()),
        ..session("cs_copy", ORDER, paid("pi_9"))
    });
    let asked = run(
        begin(&row),
        vec![
            Observed::Claimed,
            look(row.clone(), Some(old.clone()), vec![]),
            Observed::Minted(new_link()),
            look(row.clone(), Some(old), vec![new_family(true)]),
            Observed::Published,
            look(
                order(ORDER, Some("plink_new")),
                Some(new_family(true)),
                vec![expired(), paid_copy],
            ),
        ],
    );
    assert_eq!(asked[5], deactivate("plink_new", 0));
}

#[test]
fn an_order_settled_while_its_old_session_was_retired_gets_no_new_link() {
    let (row, open) = stored(StripeObject::Session(session(
        "cs_old",
        ORDER,
        SessionState::Open,
    )));
    let canceled = Order {
        status: OrderStatus::Canceled,
        ..row.clone()
    };
    let asked = run(
        begin(&row),
        vec![
            Observed::Claimed,
            look(row.clone(), Some(open), vec![]),
            Observed::Done,
            look(canceled, Some(expired()), vec![]),
        ],
    );
    assert!(
        matches!(&asked[3], Next::End(Ending::Moved { .. })),
        "{asked:?}"
    );
}

#[test]
fn facts_that_moved_since_the_approval_end_the_order_before_anything_is_written() {
    let (row, _) = stored(expired());
    let paid_now = StripeObject::Session(session("cs_old", ORDER, paid("pi_1")));
    let edited = Order {
        amount: Some(usd(9900)),
        ..row.clone()
    };
    for moved in [
        look(row.clone(), Some(paid_now), vec![]),
        look(edited, Some(expired()), vec![]),
        look(order(ORDER, Some("cs_other")), None, vec![]),
    ] {
        let asked = run(begin(&row), vec![Observed::Claimed, moved]);
        assert!(
            matches!(&asked[1], Next::End(Ending::Moved { .. })),
            "{asked:?}"
        );
    }
}

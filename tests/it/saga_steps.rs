//! The protocol step by step, without a server: what it asks for next, given what it just saw.

use relink::domain::*;
use relink::plan::{Goal, Moment, Policy, Verdict};
use relink::saga::*;

use crate::support::facts::*;

pub const ORDER: i64 = 42;

pub fn look(order: Order, stored: Option<StripeObject>, others: Vec<StripeObject>) -> Observed {
    let moment = Moment {
        taken_at: Timestamp(NOW),
        witness: Witness::Absent,
    };
    let facts = facts(order, stored, others);
    Observed::Looked(Box::new(Look::at_order(
        &facts,
        moment,
        &Policy::new(Goal::Regen),
    )))
}

pub fn begin(order: &Order) -> Operation {
    let expected = Expected {
        reference: order.reference.clone(),
        amount: order.amount,
    };
    Operation::new(Some(order.id), Task::Replace, expected)
}

/// Feeds the observations one after the other; returns what was asked for after each.
pub fn run(mut operation: Operation, observations: Vec<Observed>) -> Vec<Next> {
    let mut asked = Vec::new();
    for observed in observations {
        let (moved, next) = step(operation, observed);
        operation = moved;
        asked.push(next);
    }
    asked
}

pub fn expired() -> StripeObject {
    StripeObject::Session(session("cs_old", ORDER, SessionState::Expired))
}

pub fn new_link() -> Minted {
    Minted {
        id: LinkId::parse("plink_new").unwrap(),
        url: "https://buy.stripe.com/plink_new".to_owned(),
    }
}

pub fn new_family(active: bool) -> StripeObject {
    StripeObject::Link(family("plink_new", ORDER, active, vec![]))
}

pub fn deactivate(id: &str, round: u32) -> Next {
    let write = Write::Deactivate(LinkId::parse(id).unwrap());
    Next::Send { write, round }
}

pub fn expire(id: &str, round: u32) -> Next {
    let write = Write::Expire(SessionId::parse(id).unwrap());
    Next::Send { write, round }
}

pub fn stored(object: StripeObject) -> (Order, StripeObject) {
    (order(ORDER, Some(object.reference().as_str())), object)
}

#[test]
fn behind_an_expired_session_a_link_is_minted_examined_published_and_confirmed() {
    let (row, old) = stored(expired());
    let seen = |others| look(row.clone(), Some(old.clone()), others);
    let published = order(ORDER, Some("plink_new"));
    let asked = run(
        begin(&row),
        vec![
            Observed::Claimed,
            seen(vec![]),
            Observed::Minted(new_link()),
            seen(vec![new_family(true)]),
            Observed::Published,
            look(published, Some(new_family(true)), vec![expired()]),
        ],
    );
    let done = Ending::Replaced {
        link: new_link(),
        unconfirmed: None,
    };
    assert_eq!(
        asked,
        [
            Next::Look,
            Next::Mint { attempt: 1 },
            Next::Look,
            Next::Publish(new_link()),
            Next::Look,
            Next::End(done),
        ]
    );
}

/// Published, and about to be confirmed.
fn published(row: &Order) -> Operation {
    Operation {
        state: State::Confirming,
        has_written: true,
        minted: Some(new_link()),
        ..begin(row)
    }
}

#[test]
fn a_link_that_the_row_does_not_name_any_more_after_its_publication_is_closed_at_once() {
    let (row, old) = stored(expired());
    let moved = order(ORDER, Some("cs_app"));
    let app = || StripeObject::Session(session("cs_app", ORDER, SessionState::Open));
    let seen = |active| {
        look(
            moved.clone(),
            Some(app()),
            vec![old.clone(), new_family(active)],
        )
    };
    let asked = run(
        published(&row),
        vec![seen(true), Observed::Done, seen(false)],
    );
    assert_eq!(
        asked,
        [
            deactivate("plink_new", 0),
            Next::Look,
            Next::End(Ending::LostRace)
        ]
    );
}

#[test]
fn a_link_that_somebody_closed_right_after_its_publication_is_not_called_a_replacement() {
    let (row, old) = stored(expired());
    let stranded = order(ORDER, Some("plink_new"));
    let seen = look(stranded, Some(new_family(false)), vec![old]);
    let asked = run(published(&row), vec![seen]);
    assert!(
        matches!(
            &asked[..],
            [Next::End(Ending::Moved {
                verdict: Verdict::Dead,
                ..
            })]
        ),
        "{asked:?}"
    );
}

#[test]
fn an_object_that_stripe_does_not_know_any_more_ends_the_operation_and_closes_its_unstored_link() {
    let (row, _) = stored(expired());
    let missing = || Observed::Missing(CheckoutReference::classify("cs_old"));
    let examining = Operation {
        state: State::Examining,
        watched: ["cs_old", "plink_new"]
            .map(CheckoutReference::classify)
            .into(),
        ..published(&row)
    };
    let refused = |what: &str| {
        Next::End(Ending::Refused {
            what: what.to_owned(),
            why: "Stripe says that cs_old does not exist".to_owned(),
        })
    };
    let closed = look(row.clone(), None, vec![new_family(false)]);
    let asked = run(
        examining,
        vec![missing(), Observed::Done, missing(), closed],
    );
    assert_eq!(
        asked,
        [
            deactivate("plink_new", 0),
            Next::Look,
            Next::Look,
            refused("looking before publishing")
        ]
    );
    // What is published stays: nothing of it is a secret any more.
    assert_eq!(
        run(published(&row), vec![missing()]),
        [refused("confirming")]
    );
}

/// A 404 is no proof that something is closed, and no reason to leave the rest open.
#[test]
fn what_is_gone_at_stripe_is_not_called_retired_and_the_rest_is_closed_all_the_same() {
    let order = order(ORDER, Some("plink_old"));
    let (gone, other) = ("plink_old", "plink_two");
    let objects = [gone, other].map(CheckoutReference::classify);
    let expected = Expected {
        reference: order.reference.clone(),
        amount: order.amount,
    };
    let mut operation = Operation::new(Some(order.id), Task::Withdraw, expected);
    operation.state = State::Retiring {
        targets: objects.to_vec(),
        queue: vec![],
        then: Then::End(Ending::Retired),
    };
    operation.watched.extend(objects);
    let seen = |active| {
        let other = StripeObject::Link(family(other, ORDER, active, vec![]));
        look(order.clone(), None, vec![other])
    };
    let asked = run(
        operation,
        vec![
            Observed::Missing(CheckoutReference::classify(gone)),
            seen(true),
            Observed::Done,
            seen(false),
        ],
    );
    let (what, why) = (
        "retiring the old object".to_owned(),
        "Stripe says that plink_old does not exist".to_owned(),
    );
    assert_eq!(
        asked,
        [
            Next::Look,
            deactivate("plink_two", 1),
            Next::Look,
            Next::End(Ending::Refused { what, why })
        ]
    );
}

#[test]
fn a_link_is_switched_off_before_its_sessions_are_listed_and_expired_and_proved_dead_before_the_mint()
 {
    let open = session("cs_tab", ORDER, SessionState::Open);
    let closed = session("cs_tab", ORDER, SessionState::Expired);
    let link = |active, sessions| StripeObject::Link(family("plink_old", ORDER, active, sessions));
    let row = order(ORDER, Some("plink_old"));
    let dying = link(false, vec![open.clone()]);
    let asked = run(
        begin(&row),
        vec![
            Observed::Claimed,
            look(row.clone(), Some(dying), vec![]),
            Observed::Done,
            look(row.clone(), Some(link(false, vec![closed])), vec![]),
        ],
    );
    assert_eq!(
        asked,
        [
            Next::Look,
            expire("cs_tab", 1),
            Next::Look,
            Next::Mint { attempt: 1 }
        ]
    );

    let duplicate = StripeObject::Link(family("plink_two", ORDER, true, vec![open]));
    let row = order(ORDER, Some("cs_old"));
    let off = StripeObject::Link(family(
        "plink_two",
        ORDER,
        false,
        vec![session("cs_tab", ORDER, SessionState::Open)],
    ));
    let asked = run(
        begin(&row),
        vec![
            Observed::Claimed,
            look(row.clone(), Some(expired()), vec![duplicate]),
            Observed::Done,
            look(row.clone(), Some(expired()), vec![off]),
        ],
    );
    assert_eq!(
        asked[1..],
        [deactivate("plink_two", 1), Next::Look, expire("cs_tab", 2)]
    );
}

#[test]
fn a_refused_expiry_is_never_believed_the_session_is_read_again() {
    let (row, open) = stored(StripeObject::Session(session(
        "cs_old",
        ORDER,
        SessionState::Open,
    )));
    let paid_now = StripeObject::Session(session("cs_old", ORDER, paid("pi_1")));
    let asked = run(
        begin(&row),
        vec![
            Observed::Claimed,
            look(row.clone(), Some(open), vec![]),
            Observed::Refused("only open sessions can be expired".to_owned()),
            look(row.clone(), Some(paid_now), vec![]),
        ],
    );
    assert_eq!(asked[1..3], [expire("cs_old", 1), Next::Look]);
    assert!(
        matches!(
            &asked[3],
            Next::End(Ending::PaidMeanwhile {
                verdict: Verdict::PaidUnrecorded,
                ..
            })
        ),
        "{asked:?}"
    );
}

#[test]
fn a_payment_on_its_way_stops_the_mint_too() {
    let (row, open) = stored(StripeObject::Session(session(
        "cs_old",
        ORDER,
        SessionState::Open,
    )));
    let on_its_way = StripeObject::Session(session("cs_old", ORDER, SessionState::Processing));
    let asked = run(
        begin(&row),
        vec![
            Observed::Claimed,
            look(row.clone(), Some(open), vec![]),
            Observed::Done,
            look(row.clone(), Some(on_its_way), vec![]),
        ],
    );
    assert!(
        matches!(
            &asked[3],
            Next::End(Ending::PaidMeanwhile {
                verdict: Verdict::Processing,
                ..
            })
        ),
        "{asked:?}"
    );
}

#[test]
fn an_unknown_outcome_stops_the_order_at_once() {
    let (row, open) = stored(StripeObject::Session(session(
        "cs_old",
        ORDER,
        SessionState::Open,
    )));
    let begun = || {
        vec![
            Observed::Claimed,
            look(row.clone(), Some(open.clone()), vec![]),
        ]
    };
    let mut retiring = begun();
    retiring.push(Observed::Unknown("timeout".to_owned()));
    let asked = run(begin(&row), retiring);
    assert!(
        matches!(&asked[2], Next::End(Ending::Unknown { .. })),
        "{asked:?}"
    );

    let (row, old) = stored(expired());
    let asked = run(
        begin(&row),
        vec![
            Observed::Claimed,
            look(row.clone(), Some(old), vec![]),
            Observed::Unknown("timeout".to_owned()),
        ],
    );
    assert!(
        matches!(&asked[2], Next::End(Ending::Unknown { .. })),
        "{asked:?}"
    );
}

#[test]
fn the_replay_of_a_link_that_was_closed_since_is_not_published_the_next_attempt_is_taken() {
    let (row, old) = stored(expired());
    let asked = run(
        begin(&row),
        vec![
            Observed::Claimed,
            look(row.clone(), Some(old.clone()), vec![]),
            Observed::Minted(new_link()),
            look(row.clone(), Some(old), vec![new_family(false)]),
        ],
    );
    assert_eq!(asked[3], Next::Mint { attempt: 2 });
}

#[test]
fn a_new_link_that_the_look_does_not_show_is_not_published() {
    let (row, old) = stored(expired());
    let asked = run(
        begin(&row),
        vec![
            Observed::Claimed,
            look(row.clone(), Some(old.clone()), vec![]),
            Observed::Minted(new_link()),
            look(row.clone(), Some(old), vec![]),
        ],
    );
    assert!(
        matches!(&asked[3], Next::End(Ending::Unknown { .. })),
        "{asked:?}"
    );
}

#[test]
fn a_new_link_with_other_terms_is_taken_down_again() {
    let (row, old) = stored(expired());
    let mut odd = family("plink_new", ORDER, true, vec![]);
    odd.link.amount = Some(usd(100));
    let asked = run(
        begin(&row),
        vec![
            Observed::Claimed,
            look(row.clone(), Some(old.clone()), vec![]),
            Observed::Minted(new_link()),
            look(row.clone(), Some(old), vec![StripeObject::Link(odd)]),
        ],
    );
    assert_eq!(asked[3], deactivate("plink_new", 0));
}

#[test]
fn a_new_link_whose_url_the_row_cannot_hold_is_taken_down_again() {
    let (row, old) = stored(expired());
    let after_minting = |characters: usize| {
        let mut link = new_link();
        link.url = format!("{:a<characters$}", "https://");
        let mut asked = run(
            begin(&row),
            vec![
                Observed::Claimed,
                look(row.clone(), Some(old.clone()), vec![]),
                Observed::Minted(link.clone()),
                look(row.clone(), Some(old.clone()), vec![new_family(true)]),
            ],
        );
        (asked.remove(3), link)
    };
    let (next, link) = after_minting(500);
    assert_eq!(next, Next::Publish(link));
    assert_eq!(after_minting(501).0, deactivate("plink_new", 0));
}

/// Where the operation stands after the observations, and whether a doubt would leave it open.
fn doubt_after(operation: Operation, observations: Vec<Observed>) -> Disposition {
    let mut operation = operation;
    for observed in observations {
        operation = step(operation, observed).0;
    }
    let doubt = Ending::Unknown {
        what: "closing".to_owned(),
        why: "timeout".to_owned(),
    };
    operation.disposition(&doubt)
}

#[test]
fn an_operation_counts_as_begun_with_its_first_request_and_not_with_its_looks() {
    let (row, open) = stored(StripeObject::Session(session(
        "cs_old",
        ORDER,
        SessionState::Open,
    )));
    let seen = look(row.clone(), Some(open), vec![]);
    let claimed = vec![Observed::Claimed];
    assert_eq!(doubt_after(begin(&row), claimed), Disposition::Closed);
    let closing = vec![Observed::Claimed, seen];
    assert_eq!(doubt_after(begin(&row), closing), Disposition::LeftOpen);

    // A target that the look does not show is watched for: nothing was sent yet.
    let mut hidden = begin(&row);
    hidden.task = Task::RetireObjects(vec![CheckoutReference::classify("cs_hidden")]);
    let (row, old) = stored(expired());
    let looked = vec![
        Observed::Claimed,
        look(row.clone(), Some(old.clone()), vec![]),
    ];
    assert_eq!(doubt_after(hidden, looked), Disposition::Closed);

    let minting = vec![Observed::Claimed, look(row.clone(), Some(old), vec![])];
    assert_eq!(doubt_after(begin(&row), minting), Disposition::LeftOpen);
}

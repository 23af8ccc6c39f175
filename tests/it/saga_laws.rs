//! Laws of the protocol over arbitrary observations, also nonsensical ones: nothing is minted or published over
//! something payable or paid, and nothing is called retired that was not shown dead.

use proptest::prelude::*;
use relink::domain::*;
use relink::saga::*;

use crate::saga_steps::{ORDER, begin, look, new_link};
use crate::support::facts::*;

fn any_object() -> impl Strategy<Value = StripeObject> {
    let state = prop_oneof![
        Just(SessionState::Open),
        Just(SessionState::Expired),
        Just(paid("pi_1")),
        Just(SessionState::Processing),
        Just(SessionState::Failed),
    ];
    let link = (
        "plink_(old|new|two)",
        any::<bool>(),
        proptest::option::of(state.clone()),
    )
        .prop_map(|(id, active, tab)| {
            let tabs = tab
                .map(|state| session("cs_tab", ORDER, state))
                .into_iter()
                .collect();
            StripeObject::Link(family(&id, ORDER, active, tabs))
        });
    prop_oneof![
        state.prop_map(|s| StripeObject::Session(session("cs_old", ORDER, s))),
        link
    ]
}

fn any_observation() -> impl Strategy<Value = Observed> {
    let seen = (
        any_object(),
        proptest::collection::vec(any_object(), 0..3),
        any::<bool>(),
    )
        .prop_map(|(stored, others, moved)| {
            let reference = if moved { "cs_moved" } else { "cs_old" };
            look(order(ORDER, Some(reference)), Some(stored), others)
        });
    prop_oneof![
        6 => seen,
        1 => Just(Observed::Claimed),
        3 => Just(Observed::Done),
        2 => Just(Observed::Minted(new_link())),
        1 => Just(Observed::Refused("no".to_owned())),
        1 => Just(Observed::Unknown("timeout".to_owned())),
        1 => Just(Observed::Unread("timeout".to_owned())),
        1 => Just(Observed::Published),
        1 => Just(Observed::RowMoved),
    ]
}

/// What a look shows as payable, the new link aside.
fn payable(observed: &Observed) -> bool {
    let Observed::Looked(look) = observed else {
        return false;
    };
    look.objects
        .iter()
        .any(|object| object.is_live() && object.reference().as_str() != "plink_new")
}

fn taken(observed: &Observed) -> bool {
    let Observed::Looked(look) = observed else {
        return false;
    };
    let complete =
        |s: &Session| matches!(s.state, SessionState::Paid(_) | SessionState::Processing);
    look.objects
        .iter()
        .flat_map(StripeObject::sessions)
        .any(complete)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_observed_nothing_is_called_retired_that_the_last_look_did_not_show_dead(
        observations in proptest::collection::vec(any_observation(), 1..14)
    ) {
        let named = vec![CheckoutReference::classify("plink_two"), CheckoutReference::classify("cs_old")];
        let expected = Expected { reference: None, amount: None };
        let operation = Operation::new(None, Task::RetireObjects(named.clone()), expected);
        let (mut operation, _) = step(operation, Observed::Claimed);
        let mut last_look = None;
        for observed in observations {
            if let Observed::Looked(look) = &observed {
                last_look = Some(look.clone());
            }
            let (moved, next) = step(operation, observed);
            operation = moved;
            if matches!(next, Next::End(_)) && next != Next::End(Ending::Retired) {
                break;
            }
            if next == Next::End(Ending::Retired) {
                let look = last_look.as_ref().unwrap();
                for target in &named {
                    let shown = |o: &&StripeObject| o.reference() == *target;
                    let seen: Vec<_> = look.objects.iter().filter(shown).collect();
                    prop_assert!(!seen.is_empty() && seen.iter().all(|o| !o.is_live()), "{target} in {look:?}");
                }
                break;
            }
        }
    }

    #[test]
    fn whatever_is_observed_nothing_is_minted_or_published_over_something_payable_or_paid(
        observations in proptest::collection::vec(any_observation(), 1..14)
    ) {
        let row = order(ORDER, Some("cs_old"));
        let (mut operation, mut last_look) = (begin(&row), None);
        let mut ended = false;
        (operation, _) = step(operation, Observed::Claimed);
        for observed in observations {
            if matches!(observed, Observed::Looked(_)) {
                last_look = Some(observed.clone());
            }
            let (moved, next) = step(operation, observed);
            operation = moved;
            if ended {
                prop_assert!(matches!(next, Next::End(_)), "an ended operation went on: {next:?}");
            }
            ended = matches!(next, Next::End(_));
            if matches!(next, Next::Mint { .. } | Next::Publish(_)) {
                let look = last_look.as_ref().unwrap();
                prop_assert!(!payable(look), "{next:?} after {look:?}");
                prop_assert!(!taken(look), "{next:?} after {look:?}");
            }
        }
    }
}

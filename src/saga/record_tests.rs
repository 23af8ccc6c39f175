//! What the journal keeps of an operation, written and read back.

use std::collections::BTreeSet;

use super::*;
use crate::actions::IdempotencyKey;
use crate::saga::Write;

fn reference(text: &str) -> CheckoutReference {
    CheckoutReference::classify(text)
}

fn link() -> Minted {
    Minted {
        id: LinkId::parse("plink_new").unwrap_or_else(|e| panic!("{e}")),
        url: "https://buy.stripe.com/new".to_owned(),
    }
}

fn operation(state: State) -> Operation {
    Operation {
        order: Some(OrderId(7)),
        task: Task::Replace,
        expected: Expected {
            reference: Some(reference("cs_old")),
            amount: Some(Money::new(5500, Currency::USD)),
        },
        state,
        attempt: 3,
        rounds: 2,
        retired: vec![reference("cs_old")],
        minted: Some(link()),
        mint: Some(Intended {
            attempt: 3,
            mint: Mint {
                write: StripeWrite {
                    path: "/v1/payment_links".to_owned(),
                    body: "metadata[order_id]=7&name=%C3%A9".to_owned(),
                    key: IdempotencyKey::parse("abc").unwrap_or_else(|e| panic!("{e}")),
                    api_version: "2025-07-30.basil".to_owned(),
                },
                relink_key: "ab".to_owned(),
            },
        }),
        key_is_old: false,
        has_spent_key: false,
        has_written: true,
        watched: BTreeSet::from([reference("cs_old"), reference("plink_new")]),
    }
}

fn endings() -> Vec<Ending> {
    let (what, why) = ("minting a link".to_owned(), "no".to_owned());
    let reason = Reason::Recorded("cs_x is paid, the order is not".to_owned());
    vec![
        Ending::Replaced {
            link: link(),
            unconfirmed: Some("timeout".to_owned()),
        },
        Ending::Retired,
        Ending::Moved {
            verdict: Verdict::Settled,
            reason: reason.clone(),
        },
        Ending::PaidMeanwhile {
            verdict: Verdict::PaidUnrecorded,
            reason,
        },
        Ending::LostRace,
        Ending::StillLive(vec![reference("plink_x")]),
        Ending::Refused {
            what: what.clone(),
            why: why.clone(),
        },
        Ending::Unavailable {
            what: what.clone(),
            why: why.clone(),
        },
        Ending::Interrupted { what: what.clone() },
        Ending::Unknown { what, why },
        Ending::Fenced,
    ]
}

#[test]
fn what_is_written_down_is_read_back_as_it_was() {
    let targets = vec![reference("plink_old"), reference("cs_tab")];
    let closing = |ending| State::Retiring {
        targets: targets.clone(),
        queue: Vec::new(),
        then: Then::End(ending),
    };
    let states = [
        State::Claimed,
        State::Retiring {
            targets: targets.clone(),
            queue: Vec::new(),
            then: Then::Mint,
        },
        State::Minting,
        State::Examining,
        State::Publishing,
        State::Confirming,
    ];
    let ended = endings().into_iter().map(State::Ended);
    let closed = endings().into_iter().map(closing);
    for state in states.into_iter().chain(closed).chain(ended) {
        let written = operation(state);
        assert_eq!(Operation::from_record(&written.record()), Ok(written));
    }
    for task in [
        Task::Mint,
        Task::Retire,
        Task::Withdraw,
        Task::RetireObjects(vec![reference("plink_a")]),
    ] {
        let written = Operation::new(
            None,
            task,
            Expected {
                reference: None,
                amount: None,
            },
        );
        assert_eq!(Operation::from_record(&written.record()), Ok(written));
    }
}

#[test]
fn requests_still_queued_are_forgotten_and_doubt_is_minting_again() {
    let queue = vec![Write::Deactivate(link().id)];
    let queued = operation(State::Retiring {
        targets: vec![reference("plink_new")],
        queue,
        then: Then::Mint,
    });
    let read = Operation::from_record(&queued.record()).unwrap_or_else(|e| panic!("{e}"));
    assert!(matches!(read.state, State::Retiring { queue, .. } if queue.is_empty()));
    for state in [State::Doubting, State::Seeking] {
        let read = Operation::from_record(&operation(state).record());
        assert_eq!(read.map(|o| o.state), Ok(State::Minting));
    }
}

#[test]
fn a_document_that_cannot_be_understood_says_why() {
    let newer = operation(State::Claimed)
        .record()
        .replacen("\"version\":1", "\"version\":9", 1);
    let said =
        |text: &str| Operation::from_record(text).map_or_else(|e| e.to_string(), |_| String::new());
    assert!(
        said(&newer).contains("its version is 9"),
        "{}",
        said(&newer)
    );
    assert!(said("{}").contains("missing field"), "{}", said("{}"));
    let odd = operation(State::Claimed)
        .record()
        .replacen("\"usd\"", "\"doubloon\"", 1);
    assert!(said(&odd).contains("doubloon"), "{}", said(&odd));
}

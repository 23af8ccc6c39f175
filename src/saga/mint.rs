//! Minting, adopting what was minted, and the looks before and after the publication.
//!
//! The mint's answer may be the replay of an older one: only a reading of the link is believed. A key that
//! could mint twice is never sent again, and no link is stored that a look did not show as it was asked for.

use super::look::{Look, find_family, find_minted, live, money_taken, over, row_moved, unread};
use super::operation::{Ending, Minted, Operation, State, Then};
use super::retire::{give_up_own_link, live_besides_minted, own_link, prove};
use super::step::{Next, end};
use crate::plan::{Verdict, is_good_link};

/// A minted link that is already inactive is the replay of an older mint: the next attempt has another key.
/// As many older ones as this are passed by one operation that knows nothing of them.
const MAX_ATTEMPTS: u32 = 100;
/// Characters that the row's column for the URL holds.
const LONGEST_URL: usize = 500;
/// Seconds. Stripe may forget a key once it is 24 hours old (docs.stripe.com/api/idempotent_requests); sent again
/// after that, it would mint again.
pub const OLDEST_KEY: i64 = 23 * 3600;

/// Another process began this. Everything is read anew before anything is sent: what it saw is history. Only
/// a publication needs no memory: had it happened, the same transaction would have moved the state on.
pub(super) fn take_over(operation: Operation, mint_age: Option<i64>) -> (Operation, Next) {
    let state = match operation.state {
        State::Retiring { targets, then, .. } => State::Retiring {
            targets,
            queue: Vec::new(),
            then,
        },
        State::Minting | State::Doubting | State::Seeking => State::Doubting,
        State::Publishing => State::Examining,
        state @ (State::Claimed | State::Examining | State::Confirming | State::Ended(_)) => state,
    };
    let operation = Operation {
        state,
        key_is_old: mint_age.is_some_and(|seconds| seconds >= OLDEST_KEY),
        has_spent_key: false,
        ..operation
    };
    match operation.state.clone() {
        State::Ended(ending) => (operation, Next::End(ending)),
        _ => (operation, Next::Look),
    }
}

/// A mint was intended, and whether it happened is not known. A link that carries its key answers that; else
/// the order must still be as it was before the same request may be sent again.
pub(super) fn settle_doubt(operation: Operation, look: &Look) -> (Operation, Next) {
    if let Some(why) = unread(&operation, look) {
        let what = "looking for the link of an earlier run".to_owned();
        return end(operation, Ending::Unknown { what, why });
    }
    if let Some(link) = find_minted(look, operation.relink_key()) {
        let operation = hold_minted(operation, link);
        return examine(operation, look);
    }
    prove(operation, look, Vec::new(), Then::Mint)
}

pub(super) fn hold_minted(mut operation: Operation, link: Minted) -> Operation {
    operation.watched.insert(own_link(&link));
    operation.minted = Some(link);
    operation.state = State::Examining;
    operation
}

pub(super) fn mint(operation: Operation) -> (Operation, Next) {
    let attempt = operation.attempt;
    let operation = Operation {
        state: State::Minting,
        has_written: true,
        ..operation
    };
    (operation, Next::Mint { attempt })
}

pub(super) fn seek(operation: Operation) -> (Operation, Next) {
    let operation = Operation {
        state: State::Seeking,
        ..operation
    };
    (operation, Next::Seek)
}

/// Stripe will say nothing else for this key. Each one that is given up may still turn out to have minted, so
/// one per run is enough: a Stripe that fails them all is not asked again and again.
pub(super) fn give_up_key(operation: Operation, why: String) -> (Operation, Next) {
    if operation.has_spent_key {
        let what = "minting a link".to_owned();
        return end(operation, Ending::Unavailable { what, why });
    }
    seek(Operation {
        has_spent_key: true,
        ..operation
    })
}

/// The next attempt has another key.
pub(super) fn mint_next(operation: Operation) -> (Operation, Next) {
    if operation.attempt >= MAX_ATTEMPTS {
        let what = "minting a link".to_owned();
        let why = format!("none of {MAX_ATTEMPTS} attempts made a link that is active");
        return end(operation, Ending::Refused { what, why });
    }
    mint(Operation {
        attempt: operation.attempt.saturating_add(1),
        key_is_old: false,
        minted: None,
        ..operation
    })
}

/// Nothing is published while anything else is payable, or over a row that moved.
pub(super) fn examine(operation: Operation, look: &Look) -> (Operation, Next) {
    let Some(minted) = operation.minted.clone() else {
        let (what, why) = (
            "examining the new link".to_owned(),
            "there is none".to_owned(),
        );
        return end(operation, Ending::Unknown { what, why });
    };
    if let Some(why) = unread(&operation, look) {
        let what = "looking before publishing".to_owned();
        return end(operation, Ending::Unknown { what, why });
    }
    let Some(family) = find_family(look, &minted) else {
        let what = format!("reading the new link {}", minted.id);
        let why = "Stripe did not show it".to_owned();
        return end(operation, Ending::Unknown { what, why });
    };
    if let Some(ending) = over(look, None) {
        let targets = live(&look.objects);
        return prove(operation, look, targets, Then::End(ending));
    }
    if minted.url.chars().count() > LONGEST_URL {
        let what = format!("storing {}", minted.id);
        let why = format!("its URL has more than the {LONGEST_URL} characters that the row holds");
        return give_up_own_link(operation, Ending::Refused { what, why });
    }
    if !is_address(&minted.url) {
        let what = format!("storing {}", minted.id);
        let why = "its URL is no address that a browser opens".to_owned();
        return give_up_own_link(operation, Ending::Refused { what, why });
    }
    if look.held() == Some(&own_link(&minted)) {
        // Stored after all, by whoever held the order before: never taken down for a race with ourselves.
        return confirm(operation, look);
    }
    if row_moved(&operation, look) {
        return give_up_own_link(operation, Ending::LostRace);
    }
    let others = live_besides_minted(&operation, look);
    if !others.is_empty() {
        return prove(operation, look, others, Then::Mint);
    }
    if !family.link.active {
        return mint_next(operation);
    }
    let is_good = |order| is_good_link(&family.link, order, operation.expected.amount);
    if !operation.order.is_some_and(is_good) {
        let what = format!("minting {}", minted.id);
        let why = "Stripe's link has other terms than were asked for".to_owned();
        return give_up_own_link(operation, Ending::Refused { what, why });
    }
    let operation = Operation {
        state: State::Publishing,
        ..operation
    };
    (operation, Next::Publish(minted))
}

/// After the publication: an old object that turned out paid takes the new link down again.
pub(super) fn confirm(operation: Operation, look: &Look) -> (Operation, Next) {
    if let Some(why) = unread(&operation, look) {
        let ending = replaced(&operation, Some(why));
        return end(operation, ending);
    }
    if let Some(taken) = money_taken(look, operation.minted.as_ref()) {
        let ending = over(look, operation.minted.as_ref()).unwrap_or(taken);
        return give_up_own_link(operation, ending);
    }
    if look.held() != operation.minted.as_ref().map(own_link).as_ref() {
        // What the row names now is the order's: ours would be a second link that can be paid.
        return give_up_own_link(operation, Ending::LostRace);
    }
    // Live again, or new since: never called done, and the next run sorts it out.
    let others = live_besides_minted(&operation, look);
    if !others.is_empty() {
        return end(operation, Ending::StillLive(others));
    }
    if let Some(decision) = &look.decision
        && decision.verdict == Verdict::Dead
    {
        // Somebody closed our link since: the row is as stranded as before.
        let ending = Ending::Moved {
            verdict: decision.verdict,
            reason: decision.reason.clone(),
        };
        return end(operation, ending);
    }
    let ending = replaced(&operation, None);
    end(operation, ending)
}

pub(super) fn replaced(operation: &Operation, unconfirmed: Option<String>) -> Ending {
    match &operation.minted {
        Some(link) => Ending::Replaced {
            link: link.clone(),
            unconfirmed,
        },
        None => Ending::LostRace,
    }
}

/// Parents open it from their mail: whatever answered the mint, no script and no escape sequence gets there.
fn is_address(url: &str) -> bool {
    let rest = url.strip_prefix("https://");
    // Of the double, on loopback.
    let rest = rest.or_else(|| url.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_graphic()))
}

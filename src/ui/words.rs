//! What would be done, said of a plan: every line says "would", since nothing has been done yet when it is
//! shown. Clean text; no layout.

use super::look::{agree, count, full, list, short, sums};
use super::sanitize::clean;
use crate::domain::CheckoutReference;
use crate::plan::{
    Action, Cost, Decision, Goal, Hold, Reason, Release, StoredState, Tally, Verdict,
};
use crate::stripe::Pace;

/// Whether ids keep their middle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ids {
    Short,
    Full,
}

impl Ids {
    fn show(self, reference: &CheckoutReference) -> String {
        match self {
            Ids::Short => short(reference),
            Ids::Full => full(reference),
        }
    }
}

/// What a commit asks of Stripe when nothing comes in between, and how long that takes at least.
#[must_use]
pub fn cost(cost: &Cost, pace: Option<Pace>) -> String {
    let (writes, all) = (cost.writes(), cost.writes() + cost.reads());
    let told = format!("a commit asks Stripe about {all} times ({writes} to write)");
    let Some(Pace { account, endpoint }) = pace else {
        return told;
    };
    let seconds = (all as f64 / account).max(cost.busiest() as f64 / endpoint);
    let time = time(seconds);
    format!("{told}, for {time} at least: {account} requests a second, {endpoint} of one kind")
}

fn time(seconds: f64) -> String {
    match seconds.ceil() as u64 {
        few @ 0..120 => format!("{few} s"),
        many => format!("{} min", many.div_ceil(60)),
    }
}

#[must_use]
pub fn would(decision: &Decision, ids: Ids) -> String {
    match &decision.action {
        Action::Nothing => "—".to_owned(),
        Action::Hold(Hold::Waits) if decision.verdict == Verdict::Leaked => {
            format!("left to `relink retire`: {}", reason(&decision.reason, ids))
        }
        Action::Hold(Hold::Waits) => format!(
            "waits: {}{}",
            reason(&decision.reason, ids),
            young_hint(decision)
        ),
        Action::Hold(Hold::NeedsPerson { release }) => {
            let hint = release.map(|flag| release_hint(flag, decision));
            format!(
                "held, needs a person: {}{}",
                reason(&decision.reason, ids),
                hint.unwrap_or_default()
            )
        }
        Action::Retire(objects) => {
            let what = list(objects, |object| retire(object, decision, ids));
            format!("would {what}{}", used(decision))
        }
        Action::Resume => {
            let condition = match &decision.reason {
                Reason::OpenOperation(open) if open.is_held => ", if that run is gone by then",
                _ => "",
            };
            format!("would go on{condition}: {}", reason(&decision.reason, ids))
        }
        Action::Conclude => format!(
            "would only conclude what is open: {}",
            reason(&decision.reason, ids)
        ),
        Action::Replace(objects) if objects.is_empty() => format!("would mint{}", used(decision)),
        Action::Replace(objects) => {
            let what = list(objects, |object| retire(object, decision, ids));
            format!("would {what}, then mint{}", used(decision))
        }
    }
}

/// The reason in one clean line.
#[must_use]
pub fn reason(reason: &Reason, ids: Ids) -> String {
    let text = reason.to_string();
    match ids {
        Ids::Short => shorten_sessions(&clean(&text)),
        Ids::Full => clean(&text).into_owned(),
    }
}

fn shorten_sessions(text: &str) -> String {
    let outside = |c: char| !c.is_ascii_alphanumeric() && c != '_';
    text.split_inclusive(outside)
        .map(|piece| {
            let word = piece.trim_end_matches(outside);
            match CheckoutReference::classify(word) {
                CheckoutReference::Other(_) => piece.to_owned(),
                reference => format!("{}{}", short(&reference), &piece[word.len()..]),
            }
        })
        .collect()
}

/// `expire cs_…`, `deactivate plink_…`; a link that is inactive already can only have open sessions.
fn retire(object: &CheckoutReference, decision: &Decision, ids: Ids) -> String {
    let own = decision.order.reference.as_ref() == Some(object);
    let id = ids.show(object);
    let is_closed =
        decision.verdict == Verdict::Dead || matches!(decision.reason, Reason::LiveOutsideRow(_));
    match object {
        // What is closed already is closed on purpose from then on.
        _ if own && is_closed => format!("mark it withdrawn, {id} is closed already"),
        CheckoutReference::Session(_) => format!("expire {id}"),
        CheckoutReference::Link(_) if own && decision.stored == StoredState::LinkInactive => {
            match &decision.reason {
                Reason::OpenSessionsOfInactiveLink(open) => {
                    format!("expire {} of {id}", count(open.len(), "open session"))
                }
                _ => format!("expire the open sessions of {id}"),
            }
        }
        CheckoutReference::Link(_) if own && decision.stored == StoredState::LinkActive => {
            format!("deactivate {id}")
        }
        CheckoutReference::Link(_) | CheckoutReference::Other(_) => format!("retire {id}"),
    }
}

fn change(reason: &Reason) -> Option<String> {
    match reason {
        Reason::OtherAmount { object, order } | Reason::OtherCurrency { object, order } => {
            Some(format!("replace {object} by {order}"))
        }
        _ => None,
    }
}

/// What holds an open session of a pending order is its age alone.
fn young_hint(decision: &Decision) -> &'static str {
    match decision.verdict {
        Verdict::Dying => {
            " (younger than `--min-age`: a parent may be typing; `--min-age 0s` would not wait)"
        }
        _ => "",
    }
}

fn release_hint(release: Release, decision: &Decision) -> String {
    let flag = release.flag();
    let effect = match release {
        Release::MissingIsDead => "take it as dead, and mint".to_owned(),
        Release::AcceptRecoveryUrl => "go on although that URL can be paid".to_owned(),
        Release::AdoptUnowned => "take it as this order's, and replace it".to_owned(),
        Release::OverForeign => "mint, and leave that object alone".to_owned(),
        Release::Youth => "not wait for its open session to come of age".to_owned(),
        Release::AllowAmountChange | Release::AllowCurrencyChange => {
            change(&decision.reason).unwrap_or_else(|| "replace it".to_owned())
        }
    };
    if release.needs_named_order() {
        let id = decision.order.id;
        format!(" (`{flag} --order-id {id}` would {effect})")
    } else {
        format!(" (`{flag}` would {effect})")
    }
}

/// The flags that this decision rests on, with the change of amount that they allow.
fn used(decision: &Decision) -> String {
    if decision.released.is_empty() {
        return String::new();
    }
    let flags = list(&decision.released, |release| {
        format!("`{}`", release.flag())
    });
    match change(&decision.reason) {
        Some(change) => format!(" ({flags}: would {change})"),
        None => format!(" ({flags})"),
    }
}

/// `23 orders: 17 dead, 6 settled; would mint 17 links, 985.00 USD; 0 need a person`
#[must_use]
pub fn summary(goal: Goal, tally: &Tally) -> String {
    let total = tally.orders;
    if total == 0 && tally.objects == 0 {
        return "no orders".to_owned();
    }
    let mut parts = vec![match total {
        0 => "no orders".to_owned(),
        n => {
            let verdicts = list(&tally.counts(), |(verdict, n)| format!("{n} {verdict}"));
            format!("{}: {verdicts}", count(n, "order"))
        }
    }];
    let retires = match tally.objects {
        0 => "retire nothing".to_owned(),
        n => format!("retire {}", count(n, "object")),
    };
    let resumed = &tally.resume_totals;
    let mints = match tally.replace {
        0 if !resumed.is_empty() => "mint nothing else".to_owned(),
        0 => "mint nothing".to_owned(),
        n => format!("mint {}, {}", count(n, "link"), sums(&tally.totals)),
    };
    parts.push(match goal {
        Goal::Retire | Goal::RetirePending | Goal::Undo => format!("would {retires}"),
        Goal::Regen | Goal::Mint if tally.objects > 0 => format!("would {retires}, {mints}"),
        Goal::Regen | Goal::Mint => format!("would {mints}"),
    });
    if tally.resume > 0 {
        let asked = match resumed.as_slice() {
            [] => String::new(),
            resumed => format!(", {}", sums(resumed)),
        };
        parts.push(format!(
            "would go on with {}{asked}",
            count(tally.resume, "order")
        ));
    }
    if tally.wait > 0 {
        parts.push(agree(tally.wait, "waits", "wait"));
    }
    parts.push(agree(tally.need_person, "needs a person", "need a person"));
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_commit_asks_of_stripe_is_said_with_the_time_that_the_limits_leave() {
        let nothing = Cost::default();
        let (account, endpoint) = (80.0, 20.0);
        assert_eq!(
            cost(&nothing, Some(Pace { account, endpoint })),
            "a commit asks Stripe about 0 times (0 to write), for 0 s at least: 80 requests a second, 20 of one kind"
        );
        assert_eq!(
            cost(&nothing, None),
            "a commit asks Stripe about 0 times (0 to write)"
        );
        assert_eq!(
            [time(0.0), time(0.2), time(119.5), time(120.5)],
            ["0 s", "1 s", "2 min", "3 min"]
        );
    }
}

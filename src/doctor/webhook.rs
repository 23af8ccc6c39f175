//! Whether Stripe sends anybody the events by which relink settles orders. Whose endpoint it is, Stripe does not say:
//! the check names its URL, for a person to know it by.
//!
//! Whatever is registered, nothing fails by it: an application may record payments by itself.

use crate::webhook::SessionEvent;

use super::check::Check;
use super::facts::{Endpoint, Finding, KeyFacts};

const NAME: &str = "webhook_endpoint";

pub(super) fn check(endpoints: &Finding<Vec<Endpoint>>, key: Option<&KeyFacts>) -> Check {
    Check::of(NAME, endpoints, |endpoints| {
        let mode = key.map_or_else(String::new, |key| format!(" in {} mode", key.mode()));
        judge(endpoints, &mode)
    })
}

fn judge(endpoints: &[Endpoint], mode: &str) -> Check {
    let enabled: Vec<&Endpoint> = endpoints.iter().filter(|one| one.is_enabled).collect();
    let best = enabled.iter().min_by_key(|one| missing(one).len());
    match (best, endpoints.first()) {
        (None, None) => Check::warned(
            NAME,
            format!("none is registered{mode}: Stripe tells nobody that a parent paid"),
            format!(
                "register where `relink webhook serve` answers, for {}; {CONSEQUENCE}",
                listed(&all())
            ),
        ),
        (None, Some(disabled)) => Check::warned(
            NAME,
            format!(
                "{} is disabled, and no other is registered{mode}",
                shown(disabled)
            ),
            format!("enable it in Stripe's Dashboard, under Webhooks; {CONSEQUENCE}"),
        ),
        (Some(best), _) => match missing(best) {
            events if events.is_empty() => Check::passed(
                NAME,
                format!("{} is sent all that relink handles", shown(best)),
            ),
            events => Check::warned(
                NAME,
                format!("{} is not sent {}", shown(best), listed(&events)),
                "add them to the endpoint in Stripe's Dashboard, under Webhooks, if it is relink's; what they tell \
                 is not recorded until then",
            ),
        },
    }
}

const CONSEQUENCE: &str =
    "until then relink records no payment, and `relink webhook replay` takes in what was missed";

fn all() -> Vec<&'static str> {
    SessionEvent::ALL.map(SessionEvent::name).to_vec()
}

/// `*` stands for all but a few that must be named, none of which is ours.
fn missing(endpoint: &Endpoint) -> Vec<&'static str> {
    let is_sent = |event: &&str| {
        endpoint
            .events
            .iter()
            .any(|sent| sent == "*" || sent == *event)
    };
    all().into_iter().filter(|event| !is_sent(event)).collect()
}

fn shown(endpoint: &Endpoint) -> String {
    match &endpoint.api_version {
        Some(version) => format!("{} (API version {version})", endpoint.url),
        None => endpoint.url.clone(),
    }
}

fn listed(events: &[&str]) -> String {
    events
        .iter()
        .map(|event| format!("`{event}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::Outcome;
    use super::*;

    fn endpoint(is_enabled: bool, events: &[&str]) -> Endpoint {
        Endpoint {
            url: "https://club.example.com/hook".to_owned(),
            is_enabled,
            events: events.iter().map(|event| (*event).to_owned()).collect(),
            api_version: None,
        }
    }

    #[test]
    fn one_enabled_endpoint_with_all_events_is_enough() {
        let good = endpoint(true, &["*"]);
        assert_eq!(
            judge(std::slice::from_ref(&good), "").outcome,
            Outcome::Passed
        );
        let named = endpoint(true, &all());
        let others = [
            endpoint(false, &["*"]),
            endpoint(true, &["charge.failed"]),
            named,
        ];
        assert_eq!(judge(&others, "").outcome, Outcome::Passed);
    }

    #[test]
    fn what_is_not_sent_is_named_for_the_endpoint_that_lacks_least() {
        let some = endpoint(
            true,
            &["checkout.session.completed", "checkout.session.expired"],
        );
        let check = judge(&[endpoint(true, &["charge.failed"]), some], "");
        assert_eq!(check.outcome, Outcome::Warned);
        assert!(
            check.found.ends_with(
                "is not sent `checkout.session.async_payment_succeeded`, `checkout.session.async_payment_failed`"
            ),
            "{}",
            check.found
        );
    }

    #[test]
    fn none_and_a_disabled_one_are_told_apart() {
        let none = judge(&[], " in test mode");
        assert!(
            none.found.starts_with("none is registered in test mode"),
            "{}",
            none.found
        );
        let disabled = judge(&[endpoint(false, &["*"])], "");
        assert!(disabled.found.contains("is disabled"), "{}", disabled.found);
        assert_eq!(disabled.outcome, Outcome::Warned);
    }
}

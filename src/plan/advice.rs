//! The next command to type for one order: always a dry run, which then names the one that commits. A
//! suggestion to a person, never run by relink itself.

use super::decide::{Action, Decision, Hold};
use super::{Release, Verdict};

/// What to type next, and what to do before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// `refund in Stripe`
    before: Option<String>,
    command: String,
}

impl Advice {
    #[must_use]
    pub fn command(command: impl Into<String>) -> Self {
        Advice {
            before: None,
            command: command.into(),
        }
    }

    fn after(before: impl Into<String>, command: String) -> Self {
        Advice {
            before: Some(before.into()),
            command,
        }
    }

    /// `with_connection` completes the command, so that it can be typed where this one was.
    #[must_use]
    pub fn text(&self, with_connection: &dyn Fn(&str) -> String) -> String {
        let command = with_connection(&self.command);
        match &self.before {
            Some(before) => format!("{before}, then `{command}`"),
            None => command,
        }
    }
}

/// `None` where there is nothing to do but wait, or nothing at all.
#[must_use]
pub fn advise(decision: &Decision) -> Option<Advice> {
    let id = decision.order.id;
    let release = match &decision.action {
        Action::Hold(Hold::NeedsPerson { release }) => *release,
        _ => None,
    };
    let text = match decision.verdict {
        Verdict::OutOfScope | Verdict::Settled | Verdict::Healthy => return None,
        Verdict::Processing => return None,
        Verdict::Dead | Verdict::Duplicate => format!("relink regen --order-id {id}"),
        // A young session is waited for.
        Verdict::Dying if decision.action == Action::Hold(Hold::Waits) => return None,
        Verdict::Dying => format!("relink regen --order-id {id}"),
        Verdict::Leaked => format!("relink retire --order-id {id}"),
        Verdict::Withdrawn => format!("relink mint --order-id {id}"),
        Verdict::PaidUnrecorded => {
            format!("relink webhook replay --order-id {id}")
        }
        // Before the refund: whoever has the link could pay once more. In no category it is nobody's to close.
        Verdict::Overpaid
            if !decision.reason.overpaid_and_open().is_empty()
                && decision.order.category().is_some() =>
        {
            format!("relink retire --order-id {id}")
        }
        Verdict::Overpaid => {
            let look = format!("relink inspect --order-id {id}");
            return Some(Advice::after("refund in Stripe", look));
        }
        Verdict::Unobserved => format!("relink inspect --order-id {id}"),
        Verdict::InDoubt => format!("relink regen --order-id {id}"),
        Verdict::Foreign | Verdict::UnknownObject | Verdict::InvalidOrder => {
            let look = format!("relink inspect --order-id {id}");
            return Some(Advice::after(
                format!("correct the row of order {id}"),
                look,
            ));
        }
        Verdict::Missing | Verdict::Recoverable | Verdict::Unowned | Verdict::Wrong => {
            let flag = release.map(Release::flag).unwrap_or_default();
            format!("relink regen --order-id {id} {flag}")
                .trim_end()
                .to_owned()
        }
    };
    Some(Advice::command(text))
}

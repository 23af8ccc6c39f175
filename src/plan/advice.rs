//! The next command to type for one order: always a dry run, which then names the one that commits. A
//! suggestion to a person, never run by relink itself.

use super::decide::{Action, Decision, Hold};
use super::{Release, Verdict};

/// `None` where there is nothing to do but wait, or nothing at all.
#[must_use]
pub fn advise(decision: &Decision) -> Option<String> {
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
        Verdict::Overpaid => format!("refund in Stripe, then relink inspect --order-id {id}"),
        Verdict::Unobserved => format!("relink inspect --order-id {id}"),
        Verdict::InDoubt => format!("relink regen --order-id {id}"),
        Verdict::Foreign | Verdict::UnknownObject | Verdict::InvalidOrder => {
            format!("correct the row of order {id}, then relink inspect --order-id {id}")
        }
        Verdict::Missing | Verdict::Recoverable | Verdict::Unowned | Verdict::Wrong => {
            let flag = release.map(Release::flag).unwrap_or_default();
            format!("relink regen --order-id {id} {flag}")
                .trim_end()
                .to_owned()
        }
    };
    Some(text)
}

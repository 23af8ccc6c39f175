//! The one place where a plan becomes an approved one. `execute` takes nothing else, so nothing can be
//! written that was not shown first and agreed to.
//!
//! No terminal and no `--yes` is a refusal, never a silent yes.

use crate::domain::{AccountId, LinkId, Mode, Timestamp};
use crate::error::Error;
use crate::plan::{Action, Goal, Plan, Policy, Violation, audit};

/// A value that somebody agreed to. Only `approve` makes one.
#[derive(Debug)]
pub struct Approved<T> {
    value: T,
    account: AccountId,
}

impl<T> Approved<T> {
    #[must_use]
    pub fn value(&self) -> &T {
        &self.value
    }

    /// The account that the approval was given for.
    #[must_use]
    pub fn account(&self) -> &AccountId {
        &self.account
    }

    #[must_use]
    pub fn into_value(self) -> T {
        self.value
    }
}

/// The standing approval of `webhook serve --commit`: the links of orders that are paid are closed. Nothing else can
/// be approved by it.
#[must_use]
pub fn approve_closing(
    links: Vec<LinkId>,
    account: AccountId,
    mode: Mode,
    now: Timestamp,
) -> Approved<Plan> {
    let plan = Plan {
        policy: Policy::new(Goal::Retire),
        mode,
        account: Some(account.clone()),
        taken_at: now,
        decisions: Vec::new(),
        gone: Vec::new(),
        paid_links: links,
        forced: Vec::new(),
        left_alone: Vec::new(),
    };
    Approved {
        value: plan,
        account,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Agreed,
    Declined,
}

/// How consent is had.
pub enum Consent<'a> {
    /// `--yes`.
    Given,
    /// Ask a person at a terminal.
    Ask(&'a dyn Fn(&Plan) -> Result<Answer, Error>),
    /// Nobody can be asked; the text says why.
    Nobody(&'static str),
}

/// # Errors
/// Refused: declined, or nobody to ask. Configuration: the account is not known. Bug: the plan breaks a
/// rule that holds for every plan.
pub fn approve(
    plan: Plan,
    account: Option<&AccountId>,
    consent: &Consent<'_>,
) -> Result<Approved<Plan>, Error> {
    if let Some(violation) = audit(&plan).first() {
        return Err(unsound(violation));
    }
    let Some(account) = account.cloned() else {
        return Err(Error::configuration(
            "the key may not read which account it belongs to",
            "add --expect-account acct_…, or give the key the permission to read the account",
        ));
    };
    match consent {
        Consent::Given => {}
        Consent::Nobody(why) => {
            return Err(Error::refused(
                format!(
                    "nothing was written: {} for a yes, and {why}",
                    waiting(&plan)
                ),
                "look at the plan, then add --yes to the same command",
            ));
        }
        Consent::Ask(ask) => match ask(&plan)? {
            Answer::Agreed => {}
            Answer::Declined => {
                return Err(Error::refused("declined, nothing was written", ""));
            }
        },
    }
    Ok(Approved {
        value: plan,
        account,
    })
}

/// Two rows that name one object are odd data, for which the operator must choose; all else is our mistake.
#[must_use]
pub fn unsound(violation: &Violation) -> Error {
    match violation {
        Violation::ObjectOfTwoOrders(..) => Error::refused(
            violation.to_string(),
            "two rows hold one object: correct one of them, or leave one order out with --exclude-order-id",
        ),
        other => Error::Bug(format!("the plan is unsound: {other}")),
    }
}

/// `17 new links wait`, `1 new link and 2 retirements wait`.
fn waiting(plan: &Plan) -> String {
    let replaced = plan
        .work()
        .filter(|d| matches!(d.action, Action::Replace(_)))
        .count();
    let retired = plan.work().count() - replaced
        + plan.gone.len()
        + plan.paid_links.len()
        + plan.forced.len();
    let counted = |n: usize, one: &str, many: &str| match n {
        0 => None,
        1 => Some(format!("1 {one}")),
        n => Some(format!("{n} {many}")),
    };
    let parts: Vec<String> = [
        counted(replaced, "new link", "new links"),
        counted(retired, "retirement", "retirements"),
    ]
    .into_iter()
    .flatten()
    .collect();
    let verb = if replaced + retired == 1 {
        "waits"
    } else {
        "wait"
    };
    format!("{} {verb}", parts.join(" and "))
}

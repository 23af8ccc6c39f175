//! The one place where a plan becomes an approved one. `execute` takes nothing else, so nothing can be
//! written that was not shown first and agreed to.
//!
//! No terminal and no `--yes` is a refusal, never a silent yes; and `--yes` alone is none for real money. A refusal
//! names the command that would be accepted.

use crate::command_line::CommandLine;
use crate::domain::{AccountId, LinkId, Mode, Timestamp};
use crate::error::Error;
use crate::guards::Guards;
use crate::plan::{Action, Decision, Digest, Goal, Plan, Policy, Violation, audit};

/// A value that somebody agreed to. Only `approve` makes one.
#[derive(Debug)]
pub struct Approved<T> {
    value: T,
    account: AccountId,
    digest: Digest,
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

    /// What was agreed to, in short: of a saved plan the whole of it, of which the value may be what is left to do.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.digest
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
        digest: plan.digest(),
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consent {
    /// `--yes`.
    Given,
    /// Ask a person at a terminal.
    Ask,
    /// Nobody can be asked; the text says why.
    Nobody(&'static str),
}

/// What an approval depends on besides the plan.
pub struct Terms<'a> {
    pub consent: Consent,
    pub guards: &'a Guards,
    /// What the plan is approved under: its own digest, or that of the saved plan that it is the rest of.
    pub digest: Digest,
    /// As it was typed.
    pub command: &'a CommandLine,
}

impl Terms<'_> {
    /// The command that nothing here would refuse: with every limit as the plan is, and, where nobody can be asked, with
    /// a yes to this list and to no other.
    #[must_use]
    pub fn accepted(&self, plan: &Plan) -> CommandLine {
        let command = self.guards.accepted(plan, &self.digest, self.command);
        let is_missing = match self.consent {
            Consent::Given => self.is_unbound(plan),
            Consent::Nobody(_) => true,
            Consent::Ask => false,
        };
        if is_missing {
            let command = command.with("--yes");
            command.with_value("--expect", self.digest.as_str())
        } else {
            command
        }
    }

    /// Whoever is not there to read the list must have said beforehand which one it is, or how long.
    fn is_unbound(&self, plan: &Plan) -> bool {
        plan.mode == Mode::Live && !self.guards.bound_the_plan()
    }
}

/// # Errors
/// Stale: another plan than the expected one. Refused: a guard, declined, or nobody to ask. Configuration: the account
/// is not known. Bug: the plan breaks a rule that holds for every plan.
pub fn approve(
    plan: Plan,
    account: Option<&AccountId>,
    terms: Terms<'_>,
    ask: &dyn Fn(&Plan) -> Result<Answer, Error>,
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
    let accepted = terms.accepted(&plan);
    terms.guards.check(&plan, &terms.digest, &accepted)?;
    match terms.consent {
        Consent::Given if terms.is_unbound(&plan) => {
            return Err(unbound(&plan, &accepted));
        }
        Consent::Given => {}
        Consent::Nobody(why) => {
            return Err(Error::refused(
                format!(
                    "nothing was written: {} for a yes, and {why}",
                    waiting(&plan)
                ),
                format!("look at the plan; if it is right: {accepted}"),
            ));
        }
        Consent::Ask => match ask(&plan)? {
            Answer::Agreed => {}
            Answer::Declined => {
                return Err(Error::refused("declined, nothing was written", ""));
            }
        },
    }
    Ok(Approved {
        value: plan,
        account,
        digest: terms.digest,
    })
}

fn unbound(plan: &Plan, accepted: &CommandLine) -> Error {
    Error::refused(
        format!(
            "nothing was written: {} in live mode, and --yes alone says yes to any list",
            waiting(plan)
        ),
        format!(
            "look at the plan; if it is right: {accepted} (from cron: --expect-count N or --max-orders N in place of --expect)"
        ),
    )
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

/// `17 new links wait`, `1 new link, 1 order to go on with (55.00 USD) and 2 retirements wait`.
fn waiting(plan: &Plan) -> String {
    let replaced = plan
        .work()
        .filter(|d| matches!(d.action, Action::Replace(_)))
        .count();
    let gone_on_with = |d: &&Decision| matches!(d.action, Action::Resume | Action::Conclude);
    let resumed = plan.work().filter(gone_on_with).count() + plan.gone.len();
    let retired = plan.size() - replaced - resumed;
    let sums: Vec<String> = plan
        .resumed_totals()
        .iter()
        .map(ToString::to_string)
        .collect();
    let asked = match sums.as_slice() {
        [] => String::new(),
        sums => format!(" ({})", sums.join(", ")),
    };
    let counted = |n: usize, one: &str, many: &str| match n {
        0 => None,
        1 => Some(format!("1 {one}")),
        n => Some(format!("{n} {many}")),
    };
    let parts: Vec<String> = [
        counted(replaced, "new link", "new links"),
        counted(
            resumed,
            &format!("order to go on with{asked}"),
            &format!("orders to go on with{asked}"),
        ),
        counted(retired, "retirement", "retirements"),
    ]
    .into_iter()
    .flatten()
    .collect();
    let verb = if plan.size() == 1 { "waits" } else { "wait" };
    let parts = match parts.as_slice() {
        [most @ .., last] if !most.is_empty() => format!("{} and {last}", most.join(", ")),
        parts => parts.concat(),
    };
    format!("{parts} {verb}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::ExitStatus;

    /// Closes so many links; that is all that is counted here.
    fn plan(mode: Mode, links: usize) -> Plan {
        let ids = (0..links).filter_map(|n| LinkId::parse(&format!("plink_{n}")).ok());
        Plan {
            policy: Policy::new(Goal::Retire),
            mode,
            account: AccountId::parse("acct_1").ok(),
            taken_at: Timestamp(0),
            decisions: Vec::new(),
            gone: Vec::new(),
            paid_links: ids.collect(),
            forced: Vec::new(),
            left_alone: Vec::new(),
        }
    }

    fn approved(plan: Plan, consent: Consent, guards: &Guards) -> Result<(), (ExitStatus, String)> {
        let command = CommandLine::shown(["retire", "--all", "--live", "--commit"].map(Into::into));
        let terms = Terms {
            consent,
            guards,
            digest: plan.digest(),
            command: &command,
        };
        let account = plan.account.clone();
        let yes = |_: &Plan| Ok(Answer::Agreed);
        match approve(plan, account.as_ref(), terms, &yes) {
            Ok(_) => Ok(()),
            Err(error) => {
                let failure = error.describe();
                Err((failure.status, failure.message + "; " + &failure.hint))
            }
        }
    }

    #[test]
    fn for_real_money_a_yes_says_which_list_or_how_long_it_may_be() {
        let refused = approved(plan(Mode::Live, 3), Consent::Given, &Guards::default());
        let digest = plan(Mode::Live, 3).digest();
        let (status, said) = refused.expect_err("any list was accepted");
        assert_eq!(status, ExitStatus::Refused);
        let accepted = format!("relink retire --all --live --commit --yes --expect {digest}");
        assert!(said.contains(&accepted), "{said}");
        let bound = [
            Guards {
                expect: Some(digest),
                ..Guards::default()
            },
            Guards {
                expect_count: Some(3),
                ..Guards::default()
            },
            Guards {
                max_orders: Some(3),
                ..Guards::default()
            },
        ];
        for guards in bound {
            assert_eq!(
                approved(plan(Mode::Live, 3), Consent::Given, &guards),
                Ok(()),
                "{guards:?}"
            );
        }
        assert_eq!(
            approved(plan(Mode::Test, 3), Consent::Given, &Guards::default()),
            Ok(())
        );
    }

    #[test]
    fn a_limit_that_stands_in_the_configuration_forbids_and_never_says_yes() {
        let standing = |most| Guards {
            standing_max_orders: Some(most),
            ..Guards::default()
        };
        let refused = approved(plan(Mode::Live, 3), Consent::Given, &standing(3));
        let (_, said) = refused.expect_err("a limit was taken for a yes");
        assert!(said.contains("--yes alone"), "{said}");
        let refused = approved(plan(Mode::Test, 4), Consent::Ask, &standing(3));
        let (_, said) = refused.expect_err("4 were accepted");
        assert!(said.contains("`limits.max_orders`"), "{said}");
        let flag = Guards {
            max_orders: Some(4),
            ..standing(3)
        };
        let accepted = approved(plan(Mode::Live, 4), Consent::Given, &flag);
        assert_eq!(accepted, Ok(()));
        // It takes the place of the most that there are without one.
        let accepted = approved(plan(Mode::Live, 51), Consent::Ask, &standing(51));
        assert_eq!(accepted, Ok(()));
    }

    #[test]
    fn fifty_is_the_most_in_live_mode_unless_the_list_or_its_length_is_named() {
        let most = Guards::default();
        assert_eq!(approved(plan(Mode::Live, 50), Consent::Ask, &most), Ok(()));
        assert_eq!(approved(plan(Mode::Test, 51), Consent::Ask, &most), Ok(()));
        let (status, said) =
            approved(plan(Mode::Live, 51), Consent::Ask, &most).expect_err("51 were accepted");
        assert_eq!(status, ExitStatus::Refused);
        assert!(said.contains("--max-orders 51"), "{said}");
        let named = [
            Guards {
                expect: Some(plan(Mode::Live, 51).digest()),
                ..Guards::default()
            },
            Guards {
                expect_count: Some(51),
                ..Guards::default()
            },
            Guards {
                max_orders: Some(51),
                ..Guards::default()
            },
        ];
        for guards in named {
            assert_eq!(
                approved(plan(Mode::Live, 51), Consent::Ask, &guards),
                Ok(()),
                "{guards:?}"
            );
        }
    }
}

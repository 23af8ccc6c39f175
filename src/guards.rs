//! The limits that an operator sets on a commit, as they were given. A plan beyond one of them is refused before anything
//! is written.
//!
//! Nothing is counted here but the finished plan; whether anybody agreed to it is `approval.rs`'s.

use crate::command_line::CommandLine;
use crate::domain::{Mode, Money};
use crate::error::Error;
use crate::plan::{Action, Decision, Digest, Plan};

/// How many orders a live commit may touch when nobody said a number.
const MOST_WHEN_LIVE: usize = 50;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guards {
    /// The plan must be this one.
    pub expect: Option<Digest>,
    /// It must touch exactly so many orders.
    pub expect_count: Option<usize>,
    /// It may touch no more, as was said for this very run.
    pub max_orders: Option<usize>,
    /// The same for every run of this host. It forbids and never permits: nobody has seen this plan's size when it
    /// was written down.
    pub standing_max_orders: Option<usize>,
    /// Its new links may ask for no more, per currency, those of orders that are gone on with included.
    pub max_amounts: Vec<Money>,
    /// These come from the configuration file.
    pub amounts_stand: bool,
}

impl Guards {
    /// Whether the size of the plan was said beforehand, so that no list of another size can pass.
    #[must_use]
    pub fn bound_the_plan(&self) -> bool {
        self.expect.is_some() || self.expect_count.is_some() || self.max_orders.is_some()
    }

    /// `digest` is what the plan is approved under.
    ///
    /// # Errors
    /// Stale: it is another plan than the expected one. Refused: it is larger than it may be.
    pub fn check(&self, plan: &Plan, digest: &Digest, command: &CommandLine) -> Result<(), Error> {
        self.check_digest(digest, command)?;
        self.check_count(plan, command)?;
        self.check_orders(plan, command)?;
        self.check_amounts(plan, command)
    }

    fn check_digest(&self, digest: &Digest, command: &CommandLine) -> Result<(), Error> {
        let Some(expected) = self.expect.as_ref().filter(|expected| *expected != digest) else {
            return Ok(());
        };
        let accepted = command.clone().with_value("--expect", digest.as_str());
        Err(Error::stale(
            format!(
                "nothing was written: the plan is {digest} now, and {expected} was expected: it is for other orders, \
                 other amounts or other deeds than those that were agreed to"
            ),
            format!("look at the plan; if it is right: {accepted}"),
        ))
    }

    fn check_count(&self, plan: &Plan, command: &CommandLine) -> Result<(), Error> {
        let size = plan.size();
        let Some(expected) = self.expect_count.filter(|expected| *expected != size) else {
            return Ok(());
        };
        let accepted = command
            .clone()
            .with_value("--expect-count", &size.to_string());
        Err(Error::refused(
            format!(
                "nothing was written: the plan touches {size}, and --expect-count says {expected}"
            ),
            format!("look at the plan; if it is right: {accepted}"),
        ))
    }

    fn check_orders(&self, plan: &Plan, command: &CommandLine) -> Result<(), Error> {
        let size = plan.size();
        let (most, source) = match (self.max_orders.or(self.standing_max_orders), plan.mode) {
            (Some(most), _) if self.max_orders.is_some() => (most, "--max-orders says"),
            (Some(most), _) => (most, "`limits.max_orders` of the configuration file says"),
            // Who names the exact list or its length has said how many.
            (None, Mode::Live) if self.expect.is_none() && self.expect_count.is_none() => (
                MOST_WHEN_LIVE,
                "--max-orders in live mode is, unless given,",
            ),
            (None, _) => return Ok(()),
        };
        if size <= most {
            return Ok(());
        }
        let accepted = command
            .clone()
            .with_value("--max-orders", &size.to_string());
        Err(Error::refused(
            format!("nothing was written: the plan touches {size}, and {source} {most}"),
            format!("narrow the selection, or, if it is right: {accepted}"),
        ))
    }

    /// A limit in one currency says that the others were not thought of.
    fn check_amounts(&self, plan: &Plan, command: &CommandLine) -> Result<(), Error> {
        if self.max_amounts.is_empty() {
            return Ok(());
        }
        let source = if self.amounts_stand {
            "`limits.max_amount` of the configuration file"
        } else {
            "--max-amount"
        };
        for total in plan.most() {
            let limit = self
                .max_amounts
                .iter()
                .find(|limit| limit.currency == total.currency);
            let says = match limit {
                Some(limit) if total.minor <= limit.minor => continue,
                Some(limit) => format!("{source} says {limit}"),
                None => format!("{source} gives no limit in {}", total.currency),
            };
            let accepted = self.with_limit(total, command);
            return Err(Error::refused(
                format!(
                    "nothing was written: {} {total}, and {says}",
                    who_asks(plan)
                ),
                format!("narrow the selection, or, if it is right: {accepted}"),
            ));
        }
        Ok(())
    }

    /// The command with `total` as the limit of its currency, and the other limits as they were.
    fn with_limit(&self, total: Money, command: &CommandLine) -> CommandLine {
        let others = self
            .max_amounts
            .iter()
            .filter(|limit| limit.currency != total.currency);
        let command = command.clone().without_value("--max-amount");
        others
            .copied()
            .chain([total])
            .fold(command, |command, limit| {
                command.with_another_value("--max-amount", &limit.argument())
            })
    }
}

/// `the new links would ask`
fn who_asks(plan: &Plan) -> String {
    let replaced = |decision: &&Decision| matches!(decision.action, Action::Replace(_));
    let (one_new, one_resumed) = (
        plan.work().filter(replaced).count() == 1,
        plan.resumed().count() == 1,
    );
    let resumed = match plan.resumed().count() {
        0 => return "the new links would ask".to_owned(),
        1 => "1 order to go on with may ask".to_owned(),
        n => format!("{n} orders to go on with may ask"),
    };
    let those = if one_resumed { "that" } else { "those" };
    match plan.totals().is_empty() {
        true if one_resumed => format!("the link of {resumed}"),
        true => format!("the links of {resumed}"),
        false if one_new => format!("the new link and {those} of {resumed}"),
        false => format!("the new links and {those} of {resumed}"),
    }
}

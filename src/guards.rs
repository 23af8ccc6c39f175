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

const EXPECT: &str = "--expect";

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

    /// The command with every limit that the plan is beyond set to what the plan is; `digest` is what it is approved
    /// under.
    #[must_use]
    pub fn accepted(&self, plan: &Plan, digest: &Digest, command: &CommandLine) -> CommandLine {
        let breaches = self.breaches(plan, digest);
        breaches
            .into_iter()
            .fold(command.clone(), |command, breach| breach.mended(command))
    }

    /// `accepted` is the command that would not be refused, for this or for anything else.
    ///
    /// # Errors
    /// Stale: it is another plan than the expected one. Refused: it is larger than it may be.
    pub fn check(&self, plan: &Plan, digest: &Digest, accepted: &CommandLine) -> Result<(), Error> {
        let breaches = self.breaches(plan, digest);
        let Some(first) = breaches.first() else {
            return Ok(());
        };
        let all: Vec<&str> = breaches.iter().map(|breach| breach.says.as_str()).collect();
        let message = format!("nothing was written: {}", all.join("; "));
        let hint = format!("{}: {accepted}", first.advice);
        Err(if breaches.iter().any(|breach| breach.flag == EXPECT) {
            Error::stale(message, hint)
        } else {
            Error::refused(message, hint)
        })
    }

    fn breaches(&self, plan: &Plan, digest: &Digest) -> Vec<Breach> {
        let all = [
            self.other_digest(digest),
            self.other_count(plan),
            self.too_many_orders(plan),
            self.too_much_money(plan),
        ];
        all.into_iter().flatten().collect()
    }

    fn other_digest(&self, digest: &Digest) -> Option<Breach> {
        let expected = self.expect.as_ref().filter(|other| *other != digest)?;
        Some(Breach {
            says: format!(
                "the plan is {digest} now, and {expected} was expected: it is for other orders, other people, \
                 other amounts or other deeds than those that were agreed to"
            ),
            advice: "look at the plan; if it is right",
            flag: EXPECT,
            values: vec![digest.to_string()],
        })
    }

    fn other_count(&self, plan: &Plan) -> Option<Breach> {
        let size = plan.size();
        let expected = self.expect_count.filter(|expected| *expected != size)?;
        Some(Breach {
            says: format!("the plan touches {size}, and --expect-count says {expected}"),
            advice: "look at the plan; if it is right",
            flag: "--expect-count",
            values: vec![size.to_string()],
        })
    }

    fn too_many_orders(&self, plan: &Plan) -> Option<Breach> {
        let size = plan.size();
        let (most, source) = match (self.max_orders.or(self.standing_max_orders), plan.mode) {
            (Some(most), _) if self.max_orders.is_some() => (most, "--max-orders says"),
            (Some(most), _) => (most, "`limits.max_orders` of the configuration file says"),
            // Who names the exact list or its length has said how many.
            (None, Mode::Live) if self.expect.is_none() && self.expect_count.is_none() => (
                MOST_WHEN_LIVE,
                "--max-orders in live mode is, unless given,",
            ),
            (None, _) => return None,
        };
        (size > most).then(|| Breach {
            says: format!("the plan touches {size}, and {source} {most}"),
            advice: "narrow the selection, or, if it is right",
            flag: "--max-orders",
            values: vec![size.to_string()],
        })
    }

    /// A limit in one currency says that the others were not thought of.
    fn too_much_money(&self, plan: &Plan) -> Option<Breach> {
        if self.max_amounts.is_empty() {
            return None;
        }
        let source = if self.amounts_stand {
            "`limits.max_amount` of the configuration file"
        } else {
            "--max-amount"
        };
        let mut limits = self.max_amounts.clone();
        let mut says = Vec::new();
        for total in plan.most() {
            let limit = limits
                .iter_mut()
                .find(|limit| limit.currency == total.currency);
            let why = match limit {
                Some(limit) if total.minor <= limit.minor => continue,
                Some(limit) => {
                    let why = format!("{source} says {limit}");
                    *limit = total;
                    why
                }
                None => {
                    limits.push(total);
                    format!("{source} gives no limit in {}", total.currency)
                }
            };
            says.push(format!("{} {total}, and {why}", who_asks(plan)));
        }
        (!says.is_empty()).then(|| Breach {
            says: says.join("; "),
            advice: "narrow the selection, or, if it is right",
            flag: "--max-amount",
            values: limits.iter().map(Money::argument).collect(),
        })
    }
}

/// A limit that a plan is beyond.
struct Breach {
    says: String,
    advice: &'static str,
    flag: &'static str,
    /// What the flag would have to say.
    values: Vec<String>,
}

impl Breach {
    fn mended(self, command: CommandLine) -> CommandLine {
        let command = command.without_value(self.flag);
        self.values.iter().fold(command, |command, value| {
            command.with_another_value(self.flag, value)
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

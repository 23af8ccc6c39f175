//! From what a run saw and how it ended to the gauges of its metrics file. Pure: the moment and the former file come
//! from outside.
//!
//! What this run could not learn is kept from the file that was there before, under the same labels, and never
//! guessed; `relink_observed_timestamp_seconds` says how old it is. No names and no addresses: a metric never tells who
//! owes what.

use super::exposition::{Family, Kind, Sample};
use super::observation::Observation;
use crate::domain::{AccountId, Mode, Money, RunId, Timestamp};
use crate::exit::ExitStatus;
use crate::plan::Verdict;

/// What tells the numbers of one job from those of another: the node's collector refuses two files with equal series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub command: &'static str,
    pub mode: Mode,
    pub scope: String,
}

/// Everything that a command tells while it runs; what it did not get to is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    pub account: Option<AccountId>,
    pub observation: Option<Observation>,
    pub open_incidents: Option<usize>,
    /// In the journal.
    pub run: Option<RunId>,
}

impl Told {
    /// What was seen; not where no order at all could be read: what was known before is better than a zero.
    fn seen(&self) -> Option<&Observation> {
        let observation = self.observation.as_ref();
        observation.filter(|observation| !observation.is_blind())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The host's clock, since that is what Prometheus compares it with.
    pub at: Timestamp,
    pub status: ExitStatus,
}

/// The run saw all that it was to see, and nothing failed; that a look found something to do, for it or for a person, is no
/// failure of it.
#[must_use]
pub fn is_success(command: &str, status: ExitStatus, observation: Option<&Observation>) -> bool {
    let went_well = match status {
        ExitStatus::Done | ExitStatus::WorkPending | ExitStatus::MoneyNeedsPerson => true,
        // Whoever writes says by it that some order was not done.
        ExitStatus::Partial => command == "inspect",
        _ => false,
    };
    went_well && observation.is_none_or(|seen| seen.with(Verdict::Unobserved) == 0)
}

const OBSERVED: &str = "relink_observed_timestamp_seconds";
const INCIDENTS: &str = "relink_open_incidents";
const SUCCESS: &str = "relink_last_success_timestamp_seconds";

/// The whole file. `former` is what the file holds that it replaces.
#[must_use]
pub fn families(
    identity: &Identity,
    told: &Told,
    ended: Ended,
    former: &[(String, Sample)],
) -> Vec<Family> {
    let former = Former::of(identity, told.account.as_ref(), former);
    let labels = Labels {
        identity,
        account: told
            .account
            .as_ref()
            .map_or(former.account(), |account| account.as_str())
            .to_owned(),
    };
    let mut families = order_families(told.seen(), &labels, &former);
    families.push(
        former.or(
            told.open_incidents
                .map(|open| vec![labels.sample(&[], count(open))]),
            INCIDENTS,
            "Payments that wait for a person's word (relink resolve)",
        ),
    );
    families.extend(run_families(told, ended, &labels, &former));
    families
}

fn order_families(
    observation: Option<&Observation>,
    labels: &Labels<'_>,
    former: &Former<'_>,
) -> Vec<Family> {
    let family = |name, help, samples: &dyn Fn(&Observation) -> Vec<Sample>| {
        former.or(observation.map(samples), name, help)
    };
    let one = |value: i64| vec![labels.sample(&[], value)];
    let orders_of = |verdict| move |seen: &Observation| count(seen.with(verdict));
    vec![
        family(
            OBSERVED,
            "When the orders were last read, on Stripe's clock",
            &|seen| one(seen.taken_at.0),
        ),
        family("relink_orders", "Orders by verdict", &|seen| {
            let of = |verdict: Verdict| {
                labels.sample(&[("verdict", verdict.name())], orders_of(verdict)(seen))
            };
            Verdict::ALL.into_iter().map(of).collect()
        }),
        family(
            "relink_stranded_orders",
            "Orders whose parent has a URL that is dead, dying or wrong",
            &|seen| one(count(seen.stranded())),
        ),
        family(
            "relink_stranded_amount_minor",
            "What these orders ask for, in the currency's minor units (5500 is 55.00 USD)",
            &|seen| {
                let amounts = seen.stranded_amounts();
                let of =
                    |sum: &Money| labels.sample(&[("currency", &sum.currency.code())], sum.minor);
                amounts.iter().map(of).collect()
            },
        ),
        family(
            "relink_oldest_stranded_age_seconds",
            "Age of the oldest of these orders; 0 without one",
            &|seen| one(seen.oldest_stranded()),
        ),
        family(
            "relink_paid_unrecorded_orders",
            "Orders that are paid at Stripe and not in the database",
            &|seen| one(orders_of(Verdict::PaidUnrecorded)(seen)),
        ),
        family(
            "relink_leaked_orders",
            "Settled orders that can still be paid",
            &|seen| one(orders_of(Verdict::Leaked)(seen)),
        ),
        family(
            "relink_duplicate_orders",
            "Orders with more than one payable URL",
            &|seen| one(orders_of(Verdict::Duplicate)(seen)),
        ),
    ]
}

fn run_families(
    told: &Told,
    ended: Ended,
    labels: &Labels<'_>,
    former: &Former<'_>,
) -> Vec<Family> {
    let one = |name, help, value: i64| Family {
        name,
        help,
        kind: Kind::Gauge,
        samples: vec![labels.sample(&[], value)],
    };
    let is_success = is_success(
        labels.identity.command,
        ended.status,
        told.observation.as_ref(),
    );
    let success = is_success.then(|| vec![labels.sample(&[], ended.at.0)]);
    vec![
        one(
            "relink_last_run_timestamp_seconds",
            "When the last run ended",
            ended.at.0,
        ),
        former.or(
            success,
            SUCCESS,
            "When a run last saw every order and failed at none",
        ),
        one(
            "relink_last_exit_code",
            "Exit code of the last run",
            i64::from(ended.status.code()),
        ),
        Family {
            name: "relink_last_run_info",
            help: "The last run, with its id in the journal if it wrote",
            kind: Kind::Gauge,
            samples: vec![
                labels.sample(&[("run", told.run.as_ref().map_or("", RunId::as_str))], 1),
            ],
        },
    ]
}

struct Labels<'a> {
    identity: &'a Identity,
    account: String,
}

impl Labels<'_> {
    fn sample(&self, more: &[(&str, &str)], value: i64) -> Sample {
        let mode = self.identity.mode.to_string();
        let own = [
            ("command", self.identity.command),
            ("mode", &mode),
            ("account", &self.account),
            ("scope", &self.identity.scope),
        ];
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Sample {
            labels: own.iter().chain(more).map(owned).collect(),
            value,
        }
    }
}

/// What an earlier run of the same job left in the file.
struct Former<'a>(Vec<&'a (String, Sample)>);

impl<'a> Former<'a> {
    fn of(identity: &Identity, account: Option<&AccountId>, all: &'a [(String, Sample)]) -> Self {
        let mode = identity.mode.to_string();
        let is_ours = |(_, sample): &&(String, Sample)| {
            let is = |label: &str, wanted: &str| sample.label(label) == Some(wanted);
            let same_account = account.is_none_or(|account| is("account", account.as_str()));
            is("command", identity.command)
                && is("mode", &mode)
                && is("scope", &identity.scope)
                && same_account
        };
        Former(all.iter().filter(is_ours).collect())
    }

    fn account(&self) -> &str {
        let named = self
            .0
            .iter()
            .find_map(|(_, sample)| sample.label("account"));
        named.unwrap_or_default()
    }

    /// What is known now, or else what was known before.
    fn or(&self, now: Option<Vec<Sample>>, name: &'static str, help: &'static str) -> Family {
        let before = || {
            let same = self.0.iter().filter(|(former, _)| former == name);
            same.map(|(_, sample)| sample.clone()).collect()
        };
        Family {
            name,
            help,
            kind: Kind::Gauge,
            samples: now.unwrap_or_else(before),
        }
    }
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

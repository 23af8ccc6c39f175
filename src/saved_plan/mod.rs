//! A plan in a file: made by one person, read on the phone by another, committed by a third, within a day and once.
//!
//! It holds what was agreed to and the facts that the agreement rests on, never a key, a password or a parent's address.
//! The checksum tells a file that was damaged or changed by mistake; whoever wants to can make another. What was agreed
//! to is what the digest says that people compare.
//! Nothing here reads or writes the file, Stripe or the database.

mod again;
mod facts;
mod standing;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::domain::{
    AccountId, CheckoutReference, LinkId, Mode, Money, OrderFacts, OrderId, Snapshot, Timestamp,
    TournamentId,
};
use crate::error::Error;
use crate::plan::{Approvable, Deed, Digest, Goal, Line, Plan, Policy, Verdict};

pub use facts::{Facts, facts_of, fingerprint};
pub use standing::{Due, Moved, Now, Standing, Stands, WorkedUnder};

pub const SCHEMA: &str = "relink.saved_plan/1";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SavedPlan {
    pub schema: String,
    /// Of database, account, mode, goal, orders and objects.
    pub digest: Digest,
    /// On Stripe's clock.
    pub made_at: Timestamp,
    /// The same moment on the database's clock, on which the journal is kept.
    pub made_at_database: Timestamp,
    /// `relink 0.1.0`
    pub made_by: String,
    /// The command line that made it, without secrets, and without what would commit.
    pub command: String,
    pub account: AccountId,
    pub mode: Mode,
    /// As the database names itself.
    pub database: String,
    pub scope: SavedScope,
    pub policy: Policy,
    pub totals: Totals,
    pub orders: Vec<SavedOrder>,
    pub gone_orders: Vec<OrderId>,
    pub paid_links: Vec<LinkId>,
    pub forced_objects: Vec<CheckoutReference>,
    /// SHA-256 of all of the above.
    pub checksum: String,
}

/// Which orders were looked at, as they were named.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SavedScope {
    pub all: bool,
    pub tournament_id: Option<TournamentId>,
    pub order_ids: Vec<OrderId>,
    pub excluded_order_ids: Vec<OrderId>,
    pub verdicts: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Totals {
    pub orders: usize,
    pub new_links: usize,
    /// What the new links ask for, per currency.
    pub amounts: Vec<Money>,
    pub objects_closed: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SavedOrder {
    #[serde(flatten)]
    pub line: Line,
    pub player: Option<String>,
    pub verdict: Verdict,
    pub fingerprint: String,
    pub facts: Facts,
}

/// Where and when a plan was made.
pub struct Making {
    pub made_at_database: Timestamp,
    pub command: String,
    pub account: AccountId,
    pub database: String,
    pub scope: SavedScope,
}

impl SavedPlan {
    #[must_use]
    pub fn of(plan: &Plan, snapshot: &Snapshot, making: Making) -> SavedPlan {
        let Making {
            made_at_database,
            command,
            account,
            database,
            scope,
        } = making;
        let orders: Vec<SavedOrder> = snapshot
            .orders
            .iter()
            .filter_map(|facts| SavedOrder::of(plan, facts))
            .collect();
        let mut saved = SavedPlan {
            schema: SCHEMA.to_owned(),
            digest: plan.digest_in(Some(&database)),
            made_at: plan.taken_at,
            made_at_database,
            made_by: concat!("relink ", env!("CARGO_PKG_VERSION")).to_owned(),
            command,
            account,
            mode: plan.mode,
            database,
            scope,
            policy: plan.policy.clone(),
            totals: Totals {
                orders: orders.len(),
                new_links: orders.iter().filter(|order| order.mints()).count(),
                amounts: plan.totals(),
                objects_closed: orders.iter().map(|order| order.line.objects.len()).sum(),
            },
            orders,
            gone_orders: plan.gone.clone(),
            paid_links: plan.paid_links.clone(),
            forced_objects: plan.forced.clone(),
            checksum: String::new(),
        };
        saved.orders.sort_by_key(|order| order.line.order_id);
        saved.digest = saved.computed_digest();
        saved.checksum = saved.computed_checksum();
        saved
    }

    /// `path` is only for the messages.
    ///
    /// # Errors
    /// Usage: it is no saved plan, of a version that this relink does not know, or not as it was written.
    pub fn parse(text: &str, path: &str) -> Result<SavedPlan, Error> {
        let again = "make it anew with --plan-out";
        let found: serde_json::Value = serde_json::from_str(text).map_err(|e| {
            Error::usage(
                format!("`{path}` is no saved plan: it is not JSON: {e}"),
                again,
            )
        })?;
        match found.get("schema").and_then(|schema| schema.as_str()) {
            Some(SCHEMA) => {}
            Some(other) => {
                let other: String = other.chars().take(60).collect();
                return Err(Error::usage(
                    format!("`{path}` is of schema `{other}`, and this relink reads {SCHEMA}"),
                    "a plan is a file that --plan-out wrote; commit it with the version that made it, or make it anew",
                ));
            }
            None => {
                return Err(Error::usage(
                    format!("`{path}` is no saved plan: it names no schema"),
                    again,
                ));
            }
        }
        let saved: SavedPlan = serde_json::from_value(found).map_err(|e| {
            Error::usage(
                format!("`{path}` is no saved plan that can be read: {e}"),
                again,
            )
        })?;
        if saved.checksum != saved.computed_checksum() || saved.digest != saved.computed_digest() {
            return Err(Error::usage(
                format!(
                    "`{path}` was changed since it was written, and what was changed was approved by nobody"
                ),
                again,
            ));
        }
        Ok(saved)
    }

    /// One JSON document, ended by a line break.
    ///
    /// # Errors
    /// Bug: it cannot be written as JSON.
    pub fn render(&self) -> Result<String, Error> {
        let text = serde_json::to_string_pretty(self);
        text.map(|text| text + "\n")
            .map_err(|e| Error::Bug(format!("the plan could not be written as JSON: {e}")))
    }

    #[must_use]
    pub fn goal(&self) -> Goal {
        self.policy.goal
    }

    /// Orders, and objects without one.
    #[must_use]
    pub fn size(&self) -> usize {
        self.orders.len()
            + self.gone_orders.len()
            + self.paid_links.len()
            + self.forced_objects.len()
    }

    /// Orders on which an earlier run's operation is gone on with, and which may end with a new link.
    pub fn resumed(&self) -> impl Iterator<Item = &Line> {
        let mints = matches!(self.goal(), Goal::Regen | Goal::Mint);
        let lines = self.orders.iter().map(|order| &order.line);
        lines.filter(move |line| mints && line.deed == Deed::Resume)
    }

    #[must_use]
    pub fn order_ids(&self) -> Vec<OrderId> {
        self.orders
            .iter()
            .map(|order| order.line.order_id)
            .collect()
    }

    fn computed_digest(&self) -> Digest {
        let approvable = Approvable {
            database: Some(&self.database),
            account: Some(&self.account),
            mode: self.mode,
            goal: self.goal(),
            lines: self.orders.iter().map(|order| &order.line).collect(),
            gone: &self.gone_orders,
            paid_links: &self.paid_links,
            forced: &self.forced_objects,
        };
        approvable.digest()
    }

    fn computed_checksum(&self) -> String {
        let bare = SavedPlan {
            checksum: String::new(),
            ..self.clone()
        };
        // A document that cannot be written has no checksum, and is equal to none.
        let bytes = serde_json::to_vec(&bare).unwrap_or_default();
        facts::hex(&Sha256::digest(bytes), 32)
    }
}

impl SavedOrder {
    fn of(plan: &Plan, facts: &OrderFacts) -> Option<SavedOrder> {
        let decision = plan.decision(facts.order.id)?;
        let line = Line::of(decision)?;
        let found = facts_of(facts, decision);
        Some(SavedOrder {
            line,
            player: facts
                .order
                .player
                .as_ref()
                .map(|player| player.name.clone()),
            verdict: decision.verdict,
            fingerprint: fingerprint(&found),
            facts: found,
        })
    }

    fn mints(&self) -> bool {
        self.line.deed == Deed::Replace
    }
}

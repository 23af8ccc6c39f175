//! Receiving an event: in one transaction the event is known from now on, the order is paid, the payment is
//! remembered, and what follows (a link to close, a person to ask) is asked for.
//!
//! The order's row is locked before anything is read, so that two receivers never decide over the same facts. Stripe
//! is never called here: a link to be closed is a row, until somebody has closed it.

mod apply;
mod facts;
mod incidents;
mod outbox;
mod report;
mod resolving;
mod together;

use sqlx::{AssertSqlSafe, Row};
use uuid::Uuid;

use super::journal::{RECEIVES_SINCE, Settling, Tables, Work, Writing, unless_closed_to_us};
use super::schema::Names;
use super::{Store, StoreError};
use crate::domain::{LinkId, OrderId};
use crate::webhook::{
    Aftermath, Decision, Event, EventId, Happened, IncidentId, Policy, Ruling, decide,
};

pub use incidents::{DismissedIncident, StoredIncident};
pub use outbox::Retirement;
pub use report::ReceiverCounts;
pub use resolving::{Resolution, Resolved, Resolving};

use facts::Known;

const RECEIVE: &str = "receive a payment";

/// Settles orders of one database by one policy. Cheap to clone; several may work at once.
#[derive(Clone, Debug)]
pub struct Receiver {
    store: Store,
    policy: Policy,
}

/// What became of a delivery, durably.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    pub event: EventId,
    pub ruling: Ruling,
    /// The order it names, whether there is one or not.
    pub order: Option<OrderId>,
    pub incident: Option<IncidentId>,
    /// Links to be closed now. They stay due until somebody said that they are.
    pub retirements: Vec<Retirement>,
    /// This very event had been received before, and nothing was written: `ruling` is the one of that time.
    pub seen_before: bool,
}

impl Store {
    /// A receiver that can foresee. To receive, use [`Store::open_receiver`].
    #[must_use]
    pub fn receiver(&self, policy: Policy) -> Receiver {
        Receiver {
            store: self.clone(),
            policy,
        }
    }

    /// A receiver that is ready to settle: its tables are there, and this role may write what it must.
    ///
    /// # Errors
    /// As for [`Store::open_journal`]; [`StoreError::Schema`] without `orders.paid_at`;
    /// [`StoreError::AccessDenied`] where the role may not settle.
    pub async fn open_receiver(&self, policy: Policy) -> Result<Receiver, StoreError> {
        let Names { order_paid_at, .. } = &*self.names;
        if !self.has_paid_at {
            let missing = vec![format!("column `{}` is missing", order_paid_at.path())];
            return Err(StoreError::Schema { missing });
        }
        self.open_journal().await?;
        let receiver = self.receiver(policy);
        receiver.try_settling().await?;
        Ok(receiver)
    }

    /// Whether the receiver's tables are there.
    pub(in crate::store) async fn has_received(&self) -> Result<bool, StoreError> {
        let version = self.journal_version().await?;
        Ok(version.is_some_and(|version| version >= RECEIVES_SINCE))
    }
}

impl Receiver {
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// What [`Receiver::receive`] would come to just now, once the events of `before` are taken in. A role that may only
    /// read can ask, and no table of ours need be there. `None`: this very event was received before, and its ruling
    /// stands.
    ///
    /// # Errors
    /// What any query can meet.
    pub async fn foresee(
        &self,
        event: &Event,
        before: &Aftermath,
    ) -> Result<Option<Decision>, StoreError> {
        let has_received = unless_closed_to_us(self.store.has_received().await)?;
        let mut snapshot = self.store.snapshot().await?;
        let known = match before.ruling(&event.id) {
            Some(ruling) => Some(Known::of(ruling)),
            None if has_received => self.known(&mut snapshot, event).await?,
            None => None,
        };
        if known.as_ref().is_some_and(Known::stands) {
            snapshot.leave().await;
            return Ok(None);
        }
        let facts = self.facts(&mut snapshot, event, "", has_received).await?;
        let mut decision = decide(event, &before.facts(event, facts), &self.policy);
        if known.is_some_and(|known| known.ruling == decision.ruling) {
            snapshot.leave().await;
            return Ok(None);
        }
        if !apply::asks_again(decision.ruling) {
            let asked = match has_received {
                true => self.asked(&mut snapshot, &decision.retire).await?,
                false => Vec::new(),
            };
            let is_asked = |link: &LinkId| asked.contains(link) || before.has_asked(link);
            decision.retire.retain(|link| !is_asked(link));
        }
        snapshot.leave().await;
        Ok(Some(decision))
    }

    /// Takes the event in, whole or not at all. Once it returns, everything that it says is committed, and Stripe may
    /// be told so; after an error the event must be sent again.
    ///
    /// # Errors
    /// What any query can meet; [`StoreError::JournalUnknown`] when it may or may not be committed. To receive it
    /// again is right after each.
    pub async fn receive(&self, event: &Event) -> Result<Receipt, StoreError> {
        if let Happened::Ignored(_) = event.what {
            return Ok(Receipt {
                event: event.id.clone(),
                ruling: Ruling::Acknowledged,
                order: None,
                incident: None,
                retirements: Vec::new(),
                seen_before: false,
            });
        }
        // By which this transaction is found again.
        let name = Uuid::new_v4().to_string();
        let mut settling = Settling::new(&self.store, RECEIVE);
        loop {
            let mut transaction = settling.begin().await?;
            let lost = settling.lost();
            let work = self
                .receive_once(&mut transaction, event, &name, lost)
                .await;
            if let Some(receipt) = settling.conclude(transaction, work).await? {
                return Ok(receipt);
            }
        }
    }

    async fn receive_once(
        &self,
        transaction: &mut Writing,
        event: &Event,
        name: &str,
        lost: Option<Receipt>,
    ) -> Result<Work<Receipt>, StoreError> {
        let Names { orders_table, .. } = &*self.store.names;
        // The order's row first: whoever receives for the same order is through when this has it.
        let lock = self.store.dialect.row_lock_of(&orders_table.alias());
        let facts = self.facts(transaction, event, &lock, true).await?;
        let known = self.known(transaction, event).await?;
        if let Some(known) = &known
            && let Some(receipt) = known.answer(event, name, lost.clone())
        {
            return Ok(Work::Leave(receipt));
        }
        let decision = decide(event, &facts, &self.policy);
        if let Some(known) = &known
            && known.ruling == decision.ruling
        {
            return Ok(Work::Leave(seen_before(event, known)));
        }
        let writes = self.writes(event, name);
        if known.is_none() && !writes.add_event(transaction, &decision).await? {
            // Another receiver was first, and is through now.
            let known = self.known(transaction, event).await?;
            return match known {
                Some(known) => Ok(Work::Leave(
                    known
                        .answer(event, name, lost)
                        .unwrap_or_else(|| seen_before(event, &known)),
                )),
                None => Err(StoreError::Contended {
                    what: RECEIVE,
                    detail: "the event was taken in by another receiver, and taken back".to_owned(),
                }),
            };
        }
        if let Some(known) = &known {
            writes.rule_anew(transaction, known, &decision).await?;
        }
        let retirements = writes.apply(transaction, &decision).await?;
        Ok(Work::Commit(Receipt {
            event: event.id.clone(),
            ruling: decision.ruling,
            order: apply::named_order(event),
            incident: decision.incident.map(|incident| incident.id),
            retirements,
            seen_before: false,
        }))
    }

    /// The event as it was received before.
    async fn known(
        &self,
        transaction: &mut Writing,
        event: &Event,
    ) -> Result<Option<Known>, StoreError> {
        let Tables {
            events, incidents, ..
        } = Tables::of(self.store.dialect);
        let row = sqlx::query(AssertSqlSafe(format!(
            "SELECT e.ruling, e.last_tx, e.incident_id, \
             CAST(CASE WHEN i.resolved_at IS NULL THEN 0 ELSE 1 END AS BIGINT) AS is_resolved \
             FROM {events} e LEFT JOIN {incidents} i ON i.incident_id = e.incident_id WHERE e.event_id = $1"
        )))
        .bind(event.id.as_str())
        .fetch_optional(&mut **transaction)
        .await
        .map_err(StoreError::query(RECEIVE))?;
        row.map(|row| {
            let ruling: String = row.try_get(0)?;
            let incident: Option<String> = row.try_get(2)?;
            Ok(Known {
                // One of a later relink stands.
                ruling: Ruling::parse(&ruling).unwrap_or(Ruling::Acknowledged),
                transaction: row.try_get(1)?,
                incident: incident.and_then(|id| IncidentId::parse(&id)),
                is_resolved: row.try_get::<i64, _>(3)? == 1,
            })
        })
        .transpose()
        .map_err(StoreError::query(RECEIVE))
    }
}

impl Known {
    /// One that would be received just before.
    fn of(ruling: Ruling) -> Self {
        Known {
            ruling,
            transaction: String::new(),
            incident: None,
            is_resolved: false,
        }
    }

    /// The ruling is final, or a person has said the last word about it.
    fn stands(&self) -> bool {
        !self.ruling.may_change() || self.is_resolved
    }

    /// What to tell where nothing more is to be done.
    fn answer(&self, event: &Event, transaction: &str, lost: Option<Receipt>) -> Option<Receipt> {
        match lost {
            Some(receipt) if self.transaction == transaction => Some(receipt),
            _ => self.stands().then(|| seen_before(event, self)),
        }
    }
}

fn seen_before(event: &Event, known: &Known) -> Receipt {
    Receipt {
        event: event.id.clone(),
        ruling: known.ruling,
        order: apply::named_order(event),
        incident: known.incident.clone(),
        retirements: Vec::new(),
        seen_before: true,
    }
}

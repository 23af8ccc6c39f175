//! A person's word about one incident: it is dealt with, or the amount that was paid is accepted and settles the order.
//!
//! relink gives no money back. Without a person's word an incident stays open for ever.

use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row};

use super::super::StoreError;
use super::super::journal::{Settling, Tables, Work, Writing};
use super::super::schema::Names;
use super::facts::{PAYMENT, read_payment};
use super::{Receiver, Retirement};
use crate::domain::{CheckoutReference, LinkId, OrderId, OrderStatus};
use crate::webhook::{IncidentId, IncidentKind, KnownPayment, PaymentState, Settlement};

const RESOLVE: &str = "resolve an incident";
/// The columns of a [`Word`].
const WORD: &str = "resolved_at, resolved_by, resolution, reason";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// A person dealt with it. The payment in question settles nothing, until a person accepts it after all.
    Acknowledge,
    /// The amount that was paid is what the order is settled with.
    AcceptAmount,
    /// The same of an incident that somebody acknowledged before, and whoever says so knows that. Meant for one that was open,
    /// no word takes another one back: the money may have been returned a moment ago.
    AcceptAfterAll,
}

impl Resolution {
    /// The journal's spelling.
    pub(super) fn name(self) -> &'static str {
        match self {
            Resolution::Acknowledge => "acknowledged",
            Resolution::AcceptAmount | Resolution::AcceptAfterAll => "accepted",
        }
    }
}

/// A person's word.
#[derive(Clone, Debug)]
pub struct Resolving {
    pub incident: IncidentId,
    /// As a check: the incident must be this order's, or name none.
    pub order: OrderId,
    pub resolution: Resolution,
    /// `ann@desk`
    pub by: String,
    pub reason: String,
}

impl Resolving {
    fn takes_back(&self, word: &Word) -> bool {
        let was_acknowledged = word.resolution.as_deref() == Some(Resolution::Acknowledge.name());
        self.resolution == Resolution::AcceptAfterAll && was_acknowledged
    }

    /// What was said before is kept.
    fn reason_after(&self, word: Option<&Word>) -> String {
        let Some(word) = word else {
            return self.reason.clone();
        };
        let said = |text: &Option<String>| text.clone().unwrap_or_default();
        let (by, reason) = (said(&word.by), said(&word.reason));
        format!("{} (before, acknowledged by {by}: {reason})", self.reason)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// Durably. With an accepted amount the order is paid now, and these links are to be closed.
    Done(Vec<Retirement>),
    /// There is none with this id in this mode, or it is another order's.
    NoSuchIncident,
    /// Somebody has said so before. Nothing was written.
    Before,
    /// Only another amount can be accepted, while the order is pending and its payment is known. Nothing was written.
    NotAcceptable,
}

/// A person's word as the incident's row holds it. The moment, on the database's clock, tells it from the same person's
/// other words: it is what a lost answer is read back by.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Word {
    at: i64,
    by: Option<String>,
    resolution: Option<String>,
    reason: Option<String>,
}

/// What a transaction came to, and the word that it wrote.
#[derive(Clone)]
struct Answer {
    resolved: Resolved,
    word: Option<Word>,
}

/// The incident as it stands.
struct Found {
    kind: String,
    session: String,
    word: Option<Word>,
}

impl Receiver {
    /// # Errors
    /// What any query can meet; [`StoreError::JournalUnknown`].
    pub async fn resolve(&self, resolving: &Resolving) -> Result<Resolved, StoreError> {
        let mut settling = Settling::new(&self.store, RESOLVE);
        loop {
            let mut transaction = settling.begin().await?;
            let lost = settling.lost();
            let work = self.resolve_once(&mut transaction, resolving, lost).await;
            if let Some(answer) = settling.conclude(transaction, work).await? {
                return Ok(answer.resolved);
            }
        }
    }

    async fn resolve_once(
        &self,
        transaction: &mut Writing,
        resolving: &Resolving,
        lost: Option<Answer>,
    ) -> Result<Work<Answer>, StoreError> {
        let Names { orders_table, .. } = &*self.store.names;
        // In the order in which an event is received.
        let lock = self.store.dialect.row_lock_of(&orders_table.alias());
        let row = self.row(transaction, resolving.order, &lock).await?;
        let Some(found) = self.incident(transaction, resolving).await? else {
            return Ok(nothing(Resolved::NoSuchIncident));
        };
        if let Some(word) = &found.word {
            match lost {
                Some(answer) if answer.word.as_ref() == Some(word) => {
                    return Ok(Work::Leave(answer));
                }
                _ if resolving.takes_back(word) => {}
                _ => return Ok(nothing(Resolved::Before)),
            }
        }
        let state = match &found.word {
            None => PaymentState::Paid,
            Some(_) => PaymentState::Dismissed,
        };
        let payment = self
            .payment(transaction, &found.session, resolving.order, state)
            .await?;
        let retirements = match resolving.resolution {
            Resolution::Acknowledge => {
                if let Some(payment) = payment {
                    self.mark(transaction, &payment, PaymentState::Dismissed)
                        .await?;
                }
                Vec::new()
            }
            Resolution::AcceptAmount | Resolution::AcceptAfterAll => {
                let is_amount = found.kind == IncidentKind::OtherAmount.name();
                let (Some(row), Some(payment)) = (row, payment.filter(|_| is_amount)) else {
                    return Ok(nothing(Resolved::NotAcceptable));
                };
                if row.status != OrderStatus::Pending {
                    return Ok(nothing(Resolved::NotAcceptable));
                }
                self.accept(transaction, &payment, row.reference, &resolving.incident)
                    .await?
            }
        };
        let reason = resolving.reason_after(found.word.as_ref());
        let word = self.close(transaction, resolving, &reason).await?;
        Ok(Work::Commit(Answer {
            resolved: Resolved::Done(retirements),
            word: Some(word),
        }))
    }

    async fn accept(
        &self,
        transaction: &mut Writing,
        payment: &KnownPayment,
        reference: Option<CheckoutReference>,
        incident: &IncidentId,
    ) -> Result<Vec<Retirement>, StoreError> {
        let settlement = Settlement {
            order: payment.order,
            paid_at: payment.at,
            intent: payment.intent.clone(),
        };
        self.store.settle(transaction, &settlement).await?;
        self.mark(transaction, payment, PaymentState::Paid).await?;
        let own = match reference {
            Some(CheckoutReference::Link(link)) => Some(link),
            _ => None,
        };
        let mut links: Vec<LinkId> = payment.link.iter().cloned().chain(own).collect();
        links.dedup();
        let mut retirements = Vec::new();
        for link in &links {
            let of = (payment.order, self.policy.mode);
            let asked = self
                .store
                .ask_retirement(transaction, of, link, incident.as_str(), true)
                .await?;
            retirements.extend(asked);
        }
        Ok(retirements)
    }

    async fn incident(
        &self,
        transaction: &mut Writing,
        resolving: &Resolving,
    ) -> Result<Option<Found>, StoreError> {
        let incidents = Tables::of(self.store.dialect).incidents;
        let lock = self.store.dialect.row_lock();
        // Those that are an alarm in this mode, as they are listed.
        let row = sqlx::query(AssertSqlSafe(format!(
            "SELECT kind, session_id, {WORD} FROM {incidents} WHERE incident_id = $1 \
             AND (order_id = $2 OR order_id IS NULL) AND (mode = $3 OR kind = $4){lock}"
        )))
        .bind(resolving.incident.as_str())
        .bind(resolving.order.0)
        .bind(self.policy.mode.to_string())
        .bind(IncidentKind::WrongMode.name())
        .fetch_optional(&mut **transaction)
        .await
        .map_err(StoreError::query(RESOLVE))?;
        row.map(|row| {
            Ok(Found {
                kind: row.try_get("kind")?,
                session: row.try_get("session_id")?,
                word: word(&row)?,
            })
        })
        .transpose()
        .map_err(StoreError::query(RESOLVE))
    }

    /// The payment that an incident is about, if it is known as one of the order.
    async fn payment(
        &self,
        transaction: &mut Writing,
        session: &str,
        order: OrderId,
        state: PaymentState,
    ) -> Result<Option<KnownPayment>, StoreError> {
        let payments = Tables::of(self.store.dialect).payments;
        let row = sqlx::query(AssertSqlSafe(format!(
            "SELECT {PAYMENT} FROM {payments} p \
             WHERE p.session_id = $1 AND p.order_id = $2 AND p.state = $3"
        )))
        .bind(session)
        .bind(order.0)
        .bind(state.name())
        .fetch_optional(&mut **transaction)
        .await
        .map_err(StoreError::query(RESOLVE))?;
        row.as_ref().map(read_payment).transpose()
    }

    async fn mark(
        &self,
        transaction: &mut Writing,
        payment: &KnownPayment,
        state: PaymentState,
    ) -> Result<(), StoreError> {
        let payments = Tables::of(self.store.dialect).payments;
        let now = self.store.dialect.epoch_micros();
        sqlx::query(AssertSqlSafe(format!(
            "UPDATE {payments} SET state = $1, updated_at = {now} WHERE session_id = $2"
        )))
        .bind(state.name())
        .bind(payment.session.as_str())
        .execute(&mut **transaction)
        .await
        .map(drop)
        .map_err(StoreError::query(RESOLVE))
    }

    async fn close(
        &self,
        transaction: &mut Writing,
        resolving: &Resolving,
        reason: &str,
    ) -> Result<Word, StoreError> {
        let incidents = Tables::of(self.store.dialect).incidents;
        let now = self.store.dialect.epoch_micros();
        let row = sqlx::query(AssertSqlSafe(format!(
            "UPDATE {incidents} SET resolved_at = {now}, resolved_by = $1, resolution = $2, reason = $3 \
             WHERE incident_id = $4 RETURNING {WORD}"
        )))
        .bind(resolving.by.as_str())
        .bind(resolving.resolution.name())
        .bind(reason)
        .bind(resolving.incident.as_str())
        .fetch_one(&mut **transaction)
        .await
        .map_err(StoreError::query(RESOLVE))?;
        let written = word(&row).map_err(StoreError::query(RESOLVE))?;
        written.ok_or_else(|| StoreError::Query {
            what: RESOLVE,
            detail: "the word that was written is not there".to_owned(),
        })
    }
}

/// Nothing was written.
fn nothing(resolved: Resolved) -> Work<Answer> {
    Work::Leave(Answer {
        resolved,
        word: None,
    })
}

/// `None` of an incident that is open.
fn word(row: &AnyRow) -> Result<Option<Word>, sqlx::Error> {
    let at: Option<i64> = row.try_get("resolved_at")?;
    let Some(at) = at else { return Ok(None) };
    Ok(Some(Word {
        at,
        by: row.try_get("resolved_by")?,
        resolution: row.try_get("resolution")?,
        reason: row.try_get("reason")?,
    }))
}

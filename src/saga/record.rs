//! An operation as the journal keeps it: a JSON document with a version of its own.
//!
//! What cannot be read back is an error that names the place, never a guess. The requests still queued are
//! not kept: whoever takes the operation over reads everything anew before it sends anything.

use serde::{Deserialize, Serialize};

use super::operation::{Ending, Expected, Intended, Minted, Operation, State, Task, Then};
use crate::actions::{IdempotencyKey, Mint, StripeWrite};
use crate::domain::{CheckoutReference, Currency, LinkId, Money, OrderId};
use crate::plan::{Reason, Verdict};

const VERSION: u32 = 1;

/// Why a journaled operation cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the journal holds an operation that this version of relink cannot read: {0}")]
pub struct UnreadableRecord(String);

impl Operation {
    /// The document that [`Operation::from_record`] reads.
    #[must_use]
    pub fn record(&self) -> String {
        // A document of strings and numbers always serializes.
        serde_json::to_string(&Record::of(self)).unwrap_or_default()
    }

    /// # Errors
    /// Not such a document, of a newer version, or with an id, key or amount that is none.
    pub fn from_record(text: &str) -> Result<Operation, UnreadableRecord> {
        let record: Record =
            serde_json::from_str(text).map_err(|e| UnreadableRecord(e.to_string()))?;
        if record.version > VERSION {
            return Err(UnreadableRecord(format!(
                "its version is {}, and {VERSION} is the newest known; use the relink that wrote it",
                record.version
            )));
        }
        record.restore()
    }
}

#[derive(Serialize, Deserialize)]
struct Record {
    version: u32,
    order: Option<i64>,
    task: TaskRecord,
    expected_reference: Option<String>,
    expected_amount: Option<AmountRecord>,
    state: StateRecord,
    attempt: u32,
    rounds: u32,
    retired: Vec<String>,
    minted: Option<MintedRecord>,
    mint: Option<MintRecord>,
    has_written: bool,
    watched: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum TaskRecord {
    Replace,
    Mint,
    Retire,
    Withdraw,
    RetireObjects(Vec<String>),
}

#[derive(Serialize, Deserialize)]
struct AmountRecord {
    minor: i64,
    currency: String,
}

#[derive(Serialize, Deserialize)]
struct MintedRecord {
    id: String,
    url: String,
}

#[derive(Serialize, Deserialize)]
struct MintRecord {
    attempt: u32,
    key: String,
    relink_key: String,
    api_version: String,
    path: String,
    body: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StateRecord {
    Claimed,
    Retiring {
        targets: Vec<String>,
    },
    Closing {
        targets: Vec<String>,
        ending: EndingRecord,
    },
    Minting,
    Examining,
    Publishing,
    Confirming,
    Ended(EndingRecord),
}

/// An ending in words. What it was concluded from is history by the time somebody reads it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum EndingRecord {
    Replaced {
        link: MintedRecord,
        unconfirmed: Option<String>,
    },
    Retired,
    Moved {
        verdict: String,
        reason: String,
    },
    PaidMeanwhile {
        verdict: String,
        reason: String,
    },
    LostRace,
    StillLive(Vec<String>),
    Refused {
        what: String,
        why: String,
    },
    Unavailable {
        what: String,
        why: String,
    },
    Unknown {
        what: String,
        why: String,
    },
    Fenced,
    Interrupted {
        what: String,
    },
}

impl Record {
    fn of(operation: &Operation) -> Record {
        Record {
            version: VERSION,
            order: operation.order.map(|id| id.0),
            task: TaskRecord::of(&operation.task),
            expected_reference: operation.expected.reference.as_ref().map(text),
            expected_amount: operation.expected.amount.map(|amount| AmountRecord {
                minor: amount.minor,
                currency: amount.currency.code(),
            }),
            state: StateRecord::of(&operation.state),
            attempt: operation.attempt,
            rounds: operation.rounds,
            retired: texts(&operation.retired),
            minted: operation.minted.as_ref().map(MintedRecord::of),
            mint: operation.mint.as_ref().map(MintRecord::of),
            has_written: operation.has_written,
            watched: operation.watched.iter().map(text).collect(),
        }
    }

    fn restore(self) -> Result<Operation, UnreadableRecord> {
        let amount = self
            .expected_amount
            .map(AmountRecord::restore)
            .transpose()?;
        Ok(Operation {
            order: self.order.map(OrderId),
            task: self.task.restore(),
            expected: Expected {
                reference: self
                    .expected_reference
                    .as_deref()
                    .map(CheckoutReference::classify),
                amount,
            },
            state: self.state.restore()?,
            attempt: self.attempt,
            rounds: self.rounds,
            retired: references(&self.retired),
            minted: self.minted.map(MintedRecord::restore).transpose()?,
            mint: self.mint.map(MintRecord::restore).transpose()?,
            key_is_old: false,
            has_spent_key: false,
            has_written: self.has_written,
            watched: references(&self.watched).into_iter().collect(),
        })
    }
}

impl TaskRecord {
    fn of(task: &Task) -> TaskRecord {
        match task {
            Task::Replace => TaskRecord::Replace,
            Task::Mint => TaskRecord::Mint,
            Task::Retire => TaskRecord::Retire,
            Task::Withdraw => TaskRecord::Withdraw,
            Task::RetireObjects(objects) => TaskRecord::RetireObjects(texts(objects)),
        }
    }

    fn restore(self) -> Task {
        match self {
            TaskRecord::Replace => Task::Replace,
            TaskRecord::Mint => Task::Mint,
            TaskRecord::Retire => Task::Retire,
            TaskRecord::Withdraw => Task::Withdraw,
            TaskRecord::RetireObjects(objects) => Task::RetireObjects(references(&objects)),
        }
    }
}

impl AmountRecord {
    fn restore(self) -> Result<Money, UnreadableRecord> {
        let currency = Currency::parse(&self.currency).map_err(unreadable)?;
        Ok(Money::new(self.minor, currency))
    }
}

impl MintedRecord {
    fn of(minted: &Minted) -> MintedRecord {
        MintedRecord {
            id: minted.id.to_string(),
            url: minted.url.clone(),
        }
    }

    fn restore(self) -> Result<Minted, UnreadableRecord> {
        Ok(Minted {
            id: LinkId::parse(&self.id).map_err(unreadable)?,
            url: self.url,
        })
    }
}

impl MintRecord {
    fn of(intended: &Intended) -> MintRecord {
        let write = &intended.mint.write;
        MintRecord {
            attempt: intended.attempt,
            key: write.key.to_string(),
            relink_key: intended.mint.relink_key.clone(),
            api_version: write.api_version.clone(),
            path: write.path.clone(),
            body: write.body.clone(),
        }
    }

    fn restore(self) -> Result<Intended, UnreadableRecord> {
        Ok(Intended {
            attempt: self.attempt,
            mint: Mint {
                write: StripeWrite {
                    path: self.path,
                    body: self.body,
                    key: IdempotencyKey::parse(&self.key).map_err(unreadable)?,
                    api_version: self.api_version,
                },
                relink_key: self.relink_key,
            },
        })
    }
}

impl StateRecord {
    fn of(state: &State) -> StateRecord {
        match state {
            State::Claimed => StateRecord::Claimed,
            State::Retiring { targets, then, .. } => match then {
                Then::Mint => StateRecord::Retiring {
                    targets: texts(targets),
                },
                Then::End(ending) => StateRecord::Closing {
                    targets: texts(targets),
                    ending: EndingRecord::of(ending),
                },
            },
            State::Minting | State::Doubting | State::Seeking => StateRecord::Minting,
            State::Examining => StateRecord::Examining,
            State::Publishing => StateRecord::Publishing,
            State::Confirming => StateRecord::Confirming,
            State::Ended(ending) => StateRecord::Ended(EndingRecord::of(ending)),
        }
    }

    fn restore(self) -> Result<State, UnreadableRecord> {
        Ok(match self {
            StateRecord::Claimed => State::Claimed,
            StateRecord::Retiring { targets } => State::Retiring {
                targets: references(&targets),
                queue: Vec::new(),
                then: Then::Mint,
            },
            StateRecord::Closing { targets, ending } => State::Retiring {
                targets: references(&targets),
                queue: Vec::new(),
                then: Then::End(ending.restore()?),
            },
            StateRecord::Minting => State::Minting,
            StateRecord::Examining => State::Examining,
            StateRecord::Publishing => State::Publishing,
            StateRecord::Confirming => State::Confirming,
            StateRecord::Ended(ending) => State::Ended(ending.restore()?),
        })
    }
}

impl EndingRecord {
    fn of(ending: &Ending) -> EndingRecord {
        match ending {
            Ending::Replaced { link, unconfirmed } => EndingRecord::Replaced {
                link: MintedRecord::of(link),
                unconfirmed: unconfirmed.clone(),
            },
            Ending::Retired => EndingRecord::Retired,
            Ending::Moved { verdict, reason } => EndingRecord::Moved {
                verdict: verdict.to_string(),
                reason: reason.to_string(),
            },
            Ending::PaidMeanwhile { verdict, reason } => EndingRecord::PaidMeanwhile {
                verdict: verdict.to_string(),
                reason: reason.to_string(),
            },
            Ending::LostRace => EndingRecord::LostRace,
            Ending::StillLive(live) => EndingRecord::StillLive(texts(live)),
            Ending::Refused { what, why } => EndingRecord::Refused {
                what: what.clone(),
                why: why.clone(),
            },
            Ending::Unavailable { what, why } => EndingRecord::Unavailable {
                what: what.clone(),
                why: why.clone(),
            },
            Ending::Unknown { what, why } => EndingRecord::Unknown {
                what: what.clone(),
                why: why.clone(),
            },
            Ending::Fenced => EndingRecord::Fenced,
            Ending::Interrupted { what } => EndingRecord::Interrupted { what: what.clone() },
        }
    }

    fn restore(self) -> Result<Ending, UnreadableRecord> {
        let verdict = |text: String| text.parse::<Verdict>().map_err(unreadable);
        Ok(match self {
            EndingRecord::Replaced { link, unconfirmed } => Ending::Replaced {
                link: link.restore()?,
                unconfirmed,
            },
            EndingRecord::Retired => Ending::Retired,
            EndingRecord::Moved {
                verdict: name,
                reason,
            } => Ending::Moved {
                verdict: verdict(name)?,
                reason: Reason::Recorded(reason),
            },
            EndingRecord::PaidMeanwhile {
                verdict: name,
                reason,
            } => Ending::PaidMeanwhile {
                verdict: verdict(name)?,
                reason: Reason::Recorded(reason),
            },
            EndingRecord::LostRace => Ending::LostRace,
            EndingRecord::StillLive(live) => Ending::StillLive(references(&live)),
            EndingRecord::Refused { what, why } => Ending::Refused { what, why },
            EndingRecord::Unavailable { what, why } => Ending::Unavailable { what, why },
            EndingRecord::Unknown { what, why } => Ending::Unknown { what, why },
            EndingRecord::Fenced => Ending::Fenced,
            EndingRecord::Interrupted { what } => Ending::Interrupted { what },
        })
    }
}

fn text(reference: &CheckoutReference) -> String {
    reference.as_str().to_owned()
}

fn texts(references: &[CheckoutReference]) -> Vec<String> {
    references.iter().map(text).collect()
}

fn references(texts: &[String]) -> Vec<CheckoutReference> {
    texts
        .iter()
        .map(|text| CheckoutReference::classify(text))
        .collect()
}

fn unreadable(error: impl ToString) -> UnreadableRecord {
    UnreadableRecord(error.to_string())
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;

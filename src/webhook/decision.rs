//! What may follow from an event: how it is ruled, and all that is to be written because of it.
//!
//! Plain data. A decision is applied whole or not at all.

use super::incident::{Incident, IncidentKind};
use super::payment::KnownPayment;
use crate::domain::{LinkId, OrderId, PaymentIntentId, Timestamp};

/// Why an event is recorded and settles nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The session is complete, the money is not there yet.
    OnItsWay,
    PaymentFailed,
    Expired,
    /// What it tells is older than what is known already.
    Overtaken,
    OutOfScope,
    /// An incident, for a person.
    Incident(IncidentKind),
    /// It concerns no order of ours, and no money was taken.
    Unmatched,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ruling {
    Settled,
    /// The payment that settled the order, told once more.
    Duplicate,
    Recorded(Reason),
    /// Nothing to do with a checkout session: nothing is written.
    Acknowledged,
}

impl Ruling {
    /// The journal's and JSON's spelling.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Ruling::Settled => "settled",
            Ruling::Duplicate => "duplicate_delivery",
            Ruling::Recorded(Reason::OnItsWay) => "on_its_way",
            Ruling::Recorded(Reason::PaymentFailed) => "payment_failed",
            Ruling::Recorded(Reason::Expired) => "expired",
            Ruling::Recorded(Reason::Overtaken) => "overtaken",
            Ruling::Recorded(Reason::OutOfScope) => "out_of_scope",
            Ruling::Recorded(Reason::Unmatched) => "unmatched",
            Ruling::Recorded(Reason::Incident(kind)) => kind.name(),
            Ruling::Acknowledged => "acknowledged",
        }
    }

    /// Whether the same event may be ruled otherwise once the row, the scope or the setting changed. What the event
    /// itself says never changes.
    #[must_use]
    pub fn may_change(self) -> bool {
        match self {
            Ruling::Settled | Ruling::Duplicate | Ruling::Acknowledged => false,
            Ruling::Recorded(reason) => match reason {
                Reason::OutOfScope | Reason::Unmatched => true,
                Reason::Incident(kind) => !matches!(
                    kind,
                    IncidentKind::DoublePayment
                        | IncidentKind::NoOrder
                        | IncidentKind::MalformedOrder
                ),
                Reason::OnItsWay | Reason::PaymentFailed | Reason::Expired | Reason::Overtaken => {
                    false
                }
            },
        }
    }

    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let plain = [
            Ruling::Settled,
            Ruling::Duplicate,
            Ruling::Acknowledged,
            Ruling::Recorded(Reason::OnItsWay),
            Ruling::Recorded(Reason::PaymentFailed),
            Ruling::Recorded(Reason::Expired),
            Ruling::Recorded(Reason::Overtaken),
            Ruling::Recorded(Reason::OutOfScope),
            Ruling::Recorded(Reason::Unmatched),
        ];
        let incident =
            || IncidentKind::parse(name).map(|kind| Ruling::Recorded(Reason::Incident(kind)));
        plain
            .into_iter()
            .find(|ruling| ruling.name() == name)
            .or_else(incident)
    }
}

/// The order becomes paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    pub order: OrderId,
    pub paid_at: Timestamp,
    /// `None` where no money was asked for.
    pub intent: Option<PaymentIntentId>,
}

/// All that is to be written, in one transaction.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    pub ruling: Ruling,
    pub settle: Option<Settlement>,
    /// The payment as it is known from now on; `None` where nothing new was told.
    pub payment: Option<KnownPayment>,
    pub incident: Option<Incident>,
    /// Links of an order that owes nothing more. They may be live, and a live one could be paid again.
    pub retire: Vec<LinkId>,
}

impl Decision {
    pub(super) fn of(ruling: Ruling) -> Self {
        Decision {
            ruling,
            settle: None,
            payment: None,
            incident: None,
            retire: Vec::new(),
        }
    }
}

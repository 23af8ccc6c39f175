//! What follows from an event for one order: pure and total. It sees the event, the receiver's policy, and the
//! order's facts as they were read under the row's lock.
//!
//! It settles only what was surely paid, once, for the amount that the order asks. Everything else is recorded, and
//! where money may be involved, opened as an incident for a person.

use serde_json::{Value, json};

use super::decision::{Decision, Reason, Ruling, Settlement};
use super::event::{Event, Happened, PaymentStatus, SessionEvent, SessionFacts};
use super::incident::{Incident, IncidentId, IncidentKind};
use super::payment::{KnownPayment, PaymentState};
use crate::domain::{
    AccountId, CheckoutReference, Currency, LinkId, Mode, Money, OrderId, OrderStatus, Owner,
    PaymentIntentId,
};

/// Which orders the receiver may settle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Categories {
    /// Of these product categories.
    Only(Vec<String>),
    All,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Events of the other one touch nothing.
    pub mode: Mode,
    /// The account that this database is journaled for, where it is known.
    pub account: Option<AccountId>,
    pub categories: Categories,
    /// Of the orders: the tables have no currency column.
    pub currency: Currency,
}

/// The row of the order that the event names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowFacts {
    pub id: OrderId,
    pub status: OrderStatus,
    /// `None` without a product.
    pub category: Option<String>,
    /// `None` where the row's amount is no whole number.
    pub amount: Option<Money>,
    pub reference: Option<CheckoutReference>,
    /// As it stands there; never the empty text.
    pub payment_intent: Option<String>,
}

/// What the database knows about the order that the event names, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    pub row: Option<RowFacts>,
    /// The payments that were told of this order before, the first one first.
    pub payments: Vec<KnownPayment>,
    /// Another order, whose row names the session or its link, or whose payment this one is known to be.
    pub claimed_by: Option<OrderId>,
}

/// What the event tells of the money.
enum Told {
    Paid,
    OnItsWay,
    Failed,
    Expired,
    Unclear(String),
}

#[must_use]
pub fn decide(event: &Event, facts: &Facts, policy: &Policy) -> Decision {
    let Happened::Session(kind, session) = &event.what else {
        return Decision::of(Ruling::Acknowledged);
    };
    let case = Case {
        event,
        session,
        told: told(*kind, session),
        facts,
        policy,
    };
    case.decide()
}

/// `async_payment_succeeded` counts by what the session says as well: no order is settled while it says `unpaid`.
fn told(kind: SessionEvent, session: &SessionFacts) -> Told {
    match (kind, &session.payment_status) {
        (SessionEvent::PaymentFailed, _) => Told::Failed,
        (SessionEvent::Expired, _) => Told::Expired,
        (_, PaymentStatus::Paid | PaymentStatus::NoPaymentRequired) => Told::Paid,
        (_, PaymentStatus::Unpaid) => Told::OnItsWay,
        (_, PaymentStatus::Unknown(text)) => Told::Unclear(text.clone()),
    }
}

struct Case<'a> {
    event: &'a Event,
    session: &'a SessionFacts,
    told: Told,
    facts: &'a Facts,
    policy: &'a Policy,
}

impl Case<'_> {
    fn decide(&self) -> Decision {
        if let Some((kind, more)) = self.unmatched() {
            return self.for_a_person(kind, more);
        }
        // `unmatched` has named every other owner and a missing row.
        let Some(row) = &self.facts.row else {
            return Decision::of(Ruling::Recorded(Reason::Unmatched));
        };
        if !self.is_in_scope(row) {
            return Decision::of(Ruling::Recorded(Reason::OutOfScope));
        }
        match &self.told {
            Told::Paid => self.paid(row),
            Told::OnItsWay => self.moved(row, PaymentState::Processing, Reason::OnItsWay),
            Told::Failed => self.moved(row, PaymentState::Failed, Reason::PaymentFailed),
            Told::Expired => Decision::of(Ruling::Recorded(Reason::Expired)),
            Told::Unclear(text) => {
                self.for_a_person(IncidentKind::UnknownStatus, json!({"status": text}))
            }
        }
    }

    /// Why the event is about no order that may be settled by it.
    fn unmatched(&self) -> Option<(IncidentKind, Value)> {
        if self.event.mode != self.policy.mode {
            let mode = self.event.mode.to_string();
            return Some((IncidentKind::WrongMode, json!({"mode": mode})));
        }
        if let (Some(own), Some(other)) = (&self.policy.account, &self.event.account)
            && own != other
        {
            return Some((IncidentKind::OtherAccount, json!({"account": other})));
        }
        match &self.session.owner {
            Owner::Nobody => return Some((IncidentKind::NoOrder, json!({}))),
            Owner::Unreadable(text) => {
                return Some((IncidentKind::MalformedOrder, json!({"order_id": text})));
            }
            Owner::Order(_) if self.facts.row.is_none() => {
                return Some((IncidentKind::UnknownOrder, json!({})));
            }
            Owner::Order(_) => {}
        }
        let other = self.facts.claimed_by?;
        Some((IncidentKind::Foreign, json!({"other_order": other})))
    }

    /// An order without a product is in no category.
    fn is_in_scope(&self, row: &RowFacts) -> bool {
        match &self.policy.categories {
            Categories::All => true,
            Categories::Only(scope) => row
                .category
                .as_ref()
                .is_some_and(|category| scope.contains(category)),
        }
    }

    fn paid(&self, row: &RowFacts) -> Decision {
        let payment = self.payment(row, PaymentState::Paid);
        if payment.state == PaymentState::Dismissed {
            return self.duplicate(row, payment);
        }
        match &row.status {
            OrderStatus::Pending if row.amount.is_some() && row.amount == payment.amount => {
                self.settle(row, payment)
            }
            OrderStatus::Pending => {
                let more = json!({"expected": row.amount});
                self.taken(row, payment, IncidentKind::OtherAmount, more)
            }
            OrderStatus::Paid | OrderStatus::Refunded => match self.own_payment(row, &payment) {
                None => self.duplicate(row, payment),
                Some(first) => self.double(row, payment, &first),
            },
            OrderStatus::Canceled if is_rows_own(row, &payment) || self.took_nothing() => {
                self.duplicate(row, payment)
            }
            OrderStatus::Canceled => {
                let more = json!({"refund": payment.amount});
                self.taken(row, payment, IncidentKind::CanceledPaid, more)
            }
            OrderStatus::Unknown(text) => {
                let more = json!({"status": text});
                self.taken(row, payment, IncidentKind::UnknownStatus, more)
            }
        }
    }

    /// The row becomes paid by this payment. One that was paid before, and never settled the order, is now one too
    /// many.
    fn settle(&self, row: &RowFacts, payment: KnownPayment) -> Decision {
        let settle = Some(Settlement {
            order: row.id,
            paid_at: payment.at,
            intent: payment.intent.clone(),
        });
        let earlier = self.paid_before().find(|known| !known.is_same(&payment));
        let incident = earlier.map(|earlier| {
            let more = double_payment(payment.key(), earlier.key(), earlier.amount);
            Incident {
                session: earlier.session.clone(),
                ..self.incident(IncidentKind::DoublePayment, earlier.key(), more)
            }
        });
        Decision {
            settle,
            incident,
            retire: self.links(row),
            payment: self.news(payment),
            ..Decision::of(Ruling::Settled)
        }
    }

    fn duplicate(&self, row: &RowFacts, payment: KnownPayment) -> Decision {
        Decision {
            payment: self.news(payment),
            retire: self.links_if_settled(row),
            ..Decision::of(Ruling::Duplicate)
        }
    }

    fn double(&self, row: &RowFacts, payment: KnownPayment, first: &str) -> Decision {
        let more = double_payment(first, payment.key(), payment.amount);
        self.taken(row, payment, IncidentKind::DoublePayment, more)
    }

    /// Money that was taken, and that the order cannot be settled with.
    fn taken(
        &self,
        row: &RowFacts,
        payment: KnownPayment,
        kind: IncidentKind,
        more: Value,
    ) -> Decision {
        Decision {
            incident: Some(self.incident(kind, payment.key(), more)),
            payment: self.news(payment),
            retire: self.links_if_settled(row),
            ..Decision::of(Ruling::Recorded(Reason::Incident(kind)))
        }
    }

    /// The payment that a paid order has already, where it is another one than this. That this one was told before
    /// makes it no payment of the order's: it may be the one that a person was asked about.
    fn own_payment(&self, row: &RowFacts, payment: &KnownPayment) -> Option<String> {
        if is_rows_own(row, payment) || self.took_nothing() {
            return None;
        }
        if let Some(own) = &row.payment_intent {
            return Some(own.clone());
        }
        // A row without one was settled by somebody who stored none: the first payment told is that one.
        let first = self.paid_before().next()?;
        (!first.is_same(payment)).then(|| first.key().to_owned())
    }

    /// Nothing was charged, so nothing can have been charged twice.
    fn took_nothing(&self) -> bool {
        let session = self.session;
        session.payment_status == PaymentStatus::NoPaymentRequired
            || session.amount.is_some_and(|amount| amount.minor == 0)
    }

    /// Those that a person dealt with do not count.
    fn paid_before(&self) -> impl Iterator<Item = &KnownPayment> {
        let paid = |known: &&KnownPayment| known.state == PaymentState::Paid;
        self.facts.payments.iter().filter(paid)
    }

    /// A payment that is not paid: it is remembered, and changes no order.
    fn moved(&self, row: &RowFacts, state: PaymentState, reason: Reason) -> Decision {
        let payment = self.payment(row, state);
        let reason = if payment.state == state {
            reason
        } else {
            Reason::Overtaken
        };
        Decision {
            payment: self.news(payment),
            ..Decision::of(Ruling::Recorded(reason))
        }
    }

    /// An incident where money may have been taken. A failure or an expiry that concerns nobody is not one.
    fn for_a_person(&self, kind: IncidentKind, more: Value) -> Decision {
        match self.told {
            Told::Paid | Told::Unclear(_) => {
                let key = self.session.intent.as_ref().map(PaymentIntentId::as_str);
                let key = key.unwrap_or(self.session.id.as_str());
                Decision {
                    incident: Some(self.incident(kind, key, more)),
                    ..Decision::of(Ruling::Recorded(Reason::Incident(kind)))
                }
            }
            Told::OnItsWay | Told::Failed | Told::Expired => {
                Decision::of(Ruling::Recorded(Reason::Unmatched))
            }
        }
    }

    fn incident(&self, kind: IncidentKind, payment: &str, more: Value) -> Incident {
        let session = self.session;
        let mut detail = json!({
            "session": session.id,
            "payment_intent": session.intent,
            "payment_link": session.link,
            "amount": session.amount,
        });
        if let (Some(detail), Value::Object(more)) = (detail.as_object_mut(), more) {
            detail.extend(more);
        }
        Incident {
            id: IncidentId::of(kind, self.event.mode, payment),
            kind,
            order: session.owner.order(),
            session: session.id.clone(),
            detail,
        }
    }

    /// What the event tells of the payment, on top of what is known of it.
    fn payment(&self, row: &RowFacts, state: PaymentState) -> KnownPayment {
        let session = self.session;
        KnownPayment {
            order: row.id,
            session: session.id.clone(),
            intent: session.intent.clone(),
            amount: session.amount,
            link: session.link.clone(),
            state,
            at: self.event.created,
        }
        .after(self.known())
    }

    fn known(&self) -> Option<&KnownPayment> {
        let same = |known: &&KnownPayment| known.session == self.session.id;
        self.facts.payments.iter().find(same)
    }

    fn news(&self, payment: KnownPayment) -> Option<KnownPayment> {
        (self.known() != Some(&payment)).then_some(payment)
    }

    /// A pending order keeps its links: which of them is to go is a person's to say.
    fn links_if_settled(&self, row: &RowFacts) -> Vec<LinkId> {
        if row.status.is_settled() {
            self.links(row)
        } else {
            Vec::new()
        }
    }

    /// The session's link and the row's own.
    fn links(&self, row: &RowFacts) -> Vec<LinkId> {
        let own = match &row.reference {
            Some(CheckoutReference::Link(link)) => Some(link),
            _ => None,
        };
        let mut links: Vec<LinkId> = self.session.link.iter().chain(own).cloned().collect();
        links.dedup();
        links
    }
}

fn is_rows_own(row: &RowFacts, payment: &KnownPayment) -> bool {
    row.payment_intent.as_deref() == Some(payment.key())
}

fn double_payment(first: &str, second: &str, refund: Option<Money>) -> Value {
    json!({"payments": [first, second], "refund": refund})
}

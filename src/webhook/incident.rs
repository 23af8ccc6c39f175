//! What a person has to look at: money that came in another way than the order asked for. relink refunds nothing
//! and guesses nothing.
//!
//! An incident's id follows from what it is about, so that the same finding, told ten times, is one incident.

use std::fmt;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::domain::{Mode, OrderId, SessionId};

/// Hexadecimal digits of an id: few enough to type, enough never to meet twice.
const ID_DIGITS: usize = 12;

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IncidentId(String);

impl IncidentId {
    #[must_use]
    pub fn of(kind: IncidentKind, mode: Mode, payment: &str) -> Self {
        let digest = Sha256::digest(format!("{mode} {} {payment}", kind.name()));
        let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        IncidentId(digits[..ID_DIGITS].to_owned())
    }

    /// As a person typed it: `None` where it cannot be one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let fits = text.len() == ID_DIGITS && text.bytes().all(is_digit);
        fits.then(|| IncidentId(text.to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IncidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IncidentKind {
    /// A second, distinct payment of one order.
    DoublePayment,
    /// Paid, but another amount or currency than the order's.
    OtherAmount,
    /// Paid, but the order is canceled.
    CanceledPaid,
    /// Paid, but what the row or the session says of its status is nothing relink knows.
    UnknownStatus,
    /// Paid, for an order that has no row.
    UnknownOrder,
    /// Paid, without naming an order.
    NoOrder,
    /// Paid, naming something that is no order's number.
    MalformedOrder,
    /// Paid through an object that another order's row names, or by a payment that is another order's.
    Foreign,
    /// Paid in the other mode.
    WrongMode,
    /// Paid in another account.
    OtherAccount,
}

impl IncidentKind {
    pub const ALL: [IncidentKind; 10] = [
        IncidentKind::DoublePayment,
        IncidentKind::OtherAmount,
        IncidentKind::CanceledPaid,
        IncidentKind::UnknownStatus,
        IncidentKind::UnknownOrder,
        IncidentKind::NoOrder,
        IncidentKind::MalformedOrder,
        IncidentKind::Foreign,
        IncidentKind::WrongMode,
        IncidentKind::OtherAccount,
    ];

    /// The journal's and JSON's spelling.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            IncidentKind::DoublePayment => "double_payment",
            IncidentKind::OtherAmount => "other_amount",
            IncidentKind::CanceledPaid => "canceled_paid",
            IncidentKind::UnknownStatus => "unknown_status",
            IncidentKind::UnknownOrder => "unknown_order",
            IncidentKind::NoOrder => "no_order",
            IncidentKind::MalformedOrder => "malformed_order",
            IncidentKind::Foreign => "foreign",
            IncidentKind::WrongMode => "wrong_mode",
            IncidentKind::OtherAccount => "other_account",
        }
    }

    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Incident {
    pub id: IncidentId,
    pub kind: IncidentKind,
    /// The order that the payment names, whether there is one or not.
    pub order: Option<OrderId>,
    /// The checkout session that took the money in question.
    pub session: SessionId,
    /// An object with what a person needs: `session`, `payment_intent`, `payment_link`, `amount`, and by kind
    /// `expected`, `payments` and `refund`, `order_id`, `other_order`, `status`, `mode`, `account`.
    pub detail: Value,
}

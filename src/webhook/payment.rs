//! A payment as the receiver knows it: one per checkout session, with the furthest state that any event told.
//!
//! Events come in any order and more than once, so a state never goes back.

use crate::domain::{LinkId, Money, OrderId, PaymentIntentId, SessionId, Timestamp};

/// From the weakest to the strongest: what is further on wins, whenever it was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PaymentState {
    /// The session is complete, the money is on its way.
    Processing,
    /// It never arrived. Nothing can be paid in this session any more.
    Failed,
    Paid,
    /// Paid, and a person dealt with it (gave it back, say): it never settles anything.
    Dismissed,
}

impl PaymentState {
    const ALL: [PaymentState; 4] = [
        PaymentState::Processing,
        PaymentState::Failed,
        PaymentState::Paid,
        PaymentState::Dismissed,
    ];

    /// The journal's spelling.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            PaymentState::Processing => "processing",
            PaymentState::Failed => "failed",
            PaymentState::Paid => "paid",
            PaymentState::Dismissed => "dismissed",
        }
    }

    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownPayment {
    pub order: OrderId,
    pub session: SessionId,
    /// `None` where no money was asked for, or not known yet.
    pub intent: Option<PaymentIntentId>,
    pub amount: Option<Money>,
    /// The payment link that opened the session.
    pub link: Option<LinkId>,
    pub state: PaymentState,
    /// When Stripe says that it came to this state.
    pub at: Timestamp,
}

impl KnownPayment {
    /// What the payment is known by: its payment intent, else its session.
    #[must_use]
    pub fn key(&self) -> &str {
        match &self.intent {
            Some(intent) => intent.as_str(),
            None => self.session.as_str(),
        }
    }

    /// The same money, told once more.
    #[must_use]
    pub fn is_same(&self, other: &KnownPayment) -> bool {
        self.session == other.session || (self.intent.is_some() && self.intent == other.intent)
    }

    /// This word and an earlier one about the same session, as one.
    #[must_use]
    pub fn after(self, earlier: Option<&KnownPayment>) -> KnownPayment {
        match earlier {
            Some(earlier) if earlier.state >= self.state => KnownPayment {
                intent: earlier.intent.clone().or(self.intent),
                ..earlier.clone()
            },
            Some(earlier) => KnownPayment {
                intent: self.intent.or_else(|| earlier.intent.clone()),
                ..self
            },
            None => self,
        }
    }
}

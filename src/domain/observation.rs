//! What Stripe said about an order's objects, reduced to the facts that a decision needs.
//!
//! A fact that could not be read has its own value (`Unread`, `Unfinished`): a missing answer is never
//! read as "gone", and a listing that did not finish proves nothing.

use serde_json::Value;

use super::{CheckoutReference, LinkId, Money, OrderId, PaymentIntentId, SessionId, Timestamp};

/// Whom an object's `metadata.order_id` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    Order(OrderId),
    /// No `order_id` in the metadata: the webhook could never match a payment to an order.
    Nobody,
    /// An `order_id` that is not a number of ours.
    Unreadable(String),
}

impl Owner {
    #[must_use]
    pub fn order(&self) -> Option<OrderId> {
        match self {
            Owner::Order(id) => Some(*id),
            Owner::Nobody | Owner::Unreadable(_) => None,
        }
    }

    /// From `metadata.order_id`. Digits name an order; the application's webhook reads nothing else.
    #[must_use]
    pub fn read(value: Option<&Value>) -> Self {
        let text = match value {
            None | Some(Value::Null) => return Owner::Nobody,
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        let is_digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        match text.parse() {
            Ok(id) if is_digits && id > 0 => Owner::Order(OrderId(id)),
            _ => Owner::Unreadable(text.chars().take(500).collect()),
        }
    }
}

/// A session's recovery setting (`after_expiration.recovery`). While it has not expired, expiring the
/// session hands the payer a new payable URL (docs.stripe.com/api/checkout/sessions/object).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// Set by Stripe when the session expires; `None` on an open one.
    pub expires_at: Option<Timestamp>,
}

/// Money that a session took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// `None` when the session completed without a payment intent.
    pub intent: Option<PaymentIntentId>,
    pub amount: Option<Money>,
    /// What went back already, in minor units. Only read where it matters (more than one payment, or a
    /// canceled order); zero where it was not.
    pub returned: i64,
}

impl Payment {
    /// What is still with us; `None` when the amount is not known.
    #[must_use]
    pub fn kept(&self) -> Option<Money> {
        let amount = self.amount?;
        let minor = amount.minor.saturating_sub(self.returned).max(0);
        Some(Money::new(minor, amount.currency))
    }

    /// Nothing of it is with us any more, or nothing was taken: a payment of zero could never go back.
    #[must_use]
    pub fn is_returned(&self) -> bool {
        self.kept().is_some_and(|kept| kept.minor == 0)
    }
}

/// `status` and `payment_status` together, with the payment intent where they leave it open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionState {
    Open,
    Expired,
    /// `complete`, and `paid` or `no_payment_required`.
    Paid(Payment),
    /// `complete` but `unpaid`: the payment intent is processing, awaits action, or could not be read.
    Processing,
    /// `complete` but `unpaid`, and the payment intent failed or was canceled. Nothing can be paid here.
    Failed,
    /// A status that relink does not know. Treated as unread.
    Unknown(String),
}

/// A Checkout Session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub id: SessionId,
    pub state: SessionState,
    pub owner: Owner,
    /// `amount_total` and `currency`.
    pub amount: Option<Money>,
    pub created: Timestamp,
    pub expires_at: Timestamp,
    /// The Payment Link that opened it.
    pub link: Option<LinkId>,
    /// `Some` when recovery is enabled.
    pub recovery: Option<Recovery>,
    /// The expired session of which this one is a copy.
    pub recovered_from: Option<SessionId>,
}

/// A Payment Link. Stripe dates no link: it has no `created` and no expiry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentLink {
    pub id: LinkId,
    pub active: bool,
    pub url: String,
    pub owner: Owner,
    /// Sum of its line items; `None` when they were not read, or have no fixed price.
    pub amount: Option<Money>,
    /// `restrictions.completed_sessions.count`; `None` where the link has no such restriction. Above zero says
    /// paid; zero or `None` is no evidence that nothing was paid.
    pub completed_count: Option<u64>,
    /// `metadata.relink_key`: the first 20 characters of the idempotency key of the mint that made it.
    pub relink_key: Option<String>,
}

/// The outcome of reading all pages of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listing<T> {
    Complete(Vec<T>),
    /// Why it did not finish. What was read before that is not kept: half a list proves nothing.
    Unfinished(String),
}

/// A Payment Link with every session it opened, whatever their status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Family {
    pub link: PaymentLink,
    pub sessions: Listing<Session>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StripeObject {
    Session(Session),
    Link(Family),
}

impl StripeObject {
    #[must_use]
    pub fn owner(&self) -> &Owner {
        match self {
            StripeObject::Session(session) => &session.owner,
            StripeObject::Link(family) => &family.link.owner,
        }
    }

    #[must_use]
    pub fn reference(&self) -> CheckoutReference {
        match self {
            StripeObject::Session(session) => CheckoutReference::Session(session.id.clone()),
            StripeObject::Link(family) => CheckoutReference::Link(family.link.id.clone()),
        }
    }

    /// The session itself, or all sessions of the link; nothing when they could not be listed.
    #[must_use]
    pub fn sessions(&self) -> &[Session] {
        match self {
            StripeObject::Session(session) => std::slice::from_ref(session),
            StripeObject::Link(Family {
                sessions: Listing::Complete(sessions),
                ..
            }) => sessions,
            StripeObject::Link(_) => &[],
        }
    }

    /// Nothing was paid here and nothing can be, unless somebody switches the link on again: an expired session, or an
    /// inactive link of which every session expired, none of them with a recovery that hands out another one.
    #[must_use]
    pub fn is_over(&self) -> bool {
        let has_expired = |s: &Session| s.state == SessionState::Expired && s.recovery.is_none();
        match self {
            StripeObject::Session(session) => has_expired(session),
            StripeObject::Link(family) => match &family.sessions {
                Listing::Complete(sessions) => {
                    let counts_none = family.link.completed_count.unwrap_or(0) == 0;
                    !family.link.active && counts_none && sessions.iter().all(has_expired)
                }
                Listing::Unfinished(_) => false,
            },
        }
    }

    /// Somebody can open or finish a payment here: an active link, or an open session of it.
    #[must_use]
    pub fn is_live(&self) -> bool {
        let open = |s: &Session| s.state == SessionState::Open;
        match self {
            StripeObject::Session(session) => open(session),
            StripeObject::Link(family) => family.link.active || self.sessions().iter().any(open),
        }
    }
}

/// What came of reading one object. How it was read (its own GET, or a listing) is not a fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    Seen(StripeObject),
    /// A complete listing of live objects does not show it. Read again before anything is written.
    NotLive,
    /// Stripe's 404 in the right mode.
    NoSuchObject,
    /// Why it could not be read.
    Unread(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(state: SessionState, recovery: Option<Recovery>) -> Session {
        Session {
            id: SessionId::parse("cs_test_1").unwrap_or_else(|e| panic!("{e}")),
            state,
            owner: Owner::Nobody,
            amount: None,
            created: Timestamp(0),
            expires_at: Timestamp(0),
            link: None,
            recovery,
            recovered_from: None,
        }
    }

    fn link(
        active: bool,
        completed_count: Option<u64>,
        sessions: Listing<Session>,
    ) -> StripeObject {
        StripeObject::Link(Family {
            link: PaymentLink {
                id: LinkId::parse("plink_1").unwrap_or_else(|e| panic!("{e}")),
                active,
                url: String::new(),
                owner: Owner::Nobody,
                amount: None,
                completed_count,
                relink_key: None,
            },
            sessions,
        })
    }

    #[test]
    fn only_what_nobody_paid_and_nobody_can_pay_is_over() {
        let expired = || session(SessionState::Expired, None);
        let recoverable = || session(SessionState::Expired, Some(Recovery { expires_at: None }));
        assert!(StripeObject::Session(expired()).is_over());
        assert!(!StripeObject::Session(recoverable()).is_over());
        for state in [
            SessionState::Open,
            SessionState::Processing,
            SessionState::Failed,
        ] {
            assert!(!StripeObject::Session(session(state, None)).is_over());
        }
        let listed = |sessions| Listing::Complete(sessions);
        assert!(link(false, None, listed(vec![])).is_over());
        assert!(link(false, Some(0), listed(vec![expired(), expired()])).is_over());
        assert!(!link(true, None, listed(vec![])).is_over());
        assert!(!link(false, Some(1), listed(vec![])).is_over());
        assert!(!link(false, None, listed(vec![expired(), recoverable()])).is_over());
        assert!(!link(false, None, Listing::Unfinished(String::new())).is_over());
    }
}

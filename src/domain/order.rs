//! An order as the application's tables tell it, joined with its player, parent, product and tournaments.
//!
//! A row is taken as it is: a NULL where none belongs is recorded in `gaps`, never filled in and never a
//! reason to drop the order from a plan.

use std::fmt;

use serde::{Serialize, Serializer};

use super::{CheckoutReference, Money, OrderId, PaymentIntentId, Timestamp, TournamentId};

/// `orders.status`. relink acts on `Pending` only.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum OrderStatus {
    Pending,
    Paid,
    Canceled,
    Refunded,
    /// A value that relink does not know, or NULL (kept as the text `NULL`).
    Unknown(String),
}

impl OrderStatus {
    #[must_use]
    pub fn parse(text: Option<&str>) -> Self {
        match text {
            Some("pending") => OrderStatus::Pending,
            Some("paid") => OrderStatus::Paid,
            Some("canceled") => OrderStatus::Canceled,
            Some("refunded") => OrderStatus::Refunded,
            Some(other) => OrderStatus::Unknown(other.to_owned()),
            None => OrderStatus::Unknown("NULL".to_owned()),
        }
    }

    /// Nothing more is owed: paid, canceled or refunded.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        match self {
            OrderStatus::Paid | OrderStatus::Canceled | OrderStatus::Refunded => true,
            OrderStatus::Pending | OrderStatus::Unknown(_) => false,
        }
    }
}

impl fmt::Display for OrderStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            OrderStatus::Pending => "pending",
            OrderStatus::Paid => "paid",
            OrderStatus::Canceled => "canceled",
            OrderStatus::Refunded => "refunded",
            OrderStatus::Unknown(text) => text,
        })
    }
}

impl Serialize for OrderStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Player {
    pub id: i64,
    pub name: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    pub name: String,
    /// NULL and blank are both `None`.
    pub email: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    pub id: i64,
    pub name: String,
    /// `products.category` as text, such as `tournament`.
    pub category: String,
    pub is_active: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tournament {
    pub id: TournamentId,
    pub name: String,
}

/// One row of `orders` with what it points to. `None` means NULL or a dangling key; each such place where
/// none belongs is named in `gaps` (`orders.amount_cents is NULL`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    pub id: OrderId,
    pub status: OrderStatus,
    /// `amount_cents` with the configured currency: the tables have no currency column.
    pub amount: Option<Money>,
    /// `stripe_checkout_session_id`; `None` for NULL and for the empty text.
    pub reference: Option<CheckoutReference>,
    /// `stripe_checkout_url`.
    pub url: Option<String>,
    /// `stripe_payment_intent_id`, when it is one.
    pub payment_intent: Option<PaymentIntentId>,
    pub created_at: Option<Timestamp>,
    pub player: Option<Player>,
    pub parent: Option<Parent>,
    pub product: Option<Product>,
    /// Every tournament that sells this product, by id, each once.
    pub tournaments: Vec<Tournament>,
    pub gaps: Vec<String>,
}

impl Order {
    /// Its product's category. `None` without a product, and where the column is blank: a gap of the row, and not a
    /// category of somebody else's.
    #[must_use]
    pub fn category(&self) -> Option<&str> {
        let category = self.product.as_ref()?.category.as_str();
        (!category.is_empty()).then_some(category)
    }

    /// Its category, where it has one that is none of these.
    #[must_use]
    pub fn category_outside(&self, scope: &[String]) -> Option<&str> {
        self.category()
            .filter(|category| !scope.iter().any(|known| known == category))
    }
}

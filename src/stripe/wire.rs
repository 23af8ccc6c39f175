//! Stripe's objects as they come over the wire, as far as relink reads them. Unknown fields and unknown
//! enum values pass, null stands where Stripe allows it and where it does not; a missing id does not pass.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// An object that a listing can return.
pub(super) trait Object: DeserializeOwned {
    /// The value of its `object` field.
    const KIND: &'static str;
    fn id(&self) -> &str;
    fn kind(&self) -> Option<&str>;
    fn livemode(&self) -> Option<bool>;
}

macro_rules! object {
    ($name:ident, $kind:literal) => {
        impl Object for $name {
            const KIND: &'static str = $kind;
            fn id(&self) -> &str {
                &self.id
            }
            fn kind(&self) -> Option<&str> {
                self.object.as_deref()
            }
            fn livemode(&self) -> Option<bool> {
                self.livemode
            }
        }
    };
}

pub(super) type Metadata = Option<Map<String, Value>>;

#[derive(Debug, Deserialize)]
pub(super) struct List<T> {
    pub object: String,
    pub data: Vec<T>,
    #[serde(default)]
    pub has_more: bool,
}

/// An id, or the object itself where it was expanded.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Expandable<T> {
    Id(String),
    Object(Box<T>),
}

impl<T: Object> Expandable<T> {
    pub fn id(&self) -> &str {
        match self {
            Expandable::Id(id) => id,
            Expandable::Object(object) => object.id(),
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Session {
    pub id: String,
    #[serde(default)]
    pub object: Option<String>,
    #[serde(default)]
    pub livemode: Option<bool>,
    #[serde(default)]
    pub status: Option<String>,
    #[serde(default)]
    pub payment_status: Option<String>,
    #[serde(default)]
    pub metadata: Metadata,
    #[serde(default)]
    pub amount_total: Option<i64>,
    #[serde(default)]
    pub currency: Option<String>,
    pub created: i64,
    pub expires_at: i64,
    #[serde(default)]
    pub payment_intent: Option<Expandable<PaymentIntent>>,
    #[serde(default)]
    pub payment_link: Option<Expandable<Named>>,
    #[serde(default)]
    pub after_expiration: Option<AfterExpiration>,
    #[serde(default)]
    pub recovered_from: Option<String>,
}
object!(Session, "checkout.session");

#[derive(Debug, Deserialize)]
pub(super) struct AfterExpiration {
    #[serde(default)]
    pub recovery: Option<Recovery>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Recovery {
    #[serde(default)]
    pub enabled: Option<bool>,
    #[serde(default)]
    pub expires_at: Option<i64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct PaymentLink {
    pub id: String,
    #[serde(default)]
    pub object: Option<String>,
    #[serde(default)]
    pub livemode: Option<bool>,
    pub active: bool,
    #[serde(default)]
    pub url: Option<String>,
    #[serde(default)]
    pub metadata: Metadata,
    #[serde(default)]
    pub line_items: Option<List<LineItem>>,
    #[serde(default)]
    pub restrictions: Option<Restrictions>,
}
object!(PaymentLink, "payment_link");

#[derive(Debug, Deserialize)]
pub(super) struct Restrictions {
    #[serde(default)]
    pub completed_sessions: Option<CompletedSessions>,
}

#[derive(Debug, Deserialize)]
pub(super) struct CompletedSessions {
    #[serde(default)]
    pub count: Option<u64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct LineItem {
    #[serde(default)]
    pub amount_total: Option<i64>,
    #[serde(default)]
    pub currency: Option<String>,
    #[serde(default)]
    pub quantity: Option<i64>,
    #[serde(default)]
    pub price: Option<Price>,
    #[serde(default)]
    pub adjustable_quantity: Option<AdjustableQuantity>,
}

#[derive(Debug, Deserialize)]
pub(super) struct AdjustableQuantity {
    #[serde(default)]
    pub enabled: Option<bool>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Price {
    #[serde(default)]
    pub unit_amount: Option<i64>,
    /// Present when the payer chooses the amount.
    #[serde(default)]
    pub custom_unit_amount: Option<Value>,
}

#[derive(Debug, Deserialize)]
pub(super) struct PaymentIntent {
    pub id: String,
    #[serde(default)]
    pub object: Option<String>,
    #[serde(default)]
    pub livemode: Option<bool>,
    #[serde(default)]
    pub status: Option<String>,
}
object!(PaymentIntent, "payment_intent");

#[derive(Debug, Deserialize)]
pub(super) struct Refund {
    pub id: String,
    #[serde(default)]
    pub object: Option<String>,
    #[serde(default)]
    pub livemode: Option<bool>,
    pub amount: i64,
    #[serde(default)]
    pub currency: Option<String>,
    #[serde(default)]
    pub status: Option<String>,
}
object!(Refund, "refund");

/// Any object, where only its id matters.
#[derive(Debug, Deserialize)]
pub(super) struct Named {
    pub id: String,
    #[serde(default)]
    pub object: Option<String>,
    #[serde(default)]
    pub livemode: Option<bool>,
}
object!(Named, "");

/// A `payment_link.*` event. The link in it is rendered in the account's own API version and shows a past
/// state: only what it is called and whom it names are taken from it.
#[derive(Debug, Deserialize)]
pub(super) struct Event {
    pub id: String,
    #[serde(default)]
    pub object: Option<String>,
    #[serde(default)]
    pub livemode: Option<bool>,
    pub data: EventData,
    #[serde(default)]
    pub request: Option<EventRequest>,
}
object!(Event, "event");

#[derive(Debug, Deserialize)]
pub(super) struct EventData {
    pub object: EventLink,
}

#[derive(Debug, Deserialize)]
pub(super) struct EventLink {
    pub id: String,
    #[serde(default)]
    pub metadata: Metadata,
}

#[derive(Debug, Deserialize)]
pub(super) struct EventRequest {
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Account {
    pub id: String,
    #[serde(default)]
    pub settings: Option<AccountSettings>,
    #[serde(default)]
    pub business_profile: Option<BusinessProfile>,
}

#[derive(Debug, Deserialize)]
pub(super) struct AccountSettings {
    #[serde(default)]
    pub dashboard: Option<Dashboard>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Dashboard {
    #[serde(default)]
    pub display_name: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct BusinessProfile {
    #[serde(default)]
    pub name: Option<String>,
}

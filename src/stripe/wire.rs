//! Stripe's objects as they come over the wire, as far as relink reads them. Unknown fields and unknown
//! enum values pass, null stands where Stripe allows it and where it does not; a missing id does not pass.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// An object that a listing can return.
pub(super) trait Object: DeserializeOwned {
    /// The value of its `object` field.
    const KIND: &'static str;
    /// Whether Stripe always says of it which mode it is of.
    const TELLS_MODE: bool;
    fn id(&self) -> &str;
    fn kind(&self) -> Option<&str>;
    fn livemode(&self) -> Option<bool>;
}

macro_rules! object {
    ($name:ident, $kind:literal, $tells_mode:literal) => {
        impl Object for $name {
            const KIND: &'static str = $kind;
            const TELLS_MODE: bool = $tells_mode;
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
    /// Without a word about it, nobody knows whether there is more.
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
    pub object: Option<String>,
    pub livemode: Option<bool>,
    pub status: Option<String>,
    pub payment_status: Option<String>,
    #[serde(default)]
    pub metadata: Metadata,
    pub amount_total: Option<i64>,
    pub currency: Option<String>,
    pub created: i64,
    pub expires_at: i64,
    pub payment_intent: Option<Expandable<PaymentIntent>>,
    pub payment_link: Option<Expandable<Named>>,
    pub after_expiration: Option<AfterExpiration>,
    pub recovered_from: Option<String>,
}
object!(Session, "checkout.session", true);

#[derive(Debug, Deserialize)]
pub(super) struct AfterExpiration {
    pub recovery: Option<Recovery>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Recovery {
    pub enabled: Option<bool>,
    pub expires_at: Option<i64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct PaymentLink {
    pub id: String,
    pub object: Option<String>,
    pub livemode: Option<bool>,
    pub active: bool,
    pub url: Option<String>,
    #[serde(default)]
    pub metadata: Metadata,
    pub line_items: Option<List<LineItem>>,
    pub restrictions: Option<Restrictions>,
}
object!(PaymentLink, "payment_link", true);

#[derive(Debug, Deserialize)]
pub(super) struct Restrictions {
    pub completed_sessions: Option<CompletedSessions>,
}

#[derive(Debug, Deserialize)]
pub(super) struct CompletedSessions {
    pub count: Option<u64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct LineItem {
    pub amount_total: Option<i64>,
    pub currency: Option<String>,
    pub quantity: Option<i64>,
    pub price: Option<Price>,
    pub adjustable_quantity: Option<AdjustableQuantity>,
}

#[derive(Debug, Deserialize)]
pub(super) struct AdjustableQuantity {
    pub enabled: Option<bool>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Price {
    pub unit_amount: Option<i64>,
    /// Present when the payer chooses the amount.
    pub custom_unit_amount: Option<Value>,
}

#[derive(Debug, Deserialize)]
pub(super) struct PaymentIntent {
    pub id: String,
    pub object: Option<String>,
    pub livemode: Option<bool>,
    pub status: Option<String>,
}
object!(PaymentIntent, "payment_intent", true);

#[derive(Debug, Deserialize)]
pub(super) struct Refund {
    pub id: String,
    pub object: Option<String>,
    pub livemode: Option<bool>,
    pub amount: i64,
    pub currency: Option<String>,
    pub status: Option<String>,
}
object!(Refund, "refund", false);

#[derive(Debug, Deserialize)]
pub(super) struct WebhookEndpoint {
    pub id: String,
    pub object: Option<String>,
    pub livemode: Option<bool>,
    pub url: Option<String>,
    pub status: Option<String>,
    #[serde(default)]
    pub enabled_events: Vec<String>,
    pub api_version: Option<String>,
}
object!(WebhookEndpoint, "webhook_endpoint", false);

/// Any object, where only its id matters.
#[derive(Debug, Deserialize)]
pub(super) struct Named {
    pub id: String,
    pub object: Option<String>,
    pub livemode: Option<bool>,
}
object!(Named, "", false);

pub(super) const LINK_CREATED: &str = "payment_link.created";

/// A `payment_link.*` event. The link in it is rendered in the account's own API version and shows a past
/// state: only what it is called and whom it names are taken from it.
#[derive(Debug, Deserialize)]
pub(super) struct Event {
    pub id: String,
    pub object: Option<String>,
    pub livemode: Option<bool>,
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default)]
    pub created: i64,
    pub data: EventData,
    pub request: Option<EventRequest>,
}
object!(Event, "event", true);

/// An event with everything in it, to be read by somebody else.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct WholeEvent {
    pub id: String,
    pub object: Option<String>,
    pub livemode: Option<bool>,
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}
object!(WholeEvent, "event", true);

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
    pub idempotency_key: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Account {
    pub id: String,
    pub settings: Option<AccountSettings>,
    pub business_profile: Option<BusinessProfile>,
}

#[derive(Debug, Deserialize)]
pub(super) struct AccountSettings {
    pub dashboard: Option<Dashboard>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Dashboard {
    pub display_name: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct BusinessProfile {
    pub name: Option<String>,
}

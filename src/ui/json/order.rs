//! `relink.order/1`: one order with every object that Stripe showed for it.

use serde::Serialize;

use super::super::Explanation;
use super::plan::Decided;
use super::shape::{Document, Shape, amount, currency, plain};
use super::{Named, Next, OrderHead};
use crate::domain::{
    AccountId, Family, LinkId, Listing, Mode, Money, OpenOperation, Order, OrderFacts, OrderId,
    Owner, Payment, PaymentLink, Product, Reading, Session, SessionState, Stored, StripeObject,
    Timestamp,
};

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct OrderDocument<'a> {
    schema: &'static str,
    mode: Mode,
    account: Option<&'a AccountId>,
    taken_at: Timestamp,
    order: RowBody<'a>,
    stripe: StripeBody<'a>,
    journal: JournalBody<'a>,
    #[serde(flatten)]
    decided: Decided<'a>,
    next: Next,
}

impl Document for OrderDocument<'_> {
    const SHAPE: Shape = Shape {
        list: "",
        item: "order",
        id: "/order/order_id",
        columns: &[
            plain("order_id", "/order/order_id"),
            plain("status", "/order/status"),
            plain("player", "/order/player"),
            plain("parent_email", "/order/parent/email"),
            plain("tournaments", "/order/tournaments"),
            amount("amount", "/order/amount"),
            currency("currency", "/order/amount"),
            plain("reference", "/order/reference"),
            plain("url", "/order/url"),
            plain("state", "/state"),
            plain("verdict", "/verdict"),
            plain("reason", "/reason/text"),
            plain("action", "/action/kind"),
            plain("objects", "/action/objects"),
            plain("advice", "/advice"),
        ],
    };
}

impl<'a> OrderDocument<'a> {
    #[must_use]
    pub fn new(explanation: &'a Explanation) -> Self {
        let Explanation {
            mode,
            account,
            taken_at,
            facts,
            decision,
            next,
        } = explanation;
        let OrderFacts {
            order,
            stored,
            others,
            recorded_returned,
            journal,
        } = facts;
        OrderDocument {
            schema: "relink.order/1",
            mode: *mode,
            account: account.as_ref(),
            taken_at: *taken_at,
            order: RowBody::new(order, *recorded_returned),
            stripe: StripeBody::new(stored, others),
            journal: JournalBody {
                in_doubt: journal.open.as_ref(),
                unstored: journal.unstored.iter().collect(),
                withdrawn: journal.withdrawn.is_some(),
            },
            decided: Decided::new(decision, next.command.clone()),
            next: Next::from(next.clone()),
        }
    }
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct RowBody<'a> {
    #[serde(flatten)]
    head: OrderHead<'a>,
    payment_intent: Option<&'a str>,
    /// Minor units that went back of it; zero where that was not asked.
    payment_returned: i64,
    created_at: Option<Timestamp>,
    product: Option<ProductBody<'a>>,
    /// NULLs and dangling keys where none belong.
    gaps: &'a [String],
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ProductBody<'a> {
    #[serde(flatten)]
    named: Named<'a, i64>,
    category: &'a str,
    is_active: bool,
}

impl<'a> RowBody<'a> {
    fn new(order: &'a Order, payment_returned: i64) -> Self {
        let product = |product: &'a Product| ProductBody {
            named: Named {
                id: product.id,
                name: &product.name,
            },
            category: &product.category,
            is_active: product.is_active,
        };
        RowBody {
            head: OrderHead::new(order),
            payment_intent: order.payment_intent.as_ref().map(|intent| intent.as_str()),
            payment_returned,
            created_at: order.created_at,
            product: order.product.as_ref().map(product),
            gaps: &order.gaps,
        }
    }
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct StripeBody<'a> {
    stored: StoredBody<'a>,
    others: ListBody<ObjectBody<'a>>,
}

/// How the row's object was found: `none`, `unknown_object`, `not_asked`, `not_live`, `not_found`, `unread`
/// or `seen`.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct StoredBody<'a> {
    found: &'static str,
    id: Option<&'a str>,
    /// Why it could not be read.
    why: Option<&'a str>,
    object: Option<ObjectBody<'a>>,
}

/// A list, and why it is not all there is; null when it is.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ListBody<T> {
    unfinished: Option<String>,
    items: Vec<T>,
}

impl<T> ListBody<T> {
    fn new<'a, U>(listing: &'a Listing<U>, body: impl Fn(&'a U) -> T) -> Self {
        match listing {
            Listing::Complete(items) => ListBody {
                unfinished: None,
                items: items.iter().map(body).collect(),
            },
            Listing::Unfinished(why) => ListBody {
                unfinished: Some(why.clone()),
                items: Vec::new(),
            },
        }
    }
}

impl<'a> StripeBody<'a> {
    fn new(stored: &'a Stored, others: &'a Listing<StripeObject>) -> Self {
        StripeBody {
            stored: StoredBody::new(stored),
            others: ListBody::new(others, ObjectBody::new),
        }
    }
}

impl<'a> StoredBody<'a> {
    fn new(stored: &'a Stored) -> Self {
        let body = |found, id, why, object| StoredBody {
            found,
            id,
            why,
            object,
        };
        match stored {
            Stored::Nothing => body("none", None, None, None),
            Stored::Unknown(text) => body("unknown_object", Some(text.as_str()), None, None),
            Stored::Skipped => body("not_asked", None, None, None),
            Stored::Read(reference, reading) => {
                let id = Some(reference.as_str());
                match &**reading {
                    Reading::NotLive => body("not_live", id, None, None),
                    Reading::NoSuchObject => body("not_found", id, None, None),
                    Reading::Unread(why) => body("unread", id, Some(why.as_str()), None),
                    Reading::Seen(object) => body("seen", id, None, Some(ObjectBody::new(object))),
                }
            }
        }
    }
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
enum ObjectBody<'a> {
    CheckoutSession(SessionBody<'a>),
    PaymentLink(LinkBody<'a>),
}

impl<'a> ObjectBody<'a> {
    fn new(object: &'a StripeObject) -> Self {
        match object {
            StripeObject::Session(session) => {
                ObjectBody::CheckoutSession(SessionBody::new(session))
            }
            StripeObject::Link(family) => ObjectBody::PaymentLink(LinkBody::new(family)),
        }
    }
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct SessionBody<'a> {
    id: &'a str,
    /// `open`, `expired`, `paid`, `processing`, `failed` or `unknown`.
    state: &'static str,
    /// Stripe's own word for a state that relink does not know.
    unknown_status: Option<&'a str>,
    owner: OwnerBody<'a>,
    amount: Option<Money>,
    created: Timestamp,
    expires_at: Timestamp,
    payment_link: Option<&'a str>,
    payment: Option<PaymentBody<'a>>,
    recovery: Option<RecoveryBody>,
    recovered_from: Option<&'a str>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct PaymentBody<'a> {
    intent: Option<&'a str>,
    amount: Option<Money>,
    /// Minor units that went back.
    returned: i64,
}

/// Recovery is enabled; `expires_at` is null until the session has expired.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct RecoveryBody {
    expires_at: Option<Timestamp>,
}

impl<'a> SessionBody<'a> {
    fn new(session: &'a Session) -> Self {
        let (state, payment, unknown_status) = match &session.state {
            SessionState::Open => ("open", None, None),
            SessionState::Expired => ("expired", None, None),
            SessionState::Paid(payment) => ("paid", Some(payment), None),
            SessionState::Processing => ("processing", None, None),
            SessionState::Failed => ("failed", None, None),
            SessionState::Unknown(text) => ("unknown", None, Some(text.as_str())),
        };
        let payment = payment.map(|payment: &Payment| PaymentBody {
            intent: payment.intent.as_ref().map(|intent| intent.as_str()),
            amount: payment.amount,
            returned: payment.returned,
        });
        let recovery = session.recovery.as_ref().map(|recovery| RecoveryBody {
            expires_at: recovery.expires_at,
        });
        SessionBody {
            id: session.id.as_str(),
            state,
            unknown_status,
            owner: OwnerBody::new(&session.owner),
            amount: session.amount,
            created: session.created,
            expires_at: session.expires_at,
            payment_link: session.link.as_ref().map(|link| link.as_str()),
            payment,
            recovery,
            recovered_from: session
                .recovered_from
                .as_ref()
                .map(|origin| origin.as_str()),
        }
    }
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct LinkBody<'a> {
    id: &'a str,
    active: bool,
    url: &'a str,
    owner: OwnerBody<'a>,
    amount: Option<Money>,
    /// Null where the link counts nothing.
    completed_count: Option<u64>,
    relink_key: Option<&'a str>,
    sessions: ListBody<SessionBody<'a>>,
}

impl<'a> LinkBody<'a> {
    fn new(family: &'a Family) -> Self {
        let Family { link, sessions } = family;
        let PaymentLink {
            id,
            active,
            url,
            owner,
            amount,
            completed_count,
            relink_key,
        } = link;
        LinkBody {
            id: id.as_str(),
            active: *active,
            url,
            owner: OwnerBody::new(owner),
            amount: *amount,
            completed_count: *completed_count,
            relink_key: relink_key.as_deref(),
            sessions: ListBody::new(sessions, SessionBody::new),
        }
    }
}

/// Whom the metadata names: an order, nobody (both null), or something unreadable.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct OwnerBody<'a> {
    order_id: Option<OrderId>,
    unreadable: Option<&'a str>,
}

impl<'a> OwnerBody<'a> {
    fn new(owner: &'a Owner) -> Self {
        let (order_id, unreadable) = match owner {
            Owner::Order(id) => (Some(*id), None),
            Owner::Nobody => (None, None),
            Owner::Unreadable(text) => (None, Some(text.as_str())),
        };
        OwnerBody {
            order_id,
            unreadable,
        }
    }
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct JournalBody<'a> {
    in_doubt: Option<&'a OpenOperation>,
    unstored: Vec<&'a LinkId>,
    withdrawn: bool,
}

//! The words in which a test describes an order: `pending(55_00).behind(active_link().with(open_session()))`.
//!
//! Plain descriptions. Nothing here touches a database or the double; `World::order` makes both sides from
//! one description, so that rows and objects cannot drift apart.

use relink::sandbox::sample;

/// An open session is twelve hours old unless a test says otherwise.
const OLD: i64 = 12 * 3600;
const DAY: i64 = 24 * 3600;

#[derive(Clone, Debug)]
pub struct Order {
    pub status: &'static str,
    pub amount: i64,
    pub held: Held,
    pub others: Vec<Held>,
    pub player: String,
    pub email: String,
    pub tournaments: Vec<i64>,
    pub category: &'static str,
    pub product_active: bool,
    pub teams_sharing: usize,
}

/// What an order's `stripe_checkout_session_id` names.
#[derive(Clone, Debug)]
pub enum Held {
    Nothing,
    /// An id without an object.
    Id(String),
    Session(Session),
    Link(Link),
}

#[derive(Clone, Debug)]
pub struct Session {
    pub status: &'static str,
    pub payment_status: &'static str,
    pub intent: Option<&'static str>,
    pub refunded: bool,
    pub age: i64,
    pub recovery: bool,
    pub copy: Option<Box<Session>>,
    pub terms: Terms,
}

#[derive(Clone, Debug)]
pub struct Link {
    pub active: bool,
    pub restricted: bool,
    pub sessions: Vec<Session>,
    pub terms: Terms,
}

/// What an object says about its order; by default the truth.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    pub amount: Option<i64>,
    pub currency: Option<&'static str>,
    pub owner: Owner,
}

#[derive(Clone, Debug, Default)]
pub enum Owner {
    #[default]
    ItsOrder,
    Order(String),
    Nobody,
}

fn order(status: &'static str, amount: i64) -> Order {
    Order {
        status,
        amount,
        held: Held::Nothing,
        others: Vec::new(),
        player: "Robin Example".to_owned(),
        email: "robin@example.com".to_owned(),
        tournaments: vec![1],
        category: "tournament",
        product_active: true,
        teams_sharing: 1,
    }
}

/// Amounts are minor units: `pending(55_00)` is 55.00 USD.
pub fn pending(amount: i64) -> Order {
    order("pending", amount)
}

pub fn paid(amount: i64) -> Order {
    order("paid", amount)
}

pub fn canceled(amount: i64) -> Order {
    order("canceled", amount)
}

pub fn refunded(amount: i64) -> Order {
    order("refunded", amount)
}

impl Order {
    /// The object that the row names.
    pub fn behind(mut self, held: impl Into<Held>) -> Self {
        self.held = held.into();
        self
    }

    /// Another object whose metadata names this order.
    pub fn and_also(mut self, other: impl Into<Held>) -> Self {
        self.others.push(other.into());
        self
    }

    pub fn for_player(mut self, name: &str) -> Self {
        self.player = name.to_owned();
        self
    }

    pub fn mailed_to(mut self, email: &str) -> Self {
        self.email = email.to_owned();
        self
    }

    /// The tournaments that sell its product.
    pub fn in_tournaments(mut self, ids: &[i64]) -> Self {
        self.tournaments = ids.to_vec();
        self
    }

    pub fn of_category(mut self, category: &'static str) -> Self {
        self.category = category;
        self
    }

    pub fn of_an_inactive_product(mut self) -> Self {
        self.product_active = false;
        self
    }

    /// So many teams share its product in each of its tournaments.
    pub fn shared_by_teams(mut self, teams: usize) -> Self {
        self.teams_sharing = teams;
        self
    }
}

fn session(status: &'static str, payment_status: &'static str, age: i64) -> Session {
    Session {
        status,
        payment_status,
        intent: None,
        refunded: false,
        age,
        recovery: false,
        copy: None,
        terms: Terms::default(),
    }
}

pub fn open_session() -> Session {
    session("open", "unpaid", OLD)
}

pub fn expired_session() -> Session {
    session("expired", "unpaid", 3 * DAY)
}

pub fn paid_session() -> Session {
    Session {
        intent: Some("succeeded"),
        ..session("complete", "paid", 2 * DAY)
    }
}

pub fn processing_session() -> Session {
    Session {
        intent: Some("processing"),
        ..session("complete", "unpaid", 2 * DAY)
    }
}

pub fn failed_session() -> Session {
    Session {
        intent: Some("requires_payment_method"),
        ..session("complete", "unpaid", 2 * DAY)
    }
}

impl Session {
    pub fn minutes_old(mut self, minutes: i64) -> Self {
        self.age = minutes * 60;
        self
    }

    pub fn refunded(mut self) -> Self {
        self.refunded = true;
        self
    }

    /// Recovery is enabled; an expired session has its recovery URL.
    pub fn with_recovery(mut self) -> Self {
        self.recovery = true;
        self
    }

    /// Somebody followed the recovery URL; the copy stands as described.
    pub fn copied_as(mut self, copy: Session) -> Self {
        self.recovery = true;
        self.copy = Some(Box::new(copy));
        self
    }

    /// Unix seconds by the sample's present.
    pub fn created(&self) -> i64 {
        sample::PRESENT - self.age
    }
}

fn link(active: bool) -> Link {
    Link {
        active,
        restricted: true,
        sessions: Vec::new(),
        terms: Terms::default(),
    }
}

pub fn active_link() -> Link {
    link(true)
}

pub fn inactive_link() -> Link {
    link(false)
}

impl Link {
    /// A session that this link opened.
    pub fn with(mut self, session: Session) -> Self {
        self.sessions.push(session);
        self
    }

    /// Without `restrictions`, as the application makes its links.
    pub fn unrestricted(mut self) -> Self {
        self.restricted = false;
        self
    }
}

macro_rules! terms {
    ($($kind:ident),*) => {$(
        impl $kind {
            /// Another amount than the order's, in minor units.
            pub fn of(mut self, amount: i64) -> Self {
                self.terms.amount = Some(amount);
                self
            }

            pub fn in_currency(mut self, currency: &'static str) -> Self {
                self.terms.currency = Some(currency);
                self
            }

            /// Its metadata names another order.
            pub fn naming(mut self, order: impl ToString) -> Self {
                self.terms.owner = Owner::Order(order.to_string());
                self
            }

            /// Its metadata is empty.
            pub fn unowned(mut self) -> Self {
                self.terms.owner = Owner::Nobody;
                self
            }
        }

        impl From<$kind> for Held {
            fn from(described: $kind) -> Self {
                Held::$kind(described)
            }
        }
    )*};
}

terms!(Session, Link);

impl From<&str> for Held {
    fn from(id: &str) -> Self {
        Held::Id(id.to_owned())
    }
}

//! Why an order has its verdict, for a person at night: one fact each, with the object or amount at stake.

use std::borrow::Cow;
use std::fmt;

use crate::domain::{
    ChargeRefusal, CheckoutReference, LinkId, Money, OpenOperation, OrderId, OrderStatus,
    SessionId, Timestamp,
};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    Category(String),
    NotRead(String),
    ListingUnfinished(String),
    AmountUnread(CheckoutReference),
    OpenOperation(OpenOperation),
    NoSuchObject(CheckoutReference),
    UnknownPrefix(String),
    NamesOrder(OrderId),
    NamesUnreadableOrder(String),
    CanceledButPaid {
        refund: Vec<Money>,
        payments: Vec<String>,
        /// What can still be paid, once more.
        open: Vec<CheckoutReference>,
    },
    PaidMoreThanOnce {
        refund: Vec<Money>,
        payments: Vec<String>,
        /// The one of them that the row holds: the others go back.
        recorded: Option<String>,
        open: Vec<CheckoutReference>,
    },
    PaidSession(SessionId),
    LinkCountsMorePayments {
        link: LinkId,
        count: u64,
        seen: u64,
    },
    PaymentInFlight(SessionId),
    RecoveryUrl {
        session: SessionId,
        until: Option<Timestamp>,
    },
    LiveWhileSettled {
        status: OrderStatus,
        live: Vec<CheckoutReference>,
    },
    Settled(OrderStatus),
    Gap(String),
    UnknownStatus(OrderStatus),
    AmountNotPositive(Money),
    AmountNotCharged {
        amount: Money,
        refusal: ChargeRefusal,
    },
    ProductInactive(String),
    SecondLive(Vec<CheckoutReference>),
    LiveOutsideRow(Vec<CheckoutReference>),
    NoOwner(CheckoutReference),
    OtherAmount {
        object: Money,
        order: Money,
    },
    OtherCurrency {
        object: Money,
        order: Money,
    },
    OpenSession {
        session: SessionId,
        expires_at: Timestamp,
    },
    OpenSessionsOfInactiveLink(Vec<SessionId>),
    WithdrawnByOperator,
    NoObject,
    ExpiredSession,
    FailedPayment,
    InactiveLink,
    Unconfirmed,
    ActiveLink,
    /// A link of ours that no row holds: minted by an operation that ended without storing it.
    UnstoredLink(CheckoutReference),
    /// As the journal tells it, of an operation that another run began.
    Recorded(String),
}

impl Reason {
    /// What can be paid once more although too much was paid already.
    #[must_use]
    pub fn overpaid_and_open(&self) -> &[CheckoutReference] {
        match self {
            Reason::CanceledButPaid { open, .. } | Reason::PaidMoreThanOnce { open, .. } => open,
            _ => &[],
        }
    }

    /// A stable name for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Reason::Category(_) => "category",
            Reason::NotRead(_) => "not_read",
            Reason::ListingUnfinished(_) => "listing_unfinished",
            Reason::AmountUnread(_) => "amount_unread",
            Reason::OpenOperation(_) => "open_operation",
            Reason::NoSuchObject(_) => "no_such_object",
            Reason::UnknownPrefix(_) => "unknown_prefix",
            Reason::NamesOrder(_) => "names_other_order",
            Reason::NamesUnreadableOrder(_) => "names_unreadable_order",
            Reason::CanceledButPaid { .. } => "canceled_but_paid",
            Reason::PaidMoreThanOnce { .. } => "paid_more_than_once",
            Reason::PaidSession(_) => "paid_session",
            Reason::LinkCountsMorePayments { .. } => "link_counts_more_payments",
            Reason::PaymentInFlight(_) => "payment_in_flight",
            Reason::RecoveryUrl { .. } => "recovery_url",
            Reason::LiveWhileSettled { .. } => "live_while_settled",
            Reason::Settled(_) => "settled",
            Reason::Gap(_) => "gap",
            Reason::UnknownStatus(_) => "unknown_status",
            Reason::AmountNotPositive(_) => "amount_not_positive",
            Reason::AmountNotCharged { refusal, .. } => match refusal {
                ChargeRefusal::BelowLeast(_) => "amount_too_small",
                ChargeRefusal::AboveMost(_) => "amount_too_large",
                ChargeRefusal::NotMultipleOf(_) => "amount_too_fine",
            },
            Reason::ProductInactive(_) => "product_inactive",
            Reason::SecondLive(_) => "second_live",
            Reason::LiveOutsideRow(_) => "live_outside_row",
            Reason::NoOwner(_) => "no_owner",
            Reason::OtherAmount { .. } => "other_amount",
            Reason::OtherCurrency { .. } => "other_currency",
            Reason::OpenSession { .. } => "open_session",
            Reason::OpenSessionsOfInactiveLink(_) => "open_sessions_of_inactive_link",
            Reason::WithdrawnByOperator => "withdrawn_by_operator",
            Reason::NoObject => "no_object",
            Reason::ExpiredSession => "expired_session",
            Reason::FailedPayment => "failed_payment",
            Reason::InactiveLink => "inactive_link",
            Reason::Unconfirmed => "unconfirmed",
            Reason::ActiveLink => "active_link",
            Reason::UnstoredLink(_) => "unstored_link",
            Reason::Recorded(_) => "recorded",
        }
    }
}

/// Enough of a text of the application's to find it by: a column of SQLite's holds one of any length.
fn cut(text: &str) -> Cow<'_, str> {
    const SHOWN: usize = 80;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

fn still_open(f: &mut fmt::Formatter<'_>, open: &[CheckoutReference]) -> fmt::Result {
    match open {
        [] => Ok(()),
        open => write!(f, "; {} can still be paid", join(open)),
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Category(category) => write!(f, "category `{}` is not in scope", cut(category)),
            Reason::NotRead(why) => write!(f, "could not be read: {why}"),
            Reason::ListingUnfinished(why) => write!(f, "a listing did not finish: {why}"),
            Reason::AmountUnread(object) => write!(f, "the amount of {object} could not be read"),
            Reason::OpenOperation(open) if open.is_held => write!(f, "being worked on: {open}"),
            Reason::OpenOperation(open) => write!(f, "an earlier run left this open: {open}"),
            Reason::NoSuchObject(object) => write!(f, "Stripe knows no {object} in this account"),
            Reason::UnknownPrefix(text) => {
                write!(
                    f,
                    "`{}` is neither a checkout session nor a payment link",
                    cut(text)
                )
            }
            Reason::NamesOrder(order) => write!(f, "its metadata names order {order}"),
            Reason::NamesUnreadableOrder(text) => write!(f, "its metadata names order `{text}`"),
            Reason::CanceledButPaid {
                refund,
                payments,
                open,
            } => {
                let (payments, refund) = (join(payments), join(refund));
                write!(f, "canceled, yet paid by {payments}: {refund} to refund")?;
                still_open(f, open)
            }
            Reason::PaidMoreThanOnce {
                refund,
                payments,
                recorded,
                open,
            } => {
                let (times, refund) = (payments.len(), join(refund));
                match recorded {
                    Some(held) => {
                        let others: Vec<_> = payments.iter().filter(|it| *it != held).collect();
                        let others = join(&others);
                        write!(
                            f,
                            "paid {times} times: {refund} to refund: {others} (the row holds {held})"
                        )?;
                    }
                    None => {
                        let payments = join(payments);
                        write!(f, "paid {times} times ({payments}): {refund} to refund")?;
                    }
                }
                still_open(f, open)
            }
            Reason::PaidSession(session) => write!(f, "{session} is paid, the order is not"),
            Reason::LinkCountsMorePayments { link, count, seen } => write!(
                f,
                "{link} counts {count} completed sessions, {seen} could be seen"
            ),
            Reason::PaymentInFlight(session) => {
                write!(f, "{session} is complete, its payment is on its way")
            }
            Reason::RecoveryUrl { session, until } => {
                write!(f, "{session} has a recovery URL that can be paid")?;
                match until {
                    Some(moment) => write!(f, " until {moment}"),
                    None => Ok(()),
                }
            }
            Reason::LiveWhileSettled { status, live } => {
                write!(f, "order is {status}, yet {} can be paid", join(live))
            }
            Reason::Settled(status) => write!(f, "order is {status}, nothing can be paid"),
            Reason::Gap(gap) => f.write_str(gap),
            Reason::UnknownStatus(status) => {
                write!(f, "unknown order status `{}`", cut(&status.to_string()))
            }
            Reason::AmountNotPositive(amount) => write!(f, "amount {amount} is not positive"),
            Reason::AmountNotCharged { amount, refusal } => match refusal {
                ChargeRefusal::BelowLeast(least) => {
                    write!(
                        f,
                        "amount {amount} is below the least that Stripe charges ({least})"
                    )
                }
                ChargeRefusal::AboveMost(most) => {
                    write!(
                        f,
                        "amount {amount} is above the most that Stripe charges ({most})"
                    )
                }
                ChargeRefusal::NotMultipleOf(step) => {
                    write!(
                        f,
                        "amount {amount} is no multiple of {step}, and Stripe charges no other"
                    )
                }
            },
            Reason::ProductInactive(name) => write!(f, "product `{name}` is inactive"),
            Reason::SecondLive(others) => write!(f, "{} can be paid too", join(others)),
            Reason::LiveOutsideRow(others) => {
                write!(
                    f,
                    "{} can be paid, but the row does not hold it",
                    join(others)
                )
            }
            Reason::NoOwner(object) => write!(f, "{object} names no order in its metadata"),
            Reason::OtherAmount { object, order } => {
                write!(f, "asks {object}, the order says {order}")
            }
            Reason::OtherCurrency { object, order } => {
                write!(f, "asks {object}, the order is in {}", order.currency)
            }
            Reason::OpenSession { expires_at, .. } => {
                write!(f, "open session, dies by itself at {expires_at}")
            }
            Reason::OpenSessionsOfInactiveLink(sessions) => {
                write!(f, "inactive link, still open: {}", join(sessions))
            }
            Reason::WithdrawnByOperator => f.write_str("retired on purpose by an operator"),
            Reason::NoObject => f.write_str("the row names no checkout object"),
            Reason::ExpiredSession => f.write_str("session expired"),
            Reason::FailedPayment => f.write_str("session complete, its payment failed"),
            Reason::InactiveLink => f.write_str("link inactive, nothing open, nothing paid"),
            Reason::Unconfirmed => f.write_str("not among the live objects (unconfirmed)"),
            Reason::ActiveLink => f.write_str("active link"),
            Reason::UnstoredLink(link) => {
                write!(f, "{link} was minted by an earlier run and never stored")
            }
            Reason::Recorded(text) => f.write_str(text),
        }
    }
}

fn join<T: fmt::Display>(items: &[T]) -> String {
    let texts: Vec<String> = items.iter().map(ToString::to_string).collect();
    texts.join(", ")
}

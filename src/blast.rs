//! The list for the mail to the parents: who gets which URL. One row per order that is pending and holds the link that a
//! run stored for it; a second list of orders that a person must look at first.
//!
//! Pure: which publications there are, and how the rows stand, is told to it. It writes no file.

use crate::domain::{CheckoutReference, LinkId, Order, OrderId, OrderStatus, RunId};
use crate::plan::{Decision, Verdict, advise};
use crate::spreadsheet::{self, Cell};

/// A link that a run stored, as the journal has it: the store was committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    pub order: OrderId,
    pub link: LinkId,
    pub run: RunId,
}

/// One mail to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub order: Order,
    /// The run that stored the link; `None` for what the application stored by itself.
    pub run: Option<RunId>,
}

/// An order that gets no mail before a person has looked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attention {
    pub order: Order,
    pub verdict: String,
    pub reason: String,
    /// A command, where there is one.
    pub next: Option<String>,
}

/// Those of the stored links that still are what their order's parent must be told: the order is pending, and its row
/// holds the link.
#[must_use]
pub fn pending(stored: &[Stored], orders: Vec<Order>) -> Vec<Row> {
    let mut rows = Vec::new();
    for order in orders {
        let Some(CheckoutReference::Link(held)) = &order.reference else {
            continue;
        };
        let found = stored
            .iter()
            .rfind(|stored| stored.order == order.id && stored.link == *held);
        if let (Some(found), OrderStatus::Pending) = (found, &order.status) {
            let run = Some(found.run.clone());
            rows.push(Row { order, run });
        }
    }
    rows
}

/// The orders of a plan whose parents have, or can be sent, a good link: healthy, whoever stored it.
#[must_use]
pub fn healthy<'a>(
    decisions: impl IntoIterator<Item = &'a Decision>,
    stored: &[Stored],
) -> Vec<Row> {
    let healthy = decisions
        .into_iter()
        .filter(|decision| decision.verdict == Verdict::Healthy);
    healthy
        .map(|decision| {
            let order = decision.order.clone();
            let run = stored
                .iter()
                .rfind(|stored| {
                    stored.order == order.id
                        && order.reference.as_ref()
                            == Some(&CheckoutReference::Link(stored.link.clone()))
                })
                .map(|stored| stored.run.clone());
            Row { order, run }
        })
        .collect()
}

impl Attention {
    #[must_use]
    pub fn of(decision: &Decision) -> Attention {
        Attention {
            order: decision.order.clone(),
            verdict: decision.verdict.to_string(),
            reason: decision.reason.to_string(),
            next: advise(decision),
        }
    }
}

const HEADER: [&str; 9] = [
    "order",
    "player",
    "parent_email",
    "tournament",
    "amount",
    "currency",
    "url",
    "kind",
    "run",
];

#[must_use]
pub fn list(rows: &[Row]) -> String {
    let lines: Vec<Vec<Cell>> = rows.iter().map(line).collect();
    spreadsheet::render(Some(&HEADER), &lines)
}

fn line(row: &Row) -> Vec<Cell> {
    let Row { order, run } = row;
    let mut cells = head(order);
    cells.push(Cell::maybe(order.url.clone()));
    cells.push(Cell::maybe(order.reference.as_ref().map(kind)));
    cells.push(Cell::maybe(run.as_ref().map(RunId::as_str)));
    cells
}

fn kind(reference: &CheckoutReference) -> &'static str {
    match reference {
        CheckoutReference::Session(_) => "checkout_session",
        CheckoutReference::Link(_) => "payment_link",
        CheckoutReference::Other(_) => "unknown",
    }
}

const ATTENTION: [&str; 9] = [
    "order",
    "player",
    "parent_email",
    "tournament",
    "amount",
    "currency",
    "verdict",
    "reason",
    "next",
];

#[must_use]
pub fn attention_list(orders: &[Attention]) -> String {
    let lines: Vec<Vec<Cell>> = orders
        .iter()
        .map(|needed| {
            let mut cells = head(&needed.order);
            cells.push(Cell::text(needed.verdict.as_str()));
            cells.push(Cell::text(needed.reason.as_str()));
            cells.push(Cell::maybe(needed.next.clone()));
            cells
        })
        .collect();
    spreadsheet::render(Some(&ATTENTION), &lines)
}

fn head(order: &Order) -> Vec<Cell> {
    let player = order.player.as_ref().map(|player| player.name.as_str());
    let email = order
        .parent
        .as_ref()
        .and_then(|parent| parent.email.clone());
    let names: Vec<&str> = order
        .tournaments
        .iter()
        .map(|tournament| tournament.name.as_str())
        .collect();
    // `55.00 USD`
    let amount = order.amount.map(|amount| amount.to_string());
    let (number, currency) = amount
        .as_deref()
        .and_then(|amount| amount.split_once(' '))
        .map_or((Cell::Empty, Cell::Empty), |(number, code)| {
            (Cell::number(number), Cell::text(code))
        });
    vec![
        Cell::number(order.id),
        Cell::maybe(player),
        Cell::maybe(email),
        Cell::text(names.join(", ")),
        number,
        currency,
    ]
}

//! The list for the mail to the parents: who gets which URL. One row per order that is pending and holds the link that a
//! run stored for it; a second list of orders that a person must look at first.
//!
//! Pure: which publications there are, and how the rows stand, is told to it. It writes no file.

use std::collections::HashMap;
use std::sync::Arc;

use crate::domain::{CheckoutReference, LinkId, Order, OrderId, OrderStatus, RunId};
use crate::plan::{Advice, Decision, Verdict, advise};
use crate::spreadsheet::{self, Cell};

/// A link that a run stored, as the journal has it: the store was committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    pub order: OrderId,
    pub link: LinkId,
    /// As Stripe told it.
    pub url: Option<String>,
    pub run: RunId,
}

/// By order, each in the order of the stores.
#[derive(Clone, Debug, Default)]
pub struct StoredLinks(HashMap<OrderId, Vec<Stored>>);

impl StoredLinks {
    /// In the order of the stores.
    #[must_use]
    pub fn of(all: Vec<Stored>) -> Self {
        let mut by_order = HashMap::<OrderId, Vec<Stored>>::new();
        for stored in all {
            by_order.entry(stored.order).or_default().push(stored);
        }
        StoredLinks(by_order)
    }

    /// The latest time that the order's own link was stored.
    fn latest(&self, order: &Order) -> Option<&Stored> {
        let Some(CheckoutReference::Link(held)) = &order.reference else {
            return None;
        };
        let all = self.0.get(&order.id)?;
        all.iter().rfind(|stored| stored.link == *held)
    }
}

/// What becomes a mail, and what must not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mailing {
    pub rows: Vec<Row>,
    /// Their rows name the right link and another URL, or none: whoever followed it would land elsewhere. With the URL
    /// that the link has.
    pub astray: Vec<(Arc<Order>, String)>,
}

/// One mail to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub order: Arc<Order>,
    /// The run that stored the link; `None` for what the application stored by itself.
    pub run: Option<RunId>,
}

/// An order that gets no mail before a person has looked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attention {
    pub order: Arc<Order>,
    pub verdict: String,
    pub reason: String,
    /// Where there is something to do.
    pub next: Option<Advice>,
}

/// Those of the stored links that still are what their order's parent must be told: the order is pending, and its row
/// holds the link.
#[must_use]
pub fn pending(stored: &StoredLinks, orders: Vec<Order>) -> Mailing {
    let mut mailing = Mailing::default();
    for order in orders {
        if order.status != OrderStatus::Pending {
            continue;
        }
        let Some(found) = stored.latest(&order) else {
            continue;
        };
        let run = Some(found.run.clone());
        mailing.add(Arc::new(order), found.url.as_deref(), run);
    }
    mailing
}

/// The orders of a plan whose parents have, or can be sent, a good link: healthy, whoever stored it. `url_of` tells the
/// URL that Stripe gave an order's link.
#[must_use]
pub fn healthy<'a>(
    decisions: impl IntoIterator<Item = &'a Decision>,
    stored: &StoredLinks,
    url_of: impl Fn(OrderId) -> Option<&'a str>,
) -> Mailing {
    let mut mailing = Mailing::default();
    for decision in decisions {
        if decision.verdict == Verdict::Healthy {
            let order = decision.order.clone();
            let run = stored.latest(&order).map(|stored| stored.run.clone());
            let url = url_of(order.id);
            mailing.add(order, url, run);
        }
    }
    mailing
}

impl Mailing {
    /// Without the URL that the link really has, nothing tells that the row's is wrong.
    fn add(&mut self, order: Arc<Order>, url: Option<&str>, run: Option<RunId>) {
        match url {
            Some(url) if order.url.as_deref() != Some(url) => {
                self.astray.push((order, url.to_owned()));
            }
            _ => self.rows.push(Row { order, run }),
        }
    }
}

impl Row {
    /// The parent's, by which parents are told apart.
    #[must_use]
    pub fn address(&self) -> Option<&str> {
        self.order.parent.as_ref()?.email.as_deref()
    }
}

impl Attention {
    /// The link is good, and the row sends its parent elsewhere.
    #[must_use]
    pub fn astray(order: Arc<Order>, url: &str) -> Attention {
        Attention {
            verdict: "url_astray".to_owned(),
            reason: format!("the row names the right link, but not its URL, which is {url}"),
            next: Some(Attention::look_at(&order)),
            order,
        }
    }

    #[must_use]
    pub fn look_at(order: &Order) -> Advice {
        Advice::command(format!("relink inspect --order-id {}", order.id))
    }

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

/// The orders of a list that [`list`] made, each with the run that stored its link. Of any other file there are none.
#[must_use]
pub fn listed(text: &str) -> Vec<(OrderId, Option<RunId>)> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    if reader
        .headers()
        .is_ok_and(|found| found != HEADER.as_slice())
    {
        return Vec::new();
    }
    let rows = reader.records().filter_map(Result::ok);
    rows.filter_map(|row| {
        let order = row.get(0)?.parse().ok()?;
        let run = row.iter().next_back().filter(|run| !run.is_empty());
        Some((OrderId(order), run.map(|run| RunId(run.to_owned()))))
    })
    .collect()
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

/// `with_connection` completes a suggested command.
#[must_use]
pub fn attention_list(orders: &[Attention], with_connection: &dyn Fn(&str) -> String) -> String {
    let lines: Vec<Vec<Cell>> = orders
        .iter()
        .map(|needed| {
            let mut cells = head(&needed.order);
            cells.push(Cell::text(needed.verdict.as_str()));
            cells.push(Cell::text(needed.reason.as_str()));
            let next = needed.next.as_ref();
            cells.push(Cell::maybe(next.map(|advice| advice.text(with_connection))));
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

//! From a row of texts to an order. What a text should have been and is not becomes a gap, worded for the
//! person who will mend the row.
//!
//! Nothing is repaired or guessed: `55.0`, ` 5500` and `05500` are no amounts.

use std::cell::RefCell;

use sqlx::any::{AnyRow, AnyTypeInfoKind};
use sqlx::{Row, ValueRef};

use super::Store;
use super::schema::{Column, Names};
use crate::domain::{
    CheckoutReference, Currency, Money, Order, OrderId, Parent, PaymentIntentId, Player, Product,
    Timestamp, Tournament, TournamentId,
};

/// Enough of a strange value to find it by, and no more.
const SHOWN: usize = 40;

impl Store {
    /// The column's text as a SELECT asks for it, to be read by [`text`].
    pub(super) fn read_as_text(&self, column: &Column) -> String {
        match self.reads_bytes {
            true => self.dialect.bytes(column),
            false => self.dialect.text(column),
        }
    }
}

/// The columns of an order with the names that [`order`] reads them by.
pub(super) fn columns(names: &Names) -> [(&'static str, &Column); 19] {
    [
        ("id", &names.order_id),
        ("status", &names.order_status),
        ("amount", &names.order_amount),
        ("reference", &names.order_reference),
        ("url", &names.order_url),
        ("payment_intent", &names.order_payment_intent),
        ("created_text", &names.order_created_at),
        ("names_player", &names.order_player),
        ("names_product", &names.order_product),
        ("player", &names.player_id),
        ("player_name", &names.player_name),
        ("names_parent", &names.player_parent),
        ("parent", &names.parent_id),
        ("parent_name", &names.parent_name),
        ("parent_email", &names.parent_email),
        ("product", &names.product_id),
        ("product_name", &names.product_name),
        ("category", &names.product_category),
        ("is_active", &names.product_is_active),
    ]
}

/// A text of a row, NULL being `None`. What is no UTF-8 in it is shown as U+FFFD, which no id and no word holds.
pub(super) fn text(row: &AnyRow, alias: &str) -> Result<Option<String>, sqlx::Error> {
    Ok(match read(row, alias)? {
        Text::Null => None,
        Text::Whole(text) | Text::Broken(text) => Some(text),
    })
}

enum Text {
    Null,
    Whole(String),
    Broken(String),
}

fn read(row: &AnyRow, alias: &str) -> Result<Text, sqlx::Error> {
    if row.try_get_raw(alias)?.type_info().kind() != AnyTypeInfoKind::Blob {
        let text: Option<String> = row.try_get(alias)?;
        return Ok(text.map_or(Text::Null, Text::Whole));
    }
    let bytes: Option<&[u8]> = row.try_get(alias)?;
    Ok(match bytes {
        None => Text::Null,
        Some(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Text::Whole(text.to_owned()),
            Err(_) => Text::Broken(String::from_utf8_lossy(bytes).into_owned()),
        },
    })
}

/// Only the spelling that the database itself gives an integer: what is compared before a write is this text.
pub(super) fn exact_integer(text: &str) -> Option<i64> {
    text.parse::<i64>().ok().filter(|n| n.to_string() == text)
}

/// The order, without its tournaments, and the text of `orders.product_id`, to find them by.
pub(super) fn order(
    row: &AnyRow,
    currency: Currency,
    names: &Names,
) -> Result<(Order, Option<String>), sqlx::Error> {
    let Names {
        order_amount,
        order_status,
        ..
    } = names;
    let fields = Fields::of(row, names);
    let mut gaps = Gaps::default();
    let status = fields.text("status")?;
    if status.is_none() {
        gaps.null(order_status);
    }
    let names_product = fields.text("names_product")?;
    let mut order = Order {
        id: OrderId(fields.id("id")?),
        status: names.states.read(status.as_deref()),
        amount: gaps
            .whole_number(order_amount, fields.text("amount")?)
            .map(|minor| Money::new(minor, currency)),
        reference: fields
            .filled("reference")?
            .map(|text| CheckoutReference::classify(&text)),
        url: fields.filled("url")?,
        payment_intent: fields
            .filled("payment_intent")?
            .and_then(|text| PaymentIntentId::parse(&text).ok()),
        created_at: created_at(&fields, &mut gaps)?,
        player: player(&fields, &mut gaps)?,
        parent: parent(&fields, &mut gaps)?,
        product: product(&fields, &mut gaps)?,
        tournaments: Vec::new(),
        gaps: Vec::new(),
    };
    gaps.broken(&fields);
    order.gaps = gaps.0;
    Ok((order, names_product))
}

/// A product's id as text, and a tournament that sells it.
pub(super) fn sale(row: &AnyRow, names: &Names) -> Result<(String, Tournament), sqlx::Error> {
    let fields = Fields::of(row, names);
    let tournament = Tournament {
        id: TournamentId(fields.id("tournament")?),
        name: fields.text("tournament_name")?.unwrap_or_default(),
    };
    Ok((fields.text("product")?.unwrap_or_default(), tournament))
}

fn created_at(fields: &Fields<'_>, gaps: &mut Gaps) -> Result<Option<Timestamp>, sqlx::Error> {
    let Names {
        order_created_at, ..
    } = fields.names;
    let Some(written) = fields.text("created_text")? else {
        gaps.null(order_created_at);
        return Ok(None);
    };
    let seconds = fields
        .text("created_at")?
        .and_then(|text| text.parse().ok());
    if seconds.is_none() {
        gaps.strange(order_created_at, &written, "a point in time");
    }
    Ok(seconds.map(Timestamp))
}

fn player(fields: &Fields<'_>, gaps: &mut Gaps) -> Result<Option<Player>, sqlx::Error> {
    let Names {
        order_player,
        player_name,
        ..
    } = fields.names;
    let names = fields.text("names_player")?;
    if !gaps.leads(order_player, names, fields.text("player")?, "player") {
        return Ok(None);
    }
    Ok(Some(Player {
        id: fields.id("player")?,
        name: gaps.required(player_name, fields.text("player_name")?),
    }))
}

fn parent(fields: &Fields<'_>, gaps: &mut Gaps) -> Result<Option<Parent>, sqlx::Error> {
    let Names {
        parent_name,
        player_parent,
        ..
    } = fields.names;
    // Without a player there is no key to follow, and the player's own gap says so.
    if fields.text("player")?.is_none() {
        return Ok(None);
    }
    let names = fields.text("names_parent")?;
    if !gaps.leads(player_parent, names, fields.text("parent")?, "parent") {
        return Ok(None);
    }
    let email = fields.text("parent_email")?;
    Ok(Some(Parent {
        name: gaps.required(parent_name, fields.text("parent_name")?),
        email: email.filter(|text| !text.trim().is_empty()),
    }))
}

fn product(fields: &Fields<'_>, gaps: &mut Gaps) -> Result<Option<Product>, sqlx::Error> {
    let Names {
        order_product,
        product_category,
        product_is_active,
        product_name,
        ..
    } = fields.names;
    let names = fields.text("names_product")?;
    if !gaps.leads(order_product, names, fields.text("product")?, "product") {
        return Ok(None);
    }
    Ok(Some(Product {
        id: fields.id("product")?,
        name: gaps.required(product_name, fields.text("product_name")?),
        category: gaps.required(product_category, fields.text("category")?),
        is_active: is_true(&gaps.required(product_is_active, fields.text("is_active")?)),
    }))
}

/// As Postgres and SQLite cast a boolean to text.
fn is_true(text: &str) -> bool {
    matches!(text, "true" | "1")
}

struct Fields<'a> {
    row: &'a AnyRow,
    names: &'a Names,
    /// What of it was read and is no UTF-8, with as much of it as can be shown.
    broken: RefCell<Vec<(&'static str, String)>>,
}

impl<'a> Fields<'a> {
    fn of(row: &'a AnyRow, names: &'a Names) -> Self {
        Fields {
            row,
            names,
            broken: RefCell::default(),
        }
    }

    fn text(&self, alias: &'static str) -> Result<Option<String>, sqlx::Error> {
        Ok(match read(self.row, alias)? {
            Text::Null => None,
            Text::Whole(text) => Some(text),
            Text::Broken(shown) => {
                let mut broken = self.broken.borrow_mut();
                if broken.iter().all(|(known, _)| *known != alias) {
                    broken.push((alias, shown.clone()));
                }
                Some(shown)
            }
        })
    }

    /// NULL and the empty text are both `None`.
    fn filled(&self, alias: &'static str) -> Result<Option<String>, sqlx::Error> {
        Ok(self.text(alias)?.filter(|text| !text.is_empty()))
    }

    /// A primary key. One that is no integer means that this is not the application's table.
    fn id(&self, alias: &'static str) -> Result<i64, sqlx::Error> {
        let text = self.text(alias)?.unwrap_or_default();
        text.parse().map_err(|_| sqlx::Error::ColumnDecode {
            index: alias.to_owned(),
            source: "a primary key is not an integer".into(),
        })
    }
}

#[derive(Default)]
struct Gaps(Vec<String>);

impl Gaps {
    fn null(&mut self, column: &Column) {
        self.0.push(format!("{} is NULL", column.path()));
    }

    fn strange(&mut self, column: &Column, text: &str, expected: &str) {
        let shown: String = text.chars().take(SHOWN).collect();
        let path = column.path();
        self.0
            .push(format!("{path} is `{shown}`, which is not {expected}"));
    }

    fn broken(&mut self, fields: &Fields<'_>) {
        for (alias, shown) in fields.broken.borrow().iter() {
            let columns = columns(fields.names).into_iter();
            for (_, column) in columns.filter(|(known, _)| known == alias) {
                self.strange(column, shown, "a text in UTF-8");
            }
        }
    }

    fn required(&mut self, column: &Column, text: Option<String>) -> String {
        text.unwrap_or_else(|| {
            self.null(column);
            String::new()
        })
    }

    fn whole_number(&mut self, column: &Column, text: Option<String>) -> Option<i64> {
        let Some(text) = text else {
            self.null(column);
            return None;
        };
        let number = exact_integer(&text);
        if number.is_none() {
            self.strange(column, &text, "a whole number of minor units");
        }
        number
    }

    /// Whether a foreign key leads to a row.
    fn leads(
        &mut self,
        column: &Column,
        names: Option<String>,
        found: Option<String>,
        whom: &str,
    ) -> bool {
        match (names, found) {
            (None, _) => self.null(column),
            (Some(key), None) => {
                let path = column.path();
                let shown: String = key.chars().take(SHOWN).collect();
                self.0.push(format!("{path} names no {whom}: {shown}"));
            }
            (Some(_), Some(_)) => return true,
        }
        false
    }
}

#[cfg(test)]
#[path = "row_tests.rs"]
mod tests;

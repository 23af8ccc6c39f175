//! From a row of texts to an order. What a text should have been and is not becomes a gap, worded for the
//! person who will mend the row.
//!
//! Nothing is repaired or guessed: `55.0`, ` 5500` and `05500` are no amounts.

use sqlx::Row;
use sqlx::any::AnyRow;

use super::schema::{
    Column, ORDER_AMOUNT, ORDER_CREATED_AT, ORDER_PLAYER, ORDER_PRODUCT, ORDER_STATUS, PARENT_NAME,
    PLAYER_NAME, PLAYER_PARENT, PRODUCT_CATEGORY, PRODUCT_IS_ACTIVE, PRODUCT_NAME,
};
use crate::domain::{
    CheckoutReference, Currency, Money, Order, OrderId, OrderStatus, Parent, PaymentIntentId,
    Player, Product, Timestamp, Tournament, TournamentId,
};

/// Enough of a strange value to find it by, and no more.
const SHOWN: usize = 40;

/// The order, without its tournaments, and the text of `orders.product_id`, to find them by.
pub(super) fn order(
    row: &AnyRow,
    currency: Currency,
) -> Result<(Order, Option<String>), sqlx::Error> {
    let fields = Fields { row };
    let mut gaps = Gaps::default();
    let status = fields.text("status")?;
    if status.is_none() {
        gaps.null(&ORDER_STATUS);
    }
    let names_product = fields.text("names_product")?;
    let order = Order {
        id: OrderId(fields.id("id")?),
        status: OrderStatus::parse(status.as_deref()),
        amount: gaps
            .whole_number(&ORDER_AMOUNT, fields.text("amount")?)
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
        gaps: gaps.0,
    };
    Ok((order, names_product))
}

/// A product's id as text, and a tournament that sells it.
pub(super) fn sale(row: &AnyRow) -> Result<(String, Tournament), sqlx::Error> {
    let fields = Fields { row };
    let tournament = Tournament {
        id: TournamentId(fields.id("tournament")?),
        name: fields.text("tournament_name")?.unwrap_or_default(),
    };
    Ok((fields.text("product")?.unwrap_or_default(), tournament))
}

fn created_at(fields: &Fields<'_>, gaps: &mut Gaps) -> Result<Option<Timestamp>, sqlx::Error> {
    let Some(written) = fields.text("created_text")? else {
        gaps.null(&ORDER_CREATED_AT);
        return Ok(None);
    };
    let seconds = fields
        .text("created_at")?
        .and_then(|text| text.parse().ok());
    if seconds.is_none() {
        gaps.strange(&ORDER_CREATED_AT, &written, "a point in time");
    }
    Ok(seconds.map(Timestamp))
}

fn player(fields: &Fields<'_>, gaps: &mut Gaps) -> Result<Option<Player>, sqlx::Error> {
    let names = fields.text("names_player")?;
    if !gaps.leads(&ORDER_PLAYER, names, fields.text("player")?, "player") {
        return Ok(None);
    }
    Ok(Some(Player {
        id: fields.id("player")?,
        name: gaps.required(&PLAYER_NAME, fields.text("player_name")?),
    }))
}

fn parent(fields: &Fields<'_>, gaps: &mut Gaps) -> Result<Option<Parent>, sqlx::Error> {
    // Without a player there is no key to follow, and the player's own gap says so.
    if fields.text("player")?.is_none() {
        return Ok(None);
    }
    let names = fields.text("names_parent")?;
    if !gaps.leads(&PLAYER_PARENT, names, fields.text("parent")?, "parent") {
        return Ok(None);
    }
    let email = fields.text("parent_email")?;
    Ok(Some(Parent {
        name: gaps.required(&PARENT_NAME, fields.text("parent_name")?),
        email: email.filter(|text| !text.trim().is_empty()),
    }))
}

fn product(fields: &Fields<'_>, gaps: &mut Gaps) -> Result<Option<Product>, sqlx::Error> {
    let names = fields.text("names_product")?;
    if !gaps.leads(&ORDER_PRODUCT, names, fields.text("product")?, "product") {
        return Ok(None);
    }
    Ok(Some(Product {
        id: fields.id("product")?,
        name: gaps.required(&PRODUCT_NAME, fields.text("product_name")?),
        category: gaps.required(&PRODUCT_CATEGORY, fields.text("category")?),
        is_active: is_true(&gaps.required(&PRODUCT_IS_ACTIVE, fields.text("is_active")?)),
    }))
}

/// As Postgres and SQLite cast a boolean to text.
fn is_true(text: &str) -> bool {
    matches!(text, "true" | "1")
}

struct Fields<'a> {
    row: &'a AnyRow,
}

impl Fields<'_> {
    fn text(&self, alias: &str) -> Result<Option<String>, sqlx::Error> {
        self.row.try_get(alias)
    }

    /// NULL and the empty text are both `None`.
    fn filled(&self, alias: &str) -> Result<Option<String>, sqlx::Error> {
        Ok(self.text(alias)?.filter(|text| !text.is_empty()))
    }

    /// A primary key. One that is no integer means that this is not the application's table.
    fn id(&self, alias: &str) -> Result<i64, sqlx::Error> {
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

    fn required(&mut self, column: &Column, text: Option<String>) -> String {
        text.unwrap_or_else(|| {
            self.null(column);
            String::new()
        })
    }

    /// Only the spelling that the database itself gives an integer: what is compared before a write is
    /// this text.
    fn whole_number(&mut self, column: &Column, text: Option<String>) -> Option<i64> {
        let Some(text) = text else {
            self.null(column);
            return None;
        };
        let number = text.parse::<i64>().ok().filter(|n| n.to_string() == text);
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
                self.0.push(format!("{path} names no {whom}: {key}"));
            }
            (Some(_), Some(_)) => return true,
        }
        false
    }
}

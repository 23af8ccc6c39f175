//! How a document is told in other ways than as one: line by line, as a spreadsheet, as bare ids. All of them say what
//! the document says.

use std::collections::BTreeSet;
use std::io;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::super::sanitize::{clean, escape_json};
use crate::domain::{Currency, Money};
use crate::spreadsheet::{self, Cell};

/// What a stream of lines is.
pub const EVENTS: &str = "relink.events/1";

/// A document that programs read.
pub trait Document: Serialize {
    const SHAPE: Shape;
}

pub struct Shape {
    /// The field that holds the list; empty where the document is about one thing.
    pub list: &'static str,
    /// The type of a line, such as `order`.
    pub item: &'static str,
    /// Where an item's id is, as a JSON pointer.
    pub id: &'static str,
    pub columns: &'static [Column],
}

/// One column of a spreadsheet.
pub struct Column {
    pub name: &'static str,
    /// A JSON pointer into the item.
    pub at: &'static str,
    pub kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Plain,
    /// In major units, as people write it: `55.00`.
    Amount,
    Currency,
}

pub const fn plain(name: &'static str, at: &'static str) -> Column {
    Column {
        name,
        at,
        kind: Kind::Plain,
    }
}

pub const fn amount(name: &'static str, at: &'static str) -> Column {
    Column {
        name,
        at,
        kind: Kind::Amount,
    }
}

pub const fn currency(name: &'static str, at: &'static str) -> Column {
    Column {
        name,
        at,
        kind: Kind::Currency,
    }
}

/// One line per item, and one of type `totals` for the rest of the document.
///
/// # Errors
/// Serialization fails, which no document of ours does.
pub fn lines<D: Document>(document: &D) -> serde_json::Result<String> {
    Ok(item_lines(document)? + &rest_line(document)?)
}

/// # Errors
/// As [`lines`].
pub fn item_lines<D: Document>(document: &D) -> serde_json::Result<String> {
    let (items, _) = taken_apart(document)?;
    let lines = items.into_iter().map(|item| line(D::SHAPE.item, item));
    Ok(lines.collect())
}

/// # Errors
/// As [`lines`].
pub fn rest_line<D: Document>(document: &D) -> serde_json::Result<String> {
    if D::SHAPE.list.is_empty() {
        return Ok(String::new());
    }
    let (_, rest) = taken_apart(document)?;
    Ok(line("totals", rest))
}

/// What stands before and after the items of the document's list, which must be empty: for a list that comes in pieces.
///
/// # Errors
/// As [`lines`]; the document has no such list at its top, or it is not empty.
pub fn around<D: Document>(document: &D) -> io::Result<(String, String)> {
    let whole = super::render(document)?;
    let list = format!("\n  \"{}\": [", D::SHAPE.list);
    let empty = format!("{list}]");
    let found = whole.split_once(&empty);
    let (head, tail) = found.ok_or_else(|| io::Error::other("the list is not empty"))?;
    Ok((format!("{head}{list}"), format!("]{tail}")))
}

/// The items as they stand in the list of a document, with what parts them from those before.
///
/// # Errors
/// As [`lines`].
pub fn between<D: Document>(document: &D, is_first: bool) -> io::Result<String> {
    let (items, _) = taken_apart(document)?;
    let mut out = String::new();
    for (item, at) in items.iter().zip(0..) {
        out.push_str(if is_first && at == 0 {
            "\n    "
        } else {
            ",\n    "
        });
        let text = escape_json(&serde_json::to_string_pretty(item)?);
        out.push_str(&text.replace('\n', "\n    "));
    }
    Ok(out)
}

/// `{"type": "order", …}` on one line.
#[must_use]
pub fn line(kind: &str, value: Value) -> String {
    let mut fields = Map::new();
    fields.insert("type".to_owned(), json!(kind));
    match value {
        Value::Object(own) => {
            // What kind of line it is comes first; an item's own type is told as `event_type`.
            let renamed = own.into_iter().map(|(name, value)| match name.as_str() {
                "type" => (format!("{kind}_type"), value),
                _ => (name, value),
            });
            fields.extend(renamed);
        }
        other => {
            fields.insert("value".to_owned(), other);
        }
    }
    escape_json(&Value::Object(fields).to_string()).replace('\n', "\\n") + "\n"
}

/// # Errors
/// As [`lines`].
pub fn csv<D: Document>(document: &D, with_header: bool) -> serde_json::Result<String> {
    let (items, _) = taken_apart(document)?;
    let names: Vec<&str> = D::SHAPE.columns.iter().map(|column| column.name).collect();
    let rows: Vec<Vec<Cell>> = items
        .iter()
        .map(|item| {
            D::SHAPE
                .columns
                .iter()
                .map(|column| cell(column, item))
                .collect()
        })
        .collect();
    Ok(spreadsheet::render(
        with_header.then_some(&names[..]),
        &rows,
    ))
}

/// One id per line, each once.
///
/// # Errors
/// As [`lines`].
pub fn ids<D: Document>(document: &D) -> serde_json::Result<String> {
    let (items, _) = taken_apart(document)?;
    let ids = items.iter().filter_map(|item| item.pointer(D::SHAPE.id));
    let mut seen = BTreeSet::new();
    Ok(ids
        .filter_map(word)
        .filter(|id| seen.insert(id.clone()))
        .fold(String::new(), |text, id| text + &id + "\n"))
}

fn taken_apart<D: Document>(document: &D) -> serde_json::Result<(Vec<Value>, Value)> {
    let mut whole = serde_json::to_value(document)?;
    if D::SHAPE.list.is_empty() {
        return Ok((vec![whole], Value::Null));
    }
    let list = whole
        .as_object_mut()
        .and_then(|fields| fields.shift_remove(D::SHAPE.list));
    let items = match list {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    };
    Ok((items, whole))
}

fn cell(column: &Column, item: &Value) -> Cell {
    let Some(value) = item.pointer(column.at) else {
        return Cell::Empty;
    };
    match column.kind {
        Kind::Amount | Kind::Currency => money(value).map_or(Cell::Empty, |money| {
            let shown = money.to_string();
            let (number, code) = shown.split_once(' ').unwrap_or((&shown, ""));
            match column.kind {
                Kind::Amount => Cell::number(number),
                _ => Cell::text(code),
            }
        }),
        Kind::Plain if value.is_number() => Cell::number(value),
        Kind::Plain => word(value).map_or(Cell::Empty, Cell::text),
    }
}

fn money(value: &Value) -> Option<Money> {
    let currency = Currency::parse(value.get("currency")?.as_str()?).ok()?;
    Some(Money::new(value.get("minor")?.as_i64()?, currency))
}

/// Harmless on a terminal, in one line.
fn word(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(clean(text).into_owned()),
        Value::Array(items) => {
            let words: Vec<String> = items.iter().filter_map(word).collect();
            Some(words.join(" "))
        }
        Value::Object(fields) => fields.get("name").and_then(word),
        other => Some(other.to_string()),
    }
}

//! Every setting with its value and where that came from, as a table.

use comfy_table::Cell;

use super::look::{Hue, Look, cell, render};
use super::sanitize::clean;
use crate::settings::{Line, Listing};

#[must_use]
pub fn text(listing: &Listing, look: Look) -> String {
    let mut table = look.table(&["setting", "value", "source"]);
    for line in &listing.lines {
        table.add_row(row(line));
    }
    let mut out = render(&table);
    out.push_str(&match &listing.file {
        Some(path) => format!("configuration file: {}\n", clean(path)),
        None => "configuration file: none\n".to_owned(),
    });
    for section in &listing.unused {
        out.push_str(&format!(
            "[{section}] of the file is not used with --sandbox\n"
        ));
    }
    out
}

fn row(line: &Line) -> Vec<Cell> {
    let value = line.value.as_deref().map_or("—".into(), clean);
    let hue = if line.is_wrong {
        Hue::Money
    } else {
        Hue::Plain
    };
    vec![
        Cell::new(clean(&line.key)),
        cell(value, hue),
        Cell::new(clean(line.from.as_deref().unwrap_or(line.source))),
    ]
}

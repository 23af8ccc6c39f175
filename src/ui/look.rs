//! How text looks: colours, widths, plurals, short ids, the frame of a table. Reads the environment only to
//! learn whether colours are wanted.

use std::fmt;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement, Table};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::sanitize::clean;
use crate::domain::{CheckoutReference, Money};
use crate::plan::Verdict;

/// Columns when the output is not a terminal.
pub const WIDE: u16 = 200;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColorChoice {
    #[default]
    Auto,
    Always,
    Never,
}

/// The choice beats `NO_COLOR` (no-color.org), which beats `CLICOLOR_FORCE` (bixense.com/clicolors), which
/// beats the terminal.
#[must_use]
pub fn wants_color(
    choice: ColorChoice,
    variable: impl Fn(&str) -> Option<String>,
    is_terminal: bool,
) -> bool {
    let set = |name| variable(name).filter(|value| !value.is_empty());
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto if set("NO_COLOR").is_some() => false,
        ColorChoice::Auto if set("CLICOLOR_FORCE").is_some_and(|v| v != "0") => true,
        ColorChoice::Auto => {
            is_terminal
                && set("CLICOLOR").is_none_or(|v| v != "0")
                && set("TERM").is_none_or(|v| v != "dumb")
        }
    }
}

/// What a text may use of the place where it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    pub color: bool,
    pub width: u16,
    /// More columns, ids whole.
    pub is_wide: bool,
    pub headers: bool,
    /// Parents' addresses in full.
    pub show_pii: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hue {
    Plain,
    Good,
    Attention,
    Money,
    Dim,
}

impl Hue {
    /// Red is for money that needs a person, yellow for whatever else is not as it should be.
    #[must_use]
    pub fn of(verdict: Verdict) -> Hue {
        match verdict {
            Verdict::Healthy | Verdict::Settled => Hue::Good,
            Verdict::OutOfScope => Hue::Dim,
            Verdict::Dead => Hue::Plain,
            other if other.is_about_money() => Hue::Money,
            _not_as_it_should_be => Hue::Attention,
        }
    }

    fn sgr(self) -> Option<&'static str> {
        match self {
            Hue::Plain => None,
            Hue::Good => Some("32"),
            Hue::Attention => Some("33"),
            Hue::Money => Some("31"),
            Hue::Dim => Some("2"),
        }
    }
}

impl Look {
    /// Nothing asked for beyond these two.
    #[cfg(test)]
    pub const fn of(color: bool, width: u16) -> Look {
        Look {
            color,
            width,
            is_wide: false,
            headers: true,
            show_pii: false,
        }
    }

    /// A parent's address; unless it is asked for, only enough of it to be told from another.
    #[must_use]
    pub fn address(self, email: &str) -> String {
        if self.show_pii {
            return clean(email).into_owned();
        }
        // Several in one field: only the last host is shown.
        let (name, host) = email.rsplit_once('@').unwrap_or((email, ""));
        let first: String = name.chars().take(1).collect();
        clean(&format!("{first}…@{host}")).into_owned()
    }

    /// `text` must be clean.
    #[must_use]
    pub fn paint(self, text: impl fmt::Display, hue: Hue) -> String {
        match hue.sgr() {
            Some(code) if self.color => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            _ => text.to_string(),
        }
    }

    #[must_use]
    pub fn bold(self, text: impl fmt::Display) -> String {
        if self.color {
            format!("\u{1b}[1m{text}\u{1b}[0m")
        } else {
            text.to_string()
        }
    }

    /// An empty table that fits the width. Wraps, and cuts nothing.
    #[must_use]
    pub fn table(self, header: &[&str]) -> Table {
        let mut table = Table::new();
        table
            .load_style(UTF8_FULL_CONDENSED)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .force_no_tty()
            .set_width(self.width);
        if self.color {
            // Whether colours are wanted was decided above, NO_COLOR included.
            crossterm::style::force_color_output(true);
            table.enforce_styling();
        }
        let cells = header
            .iter()
            .map(|text| Cell::new(text).add_attribute(Attribute::Bold));
        if self.headers {
            table.set_header(cells);
        }
        table
    }
}

/// `text` must be clean.
#[must_use]
pub fn cell(text: impl fmt::Display, hue: Hue) -> Cell {
    let cell = Cell::new(text);
    match hue {
        Hue::Plain => cell,
        Hue::Good => cell.fg(Color::DarkGreen),
        Hue::Attention => cell.fg(Color::DarkYellow),
        Hue::Money => cell.fg(Color::DarkRed),
        Hue::Dim => cell.add_attribute(Attribute::Dim),
    }
}

#[must_use]
pub fn right(text: impl fmt::Display) -> Cell {
    Cell::new(text).set_alignment(CellAlignment::Right)
}

/// The table without blanks at the ends of its lines.
#[must_use]
pub fn render(table: &Table) -> String {
    let mut text = table.trim_fmt();
    text.push('\n');
    text
}

/// Cleaned, and cut with `…` to `width` columns of a terminal. For names; an id is never cut.
#[must_use]
pub fn name(text: &str, width: usize) -> String {
    let text = clean(text);
    if text.width() <= width {
        return text.into_owned();
    }
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used >= width {
            break;
        }
        out.push(c);
    }
    out.push('…');
    out
}

/// For tables: a session's id, which may have 70 characters, without its middle. Links' ids stay whole.
#[must_use]
pub fn short(reference: &CheckoutReference) -> String {
    match reference {
        CheckoutReference::Session(id) if id.as_str().len() > 24 => {
            // A checked id is ASCII.
            let id = id.as_str();
            format!("{}…{}", &id[..10], &id[id.len() - 4..])
        }
        CheckoutReference::Session(_) | CheckoutReference::Link(_) => reference.to_string(),
        CheckoutReference::Other(text) => format!("`{}`", name(text, 40)),
    }
}

/// Short, or whole where there is room.
#[must_use]
pub fn id(reference: &CheckoutReference, look: Look) -> String {
    if look.is_wide {
        full(reference)
    } else {
        short(reference)
    }
}

#[must_use]
pub fn full(reference: &CheckoutReference) -> String {
    match reference {
        CheckoutReference::Session(_) | CheckoutReference::Link(_) => reference.to_string(),
        // As long as the application's column; one without a bound holds anything.
        CheckoutReference::Other(text) => name(text, 255),
    }
}

#[must_use]
pub fn list<T>(items: &[T], show: impl Fn(&T) -> String) -> String {
    items.iter().map(show).collect::<Vec<_>>().join(", ")
}

/// `1 order`, `2 orders`.
#[must_use]
pub fn count(n: usize, one: &str) -> String {
    if n == 1 {
        format!("1 {one}")
    } else {
        format!("{n} {one}s")
    }
}

/// `3 need a person`, `1 needs a person`.
#[must_use]
pub fn agree(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// `985.00 USD`, `985.00 USD and 1000 JPY`; `nothing` for no sum at all.
#[must_use]
pub fn sums(totals: &[Money]) -> String {
    let texts: Vec<String> = totals.iter().map(ToString::to_string).collect();
    match texts.split_last() {
        None => "nothing".to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::domain::{LinkId, SessionId};

    fn wanted(choice: ColorChoice, set: &[(&str, &str)], is_terminal: bool) -> bool {
        let variable = |name: &str| {
            let found = set.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        wants_color(choice, variable, is_terminal)
    }

    #[test]
    fn the_flag_beats_no_color_which_beats_clicolor_force_which_beats_the_terminal() {
        use ColorChoice::{Always, Auto, Never};
        let no_color = ("NO_COLOR", "1");
        let forced = ("CLICOLOR_FORCE", "1");
        assert!(wanted(Always, &[no_color], false));
        assert!(!wanted(Never, &[forced], true));
        assert!(!wanted(Auto, &[no_color, forced], true));
        assert!(wanted(Auto, &[forced], false));
        assert!(wanted(Auto, &[("NO_COLOR", ""), forced], false));
        assert!(!wanted(Auto, &[("CLICOLOR_FORCE", "0")], false));
        assert!(wanted(Auto, &[], true));
        assert!(!wanted(Auto, &[], false));
        assert!(!wanted(Auto, &[("TERM", "dumb")], true));
    }

    #[test]
    fn a_name_is_cut_by_the_columns_it_takes() {
        assert_eq!(name("Ann Lee", 10), "Ann Lee");
        assert_eq!(name("Maximiliana", 6), "Maxim…");
        assert_eq!(name("李李李李", 6), "李李…");
        assert!(name("\u{1b}[31mred", 8).starts_with("\\u{1b}"));
    }

    #[test]
    fn a_long_session_id_loses_its_middle_and_a_link_id_nothing() {
        let session = SessionId::parse(&format!("cs_test_a1{}9xYz", "b".repeat(52)));
        let session = CheckoutReference::Session(session.unwrap());
        assert_eq!(short(&session), "cs_test_a1…9xYz");
        let link = LinkId::parse("plink_1SbXyZAbCdEfGhIjKlMnOpQr").unwrap();
        let link = CheckoutReference::Link(link);
        assert_eq!(short(&link), "plink_1SbXyZAbCdEfGhIjKlMnOpQr");
    }

    #[test]
    fn one_is_singular() {
        assert_eq!(count(1, "order"), "1 order");
        assert_eq!(count(0, "order"), "0 orders");
        assert_eq!(
            agree(1, "needs a person", "need a person"),
            "1 needs a person"
        );
    }
}

//! What was asked of the output: its format, and how much of it.
//!
//! Nothing here looks at the terminal or the environment.

use super::ColorChoice;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    #[default]
    Table,
    /// The same with more columns, one line per row.
    Wide,
    /// One document, the same facts.
    Json,
    /// One event per line, between a header and a summary.
    Jsonl,
    Csv,
    Ids,
}

impl Format {
    /// Whether a person reads it; what programs read holds nothing but the result.
    #[must_use]
    pub fn is_for_people(self) -> bool {
        matches!(self, Format::Table | Format::Wide)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    pub format: Format,
    /// The first row of tables and CSV.
    pub headers: bool,
    /// Parents' addresses in full, in tables too.
    pub show_pii: bool,
    pub color: ColorChoice,
    /// No banner, no notes, no progress. Warnings, failures and questions are still shown.
    pub quiet: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            format: Format::default(),
            headers: true,
            show_pii: false,
            color: ColorChoice::default(),
            quiet: false,
        }
    }
}

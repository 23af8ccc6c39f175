//! Rows as CSV, for spreadsheet programs and for mail merges. A text that a spreadsheet would take for a formula is made
//! text again, also where a program with another separator would begin a cell; what a terminal would obey is shown. A
//! number is left alone.
//!
//! It knows nothing of orders, and writes no file.

use csv::{QuoteStyle, Terminator, WriterBuilder};

/// One cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// Whatever somebody typed somewhere.
    Text(String),
    /// Ours: digits, with a sign and a point at most.
    Number(String),
    Empty,
}

impl Cell {
    #[must_use]
    pub fn text(text: impl Into<String>) -> Cell {
        Cell::Text(text.into())
    }

    #[must_use]
    pub fn maybe(text: Option<impl Into<String>>) -> Cell {
        text.map_or(Cell::Empty, Cell::text)
    }

    #[must_use]
    pub fn number(number: impl ToString) -> Cell {
        Cell::Number(number.to_string())
    }

    fn shown(&self) -> String {
        match self {
            Cell::Text(text) => guarded(text),
            Cell::Number(number) => number.clone(),
            Cell::Empty => String::new(),
        }
    }
}

/// What begins a formula; some programs take the full-width signs for the same.
const SIGNS: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];
/// Where a program that was told, or guessed, another separator than ours begins a new cell, whatever the quotes say.
const BREAKS: [char; 4] = [';', '\t', '\r', '\n'];

/// With an apostrophe before what would be run when the file is opened (owasp.org, "CSV Injection"), and with every
/// character shown that a terminal would obey, for whoever looks into the file there. Ends of lines are left.
fn guarded(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 1);
    let mut begins_cell = true;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let is_break = BREAKS.contains(&c);
        let is_first = out.is_empty() && is_break && c != ';';
        if is_first || (begins_cell && SIGNS.contains(&c)) {
            out.push('\'');
        }
        begins_cell = is_break;
        let ends_line = c == '\n' || (c == '\r' && rest.peek() == Some(&'\n'));
        if c.is_control() && c != '\t' && !ends_line {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

/// RFC 4180: commas, quotes where they are needed, CR LF. Without rows there is the header alone.
#[must_use]
pub fn render(header: Option<&[&str]>, rows: &[Vec<Cell>]) -> String {
    let mut writer = WriterBuilder::new()
        .quote_style(QuoteStyle::Necessary)
        .terminator(Terminator::CRLF)
        .from_writer(Vec::new());
    let header = header.map(|names| names.iter().map(ToString::to_string).collect());
    let lines = rows.iter().map(|row| row.iter().map(Cell::shown).collect());
    let lines: Vec<Vec<String>> = header.into_iter().chain(lines).collect();
    for line in lines {
        // Writing into memory does not fail, and every row is as long as the header.
        let _ = writer.write_record(line);
    }
    let bytes = writer.into_inner().unwrap_or_default();
    String::from_utf8(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_formula_is_made_text_and_a_negative_number_stays_one() {
        let row = vec![
            Cell::text("=HYPERLINK(\"http://evil\")"),
            Cell::text("+49 151"),
            Cell::text("@cmd"),
            Cell::text("\tx"),
            Cell::number(-55),
            Cell::text("Ann, Lee"),
            Cell::Empty,
        ];
        assert_eq!(
            render(None, &[row]),
            "\"'=HYPERLINK(\"\"http://evil\"\")\",'+49 151,'@cmd,'\tx,-55,\"Ann, Lee\",\r\n"
        );
    }

    /// Where the list separator is a semicolon, as in much of Europe, a spreadsheet splits there too.
    #[test]
    fn no_cell_of_another_separator_is_a_formula() {
        for (text, written) in [
            ("Ann;=1+1", "Ann;'=1+1"),
            ("Ann\t@SUM(1)", "Ann\t'@SUM(1)"),
            ("Ann\n-2+3", "Ann\n'-2+3"),
            ("Ann\r\n＝1", "Ann\r\n'＝1"),
            (";=1", ";'=1"),
            ("Ann; Lee-Ann", "Ann; Lee-Ann"),
        ] {
            let line = render(None, &[vec![Cell::number(7), Cell::text(text)]]);
            assert!(line.contains(written), "{line:?}");
        }
    }

    #[test]
    fn nothing_in_a_cell_is_obeyed_by_a_terminal() {
        let cell = Cell::text("\u{1b}]8;;x\u{7}Ann\u{9b}2J\rB\r\nC\nD\tE");
        assert_eq!(
            render(None, &[vec![Cell::number(7), cell]]),
            "7,\"\\u{1b}]8;;x\\u{7}Ann\\u{9b}2J\\u{d}B\r\nC\nD\tE\"\r\n"
        );
    }

    #[test]
    fn without_rows_there_is_the_header() {
        assert_eq!(render(Some(&["order", "url"]), &[]), "order,url\r\n");
        assert_eq!(render(None, &[]), "");
    }

    proptest! {
        /// What a parser reads is what was written, and no text of ours begins as a formula does.
        #[test]
        fn every_text_comes_back(texts in prop::collection::vec(".{0,20}", 1..6)) {
            // The first column is a number: what a text file may begin with is not asked for here.
            let row: Vec<Cell> = [Cell::number(7)].into_iter().chain(texts.iter().map(Cell::text)).collect();
            let text = render(None, &[row]);
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
            let read: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
            prop_assert_eq!(read.len(), 1);
            for (said, found) in texts.iter().zip(read[0].iter().skip(1)) {
                prop_assert_eq!(found, guarded(said));
                if !said.contains(char::is_control) {
                    prop_assert_eq!(found.replace('\'', ""), said.replace('\'', ""));
                }
                prop_assert!(!found.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']));
                prop_assert!(!found.split(BREAKS).any(|cell| cell.starts_with(SIGNS)));
            }
        }
    }
}

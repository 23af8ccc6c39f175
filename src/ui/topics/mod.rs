//! What `relink help TOPIC` prints and the main manual page repeats: exit codes, environment, documents. Each is
//! written once, as plain text; nothing here depends on how this run was called.

mod documents;
mod environment;
mod exit_codes;

pub use documents::documents;
pub use environment::environment;
pub use exit_codes::exit_codes;

use unicode_width::UnicodeWidthStr;

/// A line longer than this is hard to read, however wide the terminal is.
pub const WIDEST: usize = 100;
const INDENT: &str = "  ";
const GAP: &str = "  ";

/// A heading with names and what is to be said of each, in two columns. Each line of what is said begins a new one.
struct Section<'a> {
    heading: &'a str,
    entries: Vec<(String, String)>,
}

fn sections(sections: &[Section<'_>], width: usize) -> String {
    let names = sections.iter().flat_map(|section| &section.entries);
    let column = names.map(|(name, _)| name.width()).max().unwrap_or(0);
    let mut text = String::new();
    for section in sections {
        text.push('\n');
        text.push_str(section.heading);
        text.push('\n');
        for (name, said) in &section.entries {
            text.push_str(&entry(name, said, column, width));
        }
    }
    text
}

fn entry(name: &str, said: &str, column: usize, width: usize) -> String {
    let margin = INDENT.len() + column + GAP.len();
    let blank = " ".repeat(margin);
    let mut text = String::new();
    let width = width.saturating_sub(margin);
    let lines = said.lines().flat_map(|line| wrapped(line, width));
    for (at, line) in lines.enumerate() {
        if at == 0 {
            text.push_str(&format!("{INDENT}{name:<column$}{GAP}"));
        } else {
            text.push_str(&blank);
        }
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// Lines of at most `width` columns; a longer word stands alone and whole.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && line.width() + 1 + word.width() > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

fn paragraph(text: &str, width: usize) -> String {
    let mut text = wrapped(text, width).join("\n");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_wider_than_asked_unless_a_word_is() {
        for width in [40, 70, 100] {
            for text in [exit_codes(width), environment(width), documents(width)] {
                let margin = 45;
                let wide = text
                    .lines()
                    .filter(|line| line.width() > width.max(margin + 20));
                assert_eq!(wide.collect::<Vec<_>>(), Vec::<&str>::new(), "at {width}");
            }
        }
    }

    #[test]
    fn what_is_said_stands_beside_its_name() {
        let section = Section {
            heading: "Colours:",
            entries: vec![
                ("NO".to_owned(), "never any colour at\nall".to_owned()),
                ("WHEN".to_owned(), "sometimes".to_owned()),
            ],
        };
        let text = sections(&[section], 22);
        assert_eq!(
            text,
            "\nColours:\n\
             \x20 NO    never any\n\
             \x20       colour at\n\
             \x20       all\n\
             \x20 WHEN  sometimes\n"
        );
    }
}

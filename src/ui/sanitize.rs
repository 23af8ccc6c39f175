//! The one sanitiser: text that came from the database or from Stripe, made safe to print.
//!
//! A name can hold an escape sequence that repaints the terminal, a newline that forges a line of ours, or a
//! bidi override that reverses an amount. Each such character is shown as `\u{1b}`, never dropped: an operator
//! must be able to see that it is there.

use std::borrow::Cow;
use std::fmt::Write;

/// Whether `c` can move, hide, reorder or forge what a reader sees.
#[must_use]
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// One line of harmless text.
#[must_use]
pub fn clean(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_unsafe(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// The same for text that may have several lines: every line after the first is indented, so that none of
/// them can pass for a line of ours.
#[must_use]
pub fn clean_lines(text: &str, indent: usize) -> String {
    let lines: Vec<Cow<'_, str>> = text.lines().map(clean).collect();
    lines.join(&format!("\n{:indent$}", ""))
}

/// JSON text with every such character as a JSON escape. The document means the same; outside of strings
/// JSON has none of them but the newlines of its own layout.
#[must_use]
pub fn escape_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c != '\n' && is_unsafe(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a `String` does not fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_could_fool_a_reader_is_shown_instead_of_obeyed() {
        assert_eq!(clean("Ann Lee, Zoë 李"), "Ann Lee, Zoë 李");
        assert_eq!(clean("\u{1b}[2J"), "\\u{1b}[2J");
        assert_eq!(clean("a\nnext: rm"), "a\\u{a}next: rm");
        assert_eq!(clean("\u{9b}31m\u{7f}"), "\\u{9b}31m\\u{7f}");
        assert_eq!(clean("\u{202e}00.55\u{2069}"), "\\u{202e}00.55\\u{2069}");
        assert_eq!(clean("a\u{200b}b\u{2028}c"), "a\\u{200b}b\\u{2028}c");
    }

    #[test]
    fn later_lines_are_indented() {
        assert_eq!(clean_lines("one\ntwo\u{7}", 4), "one\n    two\\u{7}");
    }

    #[test]
    fn escaped_json_means_the_same() {
        let text = "a\u{9b}b\u{202e}c\u{e0041}d\u{1b}e\n";
        let json = serde_json::to_string(text).unwrap_or_default();
        let escaped = escape_json(&json);
        assert!(!escaped.chars().any(is_unsafe), "{escaped}");
        assert_eq!(
            serde_json::from_str::<String>(&escaped).ok().as_deref(),
            Some(text)
        );
    }

    proptest! {
        #[test]
        fn no_unsafe_character_survives(text in any::<String>()) {
            prop_assert!(!clean(&text).chars().any(is_unsafe));
        }
    }
}

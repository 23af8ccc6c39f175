//! What a payer reads as the name of what is paid for: a template over the order's own words.
//!
//! Pure, as the mint's idempotency key covers the name: nothing random, no clock and no host can get in.

use std::fmt;

const LONGEST: usize = 250;
const DEFAULT: &str = "{product} - {player}";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Word {
    Product,
    Player,
    Order,
}

impl Word {
    const ALL: [Word; 3] = [Word::Product, Word::Player, Word::Order];

    fn name(self) -> &'static str {
        match self {
            Word::Product => "product",
            Word::Player => "player",
            Word::Order => "order",
        }
    }
}

/// `{product} - {player}`, taken apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NameTemplate {
    written: String,
    /// Before the first word.
    first: String,
    /// Each word with the text that follows it.
    rest: Vec<(Word, String)>,
}

/// The order's own words.
#[derive(Clone, Copy, Debug)]
pub struct Words<'a> {
    pub product: &'a str,
    pub player: &'a str,
    pub order: i64,
}

impl NameTemplate {
    /// # Errors
    /// In words: an unknown word in braces, a brace without its partner, a control character, too long or blank.
    pub fn parse(text: &str) -> Result<NameTemplate, String> {
        if text.trim().is_empty() {
            return Err("it is empty".to_owned());
        }
        if text.chars().any(char::is_control) {
            return Err("it holds a control character".to_owned());
        }
        if text.chars().count() > LONGEST {
            return Err(format!("it has more than {LONGEST} characters"));
        }
        let mut pieces = text.split('{');
        let first = plain(pieces.next().unwrap_or_default())?;
        let mut rest = Vec::new();
        for piece in pieces {
            let (name, after) = piece
                .split_once('}')
                .ok_or_else(|| "a `{` has no `}`".to_owned())?;
            let word = Word::ALL.into_iter().find(|word| word.name() == name);
            let word = word.ok_or_else(|| {
                let known = Word::ALL.map(|word| format!("{{{}}}", word.name()));
                format!("there is no `{{{name}}}`, only {}", known.join(", "))
            })?;
            rest.push((word, plain(after)?));
        }
        Ok(NameTemplate {
            written: text.to_owned(),
            first,
            rest,
        })
    }

    /// A word that the order lacks is left out, with the text that would join it to its neighbour. Never empty, since
    /// Stripe refuses an empty name.
    #[must_use]
    pub fn fill(&self, words: Words<'_>) -> String {
        let values: Vec<(String, &str)> = self
            .rest
            .iter()
            .map(|(word, after)| (value(*word, words), after.as_str()))
            .collect();
        let last = values.len().saturating_sub(1);
        let mut name = String::new();
        let mut between = "";
        for (at, (value, after)) in values.iter().enumerate() {
            if !value.is_empty() {
                if !name.is_empty() {
                    name.push_str(between);
                }
                name.push_str(value);
            }
            if at < last {
                between = after;
            }
        }
        if name.is_empty() && !values.is_empty() {
            return format!("Order {}", words.order);
        }
        let end = values.last().map_or("", |(_, after)| after);
        let whole = format!("{}{name}{end}", self.first);
        whole.trim().chars().take(LONGEST).collect()
    }
}

impl Default for NameTemplate {
    fn default() -> Self {
        NameTemplate {
            written: DEFAULT.to_owned(),
            first: String::new(),
            rest: vec![
                (Word::Product, " - ".to_owned()),
                (Word::Player, String::new()),
            ],
        }
    }
}

impl fmt::Display for NameTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

fn plain(text: &str) -> Result<String, String> {
    if text.contains('}') {
        return Err("a `}` has no `{`".to_owned());
    }
    Ok(text.to_owned())
}

fn value(word: Word, words: Words<'_>) -> String {
    let printable = |text: &str| {
        let clean: String = text.chars().filter(|c| !c.is_control()).collect();
        clean.trim().to_owned()
    };
    match word {
        Word::Product => printable(words.product),
        Word::Player => printable(words.player),
        Word::Order => words.order.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(template: &str, product: &str, player: &str) -> String {
        let template = NameTemplate::parse(template).unwrap_or_else(|why| panic!("{why}"));
        template.fill(Words {
            product,
            player,
            order: 7,
        })
    }

    #[test]
    fn the_template_that_is_used_unless_said_otherwise_reads_as_it_is_written() {
        let parsed = NameTemplate::parse(DEFAULT);
        assert_eq!(parsed, Ok(NameTemplate::default()));
        assert_eq!(NameTemplate::default().to_string(), DEFAULT);
    }

    #[test]
    fn words_are_filled_in_and_a_missing_one_takes_its_joint_along() {
        assert_eq!(named("{product}", "Cup", "Ann"), "Cup");
        assert_eq!(
            named("Club: {product} ({order})", "Cup", "Ann"),
            "Club: Cup (7)"
        );
        let three = "{product} - {player} / {order}.";
        assert_eq!(named(three, "Cup", "Ann"), "Cup - Ann / 7.");
        assert_eq!(named(three, "Cup", " "), "Cup / 7.");
        assert_eq!(named(three, "", "Ann"), "Ann / 7.");
        assert_eq!(named("Club: {product}", "", "Ann"), "Order 7");
        assert_eq!(named("Club fee", "", ""), "Club fee");
        assert_eq!(named("{player}", "", &"ü".repeat(400)).chars().count(), 250);
    }

    #[test]
    fn what_cannot_be_filled_in_is_refused() {
        let why = |text: &str| NameTemplate::parse(text).unwrap_err();
        assert_eq!(
            why("{product} {host}"),
            "there is no `{host}`, only {product}, {player}, {order}"
        );
        for text in ["", " ", "{product", "product}", "{{product}}", "{}", "a\nb"] {
            assert!(!why(text).is_empty(), "{text:?} was accepted");
        }
        assert!(NameTemplate::parse(&"a".repeat(251)).is_err());
    }
}

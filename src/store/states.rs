//! How the application's database writes the states of an order, and what they are to relink.
//!
//! A text that is none of them is a state that relink does not know, and leaves alone.

use std::collections::BTreeMap;

use crate::domain::OrderStatus;

/// How `orders.status` writes the states that relink knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct States(BTreeMap<&'static str, String>);

pub(super) const STATES: [&str; 4] = ["pending", "paid", "canceled", "refunded"];

impl Default for States {
    fn default() -> Self {
        States(STATES.map(|word| (word, word.to_owned())).into())
    }
}

impl States {
    /// The database's spelling of one of [`STATES`].
    pub fn written(&self, word: &'static str) -> &str {
        self.0.get(word).map_or(word, String::as_str)
    }

    pub fn rename(&mut self, word: &'static str, text: &str) {
        self.0.insert(word, text.to_owned());
    }

    /// As a literal, so that it is an enum's value where the column is one.
    pub fn literal(&self, word: &'static str) -> String {
        format!("'{}'", self.written(word).replace('\'', "''"))
    }

    /// The state that the database writes so.
    pub fn read(&self, text: Option<&str>) -> OrderStatus {
        let Some(text) = text else {
            return OrderStatus::parse(None);
        };
        match self.0.iter().find(|(_, written)| *written == text) {
            Some((word, _)) => OrderStatus::parse(Some(word)),
            // A word of relink's that means something else here must not be taken for it.
            None if STATES.contains(&text) => {
                OrderStatus::Unknown(format!("{text} (as the database writes it)"))
            }
            None => OrderStatus::Unknown(text.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_read_as_the_database_writes_it_and_no_other_way() {
        let mut states = States::default();
        states.rename("pending", "it's open");
        assert_eq!(states.literal("pending"), "'it''s open'");
        assert_eq!(states.read(Some("it's open")), OrderStatus::Pending);
        assert_eq!(states.read(Some("paid")), OrderStatus::Paid);
        let other = states.read(Some("pending"));
        assert_eq!(other.to_string(), "pending (as the database writes it)");
        assert!(matches!(other, OrderStatus::Unknown(_)));
    }
}

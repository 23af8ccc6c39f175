//! What `orders.stripe_checkout_session_id` names: a Checkout Session, a Payment Link, or something that
//! relink does not touch. The prefix decides, and only a checked id becomes one of the first two.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

use super::{LinkId, SessionId};

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(from = "String")]
pub enum CheckoutReference {
    Session(SessionId),
    Link(LinkId),
    /// Any other text, kept as it stands in the row. It is reported and left alone.
    Other(String),
}

impl CheckoutReference {
    #[must_use]
    pub fn classify(text: &str) -> Self {
        if let Ok(id) = SessionId::parse(text) {
            CheckoutReference::Session(id)
        } else if let Ok(id) = LinkId::parse(text) {
            CheckoutReference::Link(id)
        } else {
            CheckoutReference::Other(text.to_owned())
        }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            CheckoutReference::Session(id) => id.as_str(),
            CheckoutReference::Link(id) => id.as_str(),
            CheckoutReference::Other(text) => text,
        }
    }
}

impl fmt::Display for CheckoutReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<String> for CheckoutReference {
    fn from(text: String) -> Self {
        CheckoutReference::classify(&text)
    }
}

impl Serialize for CheckoutReference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_decides_and_odd_ids_are_left_alone() {
        let kind = |text: &str| match CheckoutReference::classify(text) {
            CheckoutReference::Session(_) => "session",
            CheckoutReference::Link(_) => "link",
            CheckoutReference::Other(_) => "other",
        };
        assert_eq!(kind("cs_test_a1"), "session");
        assert_eq!(kind("plink_1Sb"), "link");
        for odd in [
            "pi_123",
            "",
            "cs_",
            " cs_test_a1",
            "CS_test_a1",
            "cs_a/../x",
            "plink_a\n",
        ] {
            assert_eq!(kind(odd), "other", "{odd:?}");
        }
    }
}

//! What somebody agrees to, and its digest: short enough to be said on a phone, and another one as soon as the plan is
//! for somebody else (another child, another address), for another amount, for another deed, or for another database.
//!
//! What a plan only shows (holds, reasons, names) is no part of either, nor is what a link is made with besides its
//! amount: the page after paying, and the texts.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Goal;
use super::decide::{Action, Decision, Plan};
use super::reason::Reason;
use crate::domain::{AccountId, CheckoutReference, LinkId, Mode, Money, OrderId};

/// `7f3a-91c2`
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(String);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a digest such as `7f3a-91c2`")]
pub struct NoDigest(String);

impl Digest {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn of(hash: Sha256) -> Self {
        let hex: String = hash
            .finalize()
            .iter()
            .take(4)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Digest(format!("{}-{}", &hex[..4], &hex[4..]))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// As it was shown, or as somebody typed it who heard it: in either case, with or without the dash.
impl FromStr for Digest {
    type Err = NoDigest;

    fn from_str(text: &str) -> Result<Self, NoDigest> {
        let hex: String = text.trim().to_ascii_lowercase().replace('-', "");
        if hex.len() == 8 && hex.bytes().all(|b| b.is_ascii_hexdigit()) {
            Ok(Digest(format!("{}-{}", &hex[..4], &hex[4..])))
        } else {
            Err(NoDigest(text.chars().take(40).collect()))
        }
    }
}

impl TryFrom<String> for Digest {
    type Error = NoDigest;

    fn try_from(text: String) -> Result<Self, NoDigest> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> String {
        digest.0
    }
}

/// What is done to one order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// Close the objects, mint, store.
    Replace,
    /// Close the objects.
    Retire,
    /// Go on with what an earlier run left open.
    Resume,
}

impl Deed {
    fn name(self) -> &'static str {
        match self {
            Deed::Replace => "replace",
            Deed::Retire => "retire",
            Deed::Resume => "resume",
        }
    }
}

/// One order of an approval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Line {
    pub order_id: OrderId,
    /// Who is billed for.
    pub player_id: Option<i64>,
    /// Who is billed: told apart, and not to be written to.
    pub parent_email_hash: Option<String>,
    pub amount: Option<Money>,
    /// What the row holds.
    pub old: Option<CheckoutReference>,
    pub deed: Deed,
    /// What is closed.
    pub objects: Vec<CheckoutReference>,
    /// What is gone on with.
    pub resumes: Option<String>,
}

impl Line {
    /// `None` where nothing would be written.
    #[must_use]
    pub fn of(decision: &Decision) -> Option<Line> {
        let (deed, objects) = match &decision.action {
            Action::Replace(objects) => (Deed::Replace, objects.clone()),
            Action::Retire(objects) => (Deed::Retire, objects.clone()),
            Action::Resume | Action::Conclude => (Deed::Resume, Vec::new()),
            Action::Nothing | Action::Hold(_) => return None,
        };
        let order = &decision.order;
        let email = order
            .parent
            .as_ref()
            .and_then(|parent| parent.email.as_deref());
        Some(Line {
            order_id: order.id,
            player_id: order.player.as_ref().map(|player| player.id),
            parent_email_hash: email.map(hashed),
            amount: order.amount,
            old: order.reference.clone(),
            deed,
            objects,
            resumes: match (deed, &decision.reason) {
                (Deed::Resume, Reason::OpenOperation(open)) => {
                    Some(format!("{:?}, {open}", open.task))
                }
                _ => None,
            },
        })
    }
}

fn hashed(text: &str) -> String {
    let hash = Sha256::digest(text.as_bytes());
    let first = hash.iter().take(8);
    first.map(|byte| format!("{byte:02x}")).collect()
}

/// Exactly where, who, how much and what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approvable<'a> {
    /// As the database names itself; `None` where it does not tell.
    pub database: Option<&'a str>,
    pub account: Option<&'a AccountId>,
    pub mode: Mode,
    pub goal: Goal,
    pub lines: Vec<&'a Line>,
    pub gone: &'a [OrderId],
    pub paid_links: &'a [LinkId],
    pub forced: &'a [CheckoutReference],
}

impl Approvable<'_> {
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut fields = Fields(Sha256::new());
        fields.add(self.database.unwrap_or(""));
        fields.add(self.account.map_or("", |account| account.as_str()));
        fields.add(&self.mode.to_string());
        fields.add(&format!("{:?}", self.goal));
        for line in &self.lines {
            fields.add_line(line);
        }
        for order in self.gone {
            fields.add(&format!("gone {order}"));
        }
        for link in self.paid_links {
            fields.add(&format!("paid {link}"));
        }
        for object in self.forced {
            fields.add(&format!("forced {object}"));
        }
        Digest::of(fields.0)
    }
}

/// Each with its length before it, so that no two lists of fields look alike.
struct Fields(Sha256);

impl Fields {
    fn add(&mut self, field: &str) {
        self.0.update((field.len() as u64).to_be_bytes());
        self.0.update(field.as_bytes());
    }

    fn add_line(&mut self, line: &Line) {
        // Named one by one, so that a field that is added is thought of here.
        let Line {
            order_id,
            player_id,
            parent_email_hash,
            amount,
            old,
            deed,
            objects,
            resumes,
        } = line;
        let amount = amount.map(|amount| format!("{} {}", amount.minor, amount.currency.code()));
        self.add(&format!("order {order_id}"));
        self.add(&player_id.map_or_else(String::new, |id| id.to_string()));
        self.add(parent_email_hash.as_deref().unwrap_or_default());
        self.add(&amount.unwrap_or_default());
        self.add(old.as_ref().map_or("", |old| old.as_str()));
        self.add(deed.name());
        self.add(&objects.len().to_string());
        for object in objects {
            self.add(object.as_str());
        }
        self.add(resumes.as_deref().unwrap_or_default());
    }
}

impl Plan {
    /// The digest where no database is named: of a standing approval, which nobody says on a phone.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest_in(None)
    }

    /// Over database, account, mode, goal, and per order to be worked on all of its [`Line`].
    #[must_use]
    pub fn digest_in(&self, database: Option<&str>) -> Digest {
        let lines: Vec<Line> = self.work().filter_map(Line::of).collect();
        let approvable = Approvable {
            database,
            account: self.account.as_ref(),
            mode: self.mode,
            goal: self.goal(),
            lines: lines.iter().collect(),
            gone: &self.gone,
            paid_links: &self.paid_links,
            forced: &self.forced,
        };
        approvable.digest()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_taken_as_it_was_shown_or_as_it_was_heard() {
        let shown: Result<Digest, _> = "7f3a-91c2".parse();
        for heard in ["7F3A-91C2", "7f3a91c2", " 7f3a-91c2 "] {
            assert_eq!(heard.parse(), shown, "{heard:?}");
        }
        for text in [
            "",
            "7f3a",
            "7f3a-91c",
            "7f3a-91c2-0000",
            "7f3g-91c2",
            "é0000000",
        ] {
            assert!(text.parse::<Digest>().is_err(), "{text:?} was accepted");
        }
    }

    #[test]
    fn whoever_how_much_and_what_each_make_another_digest() {
        let reference = |text: &str| CheckoutReference::classify(text);
        let line = Line {
            order_id: OrderId(7),
            player_id: Some(3),
            parent_email_hash: Some(hashed("parent@example.com")),
            amount: Money::parse("55.00:USD").ok(),
            old: Some(reference("cs_1")),
            deed: Deed::Replace,
            objects: vec![reference("cs_1")],
            resumes: None,
        };
        let others = [
            Line {
                order_id: OrderId(8),
                ..line.clone()
            },
            Line {
                amount: Money::parse("65.00:USD").ok(),
                ..line.clone()
            },
            Line {
                amount: Money::parse("55.00:EUR").ok(),
                ..line.clone()
            },
            Line {
                old: None,
                ..line.clone()
            },
            Line {
                deed: Deed::Retire,
                ..line.clone()
            },
            Line {
                objects: vec![reference("cs_1"), reference("plink_2")],
                ..line.clone()
            },
            Line {
                player_id: Some(4),
                ..line.clone()
            },
            Line {
                parent_email_hash: Some(hashed("other@example.com")),
                ..line.clone()
            },
            Line {
                resumes: Some("Mint, minting".to_owned()),
                ..line.clone()
            },
        ];
        let account = AccountId::parse("acct_1").ok();
        let of = |line: &Line, mode, goal, account: Option<&AccountId>| {
            let lines = vec![line];
            Approvable {
                database: None,
                account,
                mode,
                goal,
                lines,
                gone: &[],
                paid_links: &[],
                forced: &[],
            }
            .digest()
        };
        let digest = of(&line, Mode::Test, Goal::Regen, account.as_ref());
        assert_eq!(of(&line, Mode::Test, Goal::Regen, account.as_ref()), digest);
        for other in &others {
            assert_ne!(
                of(other, Mode::Test, Goal::Regen, account.as_ref()),
                digest,
                "{other:?}"
            );
        }
        assert_ne!(of(&line, Mode::Live, Goal::Regen, account.as_ref()), digest);
        assert_ne!(
            of(&line, Mode::Test, Goal::Retire, account.as_ref()),
            digest
        );
        assert_ne!(of(&line, Mode::Test, Goal::Regen, None), digest);
    }
}

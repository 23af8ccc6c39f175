//! Operations by number, with what the driver needs of each, and the keys of the mints.

use relink::actions::{Mint, MintTerms, mint_link};
use relink::domain::*;
use relink::saga::*;

use super::eyes::place;
use super::mind::{AMOUNTS, Mind, ORDER};
use super::world::{self, NOBODY};
use crate::support::facts::usd;

/// What the driver needs of an operation, read off once.
pub struct Info {
    pub operation: Operation,
    /// What comes next.
    pub at: u8,
    /// The family that is written to, and which of its sessions; none: the link itself.
    pub write: Option<(u8, Option<u8>)>,
    /// The families that it may close, by its targets.
    pub targets: u8,
    /// It closes everything, since the order was settled when it looked.
    pub is_settling: bool,
    pub key: u8,
    pub key_attempt: u8,
    pub minted: u8,
    pub expected: (u8, u8),
    pub is_claimed: bool,
    pub watched_links: u8,
    pub watched_sessions: u16,
    pub ending: Option<(Disposition, bool)>,
    /// The operation as its record reads.
    committed: u32,
    /// The operation with the mint of its attempt.
    intended: u32,
}

/// The key of one mint, by what it depends on.
pub struct Key {
    terms: (u8, u8, u32),
    pub mint: Mint,
}

impl Mind {
    pub fn info(&self, operation: u32) -> &Info {
        &self.infos[operation as usize]
    }

    pub fn number(&mut self, operation: Operation) -> u32 {
        if let Some(number) = self.numbers.get(&operation) {
            return *number;
        }
        let number = self.infos.len() as u32;
        let info = self.read(&operation);
        self.infos.push(info);
        self.numbers.insert(operation, number);
        number
    }

    fn read(&self, operation: &Operation) -> Info {
        let (at, write) = match &operation.state {
            State::Retiring { queue, .. } => match queue.first() {
                None => (world::LOOK, None),
                // Each closes what it is aimed at, and the model's requests do nothing else.
                Some(write @ (Write::Deactivate(_) | Write::Expire(_))) => {
                    (world::INTEND, Some(place(&write.target())))
                }
            },
            State::Claimed | State::Doubting | State::Examining | State::Confirming => {
                (world::LOOK, None)
            }
            State::Minting => (world::INTEND, None),
            State::Seeking => (world::SEEK, None),
            State::Publishing => (world::PUBLISH, None),
            State::Ended(_) => (world::END, None),
        };
        let targets = match &operation.state {
            State::Retiring { targets, .. } => targets.iter().map(|t| 1 << place(t).0).sum_bits(),
            _ => 0,
        };
        let is_settling = matches!(
            &operation.state,
            State::Retiring {
                then: Then::End(Ending::Moved { .. } | Ending::PaidMeanwhile { .. }),
                ..
            }
        );
        let key = operation.mint.as_ref().and_then(|intended| {
            let of = |key: &Key| key.mint.write.key == intended.mint.write.key;
            self.keys.iter().position(of)
        });
        let mut watched = (0, 0);
        for reference in &operation.watched {
            match place(reference) {
                (family, None) => watched.0 |= 1 << family,
                (family, Some(tab)) => watched.1 |= 1 << (2 * family + tab),
            }
        }
        let ending = match &operation.state {
            State::Ended(ending) => Some((operation.disposition(ending), is_concluded(ending))),
            _ => None,
        };
        let expected = &operation.expected;
        Info {
            at,
            write,
            targets,
            is_settling,
            key: key.map_or(0, |key| key as u8 + 1),
            key_attempt: operation.mint.as_ref().map_or(0, |i| i.attempt as u8),
            minted: operation.minted.as_ref().map_or(NOBODY, |minted| {
                place(&CheckoutReference::Link(minted.id.clone())).0
            }),
            expected: (
                expected.reference.as_ref().map_or(NOBODY, |r| place(r).0),
                u8::from(expected.amount != Some(usd(AMOUNTS[0]))),
            ),
            is_claimed: operation.state == State::Claimed,
            watched_links: watched.0,
            watched_sessions: watched.1,
            ending,
            committed: 0,
            intended: 0,
            operation: operation.clone(),
        }
    }

    /// The operation as another process reads it from the journal.
    pub fn committed(&mut self, operation: u32) -> u32 {
        let known = self.info(operation).committed;
        if known != 0 {
            return known;
        }
        let record = self.info(operation).operation.record();
        let number = self.number(Operation::from_record(&record).unwrap());
        self.infos[operation as usize].committed = number;
        number
    }

    /// With the mint of its attempt, rendered unless the operation holds it already.
    pub fn intended(&mut self, operation: u32) -> u32 {
        let info = self.info(operation);
        if info.intended != 0 {
            return info.intended;
        }
        let mut intending = info.operation.clone();
        let number = if intending.intended(intending.attempt).is_some() {
            operation
        } else {
            let (old, amount) = info.expected;
            let mint = self.key(old, amount, intending.attempt);
            intending.intend(mint);
            self.number(intending)
        };
        self.infos[operation as usize].intended = number;
        number
    }

    fn key(&mut self, old: u8, amount: u8, attempt: u32) -> Mint {
        let terms = (old, amount, attempt);
        if let Some(key) = self.keys.iter().find(|key| key.terms == terms) {
            return key.mint.clone();
        }
        // A family's kind is fixed by its number where it is a reference of the row at all.
        let mint = mint_link::render(&MintTerms {
            account: AccountId::parse("acct_1").unwrap(),
            mode: Mode::Test,
            order: OrderId(ORDER),
            old: Some(format!("family {old}")),
            attempt,
            amount: usd(AMOUNTS[amount as usize]),
            shown_as: relink::actions::NameTemplate::default(),
            product_name: "Entry".to_owned(),
            player_id: 7,
            player_name: "Ada Quinn".to_owned(),
            product_id: 3,
            tournament: None,
            parent_email: None,
            success_url: None,
            inactive_message: "Gone.".to_owned(),
        });
        self.keys.push(Key {
            terms,
            mint: mint.clone(),
        });
        mint
    }

    /// What the key with this number mints for.
    pub fn amount_of_key(&self, key: u8) -> u8 {
        self.keys[key as usize - 1].terms.1
    }

    /// The same operation, begun with this attempt.
    pub fn with_attempt(&mut self, operation: u32, attempt: u8) -> u32 {
        let operation = Operation {
            attempt: u32::from(attempt),
            ..self.info(operation).operation.clone()
        };
        self.number(operation)
    }
}

/// As `execute` has it: what lets the same run decide anew.
fn is_concluded(ending: &Ending) -> bool {
    matches!(
        ending,
        Ending::Retired
            | Ending::Moved { .. }
            | Ending::LostRace
            | Ending::StillLive(_)
            | Ending::Refused { .. }
    )
}

trait SumBits {
    fn sum_bits(self) -> u8;
}

impl<I: Iterator<Item = u8>> SumBits for I {
    fn sum_bits(self) -> u8 {
        self.fold(0, |bits, bit| bits | bit)
    }
}

//! What the world looks like: the facts of the order, as `execute` and Stripe's client put them together.
//!
//! Only what the index names and what the operation watches is shown.

use relink::domain::*;
use relink::saga::Minted;

use super::mind::{AMOUNTS, Mind, ORDER};
use super::mutants::Mutant;
use super::world::{self, Digest, FAMILIES, Row, World, family_bits, row_bits};
use crate::support::facts::{self, usd};

impl Mind {
    pub fn facts(
        &self,
        world: &World,
        row: Row,
        index: (u8, u16),
        operation: Option<u32>,
        (unstored, withdrawn): (u8, u8),
    ) -> OrderFacts {
        let (mut links, mut sessions) = index;
        if self.mutant == Mutant::NoScan {
            (links, sessions) = (0, 0);
        }
        if let Some(operation) = operation {
            links |= self.info(operation).watched_links;
            sessions |= self.info(operation).watched_sessions;
        }
        let mut others = Vec::new();
        for at in (0..FAMILIES as u8).filter(|at| *at != row.reference) {
            let kind = world.families[at as usize].kind;
            if links >> at & 1 == 1 && kind > world::SESSION {
                others.push(self.object(world, (at, None), operation));
            }
        }
        for bit in 0..2 * FAMILIES as u8 {
            let (at, tab) = (bit / 2, bit % 2);
            let family = &world.families[at as usize];
            let is_shown =
                at == row.reference || (links >> at & 1 == 1 && family.kind > world::SESSION);
            if sessions >> bit & 1 == 1 && !is_shown && family.tab(tab) != world::NONE {
                others.push(self.object(world, (at, Some(tab)), operation));
            }
        }
        let own = whole(world, row.reference);
        let status = match row.status {
            world::PENDING => OrderStatus::Pending,
            world::ROW_PAID => OrderStatus::Paid,
            _ => OrderStatus::Canceled,
        };
        let order = Order {
            status,
            amount: Some(usd(AMOUNTS[row.amount as usize])),
            ..facts::order(ORDER, Some(name(own).as_str()))
        };
        let mut facts = facts::facts(order, Some(self.object(world, own, operation)), others);
        for at in (0..FAMILIES as u8).filter(|at| unstored >> at & 1 == 1) {
            facts.journal.unstored.insert(link_id(at));
        }
        if withdrawn != 0 {
            let name = name(whole(world, withdrawn - 1));
            facts.journal.withdrawn = Some(CheckoutReference::classify(&name));
        }
        facts
    }

    pub fn object(
        &self,
        world: &World,
        place: (u8, Option<u8>),
        operation: Option<u32>,
    ) -> StripeObject {
        let operation = operation.map(|number| &self.info(number).operation);
        let family = world.families[place.0 as usize];
        let family = self.mutant.shown(place.0, family, operation);
        let amount = usd(AMOUNTS[usize::from(family.has(world::AMOUNT))]);
        let session = |tab: u8| {
            let name = format!("cs_f{}s{tab}", place.0);
            let state = match family.tab(tab) {
                world::OPEN => SessionState::Open,
                world::EXPIRED => SessionState::Expired,
                world::PAID => SessionState::Paid(Payment {
                    intent: PaymentIntentId::parse(&format!("pi_f{}s{tab}", place.0)).ok(),
                    amount: Some(amount),
                    returned: 0,
                }),
                world::PROCESSING => SessionState::Processing,
                _ => SessionState::Failed,
            };
            Session {
                amount: Some(amount),
                link: (family.kind > world::SESSION).then(|| link_id(place.0)),
                ..facts::session(&name, ORDER, state)
            }
        };
        match place.1 {
            Some(tab) => StripeObject::Session(session(tab)),
            None => {
                let name = format!("plink_f{}", place.0);
                let opened = (0..2).filter(|tab| family.tab(*tab) != world::NONE);
                let sessions = opened.map(session).collect();
                let mut object = facts::family(&name, ORDER, family.has(world::ACTIVE), sessions);
                object.link.amount = Some(amount);
                if family.kind == world::OUR_LINK {
                    let key = &self.keys[family.key as usize - 1];
                    object.link.completed_count = Some(u64::from(family.completions()));
                    let is_shown = self.mutant != Mutant::NoAdoption;
                    object.link.relink_key = is_shown.then(|| key.mint.relink_key.clone());
                }
                StripeObject::Link(object)
            }
        }
    }
}

pub fn minted(family: u8) -> Minted {
    Minted {
        id: link_id(family),
        url: format!("https://buy.stripe.com/plink_f{family}"),
    }
}

pub fn link_id(family: u8) -> LinkId {
    LinkId::parse(&format!("plink_f{family}")).unwrap()
}

/// The object that stands for the whole family.
pub fn whole(world: &World, family: u8) -> (u8, Option<u8>) {
    match world.families[family as usize].kind {
        world::SESSION => (family, Some(0)),
        _ => (family, None),
    }
}

pub fn name(place: (u8, Option<u8>)) -> String {
    match place {
        (family, None) => format!("plink_f{family}"),
        (family, Some(tab)) => format!("cs_f{family}s{tab}"),
    }
}

/// The family that a reference names, and the session of it.
pub fn place(reference: &CheckoutReference) -> (u8, Option<u8>) {
    let digit = |text: &str, at: usize| text.as_bytes()[at] - b'0';
    match reference {
        CheckoutReference::Link(id) => (digit(id.as_str(), 7), None),
        CheckoutReference::Session(id) => (digit(id.as_str(), 4), Some(digit(id.as_str(), 6))),
        CheckoutReference::Other(text) => panic!("no object of the model: {text}"),
    }
}

pub fn facts_key(
    operation: u32,
    goal: u8,
    world: &World,
    row: Row,
    index: (u8, u16),
    (unstored, withdrawn): (u8, u8),
) -> ([u64; 6], u64) {
    let mut key = [0; 6];
    key[0] = u64::from(operation) << 32 | u64::from(index.1) << 8 | u64::from(index.0);
    key[1] = u64::from(withdrawn) << 24
        | u64::from(row_bits(&row)) << 16
        | u64::from(unstored) << 8
        | u64::from(goal);
    // Neither who knows a URL nor what Stripe remembers shows in a look.
    let visible = |family: &world::Family| {
        let mut family = *family;
        family.flags &= world::ACTIVE | world::AMOUNT;
        u64::from(family_bits(&family))
    };
    for (at, pair) in world.families.chunks(2).enumerate() {
        key[2 + at] = visible(&pair[0]) << 32 | visible(&pair[1]);
    }
    let mut digest = Digest(0);
    key.iter().for_each(|word| digest.add(*word));
    (key, digest.0)
}

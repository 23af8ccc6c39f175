//! The protocol with one rule broken: by what is shown to it, by what it answers, or by how it is driven.
//! None of it is known to relink itself.

use relink::domain::{CheckoutReference, Session, SessionState, StripeObject};
use relink::saga::*;

use super::world::{ACTIVE, EXPIRED, Family, OPEN, PAID, PROCESSING, SESSION};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    None,
    MintFirst,
    SessionsLeftOpen,
    ListedBeforeClosing,
    CompleteIsClosed,
    PendingIsUnpaid,
    MissingIsDead,
    NoCompare,
    CompareWithoutStatus,
    NoToken,
    NoScan,
    NoSecondScan,
    NoGetAfterMint,
    FencedUndoes,
    GivesUpEverything,
    Wildcard,
    NoSweep,
    OldKeySentAgain,
    SameAttempt,
    TakeOverPublishes,
    StoredIsLost,
    NoConfirm,
    NoAdoption,
}

impl Mutant {
    /// An answer that relink's own step is not asked for.
    pub fn before(self, operation: &Operation, observed: &Observed) -> Option<Operation> {
        let publishes = |link: &Minted| {
            let mut operation = operation.clone();
            let reference = CheckoutReference::Link(link.id.clone());
            operation.watched.insert(reference);
            operation.minted = Some(link.clone());
            operation.state = State::Publishing;
            Some(operation)
        };
        match (self, observed, &operation.state) {
            (Mutant::NoGetAfterMint, Observed::Minted(link), State::Minting) => publishes(link),
            (Mutant::TakeOverPublishes, Observed::TakenOver { .. }, State::Examining) => {
                operation.minted.as_ref().and_then(publishes)
            }
            (Mutant::NoConfirm, Observed::Looked(_), State::Confirming) => {
                let mut operation = operation.clone();
                operation.state = State::Ended(Ending::Replaced {
                    link: operation.minted.clone()?,
                    unconfirmed: None,
                });
                Some(operation)
            }
            _ => None,
        }
    }

    pub fn observed(self, observed: Observed) -> Observed {
        match (self, observed) {
            (Mutant::OldKeySentAgain, Observed::TakenOver { .. }) => {
                Observed::TakenOver { mint_age: None }
            }
            (Mutant::NoAdoption, Observed::Sought(_)) => Observed::Sought(None),
            (_, observed) => observed,
        }
    }

    pub fn after(self, before: &Operation, mut moved: Operation, look: Option<&Look>) -> Operation {
        match (self, &mut moved.state) {
            (
                Mutant::MintFirst,
                State::Retiring {
                    queue,
                    then: Then::Mint,
                    ..
                },
            ) if before.minted.is_none() && !queue.is_empty() => {
                moved.state = State::Minting;
                moved.has_written = true;
            }
            (Mutant::ListedBeforeClosing, State::Retiring { queue, .. }) => {
                if let Some(look) = look {
                    let mut first = open_sessions_of(look, queue);
                    first.append(queue);
                    *queue = first;
                }
            }
            (
                Mutant::GivesUpEverything,
                State::Retiring {
                    then: Then::End(Ending::LostRace),
                    ..
                }
                | State::Ended(Ending::LostRace),
            ) => {
                let everything = look.map(everything).unwrap_or_default();
                if !everything.is_empty() {
                    let targets: Vec<_> = everything.iter().map(Write::target).collect();
                    moved.watched.extend(targets.iter().cloned());
                    moved.state = State::Retiring {
                        targets,
                        queue: everything,
                        then: Then::End(Ending::LostRace),
                    };
                }
            }
            _ => {}
        }
        if self == Mutant::SameAttempt {
            moved.attempt = before.attempt;
        }
        moved
    }

    /// A family as a look shows it to this operation.
    pub fn shown(self, at: u8, mut family: Family, operation: Option<&Operation>) -> Family {
        let turn = |family: &mut Family, from: u8, to: u8| {
            for tab in 0..2 {
                if family.tab(tab) == from {
                    family.set_tab(tab, to);
                }
            }
        };
        let is_own = operation
            .and_then(|o| o.minted.as_ref())
            .is_some_and(|m| m.id.as_str() == format!("plink_f{at}"));
        let is_examined = operation.is_some_and(|o| o.state == State::Examining);
        match self {
            Mutant::SessionsLeftOpen | Mutant::ListedBeforeClosing
                if family.kind > SESSION && family.flags & ACTIVE == 0 =>
            {
                turn(&mut family, OPEN, EXPIRED);
            }
            Mutant::CompleteIsClosed => {
                turn(&mut family, PAID, EXPIRED);
                turn(&mut family, PROCESSING, EXPIRED);
            }
            Mutant::PendingIsUnpaid => turn(&mut family, PROCESSING, EXPIRED),
            Mutant::MissingIsDead if at == 0 && operation.is_some_and(|o| o.has_written) => {
                turn(&mut family, OPEN, EXPIRED);
            }
            Mutant::MintFirst | Mutant::NoSecondScan if is_examined && !is_own => {
                turn(&mut family, OPEN, EXPIRED);
                family.flags &= !ACTIVE;
            }
            _ => {}
        }
        family
    }
}

fn open_sessions_of(look: &Look, queue: &[Write]) -> Vec<Write> {
    let is_queued = |object: &&StripeObject| {
        queue.iter().any(|write| {
            matches!(write, Write::Deactivate(_)) && write.target() == object.reference()
        })
    };
    let open = |session: &&Session| session.state == SessionState::Open;
    let objects = look.objects.iter().filter(is_queued);
    let sessions = objects.flat_map(StripeObject::sessions).filter(open);
    sessions
        .map(|session| Write::Expire(session.id.clone()))
        .collect()
}

fn everything(look: &Look) -> Vec<Write> {
    let mut writes = Vec::new();
    for object in look.objects.iter().filter(|object| object.is_live()) {
        match object {
            StripeObject::Link(family) => writes.push(Write::Deactivate(family.link.id.clone())),
            StripeObject::Session(session) => writes.push(Write::Expire(session.id.clone())),
        }
    }
    writes
}

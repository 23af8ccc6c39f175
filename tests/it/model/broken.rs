//! What must be found: each rule of the protocol broken once, and what the design knowingly leaves open.
//!
//! A rule is named redundant only where the checker went through everything and other rules held.

use super::drive::Rules;
use super::mutants::Mutant;
use super::scenarios::*;
use super::world::Left;

/// What the checker must say of a broken protocol.
pub enum Expected {
    /// A rule whose name contains this.
    Found(&'static str),
    /// Nothing: other rules hold the promises without it.
    Redundant,
}

pub struct Broken {
    pub mutant: Mutant,
    pub scenario: Scenario,
    pub expected: Expected,
}

/// What the design leaves open, and who must close it.
pub fn holes() -> Vec<Broken> {
    let failover = Left {
        checkouts: 1,
        events: 3,
        ..FAILOVER
    };
    let payers = Left {
        claims: 1,
        events: 4,
        checkouts: 0,
        ..LEFT
    };
    let theirs = Rules {
        loses_theirs: true,
        ..RULES
    };
    let unlimited = Rules {
        is_limited: false,
        tabs: 2,
        ..RULES
    };
    let hole = |scenario, rule| Broken {
        mutant: Mutant::None,
        scenario,
        expected: Expected::Found(rule),
    };
    vec![
        // Synchronous replication.
        hole(
            begin(
                "a failover loses the application's checkout",
                DEAD_SESSION,
                failover,
                theirs,
            ),
            "S1",
        ),
        // Stripe: `completed_sessions.limit` must hold for tabs that are open already.
        hole(
            begin(
                "a link's limit does not count open tabs",
                DEAD_SESSION,
                payers,
                unlimited,
            ),
            "S2",
        ),
    ]
}

/// Each rule of the protocol, broken once.
pub fn broken_rules() -> Vec<Broken> {
    use Expected::{Found, Redundant};
    let three = Left { claims: 3, ..LEFT };
    let few = Left { events: 2, ..LEFT };
    let by_hand = Left {
        switches: 1,
        ..LEFT
    };
    let failover = Left {
        events: 3,
        ..FAILOVER
    };
    let breaks = |mutant, name, old, left, expected| Broken {
        mutant,
        scenario: begin(name, old, left, RULES),
        expected,
    };
    let once = Rules {
        looks_twice: false,
        ..IN_HALVES
    };
    vec![
        Broken {
            mutant: Mutant::None,
            scenario: begin(
                "the row not read again after Stripe",
                OPEN_SESSION,
                LEFT,
                once,
            ),
            expected: Found("A6"),
        },
        breaks(
            Mutant::MintFirst,
            "mint before retiring, no look before publishing",
            OPEN_SESSION,
            LEFT,
            Found("S1"),
        ),
        breaks(
            Mutant::SessionsLeftOpen,
            "link off, its sessions left open",
            ACTIVE_LINK,
            LEFT,
            Found("S1"),
        ),
        breaks(
            Mutant::ListedBeforeClosing,
            "sessions listed before the link is off",
            ACTIVE_LINK,
            LEFT,
            Found("S1"),
        ),
        breaks(
            Mutant::CompleteIsClosed,
            "`complete` taken for closed",
            OPEN_SESSION,
            LEFT,
            Found("L2"),
        ),
        breaks(
            Mutant::PendingIsUnpaid,
            "a debit on its way taken for unpaid",
            OPEN_SESSION,
            LEFT,
            Found("L2"),
        ),
        breaks(
            Mutant::MissingIsDead,
            "404 taken for dead",
            OPEN_SESSION,
            LEFT,
            Found("S1"),
        ),
        breaks(
            Mutant::NoCompare,
            "publish without comparing the row",
            OPEN_SESSION,
            LEFT,
            Found("A1"),
        ),
        breaks(
            Mutant::CompareWithoutStatus,
            "compare the row but not its status",
            OPEN_SESSION,
            LEFT,
            Found("A1"),
        ),
        breaks(
            Mutant::NoToken,
            "no fencing token",
            OPEN_SESSION,
            three,
            Found("A"),
        ),
        breaks(
            Mutant::NoScan,
            "no scan by metadata",
            DEAD_SESSION,
            failover,
            Found("L2"),
        ),
        breaks(
            Mutant::NoSecondScan,
            "no scan before publishing, failover",
            DEAD_SESSION,
            failover,
            Found("S1"),
        ),
        breaks(
            Mutant::NoGetAfterMint,
            "the mint's answer believed",
            DEAD_SESSION,
            three,
            Found("A3"),
        ),
        breaks(
            Mutant::FencedUndoes,
            "whoever is fenced out undoes its mint",
            DEAD_SESSION,
            three,
            Found("A3"),
        ),
        breaks(
            Mutant::GivesUpEverything,
            "a lost race closes everything",
            DEAD_SESSION,
            three,
            Found("A6"),
        ),
        breaks(
            Mutant::Wildcard,
            "closing by wildcard",
            OPEN_SESSION,
            LEFT,
            Found("A5"),
        ),
        breaks(
            Mutant::NoSweep,
            "no sweep of settled orders",
            OPEN_SESSION,
            LEFT,
            Found("L2"),
        ),
        breaks(
            Mutant::OldKeySentAgain,
            "an old key sent again",
            DEAD_SESSION,
            LEFT,
            Found("J2"),
        ),
        breaks(
            Mutant::SameAttempt,
            "no new attempt after a dead replay",
            DEAD_SESSION,
            by_hand,
            Found(""),
        ),
        breaks(
            Mutant::TakeOverPublishes,
            "a take-over publishes without a look",
            DEAD_SESSION,
            by_hand,
            Found("A3"),
        ),
        breaks(
            Mutant::StoredIsLost,
            "a stored link taken for a lost race",
            DEAD_SESSION,
            LEFT,
            Found("A6"),
        ),
        breaks(
            Mutant::NoConfirm,
            "no look after publishing",
            OPEN_SESSION,
            few,
            Redundant,
        ),
        breaks(
            Mutant::NoAdoption,
            "no link is ever found by its key",
            OPEN_SESSION,
            few,
            Redundant,
        ),
    ]
}

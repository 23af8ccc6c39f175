//! Where the histories begin, and how much may happen in them.

use super::drive::Rules;
use super::mind::{MINT, REGEN, RETIRE, WITHDRAW};
use super::world::*;

pub struct Scenario {
    pub name: &'static str,
    pub start: World,
    pub rules: Rules,
}

pub const RULES: Rules = Rules {
    tabs: 1,
    is_limited: true,
    splits_looks: false,
    looks_twice: false,
    stores_later: false,
    loses: 1,
    loses_theirs: false,
    processes: 2,
    goals: &[REGEN, RETIRE],
};
pub const EVERY_GOAL: Rules = Rules {
    goals: &[REGEN, RETIRE, MINT, WITHDRAW],
    ..RULES
};

pub const IN_HALVES: Rules = Rules {
    splits_looks: true,
    looks_twice: true,
    ..RULES
};

pub const STORES_LATER: Rules = Rules {
    stores_later: true,
    ..RULES
};

/// Two claims or take-overs, three events of any kind, no fault and no failover.
pub const LEFT: Left = Left {
    claims: 2,
    events: 3,
    faults: 0,
    days: 1,
    cancellations: 2,
    edits: 1,
    checkouts: 1,
    switches: 0,
    failovers: 0,
};
pub const THREE_CLAIMS: Left = Left {
    claims: 3,
    events: 2,
    ..LEFT
};
pub const FAULT: Left = Left {
    faults: 1,
    events: 2,
    ..LEFT
};
/// Our last commit is lost, not one of the application's.
pub const FAILOVER: Left = Left {
    claims: 3,
    failovers: 1,
    checkouts: 0,
    edits: 0,
    events: 2,
    ..LEFT
};

pub const OPEN_SESSION: Family = Family {
    kind: SESSION,
    flags: PUBLISHED,
    tabs: OPEN,
    key: 0,
};
pub const DEAD_SESSION: Family = Family {
    tabs: EXPIRED,
    ..OPEN_SESSION
};
/// Of another amount than the row.
pub const ACTIVE_LINK: Family = Family {
    kind: OTHER_LINK,
    flags: PUBLISHED | ACTIVE | AMOUNT,
    tabs: NONE,
    key: 0,
};
/// Switched off while somebody had it open.
pub const TAB_OF_DEAD_LINK: Family = Family {
    kind: OTHER_LINK,
    flags: PUBLISHED,
    tabs: OPEN,
    key: 0,
};

pub fn begin(name: &'static str, old: Family, left: Left, rules: Rules) -> Scenario {
    let mut start = World {
        left,
        ..World::default()
    };
    start.families[0] = old;
    Scenario { name, start, rules }
}

/// The protocol holds in each of these.
pub fn everyday() -> Vec<Scenario> {
    let two_events = Left { events: 2, ..LEFT };
    let failover = Left {
        claims: 2,
        ..FAILOVER
    };
    let by_hand = Left {
        switches: 1,
        ..two_events
    };
    vec![
        begin("open session", OPEN_SESSION, LEFT, RULES),
        begin("active link", ACTIVE_LINK, LEFT, RULES),
        begin(
            "open tab of an inactive link",
            TAB_OF_DEAD_LINK,
            two_events,
            RULES,
        ),
        begin(
            "active link, three claims",
            ACTIVE_LINK,
            THREE_CLAIMS,
            RULES,
        ),
        begin("open session, a fault", OPEN_SESSION, FAULT, RULES),
        begin("active link, a fault", ACTIVE_LINK, FAULT, RULES),
        begin("open session, failover", OPEN_SESSION, failover, RULES),
        begin("active link, failover", ACTIVE_LINK, failover, RULES),
        begin(
            "open session, looks in halves",
            OPEN_SESSION,
            two_events,
            IN_HALVES,
        ),
        begin(
            "open session, every goal",
            OPEN_SESSION,
            two_events,
            EVERY_GOAL,
        ),
        begin(
            "active link, every goal",
            ACTIVE_LINK,
            two_events,
            EVERY_GOAL,
        ),
        begin(
            "dead session, sessions stored late",
            DEAD_SESSION,
            two_events,
            STORES_LATER,
        ),
        begin(
            "dead session, links switched off by hand",
            DEAD_SESSION,
            by_hand,
            EVERY_GOAL,
        ),
    ]
}

/// Larger bounds of the same.
pub fn long() -> Vec<Scenario> {
    let three = Left { claims: 3, ..LEFT };
    let four_events = Left { events: 4, ..LEFT };
    let fault = Left { claims: 3, ..FAULT };
    let two_faults = Left { faults: 2, ..FAULT };
    let by_hand = Left {
        switches: 1,
        ..FAULT
    };
    let failover = Left {
        edits: 1,
        events: 3,
        ..FAILOVER
    };
    let failover_and_fault = Left {
        faults: 1,
        claims: 2,
        ..FAILOVER
    };
    let two_lost = Rules { loses: 2, ..RULES };
    let three_operators = Rules {
        processes: 3,
        ..RULES
    };
    let two_tabs = Rules { tabs: 2, ..RULES };
    let days = Left {
        claims: 4,
        days: 2,
        checkouts: 0,
        edits: 0,
        ..THREE_CLAIMS
    };
    vec![
        begin(
            "open session, three claims and events",
            OPEN_SESSION,
            three,
            RULES,
        ),
        begin(
            "active link, three claims and events",
            ACTIVE_LINK,
            three,
            RULES,
        ),
        begin(
            "open session, four events",
            OPEN_SESSION,
            four_events,
            RULES,
        ),
        begin("active link, four events", ACTIVE_LINK, four_events, RULES),
        begin("active link, two tabs", ACTIVE_LINK, four_events, two_tabs),
        begin(
            "dead session, a fault, three claims",
            DEAD_SESSION,
            fault,
            RULES,
        ),
        begin(
            "active link, a fault, three claims",
            ACTIVE_LINK,
            fault,
            RULES,
        ),
        begin(
            "open session, two faults",
            OPEN_SESSION,
            two_faults,
            EVERY_GOAL,
        ),
        begin(
            "dead session, a fault, by hand",
            DEAD_SESSION,
            by_hand,
            EVERY_GOAL,
        ),
        begin(
            "active link, failover loses two",
            ACTIVE_LINK,
            FAILOVER,
            two_lost,
        ),
        begin(
            "dead session, failover, three events",
            DEAD_SESSION,
            failover,
            RULES,
        ),
        begin(
            "open session, failover and fault",
            OPEN_SESSION,
            failover_and_fault,
            RULES,
        ),
        begin(
            "open session, three operators",
            OPEN_SESSION,
            THREE_CLAIMS,
            three_operators,
        ),
        begin(
            "active link, three operators",
            ACTIVE_LINK,
            THREE_CLAIMS,
            three_operators,
        ),
        begin(
            "active link, looks in halves, three claims",
            ACTIVE_LINK,
            THREE_CLAIMS,
            IN_HALVES,
        ),
        begin(
            "active link, every goal, three claims",
            ACTIVE_LINK,
            THREE_CLAIMS,
            EVERY_GOAL,
        ),
        begin(
            "open session, every goal, three events",
            OPEN_SESSION,
            LEFT,
            EVERY_GOAL,
        ),
        begin(
            "open session, sessions stored late",
            OPEN_SESSION,
            LEFT,
            STORES_LATER,
        ),
        begin(
            "open session, two days, four claims",
            OPEN_SESSION,
            days,
            RULES,
        ),
    ]
}

//! The world of one order, small enough to keep a million of: the row, Stripe's objects with its saved
//! answers, the journal, and where each relink process stands.
//!
//! Operations are not in here but numbered; two worlds are the same when nothing could tell them apart.

/// Objects of the order, each with the sessions that it opened. The first is the one that the row begins with.
pub const FAMILIES: usize = 8;
pub const PROCESSES: usize = 3;
pub const NOBODY: u8 = 0xff;

/// What a family is. A bare session is a family of itself.
pub const NOTHING: u8 = 0;
pub const SESSION: u8 = 1;
pub const OTHER_LINK: u8 = 2;
pub const OUR_LINK: u8 = 3;

pub const ACTIVE: u8 = 1;
/// Its URL was once committed to the row: somebody may hold it.
pub const PUBLISHED: u8 = 2;
/// Stripe still knows the answer to the key that made it.
pub const SAVED: u8 = 4;
/// That answer is a failure, although the link was made.
pub const FAILED_ANSWER: u8 = 8;
/// Made for the second of the two amounts.
pub const AMOUNT: u8 = 16;
/// Switched off by hand while a process had already read it to publish it.
pub const TOO_LATE: u8 = 32;
/// The application made it first and stores it in the row later.
pub const IN_TWO_STEPS: u8 = 64;

/// A session's state.
pub const NONE: u8 = 0;
pub const OPEN: u8 = 1;
pub const EXPIRED: u8 = 2;
pub const PAID: u8 = 3;
pub const PROCESSING: u8 = 4;
pub const FAILED: u8 = 5;

#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Family {
    pub kind: u8,
    pub flags: u8,
    /// Two sessions, four bits each.
    pub tabs: u8,
    /// The number of the key that made it.
    pub key: u8,
}

impl Family {
    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    pub fn tab(&self, at: u8) -> u8 {
        (self.tabs >> (4 * at)) & 15
    }

    pub fn set_tab(&mut self, at: u8, state: u8) {
        self.tabs = self.tabs & !(15 << (4 * at)) | state << (4 * at);
    }

    pub fn counts(&self, state: u8) -> u8 {
        u8::from(self.tab(0) == state) + u8::from(self.tab(1) == state)
    }

    /// Somebody could pay here.
    pub fn is_live(&self) -> bool {
        self.has(ACTIVE) || self.counts(OPEN) > 0
    }

    /// Money was taken here or is on its way.
    pub fn is_settled(&self) -> bool {
        self.counts(PAID) + self.counts(PROCESSING) > 0
    }

    pub fn completions(&self) -> u8 {
        self.counts(PAID) + self.counts(PROCESSING) + self.counts(FAILED)
    }
}

pub const PENDING: u8 = 0;
pub const ROW_PAID: u8 = 1;
pub const CANCELED: u8 = 2;

#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Row {
    pub status: u8,
    /// The family that it names.
    pub reference: u8,
    pub amount: u8,
}

pub const YOUNG: u8 = 1;
pub const OLD: u8 = 2;

/// The journal: at most one open operation of the order, and what remains of the ended ones.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Journal {
    /// The open operation as it was committed last; zero when none is open.
    pub record: u32,
    /// Whose lease it is; zero when it was given up.
    pub token: u8,
    pub mint_age: u8,
    pub is_published: bool,
    /// Links that ended operations minted and did not store.
    pub unstored: u8,
    /// One more than the reference that was withdrawn on purpose by the latest thing done.
    pub withdrawn: u8,
    /// By the reference that the row held: the highest attempt that an ended operation intended.
    pub attempts: [u8; FAMILIES],
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Database {
    pub row: Row,
    pub journal: Journal,
}

/// Where a process is: what it does next.
pub const IDLE: u8 = 0;
pub const CLAIM: u8 = 1;
pub const LOOK: u8 = 2;
pub const LOOK_AT_STRIPE: u8 = 3;
pub const INTEND: u8 = 4;
pub const REQUEST: u8 = 5;
pub const CONCLUDE: u8 = 6;
pub const SEEK: u8 = 7;
pub const PUBLISH: u8 = 8;
pub const END: u8 = 9;
pub const DECIDE_AGAIN: u8 = 10;
pub const CLAIM_AGAIN: u8 = 11;
/// Only a mutant gets here.
pub const UNDO: u8 = 12;

#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Process {
    pub at: u8,
    /// What it observed, until that is journaled.
    pub seen: u16,
    pub token: u8,
    pub goal: u8,
    /// It went on with somebody else's operation.
    pub took_over: bool,
    /// The mint was too old to be sent again when it was taken over.
    pub saw_old_key: bool,
    /// Its link was made by its own request, and nobody else knows of it before it is published.
    pub is_secret: bool,
    /// What its index names: links and sessions, and how many families there were when it was read.
    pub links: u8,
    pub sessions: u16,
    pub born: u8,
    /// The row as the first half of a look showed it.
    pub row: Row,
    /// The operation in its memory.
    pub operation: u32,
    /// The operation that was approved.
    pub job: u32,
}

/// How much may still happen in this history.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Left {
    pub claims: u8,
    pub faults: u8,
    pub days: u8,
    pub cancellations: u8,
    pub edits: u8,
    pub checkouts: u8,
    /// Links switched off at the dashboard.
    pub switches: u8,
    pub failovers: u8,
    pub events: u8,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct World {
    pub families: [Family; FAMILIES],
    pub database: Database,
    /// What a failover would bring back: the last one or two states before our own commits.
    pub earlier: [Database; 2],
    pub earlier_known: u8,
    pub processes: [Process; PROCESSES],
    /// A key whose saved answer is a failure that made nothing.
    pub spent: u8,
    pub has_failed_over: bool,
    /// The application stored a second payable object by itself.
    pub is_doubled: bool,
    pub left: Left,
}

impl World {
    pub fn families_made(&self) -> u8 {
        let made = self.families.iter().take_while(|f| f.kind != NOTHING);
        made.count() as u8
    }

    /// Money was taken for the order, or is on its way.
    pub fn is_settled(&self) -> bool {
        self.families.iter().any(Family::is_settled)
    }

    pub fn live(&self) -> u8 {
        let live = |(at, f): (usize, &Family)| u8::from(f.is_live()) << at;
        self.families.iter().enumerate().map(live).sum()
    }

    /// A token that nothing in the world carries. Tokens are only ever compared, so any such one will do.
    pub fn unused_token(&self) -> u8 {
        let mut token = 1;
        while self.database.journal.token == token
            || self.earlier.iter().any(|e| e.journal.token == token)
            || self.processes.iter().any(|p| p.token == token)
        {
            token += 1;
        }
        token
    }

    /// Two worlds that differ only in which process is which are one.
    pub fn normalized(mut self) -> World {
        for at in 1..PROCESSES {
            let mut at = at;
            while at > 0 && rank(&self.processes[at]) > rank(&self.processes[at - 1]) {
                self.processes.swap(at, at - 1);
                at -= 1;
            }
        }
        self
    }

    pub fn digest(&self) -> u64 {
        let mut digest = Digest(0);
        for pair in self.families.chunks(2) {
            digest.add(u64::from(family_bits(&pair[0])) << 32 | u64::from(family_bits(&pair[1])));
        }
        digest.database(&self.database);
        for earlier in self.earlier.iter().take(self.earlier_known as usize) {
            digest.database(earlier);
        }
        for process in &self.processes {
            digest.add(rank(process));
            digest.add(
                u64::from(process.operation) << 32
                    | u64::from(process.sessions) << 16
                    | u64::from(process.links) << 8
                    | u64::from(row_bits(&process.row)) << 4
                    | u64::from(process.token),
            );
        }
        let left = &self.left;
        let left = [
            left.claims,
            left.faults,
            left.days,
            left.cancellations,
            left.edits | left.switches << 4,
            left.checkouts,
            left.failovers * 4 + u8::from(self.is_doubled) * 2 + u8::from(self.has_failed_over),
            left.events ^ self.spent << 4,
        ];
        digest.add(u64::from_le_bytes(left));
        digest.0
    }
}

pub fn family_bits(family: &Family) -> u32 {
    u32::from_le_bytes([family.kind, family.flags, family.tabs, family.key])
}

pub fn row_bits(row: &Row) -> u8 {
    row.status | row.amount << 2 | row.reference << 3
}

fn rank(process: &Process) -> u64 {
    u64::from(process.at) << 56
        | u64::from(process.seen) << 40
        | u64::from(process.goal) << 38
        | u64::from(process.took_over) << 37
        | u64::from(process.is_secret) << 36
        | u64::from(process.saw_old_key) << 63
        | u64::from(process.born) << 32
        | u64::from(process.job ^ process.operation << 8)
}

pub struct Digest(pub u64);

impl Digest {
    pub fn add(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 ^= self.0 >> 29;
    }

    fn database(&mut self, database: &Database) {
        let journal = &database.journal;
        self.add(
            u64::from(journal.record) << 32
                | u64::from(row_bits(&database.row)) << 24
                | u64::from(journal.unstored) << 16
                | u64::from(journal.token) << 8
                | u64::from(journal.withdrawn) << 4
                | u64::from(journal.mint_age) << 1
                | u64::from(journal.is_published),
        );
        self.add(u64::from_le_bytes(journal.attempts));
    }
}

//! What the tests are built from: databases of their own, rows in them, and servers on loopback.

pub mod authority;
pub mod double;
pub mod facts;
pub mod front;
pub mod grammar;
pub mod invariants;
pub mod kill_points;
pub mod plans;
pub mod postgres;
pub mod receiver;
pub mod serving;
pub mod spec;
pub mod tally;
pub mod world;

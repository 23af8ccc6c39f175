//! The exactly-once protocol for one order, as a pure state machine.
//!
//! `step` takes an operation and what was just observed, and says what to do next. It reads no clock, sends
//! nothing and stores nothing: `execute` drives it, and whoever drives it must commit the operation before
//! it sends the write that `Next` names.

mod look;
mod mint;
mod operation;
mod record;
mod retire;
mod step;

pub use look::Look;
pub use mint::OLDEST_KEY;
pub use operation::{
    Disposition, Ending, Expected, Intended, Minted, Operation, State, Task, Then, Write,
};
pub use record::UnreadableRecord;
pub use step::{Next, Observed, Protocol, step};

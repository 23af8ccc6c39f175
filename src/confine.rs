//! Closes this process to everybody else on the host: no core dump of it is written, and no other process of the same
//! user reads its memory or its environment, where the key and the database's password are.
//!
//! It protects from nobody who is root, and from nobody who may start relink in another way.

use std::io;

/// Once, before the first secret is read. There is no way back, and no setting that leaves it out: who may set one
/// may be whom it keeps away.
///
/// # Errors
/// The operating system's word. What could be closed is.
pub fn memory() -> io::Result<()> {
    let undumpable = refuse_inspection();
    refuse_core_files().and(undumpable)
}

/// For the user's own limit as well: what runs later cannot raise it again.
fn refuse_core_files() -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none).map_err(io::Error::from)
}

/// The limit alone is not enough: a core that is handed to a program (`|` in the kernel's core_pattern) has no size.
#[cfg(target_os = "linux")]
fn refuse_inspection() -> io::Result<()> {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(io::Error::from)
}

/// Elsewhere a debugger needs rights of its own already.
#[cfg(not(target_os = "linux"))]
fn refuse_inspection() -> io::Result<()> {
    Ok(())
}

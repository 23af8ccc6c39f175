//! relink as a process of a case: under a bound on its memory, with its streams, its disk, its descriptors or its folder
//! as bad as the case says, and signalled while it works.
//!
//! The shell sets all that up and then becomes relink, so that signals and the exit code are relink's own. It judges
//! nothing.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::case::{Case, Signal, Surroundings};
use super::spelling::{KEY, Spelling};
use crate::support::world::{Output, Running, World};

/// Kibibytes of memory that it may ask for: what it is given and what it makes of that, never all at once.
const MEMORY: u64 = 256 * 1024;
/// Begins once the reader is gone, and ends with relink's own code.
const GONE: &str =
    r#"code=$( { { sleep 0.1; "$0" "$@"; echo $? >&3; } | true; } 3>&1 >&2 ); exit "$code""#;

pub fn command(case: &Case, world: &World, spelling: &Spelling<'_>, args: &[String]) -> Command {
    let args: Vec<OsString> = args.iter().map(|arg| spelling.os(arg)).collect();
    let mut command = wrapped(case, spelling.folder, &args);
    let plain = world.command(&[]);
    let of_world = plain.get_envs();
    for (name, value) in of_world.filter_map(|(name, value)| Some((name, value?))) {
        if !(case.bare && is_connection(name)) {
            command.env(name, value);
        }
    }
    if !case.bare {
        command.env("STRIPE_API_KEY", KEY);
        command.env("STRIPE_API_BASE", spelling.stripe);
    }
    for (name, value) in &case.env {
        command.env(name, spelling.os(value));
    }
    command
}

fn is_connection(name: &OsStr) -> bool {
    ["DATABASE_URL", "STRIPE_API_BASE", "STRIPE_API_KEY"]
        .iter()
        .any(|known| name == *known)
}

fn wrapped(case: &Case, folder: &Path, args: &[OsString]) -> Command {
    let (before, after) = match case.surroundings {
        Surroundings::Ordinary => ("", ""),
        Surroundings::StdoutFull => ("", ">/dev/full"),
        Surroundings::StdoutClosed => ("", ">&-"),
        Surroundings::StdoutGone => ("", ""),
        Surroundings::StderrFull => ("", "2>/dev/full"),
        Surroundings::StderrClosed => ("", "2>&-"),
        Surroundings::StdinClosed => ("", "<&-"),
        // A disk that is full says so; it kills nobody.
        Surroundings::DiskFull => ("trap '' XFSZ; ulimit -f 0;", ""),
        Surroundings::FewDescriptors => ("ulimit -n 7;", ""),
        Surroundings::NoFolder => ("mkdir gone && cd gone && rmdir ../gone;", ""),
    };
    let last = match case.surroundings {
        Surroundings::StdoutGone => GONE.to_owned(),
        _ => format!("exec \"$0\" \"$@\" {after}"),
    };
    let mut command = Command::new("/bin/sh");
    command
        .arg("-c")
        .arg(format!("ulimit -d {MEMORY}; {before} {last}"))
        .arg(program(case, folder))
        .args(args)
        .current_dir(folder)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("NO_COLOR", "1");
    if case.as_nobody && fs::metadata(folder).unwrap().uid() == 0 {
        command.uid(65_534).gid(65_534);
    }
    command
}

/// Whoever is nobody gets a copy that anybody may run.
fn program(case: &Case, folder: &Path) -> PathBuf {
    let built = PathBuf::from(env!("CARGO_BIN_EXE_relink"));
    if !case.as_nobody {
        return built;
    }
    // Copied by another process: a file that this one still had open for writing could not be run.
    let copy = copy_of(folder);
    let copied = Command::new("cp").arg(&built).arg(&copy).status();
    assert!(copied.unwrap().success());
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).unwrap();
    copy
}

fn copy_of(folder: &Path) -> PathBuf {
    folder.with_extension("relink")
}

/// Takes away what lies beside the case's folder.
pub fn clear(case: &Case, folder: &Path) {
    if case.as_nobody {
        fs::remove_file(copy_of(folder)).unwrap();
    }
}

/// Runs to the end, and is signalled meanwhile where the case says so.
pub async fn run(command: Command, case: &Case, world: &World) -> Output {
    let running = Running::start(command);
    if let Some(signal) = &case.signal {
        meddle(&running, signal, world).await;
    }
    running.finish().await
}

async fn meddle(running: &Running, signal: &Signal, world: &World) {
    let parked = match signal.after_ms {
        Some(wait) => {
            tokio::time::sleep(Duration::from_millis(wait)).await;
            None
        }
        None => Some(world.wait_for_parked().await),
    };
    for nth in 0..signal.times {
        if nth > 0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        running.signal(&signal.name);
    }
    if let Some(parked) = parked {
        tokio::time::sleep(Duration::from_millis(150)).await;
        // Whoever asked may be gone by now.
        world.release(parked).await;
    }
}

//! What this host says about processes: which one this is, and whether another one still runs.
//!
//! It says "gone" only on proof. A process of another host or container, or one that this user may not see,
//! is unknown.

use std::fs;
use std::io::ErrorKind;
use std::time::Duration;

/// Enough to tell a process from every other one, also from a later one with the same number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ProcessIdentity {
    /// The host's name as its kernel has it, and the id of its installation where it has one: two hosts may
    /// have the same name. Empty where there is no telling.
    pub machine: String,
    pub boot: Option<String>,
    /// Numbers of processes mean nothing in another one.
    pub namespace: Option<String>,
    pub pid: u32,
    /// In the kernel's ticks since it booted.
    pub started: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alive {
    Yes,
    No,
    Unknown,
}

impl ProcessIdentity {
    pub fn own() -> Self {
        let pid = std::process::id();
        ProcessIdentity {
            machine: machine(
                read("/proc/sys/kernel/hostname"),
                read("/etc/machine-id").as_deref(),
            ),
            boot: read("/proc/sys/kernel/random/boot_id"),
            namespace: fs::read_link("/proc/self/ns/pid")
                .ok()
                .map(|path| path.display().to_string()),
            pid,
            started: match started(pid) {
                Start::At(ticks) => Some(ticks),
                Start::NoProcess | Start::Unknown => None,
            },
        }
    }

    /// Whether the process `other` still runs, as seen from this one.
    pub fn sees(&self, other: &ProcessIdentity) -> Alive {
        if self.machine.is_empty() || self.machine != other.machine {
            return Alive::Unknown;
        }
        let (Some(boot), Some(others_boot)) = (&self.boot, &other.boot) else {
            return Alive::Unknown;
        };
        if boot != others_boot {
            return Alive::No;
        }
        if self.namespace.is_none() || self.namespace != other.namespace {
            return Alive::Unknown;
        }
        let Some(others_start) = other.started else {
            return Alive::Unknown;
        };
        match started(other.pid) {
            Start::At(ticks) if ticks == others_start => Alive::Yes,
            Start::At(_) => Alive::No,
            // Where other users' processes are hidden, even the first one is.
            Start::NoProcess if matches!(started(1), Start::At(_)) => Alive::No,
            Start::NoProcess | Start::Unknown => Alive::Unknown,
        }
    }
}

fn machine(name: Option<String>, id: Option<&str>) -> String {
    match (name, id) {
        (Some(name), Some(id)) => format!("{name} {id}"),
        (Some(name), None) => name,
        (None, _) => String::new(),
    }
}

/// How long this host has been up, its sleep included.
pub(super) fn since_boot() -> Option<Duration> {
    let text = read("/proc/uptime")?;
    let seconds: f64 = text.split_whitespace().next()?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

enum Start {
    At(i64),
    NoProcess,
    Unknown,
}

/// Field 22 of `/proc/PID/stat`. The second field is the program's name in parentheses, which may hold
/// spaces and parentheses of its own.
fn started(pid: u32) -> Start {
    match fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => {
            let after_name = stat.rsplit_once(')').map(|(_, rest)| rest);
            // What follows the name begins with field 3.
            let ticks = after_name.and_then(|rest| rest.split_whitespace().nth(19)?.parse().ok());
            ticks.map_or(Start::Unknown, Start::At)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Start::NoProcess,
        Err(_) => Start::Unknown,
    }
}

fn read(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_sees_itself_and_not_a_later_one_with_its_number() {
        let own = ProcessIdentity::own();
        assert_eq!(own.sees(&own), Alive::Yes);
        let earlier = ProcessIdentity {
            started: own.started.map(|ticks| ticks - 1),
            ..own.clone()
        };
        assert_eq!(own.sees(&earlier), Alive::No);
    }

    #[test]
    fn a_process_that_ended_is_gone() {
        let own = ProcessIdentity::own();
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap_or_else(|error| panic!("{error}"));
        let Start::At(ticks) = started(child.id()) else {
            panic!("the child was not seen");
        };
        let other = ProcessIdentity {
            pid: child.id(),
            started: Some(ticks),
            ..own.clone()
        };
        assert_eq!(own.sees(&other), Alive::Yes);
        child.kill().unwrap_or_else(|error| panic!("{error}"));
        child.wait().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(own.sees(&other), Alive::No);
    }

    #[test]
    fn elsewhere_is_unknown_and_before_the_boot_is_gone() {
        let own = ProcessIdentity::own();
        let on = |machine: &str, boot: Option<&str>, namespace: Option<&str>| {
            own.sees(&ProcessIdentity {
                machine: machine.to_owned(),
                boot: boot.map(ToOwned::to_owned),
                namespace: namespace.map(ToOwned::to_owned),
                ..own.clone()
            })
        };
        let (boot, namespace) = (own.boot.as_deref(), own.namespace.as_deref());
        assert_eq!(on("elsewhere", boot, namespace), Alive::Unknown);
        assert_eq!(on(&own.machine, None, namespace), Alive::Unknown);
        assert_eq!(on(&own.machine, boot, Some("pid:[1]")), Alive::Unknown);
        assert_eq!(on(&own.machine, Some("another"), namespace), Alive::No);
    }

    #[test]
    fn two_hosts_of_one_name_are_told_apart_by_their_installation() {
        let own = ProcessIdentity::own();
        let named = |id| ProcessIdentity {
            machine: machine(Some("localhost".to_owned()), id),
            ..own.clone()
        };
        let other = ProcessIdentity {
            boot: Some("another".to_owned()),
            ..named(Some("b"))
        };
        assert_eq!(named(Some("a")).sees(&other), Alive::Unknown);
        assert_eq!(named(Some("b")).sees(&other), Alive::No);
        assert_eq!(
            machine(None, Some("a")),
            "",
            "an image may be copied with its id"
        );
    }
}

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
        self.sees_with(other, started)
    }

    fn sees_with(&self, other: &ProcessIdentity, started: impl Fn(u32) -> Start) -> Alive {
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
#[cfg(target_os = "linux")]
pub(super) fn since_boot() -> Option<Duration> {
    use rustix::time::{DynamicClockId, clock_gettime_dynamic};
    let uptime = clock_gettime_dynamic(DynamicClockId::Boottime).ok()?;
    Duration::try_from(uptime).ok()
}

/// Elsewhere nobody here knows.
#[cfg(not(target_os = "linux"))]
pub(super) fn since_boot() -> Option<Duration> {
    None
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    At(i64),
    NoProcess,
    Unknown,
}

fn started(pid: u32) -> Start {
    start_in(fs::read_to_string(format!("/proc/{pid}/stat")))
}

/// Field 22 of `/proc/PID/stat`. The second field is the program's name in parentheses, which may hold
/// spaces and parentheses of its own.
fn start_in(stat: std::io::Result<String>) -> Start {
    match stat {
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
    fn who_cannot_tell_its_own_host_or_namespace_proves_nothing() {
        let own = ProcessIdentity::own();
        let nameless = ProcessIdentity {
            machine: String::new(),
            ..own.clone()
        };
        let rebooted = ProcessIdentity {
            boot: Some("another".to_owned()),
            ..nameless.clone()
        };
        assert_eq!(nameless.sees(&rebooted), Alive::Unknown);
        let unspaced = ProcessIdentity {
            namespace: None,
            ..own
        };
        let earlier = ProcessIdentity {
            started: unspaced.started.map(|ticks| ticks - 1),
            ..unspaced.clone()
        };
        assert_eq!(unspaced.sees(&earlier), Alive::Unknown);
    }

    /// `/proc` mounted with `hidepid`: a live process of another user looks as if it were none.
    #[test]
    fn where_processes_are_hidden_none_is_gone() {
        let own = ProcessIdentity::own();
        let other = ProcessIdentity {
            pid: 4711,
            ..own.clone()
        };
        let hidden = |_| Start::NoProcess;
        assert_eq!(own.sees_with(&other, hidden), Alive::Unknown);
        let unreadable = |_| Start::Unknown;
        assert_eq!(own.sees_with(&other, unreadable), Alive::Unknown);
        let shown = |pid| match pid {
            1 => Start::At(1),
            _ => Start::NoProcess,
        };
        assert_eq!(own.sees_with(&other, shown), Alive::No);
    }

    #[test]
    fn a_start_is_read_behind_any_program_name_and_never_guessed() {
        let fields = "S 1 42 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 987654 1 2";
        for name in ["relink", "a b", "(x) R 1 1", ""] {
            let stat = format!("4711 ({name}) {fields}");
            assert_eq!(start_in(Ok(stat)), Start::At(987_654), "{name}");
        }
        for cut in ["", "4711 (relink", "4711 (relink) S 1 42"] {
            assert_eq!(start_in(Ok(cut.to_owned())), Start::Unknown, "{cut}");
        }
        let failed = |kind: ErrorKind| start_in(Err(kind.into()));
        assert_eq!(failed(ErrorKind::NotFound), Start::NoProcess);
        assert_eq!(failed(ErrorKind::PermissionDenied), Start::Unknown);
    }

    #[test]
    fn this_process_says_what_the_kernel_says() {
        let own = ProcessIdentity::own();
        let kernel = |path| fs::read_to_string(path).unwrap_or_else(|error| panic!("{error}"));
        let boot = kernel("/proc/sys/kernel/random/boot_id");
        assert_eq!(own.boot.as_deref(), Some(boot.trim_end()));
        let name = kernel("/proc/sys/kernel/hostname");
        assert!(own.machine.starts_with(name.trim_end()), "{}", own.machine);
        assert_eq!(own.pid, std::process::id());
        assert!(own.started.is_some_and(|ticks| ticks > 0));
    }

    #[test]
    fn the_time_since_boot_is_known_and_passes() {
        let then = since_boot();
        std::thread::sleep(Duration::from_millis(50));
        let now = since_boot();
        assert!(then > Some(Duration::ZERO), "{then:?}");
        assert!(now > then, "{then:?} {now:?}");
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

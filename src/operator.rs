//! Who runs relink, and where: for the journal and for whoever asks who is at it. Facts for people; nothing is
//! decided by them.

use std::path::Path;

/// The login name as the environment tells it; the user's number where it tells none.
#[must_use]
pub fn user() -> String {
    let given = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    match ["USER", "LOGNAME"].into_iter().find_map(given) {
        Some(name) => clean(&name),
        None => format!("uid {}", rustix::process::getuid().as_raw()),
    }
}

/// The host's name, as the kernel knows it where that can be read.
#[must_use]
pub fn host() -> String {
    let read = |path: &str| std::fs::read_to_string(Path::new(path)).ok();
    let told = read("/proc/sys/kernel/hostname")
        .or_else(|| read("/etc/hostname"))
        .or_else(|| std::env::var("HOSTNAME").ok());
    match told
        .map(|name| clean(name.trim()))
        .filter(|name| !name.is_empty())
    {
        Some(name) => name,
        None => "unknown".to_owned(),
    }
}

fn clean(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(100).collect()
}

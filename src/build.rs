//! Tells the compiler which revision is built, for `relink --version`, and whether it is a release.
//!
//! It never fails: in an archive of the sources, or where git is missing, the revision is `unknown` unless whoever
//! builds names it in RELINK_REVISION.
#![allow(clippy::print_stdout)] // how cargo is spoken to

use std::path::Path;
use std::process::Command;

/// What the binary is made from: a change elsewhere does not make it a modified one.
const SOURCES: [&str; 3] = ["src", "Cargo.toml", "Cargo.lock"];

fn main() {
    tell_releases_from_test_builds();
    println!("cargo:rerun-if-env-changed=RELINK_REVISION");
    for source in SOURCES {
        println!("cargo:rerun-if-changed={source}");
    }
    let named = std::env::var("RELINK_REVISION").ok();
    let revision = named
        .filter(|revision| !revision.is_empty() && !revision.contains(char::is_whitespace))
        .or_else(revision_of_the_repository)
        .unwrap_or_else(|| "unknown".to_owned());
    println!("cargo:rustc-env=RELINK_BUILD_REVISION={revision}");
}

/// `cfg(release)` in every profile that inherits from `release`.
fn tell_releases_from_test_builds() {
    println!("cargo:rustc-check-cfg=cfg(release)");
    if std::env::var("PROFILE").as_deref() == Ok("release") {
        println!("cargo:rustc-cfg=release");
    }
}

fn revision_of_the_repository() -> Option<String> {
    // An archive that was unpacked inside somebody else's repository is not at that one's revision.
    if !Path::new(".git").exists() {
        return None;
    }
    watch_the_head();
    let revision = git(&["rev-parse", "--short=12", "HEAD"])?;
    let mut status = vec!["status", "--porcelain", "--"];
    status.extend(SOURCES);
    let is_modified = !git(&status)?.is_empty();
    Some(if is_modified {
        format!("{revision}, modified")
    } else {
        revision
    })
}

/// A commit moves HEAD or the branch that HEAD names; where the branch is packed, the log of HEAD tells.
fn watch_the_head() {
    let branch = git(&["symbolic-ref", "--quiet", "HEAD"]);
    for name in ["HEAD", "logs/HEAD"].into_iter().chain(branch.as_deref()) {
        let path = git(&["rev-parse", "--git-path", name]);
        // A path that does not exist would have cargo run this every time.
        if let Some(path) = path.filter(|path| Path::new(path).exists()) {
            println!("cargo:rerun-if-changed={path}");
        }
    }
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .arg("--no-optional-locks")
        .args(arguments)
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

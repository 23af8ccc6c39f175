//! What relink leaves on disk is its user's alone, also where the umask closes nothing.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::sandbox_process::folder;
use crate::support::world::*;

/// The same command under a umask that lets everybody do everything.
fn unmasked(command: &Command) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell
        .args(["-c", "umask 000; exec \"$0\" \"$@\""])
        .arg(command.get_program())
        .args(command.get_args())
        .env_clear();
    let given = command.get_envs();
    shell.envs(given.filter_map(|(name, value)| Some((name, value?))));
    shell
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

async fn run(world: &World, words: &[&str]) {
    let command = unmasked(&world.command(words));
    let output = Running::start(command).finish().await;
    assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
}

#[tokio::test]
async fn plan_and_lists_are_private_and_the_gauges_name_nobody() {
    let world = World::on(Backend::Sqlite).await;
    let named = pending(5500)
        .for_player("Ann Lee")
        .mailed_to("lee@example.com");
    world.order(named.behind(expired_session())).await;
    let desk = folder();
    let at = |name: &str| desk.path().join(name).to_str().unwrap().to_owned();
    let (plan, list, gauges) = (at("plan.json"), at("blast.csv"), at("relink.prom"));
    run(&world, &["regen", "--all", "--plan-out", &plan]).await;
    let commit = [
        "regen",
        "--plan",
        &plan,
        "--commit",
        "--yes",
        "--csv-out",
        &list,
    ];
    run(
        &world,
        &[&commit[..], &["--metrics-file", &gauges]].concat(),
    )
    .await;
    for name in ["plan.json", "blast.csv", "blast.needs-person.csv"] {
        assert_eq!(mode(&desk.path().join(name)), 0o600, "{name}");
    }
    // Another user's collector reads it. Nobody else writes it.
    assert_eq!(mode(Path::new(&gauges)), 0o644);
    let told = std::fs::read_to_string(&gauges).unwrap();
    for secret in ["Ann Lee", "lee@example.com", KEY] {
        assert!(!told.contains(secret), "{told}");
    }
}

#[test]
fn the_sandbox_is_its_users_alone() {
    let desk = folder();
    let sandbox = desk.path().join("state/sandbox");
    let named = format!("--sandbox={}", sandbox.display());
    let sandboxed = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_relink"));
        command.args(words).arg(&named).env_clear();
        unmasked(&command)
    };
    let regen = ["regen", "--tournament-id", "2", "--commit", "--yes"];
    let output = Running::start(sandboxed(&regen)).wait();
    assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
    let served = Running::start(sandboxed(&["sandbox", "serve", "--port", "0"]));
    let address = sandbox.join("address");
    let begun = std::time::Instant::now();
    while !address.exists() {
        assert!(begun.elapsed().as_secs() < 20, "it does not serve");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert_eq!(mode(&sandbox), 0o700);
    let mut seen = Vec::new();
    for entry in std::fs::read_dir(&sandbox).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        seen.push(path.file_name().unwrap().to_str().unwrap().to_owned());
    }
    for name in ["address", "club.db", "lock", "stripe.jsonl"] {
        assert!(seen.iter().any(|found| found == name), "{name}: {seen:?}");
    }
    drop(served);
}

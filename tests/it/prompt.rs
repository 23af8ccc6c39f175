//! The question before a commit, through a real pseudo-terminal: the default is no, a decline writes
//! nothing, Ctrl-C at the prompt ends the run, and yes carries out what was shown.

use rexpect::session::PtySession;
use serde_json::Value;

use crate::support::world::*;

const LIMIT_MS: u64 = 30_000;

fn at_a_terminal(world: &World, args: &[&str]) -> PtySession {
    let mut session = rexpect::session::spawn_command(world.command(args), Some(LIMIT_MS)).unwrap();
    session.exp_regex(r"\[y/N\]").unwrap();
    session
}

fn end(session: PtySession) -> i32 {
    match session.process().wait().unwrap() {
        rexpect::process::WaitStatus::Exited(_, code) => code,
        other => panic!("it did not exit: {other:?}"),
    }
}

const COMMIT: [&str; 4] = ["regen", "--tournament-id", "2", "--commit"];

async fn stranded() -> World {
    let world = World::on(Backend::Sqlite).await;
    world.load_sample().await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn the_question_names_account_mode_database_count_and_total() {
    let world = stranded().await;
    let mut session =
        rexpect::session::spawn_command(world.command(&COMMIT), Some(LIMIT_MS)).unwrap();
    let asked = session.exp_regex(r"\[y/N\]").unwrap().0;
    for part in [
        "acct_1SandboxRelink",
        "test",
        "sqlite",
        "17 new links",
        "985.00 USD",
    ] {
        assert!(asked.contains(part), "{part} is not in: {asked}");
    }
    session.send_line("n").unwrap();
    assert_eq!(end(session), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_and_the_bare_return_key_write_nothing() {
    let world = stranded().await;
    world.freeze_writes().await;
    for answer in ["n", ""] {
        let mut session = at_a_terminal(&world, &COMMIT);
        session.send_line(answer).unwrap();
        session.exp_string("nothing was written").unwrap();
        assert_eq!(end(session), 6, "after {answer:?}");
    }
    assert_eq!(world.violations().await, Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_at_the_question_writes_nothing() {
    let world = stranded().await;
    world.freeze_writes().await;
    let mut session = at_a_terminal(&world, &COMMIT);
    session.send_control('c').unwrap();
    assert_eq!(end(session), 130);
    assert_eq!(world.violations().await, Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn yes_carries_out_what_was_shown() {
    let world = stranded().await;
    let mut session = at_a_terminal(&world, &COMMIT);
    session.send_line("y").unwrap();
    session.exp_eof().unwrap();
    assert_eq!(end(session), 0);
    assert_eq!(world.writes().await.len(), 17);
}

//! The question before a commit, through a real pseudo-terminal: the default is no, a decline writes
//! nothing, Ctrl-C at the prompt ends the run, and yes carries out what was shown.

use rexpect::session::PtySession;
use serde_json::{Value, json};

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
async fn an_order_that_was_not_done_is_said_once_to_whoever_sees_the_report() {
    let world = World::on(Backend::Sqlite).await;
    let order = world.order(pending(5500).behind(expired_session())).await;
    let body = json!({"error": {"type": "card_error", "code": "card_declined", "message": "no"}});
    world.fault(json!({"method": "POST", "kind": "status", "status": 402, "body": body, "when": "before", "times": 1})).await;
    let mut session = at_a_terminal(&world, &["regen", "--all", "--commit"]);
    session.send_line("y").unwrap();
    let said = session.exp_eof().unwrap();
    assert_eq!(end(session), 3, "{said}");
    assert!(said.contains("refused"), "{said}");
    assert!(!said.contains("order not done"), "{said}");
    assert_eq!(world.live_objects_of(order).await, Vec::<String>::new());
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

#[tokio::test(flavor = "multi_thread")]
async fn the_question_names_what_is_gone_on_with() {
    let world = World::on(Backend::Sqlite).await;
    world.order(pending(5500).behind(expired_session())).await;
    let lost = json!({"method": "POST", "path": "/v1/payment_links", "when": "arrival", "kind": "park", "times": 1});
    let commit = ["regen", "--all", "--commit"];
    world
        .kill_unheard(&["regen", "--all", "--commit", "--yes"], lost)
        .await;
    let mut session =
        rexpect::session::spawn_command(world.command(&commit), Some(LIMIT_MS)).unwrap();
    let asked = session.exp_regex(r"\[y/N\]").unwrap().0;
    for part in [
        "go on:    1 order, 55.00 USD",
        "go on with 1 order for 55.00 USD, in test mode?",
    ] {
        assert!(asked.contains(part), "{part} is not in: {asked}");
    }
    session.send_line("n").unwrap();
    assert_eq!(end(session), 6);
}

/// The question is all there whatever the terminal's width, coloured only where colours are wanted, and the answer counts.
#[tokio::test(flavor = "multi_thread")]
async fn the_question_is_asked_at_any_width_with_and_without_colour() {
    for (columns, color) in [
        (80, "always"),
        (80, "never"),
        (200, "always"),
        (200, "never"),
    ] {
        let world = stranded().await;
        let mut arguments = COMMIT.to_vec();
        arguments.extend(["--color", color]);
        let inner = world.command(&arguments);
        let mut command = std::process::Command::new("sh");
        command.env_clear().envs(
            inner
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        command.args([
            "-c",
            "stty cols \"$0\" rows 50; exec \"$@\"",
            &columns.to_string(),
        ]);
        command.arg(inner.get_program()).args(inner.get_args());
        let mut session = rexpect::session::spawn_command(command, Some(LIMIT_MS)).unwrap();
        let asked = session.exp_regex(r"\[y/N\]").unwrap().0;
        let plain = console_codes_left_out(&asked);
        assert!(
            plain.contains("mint 17 links for 985.00 USD, in test mode?"),
            "{plain}"
        );
        let table = plain.lines().filter(|line| line.contains('│'));
        for line in table {
            assert!(
                line.trim_end().chars().count() <= columns,
                "{columns}: {line}"
            );
        }
        let paints = asked.contains("\u{1b}[38;5;")
            || asked.contains("\u{1b}[33m")
            || asked.contains("\u{1b}[1m");
        assert_eq!(paints, color == "always", "{columns}, {color}: {asked:?}");
        session.send_line("n").unwrap();
        assert_eq!(end(session), 6);
    }
}

/// The text without what a terminal would obey.
fn console_codes_left_out(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c == '\u{1b}' {
            // Up to the letter that ends a sequence.
            for c in rest.by_ref() {
                if c.is_ascii_alphabetic() {
                    break;
                }
            }
        } else {
            out.push(c);
        }
    }
    out
}

//! Real money, through the whole binary and a real TLS connection: what no test of test mode can show. Every guard
//! refuses and lets through, and the question at the terminal takes nothing but `live N`.

use rexpect::session::PtySession;
use serde_json::Value;

use crate::approval_guards::{split_rps, suggested};
use crate::support::world::*;

const ACCOUNT: &str = "acct_1SandboxRelink";

async fn stranded(n: usize) -> World {
    let world = World::live().await;
    for _ in 0..n {
        world.order(pending(5500).behind(expired_session())).await;
    }
    world
}

/// `regen --all --live --commit` for the right account, and more.
fn commit<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let mut words = vec!["regen", "--all", "--live", "--commit"];
    words.extend(["--expect-account", ACCOUNT]);
    words.extend(more);
    words
}

fn check(output: &Output, code: i32) {
    let said = format!("{}{}", output.stdout, output.stderr);
    assert_eq!(output.code, Some(code), "{said}");
}

/// Refused, nothing written; then the command in the hint is taken at its word.
async fn refuses_and_names_the_way(world: &World, words: &[&str], said: &str) {
    let before = world.writes().await.len();
    let refused = world.relink(words).await;
    check(&refused, 6);
    assert!(refused.stderr.contains(said), "{}", refused.stderr);
    assert_eq!(world.writes().await.len(), before);
    let accepted = suggested(&refused);
    let accepted: Vec<&str> = accepted.iter().map(String::as_str).collect();
    check(&world.relink(&split_rps(&accepted).0).await, 0);
    assert!(world.writes().await.len() > before, "nothing was written");
}

#[tokio::test]
async fn without_a_terminal_a_yes_alone_is_refused() {
    let world = stranded(3).await;
    let words = commit(&["--yes"]);
    refuses_and_names_the_way(&world, &words, "--yes alone says yes to any list").await;
    assert_eq!(world.writes().await.len(), 3);
    // Everything went the way of a live key: through TLS, to the one address.
    assert!(world.front().unwrap().trusted() > 0);
    let links = world
        .objects()
        .await
        .into_iter()
        .filter(|object| object["object"] == "payment_link");
    let modes: Vec<Value> = links.map(|mut link| link["livemode"].take()).collect();
    assert_eq!(modes, [true, true, true]);
}

#[tokio::test]
async fn without_a_terminal_and_without_a_yes_it_is_refused() {
    let world = stranded(2).await;
    refuses_and_names_the_way(&world, &commit(&[]), "no terminal to ask at").await;
}

#[tokio::test]
async fn a_yes_with_a_count_or_a_bound_is_let_through() {
    for bound in [["--expect-count", "3"], ["--max-orders", "3"]] {
        let world = stranded(3).await;
        let mut words = commit(&["--yes"]);
        words.extend(bound);
        check(&world.relink(&words).await, 0);
        assert_eq!(world.writes().await.len(), 3, "{bound:?}");
    }
}

#[tokio::test]
async fn a_count_a_bound_or_an_amount_that_does_not_fit_is_refused() {
    for (bound, said) in [
        (["--expect-count", "2"], "touches 3"),
        (["--max-orders", "2"], "--max-orders says 2"),
    ] {
        let world = stranded(3).await;
        let mut words = commit(&["--yes"]);
        words.extend(bound);
        refuses_and_names_the_way(&world, &words, said).await;
    }
    let world = stranded(3).await;
    let words = commit(&["--yes", "--max-orders", "3", "--max-amount", "164.99:USD"]);
    refuses_and_names_the_way(&world, &words, "--max-amount says 164.99 USD").await;
}

/// Whoever sits at a terminal reads the list, but not a list of any length.
#[tokio::test(flavor = "multi_thread")]
async fn fifty_orders_are_let_through_at_a_terminal_and_one_more_is_refused_first() {
    let world = stranded(51).await;
    let mut session = at_a_terminal(&world, &commit(&[]));
    session
        .exp_string("--max-orders in live mode is, unless given, 50")
        .unwrap();
    session.exp_string("--max-orders 51").unwrap();
    assert_eq!(end(session), 6);
    assert_eq!(world.writes().await.len(), 0);

    let mut session = at_a_terminal(&world, &commit(&["--exclude-order-id", "1051"]));
    session.exp_string("Type `live 50` to go on").unwrap();
    session.send_line("live 50").unwrap();
    session.exp_eof().unwrap();
    assert_eq!(end(session), 0);
    assert_eq!(world.writes().await.len(), 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn at_a_terminal_nothing_but_the_mode_and_the_count_is_a_yes() {
    let world = stranded(3).await;
    for answer in ["y", "yes", "live", "3", "live 2", "LIVE 3", ""] {
        let mut session = at_a_terminal(&world, &commit(&[]));
        session.exp_string("Type `live 3` to go on").unwrap();
        session.send_line(answer).unwrap();
        session.exp_string("nothing was written").unwrap();
        assert_eq!(end(session), 6, "{answer:?}");
    }
    assert_eq!(world.writes().await.len(), 0);
    let mut session = at_a_terminal(&world, &commit(&[]));
    session.exp_string("Type `live 3` to go on").unwrap();
    session.send_line("live 3").unwrap();
    session.exp_eof().unwrap();
    assert_eq!(end(session), 0);
    assert_eq!(world.writes().await.len(), 3);
}

#[tokio::test]
async fn the_first_commit_needs_the_account_named_and_the_next_one_does_not() {
    let world = stranded(1).await;
    let unnamed = [
        "regen",
        "--all",
        "--live",
        "--commit",
        "--yes",
        "--max-orders",
        "1",
    ];
    refuses_and_names_the_way(&world, &unnamed, "the first live commit to this database").await;
    world.order(pending(5500).behind(expired_session())).await;
    check(&world.relink(&unnamed).await, 0);
    assert_eq!(world.writes().await.len(), 2);
}

/// Without an account, without a yes and beyond a limit: one command for all three.
#[tokio::test]
async fn the_first_commit_is_told_all_that_it_needs_at_once() {
    let world = stranded(2).await;
    let bare = ["regen", "--all", "--live", "--commit", "--max-orders", "1"];
    refuses_and_names_the_way(&world, &bare, "the first live commit to this database").await;
    assert_eq!(world.writes().await.len(), 2);
}

#[tokio::test]
async fn another_account_than_the_named_one_is_a_mistake_in_the_settings() {
    let world = stranded(1).await;
    let mut words = commit(&["--yes", "--max-orders", "1"]);
    let named = words.iter().position(|word| *word == ACCOUNT).unwrap();
    words[named] = "acct_1Another";
    check(&world.relink(&words).await, 4);
    assert_eq!(world.writes().await.len(), 0);
}

#[tokio::test]
async fn a_live_key_without_live_and_live_with_a_test_key_are_refused() {
    let world = stranded(1).await;
    for commit in [&[][..], &["--commit", "--yes", "--max-orders", "1"]] {
        let words = [&["regen", "--all"], commit].concat();
        let output = world.relink(&words).await;
        check(&output, 4);
        assert!(
            output.stderr.contains("--live was not given"),
            "{}",
            output.stderr
        );
        let words = [&["regen", "--all", "--live"], commit].concat();
        let output = world.relink_with(&words, &[("STRIPE_API_KEY", KEY)]).await;
        check(&output, 4);
        assert!(
            output.stderr.contains("with a test key"),
            "{}",
            output.stderr
        );
    }
    assert_eq!(world.requests().await.len(), 0);
}

/// A certificate that nobody vouches for is where it ends: not one byte of the key has left.
#[tokio::test]
async fn whoever_cannot_prove_to_be_stripe_is_told_nothing() {
    let world = stranded(1).await;
    let front = world.front().unwrap();
    let authority = front.another_authority();
    let strangers = [("SSL_CERT_FILE", authority.as_str())];
    let words = commit(&["--yes", "--max-orders", "1"]);
    let output = world.relink_with(&words, &strangers).await;
    check(&output, 9);
    assert!(output.stderr.contains("UnknownIssuer"), "{}", output.stderr);
    assert_eq!(world.requests().await.len(), 0);
    assert_eq!((front.reached() > 0, front.trusted()), (true, 0));
}

fn at_a_terminal(world: &World, words: &[&str]) -> PtySession {
    rexpect::session::spawn_command(world.command(words), Some(60_000)).unwrap()
}

fn end(session: PtySession) -> i32 {
    match session.process().wait().unwrap() {
        rexpect::process::WaitStatus::Exited(_, code) => code,
        other => panic!("it did not exit: {other:?}"),
    }
}

//! Every limit of a commit refuses what is beyond it, names the command that would be accepted, and lets that one through.

use serde_json::{Value, json};

use crate::support::world::*;

async fn stranded(n: usize) -> World {
    let world = World::on(Backend::Sqlite).await;
    for _ in 0..n {
        world.order(pending(5500).behind(expired_session())).await;
    }
    world
}

const COMMIT: [&str; 4] = ["regen", "--all", "--commit", "--yes"];

/// The command in the hint, as a shell takes it; none of these words is quoted.
pub fn suggested(output: &Output) -> Vec<String> {
    let hint = output
        .stderr
        .lines()
        .find(|line| line.starts_with("hint: "));
    let hint = hint.unwrap_or_else(|| panic!("no hint: {}", output.stderr));
    let at = hint
        .find("relink ")
        .unwrap_or_else(|| panic!("no command: {hint}"));
    let command = hint[at..].split(" (from cron").next().unwrap();
    command.split(' ').skip(1).map(str::to_owned).collect()
}

/// It is refused with this status, nothing is written, and the command that it names is accepted.
async fn refuses_and_names_the_way(arguments: &[&str], status: i32, said: &str) {
    let world = stranded(3).await;
    let output = world.relink(arguments).await;
    assert_eq!(
        output.code,
        Some(status),
        "{}{}",
        output.stdout,
        output.stderr
    );
    assert!(
        output.stderr.contains(said),
        "{said} is not in {}",
        output.stderr
    );
    assert_eq!(world.writes().await, Vec::<Value>::new());
    let accepted = suggested(&output);
    // The world adds these two by itself.
    let accepted: Vec<&str> = accepted.iter().map(String::as_str).collect();
    let (accepted, _) = split_rps(&accepted);
    let output = world.relink(&accepted).await;
    assert_eq!(
        output.code,
        Some(0),
        "{accepted:?}: {}{}",
        output.stdout,
        output.stderr
    );
    assert_eq!(world.writes().await.len(), 3);
}

pub fn split_rps<'a>(words: &[&'a str]) -> (Vec<&'a str>, bool) {
    match words.iter().position(|word| *word == "--rps") {
        Some(at) => {
            let kept = words[..at].iter().chain(&words[at + 2..]);
            (kept.copied().collect(), true)
        }
        None => (words.to_vec(), false),
    }
}

fn with<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let mut all = COMMIT.to_vec();
    all.extend(more);
    all
}

#[tokio::test]
async fn another_digest_than_the_expected_one_is_stale() {
    refuses_and_names_the_way(
        &with(&["--expect", "0000-0000"]),
        7,
        "0000-0000 was expected",
    )
    .await;
}

#[tokio::test]
async fn another_count_than_the_expected_one_is_refused() {
    refuses_and_names_the_way(&with(&["--expect-count", "4"]), 6, "touches 3").await;
}

#[tokio::test]
async fn more_orders_than_allowed_are_refused() {
    refuses_and_names_the_way(&with(&["--max-orders", "2"]), 6, "--max-orders says 2").await;
}

#[tokio::test]
async fn more_money_than_allowed_is_refused() {
    let limit = ["--max-amount", "164.99:USD"];
    refuses_and_names_the_way(
        &with(&limit),
        6,
        "165.00 USD, and --max-amount says 164.99 USD",
    )
    .await;
}

#[tokio::test]
async fn a_limit_in_another_currency_is_no_limit() {
    let limit = ["--max-amount", "9999:EUR"];
    refuses_and_names_the_way(&with(&limit), 6, "gives no limit in USD").await;
}

#[tokio::test]
async fn without_a_terminal_a_yes_must_be_given() {
    refuses_and_names_the_way(&["regen", "--all", "--commit"], 6, "no terminal to ask at").await;
}

/// Whatever is wrong at once, the one command that is named is accepted as it stands.
#[tokio::test]
async fn several_limits_at_once_are_one_refusal_with_one_way() {
    let no_yes = ["regen", "--all", "--commit", "--max-orders", "2"];
    refuses_and_names_the_way(&no_yes, 6, "--max-orders says 2").await;
    let two = ["--expect-count", "4", "--max-amount", "1:USD"];
    refuses_and_names_the_way(&with(&two), 6, "touches 3, and --expect-count says 4").await;
    let all = [
        "regen",
        "--all",
        "--commit",
        "--expect=0000-0000",
        "--expect-count=1",
        "--max-orders=1",
        "--max-amount=1:EUR",
        "--max-amount=1:USD",
    ];
    refuses_and_names_the_way(&all, 7, "0000-0000 was expected").await;
}

/// No flag is read after a bare `--`.
#[tokio::test]
async fn objects_after_two_dashes_stay_behind_the_flags_that_are_suggested() {
    let world = World::on(Backend::Sqlite).await;
    let order = world.order(pending(5500).behind(active_link())).await;
    let link = world.row(order.0).await.reference.unwrap();
    let typed = ["retire", "--pending", "--commit", "--", &link];
    let output = world.relink(&typed).await;
    assert_eq!(output.code, Some(6), "{}{}", output.stdout, output.stderr);
    let accepted = suggested(&output);
    let accepted: Vec<&str> = accepted.iter().map(String::as_str).collect();
    let output = world.relink(&split_rps(&accepted).0).await;
    assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
    assert_eq!(world.live_objects_of(order).await, Vec::<String>::new());
}

#[tokio::test]
async fn two_limits_in_one_currency_are_a_mistake() {
    let world = stranded(1).await;
    let limits = ["--max-amount", "99:USD", "--max-amount", "1:USD"];
    let output = world.relink(&with(&limits)).await;
    assert_eq!(output.code, Some(2), "{}{}", output.stdout, output.stderr);
    assert!(
        output.stderr.contains("more than one limit in USD"),
        "{}",
        output.stderr
    );
    assert_eq!(world.requests().await, Vec::<Value>::new());
}

/// The variable may hold another database than the one that was typed.
#[tokio::test]
async fn a_typed_database_is_suggested_by_the_variable_only_where_it_holds_the_same() {
    let world = stranded(1).await;
    let url = world.database_url().to_owned();
    let typed = ["regen", "--all", "--database-url", &url];
    let same = world.relink(&typed).await;
    let said = "regen --all --database-url \"$DATABASE_URL\"";
    assert!(same.stdout.contains(said), "{}", same.stdout);
    let elsewhere = [("DATABASE_URL", "sqlite:///nowhere/club.db")];
    for words in [
        &typed[..],
        &["inspect", "--order-id", "1001", "--database-url", &url],
    ] {
        let other = world.relink_with(words, &elsewhere).await;
        assert_eq!(other.code, Some(0), "{}{}", other.stdout, other.stderr);
        let said = "--database-url URL";
        assert!(other.stdout.contains(said), "{}", other.stdout);
        assert!(!other.stdout.contains("$DATABASE_URL"), "{}", other.stdout);
    }
}

/// Who is billed is as much of what was agreed to as how much.
#[tokio::test]
async fn an_order_of_another_child_or_another_address_is_another_list() {
    let world = World::on(Backend::Sqlite).await;
    for (player, mail) in [("Mia", "mia@example.com"), ("Ben", "ben@example.com")] {
        let order = pending(5500).for_player(player).mailed_to(mail);
        world.order(order.behind(expired_session())).await;
    }
    let dry = world.relink(&["regen", "--all", "-o", "json"]).await;
    let dry: Value = serde_json::from_str(&dry.stdout).unwrap();
    let digest = dry["digest"].as_str().unwrap().to_owned();
    let changes = [
        "UPDATE orders SET player_id = (SELECT player_id FROM orders WHERE id = 1002) WHERE id = 1001",
        "UPDATE parents SET email = 'ben2@example.com' WHERE email = 'ben@example.com'",
    ];
    for change in changes {
        world.rows.execute(change).await;
        let output = world.relink(&with(&["--expect", &digest])).await;
        assert_eq!(output.code, Some(7), "{change}: {}", output.stderr);
    }
    assert_eq!(world.writes().await, Vec::<Value>::new());
}

#[tokio::test]
async fn the_same_rows_in_another_database_are_another_list() {
    let mut digests = Vec::new();
    for _ in 0..2 {
        let world = stranded(2).await;
        world
            .rows
            .execute(
                "UPDATE orders SET stripe_checkout_session_id = NULL, stripe_checkout_url = NULL",
            )
            .await;
        let dry = world.relink(&["regen", "--all", "-o", "json"]).await;
        let dry: Value = serde_json::from_str(&dry.stdout).unwrap();
        digests.push(dry["digest"].as_str().unwrap().to_owned());
        let again = world.relink(&["regen", "--all", "-o", "json"]).await;
        assert!(
            again.stdout.contains(digests.last().unwrap()),
            "{}",
            again.stdout
        );
    }
    assert_ne!(digests[0], digests[1]);
}

#[tokio::test]
async fn all_guards_together_let_the_right_plan_through() {
    let world = stranded(3).await;
    let dry = world.relink(&["regen", "--all", "-o", "json"]).await;
    let dry: Value = serde_json::from_str(&dry.stdout).unwrap();
    let heard = dry["digest"]
        .as_str()
        .unwrap()
        .to_uppercase()
        .replace('-', "");
    let all = with(&[
        "--expect",
        &heard,
        "--expect-count",
        "3",
        "--max-orders",
        "3",
        "--max-amount",
        "165.00:USD",
        "--max-amount",
        "1:EUR",
    ]);
    let output = world.relink(&all).await;
    assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
    assert_eq!(world.writes().await.len(), 3);
}

#[tokio::test]
async fn a_list_that_changed_between_the_look_and_the_commit_is_not_carried_out() {
    let world = stranded(3).await;
    let dry = world.relink(&["regen", "--all", "-o", "json"]).await;
    let dry: Value = serde_json::from_str(&dry.stdout).unwrap();
    let digest = dry["digest"].as_str().unwrap().to_owned();
    world.rows.set(1002, "amount_cents", "6500").await;
    let output = world.relink(&with(&["--expect", &digest])).await;
    assert_eq!(output.code, Some(7), "{}{}", output.stdout, output.stderr);
    // What is not there any more is another list as well.
    world
        .rows
        .execute("UPDATE orders SET status = 'paid'")
        .await;
    let output = world.relink(&with(&["--expect", &digest])).await;
    assert_eq!(output.code, Some(7), "{}{}", output.stdout, output.stderr);
    assert_eq!(world.writes().await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_refusal_is_one_document_for_a_program() {
    let world = stranded(1).await;
    let output = world
        .relink(&with(&["--expect", "0000-0000", "-o", "json"]))
        .await;
    assert_eq!(output.code, Some(7));
    let document: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(document["error"]["code"], "stale");
    assert_eq!(document["exit_code"], 7);
}

#[tokio::test]
async fn values_that_make_no_sense_are_refused_before_anything_is_read() {
    let world = stranded(1).await;
    for (flag, value) in [
        ("--expect", "7f3a"),
        ("--expect-count", "-1"),
        ("--max-orders", "many"),
        ("--max-amount", "5000"),
        ("--max-amount", "50.00:XYZ"),
        ("--plan-max-age", "1w"),
    ] {
        let argument = format!("{flag}={value}");
        let output = world.relink(&with(&[&argument])).await;
        assert_eq!(output.code, Some(2), "{argument}: {}", output.stderr);
        assert!(output.stderr.contains(flag), "{}", output.stderr);
    }
    assert_eq!(world.requests().await, Vec::<Value>::new());
}

/// The table's text without its lines and breaks.
fn unwrapped(output: &Output) -> String {
    let is_text = |c: &char| !('\u{2500}'..='\u{257f}').contains(c);
    let text: String = output.stdout.chars().filter(is_text).collect();
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ")
}

/// A hold that only waits, or that a flag would release, says which flag and to what effect.
#[tokio::test]
async fn a_flag_that_would_matter_is_named_with_its_effect() {
    let world = World::on(Backend::Sqlite).await;
    world
        .order(pending(5500).behind(open_session().minutes_old(5)))
        .await;
    let wrong = active_link()
        .of(4500)
        .with(open_session().of(4500).minutes_old(5));
    world.order(pending(5500).behind(wrong)).await;
    let shown = unwrapped(&world.relink(&["regen", "--all"]).await);
    for said in [
        "`--min-age 0s` would not wait)",
        "`--allow-amount-change` would replace 45.00 USD by 55.00 USD",
    ] {
        assert!(shown.contains(said), "{said} is not in {shown}");
    }
    let allowed = ["regen", "--all", "--allow-amount-change"];
    let shown = unwrapped(&world.relink(&allowed).await);
    let said = "`--min-age 0s` would not wait for its open session to come of age";
    assert!(shown.contains(said), "{shown}");
    let dry = world
        .relink(&[
            "regen",
            "--all",
            "--allow-amount-change",
            "--min-age",
            "0s",
            "-o",
            "json",
        ])
        .await;
    let plan: Value = serde_json::from_str(&dry.stdout).unwrap();
    assert_eq!(plan["counts"]["replace"], json!(2), "{}", dry.stdout);
}

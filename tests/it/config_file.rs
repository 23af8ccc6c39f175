//! The configuration file through the real binary: which one is used, what it says, what wins over it, and what a
//! mistake in it is told as. Where secrets come from is `config_sources`.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support::serving::{SECRET, Serving, free_port};
use crate::support::world::*;

pub const KEY: (&str, &str) = ("STRIPE_API_KEY", "sk_test_worldcanary");
const COMMIT: [&str; 4] = ["regen", "--all", "--commit", "--yes"];

pub fn write(path: &Path, text: &str, mode: u32) -> String {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A file in a folder of its own.
pub struct File {
    pub path: String,
    pub home: tempfile::TempDir,
}

pub fn file(text: &str) -> File {
    file_with(text, 0o644)
}

pub fn file_with(text: &str, mode: u32) -> File {
    let home = tempfile::tempdir().unwrap();
    let path = write(&home.path().join("config.toml"), text, mode);
    File { path, home }
}

/// What `regen --all` says of this file. Nothing may be reached before the mistake is found.
pub fn refused(text: &str) -> String {
    let file = file(text);
    let database = ("DATABASE_URL", "sqlite:///nowhere/club.db");
    let output = run_binary(
        &["regen", "--all", "--config", &file.path],
        &[KEY, database],
    );
    assert_eq!(output.stdout, "");
    let shown = output.stderr.replace(&file.path, "FILE");
    assert!(
        !shown.contains("canary") && !shown.contains("hunter2"),
        "{shown}"
    );
    format!("exit {}\n{shown}", output.code.unwrap())
}

#[test]
fn an_unknown_key_is_an_error_that_names_the_nearest_one() {
    insta::assert_snapshot!(refused("currency = \"usd\"\nsucess_url = \"https://a.example\"\n"), @"
    exit 4
    error: `FILE`, line 2: unknown key `sucess_url`
    hint: did you mean `success_url`?
    ");
    insta::assert_snapshot!(refused("[limits]\nrps = 20\n\nmax_order = 5\n"), @"
    exit 4
    error: `FILE`, line 4: unknown key `limits.max_order`
    hint: did you mean `limits.max_orders`?
    ");
    insta::assert_snapshot!(refused("rps = 20\n"), @"
    exit 4
    error: `FILE`, line 1: unknown key `rps`
    hint: did you mean `limits.rps`?
    ");
    insta::assert_snapshot!(refused("[limit]\nrps = 20\n"), @"
    exit 4
    error: `FILE`, line 1: unknown key `limit`
    hint: did you mean `limits`?
    ");
    insta::assert_snapshot!(refused("[scope]\ncolour = \"red\"\n"), @"
    exit 4
    error: `FILE`, line 2: unknown key `scope.colour`
    hint: in [scope] there are categories
    ");
    insta::assert_snapshot!(refused("[connection]\nstripe_api_key = \"sk_live_canary\"\n"), @"
    exit 4
    error: `FILE`, line 2: unknown key `connection.stripe_api_key`
    hint: no secret stands in this file: `connection.stripe_key_file` names a file that holds the key
    ");
}

#[test]
fn a_value_that_cannot_be_used_is_an_error_that_names_line_and_key() {
    insta::assert_snapshot!(refused("\ncurrency = \"dollars\"\n"), @"
    exit 4
    error: `FILE`, line 2: `currency`: `dollars` is not a currency that Stripe knows (three lowercase letters, such as `usd`)
    hint: give it as `usd`
    ");
    insta::assert_snapshot!(refused("success_url = \"club.example.com\"\n"), @"
    exit 4
    error: `FILE`, line 1: `success_url`: it is not a URL: relative URL without a base
    hint: give it as `https://club.example.com/payment/success`
    ");
    insta::assert_snapshot!(refused("product_name = \"{product} on {host}\"\n"), @"
    exit 4
    error: `FILE`, line 1: `product_name`: there is no `{host}`, only {product}, {player}, {order}
    hint: docs/config.example.toml shows every key with its type
    ");
    insta::assert_snapshot!(refused("inactive_message = \" \"\n"), @"
    exit 4
    error: `FILE`, line 1: `inactive_message`: it is empty
    hint: docs/config.example.toml shows every key with its type
    ");
    insta::assert_snapshot!(refused("[scope]\ncategories = []\n"), @"
    exit 4
    error: `FILE`, line 2: `scope.categories`: it names no category: nothing would be in scope
    hint: docs/config.example.toml shows every key with its type
    ");
    insta::assert_snapshot!(refused("[limits]\nconcurrency = \"four\"\n"), @r#"
    exit 4
    error: `FILE`, line 2: `limits.concurrency`: expected a whole number
    hint: docs/config.example.toml shows every key with its type
    "#);
    insta::assert_snapshot!(refused("[limits]\nconcurrency = 257\n"), @"
    exit 4
    error: `FILE`, line 2: `limits.concurrency`: it is not between 1 and 256
    hint: 64 is the default
    ");
    insta::assert_snapshot!(refused("[limits]\nrps = 0\n"), @"
    exit 4
    error: `FILE`, line 2: `limits.rps`: 0 is allowed only with a Stripe API base of your own
    hint: give a positive number, or leave it out
    ");
    insta::assert_snapshot!(refused("[limits]\nmax_failures = 0\n"), @"
    exit 4
    error: `FILE`, line 2: `limits.max_failures`: it is not at least 1
    hint: docs/config.example.toml shows every key with its type
    ");
    insta::assert_snapshot!(refused("[limits]\nmin_age = \"a while\"\n"), @"
    exit 4
    error: `FILE`, line 2: `limits.min_age`: expected a duration such as `30m`, `2h` or `0s`
    hint: docs/config.example.toml shows every key with its type
    ");
    insta::assert_snapshot!(refused("[limits]\nmin_age = \"15\"\n"), @"
    exit 4
    error: `FILE`, line 2: `limits.min_age`: the unit is missing (s, m, h or d): `15m` is 15 minutes
    hint: docs/config.example.toml shows every key with its type
    ");
    insta::assert_snapshot!(refused("[limits]\nmax_amount = [\"5000\"]\n"), @"
    exit 4
    error: `FILE`, line 2: `limits.max_amount`: expected an amount with its currency, such as `5000.00:USD`
    hint: docs/config.example.toml shows every key with its type
    ");
    insta::assert_snapshot!(refused("[connection]\nstripe_account = \"ours\"\n"), @"
    exit 4
    error: `FILE`, line 2: `connection.stripe_account`: `ours` is not a usable Stripe id (`acct_` and letters, digits or underscores)
    hint: give it as `acct_…`
    ");
}

#[test]
fn what_is_no_toml_is_told_with_its_line_and_without_its_text() {
    let broken = "currency = \"usd\"\n[connection]\ndatabase_url = \"postgres://u:hunter2@h/d\n";
    insta::assert_snapshot!(refused(broken), @r#"
    exit 4
    error: `FILE`, line 3: invalid basic string, expected `"`
    hint: docs/config.example.toml shows every key with its type
    "#);
    insta::assert_snapshot!(refused("currency = \"usd\"\ncurrency = \"eur\"\n"), @"
    exit 4
    error: `FILE`, line 2: duplicate key
    hint: docs/config.example.toml shows every key with its type
    ");
    insta::assert_snapshot!(refused("[connection]\ndatabase_url = [\"postgres://u:hunter2@h/d\"]\n"), @"
    exit 4
    error: `FILE`, line 2: `connection.database_url`: expected a string
    hint: docs/config.example.toml shows every key with its type
    ");
    // A password in the wrong place is nobody's to read.
    insta::assert_snapshot!(refused("connection = \"postgres://u:hunter2@h/d\"\n"), @"
    exit 4
    error: `FILE`, line 1: `connection`: expected a table
    hint: docs/config.example.toml shows every key with its type
    ");
    insta::assert_snapshot!(refused("[limits]\nconcurrency = \"postgres://u:hunter2@h/d\"\n"), @"
    exit 4
    error: `FILE`, line 2: `limits.concurrency`: expected a whole number
    hint: docs/config.example.toml shows every key with its type
    ");
    let misplaced = refused("currency = \"postgres://u:hunter2@h/d\"\n");
    assert!(!misplaced.contains("hunter2"), "{misplaced}");
}

#[test]
fn a_named_file_must_be_there() {
    for (args, environment) in [
        (&["regen", "--all", "--config", "/nowhere/a.toml"][..], None),
        (
            &["regen", "--all"],
            Some(("RELINK_CONFIG", "/nowhere/a.toml")),
        ),
    ] {
        let environment: Vec<_> = environment.into_iter().chain([KEY]).collect();
        let output = run_binary(args, &environment);
        assert_eq!(output.code, Some(4), "{}", output.stderr);
        assert!(
            output
                .stderr
                .contains("there is no configuration file `/nowhere/a.toml`"),
            "{}",
            output.stderr
        );
    }
}

#[test]
fn the_first_file_that_there_is_is_used_and_no_other() {
    let home = tempfile::tempdir().unwrap();
    let place = |name: &str| home.path().join(name);
    let wrong = |name: &str| write(&place(name), "wrong = 1\n", 0o644);
    let named = wrong("named.toml");
    let of_variable = wrong("variable.toml");
    let of_xdg = wrong("xdg/relink/config.toml");
    let of_home = wrong(".config/relink/config.toml");
    let xdg = place("xdg").display().to_string();
    let nothing = place("nothing").display().to_string();
    let own = home.path().to_str().unwrap();
    let used = |args: &[&str], environment: &[(&str, &str)]| {
        let mut all = vec![KEY, ("HOME", own)];
        all.extend(environment);
        let mut words = vec!["regen", "--all"];
        words.extend(args);
        let output = run_binary(&words, &all);
        assert_eq!(output.code, Some(4), "{}", output.stderr);
        output.stderr
    };
    let variable = ("RELINK_CONFIG", of_variable.as_str());
    let folder = ("XDG_CONFIG_HOME", xdg.as_str());
    let first = used(&["--config", &named], &[variable, folder]);
    assert!(first.contains(&named), "{first}");
    let second = used(&[], &[variable, folder]);
    assert!(second.contains(&of_variable), "{second}");
    let third = used(&[], &[folder]);
    assert!(third.contains(&of_xdg), "{third}");
    let fourth = used(&[], &[]);
    assert!(fourth.contains(&of_home), "{fourth}");
    // The folder that is named stands for ~/.config, and nothing is in it.
    let none = used(&[], &[("XDG_CONFIG_HOME", nothing.as_str())]);
    assert!(none.contains("no database"), "{none}");
}

#[tokio::test]
async fn a_link_says_what_the_file_says_and_a_flag_and_the_environment_win_over_it() {
    let world = World::on(Backend::Sqlite).await;
    let file = file(
        "success_url = \"https://file.example/thanks\"\ninactive_message = \"Closed.\"\n\
         product_name = \"{product} ({order})\"\n",
    );
    let variable = ("RELINK_SUCCESS_URL", "https://variable.example/thanks");
    let flag = ["--success-url", "https://flag.example/thanks"];
    let cases = [
        (&flag[..], &[variable][..], "https://flag.example/thanks"),
        (&[], &[variable], "https://variable.example/thanks"),
        (&[], &[], "https://file.example/thanks"),
    ];
    for (args, environment, expected) in cases {
        let order = world.order(pending(5500).behind(expired_session())).await;
        let mut words = COMMIT.to_vec();
        words.extend(["--config", &file.path]);
        words.extend(args);
        let output = world.relink_with(&words, environment).await;
        assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
        let link = world.link(order).await;
        assert_eq!(link["after_completion"]["redirect"]["url"], expected);
        assert_eq!(link["inactive_message"], "Closed.");
        let name = link.to_string();
        assert!(name.contains(&format!("({order})\"")), "{name}");
    }
}

#[tokio::test]
async fn the_scope_is_what_the_file_says_for_the_plan_and_for_the_receiver() {
    let world = World::on(Backend::Sqlite).await;
    let order = world.order(pending(5500).behind(expired_session())).await;
    world
        .rows
        .execute("UPDATE products SET category = 'jersey'")
        .await;
    let id = order.to_string();
    let verdict = async |args: &[&str]| {
        let mut words = vec!["inspect", "--order-id", &id, "-o", "json"];
        words.extend(args);
        let output = world.relink(&words).await;
        assert_eq!(output.code, Some(0), "{}", output.stderr);
        let shown: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
        shown["verdict"]
            .as_str()
            .unwrap_or(&output.stdout)
            .to_owned()
    };
    assert_eq!(verdict(&[]).await, "out_of_scope");
    let file = file("[scope]\ncategories = [\"tournament\", \"jersey\"]\n");
    assert_eq!(verdict(&["--config", &file.path]).await, "dead");
    let variable = ("RELINK_CONFIG", file.path.as_str());
    let done = world.relink_with(&COMMIT, &[variable]).await;
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let link = world.row(order.0).await.reference.unwrap();
    let serving = Serving::on(&world, free_port(), &[variable]).await;
    world.send_webhooks(&serving.url(), SECRET).await;
    world.pay(&link).await;
    world.deliveries().await;
    assert_eq!(world.row(order.0).await.status, "paid");
    serving.stop().await;
}

#[tokio::test]
async fn a_saved_plan_is_not_committed_under_another_scope() {
    let world = World::on(Backend::Sqlite).await;
    world.order(pending(5500).behind(expired_session())).await;
    let wide = file("[scope]\ncategories = [\"tournament\", \"jersey\"]\n");
    let plan = wide.home.path().join("plan.json").display().to_string();
    let made = world
        .relink(&[
            "regen",
            "--all",
            "--plan-out",
            &plan,
            "--config",
            &wide.path,
        ])
        .await;
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let before = world.listing().await;
    let committed = world
        .relink(&["regen", "--plan", &plan, "--commit", "--yes"])
        .await;
    assert_eq!(committed.code, Some(4), "{}", committed.stderr);
    assert!(
        committed.stderr.contains("those in scope are tournament"),
        "{}",
        committed.stderr
    );
    assert_eq!(world.listing().await, before);
}

#[tokio::test]
async fn a_limit_of_the_file_holds_until_a_flag_gives_another() {
    let world = World::on(Backend::Sqlite).await;
    for _ in 0..2 {
        world.order(pending(5500).behind(expired_session())).await;
    }
    let before = world.listing().await;
    let cases = [
        (
            "max_orders = 1",
            "the plan touches 2, and `limits.max_orders` of the configuration file says 1",
            ["--max-orders", "2"],
        ),
        (
            "max_amount = [\"100.00:USD\"]",
            "`limits.max_amount` of the configuration file says 100.00 USD",
            ["--max-amount", "110.00:USD"],
        ),
    ];
    for (limit, said, flag) in cases {
        let file = file(&format!("[limits]\n{limit}\n"));
        let mut words = COMMIT.to_vec();
        words.extend(["--config", &file.path]);
        let refused = world.relink(&words).await;
        assert_eq!(refused.code, Some(6), "{}", refused.stderr);
        assert!(refused.stderr.contains(said), "{}", refused.stderr);
        assert_eq!(world.listing().await, before);
        words.retain(|word| *word != "--commit");
        words.extend(flag);
        assert_eq!(world.relink(&words).await.code, Some(0));
    }
    let file = file("[limits]\nmax_orders = 1\n");
    let mut words = COMMIT.to_vec();
    words.extend(["--config", &file.path, "--max-orders", "2"]);
    let done = world.relink(&words).await;
    assert_eq!(done.code, Some(0), "{}", done.stderr);
}

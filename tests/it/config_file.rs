//! The configuration file through the real binary: which one is used, what it says, what wins over it, and what a
//! mistake in it is told as. None of it repeats a secret.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::support::serving::{SECRET, Serving, free_port};
use crate::support::world::*;

const KEY: (&str, &str) = ("STRIPE_API_KEY", "sk_test_worldcanary");
const COMMIT: [&str; 4] = ["regen", "--all", "--commit", "--yes"];

fn write(path: &Path, text: &str, mode: u32) -> String {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A file in a folder of its own.
struct File {
    path: String,
    home: tempfile::TempDir,
}

fn file(text: &str) -> File {
    file_with(text, 0o644)
}

fn file_with(text: &str, mode: u32) -> File {
    let home = tempfile::tempdir().unwrap();
    let path = write(&home.path().join("config.toml"), text, mode);
    File { path, home }
}

/// What `regen --all` says of this file. Nothing may be reached before the mistake is found.
fn refused(text: &str) -> String {
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
    error: `FILE`, line 2: `limits.concurrency`: invalid type: string "four", expected u16
    hint: docs/config.example.toml shows every key with its type
    "#);
    insta::assert_snapshot!(refused("[limits]\nconcurrency = 65\n"), @"
    exit 4
    error: `FILE`, line 2: `limits.concurrency`: it is not between 1 and 64
    hint: 4 is the default
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
    error: `FILE`, line 2: `connection.database_url`: invalid type: sequence, expected a string
    hint: docs/config.example.toml shows every key with its type
    ");
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

/// Without `DATABASE_URL` and the key in the environment.
fn run_without(world: &World, args: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = world.command(args);
    command
        .env_remove("DATABASE_URL")
        .env_remove("STRIPE_API_KEY");
    command.envs(environment.iter().copied());
    Running::start(command).wait()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_url_stands_in_a_private_file_only() {
    let world = World::on(Backend::Sqlite).await;
    let text = format!(
        "[connection]\ndatabase_url = \"{}\"\n",
        world.database_url()
    );
    let run = |file: &File| {
        run_without(
            &world,
            &["inspect", "--all", "--config", &file.path],
            &[KEY],
        )
    };
    let open = file(&text);
    let refused = run(&open);
    assert_eq!(refused.code, Some(4));
    let shown = refused.stderr.replace(&open.path, "FILE");
    insta::assert_snapshot!(shown, @"
    error: `FILE` holds a database URL and is open to everybody on this host
    hint: chmod 600 FILE
    ");
    let private = file_with(&text, 0o600);
    let done = run(&private);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_comes_from_any_of_its_places_and_two_different_ones_are_an_error() {
    let world = World::on(Backend::Sqlite).await;
    let database = ("DATABASE_URL", world.database_url());
    let home = tempfile::tempdir().unwrap();
    let key_file =
        |name: &str, key: &str| write(&home.path().join(name), &format!("{key}\n"), 0o600);
    let (ours, other) = ("sk_test_worldcanary", "sk_test_othercanary");
    let flag_file = key_file("flag.key", ours);
    key_file("file.key", ours);
    let credentials = PathBuf::from(key_file("credentials/stripe_api_key", ours));
    let credentials = credentials.parent().unwrap().to_str().unwrap();
    // From the folder of the file that names it.
    let config = write(
        &home.path().join("config.toml"),
        "[connection]\nstripe_key_file = \"file.key\"\n",
        0o644,
    );
    let variable = ("STRIPE_API_KEY", ours);
    let folder = ("CREDENTIALS_DIRECTORY", credentials);
    let (flag, file) = (["--stripe-key-file", &flag_file], ["--config", &config]);
    let run = |args: &[&str], environment: &[(&str, &str)]| {
        let mut words = vec!["inspect", "--all"];
        words.extend(args);
        let mut all = vec![database];
        all.extend(environment);
        let output = run_without(&world, &words, &all);
        assert!(!output.stderr.contains("canary"), "{}", output.stderr);
        output
    };
    let all = [flag, file].concat();
    for (args, environment) in [
        (&[][..], &[variable][..]),
        (&flag, &[]),
        (&file, &[]),
        (&[], &[folder]),
        (&all, &[variable, folder]),
    ] {
        let output = run(args, environment);
        assert_eq!(output.code, Some(0), "{args:?}: {}", output.stderr);
    }
    let none = run(&[], &[]);
    assert_eq!(none.code, Some(4));
    let differ = |args: &[&str], environment: &[(&str, &str)], said: &str| {
        let output = run(args, environment);
        assert_eq!(output.code, Some(4), "{}", output.stderr);
        assert!(
            output
                .stderr
                .contains(&format!("{said} hold two different keys")),
            "{}",
            output.stderr
        );
    };
    let in_file = "`connection.stripe_key_file` of the configuration file";
    let another = ("STRIPE_API_KEY", other);
    differ(&file, &[another], &format!("STRIPE_API_KEY and {in_file}"));
    differ(
        &[],
        &[another, folder],
        "STRIPE_API_KEY and the credential stripe_api_key",
    );
    key_file("file.key", other);
    differ(&all, &[], &format!("--stripe-key-file and {in_file}"));
    differ(
        &file,
        &[folder],
        &format!("{in_file} and the credential stripe_api_key"),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_is_read_where_the_environment_says_nothing_and_only_if_it_is_private() {
    let world = World::on(Backend::Sqlite).await;
    let home = tempfile::tempdir().unwrap();
    write(
        &home.path().join("database_url"),
        world.database_url(),
        0o600,
    );
    write(&home.path().join("stripe_api_key"), "sk_test_world", 0o600);
    let folder = ("CREDENTIALS_DIRECTORY", home.path().to_str().unwrap());
    let done = run_without(&world, &["inspect", "--all"], &[folder]);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let elsewhere = ("DATABASE_URL", "sqlite:///nowhere/club.db");
    let environment = run_without(&world, &["inspect", "--all"], &[folder, elsewhere]);
    assert!(
        environment.stderr.contains("/nowhere/club.db"),
        "{}",
        environment.stderr
    );
    write(&home.path().join("stripe_api_key"), "sk_test_world", 0o604);
    let open = run_without(&world, &["inspect", "--all"], &[folder]);
    assert_eq!(open.code, Some(4));
    assert!(
        open.stderr.contains("is open to everybody"),
        "{}",
        open.stderr
    );
}

#[test]
fn the_receivers_secret_is_a_credential_too_and_never_in_two_places() {
    let home = tempfile::tempdir().unwrap();
    write(
        &home.path().join("stripe_webhook_secret"),
        "whsec_canary",
        0o600,
    );
    let folder = ("CREDENTIALS_DIRECTORY", home.path().to_str().unwrap());
    let serve = |environment: &[(&str, &str)]| {
        let output = run_binary(&["webhook", "serve", "--commit"], environment);
        assert!(!output.stderr.contains("canary"), "{}", output.stderr);
        output.stderr
    };
    // The secret was found: the key is looked for next.
    assert!(serve(&[folder]).contains("no Stripe key"));
    assert!(serve(&[]).contains("no secret that signs events"));
    let both = serve(&[folder, ("STRIPE_WEBHOOK_SECRET", "whsec_canary")]);
    assert!(
        both.contains(
            "STRIPE_WEBHOOK_SECRET and the credential stripe_webhook_secret are both given"
        ),
        "{both}"
    );
}

#[test]
fn the_sandbox_does_not_use_the_files_connection() {
    let file = file_with(
        "[connection]\ndatabase_url = \"sqlite:///nowhere\"\nstripe_key_file = \"/nowhere\"\nstripe_account = \"acct_9\"\n\
         [schema.tables]\norders = \"shop_orders\"\n",
        0o600,
    );
    let place = format!("--sandbox={}", file.home.path().join("sandbox").display());
    let output = run_binary(&["inspect", "--all", &place, "--config", &file.path], &[]);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    let shown = run_binary(&["doctor", &place, "--config", &file.path], &[]);
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    for word in ["acct_9", "shop_orders", "/nowhere"] {
        assert!(!shown.stdout.contains(word), "{}", shown.stdout);
    }
    for section in ["[connection]", "[schema]"] {
        let said = format!("{section} of the file is not used");
        assert!(shown.stdout.contains(&said), "{}", shown.stdout);
    }
}

#[test]
fn a_suggested_command_names_the_file_that_was_named() {
    let file = file("currency = \"usd\"\n");
    let place = format!("--sandbox={}", file.home.path().join("sandbox").display());
    let output = run_binary(
        &[
            "inspect",
            "--order-id",
            "207",
            &place,
            "--config",
            &file.path,
        ],
        &[],
    );
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    let next = format!("relink regen --order-id 207 --config {}", file.path);
    assert!(output.stdout.contains(&next), "{}", output.stdout);
}

#[test]
fn doctor_shows_every_setting_with_its_source_and_no_secret() {
    let file = file_with(
        "currency = \"eur\"\ninactive_message = \"Closed.\"\n\n[limits]\nmax_amount = [\"5000.00:EUR\"]\nmin_age = \"90s\"\n\n\
         [connection]\nstripe_account = \"acct_1Connected\"\n[schema.status]\npending = \"open\"\n",
        0o644,
    );
    let home = file.home.path();
    write(&home.join("stripe_api_key"), "sk_test_canary", 0o600);
    let database = home.join("club.db");
    write(&database, "", 0o600);
    let url = format!("sqlite://{}", database.display());
    let environment = [
        ("STRIPE_API_KEY", "sk_test_canary"),
        ("DATABASE_URL", url.as_str()),
        ("STRIPE_WEBHOOK_SECRET", "whsec_canary"),
        ("RELINK_SUCCESS_URL", "https://variable.example"),
        ("CREDENTIALS_DIRECTORY", home.to_str().unwrap()),
    ];
    let show = |args: &[&str]| {
        let mut words = vec!["doctor", "--config", &file.path];
        words.extend(args);
        let output = run_binary(&words, &environment);
        assert_eq!(output.code, Some(0), "{}", output.stderr);
        assert!(!output.stdout.contains("canary"), "{}", output.stdout);
        output.stdout.replace(home.to_str().unwrap(), "DIR")
    };
    insta::assert_snapshot!(squeezed(&show(&["--rps", "5"])), @"
    │ setting ┆ value ┆ source │
    │ success_url ┆ https://variable.example ┆ RELINK_SUCCESS_URL │
    │ currency ┆ eur ┆ DIR/config.toml, line 1 │
    │ inactive_message ┆ Closed. ┆ DIR/config.toml, line 2 │
    │ product_name ┆ {product} - {player} ┆ default │
    │ scope.categories ┆ tournament ┆ default │
    │ limits.concurrency ┆ 4 ┆ default │
    │ limits.rps ┆ 5 ┆ --rps │
    │ limits.max_orders ┆ — ┆ default │
    │ limits.max_amount ┆ 5000.00:EUR ┆ DIR/config.toml, line 5 │
    │ limits.max_failures ┆ 5 ┆ default │
    │ limits.min_age ┆ 90s ┆ DIR/config.toml, line 6 │
    │ limits.plan_max_age ┆ 24h ┆ default │
    │ connection.database_url ┆ sqlite DIR/club.db ┆ DATABASE_URL │
    │ connection.stripe_key ┆ sk_test_… ┆ STRIPE_API_KEY, the credential stripe_api_key │
    │ connection.stripe_account ┆ acct_1Connected ┆ DIR/config.toml, line 9 │
    │ stripe_api_base ┆ — ┆ default │
    │ stripe_webhook_secret ┆ set ┆ STRIPE_WEBHOOK_SECRET │
    configuration file: DIR/config.toml
    ");
    let document: serde_json::Value = serde_json::from_str(&show(&["-o", "json"])).unwrap();
    assert_eq!(document["schema"], "relink.settings/1");
    assert_eq!(document["file"], "DIR/config.toml");
    let settings = document["settings"].as_array().unwrap();
    let of = |key: &str| settings.iter().find(|it| it["key"] == key).unwrap();
    assert_eq!(of("currency")["from"], "DIR/config.toml, line 1");
    assert_eq!(of("currency")["source"], "file");
    assert_eq!(of("schema.status.pending")["value"], "open");
    assert_eq!(
        of("schema.status.pending")["from"],
        "DIR/config.toml, line 11"
    );
    assert_eq!(of("schema.columns.orders.paid_at")["value"], "paid_at");
    assert_eq!(of("schema.columns.orders.paid_at")["source"], "default");
    assert_eq!(of("limits.rps")["value"], serde_json::Value::Null);
    assert_eq!(of("connection.stripe_key")["value"], "sk_test_…");
}

#[test]
fn doctor_says_which_setting_cannot_be_used_and_which_the_sandbox_leaves_out() {
    let file = file("[connection]\nstripe_key_file = \"no.key\"\n");
    let output = run_binary(&["doctor", "--config", &file.path], &[]);
    assert_eq!(output.code, Some(4), "{}", output.stderr);
    assert!(
        output.stdout.contains("no.key` cannot be read"),
        "{}",
        output.stdout
    );
    let output = run_binary(&["doctor", "--sandbox", "--config", &file.path], &[]);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert!(
        output
            .stdout
            .contains("[connection] of the file is not used with --sandbox"),
        "{}",
        output.stdout
    );
    let home = file.home.path().to_str().unwrap();
    let none = run_binary(&["doctor", "--config"], &[("HOME", home)]);
    assert_eq!(none.code, Some(0), "{}", none.stderr);
    assert!(
        none.stdout.ends_with("configuration file: none\n"),
        "{}",
        none.stdout
    );
    let other = run_binary(&["inspect", "--all", "--config"], &[KEY]);
    assert_eq!(other.code, Some(2), "{}", other.stderr);
}

/// Without what depends on the width of a path.
fn squeezed(table: &str) -> String {
    let rows = table
        .lines()
        .filter(|line| !line.starts_with(['┌', '╞', '└']) && !line.starts_with("│ schema."));
    let words = rows.map(|row| row.split_whitespace().collect::<Vec<_>>().join(" "));
    words.collect::<Vec<_>>().join("\n")
}

/// What the example says is what holds without it.
#[test]
fn the_example_says_the_defaults() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/config.example.toml");
    let values = |args: &[&str]| {
        let mut words = vec!["doctor", "-o", "json", "--config"];
        words.extend(args);
        let output = run_binary(&words, &[]);
        assert_eq!(output.code, Some(0), "{}", output.stderr);
        let shown: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
        let settings = shown["settings"].as_array().unwrap();
        let value = |it: &serde_json::Value| (it["key"].clone(), it["value"].clone());
        settings.iter().map(value).collect::<Vec<_>>()
    };
    assert_eq!(values(&[example]), values(&[]));
}

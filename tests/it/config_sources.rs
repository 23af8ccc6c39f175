//! Where the secrets of the connection come from, and every setting with its source: a key in two places must be the same,
//! a file with a password must be private, and no secret is shown.

use std::path::PathBuf;

use crate::config_file::{File, KEY, file, file_with, write};
use crate::support::world::*;

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
    // Named by a flag as well, as a unit may do, it is the same one.
    let same = serve(&[folder, ("STRIPE_WEBHOOK_SECRET", "whsec_canary")]);
    assert!(same.contains("no Stripe key"), "{same}");
    let other = serve(&[folder, ("STRIPE_WEBHOOK_SECRET", "whsec_canary2")]);
    assert!(
        other.contains(
            "STRIPE_WEBHOOK_SECRET and the credential stripe_webhook_secret hold different secrets"
        ),
        "{other}"
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
    │ limits.concurrency ┆ 64 ┆ default │
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

/// Scripts and unit files take a variable back by emptying it.
#[test]
fn an_empty_variable_is_as_one_that_is_not_set() {
    let file = file(
        "success_url = \"https://file.example\"\n[connection]\nstripe_key_file = \"club.key\"\n",
    );
    let home = file.home.path();
    write(&home.join("club.key"), "sk_test_canary", 0o600);
    let empty = [
        "DATABASE_URL",
        "STRIPE_API_KEY",
        "STRIPE_API_BASE",
        "STRIPE_WEBHOOK_SECRET",
        "RELINK_SUCCESS_URL",
        "CREDENTIALS_DIRECTORY",
    ];
    let empty = empty.map(|name| (name, ""));
    let output = run_binary(&["doctor", "--config", &file.path], &empty);
    assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
    let shown = squeezed(&output.stdout.replace(home.to_str().unwrap(), "DIR"));
    for line in [
        "│ success_url ┆ https://file.example ┆ DIR/config.toml, line 1 │",
        "│ connection.database_url ┆ — ┆ default │",
        "│ connection.stripe_key ┆ sk_test_… ┆ `connection.stripe_key_file` of the configuration file │",
        "│ stripe_api_base ┆ — ┆ default │",
        "│ stripe_webhook_secret ┆ — ┆ default │",
    ] {
        assert!(shown.contains(line), "{line}\nin\n{shown}");
    }
    let folder = format!("--sandbox={}", home.join("sandbox").display());
    let rehearsed = run_binary(&["inspect", "--order-id", "207", &folder], &empty);
    assert_eq!(rehearsed.code, Some(0), "{}", rehearsed.stderr);
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

/// What shows only together with the key or the address is wrong here as well, before a command finds out.
#[test]
fn a_rate_or_an_address_that_no_command_would_take_is_marked_in_the_listing() {
    let of = |text: &str, more: &[&str], environment: &[(&str, &str)]| {
        let file = file_with(text, 0o600);
        let args = [&["doctor", "--config", &file.path][..], more].concat();
        run_binary(&args, environment).code
    };
    assert_eq!(of("", &[], &[]), Some(0));
    assert_eq!(of("[limits]\nrps = 20\n", &[], &[]), Some(0));
    assert_eq!(of("[limits]\nrps = 5000\n", &[], &[]), Some(4));
    assert_eq!(of("", &["--rps", "0"], &[]), Some(4));
    assert_eq!(of("", &[], &[("STRIPE_API_BASE", "nowhere")]), Some(4));
    let live = ("STRIPE_API_KEY", "sk_live_canary");
    assert_eq!(
        of(
            "",
            &["--live"],
            &[live, ("STRIPE_API_BASE", "http://127.0.0.1:1")]
        ),
        Some(4)
    );
}

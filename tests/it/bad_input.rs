//! Bad input through the real binary: each mistake has its exit code and a message that says what is wrong,
//! where, and what to do. None of it writes, and none of it repeats a secret.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::support::world::{Running, run_binary};

const KEY: (&str, &str) = ("STRIPE_API_KEY", "sk_test_worldcanary");

/// Runs without a world: nothing may be reached before the mistake is found.
fn refuse(args: &[&str], environment: &[(&str, &str)]) -> String {
    let output = run_binary(args, environment);
    assert_eq!(output.stdout, "", "nothing belongs on stdout");
    let canaries = ["canary", "hunter2"];
    for canary in canaries {
        assert!(
            !output.stderr.contains(canary),
            "a secret is in: {}",
            output.stderr
        );
    }
    format!("exit {}\n{}", output.code.unwrap(), output.stderr)
}

#[test]
fn without_a_selector_nothing_is_selected() {
    insta::assert_snapshot!(refuse(&["regen"], &[KEY]), @"
    exit 2
    error: the following required arguments were not provided:
      <--tournament-id <N>|--order-id <N>|--all|--plan <FILE>>

    Usage: relink regen <--tournament-id <N>|--order-id <N>|--all|--plan <FILE>>

    For more information, try '--help'.
    ");
}

#[test]
fn two_selectors_are_refused() {
    insta::assert_snapshot!(refuse(&["regen", "--all", "--tournament-id", "2"], &[KEY]), @"
    exit 2
    error: the argument '--all' cannot be used with '--tournament-id <N>'

    Usage: relink regen <--tournament-id <N>|--order-id <N>|--all|--plan <FILE>>

    For more information, try '--help'.
    ");
}

#[test]
fn ids_are_positive_numbers() {
    insta::assert_snapshot!(refuse(&["regen", "--tournament-id", "two"], &[KEY]), @r#"
    exit 2
    error: invalid value 'two' for '--tournament-id <N>': invalid digit found in string

    For more information, try '--help'.
    "#);
    insta::assert_snapshot!(refuse(&["regen", "--order-id", "-5"], &[KEY]), @r#"
    exit 2
    error: invalid value '-5' for '--order-id <N>': -5 is not in 1..9223372036854775807

    For more information, try '--help'.
    "#);
    insta::assert_snapshot!(refuse(&["inspect", "--order-id", "0"], &[KEY]), @r#"
    exit 2
    error: invalid value '0' for '--order-id <N>': 0 is not in 1..9223372036854775807

    For more information, try '--help'.
    "#);
    insta::assert_snapshot!(refuse(&["inspect", "--order-id", "1; DROP TABLE orders"], &[KEY]), @r#"
    exit 2
    error: invalid value '1; DROP TABLE orders' for '--order-id <N>': invalid digit found in string

    For more information, try '--help'.
    "#);
    insta::assert_snapshot!(refuse(&["inspect", "--order-id", "99999999999999999999"], &[KEY]), @r#"
    exit 2
    error: invalid value '99999999999999999999' for '--order-id <N>': number too large to fit in target type

    For more information, try '--help'.
    "#);
}

#[test]
fn a_verdict_must_exist() {
    insta::assert_snapshot!(refuse(&["inspect", "--all", "--verdict", "ded"], &[KEY]), @r#"
    exit 2
    error: invalid value 'ded' for '--verdict <VERDICT>'
      [possible values: out_of_scope, unobserved, in_doubt, missing, unknown_object, foreign, overpaid, paid_unrecorded, processing, recoverable, leaked, settled, invalid_order, duplicate, unowned, wrong, dying, withdrawn, dead, healthy]

      tip: a similar value exists: 'dead'

    For more information, try '--help'.
    "#);
}

#[test]
fn flags_that_release_one_order_need_that_order() {
    insta::assert_snapshot!(refuse(&["regen", "--all", "--missing-is-dead"], &[KEY]), @r#"
    exit 2
    error: --missing-is-dead is only for orders named one by one
    hint: add --order-id N for each order that is meant, in place of the other selector
    "#);
    insta::assert_snapshot!(refuse(&["regen", "--tournament-id", "2", "--adopt-unowned"], &[KEY]), @r#"
    exit 2
    error: --adopt-unowned is only for orders named one by one
    hint: add --order-id N for each order that is meant, in place of the other selector
    "#);
}

#[test]
fn the_key_is_looked_at_before_anything_is_opened() {
    let with = |key: &str| refuse(&["regen", "--all"], &[("STRIPE_API_KEY", key)]);
    insta::assert_snapshot!(refuse(&["regen", "--all"], &[]), @r#"
    exit 4
    error: no Stripe key
    hint: set STRIPE_API_KEY, or --stripe-key-file FILE, to a secret or restricted key (sk_test_…, rk_test_…, sk_live_…, rk_live_…)
    "#);
    insta::assert_snapshot!(with(""), @r#"
    exit 4
    error: no Stripe key
    hint: set STRIPE_API_KEY, or --stripe-key-file FILE, to a secret or restricted key (sk_test_…, rk_test_…, sk_live_…, rk_live_…)
    "#);
    insta::assert_snapshot!(with("canary"), @r#"
    exit 4
    error: the Stripe key is malformed: it begins with none of sk_test_, rk_test_, sk_live_, rk_live_
    hint: set STRIPE_API_KEY, or --stripe-key-file FILE, to a secret or restricted key (sk_test_…, rk_test_…, sk_live_…, rk_live_…)
    "#);
    insta::assert_snapshot!(with("sk_test_can ary"), @r#"
    exit 4
    error: the Stripe key is malformed: after its prefix only letters, digits and `_` may follow (is there a space or a line break in it?)
    hint: set STRIPE_API_KEY, or --stripe-key-file FILE, to a secret or restricted key (sk_test_…, rk_test_…, sk_live_…, rk_live_…)
    "#);
    insta::assert_snapshot!(with("pk_test_canary"), @r#"
    exit 4
    error: the Stripe key is a publishable one (`pk_…`): it can neither read nor write orders' objects
    hint: set STRIPE_API_KEY, or --stripe-key-file FILE, to a secret or restricted key (sk_test_…, rk_test_…, sk_live_…, rk_live_…)
    "#);
    insta::assert_snapshot!(with("sk_live_canary"), @r#"
    exit 4
    error: this is a live key, and --live was not given
    hint: add --live if real money is meant, or use a test key
    "#);
}

#[test]
fn live_mode_must_be_meant_by_both_the_flag_and_the_key() {
    insta::assert_snapshot!(refuse(&["regen", "--all", "--live"], &[KEY]), @r#"
    exit 4
    error: --live was given with a test key
    hint: leave --live out, or use the live key
    "#);
    let live = ("STRIPE_API_KEY", "sk_live_canary");
    let base = ("STRIPE_API_BASE", "http://127.0.0.1:1");
    insta::assert_snapshot!(refuse(&["regen", "--all", "--live"], &[live, base]), @r#"
    exit 4
    error: another Stripe API base is refused with a live key
    hint: unset STRIPE_API_BASE, or use a test key
    "#);
}

#[test]
fn a_key_on_the_command_line_is_no_key_and_is_not_repeated() {
    insta::assert_snapshot!(refuse(&["regen", "--all", "--stripe-key", "sk_live_canary"], &[]), @"
    exit 2
    error: unexpected argument '--stripe-key' found

      tip: a similar argument exists: '--stripe-key-file'

    Usage: relink regen --stripe-key-file <FILE> <--tournament-id <N>|--order-id <N>|--all|--plan <FILE>>

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(refuse(&["retire", "sk_live_canary"], &[KEY]), @r#"
    exit 2
    error: `sk_live_…` is neither a checkout session nor a payment link
    hint: give ids that begin with cs_ or plink_
    "#);
}

#[test]
fn a_password_in_an_argument_is_warned_of_and_not_repeated() {
    let warned = |url: &str, variable: &str| {
        let output = run_binary(
            &["journal", "list", "--database-url", url],
            &[("DATABASE_URL", variable)],
        );
        let said = format!("{}{}", output.stdout, output.stderr);
        assert_eq!(output.code, Some(9), "{said}");
        assert!(!said.contains("canary"), "{said}");
        said.contains("warning: the password in --database-url is shown to every user of this host")
    };
    assert!(warned(
        "postgres://ops:canary@127.0.0.1:1/club",
        "sqlite:///x"
    ));
    assert!(warned(
        "postgres://ops@127.0.0.1:1/club?password=canary",
        "sqlite:///x"
    ));
    assert!(!warned("postgres://ops@127.0.0.1:1/club", "sqlite:///x"));
    // The variable's is nobody's to see.
    let output = run_binary(
        &["journal", "list"],
        &[("DATABASE_URL", "postgres://ops:canary@127.0.0.1:1/club")],
    );
    assert!(
        !output.stderr.contains("is shown to every user"),
        "{}",
        output.stderr
    );
}

#[test]
fn a_key_file_must_be_readable_by_us_and_by_nobody_else() {
    let dir = tempfile::tempdir().unwrap();
    let shown = |path: &std::path::Path| {
        let text = refuse(
            &[
                "regen",
                "--all",
                "--stripe-key-file",
                path.to_str().unwrap(),
            ],
            &[],
        );
        text.replace(dir.path().to_str().unwrap(), "DIR")
    };
    let open = dir.path().join("open.key");
    std::fs::write(&open, "sk_test_canary\n").unwrap();
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o644)).unwrap();
    insta::assert_snapshot!(shown(&open), @r#"
    exit 4
    error: key file `DIR/open.key` is open to everybody on this host
    hint: chmod 600 DIR/open.key
    "#);
    insta::assert_snapshot!(shown(&dir.path().join("absent.key")), @r#"
    exit 4
    error: key file `DIR/absent.key` cannot be read: No such file or directory (os error 2)
    hint: give --stripe-key-file a readable file that holds the key alone
    "#);
    insta::assert_snapshot!(shown(dir.path()), @r#"
    exit 4
    error: key file `DIR` cannot be read: it is not a regular file
    hint: give --stripe-key-file a readable file that holds the key alone
    "#);
    let empty = dir.path().join("empty.key");
    std::fs::write(&empty, "\n").unwrap();
    std::fs::set_permissions(&empty, std::fs::Permissions::from_mode(0o600)).unwrap();
    insta::assert_snapshot!(shown(&empty), @r#"
    exit 4
    error: the Stripe key is empty
    hint: set STRIPE_API_KEY, or --stripe-key-file FILE, to a secret or restricted key (sk_test_…, rk_test_…, sk_live_…, rk_live_…)
    "#);
}

#[test]
fn two_different_keys_are_an_error_not_a_guess() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("key");
    std::fs::write(&file, "sk_test_othercanary").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let args = [
        "regen",
        "--all",
        "--stripe-key-file",
        file.to_str().unwrap(),
    ];
    insta::assert_snapshot!(refuse(&args, &[KEY]), @r#"
    exit 4
    error: STRIPE_API_KEY and --stripe-key-file hold two different keys
    hint: unset one of them: relink does not guess which one is meant
    "#);
}

#[test]
fn addresses_must_be_usable() {
    let database = |url: &str| refuse(&["regen", "--all"], &[KEY, ("DATABASE_URL", url)]);
    insta::assert_snapshot!(refuse(&["regen", "--all"], &[KEY]), @r#"
    exit 4
    error: no database
    hint: set DATABASE_URL or --database-url, or rehearse with --sandbox
    "#);
    insta::assert_snapshot!(database("mysql://u:hunter2@db/club"), @r#"
    exit 4
    error: the database URL cannot be used: its scheme is not one that relink knows; write `postgres://…` or `sqlite://…`
    hint: give DATABASE_URL as postgres://user@host/name or sqlite:///path
    "#);
    insta::assert_snapshot!(database("postgres://u:hunter2@db:port/club"), @r#"
    exit 4
    error: the database URL cannot be used: invalid port number; special characters in user and password must be percent-encoded (`@` is `%40`, `/` is `%2F`, `#` is `%23`)
    hint: give DATABASE_URL as postgres://user@host/name or sqlite:///path
    "#);
    insta::assert_snapshot!(database("postgres://u:hunter2@127.0.0.1:1/club"), @r#"
    exit 9
    error: the database cannot be reached: postgres u@127.0.0.1:1/club: Connection refused (os error 111)
    hint: nothing was written; check host, port and network, then run it again
    "#);
    insta::assert_snapshot!(database("sqlite:///nowhere/club.db"), @r#"
    exit 4
    error: there is no such database: `/nowhere/club.db`: No such file or directory (os error 2) (a path after three slashes is absolute; a relative one is written `sqlite://relative/path`)
    hint: check the name in DATABASE_URL
    "#);
    let base = |url: &str| {
        refuse(
            &["regen", "--all"],
            &[
                KEY,
                ("STRIPE_API_BASE", url),
                ("DATABASE_URL", "sqlite:///nowhere"),
            ],
        )
    };
    insta::assert_snapshot!(base("not a url"), @r#"
    exit 2
    error: the Stripe API base is not a URL: relative URL without a base
    hint: give it as `http://127.0.0.1:12111`, or leave it out for Stripe itself
    "#);
    insta::assert_snapshot!(base("http://stripe.example.com"), @r#"
    exit 4
    error: the Stripe API base `http://stripe.example.com/` would send the key unencrypted; use `https`
    "#);
}

#[test]
fn the_sandbox_takes_no_database_no_address_and_no_live_key() {
    insta::assert_snapshot!(refuse(&["regen", "--all", "--sandbox", "--database-url", "sqlite:///x"], &[]), @r#"
    exit 2
    error: --sandbox cannot be combined with a database URL (--database-url, DATABASE_URL)
    hint: leave one of them out: the sandbox brings its own database and its own Stripe
    "#);
    insta::assert_snapshot!(refuse(&["regen", "--all", "--sandbox"], &[("DATABASE_URL", "sqlite:///x")]), @r#"
    exit 2
    error: --sandbox cannot be combined with a database URL (--database-url, DATABASE_URL)
    hint: leave one of them out: the sandbox brings its own database and its own Stripe
    "#);
    insta::assert_snapshot!(refuse(&["regen", "--all", "--sandbox", "--live"], &[]), @r#"
    exit 2
    error: --sandbox cannot be combined with --live
    hint: leave one of them out: the sandbox brings its own database and its own Stripe
    "#);
    insta::assert_snapshot!(refuse(&["regen", "--all", "--sandbox"], &[("STRIPE_API_KEY", "sk_live_canary")]), @r#"
    exit 2
    error: --sandbox cannot be combined with a live key (STRIPE_API_KEY)
    hint: unset STRIPE_API_KEY for a rehearsal
    "#);
    insta::assert_snapshot!(refuse(&["regen", "--all", "--sandbox"], &[]), @r#"
    exit 4
    error: no place for the sandbox: neither XDG_STATE_HOME nor HOME is set
    hint: name a folder: --sandbox=DIR
    "#);
}

#[test]
fn odd_values_of_other_flags_are_named() {
    insta::assert_snapshot!(refuse(&["regen", "--all", "--currency", "USD"], &[KEY]), @r#"
    exit 2
    error: --currency: `USD` is not a currency that Stripe knows (three lowercase letters, such as `usd`)
    hint: give it as `usd`
    "#);
    insta::assert_snapshot!(refuse(&["regen", "--all", "--rps", "0"], &[KEY, ("DATABASE_URL", "sqlite:///x")]), @r#"
    exit 2
    error: --rps 0 is allowed only with a Stripe API base of your own
    hint: give a positive number, or leave it out
    "#);
    insta::assert_snapshot!(refuse(&["regen", "--all", "--min-age", "soon"], &[KEY]), @r#"
    exit 2
    error: invalid value 'soon' for '--min-age <DURATION>': expected a duration such as `30m`, `2h` or `0s`

    For more information, try '--help'.
    "#);
    insta::assert_snapshot!(refuse(&["regen", "--all", "--min-age", "15"], &[KEY]), @r#"
    exit 2
    error: invalid value '15' for '--min-age <DURATION>': the unit is missing (s, m, h or d): `15m` is 15 minutes

    For more information, try '--help'.
    "#);
    insta::assert_snapshot!(refuse(&["regen", "--all", "--concurrency", "0"], &[KEY]), @r#"
    exit 2
    error: invalid value '0' for '--concurrency <N>': 0 is not in 1..=256

    For more information, try '--help'.
    "#);
    insta::assert_snapshot!(refuse(&["regen", "--all", "--success-url", "club"], &[KEY]), @r#"
    exit 2
    error: --success-url: it is not a URL: relative URL without a base
    hint: give it as `https://club.example.com/payment/success`
    "#);
    insta::assert_snapshot!(refuse(&["regen", "--all", "--expect-account", "club"], &[KEY, ("DATABASE_URL", "sqlite:///x")]), @r#"
    exit 2
    error: --expect-account: `club` is not a usable Stripe id (`acct_` and letters, digits or underscores)
    hint: give it as `acct_…`
    "#);
}

/// Root may read anything, so as root the client runs as nobody, from a copy that nobody may run.
#[test]
fn a_key_file_that_may_not_be_read_is_said_to_be_so() {
    let dir = tempfile::tempdir().unwrap();
    let allow = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    allow(dir.path(), 0o755);
    let program = dir.path().join("relink");
    // Copied by another process: a file that this one still had open for writing could not be run.
    let copied = Command::new("cp")
        .arg(env!("CARGO_BIN_EXE_relink"))
        .arg(&program)
        .status();
    assert!(copied.unwrap().success());
    allow(&program, 0o755);
    let key = dir.path().join("key");
    std::fs::write(&key, "sk_test_canary").unwrap();
    let is_root = std::fs::metadata(&key).unwrap().uid() == 0;
    allow(&key, if is_root { 0o600 } else { 0o000 });
    let mut command = Command::new(&program);
    command
        .args(["regen", "--all", "--stripe-key-file"])
        .arg(&key)
        .env_clear();
    if is_root {
        command.uid(65_534).gid(65_534);
    }
    let output = Running::start(command).wait();
    assert_eq!(output.code, Some(4), "{}", output.stderr);
    assert!(
        output.stderr.contains("cannot be read: Permission denied"),
        "{}",
        output.stderr
    );
}

#[test]
fn an_empty_database_url_is_not_another_database() {
    let file = tempfile::tempdir().unwrap();
    let config = file.path().join("config.toml");
    std::fs::write(
        &config,
        "[connection]\ndatabase_url = \"sqlite:///other.db\"\n",
    )
    .unwrap();
    std::fs::set_permissions(&config, std::fs::Permissions::from_mode(0o600)).unwrap();
    let args = [
        "inspect",
        "--all",
        "--database-url",
        "",
        "--config",
        config.to_str().unwrap(),
    ];
    insta::assert_snapshot!(refuse(&args, &[KEY, ("DATABASE_URL", "sqlite:///third.db")]), @"
    exit 2
    error: --database-url is empty
    hint: a shell variable in it may not be set; give a URL, or leave the flag out
    ");
}

/// Whoever opens a pipe waits for its other end, deaf to every signal.
#[test]
fn a_pipe_in_a_files_place_keeps_nobody_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let pipe = pipe.to_str().unwrap();
    for flag in ["--stripe-key-file", "--config"] {
        let said = refuse(&["regen", "--all", flag, pipe], &[]);
        assert!(said.starts_with("exit 4\n"), "{said}");
        assert!(said.contains("not a regular file"), "{said}");
    }
}

#[test]
fn a_configuration_that_anybody_may_write_is_not_used_and_help_needs_none() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    let path = config.to_str().unwrap();
    std::fs::write(&config, "currency = \"usd\"\n").unwrap();
    std::fs::set_permissions(&config, std::fs::Permissions::from_mode(0o666)).unwrap();
    let said = refuse(&["regen", "--all"], &[KEY, ("RELINK_CONFIG", path)]);
    assert!(said.starts_with("exit 4\n"), "{said}");
    assert!(said.contains("everybody on this host may write"), "{said}");
    for command in [
        &["help", "exit-codes"][..],
        &["completions", "bash"],
        &["schema", "error"],
    ] {
        let output = run_binary(command, &[("RELINK_CONFIG", path)]);
        assert_eq!(output.code, Some(0), "{command:?}: {}", output.stderr);
        assert!(!output.stdout.is_empty());
    }
}

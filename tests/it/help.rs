//! All help texts in one snapshot, so that a change of the command line is seen as one.

use crate::support::world::run_binary;

#[test]
fn the_help_of_every_command_is_as_it_was() {
    let commands: [&[&str]; 14] = [
        &[],
        &["inspect"],
        &["regen"],
        &["retire"],
        &["mint"],
        &["journal"],
        &["journal", "list"],
        &["journal", "show"],
        &["doctor"],
        &["sandbox"],
        &["sandbox", "serve"],
        &["sandbox", "reset"],
        &["sandbox", "visit"],
        &["sandbox", "pay"],
    ];
    let mut all = String::new();
    for command in commands {
        let mut args = command.to_vec();
        args.push("--help");
        let secret = [
            ("DATABASE_URL", "postgres://u:hunter2@h/d"),
            ("STRIPE_API_KEY", "sk_test_canary"),
        ];
        let output = run_binary(&args, &secret);
        assert_eq!(output.code, Some(0), "{}", output.stderr);
        assert_eq!(output.stderr, "");
        all.push_str(&format!("$ relink {}\n{}\n", args.join(" "), output.stdout));
    }
    assert!(
        !all.contains("hunter2") && !all.contains("canary"),
        "a help text shows a secret"
    );
    insta::assert_snapshot!(all);
}

#[test]
fn the_version_is_said() {
    let output = run_binary(&["--version"], &[]);
    assert_eq!(output.code, Some(0));
    assert_eq!(
        output.stdout,
        format!("relink {}\n", env!("CARGO_PKG_VERSION"))
    );
}

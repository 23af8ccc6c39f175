//! Logs that end up where others read them, with everything asked for that can be asked for.

use crate::support::world::*;

#[tokio::test]
async fn at_the_most_talkative_no_secret_and_no_address_is_logged() {
    let world = World::on(Backend::Postgres(Flavour::NativeEnums)).await;
    for _ in 0..2 {
        let named = pending(5500)
            .for_player("Ann Lee")
            .mailed_to("lee@example.com");
        world
            .order(named.behind(open_session().minutes_old(120)))
            .await;
    }
    let password = url::Url::parse(world.database_url()).unwrap();
    let password = password.password().unwrap().to_owned();
    for format in ["text", "json"] {
        let commit = [
            "regen",
            "--all",
            "--commit",
            "--yes",
            "-vvv",
            "--log-format",
            format,
        ];
        let output = world.relink_with(&commit, &[("RUST_LOG", "trace")]).await;
        assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
        let talkative = output.stderr.to_lowercase();
        assert!(
            talkative.contains("debug") && talkative.contains("sqlx"),
            "{talkative}"
        );
        for secret in [
            KEY,
            "Bearer",
            "lee@example.com",
            "lee%40example.com",
            password.as_str(),
        ] {
            assert!(
                !output.stderr.contains(secret),
                "{secret} is in {}",
                output.stderr
            );
        }
        world
            .order(
                pending(5500)
                    .mailed_to("lee@example.com")
                    .behind(expired_session()),
            )
            .await;
    }
}

//! What `relink doctor` says of rights: a role's, column by column, those on the journal, and the operating system's.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::doctor_world::*;
use crate::on_each_backend;
use crate::support::world::*;

/// A role of its own in this world's database, with these rights, and its URL.
async fn role(world: &World, name: &str, grants: &str) -> String {
    let role = format!("{name}_{}", std::process::id());
    let grants = grants.replace("$role", &role);
    world
        .rows
        .execute(&format!(
            "CREATE ROLE {role} LOGIN PASSWORD 'only-rows'; {grants}"
        ))
        .await;
    let mut url = url::Url::parse(world.database_url()).unwrap();
    url.set_username(&role).unwrap();
    url.set_password(Some("only-rows")).unwrap();
    url.into()
}

async fn drop_role(world: &World, name: &str) {
    let role = format!("{name}_{}", std::process::id());
    world
        .rows
        .execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"))
        .await;
}

#[tokio::test]
async fn a_role_that_may_only_read_lacks_the_right_to_store_and_the_journal() {
    let world = postgres().await;
    let mut args = JSON.to_vec();
    args.push("-q");
    let said = Said::of(&world.relink_reading(&args));
    assert_eq!(said.code, Some(5), "{:#}", said.document);
    assert_eq!(said.names("failed"), ["update_rights", "journal"]);
    said.tells("update_rights", "`orders.stripe_checkout_url`");
    said.tells("update_rights", "GRANT UPDATE on `orders`");
    said.tells("journal", "relink doctor --print-sql");
    assert_eq!(said.check("journal")["exit_code"], 4);
    assert_eq!(said.outcome("select_rights"), "passed");
    assert_eq!(said.outcome("receiver_rights"), "warned");
}

#[tokio::test]
async fn rights_on_single_columns_are_told_apart() {
    let world = postgres().await;
    let url = role(
        &world,
        "doctor_columns",
        "GRANT SELECT ON orders, players, products, tournaments, tournament_products TO $role; \
         GRANT SELECT (id, name) ON parents TO $role; \
         GRANT UPDATE (stripe_checkout_session_id, stripe_checkout_url, updated_at) ON orders TO $role; \
         CREATE SCHEMA relink AUTHORIZATION $role",
    )
    .await;
    let said = diagnosed_with(&world, &[("DATABASE_URL", &url)]).await;
    said.fails(5, "select_rights", "may not read `parents.email`");
    assert_eq!(said.outcome("update_rights"), "passed");
    assert_eq!(said.outcome("journal"), "passed");
    said.tells(
        "receiver_rights",
        "may not update `orders.status`, `orders.stripe_payment_intent_id`, `orders.paid_at`",
    );
    drop_role(&world, "doctor_columns").await;
}

#[tokio::test]
async fn a_role_whose_sessions_are_read_only_or_whose_commits_are_early_is_a_setting_to_mend() {
    let world = postgres().await;
    let url = role(
        &world,
        "doctor_settings",
        "GRANT SELECT, UPDATE ON ALL TABLES IN SCHEMA public TO $role; CREATE SCHEMA relink AUTHORIZATION $role; \
         ALTER ROLE $role SET default_transaction_read_only = on",
    )
    .await;
    let as_role = [("DATABASE_URL", url.as_str())];
    let said = diagnosed_with(&world, &as_role).await;
    said.fails(4, "update_rights", "default_transaction_read_only");
    let name = format!("doctor_settings_{}", std::process::id());
    world
        .rows
        .execute(&format!(
            "ALTER ROLE {name} RESET ALL; ALTER ROLE {name} SET synchronous_commit = off"
        ))
        .await;
    let said = diagnosed_with(&world, &as_role).await;
    said.fails(4, "durability", "synchronous_commit");
    drop_role(&world, "doctor_settings").await;
}

#[tokio::test]
async fn rows_that_the_database_hides_from_the_role_are_a_warning() {
    let world = postgres().await;
    let url = role(
        &world,
        "doctor_rows",
        "GRANT SELECT, UPDATE ON ALL TABLES IN SCHEMA public TO $role; CREATE SCHEMA relink AUTHORIZATION $role; \
         ALTER TABLE orders ENABLE ROW LEVEL SECURITY",
    )
    .await;
    let said = diagnosed_with(&world, &[("DATABASE_URL", &url)]).await;
    assert_eq!(
        (said.code, said.outcome("select_rights")),
        (Some(0), "warned")
    );
    said.tells("select_rights", "row-level security");
    drop_role(&world, "doctor_rows").await;
}

#[tokio::test]
async fn a_journal_that_the_role_may_not_write_names_the_right_and_one_that_is_closed_says_so() {
    let world = postgres().await;
    commit_once(&world).await;
    let url = role(
        &world,
        "doctor_journal",
        "GRANT SELECT, UPDATE ON ALL TABLES IN SCHEMA public TO $role",
    )
    .await;
    let as_role = [("DATABASE_URL", url.as_str())];
    let said = diagnosed_with(&world, &as_role).await;
    said.fails(5, "journal", "may not look into the schema `relink`");
    assert_eq!(said.outcome("account_of_database"), "not_checked");
    let name = format!("doctor_journal_{}", std::process::id());
    world
        .rows
        .execute(&format!(
            "GRANT USAGE ON SCHEMA relink TO {name}; GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA relink TO {name}; \
             REVOKE UPDATE ON relink.operations FROM {name}"
        ))
        .await;
    let said = diagnosed_with(&world, &as_role).await;
    said.fails(5, "journal", "this role lacks UPDATE on relink.operations");
    world
        .rows
        .execute(&format!("GRANT UPDATE ON relink.operations TO {name}"))
        .await;
    assert_eq!(diagnosed_with(&world, &as_role).await.code, Some(0));
    // Another's tables are not this role's to upgrade.
    world
        .rows
        .execute("UPDATE relink.meta SET value = '2' WHERE name = 'version'")
        .await;
    let said = diagnosed_with(&world, &as_role).await;
    said.fails(
        4,
        "journal",
        "of version 2, relink needs 3, and this role may not upgrade it",
    );
    drop_role(&world, "doctor_journal").await;
}

on_each_backend! {
    async fn a_journal_of_another_version_is_upgraded_by_a_commit_or_refused(world) {
        commit_once(&world).await;
        let said = diagnosed(&world).await;
        said.tells("journal", "of version 3");
        said.tells("account_of_database", "journaled for this account");
        let meta = match world.database_url().starts_with("sqlite") {
            true => "relink_meta",
            false => "relink.meta",
        };
        let set = |version: u32| format!("UPDATE {meta} SET value = '{version}' WHERE name = 'version'");
        world.rows.execute(&set(2)).await;
        let said = diagnosed(&world).await;
        assert_eq!((said.code, said.outcome("journal")), (Some(0), "passed"));
        said.tells("journal", "the next --commit makes it 3");
        world.rows.execute(&set(999)).await;
        let said = diagnosed(&world).await;
        said.fails(4, "journal", "of version 999, and 3 is the newest");
        assert_eq!(said.outcome("account_of_database"), "not_checked");
    }
}

on_each_backend! {
    async fn a_database_of_another_account_is_refused_before_any_run(world) {
        commit_once(&world).await;
        let meta = match world.database_url().starts_with("sqlite") {
            true => "relink_meta",
            false => "relink.meta",
        };
        world.rows.execute(&format!("UPDATE {meta} SET value = 'acct_other' WHERE name = 'account.test'")).await;
        let said = diagnosed(&world).await;
        said.fails(4, "account_of_database", "journaled for acct_other, and the key is of acct_1SandboxRelink");
    }
}

// With every right, as the tables' owner: no change goes through it.
on_each_backend! {
    async fn a_view_that_cannot_be_updated_is_no_table_to_store_a_link_in(world) {
        world.rows.execute("ALTER TABLE orders RENAME TO orders_kept").await;
        world.rows.execute("CREATE VIEW orders AS SELECT * FROM orders_kept LIMIT 1000").await;
        let said = diagnosed(&world).await;
        said.fails(4, "update_rights", "a view stands for the table");
        said.tells("update_rights", "`orders.stripe_checkout_session_id`, `orders.stripe_checkout_url`");
        assert_eq!(said.outcome("receiver_rights"), "warned");
        said.tells("receiver_rights", "`orders.stripe_payment_intent_id`");
        if world.database_url().starts_with("sqlite") {
            return;
        }
        let plain = "DROP VIEW orders; CREATE VIEW orders AS SELECT * FROM orders_kept";
        world.rows.execute(plain).await;
        let said = diagnosed(&world).await;
        assert_eq!((said.code, said.outcome("update_rights")), (Some(0), "passed"));
    }
}

#[tokio::test]
async fn a_file_that_may_only_be_read_is_named() {
    let world = World::on(Backend::Sqlite).await;
    let url = format!("{}?mode=ro", world.database_url());
    let said = diagnosed_with(&world, &[("DATABASE_URL", &url)]).await;
    said.fails(4, "update_rights", "mode=ro");
    assert_eq!(said.outcome("receiver_rights"), "not_checked");
}

/// A user other than root, since root may write everything; the binary goes where that user can reach it.
#[tokio::test]
async fn a_file_that_this_user_may_not_write_is_a_right() {
    let world = World::on(Backend::Sqlite).await;
    let file = PathBuf::from(world.database_url().trim_start_matches("sqlite://"));
    let set = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    set(file.parent().unwrap(), 0o755);
    set(&file, 0o444);
    let place = tempfile::tempdir().unwrap();
    set(place.path(), 0o755);
    let binary = place.path().join("relink");
    std::fs::copy(env!("CARGO_BIN_EXE_relink"), &binary).unwrap();
    let given = world.command(&JSON);
    let mut command = Command::new(&binary);
    command.args(given.get_args()).env_clear();
    for (name, value) in given.get_envs() {
        command.env(name, value.unwrap());
    }
    if std::fs::metadata(&file).unwrap().uid() == 0 {
        command.uid(65_534).gid(65_534);
    }
    let said = Said::of(&Running::start(command).finish().await);
    said.fails(5, "update_rights", "club.db` cannot be written");
}

//! The journal's tables: created once, upgraded forward, refused when newer; what an owner must run where the
//! role may not create them; and the account that the first run pins.

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use url::Url;

use relink::domain::{Mode, OrderId};
use relink::exit::ExitStatus;
use relink::store::{Access, DatabaseKind, NewRun, Published, StoreError, journal_sql};

use crate::journal_world::{
    account, begin, begin_at, claim_fresh, done, minted, minting, new_run, on_both_databases,
    order, publication, replacement, timings,
};
use crate::store_world::{World, open};

on_both_databases!(
    opening_twice_changes_nothing,
    two_first_runs_at_once_both_succeed,
    a_newer_journal_is_refused,
    an_older_journal_is_upgraded_and_keeps_its_rows,
    a_session_that_may_only_read_creates_nothing,
    the_first_run_pins_its_account,
    a_runs_beginning_and_end_are_journaled,
    what_the_owner_runs_may_be_run_twice_and_makes_the_same_tables,
);

async fn version(world: &World) -> Option<String> {
    world
        .journaled("SELECT value FROM {meta} WHERE name = 'version'")
        .await
}

/// Every column and index of the journal.
async fn shape(world: &World) -> String {
    let sql = if world.is_postgres() {
        "SELECT (SELECT string_agg(table_name || '.' || column_name || ' ' || data_type || is_nullable, ' ' \
         ORDER BY table_name, ordinal_position) FROM information_schema.columns WHERE table_schema = 'relink') \
         || (SELECT string_agg(indexdef, ' ' ORDER BY indexname) FROM pg_indexes WHERE schemaname = 'relink')"
    } else {
        "SELECT group_concat(name || ' ' || COALESCE(sql, ''), ' ') FROM \
         (SELECT name, sql FROM sqlite_master WHERE tbl_name LIKE 'relink%' ORDER BY name)"
    };
    world.value(sql).await.unwrap()
}

async fn opening_twice_changes_nothing(world: World) {
    let store = world.open(Access::ReadWrite).await;
    store.open_journal().await.unwrap();
    let before = shape(&world).await;
    assert!(before.contains("mint_intended_at") && before.contains("relink_operations_one_open"));
    begin(&world, "run-1")
        .await
        .finish(ExitStatus::Done)
        .await
        .unwrap();
    store.open_journal().await.unwrap();
    assert_eq!(shape(&world).await, before);
    let runs = world
        .journaled("SELECT CAST(COUNT(*) AS TEXT) FROM {runs}")
        .await;
    assert_eq!(runs.as_deref(), Some("1"));
}

async fn two_first_runs_at_once_both_succeed(world: World) {
    let stores = [
        world.open(Access::ReadWrite).await,
        world.open(Access::ReadWrite).await,
        world.open(Access::ReadWrite).await,
    ];
    let [one, two, three] = &stores;
    let (one, two, three) =
        tokio::join!(one.open_journal(), two.open_journal(), three.open_journal());
    one.unwrap();
    two.unwrap();
    three.unwrap();
    assert_eq!(version(&world).await.as_deref(), Some("3"));
}

async fn a_newer_journal_is_refused(world: World) {
    let store = world.open(Access::ReadWrite).await;
    store.open_journal().await.unwrap();
    let meta = world.journal_table("meta");
    world
        .run(&format!(
            "UPDATE {meta} SET value = '999' WHERE name = 'version'"
        ))
        .await;
    let newer = |error: StoreError| {
        assert!(
            matches!(
                error,
                StoreError::JournalNewer {
                    found: 999,
                    known: 3
                }
            ),
            "{error:?}"
        );
    };
    newer(store.open_journal().await.unwrap_err());
    newer(
        store
            .journal_facts(Mode::Test, &[OrderId(1)])
            .await
            .unwrap_err(),
    );
    newer(store.pinned_account(Mode::Test).await.unwrap_err());
    assert_eq!(
        version(&world).await.as_deref(),
        Some("999"),
        "and left as it is"
    );
}

async fn an_older_journal_is_upgraded_and_keeps_its_rows(world: World) {
    let store = world.open(Access::ReadWrite).await;
    store.open_journal().await.unwrap();
    let newest = shape(&world).await;
    begin(&world, "run-1")
        .await
        .finish(ExitStatus::Done)
        .await
        .unwrap();
    let prefix = if world.is_postgres() { "relink." } else { "" };
    let meta = world.journal_table("meta");
    for index in [
        "runs_started",
        "operations_subject",
        "steps_operation",
        "steps_run",
    ] {
        world
            .run(&format!("DROP INDEX {prefix}relink_{index}"))
            .await;
    }
    let drop_the_receivers = async || {
        for table in ["events", "payments", "incidents", "retirements"] {
            let table = world.journal_table(table);
            world.run(&format!("DROP TABLE {table}")).await;
        }
    };
    let is_older = async |version: &str| {
        world
            .run(&format!(
                "UPDATE {meta} SET value = '{version}' WHERE name = 'version'"
            ))
            .await;
        assert_ne!(shape(&world).await, newest);
    };
    drop_the_receivers().await;
    is_older("1").await;
    store.open_journal().await.unwrap();
    assert_eq!(shape(&world).await, newest);
    drop_the_receivers().await;
    is_older("2").await;
    store.open_journal().await.unwrap();
    assert_eq!(shape(&world).await, newest);
    assert_eq!(version(&world).await.as_deref(), Some("3"));
    let runs = world
        .journaled("SELECT CAST(COUNT(*) AS TEXT) FROM {runs}")
        .await;
    assert_eq!(runs.as_deref(), Some("1"));
}

async fn a_session_that_may_only_read_creates_nothing(world: World) {
    let store = world.open(Access::ReadOnly).await;
    let error = store.open_journal().await.unwrap_err();
    assert!(
        matches!(error, StoreError::JournalMissing { .. }),
        "{error:?}"
    );
    assert_eq!(store.pinned_account(Mode::Test).await.unwrap(), None);
    world
        .open(Access::ReadWrite)
        .await
        .open_journal()
        .await
        .unwrap();
    assert_eq!(store.pinned_account(Mode::Test).await.unwrap(), None);
}

async fn the_first_run_pins_its_account(world: World) {
    let store = world.open(Access::ReadWrite).await;
    assert_eq!(store.pinned_account(Mode::Test).await.unwrap(), None);
    let first = begin(&world, "run-1").await;
    let one = account("acct_one");
    assert_eq!(
        store.pinned_account(Mode::Test).await.unwrap(),
        Some(one.clone())
    );
    let stranger = NewRun {
        account: account("acct_two"),
        ..new_run("run-2")
    };
    let error = store
        .begin_run(stranger.clone(), timings())
        .await
        .unwrap_err();
    let StoreError::OtherAccount { pinned, found } = error else {
        panic!("{error:?}");
    };
    assert_eq!((pinned, found), (one, account("acct_two")));
    let runs = world
        .journaled("SELECT CAST(COUNT(*) AS TEXT) FROM {runs}")
        .await;
    assert_eq!(runs.as_deref(), Some("1"), "nothing of it is journaled");
    assert_eq!(
        store.pinned_account(Mode::Live).await.unwrap(),
        None,
        "the other mode is free"
    );
    let live = NewRun {
        mode: Mode::Live,
        ..stranger
    };
    store.begin_run(live, timings()).await.unwrap();
    assert_eq!(
        store.pinned_account(Mode::Live).await.unwrap(),
        Some(account("acct_two"))
    );
    drop(first);
}

async fn a_runs_beginning_and_end_are_journaled(world: World) {
    let journal = begin(&world, "run-1").await;
    let said = "SELECT run_id || '|' || command || '|' || os_user || '|' || host || '|' || version || '|' || mode \
                || '|' || account || '|' || plan_digest || '|' || reason || '|' \
                || COALESCE(CAST(exit_code AS TEXT), 'at work') FROM {runs}";
    let told = |end: &str| {
        Some(format!(
            "run-1|relink regen --commit|cron|db1|0.1.0|test|acct_one|digest|the links are dead|{end}"
        ))
    };
    assert_eq!(world.journaled(said).await, told("at work"));
    let now = "SELECT CAST(started_at / 1000000 AS TEXT) FROM {runs}";
    let started: i64 = world.journaled(now).await.unwrap().parse().unwrap();
    let clock = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    assert!(
        started.abs_diff(clock.as_secs().cast_signed()) < 60,
        "{started}"
    );
    journal.finish(ExitStatus::Partial).await.unwrap();
    assert_eq!(world.journaled(said).await, told("3"));
    let took =
        "SELECT CAST(CASE WHEN ended_at >= started_at THEN 1 ELSE 0 END AS TEXT) FROM {runs}";
    assert_eq!(world.journaled(took).await.as_deref(), Some("1"));
    let again = world
        .open(Access::ReadWrite)
        .await
        .begin_run(new_run("run-1"), timings())
        .await;
    assert!(again.is_err(), "a run's name is used once");
}

async fn what_the_owner_runs_may_be_run_twice_and_makes_the_same_tables(world: World) {
    let kind = if world.is_postgres() {
        DatabaseKind::Postgres
    } else {
        DatabaseKind::Sqlite
    };
    let sql = journal_sql(kind, None);
    world.run(&sql).await;
    world.run(&sql).await;
    let owners = shape(&world).await;
    let store = world.open(Access::ReadWrite).await;
    store.open_journal().await.unwrap();
    assert_eq!(shape(&world).await, owners);
    let other = if world.is_postgres() {
        World::postgres_text().await
    } else {
        World::sqlite().await
    };
    other
        .open(Access::ReadWrite)
        .await
        .open_journal()
        .await
        .unwrap();
    assert_eq!(shape(&other).await, owners);
}

/// As a deployment has it: may write orders, owns nothing, may create nothing.
struct Role {
    url: String,
    quoted: String,
    owner: PgConnection,
}

impl Role {
    async fn of_the_application(world: &World, name: &str) -> Role {
        let name = format!("{name} {}", std::process::id());
        let quoted = format!("\"{}\"", name.replace('"', "\"\""));
        let mut owner = PgConnection::connect(&world.url).await.unwrap();
        for sql in [
            format!("CREATE ROLE {quoted} LOGIN PASSWORD 'app'"),
            format!("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {quoted}"),
            format!("GRANT UPDATE ON orders TO {quoted}"),
        ] {
            sqlx::raw_sql(AssertSqlSafe(sql))
                .execute(&mut owner)
                .await
                .unwrap();
        }
        let mut url = Url::parse(&world.url).unwrap();
        url.set_username(&name).unwrap();
        url.set_password(Some("app")).unwrap();
        Role {
            url: url.into(),
            quoted,
            owner,
        }
    }

    async fn owner_runs(&mut self, sql: &str) {
        let sql = AssertSqlSafe(sql.to_owned());
        sqlx::raw_sql(sql).execute(&mut self.owner).await.unwrap();
    }

    async fn remove(mut self) {
        let quoted = self.quoted.clone();
        self.owner_runs(&format!("DROP OWNED BY {quoted}; DROP ROLE {quoted}"))
            .await;
    }
}

fn missing(error: StoreError) -> (String, String) {
    match error {
        StoreError::JournalMissing { sql, detail } => (sql, detail),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_database_that_answers_commits_before_they_are_on_disk_is_refused() {
    let world = World::postgres_enums().await;
    let mut role = Role::of_the_application(&world, "hasty").await;
    let quoted = role.quoted.clone();
    role.owner_runs(&format!("ALTER ROLE {quoted} SET synchronous_commit = off"))
        .await;
    let store = open(&role.url, Access::ReadWrite).await.unwrap();
    let error = store.open_journal().await.unwrap_err();
    assert!(matches!(error, StoreError::NotDurable), "{error:?}");
    assert!(error.to_string().contains("synchronous_commit is off"));
    role.remove().await;
}

#[tokio::test]
async fn a_role_that_may_not_create_is_given_the_sql_that_makes_it_work() {
    let world = World::postgres_enums().await;
    let mut role = Role::of_the_application(&world, "club's \"app\"").await;
    let store = open(&role.url, Access::ReadWrite).await.unwrap();
    let error = store.open_journal().await.unwrap_err();
    assert!(
        error.to_string().contains("have the database's owner run"),
        "{error}"
    );
    let (sql, detail) = missing(error);
    assert!(detail.contains("permission denied"), "{detail}");
    // Without the rights, the tables alone do not help, and the answer is the same.
    role.owner_runs(&journal_sql(DatabaseKind::Postgres, None))
        .await;
    let (again, detail) = missing(store.open_journal().await.unwrap_err());
    assert_eq!(again, sql);
    assert!(
        detail.contains("permission denied for schema relink"),
        "{detail}"
    );
    assert!(
        store
            .journal_facts(Mode::Test, &[OrderId(1)])
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(store.pinned_account(Mode::Test).await.unwrap(), None);

    role.owner_runs(&sql).await;
    store.open_journal().await.unwrap();
    a_whole_replacement(&role.url).await;

    let quoted = role.quoted.clone();
    role.owner_runs(&format!("REVOKE INSERT ON relink.outcomes FROM {quoted}"))
        .await;
    let (_, detail) = missing(store.open_journal().await.unwrap_err());
    assert_eq!(detail, "the role lacks INSERT on relink.outcomes");
    drop(store);
    role.remove().await;
}

/// Everything that a run writes, as the session of `url` may write it.
async fn a_whole_replacement(url: &str) {
    let journal = begin_at(url, new_run("run-1"), timings()).await;
    let lease = claim_fresh(&journal, &order(1), &replacement()).await;
    let (operation, intent) = minting(&replacement(), 1, "key-1");
    let step = journal.intend(&lease, &operation, &intent).await.unwrap();
    let operation = minted(&operation, "plink_new");
    journal
        .conclude(&lease, &operation, step, &done("plink_new"))
        .await
        .unwrap();
    let wanted = publication(1, Some("cs_test_one"), 5500);
    let published = journal.publish(&lease, &operation, &wanted).await.unwrap();
    assert_eq!(published, Published::Done);
    assert!(journal.renew(&lease).await.unwrap());
    journal.close(&lease, &operation, true).await.unwrap();
    let lease = claim_fresh(&journal, &order(3), &replacement()).await;
    journal.release(&lease).await.unwrap();
    journal.finish(ExitStatus::Done).await.unwrap();
}

/// The schema is there, and the role may create tables in it, but no schemas.
#[tokio::test]
async fn a_schema_made_by_the_owner_is_filled_by_a_role_that_may_not_make_one() {
    let world = World::postgres_enums().await;
    let mut role = Role::of_the_application(&world, "filler").await;
    let quoted = role.quoted.clone();
    role.owner_runs(&format!(
        "CREATE SCHEMA relink; GRANT ALL ON SCHEMA relink TO {quoted}"
    ))
    .await;
    let store = open(&role.url, Access::ReadWrite).await.unwrap();
    store.open_journal().await.unwrap();
    drop(store);
    role.remove().await;
}

/// A dry run looks without any right on the journal.
#[tokio::test]
async fn a_role_that_may_not_read_the_journal_sees_an_empty_one() {
    let world = World::postgres_enums().await;
    let journal = begin(&world, "run-1").await;
    claim_fresh(&journal, &order(1), &replacement()).await;
    let reader = open(world.readonly_url(), Access::ReadOnly).await.unwrap();
    assert!(
        reader
            .journal_facts(Mode::Test, &[OrderId(1)])
            .await
            .unwrap()
            .is_empty()
    );
    assert!(reader.open_objects(Mode::Test).await.unwrap().is_empty());
    assert_eq!(reader.pinned_account(Mode::Test).await.unwrap(), None);
}

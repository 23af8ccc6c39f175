//! Runs, operations and claims for the journal's tests, on the databases of `store_world`. What is in the
//! journal is read with plain SQL, never through the code under test.

use std::time::Duration;

use relink::actions::{IdempotencyKey, Mint, StripeWrite};
use relink::domain::{AccountId, CheckoutReference, LinkId, Mode, Money, OrderId, RunId};
use relink::saga::{Expected, Intended, Minted, Operation, State, Task};
use relink::store::{
    Access, Claim, Holder, Intent, Journal, Lease, NewRun, Outcome, OutcomeKind, Publication,
    StepAction, Subject,
};
use relink::stripe::Timings;

use crate::store_world::{World, open};

/// Defines each named test twice. The kinds of columns that an application may have are nothing to tables of our
/// own.
macro_rules! on_both_databases {
    ($($test:ident),* $(,)?) => {
        mod on_sqlite { $(#[tokio::test] async fn $test() { super::$test($crate::store_world::World::sqlite().await).await })* }
        mod on_postgres { $(#[tokio::test] async fn $test() { super::$test($crate::store_world::World::postgres_enums().await).await })* }
    };
}
pub(crate) use on_both_databases;

pub const ACCOUNT: &str = "acct_one";

pub fn account(text: &str) -> AccountId {
    AccountId::parse(text).unwrap()
}

pub fn new_run(id: &str) -> NewRun {
    NewRun {
        id: RunId(id.to_owned()),
        command: "relink regen --commit".to_owned(),
        os_user: "cron".to_owned(),
        host: "db1".to_owned(),
        version: "0.1.0",
        mode: Mode::Test,
        account: account(ACCOUNT),
        plan_digest: "digest".to_owned(),
        reason: Some("the links are dead".to_owned()),
    }
}

/// Leases that outlast every test.
pub fn timings() -> Timings {
    Timings {
        lease: Duration::from_secs(600),
        heartbeat: Duration::from_secs(300),
        send_within: Duration::from_secs(60),
        ..Timings::default()
    }
}

/// A run at work in this world.
pub async fn begin(world: &World, id: &str) -> Journal {
    begin_at(&world.url, new_run(id), timings()).await
}

pub async fn begin_at(url: &str, run: NewRun, timings: Timings) -> Journal {
    let store = open(url, Access::ReadWrite).await.unwrap();
    store.open_journal().await.unwrap();
    store.begin_run(run, timings).await.unwrap()
}

/// The run's process ends without a word: on Postgres its connections close; on SQLite its number is that of a
/// process which has ended.
pub async fn die(world: &World, journal: Journal) {
    let run = journal.run().to_string();
    drop(journal);
    if !world.is_postgres() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = child.id();
        child.wait().unwrap();
        let runs = world.journal_table("runs");
        let sql = format!("UPDATE {runs} SET pid = {pid} WHERE run_id = '{run}'");
        world.run(&sql).await;
    }
}

pub fn order(id: i64) -> Subject {
    Subject::Order(OrderId(id))
}

/// A replacement of order 1 of the club, as it is approved.
pub fn replacement() -> Operation {
    replacement_of(1, Some("cs_test_one"), 5500)
}

pub fn replacement_of(id: i64, reference: Option<&str>, amount: i64) -> Operation {
    let expected = Expected {
        reference: reference.map(CheckoutReference::classify),
        amount: Some(Money::new(amount, relink::domain::Currency::USD)),
    };
    Operation::new(Some(OrderId(id)), Task::Replace, expected)
}

pub fn mint(key: &str) -> StripeWrite {
    StripeWrite {
        path: "/v1/payment_links".to_owned(),
        body: "metadata[order_id]=1".to_owned(),
        key: IdempotencyKey::parse(key).unwrap(),
        api_version: "2026-07-29.dahlia".to_owned(),
    }
}

/// The operation as it stands when this mint is about to leave, and the intent.
pub fn minting(operation: &Operation, attempt: u32, key: &str) -> (Operation, Intent) {
    let write = mint(key);
    let operation = Operation {
        state: State::Minting,
        attempt,
        has_written: true,
        mint: Some(Intended {
            attempt,
            mint: Mint {
                write: write.clone(),
                relink_key: format!("r_{key}"),
            },
        }),
        ..operation.clone()
    };
    let intent = Intent {
        action: StepAction::Mint,
        object: None,
        attempt,
        write,
    };
    (operation, intent)
}

/// The operation once the mint was answered.
pub fn minted(operation: &Operation, link: &str) -> Operation {
    Operation {
        state: State::Examining,
        minted: Some(Minted {
            id: LinkId::parse(link).unwrap(),
            url: "https://buy.example.com/new".to_owned(),
        }),
        ..operation.clone()
    }
}

pub fn done(id: &str) -> Outcome {
    Outcome {
        kind: OutcomeKind::Done,
        result_id: Some(id.to_owned()),
        result_url: Some("https://buy.example.com/new".to_owned()),
        request_id: Some("req_1".to_owned()),
        error: None,
    }
}

pub fn publication(order: i64, expected: Option<&str>, amount: i64) -> Publication {
    Publication {
        order: OrderId(order),
        expected_reference: expected.map(ToOwned::to_owned),
        expected_amount_minor: amount,
        link: LinkId::parse("plink_new").unwrap(),
        url: "https://buy.example.com/new".to_owned(),
    }
}

pub async fn claim_fresh(journal: &Journal, subject: &Subject, operation: &Operation) -> Lease {
    match journal.claim(subject, operation).await.unwrap() {
        Claim::Fresh { lease, .. } => lease,
        other => panic!("{other:?}"),
    }
}

pub async fn claim_held(journal: &Journal, subject: &Subject) -> Holder {
    match journal.claim(subject, &replacement()).await.unwrap() {
        Claim::Held(holder) => holder,
        other => panic!("{other:?}"),
    }
}

/// Takes over what a dead run held. A server needs a moment to notice that a connection is gone.
pub async fn take_over(
    journal: &Journal,
    subject: &Subject,
) -> (Lease, Box<Operation>, Option<i64>) {
    for _ in 0..100 {
        match journal.claim(subject, &replacement()).await.unwrap() {
            Claim::TakenOver {
                lease,
                operation,
                mint_age,
            } => return (lease, operation, mint_age),
            Claim::Held(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            fresh @ Claim::Fresh { .. } => panic!("{fresh:?}"),
        }
    }
    panic!("still held after five seconds");
}

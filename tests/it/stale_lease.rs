//! A run whose lease may have run out sends nothing: neither the request that closes the old object nor the mint. What
//! it intended stays open for the next run.

use std::collections::HashMap;
use std::time::Duration;

use relink::approval::{Answer, Consent, Terms, approve};
use relink::command_line::CommandLine;
use relink::domain::{Currency, Mode, RunId};
use relink::events::Silence;
use relink::execute::{LinkTexts, Site, execute};
use relink::exit::ExitStatus;
use relink::guards::Guards;
use relink::interrupt::Interrupt;
use relink::plan::{Goal, Policy, decide};
use relink::store::{Access, NewRun, Scope, Selection, Store};
use relink::stripe::{
    Client, ObserveRequest, Rps, Settings, SharedIndex, Timings, observe_indexed,
};
use secrecy::SecretString;

use crate::on_each_backend;
use crate::support::world::*;

/// `regen --all --commit` in this process, by a run that trusts no lease for longer than `send_within`.
async fn regen(world: &World, send_within: Duration) -> ExitStatus {
    let url = SecretString::from(world.database_url().to_owned());
    let store = Store::connect(&url, Access::ReadWrite).await.unwrap();
    let timings = Timings {
        send_within,
        ..Timings::on_loopback()
    };
    let client = Client::new(Settings {
        key: SecretString::from(KEY.to_owned()),
        base: world.stripe.base().parse().unwrap(),
        account: None,
        mode: Mode::Test,
        rps: Rps::Unlimited,
        timings,
    })
    .unwrap();
    let account = client.account().await.unwrap().id;
    let selection = Selection {
        scope: Scope::All,
        exclude: Vec::new(),
    };
    let orders = store
        .select_orders(&selection, Currency::USD)
        .await
        .unwrap();
    let policy = Policy::new(Goal::Regen);
    let request = ObserveRequest {
        scope: &policy.scope,
        account: Some(account.clone()),
        witnesses: &[],
        concurrency: 1,
    };
    let observed = observe_indexed(&client, orders, &request, || {}).await;
    let (snapshot, index) = observed.unwrap();
    let plan = decide(&snapshot, &policy);
    let terms = Terms {
        consent: Consent::Given,
        guards: &Guards::default(),
        digest: plan.digest(),
        command: &CommandLine::shown([]),
    };
    let approved = approve(plan, Some(&account), terms, &|_| Ok(Answer::Declined)).unwrap();
    store.open_journal().await.unwrap();
    let run = NewRun {
        id: RunId(format!("run-{}", send_within.as_secs())),
        command: "regen --all --commit".to_owned(),
        os_user: "ops".to_owned(),
        host: "host".to_owned(),
        version: "0",
        mode: Mode::Test,
        account,
        plan_digest: approved.digest().to_string(),
        reason: None,
    };
    let journal = store.begin_run(run, timings).await.unwrap();
    let site = Site {
        store: &store,
        journal: &journal,
        stripe: &client,
        index: SharedIndex::new(index),
        recalled: HashMap::new(),
        currency: Currency::USD,
        witness: snapshot.witness,
        texts: LinkTexts {
            success_url: None,
            inactive_message: "closed".to_owned(),
            ..LinkTexts::default()
        },
        concurrency: 1,
        max_failures: 5,
        protocol: &relink::saga::step,
    };
    let report = execute(approved, &site, &Interrupt::default(), &Silence).await;
    drop(site);
    let status = report.exit_status();
    journal.finish(status).await.unwrap();
    store.close().await;
    status
}

on_each_backend! {
    async fn a_run_whose_lease_may_have_run_out_sends_nothing_and_leaves_the_order_to_the_next(world) {
        let closing = world.order(pending(5500).behind(open_session().minutes_old(600))).await;
        let minting = world.order(pending(7000).behind(expired_session())).await;
        let late = regen(&world, Duration::ZERO).await;
        assert_ne!(late, ExitStatus::Done);
        assert_eq!(world.writes().await, Vec::<serde_json::Value>::new());
        let open = world.journaled("operations", "SELECT state FROM {} WHERE closed_at IS NULL ORDER BY order_id").await;
        assert_eq!(open, ["retiring", "minting"]);

        let in_time = regen(&world, Duration::from_secs(45)).await;
        assert_eq!(in_time, ExitStatus::Done);
        for order in [closing, minting] {
            let held = world.row(order.0).await.reference.unwrap();
            assert_eq!(world.live_objects_of(order).await, [held]);
        }
    }
}

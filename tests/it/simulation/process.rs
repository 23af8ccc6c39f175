//! One process: the committing half of `regen --all` or `retire --all`, from the reading of the orders to the end of
//! the run; or the receiver with one delivery in its hands. All of it is the product's own code.

use std::sync::Arc;

use relink::approval::{Answer, Consent, Terms, approve};
use relink::command_line::CommandLine;
use relink::commands::owed;
use relink::domain::{AccountId, Currency, Mode, RunId, Snapshot};
use relink::events::Silence;
use relink::execute::{LinkTexts, Site, execute, recalled};
use relink::exit::ExitStatus;
use relink::guards::Guards;
use relink::interrupt::Interrupt;
use relink::plan::{Goal, Plan, Policy, Release, decide};
use relink::receiver::Retiring;
use relink::report::Report;
use relink::store::{Access, NewRun, Scope, Selection, Store};
use relink::stripe::{
    Client, Index, ObserveRequest, Rps, Settings, SharedIndex, Timings, observe_indexed,
};
use relink::webhook::{self, Categories, decode};
use secrecy::SecretString;

use super::stage::Actor;
use crate::support::world::KEY;

/// What a process is made of.
pub struct Cast {
    pub database: String,
    pub task: Task,
    /// The id of its run in the journal; a receiver's runs say it as their command.
    pub run: String,
    pub actor: Arc<Actor>,
}

#[derive(Clone, Debug)]
pub enum Task {
    Run(Goal),
    /// The body of a delivery.
    Receive(String),
}

/// How a run ended: with a report, with nothing to do, or not at all well.
#[derive(Debug)]
pub enum Ended {
    Reported(Box<Report>),
    NothingToDo,
    /// A delivery was taken in and what is due was tried: what it was ruled to be.
    Received(&'static str),
    Failed(String),
}

pub fn policy(goal: Goal) -> Policy {
    let mut policy = Policy::new(goal);
    policy.min_age = 0;
    policy.releases.insert(Release::AllowAmountChange);
    policy
}

fn client(actor: &Arc<Actor>) -> Client {
    let timings = Timings {
        backoff: std::time::Duration::from_micros(10),
        longest_backoff: std::time::Duration::from_micros(20),
        longest_retry_after: std::time::Duration::from_micros(20),
        attempts: 3,
        ..Timings::default()
    };
    let settings = Settings {
        key: SecretString::from(KEY.to_owned()),
        base: "http://127.0.0.1:1".parse().unwrap(),
        account: None,
        mode: Mode::Test,
        rps: Rps::Unlimited,
        timings,
    };
    Client::over(settings, Arc::clone(actor) as Arc<_>).unwrap()
}

pub async fn run(cast: Cast) -> Ended {
    let done = match cast.task.clone() {
        Task::Run(goal) => carry_out(cast, goal).await,
        Task::Receive(body) => receive(cast, &body).await,
    };
    match done {
        Ok(ended) => ended,
        Err(error) => Ended::Failed(error),
    }
}

/// What a dry run with this goal shows.
pub async fn plan(cast: &Cast, goal: Goal) -> Result<Plan, String> {
    let store = open(cast).await?;
    let client = client(&cast.actor);
    let (plan, _) = survey(&store, &client, goal).await?;
    store.close().await;
    Ok(plan)
}

async fn open(cast: &Cast) -> Result<Store, String> {
    let url = SecretString::from(cast.database.clone());
    let store = Store::connect(&url, Access::ReadWrite)
        .await
        .map_err(text)?;
    Ok(store.with_gate(Arc::clone(&cast.actor) as Arc<_>))
}

async fn survey(
    store: &Store,
    client: &Client,
    goal: Goal,
) -> Result<(Plan, (Snapshot, Index)), String> {
    let account = client.account().await.map_err(text)?.id;
    let selection = Selection {
        scope: Scope::All,
        exclude: Vec::new(),
    };
    let orders = store
        .select_orders(&selection, Currency::USD)
        .await
        .map_err(text)?;
    let policy = policy(goal);
    let request = ObserveRequest {
        scope: &policy.scope,
        account: Some(account),
        witnesses: &[],
        concurrency: 1,
    };
    let observed = observe_indexed(client, orders, &request, || {}).await;
    let (mut snapshot, index) = observed.map_err(text)?;
    let ids: Vec<_> = snapshot.orders.iter().map(|facts| facts.order.id).collect();
    let mut journaled = store.journal_facts(Mode::Test, &ids).await.map_err(text)?;
    for facts in &mut snapshot.orders {
        facts.journal = journaled.remove(&facts.order.id).unwrap_or_default();
    }
    let mut plan = decide(&snapshot, &policy);
    if goal == Goal::Regen {
        let added = owed::add_left_open(store, Mode::Test, &[], &mut plan).await;
        added.map_err(text)?;
    }
    owed::add(store, Mode::Test, &mut plan)
        .await
        .map_err(text)?;
    Ok((plan, (snapshot, index)))
}

async fn carry_out(cast: Cast, goal: Goal) -> Result<Ended, String> {
    let store = open(&cast).await?;
    let client = client(&cast.actor);
    let (plan, (snapshot, index)) = survey(&store, &client, goal).await?;
    if !plan.has_work() {
        store.close().await;
        return Ok(Ended::NothingToDo);
    }
    let account: Option<AccountId> = plan.account.clone();
    let terms = Terms {
        consent: Consent::Given,
        guards: &Guards::default(),
        digest: plan.digest(),
        command: &CommandLine::shown([]),
    };
    let approved = approve(plan, account.as_ref(), terms, &|_| Ok(Answer::Declined));
    let approved = approved.map_err(|e| e.to_string())?;
    store.open_journal().await.map_err(text)?;
    let recalled = recalled(&snapshot, &index);
    index.refresh(&client).await.map_err(text)?;
    let run = NewRun {
        id: RunId(cast.run.clone()),
        command: "simulated".to_owned(),
        os_user: "sim".to_owned(),
        host: "sim".to_owned(),
        version: "0",
        mode: Mode::Test,
        account: approved.account().clone(),
        plan_digest: approved.digest().to_string(),
        reason: None,
    };
    let journal = store
        .begin_run(run, *client.timings())
        .await
        .map_err(text)?;
    let protocol = |operation, observed| cast.actor.world.step(&cast.run, operation, observed);
    let site = Site {
        store: &store,
        journal: &journal,
        stripe: &client,
        index: SharedIndex::new(index),
        recalled,
        currency: Currency::USD,
        witness: snapshot.witness,
        texts: LinkTexts {
            success_url: None,
            inactive_message: "closed".to_owned(),
            ..LinkTexts::default()
        },
        concurrency: 1,
        max_failures: 1000,
        protocol: &protocol,
    };
    let report = execute(approved, &site, &Interrupt::default(), &Silence).await;
    drop(site);
    journal.finish(report.exit_status()).await.map_err(text)?;
    owed::cross_off(&store, Mode::Test, &report).await;
    store.close().await;
    Ok(Ended::Reported(Box::new(report)))
}

/// What the receiver does with one delivery: it is taken in, and only then is anything closed.
async fn receive(cast: Cast, body: &str) -> Result<Ended, String> {
    let store = open(&cast).await?;
    let client = client(&cast.actor);
    let account = client.account().await.map_err(text)?.id;
    let policy = webhook::Policy {
        mode: Mode::Test,
        account: Some(account.clone()),
        categories: Categories::All,
        currency: Currency::USD,
    };
    let receiver = store.open_receiver(policy).await.map_err(text)?;
    let event = decode(body.as_bytes()).map_err(text)?;
    let receipt = receiver.receive(&event).await.map_err(text)?;
    cast.actor.stage.acknowledge(event.id.as_str());
    let retiring = Retiring {
        store: &store,
        stripe: &client,
        account,
        mode: Mode::Test,
        currency: Currency::USD,
        concurrency: 1,
        command: cast.run.clone(),
    };
    retiring.close_due().await.map_err(text)?;
    store.close().await;
    Ok(Ended::Received(receipt.ruling.name()))
}

pub fn status(ended: &Ended) -> Option<ExitStatus> {
    match ended {
        Ended::Reported(report) => Some(report.exit_status()),
        Ended::NothingToDo | Ended::Received(_) => Some(ExitStatus::Done),
        Ended::Failed(_) => None,
    }
}

fn text(error: impl ToString) -> String {
    error.to_string()
}

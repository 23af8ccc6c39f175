//! Every kind of fault at every request of a run, once, and from there on for the rest of the run. The run ends with
//! a code that the documentation knows; when the faults are over, one re-run makes everything as it must be.

use serde_json::{Value, json};

use crate::support::invariants::{Must, check};
use crate::support::tally::tell;
use crate::support::world::*;

/// 1 is for what Stripe refuses though nobody should be refused it, such as reading the own account.
const DOCUMENTED: [i32; 7] = [0, 1, 3, 4, 5, 9, 12];

#[derive(Clone, Copy, Debug)]
enum Repeated {
    Once,
    FromThereOn,
}

/// A world and the command that repairs it.
struct Scene {
    world: World,
    order: OrderId,
    command: Vec<&'static str>,
}

async fn dead() -> Scene {
    let world = World::on(Backend::Sqlite).await;
    let order = world.order(pending(5500).behind(expired_session())).await;
    let command = vec!["regen", "--all", "--commit", "--yes"];
    Scene {
        world,
        order,
        command,
    }
}

async fn wrong() -> Scene {
    let world = World::on(Backend::Sqlite).await;
    let session = open_session().minutes_old(600);
    let order = world
        .order(pending(5500).behind(active_link().of(4500).with(session)))
        .await;
    let command = vec![
        "regen",
        "--all",
        "--allow-amount-change",
        "--commit",
        "--yes",
    ];
    Scene {
        world,
        order,
        command,
    }
}

/// Every kind of fault that the double knows but those that only make a test wait.
fn faults(writes: bool) -> Vec<Value> {
    let error = |kind: &str, code: &str| json!({"error": {"type": kind, "code": code, "message": "a fault"}});
    let invalid = "invalid_request_error";
    let mut faults = vec![
        json!({"kind": "reset", "when": "arrival"}),
        json!({"kind": "reset", "when": "before"}),
        json!({"kind": "timeout", "when": "before", "ms": 20}),
        json!({"kind": "latency", "when": "before", "ms": 20}),
        json!({"kind": "truncated", "when": "after"}),
        json!({"kind": "garbage", "when": "after"}),
        json!({"kind": "status", "when": "before", "status": 400, "body": error(invalid, "parameter_invalid")}),
        json!({"kind": "status", "when": "before", "status": 401, "body": error(invalid, "api_key_expired")}),
        json!({"kind": "status", "when": "before", "status": 402, "body": error("card_error", "card_declined")}),
        json!({"kind": "status", "when": "before", "status": 403, "body": error(invalid, "more_permissions_required")}),
        json!({"kind": "status", "when": "before", "status": 404, "body": error(invalid, "resource_missing")}),
        json!({"kind": "status", "when": "before", "status": 409, "body": error(invalid, "idempotency_key_in_use")}),
        json!({"kind": "status", "when": "before", "status": 429, "body": error(invalid, "rate_limit")}),
        json!({"kind": "status", "when": "before", "status": 500}),
        json!({"kind": "status", "when": "before", "status": 503, "body": "<html>unavailable</html>"}),
    ];
    if writes {
        faults.extend([
            json!({"kind": "reset", "when": "after"}),
            json!({"kind": "timeout", "when": "after", "ms": 20}),
            json!({"kind": "status", "when": "after", "status": 500}),
            json!({"kind": "status", "when": "after", "status": 503, "body": "<html>unavailable</html>"}),
            json!({"kind": "status", "when": "before", "status": 400, "body": error("idempotency_error", "")}),
        ]);
    }
    faults
}

/// Each request of an undisturbed run, in order: whether it writes.
async fn requests_of(scene: Scene) -> Vec<bool> {
    let output = scene.world.relink(&scene.command).await;
    assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
    let requests = scene.world.requests().await;
    requests
        .iter()
        .map(|request| request["method"] != "GET")
        .collect()
}

async fn sweep<F: Future<Output = Scene>>(name: &str, repeated: Repeated, scene: impl Fn() -> F) {
    let requests = requests_of(scene().await).await;
    let mut injected = 0;
    let mut ended = std::collections::BTreeMap::new();
    for (index, writes) in requests.iter().enumerate() {
        for mut fault in faults(*writes) {
            fault["nth"] = json!(index + 1);
            fault["times"] = match repeated {
                Repeated::Once => json!(1),
                Repeated::FromThereOn => Value::Null,
            };
            let told = format!("{name}, {repeated:?}, {fault}");
            let Scene {
                world,
                order,
                command,
            } = scene().await;
            world.fault(fault).await;
            let output = world.relink(&command).await;
            let code = output.code.unwrap_or(-1);
            assert!(
                DOCUMENTED.contains(&code),
                "{told}: {code} {}{}",
                output.stdout,
                output.stderr
            );
            let broken = ["panicked", "please report"]
                .iter()
                .any(|word| output.stderr.contains(word));
            assert!(!broken, "{told}: {}", output.stderr);
            *ended.entry(code).or_insert(0) += 1;
            injected += 1;
            world.clear_faults().await;
            let again = world.relink(&command).await;
            assert_eq!(
                again.code,
                Some(0),
                "{told}: {}{}",
                again.stdout,
                again.stderr
            );
            check(&world, &[(order, Must::HoldOneLink)], &told).await;
        }
    }
    tell(&format!(
        "fault sweep: {name}, {repeated:?}: {} requests, {injected} faults, the runs ended with {ended:?}",
        requests.len()
    ));
    assert!(requests.len() > 8 && ended.len() > 2, "{ended:?}");
}

#[tokio::test]
async fn behind_a_dead_session_each_fault_once() {
    sweep("dead", Repeated::Once, dead).await;
}

#[tokio::test]
async fn behind_a_dead_session_each_fault_from_there_on() {
    sweep("dead", Repeated::FromThereOn, dead).await;
}

#[tokio::test]
async fn behind_a_wrong_link_each_fault_once() {
    sweep("wrong", Repeated::Once, wrong).await;
}

#[tokio::test]
async fn behind_a_wrong_link_each_fault_from_there_on() {
    sweep("wrong", Repeated::FromThereOn, wrong).await;
}

//! The corpus of bad input: every case of `tests/corpus` through the real binary, in a world of its own.
//!
//! One test per family runs its cases side by side and names all that fail. What a case says is data; what holds for all
//! of them is in `judge`. It mends nothing and repeats nothing.

mod case;
mod deliveries;
mod family;
mod judge;
mod place;
mod process;
mod spelling;
mod wire;

use std::sync::Mutex;
use std::time::Instant;

use serde_json::Value;

use crate::support::world::*;
use case::{Case, Database, Held};
use spelling::{Spelling, shown};

/// Cases of one family in flight together; the families run side by side as well.
const TOGETHER: usize = 2;

macro_rules! families {
    ($($name:ident),*) => {
        const FAMILIES: &[&str] = &[$(stringify!($name)),*];
        $(#[test]
        fn $name() {
            run_all(stringify!($name));
        })*
    };
}

families!(
    arguments,
    environment,
    config_files,
    plan_files,
    database,
    stripe_answers,
    webhooks,
    csv_targets,
    surroundings
);

fn run_all(name: &str) {
    let cases = family::family(name);
    let count = cases.len();
    let waiting = Mutex::new(cases.into_iter());
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|threads| {
        for _ in 0..TOGETHER {
            threads.spawn(|| {
                loop {
                    let next = waiting.lock().unwrap().next();
                    let Some(case) = next else { return };
                    let name = case.name.clone();
                    let wrong = alone(case);
                    if !wrong.is_empty() {
                        let told = format!("* {name}\n    {}", wrong.join("\n    "));
                        failed.lock().unwrap().push(told);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(
        failed.is_empty(),
        "{name}: {} of {count} cases fail\n{}\n",
        failed.len(),
        failed.join("\n")
    );
}

/// On a thread and a runtime of its own: while one world's database is dropped, another's login must go on, or the
/// server waits for it. A complaint of the test's own about one case keeps no other from being run.
fn alone(case: Case) -> Vec<String> {
    let running = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(run(case))
    });
    running.join().unwrap_or_else(|why| {
        let said = why.downcast_ref::<String>().map(String::as_str);
        let said = said.or_else(|| why.downcast_ref::<&str>().copied());
        let said = said.unwrap_or("something that is no text");
        vec![format!("the runner failed: {}", shown(said))]
    })
}

/// What is wrong, with the output where anything is.
async fn run(case: Case) -> Vec<String> {
    let world = world_of(&case).await;
    let folder = tempfile::tempdir().unwrap();
    let mut spelling = Spelling {
        folder: folder.path(),
        database: world.database_url(),
        stripe: world.stripe.base(),
    };
    prepare(&case, &world, &spelling).await;
    place::furnish(folder.path(), &case, &spelling);
    let wire = match &case.wire {
        Some(wire) => Some(wire::start(wire, &spelling).await),
        None => None,
    };
    for args in &case.before {
        let ordinary = case.ordinary();
        let command = process::command(&ordinary, &world, &spelling, args);
        let output = process::run(command, &ordinary, &world).await;
        assert_eq!(output.code, Some(0), "{args:?}: {output:?}");
    }
    place::alter(folder.path(), &case.alter, &spelling);
    if !case.then_sql.is_empty() {
        world.rows.execute(&spelling.text(&case.then_sql)).await;
    }
    if case.then_passes != 0 {
        world.pass(case.then_passes).await;
    }
    if let Some(wire) = &wire {
        spelling.stripe = &wire.base;
    }
    add_faults(&case, &world, &spelling).await;

    let before = judge::state(&world, &spelling).await;
    let begun = Instant::now();
    let (output, mut wrong) = if case.deliveries.is_empty() {
        let command = process::command(&case, &world, &spelling, &case.args);
        (process::run(command, &case, &world).await, Vec::new())
    } else {
        deliveries::serve(&case, &world, &spelling).await
    };
    process::clear(&case, folder.path());
    wrong.extend(judge::of_output(&case, &output, begun.elapsed(), &spelling));
    wrong.extend(judge::of_world(&case, &before, &world, &spelling).await);
    if !wrong.is_empty() {
        let (stdout, stderr) = (shown(&output.stdout), shown(&output.stderr));
        wrong.push(format!("--- stdout\n{stdout}\n--- stderr\n{stderr}"));
    }
    wrong
}

async fn world_of(case: &Case) -> World {
    let world = World::on(match case.database {
        Database::Sqlite => Backend::Sqlite,
        Database::Postgres => Backend::Postgres(Flavour::NativeEnums),
    })
    .await;
    for held in &case.orders {
        world
            .order(match held {
                Held::Dead => pending(5500).behind(expired_session()),
                Held::Healthy => pending(5500).behind(active_link()),
                Held::Open => pending(5500).behind(open_session()),
                Held::Nothing => pending(5500),
                Held::Unrecorded => pending(5500).behind(paid_session()),
                Held::Leaked => paid(5500).behind(active_link()),
            })
            .await;
    }
    world
}

async fn prepare(case: &Case, world: &World, spelling: &Spelling<'_>) {
    if !case.sql.is_empty() {
        world.rows.execute_script(&spelling.text(&case.sql)).await;
    }
    if !case.objects.is_empty() {
        let objects: Value = serde_json::from_str(&spelling.text(&case.objects)).unwrap();
        world.put_objects(objects).await;
    }
}

async fn add_faults(case: &Case, world: &World, spelling: &Spelling<'_>) {
    if !case.faults.is_empty() {
        let rules: Value = serde_json::from_str(&spelling.text(&case.faults)).unwrap();
        world.fault(rules).await;
    }
}

//! The list for the mail to the parents: exactly the orders whose new URL is stored and still theirs, whatever was killed
//! meanwhile, with the names that a spreadsheet may be given.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::on_each_backend;
use crate::support::world::*;

struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        Desk(tempfile::tempdir().unwrap())
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("blast.csv")
    }

    fn people(&self) -> PathBuf {
        self.0.path().join("blast.needs-person.csv")
    }
}

/// The rows, by the names of their columns.
fn read(path: &Path) -> Vec<std::collections::BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    reader.deserialize().map(Result::unwrap).collect()
}

fn orders(path: &Path) -> Vec<String> {
    read(path).iter().map(|row| row["order"].clone()).collect()
}

on_each_backend! {
    async fn whom_to_tell_which_url_and_who_needs_a_person_first(world) {
        let ann = pending(5500).for_player("Ann, Lee").mailed_to("ann@example.com");
        let ann = world.order(ann.in_tournaments(&[7]).behind(expired_session())).await;
        let evil = pending(6500).for_player("=1+1").behind(expired_session());
        let evil = world.order(evil).await;
        let wrong = world.order(pending(5500).behind(active_link().of(4500))).await;
        let paid = world.order(paid(5500).behind(paid_session())).await;
        let desk = Desk::new();
        let path = desk.file();
        let arguments = ["regen", "--all", "--commit", "--yes", "--csv-out", path.to_str().unwrap()];
        let output = world.relink(&arguments).await;
        assert_eq!(output.code, Some(3), "{}{}", output.stdout, output.stderr);
        let rows = read(&path);
        assert_eq!(orders(&path), [ann.to_string(), evil.to_string()]);
        assert_eq!(rows[0]["player"], "Ann, Lee");
        assert_eq!(rows[0]["parent_email"], "ann@example.com");
        assert_eq!((rows[0]["amount"].as_str(), rows[0]["currency"].as_str()), ("55.00", "USD"));
        assert_eq!(rows[0]["url"], world.row(ann.0).await.url.unwrap());
        assert_eq!(rows[0]["kind"], "payment_link");
        assert_eq!(rows[1]["player"], "'=1+1");
        assert_eq!(orders(&desk.people()), [wrong.to_string()]);
        assert_eq!(read(&desk.people())[0]["verdict"], "wrong");
        for file in [&path, &desk.people()] {
            assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert!(output.stdout.contains("2 parents hold a dead URL in their mail"), "{}", output.stdout);
        assert!(output.stderr.contains("note: 2 orders of 2 parents in "), "{}", output.stderr);
        let run = rows[0]["run"].clone();
        let command = format!("relink journal show {run} --csv-out blast.csv");
        assert!(output.stdout.contains(&command), "{}", output.stdout);

        // Rebuilt from the journal, it is the same, until an order is paid or has another link.
        let again = desk.0.path().join("again.csv");
        let show = ["journal", "show", &run, "--csv-out", again.to_str().unwrap()];
        assert_eq!(world.relink(&show).await.code, Some(0));
        assert_eq!(read(&again), rows);
        world.rows.set(ann.0, "status", "'paid'").await;
        assert_eq!(world.relink(&show).await.code, Some(0));
        assert_eq!(orders(&again), [evil.to_string()]);
        let list = ["journal", "list", "--since", "24h", "--csv-out", again.to_str().unwrap()];
        assert_eq!(world.relink(&list).await.code, Some(0));
        assert_eq!(orders(&again), [evil.to_string()]);
        let _ = paid;
    }
}

on_each_backend! {
    async fn a_run_that_was_killed_leaves_a_list_of_what_it_stored(world) {
        let first = world.order(pending(5500).behind(expired_session())).await;
        world.order(pending(5500).behind(expired_session())).await;
        let second = json!({"method": "POST", "path": "/v1/payment_links", "nth": 2, "when": "after", "kind": "park", "times": 1});
        let desk = Desk::new();
        let path = desk.file();
        world.kill_at(&["regen", "--all", "--commit", "--yes", "--concurrency", "1", "--csv-out", path.to_str().unwrap()], second).await;
        assert!(!path.exists());
        let list = ["journal", "list", "--since", "1h", "--csv-out", path.to_str().unwrap()];
        let output = world.relink(&list).await;
        assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
        assert_eq!(orders(&path), [first.to_string()]);
        world.relink(&["regen", "--all", "--commit", "--yes"]).await;
        world.relink(&list).await;
        assert_eq!(orders(&path).len(), 2);
    }
}

on_each_backend! {
    /// Its report says that the link was replaced, so its list says so too.
    async fn a_run_lists_what_it_concluded_of_a_killed_one(world) {
        let order = world.order(pending(5500).behind(expired_session())).await;
        world.kill_after_the_commit(&["regen", "--all", "--commit", "--yes"], "publish the link of an order").await;
        let held = world.row(order.0).await;
        assert!(held.reference.unwrap().starts_with("plink_"));
        let desk = Desk::new();
        let path = desk.file();
        let output = world.relink(&["regen", "--all", "--commit", "--yes", "--csv-out", path.to_str().unwrap()]).await;
        assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
        assert!(output.stdout.contains("1 parent holds a dead URL"), "{}", output.stdout);
        assert_eq!(orders(&path), [order.to_string()]);
        assert_eq!(read(&path)[0]["url"], held.url.unwrap());
    }
}

/// Whoever mails from the file alone would pass the parents of the run before over.
#[tokio::test]
async fn a_list_in_the_place_of_another_run_s_says_whom_it_leaves_out() {
    let world = World::on(Backend::Sqlite).await;
    let desk = Desk::new();
    let path = desk.file();
    let mut told = Vec::new();
    let mut made = Vec::new();
    for _ in 0..3 {
        let order = world.order(pending(5500).behind(expired_session())).await;
        let id = order.to_string();
        let arguments = ["regen", "--order-id", &id, "--commit", "--yes"];
        let output = world
            .relink(&[&arguments[..], &["--csv-out", path.to_str().unwrap()]].concat())
            .await;
        assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
        assert_eq!(orders(&path), [id]);
        made.push(order);
        told.push(output.stderr);
        // Of whoever paid nobody is to be told.
        if made.len() == 2 {
            world.rows.set(order.0, "status", "'paid'").await;
        }
    }
    let said = "that file told of 1 order more";
    assert!(!told[0].contains("told of"), "{}", told[0]);
    assert!(told[1].contains(said), "{}", told[1]);
    assert!(!told[2].contains("told of"), "{}", told[2]);
    let command = told[1].split("relink journal list --since ").nth(1);
    let since = command.unwrap().split(' ').next().unwrap();
    let list = ["journal", "list", "--since", since, "--csv-out"];
    let output = world
        .relink(&[&list[..], &[path.to_str().unwrap()]].concat())
        .await;
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert_eq!(
        orders(&path),
        [made[0], made[2]].map(|order| order.to_string())
    );
}

/// A name that was mistyped must not cost anybody the orders.
#[tokio::test]
async fn no_output_takes_the_place_of_another_file() {
    let world = World::on(Backend::Sqlite).await;
    let order = world.order(pending(5500).behind(expired_session())).await;
    let database = world.database_url().strip_prefix("sqlite://").unwrap();
    let database = database.split('?').next().unwrap();
    let desk = Desk::new();
    let key = desk.0.path().join("key");
    std::fs::write(&key, "sk_test_of_somebody").unwrap();
    let key = key.to_str().unwrap();
    for place in [database, key] {
        let before = std::fs::read(place).unwrap();
        for (command, code) in [
            (vec!["inspect", "--all", "--csv-out", place], 4),
            (
                vec!["regen", "--all", "--commit", "--yes", "--csv-out", place],
                4,
            ),
            (vec!["regen", "--all", "--plan-out", place], 4),
            (vec!["journal", "list", "--csv-out", place], 4),
            // Monitoring changes no run's end.
            (vec!["inspect", "--all", "--metrics-file", place], 0),
        ] {
            let output = world.relink(&command).await;
            assert_eq!(output.code, Some(code), "{command:?}: {}", output.stderr);
            assert!(
                output.stderr.contains("another file is there"),
                "{command:?}: {}",
                output.stderr
            );
            let now = std::fs::read(place).unwrap();
            assert!(now.starts_with(&before[..16]), "{command:?}");
        }
    }
    let held = world.row(order.0).await.reference.unwrap();
    assert!(held.starts_with("cs_"), "{held}");
}

#[tokio::test]
async fn inspect_lists_all_that_is_well_whoever_stored_it() {
    let world = World::on(Backend::Sqlite).await;
    let old = world.order(pending(5500).behind(active_link())).await;
    let new = world.order(pending(5500).behind(expired_session())).await;
    world.order(paid(5500).behind(inactive_link())).await;
    world.relink(&["regen", "--all", "--commit", "--yes"]).await;
    let desk = Desk::new();
    let path = desk.file();
    let output = world
        .relink(&["inspect", "--all", "--csv-out", path.to_str().unwrap()])
        .await;
    assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
    assert_eq!(orders(&path), [old.to_string(), new.to_string()]);
    let rows = read(&path);
    assert_eq!(rows[0]["run"], "");
    assert_eq!(rows[1]["run"].len(), 36);
    assert_eq!(orders(&desk.people()), Vec::<String>::new());
}

/// It would have been passed over without a word.
#[tokio::test]
async fn one_order_over_all_runs_is_no_list() {
    let world = World::on(Backend::Sqlite).await;
    let desk = Desk::new();
    let file = desk.file().display().to_string();
    let arguments = ["journal", "show", "--order-id", "1", "--csv-out", &file];
    let output = world.relink(&arguments).await;
    assert_eq!(output.code, Some(2), "{}", output.stderr);
    assert!(
        output.stderr.contains("--order-id names no run"),
        "{}",
        output.stderr
    );
    assert!(!desk.file().exists());
}

#[tokio::test]
async fn a_list_is_made_of_what_is_stored_alone() {
    let world = World::on(Backend::Sqlite).await;
    world.order(pending(5500).behind(expired_session())).await;
    let desk = Desk::new();
    let path = desk.file();
    let path = path.to_str().unwrap();
    let dry = world.relink(&["regen", "--all", "--csv-out", path]).await;
    assert_eq!(dry.code, Some(2), "{}", dry.stderr);
    assert!(dry.stderr.contains("--commit"), "{}", dry.stderr);
    assert!(!desk.file().exists());
    let streamed = world
        .relink(&["regen", "--all", "--commit", "--yes", "--csv-out", "-"])
        .await;
    assert_eq!(streamed.code, Some(2), "{}", streamed.stderr);
    assert!(streamed.stderr.contains("-o csv"), "{}", streamed.stderr);
    assert_eq!(world.writes().await.len(), 0);
    let nowhere = "/nowhere/blast.csv";
    let output = world
        .relink(&["regen", "--all", "--commit", "--yes", "--csv-out", nowhere])
        .await;
    assert_eq!(output.code, Some(4), "{}", output.stderr);
    assert!(
        output.stderr.contains("/nowhere/blast.csv"),
        "{}",
        output.stderr
    );
    assert_eq!(world.writes().await.len(), 0);
    // What is in the way is met before anything is written.
    std::fs::create_dir(desk.file()).unwrap();
    let early = world
        .relink(&["regen", "--all", "--commit", "--yes", "--csv-out", path])
        .await;
    assert_eq!(early.code, Some(4), "{}", early.stderr);
    assert_eq!(world.writes().await.len(), 0);
    std::fs::remove_dir(desk.file()).unwrap();
}

/// What was done is done, and told, also where the list cannot be written any more.
#[tokio::test]
async fn a_list_that_could_not_be_written_in_the_end_is_in_the_report() {
    let world = World::on(Backend::Sqlite).await;
    world.order(pending(5500).behind(expired_session())).await;
    let rule = json!({"method": "POST", "when": "before", "kind": "park", "times": 1});
    world.fault(rule).await;
    let desk = Desk::new();
    let path = desk.file();
    let commit = [
        "regen",
        "--all",
        "--commit",
        "--yes",
        "-o",
        "json",
        "--csv-out",
    ];
    let running = world.spawn(&[&commit[..], &[path.to_str().unwrap()]].concat());
    let parked = world.wait_for_parked().await;
    std::fs::create_dir(&path).unwrap();
    world.release(parked).await;
    let late = running.finish().await;
    assert_eq!(late.code, Some(1), "{}", late.stderr);
    assert!(late.stderr.contains("warning: `"), "{}", late.stderr);
    let report: Value = serde_json::from_str(&late.stdout).unwrap();
    assert_eq!(report["exit_code"], 1);
    assert_eq!(report["statuses"], json!(["unclassified"]));
    assert_eq!(report["outcomes"][0]["outcome"], "replaced");
}

on_each_backend! {
    /// Whoever holds its URL in a mail holds a dead one.
    async fn what_was_closed_again_is_on_no_list(world) {
        let kept = world.order(pending(5500).behind(expired_session())).await;
        let closed = world.order(pending(5500).behind(expired_session())).await;
        let output = world.relink(&["regen", "--all", "--commit", "--yes"]).await;
        assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
        let desk = Desk::new();
        let path = desk.file();
        let list = ["journal", "list", "--since", "1h", "--csv-out", path.to_str().unwrap()];
        world.relink(&list).await;
        assert_eq!(orders(&path), [kept.to_string(), closed.to_string()]);
        let retire = ["retire", "--order-id", &closed.to_string(), "--pending", "--commit", "--yes"];
        let output = world.relink(&retire).await;
        assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
        world.relink(&list).await;
        assert_eq!(orders(&path), [kept.to_string()]);
    }
}

/// The row names the new link and leads elsewhere: who is told its URL cannot pay.
#[tokio::test]
async fn a_row_whose_url_is_not_its_links_is_for_a_person() {
    let world = World::on(Backend::Sqlite).await;
    let well = world.order(pending(5500).behind(expired_session())).await;
    let astray = world.order(pending(5500).behind(expired_session())).await;
    world.relink(&["regen", "--all", "--commit", "--yes"]).await;
    let url = world.row(astray.0).await.url.unwrap();
    world
        .rows
        .set(astray.0, "stripe_checkout_url", "'https://old.example'")
        .await;
    let desk = Desk::new();
    let path = desk.file();
    for command in [&["journal", "list"][..], &["inspect", "--all"]] {
        let output = world
            .relink(&[command, &["--csv-out", path.to_str().unwrap()]].concat())
            .await;
        assert_eq!(output.code, Some(0), "{}", output.stderr);
        assert_eq!(orders(&path), [well.to_string()], "{command:?}");
        assert_eq!(orders(&desk.people()), [astray.to_string()]);
        let needed = read(&desk.people());
        assert!(needed[0]["reason"].contains(&url), "{needed:?}");
        std::fs::remove_file(desk.people()).unwrap();
    }
}

#[tokio::test]
async fn a_run_without_work_leaves_the_list_of_the_run_before() {
    let world = World::on(Backend::Sqlite).await;
    let order = world.order(pending(5500).behind(expired_session())).await;
    let desk = Desk::new();
    let path = desk.file();
    let commit = [
        "regen",
        "--all",
        "--commit",
        "--yes",
        "--csv-out",
        path.to_str().unwrap(),
    ];
    for _ in 0..2 {
        let output = world.relink(&commit).await;
        assert_eq!(output.code, Some(0), "{}", output.stderr);
        assert_eq!(orders(&path), [order.to_string()]);
    }
    std::fs::remove_file(&path).unwrap();
    world.relink(&commit).await;
    assert_eq!(orders(&path), Vec::<String>::new());
}

/// Nobody read its report, and no later run counts its parents.
#[tokio::test]
async fn a_later_run_tells_of_the_links_that_a_killed_one_stored() {
    let world = World::on(Backend::Sqlite).await;
    world.order(pending(5500).behind(expired_session())).await;
    world.order(pending(5500).behind(expired_session())).await;
    let second = json!({"method": "POST", "nth": 2, "when": "before", "kind": "park", "times": 1});
    let commit = ["regen", "--all", "--commit", "--yes", "--concurrency", "1"];
    world.kill_at(&commit, second).await;
    let output = world.relink(&commit).await;
    assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
    let told = output
        .stderr
        .lines()
        .find(|line| line.contains("has not ended"));
    let told = told.unwrap_or_else(|| panic!("{}", output.stderr));
    assert!(
        told.contains("stored links for 1 order: relink journal show"),
        "{told}"
    );
}

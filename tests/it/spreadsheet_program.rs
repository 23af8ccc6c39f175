//! The list for the mail to the parents, opened by a real spreadsheet program: every cell is what was written, and
//! nothing of it is a formula. Only where RELINK_TEST_SOFFICE names LibreOffice (`tests/run --long`); elsewhere it says
//! that it was skipped.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::tally;
use crate::support::world::*;

/// What parents call their children, or somebody typed there. A name that is a number to everybody is left out: without
/// its quotes a spreadsheet reads `0012` as 12.
const NAMES: [&str; 14] = [
    "Ann, Lee",
    "Ann; Lee",
    "Zoë \"Z\" Ö",
    "two\nlines",
    " spaced ",
    "1-2",
    "10/11/2026",
    "O'Neil",
    "😀 Kim",
    "=1+1",
    "@SUM(1)",
    "-5+3",
    "+49 170",
    "=cmd|' /C calc'!A0",
];
/// As LibreOffice's filter is told: comma, double quote, UTF-8.
const READ: &str = "--infilter=CSV:44,34,76,1";
const CELLS: &str = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false";

/// The file as the program saves it, having opened it.
fn saved_by(program: &str, folder: &Path, format: &str) -> PathBuf {
    let profile = format!("-env:UserInstallation=file://{}/profile", folder.display());
    let out = folder.join("out");
    let ended = Command::new(program)
        .args([&profile, "--headless", "--norestore", READ])
        .args(["--convert-to", format, "--outdir"])
        .args([&out, &folder.join("blast.csv")])
        .output()
        .unwrap();
    assert!(ended.status.success(), "{ended:?}");
    let ending = format.split(':').next().unwrap();
    out.join("blast").with_extension(ending)
}

fn rows(path: &Path) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_path(path)
        .unwrap();
    reader.deserialize().map(Result::unwrap).collect()
}

#[tokio::test]
async fn every_cell_of_the_list_comes_back_and_none_is_a_formula() {
    let Some(program) = std::env::var_os("RELINK_TEST_SOFFICE") else {
        tally::tell("spreadsheet: SKIPPED, no LibreOffice (it is for tests/run --long)");
        return;
    };
    let program = program.to_str().unwrap();
    let world = World::on(Backend::Sqlite).await;
    for name in NAMES {
        let order = pending(5550).for_player(name).mailed_to("ann@example.com");
        world.order(order.behind(expired_session())).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("blast.csv");
    let commit = ["regen", "--all", "--commit", "--yes", "--csv-out"];
    let output = world
        .relink(&[&commit[..], &[list.to_str().unwrap()]].concat())
        .await;
    assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);

    let written = rows(&list);
    let mut read = rows(&saved_by(program, folder.path(), CELLS));
    let amount = written[0].iter().position(|name| name == "amount").unwrap();
    for row in read.iter_mut().skip(1) {
        // A number like any other, shown without its last zero.
        assert_eq!(row[amount], "55.5");
        row[amount] = "55.50".to_owned();
    }
    assert_eq!(read, written);
    assert_eq!(read.len(), NAMES.len() + 1);

    let sheet = std::fs::read_to_string(saved_by(program, folder.path(), "fods")).unwrap();
    assert!(sheet.contains("'=1+1") || sheet.contains("&apos;=1+1"));
    assert!(!sheet.contains("table:formula"), "a cell is a formula");
    tally::tell("spreadsheet: a list of 14 odd names came back from LibreOffice as it was");
}

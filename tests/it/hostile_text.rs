//! Names and metadata that attack whoever reads them, through the whole binary: at a terminal nothing is obeyed, in a
//! spreadsheet nothing is run.

use crate::support::world::*;

/// What terminals obey, and what fools a reader's eye.
const ATTACKS: [&str; 14] = [
    "\u{1b}[2J\u{1b}[H0 need a person",
    "\u{1b}]8;;https://evil.example/pay\u{1b}\\Ann\u{1b}]8;;\u{1b}\\",
    "\u{1b}]8;;https://evil.example/pay\u{7}Ann\u{1b}]8;;\u{7}",
    "\u{1b}]52;c;cm0gLXJmIH4=\u{7}",
    "\u{1b}]0;root\u{7}",
    "\u{1b}P$q\"p\u{1b}\\",
    "\u{9b}2J\u{9d}8;;https://evil.example\u{9c}",
    "\u{90}0;1|17/ab\u{9c}\u{98}x\u{9e}y\u{9f}z\u{84}\u{85}",
    "Ann\rpaid\u{8}\u{8}\u{8}",
    "Ann\nnext: relink regen --all --live --commit --yes",
    "\u{202e}00.55\u{202c} \u{2066}DSU\u{2069}",
    "A\u{200b}n\u{2060}n\u{feff} \u{e0041}\u{e0042}",
    "=HYPERLINK(\"https://evil.example\";\"pay\")",
    "Ann;=cmd|' /C calc'!A0",
];

async fn attacked() -> World {
    let world = World::on(Backend::Sqlite).await;
    for text in ATTACKS {
        let named = pending(5500).for_player(text).mailed_to(text);
        world.order(named.behind(expired_session())).await;
        // In Stripe, where anybody with the Dashboard writes it.
        let named = pending(5500).for_player(text);
        world.order(named.behind(active_link().naming(text))).await;
    }
    world
}

/// A character that must not reach a terminal. The terminal itself makes CR LF of the ends of lines.
fn is_obeyed(c: char) -> bool {
    let hides =
        matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}');
    let tags = matches!(c, '\u{feff}' | '\u{e0000}'..='\u{e007f}');
    (c.is_control() && c != '\n') || hides || tags
}

fn at_a_terminal(world: &World, words: &[&str]) -> String {
    let command = world.command(&[words, &["-q"]].concat());
    let mut session = rexpect::session::spawn_command(command, Some(60_000)).unwrap();
    let said = session.exp_eof().unwrap();
    // Each byte is a character of it.
    String::from_utf8(said.chars().map(|c| c as u8).collect()).unwrap()
}

fn harmless(said: &str, words: &[&str]) {
    let found: String = said
        .replace("\r\r\n", "\n")
        .replace("\r\n", "\n")
        .chars()
        .filter(|c| is_obeyed(*c))
        .collect();
    assert!(found.is_empty(), "{words:?}: {found:?} in {said}");
    let forged = said
        .lines()
        .find(|line| line.starts_with("next: relink regen --all --live"));
    assert_eq!(forged, None, "{words:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_is_shown_every_attack_and_obeys_none() {
    let world = attacked().await;
    let all = ["inspect", "--all", "-o"];
    for format in ["table", "wide", "json", "jsonl", "csv", "ids"] {
        let words = [&all[..], &[format]].concat();
        let said = at_a_terminal(&world, &words);
        harmless(&said, &words);
        assert!(said.contains("1001"), "{said}");
        if format == "csv" {
            assert!(said.contains(r"\u{1b}]8;;"), "{said}");
        }
    }
    for order in ["1001", "1002", "1004"] {
        let words = ["inspect", "--order-id", order];
        harmless(&at_a_terminal(&world, &words), &words);
    }
    let commit = [
        "regen",
        "--all",
        "--commit",
        "--yes",
        "--max-failures",
        "100",
    ];
    harmless(&at_a_terminal(&world, &commit), &commit);
    let words = ["journal", "list"];
    harmless(&at_a_terminal(&world, &words), &words);
}

/// As programs split it that were told of another separator, too.
#[tokio::test]
async fn a_spreadsheet_runs_nothing_whatever_it_splits_by() {
    let world = attacked().await;
    let output = world.relink(&["inspect", "--all", "-o", "csv"]).await;
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    let mut reader = csv::Reader::from_reader(output.stdout.as_bytes());
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 2 * ATTACKS.len());
    let runs = |cell: &str| cell.starts_with(['=', '+', '@', '＝', '＋', '＠']);
    for cell in rows.iter().flatten() {
        assert!(!runs(cell), "{cell:?}");
    }
    let pieces = output.stdout.split([';', '\t', '\r', '\n']);
    let run: Vec<&str> = pieces.filter(|piece| runs(piece)).collect();
    assert_eq!(run, Vec::<&str>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_without_end_is_cut_short() {
    let world = World::on(Backend::Sqlite).await;
    let name = "Ann ".repeat(25_000);
    world
        .order(pending(5500).for_player(&name).behind(expired_session()))
        .await;
    let said = at_a_terminal(&world, &["inspect", "--all"]);
    assert!(said.contains("would mint") && said.len() < 5000, "{said}");
    let commit = world.relink(&["regen", "--all", "--commit", "--yes"]).await;
    assert_eq!(commit.code, Some(0), "{}{}", commit.stdout, commit.stderr);
    assert_eq!(world.writes().await.len(), 1);
}

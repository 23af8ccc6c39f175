//! Completions as a shell takes them, and manual pages as they are formatted and put in place.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use relink::plan::Verdict;

use crate::support::grammar::{Spoken, every_command};
use crate::support::world::{Running, run_binary};

/// Takes the script and a command line, its last word the one at the cursor, and does what bash does on TAB.
const DRIVER: &str = r#"
source "$1" || exit 9
registered=$(complete -p relink) || exit 9
[[ $registered =~ -F\ ([^ ]+) ]] || exit 9
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
"${BASH_REMATCH[1]}" relink "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\n' "${COMPREPLY[@]}"
"#;

fn script(shell: &str) -> String {
    let output = run_binary(&["completions", shell], &[]);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert_eq!(output.stderr, "");
    output.stdout
}

struct Bash {
    script: tempfile::NamedTempFile,
}

impl Bash {
    fn with_completions() -> Bash {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), script("bash")).unwrap();
        Bash { script: file }
    }

    fn offers(&self, words: &[&str]) -> BTreeSet<String> {
        let output = Command::new("bash")
            .args(["--norc", "-c", DRIVER, "bash"])
            .arg(self.script.path())
            .arg("relink")
            .args(words)
            .current_dir("/")
            .stdin(Stdio::null())
            .output()
            .expect("bash is installed");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{words:?}: {said}");
        let offered = String::from_utf8(output.stdout).unwrap();
        let offered = offered.lines().filter(|line| !line.is_empty());
        offered.map(str::to_owned).collect()
    }
}

fn set(words: &[&str]) -> BTreeSet<String> {
    words.iter().map(ToString::to_string).collect()
}

#[test]
fn bash_offers_every_verdict_and_those_that_begin_as_typed() {
    let bash = Bash::with_completions();
    let all = set(&Verdict::ALL.map(Verdict::name));
    for command in ["inspect", "regen", "retire", "mint"] {
        assert_eq!(bash.offers(&[command, "--verdict", ""]), all, "{command}");
    }
    let begun = bash.offers(&["inspect", "--all", "--verdict", "un"]);
    assert_eq!(begun, set(&["unobserved", "unknown_object", "unowned"]));
}

#[test]
fn bash_offers_the_flags_of_every_command() {
    let bash = Bash::with_completions();
    for spoken in every_command() {
        let words = spoken.with(&["--"]);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let flags = spoken
            .command
            .get_arguments()
            .filter_map(clap::Arg::get_long);
        let flags: BTreeSet<String> = flags.map(|flag| format!("--{flag}")).collect();
        assert_eq!(bash.offers(&words), flags, "{words:?}");
    }
}

#[test]
fn bash_offers_commands_topics_and_values_and_no_files_for_a_number() {
    let bash = Bash::with_completions();
    assert_eq!(bash.offers(&["re"]), set(&["regen", "resolve", "retire"]));
    assert_eq!(bash.offers(&["journal", "s"]), set(&["show"]));
    let formats = ["table", "wide", "json", "jsonl", "csv", "ids"];
    assert_eq!(bash.offers(&["regen", "-o", ""]), set(&formats));
    assert_eq!(bash.offers(&["completions", "z"]), set(&["zsh"]));
    assert_eq!(
        bash.offers(&["help", "e"]),
        set(&["environment", "exit-codes"])
    );
    assert_eq!(bash.offers(&["help", "journal", "l"]), set(&["list"]));
    // In the root directory, where `etc` is.
    assert_eq!(bash.offers(&["regen", "--order-id", "et"]), set(&["et"]));
    assert_eq!(
        bash.offers(&["regen", "--stripe-key-file", "et"]),
        set(&["etc"])
    );
}

#[test]
fn the_scripts_of_zsh_and_fish_hold_every_verdict_and_can_be_read_by_their_shells() {
    let cases = [("zsh", vec!["-n"]), ("fish", vec!["--no-execute"])];
    for (shell, only_read) in cases {
        let text = script(shell);
        for verdict in Verdict::ALL {
            let name = verdict.name();
            let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            assert!(
                words.into_iter().any(|word| word == name),
                "{shell}: {name}"
            );
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), &text).unwrap();
        let read = Command::new(shell)
            .args(only_read)
            .arg(file.path())
            .output();
        if let Ok(read) = read {
            let said = String::from_utf8_lossy(&read.stderr).into_owned();
            assert!(read.status.success() && said.is_empty(), "{shell}: {said}");
        }
    }
}

#[test]
fn fish_offers_verdicts_and_topics_where_it_is_installed_and_the_script_names_both_anyhow() {
    let text = script("fish");
    assert!(text.contains("-l verdict") && text.contains("exit-codes"));
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), &text).unwrap();
    let source = format!("source {}", file.path().display());
    let cases = [
        ("relink inspect --all --verdict lea", vec!["leaked"]),
        ("relink help j", vec!["journal", "json"]),
        ("relink help journal s", vec!["show"]),
    ];
    for (line, offered) in cases {
        let asked = format!("{source}; complete --do-complete '{line}'");
        let fish = Command::new("fish")
            .args(["--no-config", "-c", &asked])
            .output();
        if let Ok(fish) = fish {
            let said = String::from_utf8_lossy(&fish.stdout).into_owned();
            let words = said.lines().filter_map(|line| line.split('\t').next());
            let mut words: Vec<&str> = words.collect();
            words.sort_unstable();
            assert_eq!(words, offered, "{line}");
        }
    }
}

#[test]
fn each_command_has_a_manual_page_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    // Made where it is missing.
    let out = directory.path().join("share/man/man1");
    let shown = out.display().to_string();
    let output = run_binary(&["man", "--out", &shown], &[]);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert_eq!(output.stdout, "");

    let mut pages = every_command();
    // The topics are in the main page.
    pages.retain(|page| page.words.len() < 2 || page.words[0] != "help");
    let files = pages.iter().map(|page| format!("{}.1", page.dashed()));
    let expected: BTreeSet<String> = files.collect();
    for name in [
        "relink.1",
        "relink-regen.1",
        "relink-journal-show.1",
        "relink-help.1",
    ] {
        assert!(expected.contains(name), "{expected:?}");
    }
    let entries = fs::read_dir(&out).unwrap().map(Result::unwrap);
    let written: BTreeSet<_> = entries
        .map(|e| e.file_name().into_string().unwrap())
        .collect();
    assert_eq!(written, expected);
    assert!(
        output
            .stderr
            .contains(&format!("{} manual pages are in {shown}", written.len()))
    );
    for page in &pages {
        check_page(page, &out);
    }
    let main = fs::read_to_string(out.join("relink.1")).unwrap();
    assert_eq!(run_binary(&["man"], &[]).stdout, main);
}

fn has_section(page: &str, name: &str) -> bool {
    let heading = |line: &str| line.strip_prefix(".SH ").map(|text| text.replace('"', ""));
    page.lines()
        .any(|line| heading(line).as_deref() == Some(name))
}

/// Its sections, its letters; and that groff, where there is one, formats it without a complaint.
fn check_page(page: &Spoken, directory: &Path) {
    let name = page.dashed();
    let path = directory.join(format!("{name}.1"));
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o644, "{name}");
    assert!(text.is_ascii(), "{name} depends on a locale");
    assert_eq!(text.matches(".ds Aq").count(), 2, "{name}");
    let flags = page.command.get_arguments();
    let headings = flags.filter_map(clap::Arg::get_help_heading);
    let headings: BTreeSet<String> = headings.map(str::to_uppercase).collect();
    let always = [
        "NAME",
        "SYNOPSIS",
        "DESCRIPTION",
        "OUTPUT",
        "EXAMPLES",
        "SEE ALSO",
    ];
    for section in headings.iter().map(String::as_str).chain(always) {
        assert!(has_section(&text, section), "{name} lacks {section}");
    }
    if let Ok(formatted) = Command::new("groff")
        .args(["-man", "-Tutf8", "-P-cbou", "-ww", "-rLL=80n"])
        .arg(path)
        .output()
    {
        let said = String::from_utf8_lossy(&formatted.stderr).into_owned();
        assert!(
            formatted.status.success() && said.is_empty(),
            "{name}: {said}"
        );
        let shown = String::from_utf8_lossy(&formatted.stdout).into_owned();
        assert!(
            !shown.contains("[u20") && shown.contains("EXAMPLES"),
            "{shown}"
        );
    }
}

#[test]
fn the_main_page_tells_how_a_run_ends_what_is_read_and_what_was_built() {
    let page = run_binary(&["man"], &[]).stdout;
    for section in ["EXIT STATUS", "ENVIRONMENT", "DOCUMENTS", "VERSION"] {
        assert!(has_section(&page, section), "{section} is not in {page}");
    }
    for word in [
        "refused by a guard",
        "STRIPE_API_KEY",
        "relink.plan/1",
        "relink\\-regen(1)",
    ] {
        assert!(page.contains(word), "{word} is not in {page}");
    }
}

/// Root may write anywhere, so as root the client runs as nobody, from a copy that nobody may run.
#[test]
fn a_directory_that_may_not_be_written_to_is_said_to_be_so() {
    let home = tempfile::tempdir().unwrap();
    let allow = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    let program = home.path().join("relink");
    let copied = Command::new("cp")
        .arg(env!("CARGO_BIN_EXE_relink"))
        .arg(&program)
        .status();
    assert!(copied.unwrap().success());
    allow(&program, 0o755);
    let out = home.path().join("man1");
    fs::create_dir(&out).unwrap();
    allow(&out, 0o555);
    allow(home.path(), 0o755);
    let is_root = fs::metadata(&out).unwrap().uid() == 0;
    let mut command = Command::new(&program);
    command.args(["man", "--out"]).arg(&out).env_clear();
    if is_root {
        command.uid(65_534).gid(65_534);
    }
    let output = Running::start(command).wait();
    assert_eq!(output.code, Some(4), "{}", output.stderr);
    let path = out.join("relink.1").display().to_string();
    assert!(
        output
            .stderr
            .contains(&format!("`{path}` cannot be written: Permission denied")),
        "{}",
        output.stderr
    );
    assert_eq!(fs::read_dir(&out).unwrap().count(), 0);
}

#[test]
fn a_file_in_the_way_of_the_directory_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().display().to_string();
    let output = run_binary(&["man", "--out", &path], &[]);
    assert_eq!(output.code, Some(4), "{}", output.stderr);
    assert!(output.stderr.contains(&path), "{}", output.stderr);
}

//! Any text as a configuration file, and all that is made of it before anything is opened. A mistake is told by its line or
//! its key, and no message shows what a secret may be: where `%` stands, the file has a password.
#![no_main]

use std::ffi::OsString;
use std::path::Path;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use relink::cli;
use relink::command_line::CommandLine;
use relink::config::Environment;
use relink::error::Error;
use relink::files::FoundText;
use relink::settings::{ConfigFile, Listing, Settings, Subject};
use secrecy::ExposeSecret;
use toml::de::{DeTable, DeValue};

const PASSWORD: &str = "Tr0ub4dor";
const PATH: &str = "/etc/relink/config.toml";

/// The command is always the same.
static TYPED: LazyLock<(cli::Common, CommandLine)> = LazyLock::new(|| {
    let line = ["relink", "inspect", "--all"].map(OsString::from);
    let common = cli::parse(line.clone()).unwrap().common;
    (common, CommandLine::shown(line))
});

/// What stands under such a key is nobody's to see. A currency that is none is shown, so that it can be found, and so are
/// names of tables and columns.
fn is_secret(key: &str) -> bool {
    ["url", "key", "secret", "password", "token"]
        .iter()
        .any(|word| key.contains(word))
}

/// Whether the password stands where it may be seen: in a key, or under one that holds no secret.
fn may_be_seen(key: &str, value: &DeValue<'_>) -> bool {
    let shows = |value: &DeValue<'_>| format!("{value:?}").contains(PASSWORD);
    match value {
        DeValue::Table(_) if key == "schema" => shows(value),
        DeValue::Table(below) => below.iter().any(|(key, value)| {
            key.get_ref().contains(PASSWORD) || may_be_seen(key.get_ref(), value.get_ref())
        }),
        DeValue::Array(below) => below.iter().any(|value| may_be_seen(key, value.get_ref())),
        value => !is_secret(key) && shows(value),
    }
}

/// `line 4` of the file, or a key between backticks.
fn names_its_place(message: &str, text: &str) -> bool {
    let lines = text.split('\n').count();
    let number = message
        .split_once("`, line ")
        .map(|(_, rest)| rest.split(|c: char| !c.is_ascii_digit()).next());
    match number {
        Some(number) => number
            .and_then(|number| number.parse::<usize>().ok())
            .is_some_and(|number| (1..=lines).contains(&number)),
        // Tables within tables beyond all measure have no place of their own.
        None => message.contains("`: `") || message.contains("recursion limit"),
    }
}

fn is_told_without_secrets(error: &Error, text: &str) {
    let message = error.to_string();
    assert!(message.contains(PATH), "{message}");
    assert!(names_its_place(&message, text), "{message}");
    let told = format!("{message} {error:?}");
    // A key is told before its value is read, which may be a number beyond all numbers.
    let parsed = DeTable::parse(text);
    let is_seen = parsed.is_ok_and(|it| may_be_seen("", &DeValue::Table(it.into_inner())));
    assert!(is_seen || !told.contains(PASSWORD), "{told}");
}

/// What `doctor --config` shows of settings that can be used.
fn is_listed_without_password(settings: &Settings, common: &cli::Common, typed: &CommandLine) {
    let connection = settings.file.document.connection.as_ref();
    let Some(connection) = connection.filter(|it| it.stripe_key_file.is_none()) else {
        return;
    };
    let Some(url) = &connection.database_url else {
        return;
    };
    let url = url.0.expose_secret();
    let Ok(mut bare) = url.parse::<url::Url>() else {
        return;
    };
    let had_one = bare.password().is_some_and(|it| it.contains(PASSWORD));
    if !had_one || bare.set_password(None).is_err() || bare.as_str().contains(PASSWORD) {
        return;
    }
    let listing = Listing::of(&Subject {
        common,
        environment: &Environment::default(),
        settings,
        typed,
    });
    let lines = listing.lines.iter();
    let mut shown = lines.filter(|line| line.key == "connection.database_url");
    assert!(shown.all(|line| !format!("{line:?}").contains(PASSWORD)));
}

fuzz_target!(|text: &str| {
    let text = text.replace('%', PASSWORD);
    let found = FoundText {
        text: text.clone().into(),
        is_open: false,
        is_writable: false,
    };
    let (common, typed) = &*TYPED;
    let settings = ConfigFile::parse(Path::new(PATH), &found)
        .and_then(|file| Settings::resolve(common, file, typed));
    match settings {
        Ok(settings) => {
            text.parse::<toml::Table>().unwrap();
            assert!(!settings.categories.value.is_empty());
            assert!((1..=256).contains(&settings.limits.concurrency.value));
            assert!(settings.limits.max_failures.value > 0);
            assert!(settings.limits.min_age.value >= 0);
            assert!(settings.limits.plan_max_age.value >= 0);
            let connection = &settings.file.document.connection;
            let url = connection.as_ref().and_then(|it| it.database_url.as_ref());
            if url.is_some() {
                assert!(!format!("{url:?}").contains(PASSWORD));
            }
            is_listed_without_password(&settings, common, typed);
        }
        Err(error) => is_told_without_secrets(&error, &text),
    }
});

//! Every setting in words, with its source, for `doctor --config`. A secret is shown as its kind and nothing more.
//!
//! It opens nothing. What cannot be used is a line that says why, so that the others can be seen beside it.

use secrecy::{ExposeSecret, SecretString};

use super::connection::{self, WEBHOOK_CREDENTIAL};
use super::{ConfigFile, Limits, Setting, Settings, Source};
use crate::cli::Common;
use crate::command_line::CommandLine;
use crate::config::{Environment, Pieces, rps_for};
use crate::domain::Money;
use crate::error::Error;
use crate::redact::redact;
use crate::secrets::agree_on_key;
use crate::store::Store;

const HOUR: i64 = 3600;
const MINUTE: i64 = 60;

/// One setting, fit to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub key: String,
    /// `None` where nothing is set.
    pub value: Option<String>,
    /// `flag`, `environment`, `credential`, `file`, `default` or `sandbox`.
    pub source: &'static str,
    /// Which flag, variable, file and line.
    pub from: Option<String>,
    /// The value cannot be used, and says why.
    pub is_wrong: bool,
}

/// What `doctor --config` shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The configuration file that is in use.
    pub file: Option<String>,
    pub lines: Vec<Line>,
    /// Sections of the file that are there and not used, since the sandbox brings its own.
    pub unused: Vec<&'static str>,
}

/// What the listing is made from.
pub struct Subject<'a> {
    pub common: &'a Common,
    pub environment: &'a Environment,
    pub settings: &'a Settings,
    pub typed: &'a CommandLine,
}

impl Listing {
    #[must_use]
    pub fn of(subject: &Subject<'_>) -> Listing {
        let settings = subject.settings;
        let file = &settings.file;
        let mut lines = texts(settings);
        lines.extend(limits(file, &settings.limits));
        let mut unused = Vec::new();
        if subject.common.sandbox.is_some() {
            lines.extend(["database_url", "stripe_key"].map(of_sandbox));
            if file.document.connection.is_some() {
                unused.push("connection");
            }
            if file.document.schema.is_some() {
                unused.push("schema");
            }
        } else {
            lines.push(database(subject));
            lines.push(key(subject));
        }
        let Setting { value, source } = &settings.stripe_account;
        let account = value.as_ref().map(ToString::to_string);
        lines.push(line(file, "connection.stripe_account", account, source));
        lines.push(api_base(subject));
        lines.push(webhook_secret(subject));
        lines.extend(names(settings, subject.common.sandbox.is_some()));
        if subject.common.sandbox.is_none() {
            judge(&mut lines, subject);
        }
        Listing {
            file: file.path().map(|path| path.display().to_string()),
            lines,
            unused,
        }
    }

    #[must_use]
    pub fn is_usable(&self) -> bool {
        !self.lines.iter().any(|line| line.is_wrong)
    }
}

/// What only shows together with the key or the address.
fn judge(lines: &mut [Line], subject: &Subject<'_>) {
    let Subject {
        common,
        environment,
        settings,
        ..
    } = subject;
    let base = Pieces::read(common, environment, settings).stripe_base;
    let wrong = match base {
        Err(error) => Some(("stripe_api_base", error)),
        Ok(base) => rps_for(&base, settings)
            .err()
            .map(|error| ("limits.rps", error)),
    };
    let Some((key, error)) = wrong else { return };
    for line in lines.iter_mut().filter(|line| line.key == key) {
        line.value = Some(redact(&error.describe().message));
        line.is_wrong = true;
    }
}

fn texts(settings: &Settings) -> Vec<Line> {
    let file = &settings.file;
    let Setting { value, source } = &settings.success_url;
    let success_url = line(file, "success_url", value.as_deref().map(redact), source);
    let Setting { value, source } = &settings.currency;
    let currency = line(file, "currency", Some(value.code()), source);
    let Setting { value, source } = &settings.inactive_message;
    let inactive = line(file, "inactive_message", Some(value.clone()), source);
    let Setting { value, source } = &settings.product_name;
    let product_name = line(file, "product_name", Some(value.to_string()), source);
    let Setting { value, source } = &settings.categories;
    let categories = line(file, "scope.categories", Some(value.join(", ")), source);
    vec![success_url, currency, inactive, product_name, categories]
}

fn limits(file: &ConfigFile, limits: &Limits) -> Vec<Line> {
    // Named one by one, so that a limit that is added is thought of here.
    let Limits {
        concurrency,
        rps,
        max_orders,
        max_amounts,
        max_failures,
        min_age,
        plan_max_age,
    } = limits;
    let amounts: Vec<String> = max_amounts.value.iter().map(Money::argument).collect();
    let amounts = (!amounts.is_empty()).then(|| amounts.join(", "));
    let rows = [
        (
            "concurrency",
            Some(concurrency.value.to_string()),
            &concurrency.source,
        ),
        ("rps", rps.value.map(|rate| rate.to_string()), &rps.source),
        (
            "max_orders",
            max_orders.value.map(|most| most.to_string()),
            &max_orders.source,
        ),
        ("max_amount", amounts, &max_amounts.source),
        (
            "max_failures",
            Some(max_failures.value.to_string()),
            &max_failures.source,
        ),
        (
            "min_age",
            Some(written_duration(min_age.value)),
            &min_age.source,
        ),
        (
            "plan_max_age",
            Some(written_duration(plan_max_age.value)),
            &plan_max_age.source,
        ),
    ];
    rows.map(|(name, value, source)| line(file, &format!("limits.{name}"), value, source))
        .into()
}

/// What the database calls things.
fn names(settings: &Settings, is_sandbox: bool) -> Vec<Line> {
    let file = &settings.file;
    let shown = |(key, name): (String, String)| {
        let key = format!("schema.{key}");
        let is_in_file = !is_sandbox && file.has(&key);
        Line {
            source: if is_in_file { "file" } else { "default" },
            from: is_in_file.then(|| file.place(&key)),
            ..line(file, &key, Some(name), &Source::Default)
        }
    };
    settings.names.entries().into_iter().map(shown).collect()
}

/// Where it leads, without its password.
fn database(subject: &Subject<'_>) -> Line {
    let (key, settings) = ("connection.database_url", subject.settings);
    let is_typed = subject.typed.gives("--database-url");
    let found =
        connection::find_database_url(subject.common, subject.environment, settings, is_typed);
    match found {
        Err(error) => wrong(key, &error),
        Ok(None) => line(&settings.file, key, None, &Source::Default),
        Ok(Some(Setting { value, source })) => match Store::identity_of(&value) {
            Ok(identity) => line(&settings.file, key, Some(identity.to_string()), &source),
            Err(error) => Line {
                is_wrong: true,
                ..line(&settings.file, key, Some(error.to_string()), &source)
            },
        },
    }
}

fn key(subject: &Subject<'_>) -> Line {
    let name = "connection.stripe_key";
    let found = connection::keys(subject.common, subject.environment, subject.settings);
    let candidates = match found {
        Ok(candidates) => candidates,
        Err(error) => return wrong(name, &error),
    };
    let Some(first) = candidates.first() else {
        return line(&subject.settings.file, name, None, &Source::Default);
    };
    let places: Vec<&str> = candidates.iter().map(|it| it.place.as_str()).collect();
    let shown = Line {
        from: Some(places.join(", ")),
        ..line(&subject.settings.file, name, None, &first.source)
    };
    match agree_on_key(&candidates) {
        Ok(key) => Line {
            value: Some(redact(key.secret.expose_secret())),
            ..shown
        },
        Err(error) => Line {
            value: Some(error.describe().message),
            is_wrong: true,
            ..shown
        },
    }
}

fn api_base(subject: &Subject<'_>) -> Line {
    let source = match &subject.common.stripe_api_base {
        None => Source::Default,
        Some(_) if subject.typed.gives("--stripe-api-base") => Source::Flag("--stripe-api-base"),
        Some(_) => Source::Environment("STRIPE_API_BASE"),
    };
    let value = subject.common.stripe_api_base.as_deref().map(redact);
    line(&subject.settings.file, "stripe_api_base", value, &source)
}

fn webhook_secret(subject: &Subject<'_>) -> Line {
    let (name, file) = ("stripe_webhook_secret", &subject.settings.file);
    let set = |_: &SecretString| "set".to_owned();
    let variable = subject.environment.stripe_webhook_secret.as_ref();
    match connection::credential(subject.environment, WEBHOOK_CREDENTIAL) {
        Err(error) => wrong(name, &error),
        Ok(Some(secret)) if variable.is_some_and(|it| differ(it, &secret)) => Line {
            is_wrong: true,
            value: Some(
                "the environment and the credential hold different ones: leave one of them out"
                    .to_owned(),
            ),
            ..line(
                file,
                name,
                None,
                &Source::Environment("STRIPE_WEBHOOK_SECRET"),
            )
        },
        Ok(Some(secret)) => {
            let source = Source::Credential(WEBHOOK_CREDENTIAL);
            line(file, name, Some(set(&secret)), &source)
        }
        Ok(None) => match variable {
            Some(secret) => {
                let source = Source::Environment("STRIPE_WEBHOOK_SECRET");
                line(file, name, Some(set(secret)), &source)
            }
            None => line(file, name, None, &Source::Default),
        },
    }
}

fn differ(one: &SecretString, other: &SecretString) -> bool {
    one.expose_secret().trim() != other.expose_secret().trim()
}

fn line(file: &ConfigFile, key: &str, value: Option<String>, source: &Source) -> Line {
    let (source, from) = match source {
        Source::Flag(flag) => ("flag", Some((*flag).to_owned())),
        Source::Environment(name) => ("environment", Some((*name).to_owned())),
        Source::Credential(name) => ("credential", Some((*name).to_owned())),
        Source::File(key) => ("file", Some(file.place(key))),
        Source::Default => ("default", None),
    };
    Line {
        key: key.to_owned(),
        value,
        source,
        from,
        is_wrong: false,
    }
}

fn of_sandbox(name: &str) -> Line {
    Line {
        key: format!("connection.{name}"),
        value: Some("the sandbox's own".to_owned()),
        source: "sandbox",
        from: Some("--sandbox".to_owned()),
        is_wrong: false,
    }
}

fn wrong(key: &str, error: &Error) -> Line {
    Line {
        key: key.to_owned(),
        value: Some(error.describe().message),
        source: "default",
        from: None,
        is_wrong: true,
    }
}

/// As it is written: `30m`.
#[must_use]
pub fn written_duration(seconds: i64) -> String {
    if seconds != 0 && seconds % HOUR == 0 {
        format!("{}h", seconds / HOUR)
    } else if seconds != 0 && seconds % MINUTE == 0 {
        format!("{}m", seconds / MINUTE)
    } else {
        format!("{seconds}s")
    }
}

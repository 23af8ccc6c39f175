//! Every setting that is no secret, and where its value came from: a flag, the environment, the configuration file, or
//! the default, the first of these that says anything.
//!
//! A value that cannot be used is refused before anything is opened, with the flag or the line that holds it.

pub mod connection;
mod document;
mod file;
mod listing;
mod unknown;

use secrecy::ExposeSecret;

use crate::actions::{LONGEST_INACTIVE_MESSAGE, NameTemplate};
use crate::cli::{Common, parse_duration};
use crate::command_line::CommandLine;
use crate::domain::{AccountId, Currency, Money};
use crate::error::Error;
use crate::plan::Policy;
use crate::store::{Misnamed, Names, Renames};

pub use document::Secret;
pub use file::ConfigFile;
pub use listing::{Line, Listing, Subject, written_duration};

const INACTIVE_MESSAGE: &str = "This payment link is closed. If your order is not paid yet, please use the link in our latest e-mail.";
/// Refused by Stripe only when a link is minted, it would have left orders without any.
const LONGEST_SUCCESS_URL: usize = 2048;
const DAY: i64 = 24 * 60 * 60;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    Flag(&'static str),
    Environment(&'static str),
    /// A file of this name in `$CREDENTIALS_DIRECTORY`.
    Credential(&'static str),
    /// Under this key of the configuration file.
    File(&'static str),
    Default,
}

/// A value with its source.
#[derive(Clone, Debug)]
pub struct Setting<T> {
    pub value: T,
    pub source: Source,
}

#[derive(Debug)]
pub struct Settings {
    pub file: ConfigFile,
    pub success_url: Setting<Option<String>>,
    pub currency: Setting<Currency>,
    pub inactive_message: Setting<String>,
    pub product_name: Setting<NameTemplate>,
    /// Product categories that relink may touch.
    pub categories: Setting<Vec<String>>,
    pub limits: Limits,
    pub stripe_account: Setting<Option<AccountId>>,
    /// What the database calls things.
    pub names: Names,
}

/// Before a command's own flags.
#[derive(Debug)]
pub struct Limits {
    pub concurrency: Setting<usize>,
    pub rps: Setting<Option<f64>>,
    pub max_orders: Setting<Option<usize>>,
    pub max_amounts: Setting<Vec<Money>>,
    pub max_failures: Setting<u16>,
    /// Seconds, both.
    pub min_age: Setting<i64>,
    pub plan_max_age: Setting<i64>,
}

impl Settings {
    /// # Errors
    /// Usage: a malformed value in a flag or the environment. Configuration: one in the file.
    pub fn resolve(
        common: &Common,
        file: ConfigFile,
        typed: &CommandLine,
    ) -> Result<Settings, Error> {
        let url = common
            .database_url
            .as_ref()
            .map(ExposeSecret::expose_secret);
        if typed.gives("--database-url") && url.is_some_and(|url| url.trim().is_empty()) {
            // Passed over, it would let another database be meant.
            return Err(Error::usage(
                "--database-url is empty",
                "a shell variable in it may not be set; give a URL, or leave the flag out",
            ));
        }
        let from = Layers {
            file: &file,
            typed,
            is_sandbox: common.sandbox.is_some(),
        };
        let document = &file.document;
        let success_url = from.text(
            ("success_url", "--success-url", Some("RELINK_SUCCESS_URL")),
            common.success_url.as_deref(),
            document.success_url.as_deref(),
            parse_success_url,
        )?;
        let currency = from.text(
            ("currency", "--currency", None),
            common.currency.as_deref(),
            document.currency.as_deref(),
            |text| Currency::parse(text).map_err(|e| (e.to_string(), "give it as `usd`")),
        )?;
        let stripe_account = from.text(
            ("connection.stripe_account", "--stripe-account", None),
            common.stripe_account.as_deref(),
            from.connection()
                .and_then(|it| it.stripe_account.as_deref()),
            |text| AccountId::parse(text).map_err(|e| (e.to_string(), "give it as `acct_…`")),
        )?;
        let inactive_message =
            from.listed("inactive_message", &document.inactive_message, |text| {
                message(text)
            })?;
        let product_name = from.listed("product_name", &document.product_name, |text| {
            NameTemplate::parse(text)
        })?;
        let scope = document.scope.as_ref();
        let categories = from.listed(
            "scope.categories",
            &scope.and_then(|scope| scope.categories.clone()),
            |names| categories(names),
        )?;
        let limits = Limits::resolve(&from, common)?;
        let names = from.names()?;
        Ok(Settings {
            success_url: some_or(success_url, || None),
            currency: or(currency, || Currency::USD),
            inactive_message: or(inactive_message, || INACTIVE_MESSAGE.to_owned()),
            product_name: or(product_name, NameTemplate::default),
            categories: or(categories, Policy::default_scope),
            limits,
            names,
            stripe_account: some_or(stripe_account, || None),
            file,
        })
    }
}

impl Limits {
    fn resolve(from: &Layers<'_>, common: &Common) -> Result<Limits, Error> {
        let empty = document::Limits::default();
        let file = from.file.document.limits.as_ref().unwrap_or(&empty);
        let concurrency = from.number(
            ("limits.concurrency", "--concurrency"),
            common.concurrency,
            file.concurrency,
        );
        if let Some(Setting {
            value,
            source: Source::File(key),
        }) = &concurrency
            && !(1..=256).contains(value)
        {
            return Err(from
                .file
                .refuse(key, "it is not between 1 and 256", "64 is the default"));
        }
        let duration =
            |key, text: &Option<String>| from.listed(key, text, |text| parse_duration(text));
        let max_failures = from.listed("limits.max_failures", &file.max_failures, |number| {
            Some(*number)
                .filter(|n| *n > 0)
                .ok_or_else(|| "it is not at least 1".to_owned())
        })?;
        let max_amounts = from.listed("limits.max_amount", &file.max_amount, |texts| {
            let limits = texts.iter().map(|text| Money::parse(text));
            let limits = limits.collect::<Result<Vec<Money>, _>>()?;
            match Money::limited_twice(&limits) {
                Some(currency) => Err(format!("it gives more than one limit in {currency}")),
                None => Ok(limits),
            }
        })?;
        let max_orders = from.number(("limits.max_orders", ""), None, file.max_orders);
        Ok(Limits {
            concurrency: or(concurrency.map(|it| it.map(usize::from)), || 64),
            rps: some_or(
                from.number(("limits.rps", "--rps"), common.rps, file.rps),
                || None,
            ),
            max_orders: some_or(max_orders, || None),
            max_amounts: or(max_amounts, Vec::new),
            max_failures: or(max_failures, || 5),
            min_age: or(duration("limits.min_age", &file.min_age)?, || 30 * 60),
            plan_max_age: or(duration("limits.plan_max_age", &file.plan_max_age)?, || DAY),
        })
    }
}

impl<T> Setting<T> {
    fn map<U>(self, change: impl FnOnce(T) -> U) -> Setting<U> {
        Setting {
            value: change(self.value),
            source: self.source,
        }
    }
}

fn or<T>(found: Option<Setting<T>>, default: impl FnOnce() -> T) -> Setting<T> {
    found.unwrap_or_else(|| Setting {
        value: default(),
        source: Source::Default,
    })
}

fn some_or<T>(
    found: Option<Setting<T>>,
    default: impl FnOnce() -> Option<T>,
) -> Setting<Option<T>> {
    or(found.map(|it| it.map(Some)), default)
}

/// What may say something, before the defaults.
struct Layers<'a> {
    file: &'a ConfigFile,
    typed: &'a CommandLine,
    is_sandbox: bool,
}

/// What is wrong with a value, and what to do.
type Wrong = (String, &'static str);

impl Layers<'_> {
    /// The sandbox brings its own connection.
    fn connection(&self) -> Option<&document::Connection> {
        self.file
            .document
            .connection
            .as_ref()
            .filter(|_| !self.is_sandbox)
    }

    /// The sandbox's tables have the application's own names.
    fn names(&self) -> Result<Names, Error> {
        let schema = self.file.document.schema.as_ref();
        let Some(schema) = schema.filter(|_| !self.is_sandbox) else {
            return Ok(Names::default());
        };
        let renames = Renames {
            tables: schema.tables.clone().unwrap_or_default(),
            columns: schema.columns.clone().unwrap_or_default(),
            states: schema.status.clone().unwrap_or_default(),
        };
        Names::renamed(&renames).map_err(|Misnamed { key, why }| {
            let hint = "names are as the database writes them, each for one thing";
            self.file.refuse(&format!("schema.{key}"), &why, hint)
        })
    }

    /// `given` is of the flag, or else of its variable.
    fn text<T>(
        &self,
        (key, flag, variable): (&'static str, &'static str, Option<&'static str>),
        given: Option<&str>,
        in_file: Option<&str>,
        parse: impl Fn(&str) -> Result<T, Wrong>,
    ) -> Result<Option<Setting<T>>, Error> {
        if let Some(text) = given {
            let source = match variable {
                Some(variable) if !self.typed.gives(flag) => Source::Environment(variable),
                _ => Source::Flag(flag),
            };
            let name = match source {
                Source::Environment(name) => name,
                _ => flag,
            };
            let value =
                parse(text).map_err(|(why, hint)| Error::usage(format!("{name}: {why}"), hint))?;
            return Ok(Some(Setting { value, source }));
        }
        let parsed = in_file
            .map(|text| parse(text).map_err(|(why, hint)| self.file.refuse(key, &why, hint)));
        Ok(parsed.transpose()?.map(|value| Setting {
            value,
            source: Source::File(key),
        }))
    }

    /// What the argument parser has read already.
    fn number<T>(
        &self,
        (key, flag): (&'static str, &'static str),
        given: Option<T>,
        in_file: Option<T>,
    ) -> Option<Setting<T>> {
        let typed = given.map(|value| Setting {
            value,
            source: Source::Flag(flag),
        });
        typed.or_else(|| {
            in_file.map(|value| Setting {
                value,
                source: Source::File(key),
            })
        })
    }

    /// What has no flag that every command knows.
    fn listed<T, U>(
        &self,
        key: &'static str,
        in_file: &Option<T>,
        parse: impl Fn(&T) -> Result<U, String>,
    ) -> Result<Option<Setting<U>>, Error> {
        let hint = "docs/config.example.toml shows every key with its type";
        let parsed = in_file
            .as_ref()
            .map(|value| parse(value).map_err(|why| self.file.refuse(key, &why, hint)));
        Ok(parsed.transpose()?.map(|value| Setting {
            value,
            source: Source::File(key),
        }))
    }
}

fn parse_success_url(text: &str) -> Result<String, Wrong> {
    let hint = "give it as `https://club.example.com/payment/success`";
    let url = url::Url::parse(text).map_err(|e| (format!("it is not a URL: {e}"), hint))?;
    if !matches!(url.scheme(), "https" | "http") || url.host_str().is_none() {
        return Err(("it is not an https address".to_owned(), hint));
    }
    let length = text.chars().count();
    if length > LONGEST_SUCCESS_URL {
        let why = format!("it has {length} characters, and Stripe takes {LONGEST_SUCCESS_URL}");
        return Err((why, "give a shorter one"));
    }
    Ok(text.to_owned())
}

fn message(text: &str) -> Result<String, String> {
    let length = text.chars().count();
    if text.trim().is_empty() {
        Err("it is empty".to_owned())
    } else if length > LONGEST_INACTIVE_MESSAGE {
        Err(format!(
            "it has {length} characters, and Stripe takes {LONGEST_INACTIVE_MESSAGE}"
        ))
    } else {
        Ok(text.to_owned())
    }
}

/// With no category at all, relink would do nothing and say that all is well.
fn categories(names: &[String]) -> Result<Vec<String>, String> {
    if names.is_empty() {
        Err("it names no category: nothing would be in scope".to_owned())
    } else if names.iter().any(|name| name.trim().is_empty()) {
        Err("one of its categories is empty".to_owned())
    } else {
        Ok(names.to_vec())
    }
}

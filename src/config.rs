//! From the settings and the secrets to what a command is run with, before anything is opened.
//!
//! Every refusal here happens before the first byte leaves: a key of the wrong kind, a mode that was not
//! meant, an address that must not see a live key.

use std::path::{Path, PathBuf};

use secrecy::SecretString;
use url::Url;

use crate::cli::{Approval, Common, Narrow, Releases, RetireSelect, Select};
use crate::domain::{AccountId, Currency, Mode, OrderId, TournamentId};
use crate::error::Error;
use crate::guards::Guards;
use crate::plan::{Goal, Policy, Release, Verdict};
use crate::secrets::{StripeKey, agree_on_key, key_of};
use crate::settings::{Settings, Source, connection};
use crate::store::{Scope, Selection};
use crate::stripe::Rps;

const STRIPE: &str = "https://api.stripe.com";
/// The double accepts any test key; this one says what it is.
const SANDBOX_KEY: &str = "sk_test_sandbox";

/// Where orders and Stripe objects live.
#[derive(Debug)]
pub enum Place {
    /// The embedded sandbox, its files in this folder.
    Sandbox(PathBuf),
    Real {
        database_url: SecretString,
        stripe_base: Url,
    },
}

/// Checked settings that every command shares.
#[derive(Debug)]
pub struct Config {
    pub place: Place,
    pub key: StripeKey,
    pub stripe_account: Option<AccountId>,
    pub success_url: Option<String>,
    pub currency: Currency,
    pub rps: Rps,
    pub concurrency: usize,
}

impl Config {
    /// # Errors
    /// Usage for malformed values and flags that exclude each other, configuration for keys and modes.
    pub fn resolve(
        common: &Common,
        environment: &Environment,
        settings: &Settings,
    ) -> Result<Config, Error> {
        let (place, key) = match &common.sandbox {
            Some(dir) => sandbox_place(dir, common, environment)?,
            None => real_place(common, environment, settings)?,
        };
        Ok(Config {
            rps: match (&place, settings.limits.rps.value) {
                // The double has no limit unless it is told to have one.
                (Place::Sandbox(_), None) => Rps::Unlimited,
                (Place::Sandbox(_), rps) => parse_rps(rps, true, settings)?,
                (Place::Real { stripe_base, .. }, _) => rps_for(stripe_base, settings)?,
            },
            concurrency: settings.limits.concurrency.value,
            place,
            key,
            stripe_account: settings.stripe_account.value.clone(),
            success_url: settings.success_url.value.clone(),
            currency: settings.currency.value,
        })
    }
}

/// What is taken from the environment besides clap's own variables, read once, by `program.rs`.
#[derive(Default)]
pub struct Environment {
    pub stripe_api_key: Option<SecretString>,
    /// What Stripe signs its events with.
    pub stripe_webhook_secret: Option<SecretString>,
    /// What `sandbox serve` signs its events with.
    pub sandbox_webhook_secret: Option<SecretString>,
    /// The configuration file.
    pub relink_config: Option<PathBuf>,
    /// Where the service manager laid down secrets.
    pub credentials_directory: Option<PathBuf>,
    pub xdg_config_home: Option<PathBuf>,
    pub xdg_state_home: Option<PathBuf>,
    pub home: Option<PathBuf>,
}

impl Environment {
    #[must_use]
    pub fn read() -> Self {
        // An empty variable is as one that is not set, here and for clap's own (`cli::parse`).
        let given = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let path = |name: &str| given(name).map(PathBuf::from);
        // A value that is no text cannot be a key; it becomes one that is refused as malformed.
        let secret = |name: &str| {
            let value = given(name)?.into_string();
            // Moved, not copied: a copy would stay behind in memory.
            Some(match value {
                Ok(text) => SecretString::from(text),
                Err(odd) => SecretString::from(odd.to_string_lossy().into_owned()),
            })
        };
        Environment {
            stripe_api_key: secret("STRIPE_API_KEY"),
            stripe_webhook_secret: secret("STRIPE_WEBHOOK_SECRET"),
            sandbox_webhook_secret: secret("RELINK_SANDBOX_WEBHOOK_SECRET"),
            relink_config: path("RELINK_CONFIG"),
            credentials_directory: path("CREDENTIALS_DIRECTORY"),
            xdg_config_home: path("XDG_CONFIG_HOME"),
            xdg_state_home: path("XDG_STATE_HOME"),
            home: path("HOME"),
        }
    }
}

fn sandbox_place(
    dir: &Path,
    common: &Common,
    environment: &Environment,
) -> Result<(Place, StripeKey), Error> {
    refuse_beside_sandbox(common, environment)?;
    let key = key_of(SecretString::from(SANDBOX_KEY))?;
    Ok((Place::Sandbox(sandbox_dir(Some(dir), environment)?), key))
}

/// `--sandbox` brings its own database and its own Stripe: whoever names others as well may mean those.
///
/// # Errors
/// Usage: something that leads elsewhere stands beside it.
pub fn refuse_beside_sandbox(common: &Common, environment: &Environment) -> Result<(), Error> {
    let excluded = [
        (common.live, "--live"),
        (
            common.database_url.is_some(),
            "a database URL (--database-url, DATABASE_URL)",
        ),
        (
            common.stripe_api_base.is_some(),
            "another Stripe address (--stripe-api-base, STRIPE_API_BASE)",
        ),
        (common.stripe_key_file.is_some(), "--stripe-key-file"),
    ];
    if let Some((_, what)) = excluded.iter().find(|(is_present, _)| *is_present) {
        return Err(Error::usage(
            format!("--sandbox cannot be combined with {what}"),
            "leave one of them out: the sandbox brings its own database and its own Stripe",
        ));
    }
    if let Some(key) = &environment.stripe_api_key
        && key_of(key.clone()).is_ok_and(|key| key.mode == Mode::Live)
    {
        return Err(Error::usage(
            "--sandbox cannot be combined with a live key (STRIPE_API_KEY)",
            "unset STRIPE_API_KEY for a rehearsal",
        ));
    }
    Ok(())
}

/// Where the sandbox lives: `given` is `DIR` of `--sandbox`, empty without a value.
///
/// # Errors
/// Configuration: no folder is named, and neither XDG_STATE_HOME nor HOME is set.
pub fn sandbox_dir(given: Option<&Path>, environment: &Environment) -> Result<PathBuf, Error> {
    if let Some(dir) = given.filter(|dir| !dir.as_os_str().is_empty()) {
        return Ok(dir.to_owned());
    }
    let home = environment.home.as_ref();
    let state = environment.xdg_state_home.clone();
    let state = state.or_else(|| home.map(|home| home.join(".local/state")));
    state
        .map(|state| state.join("relink/sandbox"))
        .ok_or_else(|| {
            Error::configuration(
                "no place for the sandbox: neither XDG_STATE_HOME nor HOME is set",
                "name a folder: --sandbox=DIR",
            )
        })
}

/// A real place piece by piece: each is right or wrong by itself.
pub struct Pieces {
    pub key: Result<StripeKey, Error>,
    /// Whether the key's mode and `--live` say the same; `None` without a key.
    pub mode: Option<Result<(), Error>>,
    pub stripe_base: Result<Url, Error>,
    pub database_url: Result<SecretString, Error>,
}

impl Pieces {
    #[must_use]
    pub fn read(common: &Common, environment: &Environment, settings: &Settings) -> Pieces {
        let keys = connection::keys(common, environment, settings);
        let key = keys.and_then(|keys| agree_on_key(&keys));
        let mode = key.as_ref().ok().map(|key| key.mode);
        Pieces {
            mode: mode.map(|mode| agree(mode, common.live)),
            // Without a key, no base is refused for its mode.
            stripe_base: parse_base(
                common.stripe_api_base.as_deref(),
                mode.unwrap_or(Mode::Test),
            ),
            database_url: connection::database_url(common, environment, settings),
            key,
        }
    }
}

fn real_place(
    common: &Common,
    environment: &Environment,
    settings: &Settings,
) -> Result<(Place, StripeKey), Error> {
    let pieces = Pieces::read(common, environment, settings);
    let key = pieces.key?;
    pieces.mode.unwrap_or(Ok(()))?;
    let stripe_base = pieces.stripe_base?;
    let place = Place::Real {
        database_url: pieces.database_url?,
        stripe_base,
    };
    Ok((place, key))
}

fn agree(key: Mode, live: bool) -> Result<(), Error> {
    match (key, live) {
        (Mode::Live, false) => Err(Error::configuration(
            "this is a live key, and --live was not given",
            "add --live if real money is meant, or use a test key",
        )),
        (Mode::Test, true) => Err(Error::configuration(
            "--live was given with a test key",
            "leave --live out, or use the live key",
        )),
        (Mode::Live, true) | (Mode::Test, false) => Ok(()),
    }
}

/// The request budget for this address of Stripe.
///
/// # Errors
/// Usage: it is no rate, or none at all for Stripe itself.
pub fn rps_for(base: &Url, settings: &Settings) -> Result<Rps, Error> {
    let own_base = base.as_str().trim_end_matches('/') != STRIPE;
    parse_rps(settings.limits.rps.value, own_base, settings)
}

fn parse_base(text: Option<&str>, mode: Mode) -> Result<Url, Error> {
    let text = text.unwrap_or(STRIPE);
    let hint = "give it as `http://127.0.0.1:12111`, or leave it out for Stripe itself";
    let url = Url::parse(text)
        .map_err(|e| Error::usage(format!("the Stripe API base is not a URL: {e}"), hint))?;
    if mode == Mode::Live && url.as_str().trim_end_matches('/') != STRIPE {
        return Err(Error::configuration(
            "another Stripe API base is refused with a live key",
            "unset STRIPE_API_BASE, or use a test key",
        ));
    }
    Ok(url)
}

fn parse_rps(rps: Option<f64>, own_base: bool, settings: &Settings) -> Result<Rps, Error> {
    let refuse = |why: String, hint: &str| match settings.limits.rps.source {
        Source::File(key) => settings.file.refuse(key, &why, hint),
        _ => Error::usage(format!("--rps {why}"), hint),
    };
    match rps {
        None => Ok(Rps::Default),
        Some(0.0) if own_base => Ok(Rps::Unlimited),
        Some(0.0) => Err(refuse(
            "0 is allowed only with a Stripe API base of your own".to_owned(),
            "give a positive number, or leave it out",
        )),
        Some(rate) if rate.is_finite() && (0.01..=1000.0).contains(&rate) => {
            Ok(Rps::PerSecond(rate))
        }
        Some(rate) => Err(refuse(
            format!("{rate} is not between 0.01 and 1000"),
            "give a number such as 20",
        )),
    }
}

/// The orders that `select` and `narrow` name.
#[must_use]
pub fn selection(select: &Select, narrow: &Narrow) -> Selection {
    let scope = scope(select.tournament_id, select.all, &select.order_id);
    Selection {
        scope,
        exclude: excluded(narrow),
    }
}

/// The same for `retire`, whose selection may name objects; `None` then.
#[must_use]
pub fn retire_selection(select: &RetireSelect, narrow: &Narrow) -> Option<Selection> {
    if !select.objects.is_empty() {
        return None;
    }
    let scope = scope(select.tournament_id, select.all, &select.order_id);
    Some(Selection {
        scope,
        exclude: excluded(narrow),
    })
}

fn scope(tournament: Option<i64>, all: bool, orders: &[i64]) -> Scope {
    match tournament {
        Some(id) => Scope::Tournament(TournamentId(id)),
        None if all => Scope::All,
        None => Scope::Orders(orders.iter().copied().map(OrderId).collect()),
    }
}

/// The orders of `--exclude-order-id`.
#[must_use]
pub fn excluded(narrow: &Narrow) -> Vec<OrderId> {
    narrow
        .exclude_order_id
        .iter()
        .copied()
        .map(OrderId)
        .collect()
}

/// The verdicts of `--verdict`; clap has checked their names.
#[must_use]
pub fn verdicts(narrow: &Narrow) -> Vec<Verdict> {
    narrow
        .verdict
        .iter()
        .filter_map(|name| name.parse().ok())
        .collect()
}

/// The policy of one run by these settings, before the command's own flags. `named` are the orders of `--order-id`.
///
/// # Errors
/// Usage: a flag that releases single orders, without those orders. (The argument parser cannot say so: it
/// drops a requirement that conflicts with another selector.)
pub fn policy(
    goal: Goal,
    releases: &[Release],
    named: &[i64],
    settings: &Settings,
) -> Result<Policy, Error> {
    let mut policy = Policy::new(goal);
    policy.scope.clone_from(&settings.categories.value);
    policy.min_age = settings.limits.min_age.value;
    policy.named = named.iter().copied().map(OrderId).collect();
    policy.releases = releases.iter().copied().collect();
    match releases.iter().find(|r| r.needs_named_order()) {
        Some(release) if named.is_empty() => Err(Error::usage(
            format!("{} is only for orders named one by one", release.flag()),
            "add --order-id N for each order that is meant, in place of the other selector",
        )),
        _ => Ok(policy),
    }
}

/// The releases that were given to `regen`.
#[must_use]
pub fn releases(given: &Releases) -> Vec<Release> {
    [
        (given.missing_is_dead, Release::MissingIsDead),
        (given.accept_recovery_url, Release::AcceptRecoveryUrl),
        (given.adopt_unowned, Release::AdoptUnowned),
        (given.allow_amount_change, Release::AllowAmountChange),
        (given.allow_currency_change, Release::AllowCurrencyChange),
    ]
    .into_iter()
    .filter_map(|(present, release)| present.then_some(release))
    .collect()
}

/// The limits of this commit.
#[must_use]
pub fn guards(approval: &Approval, settings: &Settings) -> Guards {
    let limits = &settings.limits;
    let amounts = &approval.max_amount;
    Guards {
        expect: approval.expect.clone(),
        expect_count: approval.expect_count,
        max_orders: approval.max_orders,
        standing_max_orders: limits.max_orders.value,
        amounts_stand: amounts.is_empty(),
        max_amounts: if amounts.is_empty() {
            limits.max_amounts.value.clone()
        } else {
            amounts.clone()
        },
    }
}

/// What `--expect-account` names.
///
/// # Errors
/// Usage: it is no account id.
pub fn expected_account(given: Option<&str>) -> Result<Option<AccountId>, Error> {
    let account = given.map(AccountId::parse).transpose();
    account.map_err(|e| Error::usage(format!("--expect-account: {e}"), "give it as `acct_…`"))
}

//! What `doctor` looks at, in two halves that know nothing of each other: the database, and Stripe. Within each, a
//! question whose answer an earlier one has settled is not asked, and the reason takes the place of the answer.
//!
//! It asks and judges nothing.

mod database;
mod stripe;

use secrecy::SecretString;
use url::Url;

use crate::cli::Common;
use crate::config::{self, Config, Pieces, Place};
use crate::doctor::{Finding, KeyFacts};
use crate::domain::{AccountId, Mode};
use crate::error::Error;
use crate::exit::Failure;
use crate::sandbox::Sandbox;
use crate::secrets::StripeKey;
use crate::store::Names;
use crate::stripe::{Client, Rps, Settings};

use super::Context;
use super::opening::{parse_sandbox_base, timings};

pub use database::DatabaseFindings;
pub use stripe::StripeFindings;

const NO_KEY: &str = "there is no usable key";

/// Where to look, and with which key.
pub struct Subject {
    sandbox: Option<Sandbox>,
    key: Result<StripeKey, Failure>,
    mode: Option<Result<(), Failure>>,
    base: Result<Url, Failure>,
    rps: Result<Rps, Failure>,
    database_url: Result<SecretString, Failure>,
    account: Option<AccountId>,
    /// What the database calls things.
    names: Names,
    /// Product categories that relink may touch.
    categories: Vec<String>,
}

impl Subject {
    /// # Errors
    /// Usage: malformed values, flags that exclude each other; a sandbox that cannot be opened.
    pub async fn open(common: &Common, context: &Context<'_>) -> Result<Subject, Error> {
        if common.sandbox.is_some() {
            let config = Config::resolve(common, context.environment, &context.settings)?;
            let categories = context.settings.categories.value.clone();
            return Subject::in_sandbox(config, categories).await;
        }
        let settings = &context.settings;
        let pieces = Pieces::read(common, context.environment, settings);
        let rps = match &pieces.stripe_base {
            Ok(base) => config::rps_for(base, settings),
            Err(_) => Ok(Rps::Default),
        };
        Ok(Subject {
            sandbox: None,
            key: pieces.key.map_err(told),
            mode: pieces.mode.map(|mode| mode.map_err(told)),
            base: pieces.stripe_base.map_err(told),
            rps: rps.map_err(told),
            database_url: pieces.database_url.map_err(told),
            account: settings.stripe_account.value.clone(),
            names: settings.names.clone(),
            categories: settings.categories.value.clone(),
        })
    }

    async fn in_sandbox(config: Config, categories: Vec<String>) -> Result<Subject, Error> {
        let Place::Sandbox(dir) = &config.place else {
            return Err(Error::Bug("the sandbox is somewhere else".to_owned()));
        };
        let sandbox = Sandbox::open(dir).await?;
        Ok(Subject {
            key: Ok(config.key),
            mode: Some(Ok(())),
            base: Ok(parse_sandbox_base(sandbox.base_url())?),
            rps: Ok(config.rps),
            database_url: Ok(SecretString::from(sandbox.database_url().to_owned())),
            account: config.stripe_account,
            names: Names::default(),
            categories,
            sandbox: Some(sandbox),
        })
    }

    /// # Errors
    /// The sandbox could not write its state.
    pub async fn close(self) -> Result<(), Error> {
        match self.sandbox {
            Some(sandbox) => Ok(sandbox.close().await?),
            None => Ok(()),
        }
    }

    pub fn key(&self) -> Finding<KeyFacts> {
        match &self.key {
            Ok(key) if key.is_restricted() => Finding::Found(KeyFacts::Restricted(key.mode)),
            Ok(key) => Finding::Found(KeyFacts::Secret(key.mode)),
            Err(failure) => Finding::Failed(failure.clone()),
        }
    }

    pub fn mode(&self) -> Finding<Mode> {
        match (&self.key, &self.mode) {
            (_, Some(Err(failure))) => Finding::Failed(failure.clone()),
            (Ok(key), _) => Finding::Found(key.mode),
            (Err(_), _) => Finding::Skipped(NO_KEY.to_owned()),
        }
    }

    /// A client, or why there is none. A key whose mode was not meant is used for nothing, not even for reading.
    fn client(&self) -> Result<Client, Finding<()>> {
        let skipped = |why: &str| Finding::Skipped(why.to_owned());
        let Ok(key) = &self.key else {
            return Err(skipped(NO_KEY));
        };
        if let Some(Err(_)) = &self.mode {
            return Err(skipped(
                "the key and `--live` disagree, and the key is not used",
            ));
        }
        let (Ok(base), Ok(rps)) = (&self.base, &self.rps) else {
            return Err(skipped("the address of Stripe is not usable"));
        };
        let settings = Settings {
            key: key.secret.clone(),
            base: base.clone(),
            account: self.account.clone(),
            mode: key.mode,
            rps: *rps,
            timings: timings(base).for_a_look(),
        };
        Client::new(settings).map_err(|error| Finding::Failed(told(error)))
    }

    fn shown_base(&self) -> Finding<String> {
        match (&self.sandbox, &self.base, &self.rps) {
            (Some(_), ..) => Finding::Found("the sandbox's double".to_owned()),
            (None, Err(failure), _) | (None, _, Err(failure)) => Finding::Failed(failure.clone()),
            (None, Ok(base), Ok(_)) => Finding::Found(match (base.host_str(), base.port()) {
                (Some(host), Some(port)) => format!("{host}:{port}"),
                (host, _) => host.unwrap_or_default().to_owned(),
            }),
        }
    }
}

fn told(error: impl Into<Error>) -> Failure {
    error.into().describe()
}

fn found<T, E: Into<Error>>(answer: Result<T, E>) -> Finding<T> {
    match answer {
        Ok(facts) => Finding::Found(facts),
        Err(error) => Finding::Failed(told(error)),
    }
}

//! Opens what a command works on: the database, Stripe, and the sandbox that stands in for both.
//!
//! Opens the database read-only unless the command commits.

use secrecy::SecretString;
use url::Url;

use crate::cli::Common;
use crate::config::{Config, Place, refuse_beside_sandbox, sandbox_dir};
use crate::domain::{AccountId, Mode};
use crate::error::Error;
use crate::loopback::is_on_loopback;
use crate::sandbox::Sandbox;
use crate::settings::connection;
use crate::store::{Access, Store};
use crate::stripe::{Client, Settings, StripeError, Timings};
use crate::ui::Banner;

use super::Context;

/// Everything a command holds while it runs.
pub struct Opened {
    pub config: Config,
    pub store: Store,
    pub stripe: Client,
    pub account: Option<AccountId>,
    pub account_name: Option<String>,
    sandbox: Option<Sandbox>,
}

impl Opened {
    /// # Errors
    /// Configuration, an unreachable database or Stripe, a key that is not accepted, another account than
    /// the expected one; interrupted.
    pub async fn open(
        common: &Common,
        context: &Context<'_>,
        access: Access,
        expected: Option<AccountId>,
    ) -> Result<Opened, Error> {
        let config = Config::resolve(common, context.environment, &context.settings)?;
        let (sandbox, database_url, base) = match &config.place {
            Place::Real {
                database_url,
                stripe_base,
            } => (None, database_url.clone(), stripe_base.clone()),
            Place::Sandbox(dir) => {
                let sandbox = Sandbox::open(dir).await?;
                let url = SecretString::from(sandbox.database_url().to_owned());
                let base = parse_sandbox_base(sandbox.base_url())?;
                (Some(sandbox), url, base)
            }
        };
        let stripe = Client::new(Settings {
            key: config.key.secret.clone(),
            base: base.clone(),
            account: config.stripe_account.clone(),
            mode: config.key.mode,
            rps: config.rps,
            timings: timings(&base),
        })?;
        let names = &context.settings.names;
        let mode = config.key.mode;
        // Whoever is not answered may wait for minutes.
        let reaching = async {
            let store = Store::connect_named(&database_url, access, names).await?;
            let (account, account_name) = find_account(&stripe, expected).await?;
            refuse_other_account(&store, mode, account.as_ref()).await?;
            Ok((store, account, account_name))
        };
        let reached = context.interrupt.unless_asked(reaching).await;
        let (store, account, account_name) = reached?;
        context.monitor.reached(account.as_ref());
        context.ui.banner(&Banner {
            mode: config.key.mode,
            account: account.clone(),
            account_name: account_name.clone(),
            database: store.identity().to_string(),
            stripe: match &config.place {
                Place::Sandbox(dir) => format!("sandbox {}", dir.display()),
                Place::Real { .. } => base.host_str().unwrap_or_default().to_owned(),
            },
        });
        Ok(Opened {
            config,
            store,
            stripe,
            account,
            account_name,
            sandbox,
        })
    }

    /// Puts everything down in good order; the sandbox's state is on disk afterwards.
    ///
    /// # Errors
    /// The sandbox could not write its state.
    pub async fn close(self) -> Result<(), Error> {
        self.store.close().await;
        if let Some(sandbox) = self.sandbox {
            sandbox.close().await?;
        }
        Ok(())
    }
}

/// The database alone, read-only, for what needs neither Stripe nor a key. In the sandbox the double is left
/// alone: another process may be at work with it.
///
/// # Errors
/// Configuration, an unreachable database.
pub async fn open_database(common: &Common, context: &Context<'_>) -> Result<Store, Error> {
    let url = match &common.sandbox {
        Some(dir) => {
            refuse_beside_sandbox(common, context.environment)?;
            let dir = sandbox_dir(Some(dir), context.environment)?;
            SecretString::from(Sandbox::database_alone(&dir).await?)
        }
        None => database_url(common, context)?,
    };
    let names = &context.settings.names;
    let reaching = async { Ok(Store::connect_named(&url, Access::ReadOnly, names).await?) };
    context.interrupt.unless_asked(reaching).await
}

/// The database's URL, for whatever needs nothing else.
///
/// # Errors
/// There is none.
pub fn database_url(common: &Common, context: &Context<'_>) -> Result<SecretString, Error> {
    connection::database_url(common, context.environment, &context.settings)
}

/// A double on this host is not waited for as Stripe is.
pub fn timings(base: &Url) -> Timings {
    if is_on_loopback(base) {
        Timings::on_loopback()
    } else {
        Timings::default()
    }
}

pub fn parse_sandbox_base(text: &str) -> Result<Url, Error> {
    Url::parse(text).map_err(|e| Error::Bug(format!("the sandbox's address is not a URL: {e}")))
}

/// In another account than the one that was committed to, every object of this database would look missing.
///
/// # Errors
/// Configuration: it is another account.
pub async fn refuse_other_account(
    store: &Store,
    mode: Mode,
    account: Option<&AccountId>,
) -> Result<(), Error> {
    let Some(account) = account else {
        return Ok(());
    };
    match store.pinned_account(mode).await? {
        Some(pinned) if pinned != *account => Err(Error::configuration(
            format!(
                "this database belongs to account {pinned} in {mode} mode, and the key to {account}"
            ),
            "use the key of the account that the first commit fixed, or the right database",
        )),
        _ => Ok(()),
    }
}

/// A key that may not read the account is no reason to stop a dry run; another account than the expected
/// one always is.
async fn find_account(
    stripe: &Client,
    expected: Option<AccountId>,
) -> Result<(Option<AccountId>, Option<String>), Error> {
    let found = match stripe.account().await {
        Ok(account) => account,
        Err(StripeError::Permission { message }) => {
            tracing::info!(said = message, "the key may not read its account");
            return Ok((expected, None));
        }
        Err(error) => return Err(error.into()),
    };
    if let Some(expected) = expected
        && expected != found.id
    {
        return Err(Error::configuration(
            format!("the key belongs to account {}, not to {expected}", found.id),
            "use the key of the account that --expect-account names",
        ));
    }
    Ok((Some(found.id), found.display_name))
}

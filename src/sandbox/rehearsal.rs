//! The sandbox as a whole: the sample database and the double, opened and closed together.
//!
//! One process at a time keeps the double's state in a folder; while `sandbox serve` runs there, other
//! commands use that one over loopback instead of opening the state a second time.

use std::path::Path;

use serde_json::Value;

use super::client::{self, ClientError};
use super::database::{self, DatabaseError};
use super::double::{self, Double, DoubleError, Limits, Options, StateAt, Webhooks};
use super::sample;

#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    Double(#[from] DoubleError),
    #[error(transparent)]
    Client(#[from] ClientError),
}

impl SandboxError {
    /// The double understood, and said no: a link that is closed, an object it does not know.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(self, SandboxError::Client(ClientError::Refused { .. }))
    }

    /// What to do about it, where one thing is.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            SandboxError::Double(DoubleError::Listen { .. }) => {
                "give --port one that is free, or 0 to let the system choose"
            }
            _ => "",
        }
    }
}

/// How a parent pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Paid at once.
    Card,
    /// A bank debit that stays on its way.
    Async,
    /// A bank debit that fails.
    AsyncFail,
}

impl Method {
    fn name(self) -> &'static str {
        match self {
            Method::Card => "card",
            Method::Async => "async",
            Method::AsyncFail => "async_fail",
        }
    }
}

/// An open sandbox. Dropped without `close`, it loses nothing that was answered.
pub struct Sandbox {
    base_url: String,
    database_url: String,
    /// `None` while another process serves this folder.
    double: Option<Double>,
}

impl Sandbox {
    /// Opens the sandbox in `dir`; makes it, with the sample incident, when there is none.
    ///
    /// # Errors
    /// The folder cannot be written, holds a database that is not ours, or is in use.
    pub async fn open(dir: &Path) -> Result<Sandbox, SandboxError> {
        if !database::exists(dir)? {
            database::create(dir).await?;
        }
        if let Some(base_url) = double::running_address(dir) {
            return Ok(Sandbox {
                base_url,
                database_url: database::url(dir),
                double: None,
            });
        }
        let sandbox = Sandbox::start(dir, 0).await?;
        sandbox.seed_if_empty().await?;
        Ok(sandbox)
    }

    /// The URL of the sandbox's database alone, also while another process works in `dir`; made, with the
    /// sample rows, when there is none.
    ///
    /// # Errors
    /// The folder cannot be written, or holds a database that is not ours.
    pub async fn database_alone(dir: &Path) -> Result<String, SandboxError> {
        if !database::exists(dir)? {
            database::create(dir).await?;
        }
        Ok(database::url(dir))
    }

    /// Opens the sandbox on a fixed port, for other programs and for a browser, and sends events where they are wanted.
    ///
    /// # Errors
    /// As `open`; the port is taken; events cannot be sent there.
    pub async fn serve(
        dir: &Path,
        port: u16,
        webhooks: Option<Webhooks>,
    ) -> Result<Sandbox, SandboxError> {
        if !database::exists(dir)? {
            database::create(dir).await?;
        }
        let sandbox = Sandbox::start(dir, port).await?;
        sandbox.seed_if_empty().await?;
        if let Some(double) = &sandbox.double {
            double.hand_out_own_urls();
            if let Some(webhooks) = webhooks {
                double.send_webhooks(webhooks)?;
            }
            double.announce()?;
        }
        Ok(sandbox)
    }

    /// Puts the sample incident back as it was, rows and Stripe objects.
    ///
    /// # Errors
    /// As `open`; then both are as they were.
    pub async fn reset(dir: &Path) -> Result<(), SandboxError> {
        // First: another process that works in this folder would go on with rows that are no longer there.
        let sandbox = Sandbox::open(dir).await?;
        database::create(dir).await?;
        client::reset(&sandbox.base_url).await?;
        sandbox.seed_if_empty().await?;
        sandbox.close().await
    }

    async fn start(dir: &Path, port: u16) -> Result<Sandbox, SandboxError> {
        let double = Double::start(Options {
            state: StateAt::Dir(dir.to_owned()),
            port,
            limits: Limits::default(),
        })
        .await?;
        Ok(Sandbox {
            base_url: double.base_url().to_owned(),
            database_url: database::url(dir),
            double: Some(double),
        })
    }

    /// A process killed between making the database and filling the double is made good here.
    async fn seed_if_empty(&self) -> Result<(), SandboxError> {
        let objects = client::objects(&self.base_url).await?;
        if objects.as_array().is_some_and(Vec::is_empty) {
            client::put_objects(&self.base_url, sample::stripe_objects()).await?;
        }
        Ok(())
    }

    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    #[must_use]
    pub fn database_url(&self) -> &str {
        &self.database_url
    }

    /// Opens a link as a parent would; answers with the session.
    ///
    /// # Errors
    /// The link is closed or unknown.
    pub async fn visit(&self, url_or_id: &str) -> Result<Value, SandboxError> {
        Ok(client::visit(&self.base_url, url_or_id).await?)
    }

    /// Pays a session, or visits a link and pays; answers with the session.
    ///
    /// # Errors
    /// The object is closed or unknown.
    pub async fn pay(&self, url_or_id: &str, method: Method) -> Result<Value, SandboxError> {
        Ok(client::pay(&self.base_url, url_or_id, method.name()).await?)
    }

    /// Puts the sandbox down; its state is on disk afterwards.
    ///
    /// # Errors
    /// The state cannot be written.
    pub async fn close(self) -> Result<(), SandboxError> {
        if let Some(double) = self.double {
            double.stop().await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_sandbox_that_is_in_use_is_not_reset_by_half() {
        let folder = tempfile::tempdir().unwrap();
        let at_work = Sandbox::open(folder.path()).await.unwrap();
        let rows = folder.path().join("club.db");
        std::fs::OpenOptions::new()
            .append(true)
            .open(&rows)
            .and_then(|mut file| std::io::Write::write_all(&mut file, b"at work"))
            .unwrap();
        let before = std::fs::read(&rows).unwrap();
        let refused = Sandbox::reset(folder.path()).await;
        assert!(matches!(
            refused,
            Err(SandboxError::Double(DoubleError::InUse { .. }))
        ));
        assert!(std::fs::read(&rows).unwrap() == before);
        at_work.close().await.unwrap();
        Sandbox::reset(folder.path()).await.unwrap();
        assert!(std::fs::read(&rows).unwrap() != before);
    }
}

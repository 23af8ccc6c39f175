//! Where the secrets of the connection come from: the Stripe key and the database URL.
//!
//! A key in two places must be the same key: which of two accounts was meant is never guessed.

use secrecy::SecretString;

use super::{Secret, Setting, Settings, Source};
use crate::cli::Common;
use crate::config::Environment;
use crate::error::Error;
use crate::files;
use crate::secrets::{Candidate, read_key_file, read_secret};

pub const KEY_CREDENTIAL: &str = "stripe_api_key";
pub const WEBHOOK_CREDENTIAL: &str = "stripe_webhook_secret";
const URL_CREDENTIAL: &str = "database_url";

/// Every key that there is, with the place that it is in.
///
/// # Errors
/// Configuration: a file that cannot be read, or that others can read.
pub fn keys(
    common: &Common,
    environment: &Environment,
    settings: &Settings,
) -> Result<Vec<Candidate>, Error> {
    let mut found = Vec::new();
    let mut add = |source: Source, place: String, secret: SecretString| {
        found.push(Candidate {
            source,
            place,
            secret,
        });
    };
    if let Some(secret) = &environment.stripe_api_key {
        let source = Source::Environment("STRIPE_API_KEY");
        add(source, "STRIPE_API_KEY".to_owned(), secret.clone());
    }
    if let Some(path) = &common.stripe_key_file {
        let source = Source::Flag("--stripe-key-file");
        add(source, "--stripe-key-file".to_owned(), read_key_file(path)?);
    }
    let connection = settings.file.document.connection.as_ref();
    if let Some(path) = connection.and_then(|it| it.stripe_key_file.as_deref()) {
        let place = "`connection.stripe_key_file` of the configuration file".to_owned();
        let source = Source::File("connection.stripe_key_file");
        add(source, place, read_key_file(&settings.file.beside(path))?);
    }
    if let Some(secret) = credential(environment, KEY_CREDENTIAL)? {
        let source = Source::Credential(KEY_CREDENTIAL);
        add(source, format!("the credential {KEY_CREDENTIAL}"), secret);
    }
    Ok(found)
}

/// # Errors
/// Configuration: there is none, or a file that cannot be read, or that others can read.
pub fn database_url(
    common: &Common,
    environment: &Environment,
    settings: &Settings,
) -> Result<SecretString, Error> {
    let found = find_database_url(common, environment, settings, false)?;
    found.map(|url| url.value).ok_or_else(|| {
        Error::configuration(
            "no database",
            "set DATABASE_URL or --database-url, or rehearse with --sandbox",
        )
    })
}

/// `is_typed` says which of the flag and its variable is named as the source.
///
/// # Errors
/// Configuration: a file that cannot be read, or that others can read.
pub fn find_database_url(
    common: &Common,
    environment: &Environment,
    settings: &Settings,
    is_typed: bool,
) -> Result<Option<Setting<SecretString>>, Error> {
    if let Some(url) = &common.database_url {
        let source = if is_typed {
            Source::Flag("--database-url")
        } else {
            Source::Environment("DATABASE_URL")
        };
        let value = url.clone();
        return Ok(Some(Setting { value, source }));
    }
    if let Some(value) = credential(environment, URL_CREDENTIAL)? {
        let source = Source::Credential(URL_CREDENTIAL);
        return Ok(Some(Setting { value, source }));
    }
    let connection = settings.file.document.connection.as_ref();
    if let Some(Secret(url)) = connection.and_then(|it| it.database_url.as_ref()) {
        return Ok(Some(Setting {
            value: url.clone(),
            source: Source::File("connection.database_url"),
        }));
    }
    Ok(None)
}

/// A secret that the service manager laid down for this process alone (systemd's LoadCredential=).
///
/// # Errors
/// Configuration: it is there and cannot be read.
pub fn credential(
    environment: &Environment,
    name: &'static str,
) -> Result<Option<SecretString>, Error> {
    let Some(folder) = &environment.credentials_directory else {
        return Ok(None);
    };
    let path = folder.join(name);
    if !files::exists(&path)? {
        return Ok(None);
    }
    let remedy = "let the unit's LoadCredential= lay down a readable file that holds the secret alone, or none";
    read_secret(&path, "credential", remedy).map(Some)
}

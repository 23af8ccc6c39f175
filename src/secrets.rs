//! The Stripe key: that all its sources hold the same one, which mode it opens, and what keeps it out of every text.
//!
//! A key is never taken from an argument, and no error here repeats what it read. What a secret was read into is wiped
//! when it is dropped.

use std::path::Path;

use secrecy::{ExposeSecret, SecretString};

use crate::domain::Mode;
use crate::error::Error;
use crate::files;
use crate::settings::Source;

const KEY_HINT: &str = "set STRIPE_API_KEY, or --stripe-key-file FILE, to a secret or restricted key \
     (sk_test_…, rk_test_…, sk_live_…, rk_live_…)";

/// A secret or restricted key with the mode that its prefix names.
#[derive(Debug)]
pub struct StripeKey {
    pub secret: SecretString,
    pub mode: Mode,
}

impl StripeKey {
    /// Whether it may do only what it was given permissions for.
    #[must_use]
    pub fn is_restricted(&self) -> bool {
        self.secret.expose_secret().starts_with("rk_")
    }
}

/// A key, and the place that it was found in.
#[derive(Clone, Debug)]
pub struct Candidate {
    pub source: Source,
    /// `STRIPE_API_KEY`, `--stripe-key-file`, …
    pub place: String,
    pub secret: SecretString,
}

/// The one key that all of these are.
///
/// # Errors
/// Configuration: none, empty, malformed or publishable; two that differ.
pub fn agree_on_key(candidates: &[Candidate]) -> Result<StripeKey, Error> {
    let Some((first, others)) = candidates.split_first() else {
        return Err(Error::configuration("no Stripe key", KEY_HINT));
    };
    let secret = &first.secret;
    let differs = |other: &&Candidate| other.secret.expose_secret() != secret.expose_secret();
    if let Some(other) = others.iter().find(differs) {
        return Err(Error::configuration(
            format!(
                "{} and {} hold two different keys",
                first.place, other.place
            ),
            "unset one of them: relink does not guess which one is meant",
        ));
    }
    key_of(secret.clone())
}

/// # Errors
/// Configuration: empty, malformed or publishable.
pub fn key_of(secret: SecretString) -> Result<StripeKey, Error> {
    let mode = mode_of(secret.expose_secret())?;
    Ok(StripeKey { secret, mode })
}

/// # Errors
/// Configuration: it cannot be read, or others can read it.
pub fn read_key_file(path: &Path) -> Result<SecretString, Error> {
    let remedy = "give --stripe-key-file a readable file that holds the key alone";
    read_secret(path, "key file", remedy)
}

/// The secret that is alone in a file; `name` is what the file is called in an error, and `remedy` what to do where it
/// cannot be read.
///
/// # Errors
/// Configuration: it cannot be read, or others can read it.
pub fn read_secret(path: &Path, name: &str, remedy: &str) -> Result<SecretString, Error> {
    let text = files::read_private(path, name, remedy)?;
    Ok(SecretString::from(text.trim_end_matches(['\n', '\r'])))
}

/// The secrets that sign events, from the environment variable `name`, from the file or from the credential. Two places
/// must hold the same: relink does not guess which is meant. Several stand one a line.
///
/// # Errors
/// Configuration: none; two different ones; a file that cannot be read or that others can read.
pub fn signing_secrets(
    name: &str,
    environment: Option<&SecretString>,
    file: Option<&Path>,
    credential: Option<SecretString>,
) -> Result<Vec<SecretString>, Error> {
    let hint = format!(
        "set {name}, or give --webhook-secret-file a file that nobody else can read and that holds the secret alone"
    );
    let from_file = file.map(|path| read_secret(path, "webhook secret file", &hint));
    let from_file = from_file.transpose()?;
    let given = [
        (name, environment),
        ("--webhook-secret-file", from_file.as_ref()),
        ("the credential stripe_webhook_secret", credential.as_ref()),
    ];
    let given = given.map(|(place, secret)| secret.map(|secret| (place, secret)));
    let (place, secret) = match given.into_iter().flatten().collect::<Vec<_>>().as_slice() {
        [] => return Err(Error::configuration("no secret that signs events", hint)),
        [(one, secret), others @ ..] => {
            let differs = |(_, other): &&(&str, &SecretString)| {
                other.expose_secret().trim() != secret.expose_secret().trim()
            };
            if let Some((other, _)) = others.iter().find(differs) {
                return Err(Error::configuration(
                    format!("{one} and {other} hold different secrets"),
                    "leave one of them out",
                ));
            }
            (*one, *secret)
        }
    };
    let secrets: Vec<&str> = secret.expose_secret().split_whitespace().collect();
    // With anything else, every event would be refused, and nothing would say why.
    if secrets.is_empty() {
        return Err(Error::configuration(format!("{place} is empty"), hint));
    }
    if secrets.iter().any(|secret| !secret.starts_with("whsec_")) {
        return Err(Error::configuration(
            format!("{place} holds no signing secret of Stripe's: one begins with whsec_"),
            hint,
        ));
    }
    Ok(secrets.into_iter().map(SecretString::from).collect())
}

fn mode_of(key: &str) -> Result<Mode, Error> {
    if key.is_empty() {
        return Err(Error::configuration("the Stripe key is empty", KEY_HINT));
    }
    let starts = |prefixes: [&str; 2]| prefixes.iter().any(|prefix| key.starts_with(prefix));
    if starts(["pk_test_", "pk_live_"]) {
        return Err(Error::configuration(
            "the Stripe key is a publishable one (`pk_…`): it can neither read nor write orders' objects",
            KEY_HINT,
        ));
    }
    let tail_is_clean = key.len() > 8
        && key[8..]
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && key.is_ascii();
    let mode = if starts(["sk_test_", "rk_test_"]) {
        Mode::Test
    } else if starts(["sk_live_", "rk_live_"]) {
        Mode::Live
    } else {
        return Err(Error::configuration(
            "the Stripe key is malformed: it begins with none of sk_test_, rk_test_, sk_live_, rk_live_",
            KEY_HINT,
        ));
    };
    if tail_is_clean {
        Ok(mode)
    } else {
        Err(Error::configuration(
            "the Stripe key is malformed: after its prefix only letters, digits and `_` may follow (is there a space or a line break in it?)",
            KEY_HINT,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(key: &str) -> Result<Mode, String> {
        key_of(SecretString::from(key.to_owned()))
            .map(|key| key.mode)
            .map_err(|e| e.to_string())
    }

    #[test]
    fn the_prefix_names_the_mode() {
        assert_eq!(mode("sk_test_a1"), Ok(Mode::Test));
        assert_eq!(mode("rk_live_a1"), Ok(Mode::Live));
    }

    #[test]
    fn unusable_keys_are_refused_without_being_repeated() {
        for key in [
            "",
            "sk_test_",
            "pk_live_zebra",
            "zebra",
            "sk_test_zebra\n",
            "sk_test_ze bra",
            "sk_live_é",
        ] {
            let message = mode(key).unwrap_err();
            assert!(!message.contains("zebra"), "{message}");
        }
    }
    #[test]
    fn a_file_that_cannot_be_read_is_called_what_it_is() {
        let missing = Path::new("/nonexistent/secret");
        let key = read_key_file(missing).unwrap_err().describe();
        assert!(key.message.starts_with("key file"), "{}", key.message);
        assert!(key.hint.contains("--stripe-key-file"), "{}", key.hint);
        let signing = signing_secrets("SIGNING", None, Some(missing), None);
        let signing = signing.unwrap_err().describe();
        assert!(
            signing.message.starts_with("webhook secret file"),
            "{}",
            signing.message
        );
        assert!(
            signing.hint.contains("--webhook-secret-file"),
            "{}",
            signing.hint
        );
    }
}

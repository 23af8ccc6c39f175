//! The database URL: what an operator writes, checked and turned into what the driver reads, and the
//! identity that may be shown.
//!
//! A URL that could be read in two ways is refused: guessing might reach another database, or print a part
//! of a password as if it were a host.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::PgConnectOptions;
use url::Url;

use super::dialect::Dialect;
use super::{Access, StoreError};
use crate::files;

/// Timeouts in milliseconds. They travel in the startup packet: a `SET` could leak through a connection
/// pooler into the application's sessions, where a read-only setting would stop it from writing.
const SESSION: &str = "-c statement_timeout=30000 -c lock_timeout=10000 \
                       -c idle_in_transaction_session_timeout=60000";
const SESSION_READ_ONLY: &str = "-c default_transaction_read_only=on";

/// Parameters that the driver reads as libpq does.
const PASSED: &[&str] = &[
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];
/// Parameters of libpq and SQLAlchemy that change nothing that matters here.
const IGNORED: &[&str] = &[
    "channel_binding",
    "client_encoding",
    "connect_timeout",
    "fallback_application_name",
    "gssencmode",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "sslcompression",
    "sslsni",
    "target_session_attrs",
    "tcp_user_timeout",
    "check_same_thread",
    "timeout",
];
const ENCODE_HINT: &str = "special characters in user and password must be percent-encoded (`@` is `%40`, `/` is `%2F`, `#` is `%23`)";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatabaseKind {
    Postgres,
    Sqlite,
}

/// Which database this is, without its password: `postgres club@db.example.com:5432/club` or
/// `sqlite /srv/club.db`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseIdentity {
    kind: DatabaseKind,
    place: String,
}

impl DatabaseIdentity {
    #[must_use]
    pub fn kind(&self) -> DatabaseKind {
        self.kind
    }

    /// Without the kind: of SQLite the file.
    pub(super) fn place(&self) -> &str {
        &self.place
    }
}

impl fmt::Display for DatabaseIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            DatabaseKind::Postgres => "postgres",
            DatabaseKind::Sqlite => "sqlite",
        };
        write!(f, "{kind} {}", self.place)
    }
}

/// A checked address. Its URL may hold a password, so it has no `Debug`.
pub(super) struct Address {
    url: Url,
    identity: DatabaseIdentity,
}

impl Address {
    pub fn parse(url: &SecretString, access: Access) -> Result<Address, StoreError> {
        let text = url.expose_secret().trim();
        let (scheme, rest) = text
            .split_once(':')
            .ok_or_else(|| refused("it has no scheme; write `postgres://…` or `sqlite://…`"))?;
        // SQLAlchemy names its driver after a plus sign.
        match scheme.split_once('+').map_or(scheme, |(base, _)| base) {
            "postgres" | "postgresql" => postgres(rest, access),
            "sqlite" => sqlite(rest, access),
            _ => Err(refused(
                "its scheme is not one that relink knows; write `postgres://…` or `sqlite://…`",
            )),
        }
    }

    /// The role that the URL logs in as.
    pub fn role(&self) -> Option<String> {
        if self.identity.kind != DatabaseKind::Postgres {
            return None;
        }
        let options = PgConnectOptions::from_str(self.url.as_str()).ok()?;
        Some(options.get_username().to_owned()).filter(|role| !role.is_empty())
    }

    pub fn url(&self) -> &Url {
        &self.url
    }

    /// A SQLite file that is opened to be read whatever a run wants.
    pub fn is_read_only_file(&self) -> bool {
        self.identity.kind == DatabaseKind::Sqlite && self.url.query() == Some("mode=ro")
    }

    pub fn identity(&self) -> &DatabaseIdentity {
        &self.identity
    }

    pub fn dialect(&self) -> Dialect {
        self.identity.kind.into()
    }
}

fn refused(why: impl Into<String>) -> StoreError {
    StoreError::Url(why.into())
}

fn postgres(rest: &str, access: Access) -> Result<Address, StoreError> {
    let url = Url::parse(&format!("postgres:{rest}"))
        .map_err(|error| refused(format!("{error}; {ENCODE_HINT}")))?;
    if !rest.starts_with("//") {
        return Err(refused(
            "two slashes must follow the scheme, as in `postgres://user@host/database`",
        ));
    }
    // An unescaped `/`, `?` or `#` in a password ends the host early and leaves its `@` behind.
    let after_host = [Some(url.path()), url.query(), url.fragment()];
    if url.fragment().is_some()
        || (url.username().is_empty() && after_host.iter().flatten().any(|part| part.contains('@')))
    {
        return Err(refused(ENCODE_HINT));
    }
    let url = with_session(&url, access)?;
    let options = PgConnectOptions::from_str(url.as_str()).map_err(|error| {
        let said = error.to_string();
        refused(said.trim_start_matches("error with configuration: "))
    })?;
    let identity = DatabaseIdentity {
        kind: DatabaseKind::Postgres,
        place: postgres_place(&options),
    };
    Ok(Address { url, identity })
}

/// The URL with only the parameters that the driver reads, and with the session's settings last, where they
/// win over what the operator's URL says.
fn with_session(url: &Url, access: Access) -> Result<Url, StoreError> {
    let mut checked = url.clone();
    let mut pairs = checked.query_pairs_mut();
    pairs.clear();
    let mut named = false;
    for (key, value) in url.query_pairs() {
        if key == "sslrootcert" && value == "system" {
            // libpq's word for the system's certificates, which the driver uses when none are named.
        } else if PASSED.contains(&&*key) {
            require_readable(&key, &value)?;
            named |= key == "application_name";
            pairs.append_pair(&key, &value);
        } else if IGNORED.contains(&&*key) {
            tracing::debug!(parameter = %key, "a parameter of the database URL is not used");
        } else {
            return Err(refused(format!(
                "relink does not know its parameter `{key}`"
            )));
        }
    }
    if !named {
        pairs.append_pair("application_name", "relink");
    }
    pairs.append_pair("options", SESSION);
    if access == Access::ReadOnly {
        pairs.append_pair("options", SESSION_READ_ONLY);
    }
    drop(pairs);
    Ok(checked)
}

/// The driver would only say that some file does not exist.
fn require_readable(key: &str, value: &str) -> Result<(), StoreError> {
    let names_file = matches!(key, "sslrootcert" | "sslcert" | "sslkey");
    if !names_file || value.starts_with("-----BEGIN") {
        return Ok(());
    }
    files::open_file(Path::new(value))
        .map(drop)
        .map_err(|error| refused(format!("its `{key}` names `{value}`: {error}")))
}

fn postgres_place(options: &PgConnectOptions) -> String {
    let user = options.get_username();
    let host = match options.get_socket() {
        Some(directory) => directory.display().to_string(),
        None => options.get_host().to_owned(),
    };
    let port = options.get_port();
    let database = options.get_database().unwrap_or(user);
    format!("{user}@{host}:{port}/{database}")
}

fn sqlite(rest: &str, access: Access) -> Result<Address, StoreError> {
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.is_empty() || path.contains(":memory:") {
        return Err(refused(
            "it names no file; write `sqlite:///absolute/path` or `sqlite://relative/path`",
        ));
    }
    let read_only = sqlite_is_read_only(query)? || access == Access::ReadOnly;
    let path = absolute_path(path)?;
    require_file(&path)?;
    let mut url = Url::from_file_path(&path).map_err(|()| refused("its path cannot be read"))?;
    url.set_query(Some(if read_only { "mode=ro" } else { "mode=rw" }));
    // The URL standard lets no one change the scheme of a `file:` URL, so it is changed in the text.
    let text = url.as_str().replacen("file:", "sqlite:", 1);
    let url = Url::parse(&text).map_err(|error| refused(error.to_string()))?;
    let identity = DatabaseIdentity {
        kind: DatabaseKind::Sqlite,
        place: path.display().to_string(),
    };
    Ok(Address { url, identity })
}

fn sqlite_is_read_only(query: &str) -> Result<bool, StoreError> {
    let mut read_only = false;
    for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match (&*key, &*value) {
            ("mode", "ro") => read_only = true,
            ("mode", "rw" | "rwc") => {}
            (key, _) if IGNORED.contains(&key) => {}
            (key, _) => {
                return Err(refused(format!(
                    "relink does not know its parameter `{key}`"
                )));
            }
        }
    }
    Ok(read_only)
}

/// Percent signs are decoded; a relative path starts at the working directory.
fn absolute_path(path: &str) -> Result<PathBuf, StoreError> {
    let unreadable = || refused("its path cannot be read");
    // Whoever names an absolute one may stand in a folder that is gone.
    let here = if path.starts_with('/') {
        PathBuf::from("/")
    } else {
        std::env::current_dir().map_err(|error| {
            refused(format!(
                "its path is relative, and the working directory cannot be read: {error}"
            ))
        })?
    };
    let here = Url::from_directory_path(here).map_err(|()| unreadable())?;
    let escaped = path.replace('#', "%23");
    let joined = match escaped.strip_prefix('/') {
        Some(tail) => here.join(&format!("/{}", tail.trim_start_matches('/'))),
        None => here.join(&format!("./{escaped}")),
    };
    let joined = joined.map_err(|_| unreadable())?;
    joined.to_file_path().map_err(|()| unreadable())
}

/// relink never creates a database file: an empty one would look like a club without orders.
fn require_file(path: &Path) -> Result<(), StoreError> {
    let shown = path.display();
    let detail = match std::fs::metadata(path) {
        Ok(found) if found.is_file() => return Ok(()),
        Ok(_) => format!("`{shown}` is not a file"),
        Err(error) => format!(
            "`{shown}`: {error} (a path after three slashes is absolute; a relative one is written \
             `sqlite://relative/path`)"
        ),
    };
    Err(StoreError::NoSuchDatabase { detail })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(url: &str, access: Access) -> PgConnectOptions {
        let address = Address::parse(&SecretString::from(url.to_owned()), access)
            .unwrap_or_else(|error| panic!("{error}"));
        PgConnectOptions::from_str(address.url().as_str()).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn the_sessions_settings_come_after_the_operators_and_so_win() {
        let url = "postgres://club@db/club?options=-c%20default_transaction_read_only%3Doff%20-c%20search_path%3Da";
        let said = options(url, Access::ReadOnly);
        let said = said.get_options().unwrap_or_default();
        assert_eq!(
            said,
            "-c default_transaction_read_only=off -c search_path=a -c statement_timeout=30000 -c lock_timeout=10000 \
             -c idle_in_transaction_session_timeout=60000 -c default_transaction_read_only=on"
        );
        let writing = options("postgres://club@db/club", Access::ReadWrite);
        assert!(
            !writing
                .get_options()
                .unwrap_or_default()
                .contains("read_only")
        );
    }

    #[test]
    fn the_application_is_named_relink_unless_the_url_names_it() {
        let name = |url: &str| {
            let options = options(url, Access::ReadOnly);
            options.get_application_name().map(ToOwned::to_owned)
        };
        assert_eq!(name("postgres://club@db/club").as_deref(), Some("relink"));
        let nightly = name("postgres://club@db/club?application_name=nightly");
        assert_eq!(nightly.as_deref(), Some("nightly"));
    }

    #[test]
    fn a_place_is_shown_however_the_url_spells_it() {
        let place = |url: &str| {
            Address::parse(&SecretString::from(url.to_owned()), Access::ReadOnly)
                .unwrap_or_else(|error| panic!("{error}"))
                .identity
                .place
        };
        let shown = "club@db.example.com:5433/club";
        assert_eq!(
            place("postgresql+psycopg2://club:p%40w@db.example.com:5433/club"),
            shown
        );
        assert_eq!(
            place("postgres:///?host=db.example.com&port=5433&user=club&password=pw"),
            shown
        );
        assert_eq!(
            place("postgres://club@%2Fvar%2Frun:5433/a"),
            "club@/var/run:5433/a"
        );
        assert_eq!(place("postgres://club:p@w@db:5433/a"), "club@db:5433/a");
    }
}

//! `relink help environment`: every variable that relink reads, by itself or through its libraries. Says no value.

use super::{Section, paragraph, sections};

type Variable = (&'static str, &'static str);

const SECRETS: [Variable; 3] = [
    (
        "STRIPE_API_KEY",
        "the Stripe key, secret or restricted; or --stripe-key-file FILE",
    ),
    (
        "STRIPE_WEBHOOK_SECRET",
        "what Stripe signs the endpoint's events with, for `webhook serve`; several, separated by spaces, while one \
         is rolled; or --webhook-secret-file FILE",
    ),
    (
        "RELINK_SANDBOX_WEBHOOK_SECRET",
        "what `sandbox serve --webhook-url` signs its events with; or --webhook-secret-file FILE",
    ),
];

const CONNECTION: [Variable; 8] = [
    (
        "DATABASE_URL",
        "--database-url: postgres://… or sqlite:///path",
    ),
    (
        "STRIPE_API_BASE",
        "--stripe-api-base: another address for Stripe's API; refused with a live key",
    ),
    (
        "RELINK_SUCCESS_URL",
        "--success-url: where a parent lands after paying",
    ),
    (
        "XDG_STATE_HOME",
        "--sandbox without DIR: the sandbox is relink/sandbox below it; default: ~/.local/state",
    ),
    (
        "RELINK_CONFIG",
        "the configuration file, where --config names none",
    ),
    (
        "XDG_CONFIG_HOME",
        "the configuration file is relink/config.toml below it, else /etc/relink/config.toml; default: ~/.config",
    ),
    (
        "CREDENTIALS_DIRECTORY",
        "set by systemd: the files stripe_api_key, stripe_webhook_secret and database_url in it",
    ),
    ("HOME", "the `~` of these"),
];

const OUTPUT: [Variable; 7] = [
    (
        "NO_COLOR",
        "set and not empty: no colours, unless --color says otherwise",
    ),
    (
        "CLICOLOR_FORCE",
        "set and not `0`: colours where there is no terminal as well",
    ),
    ("CLICOLOR", "`0`: no colours at a terminal"),
    ("TERM", "`dumb`: no colours"),
    (
        "COLUMNS",
        "how wide help texts are where there is no terminal",
    ),
    (
        "RUST_LOG",
        "what is logged on stderr, in place of -v; what was sent is never logged, whatever it asks for",
    ),
    (
        "TMPDIR",
        "where one JSON document over more than a thousand orders waits for its end; default: /tmp",
    ),
];

const JOURNAL: [Variable; 3] = [
    (
        "USER",
        "who ran it, as the journal keeps it; decides nothing",
    ),
    ("LOGNAME", "the same, without USER"),
    (
        "HOSTNAME",
        "on which host, where the system does not tell; decides nothing",
    ),
];

/// Kinds of variables with their names.
const LIBRARIES: [Variable; 3] = [
    (
        "proxies",
        "HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY: on the way to Stripe",
    ),
    (
        "certificates",
        "SSL_CERT_FILE, SSL_CERT_DIR: the authorities to trust in place of the system's",
    ),
    (
        "PostgreSQL",
        "PGPASSWORD, PGPASSFILE, PGUSER, PGHOST, PGHOSTADDR, PGPORT, PGDATABASE, PGSSLMODE, PGSSLROOTCERT, PGSSLCERT, \
         PGSSLKEY, PGOPTIONS, PGAPPNAME: as for psql, for what a postgres:// URL leaves out",
    ),
];

#[must_use]
pub fn environment(width: usize) -> String {
    let mut text = paragraph(
        "The environment variables that are read. A flag wins over its variable; an empty variable is as one that is \
         not set; a secret has no flag, and its value is shown nowhere.",
        width,
    );
    text.push_str(&sections(
        &[
            section("Secrets:", &SECRETS),
            section("Connection:", &CONNECTION),
            section("Output:", &OUTPUT),
            section("Who ran it:", &JOURNAL),
            section("Read by the libraries that connect:", &LIBRARIES),
        ],
        width,
    ));
    text
}

fn section<'a>(heading: &'a str, variables: &[Variable]) -> Section<'a> {
    let entries = variables.iter();
    Section {
        heading,
        entries: entries
            .map(|(name, said)| ((*name).to_owned(), (*said).to_owned()))
            .collect(),
    }
}

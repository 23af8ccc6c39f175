//! Logs for whoever runs relink: to stderr, one line or one JSON object per event. They hold no request
//! bodies, no headers and no keys: what the HTTP and TLS crates say below `info` is never let through,
//! whatever `RUST_LOG` asks for.
//!
//! sqlx logs each statement with its time at `debug`, without its parameters; its `trace` is kept out.

use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::ui::Stderr;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    #[default]
    Text,
    /// One object per line.
    Json,
}

/// Who reads what is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// Nobody now, or nobody who sees the result.
    Alone,
    /// A person at a terminal, whom the report tells how each order ended.
    BesideTheReport,
}

/// How an order ended that was not done.
pub const ENDING: &str = "relink::ending";

/// Crates that could log what was sent, and the most detailed level that is let through.
const CEILINGS: [(&str, Level); 9] = [
    ("h2", Level::INFO),
    ("hyper", Level::INFO),
    ("hyper_rustls", Level::INFO),
    ("hyper_util", Level::INFO),
    ("reqwest", Level::INFO),
    ("rustls", Level::INFO),
    ("rustls_platform_verifier", Level::INFO),
    ("tower_http", Level::INFO),
    ("sqlx", Level::DEBUG),
];

/// Starts logging, once per process; later calls do nothing. `verbosity` is how often `-v` was given:
/// none is warnings, 1 is `info`, 2 `debug` and statements that took long, 3 `trace` of relink, the last with `debug` of
/// everything else.
/// `RUST_LOG` is used instead when it is set.
pub fn start(verbosity: u8, reader: Reader, format: LogFormat, color: bool) {
    let asked = std::env::var("RUST_LOG").ok();
    let filter = EnvFilter::builder().parse_lossy(directives(verbosity, reader, asked.as_deref()));
    let registry = tracing_subscriber::registry()
        .with(filter)
        .with(filter_fn(is_let_through));
    let started = match format {
        LogFormat::Text => {
            let text = fmt::layer().with_writer(|| Stderr).with_ansi(color);
            registry.with(text).try_init()
        }
        LogFormat::Json => {
            let json = fmt::layer().json().flatten_event(true);
            registry.with(json.with_writer(|| Stderr)).try_init()
        }
    };
    // The only failure is that a subscriber is in place already, as in tests.
    drop(started);
}

fn directives(verbosity: u8, reader: Reader, asked: Option<&str>) -> String {
    if let Some(asked) = asked.filter(|text| !text.trim().is_empty()) {
        return asked.to_owned();
    }
    match verbosity {
        // That a statement took long is said with all of it, over what a person reads.
        0 if reader == Reader::BesideTheReport => "warn,sqlx=error,relink::ending=off",
        0 => "warn,sqlx=error",
        1 => "warn,sqlx=error,relink=info",
        2 => "warn,relink=debug",
        _ => "debug,relink=trace",
    }
    .to_owned()
}

fn is_let_through(event: &Metadata<'_>) -> bool {
    within_ceiling(event.target(), *event.level())
}

fn within_ceiling(target: &str, level: Level) -> bool {
    let crate_name = target.split("::").next().unwrap_or(target);
    CEILINGS
        .iter()
        .find(|(name, _)| *name == crate_name)
        .is_none_or(|(_, ceiling)| level <= *ceiling)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_v_tells_more_and_rust_log_wins() {
        let alone = |verbosity, asked| directives(verbosity, Reader::Alone, asked);
        assert_eq!(alone(0, None), "warn,sqlx=error");
        assert_eq!(alone(1, None), "warn,sqlx=error,relink=info");
        assert_eq!(alone(2, Some("")), "warn,relink=debug");
        assert_eq!(alone(9, None), "debug,relink=trace");
        assert_eq!(alone(3, Some("relink=error")), "relink=error");
    }

    #[test]
    fn an_ending_that_the_report_tells_is_not_told_twice_unless_it_is_asked_for() {
        let beside = |verbosity| directives(verbosity, Reader::BesideTheReport, None);
        assert_eq!(beside(0), format!("warn,sqlx=error,{ENDING}=off"));
        assert_eq!(beside(1), "warn,sqlx=error,relink=info");
    }

    #[test]
    fn what_was_sent_is_never_logged() {
        assert!(!within_ceiling("h2::codec::framed_write", Level::DEBUG));
        assert!(!within_ceiling("hyper_util::client::legacy", Level::TRACE));
        assert!(!within_ceiling("reqwest::connect", Level::TRACE));
        assert!(!within_ceiling("sqlx::query", Level::TRACE));
        assert!(within_ceiling("sqlx::query", Level::DEBUG));
        assert!(within_ceiling("hyper", Level::WARN));
        assert!(within_ceiling("relink::stripe", Level::TRACE));
    }
}

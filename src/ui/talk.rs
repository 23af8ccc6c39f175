//! What is said on stderr beside the result: the banner, warnings, notes and failures. Never key material,
//! and never an error of its own: when stderr is gone there is nobody to tell.

use std::io::{self, Write};
use std::sync::mpsc::channel;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use indicatif::ProgressBar;

use super::aside::{say, wait};
use super::look::{Hue, Look};
use super::sanitize::{clean, clean_lines};
use crate::domain::{AccountId, Mode};
use crate::exit::Failure;

/// Where a run reads and writes. Holds nothing of the key, and a database address without its password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Banner {
    pub mode: Mode,
    /// `None` where the key may not read the account.
    pub account: Option<AccountId>,
    pub account_name: Option<String>,
    pub database: String,
    /// The API's host, or `sandbox DIR`.
    pub stripe: String,
}

/// The bar that stands on the last line of the terminal, of which a process has one.
static BAR: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Every later line on stderr is written above `bar`, until the next call.
pub fn keep_below(bar: Option<ProgressBar>) {
    *BAR.lock().unwrap_or_else(PoisonError::into_inner) = bar;
}

/// The bar is away while it writes.
pub fn above_the_bar<T>(write: impl FnOnce() -> T) -> T {
    match &*BAR.lock().unwrap_or_else(PoisonError::into_inner) {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}

/// stderr for whole lines, such as logs: they appear above the progress bar, not within it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stderr;

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let line = bytes.to_vec();
        say(move || write_now(&line));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub fn write_stderr(text: &str) {
    let text = text.to_owned();
    say(move || write_now(text.as_bytes()));
}

/// By whoever calls it, which waits for whoever reads stderr.
pub fn write_now(bytes: &[u8]) {
    // When stderr is closed, nobody is left to be told.
    drop(above_the_bar(|| io::stderr().lock().write_all(bytes)));
}

pub fn banner(banner: &Banner, look: Look) {
    write_stderr(&banner_text(banner, look));
}

fn banner_text(banner: &Banner, look: Look) -> String {
    let mode = match banner.mode {
        Mode::Live => look.paint("live mode", Hue::Money),
        Mode::Test => "test mode".to_owned(),
    };
    format!(
        "stripe:   {mode}, account {}, {}\ndatabase: {}\n",
        account_id(banner.account.as_ref(), banner.account_name.as_deref()),
        clean(&banner.stripe),
        clean(&banner.database),
    )
}

/// `acct_1 (Utah Hoops)`
pub fn account_id(id: Option<&AccountId>, name: Option<&str>) -> String {
    match (id, name) {
        (Some(id), Some(name)) => format!("{id} ({})", clean(name)),
        (Some(id), None) => id.to_string(),
        (None, _) => "unknown".to_owned(),
    }
}

pub fn line(label: &str, text: &str, hue: Hue, look: Look) {
    write_stderr(&line_text(label, text, hue, look));
}

/// After all that was said before it. Whoever ends at once does not wait for a reader that does not read.
pub fn last_line(label: &str, text: &str, hue: Hue, look: Look) {
    const LONGEST: Duration = Duration::from_millis(300);
    let line = line_text(label, text, hue, look);
    let (written, all) = channel();
    let writer = thread::Builder::new().spawn(move || {
        write_stderr(&line);
        wait();
        let _ = written.send(());
    });
    if writer.is_ok() {
        let _ = all.recv_timeout(LONGEST);
    }
}

fn line_text(label: &str, text: &str, hue: Hue, look: Look) -> String {
    let shown = clean_lines(text, label.len() + 2);
    format!("{}: {shown}\n", look.paint(label, hue))
}

pub fn failure(failure: &Failure, look: Look) {
    write_stderr(&failure_text(failure, look));
}

fn failure_text(failure: &Failure, look: Look) -> String {
    let Failure {
        code: _,
        message,
        hint,
        request_id,
        status: _,
    } = failure;
    let mut text = line_text("error", message, Hue::Money, look);
    if let Some(id) = request_id {
        text.push_str(&format!("       Stripe request {}\n", clean(id)));
    }
    if !hint.is_empty() {
        text.push_str(&line_text("hint", hint, Hue::Good, look));
    }
    text
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::exit::ExitStatus;

    const LOOK: Look = Look::of(false, 200);

    #[test]
    fn the_banner_names_mode_account_host_and_database() {
        let banner = Banner {
            mode: Mode::Live,
            account: AccountId::parse("acct_1Utah").ok(),
            account_name: Some("Utah Hoops\u{1b}[2J".to_owned()),
            database: "postgres://club@db.example.com/club".to_owned(),
            stripe: "api.stripe.com".to_owned(),
        };
        assert_snapshot!(banner_text(&banner, LOOK), @r#"
stripe:   live mode, account acct_1Utah (Utah Hoops\u{1b}[2J), api.stripe.com
database: postgres://club@db.example.com/club
"#);
    }

    #[test]
    fn a_failure_says_what_is_wrong_and_what_to_do() {
        let failure = Failure {
            code: "no_permission",
            message: "the key may not read payment links\nnext: rm -rf /".to_owned(),
            hint: "give the key the permission `Payment Links: Read`".to_owned(),
            request_id: Some("req_123".to_owned()),
            status: ExitStatus::Permission,
        };
        assert_snapshot!(failure_text(&failure, LOOK), @"
error: the key may not read payment links
       next: rm -rf /
       Stripe request req_123
hint: give the key the permission `Payment Links: Read`
");
    }
}

//! The result, on stdout. A reader that closes it early has had enough: that is success.
//!
//! It formats nothing.

use std::io::{self, Write};

use super::{aside, json, talk};

/// Whether anybody still reads what is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    Listens,
    /// It closed the pipe: it has had enough.
    IsGone,
}

pub fn print(text: &str) -> io::Result<()> {
    print_for(text).map(drop)
}

pub fn print_for(text: &str) -> io::Result<Reader> {
    print_all(text.as_bytes())
}

/// After all that was said, so that a result never comes before its events.
pub fn print_all(text: impl io::Read) -> io::Result<Reader> {
    aside::wait();
    print_now(text)
}

/// Above the progress bar, where there is one.
pub fn print_now(mut text: impl io::Read) -> io::Result<Reader> {
    let copied = talk::above_the_bar(|| {
        let mut stdout = io::stdout().lock();
        io::copy(&mut text, &mut stdout).and_then(|_| stdout.flush())
    });
    match copied {
        Ok(()) => Ok(Reader::Listens),
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(Reader::IsGone),
        Err(e) => Err(e),
    }
}

pub fn print_json(document: &impl serde::Serialize) -> io::Result<()> {
    print(&json::render(document)?)
}

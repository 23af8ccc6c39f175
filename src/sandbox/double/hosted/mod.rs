//! The page that a payer sees, under the paths of Stripe's own: a link's URL opens a session, a session's URL shows it,
//! and its form pays it. It decides nothing that the payer of the admin interface does not (`payer.rs`). Looking at a
//! closed page changes nothing, `HEAD` opens no session, and a form that another site sends is refused.

mod charge;
mod html;
mod page;

use hyper::header::ORIGIN;
use serde_json::Value;

use super::change::{Cause, Change};
use super::http::{Answer, Cut, Incoming, Reply};
use super::payer::{self, Method};
use super::world::{Kind, Record};
use super::{Core, Inner};
use charge::{After, Charge};
use page::{Closed, Notice};

/// `address` is Stripe's for the path that was asked for.
pub(super) fn serve(inner: &Inner, request: &Incoming, address: &str) -> Reply {
    let mut core = inner.core();
    if core.log.is_closed() {
        return Err(Cut::Close);
    }
    let is_session = request.path.starts_with("/c/pay/");
    Ok(match request.method.as_str() {
        "GET" => tell(&mut core, address, |change| (open(change, address), true)),
        "HEAD" => tell(&mut core, address, |change| (open(change, address), false)),
        "POST" if is_session && is_foreign(inner, request) => {
            page::closed(Closed::Forbidden, "This form was sent by another site.")
        }
        "POST" if is_session => tell(&mut core, address, |change| pay(change, address, request)),
        _ => page::wrong_method(is_session),
    })
}

/// A browser names the site whose form it sends; other clients name none.
fn is_foreign(inner: &Inner, request: &Incoming) -> bool {
    let own = &inner.base_url;
    let by_name = own.replace("127.0.0.1", "localhost");
    let origin = request.headers.get(ORIGIN);
    origin.is_some_and(|origin| origin != own.as_str() && origin != by_name.as_str())
}

/// Answers with what `act` shows, and keeps what it did when it says so.
fn tell(core: &mut Core, address: &str, act: impl FnOnce(&mut Change) -> (Answer, bool)) -> Answer {
    let Some(mode) = payer::mode_of(&core.world, address) else {
        return page::closed(Closed::Unknown, "There is no such page.");
    };
    let mut change = Change::new(&mut core.world, mode, Cause::default());
    let (answer, keep) = act(&mut change);
    let (entries, undo) = change.finish();
    if !keep {
        undo.revert(&mut core.world);
        return answer;
    }
    match core.log.append(&entries) {
        Ok(()) => answer,
        Err(problem) => {
            undo.revert(&mut core.world);
            let reason = format!("The sandbox cannot write its state: {problem}");
            page::closed(Closed::Broken, &reason)
        }
    }
}

fn open(change: &mut Change, address: &str) -> Answer {
    if let Some(session) = payer::session(change, address) {
        return show(change, &session);
    }
    match payer::visit(change, address) {
        Ok(session) => match change.get(Kind::Session, text(&session["id"])) {
            Some(session) => show(change, session),
            None => page::closed(Closed::Gone, "This page is gone."),
        },
        Err(reason) => page::closed(Closed::Gone, &reason),
    }
}

/// A session as it stands.
fn show(change: &Change, session: &Record) -> Answer {
    let charge = Charge::of(change.realm(), session);
    match text(&session.value["status"]) {
        "open" => page::payable(&charge, None),
        "complete" => page::paid(&charge, None),
        _ => page::closed(Closed::Gone, "This page has expired. Nothing was charged."),
    }
}

fn pay(change: &mut Change, address: &str, request: &Incoming) -> (Answer, bool) {
    let Some(before) = payer::session(change, address) else {
        let answer = page::closed(Closed::Unknown, "There is no such page.");
        return (answer, false);
    };
    if before.value["status"] == "complete" {
        let charge = Charge::of(change.realm(), &before);
        return (page::paid(&charge, Some(Notice::AlreadyPaid)), false);
    }
    if before.value["status"] != "open" {
        return (show(change, &before), false);
    }
    let chosen = request.form.iter().find(|(name, _)| name == "method");
    let method = match Method::read(chosen.map_or("card", |(_, value)| value)) {
        Ok(method) => method,
        Err(problem) => return (page::closed(Closed::Misread, &problem), false),
    };
    match payer::pay(change, address, method) {
        Ok(_) => (conclude(change, address), true),
        Err(problem) => (page::closed(Closed::Gone, &problem), false),
    }
}

/// Sends the payer on, as the link or the session says; a declined card leaves the page open.
fn conclude(change: &Change, address: &str) -> Answer {
    let Some(session) = payer::session(change, address) else {
        return page::closed(Closed::Gone, "This page is gone.");
    };
    let charge = Charge::of(change.realm(), &session);
    if session.value["status"] == "open" {
        return page::payable(&charge, Some(Notice::Declined));
    }
    match &charge.after {
        After::Redirect(target) => page::sent_on(target.as_str()),
        After::Confirmation(_) => page::sent_on(&charge.path),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

//! One order in full: its row, every object found for it, the verdict with its reason, and the next command.
//! Ids and URLs are shown whole, so that they can be copied.

use unicode_width::UnicodeWidthStr;

use super::NextStep;
use super::look::{Hue, Look, full, list, name};
use super::sanitize::clean;
use super::words::{self, Ids};
use crate::domain::{
    AccountId, Family, Listing, Mode, Order, OrderFacts, Owner, Payment, PaymentLink, Reading,
    Session, SessionState, Stored, StripeObject, Timestamp,
};
use crate::plan::{Action, Decision, Hold, Plan, advise};

/// As the longest of the application's columns. SQLite holds to no column's length.
const LONGEST: usize = 500;

/// Everything known about one order at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    pub mode: Mode,
    pub account: Option<AccountId>,
    pub taken_at: Timestamp,
    pub facts: OrderFacts,
    pub decision: Decision,
    pub next: NextStep,
}

impl Explanation {
    /// `None` when `plan` does not hold the order of `facts`. `with_connection` completes a suggested command.
    #[must_use]
    pub fn of(
        plan: &Plan,
        facts: &OrderFacts,
        with_connection: &dyn Fn(&str) -> String,
    ) -> Option<Self> {
        let decision = plan.decision(facts.order.id)?.clone();
        let command = advise(&decision).map(|advice| advice.text(with_connection));
        Some(Explanation {
            mode: plan.mode,
            account: plan.account.clone(),
            taken_at: plan.taken_at,
            facts: facts.clone(),
            decision,
            next: NextStep {
                command,
                note: None,
            },
        })
    }
}

/// Lines of `label   value` under a heading.
struct Section {
    heading: String,
    lines: Vec<(String, String)>,
}

impl Section {
    fn new(heading: impl Into<String>) -> Self {
        Section {
            heading: heading.into(),
            lines: Vec::new(),
        }
    }

    /// `value` must be clean.
    fn say(&mut self, label: &str, value: impl Into<String>) {
        self.lines.push((label.to_owned(), value.into()));
    }

    fn say_text(&mut self, label: &str, value: &str) {
        self.say(label, clean(value));
    }

    fn render(&self, look: Look, indent: usize) -> String {
        let widest = self.lines.iter().map(|(label, _)| label.width()).max();
        let widest = widest.unwrap_or(0);
        let mut out = format!("{:indent$}{}\n", "", look.bold(&self.heading));
        for (label, value) in &self.lines {
            let gap = widest.saturating_sub(label.width()) + 2;
            out.push_str(&format!("{:indent$}  {label}{:gap$}{value}\n", "", ""));
        }
        out
    }
}

#[must_use]
pub fn text(explanation: &Explanation, look: Look) -> String {
    let Explanation {
        mode,
        account,
        taken_at,
        facts,
        decision,
        next,
    } = explanation;
    let mut out = order(&facts.order, look).render(look, 0);
    let account = super::talk::account_id(account.as_ref(), None);
    let heading = format!("stripe (account {account}, {mode} mode, read at {taken_at})");
    out.push_str(&format!("\n{}\n", look.bold(heading)));
    out.push_str(&objects(facts, look));
    out.push('\n');
    out.push_str(&verdict(decision, facts, look).render(look, 0));
    out.push_str(&format!("\n{}\n", look.bold("next")));
    if let Some(note) = &next.note {
        out.push_str(&format!("  {}\n", clean(note)));
    }
    let said = next.command.clone().or_else(|| match next.note {
        Some(_) => None,
        None => Some(nothing_to_do(decision).to_owned()),
    });
    if let Some(said) = said {
        out.push_str(&format!("  {}\n", clean(&said)));
    }
    out
}

fn nothing_to_do(decision: &Decision) -> &'static str {
    match decision.action {
        Action::Hold(Hold::Waits) => "nothing to do but wait",
        _ => "nothing to do",
    }
}

fn order(order: &Order, look: Look) -> Section {
    let Order {
        id,
        status,
        amount,
        reference,
        url,
        payment_intent,
        created_at,
        player,
        parent,
        product,
        tournaments,
        gaps,
    } = order;
    let none = || "none".to_owned();
    let mut section = Section::new(format!("order {id}"));
    section.say_text("status", &name(&status.to_string(), LONGEST));
    section.say("amount", amount.map_or_else(none, |a| a.to_string()));
    section.say(
        "player",
        player.as_ref().map_or_else(none, |p| {
            format!("{} (id {})", name(&p.name, LONGEST), p.id)
        }),
    );
    section.say(
        "parent",
        parent.as_ref().map_or_else(none, |p| match &p.email {
            Some(email) => format!("{} <{}>", name(&p.name, LONGEST), look.address(email)),
            None => format!("{} (no e-mail address)", name(&p.name, LONGEST)),
        }),
    );
    section.say(
        "product",
        product.as_ref().map_or_else(none, |p| {
            let inactive = if p.is_active { "" } else { ", inactive" };
            let (name, category) = (name(&p.name, LONGEST), name(&p.category, LONGEST));
            format!("{name} (id {}, category {category}{inactive})", p.id)
        }),
    );
    let sold_by = list(tournaments, |t| {
        format!("{} (id {})", name(&t.name, LONGEST), t.id)
    });
    section.say(
        "tournaments",
        if sold_by.is_empty() { none() } else { sold_by },
    );
    section.say("checkout id", reference.as_ref().map_or_else(none, full));
    section.say(
        "checkout URL",
        url.as_deref().map_or_else(none, |u| name(u, LONGEST)),
    );
    if let Some(intent) = payment_intent {
        section.say("payment intent", intent.as_str());
    }
    if let Some(moment) = created_at {
        section.say("created", moment.to_string());
    }
    for gap in gaps {
        section.say("gap", clean(gap));
    }
    section
}

fn objects(facts: &OrderFacts, look: Look) -> String {
    let mut out = match &facts.stored {
        Stored::Nothing => "  the row names no object\n".to_owned(),
        Stored::Unknown(text) => {
            format!("  `{}` in the row was not asked for\n", name(text, LONGEST))
        }
        Stored::Skipped => "  the row's object was not asked for\n".to_owned(),
        Stored::Read(reference, reading) => match &**reading {
            Reading::Seen(seen) => object(seen, "in the row", look),
            Reading::NotLive => format!(
                "  {} (in the row): not among the live objects\n",
                full(reference)
            ),
            Reading::NoSuchObject => format!(
                "  {} (in the row): Stripe knows no such object\n",
                full(reference)
            ),
            Reading::Unread(why) => {
                format!(
                    "  {} (in the row): could not be read: {}\n",
                    full(reference),
                    clean(why)
                )
            }
        },
    };
    match &facts.others {
        Listing::Unfinished(why) => out.push_str(&format!(
            "  the search for other objects did not finish: {}\n",
            clean(why)
        )),
        Listing::Complete(others) if others.is_empty() => {
            out.push_str("  no other object names this order\n");
        }
        Listing::Complete(others) => {
            for other in others {
                out.push_str(&object(other, "not in the row", look));
            }
        }
    }
    out
}

fn object(object: &StripeObject, place: &str, look: Look) -> String {
    match object {
        StripeObject::Session(s) => session(s, place).render(look, 2),
        StripeObject::Link(Family { link, sessions }) => {
            let mut out = payment_link(link, place, sessions).render(look, 2);
            if let Listing::Complete(sessions) = sessions {
                for s in sessions {
                    out.push_str(&session(s, "opened from this link").render(look, 4));
                }
            }
            out
        }
    }
}

fn payment_link(link: &PaymentLink, place: &str, sessions: &Listing<Session>) -> Section {
    let PaymentLink {
        id,
        active,
        url,
        owner,
        amount,
        completed_count,
        relink_key,
    } = link;
    let mut section = Section::new(format!("payment link {id}, {place}"));
    section.say("state", if *active { "active" } else { "inactive" });
    section.say_text("URL", url);
    section.say(
        "asks for",
        amount.map_or_else(|| "not read".to_owned(), |a| a.to_string()),
    );
    section.say("metadata", owner_words(owner));
    let completed = match completed_count {
        Some(count) => format!("{count} by its own count"),
        None => "not counted by the link".to_owned(),
    };
    section.say("completed", completed);
    if let Some(key) = relink_key {
        section.say_text("relink key", key);
    }
    let said = match sessions {
        Listing::Complete(sessions) if sessions.is_empty() => "none".to_owned(),
        Listing::Complete(sessions) => sessions.len().to_string(),
        Listing::Unfinished(why) => format!("not all could be listed: {}", clean(why)),
    };
    section.say("sessions", said);
    section
}

fn session(session: &Session, place: &str) -> Section {
    let Session {
        id,
        state,
        owner,
        amount,
        created,
        expires_at,
        link,
        recovery,
        recovered_from,
    } = session;
    let mut section = Section::new(format!("checkout session {id}, {place}"));
    section.say("state", state_words(state));
    section.say(
        "asks for",
        amount.map_or_else(|| "not read".to_owned(), |a| a.to_string()),
    );
    section.say("metadata", owner_words(owner));
    section.say("created", created.to_string());
    let expiry = match state {
        SessionState::Open => "expires",
        _ => "expiry",
    };
    section.say(expiry, expires_at.to_string());
    if let Some(link) = link {
        section.say("link", link.as_str());
    }
    if let Some(recovery) = recovery {
        section.say(
            "recovery URL",
            match recovery.expires_at {
                Some(moment) => format!("can be paid until {moment}"),
                None => "would be made when this session expires".to_owned(),
            },
        );
    }
    if let Some(origin) = recovered_from {
        section.say("copy of", origin.as_str());
    }
    section
}

fn state_words(state: &SessionState) -> String {
    match state {
        SessionState::Open => "open".to_owned(),
        SessionState::Expired => "expired".to_owned(),
        SessionState::Paid(payment) => payment_words(payment),
        SessionState::Processing => "complete, its payment is on its way".to_owned(),
        SessionState::Failed => "complete, its payment failed".to_owned(),
        SessionState::Unknown(text) => format!("unknown status `{}`", clean(text)),
    }
}

fn payment_words(payment: &Payment) -> String {
    let Payment {
        intent,
        amount,
        returned,
    } = payment;
    let mut text = "paid".to_owned();
    if let Some(amount) = amount {
        text.push_str(&format!(", {amount}"));
    }
    if let Some(intent) = intent {
        text.push_str(&format!(", {intent}"));
    }
    if payment.is_returned() && *returned > 0 {
        text.push_str(", refunded");
    } else if *returned > 0 {
        text.push_str(", refunded in part");
    }
    text
}

fn owner_words(owner: &Owner) -> String {
    match owner {
        Owner::Order(id) => format!("names order {id}"),
        Owner::Nobody => "names no order".to_owned(),
        Owner::Unreadable(text) => format!("names order `{}`, which is no order id", clean(text)),
    }
}

fn verdict(decision: &Decision, facts: &OrderFacts, look: Look) -> Section {
    let mut section = Section::new("verdict");
    section.say(
        "verdict",
        look.paint(decision.verdict, Hue::of(decision.verdict)),
    );
    section.say("reason", words::reason(&decision.reason, Ids::Full));
    let action = match decision.action {
        Action::Nothing => "nothing".to_owned(),
        _ => words::would(decision, Ids::Full),
    };
    section.say("action", action);
    if let Some(open) = &facts.journal.open {
        let how = if open.is_held {
            "being worked on"
        } else {
            "left open"
        };
        section.say("journal", format!("{how}: {}", clean(&open.to_string())));
    }
    for link in &facts.journal.unstored {
        section.say("journal", format!("minted and never stored: {link}"));
    }
    if facts.journal.withdrawn.is_some() {
        section.say("journal", "retired on purpose by an operator");
    }
    section
}

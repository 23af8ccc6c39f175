//! The three pages: one that can be paid, one that is paid, one that is closed. Each says so in its title, its heading
//! and its status. They show; they know no state.

use super::super::http::Answer;
use super::charge::{After, Charge};
use super::html::{document, escaped};

/// What a payer is told besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Notice {
    Declined,
    AlreadyPaid,
}

/// Why there is nothing to pay here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closed {
    /// Deactivated, full, or expired.
    Gone,
    Unknown,
    /// Not sent by our own page.
    Forbidden,
    Misread,
    Broken,
}

const METHODS: [(&str, &str); 4] = [
    ("card", "Card"),
    ("declined", "Card that is declined"),
    ("async", "Bank debit, on its way until it is settled"),
    ("async_fail", "Bank debit that fails"),
];

pub(super) fn payable(charge: &Charge, notice: Option<Notice>) -> Answer {
    let (status, alert) = match notice {
        Some(Notice::Declined) => (
            402,
            "<p role=\"alert\">The card was declined. Nothing was charged.</p>\n",
        ),
        _ => (200, ""),
    };
    let options: String = METHODS
        .iter()
        .map(|(value, name)| format!("<option value=\"{value}\">{name}</option>"))
        .collect();
    let main = format!(
        "<h1>Pay {business}</h1>\n{alert}{table}\
         <form method=\"post\" action=\"{action}\">\n\
         <label for=\"method\">Pay by</label>\n<select id=\"method\" name=\"method\">{options}</select>\n\
         <button type=\"submit\">Pay {total}</button>\n</form>\n",
        business = escaped(&charge.business),
        table = table(charge),
        action = escaped(&charge.path),
        total = escaped(&charge.total),
    );
    let leads_to = match &charge.after {
        After::Redirect(target) => Some(target.origin().ascii_serialization()),
        After::Confirmation(_) => None,
    };
    let title = format!("Pay {} to {}", charge.total, charge.business);
    document(status, &title, &main, leads_to.as_deref())
}

pub(super) fn paid(charge: &Charge, notice: Option<Notice>) -> Answer {
    let (heading, told) = if charge.is_settled {
        ("Paid", "Your payment has arrived.")
    } else {
        (
            "Payment on its way",
            "Your bank has not confirmed the payment yet.",
        )
    };
    let (status, alert) = match notice {
        Some(Notice::AlreadyPaid) => (
            409,
            "<p role=\"alert\">This page is paid already. You were not charged again.</p>\n",
        ),
        _ => (200, ""),
    };
    let message = match &charge.after {
        After::Confirmation(Some(message)) => format!("<p>{}</p>\n", escaped(message)),
        After::Confirmation(None) | After::Redirect(_) => String::new(),
    };
    let main = format!(
        "<h1>{heading}</h1>\n{alert}<p role=\"status\">{told}</p>\n{message}<p>Paid to {business}.</p>\n{table}",
        business = escaped(&charge.business),
        table = table(charge),
    );
    let title = format!("{heading}: {} to {}", charge.total, charge.business);
    document(status, &title, &main, None)
}

pub(super) fn closed(why: Closed, reason: &str) -> Answer {
    let (status, heading) = match why {
        Closed::Gone => (410, "This page is closed"),
        Closed::Unknown => (404, "There is nothing here"),
        Closed::Forbidden => (403, "Not accepted"),
        Closed::Misread => (400, "Not understood"),
        Closed::Broken => (500, "Something is broken"),
    };
    let main = format!(
        "<h1>{heading}</h1>\n<p role=\"alert\">{}</p>\n",
        escaped(reason)
    );
    document(status, heading, &main, None)
}

pub(super) fn wrong_method(is_session: bool) -> Answer {
    let allowed = if is_session {
        "GET, HEAD, POST"
    } else {
        "GET, HEAD"
    };
    let main =
        "<h1>Not accepted</h1>\n<p role=\"alert\">This page does not take such a request.</p>\n";
    let mut answer = document(405, "Not accepted", main, None);
    answer
        .headers
        .push(("Allow".to_owned(), allowed.to_owned()));
    answer
}

/// See Other: the browser goes there with GET, so that reloading pays nothing.
pub(super) fn sent_on(target: &str) -> Answer {
    let main = format!(
        "<h1>Thank you</h1>\n<p><a href=\"{}\">Go on</a></p>\n",
        escaped(target)
    );
    let mut answer = document(303, "Thank you", &main, None);
    answer
        .headers
        .push(("Location".to_owned(), target.to_owned()));
    answer
}

fn table(charge: &Charge) -> String {
    let rows: String = charge
        .lines
        .iter()
        .map(|line| {
            let times = match line.quantity {
                1 => String::new(),
                quantity => format!("{quantity} × "),
            };
            let (name, amount) = (escaped(&line.name), escaped(&line.amount));
            format!("<tr><th scope=\"row\">{times}{name}</th><td>{amount}</td></tr>\n")
        })
        .collect();
    let total = escaped(&charge.total);
    format!(
        "<table>\n<caption>What is paid</caption>\n<tbody>\n{rows}</tbody>\n\
         <tfoot><tr><th scope=\"row\">Total</th><td>{total}</td></tr></tfoot>\n</table>\n"
    )
}

//! What a session charges, read for a person: who is paid, for what, how much, and where the payer is sent afterwards.
//! Plain data; nothing here is escaped yet, and every text may be hostile.

use serde_json::Value;

use super::super::objects::{account, items};
use super::super::world::{Kind, Realm, Record};
use super::text;

/// Currencies without a minor unit, and those with three digits (docs.stripe.com/currencies). UGX has none either, and
/// Stripe takes it in hundredths all the same.
const NO_DIGITS: [&str; 15] = [
    "bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf",
    "xof", "xpf",
];
const THREE_DIGITS: [&str; 5] = ["bhd", "jod", "kwd", "omr", "tnd"];

#[derive(Debug)]
pub(super) struct Charge {
    /// The session's own page.
    pub path: String,
    pub business: String,
    pub lines: Vec<Line>,
    pub total: String,
    /// The money is there, or none was needed.
    pub is_settled: bool,
    pub after: After,
}

#[derive(Debug)]
pub(super) struct Line {
    pub name: String,
    pub quantity: i64,
    pub amount: String,
}

/// Where a payer lands.
#[derive(Debug)]
pub(super) enum After {
    Redirect(url::Url),
    /// The session's own page, with the link's message.
    Confirmation(Option<String>),
}

impl Charge {
    pub fn of(realm: &Realm, session: &Record) -> Charge {
        let value = &session.value;
        let account = account::shown();
        let currency = text(&value["currency"]);
        let line = |item: Value| Line {
            name: item["description"].as_str().unwrap_or("Payment").to_owned(),
            quantity: item["quantity"].as_i64().unwrap_or(1),
            amount: money(item["amount_total"].as_i64().unwrap_or(0), currency),
        };
        Charge {
            path: format!("/c/pay/{}", text(&value["id"])),
            business: text(&account["business_profile"]["name"]).to_owned(),
            lines: items::rendered(realm, session)
                .into_iter()
                .map(line)
                .collect(),
            total: money(value["amount_total"].as_i64().unwrap_or(0), currency),
            is_settled: value["payment_status"] != "unpaid",
            after: after(realm, value),
        }
    }
}

/// The link's word counts for sessions it opened, else the session's own.
fn after(realm: &Realm, session: &Value) -> After {
    let link = session["payment_link"].as_str();
    let link = link.and_then(|id| realm.get(Kind::PaymentLink, id));
    let completion = link.map(|link| &link.value["after_completion"]);
    let target = match completion {
        Some(completion) if completion["type"] == "redirect" => &completion["redirect"]["url"],
        Some(_) => &Value::Null,
        None => &session["success_url"],
    };
    let filled = text(target).replace("{CHECKOUT_SESSION_ID}", text(&session["id"]));
    let parsed = url::Url::parse(&filled).ok();
    match parsed.filter(|target| matches!(target.scheme(), "http" | "https")) {
        Some(target) => After::Redirect(target),
        None => {
            let message = completion.map(|it| &it["hosted_confirmation"]["custom_message"]);
            After::Confirmation(message.and_then(Value::as_str).map(str::to_owned))
        }
    }
}

/// An amount in minor units, as a person writes it: `55.00 USD`.
fn money(amount: i64, currency: &str) -> String {
    let code = currency.to_uppercase();
    let digits = match currency {
        currency if NO_DIGITS.contains(&currency) => 0,
        currency if THREE_DIGITS.contains(&currency) => 3,
        _ => 2,
    };
    if digits == 0 {
        return format!("{amount} {code}");
    }
    let scale = 10u64.pow(digits);
    let (sign, size) = (if amount < 0 { "-" } else { "" }, amount.unsigned_abs());
    let width = digits as usize;
    format!("{sign}{}.{:0width$} {code}", size / scale, size % scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_has_the_digits_of_its_currency() {
        assert_eq!(money(5500, "usd"), "55.00 USD");
        assert_eq!(money(5, "eur"), "0.05 EUR");
        assert_eq!(money(-5500, "usd"), "-55.00 USD");
        assert_eq!(money(5500, "jpy"), "5500 JPY");
        assert_eq!(money(5500, "ugx"), "55.00 UGX");
        assert_eq!(money(5500, "kwd"), "5.500 KWD");
    }
}

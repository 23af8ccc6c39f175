//! Which amounts Stripe charges at all (docs.stripe.com/currencies, "Minimum and maximum charge amounts" and "Special
//! cases"). It refuses any other only when a link is minted, and by then the old one is closed.
//!
//! Refuses only what Stripe refuses whatever the payment method. The minimum is that of an account which is paid out in
//! the currency it charges; elsewhere Stripe converts, and has the last word.

use super::money::{Currency, Money};

/// Minor units.
const LEAST: &[(&str, i64)] = &[
    ("aed", 200),
    ("ars", 50),
    ("aud", 50),
    ("brl", 50),
    ("cad", 50),
    ("chf", 50),
    ("cop", 50),
    ("czk", 1500),
    ("dkk", 250),
    ("eur", 50),
    ("gbp", 30),
    ("hkd", 400),
    ("huf", 17_500),
    ("idr", 50),
    ("ils", 50),
    ("inr", 50),
    ("jpy", 50),
    ("krw", 50),
    ("mxn", 1000),
    ("myr", 200),
    ("nok", 300),
    ("nzd", 50),
    ("php", 50),
    ("pln", 200),
    ("ron", 200),
    ("rub", 50),
    ("sek", 300),
    ("sgd", 50),
    ("thb", 1000),
    ("usd", 50),
    ("zar", 50),
];
/// Stripe's reference says eight digits, its guide up to twelve for cards. In these currencies more than eight are a
/// mistake in the row either way; in others they may be an entry fee.
const EIGHT_DIGITS: &str = "aud cad chf eur gbp nzd sgd usd";
const MOST_OF_EIGHT: i64 = 99_999_999;
const MOST: i64 = 999_999_999_999;
/// Counted in hundredths, charged in whole units.
const WHOLE_UNITS: &str = "isk ugx";

/// Why Stripe would not charge an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChargeRefusal {
    /// Less than this.
    BelowLeast(Money),
    /// More than this.
    AboveMost(Money),
    /// No multiple of this.
    NotMultipleOf(Money),
}

impl Money {
    /// `None`: nothing is known against it.
    #[must_use]
    pub fn charge_refusal(&self) -> Option<ChargeRefusal> {
        let currency = self.currency;
        let of = |minor: i64| Money::new(minor, currency);
        let (least, most, step) = (least(currency), most(currency), step(currency));
        if self.minor < least {
            Some(ChargeRefusal::BelowLeast(of(least)))
        } else if self.minor > most {
            Some(ChargeRefusal::AboveMost(of(most)))
        } else {
            (self.minor % step != 0).then(|| ChargeRefusal::NotMultipleOf(of(step)))
        }
    }
}

fn least(currency: Currency) -> i64 {
    let listed = LEAST.iter().find(|(code, _)| currency.is_among(code));
    listed.map_or(1, |(_, least)| *least)
}

fn most(currency: Currency) -> i64 {
    if currency.is_among(EIGHT_DIGITS) {
        MOST_OF_EIGHT
    } else {
        MOST
    }
}

/// The last of three decimals is always nought.
fn step(currency: Currency) -> i64 {
    match currency.exponent() {
        3 => 10,
        _ if currency.is_among(WHOLE_UNITS) => 100,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> Option<ChargeRefusal> {
        let amount = Money::parse(text).unwrap_or_else(|why| panic!("{text}: {why}"));
        amount.charge_refusal()
    }

    fn money(text: &str) -> Money {
        Money::parse(text).unwrap_or_else(|why| panic!("{text}: {why}"))
    }

    #[test]
    fn the_smallest_and_the_largest_amount_that_stripe_charges_are_taken_and_no_other_beyond_them()
    {
        for (least, below) in [
            ("0.50:USD", "0.49:USD"),
            ("0.30:GBP", "0.29:GBP"),
            ("175.00:HUF", "174.99:HUF"),
            ("50:JPY", "49:JPY"),
            ("10.00:MXN", "9.99:MXN"),
            ("0.01:PEN", "0.00:PEN"),
        ] {
            assert_eq!(refusal(least), None, "{least}");
            let refused = Some(ChargeRefusal::BelowLeast(money(least)));
            assert_eq!(refusal(below), refused, "{below}");
        }
        for (most, above) in [
            ("999999.99:USD", "1000000.00:USD"),
            ("9999999999.99:IDR", "10000000000.00:IDR"),
            ("999999999999:JPY", "1000000000000:JPY"),
        ] {
            assert_eq!(refusal(most), None, "{most}");
            let refused = Some(ChargeRefusal::AboveMost(money(most)));
            assert_eq!(refusal(above), refused, "{above}");
        }
        // 46 USD.
        assert_eq!(refusal("1000000.00:LAK"), None);
    }

    #[test]
    fn decimals_that_stripe_does_not_charge_are_refused() {
        let step = |text: &str| Some(ChargeRefusal::NotMultipleOf(money(text)));
        assert_eq!(refusal("5.124:KWD"), step("0.010:KWD"));
        assert_eq!(refusal("5.120:KWD"), None);
        assert_eq!(refusal("500.50:UGX"), step("1.00:UGX"));
        assert_eq!(refusal("500.00:ISK"), None);
        assert_eq!(refusal("500.50:HUF"), None);
    }

    #[test]
    fn every_currency_of_the_lists_is_one() {
        let listed = LEAST.iter().map(|(code, _)| *code);
        let others = EIGHT_DIGITS
            .split_whitespace()
            .chain(WHOLE_UNITS.split_whitespace());
        for code in listed.chain(others) {
            assert!(Currency::parse(code).is_ok(), "{code}");
        }
    }
}

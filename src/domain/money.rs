//! Money: an amount in the currency's minor units (55.00 USD is 5500), as Stripe counts it.
//!
//! Refuses arithmetic across currencies and floating point. The minor unit's size follows Stripe's own
//! list (docs.stripe.com/currencies, "zero-decimal" and "three-decimal"), which is not ISO 4217's:
//! UGX, ISK and HUF look zero-decimal elsewhere and are sent in hundredths here.

use std::collections::BTreeMap;
use std::fmt;

use serde::ser::{SerializeStruct, Serializer};
use serde::{Deserialize, Serialize};

/// Stripe's presentment currencies, three lowercase letters each.
const KNOWN: &str = "aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd bwp byn \
    bzd cad cdf chf clp cny cop crc cve czk djf dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gnf gtq gyd hkd \
    hnl htg huf idr ils inr isk jmd jod jpy kes kgs khr kmf krw kwd kyd kzt lak lbp lkr lrd lsl mad mdl mga mkd \
    mmk mnt mop mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd omr pab pen pgk php pkr pln pyg qar ron rsd rub \
    rwf sar sbd scr sek sgd shp sle sos srd std szl thb tjs tnd top try ttd twd tzs uah ugx usd uyu uzs vnd vuv \
    wst xaf xcd xcg xof xpf yer zar zmw";
const ZERO_DECIMAL: &str = "bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf";
const THREE_DECIMAL: &str = "bhd jod kwd omr tnd";

/// A currency that Stripe can present, in Stripe's spelling: three lowercase letters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Currency([u8; 3]);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a currency that Stripe knows (three lowercase letters, such as `usd`)")]
pub struct UnknownCurrency(pub String);

impl Currency {
    pub const USD: Currency = Currency(*b"usd");

    /// # Errors
    /// Anything but a code of Stripe's list, in lower case. `USD` is refused: Stripe answers in lower case,
    /// and a comparison that folded case would hide a wrong setting.
    pub fn parse(text: &str) -> Result<Self, UnknownCurrency> {
        let known = KNOWN.split_whitespace().any(|code| code == text);
        match <[u8; 3]>::try_from(text.as_bytes()) {
            Ok(bytes) if known => Ok(Currency(bytes)),
            _ => Err(UnknownCurrency(text.chars().take(20).collect())),
        }
    }

    #[must_use]
    pub fn code(&self) -> String {
        self.0.iter().map(|b| char::from(*b)).collect()
    }

    /// Digits after the decimal point: 0, 2 or 3.
    #[must_use]
    pub fn exponent(&self) -> u32 {
        if self.is_among(ZERO_DECIMAL) {
            0
        } else if self.is_among(THREE_DECIMAL) {
            3
        } else {
            2
        }
    }

    /// Of codes with spaces between them.
    pub(super) fn is_among(&self, codes: &str) -> bool {
        codes
            .split_whitespace()
            .any(|code| code.as_bytes() == self.0)
    }
}

impl TryFrom<String> for Currency {
    type Error = UnknownCurrency;

    fn try_from(text: String) -> Result<Self, UnknownCurrency> {
        Currency::parse(&text)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.code().to_ascii_uppercase())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Currency({})", self.code())
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.code())
    }
}

/// An amount in minor units of its currency; may be zero or negative, since rows and answers may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Money {
    pub minor: i64,
    pub currency: Currency,
}

impl Money {
    #[must_use]
    pub fn new(minor: i64, currency: Currency) -> Self {
        Money { minor, currency }
    }

    /// A currency that these limits name twice: one of the two would be passed over.
    #[must_use]
    pub fn limited_twice(limits: &[Money]) -> Option<Currency> {
        let is_again = |(at, limit): &(usize, &Money)| {
            let mut before = limits.iter().take(*at);
            before.any(|other| other.currency == limit.currency)
        };
        let again = limits.iter().enumerate().find(is_again);
        again.map(|(_, limit)| limit.currency)
    }

    /// From `5000.00:USD`, with as many decimals as the currency has or none; the code in either case.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (number, code) = text.split_once(':').ok_or_else(|| {
            "expected an amount with its currency, such as `5000.00:USD`".to_owned()
        })?;
        let currency = Currency::parse(&code.to_ascii_lowercase()).map_err(|_| {
            format!(
                "`{}` is not a currency that Stripe knows",
                code.escape_debug()
            )
        })?;
        let exponent = currency.exponent() as usize;
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        let is_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        let is_whole = !number.contains('.');
        if whole.is_empty() || !is_digits(whole) || !is_digits(part) {
            return Err(format!(
                "`{}` is not an amount such as `5000.00`",
                number.escape_debug()
            ));
        }
        if !is_whole && part.len() != exponent {
            return Err(match exponent {
                0 => format!("{currency} has no decimals"),
                n => format!("{currency} has {n} decimals, or write none"),
            });
        }
        let digits = format!("{whole}{part:0<exponent$}");
        let minor = digits
            .parse()
            .map_err(|_| format!("`{number}` is too large"))?;
        Ok(Money { minor, currency })
    }

    /// As [`Money::parse`] reads it: `985.00:USD`.
    #[must_use]
    pub fn argument(&self) -> String {
        self.to_string().replace(' ', ":")
    }

    /// Sums per currency, in the order of the codes. Saturates rather than wraps.
    #[must_use]
    pub fn totals(amounts: impl IntoIterator<Item = Money>) -> Vec<Money> {
        let mut sums: BTreeMap<Currency, i64> = BTreeMap::new();
        for amount in amounts {
            let sum = sums.entry(amount.currency).or_default();
            *sum = sum.saturating_add(amount.minor);
        }
        sums.into_iter()
            .map(|(currency, minor)| Money { minor, currency })
            .collect()
    }
}

/// `55.00 USD`, `1500 JPY`, `-0.05 USD`, `1.250 KWD`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exponent = self.currency.exponent();
        let sign = if self.minor < 0 { "-" } else { "" };
        let scale = 10_u64.pow(exponent);
        let (whole, part) = (
            self.minor.unsigned_abs() / scale,
            self.minor.unsigned_abs() % scale,
        );
        let text = if exponent == 0 {
            format!("{sign}{whole} {}", self.currency)
        } else {
            let width = exponent as usize;
            format!("{sign}{whole}.{part:0width$} {}", self.currency)
        };
        f.pad(&text)
    }
}

/// `{"minor": 5500, "currency": "usd"}`
impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut s = serializer.serialize_struct("Money", 2)?;
        s.serialize_field("minor", &self.minor)?;
        s.serialize_field("currency", &self.currency)?;
        s.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(minor: i64, code: &str) -> String {
        Currency::parse(code)
            .map(|currency| Money::new(minor, currency).to_string())
            .unwrap_or_else(|e| e.to_string())
    }

    #[test]
    fn amounts_are_shown_with_the_digits_that_stripe_counts() {
        assert_eq!(shown(98_500, "usd"), "985.00 USD");
        assert_eq!(shown(5, "usd"), "0.05 USD");
        assert_eq!(shown(-5, "usd"), "-0.05 USD");
        assert_eq!(shown(1500, "jpy"), "1500 JPY");
        assert_eq!(shown(1250, "kwd"), "1.250 KWD");
        assert_eq!(shown(500, "isk"), "5.00 ISK");
        assert_eq!(shown(i64::MIN, "usd"), "-92233720368547758.08 USD");
    }

    #[test]
    fn a_currency_is_taken_only_as_stripe_spells_it() {
        for text in ["USD", "usd ", "xyz", "", "us", "dollar"] {
            assert!(Currency::parse(text).is_err(), "{text:?} was accepted");
        }
    }

    #[test]
    fn an_amount_is_read_with_the_decimals_of_its_currency() {
        let read = |text: &str| Money::parse(text).map(|money| money.to_string());
        assert_eq!(read("5000.00:USD"), Ok("5000.00 USD".to_owned()));
        assert_eq!(read("5000:usd"), Ok("5000.00 USD".to_owned()));
        assert_eq!(read("0.05:USD"), Ok("0.05 USD".to_owned()));
        assert_eq!(read("1500:jpy"), Ok("1500 JPY".to_owned()));
        assert_eq!(read("1.250:KWD"), Ok("1.250 KWD".to_owned()));
        let usd = Money::new(98_500, Currency::USD);
        assert_eq!(Money::parse(&usd.argument()), Ok(usd));
        for text in [
            "5000",
            "5000:",
            ":USD",
            "5,000:USD",
            "-5:USD",
            "5.0:USD",
            "5.000:USD",
            "15.0:JPY",
            "5.:USD",
            ".50:USD",
            "5:XYZ",
            "99999999999999999999:USD",
        ] {
            assert!(Money::parse(text).is_err(), "{text:?} was accepted");
        }
    }

    #[test]
    fn totals_never_mix_currencies() {
        let usd = Currency::USD;
        let jpy = Currency::parse("jpy").unwrap_or(usd);
        let sums = Money::totals([
            Money::new(5500, usd),
            Money::new(1000, jpy),
            Money::new(6500, usd),
        ]);
        assert_eq!(sums, vec![Money::new(1000, jpy), Money::new(12_000, usd)]);
        let most = Money::new(i64::MAX, usd);
        assert_eq!(Money::totals([most, most]), [most]);
    }
}

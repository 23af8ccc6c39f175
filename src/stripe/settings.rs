//! What a client needs to know before its first request. A key is never shown: it has a secret type here
//! and no way back to text but the `Authorization` header.

use secrecy::SecretString;
use url::Url;

use super::{StripeError, Timings};
use crate::domain::{AccountId, Mode};
use crate::loopback::is_on_loopback;

/// Stripe's own address. Any other base is a double, a proxy or a mistake.
pub const STRIPE_API_HOST: &str = "api.stripe.com";

#[derive(Clone, Debug)]
pub struct Settings {
    pub key: SecretString,
    pub base: Url,
    /// Sent as `Stripe-Account`: act for a connected account.
    pub account: Option<AccountId>,
    /// What the key's prefix says.
    pub mode: Mode,
    pub rps: Rps,
    pub timings: Timings,
}

/// How many requests leave in a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rps {
    /// 80 % of what Stripe allows the account: 100 a second live, 25 in test mode (docs.stripe.com/rate-limits).
    Default,
    /// This many for the account, and the same share of what Stripe allows each endpoint.
    PerSecond(f64),
    /// No budget at all. Refused with Stripe's own address.
    Unlimited,
}

impl Settings {
    /// # Errors
    /// [`StripeError::BadSettings`] for every combination that could show the key to somebody, or spend
    /// real money at a place that is not Stripe.
    pub(super) fn check(&self) -> Result<(), StripeError> {
        let refuse = |what: String| Err(StripeError::BadSettings { what });
        let base = &self.base;
        if !base.username().is_empty() || base.password().is_some() {
            return refuse("the Stripe API base must not carry a user or a password".to_owned());
        }
        if base.query().is_some() || base.fragment().is_some() {
            return refuse(format!(
                "the Stripe API base `{base}` must end with its path"
            ));
        }
        match base.scheme() {
            "https" => {}
            "http" if self.is_loopback() => {}
            "http" => {
                return refuse(format!(
                    "the Stripe API base `{base}` would send the key unencrypted; use `https`"
                ));
            }
            _ => {
                return refuse(format!(
                    "the Stripe API base `{base}` is not an `https` address"
                ));
            }
        }
        if self.mode == Mode::Live && !self.is_stripe() {
            return refuse(format!(
                "a live key is only sent to `{STRIPE_API_HOST}`, not to `{base}`"
            ));
        }
        match self.rps {
            Rps::Unlimited if self.is_stripe() => refuse(
                "no request budget is allowed only with a Stripe API base of your own".to_owned(),
            ),
            Rps::PerSecond(rate) if !(rate.is_finite() && rate >= 0.01) => {
                refuse(format!("`{rate}` requests a second is not a usable budget"))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn is_stripe(&self) -> bool {
        self.base.host_str() == Some(STRIPE_API_HOST)
    }

    pub(super) fn is_loopback(&self) -> bool {
        is_on_loopback(&self.base)
    }
}

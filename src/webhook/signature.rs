//! `Stripe-Signature`: whether a delivery was signed by Stripe, and lately. HMAC-SHA256 over `t.body` on the raw
//! bytes, any `v1` against any of our secrets, in constant time (docs.stripe.com/webhooks).
//!
//! Whoever sent it learns only that it was refused, never which part failed. No text here holds a secret.

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use crate::domain::Timestamp;

/// Seconds by which a signature may be older or newer than our clock, Stripe's own default.
pub const DEFAULT_TOLERANCE: u32 = 300;
/// Stripe sends one signature per secret; a longer header is nobody's we know.
const LONGEST_HEADER: usize = 4096;
/// Bytes of an HMAC-SHA256.
const SIGNATURE: usize = 32;

/// Why no verifier can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    #[error("no webhook secret")]
    NoSecret,
    #[error("a webhook secret is empty, or has a space or a line break in it")]
    MalformedSecret,
    /// Zero would switch the check of the time off: a delivery that was once overheard could be sent again for ever.
    #[error("a tolerance of zero seconds accepts no delivery")]
    NoTolerance,
}

/// The delivery is refused. The text is fit to be answered; the reason is for logs only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature was not accepted")]
pub struct Unverified(Flaw);

impl Unverified {
    /// For logs at debug level, never for an answer.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self.0 {
            Flaw::NoHeader => "no Stripe-Signature header",
            Flaw::TooLong => "the header is too long",
            Flaw::NoTime => "the header has no usable `t`",
            Flaw::TwoTimes => "the header has two `t`",
            Flaw::NoSignature => "the header has no `v1`",
            Flaw::NoMatch => "no `v1` matches any of the secrets",
            Flaw::Stale => "signed too long ago",
            Flaw::Future => "signed in the future",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    NoHeader,
    TooLong,
    NoTime,
    TwoTimes,
    NoSignature,
    NoMatch,
    Stale,
    Future,
}

/// Checks deliveries. Several secrets are accepted while one is being rolled.
#[derive(Debug)]
pub struct Verifier {
    secrets: Vec<SecretString>,
    tolerance: i64,
}

impl Verifier {
    /// # Errors
    /// No secret, one that cannot be Stripe's, or a tolerance of zero.
    pub fn new(secrets: Vec<SecretString>, tolerance_seconds: u32) -> Result<Self, Unusable> {
        if secrets.is_empty() {
            return Err(Unusable::NoSecret);
        }
        let is_usable = |secret: &SecretString| {
            let text = secret.expose_secret();
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
        };
        if !secrets.iter().all(is_usable) {
            return Err(Unusable::MalformedSecret);
        }
        if tolerance_seconds == 0 {
            return Err(Unusable::NoTolerance);
        }
        Ok(Verifier {
            secrets,
            tolerance: i64::from(tolerance_seconds),
        })
    }

    /// `header`: the value of `Stripe-Signature`, if there is exactly one. `body`: the bytes as they came, before
    /// anything decoded them. `now`: this host's clock.
    ///
    /// # Errors
    /// [`Unverified`], whatever the flaw.
    pub fn verify(
        &self,
        header: Option<&[u8]>,
        body: &[u8],
        now: Timestamp,
    ) -> Result<(), Unverified> {
        self.check(header, body, now).map_err(Unverified)
    }

    fn check(&self, header: Option<&[u8]>, body: &[u8], now: Timestamp) -> Result<(), Flaw> {
        let header = Header::parse(header.ok_or(Flaw::NoHeader)?)?;
        // The signature first: a stale one that matches tells of a wrong clock, and only then is it worth saying.
        if !self.signed(&header, body) {
            return Err(Flaw::NoMatch);
        }
        let age = now.seconds_since(header.time);
        if age > self.tolerance {
            Err(Flaw::Stale)
        } else if age < -self.tolerance {
            Err(Flaw::Future)
        } else {
            Ok(())
        }
    }

    /// Every pair is compared, so that the time taken does not tell which one matched.
    fn signed(&self, header: &Header<'_>, body: &[u8]) -> bool {
        let mut matched = false;
        for secret in &self.secrets {
            // It takes keys of any length.
            let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes())
            else {
                continue;
            };
            mac.update(header.time_as_sent);
            mac.update(b".");
            mac.update(body);
            for signature in &header.signatures {
                matched |= mac.clone().verify_slice(signature).is_ok();
            }
        }
        matched
    }
}

struct Header<'a> {
    time: Timestamp,
    /// What was signed are these very bytes.
    time_as_sent: &'a [u8],
    signatures: Vec<[u8; SIGNATURE]>,
}

impl<'a> Header<'a> {
    /// Only `t` and `v1` count. `v0` and every scheme we do not know are passed over, so that nobody can choose a
    /// weaker one.
    fn parse(text: &'a [u8]) -> Result<Self, Flaw> {
        if text.len() > LONGEST_HEADER {
            return Err(Flaw::TooLong);
        }
        let mut time = None;
        let mut signatures = Vec::new();
        for item in text.split(|byte| *byte == b',') {
            if let Some(value) = item.strip_prefix(b"t=") {
                if time.replace(value).is_some() {
                    return Err(Flaw::TwoTimes);
                }
            } else if let Some(value) = item.strip_prefix(b"v1=") {
                signatures.extend(unhex(value));
            }
        }
        let time_as_sent = time.ok_or(Flaw::NoTime)?;
        let time = seconds(time_as_sent).ok_or(Flaw::NoTime)?;
        if signatures.is_empty() {
            return Err(Flaw::NoSignature);
        }
        Ok(Header {
            time,
            time_as_sent,
            signatures,
        })
    }
}

/// Digits only: no sign, no space, nothing that does not fit.
fn seconds(text: &[u8]) -> Option<Timestamp> {
    let is_digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(text).ok().filter(|_| is_digits)?;
    text.parse().ok().map(Timestamp)
}

/// Exactly 64 lowercase digits, as Stripe writes them.
fn unhex(text: &[u8]) -> Option<[u8; SIGNATURE]> {
    let mut bytes = [0; SIGNATURE];
    if text.len() != 2 * SIGNATURE {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

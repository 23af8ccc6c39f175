//! The `Stripe-Signature` header (docs.stripe.com/webhooks#verify-manually): the time, and for each secret the
//! HMAC-SHA256 of `time.body`. Written from Stripe's description, not from what relink verifies with.

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// The header for a body that is sent at `time`, unix seconds on the receiver's clock.
pub(super) fn header(secrets: &[SecretString], time: i64, body: &str) -> String {
    let mut header = format!("t={time}");
    for secret in secrets {
        if let Some(signature) = signature(secret.expose_secret(), time, body) {
            header.push_str(",v1=");
            header.push_str(&signature);
        }
    }
    header
}

/// A key of any length is good, so this always is `Some`.
fn signature(secret: &str, time: i64, body: &str) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    mac.update(format!("{time}.").as_bytes());
    mac.update(body.as_bytes());
    let bytes = mac.finalize().into_bytes();
    Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The figures are OpenSSL's: `printf '12.{}' | openssl dgst -sha256 -hmac whsec_a`.
    #[test]
    fn every_secret_signs_the_time_and_the_body() {
        let secrets = ["whsec_a", "whsec_b"].map(SecretString::from);
        assert_eq!(
            header(&secrets, 12, "{}"),
            "t=12,v1=125c363802160fbda1189a95bd8f15fd6ea165c87ab137429f3fc4c464f40d89,v1=e7e54fc8d9cc0a13096afe109d256b0447f6b43fad859eed65fb695a5fc23056"
        );
    }
}

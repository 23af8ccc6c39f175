//! Any header, body and secret: the first line is the secret, the second the header, the rest the body. Nothing is accepted
//! without the signature of these very bytes in the header, and with it whatever else a header of Stripe's holds is passed
//! over.
#![no_main]

use hmac::{Hmac, KeyInit, Mac};
use libfuzzer_sys::fuzz_target;
use relink::domain::Timestamp;
use relink::webhook::Verifier;
use secrecy::SecretString;
use sha2::Sha256;

const NOW: i64 = 1_800_000_000;
const TOLERANCE: i64 = 300;
/// A header of this many bytes with one time and one signature more is still read.
const ROOM: usize = 3800;

fn signature(secret: &str, time: &[u8], body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    for part in [time, b".", body] {
        mac.update(part);
    }
    let bytes = mac.finalize().into_bytes();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn holds(header: &[u8], wanted: &str) -> bool {
    let mut parts = header.windows(wanted.len());
    parts.any(|part| part == wanted.as_bytes())
}

fn times(header: &[u8]) -> Vec<&[u8]> {
    let items = header.split(|byte| *byte == b',');
    items.filter_map(|item| item.strip_prefix(b"t=")).collect()
}

fn line(data: &[u8]) -> (&[u8], &[u8]) {
    let at = data.iter().position(|byte| *byte == b'\n');
    let at = at.unwrap_or(data.len());
    (&data[..at], data.get(at + 1..).unwrap_or_default())
}

/// Whatever came, with whoever's secret.
fn is_taken_only_if_signed(verifier: &Verifier, secrets: &[&str], header: &[u8], body: &[u8]) {
    if verifier.verify(Some(header), body, Timestamp(NOW)).is_err() {
        return;
    }
    let [time] = times(header)[..] else {
        panic!("it has not one time");
    };
    let is_signed = |secret: &&str| holds(header, &format!("v1={}", signature(secret, time, body)));
    assert!(secrets.iter().any(is_signed));
    let time: i64 = std::str::from_utf8(time).unwrap().parse().unwrap();
    assert!((NOW - time).abs() <= TOLERANCE);
}

/// Signed behind whatever came.
fn is_taken_where_signed(verifier: &Verifier, secret: &str, header: &[u8], body: &[u8]) {
    let now = NOW.to_string();
    let good = signature(secret, now.as_bytes(), body);
    let verify =
        |header: &[u8], body: &[u8], at: i64| verifier.verify(Some(header), body, Timestamp(at));
    let signed = [header, format!(",t={now},v1={good}").as_bytes()].concat();
    if header.len() > ROOM || !times(header).is_empty() {
        // Two times, or too long: there is no saying which was signed.
        assert!(times(header).is_empty() || verify(&signed, body, NOW).is_err());
        return;
    }
    verify(&signed, body, NOW).unwrap();
    for (late, is_taken) in [
        (TOLERANCE, true),
        (TOLERANCE + 1, false),
        (-TOLERANCE, true),
        (-TOLERANCE - 1, false),
    ] {
        assert_eq!(verify(&signed, body, NOW + late).is_ok(), is_taken);
    }
    let mut other = body.to_vec();
    match other.first_mut() {
        Some(byte) => *byte ^= 1,
        None => other.push(0),
    }
    // Unless what came was that one's signature.
    if !holds(header, &signature(secret, now.as_bytes(), &other)) {
        assert!(verify(&signed, &other, NOW).is_err());
    }
    // In capitals it is not Stripe's; a scheme that is not `v1` is nobody's.
    let capitals = good.to_uppercase();
    let weaker = format!("t={now},v0={good},v1={}", "0".repeat(64));
    assert!(verify(weaker.as_bytes(), body, NOW).is_err());
    assert!(
        capitals == good || verify(format!("t={now},v1={capitals}").as_bytes(), body, NOW).is_err()
    );
}

fuzz_target!(|data: &[u8]| {
    let (secret, rest) = line(data);
    let (header, body) = line(rest);
    let Ok(secret) = std::str::from_utf8(secret) else {
        return;
    };
    let is_usable = !secret.is_empty() && secret.bytes().all(|byte| byte.is_ascii_graphic());
    let verifier = Verifier::new(vec![SecretString::from(secret)], 300);
    assert_eq!(verifier.is_ok(), is_usable);
    let Ok(verifier) = verifier else { return };
    is_taken_only_if_signed(&verifier, &[secret], header, body);
    is_taken_where_signed(&verifier, secret, header, body);

    // While it is rolled, each of the two is enough.
    let rolled = "whsec_the_other";
    let both = [rolled, secret].map(SecretString::from).into();
    let both = Verifier::new(both, 300).unwrap();
    is_taken_only_if_signed(&both, &[rolled, secret], header, body);
    is_taken_where_signed(&both, secret, header, body);
    assert!(both.verify(None, body, Timestamp(NOW)).is_err());
});

//! Signatures: Stripe's own SDK and ours agree, and nothing that Stripe did not sign just now, over these very bytes,
//! is accepted. Whoever sent it is never told why.

use std::io::Write;
use std::process::{Command, Stdio};

use proptest::prelude::*;
use secrecy::SecretString;
use serde_json::{Value, json};

use relink::domain::Timestamp;
use relink::webhook::{DEFAULT_TOLERANCE, Unusable, Verifier};

use crate::webhook_world::{SECRET, header, signature};

const NOW: i64 = 1_800_000_000;
const BODY: &[u8] = br#"{"id": "evt_1", "object": "event"}"#;

const NO_MATCH: &str = "no `v1` matches any of the secrets";
const NO_V1: &str = "the header has no `v1`";

fn verifier(secrets: &[&str]) -> Verifier {
    let secrets = secrets
        .iter()
        .map(|text| SecretString::from(*text))
        .collect();
    Verifier::new(secrets, DEFAULT_TOLERANCE).unwrap()
}

/// Why a delivery is refused, as the logs say; empty where it is accepted.
fn refusal(header: Option<&[u8]>, body: &[u8]) -> &'static str {
    let verified = verifier(&[SECRET]).verify(header, body, Timestamp(NOW));
    let Err(error) = verified else { return "" };
    assert_eq!(error.to_string(), "the signature was not accepted");
    error.reason()
}

/// Headers by the name of what is odd about them, and why each is refused; nothing where it is accepted.
pub fn odd_headers(
    secret: &str,
    now: i64,
    body: &[u8],
) -> Vec<(&'static str, String, &'static str)> {
    let time = now.to_string();
    let good = signature(secret, &time, body);
    let other = signature("whsec_other", &time, body);
    let signed = |secret: &str, t: &str| format!("t={t},v1={}", signature(secret, t, body));
    let no_match = NO_MATCH;
    let (no_time, no_v1) = ("the header has no usable `t`", NO_V1);
    let two = "the header has two `t`";
    vec![
        ("as Stripe sends it", format!("t={time},v1={good}"), ""),
        (
            "several v1, the last one ours",
            format!("t={time},v1={other},v1={good}"),
            "",
        ),
        (
            "several v1, the first one ours",
            format!("t={time},v1={good},v1={other}"),
            "",
        ),
        ("v0 beside v1", format!("t={time},v1={good},v0={other}"), ""),
        (
            "an unknown scheme beside v1",
            format!("v2=abc,t={time},v1={good},x=y=z"),
            "",
        ),
        ("v1 before t", format!("v1={good},t={time}"), ""),
        (
            "300 seconds old",
            signed(secret, &(now - 300).to_string()),
            "",
        ),
        (
            "300 seconds in the future",
            signed(secret, &(now + 300).to_string()),
            "",
        ),
        ("empty", String::new(), no_time),
        ("no t", format!("v1={good}"), no_time),
        ("no v1", format!("t={time}"), no_v1),
        ("v0 only", format!("t={time},v0={good}"), no_v1),
        ("v1 without a value", format!("t={time},v1="), no_v1),
        (
            "two t, the same",
            format!("t={time},t={time},v1={good}"),
            two,
        ),
        ("two t, another", format!("t={time},t=1,v1={good}"), two),
        ("two t, one empty", format!("t=,t={time},v1={good}"), two),
        (
            "301 seconds old",
            signed(secret, &(now - 301).to_string()),
            "signed too long ago",
        ),
        ("years old", signed(secret, "1"), "signed too long ago"),
        ("zero", signed(secret, "0"), "signed too long ago"),
        (
            "301 seconds in the future",
            signed(secret, &(now + 301).to_string()),
            "signed in the future",
        ),
        (
            "the last second there is",
            signed(secret, &i64::MAX.to_string()),
            "signed in the future",
        ),
        ("2^63", signed(secret, "9223372036854775808"), no_time),
        ("2^64", signed(secret, "18446744073709551616"), no_time),
        ("negative", signed(secret, &format!("-{time}")), no_time),
        ("with a plus", signed(secret, &format!("+{time}")), no_time),
        ("a fraction", signed(secret, &format!("{time}.0")), no_time),
        ("hexadecimal", signed(secret, "0x6b49d200"), no_time),
        ("not a number", signed(secret, "now"), no_time),
        ("t without a value", format!("t=,v1={good}"), no_time),
        (
            "a space after the comma",
            format!("t={time}, v1={good}"),
            no_v1,
        ),
        ("a space around t", format!("t= {time},v1={good}"), no_time),
        ("capital T and V", format!("T={time},V1={good}"), no_time),
        (
            "another t than signed",
            format!("t={},v1={good}", now - 1),
            no_match,
        ),
        (
            "t with a leading zero",
            format!("t=0{time},v1={good}"),
            no_match,
        ),
        ("another secret", format!("t={time},v1={other}"), no_match),
        ("an empty secret's", signed("", &time), no_match),
        (
            "uppercase",
            format!("t={time},v1={}", good.to_uppercase()),
            no_v1,
        ),
        ("truncated", format!("t={time},v1={}", &good[..62]), no_v1),
        ("half", format!("t={time},v1={}", &good[..32]), no_v1),
        (
            "one digit short",
            format!("t={time},v1={}", &good[..63]),
            no_v1,
        ),
        ("longer", format!("t={time},v1={good}00"), no_v1),
        (
            "no digits",
            format!("t={time},v1={}", "g".repeat(64)),
            no_v1,
        ),
        (
            "all zero",
            format!("t={time},v1={}", "0".repeat(64)),
            no_match,
        ),
        (
            "base64",
            format!("t={time},v1=q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA="),
            no_v1,
        ),
        ("semicolons", format!("t={time};v1={good}"), no_time),
        (
            "JSON",
            format!("{{\"t\":{time},\"v1\":\"{good}\"}}"),
            no_time,
        ),
        (
            "10 kB",
            format!("t={time},v1={good},{}", "x".repeat(10_000)),
            "the header is too long",
        ),
    ]
}

#[test]
fn only_what_was_signed_lately_over_these_bytes_is_accepted() {
    for (what, header, expected) in &odd_headers(SECRET, NOW, BODY) {
        assert_eq!(refusal(Some(header.as_bytes()), BODY), *expected, "{what}");
    }
    assert_eq!(refusal(None, BODY), "no Stripe-Signature header");
    assert_eq!(refusal(Some(b"t=1,v1=\xff\xfe"), BODY), NO_V1);
    let good = header(SECRET, NOW, BODY);
    for body in [
        &b""[..],
        &BODY[1..],
        b"\x1f\x8b\x08\x00gzip",
        &[BODY, b"\n"].concat(),
    ] {
        assert_eq!(refusal(Some(good.as_bytes()), body), NO_MATCH);
    }
    // It is the raw bytes that are signed, whatever they are.
    for body in [&b""[..], b"\x1f\x8b\x08\x00gzip", b"\xff\xfe", b"\0"] {
        assert_eq!(
            refusal(Some(header(SECRET, NOW, body).as_bytes()), body),
            ""
        );
    }
}

#[test]
fn either_secret_is_accepted_while_one_is_rolled() {
    let both = verifier(&["whsec_old", "whsec_new"]);
    for secret in ["whsec_old", "whsec_new"] {
        let header = header(secret, NOW, BODY);
        assert!(
            both.verify(Some(header.as_bytes()), BODY, Timestamp(NOW))
                .is_ok()
        );
    }
    let header = header("whsec_older", NOW, BODY);
    assert!(
        both.verify(Some(header.as_bytes()), BODY, Timestamp(NOW))
            .is_err()
    );
}

#[test]
fn a_verifier_that_would_accept_too_much_cannot_be_made_and_none_shows_its_secret() {
    let make = |secrets: &[&str], tolerance| {
        let secrets = secrets
            .iter()
            .map(|text| SecretString::from(*text))
            .collect();
        Verifier::new(secrets, tolerance).map(drop)
    };
    assert_eq!(make(&[], 300), Err(Unusable::NoSecret));
    assert_eq!(make(&["whsec_a"], 0), Err(Unusable::NoTolerance));
    for secret in ["", "whsec_a ", "whsec_a\n", "whsec a", "whsec_é"] {
        assert_eq!(
            make(&["whsec_a", secret], 300),
            Err(Unusable::MalformedSecret),
            "{secret:?}"
        );
    }
    assert_eq!(make(&["whsec_a"], u32::MAX), Ok(()));
    let shown = format!("{:?}", verifier(&["whsec_zebra"]));
    assert!(!shown.contains("zebra"), "{shown}");
}

/// Theirs is verified by ours, ours by theirs.
#[test]
fn the_official_python_sdk_and_relink_agree() {
    let python = std::env::var("RELINK_TEST_PYTHON").expect("no RELINK_TEST_PYTHON: run tests/run");
    let script = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/it/webhook_python_signer.py"
    );
    let mut child = Command::new(python)
        .args([script, SECRET])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let now = i64::try_from(now).unwrap();
    let mut stdin = child.stdin.take().unwrap();
    for body in [BODY, b"", "{\"name\": \"Jürgen\"}".as_bytes()] {
        let hex: String = body.iter().map(|byte| format!("{byte:02x}")).collect();
        let given = json!({"header": header(SECRET, now, body), "body": hex});
        writeln!(stdin, "{given}").unwrap();
    }
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let output = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = output.lines().collect();
    assert_eq!((lines.len(), lines[4]), (5, "done"));
    for line in &lines[..4] {
        let signed: Value = serde_json::from_str(line).unwrap();
        let hex = signed["body"].as_str().unwrap();
        let body: Vec<u8> = (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect();
        let now = Timestamp(signed["now"].as_i64().unwrap());
        let header = signed["header"].as_str().unwrap().as_bytes();
        let ours = verifier(&["whsec_other", SECRET]);
        assert!(ours.verify(Some(header), &body, now).is_ok(), "{line:.200}");
    }
}

proptest! {
    #[test]
    fn no_header_and_no_body_make_it_panic_or_pass(header in any::<Vec<u8>>(), body in any::<Vec<u8>>()) {
        prop_assert_ne!(refusal(Some(&header), &body), "");
    }

    #[test]
    fn nothing_like_a_header_makes_it_panic_or_pass(header in "(t=[0-9+-]{0,22}|v1=[0-9a-fA-F]{0,66}|v0=.{0,5}|,|=| ){0,8}") {
        prop_assert_ne!(refusal(Some(header.as_bytes()), BODY), "");
    }

    #[test]
    fn what_is_signed_is_accepted_and_no_bit_may_change(
        body in proptest::collection::vec(any::<u8>(), 0..200),
        secret in "whsec_[a-zA-Z0-9]{1,80}",
        skew in -300_i64..=300,
        bit in any::<prop::sample::Index>(),
    ) {
        let now = Timestamp(NOW);
        let verifier = verifier(&[&secret]);
        let good = header(&secret, NOW + skew, &body);
        prop_assert!(verifier.verify(Some(good.as_bytes()), &body, now).is_ok());
        // The last 64 characters are the signature; before them are `t` and its comma.
        let mut text = good.clone().into_bytes();
        let at = bit.index(64 * 8);
        let start = text.len() - 64;
        text[start + at / 8] ^= 1 << (at % 8);
        prop_assert!(verifier.verify(Some(&text), &body, now).is_err());
        if !body.is_empty() {
            let mut body = body.clone();
            let at = bit.index(body.len() * 8);
            body[at / 8] ^= 1 << (at % 8);
            prop_assert!(verifier.verify(Some(good.as_bytes()), &body, now).is_err());
        }
    }
}

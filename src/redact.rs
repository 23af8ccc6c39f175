//! Blots out whatever looks like a key or a webhook secret, for texts that come from outside: an argument that
//! somebody mistook, an answer that repeats what it was sent. Prefixes alone are left, so that a message can
//! still say which kind of key is meant. E-mail addresses are blotted out where a text is kept and shown again.

const PREFIXES: [&str; 5] = ["sk_", "rk_", "pk_", "ek_", "whsec_"];
const MODES: [&str; 2] = ["test_", "live_"];

/// The text without its keys: `sk_live_abc` becomes `sk_live_…`; and without the passwords of its URLs:
/// `postgres://ops:abc@db` becomes `postgres://ops:…@db`.
#[must_use]
pub fn redact(text: &str) -> String {
    without_passwords(&without_keys(text))
}

fn without_passwords(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, authority) = rest.split_at(at + 3);
        out.push_str(before);
        rest = authority;
        let ends = |c: char| c.is_whitespace() || "/?#\"'`<>".contains(c);
        let end = rest.find(ends).unwrap_or(rest.len());
        // Cut off before its host, a password still is one; a port is a number.
        let host = rest[..end].rfind('@').unwrap_or(end);
        let Some(colon) = rest[..host].find(':') else {
            continue;
        };
        let is_port = rest[colon + 1..host].bytes().all(|b| b.is_ascii_digit());
        if host < end || !is_port {
            out.push_str(&rest[..=colon]);
            out.push('…');
            rest = &rest[host..];
        }
    }
    out.push_str(rest);
    out
}

fn without_keys(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((start, prefix)) = first_key(rest) {
        let tail = &rest[start + prefix.len()..];
        let end = tail.find(|c| !is_key_char(c)).unwrap_or(tail.len());
        let mode = MODES.into_iter().find(|mode| tail.starts_with(mode));
        let mode = mode.unwrap_or_default();
        out.push_str(&rest[..start]);
        out.push_str(prefix);
        out.push_str(mode);
        if end > mode.len() {
            out.push('…');
        }
        rest = &tail[end..];
    }
    out.push_str(rest);
    out
}

/// The text without its e-mail addresses: `to ann@example.com` becomes `to …@…`.
#[must_use]
pub fn without_addresses(text: &str) -> String {
    let outside = |c: char| c.is_whitespace() || "\"`<>()[]{},;:".contains(c);
    text.split_inclusive(outside)
        .map(|piece| {
            let word = piece.trim_end_matches(outside);
            if word.contains('@') || word.contains("%40") {
                format!("…@…{}", &piece[word.len()..])
            } else {
                piece.to_owned()
            }
        })
        .collect()
}

fn first_key(text: &str) -> Option<(usize, &'static str)> {
    let starts_word =
        |at: usize| !text[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    PREFIXES
        .into_iter()
        .flat_map(|prefix| text.match_indices(prefix).map(move |(at, _)| (at, prefix)))
        .filter(|(at, _)| starts_word(*at))
        .min()
}

/// `*` too: Stripe blanks the middle of a key and leaves its last characters.
fn is_key_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '*' || c == '…'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_loses_its_keys_and_keeps_the_rest() {
        assert_eq!(
            redact("Invalid API Key provided: sk_live_abc*****123. See (rk_51Hx), or whsec_zz!"),
            "Invalid API Key provided: sk_live_…. See (rk_…), or whsec_…!"
        );
        assert_eq!(
            redact("begins with sk_test_, rk_test_"),
            "begins with sk_test_, rk_test_"
        );
        assert_eq!(redact("task_3 and desk_top"), "task_3 and desk_top");
        assert_eq!(redact("--stripe-key=sk_test_a"), "--stripe-key=sk_test_…");
        assert_eq!(redact("nothing"), "nothing");
    }

    #[test]
    fn a_url_loses_its_password_and_keeps_the_rest() {
        for (text, shown) in [
            (
                "--database_url=postgres://ops:hunter2@db/club x",
                "--database_url=postgres://ops:…@db/club x",
            ),
            ("a://u:p@ss@h, b://v:q@i", "a://u:…@h, b://v:…@i"),
            ("postgres://ops@db:5432/club", "postgres://ops@db:5432/club"),
            ("http://127.0.0.1:8080/a:b@c", "http://127.0.0.1:8080/a:b@c"),
            ("`postgres://ops:hunter2` is", "`postgres://ops:…` is"),
            ("ends with ://", "ends with ://"),
        ] {
            assert_eq!(redact(text), shown);
        }
    }

    #[test]
    fn a_text_loses_its_addresses_and_keeps_the_rest() {
        assert_eq!(
            without_addresses("Invalid value: o'lee@example.com, in `a=b%40c.org`.\nSee the docs"),
            "Invalid value: …@…, in `…@…`.\nSee the docs"
        );
        assert_eq!(without_addresses("a, b:  c"), "a, b:  c");
    }

    proptest! {
        #[test]
        fn no_key_survives_wherever_it_stands(before in ".*", key in "[A-Za-z0-9]{8,40}", after in ".*") {
            let text = format!("{before} sk_live_{key} {after}");
            prop_assert!(!redact(&text).contains(&key) || before.contains(&key) || after.contains(&key));
        }
    }
}

//! Which mode a request is in, from its key: any secret or restricted key of the right form is good, the key itself
//! is never kept, logged or answered in full. `pk_` keys are refused; keys whose secret part begins with `invalid`
//! or `expired` stand for revoked and expired ones, so that both can be rehearsed.

use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;

use super::error::ApiError;
use super::world::Mode;

const NO_KEY: &str = "You did not provide an API key. You need to provide your API key in the Authorization header, \
    using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). See https://stripe.com/docs/api#authentication \
    for details, or we can help at https://support.stripe.com/.";
const PUBLISHABLE: &str = "This API call cannot be made with a publishable API key. Please use a secret API key. You \
    can find a list of your API keys at https://dashboard.stripe.com/account/apikeys.";

pub(super) fn mode(headers: &HeaderMap) -> Result<Mode, ApiError> {
    let key = key(headers)
        .filter(|key| !key.is_empty())
        .ok_or_else(|| ApiError::invalid(NO_KEY).status(401))?;
    if key.starts_with("pk_") {
        return Err(ApiError::invalid(PUBLISHABLE)
            .code("secret_key_required")
            .status(403));
    }
    let modes = [
        ("sk_test_", Mode::Test),
        ("rk_test_", Mode::Test),
        ("sk_live_", Mode::Live),
        ("rk_live_", Mode::Live),
    ];
    let known = modes
        .iter()
        .find_map(|(prefix, mode)| Some((*mode, key.strip_prefix(prefix)?)));
    match known {
        Some((_, secret)) if secret.starts_with("expired") => Err(ApiError::invalid(format!(
            "Expired API Key provided: {}",
            masked(&key)
        ))
        .code("api_key_expired")
        .status(401)),
        Some((mode, secret)) if is_wellformed(secret) && !secret.starts_with("invalid") => Ok(mode),
        _ => Err(
            ApiError::invalid(format!("Invalid API Key provided: {}", masked(&key))).status(401),
        ),
    }
}

fn is_wellformed(secret: &str) -> bool {
    !secret.is_empty()
        && secret
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn key(headers: &HeaderMap) -> Option<String> {
    let given = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = given.split_once(' ')?;
    match scheme.to_ascii_lowercase().as_str() {
        "bearer" => Some(rest.trim().to_owned()),
        "basic" => Some(decode_base64(rest.trim())?.split(':').next()?.to_owned()),
        _ => None,
    }
}

/// All but the prefix and the last four characters hidden, as Stripe shows keys.
fn masked(key: &str) -> String {
    let chars: Vec<char> = key.chars().collect();
    if chars.len() <= 12 {
        return "*".repeat(chars.len());
    }
    let shown: String = chars[..8].iter().collect();
    let last: String = chars[chars.len() - 4..].iter().collect();
    format!("{shown}{}{last}", "*".repeat(chars.len() - 12))
}

fn decode_base64(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let (mut buffer, mut bits) = (0u32, 0u32);
    for byte in text.bytes().filter(|byte| *byte != b'=') {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        buffer = (buffer << 6) | u32::from(value);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from((buffer >> bits) & 0xff).ok()?);
        }
    }
    String::from_utf8(bytes).ok()
}

//! The one account of a double. The object has no `livemode`: which mode a call is in shows only in the key
//! (docs.stripe.com/api/accounts).

use serde_json::{Value, json};

use super::super::spec::spec;

/// The account id of every double.
pub const ACCOUNT: &str = "acct_1SandboxRelink";

pub(in super::super) fn shown() -> Value {
    let account = json!({
        "id": ACCOUNT,
        "object": "account",
        "business_profile": {"name": "Utah Hoops Club", "url": "https://hoops.example.com"},
        "business_type": "non_profit",
        "charges_enabled": true,
        "country": "US",
        "created": 1_700_000_000,
        "default_currency": "usd",
        "details_submitted": true,
        "email": "treasurer@example.com",
        "metadata": {},
        "payouts_enabled": true,
        "settings": {"dashboard": {"display_name": "Utah Hoops Club (sandbox)", "timezone": "America/Denver"}},
        "type": "standard",
    });
    spec().complete("account", account)
}

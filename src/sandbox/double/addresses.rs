//! Stripe's public addresses and this double's own. The state always holds Stripe's: what was made under one port is
//! good under another, and a rehearsal without a server shows the URLs that a parent would get. Only answers of a
//! double that was told to hand out its own addresses are rewritten, and only the URLs that a payer opens.

use serde_json::{Value, json};

/// Stripe's prefix, and the path under which this double serves the same page.
const PAGES: [(&str, &str); 2] = [
    ("https://checkout.stripe.com/c/pay/", "/c/pay/"),
    ("https://buy.stripe.com/", "/buy/"),
];

/// The address that a path of this double stands for; `None` where no page is.
pub(super) fn of_path(path: &str) -> Option<String> {
    PAGES.iter().find_map(|(stripe, own)| {
        let rest = path.strip_prefix(own).filter(|rest| !rest.is_empty())?;
        Some(format!("{stripe}{rest}"))
    })
}

/// Stripe's address for one that some double handed out, under whatever port; anything else stays as it is.
pub(super) fn inward(target: &str) -> String {
    url::Url::parse(target)
        .ok()
        .filter(|url| url.scheme() == "http" && url.host_str().is_some_and(is_loopback))
        .and_then(|url| of_path(url.path()))
        .unwrap_or_else(|| target.to_owned())
}

pub(super) fn is_loopback(host: &str) -> bool {
    matches!(host, "127.0.0.1" | "localhost" | "[::1]")
}

fn outward(base: &str, url: &str) -> Option<String> {
    PAGES.iter().find_map(|(stripe, own)| {
        let rest = url.strip_prefix(stripe)?;
        Some(format!("{base}{own}{rest}"))
    })
}

/// Gives every link and session in `value` this double's own addresses, wherever it is nested.
pub(super) fn rewrite(base: &str, value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| rewrite(base, item)),
        Value::Object(_) => {
            if matches!(
                value["object"].as_str(),
                Some("payment_link" | "checkout.session")
            ) {
                rewrite_own(base, value);
            }
            let fields = value.as_object_mut().into_iter().flatten();
            fields.for_each(|(_, field)| rewrite(base, field));
        }
        _ => {}
    }
}

fn rewrite_own(base: &str, object: &mut Value) {
    for pointer in ["/url", "/after_expiration/recovery/url"] {
        if let Some(url) = object.pointer_mut(pointer)
            && let Some(own) = url.as_str().and_then(|url| outward(base, url))
        {
            *url = json!(own);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "http://127.0.0.1:12111";

    #[test]
    fn what_goes_out_comes_back_in_under_any_port() {
        for stripe in [
            "https://buy.stripe.com/test_abc",
            "https://buy.stripe.com/r/test_abc",
            "https://checkout.stripe.com/c/pay/cs_test_a1",
        ] {
            let own = outward(BASE, stripe).unwrap_or_default();
            assert_eq!(inward(&own), stripe);
            assert_eq!(inward(&own.replace(":12111", ":40000")), stripe);
        }
    }

    #[test]
    fn no_other_address_is_touched() {
        for other in [
            "https://example.com/buy/x",
            "http://example.com/buy/x",
            "http://127.0.0.1:1/v1/events",
            "http://127.0.0.1:1/buy/",
            "cs_test_a1",
        ] {
            assert_eq!(inward(other), other);
        }
    }

    #[test]
    fn only_urls_that_a_payer_opens_are_rewritten() {
        let page = "https://buy.stripe.com/test_abc";
        let mut list = json!({"object": "list", "url": page, "data": [
            {"object": "payment_link", "url": page, "metadata": {"url": page},
             "after_completion": {"redirect": {"url": page}}},
            {"object": "event", "data": {"object": {"object": "checkout.session", "url": null,
             "after_expiration": {"recovery": {"url": "https://buy.stripe.com/r/test_abc"}}}}},
        ]});
        rewrite(BASE, &mut list);
        let own = "http://127.0.0.1:12111/buy/test_abc";
        assert_eq!(
            list,
            json!({"object": "list", "url": page, "data": [
                {"object": "payment_link", "url": own, "metadata": {"url": page},
                 "after_completion": {"redirect": {"url": page}}},
                {"object": "event", "data": {"object": {"object": "checkout.session", "url": null,
                 "after_expiration": {"recovery": {"url": "http://127.0.0.1:12111/buy/r/test_abc"}}}}},
            ]})
        );
    }
}

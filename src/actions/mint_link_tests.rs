//! Laws of the minting function: equal terms give equal bytes, and nothing but the terms counts.

use proptest::prelude::*;

use super::*;
use crate::domain::Currency;

fn terms() -> MintTerms {
    MintTerms {
        account: AccountId::parse("acct_1").unwrap_or_else(|e| panic!("{e}")),
        mode: Mode::Test,
        order: OrderId(7),
        old: Some("cs_test_old".to_owned()),
        attempt: 1,
        amount: Money::new(5500, Currency::USD),
        shown_as: NameTemplate::default(),
        product_name: "Utah Invitational".to_owned(),
        player_id: 31,
        player_name: "Ann Lee".to_owned(),
        product_id: 4,
        tournament: Some(TournamentId(2)),
        parent_email: Some("lee@example.com".to_owned()),
        success_url: Some("https://club.example.com/thanks?x=1&y=2".to_owned()),
        inactive_message: "This link was replaced.".to_owned(),
    }
}

fn decode(body: &str) -> Vec<(String, String)> {
    url::form_urlencoded::parse(body.as_bytes())
        .into_owned()
        .collect()
}

fn value<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs
        .iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_str())
}

#[test]
fn the_body_is_one_payment_link_with_its_price_inline() {
    let mint = render(&terms());
    let pairs = decode(&mint.write.body);
    let shown: Vec<String> = pairs.iter().map(|(k, v)| format!("{k}={v}")).collect();
    let key = &mint.relink_key;
    let expected = format!(
        "line_items[0][price_data][currency]=usd
line_items[0][price_data][unit_amount]=5500
line_items[0][price_data][product_data][name]=Utah Invitational - Ann Lee
line_items[0][quantity]=1
metadata[order_id]=7
metadata[player_id]=31
metadata[product_id]=4
metadata[tournament_id]=2
metadata[relink_key]={key}
payment_intent_data[metadata][order_id]=7
payment_intent_data[metadata][player_id]=31
payment_intent_data[metadata][product_id]=4
payment_intent_data[metadata][tournament_id]=2
payment_intent_data[metadata][relink_key]={key}
payment_intent_data[metadata][parent_email]=lee@example.com
after_completion[type]=redirect
after_completion[redirect][url]=https://club.example.com/thanks?x=1&y=2
restrictions[completed_sessions][limit]=1
inactive_message=This link was replaced."
    );
    assert_eq!(shown.join("\n"), expected);
    assert_eq!(mint.write.path, "/v1/payment_links");
    assert_eq!(mint.write.key.as_str().len(), 64);
    assert_eq!(*key, mint.write.key.as_str()[..20]);
}

#[test]
fn what_is_absent_is_left_out_rather_than_sent_empty() {
    let bare = MintTerms {
        tournament: None,
        parent_email: Some(String::new()),
        success_url: None,
        ..terms()
    };
    let body = render(&bare).write.body;
    for word in ["tournament_id", "parent_email", "after_completion"] {
        assert!(!body.contains(word), "{word} in {body}");
    }
}

/// A key that moved between releases would mint a second link for an order that is in doubt.
#[test]
fn the_key_of_known_terms_stays_what_it_was() {
    let key = render(&terms()).write.key;
    insta::assert_snapshot!(key, @"63abc7ba82a8aee6628a3345f76d83554283a6632336a97366d9394e495f1dbd");
}

#[test]
fn every_field_counts_towards_the_key() {
    let base = terms();
    let changed = [
        MintTerms {
            account: AccountId::parse("acct_2").unwrap_or_else(|e| panic!("{e}")),
            ..base.clone()
        },
        MintTerms {
            mode: Mode::Live,
            ..base.clone()
        },
        MintTerms {
            order: OrderId(8),
            ..base.clone()
        },
        MintTerms {
            old: None,
            ..base.clone()
        },
        MintTerms {
            old: Some(String::new()),
            ..base.clone()
        },
        MintTerms {
            old: Some("plink_1".to_owned()),
            ..base.clone()
        },
        MintTerms {
            attempt: 2,
            ..base.clone()
        },
        MintTerms {
            amount: Money::new(6500, Currency::USD),
            ..base.clone()
        },
        MintTerms {
            amount: Money::new(
                5500,
                Currency::parse("eur").unwrap_or_else(|e| panic!("{e}")),
            ),
            ..base.clone()
        },
        MintTerms {
            shown_as: NameTemplate::parse("{player}: {product}").unwrap_or_else(|e| panic!("{e}")),
            ..base.clone()
        },
        MintTerms {
            product_name: "Cup".to_owned(),
            ..base.clone()
        },
        MintTerms {
            player_id: 32,
            ..base.clone()
        },
        MintTerms {
            player_name: "Bo Lee".to_owned(),
            ..base.clone()
        },
        MintTerms {
            product_id: 5,
            ..base.clone()
        },
        MintTerms {
            tournament: None,
            ..base.clone()
        },
        MintTerms {
            parent_email: None,
            ..base.clone()
        },
        MintTerms {
            success_url: None,
            ..base.clone()
        },
        MintTerms {
            inactive_message: "Gone.".to_owned(),
            ..base.clone()
        },
    ];
    let mut keys: Vec<String> = changed
        .iter()
        .map(|t| render(t).write.key.to_string())
        .collect();
    keys.push(render(&base).write.key.to_string());
    keys.sort();
    keys.dedup();
    assert_eq!(
        keys.len(),
        changed.len() + 1,
        "two different terms share a key"
    );
}

#[test]
fn a_name_that_stripe_would_refuse_is_never_sent() {
    let named = |product: &str, player: &str| {
        let terms = MintTerms {
            product_name: product.to_owned(),
            player_name: player.to_owned(),
            ..terms()
        };
        let pairs = decode(&render(&terms).write.body);
        value(&pairs, "line_items[0][price_data][product_data][name]")
            .unwrap_or("")
            .to_owned()
    };
    assert_eq!(named("Cup\u{1b}[31m\r\n", "A\u{0}nn"), "Cup[31m - Ann");
    assert_eq!(named(" ", "Ann"), "Ann");
    assert_eq!(named("\u{7}", ""), "Order 7");
    assert_eq!(named(&"ü".repeat(400), "Ann").chars().count(), 250);
}

prop_compose! {
    fn any_terms()(
        order in 1_i64.., old in proptest::option::of(".*"), attempt in 1_u32..,
        minor in 1_i64.., product_name in ".*", player_name in ".*", player_id in 1_i64.., product_id in 1_i64..,
        tournament in proptest::option::of(1_i64..), parent_email in proptest::option::of(".{1,600}"),
        success_url in proptest::option::of(".+"), inactive_message in ".{0,600}",
    ) -> MintTerms {
        MintTerms {
            order: OrderId(order), old, attempt, amount: Money::new(minor, Currency::USD), product_name,
            player_name, player_id, product_id, tournament: tournament.map(TournamentId), parent_email,
            success_url, inactive_message, ..terms()
        }
    }
}

proptest! {
    #[test]
    fn the_same_terms_always_give_the_same_bytes(terms in any_terms()) {
        prop_assert_eq!(render(&terms), render(&terms.clone()));
    }

    #[test]
    fn different_terms_never_share_a_key(a in any_terms(), b in any_terms()) {
        prop_assume!(a != b);
        prop_assert_ne!(render(&a).write.key, render(&b).write.key);
    }

    #[test]
    fn stripe_reads_back_what_the_terms_said(terms in any_terms()) {
        let mint = render(&terms);
        let pairs = decode(&mint.write.body);
        let get = |name: &str| value(&pairs, name).map(str::to_owned);
        prop_assert_eq!(get("metadata[order_id]"), Some(terms.order.to_string()));
        prop_assert_eq!(get("line_items[0][price_data][unit_amount]"), Some(terms.amount.minor.to_string()));
        prop_assert_eq!(get("after_completion[redirect][url]"), terms.success_url.clone());
        let email = get("payment_intent_data[metadata][parent_email]");
        prop_assert_eq!(email, terms.parent_email.as_deref().map(|text| cut(text, 500)));
        prop_assert_eq!(get("metadata[relink_key]"), Some(mint.relink_key.clone()));
        for (name, text) in &pairs {
            let longest = if name == "after_completion[redirect][url]" { usize::MAX } else { 500 };
            prop_assert!(text.chars().count() <= longest, "{name} is too long");
        }
        let mut names: Vec<&String> = pairs.iter().map(|(name, _)| name).collect();
        names.dedup();
        prop_assert_eq!(names.len(), pairs.len());
    }
}

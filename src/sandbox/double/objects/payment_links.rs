//! Payment links: born active, never expiring, without `created`; amounts and currency never change; deactivation is
//! an update and can be taken back (docs.stripe.com/api/payment-link). A link whose completed sessions reach its
//! limit is deactivated by itself; sessions already open stay payable.

use serde_json::{Value, json};

use super::super::change::Change;
use super::super::error::ApiError;
use super::super::ids::IdKind;
use super::super::paging::{Page, find};
use super::super::params::{adopt_fields, check_metadata, merge_metadata};
use super::super::spec::spec;
use super::super::world::{Kind, Mode, Record, World};
use super::{List, items, updated};

/// The first API version in which a link may carry an inline price.
const INLINE_PRICES_SINCE: &str = "2025-07-30";

/// Refuses inline prices for a client pinned to an older version, which does not know the parameter.
pub(in super::super) fn check_version(params: &Value, version: &str) -> Result<(), ApiError> {
    let inline = params["line_items"]
        .as_array()
        .into_iter()
        .flatten()
        .position(|item| item["price_data"].is_object());
    match inline {
        Some(index) if version < INLINE_PRICES_SINCE => {
            let param = format!("line_items[{index}][price_data]");
            Err(
                ApiError::invalid(format!("Received unknown parameter: {param}"))
                    .code("parameter_unknown")
                    .param(param),
            )
        }
        _ => Ok(()),
    }
}

pub(in super::super) fn create(change: &mut Change, params: &Value) -> Result<Value, ApiError> {
    check_completion(params)?;
    check_limit(params)?;
    let items = Value::Array(items::create(change, &params["line_items"])?);
    let mut link = blank(change, &items[0]["currency"]);
    adopt(&mut link, params);
    let link = spec().complete("payment_link", link);
    let now = change.now();
    change.insert(
        Kind::PaymentLink,
        link.clone(),
        json!({ "line_items": items }),
        now,
    );
    change.emit("payment_link.created", &link, None);
    Ok(link)
}

/// A link that was just made, with Stripe's defaults.
pub(in super::super) fn blank(change: &mut Change, currency: &Value) -> Value {
    let slug = change.new_id(IdKind::Slug);
    let test = if change.mode == Mode::Live {
        ""
    } else {
        "test_"
    };
    json!({
        "id": change.new_id(IdKind::PaymentLink),
        "object": "payment_link",
        "active": true,
        "after_completion": {"hosted_confirmation": {"custom_message": null}, "type": "hosted_confirmation"},
        "automatic_tax": {"enabled": false, "liability": null},
        "billing_address_collection": "auto",
        "currency": currency,
        "custom_text": {"after_submit": null, "shipping_address": null, "submit": null, "terms_of_service_acceptance": null},
        "customer_creation": "if_required",
        "livemode": change.mode == Mode::Live,
        "metadata": {},
        "payment_method_collection": "always",
        "phone_number_collection": {"enabled": false},
        "restrictions": null,
        "submit_type": "auto",
        "tax_id_collection": {"enabled": false, "required": "never"},
        "url": format!("https://buy.stripe.com/{test}{slug}"),
    })
}

fn adopt(link: &mut Value, params: &Value) {
    let handled = [
        "line_items",
        "metadata",
        "restrictions",
        "currency",
        "expand",
        "invoice_creation",
    ];
    let count = link["restrictions"]["completed_sessions"]["count"]
        .as_i64()
        .unwrap_or(0);
    adopt_fields("payment_link", link, params, &handled);
    merge_metadata(&mut link["metadata"], &params["metadata"]);
    match params["restrictions"]["completed_sessions"]["limit"].as_i64() {
        Some(limit) => {
            link["restrictions"] = json!({"completed_sessions": {"count": count, "limit": limit}})
        }
        None if params["restrictions"] == "" => link["restrictions"] = Value::Null,
        None => {}
    }
}

fn check_completion(params: &Value) -> Result<(), ApiError> {
    let after = &params["after_completion"];
    if after["type"] != "redirect" {
        return Ok(());
    }
    let param = "after_completion[redirect][url]";
    let Some(target) = after["redirect"]["url"].as_str() else {
        return Err(ApiError::missing(param));
    };
    check_url(target, param)
}

pub(in super::super) fn check_url(target: &str, param: &str) -> Result<(), ApiError> {
    // The placeholder is Stripe's own and is replaced before the payer is sent on.
    let plain = target.replace("{CHECKOUT_SESSION_ID}", "cs");
    match url::Url::parse(&plain) {
        Ok(parsed) if matches!(parsed.scheme(), "http" | "https") && parsed.has_host() => Ok(()),
        _ => Err(ApiError::invalid("Not a valid URL")
            .code("url_invalid")
            .param(param)),
    }
}

fn check_limit(params: &Value) -> Result<(), ApiError> {
    match params["restrictions"]["completed_sessions"]["limit"].as_i64() {
        Some(limit) if limit < 1 => Err(ApiError::invalid(
            "This value must be greater than or equal to 1.",
        )
        .code("parameter_invalid_integer")
        .param("restrictions[completed_sessions][limit]")),
        _ => Ok(()),
    }
}

pub(in super::super) fn update(
    change: &mut Change,
    id: &str,
    params: &Value,
) -> Result<Value, ApiError> {
    check_completion(params)?;
    check_limit(params)?;
    let record = find(
        change.world,
        change.mode,
        Kind::PaymentLink,
        id,
        "payment_link",
        404,
    )?
    .clone();
    let mut new = record.clone();
    adopt(&mut new.value, params);
    check_metadata(&new.value)?;
    update_items(&mut new, params)?;
    Ok(updated(
        change,
        Kind::PaymentLink,
        &record,
        new,
        "payment_link.updated",
    ))
}

/// Only quantities can change, and only of items that are there.
fn update_items(link: &mut Record, params: &Value) -> Result<(), ApiError> {
    for (index, given) in params["line_items"]
        .as_array()
        .into_iter()
        .flatten()
        .enumerate()
    {
        let id = given["id"].as_str().unwrap_or_default();
        let items = link.hidden["line_items"].as_array_mut();
        let Some(item) = items.into_iter().flatten().find(|item| item["id"] == id) else {
            return Err(ApiError::no_such(
                "line_item",
                id,
                &format!("line_items[{index}][id]"),
                400,
                None,
            ));
        };
        if let Some(quantity) = given["quantity"].as_i64() {
            let one = item["amount_total"].as_i64().unwrap_or(0)
                / item["quantity"].as_i64().unwrap_or(1).max(1);
            item["quantity"] = json!(quantity);
            item["amount_subtotal"] = json!(one * quantity);
            item["amount_total"] = json!(one * quantity);
        }
    }
    Ok(())
}

pub(in super::super) fn list(world: &World, mode: Mode, params: &Value) -> Result<Value, ApiError> {
    let links = List::of(world, mode, Kind::PaymentLink)
        .filter(|link| List::same(params, &link.value, &["active"]));
    Page::read(params)?.of(world, mode, Kind::PaymentLink, "/v1/payment_links", links)
}

/// Counts a completed session and closes the link at its limit; another open tab may still complete and overshoot.
pub(in super::super) fn count_completion(change: &mut Change, id: &str) {
    let Some(record) = change.get(Kind::PaymentLink, id).cloned() else {
        return;
    };
    let Some(count) = record.value["restrictions"]["completed_sessions"]["count"].as_i64() else {
        return;
    };
    let limit = record.value["restrictions"]["completed_sessions"]["limit"]
        .as_i64()
        .unwrap_or(i64::MAX);
    let mut new = record.clone();
    new.value["restrictions"]["completed_sessions"]["count"] = json!(count + 1);
    if count + 1 >= limit {
        new.value["active"] = json!(false);
    }
    updated(
        change,
        Kind::PaymentLink,
        &record,
        new,
        "payment_link.updated",
    );
}

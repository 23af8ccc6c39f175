//! Line items and the prices behind them: from parameters (`price` or inline `price_data`) to stored items, and back
//! to what the API shows. Amounts are minor units. It refuses what Stripe refuses: inactive or unknown prices, mixed
//! currencies, both or neither of `price` and `price_data`.

use serde_json::{Value, json};

use super::super::change::Change;
use super::super::error::{ApiError, nested};
use super::super::ids::IdKind;
use super::super::paging::find;
use super::super::world::{Kind, Realm, Record};
use super::catalog;

const MAX_ITEMS: usize = 20;

/// Builds the items of a link or a session; inline prices and products come into being here.
pub(in super::super) fn create(change: &mut Change, given: &Value) -> Result<Vec<Value>, ApiError> {
    let given = given.as_array().map_or(&[][..], Vec::as_slice);
    if given.is_empty() {
        return Err(ApiError::missing("line_items"));
    }
    if given.len() > MAX_ITEMS {
        return Err(ApiError::invalid(format!(
            "Invalid array: line_items can hold up to {MAX_ITEMS} items."
        ))
        .param("line_items"));
    }
    for (index, item) in given.iter().enumerate() {
        check(item, &nested("line_items", &index.to_string()))?;
    }
    let mut items = Vec::new();
    for (index, item) in given.iter().enumerate() {
        items.push(create_one(
            change,
            item,
            &nested("line_items", &index.to_string()),
        )?);
    }
    let currency = &items[0]["currency"];
    if items.iter().any(|item| item["currency"] != *currency) {
        return Err(ApiError::refused(
            "All prices on a Checkout Session must share the same currency.",
        )
        .param("line_items"));
    }
    Ok(items)
}

/// What can be said of an item before any price is looked at or made.
fn check(item: &Value, at: &str) -> Result<(), ApiError> {
    match (item["price"].is_string(), item["price_data"].is_object()) {
        (true, true) => return Err(ApiError::exclusive("price", "price_data", at)),
        (false, false) => return Err(ApiError::missing(&nested(at, "price"))),
        (false, true) => catalog::check_price_data(&item["price_data"], &nested(at, "price_data"))?,
        (true, false) => {}
    }
    match item["quantity"].as_i64() {
        None => Err(ApiError::missing(&nested(at, "quantity"))),
        Some(1..=999_999) => Ok(()),
        Some(0) => Err(
            ApiError::invalid("This value must be greater than or equal to 1.")
                .code("parameter_invalid_integer")
                .param(nested(at, "quantity")),
        ),
        Some(_) => Err(ApiError::invalid("Invalid non-negative integer")
            .code("parameter_invalid_integer")
            .param(nested(at, "quantity"))),
    }
}

fn create_one(change: &mut Change, item: &Value, at: &str) -> Result<Value, ApiError> {
    let price = match item["price"].as_str() {
        Some(id) => {
            let record = find(
                change.world,
                change.mode,
                Kind::Price,
                id,
                &nested(at, "price"),
                400,
            )?;
            if record.value["active"] != true {
                return Err(ApiError::refused(
                    "The price specified is inactive. This field only accepts active prices.",
                )
                .param(nested(at, "price")));
            }
            record.value.clone()
        }
        None => catalog::create_inline(change, &item["price_data"], &nested(at, "price_data"))?,
    };
    let quantity = item["quantity"].as_i64().unwrap_or(1);
    Ok(stored(
        change,
        &price,
        quantity,
        &item["adjustable_quantity"],
    ))
}

/// One stored item for `quantity` of `price`.
pub(in super::super) fn stored(
    change: &mut Change,
    price: &Value,
    quantity: i64,
    adjustable: &Value,
) -> Value {
    let amount = catalog::unit_amount(price).saturating_mul(quantity);
    let product = price["product"]
        .as_str()
        .and_then(|id| change.get(Kind::Product, id));
    let description = product.map_or(Value::Null, |product| product.value["name"].clone());
    let adjustable = if adjustable.is_object() {
        json!({"enabled": adjustable["enabled"], "maximum": adjustable["maximum"], "minimum": adjustable["minimum"]})
    } else {
        Value::Null
    };
    let id = change.new_id(IdKind::LineItem);
    json!({
        "id": id,
        "object": "item",
        "adjustable_quantity": adjustable,
        "amount_discount": 0,
        "amount_subtotal": amount,
        "amount_tax": 0,
        "amount_total": amount,
        "currency": price["currency"],
        "description": description,
        "metadata": null,
        "price": price["id"],
        "quantity": quantity,
    })
}

/// The same items under new ids, for a session opened from a link or copied from another session.
pub(in super::super) fn copied(change: &mut Change, items: &Value) -> Value {
    items
        .as_array()
        .into_iter()
        .flatten()
        .map(|item| {
            let mut copy = item.clone();
            copy["id"] = json!(change.new_id(IdKind::LineItem));
            copy
        })
        .collect()
}

/// Sum of the items, minor units.
pub(in super::super) fn total(items: &Value) -> i64 {
    items
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|item| item["amount_total"].as_i64())
        .sum()
}

/// The items of a link or session as the API shows them: with the price as an object.
pub(in super::super) fn rendered(realm: &Realm, owner: &Record) -> Vec<Value> {
    let items = owner.hidden["line_items"].as_array().into_iter().flatten();
    items
        .map(|item| {
            let mut shown = item.clone();
            let price = item["price"]
                .as_str()
                .and_then(|id| realm.get(Kind::Price, id));
            shown["price"] = price.map_or(Value::Null, |price| price.value.clone());
            shown
        })
        .collect()
}

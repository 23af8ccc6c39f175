//! Prices and products. A price's amount, currency and product never change; a price is archived, not deleted; a
//! product with prices cannot be deleted (docs.stripe.com/api/prices, /products).

use serde_json::{Value, json};

use super::super::change::Change;
use super::super::error::{ApiError, nested};
use super::super::ids::IdKind;
use super::super::paging::{Page, find, within};
use super::super::params::{adopt_fields, check_metadata, merge_metadata};
use super::super::spec::spec;
use super::super::world::{Kind, Mode, Record, World};
use super::{List, updated};

/// Presentment currencies (docs.stripe.com/currencies).
const CURRENCIES: &str = "usd aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd bwp \
    byn bzd cad cdf chf clp cny cop crc cve czk djf dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gnf gtq gyd hkd \
    hnl hrk htg huf idr ils inr isk jmd jod jpy kes kgs khr kmf krw kwd kyd kzt lak lbp lkr lrd lsl mad mdl mga mkd \
    mmk mnt mop mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd omr pab pen pgk php pkr pln pyg qar ron rsd rub rwf \
    sar sbd scr sek sgd shp sle sos srd std szl thb tjs tnd top try ttd twd tzs uah ugx uyu uzs vnd vuv wst xaf xcd \
    xcg xof xpf yer zar zmw";

const MAX_AMOUNT: i64 = 99_999_999;

pub(in super::super) fn currency(given: &Value, at: &str) -> Result<String, ApiError> {
    let given = given.as_str().unwrap_or_default();
    let lower = given.to_lowercase();
    if CURRENCIES.split_whitespace().any(|known| known == lower) {
        return Ok(lower);
    }
    let listed = CURRENCIES.split_whitespace().collect::<Vec<_>>().join(", ");
    Err(ApiError::invalid(format!(
        "Invalid currency: {given}. Stripe currently supports these currencies: {listed}"
    ))
    .param(at))
}

/// The rules of `price_data` that need no state.
pub(in super::super) fn check_price_data(data: &Value, at: &str) -> Result<(), ApiError> {
    currency(&data["currency"], &nested(at, "currency"))?;
    check_product(data, at)?;
    check_amount(data, at)
}

fn check_product(data: &Value, at: &str) -> Result<(), ApiError> {
    match (
        data["product"].is_string(),
        data["product_data"].is_object(),
    ) {
        (true, true) => Err(ApiError::exclusive("product", "product_data", at)),
        (false, false) => Err(ApiError::missing(&nested(at, "product"))),
        _ => Ok(()),
    }
}

fn check_amount(data: &Value, at: &str) -> Result<(), ApiError> {
    let here = nested(at, "unit_amount");
    match (
        data["unit_amount"].as_i64(),
        data["unit_amount_decimal"].is_string(),
    ) {
        (Some(_), true) => Err(ApiError::exclusive(
            "unit_amount",
            "unit_amount_decimal",
            at,
        )),
        (None, false) if data["custom_unit_amount"].is_object() => Ok(()),
        (None, false) => Err(ApiError::missing(&here)),
        (Some(amount), false) if amount < 0 => {
            Err(ApiError::invalid("Invalid non-negative integer")
                .code("parameter_invalid_integer")
                .param(here))
        }
        (Some(amount), false) if amount > MAX_AMOUNT => {
            Err(ApiError::invalid("Amount must be no more than $999,999.99")
                .code("amount_too_large")
                .param(here))
        }
        _ => Ok(()),
    }
}

/// The price of checked `price_data`, with its product if that is inline too.
pub(in super::super) fn create_inline(
    change: &mut Change,
    data: &Value,
    at: &str,
) -> Result<Value, ApiError> {
    let product = product_for(change, data, at)?;
    let price = new_price(change, data, &product)?;
    store_price(change, price.clone());
    Ok(price)
}

fn product_for(change: &mut Change, data: &Value, at: &str) -> Result<String, ApiError> {
    if let Some(id) = data["product"].as_str() {
        let record = find(
            change.world,
            change.mode,
            Kind::Product,
            id,
            &nested(at, "product"),
            400,
        )?;
        if record.value["active"] != true {
            return Err(ApiError::refused(format!(
                "The product {id} is marked as inactive, and thus no new prices can be created for it."
            ))
            .param(nested(at, "product")));
        }
        return Ok(id.to_owned());
    }
    let id = change.new_id(IdKind::Product);
    store_product(change, &id, &data["product_data"]);
    Ok(id)
}

fn new_price(change: &mut Change, data: &Value, product: &str) -> Result<Value, ApiError> {
    let decimal = data["unit_amount_decimal"].as_str().map(str::to_owned);
    let amount = match (&decimal, data["unit_amount"].as_i64()) {
        (_, Some(amount)) => json!(amount),
        (Some(decimal), None) => decimal
            .parse::<i64>()
            .map_or(Value::Null, |whole| json!(whole)),
        (None, None) => Value::Null,
    };
    let shown_decimal = decimal.or_else(|| {
        data["unit_amount"]
            .as_i64()
            .map(|amount| amount.to_string())
    });
    let now = change.now();
    let mut price = json!({
        "id": change.new_id(IdKind::Price),
        "object": "price",
        "active": true,
        "billing_scheme": "per_unit",
        "created": now,
        "currency": currency(&data["currency"], "currency")?,
        "livemode": change.mode == Mode::Live,
        "metadata": {},
        "product": product,
        "tax_behavior": "unspecified",
        "type": if data["recurring"].is_object() { "recurring" } else { "one_time" },
        "unit_amount": amount,
        "unit_amount_decimal": shown_decimal,
    });
    let handled = [
        "currency",
        "product",
        "unit_amount",
        "unit_amount_decimal",
        "metadata",
        "currency_options",
    ];
    adopt_fields("price", &mut price, data, &handled);
    merge_metadata(&mut price["metadata"], &data["metadata"]);
    Ok(spec().complete("price", price))
}

/// What one unit costs, minor units; fractions of a minor unit are rounded.
pub(in super::super) fn unit_amount(price: &Value) -> i64 {
    price["unit_amount"].as_i64().unwrap_or_else(|| {
        let decimal = price["unit_amount_decimal"]
            .as_str()
            .and_then(|text| text.parse::<f64>().ok());
        decimal.map_or(0, |amount| amount.round() as i64)
    })
}

fn store_price(change: &mut Change, price: Value) {
    change.emit("price.created", &price, None);
    let now = change.now();
    change.insert(Kind::Price, price, Value::Null, now);
}

/// A price that is not stored yet; its product is, if it was inline.
pub(in super::super) fn draft_price(change: &mut Change, data: &Value) -> Result<Value, ApiError> {
    let product = product_for(change, data, "")?;
    new_price(change, data, &product)
}

fn store_product(change: &mut Change, id: &str, data: &Value) -> Value {
    let product = draft_product(change, id, data);
    let now = change.now();
    change.emit("product.created", &product, None);
    change.insert(Kind::Product, product.clone(), Value::Null, now);
    product
}

/// A product that is not stored yet.
pub(in super::super) fn draft_product(change: &mut Change, id: &str, data: &Value) -> Value {
    let now = change.now();
    let mut product = json!({
        "id": id,
        "object": "product",
        "active": true,
        "created": now,
        "default_price": null,
        "livemode": change.mode == Mode::Live,
        "metadata": {},
        "tax_code": null,
        "statement_descriptor": null,
        "type": "service",
        "unit_label": null,
        "updated": now,
    });
    adopt_fields("product", &mut product, data, &["id", "metadata", "type"]);
    merge_metadata(&mut product["metadata"], &data["metadata"]);
    spec().complete("product", product)
}

pub(in super::super) fn create_price(
    change: &mut Change,
    params: &Value,
) -> Result<Value, ApiError> {
    check_price_data(params, "")?;
    let lookup = params["lookup_key"].as_str();
    if let Some(key) = lookup {
        free_lookup_key(change, key, params["transfer_lookup_key"] == true)?;
    }
    let product = product_for(change, params, "")?;
    let price = new_price(change, params, &product)?;
    store_price(change, price.clone());
    Ok(price)
}

fn free_lookup_key(change: &mut Change, key: &str, transfer: bool) -> Result<(), ApiError> {
    let shelf = change.realm().shelf(Kind::Price);
    let holder = shelf
        .and_then(|shelf| {
            shelf
                .newest_first()
                .find(|price| price.value["lookup_key"] == key)
        })
        .cloned();
    let Some(mut holder) = holder else {
        return Ok(());
    };
    if !transfer {
        return Err(ApiError::refused(format!(
            "A price (`{}`) already uses that lookup key.",
            holder.value["id"].as_str().unwrap_or_default()
        ))
        .code("resource_already_exists")
        .param("lookup_key"));
    }
    holder.value["lookup_key"] = Value::Null;
    change.put(Kind::Price, holder);
    Ok(())
}

pub(in super::super) fn update_price(
    change: &mut Change,
    id: &str,
    params: &Value,
) -> Result<Value, ApiError> {
    let record = find(change.world, change.mode, Kind::Price, id, "price", 404)?.clone();
    if let Some(key) = params["lookup_key"]
        .as_str()
        .filter(|key| !key.is_empty() && record.value["lookup_key"] != **key)
    {
        free_lookup_key(change, key, params["transfer_lookup_key"] == true)?;
    }
    let mut new = record.clone();
    adopt_fields(
        "price",
        &mut new.value,
        params,
        &["metadata", "currency_options"],
    );
    merge_metadata(&mut new.value["metadata"], &params["metadata"]);
    check_metadata(&new.value)?;
    Ok(updated(change, Kind::Price, &record, new, "price.updated"))
}

pub(in super::super) fn create_product(
    change: &mut Change,
    params: &Value,
) -> Result<Value, ApiError> {
    let id = match params["id"].as_str() {
        Some(id) if change.get(Kind::Product, id).is_some() => {
            return Err(ApiError::refused("Product already exists.")
                .code("resource_already_exists")
                .param("id"));
        }
        Some(id) => id.to_owned(),
        None => change.new_id(IdKind::Product),
    };
    let product = store_product(change, &id, params);
    let inline = &params["default_price_data"];
    if !inline.is_object() {
        return Ok(product);
    }
    check_amount(inline, "default_price_data")?;
    let price = new_price(change, inline, &id)?;
    store_price(change, price.clone());
    let record = find(change.world, change.mode, Kind::Product, &id, "id", 404)?.clone();
    let mut new = record.clone();
    new.value["default_price"] = price["id"].clone();
    change.put(Kind::Product, new.clone());
    Ok(new.value)
}

pub(in super::super) fn update_product(
    change: &mut Change,
    id: &str,
    params: &Value,
) -> Result<Value, ApiError> {
    let record = find(change.world, change.mode, Kind::Product, id, "id", 404)?.clone();
    if let Some(price) = params["default_price"].as_str() {
        find(
            change.world,
            change.mode,
            Kind::Price,
            price,
            "default_price",
            400,
        )?;
    }
    let mut new = record.clone();
    adopt_fields("product", &mut new.value, params, &["metadata"]);
    merge_metadata(&mut new.value["metadata"], &params["metadata"]);
    check_metadata(&new.value)?;
    if new.value != record.value {
        new.value["updated"] = json!(change.now());
    }
    Ok(updated(
        change,
        Kind::Product,
        &record,
        new,
        "product.updated",
    ))
}

pub(in super::super) fn delete_product(change: &mut Change, id: &str) -> Result<Value, ApiError> {
    let record = find(change.world, change.mode, Kind::Product, id, "id", 404)?.clone();
    let has_prices = change.realm().shelf(Kind::Price).is_some_and(|shelf| {
        shelf
            .newest_first()
            .any(|price| price.value["product"] == id)
    });
    if has_prices {
        return Err(ApiError::refused(
            "This product cannot be deleted because it has one or more user-created prices.",
        ));
    }
    change.delete(Kind::Product, id);
    change.emit("product.deleted", &record.value, None);
    Ok(json!({"id": id, "object": "product", "deleted": true}))
}

pub(in super::super) fn list_prices(
    world: &World,
    mode: Mode,
    params: &Value,
) -> Result<Value, ApiError> {
    if let Some(product) = params["product"].as_str() {
        find(world, mode, Kind::Product, product, "product", 400)?;
    }
    let matches = |record: &Record| {
        let price = &record.value;
        List::same(params, price, &["active", "currency", "product", "type"])
            && within(&params["created"], record.created)
            && List::among(&params["lookup_keys"], &price["lookup_key"])
            && super::super::spec::entries(&params["recurring"])
                .all(|(name, value)| price["recurring"][name] == *value)
    };
    list(world, mode, Kind::Price, "/v1/prices", params, matches)
}

pub(in super::super) fn list_products(
    world: &World,
    mode: Mode,
    params: &Value,
) -> Result<Value, ApiError> {
    let matches = |record: &Record| {
        List::same(
            params,
            &record.value,
            &["active", "shippable", "type", "url"],
        ) && within(&params["created"], record.created)
            && List::among(&params["ids"], &record.value["id"])
    };
    list(world, mode, Kind::Product, "/v1/products", params, matches)
}

fn list(
    world: &World,
    mode: Mode,
    kind: Kind,
    url: &str,
    params: &Value,
    matches: impl Fn(&Record) -> bool,
) -> Result<Value, ApiError> {
    Page::read(params)?.of(
        world,
        mode,
        kind,
        url,
        List::of(world, mode, kind).filter(|record| matches(record)),
    )
}

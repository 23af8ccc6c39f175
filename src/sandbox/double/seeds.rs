//! Objects put there as if they had always been (`POST /_sandbox/objects`): a few fields over complete defaults, no
//! events. It refuses fields the object does not have, because a misspelt seed would make a test prove nothing.

use serde_json::{Value, json};

use super::change::{Change, Undo, revert};
use super::ids::IdKind;
use super::merge;
use super::objects::sessions::{self, Draft};
use super::objects::{catalog, items, payment_links, payments, webhook_endpoints};
use super::spec::{entries, spec};
use super::world::{Entry, Kind, Mode, World};

/// What was stored, what to log of it, and the way back.
#[derive(Debug, Default)]
pub(super) struct Planted {
    pub objects: Vec<Value>,
    pub entries: Vec<Entry>,
    pub undone: Vec<Undo>,
}

/// Stores every seed, in order, or none. Answers with the objects as stored.
pub(super) fn put(world: &mut World, seeds: &[Value]) -> Result<Planted, String> {
    let mut planted = Planted::default();
    for (index, seed) in seeds.iter().enumerate() {
        let mut change = Change::new(
            world,
            Mode::of(seed["livemode"] == true),
            super::change::Cause::default(),
        );
        change.quiet = true;
        let result = put_one(&mut change, seed);
        let (entries, undo) = change.finish();
        planted.undone.push(undo);
        planted.entries.extend(entries);
        match result {
            Ok(object) => planted.objects.push(object),
            Err(problem) => {
                revert(world, planted.undone);
                return Err(format!("object {index}: {problem}"));
            }
        }
    }
    Ok(planted)
}

fn put_one(change: &mut Change, seed: &Value) -> Result<Value, String> {
    let name = seed["object"].as_str().unwrap_or_default();
    let kind = Kind::of(name)
        .filter(|kind| *kind != Kind::Event)
        .ok_or_else(|| format!("unknown object `{name}`"))?;
    check_fields(kind, seed)?;
    let (mut value, hidden) = match kind {
        Kind::PaymentLink => payment_link(change, seed)?,
        Kind::Session => session(change, seed)?,
        Kind::PaymentIntent => (intent(change, seed), Value::Null),
        Kind::Refund => (refund(change, seed), Value::Null),
        Kind::Price => (price(change, seed)?, Value::Null),
        Kind::WebhookEndpoint => (webhook_endpoints::draft(change, seed), Value::Null),
        Kind::Product | Kind::Event => (product(change, seed), Value::Null),
    };
    merge(&mut value, seed.clone());
    if let Some(object) = value.as_object_mut() {
        for name in ["line_items", "product_data"] {
            object.shift_remove(name);
        }
        if kind == Kind::PaymentLink {
            object.shift_remove("created");
        }
    }
    let created = seed["created"].as_i64().unwrap_or(change.now());
    let value = spec().complete(kind.object(), value);
    change.insert(kind, value.clone(), hidden, created);
    Ok(value)
}

fn check_fields(kind: Kind, seed: &Value) -> Result<(), String> {
    let known = &spec().schema(kind.object())["properties"];
    let extra: &[&str] = match kind {
        Kind::PaymentLink => &["created", "line_items"],
        Kind::Session => &["line_items"],
        Kind::Price => &["product_data"],
        _ => &[],
    };
    match entries(seed)
        .find(|(name, _)| known[name.as_str()].is_null() && !extra.contains(&name.as_str()))
    {
        Some((name, _)) => Err(format!("a {} has no field `{name}`", kind.object())),
        None => Ok(()),
    }
}

/// `[{"name", "unit_amount", "quantity", "currency"}]` as items with a price and a product of their own.
fn line_items(change: &mut Change, given: &Value, currency: &Value) -> Result<Value, String> {
    let mut made = Vec::new();
    for item in given.as_array().into_iter().flatten() {
        let data = json!({
            "currency": item["currency"].as_str().or(currency.as_str()).unwrap_or("usd"),
            "unit_amount": item["unit_amount"].as_i64().ok_or("a line item needs `unit_amount`")?,
            "product_data": {"name": item["name"].as_str().unwrap_or("Registration")},
        });
        let price =
            catalog::create_inline(change, &data, "").map_err(|error| error.body().to_string())?;
        made.push(items::stored(
            change,
            &price,
            item["quantity"].as_i64().unwrap_or(1),
            &Value::Null,
        ));
    }
    Ok(Value::Array(made))
}

fn payment_link(change: &mut Change, seed: &Value) -> Result<(Value, Value), String> {
    let items = line_items(change, &seed["line_items"], &seed["currency"])?;
    let currency = items[0]["currency"].as_str().unwrap_or("usd").to_owned();
    Ok((
        payment_links::blank(change, &json!(currency)),
        json!({ "line_items": items }),
    ))
}

fn session(change: &mut Change, seed: &Value) -> Result<(Value, Value), String> {
    let link = seed["payment_link"]
        .as_str()
        .and_then(|id| change.get(Kind::PaymentLink, id))
        .cloned();
    let items = match (
        &link,
        seed["line_items"].is_array(),
        seed["amount_total"].as_i64(),
    ) {
        (_, true, _) => line_items(change, &seed["line_items"], &seed["currency"])?,
        (Some(link), ..) => items::copied(change, &link.hidden["line_items"]),
        (None, _, Some(amount)) => line_items(
            change,
            &json!([{ "unit_amount": amount }]),
            &seed["currency"],
        )?,
        (None, _, None) => json!([]),
    };
    let created = seed["created"].as_i64().unwrap_or(change.now());
    let mut fields = json!({"created": created, "currency": items[0]["currency"]});
    for name in ["id", "amount_total"] {
        if !seed[name].is_null() {
            fields[name] = seed[name].clone();
        }
    }
    if let Some(amount) = seed["amount_total"].as_i64() {
        fields["amount_subtotal"] = json!(amount);
    }
    let link_value = link.as_ref().map(|link| &link.value);
    let draft = Draft {
        metadata: link_value.map_or(Value::Null, |link| link["metadata"].clone()),
        payment_intent_data: link_value
            .map_or(Value::Null, |link| link["payment_intent_data"].clone()),
        items,
        expires_at: Some(
            seed["expires_at"]
                .as_i64()
                .unwrap_or(created + sessions::DAY),
        ),
        fields,
        ..Draft::default()
    };
    let (mut session, hidden) = sessions::build(change, draft);
    let open = seed["status"]
        .as_str()
        .is_none_or(|status| status == "open");
    let id = session["id"].as_str().unwrap_or_default().to_owned();
    session["url"] = if open {
        json!(sessions::hosted_url(&id))
    } else {
        Value::Null
    };
    if !seed["metadata"].is_null() {
        session["metadata"] = json!({});
    }
    Ok((session, hidden))
}

fn intent(change: &mut Change, seed: &Value) -> Value {
    let id = seed["id"]
        .as_str()
        .map_or_else(|| change.new_id(IdKind::PaymentIntent), str::to_owned);
    let basis = json!({
        "amount_total": seed["amount"].as_i64().unwrap_or(0),
        "currency": seed["currency"].as_str().unwrap_or("usd"),
    });
    let mut intent = payments::blank(change, &id, &basis, &Value::Null);
    if seed["status"]
        .as_str()
        .is_none_or(|status| status == "succeeded")
    {
        intent["status"] = json!("succeeded");
        intent["amount_received"] = basis["amount_total"].clone();
        intent["latest_charge"] = json!(change.new_id(IdKind::Charge));
        intent["payment_method"] = json!(change.new_id(IdKind::PaymentMethod));
    }
    intent
}

fn refund(change: &mut Change, seed: &Value) -> Value {
    let intent = seed["payment_intent"]
        .as_str()
        .and_then(|id| change.get(Kind::PaymentIntent, id))
        .cloned();
    let paid = intent.map_or(Value::Null, |record| record.value);
    json!({
        "id": change.new_id(IdKind::Refund),
        "amount": paid["amount_received"].as_i64().unwrap_or(0),
        "charge": paid["latest_charge"],
        "created": change.now(),
        "currency": paid["currency"].as_str().unwrap_or("usd"),
        "metadata": {},
        "status": "succeeded",
    })
}

fn price(change: &mut Change, seed: &Value) -> Result<Value, String> {
    let product = match seed["product"].as_str() {
        Some(id) => json!({ "product": id }),
        None => {
            json!({"product_data": {"name": seed["product_data"]["name"].as_str().unwrap_or("Registration")}})
        }
    };
    let mut data = json!({
        "currency": seed["currency"].as_str().unwrap_or("usd"),
        "unit_amount": seed["unit_amount"].as_i64().unwrap_or(0),
    });
    merge(&mut data, product);
    catalog::draft_price(change, &data).map_err(|error| error.body().to_string())
}

fn product(change: &mut Change, seed: &Value) -> Value {
    let id = seed["id"]
        .as_str()
        .map_or_else(|| change.new_id(IdKind::Product), str::to_owned);
    catalog::draft_product(
        change,
        &id,
        &json!({"name": seed["name"].as_str().unwrap_or("Registration")}),
    )
}

//! What the API's operations do to the state, one file per group of objects. `run` is the one table from operation
//! to function. Everything here works on checked parameters and answers with unexpanded objects.

pub(super) mod account;
pub(super) mod catalog;
pub(super) mod events;
pub(super) mod items;
pub(super) mod payment_links;
pub(super) mod payments;
pub(super) mod recovery;
pub(super) mod sessions;
pub(super) mod webhook_endpoints;

use serde_json::{Map, Value};

use super::change::Change;
use super::error::ApiError;
use super::paging::{Page, find};
use super::spec::{Operation, entries};
use super::world::{Kind, Mode, Record, World};

/// Runs a checked request. The caller logs the change, or undoes it when this is an error.
pub(super) fn run(
    change: &mut Change,
    operation: &Operation,
    id: &str,
    params: &Value,
) -> Result<Value, ApiError> {
    let (world, mode) = (&*change.world, change.mode);
    match (operation.method.as_str(), operation.template.as_str()) {
        ("GET", "/v1/account") => Ok(account::shown()),
        ("GET", "/v1/payment_links") => payment_links::list(world, mode, params),
        ("POST", "/v1/payment_links") => payment_links::create(change, params),
        ("GET", "/v1/payment_links/{payment_link}") => {
            shown(world, mode, Kind::PaymentLink, id, "payment_link")
        }
        ("POST", "/v1/payment_links/{payment_link}") => payment_links::update(change, id, params),
        ("GET", "/v1/payment_links/{payment_link}/line_items") => line_items(
            world,
            mode,
            Kind::PaymentLink,
            id,
            "/v1/payment_links",
            "payment_link",
            params,
        ),
        ("GET", "/v1/checkout/sessions") => sessions::list(world, mode, params),
        ("POST", "/v1/checkout/sessions") => sessions::create(change, params),
        ("GET", "/v1/checkout/sessions/{session}") => {
            shown(world, mode, Kind::Session, id, "session")
        }
        ("POST", "/v1/checkout/sessions/{session}") => sessions::update(change, id, params),
        ("POST", "/v1/checkout/sessions/{session}/expire") => sessions::expire(change, id),
        ("GET", "/v1/checkout/sessions/{session}/line_items") => line_items(
            world,
            mode,
            Kind::Session,
            id,
            "/v1/checkout/sessions",
            "session",
            params,
        ),
        ("GET", "/v1/prices") => catalog::list_prices(world, mode, params),
        ("POST", "/v1/prices") => catalog::create_price(change, params),
        ("GET", "/v1/prices/{price}") => shown(world, mode, Kind::Price, id, "price"),
        ("POST", "/v1/prices/{price}") => catalog::update_price(change, id, params),
        ("GET", "/v1/products") => catalog::list_products(world, mode, params),
        ("POST", "/v1/products") => catalog::create_product(change, params),
        ("GET", "/v1/products/{id}") => shown(world, mode, Kind::Product, id, "id"),
        ("POST", "/v1/products/{id}") => catalog::update_product(change, id, params),
        ("DELETE", "/v1/products/{id}") => catalog::delete_product(change, id),
        ("GET", "/v1/events") => events::list(world, mode, params),
        ("GET", "/v1/events/{id}") => events::shown(world, mode, id),
        ("GET", "/v1/webhook_endpoints") => webhook_endpoints::list(world, mode, params),
        ("GET", "/v1/payment_intents") => payments::list_intents(world, mode, params),
        ("GET", "/v1/payment_intents/{intent}") => {
            shown(world, mode, Kind::PaymentIntent, id, "intent")
        }
        ("POST", "/v1/payment_intents/{intent}") => payments::update_intent(change, id, params),
        ("GET", "/v1/refunds") => payments::list_refunds(world, mode, params),
        ("POST", "/v1/refunds") => payments::create_refund(change, params),
        ("GET", "/v1/refunds/{refund}") => shown(world, mode, Kind::Refund, id, "refund"),
        (method, template) => Err(ApiError::invalid(format!(
            "the sandbox does not implement {method} {template}"
        ))),
    }
}

fn shown(world: &World, mode: Mode, kind: Kind, id: &str, param: &str) -> Result<Value, ApiError> {
    find(world, mode, kind, id, param, 404).map(|record| record.value.clone())
}

fn line_items(
    world: &World,
    mode: Mode,
    kind: Kind,
    id: &str,
    base: &str,
    param: &str,
    params: &Value,
) -> Result<Value, ApiError> {
    let record = find(world, mode, kind, id, param, 404)?;
    let items = items::rendered(world.realm(mode), record);
    Page::read(params)?.of_items(&format!("{base}/{id}/line_items"), &items)
}

/// Stores an object that may have changed; only a real change makes an event, which tells the old values.
fn updated(change: &mut Change, kind: Kind, old: &Record, new: Record, event: &str) -> Value {
    let shown = new.value.clone();
    if old.value == new.value && old.hidden == new.hidden {
        return shown;
    }
    let previous: Map<String, Value> = entries(&old.value)
        .filter(|(name, value)| new.value[name.as_str()] != **value)
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    change.put(kind, new);
    change.emit(event, &shown, Some(Value::Object(previous)));
    shown
}

/// Small filters that every list shares.
struct List;

impl List {
    fn of(world: &World, mode: Mode, kind: Kind) -> impl Iterator<Item = &Record> {
        world
            .realm(mode)
            .shelf(kind)
            .into_iter()
            .flat_map(|shelf| shelf.newest_first())
    }

    /// Each named parameter, where given, equals the field of that name.
    fn same(params: &Value, object: &Value, names: &[&str]) -> bool {
        names
            .iter()
            .all(|name| params[name].is_null() || params[name] == object[name])
    }

    /// No list given, or the value is in it.
    fn among(wanted: &Value, value: &Value) -> bool {
        wanted
            .as_array()
            .is_none_or(|wanted| wanted.contains(value))
    }
}

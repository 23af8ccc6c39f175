//! `expand[]` (docs.stripe.com/api/expanding_objects): ids become objects, `line_items` become visible, at most four
//! levels deep, below `data` on lists. What Stripe would not expand is refused, and so is what the subset of shapes
//! leaves out (charges, customers): an expansion that silently kept the id would hide a mistake.

use serde_json::{Value, json};

use super::error::ApiError;
use super::objects::items;
use super::spec::spec;
use super::world::{Kind, Realm};

const MAX_LEVELS: usize = 4;
/// Fields that are absent until asked for and then may stay absent.
const INCLUDABLE: [&str; 3] = ["line_items", "tiers", "currency_options"];

/// Checks every path against the shape of the answer, before anything runs.
pub(super) fn check(paths: &[String], response: &Value) -> Result<(), ApiError> {
    for path in paths {
        let segments: Vec<&str> = path.split('.').collect();
        if segments.len() > MAX_LEVELS {
            return Err(ApiError::invalid(format!(
                "You cannot expand more than {MAX_LEVELS} levels of a property. Property: {path}"
            ))
            .param("expand"));
        }
        if !expandable(response, &segments) {
            return Err(
                ApiError::invalid(format!("This property cannot be expanded ({path})."))
                    .param("expand"),
            );
        }
    }
    Ok(())
}

fn expandable(schema: &Value, segments: &[&str]) -> bool {
    let Some((name, rest)) = segments.split_first() else {
        return false;
    };
    let property = &object_of(schema)["properties"][name];
    if property.is_null() {
        return false;
    }
    if property["x-expandable"] == true {
        let Some(kind) = target(property) else {
            return false;
        };
        return rest.is_empty() || expandable(spec().schema(kind.object()), rest);
    }
    if rest.is_empty() {
        return INCLUDABLE.contains(name);
    }
    expandable(property, rest)
}

/// Of a property: the object schema it leads to, through references, arrays and `anyOf`.
fn object_of(schema: &Value) -> &Value {
    let schema = spec().resolve(schema);
    if schema["type"] == "array" {
        return object_of(&schema["items"]);
    }
    match schema["anyOf"].as_array() {
        Some(variants) => variants
            .iter()
            .map(|variant| spec().resolve(variant))
            .find(|variant| variant["type"] == "object")
            .unwrap_or(schema),
        None => schema,
    }
}

/// The kind an expandable id names, if the double holds that kind.
fn target(property: &Value) -> Option<Kind> {
    let own = [property];
    let variants = property["anyOf"].as_array().map_or(&[][..], Vec::as_slice);
    own.into_iter()
        .chain(variants)
        .filter_map(|schema| schema["x-expansionResources"].as_array())
        .flatten()
        .find_map(|name| Kind::of(name.as_str()?))
}

/// Carries out checked paths on an answer.
pub(super) fn apply(realm: &Realm, answer: &mut Value, response: &Value, paths: &[String]) {
    for path in paths {
        let segments: Vec<&str> = path.split('.').collect();
        expand(realm, answer, response, &segments);
    }
}

fn expand(realm: &Realm, value: &mut Value, schema: &Value, segments: &[&str]) {
    if let Some(elements) = value.as_array_mut() {
        elements
            .iter_mut()
            .for_each(|element| expand(realm, element, schema, segments));
        return;
    }
    let Some((name, rest)) = segments.split_first() else {
        return;
    };
    if !value.is_object() {
        return;
    }
    let property = &object_of(schema)["properties"][name];
    if *name == "line_items" && value["line_items"].is_null() {
        include_line_items(realm, value);
    }
    let Some(current) = value.get_mut(name) else {
        return;
    };
    if property["x-expandable"] == true
        && let (Some(id), Some(kind)) = (current.as_str(), target(property))
        && let Some(record) = realm.get(kind, id)
    {
        *current = record.value.clone();
    }
    expand(realm, current, property, rest);
}

fn include_line_items(realm: &Realm, owner: &mut Value) {
    let (Some(kind), Some(id)) = (
        owner["object"].as_str().and_then(Kind::of),
        owner["id"].as_str(),
    ) else {
        return;
    };
    let Some(record) = realm.get(kind, id) else {
        return;
    };
    let url = match kind {
        Kind::PaymentLink => format!("/v1/payment_links/{id}/line_items"),
        _ => format!("/v1/checkout/sessions/{id}/line_items"),
    };
    owner["line_items"] = json!({
        "object": "list",
        "data": items::rendered(realm, record),
        "has_more": false,
        "url": url,
    });
}

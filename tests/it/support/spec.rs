//! Stripe's published shapes as a judge: every answer of the double and every request relink sends is validated
//! against `fixtures/stripe/openapi-subset.json`. It shares no code with the double, and it is stricter than the
//! file: a field or parameter that the shapes do not name is an error.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock};

use serde_json::{Map, Value, json};

fn subset() -> &'static Value {
    static SUBSET: OnceLock<Value> = OnceLock::new();
    SUBSET.get_or_init(|| {
        serde_json::from_str(include_str!("../../../fixtures/stripe/openapi-subset.json")).unwrap()
    })
}

/// Answers and requests differ in one point: an answer may carry an enum value newer than the file.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Side {
    Answer,
    Request,
}

fn components() -> &'static Value {
    static COMPONENTS: OnceLock<Value> = OnceLock::new();
    COMPONENTS.get_or_init(|| convert(&subset()["components"], Side::Answer))
}

/// OpenAPI 3.0 to JSON Schema: `nullable` becomes a union with null, open enums accept any string in answers, and
/// objects with named properties accept no others.
fn convert(schema: &Value, side: Side) -> Value {
    match schema {
        Value::Array(items) => items.iter().map(|item| convert(item, side)).collect(),
        Value::Object(fields) => convert_object(fields, side),
        other => other.clone(),
    }
}

fn convert_object(fields: &Map<String, Value>, side: Side) -> Value {
    let mut done: Map<String, Value> = fields
        .iter()
        .filter(|(name, value)| !is_annotation(name) || value.is_object())
        .map(|(name, value)| {
            (
                name.clone(),
                if name == "enum" {
                    value.clone()
                } else {
                    convert(value, side)
                },
            )
        })
        .collect();
    let is_schema = fields.get("type").is_some_and(Value::is_string);
    if is_schema
        && fields.contains_key("properties")
        && !fields.contains_key("additionalProperties")
    {
        done.insert("additionalProperties".into(), json!(false));
    }
    if side == Side::Answer && fields.get("x-open-enum") == Some(&json!(true)) {
        done.remove("enum");
    }
    if fields.get("nullable") == Some(&json!(true)) {
        return json!({"anyOf": [Value::Object(done), {"type": "null"}]});
    }
    Value::Object(done)
}

fn is_annotation(name: &str) -> bool {
    matches!(name, "nullable" | "title" | "format") || name.starts_with("x-")
}

fn find(method: &str, path: &str) -> Option<(&'static str, &'static Value)> {
    let method = method.to_lowercase();
    let paths = subset()["paths"].as_object().unwrap();
    let fits = |template: &str| {
        let (wanted, given): (Vec<_>, Vec<_>) =
            (template.split('/').collect(), path.split('/').collect());
        wanted.len() == given.len()
            && wanted
                .iter()
                .zip(&given)
                .all(|(wanted, given)| wanted.starts_with('{') || wanted == given)
    };
    let found = paths
        .iter()
        .find(|(template, methods)| fits(template) && methods[&method].is_object());
    found.map(|(template, methods)| (template.as_str(), &methods[&method]))
}

fn operation(method: &str, path: &str) -> (&'static str, &'static Value) {
    find(method, path).unwrap_or_else(|| panic!("the subset has no {method} {path}"))
}

/// Whether the subset of shapes knows this operation. The path may be a template.
pub fn describes(method: &str, path: &str) -> bool {
    find(method, path).is_some()
}

/// Panics unless `body` is what Stripe answers to `method path` with `status`. The path may be a template.
pub fn check_response(method: &str, path: &str, status: u16, body: &Value) {
    let (template, operation) = operation(method, path);
    let code = if status == 200 { "200" } else { "default" };
    let schema = &operation["responses"][code]["content"]["application/json"]["schema"];
    let name = format!("{method} {template} {code}");
    check(&name, || convert(schema, Side::Answer), body);
}

/// Panics unless `body` is a complete object of its own `object` type.
pub fn check_object(body: &Value) {
    let object = body["object"].as_str().unwrap();
    let schema = &subset()["components"]["schemas"][object];
    assert!(schema.is_object(), "the subset has no object `{object}`");
    check(
        object,
        || json!({"$ref": format!("#/components/schemas/{object}")}),
        body,
    );
}

/// Panics unless Stripe would accept these parameters: the form of a POST, the query of a GET.
pub fn check_request(method: &str, path: &str, pairs: &[(String, String)]) {
    let (template, operation) = operation(method, path);
    let schema = request_schema(operation);
    let params = typed(&nested(pairs), &schema);
    check(
        &format!("{method} {template} request"),
        || convert(&schema, Side::Request),
        &params,
    );
}

fn request_schema(operation: &Value) -> Value {
    let body = &operation["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"];
    if body.is_object() {
        return body.clone();
    }
    let query = operation["parameters"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|parameter| parameter["in"] == "query");
    let properties: Map<String, Value> = query
        .map(|parameter| {
            (
                parameter["name"].as_str().unwrap().to_owned(),
                parameter["schema"].clone(),
            )
        })
        .collect();
    json!({"type": "object", "properties": properties, "additionalProperties": false})
}

fn check(name: &str, schema: impl FnOnce() -> Value, instance: &Value) {
    static VALIDATORS: OnceLock<Mutex<HashMap<String, jsonschema::Validator>>> = OnceLock::new();
    let mut validators = VALIDATORS
        .get_or_init(Mutex::default)
        .lock()
        .unwrap_or_else(|lock| lock.into_inner());
    let validator = validators.entry(name.to_owned()).or_insert_with(|| {
        let root = json!({"allOf": [schema()], "components": components()});
        jsonschema::validator_for(&root).unwrap()
    });
    let problems: Vec<String> = validator
        .iter_errors(instance)
        .map(|error| format!("at `{}`: {error}", error.instance_path()))
        .collect();
    drop(validators);
    assert!(
        problems.is_empty(),
        "{name} does not fit its shape:\n{}\n{instance:#}",
        problems.join("\n")
    );
}

/// `a[b][0]=c` as nested objects; arrays are still objects with numbered keys.
fn nested(pairs: &[(String, String)]) -> Value {
    let mut root = json!({});
    for (key, value) in pairs {
        let mut at = &mut root;
        for part in key.replace(']', "").split('[') {
            let count = at.as_object().map_or(0, Map::len);
            let name = if part.is_empty() {
                count.to_string()
            } else {
                part.to_owned()
            };
            if !at.is_object() {
                *at = json!({});
            }
            at = at
                .as_object_mut()
                .unwrap()
                .entry(name)
                .or_insert(Value::Null);
        }
        *at = json!(value);
    }
    root
}

/// Text becomes what the schema wants where it can; where it cannot, it stays text and the validator says so.
fn typed(value: &Value, schema: &Value) -> Value {
    if let Some(variants) = schema["anyOf"].as_array() {
        let wants_object = value.is_object();
        let fits = |variant: &&Value| {
            matches!(variant["type"].as_str(), Some("object" | "array")) == wants_object
        };
        let chosen = variants
            .iter()
            .filter(fits)
            .map(|variant| typed(value, variant));
        return chosen
            .into_iter()
            .find(|typed| typed != value)
            .unwrap_or_else(|| value.clone());
    }
    match (schema["type"].as_str(), value) {
        (Some("array"), Value::Object(items)) => items
            .values()
            .map(|item| typed(item, &schema["items"]))
            .collect(),
        (_, Value::Object(fields)) => fields
            .iter()
            .map(|(name, field)| {
                let known = &schema["properties"][name];
                let schema = if known.is_object() {
                    known
                } else {
                    &schema["additionalProperties"]
                };
                (name.clone(), typed(field, schema))
            })
            .collect::<Map<_, _>>()
            .into(),
        (Some("integer"), Value::String(text)) => text
            .parse::<i64>()
            .map_or_else(|_| value.clone(), Into::into),
        (Some("number"), Value::String(text)) => text
            .parse::<f64>()
            .map_or_else(|_| value.clone(), Into::into),
        (Some("boolean"), Value::String(text)) => text
            .parse::<bool>()
            .map_or_else(|_| value.clone(), Into::into),
        _ => value.clone(),
    }
}

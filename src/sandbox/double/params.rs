//! Request parameters: from form pairs with nested brackets to typed JSON, refusing what Stripe refuses (unknown,
//! missing, mistyped, too long, an empty string where nothing can be unset). Pure: no state, no network.

use serde_json::{Map, Number, Value, json};

use super::error::{ApiError, nested};
use super::spec::{entries, spec};

const MAX_DEPTH: usize = 12;
const MAX_METADATA: usize = 50;

/// One level of the bracket notation: a value, or named (or numbered) children in order of arrival.
#[derive(Debug, Default)]
struct Node {
    leaf: Option<String>,
    children: Vec<(String, Node)>,
}

/// Decodes `pairs` and checks them against an operation's parameter schema.
pub(super) fn read(pairs: &[(String, String)], schema: &Value) -> Result<Value, ApiError> {
    let mut root = Node::default();
    for (key, value) in pairs {
        let path = split(key)?;
        root.insert(&path, value)
            .map_err(|()| ApiError::invalid(format!("Invalid parameter: {key}")).param(key))?;
    }
    typed(&root, schema, "")
}

/// `a[b][]` to `["a", "b", ""]`.
fn split(key: &str) -> Result<Vec<&str>, ApiError> {
    let malformed = || {
        ApiError::invalid(format!("Received unknown parameter: {key}"))
            .code("parameter_unknown")
            .param(key)
    };
    let Some(open) = key.find('[') else {
        return Ok(vec![key]);
    };
    let mut path = vec![&key[..open]];
    let mut rest = &key[open..];
    while let Some(inner) = rest.strip_prefix('[') {
        let close = inner.find(']').ok_or_else(malformed)?;
        path.push(&inner[..close]);
        rest = &inner[close + 1..];
    }
    if rest.is_empty() && path.len() <= MAX_DEPTH {
        Ok(path)
    } else {
        Err(malformed())
    }
}

impl Node {
    fn insert(&mut self, path: &[&str], value: &str) -> Result<(), ()> {
        let Some((name, rest)) = path.split_first() else {
            if !self.children.is_empty() {
                return Err(());
            }
            self.leaf = Some(value.to_owned());
            return Ok(());
        };
        if self.leaf.is_some() {
            return Err(());
        }
        let index = if name.is_empty() {
            self.appended(rest)
        } else {
            self.named(name)
        };
        self.children[index].1.insert(rest, value)
    }

    fn named(&mut self, name: &str) -> usize {
        self.children
            .iter()
            .position(|(known, _)| known == name)
            .unwrap_or_else(|| {
                self.children.push((name.to_owned(), Node::default()));
                self.children.len() - 1
            })
    }

    /// `a[]` starts a new element, unless the last one still lacks the field that follows (`a[][x]=1&a[][y]=2`).
    fn appended(&mut self, rest: &[&str]) -> usize {
        let continues = !rest.is_empty()
            && self
                .children
                .last()
                .is_some_and(|(_, last)| !last.holds(rest));
        if !continues {
            let next = self.children.len().to_string();
            self.children.push((next, Node::default()));
        }
        self.children.len() - 1
    }

    fn holds(&self, path: &[&str]) -> bool {
        match path.split_first() {
            None => true,
            Some((name, rest)) => self
                .children
                .iter()
                .any(|(known, child)| known == name && (rest.is_empty() || child.holds(rest))),
        }
    }
}

fn typed(node: &Node, schema: &Value, path: &str) -> Result<Value, ApiError> {
    if let Some(variants) = schema["anyOf"].as_array() {
        return typed_any(node, variants, path);
    }
    match schema["type"].as_str() {
        Some("object") => typed_object(node, schema, path),
        Some("array") => typed_array(node, schema, path),
        _ => {
            let Some(text) = &node.leaf else {
                return Err(ApiError::invalid(format!("Invalid {}", kind_of(schema))).param(path));
            };
            typed_scalar(text, schema, path)
        }
    }
}

/// Of several shapes, the one whose kind fits what was sent speaks; with none, the first.
fn typed_any(node: &Node, variants: &[Value], path: &str) -> Result<Value, ApiError> {
    let scalar = |schema: &Value| !matches!(schema["type"].as_str(), Some("object" | "array"));
    if node.leaf.as_deref() == Some("") && variants.iter().any(accepts_empty) {
        return Ok(json!(""));
    }
    let fitting = variants
        .iter()
        .filter(|schema| scalar(schema) == node.leaf.is_some() && !accepts_empty(schema))
        .collect::<Vec<_>>();
    let mut first_error = None;
    for schema in &fitting {
        match typed(node, schema, path) {
            Ok(value) => return Ok(value),
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    match (first_error, variants.first()) {
        (Some(error), _) => Err(error),
        (None, Some(schema)) => typed(node, schema, path),
        (None, None) => Err(ApiError::invalid("Invalid value").param(path)),
    }
}

fn accepts_empty(schema: &Value) -> bool {
    schema["enum"]
        .as_array()
        .is_some_and(|values| values.iter().any(|value| value == ""))
}

fn typed_object(node: &Node, schema: &Value, path: &str) -> Result<Value, ApiError> {
    if let Some(text) = &node.leaf {
        // `metadata=` unsets every key.
        if text.is_empty() && schema["properties"].is_null() {
            return Ok(json!(""));
        }
        return Err(if text.is_empty() {
            empty(path)
        } else {
            ApiError::invalid("Invalid object").param(path)
        });
    }
    let properties = &schema["properties"];
    if properties.is_null() {
        return typed_map(node, &schema["additionalProperties"], path);
    }
    let unknown: Vec<String> = node
        .children
        .iter()
        .filter(|(name, _)| properties[name].is_null())
        .map(|(name, _)| nested(path, name))
        .collect();
    if let Some(first) = unknown.first() {
        let plural = if unknown.len() == 1 {
            "parameter"
        } else {
            "parameters"
        };
        return Err(ApiError::invalid(format!(
            "Received unknown {plural}: {}",
            unknown.join(", ")
        ))
        .code("parameter_unknown")
        .param(if path.is_empty() { top(first) } else { first }));
    }
    let mut object = Map::new();
    for (name, child) in &node.children {
        object.insert(
            name.clone(),
            typed(child, &properties[name], &nested(path, name))?,
        );
    }
    for name in schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
    {
        if !object.contains_key(name) {
            return Err(ApiError::missing(&nested(path, name)));
        }
    }
    Ok(Value::Object(object))
}

fn top(path: &str) -> &str {
    path.split('[').next().unwrap_or(path)
}

/// Free keys: metadata (at most 50 keys of 40 characters with values of 500; docs.stripe.com/api/metadata), and the
/// few maps by currency.
fn typed_map(node: &Node, schema: &Value, path: &str) -> Result<Value, ApiError> {
    let is_metadata = schema["type"] == "string";
    if is_metadata && node.children.len() > MAX_METADATA {
        return Err(too_much_metadata(path));
    }
    let mut map = Map::new();
    for (key, child) in &node.children {
        let here = nested(path, key);
        if is_metadata {
            map.insert(key.clone(), json!(metadata_value(key, child, &here, path)?));
        } else {
            map.insert(key.clone(), typed(child, schema, &here)?);
        }
    }
    Ok(Value::Object(map))
}

fn metadata_value(key: &str, child: &Node, here: &str, path: &str) -> Result<String, ApiError> {
    if key.chars().count() > 40 {
        return Err(ApiError::invalid(format!(
            "Metadata keys can have up to 40 characters, but you passed in a key that is {} characters. Invalid key: {key}",
            key.chars().count()
        ))
        .param(path));
    }
    let Some(text) = &child.leaf else {
        return Err(ApiError::invalid("Invalid string").param(here));
    };
    if text.chars().count() > 500 {
        return Err(ApiError::invalid(format!(
            "Metadata values can have up to 500 characters, but you passed in a value that is {} characters. Invalid value: {}",
            text.chars().count(),
            shortened(text)
        ))
        .param(here));
    }
    Ok(text.clone())
}

fn typed_array(node: &Node, schema: &Value, path: &str) -> Result<Value, ApiError> {
    if let Some(text) = &node.leaf {
        return Err(if text.is_empty() {
            empty(path)
        } else {
            ApiError::invalid("Invalid array").param(path)
        });
    }
    let mut children: Vec<(u32, &Node)> = Vec::new();
    for (name, child) in &node.children {
        let index = name
            .parse()
            .map_err(|_| ApiError::invalid("Invalid array").param(path))?;
        children.push((index, child));
    }
    children.sort_by_key(|(index, _)| *index);
    children
        .into_iter()
        .map(|(index, child)| typed(child, &schema["items"], &nested(path, &index.to_string())))
        .collect::<Result<Vec<_>, _>>()
        .map(Value::Array)
}

fn typed_scalar(text: &str, schema: &Value, path: &str) -> Result<Value, ApiError> {
    if let Some(values) = schema["enum"].as_array() {
        return typed_enum(text, values, path);
    }
    if text.is_empty() {
        return Err(empty(path));
    }
    match schema["type"].as_str() {
        Some("boolean") => match text {
            "true" | "1" => Ok(json!(true)),
            "false" | "0" => Ok(json!(false)),
            _ => Err(ApiError::invalid(format!("Invalid boolean: {text}")).param(path)),
        },
        Some("integer") => text
            .parse::<i64>()
            .map(|number| json!(number))
            .map_err(|_| {
                ApiError::invalid(format!("Invalid integer: {text}"))
                    .code("parameter_invalid_integer")
                    .param(path)
            }),
        Some("number") => text
            .parse::<f64>()
            .ok()
            .and_then(Number::from_f64)
            .map(Value::Number)
            .ok_or_else(|| ApiError::invalid(format!("Invalid decimal: {text}")).param(path)),
        _ => typed_string(text, schema, path),
    }
}

fn typed_string(text: &str, schema: &Value, path: &str) -> Result<Value, ApiError> {
    let limit = schema["maxLength"].as_u64().unwrap_or(u64::MAX);
    if text.chars().count() as u64 > limit {
        let shown = shortened(text);
        return Err(ApiError::invalid(format!(
            "Invalid string: {shown}; must be at most {limit} characters"
        ))
        .param(path));
    }
    if schema["format"] == "decimal" && text.parse::<f64>().is_err() {
        return Err(ApiError::invalid(format!("Invalid decimal: {text}")).param(path));
    }
    Ok(json!(text))
}

fn typed_enum(text: &str, values: &[Value], path: &str) -> Result<Value, ApiError> {
    if values.iter().any(|value| value == text) {
        return Ok(json!(text));
    }
    if text.is_empty() {
        return Err(empty(path));
    }
    let known: Vec<&str> = values
        .iter()
        .filter_map(Value::as_str)
        .filter(|value| !value.is_empty())
        .collect();
    let listed = match known.split_last() {
        Some((only, [])) => (*only).to_owned(),
        Some((last, [first])) => format!("{first} or {last}"),
        Some((last, rest)) => format!("one of {}, or {last}", rest.join(", ")),
        None => String::new(),
    };
    let name = path
        .rsplit('[')
        .next()
        .unwrap_or(path)
        .trim_end_matches(']');
    Err(ApiError::invalid(format!("Invalid {name}: must be {listed}")).param(path))
}

fn empty(path: &str) -> ApiError {
    ApiError::invalid(format!(
        "You passed an empty string for '{path}'. We assume empty values are an attempt to unset a parameter; however \
         '{path}' cannot be unset. You should remove '{path}' from your request or supply a non-empty value."
    ))
    .code("parameter_invalid_empty")
    .param(path)
}

fn kind_of(schema: &Value) -> &str {
    schema["type"].as_str().unwrap_or("value")
}

fn shortened(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    if chars.len() <= 24 {
        return text.to_owned();
    }
    let head: String = chars[..10].iter().collect();
    let tail: String = chars[chars.len() - 10..].iter().collect();
    format!("{head}...{tail}")
}

/// Every `expand` entry of the request, in order.
pub(super) fn expansions(params: &Value) -> Vec<String> {
    params["expand"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

/// Copies each parameter that is a plain field of the object: booleans, enums, nested settings.
pub(super) fn adopt_fields(object: &str, target: &mut Value, params: &Value, except: &[&str]) {
    for (name, value) in entries(params) {
        if value.is_null() || except.contains(&name.as_str()) {
            continue;
        }
        if let Some(adopted) = spec().adopt(object, name, value) {
            target[name] = adopted;
        }
    }
}

/// Metadata as Stripe merges it: an empty value unsets its key, an empty string unsets all.
pub(super) fn merge_metadata(current: &mut Value, given: &Value) {
    if given == "" {
        *current = json!({});
        return;
    }
    if !current.is_object() {
        *current = json!({});
    }
    if let Some(map) = current.as_object_mut() {
        for (key, value) in entries(given) {
            if value == "" {
                map.shift_remove(key);
            } else {
                map.insert(key.clone(), value.clone());
            }
        }
    }
}

/// What was there and what came must fit together.
pub(super) fn check_metadata(object: &Value) -> Result<(), ApiError> {
    match object["metadata"].as_object() {
        Some(metadata) if metadata.len() > MAX_METADATA => Err(too_much_metadata("metadata")),
        _ => Ok(()),
    }
}

fn too_much_metadata(param: &str) -> ApiError {
    ApiError::invalid(format!(
        "You can only have up to {MAX_METADATA} metadata keys."
    ))
    .param(param)
}

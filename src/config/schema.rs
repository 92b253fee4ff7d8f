//! The configuration as JSON Schema (draft 2020-12), and as a list of keys. Both are made of the types in
//! [`written`](super::written): what is described is what is read, with the defaults that it has.

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::written::{Own, Written};
use crate::client::setting;

/// A key of the file.
#[derive(Clone, Debug)]
pub struct Key {
    /// With its section: `listen.address`. `NAME` stands for a name that the operator chooses.
    pub name: String,
    /// What it means.
    pub meaning: String,
    /// What is written there.
    pub kind: Kind,
    /// What holds without it; `None` where nothing is set then.
    pub default: Option<Value>,
    /// Whether it must be there, where its section is.
    pub is_needed: bool,
    /// Whether the environment can say it.
    pub is_in_environment: bool,
    /// Whether the file that it names is read again while a node runs.
    pub is_read_again: bool,
}

/// What is written at a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text.
    Text,
    /// A whole number.
    Number {
        /// The least.
        least: Option<i64>,
        /// The most.
        most: Option<i64>,
    },
    /// A number from 0 to 1.
    Share,
    /// `true` or `false`.
    Switch,
    /// One of these words, with what it means.
    Choice(Vec<(String, String)>),
    /// A list of texts.
    List,
}

/// The schema of the whole file.
pub fn schema() -> Value {
    let mut schema = raw();
    strip(&mut schema);
    schema
}

/// The same as text.
pub fn text() -> String {
    let text = serde_json::to_string_pretty(&schema()).expect("JSON is text");
    text + "\n"
}

/// All keys but those of clients, in the order of the schema.
pub fn keys() -> Vec<Key> {
    let mut keys = Vec::new();
    collect(&raw(), "", true, &mut keys);
    keys
}

/// The sections, with what they are for.
pub fn sections() -> Vec<(String, String)> {
    let schema = raw();
    let sections = schema["properties"].as_object().into_iter().flatten();
    let is_section = |schema: &Value| !schema["properties"].is_null();
    let sections = sections.filter(|(_, schema)| is_section(schema));
    sections
        .map(|(name, schema)| (name.clone(), meaning(schema)))
        .collect()
}

/// What a client is beside its settings.
pub fn keys_of_clients() -> Vec<Key> {
    let mut keys = Vec::new();
    let mut own = generator().into_root_schema_for::<Own>().to_value();
    tidy(&mut own);
    collect(&own, "client", false, &mut keys);
    keys
}

/// With what is for ourselves alone.
fn raw() -> Value {
    let mut schema = generator().into_root_schema_for::<Written>().to_value();
    tidy(&mut schema);
    schema["title"] = json!("Configuration of Portvakt");
    schema["description"] = json!("portvakt.toml. Unknown keys are refused.");
    schema
}

fn generator() -> SchemaGenerator {
    let settings = SchemaSettings::draft2020_12().for_deserialize();
    // Editors show more of a schema that refers to nothing.
    let inline = |settings: &mut SchemaSettings| settings.inline_subschemas = true;
    settings.with(inline).into_generator()
}

/// `[[client]]`: what stands in the file alone, and what every client can be set to.
pub(super) struct ClientTable;

impl JsonSchema for ClientTable {
    fn schema_name() -> Cow<'static, str> {
        "Client".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut client = setting::schema();
        let own = Own::json_schema(generator).to_value();
        for (name, schema) in own["properties"].as_object().into_iter().flatten() {
            let table = match schema[WITHIN].as_str() {
                Some(table) => &mut client["properties"][table],
                None => &mut client,
            };
            table["properties"][name] = schema.clone();
        }
        if let Some(needed) = client["required"].as_array_mut() {
            needed.push(json!("client_id"));
        }
        Schema::try_from(client).expect("an object")
    }
}

/// Marks a key of a client that stands in a table of it.
const WITHIN: &str = "x-within";
/// Marks a file that is read again while a node runs.
const READ_AGAIN: &str = "x-read-again";

/// Takes away what is for ourselves alone: strict readers refuse words that they do not know.
fn strip(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            members.retain(|name, _| name != WITHIN && name != READ_AGAIN);
            members.values_mut().for_each(strip);
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        _ => {}
    }
}

/// Makes a schema one of TOML, which has no null, and in which numbers have no width.
fn tidy(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            tidy_members(members);
            members.values_mut().for_each(tidy);
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        _ => {}
    }
}

fn tidy_members(members: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = members.get_mut("type") {
        types.retain(|one| one != "null");
        if let [one] = &types[..] {
            let one = one.clone();
            members.insert("type".to_owned(), one);
        }
    }
    if let Some(Value::Array(either)) = members.get("anyOf")
        && let [one, null] = &either[..]
        && null["type"] == "null"
    {
        let inner = one.as_object().cloned().unwrap_or_default();
        members.remove("anyOf");
        for (name, value) in inner {
            members.entry(name).or_insert(value);
        }
    }
    if members.get("default").is_some_and(Value::is_null) {
        members.remove("default");
    }
    let format = members.get("format").and_then(Value::as_str);
    if format.is_some_and(|format| {
        ["int", "uint", "double"]
            .iter()
            .any(|kind| format.starts_with(kind))
    }) {
        members.remove("format");
    }
    if let Some(Value::String(text)) = members.get_mut("description") {
        *text = unwrapped(text);
    }
}

/// A comment's text without the ends of its lines.
fn unwrapped(text: &str) -> String {
    let mut whole = String::new();
    for line in text.lines() {
        let begins = whole.is_empty() || line.is_empty() || line.starts_with("- ");
        whole += match (whole.is_empty(), begins) {
            (true, _) => "",
            (false, true) => "\n",
            (false, false) => " ",
        };
        whole += line;
    }
    whole
}

fn collect(schema: &Value, path: &str, is_in_environment: bool, keys: &mut Vec<Key>) {
    let needed = schema["required"].as_array().cloned().unwrap_or_default();
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        let full = match path {
            "" => name.clone(),
            path => format!("{path}.{name}"),
        };
        let is_needed = needed.contains(&json!(name));
        if let Some(kind) = kind(inner) {
            let full = match inner[WITHIN].as_str() {
                Some(table) => format!("{path}.{table}.{name}"),
                None => full,
            };
            keys.push(Key {
                name: full,
                meaning: meaning(inner),
                kind,
                default: inner.get("default").cloned(),
                is_needed,
                is_in_environment,
                is_read_again: inner[READ_AGAIN] == true,
            });
        } else if inner["properties"].is_object() {
            collect(inner, &full, is_in_environment, keys);
        } else if inner["additionalProperties"].is_object() {
            let named = format!("{full}.NAME");
            collect(&inner["additionalProperties"], &named, false, keys);
        }
    }
}

fn meaning(schema: &Value) -> String {
    schema["description"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

/// `None` for what is a table, or a list of tables.
fn kind(schema: &Value) -> Option<Kind> {
    if let Some(either) = schema["oneOf"].as_array() {
        let one = |one: &Value| Some((one["const"].as_str()?.to_owned(), meaning(one)));
        return Some(Kind::Choice(either.iter().filter_map(one).collect()));
    }
    match schema["type"].as_str()? {
        "string" => Some(Kind::Text),
        "integer" => Some(Kind::Number {
            least: schema["minimum"].as_i64(),
            most: schema["maximum"].as_i64(),
        }),
        "number" => Some(Kind::Share),
        "boolean" => Some(Kind::Switch),
        "array" if schema["items"]["type"] == "string" => Some(Kind::List),
        _ => None,
    }
}

#[cfg(test)]
mod tests;

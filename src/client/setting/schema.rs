//! The table as JSON Schema (draft 2020-12, which is what OpenAPI 3.1 has).

use serde_json::{Map, Value, json};

use super::{Choice, Details, Fallback, Format, Kind, Setting, Text, all};
use crate::client::MOST_LANGUAGES;

/// The schema of metadata, the right to personal numbers among them.
pub fn schema() -> Value {
    let mut whole = object("");
    whole["title"] = json!("Settings of a client");
    whole
}

/// The object at a path, with what is below it.
fn object(path: &str) -> Value {
    let mut properties = Map::new();
    let mut needed = Vec::new();
    for setting in all() {
        let Some(rest) = below(setting.name, path) else {
            continue;
        };
        let (name, is_own) = match rest.split_once('.') {
            Some((name, _)) => (name, false),
            None => (rest, true),
        };
        if is_own && setting.needed {
            needed.push(name);
        }
        let make = || match is_own {
            true => described(setting),
            false => object(&joined(path, name)),
        };
        properties.entry(name).or_insert_with(make);
    }
    let mut schema = json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    if !needed.is_empty() {
        schema["required"] = json!(needed);
    }
    // The one name that a certificate is known by.
    if path == "tls_client_auth" {
        schema["minProperties"] = json!(1);
        schema["maxProperties"] = json!(1);
    }
    schema
}

fn joined(path: &str, name: &str) -> String {
    match path {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    }
}

fn below<'a>(name: &'a str, path: &str) -> Option<&'a str> {
    match path {
        "" => Some(name),
        path => name.strip_prefix(path)?.strip_prefix('.'),
    }
}

fn described(setting: &Setting) -> Value {
    let mut schema = typed(setting);
    let meanings = match setting.kind {
        Kind::Choice { values, default } => meanings(values) + &unset(default),
        Kind::Choices { values, none } => {
            format!("{}\n- none of them: {none}.", meanings(values))
        }
        _ => String::new(),
    };
    schema["title"] = json!(setting.label);
    schema["description"] = json!(match meanings.is_empty() {
        true => setting.explanation.to_owned(),
        false => format!("{}\n{meanings}", setting.explanation),
    });
    let default = setting.kind.default();
    if !default.is_null()
        && !matches!(
            setting.kind,
            Kind::Switch {
                details: Details::Object,
                ..
            }
        )
    {
        schema["default"] = default;
    }
    schema
}

/// As a list in CommonMark, which descriptions in OpenAPI are.
fn meanings(values: &[Choice]) -> String {
    let one = |choice: &Choice| {
        format!(
            "\n- `{}`: {}. {}",
            choice.value, choice.label, choice.meaning
        )
    };
    values.iter().map(one).collect()
}

fn unset(default: Fallback) -> String {
    match default {
        Fallback::Value(_) => String::new(),
        Fallback::Unset(meaning) => format!("\n- not set: {meaning}."),
    }
}

fn typed(setting: &Setting) -> Value {
    match setting.kind {
        Kind::Line(text) => typed_text(text),
        Kind::Number { least, most, .. } => {
            json!({"type": "integer", "minimum": least, "maximum": most})
        }
        Kind::Switch { details, .. } => match details {
            Details::None => json!({"type": "boolean"}),
            Details::Optional => json!({"oneOf": [{"type": "boolean"}, object(setting.name)]}),
            Details::Object => object(setting.name),
        },
        Kind::Choice { values, .. } => json!({"type": "string", "enum": names(values)}),
        Kind::Choices { values, .. } => json!({
            "type": "array",
            "items": {"type": "string", "enum": names(values)},
            "uniqueItems": true,
        }),
        Kind::Lines { item, most } => json!({
            "type": "array",
            "items": typed_text(item),
            "maxItems": most,
        }),
        Kind::Translations(text) => json!({
            "type": "object",
            "additionalProperties": typed_text(text),
            "maxProperties": MOST_LANGUAGES,
        }),
        Kind::Json => json!({
            "type": "object",
            "properties": {
                "keys": {"type": "array", "items": {"type": "object"}, "minItems": 1, "maxItems": 10},
            },
            "required": ["keys"],
        }),
    }
}

fn names(values: &[Choice]) -> Vec<&str> {
    values.iter().map(|choice| choice.value).collect()
}

fn typed_text(text: Text) -> Value {
    let mut schema = json!({"type": "string", "minLength": 1, "maxLength": text.most});
    match text.format {
        Format::Words | Format::DistinguishedName => {}
        Format::RedirectUri | Format::Resource | Format::Uri => schema["format"] = json!("uri"),
        Format::CalledUri => {
            schema["format"] = json!("uri");
            schema["pattern"] = json!("^https://");
        }
        Format::Origin => {
            schema["format"] = json!("uri");
            schema["pattern"] = json!("^https?://");
        }
        Format::Color => schema["pattern"] = json!("^#[0-9a-f]{6}$"),
        Format::Logo => {
            schema["pattern"] = json!(
                "^(?:[0-9a-f]{64}|data:image/(?:png|jpeg|webp);base64,[A-Za-z0-9+/]+={0,2})$"
            );
        }
        Format::ClaimName => schema["pattern"] = json!("^[!#-\\[\\]-~]+$"),
        Format::Scope => schema["pattern"] = json!("^[!#-\\[\\]-~]+$"),
        Format::HostName | Format::Email => schema["pattern"] = json!("^[!-~]+$"),
        // RFC 4291 and dotted quads; `ipv4` or `ipv6` would each be half of it.
        Format::IpAddress => {
            schema["anyOf"] = json!([{"format": "ipv4"}, {"format": "ipv6"}]);
        }
    }
    let example = text.format.example();
    if !example.is_empty() {
        schema["examples"] = json!([example]);
    }
    schema
}

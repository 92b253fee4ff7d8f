//! The schema says of metadata what their reader says.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::all_that_can_be;
use crate::client::setting::json::written;
use crate::client::setting::{from_json, schema};

#[test]
fn what_is_written_conforms_to_the_schema() {
    let _shows = crate::shows!(accepting "PV-SETTING-5", refusing "PV-SETTING-5");
    let schema = schema();
    for metadata in all_that_can_be() {
        let metadata = written(&metadata);
        assert_eq!(violation(&schema, &metadata, ""), None, "{metadata}");
    }
    // What the schema refuses is refused, so that nobody is told otherwise.
    for wrong in [
        json!({}),
        json!({"client_name": "A", "extra": 1}),
        json!({"client_name": 1}),
        json!({"client_name": ""}),
        json!({"client_name": "x".repeat(81)}),
        json!({"client_name": "A", "pkce": "never"}),
        json!({"client_name": "A", "redirect_uris": vec!["https://a.example/cb"; 51]}),
        json!({"client_name": "A", "refresh_tokens": {"lifetime_days": 0}}),
        json!({"client_name": "A", "refresh_tokens": {}}),
        json!({"client_name": "A", "purpose": {"sv": "A"}}),
        json!({"client_name": "A", "purpose": {"sv": "A", "en": "A", "others": {"fi": 1}}}),
        json!({"client_name": "A", "purpose": {"sv": "A", "en": "A", "others": {"fi": ""}}}),
        json!({"client_name": "A", "personal_number": {}}),
        json!({"client_name": "A", "jwks_uri": "http://a.example"}),
        json!({"client_name": "A", "bankid": {"kinds": ["card", "card"]}}),
        json!({"client_name": "A", "bankid": {"risk": {"low": "deny"}}}),
        json!({"client_name": "A", "bankid": {"evidence": {}}}),
        json!({"client_name": "A", "tls_client_auth": {"san_dns": "a", "san_uri": "urn:a"}}),
        json!({"client_name": "A", "jwks": {}}),
        json!({"client_name": "A", "purpose": null}),
    ] {
        assert!(violation(&schema, &wrong, "").is_some(), "{wrong}");
        assert!(from_json(wrong.clone()).is_err(), "{wrong}");
    }
}

/// The keywords that the schema uses. Another one is a violation, so that none goes unseen.
fn violation(schema: &Value, value: &Value, path: &str) -> Option<String> {
    let told = |what: &str| Some(format!("{path}: {what}"));
    let is_type = |name: &str| match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64(),
        _ => false,
    };
    let number = |limit: &Value| limit.as_u64().expect("a limit");
    let size = |value: &Value| match value {
        Value::Array(list) => list.len() as u64,
        Value::Object(members) => members.len() as u64,
        Value::String(text) => text.chars().count() as u64,
        other => other.as_u64().unwrap_or(0),
    };
    for (keyword, wants) in schema.as_object().expect("a schema") {
        let holds = match keyword.as_str() {
            "title" | "description" | "default" | "examples" | "format" => true,
            "type" => is_type(wants.as_str().expect("a type")),
            "enum" => wants.as_array().expect("values").contains(value),
            "minimum" | "minLength" | "minItems" | "minProperties" => size(value) >= number(wants),
            "maximum" | "maxLength" | "maxItems" | "maxProperties" => size(value) <= number(wants),
            "pattern" => {
                let text = value.as_str().unwrap_or_default();
                match wants.as_str().expect("a pattern") {
                    "^#[0-9a-f]{6}$" => crate::client::theme::Color::parse(text).is_some(),
                    "^(?:[0-9a-f]{64}|data:image/(?:png|jpeg|webp);base64,[A-Za-z0-9+/]+={0,2})$" => {
                        crate::client::logo::Logo::parse(text).is_ok()
                    }
                    "^https://" => text.starts_with("https://"),
                    "^https?://" => text.starts_with("http"),
                    "^[!-~]+$" => text.bytes().all(|b| b.is_ascii_graphic()),
                    "^[!#-\\[\\]-~]+$" => text
                        .bytes()
                        .all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\'),
                    _ => false,
                }
            }
            "uniqueItems" => {
                let list = value.as_array().into_iter().flatten();
                let set: BTreeSet<String> = list.map(Value::to_string).collect();
                set.len() as u64 == size(value)
            }
            "required" => {
                let names = wants.as_array().expect("names").iter();
                names
                    .filter_map(Value::as_str)
                    .all(|name| value.get(name).is_some())
            }
            "properties" => {
                let members = value.as_object().into_iter().flatten();
                let mut known =
                    members.filter_map(|(name, value)| Some((name, value, wants.get(name)?)));
                if let Some(inner) = known.find_map(|(name, value, schema)| {
                    violation(schema, value, &format!("{path}.{name}"))
                }) {
                    return Some(inner);
                }
                true
            }
            "additionalProperties" => {
                let known = &schema["properties"];
                let members = value.as_object().into_iter().flatten();
                let mut others = members.filter(|(name, _)| known.get(name).is_none());
                others.all(|(_, value)| {
                    *wants != json!(false) && violation(wants, value, path).is_none()
                })
            }
            "items" => {
                let mut list = value.as_array().into_iter().flatten();
                list.all(|item| violation(wants, item, path).is_none())
            }
            "oneOf" => {
                let all = wants.as_array().expect("schemas").iter();
                all.filter(|one| violation(one, value, path).is_none())
                    .count()
                    == 1
            }
            "anyOf" => {
                let mut all = wants.as_array().expect("schemas").iter();
                all.any(|one| violation(one, value, path).is_none())
            }
            _ => false,
        };
        if !holds {
            return told(keyword);
        }
    }
    None
}

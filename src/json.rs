//! JSON from peers who may mean ill: no member twice, so that two readers of one text cannot differ
//! about it (RFC 7515 §4, RFC 8259 §4), and nothing deeper than anyone needs (RFC 8725 §2).

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// How deep objects and lists may stand in one another.
const DEPTH: usize = 8;

/// An object, read strictly; `None` for anything else.
pub fn object(text: &[u8]) -> Option<Map<String, Value>> {
    match value(text)? {
        Value::Object(members) => Some(members),
        _ => None,
    }
}

/// A list, read as strictly.
pub fn list(text: &[u8]) -> Option<Vec<Value>> {
    match value(text)? {
        Value::Array(items) => Some(items),
        _ => None,
    }
}

fn value(text: &[u8]) -> Option<Value> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = Strict(DEPTH).deserialize(&mut reader).ok()?;
    reader.end().ok()?;
    Some(value)
}

/// Reads a value that may hold values so many levels down.
#[derive(Clone, Copy)]
struct Strict(usize);

impl Strict {
    fn within<E: Error>(self) -> Result<Strict, E> {
        match self.0.checked_sub(1) {
            Some(levels) => Ok(Strict(levels)),
            None => Err(E::custom("too deep")),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without a member twice")
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }
    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("no number"))
    }
    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        storable(value)?;
        Ok(Value::from(value))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.within()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let inner = self.within()?;
        let mut members = Map::new();
        while let Some(name) = entries.next_key::<String>()? {
            storable(&name)?;
            let value = entries.next_value_seed(inner)?;
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom("a member twice"));
            }
        }
        Ok(Value::Object(members))
    }
}

/// PostgreSQL's text holds no NUL, and nobody who means well sends one.
fn storable<E: Error>(text: &str) -> Result<(), E> {
    match text.contains('\0') {
        true => Err(E::custom("a NUL")),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_readers_could_read_differently_is_not_read() {
        let _shows =
            crate::shows!(accepting "GE-05", refusing "GE-05", accepting "O26", refusing "O26");
        let plain =
            r#"{"a": [1, -2, 1.5, "x", null, true, {"a": {}}], "b": {"a": 1}, "\u0061b": 2}"#;
        let usual = serde_json::from_str(plain).expect("JSON");
        assert_eq!(object(plain.as_bytes()).map(Value::Object), Some(usual));
        let nested = |levels: usize| {
            format!(
                "{}{}",
                r#"{"a":"#.repeat(levels),
                "1".to_owned() + &"}".repeat(levels)
            )
        };
        assert!(object(nested(8).as_bytes()).is_some());
        for bad in [
            r#"{"a": 1, "a": 1}"#,
            r#"{"a": 1, "\u0061": 2}"#,
            r#"{"b": [{"a": 1, "a": 2}]}"#,
            r#"{"a": 1} {"#,
            r#"{"a": 1}x"#,
            r#"{"a": 1e999}"#,
            r#"[1]"#,
            "1",
            "",
            "{\"a\": \"\u{1}\"}",
            r#"{"a": "b\u0000"}"#,
            r#"{"a\u0000": "b"}"#,
            r#"{"a": [{"b": "\u0000"}]}"#,
            "{'a': 1}",
            &nested(9),
            &nested(100_000),
            &format!(r#"{{"a": {}1{}}}"#, "[".repeat(8), "]".repeat(8)),
        ] {
            assert_eq!(
                object(bad.as_bytes()),
                None,
                "{}",
                &bad[..bad.len().min(40)]
            );
        }
        assert_eq!(object(b"{\"a\": \"\xff\"}"), None);
    }
}

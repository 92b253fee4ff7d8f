//! Metadata as the fields of a form.

use serde_json::{Value, json};

use super::json::{at, put, switch_above, value_of, written};
use super::{Details, Format, Kind, Mistake, SETTINGS, Setting, from_json};
use crate::client::Metadata;
use crate::json;

/// What a switch that is on is sent as. One that is off is not sent, as browsers have it.
pub const ON: &str = "on";

/// The fields of a form, filled in. All but switches that are off and lists of which nothing is chosen
/// are among them, empty where nothing is set.
pub fn to_form(metadata: &Metadata) -> Vec<(&'static str, String)> {
    let written = written(metadata);
    let field = |setting: &'static Setting| {
        let texts = match (setting.kind, value_of(setting, &written)) {
            (Kind::Switch { .. }, Value::Bool(true)) => vec![ON.to_owned()],
            (Kind::Switch { .. }, _) => Vec::new(),
            (Kind::Choices { .. }, Value::Array(chosen)) => chosen.iter().map(plain).collect(),
            (Kind::Lines { .. }, Value::Array(list)) => {
                let lines: Vec<String> = list.iter().map(plain).collect();
                vec![lines.join("\n")]
            }
            (Kind::Translations(_), Value::Object(texts)) => {
                let line = |(tag, text): (&String, &Value)| format!("{tag}: {}", plain(text));
                vec![texts.iter().map(line).collect::<Vec<_>>().join("\n")]
            }
            (Kind::Json, value @ Value::Object(_)) => vec![format!("{value:#}")],
            (_, value) => vec![plain(&value)],
        };
        texts.into_iter().map(move |text| (setting.name, text))
    };
    SETTINGS
        .iter()
        .flat_map(|setting| field(setting).collect::<Vec<_>>())
        .collect()
}

/// A value without quotation marks; nothing where nothing is set.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Reads what [`to_form`] writes. Every field must be there, but for switches that are off and lists of
/// which nothing is chosen: one that is missing would otherwise be emptied without anybody's wish.
/// `kept` says what this form does not.
pub fn from_form(values: &[(String, String)], kept: &Metadata) -> Result<Metadata, Vec<Mistake>> {
    let is_setting = |name: &str| SETTINGS.iter().any(|setting| setting.name == name);
    let unknown = values.iter().filter(|(name, _)| !is_setting(name));
    let mut mistakes: Vec<Mistake> = unknown.map(|(name, _)| Mistake::unknown(name)).collect();
    let mut read = json!({});
    for setting in SETTINGS {
        let sent: Vec<&str> = values
            .iter()
            .filter(|(name, _)| name == setting.name)
            .map(|(_, text)| text.as_str())
            .collect();
        let taken = value(setting, &sent).and_then(|value| place(setting, value, &mut read));
        mistakes.extend(taken.err().map(|reason| Mistake::new(setting.name, reason)));
    }
    if let Some(right) = at(&written(kept), "personal_number") {
        put(&mut read, "personal_number", right.clone());
    }
    match from_json(read) {
        Ok(metadata) if mistakes.is_empty() => Ok(metadata),
        Ok(_) => Err(mistakes),
        Err(more) => {
            let is_new = |m: &Mistake| mistakes.iter().all(|known| known.setting != m.setting);
            let more: Vec<Mistake> = more.into_iter().filter(is_new).collect();
            mistakes.extend(more);
            Err(mistakes)
        }
    }
}

/// What a field says; `Null` for what is not set.
fn value(setting: &Setting, sent: &[&str]) -> Result<Value, String> {
    let lines = || {
        let lines = sent.iter().flat_map(|text| text.lines()).map(str::trim);
        lines.filter(|line| !line.is_empty()).collect::<Vec<_>>()
    };
    match setting.kind {
        Kind::Lines { .. } if sent.is_empty() => return Err("must be sent".to_owned()),
        Kind::Lines { .. } | Kind::Choices { .. } => return Ok(json!(lines())),
        _ => {}
    }
    let text = match (sent, setting.kind) {
        ([], Kind::Switch { .. }) => return Ok(Value::Bool(false)),
        ([], _) => return Err("must be sent".to_owned()),
        ([text], _) => *text,
        _ => return Err("must be sent once".to_owned()),
    };
    match setting.kind {
        Kind::Switch { .. } if text == ON => Ok(Value::Bool(true)),
        Kind::Switch { .. } => Err(format!("must be sent as {ON}, or not at all")),
        _ if text.trim().is_empty() => Ok(Value::Null),
        Kind::Number { .. } => {
            let digits = text.trim();
            let is_number = digits.bytes().all(|b| b.is_ascii_digit());
            let number = digits.parse::<u64>().ok().filter(|_| is_number);
            number
                .map(Value::from)
                .ok_or_else(|| "must be a whole number".to_owned())
        }
        Kind::Translations(_) => translations(&lines()),
        Kind::Json => json::object(text.as_bytes())
            .map(Value::Object)
            .ok_or_else(|| "must be a JSON object in which no member stands twice".to_owned()),
        // At the end of a distinguished name a space may be part of it.
        Kind::Line(line) if line.format == Format::DistinguishedName => Ok(Value::from(text)),
        _ => Ok(Value::from(text.trim())),
    }
}

/// Texts in several languages, each on a line after its language's tag: `fi: Hae lupaa.`
fn translations(lines: &[&str]) -> Result<Value, String> {
    let mut texts = serde_json::Map::new();
    for line in lines {
        let Some((tag, text)) = line.split_once(':') else {
            return Err(
                "must have the tag of a language and a colon before each text, as fi:".to_owned(),
            );
        };
        let before = texts.insert(tag.trim().to_owned(), Value::from(text.trim()));
        if before.is_some() {
            return Err(format!("must have one text for {}", tag.trim()));
        }
    }
    Ok(Value::Object(texts))
}

/// Puts what a field says where metadata have it.
fn place(setting: &Setting, value: Value, read: &mut Value) -> Result<(), String> {
    let is_nothing = value.is_null() || value == json!([]);
    if let Some(switch) = switch_above(setting)
        && at(read, switch.name).is_none()
    {
        return match is_nothing {
            true => Ok(()),
            false => Err(format!("is set, but {} is off", switch.label)),
        };
    }
    let details = match setting.kind {
        Kind::Switch { details, .. } => details,
        _ => Details::None,
    };
    match (details, value) {
        _ if is_nothing => {}
        (Details::None, value) => put(read, setting.name, value),
        (_, Value::Bool(false)) => {}
        (Details::Optional, on) => put(read, setting.name, on),
        (Details::Object, _) => put(read, setting.name, json!({})),
    }
    Ok(())
}

//! What the environment says in the place of the file: `PORTVAKT_DATABASE__URL` for `database.url`, and so for
//! every key that is one value or a list of texts.
//!
//! A variable that looks like a key and is none is refused, as an unknown key of the file is: whoever misspells
//! a name would otherwise run with the value that they meant to replace. Others that begin with `PORTVAKT_` are
//! left alone, because Kubernetes makes some of its own (`PORTVAKT_SERVICE_HOST`).

use std::collections::BTreeMap;
use std::env::VarError;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue, Deserializer};

use super::schema::{Key, Kind, keys};
use super::written::Written;
use super::{Findings, Problem, Problems, dangers};

/// What every variable of ours begins with.
pub(super) const PREFIX: &str = "PORTVAKT_";

/// Variables by their names.
pub(super) type Variables = BTreeMap<String, String>;

/// Those of ours in the environment of this program.
pub(super) fn variables() -> Result<Variables, Problems> {
    decoded(std::env::vars_os())
}

/// A variable that is no text is refused: without it the program would run with what it was to replace. What it
/// says stays untold, for it may be a secret.
fn decoded(all: impl Iterator<Item = (OsString, OsString)>) -> Result<Variables, Problems> {
    let ours = all.filter(|(name, _)| name.as_encoded_bytes().starts_with(PREFIX.as_bytes()));
    let (mut variables, mut found) = (Variables::new(), Findings::default());
    for (name, value) in ours {
        let told = name.to_string_lossy().escape_debug().to_string();
        match (name.into_string(), value.into_string()) {
            (Ok(name), Ok(value)) => drop(variables.insert(name, value)),
            // A path need not be text.
            (Ok(name), Err(_)) if name == "PORTVAKT_CONFIG" => {}
            _ => found.add(&told, "is not valid UTF-8"),
        }
    }
    match found.is_empty() {
        true => Ok(variables),
        false => Err(found.into()),
    }
}

/// Where the operator's listener is, by this text of a file or by the environment. No other key is looked at.
pub(super) fn ops_address(text: &str) -> Result<Option<SocketAddr>, Problem> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Only {
        ops: Ops,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Ops {
        address: Option<SocketAddr>,
    }
    let name = variable("ops.address");
    let wrong = |key: &str, reason: String| Problem {
        key: key.to_owned(),
        reason,
    };
    match std::env::var(&name) {
        Ok(said) if !said.is_empty() => {
            let address = said.parse::<SocketAddr>().map(Some);
            return address.map_err(|error| wrong(&name, format!("{error}")));
        }
        Err(VarError::NotUnicode(_)) => return Err(wrong(&name, "is not valid UTF-8".to_owned())),
        Ok(_) | Err(VarError::NotPresent) => {}
    }
    let read: Result<Only, _> = toml::from_str(text);
    let only = read.map_err(|error| wrong("file", located(text, &error)))?;
    Ok(only.ops.address)
}

/// The variable that stands for a key.
pub(super) fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "__").to_uppercase())
}

/// A key that the environment says.
#[derive(Debug)]
pub(super) struct Said {
    variable: String,
    key: String,
    value: Value,
}

/// A value as it is written in TOML, but for what surrounds it.
#[derive(Debug)]
enum Value {
    Text(String),
    /// Digits, perhaps behind a sign.
    Number(String),
    Switch(bool),
    List(Vec<String>),
}

/// Which keys the environment says. An empty variable says nothing: that is what is left of one that another
/// program filled in with nothing.
pub(super) fn said(variables: &Variables, found: &mut Findings) -> Vec<Said> {
    let all = keys();
    let known: BTreeMap<String, &Key> = all
        .iter()
        .filter(|key| key.is_in_environment)
        .map(|key| (variable(&key.name), key))
        .collect();
    let mut said = Vec::new();
    for (name, text) in variables.iter().filter(|(_, text)| !text.is_empty()) {
        match known.get(name) {
            Some(key) => {
                let value = found.take(name, value(key, text));
                said.extend(value.map(|value| Said {
                    variable: name.clone(),
                    key: key.name.clone(),
                    value,
                }));
            }
            None => {
                if let Some(reason) = misspelt(name, &known) {
                    found.add(name, reason);
                }
            }
        }
    }
    said
}

/// Why a variable is refused, where it must have been meant for a key.
fn misspelt(name: &str, known: &BTreeMap<String, &Key>) -> Option<String> {
    let single = |name: &str| name.replace("__", "_");
    let meant = known.keys().find(|other| single(other) == single(name));
    match (meant, name.contains("__")) {
        (Some(meant), _) => Some(format!("is no key's variable: write {meant}")),
        (None, true) if name.starts_with("PORTVAKT_CLIENT__") => Some(
            "clients are written in the file, or registered by portvakt client and by the administration"
                .to_owned(),
        ),
        (None, true) => Some(
            "is no key's variable: `portvakt config reference` lists them".to_owned(),
        ),
        (None, false) => None,
    }
}

fn value(key: &Key, text: &str) -> Result<Value, String> {
    match key.kind {
        Kind::Text | Kind::Choice(_) => Ok(Value::Text(text.to_owned())),
        Kind::Number { .. } => match text.trim().parse::<i64>() {
            Ok(number) => Ok(Value::Number(number.to_string())),
            Err(_) => Err("must be a whole number".to_owned()),
        },
        Kind::Share => match text.trim().parse::<f64>() {
            // As TOML has it: it takes no `.5`.
            Ok(share) if (0.0..=1.0).contains(&share) => Ok(Value::Number(format!("{share:?}"))),
            _ => Err("must be a number from 0 to 1".to_owned()),
        },
        Kind::Switch => match text.trim() {
            "true" => Ok(Value::Switch(true)),
            "false" => Ok(Value::Switch(false)),
            _ => Err("must be true or false".to_owned()),
        },
        Kind::List => {
            let items = text.split(',').map(str::trim);
            let items = items.filter(|item| !item.is_empty());
            Ok(Value::List(items.map(str::to_owned).collect()))
        }
    }
}

/// Reads a file with what the environment says in it, and whether the file itself holds secrets.
pub(super) fn read(text: &str, said: &[Said]) -> Result<(Written, bool), Problem> {
    let in_file = |error: &toml::de::Error| Problem {
        key: "file".to_owned(),
        reason: located(text, error),
    };
    let mut table = DeTable::parse(text).map_err(|e| in_file(&e))?;
    for (n, one) in said.iter().enumerate() {
        put(table.get_mut(), one, mark(text, n));
    }
    let written = Written::deserialize(Deserializer::from(table));
    let written = written.map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let marked = |(n, _): &(usize, &Said)| mark(text, *n).start == at;
        match said.iter().enumerate().find(marked) {
            Some((_, said)) => Problem {
                key: said.variable.clone(),
                reason: complaint(&error),
            },
            None => in_file(&error),
        }
    })?;
    let file: toml::Table = toml::from_str(text).map_err(|e| in_file(&e))?;
    Ok((written, dangers::holds_secrets(&file)))
}

/// Where a value is that does not stand in the file: behind its end, each at a place of its own. So a mistake
/// that is found there is known to be the environment's.
fn mark(text: &str, n: usize) -> Range<usize> {
    let at = text.len() + 1 + n;
    at..at
}

fn put<'i>(file: &mut DeTable<'i>, said: &'i Said, mark: Range<usize>) {
    let at = |value: DeValue<'i>| Spanned::new(mark.clone(), value);
    let name = |name: &'i str| Spanned::new(mark.clone(), name.into());
    let value = match &said.value {
        Value::Text(text) => DeValue::String(text.as_str().into()),
        Value::Number(digits) => {
            let number = DeValue::parse(digits);
            number.expect("a number").into_inner()
        }
        Value::Switch(switch) => DeValue::Boolean(*switch),
        Value::List(items) => {
            let items = items
                .iter()
                .map(|item| at(DeValue::String(item.as_str().into())));
            DeValue::Array(items.collect::<DeArray<'_>>())
        }
    };
    let Some((section, key)) = said.key.split_once('.') else {
        file.insert(name(&said.key), at(value));
        return;
    };
    let new = || at(DeValue::Table(DeTable::new()));
    let section = file.entry(name(section)).or_insert_with(new);
    // What is no table there is a mistake of the file's, which is told of as one.
    if let DeValue::Table(section) = section.get_mut() {
        section.insert(name(key), at(value));
    }
}

/// Says of every mistake that is the environment's which variable it comes from.
pub(super) fn named(mut problems: Problems, said: &[Said]) -> Problems {
    for problem in &mut problems.0 {
        if let Some(said) = said.iter().find(|said| said.key == problem.key) {
            problem.reason += &format!(" ({} says it)", said.variable);
        }
    }
    problems
}

/// What is wrong in a file, and in which line of it.
fn located(text: &str, error: &toml::de::Error) -> String {
    let line = error.span().and_then(|span| text.get(..span.start));
    match line.map(|before| before.matches('\n').count() + 1) {
        Some(line) => format!("line {line}: {}", complaint(error)),
        None => complaint(error),
    }
}

/// What is wrong, without the value that is of the wrong type: serde quotes it, and it may be a secret.
pub(super) fn complaint(error: &toml::de::Error) -> String {
    const WRONG_TYPE: &str = "invalid type: ";
    let parts = error.message().strip_prefix(WRONG_TYPE).and_then(|rest| {
        let found = rest.split(['"', '`', ',']).next()?.trim();
        let (_, expected) = rest.rsplit_once(", expected ")?;
        Some(format!("{WRONG_TYPE}{found}, expected {expected}"))
    });
    parts.unwrap_or_else(|| error.message().to_owned())
}

#[cfg(all(test, feature = "simulator"))]
mod tests;

//! Metadata in JSON, as the API and files have it: read strictly, with every mistake at its setting, and
//! compared setting by setting.

use serde_json::{Map, Value, json};

use super::{Choice, Details, Fallback, Kind, Mistake, SETTINGS, Setting, Text, all};
use crate::client::Metadata;

/// Reads all that a client can be set to, the right to personal numbers among it. Nothing is passed
/// over: what is no setting is a mistake, and so is `null`.
pub fn from_json(value: Value) -> Result<Metadata, Vec<Mistake>> {
    let mut mistakes = Vec::new();
    match value.as_object() {
        Some(members) => find_unknown(members, "", &mut mistakes),
        None => return Err(vec![Mistake::new("", "must be an object")]),
    }
    for setting in all() {
        match at(&value, setting.name) {
            Some(found) => examine(setting, found, &mut mistakes),
            None if setting.needed && is_object(&value, parent(setting.name)) => {
                mistakes.push(Mistake::new(setting.name, "must be set"));
            }
            None => {}
        }
    }
    let read = match serde_json::from_value::<Metadata>(value.clone()) {
        Ok(metadata) if mistakes.is_empty() => metadata,
        Ok(_) => return Err(mistakes),
        Err(error) => {
            locate(&value, &error.to_string(), &mut mistakes);
            return Err(mistakes);
        }
    };
    let own = read.conflicts().into_iter();
    let conflicts = own.chain(read.bankid.conflicts());
    let conflicts = conflicts.map(|conflict| Mistake::new(conflict.setting, conflict.reason));
    match conflicts.collect::<Vec<_>>() {
        none if none.is_empty() => Ok(read),
        conflicts => Err(conflicts),
    }
}

/// What stands at a path.
pub(super) fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.')
        .try_fold(value, |value, name| value.get(name))
}

/// The path that a path is below; nothing for the whole.
pub(super) fn parent(path: &str) -> &str {
    path.rsplit_once('.').map_or("", |(parent, _)| parent)
}

fn is_object(value: &Value, path: &str) -> bool {
    path.is_empty() || at(value, path).is_some_and(Value::is_object)
}

/// Whether settings are below a path.
fn is_above(path: &str) -> bool {
    let is_below = |setting: &Setting| {
        let rest = setting.name.strip_prefix(path);
        rest.is_some_and(|rest| rest.starts_with('.'))
    };
    all().any(is_below)
}

fn find_unknown(members: &Map<String, Value>, prefix: &str, mistakes: &mut Vec<Mistake>) {
    for (name, value) in members {
        let path = match prefix {
            "" => name.clone(),
            prefix => format!("{prefix}.{name}"),
        };
        // A dot within a name would be taken for a level.
        let is_name = !name.contains('.');
        let is_setting = is_name && Setting::named(&path).is_some();
        match value {
            Value::Object(below) if is_name && is_above(&path) => {
                find_unknown(below, &path, mistakes);
            }
            _ if is_setting => {}
            _ if is_name && is_above(&path) => {
                mistakes.push(Mistake::new(path, "must be an object"));
            }
            _ => mistakes.push(Mistake::unknown(&path)),
        }
    }
}

/// What can be seen without knowing how a value is written: its type, its length, its place in a list.
fn examine(setting: &Setting, value: &Value, mistakes: &mut Vec<Mistake>) {
    let reason = match setting.kind {
        Kind::Line(text) => examine_text(text, value),
        Kind::Number { least, most, .. } => match value.as_u64() {
            Some(number) if (u64::from(least)..=u64::from(most)).contains(&number) => None,
            _ => Some(format!("must be a whole number, {least} to {most}")),
        },
        Kind::Switch { details, .. } => {
            let is_fit = match details {
                Details::None => value.is_boolean(),
                Details::Optional => value.is_boolean() || value.is_object(),
                Details::Object => value.is_object(),
            };
            (!is_fit).then(|| match details {
                Details::None => "must be true or false".to_owned(),
                Details::Optional => "must be true, false or an object".to_owned(),
                Details::Object => "must be an object".to_owned(),
            })
        }
        Kind::Choice { values, .. } => examine_choice(values, value),
        Kind::Choices { values, .. } => match value.as_array() {
            Some(chosen) => examine_all(chosen, |one| examine_choice(values, one)).or_else(|| {
                let is_twice = |(at, one): (usize, &Value)| chosen[..at].contains(one);
                let is_repeated = chosen.iter().enumerate().any(is_twice);
                is_repeated.then(|| "must name nothing twice".to_owned())
            }),
            None => Some("must be a list".to_owned()),
        },
        Kind::Lines { item, most } => match value.as_array() {
            Some(list) if list.len() > most => Some(format!("must have at most {most} entries")),
            Some(list) => examine_all(list, |one| examine_text(item, one)),
            None => Some("must be a list".to_owned()),
        },
        Kind::Translations(text) => match value.as_object() {
            Some(texts) => texts.iter().find_map(|(tag, one)| {
                let reason = examine_text(text, one)?;
                Some(format!("{tag}: {reason}"))
            }),
            None => Some("must be an object with a text for each language".to_owned()),
        },
        Kind::Json => (!value.is_object()).then(|| "must be an object".to_owned()),
    };
    mistakes.extend(reason.map(|reason| Mistake::new(setting.name, reason)));
}

fn examine_text(text: Text, value: &Value) -> Option<String> {
    match value.as_str() {
        Some(written) if written.chars().count() <= text.most => None,
        Some(_) => Some(format!("must have at most {} characters", text.most)),
        None => Some("must be a text".to_owned()),
    }
}

fn examine_choice(values: &[Choice], value: &Value) -> Option<String> {
    let is_known = values.iter().any(|choice| *value == choice.value);
    let names = || values.iter().map(|choice| choice.value);
    (!is_known).then(|| format!("must be one of {}", names().collect::<Vec<_>>().join(", ")))
}

/// The first entry that is wrong, by its number.
fn examine_all(list: &[Value], examine: impl Fn(&Value) -> Option<String>) -> Option<String> {
    let wrong = |(at, one)| Some(format!("number {}: {}", at + 1, examine(one)?));
    list.iter().enumerate().find_map(wrong)
}

/// Finds the settings that cannot be read, by reading each alone. How a value is written is known to
/// its own type and nowhere else. `whole` is what was wrong with all of it together.
fn locate(value: &Value, whole: &str, mistakes: &mut Vec<Mistake>) {
    let is_told =
        |mistakes: &[Mistake], name: &str| mistakes.iter().any(|mistake| mistake.setting == name);
    for setting in all() {
        let Some(found) = at(value, setting.name) else {
            continue;
        };
        let reason = match (setting.kind, found) {
            (Kind::Lines { .. }, Value::Array(list)) => {
                examine_all(list, |one| unreadable(setting.name, &json!([one])))
            }
            // What is below it is read as settings of their own.
            (Kind::Switch { .. }, Value::Object(_)) => None,
            (_, found) => unreadable(setting.name, found),
        };
        if let Some(reason) = reason
            && !is_told(mistakes, setting.name)
        {
            mistakes.push(Mistake::new(setting.name, reason));
        }
    }
    if !mistakes.is_empty() {
        return;
    }
    // Each is in order, and yet some are too many: two names for one certificate.
    let members = value.as_object().into_iter().flatten();
    mistakes.extend(members.filter_map(|(name, value)| {
        let reason = unreadable(name, value)?;
        Some(Mistake::new(name, reason))
    }));
    if mistakes.is_empty() {
        mistakes.push(Mistake::new("", whole));
    }
}

/// Why a value cannot be read at a path, in a client that is in order but for it.
fn unreadable(path: &str, value: &Value) -> Option<String> {
    let mut metadata = json!({"client_name": "-"});
    // What cannot be without what stands beside it.
    let both = json!({"sv": "-", "en": "-"});
    for (above, complete) in [
        ("purpose", &both),
        ("theme.note", &both),
        ("personal_number", &json!({"purpose": "-"})),
    ] {
        if parent(path) == above {
            put(&mut metadata, above, complete.clone());
        }
    }
    put(&mut metadata, path, value.clone());
    let read = serde_json::from_value::<Metadata>(metadata);
    read.err().map(|error| error.to_string())
}

/// Puts a value at a path, and an object wherever the path leads through something else.
pub(super) fn put(into: &mut Value, path: &str, value: Value) {
    let place = path.split('.').fold(into, |place, name| {
        if !place.is_object() {
            *place = json!({});
        }
        &mut place[name]
    });
    *place = value;
}

/// What a setting is set to in metadata as they are written, where defaults may be left out. `Null` is
/// what is not set.
pub(super) fn value_of(setting: &Setting, written: &Value) -> Value {
    let found = at(written, setting.name);
    match (setting.kind, found) {
        (Kind::Switch { .. }, Some(Value::Object(_))) => Value::Bool(true),
        (_, Some(found)) => found.clone(),
        (kind, None) => kind.default(),
    }
}

impl Kind {
    /// What holds where nothing is said; `Null` for what is then not set.
    pub fn default(self) -> Value {
        match self {
            Kind::Line(_) | Kind::Number { .. } | Kind::Translations(_) | Kind::Json => Value::Null,
            Kind::Switch { default, .. } => Value::Bool(default),
            Kind::Choice { default, .. } => match default {
                Fallback::Value(value) => Value::from(value),
                Fallback::Unset(_) => Value::Null,
            },
            Kind::Choices { .. } | Kind::Lines { .. } => json!([]),
        }
    }
}

/// A setting that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The setting.
    pub setting: &'static Setting,
    /// What it was; `Null` where it was not set.
    pub before: Value,
    /// What it is.
    pub after: Value,
}

/// Which settings differ, in the order of the form, the right to personal numbers last.
pub fn changes(before: &Metadata, after: &Metadata) -> Vec<Change> {
    let (before, after) = (written(before), written(after));
    let change = |setting: &'static Setting| {
        let (before, after) = (value_of(setting, &before), value_of(setting, &after));
        (before != after).then_some(Change {
            setting,
            before,
            after,
        })
    };
    all().filter_map(change).collect()
}

/// Metadata as they are kept.
pub(super) fn written(metadata: &Metadata) -> Value {
    serde_json::to_value(metadata).expect("metadata are written as JSON in the database, too")
}

impl PartialEq for Setting {
    /// The table names each once.
    fn eq(&self, other: &Setting) -> bool {
        self.name == other.name
    }
}

/// The settings of a form that are below a switch, with the switch.
pub(super) fn switch_above(setting: &Setting) -> Option<&'static Setting> {
    let above = SETTINGS.iter().find(|s| s.name == parent(setting.name))?;
    matches!(above.kind, Kind::Switch { .. }).then_some(above)
}

//! What was sent, read strictly: what has no meaning here is a mistake, and so is a value that is none.

use serde_json::{Map, Value};

use super::problem::Problem;
use crate::authorize::request::Parameters;
use crate::client::setting::Mistake;

/// A parameter of the query.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What it can be.
    pub kind: ParameterKind,
    /// Whether the operation needs it.
    pub is_needed: bool,
    /// What it is for.
    pub description: &'static str,
}

/// What a parameter can be.
#[derive(Clone, Copy, Debug)]
pub enum ParameterKind {
    /// Text of so many characters.
    Text {
        /// The fewest.
        least: usize,
        /// The most.
        most: usize,
    },
    /// A cursor.
    Cursor,
    /// The id of a client.
    ClientId,
    /// A whole number.
    Number {
        /// The least.
        least: u16,
        /// The most.
        most: u16,
    },
    /// One of these.
    OneOf(&'static [&'static str]),
}

impl ParameterKind {
    fn mistake(self, value: &str) -> Option<String> {
        let (is_sound, reason) = match self {
            ParameterKind::Text { least, most } => (
                (least..=most).contains(&value.chars().count()),
                format!("must be {least} to {most} characters"),
            ),
            ParameterKind::Cursor => (
                super::cursor::is_one(value),
                "must be a next of this list".to_owned(),
            ),
            ParameterKind::ClientId => (
                crate::id::ClientId::parse(value).is_some(),
                "must be 1 to 255 visible ASCII characters".to_owned(),
            ),
            ParameterKind::Number { least, most } => (
                is_number(value, least, most),
                format!("must be a whole number, {least} to {most}"),
            ),
            ParameterKind::OneOf(values) => (
                values.contains(&value),
                format!("must be one of {}", values.join(", ")),
            ),
        };
        (!is_sound).then_some(reason)
    }
}

fn is_number(value: &str, least: u16, most: u16) -> bool {
    let is_plain = value.bytes().all(|b| b.is_ascii_digit());
    let number: Option<u16> = value.parse().ok().filter(|_| is_plain);
    number.is_some_and(|number| (least..=most).contains(&number))
}

/// Whether a query is one that an operation takes.
pub fn examine(query: &Parameters, known: &[Parameter]) -> Result<(), Problem> {
    let mut mistakes = Vec::new();
    for (name, value) in query.pairs() {
        let reason = match known.iter().find(|parameter| parameter.name == name) {
            None => Some("is no parameter of this operation".to_owned()),
            Some(_) if query.is_repeated(name) => Some("was sent more than once".to_owned()),
            Some(parameter) => parameter.kind.mistake(value),
        };
        mistakes.extend(reason.map(|reason| unknown_or(name, reason)));
    }
    let is_missing = |parameter: &&Parameter| {
        parameter.is_needed && !query.pairs().any(|(name, _)| name == parameter.name)
    };
    let missing = known.iter().filter(is_missing);
    mistakes.extend(missing.map(|parameter| Mistake::new(parameter.name, "must be sent")));
    match mistakes.is_empty() {
        true => Ok(()),
        false => Err(Problem::mistakes(mistakes)),
    }
}

/// A mistake at a name that somebody else chose. Whoever sent it need not read it all again.
fn unknown_or(name: &str, reason: String) -> Mistake {
    Mistake::new(name.chars().take(80).collect::<String>(), reason)
}

/// The members of an object, taken one by one. What is left over is a mistake.
pub struct Members {
    members: Map<String, Value>,
    mistakes: Vec<Mistake>,
}

/// Reads one value, or says what it must be.
pub type Reading<T> = Result<T, String>;

impl Members {
    /// The members of what was sent.
    pub fn of(members: Map<String, Value>) -> Members {
        Members {
            members,
            mistakes: Vec::new(),
        }
    }

    /// A member that must be there; `None` for a mistake.
    pub fn need<T>(&mut self, name: &str, read: impl FnOnce(Value) -> Reading<T>) -> Option<T> {
        if !self.members.contains_key(name) {
            self.mistakes.push(Mistake::new(name, "must be set"));
        }
        self.may(name, read)
    }

    /// A member that may be there; `None` where it is not, or for a mistake.
    pub fn may<T>(&mut self, name: &str, read: impl FnOnce(Value) -> Reading<T>) -> Option<T> {
        let value = self.members.remove(name)?;
        match read(value) {
            Ok(read) => Some(read),
            Err(reason) => {
                self.mistakes.push(Mistake::new(name, reason));
                None
            }
        }
    }

    /// With the mistakes of a part that is read elsewhere.
    pub fn also(&mut self, mistakes: impl IntoIterator<Item = Mistake>) {
        self.mistakes.extend(mistakes);
    }

    /// What was read, when all of it is in order.
    pub fn end<T>(mut self, read: Option<T>) -> Result<T, Problem> {
        let unknown = self.members.keys();
        let unknown = unknown.map(|name| unknown_or(name, "is not known here".to_owned()));
        let unknown: Vec<Mistake> = unknown.collect();
        self.mistakes.extend(unknown);
        match read {
            Some(read) if self.mistakes.is_empty() => Ok(read),
            _ => Err(Problem::mistakes(self.mistakes)),
        }
    }
}

/// A text that means something.
pub fn text<T>(
    reason: &'static str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> impl FnOnce(Value) -> Reading<T> {
    move |value| {
        let read = value.as_str().and_then(parse);
        read.ok_or_else(|| reason.to_owned())
    }
}

/// A list of texts that each mean something.
pub fn texts<T>(
    reason: &'static str,
    most: usize,
    parse: impl Fn(&str) -> Option<T>,
) -> impl FnOnce(Value) -> Reading<Vec<T>> {
    move |value| {
        let list = value.as_array().filter(|list| list.len() <= most);
        let read = list.and_then(|list| {
            let one = |value: &Value| value.as_str().and_then(&parse);
            list.iter().map(one).collect()
        });
        read.ok_or_else(|| reason.to_owned())
    }
}

/// A whole number.
pub fn number(least: u32, most: u32) -> impl FnOnce(Value) -> Reading<u32> {
    move |value| {
        // 3.0 is a whole number, too (JSON Schema Core §4.2.3).
        let whole = value.as_f64().filter(|number| number.fract() == 0.0);
        let number = whole.and_then(|number| number.to_string().parse().ok());
        let number = number.filter(|number| (least..=most).contains(number));
        number.ok_or_else(|| format!("must be a whole number, {least} to {most}"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(problem: &Problem) -> Vec<(String, String)> {
        let mistakes = problem.told_mistakes().iter();
        mistakes
            .map(|one| (one.setting.clone(), one.reason.clone()))
            .collect()
    }

    fn names(problem: &Problem) -> Vec<String> {
        told(problem).into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn every_mistake_in_a_query_is_told() {
        let _shows = crate::shows!(accepting "PV-API-5", refusing "PV-API-5");
        let parameter = |name, kind, is_needed| Parameter {
            name,
            kind,
            is_needed,
            description: "",
        };
        let known = [
            parameter(
                "limit",
                ParameterKind::Number {
                    least: 1,
                    most: 200,
                },
                false,
            ),
            parameter("state", ParameterKind::OneOf(&["a", "b"]), false),
            parameter("client_id", ParameterKind::ClientId, false),
            parameter("search", ParameterKind::Text { least: 0, most: 3 }, true),
        ];
        let query = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter();
            Parameters::from_pairs(pairs.map(|(n, v)| ((*n).to_owned(), (*v).to_owned())))
        };
        let sound = [
            ("limit", "200"),
            ("state", "b"),
            ("client_id", "å"),
            ("search", ""),
        ];
        let wrong = examine(&query(&sound), &known).expect_err("an id is ASCII");
        assert_eq!(names(&wrong), ["client_id"]);
        examine(&query(&[("limit", "1"), ("search", "åäö")]), &known).expect("in order");
        for bad in ["", "0", "201", "+1", "1.0", "x", " 1"] {
            let wrong = examine(&query(&[("limit", bad), ("search", "")]), &known);
            assert_eq!(names(&wrong.expect_err(bad)), ["limit"]);
        }
        let wrong = query(&[("state", "c"), ("x", "1"), ("limit", "1"), ("limit", "2")]);
        let wrong = examine(&wrong, &known).expect_err("all of it");
        assert_eq!(names(&wrong), ["state", "x", "limit", "limit", "search"]);
    }

    #[test]
    fn what_is_left_over_is_a_mistake() {
        let _shows = crate::shows!(accepting "PV-API-5", refusing "PV-API-5");
        let members = |value: Value| Members::of(value.as_object().cloned().expect("an object"));
        let read = |value| {
            let mut members = members(value);
            let a = members.need("a", number(1, 9));
            let b = members.may(
                "b",
                texts("must be a list", 2, |text| Some(text.to_owned())),
            );
            members.end(a.map(|a| (a, b)))
        };
        assert_eq!(read(json!({"a": 3})).expect("in order"), (3, None));
        assert_eq!(read(json!({"a": 3.0})).expect("in order"), (3, None));
        let (_, b) = read(json!({"a": 3, "b": ["x"]})).expect("in order");
        assert_eq!(b, Some(vec!["x".to_owned()]));
        for (value, expected) in [
            (json!({}), &["a"][..]),
            (json!({"a": null}), &["a"]),
            (json!({"a": 10, "b": [1], "c": null}), &["a", "b", "c"]),
            (json!({"a": 1.5}), &["a"]),
            (json!({"a": -1}), &["a"]),
            (json!({"a": "3"}), &["a"]),
            (json!({"a": 1, "b": ["x", "y", "z"]}), &["b"]),
        ] {
            assert_eq!(
                names(&read(value.clone()).expect_err("wrong")),
                expected,
                "{value}"
            );
        }
    }
}

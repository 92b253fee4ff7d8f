//! The `claims` parameter (OpenID Connect Core §5.5).

use std::collections::BTreeMap;

use serde_json::Value;

use crate::bankid::personal_number::PersonalNumber;
use crate::json;

/// Claims asked for one by one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClaimsRequest {
    /// To stand in the ID token.
    pub id_token: BTreeMap<String, ClaimRequest>,
    /// To stand at userinfo.
    pub userinfo: BTreeMap<String, ClaimRequest>,
}

/// How one claim is asked for (OpenID Connect Core §5.5.1).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ClaimRequest {
    /// Whether the client calls it essential.
    pub essential: bool,
    /// The values that it wants, in order of preference; empty for any.
    pub values: Vec<Value>,
}

impl std::fmt::Debug for ClaimRequest {
    /// The values may be personal data.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClaimRequest")
            .field("essential", &self.essential)
            .field("values", &self.values.len())
            .finish()
    }
}

/// The most that the parameter may hold, in bytes.
const LENGTH: usize = 4096;

impl ClaimsRequest {
    /// Reads the parameter; `None` when it is not an object of the specified shape. Unknown
    /// members are ignored.
    pub fn parse(text: &str) -> Option<ClaimsRequest> {
        if text.len() > LENGTH {
            return None;
        }
        let whole = json::object(text.as_bytes())?;
        Some(ClaimsRequest {
            id_token: part(whole.get("id_token"))?,
            userinfo: part(whole.get("userinfo"))?,
        })
    }

    /// The subjects of which one must log in, when any are asked for by value; `None` when one of them is no
    /// text.
    pub fn subjects(&self) -> Option<Vec<&str>> {
        let asked = self.id_token.get("sub");
        let values = asked.into_iter().flat_map(|sub| &sub.values);
        values.map(Value::as_str).collect()
    }

    /// The personal numbers of which one is essential (OpenID Connect Core §5.5.1); `None` when one of
    /// them is no such number. `names` are all that the client may ask for it by: what is asked by several must be
    /// met by all, and what has nobody in common never can.
    pub fn essential_people(&self, names: &[&str]) -> Option<Vec<PersonalNumber>> {
        let parts = [&self.id_token, &self.userinfo].into_iter();
        let asked = parts.flat_map(|part| names.iter().filter_map(|name| part.get(*name)));
        let mut people: Option<Vec<PersonalNumber>> = None;
        for claim in asked.filter(|claim| claim.essential && !claim.values.is_empty()) {
            let values = claim.values.iter();
            let wanted: Option<Vec<_>> = values
                .map(|value| PersonalNumber::parse(value.as_str()?))
                .collect();
            let mut wanted = wanted?;
            wanted.retain(|number| people.as_ref().is_none_or(|all| all.contains(number)));
            people = Some(wanted);
        }
        match people {
            Some(nobody) if nobody.is_empty() => None,
            people => Some(people.unwrap_or_default()),
        }
    }

    /// The `acr` values of which one is essential (OpenID Connect Core §5.5.1.1).
    pub fn essential_acrs(&self) -> Option<Vec<&str>> {
        let acr = self.id_token.get("acr")?;
        (acr.essential && !acr.values.is_empty())
            .then(|| acr.values.iter().filter_map(Value::as_str).collect())
    }
}

fn part(member: Option<&Value>) -> Option<BTreeMap<String, ClaimRequest>> {
    match member {
        None | Some(Value::Null) => Some(BTreeMap::new()),
        Some(Value::Object(claims)) => claims
            .iter()
            .map(|(name, how)| Some((name.clone(), claim(how)?)))
            .collect(),
        Some(_) => None,
    }
}

fn claim(how: &Value) -> Option<ClaimRequest> {
    let how = match how {
        Value::Null => return Some(ClaimRequest::default()),
        Value::Object(how) => how,
        _ => return None,
    };
    let essential = match how.get("essential") {
        None => false,
        Some(Value::Bool(essential)) => *essential,
        Some(_) => return None,
    };
    let values = match (how.get("value"), how.get("values")) {
        (None, None) => Vec::new(),
        (Some(value), None) => vec![value.clone()],
        (None, Some(Value::Array(values))) => values.clone(),
        _ => return None,
    };
    Some(ClaimRequest { essential, values })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_specification_is_read() {
        let _shows = crate::shows!(accepting "AU-28", refusing "AU-28");
        let example = r#"{"userinfo":{"given_name":{"essential":true},"nickname":null,
            "http://example.info/claims/groups":null},
            "id_token":{"auth_time":{"essential":true},"acr":{"values":["urn:mace:incommon:iap:silver"]}}}"#;
        let request = ClaimsRequest::parse(example).expect("it is valid");
        assert!(request.userinfo["given_name"].essential);
        assert!(!request.userinfo["nickname"].essential);
        assert_eq!(request.id_token["acr"].values.len(), 1);
        assert_eq!(request.essential_acrs(), None);
        let deep = format!(
            r#"{{"id_token":{{"x":{{"value":{}1{}}}}}}}"#,
            "[".repeat(9),
            "]".repeat(9)
        );
        let long = format!(r#"{{"x":"{}"}}"#, "a".repeat(LENGTH));
        for bad in [
            "",
            "[]",
            "1",
            "null",
            "{",
            r#"{"id_token":[]}"#,
            r#"{"id_token":{"sub":1}}"#,
            r#"{"userinfo":{"name":{"essential":"yes"}}}"#,
            r#"{"userinfo":{"name":{"values":"x"}}}"#,
            &deep,
            &long,
        ] {
            assert_eq!(ClaimsRequest::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn whom_a_request_names_is_found_by_every_name() {
        let _shows = crate::shows!(accepting "AU-29", refusing "AU-29");
        let names = ["personal_number", "nin", "coordination"];
        let people = |text: &str| {
            let request = ClaimsRequest::parse(text).expect("it is valid");
            let people = request.essential_people(&names)?;
            Some(
                people
                    .iter()
                    .map(|one| one.expose().to_owned())
                    .collect::<Vec<_>>(),
            )
        };
        let (tolvan, other) = ("191212121212", "197010632391");
        let essential = |number| format!(r#"{{"essential":true,"value":"{number}"}}"#);
        let both = format!(r#"{{"essential":true,"values":["{tolvan}","{other}"]}}"#);
        let (first, second) = (essential(tolvan), essential(other));
        for (text, expected) in [
            ("{}".to_owned(), Some(vec![])),
            (
                format!(r#"{{"id_token":{{"coordination":{second}}}}}"#),
                Some(vec![other]),
            ),
            (
                format!(
                    r#"{{"id_token":{{"personal_number":{{"essential":true}},"nin":{first}}}}}"#
                ),
                Some(vec![tolvan]),
            ),
            (
                format!(
                    r#"{{"id_token":{{"nin":{both}}},"userinfo":{{"coordination":{second}}}}}"#
                ),
                Some(vec![other]),
            ),
            (
                format!(r#"{{"id_token":{{"nin":{first},"coordination":{second}}}}}"#),
                None,
            ),
            (
                format!(r#"{{"id_token":{{"nin":{first}}},"userinfo":{{"nin":{second}}}}}"#),
                None,
            ),
            (
                r#"{"id_token":{"nin":{"essential":true,"value":7}}}"#.to_owned(),
                None,
            ),
        ] {
            let expected = expected.map(|all| all.into_iter().map(str::to_owned).collect());
            assert_eq!(people(&text), expected, "{text}");
        }
        let subjects = |sub: &str| {
            let text = format!(r#"{{"id_token":{{"sub":{sub}}}}}"#);
            let request = ClaimsRequest::parse(&text).expect("it is valid");
            let subjects = request.subjects()?;
            Some(subjects.into_iter().map(str::to_owned).collect::<Vec<_>>())
        };
        assert_eq!(subjects("null"), Some(vec![]));
        let two = subjects(r#"{"values":["other","mine"]}"#);
        assert_eq!(two, Some(vec!["other".to_owned(), "mine".to_owned()]));
        assert_eq!(subjects(r#"{"value":12345}"#), None);
    }

    #[test]
    fn values_are_not_printed() {
        let request =
            ClaimsRequest::parse(r#"{"id_token":{"personal_number":{"value":"191212121212"}}}"#);
        assert!(!format!("{request:?}").contains("1912"));
    }
}

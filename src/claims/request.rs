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

    /// The subject that must log in, when one is asked for by value.
    pub fn subject(&self) -> Option<&str> {
        self.id_token.get("sub")?.values.first()?.as_str()
    }

    /// The personal numbers of which one is essential (OpenID Connect Core §5.5.1); `None` when one of
    /// them is no such number. `name` is what the client knows the claim by.
    pub fn essential_people(&self, name: &str) -> Option<Vec<PersonalNumber>> {
        let asked = |part: &BTreeMap<String, ClaimRequest>| -> Option<Vec<PersonalNumber>> {
            let claim = part.get("personal_number").or_else(|| part.get(name));
            let claim = claim.filter(|claim| claim.essential);
            let values = claim.into_iter().flat_map(|claim| &claim.values);
            values
                .map(|value| PersonalNumber::parse(value.as_str()?))
                .collect()
        };
        let (token, userinfo) = (asked(&self.id_token)?, asked(&self.userinfo)?);
        match (token.is_empty(), userinfo.is_empty()) {
            (true, _) => Some(userinfo),
            (_, true) => Some(token),
            // Both must be met; two that have nobody in common never can.
            (false, false) => {
                let both: Vec<_> = token.into_iter().filter(|n| userinfo.contains(n)).collect();
                (!both.is_empty()).then_some(both)
            }
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
    fn values_are_not_printed() {
        let request =
            ClaimsRequest::parse(r#"{"id_token":{"personal_number":{"value":"191212121212"}}}"#);
        assert!(!format!("{request:?}").contains("1912"));
    }
}

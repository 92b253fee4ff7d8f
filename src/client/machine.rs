//! Whether a client is given access tokens for itself (RFC 6749 §4.4), and for what.

use serde::{Deserialize, Serialize};

use crate::authorize::request::Scope;

/// `client_credentials`: a table, with what its tokens may be for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The scope values that it may ask for; all of them, when it names none.
    #[serde(default)]
    pub scopes: Vec<OwnScope>,
}

/// A scope value of a client's own services (RFC 6749 §3.3), none of those that speak of a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct OwnScope(String);

impl OwnScope {
    /// The most bytes of one.
    pub const LONGEST: usize = 255;

    /// RFC 6749 §3.3.
    pub fn parse(text: &str) -> Option<OwnScope> {
        let is_short = (1..=OwnScope::LONGEST).contains(&text.len());
        let is_token = text
            .bytes()
            .all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\');
        let is_of_a_person = Scope::ALL.iter().any(|scope| scope.as_str() == text);
        (is_token && is_short && !is_of_a_person).then(|| OwnScope(text.to_owned()))
    }

    /// The value.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for OwnScope {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        OwnScope::parse(&text).ok_or_else(|| {
            let of_people = Scope::ALL.map(Scope::as_str).join(", ");
            serde::de::Error::custom(format!(
                "a scope of client_credentials is printable ASCII without spaces, and none of {of_people}"
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_of_a_machine_speaks_of_nobody() {
        let _shows = crate::shows!(accepting "PV-MACHINE-1", refusing "PV-MACHINE-1");
        for good in ["orders:read", "a", "https://api.example/read"] {
            assert_eq!(OwnScope::parse(good).expect(good).as_str(), good);
        }
        for bad in [
            "",
            &"a".repeat(256),
            "a b",
            "a\"",
            "a\\",
            "å",
            "openid",
            "profile",
            "personal_number",
            "offline_access",
        ] {
            assert_eq!(OwnScope::parse(bad), None, "{bad}");
        }
    }
}

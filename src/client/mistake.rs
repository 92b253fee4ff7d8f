//! Why a client's request was refused, for whoever looks after the client: the exact mistake by a name
//! ([`Reason`]), what can be told of the difference ([`Detail`]), and both in plain words
//! ([`Explanation`]). What the client itself is told is decided elsewhere and says no more for this.
//!
//! A rule names the mistake as far as it knows it ([`Refusal::because`](crate::error::Refusal::because)).
//! [`diagnosis`] looks closer, at what came and what is registered.

pub mod address;
pub mod diagnosis;
pub mod near;
mod reasons;
pub mod received;
mod signed;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use self::reasons::Reason;
pub use self::received::Received;
use crate::clock::Timestamp;
use crate::id::{ClientId, Id, kind};

/// Where a client was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// The authorization endpoint.
    Authorize,
    /// Pushed authorization requests.
    Par,
    /// The token endpoint.
    Token,
    /// Userinfo.
    Userinfo,
    /// Introspection.
    Introspect,
    /// Revocation.
    Revoke,
    /// The end of a session.
    Logout,
    /// Registrations.
    Register,
}

impl Endpoint {
    /// All of them.
    pub const ALL: [Endpoint; 8] = [
        Endpoint::Authorize,
        Endpoint::Par,
        Endpoint::Token,
        Endpoint::Userinfo,
        Endpoint::Introspect,
        Endpoint::Revoke,
        Endpoint::Logout,
        Endpoint::Register,
    ];

    /// The word that its address begins with.
    pub fn as_str(self) -> &'static str {
        match self {
            Endpoint::Authorize => "authorize",
            Endpoint::Par => "par",
            Endpoint::Token => "token",
            Endpoint::Userinfo => "userinfo",
            Endpoint::Introspect => "introspect",
            Endpoint::Revoke => "revoke",
            Endpoint::Logout => "logout",
            Endpoint::Register => "register",
        }
    }

    /// By that word.
    pub fn parse(text: &str) -> Option<Endpoint> {
        Endpoint::ALL.into_iter().find(|e| e.as_str() == text)
    }

    /// The endpoint at a path; `None` where people are at home.
    pub fn at(path: &str) -> Option<Endpoint> {
        Endpoint::parse(path.split('/').nth(1)?)
    }
}

/// What was seen of a difference: no secret, and nobody's data.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detail {
    /// What is registered, or expected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registered: Option<String>,
    /// What came instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received: Option<String>,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// By how much a time was missed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<i64>,
}

/// A mistake in plain words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// What happened.
    pub what: &'static str,
    /// What came, and what was expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub difference: Option<String>,
    /// What to do.
    pub remedy: &'static str,
}

impl Reason {
    /// By its name; `None` for one of another version.
    pub fn parse(text: &str) -> Option<Reason> {
        Reason::ALL
            .iter()
            .copied()
            .find(|reason| reason.as_str() == text)
    }

    /// In plain words. A difference of which a part was not seen is left out.
    pub fn explain(self, detail: &Detail) -> Explanation {
        let words = self.words();
        Explanation {
            what: words.what,
            difference: difference(words.difference, detail),
            remedy: words.remedy,
        }
    }
}

fn difference(template: &str, detail: &Detail) -> Option<String> {
    let mut said = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}')?;
        let value = match name {
            "registered" => detail.registered.clone()?,
            "received" => detail.received.clone()?,
            "names" if !detail.names.is_empty() => detail.names.join(", "),
            "seconds" => detail.seconds?.to_string(),
            _ => return None,
        };
        said += before;
        said += &value;
        rest = after;
    }
    said += rest;
    (!said.is_empty()).then_some(said)
}

/// A refused request as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its name.
    pub id: Id<kind::Refusal>,
    /// Whose request it was; none, where it named no client that is registered.
    pub client_id: Option<ClientId>,
    /// What it called its client where none has that name.
    pub claimed: Option<String>,
    /// Where.
    pub endpoint: Endpoint,
    /// The error code that the client was told, or the mistake that a page told of.
    pub code: String,
    /// Why.
    pub reason: Reason,
    /// What was seen.
    pub detail: Detail,
    /// By which name the page of the error knows it.
    pub reference: String,
    /// How often the same came in that minute.
    pub times: i64,
    /// When it came first.
    pub at: Timestamp,
}

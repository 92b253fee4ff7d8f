//! Who asks: a registered application (RFC 6749 §2), and what it may have.

pub mod assertion;
pub mod authentication;
pub mod bankid;
pub mod certificate;
pub mod distinguished_name;
pub mod guessing;
pub mod keys;
pub mod logo;
pub mod machine;
pub mod metadata;
pub mod method;
pub mod mistake;
pub mod origin;
pub mod preset;
pub mod profile;
pub mod refresh;
pub mod registered;
pub mod registration;
pub mod setting;
pub mod theme;
mod translations;

use serde::{Deserialize, Serialize};

pub use self::metadata::Metadata;
pub use self::method::Authentication;
pub use self::profile::Profile;
pub use self::translations::{MOST_LANGUAGES, Names, Purpose};
use crate::authorize::redirect_uri::RedirectUri;
use crate::bankid::order::rearranges;
use crate::clock::Timestamp;
use crate::id::ClientId;

/// A registered client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Its name in the protocol.
    pub client_id: ClientId,
    /// Its sector for pairwise subjects (OpenID Connect Core §8.1), fixed when it was created.
    pub sector: String,
    /// Everything else.
    pub metadata: Metadata,
}

/// An address of a client that we call: https, without fragment and user. Where it leads is looked at
/// when it is called ([`crate::outbound`]).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct CalledUri(String);

impl CalledUri {
    /// OpenID Connect Core §10.1, Back-Channel Logout §2.2.
    pub fn parse(text: &str) -> Option<CalledUri> {
        let uri = RedirectUri::parse(text)?;
        uri.as_str()
            .starts_with("https://")
            .then(|| CalledUri(text.to_owned()))
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for CalledUri {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        CalledUri::parse(&text).ok_or_else(|| {
            serde::de::Error::custom("must be https without fragment, user or wildcard")
        })
    }
}

/// What a client's access tokens are made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccessTokens {
    /// Random bits, which say nothing to whoever holds them.
    #[default]
    Opaque,
    /// JWTs (RFC 9068), signed as its ID tokens are.
    Jwt,
}

impl AccessTokens {
    fn are_opaque(&self) -> bool {
        *self == AccessTokens::Opaque
    }
}

/// Whether a client must use PKCE (RFC 7636).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pkce {
    /// A request without a challenge is refused.
    #[default]
    Required,
    /// A request may come without one; one that comes is verified.
    Accepted,
}

/// Whether a person is known by different names in different sectors (OpenID Connect Core §8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubjectType {
    /// Another subject in each sector.
    #[default]
    Pairwise,
    /// The same subject for all such clients.
    Public,
}

/// The right to ask for personal numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entitlement {
    /// Why it is needed (3 kap. 10 § lagen 2018:218).
    pub purpose: Reason,
    /// Until when; without, until somebody ends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

impl Entitlement {
    /// The most characters of a purpose.
    pub const LONGEST: usize = 500;

    /// Whether it holds at a time.
    pub fn holds(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| end > now)
    }
}

/// Why a client needs personal numbers, as it is written down.
pub type Reason = Line<{ Entitlement::LONGEST }>;

/// A name that people see.
pub type Name = Line<80>;
/// What people read about a client. Short enough that BankID's app shows it with all that stands
/// around it.
pub type Sentence = Line<140>;

/// A line of text: 1 to `MOST` characters, none of which rearranges the text around it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Line<const MOST: usize>(String);

impl<const MOST: usize> Line<MOST> {
    /// Takes a line as it will be shown.
    pub fn parse(text: &str) -> Option<Line<MOST>> {
        let trimmed = text.trim();
        let sound = (1..=MOST).contains(&trimmed.chars().count())
            && !trimmed
                .chars()
                .any(|c| rearranges(c) || c.is_control() || is_invisible(c));
        sound.then(|| Line(trimmed.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a character takes no place, or an empty one that is no space: a name of nothing else would
/// be no name, and two names that differ by it look alike. The joiners, which scripts need, are not
/// among them.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}'
        | '\u{2060}'..='\u{2065}' | '\u{206a}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

impl<'de, const MOST: usize> Deserialize<'de> for Line<MOST> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Line::parse(&text).ok_or_else(|| {
            serde::de::Error::custom(format!(
                "must be 1 to {MOST} visible characters without control characters"
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_hide_or_turn_text() {
        assert!(Name::parse("Kommunen").is_some());
        for bad in [
            "",
            "  ",
            "a\u{202e}b",
            "a\u{200f}b",
            "a\nb",
            "a\u{1b}[31mb",
            "a\u{200b}b",
            "\u{feff}",
            "\u{3164}",
            "a\u{e0041}",
            &"x".repeat(81),
        ] {
            assert!(Name::parse(bad).is_none(), "{bad:?}");
        }
    }
}

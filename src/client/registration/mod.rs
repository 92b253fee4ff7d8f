//! Clients that register themselves (RFC 7591, OpenID Connect Dynamic Client Registration 1.0), by a token
//! that an administrator issued, and manage their registration (RFC 7592).
//!
//! Such a client may say what concerns itself: its addresses, its keys, its algorithms. What an
//! administrator must decide, personal numbers above all, has no name among the members that are read
//! ([`request`]), so that no registration can ask for it.

pub mod request;
pub mod response;
pub mod sector;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use super::refresh::RefreshTokens;
use super::{CalledUri, Client, Line, Pkce};
use crate::clock::Timestamp;
use crate::error::Code;
use crate::id::{Id, kind};

/// What a client that registered itself is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// The client, as any other.
    pub client: Client,
    /// What the token that it came by allows it.
    pub allowance: Allowance,
    /// What it said besides.
    pub details: Details,
    /// Since when it is registered.
    pub issued_at: Timestamp,
}

/// What an initial access token allows beyond what any client may.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowance {
    /// Whether its clients may have refresh tokens, and for how long.
    #[serde(default, skip_serializing_if = "RefreshTokens::is_off")]
    pub refresh_tokens: RefreshTokens,
    /// Whether its clients must use PKCE. Some test suites' do not.
    #[serde(default)]
    pub pkce: Pkce,
    /// The sector that its clients are in, wherever their addresses are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sector: Option<String>,
}

/// An initial access token, without the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitialAccessToken {
    /// What it is called where it is listed.
    pub id: Id<kind::InitialAccessToken>,
    /// What it is for, in its issuer's words.
    pub note: Note,
    /// What it allows.
    pub allowance: Allowance,
    /// How many clients may register by it.
    pub uses: u32,
    /// How many still may.
    pub uses_left: u32,
    /// Until when.
    pub expires_at: Timestamp,
    /// Since when not any more, because somebody said so.
    pub revoked_at: Option<Timestamp>,
}

/// What somebody wrote about a token.
pub type Note = Line<120>;

/// What a client said of itself that only its registration needs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    /// Where it runs.
    #[serde(default)]
    pub application_type: ApplicationType,
    /// Where it publishes which addresses are one sector's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sector_identifier_uri: Option<CalledUri>,
    /// Whether it calls the endpoints where certificates are shown (RFC 8705 §5). It is up to the client.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub use_mtls_endpoint_aliases: bool,
    /// Who answers for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contacts: Vec<Contact>,
}

/// Somebody's address.
pub type Contact = Line<254>;

/// Where a client runs (OpenID Connect Dynamic Client Registration §2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApplicationType {
    /// On a server, or in a browser.
    #[default]
    Web,
    /// On a person's own device.
    Native,
}

/// A registration that is turned down (RFC 7591 §3.2.2). It has words of its own, because it names the
/// member that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// One of the codes of that section.
    pub code: Code,
    /// For the client's developer, in ASCII. Nothing that was sent is repeated.
    pub description: String,
}

impl Refused {
    fn metadata(description: impl Into<String>) -> Refused {
        Refused {
            code: Code::InvalidClientMetadata,
            description: description.into(),
        }
    }
}

//! Code → tokens → their afterlife (step 6).

pub mod access_token;
pub mod binding;
pub mod client_credentials;
pub mod code;
pub mod dpop;
pub mod fresh;
pub mod grant;
pub mod id_token;
pub mod introspection;
pub mod refresh;
pub mod revocation;
pub mod userinfo;

use crate::secret::{Digest, Secret, kind as secret};

/// What a client may come to the token endpoint with (RFC 6749 §1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantType {
    /// RFC 6749 §4.1.3.
    AuthorizationCode,
    /// RFC 6749 §6.
    RefreshToken,
    /// RFC 6749 §4.4.
    ClientCredentials,
}

impl GrantType {
    /// All of them, for discovery.
    pub const ALL: [GrantType; 3] = [
        GrantType::AuthorizationCode,
        GrantType::RefreshToken,
        GrantType::ClientCredentials,
    ];

    /// The value as it is sent.
    pub fn as_str(self) -> &'static str {
        match self {
            GrantType::AuthorizationCode => "authorization_code",
            GrantType::RefreshToken => "refresh_token",
            GrantType::ClientCredentials => "client_credentials",
        }
    }

    /// `None` for one that is not supported.
    pub fn parse(text: &str) -> Option<GrantType> {
        GrantType::ALL.into_iter().find(|g| g.as_str() == text)
    }
}

/// A token that somebody shows without being believed. Its prefix, or its `typ`, tells its kind,
/// whatever `token_type_hint` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// By its shape an access token.
    Access(Digest<secret::AccessToken>),
    /// By its shape a refresh token.
    Refresh(Digest<secret::RefreshToken>),
    /// Nothing that we give out as such.
    Other,
}

impl Shown {
    /// Reads a token of either kind.
    pub fn read(text: &str) -> Shown {
        if let Some(digest) = access_token::read(text) {
            Shown::Access(digest)
        } else if let Some(token) = Secret::<secret::RefreshToken>::parse(text) {
            Shown::Refresh(token.digest())
        } else {
            Shown::Other
        }
    }
}

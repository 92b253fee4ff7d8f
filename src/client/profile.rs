//! What a client's profile decides where specifications ask for opposite things.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::assertion::Audience;
use super::method::Authentication;
use crate::clock::Seconds;
use crate::jose::algorithm::Algorithm;
use crate::jose::jwks::ClientAlgorithm;

/// The rules that a client lives by where specifications ask for opposite things.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// OpenID Connect, with what has grown around it.
    #[default]
    Standard,
    /// The FAPI 2.0 Security Profile.
    Fapi2,
}

impl Profile {
    /// FAPI 2.0 §5.3.2.1: only what nobody can repeat.
    pub fn takes(self, authentication: Authentication) -> bool {
        use Authentication::{PrivateKeyJwt, SelfSignedTlsClientAuth, TlsClientAuth};
        let strong = [PrivateKeyJwt, TlsClientAuth, SelfSignedTlsClientAuth];
        self == Profile::Standard || strong.contains(&authentication)
    }

    /// FAPI 2.0 §5.4.1.
    pub fn takes_algorithm(self, algorithm: ClientAlgorithm) -> bool {
        use ClientAlgorithm::{ES256, EdDSA, PS256};
        self == Profile::Standard || [PS256, ES256, EdDSA].contains(&algorithm)
    }

    /// FAPI 2.0 §5.4.1, of what we sign.
    pub fn has_algorithm(self, algorithm: Algorithm) -> bool {
        self == Profile::Standard || algorithm != Algorithm::RS256
    }

    /// What we sign with for a client that names no algorithm: OpenID Connect has RS256, FAPI 2.0 its
    /// like that may still be used.
    pub fn usual_algorithm(self) -> Algorithm {
        match self {
            Profile::Standard => Algorithm::RS256,
            Profile::Fapi2 => Algorithm::PS256,
        }
    }

    /// What a client assertion may be meant for. FAPI 2.0 §5.3.2.1: the issuer as a string, because an
    /// endpoint's address can be somebody else's idea (RFC 7523bis). OpenID Connect Core §9, RFC 9126
    /// §2: endpoints too, and several of ours.
    pub fn takes_audience(self, meant_for: &Value, audience: &Audience) -> bool {
        let is_ours = |one: &Value| {
            let is = |name: &String| one.as_str() == Some(name);
            is(&audience.issuer) || audience.endpoints.iter().any(is)
        };
        match (self, meant_for) {
            (Profile::Fapi2, one) => one.as_str() == Some(&audience.issuer),
            (Profile::Standard, Value::Array(several)) => {
                !several.is_empty() && several.iter().all(is_ours)
            }
            (Profile::Standard, one) => is_ours(one),
        }
    }

    /// How long a client assertion may be good. Libraries are found that make them for an hour.
    pub fn longest_assertion(self) -> Seconds {
        match self {
            Profile::Standard => Seconds(60 * 60),
            Profile::Fapi2 => Seconds(10 * 60),
        }
    }
}

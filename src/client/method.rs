//! The ways in which clients prove who they are (OpenID Connect Core §9, RFC 8705 §2), and the one that a
//! client is registered with.

use serde::{Deserialize, Serialize};

/// How a client proves who it is where it calls us itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Authentication {
    /// By a secret, in the header or in the form (RFC 6749 §2.3.1).
    #[default]
    ClientSecret,
    /// By a secret, in the header alone.
    ClientSecretBasic,
    /// By a secret, in the form alone.
    ClientSecretPost,
    /// By what it signs (RFC 7523).
    PrivateKeyJwt,
    /// By a certificate that an authority issued (RFC 8705 §2.1).
    TlsClientAuth,
    /// By a certificate of its own making (RFC 8705 §2.2).
    SelfSignedTlsClientAuth,
    /// Not at all: a public client (RFC 6749 §2.1).
    None,
}

impl Authentication {
    /// Whether a client that is registered so may use a method.
    pub fn takes(self, method: Method) -> bool {
        match self {
            Authentication::ClientSecret => {
                matches!(method, Method::ClientSecretBasic | Method::ClientSecretPost)
            }
            Authentication::ClientSecretBasic => method == Method::ClientSecretBasic,
            Authentication::ClientSecretPost => method == Method::ClientSecretPost,
            Authentication::PrivateKeyJwt => method == Method::PrivateKeyJwt,
            Authentication::TlsClientAuth => method == Method::TlsClientAuth,
            Authentication::SelfSignedTlsClientAuth => method == Method::SelfSignedTlsClientAuth,
            Authentication::None => method == Method::None,
        }
    }

    /// Whether it proves anything (RFC 6749 §2.1).
    pub fn is_proof(self) -> bool {
        self != Authentication::None
    }

    /// Whether it goes by the keys that are registered.
    pub fn has_keys(self) -> bool {
        self.takes(Method::PrivateKeyJwt) || self.takes(Method::SelfSignedTlsClientAuth)
    }

    /// Whether it goes by a secret.
    pub fn has_secret(self) -> bool {
        self.takes(Method::ClientSecretBasic) || self.takes(Method::ClientSecretPost)
    }
}

impl From<Method> for Authentication {
    /// This method alone.
    fn from(method: Method) -> Authentication {
        match method {
            Method::ClientSecretBasic => Authentication::ClientSecretBasic,
            Method::ClientSecretPost => Authentication::ClientSecretPost,
            Method::PrivateKeyJwt => Authentication::PrivateKeyJwt,
            Method::TlsClientAuth => Authentication::TlsClientAuth,
            Method::SelfSignedTlsClientAuth => Authentication::SelfSignedTlsClientAuth,
            Method::None => Authentication::None,
        }
    }
}

/// A method by which a client proves who it is (OpenID Connect Core §9, RFC 8705 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Its secret in the header.
    ClientSecretBasic,
    /// Its secret in the form.
    ClientSecretPost,
    /// What it signed ([`assertion`](super::assertion)).
    PrivateKeyJwt,
    /// A certificate that an authority issued ([`certificate`](super::certificate)).
    TlsClientAuth,
    /// A certificate of its own making.
    SelfSignedTlsClientAuth,
    /// None.
    None,
}

impl Method {
    /// All of them, for discovery.
    pub const ALL: [Method; 6] = [
        Method::ClientSecretBasic,
        Method::ClientSecretPost,
        Method::PrivateKeyJwt,
        Method::TlsClientAuth,
        Method::SelfSignedTlsClientAuth,
        Method::None,
    ];

    /// The name as it is registered.
    pub fn as_str(self) -> &'static str {
        match self {
            Method::ClientSecretBasic => "client_secret_basic",
            Method::ClientSecretPost => "client_secret_post",
            Method::PrivateKeyJwt => "private_key_jwt",
            Method::TlsClientAuth => "tls_client_auth",
            Method::SelfSignedTlsClientAuth => "self_signed_tls_client_auth",
            Method::None => "none",
        }
    }
}

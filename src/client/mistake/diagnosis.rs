//! From the mistake that a rule names to the exact one: what came is compared with what is registered.
//! A rule stops at the first thing that is wrong, and so does this, in the same order.

use super::address::{Difference, compare, reduced};
use super::received::{Received, Token, shown};
use super::{Detail, Endpoint, Reason};
use crate::authorize::redirect_uri::RedirectUri;
use crate::client::method::{Authentication, Method};
use crate::client::{Client, Metadata};
use crate::clock::Timestamp;
use crate::id::ClientId;

/// What the database knows of it besides the client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// A client whose name is nearly the one that came.
    pub near: Option<ClientId>,
    /// Whether the name that came is somebody's secret.
    pub is_secret: bool,
    /// What the secret that came is, other than one that holds.
    pub secret: Option<Past>,
    /// Whose the code, token or pushed request is, and until when.
    pub owner: Option<Owner>,
}

/// What a secret is that does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Past {
    /// One that holds, with white space around it.
    Padded,
    /// One that held until then.
    Expired(Timestamp),
}

/// Whose something is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Whose.
    pub client_id: ClientId,
    /// Until when.
    pub expires_at: Timestamp,
    /// Whether it ended before that.
    pub has_ended: bool,
}

/// All that a diagnosis goes by.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// What came.
    pub received: &'a Received,
    /// Whose request it is, where it is a registered client's.
    pub client: Option<&'a Client>,
    /// What else is known.
    pub known: &'a Known,
    /// Where it came.
    pub endpoint: Endpoint,
    /// Our own name.
    pub issuer: &'a str,
    /// When it came.
    pub at: Timestamp,
}

/// The exact mistake, and what can be told of it.
pub fn diagnose(reason: Reason, scene: Scene<'_>) -> (Reason, Detail) {
    let received = scene.received;
    let found = match reason {
        Reason::ClientIdUnknown => return scene.unknown_client(),
        Reason::RedirectUriMissing => told(reason).registered(scene.addresses()),
        Reason::RedirectUriUnregistered => return scene.address(),
        Reason::LogoutAddressUnregistered => return scene.logout_address(),
        Reason::LogoutAddressUnproven => told(reason).received(scene.logout_received()),
        Reason::CodeRedirectUriOther => match received.first("redirect_uri") {
            None => told(Reason::CodeRedirectUriMissing),
            Some(address) => told(reason).received(Some(reduced(address))),
        },
        Reason::ResponseModeUnsupported => told(reason).sent(received, "response_mode"),
        Reason::ResponseModeUnregistered => {
            let registered = scene.metadata().map(|m| &m.response_modes);
            let names = registered.map(|modes| listed(modes.iter().map(|mode| mode.as_str())));
            let usual = received.first("response_mode").or(Some("query"));
            told(reason).registered(names).received(usual.map(shown))
        }
        Reason::ParameterRepeated => told(reason).named(&received.repeated),
        Reason::ParametersInQuery => told(reason).named(&received.in_query),
        Reason::ResponseTypeUnsupported => told(reason).sent(received, "response_type"),
        Reason::OpenidMissing => {
            let scope = received.first("scope").map_or("no scope".to_owned(), shown);
            told(reason).received(Some(scope))
        }
        Reason::PersonalNumberNotEntitled | Reason::ScopeWider => {
            told(reason).sent(received, "scope")
        }
        Reason::OwnScopeNotAllowed => {
            let machine = scene.metadata().and_then(|m| m.client_credentials.as_ref());
            let scopes = machine.map(|m| listed(m.scopes.iter().map(|scope| scope.as_str())));
            told(reason).registered(scopes).sent(received, "scope")
        }
        Reason::ResourceNotAllowed => {
            let resources = scene.metadata().map(|m| m.resources.iter());
            let names = resources.map(|all| listed(all.map(|resource| resource.as_str())));
            told(reason)
                .registered(names)
                .received(received.first("resource").map(reduced))
        }
        Reason::PkceMethod => {
            let method = received.first("code_challenge_method");
            told(reason).received(Some(
                method.map_or("none, which means plain".to_owned(), shown),
            ))
        }
        Reason::ChallengeMalformed => told(reason).received(received.length("code_challenge")),
        Reason::VerifierMalformed => told(reason).received(received.length("code_verifier")),
        Reason::NonceTooLong => told(reason).received(received.length("nonce")),
        Reason::PromptNoneAndMore => told(reason).sent(received, "prompt"),
        Reason::GrantTypeUnsupported => told(reason).sent(received, "grant_type"),
        Reason::PushedRequestUnknown => scene.owned(
            reason,
            Reason::PushedRequestOfOther,
            Reason::PushedRequestExpired,
        ),
        Reason::CodeUnknown => scene.owned(reason, Reason::CodeOfOtherClient, Reason::CodeUnknown),
        Reason::CodeExpired => scene.late(reason),
        Reason::RefreshTokenUnknown => scene.owned(
            reason,
            Reason::RefreshTokenOfOther,
            Reason::RefreshTokenUnknown,
        ),
        Reason::TokenUnknown => scene.access_token(),
        Reason::RequestObjectInvalid => scene.request_object(),
        Reason::BodyNoForm | Reason::BodyNoJson => {
            let of = received
                .content_type
                .as_deref()
                .unwrap_or("no content type");
            told(reason).received(Some(shown(of)))
        }
        Reason::AuthenticationTwice => told(reason)
            .registered(scene.registered_way())
            .received(Some(received.ways.join(" and "))),
        Reason::ClientIdDiffers => told(reason).sent(received, "client_id"),
        Reason::AuthenticationMethod => scene.method(),
        Reason::SecretWrong => match scene.known.secret {
            Some(Past::Padded) => told(Reason::SecretPadded),
            Some(Past::Expired(end)) => told(Reason::SecretExpired).seconds(scene.at.0 - end.0),
            None => told(reason),
        },
        Reason::CertificateOther if !received.has_certificate => told(Reason::CertificateMissing),
        Reason::CertificateOther => told(reason).registered(scene.registered_way()),
        Reason::AssertionSignature | Reason::AssertionAlgorithm => scene.assertion_key(reason),
        Reason::AssertionTyp => told(reason).received(scene.asserted(|token| token.header("typ"))),
        Reason::AssertionSubject => {
            told(reason)
                .registered(scene.client_id())
                .received(received.assertion.as_ref().map(|token| {
                    let said = |name| token.claim(name).map_or("nothing".to_owned(), shown);
                    format!("iss {}, sub {}", said("iss"), said("sub"))
                }))
        }
        Reason::AssertionAudience => told(reason)
            .registered(Some(scene.issuer.to_owned()))
            .received(received.assertion.as_ref().map(audience)),
        Reason::AssertionTimes => match received.assertion.as_ref().and_then(|t| t.time("exp")) {
            Some(end) if end <= scene.at.0 => {
                told(Reason::AssertionExpired).seconds(scene.at.0 - end)
            }
            _ => told(reason),
        },
        Reason::DpopMalformed => told(reason).received(scene.proven(|token| token.header("typ"))),
        Reason::DpopAlgorithm => told(reason).received(scene.proven(|token| token.header("alg"))),
        Reason::DpopMethod => told(reason).received(scene.proven(|token| token.claim("htm"))),
        Reason::DpopAddress => {
            let htu = received.proof.as_ref().and_then(|token| token.claim("htu"));
            told(reason)
                .registered(Some(received.endpoint.clone()))
                .received(htu.map(reduced))
        }
        Reason::DpopTime => match received.proof.as_ref().and_then(|token| token.time("iat")) {
            Some(at) => told(reason).seconds(scene.at.0.saturating_sub(at).saturating_abs()),
            None => told(reason),
        },
        Reason::RegistrationMetadata | Reason::RegistrationRedirectUri => {
            told(reason).received(received.said.as_deref().map(shown))
        }
        _ => told(reason),
    };
    (found.reason, found.detail)
}

/// A diagnosis that is being written.
pub(super) struct Found {
    reason: Reason,
    detail: Detail,
}

pub(super) fn told(reason: Reason) -> Found {
    Found {
        reason,
        detail: Detail::default(),
    }
}

impl Found {
    pub(super) fn registered(mut self, text: Option<String>) -> Found {
        self.detail.registered = text.filter(|text| !text.is_empty());
        self
    }

    pub(super) fn received(mut self, text: Option<String>) -> Found {
        self.detail.received = text.filter(|text| !text.is_empty());
        self
    }

    fn sent(self, received: &Received, name: &str) -> Found {
        self.received(received.first(name).map(shown))
    }

    fn named(mut self, names: &[String]) -> Found {
        self.detail.names = names.iter().take(NAMES).map(|name| shown(name)).collect();
        self
    }

    pub(super) fn seconds(mut self, seconds: i64) -> Found {
        self.detail.seconds = Some(seconds);
        self
    }
}

/// How many names are told.
const NAMES: usize = 5;
/// How many registered values are told.
const VALUES: usize = 5;

/// Registered values, which are ours to show.
pub(super) fn listed<'a>(values: impl Iterator<Item = &'a str>) -> String {
    let values: Vec<&str> = values.take(VALUES + 1).collect();
    match values.get(..VALUES) {
        Some(first) if values.len() > VALUES => format!("{} and more", first.join(", ")),
        _ => values.join(", "),
    }
}

pub(super) fn audience(token: &Token) -> String {
    let named: Vec<String> = token.audience().into_iter().map(reduced).collect();
    match named.is_empty() {
        true => "none".to_owned(),
        false => shown(&named.join(", ")),
    }
}

/// The name of what a client is registered to authenticate by.
fn way(registered: Authentication) -> String {
    let taken = Method::ALL
        .iter()
        .filter(|method| registered.takes(**method));
    let names: Vec<&str> = taken.map(|method| method.as_str()).collect();
    names.join(" or ")
}

impl Scene<'_> {
    pub(super) fn metadata(&self) -> Option<&Metadata> {
        self.client.map(|client| &client.metadata)
    }

    pub(super) fn client_id(&self) -> Option<String> {
        self.client.map(|client| client.client_id.to_string())
    }

    fn registered_way(&self) -> Option<String> {
        self.metadata().map(|m| way(m.token_endpoint_auth))
    }

    fn addresses(&self) -> Option<String> {
        let uris = self.metadata().map(|m| m.redirect_uris.iter());
        uris.map(|uris| listed(uris.map(RedirectUri::as_str)))
    }

    fn asserted(&self, member: impl Fn(&Token) -> Option<&str>) -> Option<String> {
        self.received.assertion.as_ref().and_then(member).map(shown)
    }

    fn proven(&self, member: impl Fn(&Token) -> Option<&str>) -> Option<String> {
        self.received.proof.as_ref().and_then(member).map(shown)
    }

    fn unknown_client(&self) -> (Reason, Detail) {
        let found = match (self.known.is_secret, &self.known.near) {
            (true, _) => told(Reason::ClientIdIsSecret),
            (false, Some(near)) => told(Reason::ClientIdMisspelt)
                .registered(Some(near.to_string()))
                .received(self.received.client_id.as_deref().map(shown)),
            (false, None) => told(Reason::ClientIdUnknown)
                .received(self.received.client_id.as_deref().map(shown)),
        };
        (found.reason, found.detail)
    }

    fn address(&self) -> (Reason, Detail) {
        let (Some(asked), Some(metadata)) = (self.received.first("redirect_uri"), self.metadata())
        else {
            return (Reason::RedirectUriUnregistered, Detail::default());
        };
        let received = Some(reduced(asked));
        let is_asked = |uri: &RedirectUri| uri.as_str() == asked;
        let registered: Vec<&str> = metadata
            .redirect_uris
            .iter()
            .map(RedirectUri::as_str)
            .collect();
        let for_logout = metadata.post_logout_redirect_uris.iter().any(is_asked);
        let found = match compare(asked, &registered) {
            _ if for_logout => told(Reason::RedirectUriForLogout),
            None => told(Reason::RedirectUriNoneRegistered),
            Some(compared) => {
                let reason = match compared.difference {
                    Difference::Spelling => Reason::RedirectUriSpelling,
                    Difference::Slash => Reason::RedirectUriSlash,
                    Difference::Case => Reason::RedirectUriCase,
                    Difference::Escaping => Reason::RedirectUriEscaping,
                    Difference::Query => Reason::RedirectUriQuery,
                    Difference::Fragment => Reason::RedirectUriFragment,
                    Difference::Port => Reason::RedirectUriPort,
                    Difference::Scheme => Reason::RedirectUriScheme,
                    Difference::Www => Reason::RedirectUriWww,
                    Difference::Path => Reason::RedirectUriPath,
                    Difference::Host => Reason::RedirectUriHost,
                    Difference::More => Reason::RedirectUriUnregistered,
                    Difference::Relative => Reason::RedirectUriRelative,
                };
                told(reason)
                    .registered(Some(compared.nearest.to_owned()))
                    .named(&compared.names)
            }
        };
        let found = found.received(received);
        (found.reason, found.detail)
    }

    fn logout_received(&self) -> Option<String> {
        self.received.first("post_logout_redirect_uri").map(reduced)
    }

    fn logout_address(&self) -> (Reason, Detail) {
        let uris = self.metadata().map(|m| m.post_logout_redirect_uris.iter());
        let registered: Vec<&str> = uris
            .into_iter()
            .flatten()
            .map(RedirectUri::as_str)
            .collect();
        let asked = self.received.first("post_logout_redirect_uri");
        let found = match asked.and_then(|asked| compare(asked, &registered)) {
            None => told(Reason::LogoutAddressNoneRegistered),
            Some(compared) => told(Reason::LogoutAddressUnregistered)
                .registered(Some(compared.nearest.to_owned()))
                .named(&[compared.difference.as_str().to_owned()]),
        };
        let found = found.received(self.logout_received());
        (found.reason, found.detail)
    }

    /// Something that was not found as this client's: another's, or too old.
    fn owned(&self, reason: Reason, of_other: Reason, expired: Reason) -> Found {
        let Some(owner) = &self.known.owner else {
            return told(reason);
        };
        match self.client {
            Some(client) if client.client_id != owner.client_id => told(of_other)
                .registered(Some(owner.client_id.to_string()))
                .received(self.client_id()),
            _ if owner.expires_at <= self.at => self.late(expired),
            _ => told(reason),
        }
    }

    fn late(&self, reason: Reason) -> Found {
        match &self.known.owner {
            Some(owner) if owner.expires_at <= self.at => {
                told(reason).seconds(self.at.0 - owner.expires_at.0)
            }
            _ => told(reason),
        }
    }

    fn access_token(&self) -> Found {
        let token = self.received.token.as_ref();
        let is_id_token = token.is_some_and(|token| {
            token.claim("iss") == Some(self.issuer) && token.header("typ") == Some("JWT")
        });
        match &self.known.owner {
            _ if is_id_token => told(Reason::TokenIsIdToken),
            Some(owner) if owner.has_ended => told(Reason::TokenRevoked),
            Some(owner) if owner.expires_at <= self.at => self.late(Reason::TokenExpired),
            _ => told(Reason::TokenUnknown),
        }
    }

    /// What came is told from what is registered by the ways alone.
    fn method(&self) -> Found {
        use Authentication as Registered;
        let ways = &self.received.ways;
        let by = |method: Method| ways.contains(&method.as_str());
        let has_secret = by(Method::ClientSecretBasic) || by(Method::ClientSecretPost);
        let reason = match self.metadata().map(|m| m.token_endpoint_auth) {
            Some(Registered::None) if has_secret => Reason::SecretOfPublicClient,
            Some(Registered::ClientSecretBasic) if by(Method::ClientSecretPost) => {
                Reason::SecretInForm
            }
            Some(Registered::ClientSecretPost) if by(Method::ClientSecretBasic) => {
                Reason::SecretInHeader
            }
            Some(registered) if registered.has_secret() && by(Method::None) => {
                Reason::SecretNotSent
            }
            _ => Reason::AuthenticationMethod,
        };
        told(reason)
            .registered(self.registered_way())
            .received(Some(ways.join(" and ")))
    }
}

//! What is registered of a client, and what of it goes together.

use serde::{Deserialize, Serialize};

use super::bankid::Demands;
use super::certificate::CertificateSubject;
use super::machine::Machine;
use super::method::Authentication;
use super::origin::WebOrigin;
use super::profile::Profile;
use super::refresh::RefreshTokens;
use super::theme::Theme;
use super::{AccessTokens, CalledUri, Entitlement, Name, Names, Pkce, Purpose, SubjectType};
use crate::authorize::redirect_uri::RedirectUri;
use crate::authorize::request::ResponseMode;
use crate::authorize::resource::Resource;
use crate::claims::policy::ClaimPolicy;
use crate::clock::{Seconds, Timestamp};
use crate::jose::algorithm::Algorithm;
use crate::jose::jwks::{ClientAlgorithm, Jwks};
use crate::language::Language;

/// What is registered of a client, as a file says it and as the database keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// The name that people see.
    pub client_name: Name,
    /// Its names in languages in which it is called otherwise.
    #[serde(default, skip_serializing_if = "Names::are_one")]
    pub client_names: Names,
    /// Where answers may go, compared as whole strings. A client that nobody logs in to has none.
    #[serde(default)]
    pub redirect_uris: Vec<RedirectUri>,
    /// The sites whose scripts may call the endpoints that applications call. None is implied by a
    /// redirect URI: most applications never call from a browser.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub web_origins: Vec<WebOrigin>,
    /// Where people may be sent after a logout (OpenID Connect RP-Initiated Logout §3.1), compared as
    /// whole strings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub post_logout_redirect_uris: Vec<RedirectUri>,
    /// Where it is told of logouts behind the browser's back (OpenID Connect Back-Channel Logout §2.2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backchannel_logout_uri: Option<CalledUri>,
    /// Whether it needs to be told which session has ended. It always is.
    #[serde(default)]
    pub backchannel_logout_session_required: bool,
    /// A page of its that logs people out in a frame (OpenID Connect Front-Channel Logout §2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frontchannel_logout_uri: Option<RedirectUri>,
    /// Whether that page needs to be told which session has ended. It always is.
    #[serde(default)]
    pub frontchannel_logout_session_required: bool,
    /// Which rules it lives by where specifications differ.
    #[serde(default)]
    pub profile: Profile,
    /// How it proves who it is.
    #[serde(default)]
    pub token_endpoint_auth: Authentication,
    /// The one algorithm that it signs assertions with; any that fits its keys, when it names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_endpoint_auth_signing_alg: Option<ClientAlgorithm>,
    /// What its certificate says, where others issue it (RFC 8705 §2.1.2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_client_auth: Option<CertificateSubject>,
    /// Whether it must use PKCE. A public client always must.
    #[serde(default)]
    pub pkce: Pkce,
    /// Whether it must leave its requests with us beforehand (RFC 9126 §6).
    #[serde(default)]
    pub require_pushed_authorization_requests: bool,
    /// The public keys that it signs with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks: Option<Jwks>,
    /// Where it publishes them instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<CalledUri>,
    /// The one algorithm that it signs requests with; any that fits its keys, when it names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_object_signing_alg: Option<ClientAlgorithm>,
    /// Whether it must sign its requests (RFC 9101 §10.5). Then nothing but what it signed counts.
    #[serde(default)]
    pub require_signed_request_object: bool,
    /// Why it asks people to log in, shown before they do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<Purpose>,
    /// How the pages that people log in on look for it.
    #[serde(default, skip_serializing_if = "Theme::is_usual")]
    pub theme: Theme,
    /// The right to ask for personal numbers, with the reason that the law asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub personal_number: Option<Entitlement>,
    /// Whether subjects differ between sectors.
    #[serde(default)]
    pub subject_type: SubjectType,
    /// Whether the claims of `profile` stand in the ID token too, or at userinfo alone.
    #[serde(default = "yes")]
    pub profile_in_id_token: bool,
    /// By which names it is told of people.
    #[serde(default, skip_serializing_if = "ClaimPolicy::is_usual")]
    pub claims: ClaimPolicy,
    /// Whether it may come back without the person, and for how long.
    #[serde(default, skip_serializing_if = "RefreshTokens::is_off")]
    pub refresh_tokens: RefreshTokens,
    /// Whether every access token of its is bound to a key that it proves to have (RFC 9449 §5.2).
    /// Other clients may do so when they like.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dpop_bound_access_tokens: bool,
    /// Whether every access token of its is bound to the certificate of its connection (RFC 8705 §3.4).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tls_client_certificate_bound_access_tokens: bool,
    /// What its access tokens are made of.
    #[serde(default, skip_serializing_if = "AccessTokens::are_opaque")]
    pub access_token: AccessTokens,
    /// The services that its access tokens may be for (RFC 8707), besides this provider.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<Resource>,
    /// Whether it is given access tokens for itself, and for what (RFC 6749 §4.4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_credentials: Option<Machine>,
    /// Whether it is a resource server, which may ask what other clients' access tokens are worth.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub introspects: bool,
    /// As which services it does: it is told of tokens for these. Without any, of those that are for
    /// this provider.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub serves: Vec<Resource>,
    /// How long ago a login may be, in seconds, where a request does not say it (OpenID Connect Dynamic
    /// Client Registration §2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_max_age: Option<u32>,
    /// What its ID tokens are signed with; what its profile has, when it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_token_signed_response_alg: Option<Algorithm>,
    /// What userinfo's answers to it are signed with; they are JSON when it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub userinfo_signed_response_alg: Option<Algorithm>,
    /// The ways in which its authorization requests may be answered; any, when none are named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub response_modes: Vec<ResponseMode>,
    /// What answers to its authorization requests are signed with, where a request asks for that; what
    /// its profile has, when it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization_signed_response_alg: Option<Algorithm>,
    /// What it is told of tokens with, where it asks for a signed answer (RFC 9701 §6); what its profile
    /// has, when it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub introspection_signed_response_alg: Option<Algorithm>,
    /// What it asks of BankID.
    #[serde(default, skip_serializing_if = "Demands::are_usual")]
    pub bankid: Demands,
}

/// The most entries in one list of a client's.
pub const LONGEST_LIST: usize = 50;

/// What is wrong between settings that are each in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The setting to look at first, as a path: `bankid.kinds`.
    pub setting: &'static str,
    /// What is wrong.
    pub reason: &'static str,
}

fn yes() -> bool {
    true
}

impl Metadata {
    /// What holds at a time: an entitlement that has ended is none.
    pub fn at(mut self, now: Timestamp) -> Metadata {
        self.personal_number = self.personal_number.filter(|right| right.holds(now));
        self
    }

    /// What people who read a language know it by.
    pub fn name(&self, language: Language) -> &str {
        let name = self.client_names.name(language);
        name.unwrap_or(&self.client_name).as_str()
    }

    /// Whether this client must send a code challenge (RFC 9700 §2.1.1).
    pub fn requires_pkce(&self) -> bool {
        self.pkce == Pkce::Required
            || self.profile == Profile::Fapi2
            || self.token_endpoint_auth == Authentication::None
    }

    /// Whether this client must leave its requests with us beforehand (RFC 9126 §6, FAPI 2.0 §5.3.2.2).
    pub fn requires_pushed_requests(&self) -> bool {
        self.require_pushed_authorization_requests || self.profile == Profile::Fapi2
    }

    /// What its ID tokens are signed with (OpenID Connect Dynamic Client Registration §2).
    pub fn id_token_algorithm(&self) -> Algorithm {
        self.signed_by(self.id_token_signed_response_alg)
    }

    /// What answers to its authorization requests are signed with (JARM §3).
    pub fn authorization_algorithm(&self) -> Algorithm {
        self.signed_by(self.authorization_signed_response_alg)
    }

    /// What it is told of tokens with (RFC 9701 §6).
    pub fn introspection_algorithm(&self) -> Algorithm {
        self.signed_by(self.introspection_signed_response_alg)
    }

    fn signed_by(&self, chosen: Option<Algorithm>) -> Algorithm {
        chosen.unwrap_or(self.profile.usual_algorithm())
    }

    /// The first thing that does not go together, or is more than anyone needs.
    pub fn check(&self) -> Result<(), String> {
        let first = self.conflicts().into_iter().next();
        first.map_or(Ok(()), |conflict| Err(conflict.reason.to_owned()))
    }

    /// All that does not go together, or is more than anyone needs. What is asked of BankID has
    /// [conflicts](Demands::conflicts) of its own.
    pub fn conflicts(&self) -> Vec<Conflict> {
        use Authentication::{PrivateKeyJwt, SelfSignedTlsClientAuth, TlsClientAuth};
        let method = self.token_endpoint_auth;
        let is_public = !method.is_proof();
        let has_no_keys = self.jwks.is_none() && self.jwks_uri.is_none();
        let signs_assertions = method == PrivateKeyJwt;
        // RFC 9101 §10.5.
        let signs_requests =
            self.require_signed_request_object || self.request_object_signing_alg.is_some();
        let ours = [
            Some(self.id_token_algorithm()),
            Some(self.authorization_algorithm()),
            Some(self.introspection_algorithm()),
            self.userinfo_signed_response_alg,
        ];
        let fits_profile = |algorithm: Algorithm| self.profile.has_algorithm(algorithm);
        let table = [
            (
                !self.has_frame_of_its_own(),
                "frontchannel_logout_uri",
                "frontchannel_logout_uri must have scheme, host and port of a redirect URI",
            ),
            (
                !self.profile.takes(method),
                "token_endpoint_auth",
                "profile fapi2 takes private_key_jwt, tls_client_auth and self_signed_tls_client_auth as token_endpoint_auth",
            ),
            (
                !ours.into_iter().flatten().all(fits_profile),
                "profile",
                "profile fapi2 has PS256, ES256 and EdDSA for what we sign",
            ),
            (
                self.jwks.is_some() && self.jwks_uri.is_some(),
                "jwks_uri",
                "jwks and jwks_uri exclude each other",
            ),
            (
                method == SelfSignedTlsClientAuth && has_no_keys,
                "token_endpoint_auth",
                "this token_endpoint_auth needs jwks or jwks_uri",
            ),
            (
                self.token_endpoint_auth_signing_alg.is_some() && !signs_assertions,
                "token_endpoint_auth_signing_alg",
                "token_endpoint_auth_signing_alg is for private_key_jwt alone",
            ),
            (
                signs_assertions && !self.can_sign(self.token_endpoint_auth_signing_alg),
                "token_endpoint_auth",
                "private_key_jwt needs jwks_uri, or a key in jwks that fits its algorithm and profile",
            ),
            (
                (method == TlsClientAuth) != self.tls_client_auth.is_some(),
                "token_endpoint_auth",
                "tls_client_auth names the certificate's subject, for that token_endpoint_auth alone",
            ),
            (
                is_public && !self.refresh_tokens.is_off() && !self.dpop_bound_access_tokens,
                "refresh_tokens",
                "a public client has refresh_tokens only with dpop_bound_access_tokens",
            ),
            (
                is_public && self.introspects,
                "introspects",
                "a public client cannot have introspects",
            ),
            (
                is_public && self.client_credentials.is_some(),
                "client_credentials",
                "a public client cannot have client_credentials",
            ),
            (
                self.dpop_bound_access_tokens && self.tls_client_certificate_bound_access_tokens,
                "tls_client_certificate_bound_access_tokens",
                "dpop_bound_access_tokens and tls_client_certificate_bound_access_tokens exclude each other",
            ),
            (
                !self.serves.is_empty() && !self.introspects,
                "serves",
                "serves needs introspects",
            ),
            (
                signs_requests && !self.can_sign(self.request_object_signing_alg),
                "request_object_signing_alg",
                "signed requests need jwks_uri, or a key in jwks that fits their algorithm and profile",
            ),
            (
                !self.theme.is_readable_on_light(),
                "theme.accent",
                "theme.accent cannot be read on a light page: its contrast must be 4.5 to 1",
            ),
            (
                self.theme.logo_dark.is_some() && self.theme.logo.is_none(),
                "theme.logo_dark",
                "theme.logo_dark needs theme.logo, which stands on light pages",
            ),
            (
                !self.theme.is_readable_on_dark(),
                "theme.accent_dark",
                "theme.accent_dark cannot be read on a dark page: its contrast must be 4.5 to 1",
            ),
            (
                self.claims.has_one_name_for_two(),
                "claims.names",
                "claims.names has one name for two claims",
            ),
        ];
        let broken = table.into_iter().filter(|(is_broken, ..)| *is_broken);
        let broken = broken.map(|(_, setting, reason)| Conflict { setting, reason });
        broken.chain(self.long_lists()).collect()
    }

    /// Whoever compares with them does so at every request.
    fn long_lists(&self) -> impl Iterator<Item = Conflict> {
        let scopes = self.client_credentials.as_ref().map(|own| own.scopes.len());
        let lists = [
            ("redirect_uris", self.redirect_uris.len()),
            ("web_origins", self.web_origins.len()),
            (
                "post_logout_redirect_uris",
                self.post_logout_redirect_uris.len(),
            ),
            ("resources", self.resources.len()),
            ("serves", self.serves.len()),
            ("client_credentials.scopes", scopes.unwrap_or(0)),
        ];
        let long = lists
            .into_iter()
            .filter(|(_, length)| *length > LONGEST_LIST);
        long.map(|(setting, _)| Conflict {
            setting,
            reason: "a client has at most 50 addresses, services or scopes of a kind",
        })
    }

    /// Whether it has a key for this algorithm, or for any, that its profile takes. What it publishes
    /// is looked at when it is used.
    fn can_sign(&self, algorithm: Option<ClientAlgorithm>) -> bool {
        let fits = |algorithm: &ClientAlgorithm| {
            let has_key = match &self.jwks {
                Some(keys) => keys.fits(*algorithm),
                None => self.jwks_uri.is_some(),
            };
            self.profile.takes_algorithm(*algorithm) && has_key
        };
        match algorithm {
            Some(algorithm) => fits(&algorithm),
            None => ClientAlgorithm::ALL.iter().any(fits),
        }
    }

    /// How long what came of a login may be refreshed. A public client's refresh token would be worth
    /// as much to whoever steals it (RFC 9700 §2.2.2), so it has none unless it proves a key.
    pub fn refresh_lifetime(&self) -> Option<Seconds> {
        let lifetime = self.refresh_tokens.lifetime()?;
        (self.token_endpoint_auth.is_proof() || self.dpop_bound_access_tokens).then_some(lifetime)
    }

    /// What it may get for itself. A public client has no self to prove (RFC 6749 §4.4).
    pub fn own_tokens(&self) -> Option<&Machine> {
        let machine = self.client_credentials.as_ref();
        machine.filter(|_| self.token_endpoint_auth.is_proof())
    }

    /// Front-Channel Logout §2: the page of a logout is where answers go, too, and a page.
    pub fn has_frame_of_its_own(&self) -> bool {
        self.frontchannel_logout_uri.as_ref().is_none_or(|page| {
            let origin = page.origin();
            let is_answered = |uri: &RedirectUri| uri.origin() == origin;
            origin.is_some() && self.redirect_uris.iter().any(is_answered)
        })
    }

    /// The host of the first redirect URI: the sector of a client that names none.
    pub fn default_sector(&self) -> Option<String> {
        self.redirect_uris.first().map(RedirectUri::host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn an_algorithm_that_is_not_one_is_refused_by_its_name() {
        let _shows = crate::shows!(refusing "ID-05", refusing "UI-05");
        let text = "client_name = \"A\"\nredirect_uris = [\"https://a.example/cb\"]\n";
        for name in [
            "id_token_signed_response_alg",
            "userinfo_signed_response_alg",
            "authorization_signed_response_alg",
            "introspection_signed_response_alg",
        ] {
            for wrong in ["none", "HS256", "RS512", "rs256", ""] {
                let table = format!("{text}{name} = \"{wrong}\"").parse().expect("TOML");
                let error = crate::config::written::strictly::<Metadata>(table);
                let error = error.expect_err("refused").to_string();
                let says =
                    format!("{wrong:?} is no algorithm to sign with: RS256, PS256, ES256, EdDSA");
                assert!(error.contains(&says) && error.contains(name), "{error}");
            }
        }
    }

    #[test]
    fn what_an_operator_wrote_is_read_strictly_and_what_is_stored_leniently() {
        let text = "client_name = \"A\"\nredirect_uris = [\"https://a.example/cb\"]\n";
        let written = |more: &str| {
            let table = format!("{text}{more}").parse().expect("TOML");
            crate::config::written::strictly::<Metadata>(table)
        };
        assert!(written("").is_ok());
        for wrong in [
            "extra = 1",
            "purpose = { sv = \"a\", en = \"b\", fi = \"c\" }",
            "bankid = { pin = true }",
            "bankid = { risk = { low = \"deny\" } }",
            "id_token_signed_response_alg = \"none\"",
            "userinfo_signed_response_alg = \"HS256\"",
            "authorization_signed_response_alg = \"rs256\"",
        ] {
            assert!(written(wrong).is_err(), "{wrong}");
        }
        let stored = r#"{"client_name":"A","redirect_uris":["https://a.example/cb"],
            "of_a_newer_version":1,"bankid":{"of_a_newer_version":1}}"#;
        assert!(serde_json::from_str::<Metadata>(stored).is_ok());
        let plain = serde_json::to_value(written("").expect("metadata")).expect("JSON");
        assert!(
            plain.get("bankid").is_none(),
            "an older version need not know it"
        );
    }

    #[test]
    fn what_a_client_is_registered_with_goes_together() {
        let _shows = crate::shows!(accepting "TK-11", refusing "TK-11", accepting "JK-07", refusing "JK-07",
            accepting "JK-08", refusing "JK-08");
        let all = crate::testing::Signer::new().jwks();
        let one = |at: usize| json!({"keys": [all["keys"][at]]});
        let (rsa, ec, p384) = (one(0), one(1), one(2));
        let checked = |more: &Value| {
            let mut metadata =
                json!({"client_name": "A", "redirect_uris": ["https://a.example/cb"]});
            for (name, value) in more.as_object().into_iter().flatten() {
                metadata[name] = value.clone();
            }
            let metadata: Metadata = serde_json::from_value(metadata).expect("metadata");
            metadata.check()
        };
        let subject = json!({"san_dns": "a.example"});
        let uri = "https://a.example/jwks";
        for sound in [
            json!({}),
            json!({"jwks": rsa}),
            json!({"jwks": rsa, "require_signed_request_object": true}),
            json!({"jwks": rsa, "request_object_signing_alg": "PS256"}),
            json!({"token_endpoint_auth": "client_secret_post"}),
            json!({"token_endpoint_auth": "private_key_jwt", "jwks": rsa}),
            json!({"token_endpoint_auth": "private_key_jwt", "jwks": p384,
                "token_endpoint_auth_signing_alg": "ES384"}),
            json!({"token_endpoint_auth": "self_signed_tls_client_auth", "jwks": ec}),
            json!({"token_endpoint_auth": "tls_client_auth", "tls_client_auth": subject}),
            json!({"token_endpoint_auth": "private_key_jwt", "jwks_uri": uri,
                "token_endpoint_auth_signing_alg": "RS256"}),
            json!({"token_endpoint_auth": "self_signed_tls_client_auth", "jwks_uri": uri}),
            json!({"jwks_uri": uri, "require_signed_request_object": true}),
            json!({"profile": "fapi2", "token_endpoint_auth": "private_key_jwt", "jwks": rsa}),
            json!({"profile": "fapi2", "token_endpoint_auth": "private_key_jwt", "jwks": rsa,
                "id_token_signed_response_alg": "ES256", "userinfo_signed_response_alg": "EdDSA"}),
            json!({"id_token_signed_response_alg": "RS256"}),
            json!({"profile": "fapi2", "token_endpoint_auth": "tls_client_auth",
                "tls_client_auth": subject}),
            json!({"profile": "fapi2", "token_endpoint_auth": "self_signed_tls_client_auth",
                "jwks": ec}),
        ] {
            assert_eq!(checked(&sound), Ok(()), "{sound}");
        }
        for bad in [
            json!({"jwks": rsa, "jwks_uri": uri}),
            json!({"profile": "fapi2", "token_endpoint_auth": "private_key_jwt", "jwks_uri": uri,
                "token_endpoint_auth_signing_alg": "RS256"}),
            json!({"require_signed_request_object": true}),
            json!({"request_object_signing_alg": "PS256"}),
            json!({"jwks": rsa, "request_object_signing_alg": "ES256"}),
            json!({"token_endpoint_auth": "private_key_jwt"}),
            json!({"token_endpoint_auth": "private_key_jwt", "jwks": rsa,
                "token_endpoint_auth_signing_alg": "ES256"}),
            json!({"token_endpoint_auth_signing_alg": "ES256", "jwks": ec}),
            json!({"token_endpoint_auth": "self_signed_tls_client_auth"}),
            json!({"token_endpoint_auth": "tls_client_auth"}),
            json!({"tls_client_auth": subject}),
            json!({"profile": "fapi2"}),
            json!({"profile": "fapi2", "token_endpoint_auth": "private_key_jwt", "jwks": rsa,
                "id_token_signed_response_alg": "RS256"}),
            json!({"profile": "fapi2", "token_endpoint_auth": "private_key_jwt", "jwks": rsa,
                "userinfo_signed_response_alg": "RS256"}),
            json!({"profile": "fapi2", "token_endpoint_auth": "private_key_jwt", "jwks": rsa,
                "introspection_signed_response_alg": "RS256"}),
            json!({"profile": "fapi2", "token_endpoint_auth": "client_secret_basic"}),
            json!({"profile": "fapi2", "token_endpoint_auth": "none"}),
            json!({"profile": "fapi2", "token_endpoint_auth": "private_key_jwt", "jwks": p384}),
            json!({"profile": "fapi2", "token_endpoint_auth": "private_key_jwt", "jwks": rsa,
                "token_endpoint_auth_signing_alg": "RS256"}),
            json!({"profile": "fapi2", "token_endpoint_auth": "private_key_jwt", "jwks": rsa,
                "request_object_signing_alg": "RS256"}),
        ] {
            assert!(checked(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_fapi_client_pushes_its_requests_and_uses_pkce() {
        let metadata = json!({"client_name": "A", "redirect_uris": ["https://a.example/cb"],
            "profile": "fapi2", "pkce": "accepted"});
        let metadata: Metadata = serde_json::from_value(metadata).expect("metadata");
        assert!(metadata.requires_pkce() && metadata.requires_pushed_requests());
    }
}

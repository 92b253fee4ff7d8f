//! The metadata document (OpenID Connect Discovery §3), derived from what the other modules
//! accept.

use serde_json::{Value, json};

use crate::authorize::request::{ResponseMode, Scope};
use crate::claims::release::Claim;
use crate::client::assertion::Audience;
use crate::client::method::Method;
use crate::config::mtls::Mtls;
use crate::jose::algorithm::Algorithm;
use crate::jose::jwks::ClientAlgorithm;
use crate::language::{Language, Languages, Tag};
use crate::token::{GrantType, dpop};

/// Where clients authenticate.
const AUTHENTICATED: [(&str, &str); 4] = [
    ("token_endpoint", "/token"),
    ("pushed_authorization_request_endpoint", "/par"),
    ("revocation_endpoint", "/revoke"),
    ("introspection_endpoint", "/introspect"),
];

/// RFC 8705 §5: what is called at its alias too, by those that show certificates: to authenticate, or
/// to use a token that is bound to one.
fn aliased() -> impl Iterator<Item = (&'static str, &'static str)> {
    let userinfo = ("userinfo_endpoint", "/userinfo");
    AUTHENTICATED.into_iter().chain([userinfo])
}

/// Whether a path leads somewhere at the address where clients show certificates.
pub fn is_aliased(path: &str) -> bool {
    aliased().any(|(_, aliased)| aliased == path)
}

/// What client assertions may be meant for (OpenID Connect Core §9, RFC 9126 §2): us, or where they
/// are sent to.
pub fn assertion_audience(issuer: &str, mtls: Option<&Mtls>) -> Audience {
    let bases = [Some(issuer), mtls.map(|mtls| mtls.address.url.as_str())];
    let at = |base: &str| AUTHENTICATED.map(|(_, path)| format!("{base}{path}"));
    Audience {
        issuer: issuer.to_owned(),
        endpoints: bases.into_iter().flatten().flat_map(at).collect(),
    }
}

/// The methods that clients can use here.
pub fn open_methods(mtls: Option<&Mtls>) -> Vec<Method> {
    let open = Method::ALL.into_iter().filter(|m| is_open(*m, mtls));
    open.collect()
}

/// Whether clients can use a method here.
fn is_open(method: Method, mtls: Option<&Mtls>) -> bool {
    match method {
        Method::TlsClientAuth => mtls.is_some_and(|mtls| !mtls.authorities.is_empty()),
        Method::SelfSignedTlsClientAuth => mtls.is_some(),
        _ => true,
    }
}

/// OpenID Connect Discovery §3, RFC 8414 §2. What is listed works; what is not is refused.
pub fn document(issuer: &str, acr: &str, mtls: Option<&Mtls>, languages: &Languages) -> Value {
    let mut parts = vec![
        endpoints(issuer),
        requests(languages),
        tokens(acr),
        authentication(mtls),
        logout(),
    ];
    if let Some(mtls) = mtls {
        parts.push(certificates(mtls));
    }
    let members = parts.into_iter().filter_map(|part| match part {
        Value::Object(members) => Some(members),
        _ => None,
    });
    Value::Object(members.flatten().collect())
}

fn endpoints(issuer: &str) -> Value {
    let at = |path: &str| format!("{}{path}", issuer.trim_end_matches('/'));
    json!({
        "issuer": issuer,
        "authorization_endpoint": at("/authorize"),
        "pushed_authorization_request_endpoint": at("/par"),
        "token_endpoint": at("/token"),
        "userinfo_endpoint": at("/userinfo"),
        "revocation_endpoint": at("/revoke"),
        "introspection_endpoint": at("/introspect"),
        "jwks_uri": at("/jwks"),
        "end_session_endpoint": at("/logout"),
        "registration_endpoint": at("/register"),
    })
}

/// What may be asked for, and how it is answered.
fn requests(languages: &Languages) -> Value {
    let spoken: Vec<&Tag> = languages.all().map(Language::tag).collect();
    json!({
        "require_pushed_authorization_requests": false,
        "scopes_supported": Scope::ALL.map(Scope::as_str),
        "response_types_supported": ["code"],
        "response_modes_supported": ResponseMode::ALL.map(ResponseMode::as_str),
        "authorization_signing_alg_values_supported": Algorithm::ALL.map(Algorithm::as_str),
        "authorization_response_iss_parameter_supported": true,
        "code_challenge_methods_supported": ["S256"],
        "claims_parameter_supported": true,
        "request_parameter_supported": true,
        "request_object_signing_alg_values_supported": ClientAlgorithm::ALL.map(ClientAlgorithm::as_str),
        "request_uri_parameter_supported": false,
        "ui_locales_supported": spoken,
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
    })
}

/// What tokens are, and what they say.
fn tokens(acr: &str) -> Value {
    let registered = [
        "iss",
        "sub",
        "aud",
        "exp",
        "iat",
        "auth_time",
        "acr",
        "sid",
        "txn",
        "nonce",
        "at_hash",
    ];
    let claims: Vec<&str> = registered
        .into_iter()
        .chain(Claim::ALL.map(Claim::as_str))
        .collect();
    let algorithms = Algorithm::ALL.map(Algorithm::as_str);
    json!({
        "grant_types_supported": GrantType::ALL.map(GrantType::as_str),
        "subject_types_supported": ["pairwise", "public"],
        "acr_values_supported": [acr],
        "id_token_signing_alg_values_supported": algorithms,
        "userinfo_signing_alg_values_supported": algorithms,
        "dpop_signing_alg_values_supported": dpop::ALGORITHMS.map(ClientAlgorithm::as_str),
        "claim_types_supported": ["normal"],
        "claims_supported": claims,
    })
}

/// How clients prove who they are. Nobody introspects without.
fn authentication(mtls: Option<&Mtls>) -> Value {
    let methods = |taken: &dyn Fn(Method) -> bool| -> Vec<&str> {
        let open = open_methods(mtls).into_iter();
        open.filter(|m| taken(*m)).map(Method::as_str).collect()
    };
    let (any, proving) = (methods(&|_| true), methods(&|m| m != Method::None));
    let assertions = ClientAlgorithm::ALL.map(ClientAlgorithm::as_str);
    json!({
        "token_endpoint_auth_methods_supported": any,
        "token_endpoint_auth_signing_alg_values_supported": assertions,
        "revocation_endpoint_auth_methods_supported": any,
        "revocation_endpoint_auth_signing_alg_values_supported": assertions,
        "introspection_endpoint_auth_methods_supported": proving,
        "introspection_endpoint_auth_signing_alg_values_supported": assertions,
        "introspection_signing_alg_values_supported": Algorithm::ALL.map(Algorithm::as_str),
    })
}

/// OpenID Connect Back-Channel Logout §2.1, Front-Channel Logout §3.
fn logout() -> Value {
    json!({
        "backchannel_logout_supported": true,
        "backchannel_logout_session_supported": true,
        "frontchannel_logout_supported": true,
        "frontchannel_logout_session_supported": true,
    })
}

/// RFC 8705 §3.3, §5.
fn certificates(mtls: &Mtls) -> Value {
    let alias = |(name, path)| (name, format!("{}{path}", mtls.address.url));
    json!({
        "mtls_endpoint_aliases": aliased().map(alias).collect::<Value>(),
        "tls_client_certificate_bound_access_tokens": true,
    })
}

//! The metadata document (OpenID Connect Discovery §3), derived from what the other modules
//! accept.

use serde_json::{Value, json};

use crate::authorize::request::{ResponseMode, Scope};
use crate::bankid::message::Language;
use crate::claims::release::Claim;
use crate::client::Authentication;
use crate::jose::algorithm::Algorithm;
use crate::jose::jwks::ClientAlgorithm;
use crate::token::{GrantType, dpop};

/// OpenID Connect Discovery §3, RFC 8414 §2. What is listed works; what is not is refused.
pub fn document(issuer: &str, acr: &str) -> Value {
    let at = |path: &str| format!("{}{path}", issuer.trim_end_matches('/'));
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
    let methods = |of: &dyn Fn(&Authentication) -> bool| -> Vec<&str> {
        let taken = Authentication::ALL.into_iter().filter(of);
        taken.flat_map(Authentication::methods).copied().collect()
    };
    let (any, proving) = (methods(&|_| true), methods(&|a| a.is_proof()));
    let algorithms = Algorithm::ALL.map(Algorithm::as_str);
    json!({
        "issuer": issuer,
        "authorization_endpoint": at("/authorize"),
        "pushed_authorization_request_endpoint": at("/par"),
        "require_pushed_authorization_requests": false,
        "token_endpoint": at("/token"),
        "userinfo_endpoint": at("/userinfo"),
        "revocation_endpoint": at("/revoke"),
        "introspection_endpoint": at("/introspect"),
        "jwks_uri": at("/jwks"),
        "end_session_endpoint": at("/logout"),
        "backchannel_logout_supported": true,
        "backchannel_logout_session_supported": true,
        "frontchannel_logout_supported": true,
        "frontchannel_logout_session_supported": true,
        "scopes_supported": Scope::ALL.map(Scope::as_str),
        "response_types_supported": ["code"],
        "response_modes_supported": ResponseMode::ALL.map(ResponseMode::as_str),
        "grant_types_supported": GrantType::ALL.map(GrantType::as_str),
        "subject_types_supported": ["pairwise", "public"],
        "acr_values_supported": [acr],
        "id_token_signing_alg_values_supported": algorithms,
        "userinfo_signing_alg_values_supported": algorithms,
        "authorization_signing_alg_values_supported": algorithms,
        "token_endpoint_auth_methods_supported": any,
        "revocation_endpoint_auth_methods_supported": any,
        "introspection_endpoint_auth_methods_supported": proving,
        "dpop_signing_alg_values_supported": dpop::ALGORITHMS.map(ClientAlgorithm::as_str),
        "code_challenge_methods_supported": ["S256"],
        "claim_types_supported": ["normal"],
        "claims_supported": claims,
        "claims_parameter_supported": true,
        "request_parameter_supported": true,
        "request_object_signing_alg_values_supported": ClientAlgorithm::ALL.map(ClientAlgorithm::as_str),
        "request_uri_parameter_supported": false,
        "authorization_response_iss_parameter_supported": true,
        "ui_locales_supported": Language::ALL.map(Language::tag),
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
    })
}

//! What a client that registered itself is told of its registration (RFC 7591 §3.2.1, RFC 7592 §3): all that
//! holds, by its registered names, and nothing that is not kept.

use serde_json::{Value, json};

use super::request::{IN_LANGUAGE, SAME};
use super::{Details, Registration};
use crate::client::Metadata;
use crate::client::method::Method;
use crate::secret::{Secret, kind as secret};

/// The ways to name a certificate (RFC 8705 §2.1.2), and what they are called in our own registration.
pub(super) const SUBJECTS: [(&str, &str); 5] = [
    ("tls_client_auth_subject_dn", "subject_dn"),
    ("tls_client_auth_san_dns", "san_dns"),
    ("tls_client_auth_san_uri", "san_uri"),
    ("tls_client_auth_san_ip", "san_ip"),
    ("tls_client_auth_san_email", "san_email"),
];

/// What goes to the client besides its registration.
#[derive(Clone, Copy, Debug)]
pub struct Credentials<'a> {
    /// The provider's own address.
    pub issuer: &'a str,
    /// By what the client manages itself.
    pub token: &'a Secret<secret::RegistrationToken>,
    /// Its secret, while somebody can say it: it is kept as a digest.
    pub client_secret: Option<&'a str>,
}

/// RFC 7591 §3.2.1, RFC 7592 §3.
pub fn information(registration: &Registration, credentials: Credentials<'_>) -> Value {
    let client_id = registration.client.client_id.as_str();
    let mut told = effective(&registration.client.metadata, &registration.details);
    told["client_id"] = client_id.into();
    told["client_id_issued_at"] = registration.issued_at.0.into();
    told["registration_access_token"] = credentials.token.expose().into();
    told["registration_client_uri"] = format!(
        "{}/register/{client_id}",
        credentials.issuer.trim_end_matches('/')
    )
    .into();
    if let Some(client_secret) = credentials.client_secret {
        told["client_secret"] = client_secret.into();
        // RFC 7591 §3.2.1: it does not end by itself.
        told["client_secret_expires_at"] = 0.into();
    }
    told
}

/// The registered metadata as they hold.
fn effective(metadata: &Metadata, details: &Details) -> Value {
    let ours = serde_json::to_value(metadata).expect("our own types are always valid JSON");
    let mut told = serde_json::to_value(details).expect("our own types are always valid JSON");
    for (name, _) in SAME {
        if let Some(value) = ours.get(name) {
            told[name] = value.clone();
        }
    }
    told["client_name"] = metadata.client_name.as_str().into();
    for (tag, name) in metadata.client_names.iter() {
        told[format!("{IN_LANGUAGE}{tag}")] = name.as_str().into();
    }
    told["response_types"] = json!(["code"]);
    told["grant_types"] = match metadata.refresh_lifetime() {
        Some(_) => json!(["authorization_code", "refresh_token"]),
        None => json!(["authorization_code"]),
    };
    let mut methods = Method::ALL.into_iter();
    let method = methods.find(|method| metadata.token_endpoint_auth.takes(*method));
    told["token_endpoint_auth_method"] = method.map(Method::as_str).into();
    for (name, called) in SUBJECTS {
        if let Some(value) = ours.pointer(&format!("/tls_client_auth/{called}")) {
            told[name] = value.clone();
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::registration::request::{Asked, read};
    use crate::client::registration::tests::{offered, registration};
    use crate::random::Random;

    #[test]
    fn what_holds_is_told_and_can_be_sent_back() {
        let _shows = crate::shows!(accepting "RG-03", accepting "RG-08");
        let jwks = crate::testing::Signer::new().jwks();
        for members in [
            json!({}),
            json!({"application_type": "native", "redirect_uris": ["http://127.0.0.1/cb"],
                "token_endpoint_auth_method": "none", "dpop_bound_access_tokens": true,
                "grant_types": ["authorization_code", "refresh_token"], "contacts": ["a@a.example"]}),
            json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": jwks,
                "token_endpoint_auth_signing_alg": "ES384", "request_object_signing_alg": "PS256",
                "require_signed_request_object": true, "default_max_age": 60,
                "id_token_signed_response_alg": "EdDSA", "userinfo_signed_response_alg": "ES256",
                "authorization_signed_response_alg": "PS256",
                "introspection_signed_response_alg": "ES256", "subject_type": "public",
                "require_pushed_authorization_requests": true, "client_name": "Appen åäö",
                "client_name#sv": "Appen", "client_name#en": "The app", "client_name#pt-BR": "O app",
                "post_logout_redirect_uris": ["https://a.example/bye"],
                "backchannel_logout_uri": "https://a.example/back",
                "backchannel_logout_session_required": true,
                "frontchannel_logout_uri": "https://a.example/front",
                "frontchannel_logout_session_required": true}),
            json!({"token_endpoint_auth_method": "self_signed_tls_client_auth",
                "jwks_uri": "https://a.example/jwks",
                "sector_identifier_uri": "https://a.example/sector"}),
            json!({"token_endpoint_auth_method": "tls_client_auth",
                "tls_client_auth_subject_dn": "CN=app,O=Kommunen,C=SE"}),
            json!({"token_endpoint_auth_method": "tls_client_auth",
                "tls_client_certificate_bound_access_tokens": true,
                "tls_client_auth_san_ip": "192.0.2.1"}),
        ] {
            let registration = registration(&members);
            let token = Secret::fresh(&Random::seeded(1));
            let credentials = |client_secret| Credentials {
                issuer: "https://op.example",
                token: &token,
                client_secret,
            };
            let told = information(&registration, credentials(None));
            for (name, value) in members.as_object().into_iter().flatten() {
                assert_eq!(told[name], *value, "{name}");
            }
            let again = read(told.as_object().expect("an object"), offered());
            let Asked { metadata, details } = again.expect("what holds is sound");
            assert_eq!(metadata, registration.client.metadata, "{told}");
            assert_eq!(details, registration.details, "{told}");
            assert!(told.get("client_secret").is_none());
            assert!(told.get("client_secret_expires_at").is_none());
            let with_secret = information(&registration, credentials(Some("s")));
            assert_eq!(with_secret["client_secret"], "s");
            assert_eq!(with_secret["client_secret_expires_at"], 0);
        }
    }

    #[test]
    fn what_was_not_said_is_told_as_it_holds() {
        let _shows = crate::shows!(accepting "RG-03");
        let registration = registration(&json!({}));
        let token = Secret::fresh(&Random::seeded(1));
        let told = information(
            &registration,
            Credentials {
                issuer: "https://op.example/",
                token: &token,
                client_secret: None,
            },
        );
        let expected = json!({
            "client_id": "5f3c",
            "client_id_issued_at": 1000,
            "registration_access_token": token.expose(),
            "registration_client_uri": "https://op.example/register/5f3c",
            "redirect_uris": ["https://a.example/cb"],
            "client_name": "a.example",
            "application_type": "web",
            "response_types": ["code"],
            "grant_types": ["authorization_code"],
            "token_endpoint_auth_method": "client_secret_basic",
            "subject_type": "pairwise",
            "id_token_signed_response_alg": "RS256",
            "authorization_signed_response_alg": "RS256",
            "introspection_signed_response_alg": "RS256",
            "require_pushed_authorization_requests": false,
            "require_signed_request_object": false,
            "backchannel_logout_session_required": false,
            "frontchannel_logout_session_required": false,
        });
        assert_eq!(told, expected);
    }
}

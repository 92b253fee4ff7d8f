//! What a client may say of itself, case by case.

use serde_json::{Map, Value, json};

use super::request::{Asked, ENCRYPTION, Offer, admit_replacement, read};
use super::{Allowance, Refused, Registration, sector};
use crate::client::method::Method;
use crate::client::refresh::RefreshTokens;
use crate::client::{Authentication, Client, Pkce, SubjectType};
use crate::clock::Timestamp;
use crate::error::Code;
use crate::id::ClientId;
use crate::secret::Digest;

static GENEROUS: Allowance = Allowance {
    refresh_tokens: RefreshTokens::WorkingDay,
    pkce: Pkce::Required,
    sector: None,
};

/// All that can be had.
pub fn offered() -> Offer<'static> {
    Offer {
        allowance: &GENEROUS,
        methods: &Method::ALL,
    }
}

/// With a redirect URI, where it has none.
fn complete(members: &Value) -> Map<String, Value> {
    let mut complete = json!({"redirect_uris": ["https://a.example/cb"]});
    for (name, value) in members.as_object().into_iter().flatten() {
        complete[name] = value.clone();
    }
    complete.as_object().expect("an object").clone()
}

fn read_with(members: &Value, offer: Offer<'_>) -> Result<Asked, Refused> {
    read(&complete(members), offer)
}

pub fn asked(members: &Value) -> Asked {
    read_with(members, offered()).unwrap_or_else(|refused| panic!("{members}: {refused:?}"))
}

pub fn registration(members: &Value) -> Registration {
    let asked = asked(members);
    let client_id = ClientId::parse("5f3c").expect("an id");
    Registration {
        client: Client {
            sector: sector::settle(&asked, &client_id, &GENEROUS).expect("a sector"),
            client_id,
            metadata: asked.metadata,
        },
        allowance: GENEROUS.clone(),
        details: asked.details,
        issued_at: Timestamp(1000),
    }
}

#[test]
fn redirect_uris_are_safe_for_where_the_client_runs() {
    let _shows = crate::shows!(accepting "RG-04", refusing "RG-04");
    let taken = |application_type: &str, uris: Value| {
        let members = json!({"application_type": application_type, "redirect_uris": uris});
        let refused = read_with(&members, offered()).err();
        if let Some(refused) = &refused {
            assert_eq!(refused.code, Code::InvalidRedirectUri, "{members}");
            assert!(refused.description.starts_with("redirect_uris"));
        }
        refused.is_none()
    };
    for (uri, by_web, by_native) in [
        ("https://a.example/cb?x=1", true, true),
        ("https://localhost:8443/cb", true, true),
        ("http://127.0.0.1/cb", false, true),
        ("http://localhost:3000/cb", false, true),
        ("http://[::1]/cb", false, true),
        ("se.kommunen.app:/cb", false, true),
        ("http://a.example/cb", false, false),
        ("https://a.example/cb#x", false, false),
        ("https://a.example/*", false, false),
        ("https://user@a.example/cb", false, false),
        ("javascript:alert(1)", false, false),
        ("data:text/html,x", false, false),
        ("app:/cb", false, false),
        ("/cb", false, false),
        ("a.example/cb", false, false),
        ("", false, false),
    ] {
        let uris = json!(["https://a.example/cb", uri]);
        let results = (taken("web", uris.clone()), taken("native", uris));
        assert_eq!(results, (by_web, by_native), "{uri}");
    }
    let many: Vec<String> = (0..51).map(|n| format!("https://a.example/{n}")).collect();
    for bad in [
        json!([]),
        json!(null),
        json!("https://a.example/cb"),
        json!([1]),
        json!(many),
    ] {
        assert!(!taken("web", bad.clone()), "{bad}");
    }
}

#[test]
fn what_contradicts_itself_or_is_not_done_is_refused_by_its_name() {
    let _shows = crate::shows!(refusing "RG-05", refusing "RG-11");
    let jwks = crate::testing::Signer::new().jwks();
    let uri = "https://a.example/jwks";
    for (bad, named) in [
        (json!({"jwks": jwks, "jwks_uri": uri}), "jwks and jwks_uri"),
        (json!({"jwks": {"keys": []}}), "jwks"),
        (json!({"jwks_uri": "http://a.example/jwks"}), "jwks_uri"),
        (
            json!({"response_types": ["code id_token"]}),
            "response_types",
        ),
        (json!({"response_types": []}), "response_types"),
        (
            json!({"response_types": ["code", "token"]}),
            "response_types",
        ),
        (json!({"grant_types": ["implicit"]}), "grant_types"),
        (json!({"grant_types": []}), "grant_types"),
        (json!({"grant_types": ["refresh_token"]}), "grant_types"),
        (
            json!({"grant_types": ["authorization_code", "client_credentials"]}),
            "grant_types",
        ),
        (json!({"application_type": "desktop"}), "application_type"),
        (json!({"client_name": ""}), "client_name"),
        (json!({"client_name": "a\u{202e}b"}), "client_name"),
        (json!({"client_name#sv": 1}), "client_name#sv"),
        (json!({"client_name#\u{e5}\"\\": 1}), "client_name#"),
        (json!({"client_name#": "A"}), "client_name#"),
        (json!({"client_name#s": "A"}), "client_name#"),
        (
            json!({"client_name#sv": "A", "client_name#SV": "A"}),
            "client_name#",
        ),
        (json!({"contacts": "a@a.example"}), "contacts"),
        (json!({"contacts": vec!["a"; 11]}), "contacts"),
        (json!({"subject_type": "shared"}), "subject_type"),
        (
            json!({"sector_identifier_uri": "http://a.example/"}),
            "sector_identifier_uri",
        ),
        (
            json!({"token_endpoint_auth_method": "client_secret_jwt"}),
            "token_endpoint_auth_method",
        ),
        (
            json!({"token_endpoint_auth_method": "private_key_jwt"}),
            "jwks",
        ),
        (
            json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": jwks,
                "token_endpoint_auth_signing_alg": "HS256"}),
            "token_endpoint_auth_signing_alg",
        ),
        (
            json!({"token_endpoint_auth_signing_alg": "ES256", "jwks": jwks}),
            "token_endpoint_auth_signing_alg",
        ),
        (
            json!({"token_endpoint_auth_method": "self_signed_tls_client_auth"}),
            "jwks",
        ),
        (
            json!({"token_endpoint_auth_method": "tls_client_auth"}),
            "tls_client_auth_subject_dn",
        ),
        (
            json!({"token_endpoint_auth_method": "tls_client_auth",
                "tls_client_auth_subject_dn": "app"}),
            "tls_client_auth_subject_dn",
        ),
        (
            json!({"token_endpoint_auth_method": "tls_client_auth",
                "tls_client_auth_san_dns": "a.example", "tls_client_auth_san_ip": "192.0.2.1"}),
            "tls_client_auth",
        ),
        (
            json!({"tls_client_auth_san_dns": "a.example"}),
            "tls_client_auth",
        ),
        (
            json!({"tls_client_certificate_bound_access_tokens": true,
                "dpop_bound_access_tokens": true}),
            "tls_client_certificate_bound_access_tokens",
        ),
        (
            json!({"token_endpoint_auth_method": "none",
                "grant_types": ["authorization_code", "refresh_token"]}),
            "dpop_bound_access_tokens",
        ),
        (
            json!({"id_token_signed_response_alg": "none"}),
            "id_token_signed_response_alg",
        ),
        (
            json!({"userinfo_signed_response_alg": "HS256"}),
            "userinfo_signed_response_alg",
        ),
        (
            json!({"authorization_signed_response_alg": "RS512"}),
            "authorization_signed_response_alg",
        ),
        (
            json!({"request_object_signing_alg": "none", "jwks": jwks}),
            "request_object_signing_alg",
        ),
        (json!({"require_signed_request_object": true}), "jwks"),
        (json!({"default_max_age": -1}), "default_max_age"),
        (json!({"default_max_age": "60"}), "default_max_age"),
        (
            json!({"require_pushed_authorization_requests": "yes"}),
            "require_pushed_authorization_requests",
        ),
        (
            json!({"dpop_bound_access_tokens": 1}),
            "dpop_bound_access_tokens",
        ),
        (
            json!({"post_logout_redirect_uris": vec!["https://a.example/"; 51]}),
            "post_logout_redirect_uris",
        ),
        (
            json!({"post_logout_redirect_uris": ["http://localhost/bye"]}),
            "post_logout_redirect_uris",
        ),
        (
            json!({"post_logout_redirect_uris": ["https://a.example/#x"]}),
            "post_logout_redirect_uris",
        ),
        (
            json!({"backchannel_logout_uri": "https://a.example/#x"}),
            "backchannel_logout_uri",
        ),
        (
            json!({"backchannel_logout_uri": "http://a.example/"}),
            "backchannel_logout_uri",
        ),
        (
            json!({"frontchannel_logout_uri": "https://b.example/"}),
            "frontchannel_logout_uri",
        ),
    ] {
        let refused = read_with(&bad, offered()).expect_err("refused");
        assert_eq!(refused.code, Code::InvalidClientMetadata, "{bad}");
        let description = refused.description;
        assert!(description.contains(named), "{bad}: {description}");
        let plain = |c: char| c.is_ascii() && !c.is_control() && c != '"' && c != '\\';
        assert!(description.chars().all(plain), "{description}");
    }
    for name in ENCRYPTION {
        let refused = read_with(&json!({ name: "RSA-OAEP" }), offered()).expect_err("refused");
        assert_eq!(refused.code, Code::InvalidClientMetadata);
        assert!(refused.description.starts_with(name));
    }
}

#[test]
fn the_token_and_the_provider_say_what_can_be_had() {
    let _shows = crate::shows!(accepting "RG-05", refusing "RG-05");
    let nothing = Allowance::default();
    let few = [Method::ClientSecretBasic, Method::None];
    let narrow = Offer {
        allowance: &nothing,
        methods: &few,
    };
    let refreshing = json!({"grant_types": ["authorization_code", "refresh_token"]});
    let with = read_with(&refreshing, offered()).expect("allowed").metadata;
    assert_eq!(with.refresh_tokens, RefreshTokens::WorkingDay);
    assert!(read_with(&refreshing, narrow).is_err());
    let without = asked(&json!({})).metadata;
    assert!(without.refresh_tokens.is_off(), "who does not ask has none");
    let by_key = json!({"token_endpoint_auth_method": "private_key_jwt",
        "jwks_uri": "https://a.example/jwks"});
    assert!(read_with(&by_key, offered()).is_ok());
    let refused = read_with(&by_key, narrow).expect_err("not here");
    let offered = "one of client_secret_basic, none";
    assert!(refused.description.ends_with(offered));
}

#[test]
fn no_registration_takes_what_an_administrator_must_give() {
    let _shows = crate::shows!(accepting "RG-07", refusing "RG-07");
    let plain = asked(&json!({}));
    // By none of our own names, and by none of a newer or another provider's.
    let greedy = json!({
        "personal_number": {"purpose": "Because."},
        "introspects": true,
        "profile": "fapi2",
        "pkce": "accepted",
        "purpose": {"sv": "a", "en": "b"},
        "bankid": {"return": "danger_no_return", "evidence": {"keep_days": 3660}},
        "web_origins": ["https://evil.example"],
        "refresh_tokens": true,
        "token_endpoint_auth": "none",
        "tls_client_auth": {"san_dns": "a.example"},
        "profile_in_id_token": false,
        "sector": "b.example",
        "sso_group": "all",
        "scope": "openid personal_number offline_access",
        "access_token": "jwt",
        "resources": ["https://b.example"],
        "client_credentials": {"scope": "all"},
        "managed_by": "file",
        "client_id": "web",
        "client_secret": "known",
        "logo_uri": "https://a.example/logo",
        "initiate_login_uri": "https://a.example/start",
        "id_token_encrypted_response_alg": null,
    });
    assert_eq!(asked(&greedy), plain);
    let metadata = plain.metadata;
    assert!(metadata.personal_number.is_none() && !metadata.introspects);
    assert!(metadata.requires_pkce());
    assert_eq!(metadata.subject_type, SubjectType::Pairwise);
    assert_eq!(
        metadata.token_endpoint_auth,
        Authentication::ClientSecretBasic
    );
}

#[test]
fn a_software_statement_is_nothing_to_go_by() {
    let _shows = crate::shows!(refusing "RG-07");
    for (statement, code) in [
        (json!("e30.e30.c2ln"), Code::UnapprovedSoftwareStatement),
        (json!("e30"), Code::InvalidSoftwareStatement),
        (json!({}), Code::InvalidSoftwareStatement),
    ] {
        let refused = read_with(&json!({ "software_statement": statement }), offered());
        assert_eq!(refused.expect_err("refused").code, code, "{statement}");
    }
}

#[test]
fn a_name_is_taken_in_swedish_first_and_from_the_address_last() {
    let _shows = crate::shows!(accepting "RG-03");
    let name = |members: Value| asked(&members).metadata.client_name.as_str().to_owned();
    assert_eq!(name(json!({})), "a.example");
    assert_eq!(name(json!({"client_name#en": "E"})), "E");
    let both = json!({"client_name#en": "E", "client_name#sv": "S"});
    assert_eq!(name(both), "S");
    assert_eq!(
        name(json!({"client_name#fi": "F", "client_name#en-GB": "E"})),
        "E"
    );
    assert_eq!(
        name(json!({"client_name#fi": "F", "client_name#sv": null})),
        "F"
    );
    assert_eq!(
        name(json!({"client_name": "N", "client_name#sv": "S"})),
        "N"
    );
}

#[test]
fn a_replacement_is_the_clients_own_and_sets_nothing_of_ours() {
    let _shows = crate::shows!(accepting "RG-08", refusing "RG-08");
    let client_id = ClientId::parse("5f3c").expect("an id");
    let secrets = [Digest::of("old"), Digest::of("new")];
    let admitted = |members: &Value| {
        let members = members.as_object().expect("an object");
        admit_replacement(members, &client_id, &secrets)
    };
    for sound in [
        json!({"client_id": "5f3c"}),
        json!({"client_id": "5f3c", "client_secret": "old"}),
        json!({"client_id": "5f3c", "client_secret": "new"}),
        json!({"client_id": "5f3c", "client_secret": null}),
    ] {
        assert_eq!(admitted(&sound), Ok(()), "{sound}");
    }
    for (bad, named) in [
        (json!({}), "client_id"),
        (json!({"client_id": "other"}), "client_id"),
        (
            json!({"client_id": "5f3c", "client_secret": "other"}),
            "client_secret",
        ),
        (
            json!({"client_id": "5f3c", "client_secret": 1}),
            "client_secret",
        ),
        (
            json!({"client_id": "5f3c", "registration_access_token": "x"}),
            "registration_access_token",
        ),
        (
            json!({"client_id": "5f3c", "registration_client_uri": "x"}),
            "registration_client_uri",
        ),
        (
            json!({"client_id": "5f3c", "client_secret_expires_at": 0}),
            "client_secret_expires_at",
        ),
        (
            json!({"client_id": "5f3c", "client_id_issued_at": 0}),
            "client_id_issued_at",
        ),
    ] {
        let refused = admitted(&bad).expect_err("refused");
        assert_eq!(refused.code, Code::InvalidClientMetadata);
        assert!(refused.description.starts_with(named), "{bad}");
    }
}

use std::collections::HashSet;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::diagnosis::{Known, Owner, Past, Scene, diagnose};
use super::received::Token;
use super::*;
use crate::authorize::request::Parameters;
use crate::client::Client;

const ISSUER: &str = "https://op.example";
const AT: Timestamp = Timestamp(100_000);

/// A client with these things registered besides its address.
fn client(more: &Value) -> Client {
    let mut metadata = json!({"client_name": "A", "redirect_uris": ["https://a.example/cb"]});
    for (name, value) in more.as_object().into_iter().flatten() {
        metadata[name] = value.clone();
    }
    Client {
        client_id: ClientId::parse("a").expect("an id"),
        sector: "a.example".into(),
        metadata: serde_json::from_value(metadata).expect("metadata"),
    }
}

fn sent(pairs: &[(&str, &str)]) -> Received {
    let length = |name| {
        let found = pairs.iter().find(|(n, _)| *n == name);
        found.map(|(_, value)| (name, value.len()))
    };
    let owned = pairs
        .iter()
        .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
    Received {
        client_id: Some("a".to_owned()),
        parameters: Parameters::from_pairs(owned),
        lengths: Received::LENGTHS.into_iter().filter_map(length).collect(),
        ..Received::default()
    }
}

fn authenticating(ways: &[&'static str]) -> Received {
    Received {
        ways: ways.to_vec(),
        ..sent(&[])
    }
}

fn token(header: &Value, claims: &Value) -> Option<Token> {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    Token::read(&format!("{}.{}.c2ln", part(header), part(claims)))
}

fn asserting(header: Value, claims: Value) -> Received {
    Received {
        assertion: token(&header, &claims),
        ..sent(&[])
    }
}

fn requesting(header: Value, claims: Value) -> Received {
    Received {
        request_object: token(&header, &claims),
        ..sent(&[])
    }
}

fn proving(header: Value, claims: Value) -> Received {
    Received {
        proof: token(&header, &claims),
        endpoint: format!("{ISSUER}/token"),
        ..sent(&[])
    }
}

fn owned(client_id: &str, expires_at: i64) -> Known {
    Known {
        owner: Some(Owner {
            client_id: ClientId::parse(client_id).expect("an id"),
            expires_at: Timestamp(expires_at),
            has_ended: false,
        }),
        ..Known::default()
    }
}

/// What is found at an endpoint, and what is said of the difference.
fn found_at(
    endpoint: Endpoint,
    reason: Reason,
    received: &Received,
    client: Option<&Client>,
    known: &Known,
) -> (Reason, Option<String>) {
    let scene = Scene {
        received,
        client,
        known,
        endpoint,
        issuer: ISSUER,
        at: AT,
    };
    let (reason, detail) = diagnose(reason, scene);
    (reason, reason.explain(&detail).difference)
}

/// A case of the table: what the rule says, what came, what is registered, what else is known, what is
/// found, and the words.
type Case = (Reason, Received, Value, Known, Reason, Option<&'static str>);

fn check(cases: Vec<Case>) -> Vec<Reason> {
    let mut seen = Vec::new();
    for (rule, received, registered, known, expected, words) in cases {
        let client = client(&registered);
        let (reason, difference) =
            found_at(Endpoint::Token, rule, &received, Some(&client), &known);
        assert_eq!(reason, expected, "{rule:?} {registered} {difference:?}");
        assert_eq!(difference.as_deref(), words, "{expected:?}");
        seen.push(reason);
    }
    seen
}

fn addresses() -> Vec<Case> {
    use Reason as R;
    let to = |address: &str| sent(&[("redirect_uri", address)]);
    let case = |address: &str, expected, words| {
        let rule = R::RedirectUriUnregistered;
        (
            rule,
            to(address),
            json!({}),
            Known::default(),
            expected,
            Some(words),
        )
    };
    let queried = json!({"redirect_uris": ["https://a.example/cb?tenant=1"]});
    let left = |registered: Value, address: &str, expected, words| {
        let received = sent(&[("post_logout_redirect_uri", address)]);
        let rule = R::LogoutAddressUnregistered;
        (
            rule,
            received,
            registered,
            Known::default(),
            expected,
            Some(words),
        )
    };
    vec![
        case(
            "https://a.example/cb/",
            R::RedirectUriSlash,
            "differs only in the trailing slash: registered https://a.example/cb, received https://a.example/cb/",
        ),
        case(
            "https://a.example/CB",
            R::RedirectUriCase,
            "differs only in the case of the path: registered https://a.example/cb, received https://a.example/CB",
        ),
        case(
            "http://a.example/cb",
            R::RedirectUriScheme,
            "differs only in http or https: registered https://a.example/cb, received http://a.example/cb",
        ),
        case(
            "https://a.example:8443/cb",
            R::RedirectUriPort,
            "differs only in the port: registered https://a.example/cb, received https://a.example:8443/cb",
        ),
        case(
            "https://www.a.example/cb",
            R::RedirectUriWww,
            "differs only in www: registered https://a.example/cb, received https://www.a.example/cb",
        ),
        case(
            "https://test.example/cb",
            R::RedirectUriHost,
            "differs only in the host: registered https://a.example/cb, received https://test.example/cb",
        ),
        case(
            "https://a.example/callback",
            R::RedirectUriPath,
            "differs only in the path: registered https://a.example/cb, received https://a.example/callback",
        ),
        case(
            "https://a.example/%63b",
            R::RedirectUriEscaping,
            "differs only in percent-encoding: registered https://a.example/cb, received https://a.example/%63b",
        ),
        case(
            "https://a.example/cb?next=/secret&x=1",
            R::RedirectUriQuery,
            "differs only in the parameters next, x: registered https://a.example/cb, received https://a.example/cb",
        ),
        case(
            "https://a.example/cb#secret",
            R::RedirectUriFragment,
            "differs only in the part behind #: registered https://a.example/cb, received https://a.example/cb",
        ),
        case(
            "https://A.example/cb",
            R::RedirectUriSpelling,
            "the same address in another spelling: registered https://a.example/cb, received https://A.example/cb",
        ),
        case(
            "/cb",
            R::RedirectUriRelative,
            "registered https://a.example/cb",
        ),
        case(
            "http://b.example/x",
            R::RedirectUriUnregistered,
            "the nearest that is registered is https://a.example/cb, received http://b.example/x",
        ),
        (
            R::RedirectUriUnregistered,
            to("https://a.example/cb?tenant=2"),
            queried,
            Known::default(),
            R::RedirectUriQuery,
            Some(
                "differs only in the parameters tenant: registered https://a.example/cb?tenant=1, received https://a.example/cb",
            ),
        ),
        (
            R::RedirectUriUnregistered,
            to("https://a.example/bye"),
            json!({"post_logout_redirect_uris": ["https://a.example/bye"]}),
            Known::default(),
            R::RedirectUriForLogout,
            Some("registered as post_logout_redirect_uri: https://a.example/bye"),
        ),
        (
            R::RedirectUriUnregistered,
            to("https://a.example/cb"),
            json!({"redirect_uris": []}),
            Known::default(),
            R::RedirectUriNoneRegistered,
            Some("received https://a.example/cb"),
        ),
        (
            R::RedirectUriMissing,
            sent(&[]),
            json!({"redirect_uris": ["https://a.example/1", "https://a.example/2"]}),
            Known::default(),
            R::RedirectUriMissing,
            Some("registered https://a.example/1, https://a.example/2"),
        ),
        left(
            json!({"post_logout_redirect_uris": ["https://a.example/bye"]}),
            "https://a.example/bye/",
            R::LogoutAddressUnregistered,
            "differs only in the trailing slash: the nearest that is registered is https://a.example/bye, received https://a.example/bye/",
        ),
        left(
            json!({}),
            "https://a.example/bye?who=secret",
            R::LogoutAddressNoneRegistered,
            "received https://a.example/bye",
        ),
        (
            R::LogoutAddressUnproven,
            sent(&[("post_logout_redirect_uri", "https://a.example/bye?x=1")]),
            json!({}),
            Known::default(),
            R::LogoutAddressUnproven,
            Some("received https://a.example/bye"),
        ),
        (
            R::CodeRedirectUriOther,
            to("https://a.example/cb?x=1"),
            json!({}),
            Known::default(),
            R::CodeRedirectUriOther,
            Some("received https://a.example/cb"),
        ),
        (
            R::CodeRedirectUriOther,
            sent(&[]),
            json!({}),
            Known::default(),
            R::CodeRedirectUriMissing,
            None,
        ),
    ]
}

fn parameters() -> Vec<Case> {
    use Reason as R;
    let case = |rule, pairs: &[(&str, &str)], registered: Value, words| {
        (
            rule,
            sent(pairs),
            registered,
            Known::default(),
            rule,
            Some(words),
        )
    };
    let long = "x".repeat(513);
    let twice = Received {
        repeated: vec!["state".into(), "nonce".into()],
        ..sent(&[])
    };
    let in_query = Received {
        in_query: vec!["grant_type".into(), "code".into()],
        ..sent(&[])
    };
    let body = |content_type: Option<&str>| Received {
        content_type: content_type.map(str::to_owned),
        ..sent(&[])
    };
    let said = |text: &str| Received {
        said: Some(text.to_owned()),
        ..sent(&[])
    };
    let whole = |rule, received, words| {
        (
            rule,
            received,
            json!({}),
            Known::default(),
            rule,
            Some(words),
        )
    };
    vec![
        case(
            R::ResponseModeUnsupported,
            &[("response_mode", "web_message")],
            json!({}),
            "received web_message",
        ),
        case(
            R::ResponseModeUnregistered,
            &[("response_mode", "fragment")],
            json!({"response_modes": ["query.jwt"]}),
            "registered query.jwt, received fragment",
        ),
        case(
            R::ResponseModeUnregistered,
            &[],
            json!({"response_modes": ["query.jwt"]}),
            "registered query.jwt, received query",
        ),
        case(
            R::ResponseTypeUnsupported,
            &[("response_type", "id_token token")],
            json!({}),
            "supported code, received id_token token",
        ),
        case(
            R::OpenidMissing,
            &[("scope", "profile email")],
            json!({}),
            "received profile email",
        ),
        case(R::OpenidMissing, &[], json!({}), "received no scope"),
        case(
            R::PersonalNumberNotEntitled,
            &[("scope", "openid personal_number")],
            json!({}),
            "received openid personal_number",
        ),
        case(
            R::ScopeWider,
            &[("scope", "openid profile")],
            json!({}),
            "received openid profile",
        ),
        case(
            R::OwnScopeNotAllowed,
            &[("scope", "write")],
            json!({"client_credentials": {"scopes": ["read"]}}),
            "registered read, received write",
        ),
        case(
            R::ResourceNotAllowed,
            &[("resource", "https://api.example/v2?k=secret")],
            json!({"resources": ["https://api.example/v1"]}),
            "registered https://api.example/v1, received https://api.example/v2",
        ),
        case(
            R::PkceMethod,
            &[("code_challenge_method", "plain")],
            json!({}),
            "supported S256, received plain",
        ),
        case(
            R::PkceMethod,
            &[],
            json!({}),
            "supported S256, received none, which means plain",
        ),
        case(
            R::ChallengeMalformed,
            &[("code_challenge", "abc")],
            json!({}),
            "43 characters are needed, received 3 characters",
        ),
        case(
            R::VerifierMalformed,
            &[("code_verifier", "abcd")],
            json!({}),
            "43 to 128 unreserved characters are needed, received 4 characters",
        ),
        case(
            R::NonceTooLong,
            &[("nonce", &long)],
            json!({}),
            "at most 512 characters, received 513 characters",
        ),
        case(
            R::PromptNoneAndMore,
            &[("prompt", "none login")],
            json!({}),
            "received none login",
        ),
        case(
            R::GrantTypeUnsupported,
            &[("grant_type", "password")],
            json!({}),
            "supported authorization_code, refresh_token and client_credentials, received password",
        ),
        case(
            R::ClientIdDiffers,
            &[("client_id", "b")],
            json!({}),
            "received b in the form",
        ),
        whole(
            R::ParameterRepeated,
            twice,
            "sent more than once: state, nonce",
        ),
        whole(
            R::ParametersInQuery,
            in_query,
            "in the query: grant_type, code",
        ),
        whole(
            R::BodyNoForm,
            body(Some("application/json")),
            "expected application/x-www-form-urlencoded, received application/json",
        ),
        whole(
            R::BodyNoJson,
            body(None),
            "expected application/json, received no content type",
        ),
        whole(
            R::RegistrationMetadata,
            said("contacts must be at most 10"),
            "contacts must be at most 10",
        ),
        whole(
            R::RegistrationRedirectUri,
            said("redirect_uris must be a list"),
            "redirect_uris must be a list",
        ),
    ]
}

fn callers() -> Vec<Case> {
    use Reason as R;
    let by = |registered: &str| match registered {
        "tls_client_auth" => {
            json!({"token_endpoint_auth": registered, "tls_client_auth": {"san_dns": "a.example"}})
        }
        _ => json!({"token_endpoint_auth": registered}),
    };
    let case = |ways: &[&'static str], registered: &str, expected, words| {
        let rule = R::AuthenticationMethod;
        (
            rule,
            authenticating(ways),
            by(registered),
            Known::default(),
            expected,
            Some(words),
        )
    };
    let secret = |past| Known {
        secret: Some(past),
        ..Known::default()
    };
    let shown = Received {
        has_certificate: true,
        ..sent(&[])
    };
    vec![
        case(
            &["client_secret_post"],
            "client_secret_basic",
            R::SecretInForm,
            "registered client_secret_basic, received client_secret_post",
        ),
        case(
            &["client_secret_basic"],
            "client_secret_post",
            R::SecretInHeader,
            "registered client_secret_post, received client_secret_basic",
        ),
        case(
            &["client_secret_basic"],
            "none",
            R::SecretOfPublicClient,
            "registered none, received client_secret_basic",
        ),
        case(
            &["none"],
            "client_secret",
            R::SecretNotSent,
            "registered client_secret_basic or client_secret_post, received none",
        ),
        case(
            &["private_key_jwt"],
            "client_secret_post",
            R::AuthenticationMethod,
            "registered client_secret_post, received private_key_jwt",
        ),
        case(
            &["client_secret_basic"],
            "private_key_jwt",
            R::AuthenticationMethod,
            "registered private_key_jwt, received client_secret_basic",
        ),
        (
            R::AuthenticationTwice,
            authenticating(&["client_secret_basic", "client_secret_post"]),
            by("client_secret"),
            Known::default(),
            R::AuthenticationTwice,
            Some(
                "registered client_secret_basic or client_secret_post, received client_secret_basic and client_secret_post",
            ),
        ),
        (
            R::SecretWrong,
            sent(&[]),
            json!({}),
            Known::default(),
            R::SecretWrong,
            None,
        ),
        (
            R::SecretWrong,
            sent(&[]),
            json!({}),
            secret(Past::Padded),
            R::SecretPadded,
            None,
        ),
        (
            R::SecretWrong,
            sent(&[]),
            json!({}),
            secret(Past::Expired(Timestamp(99_940))),
            R::SecretExpired,
            Some("it ended 60 seconds before the request"),
        ),
        (
            R::CertificateOther,
            sent(&[]),
            by("tls_client_auth"),
            Known::default(),
            R::CertificateMissing,
            None,
        ),
        (
            R::CertificateOther,
            shown,
            by("tls_client_auth"),
            Known::default(),
            R::CertificateOther,
            Some("registered tls_client_auth"),
        ),
    ]
}

fn signed() -> Vec<Case> {
    use Reason as R;
    let keys = crate::testing::Signer::new().jwks();
    let registered = |more: Value| {
        let mut registered = json!({"token_endpoint_auth": "private_key_jwt", "jwks": keys});
        for (name, value) in more.as_object().into_iter().flatten() {
            registered[name] = value.clone();
        }
        registered
    };
    let none = Known::default;
    let good = || json!({"alg": "ES256", "kid": "ec"});
    let asserted = |rule, header, claims, expected, words| {
        (
            rule,
            asserting(header, claims),
            registered(json!({})),
            none(),
            expected,
            words,
        )
    };
    let proven = |rule, header, claims, words| {
        (
            rule,
            proving(header, claims),
            json!({}),
            none(),
            rule,
            Some(words),
        )
    };
    let asked = |changes: Value, expected, words| {
        let (mut header, mut claims) =
            (good(), json!({"iss": "a", "aud": ISSUER, "exp": AT.0 + 60}));
        for (name, value) in changes.as_object().into_iter().flatten() {
            match name.as_str() {
                "alg" | "kid" => header[name] = value.clone(),
                _ => claims[name] = value.clone(),
            }
        }
        (
            R::RequestObjectInvalid,
            requesting(header, claims),
            registered(json!({"request_object_signing_alg": "ES256"})),
            none(),
            expected,
            words,
        )
    };
    let only = registered(json!({"token_endpoint_auth_signing_alg": "PS256"}));
    let fapi = registered(json!({"profile": "fapi2"}));
    vec![
        (
            R::AssertionSignature,
            asserting(good(), json!({})),
            only,
            none(),
            R::AssertionAlgorithm,
            Some("registered PS256, received ES256"),
        ),
        (
            R::AssertionAlgorithm,
            asserting(json!({"alg": "RS256"}), json!({})),
            fapi,
            none(),
            R::AssertionAlgorithm,
            Some("registered PS256, ES256, EdDSA, received RS256"),
        ),
        (
            R::AssertionSignature,
            sent(&[]),
            registered(json!({})),
            none(),
            R::AssertionMalformed,
            None,
        ),
        asserted(
            R::AssertionSignature,
            json!({"alg": "ES256", "kid": "old"}),
            json!({}),
            R::AssertionKey,
            Some("received kid old"),
        ),
        asserted(
            R::AssertionSignature,
            good(),
            json!({}),
            R::AssertionSignature,
            None,
        ),
        asserted(
            R::AssertionTyp,
            json!({"alg": "ES256", "typ": "at+jwt"}),
            json!({}),
            R::AssertionTyp,
            Some("received typ at+jwt"),
        ),
        asserted(
            R::AssertionSubject,
            good(),
            json!({"iss": "b", "sub": "191212121212"}),
            R::AssertionSubject,
            Some("expected a, received iss b, sub [hidden]"),
        ),
        asserted(
            R::AssertionAudience,
            good(),
            json!({"aud": ["https://other.example/token?x=secret"]}),
            R::AssertionAudience,
            Some("expected https://op.example, received https://other.example/token"),
        ),
        asserted(
            R::AssertionAudience,
            good(),
            json!({}),
            R::AssertionAudience,
            Some("expected https://op.example, received none"),
        ),
        asserted(
            R::AssertionTimes,
            good(),
            json!({"exp": AT.0 - 30}),
            R::AssertionExpired,
            Some("it ended 30 seconds before it came"),
        ),
        asserted(
            R::AssertionTimes,
            good(),
            json!({}),
            R::AssertionTimes,
            None,
        ),
        proven(
            R::DpopMalformed,
            json!({"alg": "ES256", "typ": "JWT"}),
            json!({}),
            "received typ JWT",
        ),
        proven(
            R::DpopAlgorithm,
            json!({"alg": "HS256"}),
            json!({}),
            "supported ES256, PS256 and EdDSA, received HS256",
        ),
        proven(R::DpopMethod, good(), json!({"htm": "GET"}), "received GET"),
        proven(
            R::DpopAddress,
            good(),
            json!({"htu": "http://internal:8080/token?x=secret"}),
            "expected https://op.example/token, received http://internal:8080/token",
        ),
        proven(
            R::DpopTime,
            good(),
            json!({"iat": AT.0 + 300}),
            "300 seconds from this provider's clock; 60 are allowed",
        ),
        asked(json!({"alg": "none"}), R::RequestObjectUnsigned, None),
        asked(
            json!({"alg": "RS256"}),
            R::RequestObjectAlgorithm,
            Some("registered ES256, received RS256"),
        ),
        asked(
            json!({"kid": "old"}),
            R::RequestObjectKey,
            Some("received kid old"),
        ),
        asked(
            json!({"iss": "b"}),
            R::RequestObjectIssuer,
            Some("expected a, received b"),
        ),
        asked(
            json!({"aud": "https://other.example"}),
            R::RequestObjectAudience,
            Some("expected https://op.example, received https://other.example"),
        ),
        asked(
            json!({"exp": AT.0 - 5}),
            R::RequestObjectExpired,
            Some("it ended 5 seconds before it came"),
        ),
        asked(json!({"exp": AT.0 + 90_000}), R::RequestObjectTimes, None),
        asked(json!({"exp": null}), R::RequestObjectTimes, None),
        asked(json!({"nbf": AT.0 + 11}), R::RequestObjectTimes, None),
        asked(json!({}), R::RequestObjectInvalid, None),
        (
            R::RequestObjectInvalid,
            sent(&[]),
            json!({}),
            none(),
            R::RequestObjectInvalid,
            None,
        ),
    ]
}

fn kept() -> Vec<Case> {
    use Reason as R;
    let case = |rule, known, expected, words| (rule, sent(&[]), json!({}), known, expected, words);
    let none = Known::default;
    let (late, soon) = (AT.0 - 40, AT.0 + 40);
    let ended = |at| {
        let mut known = owned("a", at);
        known.owner.as_mut().expect("an owner").has_ended = true;
        known
    };
    let id_token = Received {
        token: token(
            &json!({"typ": "JWT", "alg": "RS256"}),
            &json!({"iss": ISSUER, "aud": "a"}),
        ),
        ..sent(&[])
    };
    vec![
        case(
            R::PushedRequestUnknown,
            none(),
            R::PushedRequestUnknown,
            None,
        ),
        case(
            R::PushedRequestUnknown,
            owned("b", soon),
            R::PushedRequestOfOther,
            Some("pushed by b, brought by a"),
        ),
        case(
            R::PushedRequestUnknown,
            owned("a", late),
            R::PushedRequestExpired,
            Some("it ended 40 seconds before it was brought"),
        ),
        case(R::CodeUnknown, none(), R::CodeUnknown, None),
        case(
            R::CodeUnknown,
            owned("b", soon),
            R::CodeOfOtherClient,
            Some("given to b, sent by a"),
        ),
        case(
            R::CodeExpired,
            owned("a", late),
            R::CodeExpired,
            Some("it ended 40 seconds before it was sent"),
        ),
        case(R::CodeExpired, owned("a", soon), R::CodeExpired, None),
        case(R::RefreshTokenUnknown, none(), R::RefreshTokenUnknown, None),
        case(
            R::RefreshTokenUnknown,
            owned("b", soon),
            R::RefreshTokenOfOther,
            Some("given to b, sent by a"),
        ),
        case(R::TokenUnknown, none(), R::TokenUnknown, None),
        case(
            R::TokenUnknown,
            owned("a", late),
            R::TokenExpired,
            Some("it ended 40 seconds before the request"),
        ),
        case(R::TokenUnknown, ended(soon), R::TokenRevoked, None),
        (
            R::TokenUnknown,
            id_token,
            json!({}),
            none(),
            R::TokenIsIdToken,
            None,
        ),
    ]
}

#[test]
fn the_difference_is_told_in_words() {
    let _shows = crate::shows!(accepting "PV-WHY-1", refusing "PV-WHY-4");
    let mut seen: HashSet<Reason> = HashSet::new();
    for cases in [addresses(), parameters(), callers(), signed(), kept()] {
        seen.extend(check(cases));
    }
    let unknown = |known: &Known| {
        let received = Received {
            client_id: Some("komunen".to_owned()),
            ..sent(&[])
        };
        found_at(
            Endpoint::Authorize,
            Reason::ClientIdUnknown,
            &received,
            None,
            known,
        )
    };
    let near = Known {
        near: ClientId::parse("kommunen"),
        ..Known::default()
    };
    let secret = Known {
        is_secret: true,
        ..near.clone()
    };
    for (known, expected, words) in [
        (
            Known::default(),
            Reason::ClientIdUnknown,
            Some("received komunen"),
        ),
        (
            near,
            Reason::ClientIdMisspelt,
            Some("registered kommunen, received komunen"),
        ),
        (secret, Reason::ClientIdIsSecret, None),
    ] {
        let (reason, difference) = unknown(&known);
        assert_eq!((reason, difference.as_deref()), (expected, words));
        seen.insert(reason);
    }
    // Whoever adds a difference adds its words here.
    for reason in Reason::ALL {
        let has_difference = !reason.words().difference.is_empty();
        assert!(
            !has_difference || seen.contains(reason),
            "{reason:?} has no case"
        );
    }
    assert!(seen.len() > 70, "{}", seen.len());
}

#[test]
fn a_pushed_request_object_is_measured_by_its_own_rule() {
    let times = |nbf: Option<i64>, exp: i64| {
        let claims = json!({"iss": "a", "aud": ISSUER, "nbf": nbf, "exp": exp});
        requesting(json!({"alg": "ES256", "kid": "ec"}), claims)
    };
    let keys = crate::testing::Signer::new().jwks();
    let client = client(&json!({"jwks": keys}));
    let reason = |received: &Received| {
        let (rule, known) = (Reason::RequestObjectInvalid, Known::default());
        found_at(Endpoint::Par, rule, received, Some(&client), &known).0
    };
    let good = times(Some(AT.0), AT.0 + 60);
    assert_eq!(
        reason(&good),
        Reason::RequestObjectInvalid,
        "something else is wrong"
    );
    for wrong in [times(None, AT.0 + 60), times(Some(AT.0), AT.0 + 4000)] {
        assert_eq!(reason(&wrong), Reason::RequestObjectTimes);
    }
}

#[test]
fn every_mistake_has_a_name_of_its_own_and_plain_words() {
    let _shows = crate::shows!(accepting "PV-WHY-1");
    let mut names = HashSet::new();
    for reason in Reason::ALL {
        let name = reason.as_str();
        let sound = name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        assert!(sound && names.insert(name), "{name}");
        assert_eq!(Reason::parse(name), Some(*reason));
        let explained = reason.explain(&Detail::default());
        for text in [explained.what, explained.remedy] {
            assert!(text.len() > 10 && text.ends_with('.'), "{name}: {text}");
        }
        let whole = Detail {
            registered: Some("{R}".into()),
            received: Some("{X}".into()),
            names: vec!["{N}".into()],
            seconds: Some(5),
        };
        let template = reason.words().difference;
        let said = reason.explain(&whole).difference;
        assert_eq!(said.is_none(), template.is_empty(), "{name}: {template}");
    }
    assert!(names.len() >= 40);
    assert_eq!(Reason::parse("of_another_version"), None);
}

/// What no rule and no diagnosis says can never be explained to anybody.
#[test]
fn every_mistake_is_named_by_a_rule_or_found_by_the_diagnosis() {
    let _shows = crate::shows!(accepting "PV-WHY-1");
    let mut text = String::new();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    read(&source, &mut text);
    for reason in Reason::ALL {
        let named = format!("Reason::{reason:?}");
        let is_named = text.split(&named).skip(1).any(|rest| {
            let next = rest.chars().next();
            next.is_none_or(|c| !c.is_alphanumeric())
        });
        assert!(is_named, "{named} is said nowhere");
    }
}

/// All sources but this test and the table itself, each up to its tests.
fn read(folder: &Path, text: &mut String) {
    for entry in std::fs::read_dir(folder).expect("sources") {
        let path = entry.expect("a file").path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if path.is_dir() {
            read(&path, text);
        } else if name != "tests.rs" && name != "reasons.rs" {
            let source = std::fs::read_to_string(&path).expect("a source");
            let code = source.split("#[cfg(test)]\nmod tests {").next();
            text.push_str(code.unwrap_or_default());
        }
    }
}

//! The cases of who sends a request, what they signed, and what is kept of theirs.

use serde_json::{Value, json};

use super::{AT, Case, ISSUER, asserting, authenticating, owned, proving, requesting, sent, token};
use crate::client::mistake::diagnosis::{Known, Past};
use crate::client::mistake::{Reason, Received};
use crate::clock::Timestamp;

pub fn methods() -> Vec<Case> {
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

pub fn signed() -> Vec<Case> {
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

pub fn kept() -> Vec<Case> {
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

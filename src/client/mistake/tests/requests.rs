//! The cases of what stands in a request.

use serde_json::{Value, json};

use super::{Case, sent};
use crate::client::mistake::diagnosis::Known;
use crate::client::mistake::{Reason, Received};

pub fn addresses() -> Vec<Case> {
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

pub fn parameters() -> Vec<Case> {
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

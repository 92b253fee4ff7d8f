//! Why a request was refused: wrong requests of all kinds over HTTP, and what whoever looks after the
//! client finds of them.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use portvakt::admin::failure::{self, Failure};
use portvakt::client::mistake::Reason;
use portvakt::clock::Seconds;
use portvakt::id::ClientId;
use portvakt::shows;
use portvakt::testing::{Signer, canary};
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::client_auth::{Asserting, CHALLENGE, TYPE, by_key, metadata};
use crate::keys::command;
use crate::support::phone::TOLVAN;
use crate::support::{Answer, App, Browser, CALLBACK, Database, Page, SECRET, on_both};
use crate::token::told;

type Change<'a> = (&'a str, Option<&'a str>);

const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// An administrator who looks at what came of wrong requests.
struct Looking<'a> {
    app: &'a App,
    browser: Browser,
    seen: Mutex<BTreeSet<&'static str>>,
}

impl Looking<'_> {
    fn on(app: &App) -> Looking<'_> {
        Looking {
            app,
            browser: Browser::new(),
            seen: Mutex::default(),
        }
    }

    async fn all(&self, client: Option<&str>) -> Vec<Failure> {
        let provider = &self.app.provider;
        provider.keep_waiting_refusals().await.expect("kept");
        let client = client.map(|client| ClientId::parse(client).expect("an id"));
        let list = failure::list(&provider.store, client.as_ref(), None, 1000).await;
        list.expect("a list").failures
    }

    /// What is found under the reference of an error page.
    async fn found(&self, page: &Page) -> Failure {
        let provider = &self.app.provider;
        provider.keep_waiting_refusals().await.expect("kept");
        let (_, rest) = page.body.split_once("<code>").expect("a reference");
        let (reference, _) = rest.split_once('<').expect("its end");
        let found = failure::find(&provider.store, reference).await;
        let found = found.expect("answered");
        found.unwrap_or_else(|| panic!("nothing under {reference}"))
    }

    /// A page tells of a mistake, by its reference.
    async fn page(&self, url: &str, kind: &'static str) -> Failure {
        let page = self.browser.get(url).await;
        assert_eq!(page.status, 400, "{kind}: {}", page.body);
        let found = self.found(&page).await;
        assert_eq!(found.kind, kind, "{found:?}");
        assert_eq!(found.endpoint, "authorize");
        self.seen.lock().expect("unpoisoned").insert(kind);
        found
    }

    /// A wrong authorization request that ends on a page.
    async fn asks(&self, changes: &[Change<'_>], kind: &'static str) -> Failure {
        // Only so many of a kind are kept in a minute.
        self.app.clock.advance(Duration::from_secs(61));
        self.page(&self.app.authorize_url(changes), kind).await
    }

    /// One that the client is told of.
    async fn is_told(&self, client: &str, changes: &[Change<'_>], kind: &'static str) {
        let page = self.browser.get(&self.app.authorize_url(changes)).await;
        let location = page.location();
        let location = location.unwrap_or_else(|| panic!("{kind}: {} {}", page.status, page.body));
        assert!(location.contains("error="), "{kind}: {location}");
        self.is_there(Some(client), "authorize", kind).await;
    }

    async fn is_there(&self, client: Option<&str>, endpoint: &str, kind: &'static str) -> Failure {
        let all = self.all(client).await;
        let found = all
            .iter()
            .find(|f| f.kind == kind && f.endpoint == endpoint);
        let kinds: Vec<_> = all.iter().map(|f| (f.endpoint, f.kind)).collect();
        let found = found.unwrap_or_else(|| panic!("{kind} at {endpoint} is not in {kinds:?}"));
        self.seen.lock().expect("unpoisoned").insert(kind);
        found.clone()
    }

    /// A wrong request of a client itself.
    async fn sends(
        &self,
        client: Option<&str>,
        request: RequestBuilder,
        kind: &'static str,
    ) -> Failure {
        let request = request.build().expect("a request");
        let path = request.url().path().to_owned();
        let answer = self.app.http.execute(request).await.expect("an answer");
        let status = answer.status().as_u16();
        assert!((400..500).contains(&status), "{kind}: {status}");
        let endpoint = path.split('/').nth(1).expect("an endpoint");
        self.is_there(client, endpoint, kind).await
    }

    fn post(&self, path: &str) -> RequestBuilder {
        self.app.http.post(format!("{}{path}", self.app.issuer))
    }

    fn web(&self, path: &str, form: &[(&str, &str)]) -> RequestBuilder {
        let request = self.post(path).basic_auth("web", Some(SECRET));
        request.form(form)
    }

    /// A code of a client that the person of this browser is logged in to.
    async fn code(&self, changes: &[Change<'_>]) -> String {
        let silent = [&[("prompt", Some("none"))], changes].concat();
        let page = self.browser.get(&self.app.authorize_url(&silent)).await;
        Answer::of(&page).code().to_owned()
    }
}

/// The clients that are wrong in ways that no other client can be.
async fn app(database: Database, signer: &Signer) -> App {
    let app = App::on(database).await;
    let jwks = signer.jwks();
    for (client, more) in [
        (
            "posting",
            json!({"token_endpoint_auth": "client_secret_post"}),
        ),
        (
            "heading",
            json!({"token_endpoint_auth": "client_secret_basic"}),
        ),
        (
            "pushing",
            json!({"require_pushed_authorization_requests": true}),
        ),
        (
            "signing",
            json!({"require_signed_request_object": true, "jwks": jwks}),
        ),
        ("moding", json!({"response_modes": ["query.jwt"]})),
        ("bound", json!({"dpop_bound_access_tokens": true})),
        (
            "bare",
            json!({"redirect_uris": [], "client_credentials": {"scopes": ["read"]}}),
        ),
        (
            "served",
            json!({"resources": ["urn:api"], "refresh_tokens": true}),
        ),
    ] {
        app.register(client, metadata(&more)).await;
    }
    app.register("keyed", by_key(signer, "standard")).await;
    app
}

on_both!(
    a_wrong_authorization_request_is_found_by_the_reference_of_its_page,
    async |database: Database| {
        let _shows = shows!(accepting "PV-WHY-1", accepting "PV-WHY-2", refusing "PV-WHY-4");
        let signer = Signer::new();
        let app = app(database, &signer).await;
        let looking = Looking::on(&app);
        for (address, kind) in [
            ("https://app.example/callback/", "redirect_uri_slash"),
            ("https://app.example/Callback", "redirect_uri_case"),
            ("http://app.example/callback", "redirect_uri_scheme"),
            ("https://app.example:8443/callback", "redirect_uri_port"),
            ("https://www.app.example/callback", "redirect_uri_www"),
            ("https://test.example/callback", "redirect_uri_host"),
            ("https://app.example/oidc", "redirect_uri_path"),
            ("https://app.example/%63allback", "redirect_uri_escaping"),
            (
                "https://app.example/callback?b=geheim1",
                "redirect_uri_query",
            ),
            (
                "https://app.example/callback#geheim1",
                "redirect_uri_fragment",
            ),
            ("https://APP.example/callback", "redirect_uri_spelling"),
            ("/callback", "redirect_uri_relative"),
            (
                "https://other.example/x?geheim1=geheim1",
                "redirect_uri_unregistered",
            ),
            (
                "https://app.example/logged-out?a=1",
                "redirect_uri_for_logout",
            ),
        ] {
            let found = looking.asks(&[("redirect_uri", Some(address))], kind).await;
            assert_eq!(found.client_id.as_ref().map(ClientId::as_str), Some("web"));
            let difference = found.explanation.difference.expect("a difference");
            assert!(!difference.contains("geheim1=") && !difference.contains("=geheim1"));
            assert!(!difference.contains("#geheim1"), "{difference}");
        }
        let slash = looking
            .asks(
                &[("redirect_uri", Some("https://app.example/callback/"))],
                "redirect_uri_slash",
            )
            .await;
        let expected = "differs only in the trailing slash: registered https://app.example/callback, received https://app.example/callback/";
        assert_eq!(slash.explanation.difference.as_deref(), Some(expected));
        assert_eq!(
            (slash.code.as_str(), slash.times),
            ("redirect_uri_unregistered", 1)
        );

        let bare = [("client_id", Some("bare"))];
        looking.asks(&bare, "redirect_uri_none_registered").await;
        looking
            .asks(&[("redirect_uri", None)], "redirect_uri_missing")
            .await;
        looking
            .asks(&[("client_id", None)], "client_id_missing")
            .await;
        let found = looking
            .asks(
                &[("client_id", Some("someone-unknown"))],
                "client_id_unknown",
            )
            .await;
        assert_eq!(found.claimed_client_id.as_deref(), Some("someone-unknown"));
        let found = looking
            .asks(&[("client_id", Some("Lenint"))], "client_id_unknown")
            .await;
        assert_eq!(found.client_id, None);
        let found = looking
            .asks(&[("client_id", Some("trustin"))], "client_id_misspelt")
            .await;
        let expected = "registered trusting, received trustin";
        assert_eq!(found.explanation.difference.as_deref(), Some(expected));
        let found = looking
            .asks(&[("client_id", Some(SECRET))], "client_id_is_secret")
            .await;
        assert_eq!(
            (found.claimed_client_id, found.explanation.difference),
            (None, None)
        );
        let found = looking
            .asks(&[("client_id", Some(TOLVAN))], "client_id_unknown")
            .await;
        assert_eq!(found.claimed_client_id.as_deref(), Some("[hidden]"));
        let mode = [("response_mode", Some("web_message"))];
        looking.asks(&mode, "response_mode_unsupported").await;
        let url = app.authorize_url(&[]);
        looking
            .page(&format!("{url}&client_id=b"), "client_id_repeated")
            .await;
        looking
            .page(&format!("{url}&redirect_uri=b"), "redirect_uri_repeated")
            .await;
        looking
            .page(&format!("{url}&state=%ff"), "parameters_unreadable")
            .await;
        let unreturnable = [
            ("client_id", Some("signing")),
            ("redirect_uri", None),
            ("request", Some("x.y.z")),
        ];
        looking.asks(&unreturnable, "request_object_invalid").await;

        // What was pushed, and by whom.
        let push = async || {
            let told = told(looking.web("/par", &App::asked(&[]))).await;
            let name = told.body["request_uri"]
                .as_str()
                .expect("a name")
                .to_owned();
            canary(&name);
            name
        };
        let name = push().await;
        let bring = |client, name| vec![("client_id", Some(client)), ("request_uri", Some(name))];
        let both = [bring("web", &name), vec![("request", Some("x"))]].concat();
        looking
            .page(&app.authorize_url(&both), "requests_ambiguous")
            .await;
        let of_other = app.authorize_url(&bring("strict", &name));
        let found = looking
            .page(&of_other, "pushed_request_of_other_client")
            .await;
        let expected = Some("pushed by web, brought by strict");
        assert_eq!(found.explanation.difference.as_deref(), expected);
        app.clock.advance(Duration::from_secs(100));
        looking
            .page(
                &app.authorize_url(&bring("web", &name)),
                "pushed_request_expired",
            )
            .await;
        let never = format!("urn:ietf:params:oauth:request_uri:pr_{}", "x".repeat(43));
        looking
            .page(
                &app.authorize_url(&bring("web", &never)),
                "pushed_request_unknown",
            )
            .await;

        // In a shell.
        let (fine, said) = command(
            &app,
            "client",
            &["failures", "--reference", &slash.reference],
        );
        assert!(
            fine && said.contains(&slash.explanation.difference.expect("one")),
            "{said}"
        );
        assert!(
            said.contains("web  authorize redirect_uri_unregistered  redirect_uri_slash"),
            "{said}"
        );
        let (fine, said) = command(&app, "client", &["failures", "web"]);
        assert!(fine, "{said}");
        let newest = said.find("pushed_request_unknown").expect("the newest");
        assert!(
            newest < said.find("redirect_uri_case").expect("an older one"),
            "{said}"
        );
        assert!(
            !said.contains("geheim1=") && !said.contains("=geheim1"),
            "{said}"
        );
        let (fine, said) = command(&app, "client", &["failures", "--unknown"]);
        assert!(
            fine && said.contains("unknown client someone-unknown"),
            "{said}"
        );
        for arguments in [
            &["failures", "taxed"][..],
            &["failures", "--reference", "0000"],
            &["failures"],
            &["failures", "web", "--unknown"],
        ] {
            let (fine, said) = command(&app, "client", arguments);
            assert!(!fine && !said.contains("panicked"), "{said}");
        }
    }
);

/// Everything that a client is told of by a redirect.
async fn redirects(looking: &Looking<'_>, signer: &Signer) {
    let app = looking.app;
    let long = "n".repeat(513);
    let acr = r#"{"id_token":{"acr":{"essential":true,"value":"urn:other"}}}"#;
    for (name, value, kind) in [
        ("response_type", None, "response_type_missing"),
        ("response_type", Some("token"), "response_type_unsupported"),
        ("scope", Some("profile"), "openid_missing"),
        ("resource", Some("urn:unknown"), "resource_not_allowed"),
        ("code_challenge", Some(CHALLENGE), "pkce_method"),
        ("prompt", Some("none login"), "prompt_none_combined"),
        ("max_age", Some("soon"), "max_age_malformed"),
        ("claims", Some("{"), "claims_invalid"),
        ("claims", Some(acr), "acr_unmet"),
        ("id_token_hint", Some("x"), "id_token_hint_foreign"),
        ("nonce", Some(long.as_str()), "nonce_too_long"),
        ("dpop_jkt", Some("x"), "dpop_jkt_malformed"),
        ("registration", Some("{}"), "registration_unsupported"),
        ("request", Some("x.y.z"), "request_object_unexpected"),
        (
            "request_uri",
            Some("https://app.example/r"),
            "request_uri_unsupported",
        ),
    ] {
        looking.is_told("web", &[(name, value)], kind).await;
    }
    let malformed = [
        ("code_challenge", Some("short")),
        ("code_challenge_method", Some("S256")),
    ];
    looking
        .is_told("web", &malformed, "challenge_malformed")
        .await;
    let as_client = |client, more: &[Change<'static>]| {
        let own = [
            ("client_id", Some(client)),
            ("redirect_uri", Some(crate::client_auth::CALLBACK)),
            ("scope", Some("openid")),
        ];
        [&own, more].concat()
    };
    let strict = [
        ("client_id", Some("strict")),
        ("redirect_uri", Some("https://strict.example/callback")),
    ];
    looking
        .is_told("strict", &strict, "personal_number_not_entitled")
        .await;
    let strict = [&strict[..], &[("scope", Some("openid"))]].concat();
    looking.is_told("strict", &strict, "pkce_missing").await;
    looking
        .is_told("pushing", &as_client("pushing", &[]), "not_pushed")
        .await;
    looking
        .is_told("signing", &as_client("signing", &[]), "not_signed")
        .await;
    looking
        .is_told(
            "moding",
            &as_client("moding", &[]),
            "response_mode_unregistered",
        )
        .await;

    let key = json!({"alg": "ES256", "kid": "ec"});
    for (header, name, value, kind) in [
        (
            json!({"alg": "none"}),
            "jti",
            json!("j"),
            "request_object_unsigned",
        ),
        (
            json!({"alg": "HS256"}),
            "jti",
            json!("j"),
            "request_object_algorithm",
        ),
        (
            json!({"alg": "ES256", "kid": "old"}),
            "jti",
            json!("j"),
            "request_object_key",
        ),
        (key.clone(), "iss", json!("other"), "request_object_issuer"),
        (
            key.clone(),
            "aud",
            json!("https://other.example"),
            "request_object_audience",
        ),
        (key.clone(), "exp", json!(-5), "request_object_expired"),
        (key.clone(), "exp", json!(90_000), "request_object_times"),
        (
            key.clone(),
            "client_id",
            json!("other"),
            "request_object_differs",
        ),
    ] {
        // Only so many of a kind are kept in a minute.
        app.clock.advance(Duration::from_secs(61));
        let token = looking.request_object(signer, &header, name, &value);
        let changes = [&as_client("signing", &[])[..], &[("request", Some(&token))]].concat();
        looking.is_told("signing", &changes, kind).await;
    }
}

impl Looking<'_> {
    /// A request of the client `signing`, good but for one member; times are counted from now.
    fn request_object(&self, signer: &Signer, header: &Value, name: &str, value: &Value) -> String {
        let now = self.app.clock.now().0;
        let mut claims = json!({"iss": "signing", "aud": self.app.issuer, "exp": now + 60, "nbf": now,
            "jti": "once", "client_id": "signing", "response_type": "code", "scope": "openid",
            "redirect_uri": crate::client_auth::CALLBACK});
        claims[name] = match value.as_i64() {
            Some(seconds) => json!(now + seconds),
            None => value.clone(),
        };
        signer.sign(header, &claims)
    }
}

/// How clients fail to say who they are, and what they send instead of a form.
async fn callers(looking: &Looking<'_>, signer: &Signer) {
    let app = looking.app;
    let web = Some("web");
    let basic =
        |client: &str, secret: &str| looking.post("/token").basic_auth(client, Some(secret));
    let grant = [("grant_type", "authorization_code")];
    let unsent: [(&str, &str); 0] = [];
    let secret_in_form = |client| [("client_id", client), ("client_secret", SECRET)];
    let padded = format!("{SECRET}\n");
    for (client, request, kind) in [
        (
            web,
            looking.web("/token?grant_type=x", &grant),
            "parameters_in_query",
        ),
        (web, basic("web", SECRET).json(&json!({})), "body_no_form"),
        (
            web,
            looking.web("/token", &[("code", "1"), ("code", "2")]),
            "parameter_repeated",
        ),
        (
            web,
            looking.web("/token", &[("client_secret", SECRET)]),
            "authentication_twice",
        ),
        (
            web,
            looking.web("/token", &[("client_id", "strict")]),
            "client_id_differs",
        ),
        (web, basic("web", "wrong").form(&grant), "secret_wrong"),
        (web, basic("web", &padded).form(&grant), "secret_padded"),
        (
            web,
            looking.post("/token").form(&[("client_id", "web")]),
            "secret_not_sent",
        ),
        (
            Some("heading"),
            looking.post("/token").form(&secret_in_form("heading")),
            "secret_in_form",
        ),
        (
            Some("posting"),
            basic("posting", SECRET).form(&grant),
            "secret_in_header",
        ),
        (
            Some("public"),
            looking.post("/token").form(&secret_in_form("public")),
            "secret_of_public_client",
        ),
        (
            Some("keyed"),
            basic("keyed", SECRET).form(&grant),
            "authentication_method",
        ),
        (
            None,
            looking.post("/token").form(&grant),
            "authentication_missing",
        ),
        (
            None,
            looking
                .post("/token")
                .header("authorization", "Basic !")
                .form(&grant),
            "basic_malformed",
        ),
        (
            None,
            basic("someone-unknown", SECRET).form(&grant),
            "client_id_unknown",
        ),
        (
            None,
            basic(SECRET, "x").form(&unsent),
            "client_id_is_secret",
        ),
    ] {
        looking.sends(client, request, kind).await;
    }
    let twice = looking
        .web("/token", &grant)
        .header("authorization", "Basic eDp4");
    looking.sends(None, twice, "authorization_repeated").await;
    let broken = basic("web", SECRET)
        .header("content-type", "application/x-www-form-urlencoded")
        .body("code=%zz");
    looking.sends(web, broken, "body_unreadable").await;
    let part = "x".repeat(8000);
    let large = [("a", part.as_str()), ("b", &part), ("c", &part)];
    looking
        .sends(web, looking.web("/par", &large), "body_too_large")
        .await;

    let keyed = Asserting {
        app,
        signer,
        client_id: "keyed",
    };
    let now = app.clock.now().0;
    let kept = keyed.assertion(&json!({}));
    assert_eq!(keyed.push(&kept).await.status, 201);
    let malformed = [("client_id", "keyed"), ("client_assertion_type", TYPE)];
    looking
        .sends(
            Some("keyed"),
            looking.post("/par").form(&malformed),
            "assertion_malformed",
        )
        .await;
    for (assertion, kind) in [
        (kept, "assertion_replayed"),
        (
            keyed.assertion(&json!({"alg": "HS256"})),
            "assertion_algorithm",
        ),
        (keyed.assertion(&json!({"kid": "old"})), "assertion_key"),
        (
            keyed.assertion(&json!({"kid": "rsa"})),
            "assertion_signature",
        ),
        (keyed.assertion(&json!({"typ": "at+jwt"})), "assertion_typ"),
        (
            keyed.assertion(&json!({"iss": "other"})),
            "assertion_subject",
        ),
        (
            keyed.assertion(&json!({"aud": "https://other.example"})),
            "assertion_audience",
        ),
        (
            keyed.assertion(&json!({"exp": now - 30})),
            "assertion_expired",
        ),
        (keyed.assertion(&json!({"exp": null})), "assertion_times"),
        (keyed.assertion(&json!({"jti": null})), "assertion_jti"),
    ] {
        canary(&assertion);
        let form = [
            ("client_assertion_type", TYPE),
            ("client_assertion", &assertion),
        ];
        looking
            .sends(Some("keyed"), looking.post("/par").form(&form), kind)
            .await;
    }
    let pushed = [App::asked(&[]), vec![("request_uri", "urn:x")]].concat();
    looking
        .sends(web, looking.web("/par", &pushed), "request_uri_pushed")
        .await;
    let key = json!({"alg": "ES256", "kid": "ec"});
    let token = looking.request_object(signer, &key, "jti", &json!("once"));
    let again = || looking.post("/par").basic_auth("signing", Some(SECRET));
    let form = [("request", token.as_str())];
    assert_eq!(told(again().form(&form)).await.status, 201);
    looking
        .sends(Some("signing"), again().form(&form), "request_object_used")
        .await;
    for _ in 0..20 {
        told(basic("taxed", "guess").form(&grant)).await;
    }
    looking
        .sends(
            Some("taxed"),
            basic("taxed", "guess").form(&grant),
            "too_many_wrong_secrets",
        )
        .await;
}

/// What goes wrong with codes, proofs and refresh tokens.
async fn tokens(looking: &Looking<'_>, signer: &Signer) {
    let (app, web) = (looking.app, Some("web"));
    let redeeming = |code: &str, more: &[(&'static str, &'static str)]| {
        let mut form = vec![
            ("grant_type".to_owned(), "authorization_code".to_owned()),
            ("code".to_owned(), code.to_owned()),
            ("redirect_uri".to_owned(), CALLBACK.to_owned()),
        ];
        for (name, value) in more {
            form.retain(|(n, _)| n != name);
            form.push(((*name).to_owned(), (*value).to_owned()));
        }
        form
    };
    let exchange = |code: &str, more: &[(&'static str, &'static str)]| {
        let request = looking.post("/token").basic_auth("web", Some(SECRET));
        request.form(&redeeming(code, more))
    };
    looking
        .is_told("web", &[("prompt", Some("none"))], "login_required")
        .await;
    let few = [("scope", Some("openid"))];
    let answer = app.log_in_with(&looking.browser, TOLVAN, &few).await;
    let more = [("prompt", Some("none")), ("scope", Some("openid profile"))];
    looking.is_told("web", &more, "consent_required").await;
    looking.sends(web, exchange("", &[]), "code_missing").await;
    looking
        .sends(web, exchange("nonsense", &[]), "code_unknown")
        .await;
    let others = looking
        .post("/token")
        .basic_auth("strict", Some(format!("{SECRET}-strict")));
    let others = others.form(&redeeming(answer.code(), &[]));
    let found = looking
        .sends(Some("strict"), others, "code_of_other_client")
        .await;
    let expected = Some("given to web, sent by strict");
    assert_eq!(found.explanation.difference.as_deref(), expected);
    let tokens = told(exchange(answer.code(), &[])).await.body;
    looking
        .sends(web, exchange(answer.code(), &[]), "code_used")
        .await;
    let access = tokens["access_token"].as_str().expect("a token");
    let userinfo = || app.http.get(format!("{}/userinfo", app.issuer));
    looking
        .sends(web, userinfo().bearer_auth(access), "token_revoked")
        .await;

    let challenge = [
        ("code_challenge", Some(CHALLENGE)),
        ("code_challenge_method", Some("S256")),
    ];
    let challenged = [&few[..], &challenge].concat();
    let wrong = "w".repeat(43).leak();
    for (asked, more, kind) in [
        (
            &few[..],
            &[("redirect_uri", "https://app.example/other")][..],
            "code_redirect_uri_other",
        ),
        (&few, &[("redirect_uri", "")], "code_redirect_uri_missing"),
        (
            &few,
            &[("code_verifier", crate::client_auth::VERIFIER)],
            "verifier_unasked",
        ),
        (&challenged, &[], "verifier_missing"),
        (
            &challenged,
            &[("code_verifier", "short")],
            "verifier_malformed",
        ),
        (&challenged, &[("code_verifier", wrong)], "verifier_wrong"),
    ] {
        let code = looking.code(asked).await;
        looking.sends(web, exchange(&code, more), kind).await;
    }
    let code = looking.code(&few).await;
    app.clock.advance(Duration::from_secs(75));
    let found = looking
        .sends(web, exchange(&code, &[]), "code_expired")
        .await;
    let said = found.explanation.difference.expect("how late");
    assert!(
        said.starts_with("it ended 1") && said.ends_with(" seconds before it was sent"),
        "{said}"
    );

    for (form, kind) in [
        (&[][..], "grant_type_missing"),
        (&[("grant_type", "password")], "grant_type_unsupported"),
        (&[("grant_type", "refresh_token")], "refresh_tokens_off"),
        (
            &[("grant_type", "client_credentials")],
            "client_credentials_off",
        ),
    ] {
        looking.sends(web, looking.web("/token", form), kind).await;
    }
    let own = |scope| {
        let form = [("grant_type", "client_credentials"), ("scope", scope)];
        looking
            .post("/token")
            .basic_auth("bare", Some(SECRET))
            .form(&form)
    };
    let found = looking
        .sends(Some("bare"), own("write"), "own_scope_not_allowed")
        .await;
    assert_eq!(
        found.explanation.difference.as_deref(),
        Some("registered read, received write")
    );
    let robot = told(own("read")).await.body;
    let robot = robot["access_token"].as_str().expect("a token");
    looking
        .sends(
            Some("bare"),
            userinfo().bearer_auth(robot),
            "token_of_nobody",
        )
        .await;
    let scheme = userinfo().header("authorization", format!("DPoP {robot}"));
    looking.sends(Some("bare"), scheme, "token_binding").await;
    refreshing(looking).await;
    proofs(looking, signer).await;

    // What is shown at userinfo and elsewhere.
    let code = looking.code(&few).await;
    let tokens = told(exchange(&code, &[])).await.body;
    let text = |name: &str| tokens[name].as_str().expect("a token");
    let access = text("access_token");
    looking
        .sends(
            web,
            userinfo().bearer_auth(text("id_token")),
            "token_is_id_token",
        )
        .await;
    looking.sends(None, userinfo(), "token_missing").await;
    let in_query = app
        .http
        .get(format!("{}/userinfo?access_token={access}", app.issuer));
    looking.sends(None, in_query, "token_in_query").await;
    let twice = looking
        .post("/userinfo")
        .bearer_auth(access)
        .form(&[("access_token", access)]);
    looking.sends(web, twice, "token_twice").await;
    looking
        .sends(
            web,
            userinfo().basic_auth("web", Some(SECRET)),
            "token_scheme",
        )
        .await;
    let never = format!("at_{}", "x".repeat(43));
    looking
        .sends(None, userinfo().bearer_auth(never), "token_unknown")
        .await;
    app.clock.advance(Duration::from_secs(400));
    looking
        .sends(web, userinfo().bearer_auth(access), "token_expired")
        .await;
    looking
        .sends(web, looking.web("/introspect", &[]), "token_missing")
        .await;
    looking
        .sends(web, looking.web("/revoke", &[]), "token_missing")
        .await;
    looking
        .sends(
            web,
            looking.web("/revoke", &[("token", &code)]),
            "revocation_unsupported",
        )
        .await;
    let public = looking.post("/introspect").form(&[("client_id", "public")]);
    looking
        .sends(Some("public"), public, "introspection_of_public_client")
        .await;
    logouts(looking, text("id_token")).await;
}

async fn refreshing(looking: &Looking<'_>) {
    let (app, offline) = (looking.app, Some("offline"));
    let asked = [
        ("client_id", Some("offline")),
        ("redirect_uri", Some("https://offline.example/callback")),
        ("scope", Some("openid offline_access")),
    ];
    let answer = app.log_in_with(&Browser::new(), TOLVAN, &asked).await;
    let by = |client: &str, form: &[(&str, &str)]| {
        looking
            .post("/token")
            .basic_auth(client, Some(SECRET))
            .form(form)
    };
    let redeeming = [
        ("grant_type", "authorization_code"),
        ("code", answer.code()),
        ("redirect_uri", "https://offline.example/callback"),
    ];
    let tokens = told(by("offline", &redeeming)).await.body;
    let first = tokens["refresh_token"].as_str().expect("a token");
    let refresh = [("grant_type", "refresh_token")];
    let shown = |token| [refresh[0], ("refresh_token", token)];
    looking
        .sends(offline, by("offline", &refresh), "refresh_token_missing")
        .await;
    looking
        .sends(
            offline,
            by("offline", &shown("nonsense")),
            "refresh_token_unknown",
        )
        .await;
    looking
        .sends(
            Some("resource"),
            by("resource", &shown(first)),
            "refresh_token_of_other_client",
        )
        .await;
    let wider = [&shown(first)[..], &[("scope", "openid profile")]].concat();
    looking
        .sends(offline, by("offline", &wider), "scope_wider")
        .await;
    let second = told(by("offline", &shown(first))).await.body;
    let second = second["refresh_token"].as_str().expect("a token");
    told(by("offline", &shown(second))).await;
    looking
        .sends(
            offline,
            by("offline", &shown(first)),
            "refresh_token_reused",
        )
        .await;
    looking
        .sends(
            offline,
            by("offline", &shown(second)),
            "refresh_token_revoked",
        )
        .await;
}

/// What takes other people's services, or a long time.
async fn later(looking: &Looking<'_>) {
    let (app, served) = (looking.app, Some("served"));
    let by_served = |form: &[(&str, &str)]| {
        let request = looking.post("/token").basic_auth("served", Some(SECRET));
        request.form(form)
    };
    let asked = [
        ("client_id", served),
        ("redirect_uri", Some(crate::client_auth::CALLBACK)),
        ("scope", Some("openid offline_access")),
        ("resource", Some("urn:api")),
    ];
    let answer = app.log_in_with(&Browser::new(), TOLVAN, &asked).await;
    let redeeming = [
        ("grant_type", "authorization_code"),
        ("code", answer.code()),
        ("redirect_uri", crate::client_auth::CALLBACK),
    ];
    let tokens = told(by_served(&redeeming)).await.body;
    let text = |name: &str| tokens[name].as_str().expect("a token");
    let userinfo = app.http.get(format!("{}/userinfo", app.issuer));
    let userinfo = userinfo.bearer_auth(text("access_token"));
    looking.sends(served, userinfo, "token_for_others").await;

    let expires_at = app.clock.now().0 + 60;
    let url = app.database.url(app.directory.path());
    let update =
        format!("UPDATE client_secret SET expires_at = {expires_at} WHERE client_id = 'heading'");
    raw(&app.database, &url, Some(update)).await;
    app.clock.advance(Duration::from_secs(90));
    let request = looking.post("/token").basic_auth("heading", Some(SECRET));
    let found = looking
        .sends(Some("heading"), request.form(&redeeming), "secret_expired")
        .await;
    let difference = found.explanation.difference.expect("how late");
    assert!(difference.starts_with("it ended 3"), "{difference}");

    app.clock.advance(WEEK + Duration::from_secs(60));
    let refresh = [
        ("grant_type", "refresh_token"),
        ("refresh_token", text("refresh_token")),
    ];
    looking
        .sends(served, by_served(&refresh), "refresh_token_expired")
        .await;
}

async fn proofs(looking: &Looking<'_>, signer: &Signer) {
    let (app, web) = (looking.app, Some("web"));
    let proof = |header: &[(&str, Value)], claims: &[(&str, Value)]| {
        let mut head = json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": signer.jwk("ES256")});
        let mut body = json!({"jti": "j", "htm": "POST", "htu": format!("{}/token", app.issuer),
            "iat": app.clock.now().0});
        for (name, value) in header {
            head[*name] = value.clone();
        }
        for (name, value) in claims {
            body[*name] = value.clone();
        }
        signer.sign(&head, &body)
    };
    let other = Signer::new().jwk("ES256");
    let form = [("grant_type", "refresh_token"), ("refresh_token", "x")];
    for (proof, kind) in [
        (proof(&[("typ", json!("JWT"))], &[]), "dpop_malformed"),
        (proof(&[("alg", json!("RS256"))], &[]), "dpop_algorithm"),
        (proof(&[("jwk", other)], &[]), "dpop_signature"),
        (proof(&[], &[("htm", json!("GET"))]), "dpop_htm"),
        (
            proof(&[], &[("htu", json!("http://inside:8080/token"))]),
            "dpop_htu",
        ),
        (
            proof(&[], &[("iat", json!(app.clock.now().0 - 300))]),
            "dpop_iat",
        ),
    ] {
        let request = looking.web("/token", &form).header("dpop", proof);
        looking.sends(web, request, kind).await;
    }
    let bound = looking
        .post("/token")
        .basic_auth("bound", Some(SECRET))
        .form(&form);
    looking.sends(Some("bound"), bound, "dpop_missing").await;
    let once = proof(&[], &[]);
    let own = [("grant_type", "client_credentials"), ("scope", "read")];
    let robot = || {
        let request = looking.post("/token").basic_auth("bare", Some(SECRET));
        request.form(&own).header("dpop", &once)
    };
    let token = told(robot()).await.body;
    let token = token["access_token"].as_str().expect("a token");
    looking.sends(Some("bare"), robot(), "dpop_replayed").await;
    let at_userinfo = proof(
        &[],
        &[
            ("htm", json!("GET")),
            ("htu", json!(format!("{}/userinfo", app.issuer))),
        ],
    );
    let request = app.http.get(format!("{}/userinfo", app.issuer));
    let request = request
        .header("authorization", format!("DPoP {token}"))
        .header("dpop", at_userinfo);
    looking.sends(Some("bare"), request, "dpop_ath").await;
    let asked = [
        ("scope", Some("openid")),
        (
            "dpop_jkt",
            Some("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"),
        ),
    ];
    let code = looking.code(&asked).await;
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", CALLBACK),
    ];
    let request = looking
        .web("/token", &form)
        .header("dpop", proof(&[], &[("jti", json!("k"))]));
    looking.sends(web, request, "dpop_other_key").await;
}

async fn logouts(looking: &Looking<'_>, id_token: &str) {
    let app = looking.app;
    for (client, query, kind) in [
        (
            Some("web"),
            "client_id=web&id_token_hint=x".to_owned(),
            "logout_hint_foreign",
        ),
        (
            Some("strict"),
            format!("client_id=strict&id_token_hint={id_token}"),
            "logout_hint_of_other_client",
        ),
        (
            None,
            "post_logout_redirect_uri=https://app.example/".to_owned(),
            "logout_address_unproven",
        ),
        (
            Some("web"),
            "client_id=web&post_logout_redirect_uri=https://app.example/logged-out/%3Fa%3D1"
                .to_owned(),
            "logout_address_unregistered",
        ),
        (
            Some("strict"),
            "client_id=strict&post_logout_redirect_uri=https://app.example/".to_owned(),
            "logout_address_none_registered",
        ),
        (
            None,
            "client_id=someone-unknown".to_owned(),
            "client_id_unknown",
        ),
    ] {
        let request = app.http.get(format!("{}/logout?{query}", app.issuer));
        looking.sends(client, request, kind).await;
    }
}

async fn registrations(looking: &Looking<'_>) {
    let app = looking.app;
    let token = crate::registration::issued(app, &[]);
    let never = format!("ia_{}", "x".repeat(43));
    let by = |token: &str| looking.post("/register").bearer_auth(token);
    let bad = json!({"redirect_uris": ["http://app.example/cb"]});
    let worse = json!({"redirect_uris": ["https://app.example/cb"], "contacts": 5});
    for (request, kind) in [
        (
            looking.post("/register").json(&bad),
            "registration_token_missing",
        ),
        (by(&never).json(&bad), "registration_token_unknown"),
        (by(&token).form(&[("a", "b")]), "body_no_json"),
        (by(&token).json(&bad), "registration_redirect_uri"),
        (by(&token).json(&worse), "registration_metadata"),
    ] {
        looking.sends(None, request, kind).await;
    }
}

/// What only tests of the rules come to: it takes certificates, or many requests at once.
const ELSEWHERE: [Reason; 6] = [
    Reason::CertificateMissing,
    Reason::CertificateOther,
    Reason::BindingCertificateMissing,
    Reason::BindingProofUnexpected,
    Reason::RefreshTokenCrowded,
    Reason::RefreshTokenUnbound,
];
/// What the story of the authorization request's pages comes to, besides all redirect URIs.
const OF_PAGES: [Reason; 10] = [
    Reason::ClientIdMissing,
    Reason::ClientIdRepeated,
    Reason::ClientIdMisspelt,
    Reason::ResponseModeUnsupported,
    Reason::ParametersUnreadable,
    Reason::PushedRequestUnknown,
    Reason::PushedRequestExpired,
    Reason::PushedRequestOfOther,
    Reason::RequestsAmbiguous,
    Reason::RequestObjectInvalid,
];

on_both!(
    every_wrong_request_of_a_client_is_found_by_its_client,
    async |database: Database| {
        let _shows = shows!(accepting "PV-WHY-1", accepting "PV-WHY-2", refusing "PV-WHY-4");
        let signer = Signer::new();
        let app = app(database, &signer).await;
        let looking = Looking::on(&app);
        redirects(&looking, &signer).await;
        callers(&looking, &signer).await;
        tokens(&looking, &signer).await;
        registrations(&looking).await;
        later(&looking).await;
        let seen = looking.seen.lock().expect("unpoisoned").clone();
        let missing: Vec<&str> = Reason::ALL
            .iter()
            .filter(|reason| !ELSEWHERE.contains(reason) && !OF_PAGES.contains(reason))
            .map(|reason| reason.as_str())
            .filter(|name| !seen.contains(name) && !name.starts_with("redirect_uri_"))
            .collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
);

on_both!(
    a_week_later_it_is_gone_and_a_stop_loses_nothing,
    async |database: Database| {
        let _shows = shows!(accepting "PV-WHY-5", refusing "PV-WHY-5");
        let app = App::on(database).await;
        let looking = Looking::on(&app);
        let store = &app.provider.store;
        let found = looking
            .asks(&[("redirect_uri", None)], "redirect_uri_missing")
            .await;
        app.clock.advance(WEEK - Duration::from_secs(60));
        store.sweep(app.clock.now()).await.expect("swept");
        assert_eq!(looking.all(Some("web")).await.len(), 1);
        let recent = app.clock.now() - Seconds(24 * 60 * 60);
        assert_eq!(store.refusal_counts(recent).await.expect("counts"), []);
        let long = [("redirect_uri", Some("https://app.example/callback/"))];
        let page = looking.browser.get(&app.authorize_url(&long)).await;
        let later = looking.found(&page).await;
        let counts = store.refusal_counts(recent).await.expect("counts");
        assert_eq!(counts, [(ClientId::parse("web").expect("an id"), 1)]);
        app.clock.advance(Duration::from_secs(120));
        store.sweep(app.clock.now()).await.expect("swept");
        assert_eq!(looking.all(Some("web")).await, [later.clone()]);
        let gone = failure::find(store, &found.reference)
            .await
            .expect("answered");
        assert_eq!(gone, None);

        // The last one before a stop.
        let page = looking
            .browser
            .get(&app.authorize_url(&[("client_id", None)]))
            .await;
        let (_, rest) = page.body.split_once("<code>").expect("a reference");
        let (reference, _) = rest.split_once('<').expect("its end");
        app.stop_provider().await;
        let (fine, said) = command(&app, "client", &["failures", "--reference", reference]);
        assert!(fine && said.contains("client_id_missing"), "{said}");
    }
);

on_both!(
    many_alike_are_counted_and_a_list_goes_on_where_it_ended,
    async |database: Database| {
        let _shows = shows!(accepting "PV-WHY-3", refusing "PV-WHY-3");
        let app = App::on(database).await;
        let looking = Looking::on(&app);
        for n in 0..60 {
            let name = format!("made-up-{n}");
            looking
                .browser
                .get(&app.authorize_url(&[("client_id", Some(&name))]))
                .await;
            looking
                .browser
                .get(&app.authorize_url(&[("redirect_uri", None)]))
                .await;
        }
        for client in [None, Some("web")] {
            let all = looking.all(client).await;
            let times: i64 = all.iter().map(|failure| failure.times).sum();
            // A minute may end in between.
            assert!(
                all.len() <= 10 && times == 60,
                "{} rows, {times} times",
                all.len()
            );
        }
        for minute in 0..5 {
            app.clock.advance(Duration::from_secs(61));
            let mode = format!("mode-{minute}");
            looking
                .browser
                .get(&app.authorize_url(&[("response_mode", Some(&mode))]))
                .await;
        }
        let all = looking.all(Some("web")).await;
        assert!(
            all.windows(2).all(|two| two[0].at >= two[1].at),
            "newest first"
        );
        let web = ClientId::parse("web");
        let (mut parts, mut after) = (Vec::new(), None);
        loop {
            let part = failure::list(&app.provider.store, web.as_ref(), after, 2).await;
            let part = part.expect("a part");
            assert!(part.failures.len() <= 2 && parts.len() < 50);
            parts.extend(part.failures);
            match part.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        assert_eq!(parts, all);
    }
);

on_both!(
    nothing_of_a_person_and_no_secret_is_kept,
    async |database: Database| {
        let _shows = shows!(refusing "PV-WHY-4", refusing "PV-WHY-2");
        let app = App::on(database).await;
        let looking = Looking::on(&app);
        let browser = &looking.browser;
        // A no of the person's is no mistake, and neither is what goes well.
        let few = [("scope", Some("openid"))];
        let choice = browser.get(&app.authorize_url(&few)).await;
        let login = browser.choose(&choice, "other").await;
        let left = browser.press_on(&login, "cancel", "").await;
        let page = browser.follow(&left).await;
        assert!(page.body.contains("access_denied"), "{}", page.body);
        let answer = app.log_in_with(browser, TOLVAN, &few).await;
        let tokens = crate::token::redeem(&app, &answer).await;
        assert_eq!(looking.all(Some("web")).await, []);
        assert_eq!(looking.all(None).await, []);

        let text = |name: &str| tokens[name].as_str().expect("a token").to_owned();
        let (id_token, access_token) = (text("id_token"), text("access_token"));
        let names = r#"{"id_token":{"personal_number":{"value":"191212121212"}}}"#;
        let address = format!(
            "https://app.example/{TOLVAN}/{access_token}?pnr={TOLVAN}&code={SECRET}#{SECRET}"
        );
        for (name, value) in [
            ("redirect_uri", address.as_str()),
            ("client_id", TOLVAN),
            ("client_id", SECRET),
            ("client_id", &access_token),
            ("response_type", TOLVAN),
            ("response_mode", &access_token),
            ("prompt", "none 19121212-1212"),
            ("scope", TOLVAN),
            ("resource", &address),
            ("claims", names),
            ("id_token_hint", "x"),
        ] {
            let hints = [
                (name, Some(value)),
                ("login_hint", Some(TOLVAN)),
                ("state", Some("the-state-of-it")),
            ];
            browser.get(&app.authorize_url(&hints)).await;
        }
        let form = |more: &[(&str, &str)]| {
            let all = [&[("grant_type", "authorization_code")], more].concat();
            looking.web("/token", &all)
        };
        let address = address.as_str();
        for request in [
            form(&[("code", answer.code()), ("redirect_uri", address)]),
            form(&[("code", &access_token)]),
            form(&[
                ("code", "x"),
                ("code_verifier", SECRET),
                ("client_secret", SECRET),
            ]),
            looking.post("/token").basic_auth("web", Some(TOLVAN)),
            looking
                .post("/token")
                .basic_auth(TOLVAN, Some(SECRET))
                .form(&few),
            looking.post("/token").bearer_auth(&access_token).form(&few),
            looking.post("/token").form(&[
                ("client_assertion", id_token.as_str()),
                ("client_assertion_type", TYPE),
            ]),
            looking.web(
                "/token",
                &[
                    ("grant_type", TOLVAN),
                    ("grant_type", SECRET),
                    (TOLVAN, "1"),
                    (TOLVAN, "2"),
                ],
            ),
            looking.web(&format!("/token?{TOLVAN}={SECRET}"), &[]),
            looking.web("/token", &[]).header("dpop", &id_token),
            looking
                .web("/token", &[("grant_type", "x")])
                .header("content-type", TOLVAN),
            app.http
                .get(format!("{}/userinfo", app.issuer))
                .bearer_auth(&id_token),
            app.http.get(format!(
                "{}/userinfo?access_token={access_token}",
                app.issuer
            )),
            app.http.get(format!(
                "{}/logout?id_token_hint={id_token}&client_id=strict",
                app.issuer
            )),
            app.http.get(format!(
                "{}/logout?client_id=web&post_logout_redirect_uri={}",
                app.issuer,
                address.replace('&', "%26").replace('#', "%23")
            )),
        ] {
            request.send().await.expect("an answer");
        }
        let mut rows = Vec::new();
        for client in [Some("web"), Some("strict"), None] {
            rows.extend(looking.all(client).await);
        }
        assert!(rows.len() > 15, "{}", rows.len());
        let url = app.database.url(app.directory.path());
        let text = format!("{rows:?} {}", raw(&app.database, &url, None).await);
        let subject = crate::token::claims(&app, &tokens).await["sub"].to_string();
        for secret in [
            TOLVAN,
            &TOLVAN[2..],
            "121212-1212",
            SECRET,
            answer.code(),
            &access_token,
            &id_token,
            "the-state-of-it",
            "the-nonce",
            "Tolvansson",
            subject.trim_matches('"'),
            id_token.rsplit('.').next().expect("a signature"),
        ] {
            assert!(
                !text.contains(secret),
                "{} characters are in {text}",
                secret.len()
            );
        }
    }
);

/// Every row as the database has it, after a statement.
async fn raw(database: &Database, url: &str, first: Option<String>) -> String {
    use sqlx::{AssertSqlSafe, Connection, Executor};
    const ALL: &str = "SELECT CAST(detail AS TEXT) || coalesce(claimed, '') || code || reference
          || coalesce(client_id, '') FROM refusal";
    let first = AssertSqlSafe(first.unwrap_or_else(|| "SELECT 1".to_owned()));
    let rows: Vec<String> = match database {
        Database::Sqlite => {
            let mut db = sqlx::SqliteConnection::connect(url)
                .await
                .expect("a connection");
            db.execute(first).await.expect("done");
            sqlx::query_scalar(ALL)
                .fetch_all(&mut db)
                .await
                .expect("rows")
        }
        Database::Postgres(_) => {
            let mut db = sqlx::PgConnection::connect(url)
                .await
                .expect("a connection");
            db.execute(first).await.expect("done");
            sqlx::query_scalar(ALL)
                .fetch_all(&mut db)
                .await
                .expect("rows")
        }
    };
    rows.join("\n")
}

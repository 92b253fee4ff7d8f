//! Clients that register themselves, and look after that.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::future::join_all;
use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreClientAuthMethod, CoreClientRegistrationRequest,
    CoreProviderMetadata,
};
use openidconnect::registration::EmptyAdditionalClientMetadata;
use openidconnect::{
    AccessToken, AuthorizationCode, ClientName, CsrfToken, HttpRequest as OidcRequest,
    HttpResponse as OidcResponse, IssuerUrl, LanguageTag, Nonce, PkceCodeChallenge, RedirectUrl,
    Scope,
};
use portvakt::shows;
use portvakt::testing::{Signer, canary};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::client_auth::{self, Asserting, CHALLENGE, VERIFIER, is_unauthenticated};
use crate::keys::{beside, command};
use crate::support::phone::TOLVAN;
use crate::support::publisher::{Published, Publisher};
use crate::support::{Answer, App, Browser, Database, Options, SECRET, on_both, run};
use crate::token::{Told, claims, told};

pub const CALLBACK: &str = "https://self.example/callback";

/// An initial access token from a shell.
pub fn issued(app: &App, more: &[&str]) -> String {
    let arguments = [&["token", "issue", "--note", "Tests"], more].concat();
    let (fine, said) = command(app, "client", &arguments);
    assert!(fine, "{said}");
    let token = said.lines().next().expect("a line").to_owned();
    assert!(token.starts_with("ia_") && token.len() == 46, "{said}");
    canary(&token);
    token
}

/// A request to the registration endpoint, or to where it told of one, at one of several nodes.
pub fn asking(app: &App, method: Method, url: &str, token: Option<&str>) -> RequestBuilder {
    let host = app.issuer.trim_start_matches("http://");
    let request = app.http.request(method, url).header("host", host);
    match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    }
}

pub async fn register(app: &App, token: &str, members: &Value) -> Told {
    let url = format!("{}/register", app.issuer);
    told(asking(app, Method::POST, &url, Some(token)).json(members)).await
}

/// A client that registered itself.
pub struct Own<'a> {
    pub app: &'a App,
    /// What it was told.
    pub told: Value,
}

impl Own<'_> {
    pub async fn new<'a>(app: &'a App, token: &str, members: &Value) -> Own<'a> {
        let told = register(app, token, members).await;
        assert_eq!(told.status, 201, "{}", told.body);
        Own {
            app,
            told: told.body,
        }
    }

    pub fn text(&self, name: &str) -> &str {
        self.told[name].as_str().expect(name)
    }

    pub fn id(&self) -> &str {
        self.text("client_id")
    }

    pub async fn manage(&self, method: Method, body: Option<&Value>) -> Told {
        let token = self.text("registration_access_token");
        let url = self.text("registration_client_uri");
        let request = asking(self.app, method, url, Some(token));
        told(match body {
            Some(body) => request.json(body),
            None => request,
        })
        .await
    }

    pub async fn replace(&self, members: &Value) -> Told {
        let mut body = members.clone();
        body["client_id"] = self.id().into();
        self.manage(Method::PUT, Some(&body)).await
    }

    pub fn authorize_url(&self, redirect_uri: &str, scope: &str) -> String {
        self.app.authorize_url(&[
            ("client_id", Some(self.id())),
            ("redirect_uri", Some(redirect_uri)),
            ("scope", Some(scope)),
            ("code_challenge", Some(CHALLENGE)),
            ("code_challenge_method", Some("S256")),
        ])
    }

    pub async fn log_in(&self, scope: &str) -> Answer {
        let redirect_uri = self.told["redirect_uris"][0].as_str().expect("an address");
        let url = self.authorize_url(redirect_uri, scope);
        self.app.log_in_at(&Browser::new(), TOLVAN, &url).await
    }

    pub async fn exchange(&self, answer: &Answer) -> Told {
        let redirect_uri = self.told["redirect_uris"][0].as_str().expect("an address");
        let form = [
            ("grant_type", "authorization_code"),
            ("code", answer.code()),
            ("redirect_uri", redirect_uri),
            ("code_verifier", VERIFIER),
        ];
        self.token(&form).await
    }

    pub async fn token(&self, form: &[(&str, &str)]) -> Told {
        let request = self.app.http.post(format!("{}/token", self.app.issuer));
        let secret = self.told["client_secret"].as_str();
        told(request.basic_auth(self.id(), secret).form(form)).await
    }
}

pub fn is_refused(told: &Told, error: &str) {
    let refused = (told.status, told.body["error"].as_str());
    assert_eq!(refused, (400, Some(error)), "{}", told.body);
    assert_eq!(told.headers["cache-control"], "no-store");
}

pub fn is_unknown(told: &Told) {
    let refused = (told.status, told.body["error"].as_str());
    assert_eq!(refused, (401, Some("invalid_token")), "{}", told.body);
    let challenge = told.headers["www-authenticate"].to_str().expect("ASCII");
    let begins = challenge.starts_with("Bearer realm=\"portvakt\", error=\"invalid_token\"");
    assert!(begins, "{challenge}");
    assert_eq!(told.headers.get_all("www-authenticate").iter().count(), 1);
    assert_eq!(told.headers["cache-control"], "no-store");
}

pub async fn claims_of(app: &App, tokens: &Value, client_id: &str) -> Value {
    let claims = claims(app, tokens).await;
    assert_eq!(claims["aud"], client_id);
    claims
}

on_both!(
    of_many_at_once_as_many_register_as_the_token_has_uses,
    async |database: Database| {
        let _shows = shows!(accepting "RG-07", refusing "RG-07");
        let app = App::on(database).await;
        let mut nodes = vec![app.issuer.clone()];
        if app.provider.store.is_shared() {
            nodes.push(format!("http://127.0.0.1:{}", beside(&app).await));
        }
        let mut there = 0;
        for (uses, tries) in [(1, 32), (3, 16)] {
            let token = issued(&app, &["--uses", &uses.to_string()]);
            let tries = (0..tries).map(|n| {
                let url = format!("{}/register", nodes[n % nodes.len()]);
                let members = json!({"redirect_uris": [CALLBACK]});
                told(asking(&app, Method::POST, &url, Some(&token)).json(&members))
            });
            let told = join_all(tries).await;
            let (won, lost): (Vec<&Told>, Vec<&Told>) =
                told.iter().partition(|told| told.status == 201);
            assert_eq!(won.len(), uses);
            lost.into_iter().for_each(is_unknown);
            let ids: HashSet<&str> = won
                .iter()
                .filter_map(|told| told.body["client_id"].as_str())
                .collect();
            there += ids.len();
            let clients = app.self_registered().await;
            assert_eq!((ids.len(), clients.len()), (uses, there));
        }
    }
);

#[test]
fn nobody_registers_who_was_not_asked_to() {
    run(async {
        let _shows = shows!(accepting "RG-07", refusing "RG-07", accepting "RG-04", refusing "RG-04", refusing "RG-05", refusing "RG-03");
        let app = App::on(Database::sqlite()).await;
        let url = format!("{}/register", app.issuer);
        let good = json!({"redirect_uris": [CALLBACK]});
        let bare = told(asking(&app, Method::POST, &url, None).json(&good)).await;
        let challenge = bare.headers["www-authenticate"].to_str().expect("ASCII");
        assert_eq!((bare.status, challenge), (401, "Bearer realm=\"portvakt\""));
        let post = || asking(&app, Method::POST, &url, None).json(&good);
        let basic = told(post().basic_auth("web", Some(SECRET))).await;
        assert_eq!(
            (basic.status, &basic.headers["www-authenticate"]),
            (401, &bare.headers["www-authenticate"])
        );
        let never = format!("ia_{}", "A".repeat(43));
        let revoked = issued(&app, &[]);
        let (_, list) = command(&app, "client", &["token", "list"]);
        let (_, programs) = command(&app, "client", &["token", "list", "--json"]);
        let programs: serde_json::Value = serde_json::from_str(&programs).expect("JSON");
        let first = programs[0]["id"].as_str().expect("an id");
        assert!(list.starts_with(first), "{list}");
        let id = list.split(' ').next().expect("an id");
        let revoke = ["token", "revoke", id];
        assert!(command(&app, "client", &revoke).0, "{list}");
        let again = command(&app, "client", &revoke);
        assert!(!again.0, "{}", again.1);
        let short = issued(&app, &["--hours", "1"]);
        for token in ["nonsense", &never, &revoked] {
            is_unknown(&register(&app, token, &good).await);
        }
        let own = Own::new(&app, &issued(&app, &[]), &good).await;
        is_unknown(&register(&app, own.text("registration_access_token"), &good).await);
        app.clock.advance(Duration::from_secs(2 * 60 * 60));
        is_unknown(&register(&app, &short, &good).await);

        // What is refused costs the token nothing.
        let token = issued(&app, &[]);
        let refused = [
            (
                json!({"redirect_uris": ["http://self.example/"]}),
                "invalid_redirect_uri",
            ),
            (
                json!({"redirect_uris": ["https://self.example/#x"]}),
                "invalid_redirect_uri",
            ),
            (json!({}), "invalid_redirect_uri"),
            (
                json!({"redirect_uris": [CALLBACK], "response_types": ["token"]}),
                "invalid_client_metadata",
            ),
            (
                json!({"redirect_uris": [CALLBACK],
                    "grant_types": ["authorization_code", "refresh_token"]}),
                "invalid_client_metadata",
            ),
            (
                json!({"redirect_uris": [CALLBACK], "token_endpoint_auth_method": "tls_client_auth",
                    "tls_client_auth_san_dns": "self.example"}),
                "invalid_client_metadata",
            ),
            (
                json!({"redirect_uris": [CALLBACK], "software_statement": "e30.e30.c2ln"}),
                "unapproved_software_statement",
            ),
            (
                json!({"redirect_uris": [CALLBACK], "software_statement": "e30"}),
                "invalid_software_statement",
            ),
        ];
        for (members, error) in refused {
            is_refused(&register(&app, &token, &members).await, error);
        }
        let sent = |kind: &str, body: &str| {
            let request = asking(&app, Method::POST, &url, Some(&token));
            told(request.header("content-type", kind).body(body.to_owned()))
        };
        let twice = format!(
            r#"{{"redirect_uris": ["https://evil.example/"], "redirect_uris": ["{CALLBACK}"]}}"#
        );
        for (kind, body) in [
            ("application/json", twice.as_str()),
            ("application/json", "[]"),
            ("application/json", ""),
            ("application/json", "{"),
            ("application/x-www-form-urlencoded", "redirect_uris=x"),
            ("text/plain", &good.to_string()),
        ] {
            is_refused(&sent(kind, body).await, "invalid_request");
        }
        let large = json!({"redirect_uris": [CALLBACK], "padding": "x".repeat(64 * 1024)});
        assert_eq!(register(&app, &token, &large).await.status, 413);
        let clients = app.self_registered().await;
        assert_eq!(clients.len(), 1);
        let native = json!({"redirect_uris": ["http://127.0.0.1/callback", "se.self.app:/callback"],
            "application_type": "native", "token_endpoint_auth_method": "none"});
        let public = Own::new(&app, &token, &native).await;
        assert!(public.told.get("client_secret").is_none());
        assert!(public.told.get("client_secret_expires_at").is_none());

        // Scripts on other sites have no business here, and other methods neither.
        let preflight =
            asking(&app, Method::OPTIONS, &url, None).header("origin", "https://public.example");
        let preflight = told(preflight.header("access-control-request-method", "POST")).await;
        assert_eq!(preflight.status, 405);
        assert!(
            !preflight
                .headers
                .contains_key("access-control-allow-origin")
        );

        // Nor may anyone try tokens without end.
        let tries = join_all((0..70).map(|_| register(&app, &never, &good))).await;
        let held_up = |told: &&Told| told.status == 429 && told.headers.contains_key("retry-after");
        let held_up = tries.iter().filter(held_up).count();
        let unknown = tries.iter().filter(|told| told.status == 401).count();
        assert!(held_up > 0 && unknown + held_up == tries.len(), "{held_up}");
    });
}

#[test]
fn several_hosts_are_one_sector_where_they_say_so() {
    run(async {
        let _shows = shows!(accepting "RG-06", refusing "RG-06", refusing "O12");
        let uris = [CALLBACK, "https://other.example/callback"];
        let publisher = Publisher::start(Published::Keys(json!(uris)));
        let app = App::start(Options {
            sections: publisher.section(),
            ..Options::on(Database::sqlite())
        })
        .await;
        let token = issued(&app, &["--uses", "3"]);
        let both = json!({"redirect_uris": uris});
        is_refused(
            &register(&app, &token, &both).await,
            "invalid_client_metadata",
        );
        let list = publisher.jwks_uri.as_str();
        let listed = |uri: &str| json!({"redirect_uris": [uri], "sector_identifier_uri": list});
        let at_both = json!({"redirect_uris": uris, "sector_identifier_uri": list});
        for published in [
            Published::Keys(json!([CALLBACK])),
            Published::Keys(json!({"redirect_uris": uris})),
            Published::Text("<html>".to_owned()),
            Published::Redirect(list.to_owned()),
            Published::Trouble,
        ] {
            publisher.publish(published);
            let told = register(&app, &token, &at_both).await;
            is_refused(&told, "invalid_client_metadata");
        }
        publisher.publish(Published::Keys(json!(uris)));
        let asked = publisher.asked();
        let one = Own::new(&app, &token, &at_both).await;
        let other = Own::new(&app, &token, &listed(uris[1])).await;
        let alone = Own::new(&app, &token, &json!({"redirect_uris": [CALLBACK]})).await;
        assert_eq!(publisher.asked(), asked + 2);
        let mut subjects = Vec::new();
        for own in [&one, &other, &alone] {
            let tokens = own.exchange(&own.log_in("openid").await).await;
            let claims = claims_of(&app, &tokens.body, own.id()).await;
            subjects.push(claims["sub"].clone());
        }
        assert_eq!(subjects[0], subjects[1], "one sector");
        assert_ne!(subjects[0], subjects[2], "another one");
        assert_eq!(publisher.asked(), asked + 2, "never at a login");
        // Nobody leaves the sector, or gets into another one's.
        assert_eq!(one.replace(&listed(CALLBACK)).await.status, 200);
        for elsewhere in [
            json!({"redirect_uris": [CALLBACK]}),
            json!({"redirect_uris": [CALLBACK, "https://third.example/"],
                "sector_identifier_uri": list}),
        ] {
            is_refused(&one.replace(&elsewhere).await, "invalid_client_metadata");
        }
        let told = alone.replace(&listed(CALLBACK)).await;
        is_refused(&told, "invalid_client_metadata");

        // Where the operator allows nothing, nothing here is called.
        let careful = App::on(Database::sqlite()).await;
        let asked = publisher.asked();
        let told = register(&careful, &issued(&careful, &[]), &at_both).await;
        is_refused(&told, "invalid_client_metadata");
        assert_eq!(publisher.asked(), asked);
    });
}

#[test]
fn what_is_registered_is_what_is_done() {
    run(async {
        let _shows =
            shows!(accepting "RG-05", refusing "RG-05", accepting "RG-09", refusing "RG-09");
        let app = App::on(Database::sqlite()).await;
        let signer = Signer::new();
        let members = json!({"redirect_uris": [client_auth::CALLBACK], "jwks": signer.jwks(),
            "token_endpoint_auth_method": "private_key_jwt",
            "token_endpoint_auth_signing_alg": "ES256", "id_token_signed_response_alg": "ES256",
            "require_pushed_authorization_requests": true, "default_max_age": 60});
        let own = Own::new(&app, &issued(&app, &[]), &members).await;
        for (name, value) in members.as_object().into_iter().flatten() {
            assert_eq!(own.told[name], *value, "{name}");
        }
        let url = own.authorize_url(client_auth::CALLBACK, "openid");
        let direct = Answer::of(&Browser::new().get(&url).await);
        assert_eq!(direct.get("error"), Some("invalid_request"), "it must push");
        let asserting = Asserting {
            app: &app,
            signer: &signer,
            client_id: own.id(),
        };
        let push = async |header: Value| asserting.push(&asserting.assertion(&header)).await;
        is_unauthenticated(&push(json!({"alg": "RS256", "kid": "rsa"})).await);
        let pushed = push(json!({})).await;
        assert_eq!(pushed.status, 201, "{}", pushed.body);
    });
}

#[test]
fn somebody_elses_library_registers_and_logs_in() {
    run(async {
        let _shows = shows!(accepting "PV-LANG-6", accepting "RG-03", accepting "DI-04");
        let app = App::on(Database::sqlite()).await;
        let call = async |request: OidcRequest| -> Result<OidcResponse, reqwest::Error> {
            let request: reqwest::Request = request.try_into()?;
            let answer = app.http.execute(request).await?;
            let mut response = OidcResponse::new(Vec::new());
            *response.status_mut() = answer.status();
            *response.headers_mut() = answer.headers().clone();
            *response.body_mut() = answer.bytes().await?.to_vec();
            Ok(response)
        };
        let issuer = IssuerUrl::new(app.issuer.clone()).expect("an address");
        let metadata = CoreProviderMetadata::discover_async(issuer, &call);
        let metadata = metadata.await.expect("metadata");
        let redirect = RedirectUrl::new(CALLBACK.to_owned()).expect("an address");
        let name = ClientName::new("Främmande biblioteket".to_owned());
        let in_english = ClientName::new("A library of others".to_owned());
        let english = LanguageTag::new("en".to_owned());
        let names = [
            (None, name.clone()),
            (Some(english.clone()), in_english.clone()),
        ];
        let token = AccessToken::new(issued(&app, &[]));
        let request = CoreClientRegistrationRequest::new(
            vec![redirect.clone()],
            EmptyAdditionalClientMetadata::default(),
        )
        .set_token_endpoint_auth_method(Some(CoreClientAuthMethod::ClientSecretPost))
        .set_client_name(Some(names.into_iter().collect()))
        .set_initial_access_token(Some(token));
        let endpoint = metadata
            .registration_endpoint()
            .expect("an address")
            .clone();
        let registered = request
            .register_async(&endpoint, &call)
            .await
            .expect("registered");
        let secret = registered.client_secret().expect("a secret").clone();
        canary(secret.secret());
        let token = registered.registration_access_token().expect("a token");
        canary(token.secret());
        let kept = registered.client_name().expect("its names");
        assert_eq!(kept.get(None), Some(&name));
        assert_eq!(kept.get(Some(&english)), Some(&in_english));
        let method = registered.token_endpoint_auth_method();
        assert_eq!(method, Some(&CoreClientAuthMethod::ClientSecretPost));

        let oidc = CoreClient::from_provider_metadata(
            metadata,
            registered.client_id().clone(),
            Some(secret),
        )
        .set_auth_type(openidconnect::AuthType::RequestBody)
        .set_redirect_uri(redirect);
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let (url, _, nonce) = oidc
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                CsrfToken::new_random,
                Nonce::new_random,
            )
            .add_scope(Scope::new("profile".to_owned()))
            .set_pkce_challenge(challenge)
            .url();
        let answer = app.log_in_at(&Browser::new(), TOLVAN, url.as_str()).await;
        let code = AuthorizationCode::new(answer.code().to_owned());
        let tokens = oidc
            .exchange_code(code)
            .expect("a token endpoint")
            .set_pkce_verifier(verifier)
            .request_async(&call)
            .await
            .expect("tokens");
        use openidconnect::{OAuth2TokenResponse, TokenResponse};
        canary(tokens.access_token().secret());
        let id_token = tokens.id_token().expect("an ID token");
        canary(&id_token.to_string());
        id_token
            .claims(&oidc.id_token_verifier(), &nonce)
            .expect("a good ID token");
    });
}

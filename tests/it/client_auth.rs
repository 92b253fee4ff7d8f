//! How client applications prove who they are by what they sign, and which ways discovery names.

use std::collections::HashSet;

use actix_web::dev::ServerHandle;
use futures_util::future::join_all;
use portvakt::shows;
use portvakt::testing::Signer;
use serde_json::{Value, json};

use crate::crash::Serving;
use crate::dpop::Prover;
use crate::support::mtls::Site;
use crate::support::phone::TOLVAN;
use crate::support::{App, Browser, Database, Options, SECRET, on_both, run};
use crate::token::{Told, told};

pub const CALLBACK: &str = "https://signing.example/callback";
pub const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What is registered of a client, with more.
pub fn metadata(more: &Value) -> Value {
    let mut metadata = json!({
        "client_name": "Signerande appen", "redirect_uris": [CALLBACK], "pkce": "accepted",
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        metadata[name] = value.clone();
    }
    metadata
}

pub fn by_key(signer: &Signer, profile: &str) -> Value {
    let auth = "private_key_jwt";
    metadata(&json!({"token_endpoint_auth": auth, "jwks": signer.jwks(), "profile": profile}))
}

/// A client's assertions, each with a name of its own.
pub struct Asserting<'a> {
    pub app: &'a App,
    pub signer: &'a Signer,
    pub client_id: &'a str,
}

impl Asserting<'_> {
    /// An assertion for the issuer, with changes: null leaves out.
    pub fn assertion(&self, changes: &Value) -> String {
        let now = self.app.clock.now().0;
        let jti = hex::encode(portvakt::random::Random::system().bytes::<16>());
        let mut claims = json!({
            "iss": self.client_id, "sub": self.client_id, "aud": self.app.issuer,
            "iat": now, "exp": now + 60, "jti": jti,
        });
        let mut header = json!({"alg": "ES256", "kid": "ec"});
        for (name, value) in changes.as_object().into_iter().flatten() {
            let part = match name.as_str() {
                "alg" | "typ" | "kid" => &mut header,
                _ => &mut claims,
            };
            match value {
                Value::Null => drop(part.as_object_mut().expect("an object").remove(name)),
                value => part[name] = value.clone(),
            }
        }
        self.signer.sign(&header, &claims)
    }

    pub async fn push(&self, assertion: &str) -> Told {
        push_to(self.app, &self.app.issuer, assertion).await
    }
}

/// Pushes a request with nothing but an assertion to tell whose it is.
pub async fn push_to(app: &App, base: &str, assertion: &str) -> Told {
    let form = [
        ("client_assertion_type", TYPE),
        ("client_assertion", assertion),
        ("redirect_uri", CALLBACK),
        ("response_type", "code"),
        ("scope", "openid"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    // Another node listens elsewhere and is called by the same name.
    let request = app.http.post(format!("{base}/par"));
    let host = app.issuer.replace("http://", "");
    told(request.header("host", host).form(&form)).await
}

// RFC 7636, appendix B.
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

pub fn is_unauthenticated(told: &Told) {
    let (status, error) = (told.status, told.body["error"].as_str());
    assert_eq!(
        (status, error),
        (401, Some("invalid_client")),
        "{}",
        told.body
    );
    assert!(told.headers.contains_key("www-authenticate"));
    assert_eq!(told.headers["cache-control"], "no-store");
    let description = told.body["error_description"].as_str().expect("a text");
    let one_text = "client authentication failed: unknown client, another method than registered, or a secret, assertion or certificate that does not hold";
    assert_eq!(description, one_text);
}

/// A code of a client that asserts, for an exchange with the verifier.
async fn code_of(asserting: &Asserting<'_>) -> String {
    let app = asserting.app;
    let pushed = asserting.push(&asserting.assertion(&json!({}))).await;
    assert_eq!(pushed.status, 201, "{}", pushed.body);
    let name = pushed.body["request_uri"].as_str().expect("a name");
    portvakt::testing::canary(name);
    let mut url = url::Url::parse(&format!("{}/authorize", app.issuer)).expect("an address");
    url.query_pairs_mut()
        .append_pair("client_id", asserting.client_id)
        .append_pair("request_uri", name);
    let answer = app.log_in_at(&Browser::new(), TOLVAN, url.as_str()).await;
    answer.code().to_owned()
}

/// By a key of its own each time.
async fn exchange(app: &App, code: &str, assertion: &str) -> Told {
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
        ("client_assertion_type", TYPE),
        ("client_assertion", assertion),
    ];
    let proof = Prover::new("ES256").proof(app, "POST", "/token", None);
    let request = app.http.post(format!("{}/token", app.issuer)).form(&form);
    told(request.header("DPoP", proof)).await
}

on_both!(
    a_client_signs_who_it_is_and_no_failure_costs_it_the_code,
    async |database: Database| {
        let _shows = shows!(accepting "TK-04", refusing "TK-04", accepting "TK-07", refusing "TK-07", accepting "TK-11",
            accepting "O7", refusing "O7");
        let app = App::on(database).await;
        let (signer, other) = (Signer::new(), Signer::new());
        app.register("signing", by_key(&signer, "fapi2")).await;
        app.register("other", by_key(&other, "fapi2")).await;
        let asserting = Asserting {
            app: &app,
            signer: &signer,
            client_id: "signing",
        };
        let strange = Asserting {
            app: &app,
            signer: &other,
            client_id: "signing",
        };
        let others = Asserting {
            app: &app,
            signer: &other,
            client_id: "other",
        };
        let code = code_of(&asserting).await;
        let used = asserting.assertion(&json!({}));
        assert_eq!(asserting.push(&used).await.status, 201);
        for bad in [
            used.clone(),
            strange.assertion(&json!({})),
            asserting.assertion(&json!({"alg": "RS256", "kid": "rsa"})),
            asserting.assertion(&json!({"alg": "none"})),
            asserting.assertion(&json!({"alg": "HS256"})),
            asserting.assertion(&json!({"kid": "another"})),
            asserting.assertion(&json!({"typ": "oauth-authz-req+jwt"})),
            asserting.assertion(&json!({"sub": null})),
            asserting.assertion(&json!({"exp": app.clock.now().0 - 1})),
            asserting.assertion(&json!({"aud": format!("{}/token", app.issuer)})),
            asserting.assertion(&json!({"aud": [app.issuer]})),
            String::from("x.y.z"),
        ] {
            is_unauthenticated(&exchange(&app, &code, &bad).await);
        }
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", "signing"),
            ("code", &code),
        ];
        let token_endpoint = format!("{}/token", app.issuer);
        is_unauthenticated(&told(app.http.post(&token_endpoint).form(&form)).await);
        let basic = app
            .http
            .post(&token_endpoint)
            .basic_auth("signing", Some(SECRET));
        is_unauthenticated(&told(basic.form(&form[..1])).await);
        // Another client spends nothing either.
        let foreign = exchange(&app, &code, &others.assertion(&json!({}))).await;
        assert_eq!(
            (foreign.status, foreign.body["error"].as_str()),
            (400, Some("invalid_grant"))
        );
        let tokens = exchange(&app, &code, &asserting.assertion(&json!({}))).await;
        assert_eq!(tokens.status, 200, "{}", tokens.body);
        assert!(tokens.body["id_token"].is_string());
        // A clock may be a little ahead, as the real one is read.
        let ahead = |seconds: i64| json!({"iat": app.clock.now().0 + seconds, "nbf": app.clock.now().0 + seconds});
        assert_eq!(
            asserting.push(&asserting.assertion(&ahead(8))).await.status,
            201
        );
        is_unauthenticated(&asserting.push(&asserting.assertion(&ahead(75))).await);
    }
);

#[test]
fn what_an_assertion_is_meant_for_depends_on_the_profile() {
    run(async {
        let _shows = shows!(accepting "TK-08", refusing "TK-08", accepting "TK-09", refusing "TK-09", accepting "TK-10",
            refusing "TK-10");
        let site = Site::new();
        let app = App::start(Options {
            sections: site.section(),
            ..Options::on(Database::sqlite())
        })
        .await;
        let signer = Signer::new();
        app.register("standard", by_key(&signer, "standard")).await;
        app.register("fapi", by_key(&signer, "fapi2")).await;
        let standard = Asserting {
            app: &app,
            signer: &signer,
            client_id: "standard",
        };
        let fapi = Asserting {
            app: &app,
            signer: &signer,
            client_id: "fapi",
        };
        let issuer = &app.issuer;
        for (aud, (by_standard, by_fapi)) in [
            (json!(issuer), (201, 201)),
            (json!(format!("{issuer}/token")), (201, 401)),
            (json!(format!("{issuer}/par")), (201, 401)),
            (json!(format!("{}/token", site.url)), (201, 401)),
            (json!([issuer]), (201, 401)),
            (json!([format!("{issuer}/par"), issuer]), (201, 401)),
            (json!([issuer, "https://evil.example"]), (401, 401)),
            (json!(format!("{issuer}/userinfo")), (401, 401)),
            (json!("https://evil.example"), (401, 401)),
            (json!(null), (401, 401)),
        ] {
            let changes = json!({"aud": aud});
            let first = standard.push(&standard.assertion(&changes)).await;
            let second = fapi.push(&fapi.assertion(&changes)).await;
            assert_eq!(
                (first.status, second.status),
                (by_standard, by_fapi),
                "{aud}"
            );
        }
    });
}

on_both!(
    an_assertion_is_used_once_whoever_is_asked_and_for_good,
    async |database: Database| {
        let _shows = shows!(accepting "GE-06", refusing "GE-06", accepting "PV-RACE-5", refusing "PV-RACE-5");
        let is_shared = matches!(database, Database::Postgres(_));
        let signer = Signer::new();
        let mut registered = by_key(&signer, "standard");
        registered["client_id"] = json!("signing");
        // In the file, so that every node knows it.
        let sections = toml::to_string(&json!({"client": [registered]})).expect("TOML");
        let app = App::start(Options {
            sections,
            ..Options::on(database)
        })
        .await;
        let asserting = Asserting {
            app: &app,
            signer: &signer,
            client_id: "signing",
        };
        let second = match is_shared {
            true => Some(Serving::beside(&app, "second").await),
            false => None,
        };
        let elsewhere = second.as_ref().map_or_else(
            || app.issuer.clone(),
            |node| format!("http://127.0.0.1:{}", node.port),
        );
        for _ in 0..5 {
            let assertion = asserting.assertion(&json!({}));
            let nodes = [&app.issuer, &elsewhere];
            let tries = (0..32).map(|n| push_to(&app, nodes[n % 2], &assertion));
            let told = join_all(tries).await;
            let won = told.iter().filter(|told| told.status == 201).count();
            assert_eq!(won, 1, "of 32 that are sent at once");
            told.iter()
                .filter(|told| told.status != 201)
                .for_each(is_unauthenticated);
        }
        // Another one of the same name is the same; another client's is not.
        let named = asserting.assertion(&json!({"jti": "one"}));
        assert_eq!(asserting.push(&named).await.status, 201);
        is_unauthenticated(
            &asserting
                .push(&asserting.assertion(&json!({"jti": "one"})))
                .await,
        );
        app.register("neighbour", by_key(&signer, "standard")).await;
        let neighbour = Asserting {
            client_id: "neighbour",
            ..asserting
        };
        assert_eq!(
            neighbour
                .push(&neighbour.assertion(&json!({"jti": "one"})))
                .await
                .status,
            201
        );
        drop(second);
        app.stop_provider().await;
        let _again = Serving::start(&app, "again", &[]).await;
        is_unauthenticated(&asserting.push(&named).await);
        assert_eq!(
            asserting
                .push(&asserting.assertion(&json!({})))
                .await
                .status,
            201
        );
    }
);

pub async fn discovery(app: &App) -> Value {
    let url = format!("{}/.well-known/openid-configuration", app.issuer);
    let answer = app.http.get(url).send().await.expect("an answer");
    answer.json().await.expect("JSON")
}

pub async fn start_with(site: &Site, database: Database) -> (App, ServerHandle) {
    let app = App::start(Options {
        sections: site.section(),
        ..Options::on(database)
    })
    .await;
    let served = site.serve(&app.provider);
    (app, served)
}

#[test]
fn discovery_lists_the_methods_that_work_here_and_no_others() {
    run(async {
        let _shows =
            shows!(accepting "DI-08", refusing "DI-08", accepting "TK-05", refusing "TK-05");
        let plain = App::on(Database::sqlite()).await;
        let document = discovery(&plain).await;
        let methods = |document: &Value| -> HashSet<String> {
            let listed = document["token_endpoint_auth_methods_supported"].as_array();
            let listed = listed.expect("a list").iter();
            listed
                .map(|m| m.as_str().expect("a name").to_owned())
                .collect()
        };
        let without = [
            "client_secret_basic",
            "client_secret_post",
            "private_key_jwt",
            "none",
        ];
        assert_eq!(methods(&document), without.map(str::to_owned).into());
        assert!(document.get("mtls_endpoint_aliases").is_none());
        let algorithms = document["token_endpoint_auth_signing_alg_values_supported"]
            .as_array()
            .expect("a list")
            .clone();
        let signer = Signer::new();
        plain.register("signing", by_key(&signer, "standard")).await;
        let asserting = Asserting {
            app: &plain,
            signer: &signer,
            client_id: "signing",
        };
        for alg in &algorithms {
            let changes = json!({"alg": alg, "kid": null});
            assert_eq!(
                asserting.push(&asserting.assertion(&changes)).await.status,
                201,
                "{alg}"
            );
        }
        assert!(algorithms.contains(&json!("RS256")) && algorithms.contains(&json!("ES256")));
        for alg in ["none", "HS256", "HS384", "RS384", "RS512", "PS512", "ES512"] {
            assert!(!algorithms.contains(&json!(alg)));
            let changes = json!({"alg": alg, "kid": null});
            is_unauthenticated(&asserting.push(&asserting.assertion(&changes)).await);
        }

        let site = Site::new();
        let (app, _served) = start_with(&site, Database::sqlite()).await;
        let document = discovery(&app).await;
        let with = ["tls_client_auth", "self_signed_tls_client_auth"].map(str::to_owned);
        let with: HashSet<String> = methods(&discovery(&plain).await)
            .into_iter()
            .chain(with)
            .collect();
        assert_eq!(methods(&document), with);
        // FAPI: each alias is an endpoint too, and the browsers' endpoint is none of them.
        let aliases = document["mtls_endpoint_aliases"]
            .as_object()
            .expect("aliases");
        assert!(!aliases.contains_key("authorization_endpoint"));
        for (name, alias) in aliases {
            let (alias, plain) = (
                alias.as_str(),
                document[name].as_str().expect("an endpoint"),
            );
            assert_eq!(alias, Some(plain.replace(&app.issuer, &site.url).as_str()));
        }
    });
}

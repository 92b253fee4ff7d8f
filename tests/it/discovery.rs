//! The discovery document, walked: each value that it lists works, and what stands beside it in the
//! registries is refused, or said to be nothing, as the specifications have it.

use portvakt::client::Metadata;
use portvakt::shows;
use portvakt::testing::certificates::Made;
use portvakt::testing::{Signer, canary};
use serde_json::{Value, json};

use crate::client_auth::{Asserting, CHALLENGE, TYPE, VERIFIER, start_with};
use crate::dpop::Prover;
use crate::signed::{Cache, response};
use crate::support::mtls::Site;
use crate::support::phone::TOLVAN;
use crate::support::{Answer, App, Browser, Database, SECRET, run};
use crate::token::{Told, told};

/// A provider with everything switched on, and what clients need to try it.
struct Walk<'a> {
    app: &'a App,
    site: &'a Site,
    signer: &'a Signer,
    own: &'a Made,
    document: &'a Value,
    /// Where the client `walker` has a session.
    browser: &'a Browser,
}

const CALLBACK: &str = "https://walker.example/callback";
/// Everything that there is to ask for.
const SCOPE: &str = "openid profile personal_number offline_access";

#[test]
fn what_is_advertised_works_and_its_neighbours_do_not() {
    run(async {
        let _shows = shows!(accepting "DI-19", refusing "DI-19", accepting "DI-15", refusing "DI-15", accepting "DI-08", refusing "DI-08", accepting "DI-16", accepting "O27", refusing "O27");
        let site = Site::new();
        let (app, _served) = start_with(&site, Database::sqlite()).await;
        let (signer, own, browser) = (Signer::new(), Made::self_signed(), Browser::new());
        let walker = json!({"personal_number": {"purpose": "Tests."}, "refresh_tokens": true,
            "client_credentials": {"scopes": ["read"]}});
        register(&app, "walker", &walker).await;
        let url = asking(&app, "walker", &[("scope", SCOPE), ("prompt", "consent")]);
        app.log_in_at(&browser, TOLVAN, &url).await;
        let url = format!("{}/.well-known/openid-configuration", app.issuer);
        let document: Value =
            serde_json::from_str(&browser.get(&url).await.body).expect("a document");
        let walk = Walk {
            app: &app,
            site: &site,
            signer: &signer,
            own: &own,
            document: &document,
            browser: &browser,
        };
        for (name, value) in document.as_object().expect("an object") {
            walk.through(name, value).await;
        }
    });
}

async fn register(app: &App, client_id: &str, more: &Value) {
    let mut metadata = json!({
        "client_name": client_id, "pkce": "accepted",
        "redirect_uris": [format!("https://{client_id}.example/callback")],
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        metadata[name] = value.clone();
    }
    app.register(client_id, metadata).await;
}

/// A request of a client's; what is named here replaces what is usual.
fn asking(app: &App, client_id: &str, changes: &[(&str, &str)]) -> String {
    let callback = format!("https://{client_id}.example/callback");
    let usual = [
        ("client_id", client_id),
        ("redirect_uri", &callback),
        ("response_type", "code"),
        ("scope", "openid"),
        ("nonce", "n"),
    ];
    let is_changed = |name: &str| changes.iter().any(|(changed, _)| *changed == name);
    let kept = usual.iter().filter(|(name, _)| !is_changed(name));
    let all: Vec<_> = kept.chain(changes).copied().collect();
    let url = url::Url::parse_with_params(&format!("{}/authorize", app.issuer), all);
    url.expect("an address").into()
}

fn error(told: &Told) -> (u16, &str) {
    (told.status, told.body["error"].as_str().unwrap_or_default())
}

fn texts(value: &Value) -> Vec<&str> {
    let list = value.as_array().expect("a list").iter();
    list.map(|one| one.as_str().expect("a text")).collect()
}

/// What of the registries is not listed.
fn beside<'a>(listed: &[&str], registered: &[&'a str]) -> Vec<&'a str> {
    let beside = registered.iter().filter(|one| !listed.contains(one));
    beside.copied().collect()
}

impl Walk<'_> {
    async fn through(&self, name: &str, value: &Value) {
        match name {
            "issuer" => assert_eq!(value, self.app.issuer.as_str()),
            "mtls_endpoint_aliases" => self.aliases(value).await,
            "jwks_uri" => self.address(value).await,
            "registration_endpoint" => {
                self.address(value).await;
                let request = self.app.http.post(value.as_str().expect("an address"));
                let without_token = told(request.json(&json!({}))).await;
                assert_eq!(without_token.status, 401);
            }
            _ if name.ends_with("_endpoint") => self.address(value).await,
            "scopes_supported" => self.scopes(&texts(value)).await,
            "response_types_supported" => self.response_types(&texts(value)).await,
            "response_modes_supported" => self.response_modes(&texts(value)).await,
            "grant_types_supported" => self.grant_types(&texts(value)).await,
            "subject_types_supported" => self.subject_types(&texts(value)).await,
            "acr_values_supported" => self.acr_values(&texts(value)).await,
            "claims_supported" => self.claims(&texts(value)).await,
            "claim_types_supported" => {
                assert_eq!(*value, json!(["normal"]));
                let claims = self.id_token(&[]).await;
                for other in ["_claim_names", "_claim_sources"] {
                    assert_eq!(claims.get(other), None, "aggregated or distributed");
                }
            }
            "claims_parameter_supported" => {
                assert_eq!(*value, true);
                let claims = self
                    .id_token(&[("claims", r#"{"id_token":{"birthdate":null}}"#)])
                    .await;
                assert_eq!(claims["birthdate"], "1912-12-12");
                assert_eq!(claims.get("name"), None);
            }
            "request_parameter_supported" => assert_eq!(*value, true, "see its algorithms"),
            "request_uri_parameter_supported" => {
                assert_eq!(*value, false);
                let refused = self
                    .answered(&[("request_uri", "https://a.example/r")])
                    .await;
                assert_eq!(refused.get("error"), Some("request_uri_not_supported"));
            }
            "require_pushed_authorization_requests" => {
                assert_eq!(*value, false);
                self.answered(&[]).await.code();
            }
            "authorization_response_iss_parameter_supported" => {
                assert_eq!(*value, true);
                let issuer = Some(self.app.issuer.as_str());
                assert_eq!(self.answered(&[]).await.get("iss"), issuer);
                let refused = self.answered(&[("response_type", "token")]).await;
                assert_eq!(refused.get("iss"), issuer);
            }
            "ui_locales_supported" => self.languages(&texts(value)).await,
            "prompt_values_supported" => self.prompts(&texts(value)).await,
            "code_challenge_methods_supported" => self.challenges(&texts(value)).await,
            "dpop_signing_alg_values_supported" => self.proofs(&texts(value)).await,
            "request_object_signing_alg_values_supported" => {
                self.request_objects(&texts(value)).await;
            }
            _ if name.ends_with("_endpoint_auth_methods_supported") => {
                self.methods(self.endpoint(name), &texts(value)).await;
            }
            _ if name.ends_with("_endpoint_auth_signing_alg_values_supported") => {
                self.assertions(self.endpoint(name), &texts(value)).await;
            }
            // What we sign is one walk for all.
            "id_token_signing_alg_values_supported" => self.signed(&texts(value)).await,
            "userinfo_signing_alg_values_supported"
            | "authorization_signing_alg_values_supported"
            | "introspection_signing_alg_values_supported" => {
                let same = &self.document["id_token_signing_alg_values_supported"];
                assert_eq!(value, same, "{name}");
            }
            "backchannel_logout_supported"
            | "backchannel_logout_session_supported"
            | "frontchannel_logout_supported"
            | "frontchannel_logout_session_supported" => {
                assert_eq!(*value, true);
                let claims = self.id_token(&[]).await;
                assert!(claims["sid"].is_string(), "what a notice names");
            }
            "tls_client_certificate_bound_access_tokens" => {
                assert_eq!(*value, true);
                self.bound_by_certificate().await;
            }
            _ => panic!("{name} is advertised, and nothing here tries it"),
        }
    }

    /// The address of the endpoint that a member is about.
    fn endpoint(&self, member: &str) -> &str {
        let (of, _) = member.split_once("_auth_").expect("an endpoint's member");
        self.document[of].as_str().expect("an address")
    }

    async fn address(&self, value: &Value) {
        let url = value.as_str().expect("an address");
        assert!(url.starts_with(&self.app.issuer), "{url}");
        let status = async |url: &str| self.browser.get(url).await.status;
        assert_ne!(status(url).await, 404, "{url}");
        assert_eq!(status(&format!("{url}x")).await, 404, "{url}x");
    }

    async fn aliases(&self, value: &Value) {
        let http = self.site.client(None);
        for (name, alias) in value.as_object().expect("an object") {
            assert!(self.document.get(name).is_some(), "{name} is plain, too");
            assert_ne!(name, "authorization_endpoint");
            let alias = alias.as_str().expect("an address");
            let answer = http.post(alias).send().await.expect("an answer");
            assert!(![404, 421].contains(&answer.status().as_u16()), "{alias}");
        }
        let answer = http.get(format!("{}/jwks", self.site.url)).send().await;
        assert_eq!(answer.expect("an answer").status(), 421);
    }

    /// What the session is answered.
    async fn answered(&self, changes: &[(&str, &str)]) -> Answer {
        let silent = [("prompt", "none")];
        let asks = changes.iter().any(|(name, _)| *name == "prompt");
        let all = if asks {
            changes.to_vec()
        } else {
            [&silent[..], changes].concat()
        };
        let url = asking(self.app, "walker", &all);
        Answer::of(&self.browser.get(&url).await)
    }

    async fn redeemed(&self, client: &str, answer: &Answer) -> Value {
        let callback = format!("https://{client}.example/callback");
        let form = [
            ("grant_type", "authorization_code"),
            ("code", answer.code()),
            ("redirect_uri", &callback),
        ];
        let told = self.by_secret("token", client, &form).await;
        assert_eq!(told.status, 200, "{}", told.body);
        told.body
    }

    async fn by_secret(&self, endpoint: &str, client: &str, form: &[(&str, &str)]) -> Told {
        let request = self
            .app
            .http
            .post(format!("{}/{endpoint}", self.app.issuer));
        let told = told(request.basic_auth(client, Some(SECRET)).form(form)).await;
        for name in ["access_token", "refresh_token"] {
            if let Some(token) = told.body[name].as_str() {
                canary(token);
            }
        }
        told
    }

    /// The ID token of a silent request.
    async fn id_token(&self, changes: &[(&str, &str)]) -> Value {
        let tokens = self.redeemed("walker", &self.answered(changes).await).await;
        crate::token::claims(self.app, &tokens).await
    }

    async fn scopes(&self, listed: &[&str]) {
        let granted = async |scope: &str| {
            let asked = format!("openid {scope}");
            let answer = self.answered(&[("scope", &asked)]).await;
            let tokens = self.redeemed("walker", &answer).await;
            let granted = tokens["scope"].as_str().expect("a scope").to_owned();
            granted.split(' ').any(|one| one == scope)
        };
        for scope in listed {
            assert!(granted(scope).await, "{scope}");
        }
        // OpenID Connect Core §3.1.2.1: what is not known is passed over.
        for other in beside(listed, &["email", "address", "phone", "groups", "sign"]) {
            assert!(!granted(other).await, "{other}");
        }
    }

    async fn response_types(&self, listed: &[&str]) {
        for listed in listed {
            self.answered(&[("response_type", listed)]).await.code();
        }
        let registered = [
            "code",
            "token",
            "id_token",
            "id_token token",
            "code id_token",
            "code token",
            "code id_token token",
            "none",
        ];
        for other in beside(listed, &registered) {
            let refused = self.answered(&[("response_type", other)]).await;
            assert_eq!(
                refused.get("error"),
                Some("unsupported_response_type"),
                "{other}"
            );
            for token in ["access_token", "id_token", "code"] {
                assert_eq!(refused.get(token), None);
            }
        }
    }

    async fn response_modes(&self, listed: &[&str]) {
        let keys = Cache::of(self.app, self.browser).await;
        for mode in listed {
            let answer = self.answered(&[("response_mode", mode)]).await;
            if mode.ends_with("jwt") {
                let token = response(&answer);
                let (_, told) = keys.read(&token, "RS256", "walker", &self.app.issuer);
                canary(told["code"].as_str().expect("a code"));
            } else {
                answer.code();
            }
            let (query, fragment) = (answer.url.query(), answer.url.fragment());
            let way = if mode.starts_with("form_post") {
                (false, false)
            } else {
                let in_fragment = mode.starts_with("fragment");
                (!in_fragment, in_fragment)
            };
            assert_eq!((query.is_some(), fragment.is_some()), way, "{mode}");
        }
        let registered = [
            "query",
            "fragment",
            "form_post",
            "jwt",
            "query.jwt",
            "fragment.jwt",
            "form_post.jwt",
            "web_message",
        ];
        for other in beside(listed, &registered) {
            let changes = [("prompt", "none"), ("response_mode", other)];
            let page = self
                .browser
                .get(&asking(self.app, "walker", &changes))
                .await;
            assert_eq!((page.status, page.location()), (400, None), "{other}");
        }
    }

    async fn grant_types(&self, listed: &[&str]) {
        let answer = self.answered(&[("scope", SCOPE)]).await;
        let tokens = self.redeemed("walker", &answer).await;
        let refresh = tokens["refresh_token"].as_str().expect("a token");
        for grant_type in listed {
            let form = match *grant_type {
                // Which is what came before.
                "authorization_code" => continue,
                "refresh_token" => vec![("refresh_token", refresh)],
                "client_credentials" => vec![("scope", "read")],
                other => panic!("{other} is advertised, and nothing here tries it"),
            };
            let form = [&[("grant_type", *grant_type)], &form[..]].concat();
            let told = self.by_secret("token", "walker", &form).await;
            assert_eq!(told.status, 200, "{grant_type}: {}", told.body);
        }
        let registered = [
            "authorization_code",
            "implicit",
            "password",
            "client_credentials",
            "refresh_token",
            "urn:ietf:params:oauth:grant-type:jwt-bearer",
            "urn:ietf:params:oauth:grant-type:saml2-bearer",
            "urn:ietf:params:oauth:grant-type:device_code",
            "urn:ietf:params:oauth:grant-type:token-exchange",
            "urn:openid:params:grant-type:ciba",
            "",
        ];
        for other in beside(listed, &registered) {
            let form = [("grant_type", other), ("username", "a"), ("password", "b")];
            let refused = self.by_secret("token", "walker", &form).await;
            let is_empty = other.is_empty();
            let expected = if is_empty {
                "invalid_request"
            } else {
                "unsupported_grant_type"
            };
            let accepted = [(400, expected), (400, "unsupported_grant_type")];
            assert!(
                accepted.contains(&error(&refused)),
                "{other}: {}",
                refused.body
            );
        }
    }

    async fn subject_types(&self, listed: &[&str]) {
        let subject = async |client: String, subject_type: &str| {
            register(self.app, &client, &json!({"subject_type": subject_type})).await;
            let url = asking(self.app, &client, &[]);
            let answer = self.app.log_in_at(&Browser::new(), TOLVAN, &url).await;
            let tokens = self.redeemed(&client, &answer).await;
            let claims = crate::token::claims(self.app, &tokens).await;
            claims["sub"].as_str().expect("a subject").to_owned()
        };
        for subject_type in listed {
            // One after the other: a person has one order at a time.
            let first = subject(format!("{subject_type}-a"), subject_type).await;
            let second = subject(format!("{subject_type}-b"), subject_type).await;
            let is_public = *subject_type == "public";
            assert_eq!(first == second, is_public, "{subject_type}");
        }
        refused_by_registration("subject_type", &beside(listed, &["ephemeral", ""]));
    }

    async fn acr_values(&self, listed: &[&str]) {
        let essential =
            |acr: &str| json!({"id_token": {"acr": {"essential": true, "value": acr}}}).to_string();
        for acr in listed {
            let claims = self.id_token(&[("claims", &essential(acr))]).await;
            assert_eq!(claims["acr"], *acr);
        }
        let loa4 = "http://id.elegnamnden.se/loa/1.0/loa4";
        for other in beside(listed, &[loa4, "urn:mace:incommon:iap:silver"]) {
            let refused = self.answered(&[("claims", &essential(other))]).await;
            let expected = Some("unmet_authentication_requirements");
            assert_eq!(refused.get("error"), expected, "{other}");
        }
    }

    async fn claims(&self, listed: &[&str]) {
        let beside = beside(
            listed,
            &["email", "phone_number", "address", "picture", "locale"],
        );
        let all = listed.iter().chain(&beside);
        let wished: Value = all.map(|name| ((*name).to_owned(), Value::Null)).collect();
        let claims = json!({"id_token": wished}).to_string();
        let scope = ("scope", SCOPE);
        let told = self.id_token(&[("claims", &claims), scope]).await;
        for name in listed {
            assert!(!told[*name].is_null(), "{name}: {told}");
        }
        for other in beside {
            assert_eq!(told.get(other), None, "{other}");
        }
    }

    async fn languages(&self, listed: &[&str]) {
        let spoken = async |wish: &str| {
            let changes = [("prompt", "login"), ("ui_locales", wish)];
            let page = self
                .browser
                .get(&asking(self.app, "walker", &changes))
                .await;
            assert_eq!(page.status, 200);
            page.after("<html lang=\"").expect("a language")
        };
        for language in listed {
            assert_eq!(spoken(language).await, *language);
        }
        for other in beside(listed, &["fi", "nb", "xx-XX"]) {
            assert!(listed.contains(&spoken(other).await.as_str()), "{other}");
        }
    }

    async fn prompts(&self, listed: &[&str]) {
        for prompt in listed {
            let url = asking(self.app, "walker", &[("prompt", prompt)]);
            let page = self.browser.get(&url).await;
            let expected = if *prompt == "none" { 303 } else { 200 };
            assert_eq!(page.status, expected, "{prompt}");
        }
        // OpenID Connect Core §3.1.2.1: what is not known is passed over.
        for other in beside(listed, &["create", "sign_in_again"]) {
            self.answered(&[("prompt", other)]).await.code();
        }
    }

    async fn push(&self, client: &str, form: &[(&str, &str)]) -> Told {
        let told = self.by_secret("par", client, form).await;
        if let Some(name) = told.body["request_uri"].as_str() {
            canary(name);
        }
        told
    }

    async fn challenges(&self, listed: &[&str]) {
        let push = async |method: &str| {
            let form = [
                ("redirect_uri", CALLBACK),
                ("response_type", "code"),
                ("scope", "openid"),
                ("code_challenge", CHALLENGE),
                ("code_challenge_method", method),
            ];
            self.push("walker", &form).await
        };
        for method in listed {
            assert_eq!(push(method).await.status, 201, "{method}");
        }
        for other in beside(listed, &["plain", "S512", "s256", ""]) {
            assert_eq!(
                error(&push(other).await),
                (400, "invalid_request"),
                "{other}"
            );
        }
        let changes = [
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", listed[0]),
        ];
        let answer = self.answered(&changes).await;
        let form = [
            ("grant_type", "authorization_code"),
            ("code", answer.code()),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        assert_eq!(self.by_secret("token", "walker", &form).await.status, 200);
    }

    async fn proofs(&self, listed: &[&str]) {
        for alg in listed
            .iter()
            .copied()
            .chain(beside(listed, &["RS256", "ES384", "HS256", "none"]))
        {
            let key = Prover::new(alg);
            let proof = key.proof(self.app, "POST", "/token", None);
            let form = [("grant_type", "client_credentials")];
            let request = self.app.http.post(format!("{}/token", self.app.issuer));
            let request = request.basic_auth("walker", Some(SECRET)).form(&form);
            let told = told(request.header("DPoP", proof)).await;
            match listed.contains(&alg) {
                true => assert_eq!(told.body["token_type"], "DPoP", "{alg}"),
                false => assert_eq!(error(&told), (400, "invalid_dpop_proof"), "{alg}"),
            }
        }
    }

    async fn request_objects(&self, listed: &[&str]) {
        let keys = json!({"jwks": self.signer.jwks()});
        register(self.app, "objects", &keys).await;
        for alg in listed.iter().copied().chain(beside(listed, &OTHERS)) {
            let now = self.app.clock.now().0;
            let claims = json!({
                "iss": "objects", "aud": self.app.issuer, "client_id": "objects",
                "response_type": "code", "redirect_uri": "https://objects.example/callback",
                "scope": "openid", "nbf": now, "exp": now + 60, "jti": alg,
            });
            let object = self.signer.sign(&header(alg), &claims);
            let told = self.push("objects", &[("request", &object)]).await;
            match listed.contains(&alg) {
                true => assert_eq!(told.status, 201, "{alg}: {}", told.body),
                false => assert_eq!(error(&told), (400, "invalid_request_object"), "{alg}"),
            }
        }
    }

    /// Knocks by every method at an endpoint, which answers whoever it knows.
    async fn methods(&self, endpoint: &str, listed: &[&str]) {
        let keys = self.signer.jwks();
        register(
            self.app,
            "by-key",
            &json!({"token_endpoint_auth": "private_key_jwt", "jwks": keys}),
        )
        .await;
        let subject = json!({"san_dns": "client.example"});
        register(
            self.app,
            "issued",
            &json!({"token_endpoint_auth": "tls_client_auth", "tls_client_auth": subject}),
        )
        .await;
        let own = json!({"keys": [self.own.jwk()]});
        register(
            self.app,
            "own",
            &json!({"token_endpoint_auth": "self_signed_tls_client_auth", "jwks": own}),
        )
        .await;
        let alias = endpoint.replace(&self.app.issuer, &self.site.url);
        let form = [
            ("grant_type", "authorization_code"),
            ("code", "x"),
            ("token", "x"),
        ];
        let registered = [
            "client_secret_basic",
            "client_secret_post",
            "private_key_jwt",
            "tls_client_auth",
            "self_signed_tls_client_auth",
            "none",
            "client_secret_jwt",
        ];
        for method in registered {
            let shown = |more: &[(&'static str, String)]| {
                let of_form = form
                    .iter()
                    .map(|(name, value)| (*name, (*value).to_owned()));
                of_form.chain(more.iter().cloned()).collect::<Vec<_>>()
            };
            let id = |client: &str| ("client_id", client.to_owned());
            let asserted = |alg: &str| {
                let asserting = self.asserting("by-key");
                let (alg, kid) = (alg.to_owned(), kid(alg));
                let assertion = asserting.assertion(&json!({"alg": alg, "kid": kid}));
                [
                    ("client_assertion_type", TYPE.to_owned()),
                    ("client_assertion", assertion),
                ]
            };
            let plain = || self.app.http.post(endpoint);
            let holder = |made: &Made| self.site.client(Some(made)).post(&alias);
            let request = match method {
                "client_secret_basic" => plain().basic_auth("walker", Some(SECRET)).form(&form),
                "client_secret_post" => {
                    let secret = ("client_secret", SECRET.to_owned());
                    plain().form(&shown(&[id("walker"), secret]))
                }
                "private_key_jwt" => plain().form(&shown(&asserted("ES256"))),
                "client_secret_jwt" => plain().form(&shown(&asserted("HS256"))),
                "tls_client_auth" => {
                    holder(&self.site.authority.issue()).form(&shown(&[id("issued")]))
                }
                "self_signed_tls_client_auth" => holder(self.own).form(&shown(&[id("own")])),
                _ => plain().form(&shown(&[id("public")])),
            };
            let told = told(request).await;
            let is_refused = error(&told) == (401, "invalid_client");
            assert_eq!(
                is_refused,
                !listed.contains(&method),
                "{endpoint} {method}: {}",
                told.body
            );
        }
    }

    fn asserting(&self, client_id: &'static str) -> Asserting<'_> {
        Asserting {
            app: self.app,
            signer: self.signer,
            client_id,
        }
    }

    async fn assertions(&self, endpoint: &str, listed: &[&str]) {
        let keys = self.signer.jwks();
        register(
            self.app,
            "by-key",
            &json!({"token_endpoint_auth": "private_key_jwt", "jwks": keys}),
        )
        .await;
        for alg in listed.iter().copied().chain(beside(listed, &OTHERS)) {
            let changes = header(alg);
            let assertion = self.asserting("by-key").assertion(&changes);
            let form = [
                ("client_assertion_type", TYPE),
                ("client_assertion", &assertion),
                ("grant_type", "authorization_code"),
                ("code", "x"),
                ("token", "x"),
            ];
            let told = told(self.app.http.post(endpoint).form(&form)).await;
            let is_refused = error(&told) == (401, "invalid_client");
            assert_eq!(
                is_refused,
                !listed.contains(&alg),
                "{endpoint} {alg}: {}",
                told.body
            );
        }
    }

    /// All that is signed for a client, by each algorithm.
    async fn signed(&self, listed: &[&str]) {
        let members = [
            "id_token_signed_response_alg",
            "userinfo_signed_response_alg",
            "authorization_signed_response_alg",
            "introspection_signed_response_alg",
        ];
        let keys = Cache::of(self.app, self.browser).await;
        for alg in listed {
            let client = format!("signed-{}", alg.to_lowercase());
            let all: Value = members
                .iter()
                .map(|name| ((*name).to_owned(), json!(alg)))
                .collect();
            register(self.app, &client, &all).await;
            let url = asking(self.app, &client, &[("response_mode", "jwt")]);
            let answer = self.app.log_in_at(&Browser::new(), TOLVAN, &url).await;
            let read = |token: &str| keys.read(token, alg, &client, &self.app.issuer).1;
            let told = read(&response(&answer));
            let code = told["code"].as_str().expect("a code");
            canary(code);
            let callback = format!("https://{client}.example/callback");
            let form = [
                ("grant_type", "authorization_code"),
                ("code", code),
                ("redirect_uri", &callback),
            ];
            let tokens = self.by_secret("token", &client, &form).await.body;
            let id_token = read(tokens["id_token"].as_str().expect("a token"));
            let token = tokens["access_token"].as_str().expect("a token");
            let userinfo = self.app.http.get(format!("{}/userinfo", self.app.issuer));
            let userinfo = userinfo.bearer_auth(token).send().await.expect("an answer");
            let userinfo = read(&userinfo.text().await.expect("a token"));
            assert_eq!(userinfo["sub"], id_token["sub"]);
            let request = self
                .app
                .http
                .post(format!("{}/introspect", self.app.issuer));
            let request = request
                .basic_auth(&client, Some(SECRET))
                .form(&[("token", token)]);
            let request = request.header("accept", "application/token-introspection+jwt");
            let introspected = request.send().await.expect("an answer").text().await;
            let introspected = read(&introspected.expect("a token"));
            assert_eq!(introspected["token_introspection"]["active"], true);
        }
        for member in members {
            refused_by_registration(member, &beside(listed, &OTHERS));
        }
    }

    async fn bound_by_certificate(&self) {
        let own = json!({"keys": [self.own.jwk()]});
        let more = json!({"token_endpoint_auth": "self_signed_tls_client_auth", "jwks": own,
            "tls_client_certificate_bound_access_tokens": true,
            "client_credentials": {"scopes": ["read"]}});
        register(self.app, "certain", &more).await;
        let http = self.site.client(Some(self.own));
        let form = [
            ("client_id", "certain"),
            ("grant_type", "client_credentials"),
        ];
        let tokens = told(http.post(format!("{}/token", self.site.url)).form(&form)).await;
        assert_eq!(tokens.status, 200, "{}", tokens.body);
        let token = tokens.body["access_token"].as_str().expect("a token");
        canary(token);
        let form = [("client_id", "certain"), ("token", token)];
        let told = told(
            http.post(format!("{}/introspect", self.site.url))
                .form(&form),
        )
        .await;
        let expected = json!({"x5t#S256": self.own.thumbprint()});
        assert_eq!(told.body["cnf"], expected);
    }
}

/// Algorithms that are registered (RFC 7518 §3.1), those aside that are listed.
const OTHERS: [&str; 12] = [
    "none", "HS256", "HS384", "HS512", "RS384", "RS512", "PS384", "PS512", "ES384", "ES512",
    "ES256K", "rs256",
];

fn kid(alg: &str) -> &'static str {
    match alg {
        "ES256" => "ec",
        "ES384" => "p384",
        "EdDSA" => "ed",
        _ => "rsa",
    }
}

fn header(alg: &str) -> Value {
    json!({"alg": alg, "kid": kid(alg)})
}

/// What a registration may not say of a member.
fn refused_by_registration(member: &str, wrong: &[&str]) {
    for wrong in wrong {
        let mut metadata = json!({"client_name": "A", "redirect_uris": [CALLBACK]});
        metadata[member] = json!(wrong);
        let read = serde_json::from_value::<Metadata>(metadata);
        assert!(read.is_err(), "{member} {wrong}");
    }
}

//! Clients of FAPI 2.0: pushed requests, keys for everything, signed answers, refresh tokens that stay.

use portvakt::shows;
use portvakt::testing::{Signer, canary};
use serde_json::{Value, json};

use crate::client_auth::{Asserting, CALLBACK, CHALLENGE, TYPE, VERIFIER, by_key};
use crate::dpop::Prover;
use crate::signed::{Cache, response};
use crate::support::phone::TOLVAN;
use crate::support::{Answer, App, Browser, Database, on_both, run};
use crate::token::{Told, told};

const CLIENT: &str = "bank";

/// A client as a bank has one.
struct Bank<'a> {
    app: &'a App,
    signer: &'a Signer,
}

impl<'a> Bank<'a> {
    async fn registered(app: &'a App, signer: &'a Signer) -> Bank<'a> {
        let mut metadata = by_key(signer, "fapi2");
        metadata["refresh_tokens"] = json!({"lifetime_days": 30});
        app.register(CLIENT, metadata).await;
        Bank { app, signer }
    }

    /// Sends a form by the client, and a proof where there is one.
    async fn send(&self, path: &str, form: &[(&str, &str)], proof: Option<String>) -> Told {
        let request = self.request(path, form);
        let told = told(match proof {
            Some(proof) => request.header("DPoP", proof),
            None => request,
        })
        .await;
        for name in ["access_token", "refresh_token", "request_uri"] {
            if let Some(secret) = told.body[name].as_str() {
                canary(secret);
            }
        }
        told
    }

    fn request(&self, path: &str, form: &[(&str, &str)]) -> reqwest::RequestBuilder {
        let asserting = Asserting {
            app: self.app,
            signer: self.signer,
            client_id: CLIENT,
        };
        let assertion = asserting.assertion(&json!({}));
        let shown = [
            ("client_assertion_type", TYPE),
            ("client_assertion", assertion.as_str()),
        ];
        let form: Vec<_> = form.iter().copied().chain(shown).collect();
        let url = format!("{}{path}", self.app.issuer);
        self.app.http.post(url).form(&form)
    }

    async fn push(&self, changes: &[(&str, Option<&str>)]) -> Told {
        let usual = [
            ("redirect_uri", CALLBACK),
            ("response_type", "code"),
            ("response_mode", "jwt"),
            ("scope", "openid offline_access"),
            ("prompt", "consent"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        let is_changed = |name: &str| changes.iter().any(|(changed, _)| *changed == name);
        let form: Vec<(&str, &str)> = usual
            .into_iter()
            .filter(|(name, _)| !is_changed(name))
            .chain(
                changes
                    .iter()
                    .filter_map(|(name, value)| Some((*name, (*value)?))),
            )
            .collect();
        self.send("/par", &form, None).await
    }

    fn authorize_url(&self, request_uri: &str) -> String {
        let url = format!("{}/authorize", self.app.issuer);
        let parameters = [("client_id", CLIENT), ("request_uri", request_uri)];
        let url = url::Url::parse_with_params(&url, parameters);
        url.expect("an address").into()
    }

    /// What a login answers by a signed answer.
    async fn logged_in(&self, keys: &Cache) -> String {
        let pushed = self.push(&[]).await;
        assert_eq!(pushed.status, 201, "{}", pushed.body);
        let name = pushed.body["request_uri"].as_str().expect("a name");
        let url = self.authorize_url(name);
        let answer = self.app.log_in_at(&Browser::new(), TOLVAN, &url).await;
        let (_, told) = keys.read(&response(&answer), "PS256", CLIENT, &self.app.issuer);
        let code = told["code"].as_str().expect("a code").to_owned();
        canary(&code);
        code
    }

    async fn redeem(&self, code: &str, proof: Option<String>) -> Told {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        self.send("/token", &form, proof).await
    }

    async fn refresh(&self, token: &str, proof: Option<String>) -> Told {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
        self.send("/token", &form, proof).await
    }
}

fn error(told: &Told) -> (u16, &str) {
    (told.status, told.body["error"].as_str().unwrap_or_default())
}

async fn userinfo(app: &App, key: &Prover, token: &str) -> u16 {
    let proof = key.proof(app, "GET", "/userinfo", Some(token));
    let request = app.http.get(format!("{}/userinfo", app.issuer));
    let request = request.header("authorization", format!("DPoP {token}"));
    Browser::new()
        .send(request.header("DPoP", proof))
        .await
        .status
}

on_both!(
    a_client_of_fapi_is_served_by_its_rules,
    async |database: Database| {
        let _shows = shows!(accepting "AU-41", accepting "AU-48", accepting "JK-07", accepting "TK-11", accepting "TK-20", refusing "TK-20",
            accepting "TK-22", accepting "PV-TRACE-1", refusing "PV-TRACE-1", accepting "TK-27", refusing "TK-27", accepting "IN-03", accepting "IN-04", refusing "IN-04");
        let app = App::on(database).await;
        let (signer, key) = (Signer::new(), Prover::new("ES256"));
        let bank = Bank::registered(&app, &signer).await;
        let keys = Cache::of(&app, &Browser::new()).await;
        let proof = |key: &Prover| Some(key.proof(&app, "POST", "/token", None));
        let code = bank.logged_in(&keys).await;
        // Without a key there are no tokens, and the code is not lost by it.
        let without = bank.redeem(&code, None).await;
        assert_eq!(error(&without), (400, "invalid_dpop_proof"));
        let tokens = bank.redeem(&code, proof(&key)).await;
        assert_eq!(tokens.status, 200, "{}", tokens.body);
        assert_eq!(tokens.body["token_type"], "DPoP");
        let id_token = tokens.body["id_token"].as_str().expect("a token");
        keys.read(id_token, "PS256", CLIENT, &app.issuer);
        let text = |told: &Told, name: &str| told.body[name].as_str().expect("a token").to_owned();
        let (access, refresh) = (
            text(&tokens, "access_token"),
            text(&tokens, "refresh_token"),
        );
        assert_eq!(userinfo(&app, &key, &access).await, 200);
        assert_eq!(userinfo(&app, &Prover::new("ES256"), &access).await, 401);
        // Their number of a call comes back with its answer, and nothing else does.
        let number = "6C2A3b0e-9c0f-4c52-8f5f-0d5b7c1a9a11";
        for (sent, answered) in [(number, number), ("<script>", "")] {
            let proof = key.proof(&app, "GET", "/userinfo", Some(&access));
            let request = app.http.get(format!("{}/userinfo", app.issuer));
            let request = request
                .header("authorization", format!("DPoP {access}"))
                .header("DPoP", proof)
                .header("x-fapi-interaction-id", sent);
            let page = Browser::new().send(request).await;
            assert_eq!(page.header("x-fapi-interaction-id"), answered);
            assert_eq!(page.header("dpop-nonce"), "", "no nonce is asked for");
        }

        // The refresh token stays, however often it is used and by whichever key.
        assert_eq!(
            error(&bank.refresh(&refresh, None).await),
            (400, "invalid_dpop_proof")
        );
        let other = Prover::new("PS256");
        for key in [&key, &key, &other] {
            let again = bank.refresh(&refresh, proof(key)).await;
            assert_eq!(again.status, 200, "{}", again.body);
            assert_eq!(again.body.get("refresh_token"), None);
            assert_eq!(again.body["token_type"], "DPoP");
            let access = text(&again, "access_token");
            assert_eq!(userinfo(&app, key, &access).await, 200);
            app.clock.advance(std::time::Duration::from_secs(31));
        }

        // Told of by a signed answer, to the client that asks and of that token alone.
        let form = [("token", refresh.as_str())];
        let asked = bank.request("/introspect", &form);
        let answer = asked
            .header("accept", "application/token-introspection+jwt")
            .send()
            .await
            .expect("an answer");
        let media_type = "application/token-introspection+jwt";
        assert_eq!(answer.headers()["content-type"], media_type);
        let token = answer.text().await.expect("a token");
        let header = jsonwebtoken::decode_header(&token).expect("a header");
        assert_eq!(header.typ.as_deref(), Some("token-introspection+jwt"));
        let (_, claims) = keys.read(&token, "PS256", CLIENT, &app.issuer);
        assert_eq!(claims["token_introspection"]["active"], true);
        assert_eq!(claims["token_introspection"]["client_id"], CLIENT);
        let names: Vec<&String> = claims.as_object().expect("an object").keys().collect();
        assert_eq!(names, ["aud", "iat", "iss", "token_introspection"]);
        let plain = bank.send("/introspect", &form, None).await;
        assert_eq!(plain.body["active"], true);

        // Revoked, it is worth nothing at once.
        assert_eq!(bank.send("/revoke", &form, None).await.status, 200);
        assert_eq!(
            error(&bank.refresh(&refresh, proof(&key)).await),
            (400, "invalid_grant")
        );
        let plain = bank.send("/introspect", &form, None).await;
        assert_eq!(plain.body, json!({"active": false}));
    }
);

#[test]
fn a_client_of_fapi_is_refused_what_others_may() {
    run(async {
        let _shows = shows!(refusing "AU-41", refusing "JK-07", refusing "AU-18", accepting "AU-48", refusing "AU-48", accepting "PA-08", refusing "PA-08", refusing "TK-24");
        let app = App::on(Database::sqlite()).await;
        let signer = Signer::new();
        let bank = Bank::registered(&app, &signer).await;
        // RFC 7636 §4.4.1.
        for changes in [
            [("code_challenge", None), ("code_challenge_method", None)],
            [
                ("code_challenge", Some(VERIFIER)),
                ("code_challenge_method", Some("plain")),
            ],
        ] {
            assert_eq!(error(&bank.push(&changes).await), (400, "invalid_request"));
        }
        for response_type in ["token", "id_token", "code id_token", "none"] {
            let told = bank.push(&[("response_type", Some(response_type))]).await;
            assert_eq!(error(&told), (400, "unsupported_response_type"));
        }
        for (name, value) in [
            ("redirect_uri", None),
            ("redirect_uri", Some("https://bank.example/other")),
            ("request_uri", Some("urn:ietf:params:oauth:request_uri:x")),
        ] {
            assert_eq!(
                error(&bank.push(&[(name, value)]).await),
                (400, "invalid_request")
            );
        }
        // What was not pushed is not heard.
        let mut url = url::Url::parse(&format!("{}/authorize", app.issuer)).expect("an address");
        url.query_pairs_mut()
            .append_pair("client_id", CLIENT)
            .append_pair("redirect_uri", CALLBACK)
            .append_pair("response_type", "code")
            .append_pair("scope", "openid")
            .append_pair("code_challenge", CHALLENGE)
            .append_pair("code_challenge_method", "S256");
        let answer = Answer::of(&Browser::new().get(url.as_str()).await);
        assert_eq!(answer.get("error"), Some("invalid_request"));
        assert_eq!(answer.get("iss"), Some(app.issuer.as_str()));
        // A request may be signed, and then by what FAPI has.
        for (alg, kid, expected) in [
            ("PS256", "rsa", (201, "")),
            ("ES256", "ec", (201, "")),
            ("RS256", "rsa", (400, "invalid_request_object")),
            ("none", "rsa", (400, "invalid_request_object")),
        ] {
            let now = app.clock.now().0;
            let claims: Value = json!({
                "iss": CLIENT, "aud": app.issuer, "client_id": CLIENT, "response_type": "code",
                "redirect_uri": CALLBACK, "scope": "openid", "code_challenge": CHALLENGE,
                "code_challenge_method": "S256", "nbf": now, "exp": now + 60, "jti": alg,
            });
            let header = json!({"alg": alg, "kid": kid, "typ": "oauth-authz-req+jwt"});
            let object = signer.sign(&header, &claims);
            let told = bank.send("/par", &[("request", &object)], None).await;
            assert_eq!(error(&told), expected, "{alg}");
        }
        // A client that takes signed answers alone is answered in no other way.
        let mut signed_alone = by_key(&signer, "fapi2");
        signed_alone["response_modes"] = json!(["jwt"]);
        app.register(CLIENT, signed_alone).await;
        assert_eq!(bank.push(&[]).await.status, 201);
        assert_eq!(
            bank.push(&[("response_mode", Some("query.jwt"))])
                .await
                .status,
            201
        );
        for other in [None, Some("query"), Some("form_post.jwt")] {
            let told = bank.push(&[("response_mode", other)]).await;
            assert_eq!(error(&told), (400, "invalid_request"), "{other:?}");
        }
        Bank::registered(&app, &signer).await;
        // A code that was asked for with a key is exchanged by no other.
        let key = Prover::new("ES256");
        let form = [
            ("redirect_uri", CALLBACK),
            ("response_type", "code"),
            ("scope", "openid"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        let at_par = key.proof(&app, "POST", "/par", None);
        let pushed = bank.send("/par", &form, Some(at_par)).await;
        let name = pushed.body["request_uri"].as_str().expect("a name");
        let url = bank.authorize_url(name);
        let answer = app.log_in_at(&Browser::new(), TOLVAN, &url).await;
        let by = |key: &Prover| Some(key.proof(&app, "POST", "/token", None));
        let refused = bank.redeem(answer.code(), by(&Prover::new("ES256"))).await;
        assert_eq!(error(&refused), (400, "invalid_dpop_proof"));
        let jkt = Prover::new("ES256").jkt();
        let of_two = [&form[..], &[("dpop_jkt", jkt.as_str())]].concat();
        let at_par = key.proof(&app, "POST", "/par", None);
        let told = bank.send("/par", &of_two, Some(at_par)).await;
        assert_eq!(error(&told), (400, "invalid_dpop_proof"));
    });
}

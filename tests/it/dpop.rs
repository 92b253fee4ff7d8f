//! Demonstrating proof of possession (RFC 9449): what a client receives is worth nothing without its
//! key.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::join_all;
use portvakt::jose::jwks::Jwk;
use portvakt::shows;
use portvakt::testing::{Signer, canary};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::phone::TOLVAN;
use crate::support::{Answer, App, Browser, CALLBACK, Database, Page, SECRET, on_both, run};
use crate::token::{Told, told};

/// A key, and the proofs that it signs, each with a name of its own.
pub struct Prover {
    signer: Signer,
    alg: String,
    made: std::sync::atomic::AtomicU32,
}

impl Prover {
    pub fn new(alg: &str) -> Prover {
        Prover {
            signer: Signer::new(),
            alg: alg.to_owned(),
            made: 0.into(),
        }
    }

    pub fn jkt(&self) -> String {
        let key = Jwk::parse(&self.signer.jwk(&self.alg)).expect("a key");
        key.thumbprint().as_str().to_owned()
    }

    /// A proof for a request, with an access token where there is one.
    pub fn proof(&self, app: &App, method: &str, path: &str, token: Option<&str>) -> String {
        self.proof_at(app, method, &format!("{}{path}", app.issuer), token)
    }

    /// The same for any address.
    pub fn proof_at(&self, app: &App, method: &str, url: &str, token: Option<&str>) -> String {
        let n = self.made.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let mut claims = json!({
            "jti": format!("proof-{n}"), "htm": method, "htu": url,
            "iat": app.clock.now().0,
        });
        if let Some(token) = token {
            claims["ath"] = URL_SAFE_NO_PAD.encode(Sha256::digest(token)).into();
        }
        let header = json!({"typ": "dpop+jwt", "alg": self.alg, "jwk": self.signer.jwk(&self.alg)});
        self.signer.sign(&header, &claims)
    }
}

/// A token request of a client that has the secret, or of a public one.
pub async fn asked(app: &App, client: &str, form: &[(&str, &str)], proof: Option<&str>) -> Told {
    let mut request = app.http.post(format!("{}/token", app.issuer)).form(form);
    if !form.iter().any(|(name, _)| *name == "client_id") {
        request = request.basic_auth(client, Some(SECRET));
    }
    if let Some(proof) = proof {
        request = request.header("DPoP", proof);
    }
    let told = told(request).await;
    for name in ["access_token", "refresh_token"] {
        if let Some(token) = told.body[name].as_str() {
            canary(token);
        }
    }
    told
}

fn redeeming(answer: &Answer) -> [(&'static str, &str); 3] {
    [
        ("grant_type", "authorization_code"),
        ("code", answer.code()),
        ("redirect_uri", CALLBACK),
    ]
}

pub fn error(told: &Told) -> (u16, &str) {
    (told.status, told.body["error"].as_str().unwrap_or_default())
}

const BAD_PROOF: (u16, &str) = (400, "invalid_dpop_proof");

pub async fn userinfo(app: &App, scheme: &str, token: &str, proofs: &[&str]) -> Page {
    let request = app.http.get(format!("{}/userinfo", app.issuer));
    let mut request = request.header("authorization", format!("{scheme} {token}"));
    for proof in proofs {
        request = request.header("DPoP", *proof);
    }
    Browser::new().send(request).await
}

on_both!(
    a_bound_token_is_worth_nothing_without_its_key,
    async |database: Database| {
        let _shows = shows!(accepting "TK-20", accepting "TK-21", refusing "TK-21", accepting "TK-23", accepting "UI-07", refusing "UI-07", accepting "IN-03", refusing "IN-03", accepting "O13", refusing "O13");
        let app = App::on(database).await;
        let (key, thief) = (Prover::new("ES256"), Prover::new("ES256"));
        let answer = app.log_in(&Browser::new(), TOLVAN).await;
        let proof = key.proof(&app, "POST", "/token", None);
        let tokens = asked(&app, "web", &redeeming(&answer), Some(&proof)).await;
        assert_eq!(tokens.status, 200, "{}", tokens.body);
        assert_eq!(tokens.body["token_type"], "DPoP");
        let token = tokens.body["access_token"].as_str().expect("a token");
        let good = |by: &Prover| by.proof(&app, "GET", "/userinfo", Some(token));
        let proof = good(&key);
        for (scheme, status) in [("DPoP", 200), ("dpop", 401)] {
            // The same proof is good once, whatever else is right.
            let page = userinfo(&app, scheme, token, &[&proof]).await;
            assert_eq!(page.status, status, "{}", page.body);
        }
        assert_eq!(
            userinfo(&app, "dPoP", token, &[&good(&key)]).await.status,
            200
        );
        let (of_other, of_post) = (
            key.proof(&app, "GET", "/userinfo", Some("another")),
            key.proof(&app, "POST", "/userinfo", Some(token)),
        );
        let (one, two, thiefs) = (good(&key), good(&key), good(&thief));
        for (scheme, proofs, error) in [
            ("Bearer", vec![], "invalid_token"),
            ("Bearer", vec![one.as_str()], "invalid_token"),
            ("DPoP", vec![], "invalid_dpop_proof"),
            ("DPoP", vec![thiefs.as_str()], "invalid_dpop_proof"),
            ("DPoP", vec![of_other.as_str()], "invalid_dpop_proof"),
            ("DPoP", vec![of_post.as_str()], "invalid_dpop_proof"),
            ("DPoP", vec!["nonsense"], "invalid_dpop_proof"),
            (
                "DPoP",
                vec![one.as_str(), two.as_str()],
                "invalid_dpop_proof",
            ),
        ] {
            let page = userinfo(&app, scheme, token, &proofs).await;
            assert_eq!(page.status, 401, "{scheme} {proofs:?}");
            let challenges: Vec<&str> = page
                .headers
                .get_all("www-authenticate")
                .iter()
                .map(|value| value.to_str().expect("ASCII"))
                .collect();
            let by_proof = challenges
                .iter()
                .find(|c| c.starts_with("DPoP "))
                .expect("a challenge");
            assert!(
                by_proof.contains(error) && by_proof.contains("algs=\"ES256 "),
                "{by_proof}"
            );
        }
        // One that is bound to nothing goes by itself alone.
        let answer = app.log_in(&Browser::new(), TOLVAN).await;
        let plain = asked(&app, "web", &redeeming(&answer), None).await;
        assert_eq!(plain.body["token_type"], "Bearer");
        let free = plain.body["access_token"].as_str().expect("a token");
        let proof = key.proof(&app, "GET", "/userinfo", Some(free));
        assert_eq!(userinfo(&app, "DPoP", free, &[&proof]).await.status, 401);
        assert_eq!(userinfo(&app, "Bearer", free, &[]).await.status, 200);
        // Resource servers are told which is which.
        let of_bound = crate::introspection::ask(&app, "web", token).await.body;
        assert_eq!(
            (&of_bound["token_type"], &of_bound["cnf"]["jkt"]),
            (&json!("DPoP"), &json!(key.jkt()))
        );
        let of_free = crate::introspection::ask(&app, "web", free).await.body;
        assert_eq!(
            (&of_free["token_type"], &of_free["cnf"]),
            (&json!("Bearer"), &Value::Null)
        );
    }
);

on_both!(
    a_code_is_for_the_key_that_was_named,
    async |database: Database| {
        let _shows = shows!(accepting "AU-52", refusing "AU-52", accepting "PA-08", refusing "PA-08", accepting "TK-24", refusing "TK-24");
        let app = App::on(database).await;
        let (key, other) = (Prover::new("EdDSA"), Prover::new("EdDSA"));
        let token = |by: &Prover| by.proof(&app, "POST", "/token", None);
        let par = format!("{}/par", app.issuer);
        let push = async |jkt: Option<&str>, proof: Option<String>| {
            let mut request = app.http.post(&par).basic_auth("web", Some(SECRET));
            if let Some(proof) = proof {
                request = request.header("DPoP", proof);
            }
            told(request.form(&App::asked(&[("dpop_jkt", jkt)]))).await
        };
        let pushing = |by: &Prover| by.proof(&app, "POST", "/par", None);
        let jkt = key.jkt();
        for (named, proof) in [
            (Some(jkt.as_str()), None),
            (None, Some(pushing(&key))),
            (Some(jkt.as_str()), Some(pushing(&key))),
        ] {
            let pushed = push(named, proof).await;
            assert_eq!(pushed.status, 201, "{}", pushed.body);
            let name = pushed.body["request_uri"].as_str().expect("a name");
            canary(name);
            let mut url =
                url::Url::parse(&format!("{}/authorize", app.issuer)).expect("an address");
            url.query_pairs_mut()
                .extend_pairs([("client_id", "web"), ("request_uri", name)]);
            let answer = app.log_in_at(&Browser::new(), TOLVAN, url.as_str()).await;
            let form = redeeming(&answer);
            assert_eq!(
                error(&asked(&app, "web", &form, Some(&token(&other))).await),
                BAD_PROOF
            );
            // Whoever has it without the key has it from somewhere: it is worth nothing any more.
            let late = asked(&app, "web", &form, Some(&token(&key))).await;
            assert_eq!(error(&late), (400, "invalid_grant"));
        }
        for (proof, status) in [(Some(token(&key)), 200), (None, 400)] {
            let bound = [("dpop_jkt", Some(jkt.as_str()))];
            let answer = app.log_in_with(&Browser::new(), TOLVAN, &bound).await;
            let told = asked(&app, "web", &redeeming(&answer), proof.as_deref()).await;
            assert_eq!(told.status, status, "{}", told.body);
        }
        assert_eq!(
            error(&push(Some(&jkt), Some(pushing(&other))).await),
            BAD_PROOF
        );
        assert_eq!(error(&push(None, Some(token(&key))).await), BAD_PROOF);
        assert_eq!(
            error(&push(Some("x"), None).await),
            (400, "invalid_request")
        );
        let page = Browser::new()
            .get(&app.authorize_url(&[("dpop_jkt", Some("x"))]))
            .await;
        assert_eq!(Answer::of(&page).get("error"), Some("invalid_request"));
    }
);

on_both!(
    of_many_who_bring_one_proof_one_is_heard,
    async |database: Database| {
        let _shows = shows!(accepting "O13", refusing "O13", refusing "TK-21");
        let app = App::on(database).await;
        let key = Prover::new("PS256");
        let proof = key.proof(&app, "POST", "/token", None);
        let mut answers = Vec::new();
        for _ in 0..8 {
            answers.push(app.log_in(&Browser::new(), TOLVAN).await);
        }
        let told = join_all(
            answers
                .iter()
                .map(async |answer| asked(&app, "web", &redeeming(answer), Some(&proof)).await),
        )
        .await;
        let mut seen: HashMap<(u16, &str), usize> = HashMap::new();
        for told in &told {
            *seen.entry(error(told)).or_default() += 1;
        }
        assert_eq!(seen, HashMap::from([((200, ""), 1), (BAD_PROOF, 7)]));
        // Whoever was not heard has lost nothing but the proof.
        let lost = told
            .iter()
            .position(|told| told.status != 200)
            .expect("one");
        let again = key.proof(&app, "POST", "/token", None);
        let again = asked(&app, "web", &redeeming(&answers[lost]), Some(&again)).await;
        assert_eq!(again.status, 200, "{}", again.body);
        // Who does not authenticate uses up nobody's proof.
        let answer = app.log_in(&Browser::new(), TOLVAN).await;
        let proof = key.proof(&app, "POST", "/token", None);
        let request = app.http.post(format!("{}/token", app.issuer));
        let request = request
            .basic_auth("web", Some("wrong"))
            .header("DPoP", &proof);
        assert_eq!(
            crate::token::told(request.form(&redeeming(&answer)))
                .await
                .status,
            401
        );
        let told = asked(&app, "web", &redeeming(&answer), Some(&proof)).await;
        assert_eq!(told.status, 200, "{}", told.body);
    }
);

#[test]
fn a_client_that_must_prove_its_key_gets_nothing_without() {
    run(async {
        let _shows =
            shows!(accepting "TK-20", refusing "TK-20", accepting "DI-15", refusing "DI-15");
        let app = App::on(Database::sqlite()).await;
        app.register(
            "proving-its-key",
            json!({
                "client_name": "Banken", "redirect_uris": [CALLBACK], "pkce": "accepted",
                "dpop_bound_access_tokens": true
            }),
        )
        .await;
        let url = format!("{}/.well-known/openid-configuration", app.issuer);
        let document = told(app.http.get(url)).await.body;
        let offered = &document["dpop_signing_alg_values_supported"];
        assert_eq!(*offered, json!(["ES256", "PS256", "EdDSA"]));
        let of_client = [
            ("client_id", Some("proving-its-key")),
            ("scope", Some("openid")),
        ];
        for alg in ["ES256", "PS256", "EdDSA", "ES384", "RS256"] {
            let key = Prover::new(alg);
            let answer = app.log_in_with(&Browser::new(), TOLVAN, &of_client).await;
            let form = redeeming(&answer);
            let without = asked(&app, "proving-its-key", &form, None).await;
            assert_eq!(error(&without), BAD_PROOF);
            let proof = key.proof(&app, "POST", "/token", None);
            let told = asked(&app, "proving-its-key", &form, Some(&proof)).await;
            let is_offered = offered
                .as_array()
                .expect("a list")
                .iter()
                .any(|one| one == alg);
            match is_offered {
                true => assert_eq!(told.status, 200, "{alg}: {}", told.body),
                false => assert_eq!(error(&told), BAD_PROOF, "{alg}"),
            }
        }
    });
}

on_both!(
    a_public_clients_refresh_token_is_bound_to_its_key,
    async |database: Database| {
        let _shows = shows!(accepting "TK-26", refusing "TK-26");
        let app = App::on(database).await;
        app.register(
        "phone",
        json!({
            "client_name": "Appen", "redirect_uris": ["https://app.phone.example/callback"],
            "token_endpoint_auth": "none", "dpop_bound_access_tokens": true, "refresh_tokens": true
        }),
    )
    .await;
        let (key, thief) = (Prover::new("ES256"), Prover::new("ES256"));
        // RFC 7636 appendix B.
        let log_in = async || {
            let asking = [
                ("client_id", Some("phone")),
                ("redirect_uri", Some("https://app.phone.example/callback")),
                ("scope", Some("openid offline_access")),
                (
                    "code_challenge",
                    Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
                ),
                ("code_challenge_method", Some("S256")),
            ];
            let answer = app.log_in_with(&Browser::new(), TOLVAN, &asking).await;
            let form = [
                ("client_id", "phone"),
                ("grant_type", "authorization_code"),
                ("code", answer.code()),
                ("redirect_uri", "https://app.phone.example/callback"),
                (
                    "code_verifier",
                    "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
                ),
            ];
            let proof = key.proof(&app, "POST", "/token", None);
            asked(&app, "phone", &form, Some(&proof)).await.body
        };
        let refresh = async |token: &Value, by: Option<&Prover>| {
            let token = token["refresh_token"].as_str().expect("a token");
            let form = [
                ("client_id", "phone"),
                ("grant_type", "refresh_token"),
                ("refresh_token", token),
            ];
            let proof = by.map(|by| by.proof(&app, "POST", "/token", None));
            asked(&app, "phone", &form, proof.as_deref()).await
        };
        let first = log_in().await;
        assert_eq!(first["token_type"], "DPoP", "{first}");
        // A thief without the key gets nothing, and ends nothing.
        assert_eq!(error(&refresh(&first, Some(&thief)).await), BAD_PROOF);
        assert_eq!(error(&refresh(&first, None).await), BAD_PROOF);
        let overheard = key.proof(&app, "POST", "/token", None);
        let form = [
            ("client_id", "phone"),
            ("grant_type", "refresh_token"),
            (
                "refresh_token",
                first["refresh_token"].as_str().expect("a token"),
            ),
        ];
        let second = asked(&app, "phone", &form, Some(&overheard)).await;
        // The same request once more is no second hand, and ends nothing.
        let again = asked(&app, "phone", &form, Some(&overheard)).await;
        assert_eq!(error(&again), BAD_PROOF);
        let second_token = second.body["access_token"].as_str().expect("a token");
        let good = key.proof(&app, "GET", "/userinfo", Some(second_token));
        let page = userinfo(&app, "DPoP", second_token, &[&good]).await;
        assert_eq!(page.status, 200, "{}", page.body);
        assert_eq!(second.status, 200, "{}", second.body);
        // A token that comes twice ends all that came of the login: there is no second try.
        assert_eq!(
            error(&refresh(&first, Some(&key)).await),
            (400, "invalid_grant")
        );
        assert_eq!(
            error(&refresh(&second.body, Some(&key)).await),
            (400, "invalid_grant")
        );
    }
);

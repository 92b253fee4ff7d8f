//! Resource indicators (RFC 8707): which services an access token is for.

use portvakt::shows;
use portvakt::testing::Signer;
use serde_json::{Value, json};

use crate::dpop::{asked, error};
use crate::refresh::text;
use crate::support::phone::TOLVAN;
use crate::support::{Answer, App, Browser, CALLBACK, Database, SECRET, on_both, run};
use crate::token::{Told, told};

pub const API: &str = "https://api.example/v1";
const ARCHIVE: &str = "urn:example:archive";
const OWN: [(&str, Option<&str>); 2] = [
    ("client_id", Some("asking")),
    ("scope", Some("openid profile offline_access")),
];
const INVALID_TARGET: (u16, &str) = (400, "invalid_target");

/// An app with a client that may ask for two services, and one of these.
async fn app(database: Database, signer: &Signer) -> App {
    let app = App::on(database).await;
    app.register(
        "asking",
        json!({
            "client_name": "Appen", "redirect_uris": [CALLBACK], "pkce": "accepted",
            "refresh_tokens": true, "resources": [API, ARCHIVE], "jwks": signer.jwks()
        }),
    )
    .await;
    app.register(
        "api",
        json!({"client_name": "Tjänsten", "introspects": true, "serves": [API]}),
    )
    .await;
    app
}

fn url(app: &App, changes: &[(&str, Option<&str>)], resources: &[&str]) -> String {
    let changes: Vec<_> = OWN.iter().chain(changes).copied().collect();
    let mut url = url::Url::parse(&app.authorize_url(&changes)).expect("an address");
    let resources = resources.iter().map(|resource| ("resource", resource));
    url.query_pairs_mut().extend_pairs(resources);
    url.into()
}

/// From a session of this client's.
async fn again(app: &App, browser: &Browser, resources: &[&str]) -> Answer {
    let url = url(app, &[("prompt", Some("none"))], resources);
    Answer::of(&browser.get(&url).await)
}

/// A token request of the client, for these resources.
async fn get(app: &App, form: &[(&str, &str)], resources: &[&str]) -> Told {
    let resources = resources.iter().map(|resource| ("resource", *resource));
    let form: Vec<_> = form.iter().copied().chain(resources).collect();
    asked(app, "asking", &form, None).await
}

async fn exchange(app: &App, answer: &Answer, resources: &[&str]) -> Told {
    let form = [
        ("grant_type", "authorization_code"),
        ("code", answer.code()),
        ("redirect_uri", CALLBACK),
    ];
    get(app, &form, resources).await
}

async fn refresh(app: &App, tokens: &Value, resources: &[&str]) -> Told {
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", text(tokens, "refresh_token")),
    ];
    get(app, &form, resources).await
}

/// What an access token is for, as its own client is told.
async fn audience(app: &App, told: &Told) -> Value {
    assert_eq!(told.status, 200, "{}", told.body);
    let token = text(&told.body, "access_token");
    let mut told = crate::introspection::ask(app, "asking", token).await;
    assert_eq!(told.body["active"], true);
    told.body["aud"].take()
}

/// Which of these take a token: userinfo, a resource server for no service, and the one of the API.
async fn takers(app: &App, told: &Told) -> [bool; 3] {
    let token = text(&told.body, "access_token");
    let userinfo = crate::userinfo::ask(app, token).await;
    if userinfo.status != 200 {
        assert_eq!(
            (userinfo.status, &userinfo.body["error"]),
            (401, &json!("invalid_token"))
        );
    }
    let told = async |client| {
        let told = crate::introspection::ask(app, client, token).await.body;
        let is_active = told["active"] == true;
        assert!(is_active || told == json!({"active": false}), "{told}");
        is_active
    };
    [
        userinfo.status == 200,
        told("resource").await,
        told("api").await,
    ]
}

on_both!(
    a_token_is_for_what_was_asked_for_and_for_nothing_else,
    async |database: Database| {
        let _shows = shows!(accepting "PV-RESOURCE-1", accepting "PV-RESOURCE-2", refusing "PV-RESOURCE-2", accepting "PV-RESOURCE-3",
            refusing "PV-RESOURCE-3", accepting "AU-05", accepting "IN-02", refusing "IN-02");
        let app = app(database, &Signer::new()).await;
        let (browser, issuer) = (Browser::new(), app.issuer.as_str());
        let both = url(&app, &[], &[API, ARCHIVE]);
        let answer = app.log_in_at(&browser, TOLVAN, &both).await;
        let first = exchange(&app, &answer, &[API]).await;
        assert_eq!(audience(&app, &first).await, API);
        assert_eq!(takers(&app, &first).await, [false, false, true]);
        // What comes later is for some of what was granted, or for all of it.
        let second = refresh(&app, &first.body, &[ARCHIVE]).await;
        assert_eq!(audience(&app, &second).await, ARCHIVE);
        assert_eq!(takers(&app, &second).await, [false; 3]);
        for wide in [&[issuer][..], &[API, "urn:other"], &["x"]] {
            let refused = refresh(&app, &second.body, wide).await;
            assert_eq!(error(&refused), INVALID_TARGET, "{wide:?}");
        }
        let third = refresh(&app, &second.body, &[]).await;
        assert_eq!(audience(&app, &third).await, json!([API, ARCHIVE]));
        assert_eq!(takers(&app, &third).await, [false, false, true]);

        // A mistake costs no code.
        let answer = again(&app, &browser, &[API]).await;
        for wide in [&[ARCHIVE][..], &[API, ARCHIVE], &[issuer]] {
            let refused = exchange(&app, &answer, wide).await;
            assert_eq!(error(&refused), INVALID_TARGET, "{wide:?}");
        }
        let told = exchange(&app, &answer, &[]).await;
        assert_eq!(audience(&app, &told).await, API);

        for (asked, at_token, expected, takers_) in [
            (&[][..], &[][..], json!(issuer), [true, true, false]),
            (&[], &[issuer], json!(issuer), [true, true, false]),
            (&[issuer], &[], json!(issuer), [true, true, false]),
            (&[API, issuer], &[], json!([issuer, API]), [true; 3]),
            (&[API, issuer], &[API], json!(API), [false, false, true]),
        ] {
            let answer = again(&app, &browser, asked).await;
            let told = exchange(&app, &answer, at_token).await;
            let mut aud = audience(&app, &told).await;
            if let Some(several) = aud.as_array_mut() {
                several.sort_by_key(|name| name != issuer);
            }
            assert_eq!(aud, expected);
            assert_eq!(takers(&app, &told).await, takers_, "{asked:?} {at_token:?}");
        }
        let answer = again(&app, &browser, &[]).await;
        let refused = exchange(&app, &answer, &[API]).await;
        assert_eq!(error(&refused), INVALID_TARGET, "it was not granted");

        // What an earlier version wrote is for this provider.
        let told = refresh(&app, &third.body, &[]).await;
        assert_eq!(takers(&app, &told).await, [false, false, true]);
        for sql in [
            "UPDATE access_token SET resources = NULL RETURNING CAST(1 AS BIGINT)",
            "UPDATE client_grant SET resources = NULL RETURNING CAST(1 AS BIGINT)",
        ] {
            crate::races::rows(&app, sql).await;
        }
        assert_eq!(takers(&app, &told).await, [true, true, false]);
        let told = refresh(&app, &told.body, &[]).await;
        assert_eq!(audience(&app, &told).await, issuer);
    }
);

#[test]
fn what_a_client_may_not_ask_for_is_refused_by_its_own_error() {
    run(async {
        let _shows = shows!(refusing "PV-RESOURCE-1", accepting "PV-RESOURCE-1", refusing "AU-05", accepting "AU-33", accepting "PA-03", refusing "PA-03");
        let signer = Signer::new();
        let app = app(Database::sqlite(), &signer).await;
        let browser = Browser::new();
        for wrong in [
            &["https://other.example/"][..],
            &[API, "https://other.example/"],
            &["https://api.example/v1/"],
            &["https://api.example/v1#a"],
            &["api"],
        ] {
            let answer = Answer::of(&browser.get(&url(&app, &[], wrong)).await);
            let told = ["error", "state", "iss"].map(|name| answer.get(name));
            let expected = ["invalid_target", "the-state", &app.issuer].map(Some);
            assert_eq!(told, expected, "{wrong:?}");
        }
        // No other parameter may come twice.
        let twice = format!("{}&nonce=another", url(&app, &[], &[API, API]));
        let answer = Answer::of(&browser.get(&twice).await);
        assert_eq!(answer.get("error"), Some("invalid_request"));
        let web = app.authorize_url(&[("resource", Some(API))]);
        let answer = Answer::of(&browser.get(&web).await);
        assert_eq!(answer.get("error"), Some("invalid_target"), "another's");

        let push = async |pairs: &[(&str, &str)]| {
            let form: Vec<_> = App::asked(&OWN)
                .into_iter()
                .chain(pairs.iter().copied())
                .collect();
            let request = app.http.post(format!("{}/par", app.issuer));
            told(request.basic_auth("asking", Some(SECRET)).form(&form)).await
        };
        let refused = push(&[("resource", API), ("resource", "urn:other")]).await;
        assert_eq!(error(&refused), INVALID_TARGET);
        let twice = push(&[
            ("resource", API),
            ("ui_locales", "sv"),
            ("ui_locales", "en"),
        ])
        .await;
        assert_eq!(error(&twice), (400, "invalid_request"));
        let pushed = push(&[("resource", API), ("resource", ARCHIVE)]).await;
        assert_eq!(pushed.status, 201, "{}", pushed.body);
        let mut brought = url::Url::parse(&format!("{}/authorize", app.issuer)).expect("one");
        brought.query_pairs_mut().extend_pairs([
            ("client_id", "asking"),
            ("request_uri", text(&pushed.body, "request_uri")),
        ]);
        let answer = app.log_in_at(&browser, TOLVAN, brought.as_str()).await;
        let told = exchange(&app, &answer, &[]).await;
        assert_eq!(audience(&app, &told).await, json!([API, ARCHIVE]));

        // What is signed is one list, and counts before what stands beside it.
        let signed = async |resources: Value| {
            let claims = json!({
                "iss": "asking", "aud": app.issuer, "exp": app.clock.now().0 + 60,
                "resource": resources
            });
            let request = signer.sign(&json!({"alg": "ES256"}), &claims);
            let changes = [("prompt", Some("none")), ("request", Some(&*request))];
            Answer::of(&browser.get(&url(&app, &changes, &[ARCHIVE])).await)
        };
        for (resources, expected) in [
            (json!(API), json!(API)),
            (json!([API]), json!(API)),
            (json!([API, ARCHIVE]), json!([API, ARCHIVE])),
        ] {
            let told = exchange(&app, &signed(resources).await, &[]).await;
            assert_eq!(audience(&app, &told).await, expected);
        }
        for wrong in [json!([API, "urn:other"]), json!([[API]]), json!(7)] {
            let answer = signed(wrong.clone()).await;
            assert_eq!(answer.get("error"), Some("invalid_target"), "{wrong}");
        }
    });
}

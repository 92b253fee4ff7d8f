//! The authorization endpoint: what is shown on a page, and what the client is told.

use portvakt::shows;

use crate::support::{Answer, App, Browser, CALLBACK, Database, Page, run};

/// A parameter that is replaced, or left out.
type Change<'a> = (&'a str, Option<&'a str>);

fn page_with(page: &Page, text: &str) {
    assert_eq!(page.status, 400, "{}", page.body);
    assert_eq!(page.location(), None, "never a redirect");
    assert!(
        page.body.contains("<h1>Något är fel med inloggningen</h1>"),
        "{}",
        page.body
    );
    assert!(page.body.contains(text), "{text} is not in {}", page.body);
}

#[test]
fn who_asks_and_where_to_answer_must_be_certain_before_anything_is_sent() {
    run(async {
        let _shows = shows!(refusing "AU-02", refusing "AU-03", refusing "AU-04", refusing "AU-05", refusing "AU-11", refusing "AU-47", refusing "O1");
        let app = App::on(Database::sqlite()).await;
        let browser = Browser::new();
        let cases: &[(&[Change], &str)] = &[
            (&[("client_id", None)], "client_id saknas"),
            (&[("client_id", Some(""))], "client_id saknas"),
            (&[("client_id", Some("nobody"))], "client_id är okänt"),
            (&[("client_id", Some("å"))], "client_id är okänt"),
            (&[("redirect_uri", None)], "redirect_uri saknas"),
            (
                &[("redirect_uri", Some("https://app.example/callback/"))],
                "redirect_uri är inte exakt",
            ),
            (
                &[("redirect_uri", Some("https://app.example/callback?a=2"))],
                "redirect_uri är inte exakt",
            ),
            (
                &[("redirect_uri", Some("https://evil.example/"))],
                "redirect_uri är inte exakt",
            ),
            (
                &[("redirect_uri", Some("javascript:alert(1)"))],
                "redirect_uri är inte exakt",
            ),
            (
                &[("client_id", Some("strict"))],
                "redirect_uri är inte exakt",
            ),
            (&[("response_mode", Some("web_message"))], "response_mode"),
            (&[("response_mode", Some("nonsense"))], "response_mode"),
            (&[("state", Some("a\u{0}b"))], "Parametrarna kan inte läsas"),
            (
                &[("state", Some(&"x".repeat(9000)))],
                "Parametrarna kan inte läsas",
            ),
        ];
        for (changes, text) in cases {
            page_with(&browser.get(&app.authorize_url(changes)).await, text);
        }
        let url = app.authorize_url(&[]);
        page_with(
            &browser.get(&format!("{url}&client_id=web")).await,
            "client_id skickades mer än en gång",
        );
        page_with(
            &browser
                .get(&format!(
                    "{url}&redirect_uri=https%3A%2F%2Fapp.example%2Fcallback"
                ))
                .await,
            "redirect_uri skickades mer än en gång",
        );
        page_with(
            &browser.get(&format!("{url}&x=%ff")).await,
            "Parametrarna kan inte läsas",
        );
    });
}

async fn refused(app: &App, browser: &Browser, url: &str) -> Answer {
    let page = browser.get(url).await;
    assert_eq!(page.status, 303, "{url} {}", page.body);
    let answer = Answer::of(&page);
    assert_eq!(answer.get("iss"), Some(app.issuer.as_str()));
    assert_eq!(answer.get("code"), None);
    let description = answer.get("error_description").expect("a description");
    assert!(
        description
            .bytes()
            .all(|b| (0x20..0x7f).contains(&b) && b != b'"' && b != b'\\')
    );
    answer
}

#[test]
fn every_other_mistake_is_told_to_the_client_with_state_and_issuer() {
    run(async {
        let _shows = shows!(
            refusing "AU-05", refusing "AU-07", refusing "AU-08", refusing "O27", refusing "AU-09", refusing "AU-10",
            refusing "AU-16", refusing "AU-17", refusing "AU-18", refusing "AU-19", refusing "AU-20",
            refusing "AU-25", refusing "AU-27", refusing "AU-28", refusing "AU-30", refusing "AU-34", refusing "AU-35",
            refusing "AU-39", refusing "AU-15", accepting "AU-50", refusing "AU-50", refusing "O2", accepting "AU-45"
        );
        let app = App::on(Database::sqlite()).await;
        let browser = Browser::new();
        let long = "n".repeat(513);
        let essential = r#"{"id_token":{"acr":{"essential":true,"value":"http://id.elegnamnden.se/loa/1.0/loa4"}}}"#;
        let cases: &[(&[Change], &str)] = &[
            (&[("response_type", None)], "invalid_request"),
            (
                &[("response_type", Some("token"))],
                "unsupported_response_type",
            ),
            (
                &[("response_type", Some("id_token"))],
                "unsupported_response_type",
            ),
            (
                &[("response_type", Some("code id_token"))],
                "unsupported_response_type",
            ),
            (&[("scope", None)], "invalid_scope"),
            (&[("scope", Some("profile"))], "invalid_scope"),
            (&[("code_challenge", Some("x"))], "invalid_request"),
            (
                &[("code_challenge_method", Some("S256"))],
                "invalid_request",
            ),
            (
                &[
                    (
                        "code_challenge",
                        Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
                    ),
                    ("code_challenge_method", Some("plain")),
                ],
                "invalid_request",
            ),
            (&[("prompt", Some("none"))], "login_required"),
            (&[("prompt", Some("none login"))], "invalid_request"),
            (&[("prompt", Some("none unknown"))], "invalid_request"),
            (&[("max_age", Some("-1"))], "invalid_request"),
            (&[("max_age", Some("soon"))], "invalid_request"),
            (&[("max_age", Some("1.5"))], "invalid_request"),
            (&[("claims", Some("[]"))], "invalid_request"),
            (&[("claims", Some("{"))], "invalid_request"),
            (
                &[("claims", Some(essential))],
                "unmet_authentication_requirements",
            ),
            (&[("id_token_hint", Some("nonsense"))], "invalid_request"),
            (&[("request", Some("x.y.z"))], "request_not_supported"),
            (
                &[("request_uri", Some("https://app.example/request"))],
                "request_uri_not_supported",
            ),
            (
                &[("registration", Some("{}"))],
                "registration_not_supported",
            ),
            (&[("nonce", Some(&long))], "invalid_request"),
        ];
        for (changes, error) in cases {
            let answer = refused(&app, &browser, &app.authorize_url(changes)).await;
            assert_eq!(answer.get("error"), Some(*error), "{changes:?}");
            assert_eq!(answer.get("state"), Some("the-state"));
            assert!(
                answer
                    .url
                    .as_str()
                    .starts_with("https://app.example/callback?error=")
            );
            assert_eq!(
                answer.names(),
                ["error", "error_description", "state", "iss"]
            );
        }
        let twice = format!("{}&scope=openid", app.authorize_url(&[]));
        assert_eq!(
            refused(&app, &browser, &twice).await.get("error"),
            Some("invalid_request")
        );
        let two_states = format!("{}&state=b", app.authorize_url(&[]));
        let answer = refused(&app, &browser, &two_states).await;
        assert_eq!(
            (answer.get("error"), answer.get("state")),
            (Some("invalid_request"), None)
        );
        let no_state = app.authorize_url(&[("state", None), ("response_type", None)]);
        assert_eq!(refused(&app, &browser, &no_state).await.get("state"), None);
        let kept_query = app.authorize_url(&[
            ("redirect_uri", Some("https://app.example/callback?a=1")),
            ("response_type", None),
        ]);
        assert_eq!(
            refused(&app, &browser, &kept_query).await.get("a"),
            Some("1")
        );
    });
}

#[test]
fn clients_that_must_use_pkce_are_told_and_others_are_not_entitled_to_numbers() {
    run(async {
        let _shows = shows!(refusing "AU-18", refusing "AU-10", refusing "O20");
        let app = App::on(Database::sqlite()).await;
        let browser = Browser::new();
        for (client, callback) in [
            ("strict", "https://strict.example/callback"),
            ("public", "https://public.example/callback"),
        ] {
            let base = [
                ("client_id", Some(client)),
                ("redirect_uri", Some(callback)),
                ("scope", Some("openid")),
            ];
            let answer = refused(&app, &browser, &app.authorize_url(&base)).await;
            assert_eq!(answer.get("error"), Some("invalid_request"), "{client}");
            let mut number = base.to_vec();
            number[2] = ("scope", Some("openid personal_number"));
            let answer = refused(&app, &browser, &app.authorize_url(&number)).await;
            assert_eq!(answer.get("error"), Some("invalid_scope"), "{client}");
        }
    });
}

#[test]
fn what_is_not_known_or_only_a_wish_never_stops_a_request() {
    run(async {
        let _shows = shows!(accepting "AU-01", accepting "AU-02", accepting "AU-03", accepting "AU-04", accepting "AU-05",
            accepting "AU-06", accepting "AU-07", accepting "AU-49", accepting "ID-10", accepting "AU-08", accepting "O27", accepting "AU-09", accepting "AU-10", accepting "AU-11",
            accepting "AU-20", accepting "AU-21", accepting "AU-26", accepting "AU-15", accepting "AU-30", accepting "LI-05");
        let app = App::on(Database::sqlite()).await;
        let browser = Browser::new();
        let (nonce, state) = ("n".repeat(64), "s".repeat(1000));
        let wishes: &[(&str, &str)] = &[
            ("display", "popup"),
            ("ui_locales", "fi xx"),
            ("claims_locales", "sv"),
            ("acr_values", "whatever"),
            ("login_hint", "someone"),
            ("prompt", "unknown"),
            ("scope", "openid unknown email"),
            ("nothing", "known"),
            (
                "authorization_details",
                r#"[{"type":"payment_initiation"}]"#,
            ),
            (
                "claims",
                r#"{"id_token":{"verified_claims":{"verification":{"trust_framework":null}}}}"#,
            ),
            ("response_mode", "query"),
            ("nonce", &nonce),
            ("state", &state),
            (
                "claims",
                r#"{"id_token":{"acr":{"essential":true,"values":["x","urn:portvakt:acr:simulated"]}}}"#,
            ),
        ];
        for (name, value) in wishes {
            let page = browser
                .get(&app.authorize_url(&[(name, Some(value))]))
                .await;
            assert_eq!(page.status, 200, "{name} {:?}", page.location());
            assert!(page.body.contains("Kommunens e-tjänster"), "{name}");
        }
        let page = browser.get(&app.authorize_url(&[])).await;
        for text in [
            "Ansök om bygglov.",
            "ditt namn",
            "ditt personnummer",
            "BankID på den här enheten",
            "BankID på en annan enhet",
        ] {
            assert!(page.body.contains(text), "{text}");
        }
        let english = browser
            .get(&app.authorize_url(&[("ui_locales", Some("en")), ("scope", Some("openid"))]))
            .await;
        for text in [
            "Apply for a building permit.",
            "BankID on this device",
            "neither name nor personal number",
        ] {
            assert!(english.body.contains(text), "{text}");
        }
    });
}

#[test]
fn looking_at_the_choice_orders_nothing_and_writes_nothing() {
    run(async {
        let _shows = shows!(refusing "BC-02", accepting "BP-31", accepting "B13", refusing "B13");
        let app = App::on(Database::sqlite()).await;
        for _ in 0..100 {
            assert_eq!(
                Browser::new().get(&app.authorize_url(&[])).await.status,
                200
            );
        }
        assert_eq!(app.phone.codes_on_screen().await, 0);
        let file = app.database.url(app.directory.path());
        let db = sqlx::SqlitePool::connect(&file)
            .await
            .expect("the database");
        for table in ["login", "bankid_order", "person", "session"] {
            let sql = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
            let rows: i64 = sqlx::query_scalar(sql)
                .fetch_one(&db)
                .await
                .expect("a count");
            assert_eq!(rows, 0, "{table}");
        }
    });
}

#[test]
fn a_request_by_post_makes_one_more_way_with_this_browsers_cookies() {
    run(async {
        let _shows = shows!(accepting "AU-01", refusing "AU-01", accepting "PV-POST-1", refusing "PV-POST-1");
        let app = App::on(Database::sqlite()).await;
        let browser = Browser::new();
        app.log_in(&browser, crate::support::phone::TOLVAN).await;
        let url = format!("{}/authorize", app.issuer);
        let form = [
            ("client_id", "web"),
            ("redirect_uri", CALLBACK),
            ("response_type", "code"),
            ("scope", "openid"),
            ("prompt", "none"),
            ("state", "posted"),
        ];
        let bounce = browser.post_from_elsewhere(&url, &form).await;
        assert_eq!(bounce.status, 200);
        assert!(bounce.body.contains("/authorize/continue") && !bounce.body.contains("posted"));
        let request = bounce.value("request");
        let go_on = format!("{url}/continue");
        let left = browser.post(&go_on, &[("request", &request)]).await;
        assert_eq!(left.status, 200, "{:?}", left.location());
        let answer = Answer::at(&left.after("content=\"0;url=").expect("a refresh"));
        assert_eq!(answer.get("state"), Some("posted"));
        assert!(answer.code().starts_with("ac_"));
        let forged = browser.post(&go_on, &[("request", "AAAA")]).await;
        assert_eq!(forged.status, 403);
        let from_elsewhere = browser
            .post_from_elsewhere(&go_on, &[("request", &request)])
            .await;
        assert_eq!(from_elsewhere.status, 403);
        let not_a_form = browser
            .send(
                app.http
                    .post(&url)
                    .json(&serde_json::json!({"client_id": "web"})),
            )
            .await;
        page_with(&not_a_form, "Parametrarna kan inte läsas");
        let put = browser.send(app.http.put(&url)).await;
        assert_eq!((put.status, put.header("allow")), (405, "GET, POST"));
    });
}

#[test]
fn a_request_that_no_form_could_carry_is_refused_at_once() {
    run(async {
        let _shows = shows!(refusing "O23");
        let app = App::on(Database::sqlite()).await;
        let browser = Browser::new();
        let url = format!("{}/authorize", app.issuer);
        // A quotation mark takes two characters in JSON, and three in a form.
        let form = |size: usize, filled_with: &str| {
            let query = app.authorize_url(&[]);
            let url = url::Url::parse(&query).expect("an address");
            let mut members: Vec<(String, String)> = url.query_pairs().into_owned().collect();
            members.extend((0..size).map(|n| (format!("x{n}"), filled_with.repeat(6 * 1024))));
            members
        };
        for (size, filled_with, status) in [(3, "\"", 200), (5, "a", 400)] {
            let members = form(size, filled_with);
            let members: Vec<(&str, &str)> = members
                .iter()
                .map(|(n, v)| (n.as_str(), v.as_str()))
                .collect();
            let bounced = browser.post(&url, &members).await;
            assert_eq!(bounced.status, status, "{size}");
            if status == 200 {
                let request = bounced.value("request");
                let on = format!("{url}/continue");
                let choice = browser.post(&on, &[("request", &request)]).await;
                assert_eq!(
                    browser.choose(&choice, "other").await.screen().as_deref(),
                    Some("scan")
                );
            }
        }
    });
}

//! Refresh tokens.

use std::time::Duration;

use futures_util::future::join_all;
use portvakt::client::Client;
use portvakt::client::refresh::RefreshTokens;
use portvakt::shows;
use serde_json::Value;

use crate::support::phone::TOLVAN;
use crate::support::{Answer, App, Browser, Database, SECRET, on_both, run};
use crate::token::{Told, claims, told};

const RETURN: &str = "https://offline.example/callback";
const OFFLINE: [(&str, Option<&str>); 3] = [
    ("client_id", Some("offline")),
    ("redirect_uri", Some(RETURN)),
    ("scope", Some("openid profile offline_access")),
];

fn with<'a>(more: &[(&'a str, Option<&'a str>)]) -> Vec<(&'a str, Option<&'a str>)> {
    OFFLINE.iter().chain(more).copied().collect()
}

/// An exchange by the client `offline`.
pub async fn exchange(app: &App, answer: &Answer) -> Told {
    let form = [
        ("grant_type", "authorization_code"),
        ("code", answer.code()),
        ("redirect_uri", RETURN),
    ];
    let request = app.http.post(format!("{}/token", app.issuer));
    told(request.basic_auth("offline", Some(SECRET)).form(&form)).await
}

/// What a login with `offline_access` gives.
pub async fn tokens(app: &App) -> Value {
    let answer = app.log_in_with(&Browser::new(), TOLVAN, &OFFLINE).await;
    let told = exchange(app, &answer).await;
    assert_eq!(told.status, 200, "{}", told.body);
    told.body
}

pub fn text<'a>(tokens: &'a Value, name: &str) -> &'a str {
    tokens[name].as_str().expect("a token")
}

/// A refresh by the client `offline` at one of several nodes.
async fn refresh_at(app: &App, node: &str, token: &str) -> Told {
    let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
    // Every node is reached by the name of the issuer.
    let host = app.issuer.trim_start_matches("http://");
    let request = app.http.post(format!("{node}/token")).header("host", host);
    told(request.basic_auth("offline", Some(SECRET)).form(&form)).await
}

/// A refresh by a client, with a scope or, when it is empty, without.
pub async fn refresh_as(app: &App, client: &str, token: &str, scope: &str) -> Told {
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", token),
        ("scope", scope),
    ];
    let request = app.http.post(format!("{}/token", app.issuer));
    told(request.basic_auth(client, Some(SECRET)).form(&form)).await
}

pub async fn refresh(app: &App, token: &str) -> Told {
    refresh_as(app, "offline", token, "").await
}

fn refused(told: &Told) -> (u16, &str) {
    (told.status, told.body["error"].as_str().unwrap_or_default())
}

const INVALID_GRANT: (u16, &str) = (400, "invalid_grant");

on_both!(
    a_refresh_gives_new_tokens_of_the_same_login,
    async |database| {
        let _shows = shows!(accepting "TK-25", refusing "TK-25", accepting "TK-28", accepting "TK-03", refusing "TK-03", refusing "O9");
        let app = App::on(database).await;
        let first = tokens(&app).await;
        assert_eq!(first["scope"], "openid profile offline_access");
        let before = claims(&app, &first).await;
        app.clock.advance(Duration::from_secs(600));
        let told = refresh(&app, text(&first, "refresh_token")).await;
        assert_eq!(told.status, 200, "{}", told.body);
        assert_eq!(told.headers["cache-control"], "no-store");
        let after = claims(&app, &told.body).await;
        for same in [
            "iss",
            "sub",
            "aud",
            "auth_time",
            "sid",
            "acr",
            "txn",
            "name",
        ] {
            assert_eq!(after[same], before[same], "{same}");
        }
        assert!(before["nonce"].is_string() && after["nonce"].is_null());
        let iat = |claims: &Value| claims["iat"].as_i64().expect("a time");
        assert!(iat(&after) >= iat(&before) + 600);
        let userinfo = crate::userinfo::ask(&app, text(&told.body, "access_token")).await;
        assert_eq!(
            (userinfo.status, &userinfo.body["sub"]),
            (200, &after["sub"])
        );
        // A wrong scope, and another client, spend nothing.
        let token = text(&told.body, "refresh_token");
        for scope in ["openid personal_number", "openid unheard-of"] {
            let wide = refresh_as(&app, "offline", token, scope).await;
            assert_eq!(refused(&wide), (400, "invalid_scope"));
        }
        let thief = refresh_as(&app, "web", token, "").await;
        assert_eq!(refused(&thief), (400, "unauthorized_client"));
        let peer = refresh_as(&app, "resource", token, "").await;
        assert_eq!(refused(&peer), INVALID_GRANT, "another client's");
        let guess = refresh_as(&app, "offline", "rt_x", "").await;
        assert_eq!(refused(&guess), INVALID_GRANT);
        let narrow = refresh_as(&app, "offline", token, "openid").await;
        assert_eq!(
            (narrow.status, &narrow.body["scope"]),
            (200, &"openid".into())
        );
        let userinfo = crate::userinfo::ask(&app, text(&narrow.body, "access_token")).await;
        assert_eq!(userinfo.body.as_object().expect("an object").len(), 1);
        assert!(claims(&app, &narrow.body).await["name"].is_null());
        // The next one has all of the scope again (RFC 6749 §6).
        let whole = refresh(&app, text(&narrow.body, "refresh_token")).await;
        assert_eq!(whole.body["scope"], first["scope"]);
    }
);

on_both!(
    one_more_try_takes_the_successors_place_and_any_later_one_ends_it_all,
    async |database| {
        let _shows = shows!(accepting "PV-REFRESH-1", refusing "PV-REFRESH-1", refusing "O5", accepting "O5");
        let app = App::on(database).await;
        // The answer was lost: the same token once more.
        let first = tokens(&app).await;
        let lost = refresh(&app, text(&first, "refresh_token")).await;
        let again = refresh(&app, text(&first, "refresh_token")).await;
        assert_eq!((lost.status, again.status), (200, 200));
        let thrice = refresh(&app, text(&first, "refresh_token")).await;
        assert_eq!(refused(&thrice), INVALID_GRANT);
        let goes_on = refresh(&app, text(&again.body, "refresh_token")).await;
        assert_eq!(goes_on.status, 200, "a third try cost nobody anything");
        // The one whose place was taken is in somebody's hands all the same.
        let dead = refresh(&app, text(&lost.body, "refresh_token")).await;
        assert_eq!(refused(&dead), INVALID_GRANT);
        let newest = refresh(&app, text(&goes_on.body, "refresh_token")).await;
        assert_eq!(refused(&newest), INVALID_GRANT);
        let access = text(&goes_on.body, "access_token");
        assert_eq!(crate::userinfo::ask(&app, access).await.status, 401);
        // A third use that was not sent along with the others.
        let first = tokens(&app).await;
        refresh(&app, text(&first, "refresh_token")).await;
        let again = refresh(&app, text(&first, "refresh_token")).await;
        assert_eq!(again.status, 200, "{}", again.body);
        app.clock.advance(Duration::from_secs(16));
        let thrice = refresh(&app, text(&first, "refresh_token")).await;
        assert_eq!(refused(&thrice), INVALID_GRANT);
        let ended = refresh(&app, text(&again.body, "refresh_token")).await;
        assert_eq!(refused(&ended), INVALID_GRANT);
        // Used when the successor was used, and used too late.
        for late in [0, 61] {
            let first = tokens(&app).await;
            let second = refresh(&app, text(&first, "refresh_token")).await;
            let mut newest = second;
            if late == 0 {
                newest = refresh(&app, text(&newest.body, "refresh_token")).await;
            }
            app.clock.advance(Duration::from_secs(late));
            let reused = refresh(&app, text(&first, "refresh_token")).await;
            assert_eq!(refused(&reused), INVALID_GRANT);
            let newest = refresh(&app, text(&newest.body, "refresh_token")).await;
            assert_eq!(refused(&newest), INVALID_GRANT);
        }
        // A code shown twice takes its tokens with it.
        let answer = app.log_in_with(&Browser::new(), TOLVAN, &OFFLINE).await;
        let tokens = exchange(&app, &answer).await.body;
        assert_eq!(refused(&exchange(&app, &answer).await), INVALID_GRANT);
        let ended = refresh(&app, text(&tokens, "refresh_token")).await;
        assert_eq!(refused(&ended), INVALID_GRANT);
    }
);

on_both!(
    thirty_two_parallel_refreshes_leave_one_live_token,
    async |database| {
        let _shows =
            shows!(accepting "PV-RACE-4", refusing "PV-RACE-4", accepting "O5", refusing "O5");
        let app = App::on(database).await;
        refresh_in_parallel(&app, &[&app.issuer]).await;
    }
);

#[test]
fn thirty_two_parallel_refreshes_at_two_nodes_leave_one_live_token() {
    let Some(database) = Database::postgres() else {
        return;
    };
    run(async {
        let _shows = shows!(accepting "PV-RACE-4", refusing "PV-RACE-4");
        let app = App::on(database).await;
        let other = crate::crash::Serving::beside(&app, "other").await;
        let beside = format!("http://localhost:{}", other.port);
        refresh_in_parallel(&app, &[&app.issuer, &beside]).await;
    });
}

/// Sends one refresh token many times at once, in turn to each of the nodes.
async fn refresh_in_parallel(app: &App, nodes: &[&str]) {
    for _ in 0..3 {
        let first = tokens(app).await;
        let shown = text(&first, "refresh_token");
        let all = join_all((0..32).map(|n| refresh_at(app, nodes[n % nodes.len()], shown))).await;
        let won: Vec<_> = all.iter().filter(|told| told.status == 200).collect();
        assert!((1..=2).contains(&won.len()), "{}", won.len());
        for lost in all.iter().filter(|told| told.status != 200) {
            assert_eq!(refused(lost), INVALID_GRANT);
        }
        let mut live = Vec::new();
        for told in &won {
            let token = text(&told.body, "refresh_token");
            let told = crate::introspection::ask(app, "offline", token).await;
            live.extend((told.body["active"] == true).then_some(token));
        }
        assert_eq!(live.len(), 1);
        assert_eq!(refresh(app, live[0]).await.status, 200, "it goes on");
    }
    let live = "SELECT count(*) FROM refresh_token
                 WHERE used_at IS NULL AND replaced_at IS NULL";
    assert_eq!(crate::races::rows(app, live).await, 3);
}

const DAY: u64 = 24 * 60 * 60;

on_both!(
    a_token_ends_after_a_week_without_use_and_with_its_login,
    async |database| {
        let _shows = shows!(accepting "TK-28", refusing "TK-28", accepting "PV-SWEEP-1", refusing "PV-SWEEP-1", refusing "O5");
        let app = App::on(database).await;
        let sweep = async || {
            app.provider
                .store
                .sweep(app.clock.now())
                .await
                .expect("swept")
        };
        let idle = tokens(&app).await;
        let (mut used, stolen) = (tokens(&app).await, tokens(&app).await);
        let mut robbed = stolen.clone();
        for _ in 0..4 {
            app.clock.advance(Duration::from_secs(6 * DAY + DAY / 2));
            for tokens in [&mut used, &mut robbed] {
                let told = refresh(&app, text(tokens, "refresh_token")).await;
                assert_eq!(told.status, 200, "{}", told.body);
                *tokens = told.body;
            }
            sweep().await;
        }
        let late = refresh(&app, text(&idle, "refresh_token")).await;
        assert_eq!(refused(&late), INVALID_GRANT);
        // Somebody took a token long ago and shows it now, three weeks after its own end.
        let reused = refresh(&app, text(&stolen, "refresh_token")).await;
        assert_eq!(refused(&reused), INVALID_GRANT);
        let ended = refresh(&app, text(&robbed, "refresh_token")).await;
        assert_eq!(refused(&ended), INVALID_GRANT, "the reuse was noticed");
        app.clock.advance(Duration::from_secs(4 * DAY + 60));
        let over = refresh(&app, text(&used, "refresh_token")).await;
        assert_eq!(refused(&over), INVALID_GRANT, "thirty days are the end");
        let count = "SELECT (SELECT count(*) FROM refresh_token)
                          + (SELECT count(*) FROM access_token)
                          + (SELECT count(*) FROM client_grant)";
        sweep().await;
        assert!(crate::races::rows(&app, count).await > 0, "for another day");
        app.clock.advance(Duration::from_secs(DAY + 600));
        sweep().await;
        assert_eq!(crate::races::rows(&app, count).await, 0);
    }
);

on_both!(a_refresh_asks_the_registration_again, async |database| {
    let _shows = shows!(accepting "TK-28", refusing "TK-28", accepting "O20", refusing "O20");
    let app = App::on(database).await;
    let scope = ("scope", Some("openid personal_number offline_access"));
    let asked = [OFFLINE[0], OFFLINE[1], scope];
    let answer = app.log_in_with(&Browser::new(), TOLVAN, &asked).await;
    let mut held = exchange(&app, &answer).await.body;
    let number = async |held: &Value| {
        let told = crate::userinfo::ask(&app, text(held, "access_token")).await;
        let id_token = claims(&app, held).await;
        [told.body, id_token].map(|claims| claims["personal_number"] == TOLVAN)
    };
    held = refresh(&app, text(&held, "refresh_token")).await.body;
    let before = number(&held).await;
    assert!(before[1]);
    // It is not entitled to the number any more.
    let (store, now) = (&app.provider.store, app.clock.now());
    let mut client = store
        .client("offline", now)
        .await
        .expect("read")
        .expect("there");
    let secrets = store.client_secrets(&client.client_id, now).await;
    let secrets = secrets.expect("read");
    let register = async |client: &Client| {
        store
            .register_client(client, &secrets, app.clock.moment())
            .await
            .expect("written");
    };
    client.metadata.personal_number = None;
    register(&client).await;
    assert!(!number(&held).await[0], "the old access token neither");
    held = refresh(&app, text(&held, "refresh_token")).await.body;
    assert_eq!(number(&held).await, [false, false]);
    // Its time is shorter, and then there is none.
    app.clock.advance(Duration::from_secs(2 * DAY));
    client.metadata.refresh_tokens = RefreshTokens::Days(3);
    register(&client).await;
    held = refresh(&app, text(&held, "refresh_token")).await.body;
    client.metadata.refresh_tokens = RefreshTokens::Days(1);
    register(&client).await;
    let token = text(&held, "refresh_token");
    assert_eq!(refused(&refresh(&app, token).await), INVALID_GRANT);
    let told = crate::introspection::ask(&app, "offline", token).await;
    assert_eq!(told.body, serde_json::json!({"active": false}));
    client.metadata.refresh_tokens = RefreshTokens::Off;
    register(&client).await;
    let told = refresh(&app, token).await;
    assert_eq!(refused(&told), (400, "unauthorized_client"));
});

on_both!(no_kind_is_another_at_any_door, async |database| {
    let _shows = shows!(accepting "O8", refusing "O8");
    let app = App::on(database).await;
    let held = tokens(&app).await;
    let answer = app.log_in_with(&Browser::new(), TOLVAN, &OFFLINE).await;
    let kinds = [
        ("code", answer.code()),
        ("access", text(&held, "access_token")),
        ("refresh", text(&held, "refresh_token")),
        ("id", text(&held, "id_token")),
    ];
    for (kind, value) in kinds {
        if kind != "code" {
            let answer = Answer::at(&format!("{RETURN}?code={value}"));
            assert_eq!(
                refused(&exchange(&app, &answer).await),
                INVALID_GRANT,
                "{kind}"
            );
        }
        if kind != "refresh" {
            assert_eq!(
                refused(&refresh(&app, value).await),
                INVALID_GRANT,
                "{kind}"
            );
        }
        let userinfo = crate::userinfo::ask(&app, value).await.status;
        assert_eq!(userinfo, if kind == "access" { 200 } else { 401 }, "{kind}");
        let told = crate::introspection::ask(&app, "offline", value).await;
        let is_token = ["access", "refresh"].contains(&kind);
        assert_eq!(told.body["active"], is_token, "{kind}");
    }
    // Nothing of it was spent by the wrong door.
    assert_eq!(exchange(&app, &answer).await.status, 200);
    assert_eq!(
        refresh(&app, text(&held, "refresh_token")).await.status,
        200
    );
});

on_both!(
    offline_access_is_shown_before_it_is_given,
    async |database| {
        let _shows = shows!(accepting "PV-OFFLINE-1", refusing "PV-OFFLINE-1", accepting "LI-05");
        let app = App::on(database).await;
        let browser = Browser::new();
        let without = with(&[("scope", Some("openid profile"))]);
        let without: Vec<_> = without.into_iter().filter(|m| *m != OFFLINE[2]).collect();
        let plain = app.log_in_with(&browser, TOLVAN, &without).await;
        assert!(exchange(&app, &plain).await.body["refresh_token"].is_null());
        let silent = with(&[("prompt", Some("none"))]);
        let answer = Answer::of(&browser.get(&app.authorize_url(&silent)).await);
        assert_eq!(answer.get("error"), Some("consent_required"));
        let shown = browser.get(&app.authorize_url(&OFFLINE)).await;
        assert!(shown.status == 200 && shown.body.contains("utan att du loggar in"));
        app.log_in_with(&browser, TOLVAN, &OFFLINE).await;
        let answer = Answer::of(&browser.get(&app.authorize_url(&silent)).await);
        assert!(exchange(&app, &answer).await.body["refresh_token"].is_string());
        let consent = with(&[("prompt", Some("consent"))]);
        assert_eq!(browser.get(&app.authorize_url(&consent)).await.status, 200);
        // Whoever is not registered for it gets what they would have got without asking.
        let scope = ("scope", Some("openid offline_access"));
        let shown = browser.get(&app.authorize_url(&[scope])).await;
        assert!(!shown.body.contains("utan att du loggar in"));
        let answer = app.log_in_with(&browser, TOLVAN, &[scope]).await;
        let tokens = crate::token::redeem(&app, &answer).await;
        assert_eq!(
            (&tokens["scope"], &tokens["refresh_token"]),
            (&"openid".into(), &Value::Null)
        );
    }
);

#[test]
fn a_public_client_has_no_refresh_tokens() {
    run(async {
        let _shows = shows!(accepting "TK-26", refusing "TK-26");
        let app = App::on(Database::sqlite()).await;
        for member in ["refresh_tokens = true", "introspects = true"] {
            let config = app.config.replace(
                "token_endpoint_auth = \"none\"",
                &format!("token_endpoint_auth = \"none\"\n{member}"),
            );
            let wrong = portvakt::config::Config::parse(&config, app.directory.path());
            assert!(wrong.is_err(), "{member}");
        }
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", "rt_x"),
            ("client_id", "public"),
        ];
        let request = app.http.post(format!("{}/token", app.issuer)).form(&form);
        assert_eq!(refused(&told(request).await), (400, "unauthorized_client"));
        assert!(tokens(&app).await["refresh_token"].is_string());
    });
}

on_both!(
    what_was_approved_without_the_person_outlives_their_logout,
    async |database| {
        let _shows = shows!(accepting "LO-11", refusing "LO-11");
        let app = App::on(database).await;
        let browser = Browser::new();
        let here = exchange(&app, &app.log_in_with(&browser, TOLVAN, &OFFLINE).await).await;
        let other = crate::logout::id_token(&app, &app.log_in(&browser, TOLVAN).await).await;
        let url = crate::logout::logout_url(&app, &[("id_token_hint", &other)]);
        assert_eq!(browser.get(&url).await.status, 200);
        assert!(!crate::logout::is_logged_in(&app, &browser).await);
        let told = refresh(&app, text(&here.body, "refresh_token")).await;
        assert_eq!(told.status, 200, "{}", told.body);
        let userinfo = crate::userinfo::ask(&app, text(&told.body, "access_token")).await;
        assert_eq!(userinfo.status, 200);
        // Another person in the same browser ends it no more than a logout does.
        app.log_in(&browser, crate::support::phone::ASA).await;
        let told = refresh(&app, text(&told.body, "refresh_token")).await;
        assert_eq!(told.status, 200, "{}", told.body);
    }
);

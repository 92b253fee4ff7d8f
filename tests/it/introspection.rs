//! Introspection.

use std::time::Duration;

use portvakt::shows;
use serde_json::{Value, json};

use crate::refresh::{text, tokens};
use crate::support::phone::TOLVAN;
use crate::support::{App, Browser, Database, SECRET, on_both, run};
use crate::token::{Told, claims, told};

pub async fn ask(app: &App, client: &str, token: &str) -> Told {
    let request = app.http.post(format!("{}/introspect", app.issuer));
    told(
        request
            .basic_auth(client, Some(SECRET))
            .form(&[("token", token)]),
    )
    .await
}

on_both!(a_token_is_told_of_to_whom_it_concerns, async |database| {
    let _shows = shows!(accepting "IN-01", accepting "IN-02", refusing "IN-02", accepting "O21", refusing "O21", refusing "O20");
    let app = App::on(database).await;
    let tokens = tokens(&app).await;
    let sub = claims(&app, &tokens).await["sub"].clone();
    let (access, refresh) = (
        text(&tokens, "access_token"),
        text(&tokens, "refresh_token"),
    );
    for client in ["offline", "resource"] {
        let told = ask(&app, client, access).await;
        assert_eq!(
            (told.status, &told.headers["cache-control"]),
            (200, &"no-store".parse().expect("a header"))
        );
        let exp = told.body["exp"].as_i64().expect("a time");
        assert!((1..=300).contains(&(exp - app.clock.now().0)));
        let expected = json!({
            "active": true, "iss": app.issuer, "client_id": "offline", "sub": sub, "exp": exp,
            "aud": app.issuer, "scope": "openid profile offline_access", "token_type": "Bearer"
        });
        assert_eq!(told.body, expected);
    }
    let own = ask(&app, "offline", refresh).await;
    assert_eq!(
        (&own.body["active"], &own.body["token_type"]),
        (&true.into(), &Value::Null)
    );
    for (client, token) in [
        ("web", access),
        ("web", refresh),
        ("resource", refresh),
        ("resource", "nonsense"),
        ("offline", text(&tokens, "id_token")),
    ] {
        let told = ask(&app, client, token).await;
        assert_eq!(
            (told.status, told.body),
            (200, json!({"active": false})),
            "{client}"
        );
    }
    app.clock.advance(Duration::from_secs(301));
    let told = ask(&app, "resource", access).await;
    assert_eq!(told.body, json!({"active": false}), "it has expired");
});

#[test]
fn who_introspects_is_known() {
    run(async {
        let _shows = shows!(refusing "IN-01", refusing "O21", accepting "O20");
        let app = App::on(Database::sqlite()).await;
        let url = format!("{}/introspect", app.issuer);
        let post = || app.http.post(&url);
        let token = [("token", "x")];
        let public = [("token", "x"), ("client_id", "public")];
        for (request, status, error) in [
            (post().form(&public), 401, Some("invalid_client")),
            (post().form(&token), 401, Some("invalid_client")),
            (
                post().basic_auth("web", Some("wrong")).form(&token),
                401,
                Some("invalid_client"),
            ),
            (
                post().basic_auth("web", Some(SECRET)).form(&[("a", "b")]),
                400,
                Some("invalid_request"),
            ),
        ] {
            let told = told(request).await;
            assert_eq!((told.status, told.body["error"].as_str()), (status, error));
        }
        assert_eq!(told(app.http.get(&url)).await.status, 405);
        // Of a person whose number was released, nothing but the subject.
        let answer = app.log_in(&Browser::new(), TOLVAN).await;
        let tokens = crate::token::redeem(&app, &answer).await;
        let told = ask(&app, "web", text(&tokens, "access_token")).await;
        let names: Vec<&String> = told.body.as_object().expect("an object").keys().collect();
        assert_eq!(
            names,
            [
                "active",
                "aud",
                "client_id",
                "exp",
                "iss",
                "scope",
                "sub",
                "token_type"
            ]
        );
    });
}

//! Revocation.

use portvakt::shows;

use crate::refresh::{refresh, text, tokens};
use crate::support::{App, Database, SECRET, on_both, run};
use crate::token::{Told, told};

async fn revoke(app: &App, client: &str, token: &str, hint: &str) -> Told {
    let form = [("token", token), ("token_type_hint", hint)];
    let request = app.http.post(format!("{}/revoke", app.issuer));
    told(request.basic_auth(client, Some(SECRET)).form(&form)).await
}

on_both!(
    a_token_is_revoked_by_its_own_client_alone,
    async |database| {
        let _shows = shows!(accepting "RV-01", accepting "RV-02", refusing "RV-02", accepting "RV-03", refusing "RV-03", accepting "O21", refusing "O21");
        let app = App::on(database).await;
        let tokens_ = tokens(&app).await;
        let (access, refresh_token) = (
            text(&tokens_, "access_token"),
            text(&tokens_, "refresh_token"),
        );
        for (client, token, hint) in [
            ("web", access, "access_token"),
            ("web", refresh_token, "refresh_token"),
            ("offline", "nonsense", ""),
            ("offline", "rt_nonsense", "unheard-of"),
        ] {
            let told = revoke(&app, client, token, hint).await;
            assert_eq!(
                (told.status, told.body.as_str()),
                (200, Some("")),
                "{client} {hint}"
            );
            assert_eq!(told.headers["cache-control"], "no-store");
        }
        assert_eq!(crate::userinfo::ask(&app, access).await.status, 200);
        // An access token ends by itself, whatever the hint says.
        let told = revoke(&app, "offline", access, "refresh_token").await;
        assert_eq!(told.status, 200);
        assert_eq!(crate::userinfo::ask(&app, access).await.status, 401);
        let next = refresh(&app, refresh_token).await;
        assert_eq!(next.status, 200, "{}", next.body);
        // A refresh token takes all that came of the login with it.
        let access = text(&next.body, "access_token");
        assert_eq!(crate::userinfo::ask(&app, access).await.status, 200);
        let told = revoke(&app, "offline", text(&next.body, "refresh_token"), "").await;
        assert_eq!(told.status, 200);
        assert_eq!(crate::userinfo::ask(&app, access).await.status, 401);
        let over = refresh(&app, text(&next.body, "refresh_token")).await;
        assert_eq!(
            (over.status, over.body["error"].as_str()),
            (400, Some("invalid_grant"))
        );
        let id_token = revoke(&app, "offline", text(&next.body, "id_token"), "").await;
        assert_eq!(
            (id_token.status, id_token.body["error"].as_str()),
            (400, Some("unsupported_token_type"))
        );
    }
);

#[test]
fn who_revokes_is_known() {
    run(async {
        let _shows = shows!(accepting "RV-01", refusing "RV-01");
        let app = App::on(Database::sqlite()).await;
        let url = format!("{}/revoke", app.issuer);
        let post = || app.http.post(&url);
        let token = [("token", "x")];
        let public = [("token", "x"), ("client_id", "public")];
        let as_public = [("token", "x"), ("client_id", "web")];
        for (request, status, error) in [
            (post().form(&public), 200, None),
            (post().form(&token), 401, Some("invalid_client")),
            (post().form(&as_public), 401, Some("invalid_client")),
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
            (
                app.http
                    .post(format!("{url}?token=x"))
                    .basic_auth("web", Some(SECRET)),
                400,
                Some("invalid_request"),
            ),
        ] {
            let told = told(request).await;
            assert_eq!((told.status, told.body["error"].as_str()), (status, error));
        }
        assert_eq!(told(app.http.get(&url)).await.status, 405);
    });
}

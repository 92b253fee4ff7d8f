//! Which tokens open the API.

use portvakt::http::admin::api::BASE;
use portvakt::id::ClientId;
use portvakt::shows;

use super::{ROBOT, app, give, sent, token};
use crate::dpop::{Prover, asked};
use crate::refresh::text;
use crate::support::phone::TOLVAN;
use crate::support::{Browser, Database, on_both};
use crate::token::redeem;

on_both!(
    a_token_opens_the_api_when_it_is_a_clients_own_for_it,
    async |database: Database| {
        let _shows =
            shows!(accepting "PV-API-2", refusing "PV-API-2", accepting "TK-21", refusing "TK-21");
        let app = app(database).await;
        let scope = ("scope", "portvakt:keys:read");
        let api = format!("{}{BASE}", app.admin);
        let keys = async |scheme: &str, token: &str, proofs: &[&str]| {
            let request = app.http.get(format!("{api}/keys"));
            let mut request = request.header("Authorization", format!("{scheme} {token}"));
            for proof in proofs {
                request = request.header("DPoP", *proof);
            }
            sent(request).await
        };
        for (resource, status) in [
            (api.as_str(), 200),
            (&app.issuer, 200),
            ("https://orders.example", 401),
        ] {
            let token = token(&app, ROBOT, &[scope, ("resource", resource)]).await;
            assert_eq!(
                keys("Bearer", &token, &[]).await.status,
                status,
                "{resource}"
            );
        }
        let answer = app.log_in(&Browser::new(), TOLVAN).await;
        let person = redeem(&app, &answer).await;
        let told = keys("Bearer", text(&person, "access_token"), &[]).await;
        assert_eq!(
            (told.status, text(&told.body, "type")),
            (401, "urn:portvakt:problem:unproven")
        );
        for wrong in ["x", "at_0123456789012345678901234567890123456789012"] {
            assert_eq!(keys("Bearer", wrong, &[]).await.status, 401, "{wrong}");
        }
        assert_eq!(keys("Basic", "eDp4", &[]).await.status, 400);
        // One that is bound to a key goes with a proof, made for this address.
        let key = Prover::new("ES256");
        let form = [("grant_type", "client_credentials"), scope];
        let proof = key.proof(&app, "POST", "/token", None);
        let bound = asked(&app, ROBOT, &form, Some(&proof)).await;
        assert_eq!(bound.body["token_type"], "DPoP", "{}", bound.body);
        let bound = text(&bound.body, "access_token");
        assert_eq!(keys("Bearer", bound, &[]).await.status, 401);
        assert_eq!(keys("DPoP", bound, &[]).await.status, 401);
        let at_issuer = key.proof(&app, "GET", "/api/v1/keys", Some(bound));
        assert_eq!(keys("DPoP", bound, &[&at_issuer]).await.status, 401);
        let here = key.proof_at(&app, "GET", &format!("{api}/keys"), Some(bound));
        assert_eq!(keys("DPoP", bound, &[&here]).await.status, 200);
        assert_eq!(keys("DPoP", bound, &[&here]).await.status, 401, "once");
        // What its client may not have any more, it has no more.
        let plain = token(&app, ROBOT, &[scope]).await;
        assert_eq!(keys("Bearer", &plain, &[]).await.status, 200);
        give(&app, ROBOT, &["portvakt:clients:read"]).await;
        assert_eq!(keys("Bearer", &plain, &[]).await.status, 403);
        give(&app, ROBOT, &["portvakt:keys:read"]).await;
        assert_eq!(keys("Bearer", &plain, &[]).await.status, 200);
        app.clock.advance(std::time::Duration::from_secs(301));
        assert_eq!(keys("Bearer", &plain, &[]).await.status, 401);
        let fresh = token(&app, ROBOT, &[scope]).await;
        let (store, at) = (&app.provider.store, app.clock.moment());
        let all = app
            .provider
            .config
            .clients
            .iter()
            .map(|c| c.client.client_id.clone());
        let all: Vec<ClientId> = all.collect();
        store
            .forget_file_clients_except(&all, at)
            .await
            .expect("forgotten");
        assert_eq!(
            keys("Bearer", &fresh, &[]).await.status,
            401,
            "a client that is gone"
        );
    }
);

//! Keys that client applications publish.

use std::time::Duration;

use futures_util::future::join_all;
use portvakt::shows;
use portvakt::testing::Signer;
use serde_json::{Value, json};

use crate::client_auth::{Asserting, CALLBACK, is_unauthenticated, metadata};
use crate::support::publisher::{Published, Publisher};
use crate::support::{App, Database, Options, SECRET, run};
use crate::token::told;

fn by_published_key(publisher: &Publisher) -> Value {
    let auth = "private_key_jwt";
    metadata(&json!({"token_endpoint_auth": auth, "jwks_uri": publisher.jwks_uri}))
}

#[test]
fn keys_that_a_client_publishes_are_fetched_and_followed() {
    run(async {
        let _shows = shows!(accepting "JK-09", refusing "JK-09");
        let (old, new) = (Signer::new(), Signer::new());
        let publisher = Publisher::start(Published::Keys(old.jwks()));
        let app = App::start(Options {
            sections: publisher.section(),
            ..Options::on(Database::sqlite())
        })
        .await;
        app.register("publishing", by_published_key(&publisher))
            .await;
        let with = |signer| Asserting {
            app: &app,
            signer,
            client_id: "publishing",
        };
        let push = async |signer| {
            let asserting = with(signer);
            asserting.push(&asserting.assertion(&json!({}))).await
        };
        // The first thirty come at once, and ask once.
        let first = join_all((0..30).map(|_| push(&old))).await;
        assert!(first.iter().all(|told| told.status == 201));
        assert_eq!(publisher.asked(), 1);
        // Strangers do not make us ask again and again.
        for _ in 0..5 {
            is_unauthenticated(&push(&new).await);
        }
        assert_eq!(publisher.asked(), 1);
        publisher.publish(Published::Keys(new.jwks()));
        app.clock.advance(Duration::from_secs(31));
        assert_eq!(push(&new).await.status, 201);
        assert_eq!(publisher.asked(), 2);
        is_unauthenticated(&push(&old).await);
        // For a while the client need not answer, and then it must.
        publisher.publish(Published::Trouble);
        app.clock.advance(Duration::from_secs(1800));
        assert_eq!(push(&new).await.status, 201);
        assert_eq!(publisher.asked(), 3);
        app.clock.advance(Duration::from_secs(1800));
        is_unauthenticated(&push(&new).await);
        // Signed requests go by the same keys.
        publisher.publish(Published::Keys(new.jwks()));
        app.register("asking", metadata(&json!({"jwks_uri": publisher.jwks_uri})))
            .await;
        app.clock.advance(Duration::from_secs(31));
        let now = app.clock.now().0;
        let claims = json!({"iss": "asking", "aud": app.issuer, "nbf": now, "exp": now + 60,
            "client_id": "asking", "response_type": "code", "redirect_uri": CALLBACK, "scope": "openid"});
        let ask = async |signer: &Signer| {
            let request = signer.sign(&json!({"alg": "ES256"}), &claims);
            let form = [("request", request.as_str())];
            let asked = app.http.post(format!("{}/par", app.issuer)).form(&form);
            told(asked.basic_auth("asking", Some(SECRET))).await
        };
        assert_eq!(ask(&new).await.status, 201);
        let refused = ask(&old).await;
        assert_eq!(refused.body["error"], "invalid_request_object");
    });
}

#[test]
fn what_is_no_good_answer_gives_no_keys() {
    run(async {
        let _shows = shows!(refusing "JK-09", refusing "O12");
        let signer = Signer::new();
        let elsewhere = Publisher::start(Published::Keys(signer.jwks()));
        let publisher = Publisher::start(Published::Silence);
        let sections = publisher.section();
        let app = App::start(Options {
            sections,
            ..Options::on(Database::sqlite())
        })
        .await;
        app.register("publishing", by_published_key(&publisher))
            .await;
        let asserting = Asserting {
            app: &app,
            signer: &signer,
            client_id: "publishing",
        };
        let mut large = signer.jwks();
        large["padding"] = json!("x".repeat(64 * 1024));
        for published in [
            Published::Silence,
            Published::Redirect(elsewhere.jwks_uri.clone()),
            Published::Keys(large),
            Published::Keys(json!({"keys": []})),
            Published::Text("<html>".to_owned()),
            Published::Trouble,
        ] {
            publisher.publish(published);
            let asked = publisher.asked();
            let begun = std::time::Instant::now();
            is_unauthenticated(&asserting.push(&asserting.assertion(&json!({}))).await);
            assert!(
                begun.elapsed() < Duration::from_secs(8),
                "nobody waits for long"
            );
            assert_eq!(publisher.asked(), asked + 1);
            app.clock.advance(Duration::from_secs(31));
        }
        assert_eq!(elsewhere.asked(), 0);
        publisher.publish(Published::Keys(signer.jwks()));
        assert_eq!(
            asserting
                .push(&asserting.assertion(&json!({})))
                .await
                .status,
            201
        );

        // Where the operator allows nothing, nothing here is called.
        let careful = App::on(Database::sqlite()).await;
        careful
            .register("publishing", by_published_key(&publisher))
            .await;
        let asked = publisher.asked();
        let asserting = Asserting {
            app: &careful,
            ..asserting
        };
        is_unauthenticated(&asserting.push(&asserting.assertion(&json!({}))).await);
        assert_eq!(publisher.asked(), asked);
    });
}

//! Clients that registered themselves, and what becomes of them.

use futures_util::future::join_all;
use portvakt::client::Client;
use portvakt::id::ClientId;
use portvakt::shows;
use portvakt::storage::KNOWN_FOR;
use portvakt::testing::Signer;
use reqwest::Method;
use serde_json::json;

use crate::keys::{beside, command};
use crate::registration::{
    CALLBACK, Own, asking, claims_of, is_refused, is_unknown, issued, register,
};
use crate::support::phone::TOLVAN;
use crate::support::publisher::{Published, Publisher};
use crate::support::{Answer, App, Browser, Database, Options, on_both, run};
use crate::token::told;

on_both!(
    a_client_registers_itself_and_lives_until_it_removes_itself,
    async |database: Database| {
        let _shows = shows!(accepting "RG-03", accepting "RG-07", refusing "RG-07", accepting "RG-08", refusing "RG-08", accepting "RG-12");
        let app = App::on(database).await;
        let token = issued(&app, &["--refresh-days", "30"]);
        let members = json!({"redirect_uris": [CALLBACK], "client_name": "Egna appen",
            "grant_types": ["authorization_code", "refresh_token"],
            "personal_number": {"purpose": "Because."}, "introspects": true,
            "contacts": ["ops@self.example"]});
        let registered = register(&app, &token, &members).await;
        assert_eq!(registered.status, 201, "{}", registered.body);
        assert_eq!(registered.headers["cache-control"], "no-store");
        assert_eq!(registered.headers["content-type"], "application/json");
        let own = Own {
            app: &app,
            told: registered.body,
        };
        assert_eq!(
            own.told["token_endpoint_auth_method"],
            "client_secret_basic"
        );
        assert_eq!(own.told["client_secret_expires_at"], 0);
        assert_eq!(own.text("client_secret").len(), 46, "256 bits");
        assert_eq!(own.told["contacts"], members["contacts"]);
        let issued_at = own.told["client_id_issued_at"].as_i64().expect("a time");
        assert!((app.clock.now().0 - issued_at).abs() < 60);
        assert!(own.told.get("personal_number").is_none());
        is_unknown(&register(&app, &token, &members).await);

        // It logs a person in, and is not told who that is.
        let greedy = own.authorize_url(CALLBACK, "openid personal_number");
        let refused = Answer::of(&Browser::new().get(&greedy).await);
        assert_eq!(refused.get("error"), Some("invalid_scope"));
        let answer = own.log_in("openid profile offline_access").await;
        let tokens = own.exchange(&answer).await;
        assert_eq!(tokens.status, 200, "{}", tokens.body);
        let tokens = tokens.body;
        assert_eq!(tokens["scope"], "openid profile offline_access");
        let told_of = claims_of(&app, &tokens, own.id()).await;
        assert!(told_of.get("personal_number").is_none());
        let access = tokens["access_token"].as_str().expect("a token");
        let userinfo = crate::userinfo::ask(&app, access).await;
        assert_eq!(userinfo.status, 200);
        assert!(userinfo.body.get("personal_number").is_none());
        let introspect = app.http.post(format!("{}/introspect", app.issuer));
        let form = [("token", access)];
        let secret = Some(own.text("client_secret"));
        let introspected = told(introspect.basic_auth(own.id(), secret).form(&form)).await;
        assert_eq!(introspected.body["active"], true, "its own token");

        // It reads what it is, and becomes something else, on every node.
        let read = own.manage(Method::GET, None).await;
        assert_eq!(
            (read.status, read.body["client_secret"].as_str()),
            (200, None)
        );
        let mut same = own.told.clone();
        for name in ["client_secret", "client_secret_expires_at"] {
            same.as_object_mut().expect("an object").remove(name);
        }
        assert_eq!(read.body, same);
        let node = Browser::new();
        if app.provider.store.is_shared() {
            node.connect_to(beside(&app).await);
        }
        let other = "https://self.example/other";
        assert_eq!(
            node.get(&own.authorize_url(CALLBACK, "openid"))
                .await
                .status,
            200
        );
        assert_eq!(
            node.get(&own.authorize_url(other, "openid")).await.status,
            400
        );
        let changed = json!({"redirect_uris": [other], "client_secret": own.told["client_secret"]});
        let replaced = own.replace(&changed).await;
        assert_eq!(replaced.status, 200, "{}", replaced.body);
        assert_eq!(
            replaced.body["client_name"], "self.example",
            "nothing is kept"
        );
        assert!(replaced.body.get("contacts").is_none());
        assert_eq!(replaced.body["grant_types"], json!(["authorization_code"]));
        // Until the other node has heard of it.
        tokio::time::sleep(KNOWN_FOR).await;
        for same in ["client_id", "client_secret", "registration_access_token"] {
            assert_eq!(replaced.body[same], own.told[same]);
        }
        assert_eq!(
            node.get(&own.authorize_url(CALLBACK, "openid"))
                .await
                .status,
            400
        );
        assert_eq!(
            node.get(&own.authorize_url(other, "openid")).await.status,
            200
        );
        assert_eq!(replaced.body, {
            let mut read = own.manage(Method::GET, None).await.body;
            read["client_secret"] = own.told["client_secret"].clone();
            read["client_secret_expires_at"] = 0.into();
            read
        });
        let refresh_token = tokens["refresh_token"].as_str().expect("a token");
        let refresh = [
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token),
        ];
        let refused = own.token(&refresh).await;
        assert_eq!(
            refused.body["error"], "unauthorized_client",
            "it has none any more"
        );
        let back = own.replace(&members).await;
        assert_eq!(back.status, 200, "{}", back.body);
        let refreshed = own.token(&refresh).await;
        assert_eq!(refreshed.status, 200, "{}", refreshed.body);
        let access = refreshed.body["access_token"].as_str().expect("a token");

        // It goes, and everything with it: codes that wait, tokens, sessions.
        let waiting = own.log_in("openid").await;
        let browser = Browser::new();
        let under_way = browser
            .choose(
                &browser.get(&own.authorize_url(CALLBACK, "openid")).await,
                "other",
            )
            .await;
        let removed = own.manage(Method::DELETE, None).await;
        assert_eq!((removed.status, removed.body.as_str()), (204, Some("")));
        for again in [Method::GET, Method::DELETE] {
            is_unknown(&own.manage(again, None).await);
        }
        is_unknown(&own.replace(&changed).await);
        tokio::time::sleep(KNOWN_FOR).await;
        assert_eq!(
            node.get(&own.authorize_url(CALLBACK, "openid"))
                .await
                .status,
            400
        );
        for told in [own.exchange(&waiting).await, own.token(&refresh).await] {
            let refused = (told.status, told.body["error"].as_str());
            assert_eq!(refused, (401, Some("invalid_client")));
        }
        assert_eq!(crate::userinfo::ask(&app, access).await.status, 401);
        let told = crate::introspection::ask(&app, "resource", access).await;
        assert_eq!(told.body, json!({"active": false}));
        let scanned = app.phone.scan(&under_way.qr_text(), TOLVAN).await;
        scanned.approve().await;
        let over = browser.until_departure(&under_way).await;
        assert_eq!((over.status, over.location()), (410, None));
    }
);

on_both!(
    a_registration_is_its_clients_and_nobody_elses,
    async |database: Database| {
        let _shows = shows!(accepting "RG-08", refusing "RG-08", refusing "RG-05");
        let app = App::on(database).await;
        let token = issued(&app, &["--uses", "2"]);
        let members = json!({"redirect_uris": [CALLBACK]});
        let own = Own::new(&app, &token, &members).await;
        let other = Own::new(&app, &token, &members).await;
        let (mine, theirs) = (
            own.text("registration_client_uri"),
            other.text("registration_client_uri"),
        );
        let of_the_file = format!("{}/register/web", app.issuer);
        let of_nobody = format!("{}/register/nobody", app.issuer);
        let token = own.text("registration_access_token");
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            for (url, token) in [
                (mine, "nonsense"),
                (mine, other.text("registration_access_token")),
                (theirs, token),
                (&of_the_file, token),
                (&of_nobody, token),
            ] {
                let request = asking(&app, method.clone(), url, Some(token));
                is_unknown(&told(request.json(&members)).await);
            }
            let bare = told(asking(&app, method, mine, None)).await;
            assert_eq!((bare.status, bare.body.to_string()), (401, "{}".to_owned()));
        }
        for bad in [
            members.clone(),
            json!({"redirect_uris": [CALLBACK], "client_id": other.id()}),
            json!({"redirect_uris": [CALLBACK], "client_id": own.id(), "client_secret": "another"}),
            json!({"redirect_uris": [CALLBACK], "client_id": own.id(), "client_id_issued_at": 1}),
            json!({"redirect_uris": [CALLBACK], "client_id": own.id(),
                "registration_access_token": token}),
            json!({"redirect_uris": [CALLBACK], "client_id": own.id(),
                "grant_types": ["authorization_code", "refresh_token"]}),
        ] {
            let told = own.manage(Method::PUT, Some(&bad)).await;
            is_refused(&told, "invalid_client_metadata");
        }

        // A secret stays as long as it is needed, and another one comes when it is needed again.
        let with = |own: &Own<'_>| {
            let request = app.http.post(format!("{}/revoke", app.issuer));
            let secret = own.told["client_secret"].as_str();
            told(request.basic_auth(own.id(), secret).form(&[("token", "x")]))
        };
        assert_eq!(with(&own).await.status, 200);
        let signer = Signer::new();
        let by_key = json!({"redirect_uris": [CALLBACK], "jwks": signer.jwks(),
            "token_endpoint_auth_method": "private_key_jwt"});
        let replaced = own.replace(&by_key).await;
        assert_eq!(
            (replaced.status, replaced.body.get("client_secret")),
            (200, None)
        );
        assert_eq!(with(&own).await.status, 401);
        let by_secret = own.replace(&members).await;
        let fresh = by_secret.body["client_secret"].as_str().expect("a secret");
        assert_ne!(fresh, own.text("client_secret"));
        assert_eq!(with(&own).await.status, 401, "the old one is gone");
        let own = Own {
            app: &app,
            told: by_secret.body.clone(),
        };
        assert_eq!(with(&own).await.status, 200);

        // Changes at once leave one of them, and none comes back from a removal.
        let change = |n: usize| {
            let own = &own;
            async move {
                let name = format!("Nummer {n}");
                let told = own
                    .replace(&json!({"redirect_uris": [CALLBACK], "client_name": name}))
                    .await;
                assert!([200, 401, 429].contains(&told.status), "{}", told.body);
                told.status == 200
            }
        };
        let changed = join_all((0..4).map(change)).await;
        assert!(changed.contains(&true));
        let read = own.manage(Method::GET, None).await;
        let name = read.body["client_name"].as_str().expect("a name");
        assert!(name.starts_with("Nummer "), "{name}");
        assert_eq!(with(&own).await.status, 200);
        let (_, removed) = futures_util::join!(join_all((0..4).map(change)), async {
            own.manage(Method::DELETE, None).await
        });
        assert_eq!(removed.status, 204);
        is_unknown(&own.manage(Method::GET, None).await);
        let there = app.self_registered().await;
        assert_eq!(there.len(), 1);

        // Whom the operator writes into the file manages itself no more.
        let client = Client {
            client_id: ClientId::parse(other.id()).expect("an id"),
            ..there.into_iter().next().expect("one").client
        };
        let at = app.clock.moment();
        let taken_over = app.provider.store.register_client(&client, &[], at);
        taken_over.await.expect("registered");
        for method in [Method::GET, Method::DELETE] {
            is_unknown(&other.manage(method, None).await);
        }
        is_unknown(&other.replace(&members).await);
    }
);

on_both!(
    a_client_removes_itself_while_it_refreshes_and_logs_out,
    async |database: Database| {
        let _shows = shows!(accepting "RG-08", refusing "RG-08");
        let app = App::on(database).await;
        let token = issued(&app, &["--refresh-days", "30", "--uses", "4"]);
        let members = json!({"redirect_uris": [CALLBACK],
            "grant_types": ["authorization_code", "refresh_token"]});
        for _ in 0..4 {
            let own = Own::new(&app, &token, &members).await;
            let browser = Browser::new();
            let url = own.authorize_url(CALLBACK, "openid offline_access");
            let answer = app.log_in_at(&browser, TOLVAN, &url).await;
            let tokens = own.exchange(&answer).await.body;
            let refresh = tokens["refresh_token"].as_str().expect("a token");
            portvakt::testing::canary(refresh);
            let form = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
            let hint = tokens["id_token"].as_str().expect("a token");
            let logout = format!("{}/logout?id_token_hint={hint}", app.issuer);
            let (refreshed, removed, page) = futures_util::join!(
                join_all((0..6).map(|_| own.token(&form))),
                own.manage(Method::DELETE, None),
                browser.get(&logout)
            );
            assert_eq!(removed.status, 204);
            // Logged out, or told that there is no such client any more.
            assert!([200, 400].contains(&page.status), "{}", page.body);
            for told in refreshed {
                assert!([200, 400, 401].contains(&told.status), "{}", told.body);
            }
            assert_eq!(own.token(&form).await.status, 401);
        }
    }
);

#[test]
fn what_was_handed_out_is_kept_as_digests_and_shown_addresses_are_left_alone() {
    run(async {
        let _shows =
            shows!(accepting "RG-12", refusing "RG-12", accepting "RG-07", refusing "RG-07");
        let publisher = Publisher::start(Published::Text("a picture".to_owned()));
        let app = App::start(Options {
            sections: publisher.section(),
            ..Options::on(Database::sqlite())
        })
        .await;
        let token = issued(&app, &["--sector", "kommunen.example"]);
        let shown = publisher.jwks_uri.as_str();
        let members = json!({"redirect_uris": [CALLBACK], "client_name": "Egna <b>appen</b>",
            "contacts": ["ops@self.example"], "logo_uri": shown, "client_uri": shown,
            "policy_uri": shown, "tos_uri": shown});
        let own = Own::new(&app, &token, &members).await;
        for name in ["logo_uri", "client_uri", "policy_uri", "tos_uri"] {
            assert!(own.told.get(name).is_none(), "what is not kept is not told");
        }
        let url = own.authorize_url(CALLBACK, "openid");
        let choice = Browser::new().get(&url).await;
        let written = choice.body.contains("Egna &#60;b&#62;appen&#60;/b&#62;");
        assert!(written && !choice.body.contains("<b>"), "{}", choice.body);
        own.exchange(&own.log_in("openid").await).await;
        assert_eq!(publisher.asked(), 0);

        // An operator sees who is there, and nothing that opens anything.
        let (_, tokens) = command(&app, "client", &["token", "list"]);
        assert!(
            tokens.contains("0 of 1 uses left, is used up, sector kommunen.example  Tests"),
            "{tokens}"
        );
        let (_, clients) = command(&app, "client", &["list", "--managed-by", "registration"]);
        let line = format!("Egna <b>appen</b>  {CALLBACK}");
        assert!(
            clients.contains(own.id()) && clients.contains(&line),
            "{clients}"
        );
        let (_, shown) = command(&app, "client", &["show", own.id()]);
        assert!(shown.contains("ops@self.example"), "{shown}");
        let mut database = Vec::new();
        for file in ["test.db", "test.db-wal"] {
            database.extend(std::fs::read(app.directory.path().join(file)).expect("a file"));
        }
        let holds = |text: &str| database.windows(text.len()).any(|w| w == text.as_bytes());
        assert!(holds(own.id()), "it is this database");
        for handed_out in [
            token.as_str(),
            own.text("client_secret"),
            own.text("registration_access_token"),
        ] {
            let (_, random) = handed_out.split_at(3);
            assert_eq!(random.len(), 43, "256 bits");
            assert!(!holds(random) && !tokens.contains(random) && !shown.contains(random));
        }
        // And can remove a client, but none of those in the file.
        assert!(!command(&app, "client", &["remove", "web"]).0);
        assert!(command(&app, "client", &["remove", own.id()]).0);
        assert!(!command(&app, "client", &["remove", own.id()]).0);
        is_unknown(&own.manage(Method::GET, None).await);
        assert!(!command(&app, "client", &["token", "revoke", "nonsense"]).0);
    });
}

//! The rules that all operations share.

use futures_util::future::join_all;
use portvakt::admin::administrator::{Invited, begin_session, enrol, invite};
use portvakt::admin::client::{New, create};
use portvakt::admin::role::{Reach, Role};
use portvakt::audit::{Actor, Door, Who};
use portvakt::client::Name;
use portvakt::clock::Seconds;
use portvakt::http::admin::api::{BASE, DOCUMENT, table};
use portvakt::id::ClientId;
use portvakt::shows;
use portvakt::storage::AdminSession;
use portvakt::testing::canary;
use serde_json::{Value, json};

use super::{
    Caller, ROBOT, app, etag, give, is_problem, metadata, mistakes, sent, token, wait, with_body,
};
use crate::dpop::{Prover, asked};
use crate::refresh::text;
use crate::support::phone::TOLVAN;
use crate::support::{App, Browser, Database, Options, on_both, run};
use crate::token::{Told, redeem};

const NOTHING: Value = Value::Null;

on_both!(
    nobody_writes_over_what_they_have_not_seen,
    async |database: Database| {
        let _shows = shows!(accepting "PV-API-4", refusing "PV-API-4");
        let app = app(database).await;
        let caller = Caller::full(&app).await;
        let first = caller.client("app").await;
        assert_eq!(first, "\"v1\"");
        // What was read can be sent back, and changes nothing.
        let read = caller.get("/clients/app").await;
        assert_eq!(etag(&read), first);
        let whole = json!({"sector": read.body["sector"], "metadata": read.body["metadata"]});
        for (method, body) in [("PUT", &whole), ("PATCH", &json!({})), ("PATCH", &whole)] {
            let told = caller.over(method, "/clients/app", &first, body).await;
            assert_eq!(
                (told.status, etag(&told)),
                (200, first.clone()),
                "{}",
                told.body
            );
        }
        assert_eq!(caller.events("app").await.len(), 1, "it was registered");
        // Of many who saw the same, one goes on; the others are told what there is now.
        let renames = (0..8).map(|n| {
            let caller = &caller;
            let (first, patch) = (
                &first,
                json!({"metadata": {"client_name": format!("Namn {n}")}}),
            );
            async move { caller.over("PATCH", "/clients/app", first, &patch).await }
        });
        let told = join_all(renames).await;
        let of = |status| told.iter().filter(move |told| told.status == status);
        assert_eq!((of(200).count(), of(412).count()), (1, 7));
        assert!(told.iter().all(|told| etag(told) == "\"v2\""));
        assert_eq!(caller.events("app").await.len(), 2);
        let administrator = json!({"name": "Åsa", "role": "reader"});
        let invited = caller.post("/administrators", &administrator).await;
        let somebody = format!("/administrators/{}", text(&invited.body, "id"));
        let purpose = json!({"purpose": "Prov."});
        for (method, path, body) in [
            ("PUT", "/clients/app", &whole),
            ("PATCH", "/clients/app", &json!({})),
            ("DELETE", "/clients/app", &NOTHING),
            ("POST", "/clients/app/secrets", &json!({})),
            ("DELETE", "/clients/app/secrets/00000000", &NOTHING),
            ("PUT", "/clients/app/entitlement", &purpose),
            ("DELETE", "/clients/app/entitlement", &NOTHING),
            (
                "POST",
                "/clients/app/entitlement/request",
                &json!({"answer": "grant"}),
            ),
            ("PUT", &somebody, &json!({"role": "auditor"})),
            ("DELETE", &somebody, &NOTHING),
        ] {
            let bare = sent(with_body(caller.request(method, path), method, body)).await;
            assert_eq!(bare.status, 428, "{method} {path}");
            for (wrong, status) in [("\"v77\"", 412), ("W/\"v2\"", 412), ("v2", 400), ("", 400)] {
                let told = caller.over(method, path, wrong, body).await;
                assert_eq!(
                    told.status, status,
                    "{method} {path} {wrong}: {}",
                    told.body
                );
                assert_eq!(told.headers.contains_key("etag"), status == 412);
            }
        }
        let kept = caller.get("/clients/app").await;
        assert_eq!(etag(&kept), "\"v2\"");
        // One of several, and whatever there is.
        let patch = json!({"metadata": {"client_name": "Ett namn till"}});
        let told = caller
            .over("PATCH", "/clients/app", "\"v1\", \"v2\"", &patch)
            .await;
        assert_eq!((told.status, etag(&told)), (200, "\"v3\"".to_owned()));
        let told = caller.over("PUT", "/clients/app", "*", &whole).await;
        assert_eq!((told.status, etag(&told)), (200, "\"v4\"".to_owned()));
        let told = caller
            .over(
                "PUT",
                &somebody,
                &etag(&invited),
                &json!({"role": "auditor"}),
            )
            .await;
        assert_eq!((told.status, &told.body["role"]), (200, &json!("auditor")));
        assert_eq!(etag(&told), "\"v2\"");
    }
);

on_both!(
    what_has_no_meaning_is_told_at_its_place,
    async |database: Database| {
        let _shows = shows!(accepting "PV-API-3", refusing "PV-API-3", accepting "PV-API-5", refusing "PV-API-5");
        let app = app(database).await;
        let caller = Caller::full(&app).await;
        let version = caller.client("app").await;
        let wrong = json!({
            "client_id": "å", "secctor": "x",
            "metadata": {"client_name": "", "redirect_uris": ["http://app.example/"], "nonsense": 1,
                "bankid": {"kinds": "x", "more": true}},
        });
        let told = caller.post("/clients", &wrong).await;
        let mut places = mistakes(&told);
        places.sort_unstable();
        let expected = [
            "client_id",
            "metadata.bankid.kinds",
            "metadata.bankid.more",
            "metadata.client_name",
            "metadata.nonsense",
            "metadata.redirect_uris",
            "secctor",
        ];
        assert_eq!(places, expected, "{}", told.body);
        for (method, body, place) in [
            (
                "PUT",
                json!({"metadata": metadata("app"), "version": 1}),
                "version",
            ),
            ("PUT", json!({"sector": "app.example"}), "metadata"),
            ("PUT", json!({"metadata": []}), "metadata"),
            (
                "PUT",
                json!({"sector": null, "metadata": metadata("app")}),
                "sector",
            ),
            ("PATCH", json!({"client_id": "other"}), "client_id"),
            (
                "PATCH",
                json!({"metadata": {"nonsense": null}}),
                "metadata.nonsense",
            ),
            (
                "PATCH",
                json!({"metadata": {"bankid": {"nonsense": null}}}),
                "metadata.bankid.nonsense",
            ),
            ("PATCH", json!({"nonsense": null}), "nonsense"),
            ("PATCH", json!({"sector": null}), "sector"),
            ("PATCH", json!({"metadata": null}), "metadata"),
            (
                "PATCH",
                json!({"metadata": {"client_name": null}}),
                "metadata.client_name",
            ),
            (
                "PATCH",
                json!({"metadata": {"token_endpoint_auth": "private_key_jwt"}}),
                "metadata.token_endpoint_auth",
            ),
            (
                "PATCH",
                json!({"metadata": {"personal_number": {"purpose": "x"}}}),
                "metadata.personal_number",
            ),
        ] {
            let told = caller.over(method, "/clients/app", &version, &body).await;
            assert!(mistakes(&told).contains(&place), "{body}: {}", told.body);
        }
        // Some of it is changed, some taken away, and the rest stays.
        let patch = json!({"metadata": {"purpose": {"sv": "För att.", "en": "Because."}, "default_max_age": 60}});
        let told = caller.over("PATCH", "/clients/app", &version, &patch).await;
        assert_eq!(told.status, 200, "{}", told.body);
        let patch = json!({"metadata": {"purpose": {"en": "So there."}, "default_max_age": null}});
        let told = caller
            .over("PATCH", "/clients/app", &etag(&told), &patch)
            .await;
        let now = &told.body["metadata"];
        assert_eq!(now["purpose"], json!({"sv": "För att.", "en": "So there."}));
        assert_eq!(now.get("default_max_age"), None);
        assert_eq!(now["client_name"], "En app");
        for (path, body, place) in [
            (
                "/clients/app/preview",
                json!({"scopes": ["openid", "email"]}),
                "scopes",
            ),
            (
                "/clients/app/preview",
                json!({"scopes": ["openid", "personal_number"]}),
                "scopes",
            ),
            ("/keys", json!({"algorithm": "HS256"}), "algorithm"),
            (
                "/registration-tokens",
                json!({"note": "x", "uses": 0}),
                "uses",
            ),
            (
                "/administrators",
                json!({"name": "Åsa", "role": "boss"}),
                "role",
            ),
            (
                "/administrators",
                json!({"name": "Åsa", "role": "owner", "clients": ["app"]}),
                "clients",
            ),
        ] {
            assert_eq!(
                mistakes(&caller.post(path, &body).await),
                [place],
                "{path} {body}"
            );
        }
        let long = json!({"overlap_seconds": 7_776_001});
        let told = caller
            .over("POST", "/clients/app/secrets", "*", &long)
            .await;
        assert_eq!(mistakes(&told), ["overlap_seconds"]);
        let past = json!({"purpose": "Prov.", "expires_at": 1, "more": 1});
        let told = caller
            .over("PUT", "/clients/app/entitlement", "*", &past)
            .await;
        assert_eq!(mistakes(&told), ["more"]);
        let past = json!({"purpose": "Prov.", "expires_at": 1});
        let told = caller
            .over("PUT", "/clients/app/entitlement", "*", &past)
            .await;
        assert_eq!(mistakes(&told), ["expires_at"]);
        for (query, place) in [
            ("/clients?limit=201", "limit"),
            ("/clients?limit=", "limit"),
            ("/clients?state=gone", "state"),
            ("/clients?q=x", "q"),
            ("/clients?search=a&search=b", "search"),
            ("/clients?access_token=x", "access_token"),
            ("/clients?cursor=x", "cursor"),
            ("/failures", "reference"),
        ] {
            assert!(
                mistakes(&caller.get(query).await).contains(&place),
                "{query}"
            );
        }
        bodies_and_methods(&caller).await;
    }
);

async fn bodies_and_methods(caller: &Caller<'_>) {
    let send = async |method: &str, path: &str, kind: &str, body: String| -> Told {
        let request = caller.request(method, path).header("If-Match", "*");
        sent(request.header("Content-Type", kind).body(body)).await
    };
    let sound = json!({"metadata": metadata("b")}).to_string();
    for (method, path, kind, header) in [
        ("POST", "/clients", "text/plain", "accept"),
        (
            "POST",
            "/clients",
            "application/x-www-form-urlencoded",
            "accept",
        ),
        ("PATCH", "/clients/app", "application/json", "accept-patch"),
    ] {
        let told = send(method, path, kind, sound.clone()).await;
        assert_eq!(told.status, 415, "{}", told.body);
        assert!(told.headers.contains_key(header));
    }
    for body in [
        "",
        "[]",
        "null",
        "{",
        "{\"metadata\": {}} x",
        "{\"sector\": \"a\", \"sector\": \"b\"}",
        "{\"sector\": \"\\u0000\"}",
        &format!("{}1{}", "{\"a\":".repeat(9), "}".repeat(9)),
    ] {
        let told = send("POST", "/clients", "application/json", body.to_owned()).await;
        assert_eq!(told.status, 400, "{body}: {}", told.body);
        assert_eq!(
            told.body["type"], "urn:portvakt:problem:unreadable",
            "{body}"
        );
    }
    let large = json!({"sector": "x".repeat(70_000)}).to_string();
    let told = send("POST", "/clients", "application/json", large).await;
    assert_eq!(told.status, 413, "{}", told.body);
    for (method, path, allowed) in [
        ("DELETE", "/clients", "GET, POST"),
        ("HEAD", "/clients/app/secrets", "POST"),
        ("OPTIONS", "/keys", "GET, POST"),
        ("PUT", "/openapi.json", "GET"),
    ] {
        let answer = caller
            .request(method, path)
            .send()
            .await
            .expect("an answer");
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["allow"]),
            (405, &allowed.parse().expect("ASCII"))
        );
    }
    for path in [
        "",
        "/",
        "/nothing",
        "/clients/",
        "/clients/nobody",
        "/clients/a%2Fb",
        "/clients/%ff",
        "/clients/portvakt-admin",
        "/clients/app/secrets/../x",
        "/administrators/1",
        "/v2",
    ] {
        assert_eq!(caller.get(path).await.status, 404, "{path}");
    }
    let here = caller
        .request("GET", "/clients")
        .header("Host", "admin.example");
    assert_eq!(sent(here).await.status, 421);
    // It is at the administration's address alone.
    let url = format!("{}{BASE}/clients", caller.app.issuer);
    let elsewhere = caller.app.http.get(url).bearer_auth(&caller.token);
    let answer = elsewhere.send().await.expect("an answer");
    assert_eq!(answer.status(), 404);
}

on_both!(a_secret_is_shown_once, async |database: Database| {
    let _shows = shows!(accepting "PV-API-7", refusing "PV-API-7");
    let app = app(database).await;
    let caller = Caller::full(&app).await;
    let wanted = json!({"client_id": "a/b%41", "metadata": {
            "client_name": "Maskinen", "client_credentials": {"scopes": ["orders"]}}, "sector": "orders.example"});
    let made = caller.post("/clients", &wanted).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let place = made.headers["location"].to_str().expect("ASCII").to_owned();
    assert_eq!(place, format!("{BASE}/clients/a%2Fb%2541"));
    let path = place.strip_prefix(BASE).expect("a path").to_owned();
    let first = text(&made.body, "client_secret").to_owned();
    let works = async |secret: &str| {
        let form = [("grant_type", "client_credentials")];
        let request = app.http.post(format!("{}/token", app.issuer)).form(&form);
        let encoded = "a%2Fb%2541";
        crate::token::told(request.basic_auth(encoded, Some(secret)))
            .await
            .status
            == 200
    };
    assert!(works(&first).await);
    let body = json!({"overlap_seconds": 3600});
    let told = caller
        .over("POST", &format!("{path}/secrets"), &etag(&made), &body)
        .await;
    assert_eq!(told.status, 201, "{}", told.body);
    let second = text(&told.body, "client_secret").to_owned();
    assert!(works(&first).await && works(&second).await && first != second);
    let secrets = told.body["secrets"].as_array().expect("a list").clone();
    assert_eq!(secrets.len(), 2);
    let ends = |secret: &&Value| !secret["expires_at"].is_null();
    let old = secrets.iter().find(ends).expect("the first ends");
    let old = format!("{path}/secrets/{}", text(old, "id"));
    let ended = caller.over("DELETE", &old, &etag(&told), &NOTHING).await;
    assert_eq!((ended.status, etag(&ended)), (204, "\"v3\"".to_owned()));
    assert!(!works(&first).await && works(&second).await);
    let public = json!({"metadata": {"token_endpoint_auth": "none", "client_credentials": null,
            "redirect_uris": ["https://orders.example/"]}});
    let told = caller.over("PATCH", &path, &etag(&ended), &public).await;
    assert_eq!(
        (told.status, told.body.get("client_secret")),
        (200, None),
        "{}",
        told.body
    );
    let told = caller
        .over("POST", &format!("{path}/secrets"), "*", &json!({}))
        .await;
    assert_eq!(mistakes(&told), ["metadata.token_endpoint_auth"]);
    let proving = json!({"metadata": {"token_endpoint_auth": null}});
    let told = caller.over("PATCH", &path, "*", &proving).await;
    let third = text(&told.body, "client_secret").to_owned();
    let token = caller
        .post("/registration-tokens", &json!({"note": "Prov"}))
        .await;
    let invited = json!({"name": "Åsa", "role": "reader"});
    let invited = caller.post("/administrators", &invited).await;
    let link = text(&invited.body, "invitation");
    assert!(
        link.starts_with(&format!("{}/invitation/", app.admin)),
        "{link}"
    );
    let link = link.rsplit('/').next().expect("a secret");
    let secrets = [&first, &second, &third, text(&token.body, "token"), link];
    for place in [
        &path,
        "/clients",
        "/audit/events?limit=200",
        "/registration-tokens",
        "/administrators",
    ] {
        let told = caller.get(place).await;
        assert_eq!(told.status, 200);
        let said = told.body.to_string();
        assert!(
            secrets.iter().all(|secret| !said.contains(*secret)),
            "{place}"
        );
        assert!(said.len() > 50, "{said}");
    }
});

on_both!(a_list_goes_on_where_it_ended, async |database: Database| {
    let _shows = shows!(accepting "PV-API-6", refusing "PV-API-6");
    let app = app(database).await;
    let caller = Caller::full(&app).await;
    for n in 0..5 {
        caller.client(&format!("paged-{n}")).await;
    }
    let wrong = [("redirect_uri", Some("https://other.example/"))];
    for n in 0..3 {
        app.clock.advance(std::time::Duration::from_secs(61));
        let url = app
            .authorize_url(&wrong)
            .replace("client_id=web", "client_id=paged-0");
        assert_eq!(
            Browser::new().get(&format!("{url}&n={n}")).await.status,
            400
        );
    }
    app.provider.keep_waiting_refusals().await.expect("kept");
    let caller = Caller::full(&app).await;
    for (path, name, count) in [
        ("/clients?search=paged-", "client_id", 5),
        (
            "/audit/events?action=client.create&actor=client:robot",
            "object",
            5,
        ),
        ("/clients/paged-0/failures?", "at", 3),
    ] {
        let whole = caller.get(&format!("{path}&limit=200")).await.body;
        assert_eq!(whole.get("next"), None, "{whole}");
        let names = |told: &Value| -> Vec<String> {
            let items = told["items"].as_array().expect("a list").iter();
            items.map(|item| text(item, name).to_owned()).collect()
        };
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let told = caller.get(&format!("{path}&limit=2{cursor}")).await;
            assert_eq!(told.status, 200, "{}", told.body);
            let part = names(&told.body);
            assert!((1..=2).contains(&part.len()), "{path}: {part:?}");
            seen.extend(part);
            match told.body["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(seen, names(&whole), "{path}");
        assert_eq!(seen.len(), count, "{path}: {seen:?}");
        // A cursor is one list's.
        let other = caller.get(&format!("/clients?limit=1{cursor}")).await;
        assert_eq!(
            other.status,
            if name == "client_id" { 200 } else { 400 },
            "{path}"
        );
    }
    for (filter, expected) in [
        ("managed_by=admin", 5),
        ("search=PAGED-3", 1),
        ("search=100%25", 0),
        ("state=removed", 0),
        ("state=entitled&managed_by=admin", 0),
    ] {
        let told = caller.get(&format!("/clients?{filter}")).await.body;
        assert_eq!(
            told["items"].as_array().map(Vec::len),
            Some(expected),
            "{filter}"
        );
    }
    caller
        .over("DELETE", "/clients/paged-1", "*", &NOTHING)
        .await;
    let removed = caller.get("/clients?state=removed").await.body;
    assert_eq!(removed["items"][0]["client_id"], "paged-1");
    assert!(removed["items"][0]["removed_at"].is_string());
});

on_both!(
    no_client_gives_itself_more_than_it_has,
    async |database: Database| {
        let _shows = shows!(accepting "PV-API-8", refusing "PV-API-8");
        let app = app(database).await;
        let owners = |gives| {
            let actor = Actor {
                who: Who::Operator("asa".to_owned()),
                door: Door::Cli,
                address: None,
            };
            app.provider.desk(actor, Reach::All, gives)
        };
        let mighty = |id: &str| New {
            client_id: ClientId::parse(id),
            sector: None,
            metadata: serde_json::from_value(json!({
                "client_name": "Mäktig", "redirect_uris": ["https://mighty.example/"],
                "client_credentials": {"scopes": ["portvakt:administrators:write"]},
            }))
            .expect("metadata"),
        };
        create(&owners(false), mighty("mighty"))
            .await
            .expect_err("no owner");
        let made = create(&owners(true), mighty("mighty"))
            .await
            .expect("an owner");
        canary(made.secret.expect("a secret").expose());
        let write = Caller::with(&app, "portvakt:clients:write").await;
        let entitle = Caller::with(&app, "portvakt:entitlements:write").await;
        write.client("app").await;
        let scopes = json!({"client_credentials": {"scopes": ["portvakt:clients:read"]}});
        let mut more = metadata("more");
        more["client_credentials"] = scopes["client_credentials"].clone();
        let patch = json!({ "metadata": scopes });
        let name = json!({"metadata": {"client_name": "Annan"}});
        let purpose = json!({"purpose": "Prov."});
        for (caller, method, path, body, status) in [
            (&write, "POST", "/clients", json!({"metadata": more}), 403),
            (&write, "PATCH", "/clients/app", patch.clone(), 403),
            (
                &write,
                "PUT",
                "/clients/app",
                json!({"metadata": more}),
                403,
            ),
            // It may not act as another one that may do more than it may.
            (&write, "PATCH", "/clients/mighty", name.clone(), 403),
            (&write, "POST", "/clients/mighty/secrets", json!({}), 403),
            (&write, "DELETE", "/clients/mighty", NOTHING, 403),
            (
                &entitle,
                "PUT",
                "/clients/mighty/entitlement",
                purpose.clone(),
                403,
            ),
            // What the configuration has is changed there.
            (&write, "PATCH", "/clients/web", name.clone(), 409),
            (&write, "POST", "/clients/web/secrets", json!({}), 409),
            (
                &entitle,
                "PUT",
                "/clients/web/entitlement",
                purpose.clone(),
                409,
            ),
        ] {
            let told = caller.over(method, path, "*", &body).await;
            assert_eq!(told.status, status, "{method} {path}: {}", told.body);
        }
        let mut own = metadata("app");
        own["client_credentials"] = json!({"scopes": ["orders"]});
        let told = write
            .over("PUT", "/clients/app", "*", &json!({"metadata": own}))
            .await;
        assert_eq!(
            told.status, 200,
            "its own services' scopes are no matter: {}",
            told.body
        );
        // Who asked does not grant.
        let options = Options {
            sections: "second_approver = true\n".to_owned(),
            ..Options::on(Database::sqlite())
        };
        let careful = App::start(options).await;
        give(
            &careful,
            "one",
            &[
                "portvakt:clients:write",
                "portvakt:entitlements:write",
                "portvakt:clients:read",
            ],
        )
        .await;
        give(&careful, "two", &["portvakt:entitlements:write"]).await;
        let one = Caller {
            app: &careful,
            token: token(&careful, "one", &[]).await,
        };
        let two = Caller {
            app: &careful,
            token: token(&careful, "two", &[]).await,
        };
        one.client("app").await;
        let asked = one
            .over("PUT", "/clients/app/entitlement", "*", &purpose)
            .await;
        assert_eq!(
            (asked.status, &asked.body["asked_by"]),
            (202, &json!("client:one"))
        );
        let report = one.get("/entitlements").await.body;
        assert_eq!(report["waiting"][0], asked.body);
        let yes = json!({"answer": "grant"});
        let path = "/clients/app/entitlement/request";
        assert_eq!(one.over("POST", path, "*", &yes).await.status, 403);
        let told = two.over("POST", path, "\"v1\"", &yes).await;
        assert_eq!(
            told.body["metadata"]["personal_number"], purpose,
            "{}",
            told.body
        );
        assert_eq!(two.over("POST", path, "*", &yes).await.status, 404);
        let report = one.get("/entitlements").await.body;
        let names = report["entitled"].as_array().expect("a list").iter();
        let names: Vec<_> = names.map(|one| text(one, "client_id")).collect();
        assert!(names.contains(&"app"), "{report}");
        wait(&careful, "app").await;
        let no = json!({"answer": "refuse"});
        let told = one.over("POST", path, "*", &no).await;
        assert_eq!(told.status, 200, "anybody may say no: {}", told.body);
    }
);

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

#[test]
fn the_document_and_the_page_tell_of_every_operation() {
    let _shows = shows!(accepting "PV-API-1", refusing "PV-API-1");
    run(async {
        let app = app(Database::sqlite()).await;
        let document = app.http.get(format!("{}{DOCUMENT}", app.admin));
        let document = sent(document).await;
        assert_eq!(
            (document.status, &document.headers["content-type"]),
            (200, &"application/json".parse().expect("ASCII"))
        );
        let document = document.body;
        assert_eq!(document["openapi"], "3.1.0");
        assert_eq!(
            document["servers"][0]["url"],
            format!("{}{BASE}", app.admin)
        );
        let scheme = &document["components"]["securitySchemes"]["clientCredentials"];
        let flow = &scheme["flows"]["clientCredentials"];
        assert_eq!(flow["tokenUrl"], format!("{}/token", app.issuer));
        let paths = document["paths"].as_object().expect("paths").values();
        let told: usize = paths
            .map(|path| path.as_object().map_or(0, |path| path.len()))
            .sum();
        assert_eq!(told, table().len());
        let page = async |cookie: Option<&str>| {
            let mut request = app.http.get(format!("{}/api", app.admin));
            if let Some(cookie) = cookie {
                request = request.header("Cookie", format!("admin={cookie}"));
            }
            Browser::new().send(request).await
        };
        let cookie = log_in(&app, Role::Auditor).await;
        let shown = page(Some(&cookie)).await;
        assert_eq!(shown.status, 200, "{}", shown.body);
        for operation in table() {
            let operation_of = &document["paths"][operation.path];
            let method = operation.method.as_str().to_lowercase();
            let security = &operation_of[method.as_str()]["security"];
            let expected = json!([{"clientCredentials": [operation.scope.as_str()]}]);
            assert_eq!(*security, expected, "{}", operation.id);
            let line = format!("{} {BASE}{}", operation.method, operation.path);
            for part in [operation.id, operation.scope.as_str(), &line] {
                assert!(shown.body.contains(part), "{part}");
            }
        }
        assert!(!shown.body.contains("{client_id}'"), "curl has an id");
        // It is for those who administer.
        let away = page(None).await;
        assert!(!away.body.contains("listClients"), "{}", away.body);
        // A cookie opens nothing of the API, and a token no page.
        let request = app.http.get(format!("{}{BASE}/clients", app.admin));
        let told = sent(request.header("Cookie", format!("admin={cookie}"))).await;
        assert_eq!(told.status, 401);
        is_problem(&told);
        let token = token(&app, ROBOT, &[]).await;
        let request = app
            .http
            .get(format!("{}/clients", app.admin))
            .bearer_auth(token);
        let away = Browser::new().send(request).await;
        assert!(away.body.contains("form method=\"post\" action=\"/login\""));
    });
}

/// The cookie of somebody who administers.
async fn log_in(app: &App, role: Role) -> String {
    let now = app.clock.now();
    let actor = Actor {
        who: Who::Operator("asa".to_owned()),
        door: Door::Cli,
        address: None,
    };
    let desk = app.provider.desk(actor, Reach::All, true);
    let invited = Invited {
        name: Name::parse("Åsa").expect("a name"),
        role,
        reach: Reach::All,
    };
    let (_, link) = invite(&desk, invited).await.expect("invited");
    let administrator = enrol(&desk, link.digest(), "åsa").await.expect("enrolled");
    let session = AdminSession {
        administrator,
        auth_time: now,
        expires_at: now + Seconds(600),
    };
    let cookie = begin_session(&desk, &session).await.expect("a session");
    canary(cookie.expose());
    cookie.expose().to_owned()
}

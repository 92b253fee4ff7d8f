//! Administrators: who becomes one, and what each of them may do.

use std::time::Duration;

use futures_util::future::join_all;
use portvakt::admin::role::{Permission, Reach, Role};
use portvakt::http::admin::{Needs, table};
use portvakt::id::ClientId;
use portvakt::shows;
use portvakt::storage::EventFilter;

use crate::support::admin::Console;
use crate::support::phone::{ASA, TOLVAN, YUSUF};
use crate::support::{App, Browser, Database, Options, on_both, run};

on_both!(
    an_invitation_makes_one_person_an_administrator_once,
    async |database: Database| {
        let _shows = shows!(accepting "M1", refusing "M1");
        let app = App::on(database).await;
        // There is nobody, and no way in, before somebody with a shell invites somebody.
        let nobody = Browser::new();
        let login = nobody.get(&format!("{}/login", app.admin)).await;
        let back = app.come_back(&nobody, &login, TOLVAN).await;
        assert_eq!(back.status, 403, "{}", back.body);
        assert_eq!(nobody.cookie("admin"), None);

        let (_, link) = app.invite(Role::Owner, Reach::All).await;
        // To look at it takes nothing away.
        assert_eq!(Browser::new().get(&link).await.status, 200);
        let owner = Browser::new();
        assert_eq!(app.enrol(&owner, &link, TOLVAN).await.status, 200);
        assert_eq!(owner.get(&format!("{}/", app.admin)).await.status, 200);
        for used in [
            link.clone(),
            format!("{link}/begin"),
            format!("{}/invitation/nonsense", app.admin),
        ] {
            assert_eq!(Browser::new().get(&used).await.status, 404, "{used}");
        }
        // The same person comes back without it.
        let again = Browser::new();
        let begun = again
            .get(&format!("{}/login?next=%2Fkeys", app.admin))
            .await;
        let back = app.come_back(&again, &begun, TOLVAN).await;
        assert!(back.body.contains("0;url=/keys\""), "{}", back.body);

        // Two who begin with one link: one gets in.
        let (_, link) = app.invite(Role::Reader, Reach::All).await;
        let browsers = [Browser::new(), Browser::new()];
        let mut begun = Vec::new();
        for browser in &browsers {
            begun.push(browser.get(&format!("{link}/begin")).await);
        }
        let people = [ASA, YUSUF];
        let tries = (0..2).map(|n| app.come_back(&browsers[n], &begun[n], people[n]));
        let mut statuses: Vec<u16> = join_all(tries)
            .await
            .iter()
            .map(|page| page.status)
            .collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 404]);

        // Somebody who administers already takes nobody else's invitation.
        let (_, link) = app.invite(Role::Reader, Reach::All).await;
        let page = app.enrol(&Browser::new(), &link, TOLVAN).await;
        assert_eq!(page.status, 403, "{}", page.body);
        assert_eq!(
            Browser::new().get(&link).await.status,
            200,
            "it was not used up"
        );
        // After 15 minutes it is over, also for who began in time.
        let late = Browser::new();
        let begun = late.get(&format!("{link}/begin")).await;
        app.clock.advance(Duration::from_secs(15 * 60));
        assert_eq!(Browser::new().get(&link).await.status, 404);
        let choice = late.get(&begun.location().expect("a redirect")).await;
        assert!([200, 400].contains(&choice.status), "{}", choice.body);
    }
);

#[test]
fn the_public_address_knows_nothing_of_the_administration() {
    run(async {
        let _shows = shows!(accepting "M2", refusing "M2");
        let app = App::on(Database::sqlite()).await;
        let browser = Browser::new();
        for entry in table() {
            let path = entry
                .path
                .replace("{client_id}", "web")
                .replace("{id}", "x");
            let path = path.replace("{secret}", "x").replace("{name}", "x");
            // Some are doors of the public side, too, which are not these.
            if ["/logout", "/static/x", "/login"].contains(&path.as_str()) {
                continue;
            }
            let page = browser.get(&format!("{}{path}", app.issuer)).await;
            assert_eq!(page.status, 404, "{path}");
        }
        for path in [
            "/authorize?client_id=web",
            "/token",
            "/userinfo",
            "/par",
            "/register",
            "/metrics",
        ] {
            let page = browser.get(&format!("{}{path}", app.admin)).await;
            assert_eq!(page.status, 404, "{path}");
        }
        // Nor does the administration answer to another name.
        let address = app.admin.replace("localhost", "127.0.0.1");
        let page = browser.get(&format!("{address}/login")).await;
        assert_eq!(page.status, 421);
    });
}

/// What an entry asks of a role.
fn is_allowed(needs: Needs, role: Role) -> bool {
    match needs {
        Needs::Nobody | Needs::Anybody => true,
        Needs::May(permission) | Needs::MayFreshly(permission) => role.may(permission),
    }
}

const NOT_YOURS: &str = "Your role does not allow this.";

#[test]
fn every_door_is_for_the_roles_that_its_entry_says() {
    run(async {
        let _shows = shows!(accepting "M3", refusing "M3");
        let app = App::on(Database::sqlite()).await;
        let nobody = Browser::new();
        let mut seen = [0, 0];
        for role in Role::ALL {
            let console = app.administrator(role, Reach::All, TOLVAN).await;
            let csrf = console.csrf().await;
            for entry in table().into_iter().filter(|entry| entry.path != "/logout") {
                let path = entry.path.replace("{client_id}", "web");
                let path = path.replace("{id}", "0d1a3f5e-0000-4000-8000-000000000000");
                let path = path.replace("{secret}", "x").replace("{name}", "x");
                let url = format!("{}{path}", app.admin);
                let is_reading = entry.method == "GET";
                let page = match is_reading {
                    true => console.browser.get(&url).await,
                    false => console.browser.post(&url, &[("csrf", &csrf)]).await,
                };
                let is_refused = page.status == 403 && page.body.contains(NOT_YOURS);
                let expected = !is_allowed(entry.needs, role);
                assert_eq!(
                    is_refused, expected,
                    "{role:?} {} {path}: {}",
                    entry.method, page.body
                );
                assert!(page.status < 500, "{path}: {}", page.body);
                seen[usize::from(is_refused)] += 1;
                if entry.needs == Needs::Nobody {
                    continue;
                }
                let page = match is_reading {
                    true => nobody.get(&url).await,
                    false => nobody.post(&url, &[("csrf", &csrf)]).await,
                };
                let location = page.location().unwrap_or_default();
                match is_reading {
                    true => assert!(
                        page.status == 303 && location.starts_with("/login"),
                        "{path}"
                    ),
                    false => assert!(page.body.contains("Show your BankID again"), "{path}"),
                }
            }
            let id = console.administrator.id;
            let desk = app
                .provider
                .desk(crate::support::admin::operator(), Reach::All, true);
            // The person takes another role next. The first owner goes last of all owners.
            let removed =
                portvakt::admin::administrator::remove(&desk, &id.to_string(), None).await;
            if removed.is_err() {
                assert_eq!(role, Role::Owner);
                let other = app.administrator(Role::Owner, Reach::All, ASA).await;
                assert!(other.administrator.role == Role::Owner);
                portvakt::admin::administrator::remove(&desk, &id.to_string(), None)
                    .await
                    .expect("there is another owner");
            }
            // At once, whatever cookie they have.
            let page = console.get("/").await;
            assert_eq!(page.status, 303, "{role:?}");
        }
        assert!(seen[0] > 60 && seen[1] > 60, "{seen:?}");
        // What is not in the table is not there, and neither is another method.
        let owner = app.administrator(Role::Owner, Reach::All, TOLVAN).await;
        assert_eq!(owner.get("/nothing").await.status, 404);
        assert_eq!(owner.post("/keys", &[]).await.status, 404);
    });
}

#[test]
fn a_client_administrator_of_no_clients_yet_is_not_one_of_all() {
    run(async {
        let _shows = shows!(accepting "M3", refusing "M3");
        let app = App::on(Database::sqlite()).await;
        let owner = app.administrator(Role::Owner, Reach::All, ASA).await;
        let reach = Reach::Only(Vec::new());
        let (kim, _) = app.invite(Role::ClientAdministrator, reach.clone()).await;
        let kept = async || {
            let read = app.provider.store.administrator(kim.id).await;
            let read = read.expect("read").expect("there");
            (read.reach, read.version)
        };
        // The page says so, and what is saved as it is stays so.
        let page = owner.get("/administrators").await;
        let row = page
            .body
            .split("<tr>")
            .find(|row| row.contains(&kim.id.to_string()));
        let row = row.expect("a row");
        assert!(
            row.contains("<td>none</td>") && row.contains(" checked>"),
            "{row}"
        );
        let path = format!("/administrator/{}/change", kim.id);
        let version = kept().await.1.to_string();
        let role = ("role", "client_administrator");
        let as_it_is = [
            ("version", version.as_str()),
            role,
            ("reach", "only"),
            ("clients", ""),
        ];
        assert_eq!(owner.post(&path, &as_it_is).await.status, 303);
        assert_eq!(kept().await.0, reach);
        // Whoever names clients and forgets the tick is told.
        let version = kept().await.1.to_string();
        let forgotten = [("version", version.as_str()), role, ("clients", "web")];
        let page = owner.post(&path, &forgotten).await;
        assert_eq!(page.status, 400);
        assert!(page.body.contains("is not ticked"), "{}", page.body);
        assert_eq!(kept().await.0, reach);
        let invited = [("name", "Nils"), role, ("clients", "web")];
        let page = owner.post("/administrators", &invited).await;
        assert_eq!(page.status, 400);
        assert!(!page.body.contains("invitation-link"));
        let version = kept().await.1.to_string();
        let ticked = [
            ("version", version.as_str()),
            role,
            ("reach", "only"),
            ("clients", "web"),
        ];
        assert_eq!(owner.post(&path, &ticked).await.status, 303);
        let web = ClientId::parse("web").expect("an id");
        assert_eq!(kept().await.0, Reach::Only(vec![web]));
    });
}

#[test]
fn a_client_administrator_of_some_clients_knows_of_no_others() {
    run(async {
        let _shows = shows!(accepting "M3", refusing "M3");
        let app = App::on(Database::sqlite()).await;
        let own = ClientId::parse("web").expect("an id");
        let reach = Reach::Only(vec![own]);
        let console = app
            .administrator(Role::ClientAdministrator, reach, TOLVAN)
            .await;
        assert_eq!(console.get("/client/web").await.status, 200);
        let list = console.get("/clients").await;
        assert!(list.body.contains("/client/web\""), "{}", list.body);
        for other in ["sample", "careful", "portvakt%2Dadmin", "nothing"] {
            assert!(!list.body.contains(&format!("/client/{other}\"")));
            for path in ["", "/edit", "/preview"] {
                let page = console.get(&format!("/client/{other}{path}")).await;
                assert_eq!(page.status, 404, "{other}{path}");
            }
            for path in ["/edit", "/remove", "/secrets", "/entitlement", "/restore"] {
                let page = console
                    .post(&format!("/client/{other}{path}"), &[("version", "1")])
                    .await;
                assert_eq!(page.status, 404, "{other}{path}");
            }
        }
        // What they make is theirs.
        let made = console
            .post(
                "/clients/new",
                &[
                    ("application", "other"),
                    ("client_name", "Egen"),
                    ("client_id", "egen"),
                    ("redirect_uris", "https://egen.example/cb"),
                ],
            )
            .await;
        assert!(made.body.contains("id=\"client-secret\""), "{}", made.body);
        assert_eq!(console.get("/client/egen").await.status, 200);
        let owner = app.administrator(Role::Owner, Reach::All, ASA).await;
        for path in ["/client/egen", "/client/sample"] {
            assert_eq!(owner.get(path).await.status, 200);
        }
        // Our own is nobody's.
        assert_eq!(owner.get("/client/portvakt%2Dadmin").await.status, 404);
        // They cannot give themselves more than they have.
        let fields = [
            ("application", "machine"),
            ("client_name", "Mer"),
            ("client_id", "mer"),
            ("client_credentials.scopes", "portvakt:administrators:write"),
        ];
        let page = console.post("/clients/new", &fields).await;
        assert_eq!(page.status, 403, "{}", page.body);
        assert_eq!(owner.get("/client/mer").await.status, 404);
        assert_eq!(owner.post("/clients/new", &fields).await.status, 200);
    });
}

#[test]
fn a_form_counts_from_its_own_page_alone() {
    run(async {
        let _shows = shows!(accepting "M4", refusing "M4");
        let app = App::start(Options {
            admin: "session_lifetime = 1800",
            ..Options::on(Database::sqlite())
        })
        .await;
        let owner = app.administrator(Role::Owner, Reach::All, TOLVAN).await;
        let other = app.administrator(Role::Owner, Reach::All, ASA).await;
        let url = format!("{}/keys/announce", app.admin);
        let field = ("algorithm", "ES256");
        let csrf = owner.csrf().await;
        let theirs = other.csrf().await;
        assert_ne!(csrf, theirs);
        for form in [
            vec![field],
            vec![("csrf", theirs.as_str()), field],
            vec![("csrf", ""), field],
            vec![("csrf", csrf.as_str()), ("csrf", csrf.as_str()), field],
        ] {
            let page = owner.browser.post(&url, &form).await;
            assert_eq!(page.status, 403, "{}", page.body);
        }
        let good = [("csrf", csrf.as_str()), field];
        let page = owner.browser.post_from_elsewhere(&url, &good).await;
        assert_eq!(page.status, 403);
        let keys = owner.get("/keys").await;
        let is_announced = |page: &crate::support::Page| page.body.contains("<td>announced</td>");
        assert!(!is_announced(&keys), "nothing was done");
        let page = owner.browser.post(&url, &good).await;
        assert!(page.status == 200 && is_announced(&page), "{}", page.body);
        // It is framed nowhere, runs nothing from elsewhere and is kept by nobody.
        for (name, value) in [("x-frame-options", "DENY"), ("cache-control", "no-store")] {
            assert_eq!(page.header(name), value);
        }
        let policy = page.header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));

        // What cannot be undone asks for a BankID of a moment ago, and comes back.
        app.clock.advance(Duration::from_secs(601));
        let csrf = owner.csrf().await;
        let good = [("csrf", csrf.as_str()), field];
        let page = owner.browser.post(&url, &good).await;
        assert!(
            page.status == 403 && page.body.contains("Show your BankID again"),
            "{}",
            page.body
        );
        // In another tab, while the form waits with what was entered.
        let again = page.after("class=\"button\" href=\"").expect("a link");
        let begun = owner.browser.get(&page.absolute(&again)).await;
        let back = app.come_back(&owner.browser, &begun, TOLVAN).await;
        assert!(back.body.contains("0;url=/logged-in\""), "{}", back.body);
        // Behind the one of the button that logs out.
        let waiting = page.fields().split_off(1);
        assert_eq!(
            waiting,
            [
                ("csrf".to_owned(), csrf.clone()),
                ("algorithm".to_owned(), "ES256".to_owned())
            ]
        );
        let waiting = crate::support::admin::borrowed(&waiting);
        let page = owner.browser.post(&url, &waiting).await;
        assert_eq!(page.status, 200, "{}", page.body);
        // So it does for one whose session has ended meanwhile; what another site sends does not.
        let late = Browser::new();
        let page = late.post(&url, &waiting).await;
        assert!(
            page.status == 403 && page.fields().len() == 2,
            "{}",
            page.body
        );
        let page = late.post_from_elsewhere(&url, &waiting).await;
        assert_eq!(page.location().as_deref(), Some("/login"));
        // A session ends by itself, and by its button.
        app.clock.advance(Duration::from_secs(1801));
        assert_eq!(owner.get("/").await.status, 303);
        let begun = other.browser.get(&format!("{}/login", app.admin)).await;
        app.come_back(&other.browser, &begun, ASA).await;
        let held = other.browser.copy();
        let out = other.post("/logout", &[]).await;
        assert!(
            out.status == 200 && out.body.contains("You are logged out"),
            "{}",
            out.body
        );
        assert_eq!(other.browser.cookie("admin"), None);
        assert_eq!(held.get(&format!("{}/", app.admin)).await.status, 303);
        // Somebody else's answer, or one that was not asked for, logs nobody in.
        let stranger = Browser::new();
        for query in ["", "?code=x&state=y", "?error=access_denied&state=y"] {
            let page = stranger
                .get(&format!("{}/callback{query}", app.admin))
                .await;
            assert_eq!(page.status, 400, "{query}");
        }
    });
}

#[test]
fn the_cookie_is_for_our_own_pages_alone() {
    run(async {
        let _shows = shows!(accepting "M4");
        let app = App::on(Database::sqlite()).await;
        let (_, link) = app.invite(Role::Reader, Reach::All).await;
        let browser = Browser::new();
        let page = app.enrol(&browser, &link, TOLVAN).await;
        let cookies = page.headers.get_all("set-cookie").iter();
        let cookies: Vec<&str> = cookies
            .map(|value| value.to_str().expect("ASCII"))
            .collect();
        let own = cookies
            .iter()
            .find(|cookie| cookie.starts_with("admin=as_"))
            .expect("a cookie");
        assert!(
            own.contains("SameSite=Strict") && own.contains("HttpOnly"),
            "{own}"
        );
        // A browser that a link elsewhere leads here is sent on by a page of ours, and not to a login.
        let request = reqwest::Client::builder()
            .no_proxy()
            .build()
            .expect("a client");
        let request = request
            .get(format!("{}/clients", app.admin))
            .header("sec-fetch-site", "cross-site");
        let page = Browser::new().send(request).await;
        assert!(page.body.contains("0;url=/clients\""), "{}", page.body);
    });
}

on_both!(
    of_two_who_edit_one_client_the_second_is_told_and_loses_nothing,
    async |database: Database| {
        let _shows = shows!(accepting "M11", refusing "M11");
        let app = App::on(database).await;
        let anna = app.administrator(Role::Owner, Reach::All, TOLVAN).await;
        let bo = app.administrator(Role::Owner, Reach::All, ASA).await;
        anna.post(
            "/clients/new",
            &[
                ("application", "other"),
                ("client_name", "Från början"),
                ("client_id", "gemensam"),
                ("redirect_uris", "https://a.example/cb"),
            ],
        )
        .await;
        let change = |changes: &'static [(&'static str, &'static str)]| {
            crate::support::admin::settings(&app, "gemensam", changes)
        };
        let of_anna = change(&[("client_name", "Annas namn")]).await;
        let of_bo = change(&[("default_max_age", "600")]).await;
        let path = "/client/gemensam/edit";
        let saved = anna
            .post(path, &crate::support::admin::borrowed(&of_anna))
            .await;
        assert_eq!(saved.status, 303, "{}", saved.body);
        let told = bo
            .post(path, &crate::support::admin::borrowed(&of_bo))
            .await;
        assert_eq!(told.status, 409, "{}", told.body);
        for text in [
            "Somebody else saved this client",
            "Annas namn",
            "Från början",
            "value=\"600\"",
        ] {
            assert!(told.body.contains(text), "{text}: {}", told.body);
        }
        let id = ClientId::parse("gemensam").expect("an id");
        let read = async || {
            app.provider
                .store
                .registered(&id)
                .await
                .expect("read")
                .expect("there")
        };
        let metadata = read().await.client.metadata;
        assert_eq!(
            (metadata.client_name.as_str(), metadata.default_max_age),
            ("Annas namn", None)
        );
        // Sent again as it stands in the form, with the version that they have seen now.
        let version = told.value("version");
        let mut again = of_bo.clone();
        again.retain(|(name, _)| name != "version");
        again.push(("version".to_owned(), version));
        let saved = bo
            .post(path, &crate::support::admin::borrowed(&again))
            .await;
        assert_eq!(saved.status, 303, "{}", saved.body);
        let metadata = read().await.client.metadata;
        assert_eq!(
            (metadata.client_name.as_str(), metadata.default_max_age),
            ("Från början", Some(600))
        );
        // A form without its version, or with a field too few or too many, changes nothing.
        let before = read().await.version;
        for (name, replacement) in [
            ("version", None),
            ("client_name", None),
            ("sector", Some("")),
            ("nonsense", Some("1")),
        ] {
            let mut fields = change(&[("default_max_age", "700")]).await;
            fields.retain(|(n, _)| n != name);
            fields.extend(replacement.map(|value| (name.to_owned(), value.to_owned())));
            let page = bo
                .post(path, &crate::support::admin::borrowed(&fields))
                .await;
            assert_eq!(page.status, 400, "{name}: {}", page.body);
        }
        // Nor does one that changes nothing.
        let same = change(&[]).await;
        let page = bo.post(path, &crate::support::admin::borrowed(&same)).await;
        assert!(
            page.location()
                .expect("a redirect")
                .ends_with("?done=unchanged")
        );
        assert_eq!(read().await.version, before);
    }
);

#[test]
fn a_secret_is_shown_once_and_lives_beside_its_successor() {
    run(async {
        let _shows = shows!(accepting "M5", refusing "M5");
        let app = App::on(Database::sqlite()).await;
        let owner = app.administrator(Role::Owner, Reach::All, TOLVAN).await;
        let fields = [
            ("application", "machine"),
            ("client_name", "Maskin"),
            ("client_id", "maskin"),
            ("client_credentials.scopes", "orders:read"),
        ];
        let secret_of = |page: &crate::support::Page| {
            let (_, rest) = page
                .body
                .split_once("id=\"client-secret\" data-copy>")
                .expect("a secret");
            let secret = rest.split('<').next().expect("its end").to_owned();
            portvakt::testing::canary(&secret);
            secret
        };
        let first = secret_of(&owner.post("/clients/new", &fields).await);
        let works = async |secret: &str| {
            let form = [("grant_type", "client_credentials")];
            let sent = app
                .http
                .post(format!("{}/token", app.issuer))
                .basic_auth("maskin", Some(secret));
            sent.form(&form).send().await.expect("an answer").status() == 200
        };
        assert!(works(&first).await);
        let page = owner.get("/client/maskin").await;
        let version = page.value("version");
        let second = secret_of(
            &owner
                .post(
                    "/client/maskin/secrets",
                    &[("version", &version), ("overlap_hours", "1")],
                )
                .await,
        );
        assert!(works(&first).await && works(&second).await);
        app.clock.advance(Duration::from_secs(3601));
        assert!(!works(&first).await && works(&second).await);
        let begun = owner.browser.get(&format!("{}/login", app.admin)).await;
        app.come_back(&owner.browser, &begun, TOLVAN).await;
        let page = owner.get("/client/maskin").await;
        let id = page
            .after("name=\"secret\" value=\"")
            .expect("a secret that lives");
        let version = page.value("version");
        let ended = owner
            .post(
                "/client/maskin/secrets/end",
                &[("version", &version), ("secret", &id)],
            )
            .await;
        assert_eq!(ended.status, 303, "{}", ended.body);
        assert!(!works(&second).await);
        // Nowhere else, and never again.
        for path in [
            "/client/maskin",
            "/client/maskin/edit",
            "/audit",
            "/clients",
        ] {
            let page = owner.get(path).await;
            assert_eq!(page.status, 200, "{path}");
            for secret in [&first, &second] {
                assert!(!page.body.contains(secret.as_str()), "{path}");
            }
        }
        let mut database = Vec::new();
        for file in ["test.db", "test.db-wal"] {
            database.extend(std::fs::read(app.directory.path().join(file)).expect("a file"));
        }
        for secret in [&first, &second] {
            assert!(
                !database
                    .windows(secret.len())
                    .any(|window| window == secret.as_bytes())
            );
        }
    });
}

#[test]
fn the_right_to_personal_numbers_takes_two() {
    run(async {
        let _shows = shows!(accepting "M7", refusing "M7");
        let app = App::start(Options {
            admin: "second_approver = true",
            ..Options::on(Database::sqlite())
        })
        .await;
        let anna = app
            .administrator(Role::ClientAdministrator, Reach::All, TOLVAN)
            .await;
        let bo = app.administrator(Role::Owner, Reach::All, ASA).await;
        anna.post(
            "/clients/new",
            &[
                ("application", "other"),
                ("client_name", "Appen"),
                ("client_id", "appen"),
                ("redirect_uris", "https://a.example/cb"),
            ],
        )
        .await;
        let asks = |purpose: &'static str, days: &'static str| {
            [("version", "1"), ("purpose", purpose), ("days", days)]
        };
        let path = "/client/appen/entitlement";
        for (purpose, days) in [
            ("", "30"),
            ("x\u{202e}y", "30"),
            ("Journalföring", "0"),
            ("Journalföring", "x"),
        ] {
            assert_eq!(
                anna.post(path, &asks(purpose, days)).await.status,
                400,
                "{purpose} {days}"
            );
        }
        let asked = anna
            .post(path, &asks("Journalföring enligt lag", "30"))
            .await;
        assert!(
            asked
                .location()
                .expect("a redirect")
                .ends_with("done=asked"),
            "{}",
            asked.body
        );
        let id = ClientId::parse("appen").expect("an id");
        let entitled = async || {
            let client = app
                .provider
                .store
                .client(id.as_str(), app.clock.now())
                .await;
            client
                .expect("read")
                .expect("there")
                .metadata
                .personal_number
                .is_some()
        };
        assert!(!entitled().await);
        let answer = format!("{path}/answer");
        let own = anna.post(&answer, &[("answer", "grant")]).await;
        assert_eq!(own.status, 403, "{}", own.body);
        let report = bo.get("/entitlements").await;
        assert!(
            report.body.contains("Journalföring enligt lag"),
            "{}",
            report.body
        );
        let answers = async |seen: &str, word: &str| {
            let fields = [("request", seen), ("answer", word)];
            bo.post(&answer, &fields).await.status
        };
        let seen = report.value("request");
        assert_eq!(answers(&seen, "refuse").await, 303);
        assert!(!entitled().await);
        assert_eq!(answers(&seen, "grant").await, 404, "nobody asks any more");
        anna.post(path, &asks("Journalföring enligt lag", "30"))
            .await;
        let seen = bo.get("/entitlements").await.value("request");
        assert_eq!(answers(&seen, "grant").await, 303);
        assert!(entitled().await);
        let report = bo.get("/entitlements").await;
        assert!(report.body.contains("/client/appen\"") && report.body.contains("Journalföring"));
        // No other way leads there.
        let fields =
            crate::support::admin::settings(&app, "appen", &[("personal_number.purpose", "x")])
                .await;
        let page = anna
            .post(
                "/client/appen/edit",
                &crate::support::admin::borrowed(&fields),
            )
            .await;
        assert_eq!(page.status, 400, "{}", page.body);
        // Nor does one administrator alone lead somewhere else what two decided on.
        let saved = async |changes: &[(&str, &str)]| {
            let fields = crate::support::admin::settings(&app, "appen", changes).await;
            let page = anna
                .post(
                    "/client/appen/edit",
                    &crate::support::admin::borrowed(&fields),
                )
                .await;
            page.status
        };
        assert_eq!(
            saved(&[("redirect_uris", "https://b.example/cb")]).await,
            403
        );
        assert_eq!(saved(&[("token_endpoint_auth", "none")]).await, 403);
        assert_eq!(saved(&[("client_name", "Appen, ny")]).await, 303);
        // It ends by itself, and then the report says so.
        app.clock
            .advance(Duration::from_secs(30 * 24 * 60 * 60 + 1));
        assert!(!entitled().await);
        let begun = bo.browser.get(&format!("{}/login", app.admin)).await;
        app.come_back(&bo.browser, &begun, ASA).await;
        let report = bo.get("/entitlements").await;
        assert!(
            report.body.contains("<span class=\"tag\">over</span>"),
            "{}",
            report.body
        );
        let events = app
            .provider
            .store
            .events(
                &EventFilter {
                    object: Some("client:appen".to_owned()),
                    ..EventFilter::default()
                },
                20,
            )
            .await
            .expect("read");
        let actions: Vec<&str> = events
            .iter()
            .rev()
            .map(|event| event.action.as_str())
            .collect();
        assert_eq!(
            actions,
            [
                "client.create",
                "client.entitlement.ask",
                "client.entitlement.refuse",
                "client.entitlement.ask",
                "client.entitlement.grant",
                "client.change"
            ]
        );
        assert_ne!(events[1].actor, events[2].actor);
    });
}

on_both!(
    whose_a_session_is_is_not_shown_unless_somebody_says_why,
    async |database: Database| {
        let _shows = shows!(accepting "M9", refusing "M9");
        let app = App::on(database).await;
        let browser = Browser::new();
        app.log_in(&browser, YUSUF).await;
        let auditor = app.administrator(Role::Auditor, Reach::All, TOLVAN).await;
        let owner = app.administrator(Role::Owner, Reach::All, ASA).await;
        // What is no id is not everybody's.
        let page = auditor.get("/sessions?client=w%20b").await;
        assert!(!page.body.contains("/client/web\""), "{}", page.body);
        let page = auditor.get("/sessions?client=web").await;
        assert!(
            page.body.contains("/client/web\"") && !page.body.contains("19850672"),
            "{}",
            page.body
        );
        assert!(!page.body.contains("Yusuf"), "{}", page.body);
        let path = page.after("action=\"/session/").expect("a form");
        let id = path.split('/').next().expect("an id").to_owned();
        let reveal = format!("/session/{id}/reveal");
        // A reason that holds the number would keep it in the log.
        for why in ["", "abc", "Gäller 850672-2399"] {
            assert_eq!(auditor.post(&reveal, &[("why", why)]).await.status, 400);
        }
        let page = auditor
            .post(&reveal, &[("why", "Misstänkt bedrägeri, ärende 17")])
            .await;
        assert!(page.body.contains(YUSUF), "{}", page.body);
        let events = app
            .provider
            .store
            .events(
                &EventFilter {
                    action: Some("person.reveal".to_owned()),
                    ..EventFilter::default()
                },
                20,
            )
            .await
            .expect("read");
        assert_eq!(events.len(), 1);
        assert!(events[0].detail.contains("ärende 17") && !events[0].detail.contains(YUSUF));
        assert!(
            events[0]
                .actor
                .contains(&auditor.administrator.id.to_string())
        );
        // An auditor ends nothing; an owner ends it, and its browser is logged out there.
        assert_eq!(
            auditor
                .post(&format!("/session/{id}/end"), &[])
                .await
                .status,
            403
        );
        assert_eq!(
            owner.post(&format!("/session/{id}/end"), &[]).await.status,
            303
        );
        assert_eq!(
            owner.post(&format!("/session/{id}/end"), &[]).await.status,
            404
        );
        let again = browser
            .get(&app.authorize_url(&[("prompt", Some("none"))]))
            .await;
        let location = again.location().expect("a redirect");
        assert!(location.contains("error=login_required"), "{location}");
        // Nothing of people is in the log of who did what.
        for event in app
            .provider
            .store
            .events(&EventFilter::default(), 200)
            .await
            .expect("read")
        {
            for person in [YUSUF, TOLVAN, ASA, "Yusuf", "Tolvan"] {
                assert!(
                    !event.detail.contains(person) && !event.object.contains(person),
                    "{event:?}"
                );
            }
        }
    }
);

#[test]
fn a_removed_client_can_be_brought_back_for_a_while() {
    run(async {
        let _shows = shows!(accepting "M10", refusing "M10");
        let app = App::on(Database::sqlite()).await;
        let owner = app.administrator(Role::Owner, Reach::All, TOLVAN).await;
        owner
            .post(
                "/clients/new",
                &[
                    ("application", "other"),
                    ("client_name", "Appen"),
                    ("client_id", "appen"),
                    ("redirect_uris", "https://a.example/cb"),
                ],
            )
            .await;
        let url = app.authorize_url(&[
            ("client_id", Some("appen")),
            ("redirect_uri", Some("https://a.example/cb")),
            ("scope", Some("openid")),
            (
                "code_challenge",
                Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
            ),
            ("code_challenge_method", Some("S256")),
        ]);
        let answers = async || Browser::new().get(&url).await.status;
        assert_eq!(answers().await, 200);
        let wrong = owner
            .post(
                "/client/appen/remove",
                &[("version", "1"), ("confirm", "app")],
            )
            .await;
        assert_eq!((wrong.status, answers().await), (400, 200));
        let removed = owner
            .post(
                "/client/appen/remove",
                &[("version", "1"), ("confirm", "appen")],
            )
            .await;
        assert_eq!((removed.status, answers().await), (303, 400));
        let list = owner.get("/clients?state=removed").await;
        assert!(list.body.contains("/client/appen\""), "{}", list.body);
        assert!(!owner.get("/clients").await.body.contains("/client/appen\""));
        // Its id is not free for somebody else meanwhile.
        let taken = owner
            .post(
                "/clients/new",
                &[
                    ("application", "other"),
                    ("client_name", "Falsk"),
                    ("client_id", "appen"),
                    ("redirect_uris", "https://b.example/cb"),
                ],
            )
            .await;
        assert_eq!(taken.status, 400, "{}", taken.body);
        assert_eq!(owner.post("/client/appen/restore", &[]).await.status, 303);
        assert_eq!(answers().await, 200);
        assert_eq!(owner.post("/client/appen/restore", &[]).await.status, 404);
        owner
            .post(
                "/client/appen/remove",
                &[("version", "3"), ("confirm", "appen")],
            )
            .await;
        app.clock
            .advance(Duration::from_secs(30 * 24 * 60 * 60 + 1));
        app.provider
            .store
            .sweep(app.clock.now())
            .await
            .expect("swept");
        let begun = owner.browser.get(&format!("{}/login", app.admin)).await;
        app.come_back(&owner.browser, &begun, TOLVAN).await;
        assert_eq!(owner.get("/client/appen").await.status, 404);
    });
}

/// A page is what its role may see.
#[test]
fn a_reader_sees_no_button_that_is_not_theirs() {
    run(async {
        let _shows = shows!(accepting "M3");
        let app = App::on(Database::sqlite()).await;
        let reader: Console = app.administrator(Role::Reader, Reach::All, TOLVAN).await;
        for path in ["/", "/clients", "/client/web", "/keys", "/entitlements"] {
            let page = reader.get(path).await;
            assert_eq!(page.status, 200, "{path}");
            assert_eq!(
                page.body.matches("method=\"post\"").count(),
                1,
                "{path}: {}",
                page.body
            );
            for absent in ["/administrators", "/audit", "/sessions", "/clients/new"] {
                assert!(
                    !page.body.contains(&format!("href=\"{absent}\"")),
                    "{path} {absent}"
                );
            }
        }
        assert!(!Role::Reader.may(Permission::ReadAudit));
    });
}

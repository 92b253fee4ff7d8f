//! What several administrators do at once, or one while another looks at what was before.

use std::time::Duration;

use futures_util::future::join_all;
use portvakt::admin::administrator::{Invited, change, enrol, invite, remove};
use portvakt::admin::client::{New, create};
use portvakt::admin::role::{Administrator, Reach, Role};
use portvakt::admin::{Desk, Unmet, session};
use portvakt::audit::{Actor, Door, Who};
use portvakt::client::Name;
use portvakt::id::ClientId;
use portvakt::secret::{Secret, kind};
use portvakt::shows;
use portvakt::storage::By;
use serde_json::json;

use crate::registration::{CALLBACK, issued, register};
use crate::support::admin::operator;
use crate::support::doors::desk;
use crate::support::phone::{ASA, TOLVAN};
use crate::support::{App, Browser, Database, Options, on_both, run};

async fn enrolled(desk: &Desk<'_>, role: Role, reach: Reach, subject: &str) -> Administrator {
    let name = Name::parse("Kim Testsson").expect("a name");
    let invited = invite(desk, Invited { name, role, reach }).await;
    let (_, link) = invited.expect("invited");
    enrol(desk, link.digest(), subject).await.expect("enrolled")
}

/// An administrator of some clients, at work.
fn limited<'a>(app: &'a App, administrator: &Administrator) -> Desk<'a> {
    Desk {
        actor: Actor {
            who: Who::Administrator(administrator.id),
            ..operator()
        },
        reach: administrator.reach.clone(),
        gives_administration: false,
        ..desk(app, Door::Page)
    }
}

fn new(id: &str) -> New {
    let redirect = format!("https://{id}.example/cb");
    let metadata = json!({"client_name": "Appen", "redirect_uris": [redirect]});
    New {
        client_id: ClientId::parse(id),
        sector: None,
        metadata: serde_json::from_value(metadata).expect("metadata"),
    }
}

on_both!(
    owners_who_remove_each_other_leave_one,
    async |database: Database| {
        let _shows = shows!(accepting "M1", refusing "M1");
        let app = App::on(database).await;
        let desk = desk(&app, Door::Cli);
        for round in 0..20 {
            let subjects = [format!("one {round}"), format!("other {round}")];
            let mut owners = Vec::new();
            for subject in &subjects {
                owners.push(enrolled(&desk, Role::Owner, Reach::All, subject).await);
            }
            // Nobody else is left from the round before.
            let all = app.provider.store.administrators().await.expect("read");
            for left in all {
                if !owners.iter().any(|owner| owner.id == left.id) {
                    let gone = remove(&desk, &left.id.to_string(), None).await;
                    gone.expect("there are two others");
                }
            }
            let ids: Vec<String> = owners.iter().map(|owner| owner.id.to_string()).collect();
            let (desk, ids) = (&desk, &ids);
            let acts = ids.iter().enumerate().map(|(n, id)| async move {
                match (round + n) % 2 {
                    0 => remove(desk, id, None).await.is_ok(),
                    _ => {
                        let changed = change(desk, id, None, Role::Reader, Reach::All).await;
                        changed.is_ok()
                    }
                }
            });
            let done = join_all(acts).await;
            assert_eq!(done.iter().filter(|done| **done).count(), 1, "{round}");
            let all = app.provider.store.administrators().await.expect("read");
            let is_owner = |one: &&Administrator| one.role == Role::Owner && one.is_enrolled;
            assert_eq!(all.iter().filter(is_owner).count(), 1, "{round}");
        }
    }
);

on_both!(
    what_somebody_made_meanwhile_stays_theirs,
    async |database: Database| {
        let _shows = shows!(accepting "M11", refusing "M11");
        let app = App::on(database).await;
        let owner = desk(&app, Door::Page);
        let web = ClientId::parse("web").expect("an id");
        let reach = Reach::Only(vec![web.clone()]);
        let role = Role::ClientAdministrator;
        let kim = enrolled(&owner, role, reach.clone(), "kim").await;
        // An owner looks at who may do what; then Kim makes a client, and then the owner saves.
        let seen = kim.version;
        let made = create(&limited(&app, &kim), new("egen")).await;
        made.expect("made");
        let id = kim.id.to_string();
        let saved = change(&owner, &id, Some(seen), role, reach).await;
        assert!(matches!(saved, Err(Unmet::Stale)), "{saved:?}");
        let kept = app.provider.store.administrator(kim.id).await;
        let kept = kept.expect("read").expect("there");
        let egen = ClientId::parse("egen").expect("an id");
        assert_eq!(kept.reach, Reach::Only(vec![egen, web]));
        // The next client of that name is not theirs, when this one is gone for good.
        portvakt::admin::client::remove(&owner, "egen", None)
            .await
            .expect("removed");
        app.clock
            .advance(Duration::from_secs(30 * 24 * 60 * 60 + 1));
        let swept = app.provider.store.sweep(app.clock.now()).await;
        swept.expect("swept");
        create(&owner, new("egen")).await.expect("made");
        let kept = app.provider.store.administrator(kim.id).await;
        let kept = kept.expect("read").expect("there");
        assert_eq!(
            kept.reach,
            Reach::Only(vec![ClientId::parse("web").expect("an id")])
        );
    }
);

#[test]
fn whoever_looks_after_some_clients_sees_their_sessions_among_many() {
    run(async {
        let _shows = shows!(accepting "M3", refusing "M3");
        let app = App::on(Database::sqlite()).await;
        app.log_in(&Browser::new(), TOLVAN).await;
        let web = ClientId::parse("web").expect("an id");
        let reach = Reach::Only(vec![web.clone()]);
        app.clock.advance(Duration::from_secs(5));
        // With a later session than the one that they may see.
        let console = app
            .administrator(Role::ClientAdministrator, reach.clone(), ASA)
            .await;
        let kim = Administrator {
            reach,
            ..console.administrator.clone()
        };
        let seen = session::list(&limited(&app, &kim), None, 1).await;
        let seen = seen.expect("listed");
        assert_eq!(seen.len(), 1);
        assert_eq!(seen[0].client_id, web);
    });
}

#[test]
fn who_grants_a_right_grants_what_they_saw() {
    run(async {
        let _shows = shows!(accepting "M7", refusing "M7");
        let app = App::start(Options {
            admin: "second_approver = true",
            ..Options::on(Database::sqlite())
        })
        .await;
        let role = Role::ClientAdministrator;
        let anna = app.administrator(role, Reach::All, TOLVAN).await;
        let bo = app.administrator(Role::Owner, Reach::All, ASA).await;
        create(&desk(&app, Door::Cli), new("appen"))
            .await
            .expect("made");
        let path = "/client/appen/entitlement";
        let answer = format!("{path}/answer");
        let ask = async |version: &str, purpose: &str, days: &str| {
            let fields = [("version", version), ("purpose", purpose), ("days", days)];
            assert_eq!(anna.post(path, &fields).await.status, 303);
        };
        let grant = async |seen: &str| {
            let fields = [("request", seen), ("answer", "grant")];
            bo.post(&answer, &fields).await.status
        };
        let seen = async || bo.get("/client/appen").await.value("request");
        ask("1", "Ett enda ärende.", "1").await;
        let first = seen().await;
        assert_eq!(bo.get("/entitlements").await.value("request"), first);
        // Another purpose and no end, behind the back of the one who reads.
        ask("1", "Allt möjligt.", "").await;
        assert_eq!(grant(&first).await, 409);
        assert_eq!(grant("").await, 409);
        // The same request for what is another application by now.
        let second = seen().await;
        let id = ClientId::parse("appen").expect("an id");
        let read = app.provider.store.registered(&id).await;
        let read = read.expect("read").expect("there");
        let mut metadata = read.client.metadata.clone();
        metadata.redirect_uris = new("annat").metadata.redirect_uris;
        let sector = Some(read.client.sector.as_str());
        portvakt::admin::client::change(&desk(&app, Door::Page), "appen", None, sector, metadata)
            .await
            .expect("changed");
        assert_eq!(grant(&second).await, 409);
        let is_entitled = async || {
            let client = app.provider.store.client("appen", app.clock.now()).await;
            let client = client.expect("read").expect("there");
            client.metadata.personal_number.is_some()
        };
        assert!(!is_entitled().await);
        assert_eq!(grant(&seen().await).await, 303);
        assert!(is_entitled().await);
    });
}

#[test]
fn who_guesses_secrets_keeps_no_administrator_out() {
    run(async {
        let _shows = shows!(accepting "M1", refusing "O11");
        let app = App::on(Database::sqlite()).await;
        let owner = app.administrator(Role::Owner, Reach::All, TOLVAN).await;
        // From our own machine, as all requests are that a proxy there does not say more of.
        let mut last = 0;
        for _ in 0..25 {
            let guess = app.http.post(format!("{}/token", app.issuer));
            let guess = guess.basic_auth("portvakt-admin", Some("wrong"));
            let guess = guess.form(&[("grant_type", "authorization_code")]);
            last = guess.send().await.expect("an answer").status().as_u16();
        }
        assert_ne!(last, 401, "nothing more is tried from there");
        let begun = owner.browser.get(&format!("{}/login", app.admin)).await;
        let back = app.come_back(&owner.browser, &begun, TOLVAN).await;
        assert_eq!(back.status, 200, "{}", back.body);
    });
}

#[test]
fn nobody_shares_the_sector_of_the_administration() {
    run(async {
        let _shows = shows!(accepting "M3", refusing "M3");
        let app = App::on(Database::sqlite()).await;
        let desk = desk(&app, Door::Cli);
        let within = |sector: &str| New {
            sector: Some(sector.to_owned()),
            ..new("appen")
        };
        let made = create(&desk, within("portvakt-admin")).await;
        assert!(matches!(made, Err(Unmet::Mistakes(_))), "{made:?}");
        create(&desk, within("portvakt")).await.expect("made");
        let metadata = new("appen").metadata;
        let change = portvakt::admin::client::change;
        let changed = change(&desk, "appen", None, Some("portvakt-admin"), metadata).await;
        assert!(matches!(changed, Err(Unmet::Mistakes(_))), "{changed:?}");
    });
}

on_both!(
    who_registered_itself_removes_nothing_that_others_manage,
    async |database: Database| {
        let _shows = shows!(refusing "RG-08");
        let app = App::on(database).await;
        let token = issued(&app, &[]);
        let members = json!({"redirect_uris": [CALLBACK], "client_name": "Egna appen"});
        let told = register(&app, &token, &members).await;
        assert_eq!(told.status, 201, "{}", told.body);
        let text = |name: &str| told.body[name].as_str().expect("text").to_owned();
        let id = ClientId::parse(&text("client_id")).expect("an id");
        let manages = Secret::<kind::RegistrationToken>::parse(&text("registration_access_token"));
        let manages = manages.expect("a token").digest();
        let store = &app.provider.store;
        let managed = store.registration(&id, manages).await;
        let managed = managed.expect("read").expect("there");
        // While the request to remove it is under way, the configuration takes it over.
        let at = app.clock.moment();
        let client = &managed.registration.client;
        store
            .register_client(client, &[], at)
            .await
            .expect("taken over");
        let actor = operator();
        let by = By { actor: &actor, at };
        let removed = store.remove_registration(&managed, by).await;
        assert!(!removed.expect("asked"));
        let kept = store.registered(&id).await.expect("read").expect("there");
        assert_eq!(kept.removed_at, None);
    }
);

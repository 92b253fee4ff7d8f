//! A person's rights: they are told all that is kept of them, and it is erased, by the command line and by the
//! API alike.

use std::collections::BTreeMap;
use std::time::Duration;

use portvakt::admin::Unmet;
use portvakt::admin::person::{self, Asked, Evidence, Outcome};
use portvakt::admin::role::{Reach, Role};
use portvakt::audit::Door;
use portvakt::authorize::request::Parameters;
use portvakt::bankid::personal_number::PersonalNumber;
use portvakt::clock::{Clock, Seconds};
use portvakt::id::{ClientId, Id, kind};
use portvakt::login::Progress;
use portvakt::person::holdings::{HOLDINGS, OfPeople, Part};
use portvakt::random::Random;
use portvakt::secret::Secret;
use portvakt::session::Session;
use portvakt::shows;
use portvakt::storage::{EventFilter, Finish, NumberIndex, Store};
use serde_json::{Value, json};
use sqlx::{Connection, Executor, PgConnection};

use crate::refresh::{refresh, text};
use crate::sealing::{dump, encodings};
use crate::storage::{issued, login, tokens};
use crate::support::doors::{Ran, desk, ran};
use crate::support::phone::{ASA, TOLVAN, YUSUF};
use crate::support::{App, Backend, Browser, Database, Options, SECRET, on_both, run};
use crate::token::{claims, redeem, told};

const WHY: &str = "Begäran, ärende 2026/17";

fn number(text: &str) -> PersonalNumber {
    PersonalNumber::parse(text).expect("a number")
}

/// The command line, for somebody whose number is in a file.
fn by_shell(app: &App, what: &str, person: &str, more: &[&str]) -> Ran {
    let file = tempfile::NamedTempFile::new_in(app.directory.path()).expect("a file");
    std::fs::write(file.path(), format!("{person}\n")).expect("written");
    let file = file.path().to_str().expect("UTF-8");
    let arguments = ["person", what, "--why", WHY, "--number-file", file];
    ran(app, &[&arguments, more].concat())
}

/// The API.
async fn by_api(app: &App, what: &str, body: &Value) -> (u16, Value) {
    let scopes = ["portvakt:persons:export", "portvakt:persons:erase"];
    let robot = json!({"client_name": "Roboten", "client_credentials": {"scopes": scopes}});
    app.register("robot", robot).await;
    let form = [("grant_type", "client_credentials")];
    let token = app.http.post(format!("{}/token", app.issuer)).form(&form);
    let token = told(token.basic_auth("robot", Some(SECRET))).await.body;
    let url = format!("{}/api/v1/persons/{what}", app.admin);
    let request = app.http.post(url).bearer_auth(text(&token, "access_token"));
    let told = told(request.json(body)).await;
    (told.status, told.body)
}

fn asked(person: &str) -> Value {
    json!({"personal_number": person, "why": WHY})
}

/// The same in this process.
async fn erase(app: &App, person: &str, evidence: Evidence) -> Result<Outcome, Unmet> {
    erase_at(app, &app.provider.store, person, evidence).await
}

async fn erase_at(
    app: &App,
    store: &Store,
    person: &str,
    evidence: Evidence,
) -> Result<Outcome, Unmet> {
    let desk = portvakt::admin::Desk {
        store,
        ..desk(app, Door::Cli)
    };
    let number = number(person);
    let asked = Asked {
        number: &number,
        why: WHY,
    };
    person::erase(&desk, &app.provider.keys, asked, evidence).await
}

/// Everything that a person can leave behind: what must not be told of it, and their subject at `web`.
async fn leave_traces(app: &App, browser: &Browser, person: &str) -> (Vec<String>, String) {
    let callback = "https://proof.example/callback";
    let proof = [
        ("client_id", Some("proving")),
        ("redirect_uri", Some(callback)),
    ];
    app.log_in_at(&Browser::new(), person, &app.authorize_url(&proof))
        .await;
    let answer = app.log_in(browser, person).await;
    let web = redeem(app, &answer).await;
    let subject = claims(app, &web).await["sub"].clone();
    let offline = [
        ("client_id", Some("offline")),
        ("redirect_uri", Some("https://offline.example/callback")),
        ("scope", Some("openid profile offline_access")),
    ];
    let offline = app.log_in_with(&Browser::new(), person, &offline).await;
    let offline = crate::refresh::exchange(app, &offline).await.body;
    // A pushed request that names them, a login that does, and one that they approved and nobody finished.
    let value = json!({"id_token": {"personal_number": {"value": person}}}).to_string();
    crate::par::push(app, &[("claims", Some(&value))]).await;
    let (store, random) = (&app.provider.store, Random::system());
    let node = store
        .start_node("b", app.clock.now())
        .await
        .expect("started");
    let (mut hinted, mut open) = (login(&app.clock, &random), login(&app.clock, &random));
    let hint = (
        "id_token_hint".to_owned(),
        text(&web, "id_token").to_owned(),
    );
    hinted.asked.parameters = Parameters::from_pairs([hint]);
    open.asked.parameters = Parameters::default();
    for login in [&hinted, &open] {
        let began = store.begin_login(login, None, &node, app.clock.now()).await;
        assert!(began.expect("stored"));
    }
    let data = json!({"user": {"personalNumber": person, "name": "T T", "givenName": "T", "surname": "T"}});
    let data = Progress::Complete(serde_json::from_value(data).expect("data"));
    let kept = store.keep_progress(open.id, open.order.id, &data, Some(app.clock.now()));
    assert!(kept.await.expect("stored").is_some());
    let secrets = vec![
        answer.code().to_owned(),
        text(&web, "access_token").to_owned(),
        text(&offline, "access_token").to_owned(),
        text(&offline, "refresh_token").to_owned(),
        open.order.tokens.order_ref,
        open.order.tokens.qr_start_secret,
    ];
    (secrets, subject.as_str().expect("a subject").to_owned())
}

/// How many rows each table has.
fn counts(app: &App) -> BTreeMap<&'static str, String> {
    let count = |table: &'static str| {
        let question = format!("SELECT CAST(COUNT(*) AS TEXT) FROM {table}");
        let rows = app.database.texts(app.directory.path(), question);
        (table, rows.concat())
    };
    HOLDINGS.iter().map(|one| count(one.table)).collect()
}

fn people(app: &App) -> Vec<String> {
    let question = "SELECT id FROM person ORDER BY id";
    app.database.texts(app.directory.path(), question)
}

/// What was told, by its parts.
fn parts(told: &Value) -> BTreeMap<&str, &Vec<Value>> {
    let parts = told["parts"].as_array().expect("parts").iter();
    let parts = parts.map(|part| {
        let items = part["items"].as_array().expect("a list");
        (part["part"].as_str().expect("a name"), items)
    });
    parts.collect()
}

async fn app(database: Database, backend: &Backend) -> App {
    let options = Options {
        evidence: true,
        told: Some(backend.told.clone()),
        ..Options::on(database)
    };
    App::start(options).await
}

on_both!(
    all_that_is_kept_of_a_person_is_told_and_erased,
    async |database: Database| {
        let _shows = shows!(accepting "D6", refusing "D6", accepting "PV-PERSON-1", accepting "PV-PERSON-2", accepting "M9");
        let backend = Backend::start();
        let app = app(database.clone(), &backend).await;
        let bystander = Browser::new();
        let (_, other) = leave_traces(&app, &bystander, ASA).await;
        let (before, others) = (counts(&app), people(&app));
        let browser = Browser::new();
        let (secrets, subject) = leave_traces(&app, &browser, TOLVAN).await;
        let is_more = |table: &str, now: &BTreeMap<&str, String>| {
            let count = |of: &BTreeMap<&str, String>| of[table].parse::<i64>().expect("a number");
            count(now) > count(&before)
        };
        let filled = counts(&app);
        for one in HOLDINGS {
            if let OfPeople::Erased(..) = one.of_people {
                assert!(is_more(one.table, &filled), "{} is not filled", one.table);
            }
        }
        let person = people(&app).into_iter().find(|id| !others.contains(id));
        let person = person.expect("they are kept");

        // By both doors the same is told.
        let shell = by_shell(&app, "export", TOLVAN, &[]).json();
        let (status, api) = by_api(&app, "export", &asked(TOLVAN)).await;
        assert_eq!(status, 200, "{api}");
        let (by_shell_parts, by_api_parts) = (parts(&shell), parts(&api));
        for part in Part::ALL {
            let name = part.as_str();
            let (one, two) = (by_shell_parts[name], by_api_parts[name]);
            match part {
                // To be told is an event, too.
                Part::Audit => assert_eq!((one.len(), two.len()), (1, 2), "{two:?}"),
                Part::Administration => assert_eq!((one.len(), two.len()), (0, 0)),
                // Nobody's session has ended.
                Part::Notices => assert_eq!(one, two),
                _ => assert!(one == two && !one.is_empty(), "{name}: {one:?} {two:?}"),
            }
        }
        for part in shell["parts"].as_array().expect("parts") {
            for told in ["purpose", "until"] {
                assert!(
                    part[told].as_str().is_some_and(|text| text.len() > 5),
                    "{part}"
                );
            }
        }
        let said = api.to_string();
        for kept in [
            TOLVAN,
            "Tolvan",
            subject.as_str(),
            "127.0.0.1",
            "\"proving\"",
            "\"offline\"",
            "signature",
            WHY,
        ] {
            assert!(said.contains(kept), "{kept} is not in {said}");
        }
        assert_eq!(by_api_parts["evidence"].len(), 1);
        assert_eq!(by_api_parts["sessions"].len(), 3);
        // What they approved, what names them, and what was finished.
        assert_eq!(
            by_api_parts["logins"].len(),
            5,
            "{:?}",
            by_api_parts["logins"]
        );
        for untold in secrets
            .iter()
            .map(String::as_str)
            .chain([ASA, other.as_str()])
        {
            assert!(!said.contains(untold), "{untold}");
        }
        assert!(
            !said.contains(&person),
            "the random name says nothing to anybody"
        );

        // Erased, but for the evidence.
        let outcome = by_shell(&app, "erase", TOLVAN, &["--json"]).json();
        let erased = &outcome["erased"];
        assert_eq!(
            (&erased["person"], &erased["evidence"]),
            (&json!(1), &json!(0))
        );
        assert_eq!(
            (&erased["sessions"], &erased["grants"]),
            (&json!(3), &json!(3))
        );
        assert_eq!(outcome["clients"], json!(["offline", "proving", "web"]));
        let stays = outcome["stays"].as_array().expect("a list");
        let stay = |part: &str| stays.iter().filter(|one| one["part"] == part).count();
        assert_eq!(
            (stay("evidence"), stay("notices"), stay("audit")),
            (1, 1, 1)
        );
        let after = counts(&app);
        for one in HOLDINGS {
            match one.of_people {
                OfPeople::Erased(..) => assert!(!is_more(one.table, &after), "{}", one.table),
                OfPeople::Stays(Part::Evidence, _) => assert!(is_more(one.table, &after)),
                _ => {}
            }
        }
        assert_eq!(people(&app), others);
        // What applications have is worth nothing, and they are told.
        let told = refresh(&app, &secrets[3]).await;
        assert_eq!(told.body["error"], "invalid_grant");
        assert_eq!(crate::userinfo::ask(&app, &secrets[1]).await.status, 401);
        assert!(!crate::logout::is_logged_in(&app, &browser).await);
        assert!(crate::logout::is_logged_in(&app, &bystander).await);
        app.clock.advance(Duration::from_secs(31));
        backend.until(1).await;
        let heard = crate::logout::part(&backend.heard()[0].token, 1);
        assert_eq!(heard["sub"], subject.as_str());

        // Nothing leads to what stays but the number itself, and then to no more than was said.
        let (status, again) = by_api(&app, "export", &asked(TOLVAN)).await;
        assert_eq!(status, 200, "{again}");
        let left = parts(&again);
        let left: Vec<&str> = left
            .iter()
            .filter(|(_, items)| !items.is_empty())
            .map(|(name, _)| *name)
            .collect();
        assert_eq!(left, ["evidence"], "{again}");
        let body = json!({"personal_number": TOLVAN, "why": WHY, "with_evidence": true});
        let (status, outcome) = by_api(&app, "erase", &body).await;
        assert_eq!(
            (status, &outcome["erased"]["evidence"]),
            (200, &json!(1)),
            "{outcome}"
        );
        assert_eq!(counts(&app)["evidence"], before["evidence"]);
        for what in ["export", "erase"] {
            let (status, nobody) = by_api(&app, what, &body_of(what)).await;
            assert_eq!(status, 404, "{nobody}");
            let said = by_shell(&app, what, TOLVAN, &[]).bad();
            assert!(said.contains("nothing is kept under this number"), "{said}");
        }

        // The audit log knows who was asked for, and names nobody.
        let store = &app.provider.store;
        let events = store
            .events(&EventFilter::default(), 1000)
            .await
            .expect("read");
        let of = |action: &str| {
            let events = events.iter().filter(|event| event.action == action);
            events
                .map(|event| event.object.as_str())
                .collect::<Vec<_>>()
        };
        let (exports, erasures) = (of("person.export"), of("person.erase"));
        assert_eq!(
            (exports.len(), erasures.len()),
            (5, 4),
            "{exports:?} {erasures:?}"
        );
        // The latest first.
        let pseudonym = exports[4];
        assert_eq!(pseudonym, exports[3]);
        assert_eq!(pseudonym, erasures[3]);
        assert!(pseudonym.starts_with("person:") && pseudonym.len() == 39);
        for later in exports[..3].iter().chain(&erasures[..3]) {
            assert_eq!(*later, "person:nobody");
        }
        for event in &events {
            let text = format!("{} {} {}", event.actor, event.object, event.detail);
            assert!(
                !text.contains(&TOLVAN[2..]) && !text.contains(&person),
                "{text}"
            );
        }
        let verified = store
            .verify_audit(None, app.clock.now())
            .await
            .expect("read");
        assert_eq!(verified, []);

        // Whoever logs in with the number is somebody new.
        let tokens = redeem(&app, &app.log_in(&Browser::new(), TOLVAN).await).await;
        assert_ne!(claims(&app, &tokens).await["sub"], subject.as_str());
        let fresh = people(&app).into_iter().find(|id| !others.contains(id));
        assert_ne!(fresh.expect("they are kept"), person);

        // In no file, in no form, whatever the database does with what it removed.
        erase(&app, TOLVAN, Evidence::Goes).await.expect("erased");
        app.stop_provider().await;
        let dump = dump(&database, app.directory.path());
        let holds = |bytes: &[u8]| dump.windows(bytes.len()).any(|part| part == bytes);
        assert!(holds(others[0].as_bytes()), "the dump is one");
        let (long, short) = TOLVAN.split_at(8);
        let mut forms = encodings(person.as_bytes());
        for text in [
            TOLVAN.to_owned(),
            TOLVAN[2..].to_owned(),
            format!("{long}-{short}"),
            format!("{}-{short}", &long[2..]),
        ] {
            forms.extend(encodings(text.as_bytes()));
        }
        for form in forms {
            assert!(!holds(&form), "{}", String::from_utf8_lossy(&form));
        }
    }
);

fn body_of(what: &str) -> Value {
    match what {
        "erase" => json!({"personal_number": TOLVAN, "why": WHY, "with_evidence": true}),
        _ => asked(TOLVAN),
    }
}

#[test]
fn nobody_is_looked_up_without_a_reason_or_by_an_argument() {
    run(async {
        let _shows = shows!(accepting "PV-PERSON-2", refusing "PV-PERSON-2", refusing "M9");
        let app = App::on(Database::sqlite()).await;
        app.log_in(&Browser::new(), TOLVAN).await;
        for (body, place) in [
            (json!({"personal_number": TOLVAN, "why": "vet"}), "why"),
            (
                json!({"personal_number": TOLVAN, "why": "19121212-1212 bad"}),
                "why",
            ),
            (
                json!({"personal_number": TOLVAN, "why": "rad\när slut"}),
                "why",
            ),
            (json!({"personal_number": TOLVAN}), "why"),
            (
                json!({"personal_number": "19121212-1212", "why": WHY}),
                "personal_number",
            ),
            (
                json!({"personal_number": "1212121212", "why": WHY}),
                "personal_number",
            ),
            (
                json!({"personal_number": 191212121212_i64, "why": WHY}),
                "personal_number",
            ),
            (json!({"why": WHY}), "personal_number"),
            (
                json!({"personal_number": TOLVAN, "why": WHY, "more": 1}),
                "more",
            ),
        ] {
            for what in ["export", "erase"] {
                let (status, told) = by_api(&app, what, &body).await;
                assert_eq!(status, 400, "{told}");
                assert_eq!(told["mistakes"][0]["setting"], place, "{told}");
                assert!(!told.to_string().contains(&TOLVAN[2..]), "{told}");
            }
        }
        let url = format!(
            "{}/api/v1/persons/export?personal_number={TOLVAN}",
            app.admin
        );
        assert_ne!(
            app.http.get(url).send().await.expect("an answer").status(),
            200
        );
        for arguments in [
            &["person", "export", TOLVAN, "--why", WHY][..],
            &["person", "export", "--number", TOLVAN, "--why", WHY],
            &["person", "erase", "--why", WHY],
            &[
                "person",
                "export",
                "--number-file",
                "/dev/null",
                "--why",
                WHY,
            ],
        ] {
            ran(&app, arguments).bad();
        }
        for bad in [
            "1212121212",
            "121212-1212",
            "19121212121x",
            "191212121212 191212121212",
        ] {
            let said = by_shell(&app, "export", bad, &[]).bad();
            assert!(
                said.contains("must hold 12 digits") && !said.contains(bad),
                "{said}"
            );
        }
        let filter = |action: &str| EventFilter {
            action: Some(action.to_owned()),
            ..EventFilter::default()
        };
        let store = &app.provider.store;
        for action in ["person.export", "person.erase"] {
            let events = store.events(&filter(action), 10).await.expect("read");
            assert_eq!(events.len(), 0, "what is refused looks nobody up");
        }
        // A hyphen is fine, and a file of one's own is written for nobody else.
        let out = app.directory.path().join("told.json");
        let out = out.to_str().expect("UTF-8");
        // Whoever could read what was there before cannot read this.
        std::fs::write(out, "before").expect("written");
        let all = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        std::fs::set_permissions(out, all).expect("set");
        by_shell(&app, "export", "19121212-1212", &["--out", out]).good();
        let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(out).expect("a file"));
        assert_eq!(mode & 0o777, 0o600);
        let written: Value =
            serde_json::from_str(&std::fs::read_to_string(out).expect("a file")).expect("JSON");
        assert_eq!(written["personal_number"], TOLVAN);
        // Whoever is not known was asked for all the same.
        by_shell(&app, "export", YUSUF, &[]).bad();
        let events = store
            .events(&filter("person.export"), 10)
            .await
            .expect("read");
        assert_eq!(events.len(), 2);
        assert_eq!(events[0].object, "person:nobody");
        assert!(events[0].detail.contains(WHY), "{}", events[0].detail);
        // For people there are the words.
        let said = by_shell(&app, "erase", TOLVAN, &[]).good();
        assert!(said.starts_with("Erased: 1 person, 1 sessions"), "{said}");
        assert!(said.contains("Stays: audit"), "{said}");
    });
}

on_both!(
    nobody_is_erased_who_administers,
    async |database: Database| {
        let _shows = shows!(refusing "D6", refusing "PV-PERSON-2");
        let app = App::on(database).await;
        let auditor = app.administrator(Role::Auditor, Reach::All, TOLVAN).await;
        let before = counts(&app);
        let refused = erase(&app, TOLVAN, Evidence::Goes)
            .await
            .expect_err("refused");
        assert!(
            refused
                .to_string()
                .contains("remove them as administrator first")
        );
        let (status, told) = by_api(&app, "erase", &asked(TOLVAN)).await;
        assert_eq!(
            (status, text(&told, "type")),
            (403, "urn:portvakt:problem:forbidden")
        );
        assert_eq!(auditor.get("/audit").await.status, 200);
        for table in ["person", "session", "client_grant", "approval", "login"] {
            assert_eq!(counts(&app)[table], before[table], "{table}");
        }
        // They are told of it, with what they did.
        let told = by_shell(&app, "export", TOLVAN, &[]).json();
        let administration = parts(&told)["administration"].clone();
        assert_eq!(administration.len(), 1, "{told}");
        assert_eq!(administration[0]["role"], "auditor");
        assert_eq!(
            administration[0]["sessions"].as_array().map(Vec::len),
            Some(1)
        );
        let did = administration[0]["events"].to_string();
        assert!(did.contains("administrator.enrol"), "{did}");
        let id = auditor.administrator.id.to_string();
        ran(&app, &["admin", "remove", &id]).good();
        erase(&app, TOLVAN, Evidence::Goes).await.expect("erased");
        assert_eq!(people(&app), [] as [String; 0]);
    }
);

/// A login of a person, unless it is erased under way.
async fn log_in(
    store: &Store,
    clock: &Clock,
    random: &Random,
    index: NumberIndex,
) -> Option<Id<kind::Person>> {
    let now = clock.now();
    let node = store.start_node("b", now).await.expect("started");
    let login = login(clock, random);
    let began = store.begin_login(&login, None, &node, now).await;
    assert!(began.expect("stored"));
    let finish = Finish {
        evidence: None,
        login: login.id,
        order: login.order.id,
        index,
        old_browser: None,
        new_browser: Secret::fresh(random).digest(),
        client_id: &login.client_id,
        subject_key: &crate::sealing::key(9),
        approved: std::collections::BTreeSet::new(),
        approved_offline: false,
    };
    let finished = store.finish_login(&finish, Id::fresh(random), now, |person, _| {
        let issued = issued(clock, random);
        let session = Session {
            id: issued.grant.session,
            person,
            identity: issued.grant.identity.clone(),
            auth_time: now,
            txn: login.order.id,
            expires_at: now + Seconds(3600),
        };
        (session, issued, person)
    });
    let finished = finished.await.expect("no fault");
    finished.map(|finished| finished.outcome)
}

/// How often, where nobody asks for more by `PORTVAKT_TEST_ROUNDS`.
const ROUNDS: usize = 12;

on_both!(
    an_erasure_and_a_login_at_once_leave_nothing_by_halves,
    async |database: Database| {
        let _shows = shows!(accepting "PV-PERSON-3", refusing "PV-PERSON-3");
        let app = App::on(database.clone()).await;
        let (one, clock, random) = (&app.provider.store, &app.clock, Random::system());
        let (two, _, _) = crate::storage::open(&database, app.directory.path()).await;
        let rounds = std::env::var("PORTVAKT_TEST_ROUNDS");
        let rounds = rounds.map_or(ROUNDS, |text| text.parse().expect("a number of rounds"));
        let index = || app.provider.keys.index.of(TOLVAN.as_bytes());
        let web = ClientId::parse("web").expect("an id");
        let mut erasures = 0;
        for round in 0..rounds {
            // Somebody who is here, and some that come, on two nodes.
            let known = log_in(one, clock, &random, index()).await.expect("alone");
            let question = "SELECT id FROM session ORDER BY auth_time DESC";
            let session = app.database.texts(app.directory.path(), question);
            let mut again = issued(clock, &random);
            again.grant.session = Id::parse(&session[0]).expect("an id");
            let code = again.code.digest();
            one.issue_code(&again, clock.now())
                .await
                .expect("no fault")
                .expect("it lives");
            let mut later = issued(clock, &random);
            later.grant.session = again.grant.session;
            let tokens = tokens(&random, clock.now());
            let (a, b, c, d, e, f) = tokio::join!(
                log_in(one, clock, &random, index()),
                log_in(&two, clock, &random, index()),
                erase_at(&app, one, TOLVAN, Evidence::Goes),
                erase_at(&app, &two, TOLVAN, Evidence::Goes),
                one.exchange_code(code, again.grant.id, &web, &tokens, clock.now()),
                two.issue_code(&later, clock.now()),
            );
            e.expect("no fault");
            let _ = f.expect("no fault");
            for erasure in [c, d] {
                match erasure {
                    Ok(_) => erasures += 1,
                    Err(Unmet::Unknown(_)) => {}
                    Err(other) => panic!("round {round}: {other}"),
                }
            }
            let people = people(&app);
            assert!(people.len() <= 1, "round {round}: {people:?}");
            // Whoever is there after an erasure is one of those who came.
            let came = [Some(known), a, b].map(|id| id.map(|id| id.to_string()));
            let is_one = |id: &String| came.contains(&Some(id.clone()));
            assert!(people.iter().all(is_one), "round {round}");
            for (table, column) in [
                ("client_grant", "person_id"),
                ("session", "person_id"),
                ("approval", "person_id"),
                ("evidence", "person_id"),
            ] {
                let orphans = format!(
                    "SELECT CAST({column} AS TEXT) FROM {table} t WHERE NOT EXISTS
                        (SELECT 1 FROM person p WHERE p.id = t.{column})"
                );
                let orphans = app.database.texts(app.directory.path(), orphans);
                assert_eq!(orphans, [] as [String; 0], "round {round}: {table}");
            }
            // Whoever is logged in has what they logged in for.
            let whole = "SELECT s.id FROM session s WHERE NOT EXISTS
                (SELECT 1 FROM client_grant g WHERE g.session_id = s.id AND g.person_id = s.person_id)";
            let halves = app.database.texts(app.directory.path(), whole);
            assert_eq!(halves, [] as [String; 0], "round {round}");
            match erase(&app, TOLVAN, Evidence::Goes).await {
                Ok(_) | Err(Unmet::Unknown(_)) => {}
                Err(other) => panic!("round {round}: {other}"),
            }
            let left = counts(&app);
            for one in HOLDINGS {
                if let OfPeople::Erased(..) = one.of_people {
                    assert_eq!(left[one.table], "0", "round {round}: {}", one.table);
                }
            }
        }
        assert!(erasures >= rounds, "{erasures}");
    }
);

#[test]
fn a_login_that_is_about_to_end_is_waited_for_and_erased_whole() {
    let Some(database) = Database::postgres() else {
        return;
    };
    run(async {
        let _shows = shows!(accepting "PV-PERSON-3", refusing "PV-PERSON-3");
        let app = App::on(database).await;
        let index = app.provider.keys.index.of(TOLVAN.as_bytes());
        let random = Random::system();
        let came = log_in(&app.provider.store, &app.clock, &random, index).await;
        came.expect("alone");
        // Another login of theirs has done all but its commit.
        let url = app.database.url(app.directory.path());
        let mut other = PgConnection::connect(&url).await.expect("it answers");
        let login = "BEGIN;
            INSERT INTO session SELECT (jsonb_populate_record(s, '{\"id\": \"00000000-0000-4000-8000-000000000001\"}')).*
              FROM session s;
            INSERT INTO client_grant
            SELECT (jsonb_populate_record(g, '{\"id\": \"00000000-0000-4000-8000-000000000002\", \"session_id\": \"00000000-0000-4000-8000-000000000001\"}')).*
              FROM client_grant g";
        other.execute(sqlx::raw_sql(login)).await.expect("done");
        let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
            .fetch_one(&mut other)
            .await
            .expect("a number");
        let commit = async {
            let waiting = format!(
                "SELECT CAST(pid AS TEXT) FROM pg_stat_activity WHERE {pid} = ANY(pg_blocking_pids(pid))"
            );
            while app
                .database
                .texts(app.directory.path(), &waiting)
                .is_empty()
            {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            other.execute("COMMIT").await.expect("done");
        };
        let (erased, ()) = tokio::join!(erase(&app, TOLVAN, Evidence::Goes), commit);
        erased.expect("erased");
        let left = counts(&app);
        for table in ["person", "session", "client_grant", "code", "approval"] {
            assert_eq!(left[table], "0", "{table}");
        }
    });
}

#[test]
fn what_an_earlier_version_kept_is_told_and_erased_too() {
    run(async {
        let _shows = shows!(accepting "D6");
        let options = Options {
            evidence: true,
            ..Options::on(Database::sqlite())
        };
        let app = App::start(options).await;
        let browser = Browser::new();
        let (secrets, _) = leave_traces(&app, &browser, TOLVAN).await;
        leave_traces(&app, &Browser::new(), ASA).await;
        let directory = app.directory.path();
        for statement in [
            "UPDATE client_grant SET person_id = NULL",
            "UPDATE evidence SET person_id = NULL",
            "UPDATE person SET used_at = NULL",
        ] {
            app.database.meddle(directory, statement).expect("done");
        }
        // One whose session is gone is known by its subject alone.
        let gone = "DELETE FROM session WHERE client_id = 'offline'";
        assert_eq!(app.database.meddle(directory, gone), Ok(2));
        let told = by_shell(&app, "export", TOLVAN, &[]).json();
        let of = parts(&told);
        assert_eq!((of["grants"].len(), of["evidence"].len()), (3, 1), "{told}");
        assert!(!told.to_string().contains(ASA));
        erase(&app, TOLVAN, Evidence::Goes).await.expect("erased");
        let told = refresh(&app, &secrets[3]).await;
        assert_eq!(told.body["error"], "invalid_grant");
        for table in ["client_grant", "evidence", "person"] {
            let rows = counts(&app)[table].clone();
            let expected = match table {
                "client_grant" => "3",
                _ => "1",
            };
            assert_eq!(rows, expected, "{table}: the other's stay");
        }
    });
}

on_both!(
    evidence_that_outlives_its_person_is_told_and_erased_too,
    async |database: Database| {
        let _shows = shows!(accepting "D6");
        let options = Options {
            evidence: true,
            ..Options::on(database)
        };
        let app = App::start(options).await;
        leave_traces(&app, &Browser::new(), TOLVAN).await;
        // Kept for much longer than anybody who does not come back.
        let directory = app.directory.path();
        let kept = "UPDATE evidence SET expires_at = expires_at + 400000000";
        assert_eq!(app.database.meddle(directory, kept), Ok(1));
        app.clock
            .advance(Duration::from_secs(40 * 31 * 24 * 60 * 60));
        let (store, now) = (&app.provider.store, app.clock.now());
        store.sweep(now).await.expect("swept");
        let console =
            |person| portvakt::admin::console::subject(&app.provider.keys.subject, person);
        let before = now - app.provider.config.person_kept;
        let gone = store.sweep_people(before, now, console).await;
        assert_eq!(
            (gone.expect("swept"), counts(&app)["evidence"].as_str()),
            (1, "1")
        );
        let nobodys = "SELECT CAST(count(*) AS TEXT) FROM evidence WHERE person_id IS NULL";
        assert_eq!(app.database.texts(directory, nobodys), ["1"]);
        // Earlier versions left the id of nobody.
        let left = "UPDATE evidence SET person_id = 'nobody'";
        for statement in [None, Some(left)] {
            if let Some(statement) = statement {
                assert_eq!(app.database.meddle(directory, statement), Ok(1));
            }
            let told = by_shell(&app, "export", TOLVAN, &[]).json();
            assert_eq!(parts(&told)["evidence"].len(), 1, "{told}");
        }
        erase(&app, TOLVAN, Evidence::Goes).await.expect("erased");
        assert_eq!(counts(&app)["evidence"], "0");
    }
);

#[test]
fn every_table_is_known_to_hold_of_people_what_it_does() {
    run(async {
        let _shows = shows!(accepting "PV-PERSON-1", refusing "PV-PERSON-1");
        let directory = tempfile::tempdir().expect("a directory");
        let database = Database::sqlite();
        let url = database.url(directory.path());
        portvakt::storage::migrate(&url).await.expect("migrated");
        let question = "SELECT name FROM sqlite_master WHERE type = 'table'
             AND name NOT LIKE 'sqlite%' AND name <> '_sqlx_migrations' ORDER BY name";
        let tables = database.texts(directory.path(), question);
        let known: Vec<&str> = HOLDINGS.iter().map(|one| one.table).collect();
        assert_eq!(tables, known, "say of each what it holds of people");
    });
}

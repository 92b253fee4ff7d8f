//! The connection to the database is cut, or falls silent, at each statement of a login. Which statements those
//! are is not written here: a login is recorded first.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use portvakt::shows;
use portvakt::simulator::people::Person;
use portvakt::testing::canary;

use crate::crash::Serving;
use crate::support::between::{Between, Fate, When};
use crate::support::campaign::{self, Application, Chance, Told, claims};
use crate::support::{Answer, App, Backend, Browser, Database, Options, Page, run};

/// How many cuts are made where nobody asks for all of them.
const SAMPLE: usize = 12;
/// How many silences, each of which takes as long as an answer is waited for.
const SILENT_SAMPLE: usize = 6;
/// How many logins are under way at once, each by a node of its own.
const LANES: usize = 3;
/// How often a cut is tried that does not come to be: some statements run by chance.
const TRIES: usize = 3;
/// Of what is done again and again while a page waits, only the first few are cut.
const MOST_ALIKE: usize = 3;

/// How much later the database hears of a commit whose connection is cut.
const LATE: Duration = Duration::from_millis(800);

/// Where a connection is cut.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    device: &'static str,
    step: &'static str,
    sql: String,
    /// Which one of those that are alike in this step.
    nth: usize,
}

impl Place {
    /// It is cut each time, and a commit is once more cut and comes late.
    fn cuts(&self) -> Vec<Fate> {
        let is_commit = self.sql == "COMMIT" || self.sql.starts_with("WITH ");
        let late = is_commit.then_some(Fate::Late(LATE));
        let cuts = When::ALL.map(Fate::Cut);
        cuts.into_iter().chain(late).collect()
    }

    /// No answer comes, whether the database did it or not, and nobody hangs up.
    fn silences(&self) -> Vec<Fate> {
        [When::Unsent, When::Done].map(Fate::Held).to_vec()
    }
}

/// What a login with a cut in it came to.
#[derive(Default)]
struct Journey {
    /// Steps that had to be asked again.
    again: Vec<&'static str>,
    /// Whether it had to be begun anew, because what was stored was not told.
    anew: bool,
    /// The session that was logged out.
    sid: Option<String>,
}

/// A node with a person, and the connections between it and the database.
struct Lane<'a> {
    app: &'a App,
    node: Serving,
    between: Between,
    step: Arc<Mutex<&'static str>>,
    person: &'static str,
    sessions: Mutex<HashSet<String>>,
}

impl<'a> Lane<'a> {
    async fn start(app: &'a App, number: usize) -> Lane<'a> {
        let between = Between::start(&app.database.url(app.directory.path())).await;
        let node = Serving::behind(app, &format!("lane-{number}"), &between).await;
        let person = Person::of_crowd(number).personal_number;
        canary(person);
        Lane {
            app,
            node,
            between,
            step: Arc::new(Mutex::new("")),
            person,
            sessions: Mutex::default(),
        }
    }

    fn enter(&self, step: &'static str) {
        *self.step.lock().expect("unpoisoned") = step;
    }

    /// The statements of a login, as often as they ran in each of its steps.
    async fn record(&self, device: &'static str) -> BTreeMap<(&'static str, String), usize> {
        let seen: Arc<Mutex<BTreeMap<_, usize>>> = Arc::default();
        let (noted, step) = (seen.clone(), self.step.clone());
        self.between.watch(move |statement, _| {
            let step = *step.lock().expect("unpoisoned");
            let mut noted = noted.lock().expect("unpoisoned");
            *noted.entry((step, statement.sql.clone())).or_default() += 1;
            None
        });
        let journey = self.journey(device).await;
        self.between.let_pass();
        assert!(journey.again.is_empty(), "{:?}", journey.again);
        std::mem::take(&mut *seen.lock().expect("unpoisoned"))
    }

    /// A login with one cut in it. `None`: the statement did not come.
    async fn cut(&self, place: &Place, fate: Fate) -> Option<Journey> {
        for _ in 0..TRIES {
            let (is_cut, here) = (Arc::new(AtomicBool::new(false)), place.clone());
            let (told, step) = (is_cut.clone(), self.step.clone());
            let mut alike = 0;
            self.between.watch(move |statement, _| {
                let is_there = *step.lock().expect("unpoisoned") == here.step;
                alike += usize::from(is_there && statement.sql == here.sql);
                (is_there && alike == here.nth).then(|| {
                    told.store(true, Ordering::SeqCst);
                    fate
                })
            });
            let journey = self.journey(place.device).await;
            self.between.let_pass();
            if journey.anew {
                let next = self.journey(place.device).await;
                assert!(!next.anew && next.again.is_empty(), "the next login works");
            }
            if is_cut.load(Ordering::SeqCst) {
                return Some(journey);
            }
            assert!(journey.again.is_empty() && !journey.anew, "without a cut");
        }
        None
    }

    /// Asks for something, and once more if that is refused for now. `fine` is told which try it was.
    async fn asked<T: Shown>(
        &self,
        journey: &mut Journey,
        step: &'static str,
        ask: impl AsyncFn() -> T,
        fine: impl Fn(&T, usize) -> bool,
    ) -> T {
        self.enter(step);
        let first = ask().await;
        if fine(&first, 0) {
            return first;
        }
        assert!(first.is_friendly(), "{step}: {}", first.shown());
        journey.again.push(step);
        let next = ask().await;
        assert!(fine(&next, 1), "{step}, asked again: {}", next.shown());
        next
    }

    /// A login from its first page to its logout.
    async fn journey(&self, device: &'static str) -> Journey {
        let (browser, application) = (Browser::new(), Application { app: self.app });
        browser.connect_to(self.node.port);
        let mut journey = Journey::default();
        let Some(code) = self.code(&mut journey, &browser, device).await else {
            journey.anew = true;
            return journey;
        };
        let port = self.node.port;
        let exchange = || async { application.exchange(port, &code).await.expect("an answer") };
        // An exchange whose answer was lost may have spent the code.
        let fine = |told: &Told, tries| {
            told.status == 200
                || tries == 1 && (told.status, told.error()) == (400, "invalid_grant")
        };
        let first = self.asked(&mut journey, "exchange", exchange, fine).await;
        if first.status != 200 {
            journey.anew = true;
            return journey;
        }
        let id_token = first.text("id_token");
        let known = claims(&id_token);
        assert_eq!(known["personal_number"], self.person);
        let shown = first.text("refresh_token");
        let refresh = || async { application.refresh(port, &shown).await.expect("an answer") };
        let fine = |told: &Told, _| told.status == 200;
        let second = self.asked(&mut journey, "refresh", refresh, fine).await;
        let token = second.text("access_token");
        let userinfo = || async { application.userinfo(port, &token).await.expect("an answer") };
        let told = self.asked(&mut journey, "userinfo", userinfo, fine).await;
        assert_eq!(told.body["sub"], known["sub"]);
        let url = format!("{}/logout?id_token_hint={id_token}", self.app.issuer);
        let logout = || browser.get(&url);
        let fine = |page: &Page, _| page.status == 200;
        self.asked(&mut journey, "logout", logout, fine).await;
        self.enter("after");
        let none = campaign::authorize_url(self.app, &[("prompt", Some("none"))]);
        let left = Answer::of(&browser.get(&none).await);
        assert_eq!(left.get("error"), Some("login_required"));
        // The code was used, whatever its answer was worth.
        let again = application.exchange(port, &code).await.expect("an answer");
        assert_eq!((again.status, again.error()), (400, "invalid_grant"));
        let sid = known["sid"].as_str().expect("a session").to_owned();
        assert!(
            self.sessions
                .lock()
                .expect("unpoisoned")
                .insert(sid.clone())
        );
        journey.sid = Some(sid);
        journey
    }

    /// `None`: it was given, and lost on the way.
    async fn code(
        &self,
        journey: &mut Journey,
        browser: &Browser,
        device: &'static str,
    ) -> Option<String> {
        let url = campaign::authorize_url(self.app, &[]);
        let fine = |page: &Page, _| page.status == 200;
        let choice = self
            .asked(journey, "authorize", || browser.get(&url), fine)
            .await;
        let led = |page: &Page, _| page.status == 303;
        let press = || browser.press(&choice, device);
        let pressed = self.asked(journey, "choose", press, led).await;
        let login = || browser.follow(&pressed);
        let mut login = self.asked(journey, "page", login, fine).await;
        self.enter("answer");
        let claimed = match device {
            "other" => self.app.phone.scan(&login.qr_text(), self.person).await,
            _ => self.app.phone.open(&login.launch_link(), self.person).await,
        };
        claimed.approve().await;
        if let Some(return_url) = &claimed.return_url {
            let come_back = || browser.get(return_url);
            let returned = self.asked(journey, "return", come_back, led).await;
            let tab = || browser.follow(&returned);
            login = self.asked(journey, "tab", tab, fine).await;
        }
        self.enter("answer");
        self.until_it_can_end(journey, browser, &login).await;
        let url = format!("{}/finish", login.login_url());
        let finish = || browser.get(&url);
        let fine = |page: &Page, tries| page.status == 303 || tries == 1 && page.status == 410;
        let finished = self.asked(journey, "finish", finish, fine).await;
        (finished.status == 303).then(|| Answer::of(&finished).code().to_owned())
    }

    async fn until_it_can_end(&self, journey: &mut Journey, browser: &Browser, login: &Page) {
        let mut shown = String::new();
        for _ in 0..160 {
            let page = browser.get(&login.url).await;
            match page.screen() {
                Some(screen) if screen == "finish" => return,
                Some(screen) if page.status == 200 => shown = screen,
                _ => {
                    assert!(page.is_friendly(), "answer: {}", page.shown());
                    journey.again.push("answer");
                }
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        panic!("what BankID said is lost: {shown}");
    }
}

/// What was asked for, or a refusal.
trait Shown {
    /// Whether it says that one may try again, and that it was not the asker's fault.
    fn is_friendly(&self) -> bool;
    fn shown(&self) -> String;
}

impl Shown for Page {
    fn is_friendly(&self) -> bool {
        let is_page = self.body.contains("<html") && self.body.contains("försök igen");
        self.status == 503 && self.header("retry-after") == "5" && is_page
    }

    fn shown(&self) -> String {
        format!("{} {:?} {}", self.status, self.location(), self.body)
    }
}

impl Shown for Told {
    fn is_friendly(&self) -> bool {
        self.status == 503 && ["server_error", "temporarily_unavailable"].contains(&self.error())
    }

    fn shown(&self) -> String {
        format!("{} {}", self.status, self.body)
    }
}

/// Whether a statement runs when some time has gone by, and not at each login: clients are known for a moment.
fn is_by_the_clock(sql: &str) -> bool {
    sql.starts_with("SELECT version, created_at FROM client")
}

/// All places, by two recordings each: what ran in one of them alone ran by chance.
async fn places(lane: &Lane<'_>) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    for device in ["other", "this"] {
        let (first, second) = (lane.record(device).await, lane.record(device).await);
        for ((step, sql), times) in first {
            let both = second.get(&(step, sql.clone())).copied().unwrap_or(0);
            let most = times.min(both).min(MOST_ALIKE);
            for nth in 1..=most {
                let place = Place {
                    device,
                    step,
                    sql: sql.clone(),
                    nth,
                };
                let known = |it: &Place| (it.step, &it.sql, it.nth) == (step, &place.sql, nth);
                if step != "after" && !is_by_the_clock(&place.sql) && !places.iter().any(known) {
                    places.push(place);
                }
            }
        }
    }
    places
}

#[test]
fn a_login_goes_on_wherever_the_connection_to_the_database_is_cut() {
    let Some(database) = Database::postgres() else {
        return;
    };
    let _shows = shows!(accepting "P3", refusing "P3");
    goes_on(database, "cuts", Place::cuts, SAMPLE);
}

#[test]
fn a_login_goes_on_wherever_the_database_falls_silent() {
    let Some(database) = Database::postgres() else {
        return;
    };
    let _shows = shows!(accepting "PV-AWAY-3", refusing "PV-AWAY-3");
    goes_on(database, "silences", Place::silences, SILENT_SAMPLE);
}

fn goes_on(database: Database, name: &str, fates: fn(&Place) -> Vec<Fate>, sample: usize) {
    run(async {
        let chance = Chance::of(name);
        let backend = Backend::start();
        let app = campaign::app(Options::on(database), &backend).await;
        app.stop_provider().await;
        let lanes = join_all((0..LANES).map(|number| Lane::start(&app, number))).await;
        let places = places(&lanes[0]).await;
        let mut cuts: Vec<(Place, Fate)> = places
            .iter()
            .flat_map(|place| fates(place).into_iter().map(|fate| (place.clone(), fate)))
            .collect();
        let steps: HashSet<&str> = places.iter().map(|place| place.step).collect();
        for step in [
            "choose", "page", "answer", "return", "finish", "exchange", "refresh", "userinfo",
            "logout",
        ] {
            assert!(steps.contains(step), "{step} asks the database");
        }
        let all = cuts.len();
        chance.shuffle(&mut cuts);
        if !campaign::is_long() {
            cuts.truncate(sample);
        }
        let queue = Mutex::new(cuts.clone());
        let found = join_all(lanes.iter().map(|lane| work(lane, &queue))).await;
        let found: Vec<_> = found.into_iter().flatten().collect();
        let missed = found.iter().filter(|(_, _, it)| it.is_none()).count();
        let journeys = || found.iter().filter_map(|(_, _, it)| it.as_ref());
        let again = journeys().filter(|it| !it.again.is_empty()).count();
        let anew = journeys().filter(|it| it.anew).count();
        eprintln!(
            "{name}: {} of {all}, {missed} did not come to be; asked again after {again}, begun anew after {anew}",
            found.len()
        );
        assert!(missed * 10 <= found.len(), "{missed} of {}", found.len());
        campaign::holds(&app).await;
        everyone_was_told(&lanes, &backend).await;
        for lane in &lanes {
            // A node leaves a silent connection, and does not keep it for good.
            lane.between.until_none_is_silent().await;
        }
        // What was made for nothing is cancelled.
        campaign::until_none_waits(&app, Duration::from_secs(40)).await;
        assert_eq!(campaign::left_alone(&app).await, 0, "left to BankID");
    });
}

async fn work(
    lane: &Lane<'_>,
    queue: &Mutex<Vec<(Place, Fate)>>,
) -> Vec<(Place, Fate, Option<Journey>)> {
    let mut done = Vec::new();
    loop {
        let Some((place, fate)) = queue.lock().expect("unpoisoned").pop() else {
            return done;
        };
        // Printed when the test fails: the last one is where.
        println!("{} {fate:?} {place:?}", lane.node.port);
        let journey = lane.cut(&place, fate).await;
        done.push((place, fate, journey));
    }
}

/// Clients hear of every logout, in the end.
async fn everyone_was_told(lanes: &[Lane<'_>], backend: &Backend) {
    let mut missing: HashSet<String> = HashSet::new();
    for lane in lanes {
        missing.extend(lane.sessions.lock().expect("unpoisoned").iter().cloned());
    }
    campaign::until_told(backend, missing).await;
}

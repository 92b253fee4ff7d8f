//! Many people who log in at several nodes, without being kept at any of them, and who go to another one
//! when their connection breaks.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use portvakt::testing::canary;
use tokio::time::sleep;

use super::campaign::{self, Application, Chance, Told, claims};
use super::{Answer, App, Browser, Page};

/// Nodes behind a balancer that sends everyone anywhere.
pub struct Nodes<'a> {
    pub app: &'a App,
    chance: &'a Chance,
    ports: RefCell<BTreeMap<usize, u16>>,
    under_way: RefCell<HashMap<(u16, &'static str), usize>>,
    pub tally: Tally,
}

/// What was met with.
#[derive(Default)]
pub struct Tally {
    pub logins: Cell<usize>,
    /// Logins that were begun anew, because what was stored was not told.
    pub anew: Cell<usize>,
    /// Orders whose answer a node had when it died.
    pub lost: Cell<usize>,
    /// Answers of a node that was too busy.
    pub busy: Cell<usize>,
    /// Requests that were sent and not answered.
    pub broken: RefCell<BTreeMap<&'static str, usize>>,
    codes: RefCell<HashSet<String>>,
    subjects: RefCell<HashMap<String, &'static str>>,
    /// Sessions that were logged out.
    pub ended: RefCell<HashSet<String>>,
}

fn count(cell: &Cell<usize>) {
    cell.set(cell.get() + 1);
}

impl<'a> Nodes<'a> {
    pub fn new(app: &'a App, chance: &'a Chance) -> Nodes<'a> {
        Nodes {
            app,
            chance,
            ports: RefCell::default(),
            under_way: RefCell::default(),
            tally: Tally::default(),
        }
    }

    pub fn came(&self, node: usize, port: u16) {
        self.ports.borrow_mut().insert(node, port);
    }

    pub fn went(&self, node: usize) {
        self.ports.borrow_mut().remove(&node);
    }

    fn any(&self) -> u16 {
        let ports = self.ports.borrow();
        let which = self.chance.below(ports.len());
        *ports.values().nth(which).expect("a node lives")
    }

    /// How many requests of this kind a node has not answered yet.
    pub fn under_way(&self, port: u16, what: &'static str) -> usize {
        let under_way = self.under_way.borrow();
        under_way.get(&(port, what)).copied().unwrap_or(0)
    }

    fn begin(&'a self, port: u16, what: &'static str) -> UnderWay<'a> {
        let mut under_way = self.under_way.borrow_mut();
        *under_way.entry((port, what)).or_default() += 1;
        UnderWay {
            nodes: self,
            of: (port, what),
        }
    }
}

struct UnderWay<'a> {
    nodes: &'a Nodes<'a>,
    of: (u16, &'static str),
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let mut under_way = self.nodes.under_way.borrow_mut();
        *under_way.entry(self.of).or_default() -= 1;
    }
}

/// Somebody who logs in.
pub struct Visitor<'a> {
    pub nodes: &'a Nodes<'a>,
    pub browser: Browser,
    pub person: &'static str,
    /// Whether their browser follows the login by its stream of events.
    pub listens: bool,
}

trait Answered: std::fmt::Debug {
    fn status(&self) -> u16;
}

impl Answered for Page {
    fn status(&self) -> u16 {
        self.status
    }
}

impl Answered for Told {
    fn status(&self) -> u16 {
        self.status
    }
}

/// How often somebody looks whether their login goes on, with a pause between.
const LOOKS: usize = 200;
const PAUSE: Duration = Duration::from_millis(600);

impl Visitor<'_> {
    /// A login from the first page to the logout, by as many nodes as it takes.
    pub async fn log_in(&self) {
        canary(self.person);
        for _ in 0..5 {
            if self.logged_in().await {
                return count(&self.nodes.tally.logins);
            }
            count(&self.nodes.tally.anew);
        }
        panic!("again and again from the beginning");
    }

    /// Asks a node, and another one when nothing comes back. Says whether a request was sent of which nobody
    /// said what became of it. Nobody ever meets another fault than that there is too much to do.
    async fn ask<T: Answered>(
        &self,
        what: &'static str,
        ask: impl AsyncFn(u16) -> Result<T, reqwest::Error>,
    ) -> (T, bool) {
        let mut broke = false;
        for _ in 0..LOOKS {
            let port = self.nodes.any();
            let under_way = self.nodes.begin(port, what);
            let answer = ask(port).await;
            drop(under_way);
            match answer {
                Ok(answer) if answer.status() == 503 => {
                    broke = true;
                    count(&self.nodes.tally.busy);
                }
                Ok(answer) => {
                    assert!(answer.status() < 500, "{what}: {answer:?}");
                    return (answer, broke);
                }
                // There was nobody to send it to.
                Err(error) if error.is_connect() => {}
                Err(_) => {
                    broke = true;
                    let mut broken = self.nodes.tally.broken.borrow_mut();
                    *broken.entry(what).or_default() += 1;
                }
            }
            sleep(PAUSE / 4).await;
        }
        panic!("{what}: nobody answers");
    }

    async fn get(&self, what: &'static str, url: &str) -> (Page, bool) {
        let get = async |port| {
            self.browser.connect_to(port);
            self.browser.try_get(url).await
        };
        self.ask(what, get).await
    }

    async fn post(&self, what: &'static str, url: &str, form: &[(&str, &str)]) -> Page {
        let post = async |port| {
            self.browser.connect_to(port);
            self.browser.try_post(url, form).await
        };
        let (page, _) = self.ask(what, post).await;
        assert_eq!(page.status, 303, "{what}: {}", page.body);
        page
    }

    /// `false`: it was over before it was told.
    async fn logged_in(&self) -> bool {
        let tally = &self.nodes.tally;
        self.browser.forget();
        let url = campaign::authorize_url(self.nodes.app, &[]);
        let (choice, _) = self.get("authorize", &url).await;
        let form = choice.value("form");
        let form = [
            ("form", form.as_str()),
            ("device", "other"),
            ("scripts", "off"),
        ];
        let url = choice.absolute("/login");
        let pressed = self.post("choose", &url, &form).await;
        let login = pressed.absolute(&pressed.location().expect("a redirect"));
        self.until_it_can_end(&login).await;
        let finish = format!("{login}/finish");
        let (finished, broke) = self.get("finish", &finish).await;
        if finished.status != 303 {
            // Only who asked before and heard nothing may have been given the code already.
            assert!(broke && finished.status == 410, "{}", finished.status);
            return false;
        }
        let code = Answer::of(&finished).code().to_owned();
        assert!(
            tally.codes.borrow_mut().insert(code.clone()),
            "a code came twice"
        );
        self.served(&code).await
    }

    /// Reloads the login's page until it leads to its end, and approves what it shows.
    async fn until_it_can_end(&self, login: &str) {
        let (mut approved, mut shown) = (false, String::new());
        for _ in 0..LOOKS {
            let (page, _) = self.get("page", login).await;
            shown = page
                .screen()
                .unwrap_or_else(|| format!("{} {}", page.status, page.body));
            match shown.as_str() {
                "finish" => return,
                "scan" if !approved => {
                    let phone = &self.nodes.app.phone;
                    // A code that has become too old is shown anew.
                    if let Ok(claimed) = phone.try_scan(&page.qr_text(), self.person).await {
                        approved = claimed.type_code("123456").await.is_ok();
                    }
                    if approved && self.listens {
                        self.listen(login).await;
                    }
                }
                "scan" | "working" => {}
                "renewing" => approved = false,
                "failed" => {
                    count(&self.nodes.tally.lost);
                    approved = false;
                    let csrf = page.value("csrf");
                    let form = [("csrf", csrf.as_str()), ("device", "other")];
                    let url = format!("{login}/order");
                    self.post("order", &url, &form).await;
                }
                other => panic!("{other}"),
            }
            sleep(PAUSE).await;
        }
        panic!("the login never came to its end: {shown}");
    }

    /// Follows the stream of events, at one node after the other, until the page must be loaded anew.
    async fn listen(&self, login: &str) {
        for _ in 0..LOOKS {
            let port = self.nodes.any();
            self.browser.connect_to(port);
            let _under_way = self.nodes.begin(port, "events");
            if let Ok(mut events) = self.browser.try_events(login).await {
                if events.status() == 503 {
                    // A page's script waits, and asks again.
                    sleep(PAUSE).await;
                    continue;
                }
                assert_eq!(events.status(), 200);
                while let Ok(Some(event)) = events.chunk().await {
                    let event = String::from_utf8_lossy(&event);
                    if ["finish", "failed", "renewing"]
                        .iter()
                        .any(|it| event.contains(it))
                    {
                        return;
                    }
                }
                *self
                    .nodes
                    .tally
                    .broken
                    .borrow_mut()
                    .entry("events")
                    .or_default() += 1;
            }
            sleep(PAUSE / 4).await;
        }
        panic!("the stream says nothing");
    }

    /// What the application gets for a code. `false`: somebody was given it who did not live to tell.
    async fn served(&self, code: &str) -> bool {
        let (app, tally) = (self.nodes.app, &self.nodes.tally);
        let application = Application { app };
        let exchange = async |port| application.exchange(port, code).await;
        let (first, broke) = self.ask("exchange", exchange).await;
        if first.status != 200 {
            assert!(broke && first.error() == "invalid_grant", "{first:?}");
            return false;
        }
        let id_token = first.text("id_token");
        let known = claims(&id_token);
        assert_eq!(known["personal_number"], self.person);
        let subject = known["sub"].as_str().expect("a subject").to_owned();
        let before = tally.subjects.borrow_mut().insert(subject, self.person);
        assert!(
            before.is_none_or(|person| person == self.person),
            "one subject for two people"
        );
        let shown = first.text("refresh_token");
        let refresh = async |port| application.refresh(port, &shown).await;
        let (second, _) = self.ask("refresh", refresh).await;
        let token = second.text("access_token");
        let userinfo = async |port| application.userinfo(port, &token).await;
        let (told, _) = self.ask("userinfo", userinfo).await;
        assert_eq!(told.body["sub"], known["sub"]);
        let url = format!("{}/logout?id_token_hint={id_token}", app.issuer);
        let (left, _) = self.get("logout", &url).await;
        assert_eq!(left.status, 200, "{}", left.body);
        let session = known["sid"].as_str().expect("a session").to_owned();
        tally.ended.borrow_mut().insert(session);
        true
    }
}

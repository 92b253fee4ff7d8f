//! Many people who log in one after the other, the whole way to the ID token, while something happens to what
//! they log in at. Who is told to come again in a moment does, with the same; nothing else is taken from it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use portvakt::random::Random;
use portvakt::simulator::people;
use portvakt::testing::canary;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::cluster::Node;
use super::{Answer, App, Browser, CALLBACK, Page, SECRET};
use crate::token::{Told, claims, told};

/// What people met, all together.
#[derive(Debug, Default)]
pub struct Tally {
    /// Logins that ended with the right person's ID token.
    pub logged_in: AtomicUsize,
    /// Answers that said to come again.
    pub told_to_wait: AtomicUsize,
    /// Answers that said so because BankID did not answer the node.
    pub bankid_away: AtomicUsize,
    /// Logins whose order failed, and that were ended by another one.
    pub failed: AtomicUsize,
    /// Answers to a finish or an exchange that were lost, where the thing itself was done.
    pub answers_lost: AtomicUsize,
    /// Streams of events that ended before their login did.
    pub streams_ended: AtomicUsize,
    /// Streams that broke off instead of ending.
    pub streams_broken: AtomicUsize,
    /// Whether what stands before the nodes asks again by itself where the first answer was lost.
    pub sent_again: AtomicBool,
}

pub struct Visitors {
    pub tally: Arc<Tally>,
    people: JoinSet<()>,
    go_on: watch::Sender<bool>,
}

impl Visitors {
    /// Has so many people log in until they are told to leave. What each does when is chance, by a seed that
    /// is printed and can be given in `PORTVAKT_TEST_SEED`.
    pub fn of(count: u64, app: &Arc<App>) -> Visitors {
        let seed = std::env::var("PORTVAKT_TEST_SEED").map_or_else(
            |_| u64::from_le_bytes(Random::system().bytes()),
            |text| text.parse().expect("a number"),
        );
        println!("PORTVAKT_TEST_SEED={seed}");
        let (tally, go_on) = (Arc::<Tally>::default(), watch::Sender::new(true));
        let mut people = JoinSet::new();
        for number in 0..count {
            let person = Person {
                app: app.clone(),
                tally: tally.clone(),
                random: Random::seeded(seed.wrapping_add(number)),
                personal_number: somebody(number),
            };
            let go_on = go_on.subscribe();
            people.spawn(async move {
                while *go_on.borrow() {
                    person.log_in().await;
                }
            });
        }
        Visitors {
            tally,
            people,
            go_on,
        }
    }

    /// How many logins there were until now.
    pub fn logged_in(&self) -> usize {
        self.tally.logged_in.load(Ordering::SeqCst)
    }

    /// Waits until there were so many more logins.
    pub async fn until_more(&self, more: usize) {
        let enough = self.logged_in() + more;
        for _ in 0..600 {
            if self.logged_in() >= enough {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("nobody logs in any more: {:?}", self.tally);
    }

    /// Has everybody finish what they began. Whoever did not get where they should is told of here.
    pub async fn leave(mut self) -> Arc<Tally> {
        self.go_on.send_replace(false);
        let mut failed = Vec::new();
        while let Some(ended) = self.people.join_next().await {
            failed.extend(ended.err());
        }
        assert!(failed.is_empty(), "{failed:#?} {:?}", self.tally);
        self.tally
    }
}

impl Tally {
    /// BankID gives its answer once. Where a node did not get it, the login fails, and nothing else may be
    /// why one does.
    pub fn nothing_was_lost_but_at_bankid<'a>(&self, nodes: impl IntoIterator<Item = &'a Node>) {
        let word = "BankID could not be asked about an order";
        let logs = nodes
            .into_iter()
            .map(|node| node.log().matches(word).count());
        let (failed, unanswered) = (self.failed.load(Ordering::SeqCst), logs.sum::<usize>());
        assert!(failed <= unanswered, "{failed} > {unanswered} {self:?}");
    }
}

/// One of them.
struct Person {
    app: Arc<App>,
    tally: Arc<Tally>,
    random: Random,
    personal_number: &'static str,
}

/// Nobody has two logins at once: BankID ends both.
fn somebody(number: u64) -> &'static str {
    let person = people::Person::of_crowd(usize::try_from(number).expect("small"));
    canary(person.personal_number);
    canary(person.surname);
    person.personal_number
}

fn one_more(count: &AtomicUsize) {
    count.fetch_add(1, Ordering::SeqCst);
}

impl Person {
    /// A moment in which nothing is done.
    async fn dawdle(&self) {
        let [byte] = self.random.bytes();
        tokio::time::sleep(Duration::from_millis(u64::from(byte) * 12)).await;
    }

    /// Asks until the answer is another one than that there is none yet. Whether it had to wait.
    async fn patiently<F: Future<Output = Page>>(&self, ask: impl Fn() -> F) -> (Page, bool) {
        let mut waited = false;
        for _ in 0..120 {
            let page = ask().await;
            if page.status != 503 {
                return (page, waited);
            }
            assert_eq!(page.header("retry-after"), "5", "{}", page.body);
            assert!(page.body.contains("<h1"), "a page: {}", page.body);
            waited = true;
            one_more(match page.body.contains("BankID svarar inte") {
                true => &self.tally.bankid_away,
                false => &self.tally.told_to_wait,
            });
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        panic!("it never answers");
    }

    async fn log_in(&self) {
        let (app, browser) = (&self.app, self.app.browser());
        let state = hex::encode(self.random.bytes::<8>());
        let url = app.authorize_url(&[("state", Some(&state))]);
        let (choice, _) = self.patiently(|| browser.get(&url)).await;
        self.dawdle().await;
        let (pressed, _) = self.patiently(|| browser.press(&choice, "other")).await;
        assert_eq!(pressed.status, 303, "{}", pressed.body);
        let (login, _) = self.patiently(|| browser.follow(&pressed)).await;
        self.dawdle().await;
        self.scan_and_approve(&browser, &login).await;
        while !self.is_approved(&browser, &login).await {
            one_more(&self.tally.failed);
            let failed = self.look(&browser, &login, &["failed"]).await;
            let again = || browser.press_on(&failed, "order", "other");
            assert_eq!(self.patiently(again).await.0.status, 303);
            self.scan_and_approve(&browser, &login).await;
        }
        let finish = format!("{}/finish", login.login_url());
        let (finished, waited) = self.patiently(|| browser.get(&finish)).await;
        let may_be_over = waited || self.tally.sent_again.load(Ordering::SeqCst);
        if may_be_over && finished.status == 410 {
            // The login ended, and its answer was lost on the way.
            return one_more(&self.tally.answers_lost);
        }
        let answer = Answer::of(&finished);
        assert_eq!(answer.get("state"), Some(state.as_str()));
        self.dawdle().await;
        if let Some(tokens) = self.exchange(answer.code()).await {
            let claims = claims(app, &tokens).await;
            assert_eq!(claims["personal_number"], self.personal_number);
            one_more(&self.tally.logged_in);
        }
    }

    /// Waits for the answer of BankID.
    async fn is_approved(&self, browser: &Browser, login: &Page) -> bool {
        match self.random.bytes() {
            [0..128] => {
                let page = self.look(browser, login, &["finish", "failed"]).await;
                page.screen().as_deref() == Some("finish")
            }
            _ => self.listen(browser, login).await,
        }
    }

    /// Comes back to the page until it shows one of these screens.
    async fn look(&self, browser: &Browser, login: &Page, screens: &[&str]) -> Page {
        let mut seen = None;
        for _ in 0..60 {
            let (page, _) = self.patiently(|| browser.get(&login.url)).await;
            seen = page.screen();
            if seen.as_deref().is_some_and(|seen| screens.contains(&seen)) {
                return page;
            }
            // As often as a page without scripts.
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        panic!("the page never came to {screens:?}: {seen:?}");
    }

    async fn scan_and_approve(&self, browser: &Browser, login: &Page) {
        let mut refused = String::new();
        for _ in 0..60 {
            let scan = self.look(browser, login, &["scan"]).await;
            let phone = &self.app.phone;
            match phone.try_scan(&scan.qr_text(), self.personal_number).await {
                Ok(claimed) => {
                    self.dawdle().await;
                    return claimed.approve().await;
                }
                // The code on the screen gave way to the next one just then.
                Err(error) => refused = error,
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        panic!("no code is taken: {refused}");
    }

    /// Follows by events, as a page with scripts does, until the login may finish or has failed.
    async fn listen(&self, browser: &Browser, login: &Page) -> bool {
        for _ in 0..60 {
            let mut events = browser.events(login).await;
            match events.status().as_u16() {
                200 => {}
                503 => one_more(&self.tally.told_to_wait),
                status => panic!("events: {status} {:?}", events.text().await),
            }
            let (mut said, mut is_whole) = (String::new(), true);
            loop {
                match events.chunk().await {
                    Ok(Some(chunk)) => said.push_str(&String::from_utf8_lossy(&chunk)),
                    Ok(None) => break,
                    Err(_) => {
                        is_whole = false;
                        break;
                    }
                }
                for (screen, is_approved) in [("failed", false), ("finish", true)] {
                    if said.contains(&format!("\"screen\":\"{screen}\"")) {
                        return is_approved;
                    }
                }
            }
            one_more(match is_whole {
                true => &self.tally.streams_ended,
                false => &self.tally.streams_broken,
            });
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        panic!("the events never lead on");
    }

    /// The application's part. Nothing, where the answer to its first try was lost.
    async fn exchange(&self, code: &str) -> Option<Value> {
        let mut waited = false;
        for _ in 0..120 {
            let Told {
                status,
                body,
                headers,
            } = self.try_exchange(code).await;
            match status {
                200 => return Some(body),
                503 => {
                    assert_eq!(headers["retry-after"], "5", "{body}");
                    assert!(body["error"].is_string(), "{body}");
                    waited = true;
                    one_more(&self.tally.told_to_wait);
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
                400 if waited && body["error"] == "invalid_grant" => {
                    one_more(&self.tally.answers_lost);
                    return None;
                }
                _ => panic!("{status} {body}"),
            }
        }
        panic!("the token endpoint never answers");
    }

    async fn try_exchange(&self, code: &str) -> Told {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
        ];
        let request = self.app.http.post(format!("{}/token", self.app.issuer));
        told(request.basic_auth("web", Some(SECRET)).form(&form)).await
    }
}

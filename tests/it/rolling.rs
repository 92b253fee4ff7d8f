//! Nodes that are restarted one after the other, while people log in.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use portvakt::shows;

use crate::support::balancer::Balancer;
use crate::support::cluster::{Node, Place};
use crate::support::phone::TOLVAN;
use crate::support::visitors::Visitors;
use crate::support::{Answer, App, Browser, Database, Options, Page, run};
use crate::token::redeem;

/// Somebody with a code on the screen, whose page is told by one node how the login goes on.
struct Waiting {
    browser: Browser,
    login: Page,
    events: reqwest::Response,
}

impl Waiting {
    async fn at(app: &App, place: Place) -> Waiting {
        let browser = Browser::new();
        browser.connect_to(place.public);
        let choice = browser.get(&app.authorize_url(&[])).await;
        let login = place.choose(app, &browser, &choice, "other").await;
        let mut events = place.events(app, &browser, &login).await;
        let first = events
            .chunk()
            .await
            .expect("it is told")
            .expect("something");
        assert!(first.starts_with(b"data: {"), "{first:?}");
        Waiting {
            browser,
            login,
            events,
        }
    }

    /// The node lets go of the page, without breaking off; it comes back by way of the balancer, the same code
    /// goes on there, and the login ends as if nothing had happened.
    async fn goes_on(mut self, app: Arc<App>) {
        while let Some(_more) = self
            .events
            .chunk()
            .await
            .expect("it ends, and does not break")
        {}
        let (_, balancer) = app.issuer.rsplit_once(':').expect("a port");
        self.browser.connect_to(balancer.parse().expect("a port"));
        let mut events = self.browser.events(&self.login).await;
        let first = events
            .chunk()
            .await
            .expect("it is told")
            .expect("something");
        let first = String::from_utf8_lossy(&first).into_owned();
        assert!(first.contains("\"screen\":\"scan\""), "{first}");
        let scan = self.browser.get(&self.login.url).await;
        app.phone
            .scan(&scan.qr_text(), TOLVAN)
            .await
            .approve()
            .await;
        let answer = Answer::of(&self.browser.until_departure(&self.login).await);
        redeem(&app, &answer).await;
    }
}

/// How many people at once.
const PEOPLE: u64 = 12;

#[test]
fn three_nodes_are_restarted_in_turn_and_nobody_notices() {
    let Some(database) = Database::postgres() else {
        return;
    };
    run(async {
        let _shows = shows!(accepting "PV-ROLL-1", accepting "P8");
        let app = Arc::new(
            App::start(Options {
                sections: "[limits]\nlogins_per_address = 100000".to_owned(),
                ..Options::on(database)
            })
            .await,
        );
        app.stop_provider().await;
        let mut nodes = Vec::new();
        for name in ["first", "second", "third"] {
            nodes.push(Node::start_before(&app, name).await);
        }
        let places: Vec<Place> = nodes.iter().map(|node| node.place).collect();
        let balancer = Balancer::before(&app, &places).await;
        let visitors = Visitors::of(PEOPLE, &app);
        let rounds = std::env::var("PORTVAKT_TEST_ROUNDS").map_or(1, |_| 5);
        for round in 0..rounds {
            for (number, node) in nodes.iter_mut().enumerate() {
                visitors.until_more(3).await;
                let waiting = Waiting::at(&app, node.place).await;
                let told_at = Instant::now();
                node.serving.tell_to_stop();
                let goes_on = tokio::spawn(waiting.goes_on(app.clone()));
                let ended_well = node.serving.ends_well().await;
                assert!(ended_well, "node {number} in round {round}");
                goes_on.await.expect("whoever waited logs in");
                println!("node {number} ended after {:?}", told_at.elapsed());
                let sent_before = balancer.sent(number);
                node.start_again(&app).await;
                balancer.until(number, true).await;
                // It has its part again before the next one goes.
                while balancer.sent(number) == sent_before {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
        assert_eq!(balancer.surprises(), 0, "no node goes before that is known");
        let tally = visitors.leave().await;
        println!("{tally:?}");
        let count = |count: &std::sync::atomic::AtomicUsize| count.load(Ordering::SeqCst);
        assert_eq!(count(&tally.told_to_wait), 0, "nobody was asked to wait");
        tally.nothing_was_lost_but_at_bankid(&nodes);
        assert_eq!(count(&tally.answers_lost), 0);
        assert_eq!(
            count(&tally.streams_broken),
            0,
            "streams end, and do not break"
        );
        assert!(count(&tally.logged_in) > 20);
    });
}

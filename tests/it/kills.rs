//! Nodes are killed while many people log in: at points that are named by what the node was about to do, or
//! had just done.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::{join_all, select_all};
use portvakt::shows;
use portvakt::simulator::people::Person;
use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::crash::Serving;
use crate::support::between::{Between, Fate, Statement as Ran, When};
use crate::support::campaign::{self, Chance};
use crate::support::crowd::{Nodes, Visitor};
use crate::support::{App, Backend, Browser, Database, Options, run};

const PEOPLE: usize = 50;
const NODES: usize = 3;
/// How many points there are where nobody asks for all of them.
const SAMPLE: usize = 3;
/// How long it may take until a node comes to a point.
const PATIENCE: Duration = Duration::from_secs(45);

/// Where a node is killed.
#[derive(Clone, Copy, Debug)]
enum Point {
    /// At a statement that begins so, with this among its parameters.
    Statement(&'static str, &'static str, When),
    /// At the commit of what such a statement is part of.
    Commit(&'static str, &'static str, When),
    /// With a request of this kind under way.
    Request(&'static str),
    /// BankID has done what it was asked, and its answer is on the way.
    BankId(&'static str),
    /// Clients do not answer, and the node has just taken on to tell them again.
    Notice,
}

use Point::{BankId, Commit, Notice, Request, Statement};
use When::{Done, Sent, Unsent};

const LOGIN: &str = "INSERT INTO login (";
const ANSWER: &str = "UPDATE bankid_order SET progress = $1";
const FINISH: &str = "UPDATE login SET state = 'finished'";
const EXCHANGE: &str = "UPDATE code SET used_at";
const REFRESH: &str = "UPDATE refresh_token SET used_at";
const LOGOUT: &str = "UPDATE session SET ended_at";

const POINTS: &[(&str, Point)] = &[
    (
        "an order is made at BankID, and the node does not know",
        BankId("auth"),
    ),
    (
        "a login and its order are about to be stored",
        Statement(LOGIN, "", Unsent),
    ),
    ("a login is being stored", Commit(LOGIN, "", Unsent)),
    (
        "a login is stored, and the browser does not know",
        Commit(LOGIN, "", Done),
    ),
    (
        "BankID answers how orders stand, and the node does not know",
        BankId("collect"),
    ),
    (
        "an approval is about to be stored",
        Statement(ANSWER, "complete", Unsent),
    ),
    (
        "an approval is being stored",
        Commit(ANSWER, "complete", Sent),
    ),
    (
        "an approval is stored, and nobody knows",
        Commit(ANSWER, "complete", Done),
    ),
    ("pages follow their logins", Request("events")),
    ("a login is about to end", Statement(FINISH, "", Unsent)),
    ("a code is being stored", Commit(FINISH, "", Unsent)),
    (
        "nobody knows whether a code is stored",
        Commit(FINISH, "", Sent),
    ),
    (
        "a code is stored, and the browser does not have it",
        Commit(FINISH, "", Done),
    ),
    (
        "a code is about to be used",
        Statement(EXCHANGE, "", Unsent),
    ),
    ("a code is being used", Commit(EXCHANGE, "", Unsent)),
    (
        "a code is used, and the application has nothing",
        Commit(EXCHANGE, "", Done),
    ),
    ("a refresh token is being used", Commit(REFRESH, "", Unsent)),
    (
        "a refresh token is used, and the application has no other",
        Commit(REFRESH, "", Done),
    ),
    (
        "a session has ended, and nobody was told",
        Commit(LOGOUT, "", Done),
    ),
    ("clients are to be told again of a logout", Notice),
];

/// One of the nodes, with its connections to the database.
struct Node<'a> {
    app: &'a App,
    number: usize,
    starts: usize,
    between: Between,
    serving: Serving,
}

impl<'a> Node<'a> {
    async fn start(app: &'a App, number: usize) -> Node<'a> {
        let between = Between::start(&app.database.url(app.directory.path())).await;
        let serving = Serving::behind(app, &format!("node-{number}"), &between).await;
        Node {
            app,
            number,
            starts: 1,
            between,
            serving,
        }
    }

    /// Holds the first statement that `is_it` knows. Which node it comes from is nobody's choice.
    fn hold(
        &self,
        is_taken: &Arc<AtomicBool>,
        when: When,
        is_it: impl Fn(&Ran, &[Ran]) -> bool + Send + 'static,
    ) {
        let is_taken = is_taken.clone();
        self.between.watch(move |statement, before| {
            let holds = is_it(statement, before) && !is_taken.swap(true, Ordering::SeqCst);
            holds.then_some(Fate::Held(when))
        });
    }

    /// SIGKILL, and a new start a little later.
    async fn is_killed(&mut self, nodes: &Nodes<'_>) {
        nodes.went(self.number);
        self.serving.kill();
        sleep(Duration::from_millis(500)).await;
        let name = format!("node-{}-{}", self.number, self.starts);
        self.serving = Serving::behind(self.app, &name, &self.between).await;
        self.starts += 1;
        nodes.came(self.number, self.serving.port);
    }
}

/// Waits until a node is there, and says which.
async fn comes_to(point: Point, all: &[Node<'_>], nodes: &Nodes<'_>, backend: &Backend) -> usize {
    let is_taken = Arc::new(AtomicBool::new(false));
    match point {
        Statement(begins, bound, when) => {
            let is_it = move |ran: &Ran, _: &[Ran]| ran.runs(begins, bound);
            all.iter()
                .for_each(|node| node.hold(&is_taken, when, is_it));
        }
        Commit(begins, bound, when) => {
            let is_it = move |ran: &Ran, before: &[Ran]| ran.commits(before, begins, bound);
            all.iter()
                .for_each(|node| node.hold(&is_taken, when, is_it));
        }
        Notice => {
            backend.answer(503, Duration::ZERO);
            let is_it = |ran: &Ran, _: &[Ran]| ran.is("UPDATE job SET tries = tries + 1", "");
            all.iter()
                .for_each(|node| node.hold(&is_taken, Done, is_it));
        }
        Request(what) => return has_under_way(what, all, nodes).await,
        BankId(operation) => {
            let late = json!({"operation": operation, "what": {"late": 2000}, "times": 0});
            nodes.app.phone.whim(late).await;
            let which = match operation {
                "auth" => has_under_way("choose", all, nodes).await,
                _ => 0,
            };
            // Whatever it is that the node asks, it has asked by now.
            sleep(Duration::from_millis(1200)).await;
            return which;
        }
    }
    let met = all.iter().map(|node| Box::pin(node.between.met()));
    select_all(met).await.1
}

async fn has_under_way(what: &'static str, all: &[Node<'_>], nodes: &Nodes<'_>) -> usize {
    loop {
        let asked = |node: &Node<'_>| nodes.under_way(node.serving.port, what) > 0;
        if let Some(which) = all.iter().position(asked) {
            // It has been heard of.
            sleep(Duration::from_millis(200)).await;
            return which;
        }
        sleep(Duration::from_millis(20)).await;
    }
}

#[test]
fn everyone_logs_in_whichever_node_is_killed_and_when() {
    let Some(database) = Database::postgres() else {
        return;
    };
    run(async {
        let _shows = shows!(accepting "P4", refusing "P4");
        let chance = Chance::of("kills");
        let mut points = POINTS.to_vec();
        chance.shuffle(&mut points);
        if !campaign::is_long() {
            points.truncate(SAMPLE);
        }
        // Who waits to be told waits while the others go on.
        points.sort_by_key(|(_, point)| !matches!(point, Notice));
        let backend = Backend::start();
        let app = campaign::app(Options::on(database), &backend).await;
        app.stop_provider().await;
        let nodes = Nodes::new(&app, &chance);
        let mut all = join_all((0..NODES).map(|number| Node::start(&app, number))).await;
        for node in &all {
            nodes.came(node.number, node.serving.port);
        }
        let is_over = Cell::new(false);
        let people =
            join_all((0..PEOPLE).map(|number| come_and_go(&nodes, &chance, number, &is_over)));
        let kills = async {
            // Everybody is there when the first node dies.
            sleep(Duration::from_secs(3)).await;
            for (name, point) in &points {
                let which = timeout(PATIENCE, comes_to(*point, &all, &nodes, &backend)).await;
                let which = which.unwrap_or_else(|_| panic!("never: {name}"));
                println!("node {which} is killed: {name}");
                all.iter().for_each(|node| node.between.let_pass());
                app.phone.no_whims().await;
                backend.answer(200, Duration::ZERO);
                all[which].is_killed(&nodes).await;
            }
            is_over.set(true);
        };
        let ((), _, longest) = tokio::join!(kills, people, longest_unasked(&app, &is_over));
        let tally = &nodes.tally;
        eprintln!(
            "kills: {} points, {} logins, {} begun anew, {} approvals lost with their node, {} answers of busy nodes, unanswered {:?}, no order unasked for longer than {longest} s",
            points.len(),
            tally.logins.get(),
            tally.anew.get(),
            tally.lost.get(),
            tally.busy.get(),
            tally.broken.borrow(),
        );
        assert!(tally.logins.get() >= PEOPLE);
        assert!(longest < 180, "{longest}");
        campaign::holds(&app).await;
        campaign::until_told(&backend, tally.ended.take()).await;
        // What nobody knows of ends at BankID, because nobody can have started it.
        campaign::until_none_waits(&app, Duration::from_secs(60)).await;
    });
}

/// Somebody who logs in for as long as nodes are killed, and then one last time.
async fn come_and_go(nodes: &Nodes<'_>, chance: &Chance, number: usize, is_over: &Cell<bool>) {
    let visitor = Visitor {
        nodes,
        browser: Browser::new(),
        person: Person::of_crowd(number).personal_number,
        listens: number.is_multiple_of(3),
    };
    let pause = |seconds: usize| {
        let most = chance.below(1000 * seconds);
        Duration::from_millis(u64::try_from(most).expect("64 bits"))
    };
    sleep(pause(3)).await;
    loop {
        let is_last = is_over.get();
        visitor.log_in().await;
        if is_last || is_over.get() {
            return;
        }
        sleep(pause(4)).await;
    }
}

/// The longest that nobody asked about an order that lived at BankID.
async fn longest_unasked(app: &App, is_over: &Cell<bool>) -> u64 {
    let mut longest = 0;
    while !is_over.get() {
        let waiting = campaign::waiting(app).await;
        longest = waiting.into_iter().fold(longest, u64::max);
        sleep(Duration::from_millis(500)).await;
    }
    longest
}

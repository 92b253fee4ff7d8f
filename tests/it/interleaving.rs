//! Two browsers, two nodes, BankID and crashes in any order, against the rules of a login
//! ([`Login::on`]) and against what is stored: whatever one does by what it saw earlier, the database ends up
//! where the rules alone would have.

use std::time::Duration;

use portvakt::bankid::collect::Hint;
use portvakt::bankid::message::Device;
use portvakt::client::bankid::ReturnPolicy;
use portvakt::clock::{Clock, Seconds};
use portvakt::id::{ClientId, Id, kind};
use portvakt::login::{Comeback, Event, Login, Opened, Order, Progress, State};
use portvakt::random::Random;
use portvakt::secret::{Digest, Key, Secret, kind as secret};
use portvakt::session::Session;
use portvakt::shows;
use portvakt::storage::{Exchange, Finish, NodeName, Old, Store};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

use crate::storage::{issued, login, open, tokens};
use crate::support::{Database, on_both};

/// How many stories, where nobody asks for more by `PORTVAKT_TEST_ROUNDS`.
const STORIES: u32 = 100;
const LEASE: Seconds = Seconds(6);

/// Somebody who acts by what they last saw: each of two browsers, by either node.
const SEATS: usize = 4;

#[derive(Clone, Debug)]
enum Step {
    /// A request is read, and the login with it.
    Look {
        seat: usize,
    },
    /// The app's return address is opened.
    Return {
        seat: usize,
        opened: Opened,
    },
    /// The person says in the browser that began that it was them.
    Confirm {
        seat: usize,
    },
    /// Another try, or the other device.
    Reorder {
        seat: usize,
        device: Device,
    },
    Cancel {
        seat: usize,
    },
    Finish {
        seat: usize,
    },
    /// A code is exchanged, at either node.
    Exchange {
        node: usize,
    },
    /// BankID's answer about one of the orders comes to a node, however old the order is.
    Answer {
        node: usize,
        order: usize,
        said: Said,
    },
    /// A node dies and starts again; what it collected is the other one's.
    Crash {
        node: usize,
    },
    Wait {
        seconds: u64,
    },
}

#[derive(Clone, Copy, Debug)]
enum Said {
    Hint,
    Complete,
    Failed,
    Unknown,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let seat = || 0..SEATS;
    let node = || 0..2usize;
    let opened = prop_oneof![
        3 => Just(Opened::Here),
        1 => Just(Opened::SameAddress),
        1 => Just(Opened::Elsewhere),
    ];
    let device = prop_oneof![Just(Device::This), Just(Device::Other)];
    let said = prop_oneof![
        1 => Just(Said::Hint),
        4 => Just(Said::Complete),
        1 => Just(Said::Failed),
        1 => Just(Said::Unknown),
    ];
    let step = prop_oneof![
        6 => seat().prop_map(|seat| Step::Look { seat }),
        3 => (seat(), opened).prop_map(|(seat, opened)| Step::Return { seat, opened }),
        1 => seat().prop_map(|seat| Step::Confirm { seat }),
        2 => (seat(), device).prop_map(|(seat, device)| Step::Reorder { seat, device }),
        1 => seat().prop_map(|seat| Step::Cancel { seat }),
        4 => seat().prop_map(|seat| Step::Finish { seat }),
        2 => node().prop_map(|node| Step::Exchange { node }),
        5 => (node(), 0..4usize, said).prop_map(|(node, order, said)| Step::Answer { node, order, said }),
        1 => node().prop_map(|node| Step::Crash { node }),
        1 => (1..400u64).prop_map(|seconds| Step::Wait { seconds }),
    ];
    proptest::collection::vec(step, 1..40)
}

/// A login as the rules have it, the database that two nodes share, and what each seat last saw.
struct World<'a> {
    stores: [Store; 2],
    nodes: [NodeName; 2],
    clock: &'a Clock,
    random: &'a Random,
    rules: Login,
    seen: [Login; SEATS],
    /// All orders that were ever made for it.
    orders: Vec<Id<kind::Order>>,
    issued: Vec<Given>,
    exchanged: usize,
}

/// A code that a client was given.
struct Given {
    code: Digest<secret::Code>,
    grant: Id<kind::Grant>,
    client: ClientId,
}

impl World<'_> {
    fn store(&self, seat: usize) -> &Store {
        &self.stores[seat % 2]
    }

    /// What somebody does by what they saw counts if the rules allow it there and now, for the same order.
    fn expected(&self, seat: usize, event: &Event) -> Option<Login> {
        let now = self.clock.now();
        let seen = &self.seen[seat];
        let same = seen.order.id == self.rules.order.id;
        let decided = seen.clone().on(event.clone(), now).is_ok();
        let allowed = self.rules.clone().on(event.clone(), now).ok();
        allowed.filter(|_| same && decided)
    }

    async fn act(&mut self, step: &Step) -> Result<(), String> {
        let now = self.clock.now();
        match *step {
            Step::Look { seat } => self.seen[seat] = self.stored(seat).await,
            Step::Return { seat, opened } => {
                self.moves(seat, Event::Returned(opened)).await?;
            }
            Step::Confirm { seat } => self.moves(seat, Event::Confirmed).await?,
            Step::Reorder { seat, device } => self.reorder(seat, device).await?,
            Step::Cancel { seat } => {
                let expected = self.expected(seat, &Event::Cancelled);
                let done = match self.seen[seat].clone().on(Event::Cancelled, now) {
                    Ok(_) => self
                        .store(seat)
                        .cancel_login(&self.seen[seat])
                        .await
                        .expect("no fault"),
                    Err(_) => false,
                };
                self.agree("cancel", done, expected)?;
            }
            Step::Finish { seat } => {
                let expected = self.expected(seat, &Event::Finished);
                let done = match self.seen[seat].clone().on(Event::Finished, now) {
                    Ok(_) => self.finish(seat).await,
                    Err(_) => false,
                };
                self.agree("finish", done, expected)?;
            }
            Step::Exchange { node } => {
                let Some(issued) = self.issued.last() else {
                    return Ok(());
                };
                let tokens = tokens(self.random, now);
                let outcome = self.stores[node]
                    .exchange_code(issued.code, issued.grant, &issued.client, &tokens, now)
                    .await;
                self.exchanged += usize::from(matches!(outcome.expect("no fault"), Exchange::Won));
            }
            Step::Answer { node, order, said } => self.answer(node, order, said).await?,
            Step::Crash { node } => {
                let name = &self.nodes[node].id;
                self.nodes[node] = self.stores[node]
                    .start_node(name, now)
                    .await
                    .expect("started");
                for (store, name) in self.stores.iter().zip(&self.nodes) {
                    let heard = store.heartbeat(name, now).await;
                    assert!(heard.expect("no fault"));
                }
                let other = &self.nodes[1 - node];
                let taken = self.stores[1 - node].take_over_orders(other, now - LEASE, now);
                taken.await.expect("no fault");
            }
            Step::Wait { seconds } => self.clock.advance(Duration::from_secs(seconds)),
        }
        self.compare().await
    }

    async fn stored(&self, seat: usize) -> Login {
        let login = self.store(seat).login(self.rules.id).await;
        login.expect("no fault").expect("there")
    }

    /// The return of the app, and what is said of it.
    async fn moves(&mut self, seat: usize, event: Event) -> Result<(), String> {
        let now = self.clock.now();
        let expected = self.expected(seat, &event);
        let done = match self.seen[seat].clone().on(event.clone(), now) {
            Ok(moved) => self
                .store(seat)
                .keep_return(&moved)
                .await
                .expect("no fault")
                .is_some(),
            Err(_) => false,
        };
        self.agree(&format!("{event:?}"), done, expected)
    }

    /// As the doors do it: an order that waits is ended first, and then another takes its place.
    async fn reorder(&mut self, seat: usize, device: Device) -> Result<(), String> {
        let now = self.clock.now();
        let mut seen = self.seen[seat].clone();
        if !seen.may_order_again(now) {
            return Ok(());
        }
        if matches!(seen.order.progress, Progress::Ordered(_)) {
            let waits = matches!(self.rules.order.progress, Progress::Ordered(_));
            let ended = self
                .store(seat)
                .keep_progress(seen.id, seen.order.id, &Progress::Cancelled, None)
                .await
                .expect("no fault")
                .is_some();
            if seen.order.id == self.rules.order.id {
                if ended != waits {
                    return Err(format!("ended {ended}, and it waited {waits}"));
                }
                if ended {
                    self.rules.order.progress = Progress::Cancelled;
                }
            }
            if !ended {
                return Ok(());
            }
            seen.order.progress = Progress::Cancelled;
        }
        let order = Order {
            id: Id::fresh(self.random),
            device,
            comeback: match device {
                Device::This => Comeback::Awaited,
                Device::Other => Comeback::NotExpected,
            },
            ..login(self.clock, self.random).order
        };
        let event = Event::Reordered(Box::new(order.clone()));
        self.seen[seat] = seen.clone();
        let expected = self.expected(seat, &event);
        let old = Old {
            order: seen.order.id,
            is_unmet: seen.is_unmet(now),
        };
        let done = match seen.on(event, now) {
            Ok(renewed) => {
                let node = &self.nodes[seat % 2];
                let nonce = (device == Device::This).then(|| Secret::fresh(self.random).digest());
                let replaced = self
                    .store(seat)
                    .replace_order(&renewed, &old, nonce, node, now);
                replaced.await.expect("no fault")
            }
            Err(_) => false,
        };
        if done {
            self.orders.push(order.id);
        }
        self.agree("reorder", done, expected)
    }

    async fn answer(&mut self, node: usize, order: usize, said: Said) -> Result<(), String> {
        let now = self.clock.now();
        let order = self.orders[order % self.orders.len()];
        let is_current = order == self.rules.order.id && self.rules.state == State::Open;
        let (store, name) = (&self.stores[node], &self.nodes[node]);
        let (event, progress) = match said {
            Said::Hint => (
                Event::Hinted(hint("userSign")),
                Progress::Ordered(hint("userSign")),
            ),
            Said::Complete => (Event::Completed(data()), Progress::Complete(data())),
            Said::Failed => (
                Event::Failed(hint("userCancel")),
                Progress::Failed(hint("userCancel")),
            ),
            Said::Unknown => (Event::Lost, Progress::Lost),
        };
        let answered_at = matches!(said, Said::Complete).then_some(now);
        let (done, may) = match said {
            Said::Unknown => {
                // Only whoever collects it may say that nobody has an answer.
                let own = store.orders_of_node(name).await.expect("no fault");
                let may = own.iter().any(|own| own.order == order);
                (store.lose_order(self.rules.id, order, name).await, may)
            }
            _ => (
                store
                    .keep_progress(self.rules.id, order, &progress, answered_at)
                    .await
                    .map(|version| version.is_some()),
                true,
            ),
        };
        let done = done.expect("no fault");
        if !is_current {
            // Whatever is kept of it, the login is not moved: that is compared below.
            return Ok(());
        }
        let expected = self.rules.clone().on(event, now).ok().filter(|_| may);
        self.agree(&format!("{said:?}"), done, expected)
    }

    async fn finish(&mut self, seat: usize) -> bool {
        let (clock, random, now) = (self.clock, self.random, self.clock.now());
        let seen = &self.seen[seat];
        let finish = Finish {
            evidence: None,
            login: seen.id,
            order: seen.order.id,
            index: [9; 32].into(),
            old_browser: None,
            new_browser: Secret::fresh(random).digest(),
            client_id: &seen.client_id,
            subject_key: &Key::from_bytes(&[7; 32]).expect("32 bytes"),
            approved: std::collections::BTreeSet::new(),
            approved_offline: false,
        };
        let made = self
            .store(seat)
            .finish_login(&finish, Id::fresh(random), now, |person, _| {
                let issued = issued(clock, random);
                let session = Session {
                    id: issued.grant.session,
                    person,
                    identity: issued.grant.identity.clone(),
                    auth_time: now,
                    txn: seen.order.id,
                    expires_at: now + Seconds(60),
                };
                let code = Given {
                    code: issued.code.digest(),
                    grant: issued.grant.id,
                    client: issued.grant.client_id.clone(),
                };
                (session, issued, code)
            });
        let Some(finished) = made.await.expect("no fault") else {
            return false;
        };
        self.issued.push(finished.outcome);
        true
    }

    fn agree(&mut self, what: &str, done: bool, expected: Option<Login>) -> Result<(), String> {
        if done != expected.is_some() {
            return Err(format!(
                "{what}: the database says {done}, the rules {}",
                expected.is_some()
            ));
        }
        if let Some(moved) = expected {
            self.rules = moved;
        }
        Ok(())
    }

    /// Both nodes read what the rules say, and what may happen once has happened once at most.
    async fn compare(&self) -> Result<(), String> {
        for seat in 0..2 {
            let (stored, rules) = (self.stored(seat).await, &self.rules);
            let of = |login: &Login| {
                let order = &login.order;
                let progress = match &order.progress {
                    Progress::Complete(_) => "complete".to_owned(),
                    other => format!("{other:?}"),
                };
                let place = (login.state, order.id, login.orders_made);
                (place, progress, order.comeback, order.answered_at.is_some())
            };
            if of(&stored) != of(rules) {
                return Err(format!(
                    "stored {:?}, by the rules {:?}",
                    of(&stored),
                    of(rules)
                ));
            }
        }
        let finished = usize::from(self.rules.state == State::Finished);
        match (self.issued.len(), self.exchanged) {
            (issued, exchanged) if issued == finished && exchanged <= issued => Ok(()),
            counts => Err(format!("codes issued and exchanged: {counts:?}")),
        }
    }
}

fn hint(text: &str) -> Hint {
    Hint::new(text)
}

fn data() -> Box<portvakt::bankid::collect::CompletionData> {
    let data = serde_json::json!({"user": {
        "personalNumber": "191212121212", "name": "T T", "givenName": "T", "surname": "T"
    }});
    serde_json::from_value(data).expect("completion data")
}

/// The seed of `PORTVAKT_TEST_SEED`, or another one each time.
fn seed(random: &Random) -> [u8; 32] {
    match std::env::var("PORTVAKT_TEST_SEED") {
        Ok(text) => hex::FromHex::from_hex(text.trim()).expect("64 hexadecimal digits"),
        Err(_) => random.bytes(),
    }
}

on_both!(
    whatever_the_order_of_things_the_database_ends_where_the_rules_do,
    async |database: Database| {
        let _shows = shows!(accepting "PV-MODEL-1", refusing "PV-MODEL-1");
        let directory = tempfile::tempdir().expect("a directory");
        let (one, clock, random) = open(&database, directory.path()).await;
        let (two, _, _) = open(&database, directory.path()).await;
        let seed = seed(&random);
        println!("PORTVAKT_TEST_SEED={}", hex::encode(seed));
        let rounds = std::env::var("PORTVAKT_TEST_ROUNDS").map(|text| text.parse());
        let config = Config {
            cases: rounds.map_or(STORIES, |rounds| rounds.expect("a number of rounds")),
            failure_persistence: None,
            ..Config::default()
        };
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
        let mut runner = TestRunner::new_with_rng(config, rng);
        let policies = prop_oneof![
            Just(ReturnPolicy::Cookie),
            Just(ReturnPolicy::CookieOrSameAddress)
        ];
        let devices = prop_oneof![Just(Device::This), Just(Device::Other)];
        let runtime = tokio::runtime::Handle::current();
        let told = tokio::task::block_in_place(|| {
            runner.run(&(policies, devices, steps()), |(policy, device, steps)| {
                let stores = [one.clone(), two.clone()];
                let story = story(stores, &clock, &random, policy, device, &steps);
                runtime.block_on(story).map_err(TestCaseError::fail)
            })
        });
        match told {
            Ok(()) => {}
            Err(TestError::Fail(why, story)) => {
                panic!(
                    "{why}\n{story:#?}\nPORTVAKT_TEST_SEED={}",
                    hex::encode(seed)
                )
            }
            Err(TestError::Abort(why)) => panic!("{why}"),
        }
    }
);

async fn story(
    stores: [Store; 2],
    clock: &Clock,
    random: &Random,
    policy: ReturnPolicy,
    device: Device,
    steps: &[Step],
) -> Result<(), String> {
    let now = clock.now();
    let mut rules = login(clock, random);
    rules.asked.demands.returning = policy;
    rules.order.device = device;
    if device == Device::This {
        rules.order.comeback = Comeback::Awaited;
    }
    let nonce = (device == Device::This).then(|| Secret::fresh(random).digest());
    let nodes = [
        stores[0].start_node("one", now).await.expect("started"),
        stores[1].start_node("two", now).await.expect("started"),
    ];
    let began = stores[0].begin_login(&rules, nonce, &nodes[0], now).await;
    assert!(began.expect("no fault"));
    let mut world = World {
        seen: std::array::from_fn(|_| rules.clone()),
        orders: vec![rules.order.id],
        stores,
        nodes,
        clock,
        random,
        rules,
        issued: Vec::new(),
        exchanged: 0,
    };
    for (number, step) in steps.iter().enumerate() {
        let done = world.act(step).await;
        done.map_err(|why| format!("step {number}, {step:?}: {why}"))?;
    }
    Ok(())
}

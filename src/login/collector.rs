//! ⚡ One poller for each order: asks BankID every two seconds, keeps what changed, and tells the
//! pages that wait. A terminal answer is stored before anyone acts on it.
//!
//! Nodes watch over each other by one heartbeat row each, in the database's time. A node that could not renew its own for
//! two thirds of the lease stops collecting before the others take its orders over, and begins anew:
//! then the database says which orders are still its own.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::followed::Followed;
use super::{Event, Login, Progress};
use crate::bankid::client::{Failure, REQUEST_TIMEOUT};
use crate::bankid::collect::Collected;
use crate::bankid::party::{Parties, Party};
use crate::clock::{Clock, SKEW, Seconds, Timestamp};
use crate::error::Fault;
use crate::id::{Id, kind};
use crate::storage::{NodeName, Store};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::traces::Traces;

/// How often BankID is asked about an order.
const INTERVAL: Duration = Duration::from_secs(2);
/// How long a node is believed to live after it was last heard of.
pub const LEASE: Seconds = Seconds(6);
const HEARTBEAT: Duration = Duration::from_secs(1);
/// Two thirds of the lease, by a clock that nobody can turn.
const ALIVE: Duration = Duration::from_secs(4);
/// BankID forgets a failed order after five minutes and any other one sooner.
const ORDER_LIFETIME: Seconds = Seconds(6 * 60);

/// The collector of this node.
#[derive(Clone)]
pub struct Collector(Arc<Inner>);

struct Inner {
    store: Store,
    parties: Parties,
    followed: Followed,
    metrics: Arc<Metrics>,
    traces: Traces,
    clock: Clock,
    runtime: Handle,
    /// Told to pollers that wait: whose their orders are may be another question now.
    changed: Notify,
    state: Mutex<State>,
}

struct State {
    node: NodeName,
    alive_until: Instant,
    is_stopping: bool,
    collecting: HashSet<Id<kind::Order>>,
    /// Whether some of the node's own orders may be collected by nobody: then the database is asked
    /// which those are.
    is_unsettled: bool,
    /// Whether the node's clock was too far off the database's when it was last compared.
    is_askew: bool,
    /// How far it was.
    skew: Seconds,
}

impl State {
    fn is_alive(&self) -> bool {
        !self.is_stopping && Instant::now() < self.alive_until
    }

    /// Prolongs the node's life, unless it has ended meanwhile.
    fn live_until(&mut self, until: Instant) -> bool {
        let is_alive = self.is_alive();
        if is_alive {
            self.alive_until = until;
        }
        is_alive
    }
}

impl Collector {
    /// Announces the node and takes over what its earlier start left behind.
    pub async fn start(
        node_id: &str,
        store: Store,
        parties: Parties,
        followed: Followed,
        metrics: Arc<Metrics>,
        traces: Traces,
        clock: Clock,
    ) -> Result<Collector, Fault> {
        let asked_at = Instant::now();
        let theirs = store.clock().await?.unwrap_or(clock.now());
        let node = store.start_node(node_id, theirs).await?;
        let collector = Collector(Arc::new(Inner {
            store,
            parties,
            followed,
            metrics,
            traces,
            clock,
            runtime: Handle::current(),
            changed: Notify::new(),
            state: Mutex::new(State {
                node,
                alive_until: asked_at + ALIVE,
                is_stopping: false,
                collecting: HashSet::new(),
                is_unsettled: true,
                is_askew: false,
                skew: Seconds(0),
            }),
        }));
        // What does not succeed now does with a later beat.
        if let Err(fault) = collector.take_over(theirs).await {
            tracing::error!(%fault, "orders could not be taken over");
        }
        Ok(collector)
    }

    fn state<T>(&self, read: impl FnOnce(&mut State) -> T) -> T {
        read(&mut self.0.state.lock().expect("nothing panics under this lock"))
    }

    /// This node's name, to write on its orders.
    pub fn node(&self) -> NodeName {
        self.state(|state| state.node.clone())
    }

    /// Whether the node lives, as far as the others know.
    pub fn is_alive(&self) -> bool {
        self.state(|state| state.is_alive())
    }

    /// Whether the node's clock is so far off the database's that nobody should be sent here.
    pub fn is_askew(&self) -> bool {
        self.state(|state| state.is_askew)
    }

    /// How far the node's clock was off the database's when it was last compared.
    pub fn skew(&self) -> Seconds {
        self.state(|state| state.skew)
    }

    /// How many orders this node asks about.
    pub fn live(&self) -> usize {
        self.state(|state| state.collecting.len())
    }

    /// Renews the heartbeat, and collects the orders of nodes that did not, until this one stops.
    pub async fn watch_over_nodes(self) {
        loop {
            sleep(HEARTBEAT).await;
            if self.state(|state| state.is_stopping) {
                return;
            }
            // Whoever waits longer is taken for dead by the others, and tries again.
            match timeout(ALIVE, self.beat()).await {
                Ok(Ok(is_alone)) => {
                    self.0.followed.set_alone(is_alone);
                    continue;
                }
                Ok(Err(fault)) => {
                    tracing::error!(%fault, "the node's heartbeat could not be written");
                }
                Err(_) => tracing::error!("the database does not answer the node's heartbeat"),
            }
            self.0.followed.set_alone(false);
            self.state(|state| state.is_unsettled = true);
        }
    }

    /// Says whether no other node is there.
    async fn beat(&self) -> Result<bool, Fault> {
        if self.0.store.is_behind() {
            // What it would store nobody could open: others collect for it.
            return Ok(false);
        }
        let asked_at = Instant::now();
        let now = self.common_time().await?;
        let node = self.node();
        let heard = self.is_alive() && self.0.store.heartbeat(&node, now).await?;
        // Pollers look at the same clock under the same lock: either all of them saw that the node
        // lived on, or it begins anew.
        let renewed = heard && self.state(|state| state.live_until(asked_at + ALIVE));
        if self.state(|state| state.is_stopping) {
            return Ok(false);
        }
        if !renewed {
            self.begin_anew(&node).await?;
        }
        self.take_over(now).await?;
        // Whoever is not sure that there is no other one goes by the database.
        let has_other = self.0.store.has_other_node(&node, now - LEASE).await;
        Ok(renewed && !has_other.unwrap_or(true))
    }

    /// The time that heartbeats are written and judged by: the database's own, which is one for all nodes.
    /// By its own clock, one that is some seconds ahead would take the others for dead, and theirs from them.
    async fn common_time(&self) -> Result<Timestamp, Fault> {
        let ours = self.0.clock.now();
        let theirs = self.0.store.clock().await?.unwrap_or(ours);
        let skew = ours.distance(theirs);
        let is_askew = skew > SKEW;
        let was_askew = self.state(|state| {
            state.skew = skew;
            std::mem::replace(&mut state.is_askew, is_askew)
        });
        // Once, and not every second.
        match (was_askew, is_askew) {
            (false, true) => tracing::error!(
                seconds = skew.0,
                "the clock is off the database's: nobody should be sent to this node until it is set"
            ),
            (true, false) => tracing::info!("the clock is right again"),
            _ => {}
        }
        Ok(theirs)
    }

    /// After too long a silence: what the node collected is free for anyone, itself included.
    async fn begin_anew(&self, node: &NodeName) -> Result<(), Fault> {
        let asked_at = Instant::now();
        let now = self.common_time().await?;
        let node = self.0.store.start_node(&node.id, now).await?;
        self.state(|state| {
            state.node = node;
            state.alive_until = asked_at + ALIVE;
            state.is_unsettled = true;
        });
        self.0.changed.notify_waiters();
        Ok(())
    }

    async fn take_over(&self, now: Timestamp) -> Result<(), Fault> {
        let (store, node) = (&self.0.store, self.node());
        // How long an answer may still be on its way is measured by the clock of whoever waits for it.
        let at = self.0.clock.now();
        let taken = store.take_over_orders(&node, now - LEASE, at).await?;
        if taken > 0 {
            tracing::info!(taken, "orders were taken over");
        }
        if taken > 0 || self.state(|state| std::mem::take(&mut state.is_unsettled)) {
            let settled = self.collect_own(&node).await;
            if settled.is_err() {
                self.state(|state| state.is_unsettled = true);
            }
            return settled;
        }
        Ok(())
    }

    /// Collects those of the node's orders that nobody collects.
    async fn collect_own(&self, node: &NodeName) -> Result<(), Fault> {
        let (store, followed) = (&self.0.store, &self.0.followed);
        for own in store.orders_of_node(node).await? {
            if self.state(|state| state.collecting.contains(&own.order)) {
                continue;
            }
            match followed.refresh(own.login).await {
                Ok(Some(login)) if login.order.id == own.order => {
                    self.collect(&login, own.taken_over_at);
                }
                // An order that is no longer its login's: nobody waits for it.
                Ok(_) => {
                    let progress = Progress::Cancelled;
                    store
                        .keep_progress(own.login, own.order, &progress, None)
                        .await?;
                }
                // One that this version cannot read must not keep the others waiting.
                Err(fault @ Fault::Database(_)) => return Err(fault),
                Err(fault) => {
                    tracing::error!(%fault, login = %own.login, "an order cannot be read");
                }
            }
        }
        Ok(())
    }

    /// Stops collecting, and says so: the others need not wait for the lease to end. First every
    /// question that is under way is answered, because its answer may be the only one.
    pub async fn stop(&self) -> Result<(), Fault> {
        self.state(|state| state.is_stopping = true);
        self.0.changed.notify_waiters();
        let latest = Instant::now() + REQUEST_TIMEOUT + INTERVAL;
        while self.state(|state| !state.collecting.is_empty()) && Instant::now() < latest {
            sleep(Duration::from_millis(20)).await;
        }
        self.0.store.stop_node(&self.node()).await
    }

    /// Asks no more about an order that was ended here.
    pub fn release(&self, order: Id<kind::Order>) {
        self.state(|state| state.collecting.remove(&order));
    }

    /// Collects a login's order from now on, whether or not whoever began it waits.
    pub fn collect(&self, login: &Login, taken_over_at: Option<Timestamp>) {
        if !matches!(login.order.progress, Progress::Ordered(_)) {
            return;
        }
        let fresh = self.state(|state| {
            let fresh = state.collecting.insert(login.order.id);
            fresh.then(|| state.node.clone())
        });
        let Some(node) = fresh else {
            return;
        };
        let poller = Poller {
            collector: self.clone(),
            node,
            over_at: login.order.received_at.timestamp() + ORDER_LIFETIME,
            taken_over_at,
            login: login.clone(),
        };
        self.0.runtime.spawn(async move {
            let (collector, order) = (poller.collector.clone(), poller.login.order.id);
            let ended = poller.run().await;
            collector.state(|state| {
                state.collecting.remove(&order);
                state.is_unsettled |= !ended;
            });
        });
    }
}

/// Whether an order is worth another question.
enum Patience {
    Ask,
    GiveUp,
}

impl Patience {
    fn unless(hopeless: bool) -> Patience {
        match hopeless {
            true => Patience::GiveUp,
            false => Patience::Ask,
        }
    }
}

struct Poller {
    collector: Collector,
    /// The start of the node that the order belongs to.
    node: NodeName,
    /// As it was when its order was made, moved on by what BankID said since.
    login: Login,
    over_at: Timestamp,
    taken_over_at: Option<Timestamp>,
}

impl Poller {
    /// `true` when there is nothing more to ask, `false` when the order may need somebody else.
    async fn run(mut self) -> bool {
        let mut due = Instant::now();
        while self.is_ours() {
            if self.collector.0.clock.now() >= self.login.expires_at {
                return self.end().await;
            }
            self.collector.0.metrics.collector_lagged(due.elapsed());
            let next = Instant::now() + INTERVAL;
            due = next;
            // By the certificate that made the order, also when it was replaced meanwhile.
            let Some(party) = self.party() else {
                return self.lose().await;
            };
            let order_ref = &self.login.order.tokens.order_ref;
            let asked_at = Instant::now();
            let answer = party.bankid.collect(order_ref).await;
            let (metrics, traces) = (&self.collector.0.metrics, &self.collector.0.traces);
            let took = asked_at.elapsed();
            metrics.bankid_answered("collect", &answer, took);
            traces.bankid_answered("collect", Some(self.login.id), &answer, took);
            let event = match answer {
                Ok(Collected::Pending { hint_code }) => Some(Event::Hinted(hint_code)),
                Ok(Collected::Failed { hint_code }) => Some(Event::Failed(hint_code)),
                Ok(Collected::Complete { completion_data }) => {
                    let is_kept = self.login.asked.demands.evidence.is_some();
                    Some(Event::Completed(match is_kept {
                        true => completion_data,
                        false => Box::new(completion_data.without_evidence()),
                    }))
                }
                Err(failure) => match self.after(&failure) {
                    Patience::Ask => None,
                    Patience::GiveUp => return self.lose().await,
                },
            };
            if let Some(event) = event
                && !self.take(event).await
            {
                return true;
            }
            self.rest_until(next).await;
        }
        let order = self.login.order.id;
        self.collector
            .state(|state| !state.collecting.contains(&order))
    }

    /// Until the next question is due, or there will be none.
    async fn rest_until(&self, next: Instant) {
        loop {
            // Before it is looked: what changes meanwhile is heard.
            let changed = self.collector.0.changed.notified();
            if !self.is_ours() || Instant::now() >= next {
                return;
            }
            tokio::select! {
                () = changed => {}
                () = sleep_until(next) => {}
            }
        }
    }

    fn party(&self) -> Option<Arc<Party>> {
        let (asked, order) = (&self.login.asked, &self.login.order);
        let parties = &self.collector.0.parties;
        parties.of_order(asked.demands.profile(), &order.ordered.certificate)
    }

    /// Whether the node lives, as the start that the order belongs to, and the order was not ended.
    fn is_ours(&self) -> bool {
        self.collector.state(|state| {
            state.is_alive()
                && state.node == self.node
                && state.collecting.contains(&self.login.order.id)
        })
    }

    /// Keeps what BankID said. `false` when there is nothing more to ask.
    async fn take(&mut self, event: Event) -> bool {
        let now = self.collector.0.clock.now();
        let Ok(moved) = self.login.clone().on(event, now) else {
            return false;
        };
        match (&self.login.order.progress, &moved.order.progress) {
            (Progress::Ordered(known), Progress::Ordered(hint)) if known == hint => true,
            (_, Progress::Ordered(_)) => self.keep_hint(moved).await,
            _ => {
                self.keep_answer(moved).await;
                false
            }
        }
    }

    /// `false` when the order no longer waits.
    async fn keep_hint(&mut self, moved: Login) -> bool {
        match self.keep(&moved).await {
            Ok(Some(version)) => {
                if let Progress::Ordered(hint) = &moved.order.progress {
                    self.collector.0.metrics.order_hinted(hint);
                }
                self.tell(version, &moved).await;
                self.login = moved;
                true
            }
            Ok(None) => false,
            Err(fault) => {
                // The next answer brings the hint again.
                tracing::error!(%fault, login = %self.login.id, "a hint could not be stored");
                true
            }
        }
    }

    /// Stores a terminal answer, which BankID gives only once: for as long as it takes.
    async fn keep_answer(&self, moved: Login) {
        loop {
            match self.keep(&moved).await {
                Ok(Some(version)) => {
                    self.collector.0.metrics.order_ended(&moved.order.progress);
                    return self.tell(version, &moved).await;
                }
                // Whoever stored it, or this one at a try that nobody confirmed.
                Ok(None) => return self.collector.0.followed.tell(moved.id).await,
                Err(fault) => {
                    tracing::error!(%fault, login = %moved.id, "an answer could not be stored yet");
                    sleep(Duration::from_millis(500)).await;
                    if self.collector.0.clock.now() > moved.expires_at {
                        return;
                    }
                }
            }
        }
    }

    /// Tells the pages. What else has become of the login since its order was made, they know.
    async fn tell(&self, version: i64, moved: &Login) {
        let followed = &self.collector.0.followed;
        let change = |login: &mut Login| {
            // An order that has been replaced tells nobody anything.
            if login.order.id == moved.order.id {
                login.order.progress = moved.order.progress.clone();
                login.order.answered_at = moved.order.answered_at;
            }
        };
        followed.moved(moved.id, version, change).await;
    }

    async fn keep(&self, moved: &Login) -> Result<Option<i64>, Fault> {
        let store = &self.collector.0.store;
        store
            .keep_progress(
                moved.id,
                moved.order.id,
                &moved.order.progress,
                moved.order.answered_at,
            )
            .await
    }

    /// What a failed question means: mostly nothing, the order is asked for again. When BankID
    /// says that there is no such order, its answer was given before: to a node that died with it,
    /// which may still be storing it while its lease and its request last.
    fn after(&self, failure: &Failure) -> Patience {
        let now = self.collector.0.clock.now();
        // The order is the only parameter of the question.
        if let Failure::Refused { code, .. } = failure
            && code == "invalidParameters"
        {
            let grace = LEASE + Seconds(REQUEST_TIMEOUT.as_secs().cast_signed());
            let patient = self.taken_over_at.is_some_and(|at| now <= at + grace);
            return Patience::unless(!patient);
        }
        tracing::warn!(%failure, login = %self.login.id, "BankID could not be asked about an order");
        Patience::unless(now > self.over_at)
    }

    /// The login's time is up: what is left of its order is ended here and at BankID, or somebody could
    /// still approve it. `true` when that was decided.
    async fn end(&self) -> bool {
        let (store, login) = (&self.collector.0.store, &self.login);
        let (id, order) = (login.id, &login.order);
        let progress = Progress::Cancelled;
        match store.keep_progress(id, order.id, &progress, None).await {
            Ok(Some(_)) => {
                self.collector.0.followed.tell(id).await;
                if let Some(party) = self.party()
                    && let Err(failure) = party.bankid.cancel(&order.tokens.order_ref).await
                {
                    tracing::info!(%failure, "an order could not be cancelled");
                }
                true
            }
            Ok(None) => true,
            Err(fault) => {
                tracing::error!(%fault, login = %id, "an order could not be ended");
                false
            }
        }
    }

    /// The order is given up, if it is still this node's: another one that has taken it over
    /// meanwhile may be storing its answer. `true` when that was decided.
    async fn lose(&self) -> bool {
        let (store, login) = (&self.collector.0.store, &self.login);
        let now = self.collector.0.clock.now();
        if login.clone().on(Event::Lost, now).is_err() {
            return true;
        }
        match store.lose_order(login.id, login.order.id, &self.node).await {
            Ok(lost) => {
                if lost {
                    self.collector.0.metrics.order_ended(&Progress::Lost);
                    self.collector.0.followed.tell(login.id).await;
                }
                true
            }
            Err(fault) => {
                tracing::error!(%fault, login = %login.id, "a lost order could not be given up");
                false
            }
        }
    }
}

//! What was refused waits in memory, and is looked at and kept about once a second: nobody waits for it,
//! and where nothing is refused nothing is read or written. How much is kept is bounded, because anyone
//! can send garbage in any client's name.

use std::collections::HashMap;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex as AsyncMutex;

use crate::client::Client;
use crate::client::mistake::diagnosis::{Known, Scene, diagnose};
use crate::client::mistake::received::shown;
use crate::client::mistake::{Endpoint, Reason, Received, Record, near};
use crate::clock::{Seconds, Timestamp};
use crate::id::{ClientId, Id, kind};
use crate::provider::Provider;
use crate::random::Random;
use crate::storage;

/// How many may wait.
const WAITING: usize = 512;
/// How often those that wait are kept.
pub const INTERVAL: Duration = Duration::from_secs(1);
/// How many rows a client's mistake of one reason makes in a while; what more comes is counted in them.
const ALIKE: u32 = 5;
const WHILE: Seconds = Seconds(60);
/// How many rows all mistakes of one client make in a longer while, and those of strangers together.
const OF_ONE: u32 = 200;
/// How many rows this node makes in that while.
const OF_ALL: u32 = 2000;
const LONG_WHILE: Seconds = Seconds(60 * 60);

/// A refused request, not yet looked at.
#[derive(Clone, Debug)]
pub struct Refused {
    /// Where.
    pub endpoint: Endpoint,
    /// Why, as far as the rule knew.
    pub reason: Reason,
    /// What the client was told.
    pub code: &'static str,
    /// By which name its page knows it.
    pub reference: String,
    /// When.
    pub at: Timestamp,
    /// What came.
    pub received: Received,
}

/// Those that wait, and what was kept lately.
#[derive(Debug, Default)]
pub struct Refusals {
    waiting: Mutex<Vec<Refused>>,
    flood: AsyncMutex<Flood>,
}

impl Refusals {
    /// Whether one more may wait. Who asks first spares the work that comes to nothing.
    pub fn have_room(&self) -> bool {
        self.waiting().len() < WAITING
    }

    /// Takes one; `false` where too many wait.
    #[must_use]
    pub fn note(&self, refused: Refused) -> bool {
        let mut waiting = self.waiting();
        let has_room = waiting.len() < WAITING;
        if has_room {
            waiting.push(refused);
        }
        has_room
    }

    fn take(&self) -> Vec<Refused> {
        mem::take(&mut *self.waiting())
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Refused>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What becomes of one more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It gets this row.
    Kept(Id<kind::Refusal>),
    /// It is counted in this one.
    Counted(Id<kind::Refusal>),
    /// There is no room for it.
    Dropped,
}

/// How many rows were made lately. Its keys are registered clients and mistakes that we know, so that
/// nobody can fill it.
#[derive(Debug, Default)]
struct Flood {
    alike: HashMap<(Option<ClientId>, Reason), (u32, Id<kind::Refusal>)>,
    alike_since: Timestamp,
    rows: HashMap<Option<ClientId>, u32>,
    all: u32,
    rows_since: Timestamp,
}

impl Flood {
    fn fate(
        &mut self,
        client: Option<&ClientId>,
        reason: Reason,
        at: Timestamp,
        random: &Random,
    ) -> Fate {
        // A clock that was set back ends a while, too.
        let is_over = |since: Timestamp, length: Seconds| at >= since + length || at < since;
        if is_over(self.alike_since, WHILE) {
            self.alike.clear();
            self.alike_since = at;
        }
        if is_over(self.rows_since, LONG_WHILE) {
            self.rows.clear();
            self.all = 0;
            self.rows_since = at;
        }
        let key = (client.cloned(), reason);
        let before = self.alike.get(&key).copied();
        let rows = self.rows.entry(key.0.clone()).or_default();
        let has_room =
            before.is_none_or(|(count, _)| count < ALIKE) && *rows < OF_ONE && self.all < OF_ALL;
        match (has_room, before) {
            (true, before) => {
                let id = Id::fresh(random);
                *rows += 1;
                self.all += 1;
                let count = before.map_or(0, |(count, _)| count);
                self.alike.insert(key, (count + 1, id));
                Fate::Kept(id)
            }
            (false, Some((_, id))) => Fate::Counted(id),
            (false, None) => Fate::Dropped,
        }
    }
}

impl Provider {
    /// Keeps what waits, again and again.
    pub async fn keep_refusals(self) {
        let mut every = tokio::time::interval(INTERVAL);
        loop {
            every.tick().await;
            if let Err(fault) = self.keep_waiting_refusals().await {
                tracing::error!(%fault, "refused requests could not be kept");
            }
        }
    }

    /// Keeps what waits now.
    pub async fn keep_waiting_refusals(&self) -> storage::Result<()> {
        let mut flood = self.refusals.flood.lock().await;
        let waiting = self.refusals.take();
        if waiting.is_empty() {
            return Ok(());
        }
        let count = waiting.len();
        let kept = self.keep(waiting, &mut flood).await;
        if kept.is_err() {
            (0..count).for_each(|_| self.metrics.refusal_dropped());
        }
        kept
    }

    async fn keep(&self, waiting: Vec<Refused>, flood: &mut Flood) -> storage::Result<()> {
        let named = |refused: &Refused| ClientId::parse(refused.received.client_id.as_deref()?);
        let mut names: Vec<ClientId> = waiting.iter().filter_map(named).collect();
        names.sort_by(|a, b| a.as_str().cmp(b.as_str()));
        names.dedup();
        let clients = self.store.clients_of(&names).await?;
        let (mut records, mut again) = (Vec::new(), HashMap::<_, i64>::new());
        for refused in waiting {
            let name = refused.received.client_id.as_deref();
            let client = clients.iter().find(|c| Some(c.client_id.as_str()) == name);
            let client_id = client.map(|client| &client.client_id);
            match flood.fate(client_id, refused.reason, refused.at, &self.random) {
                Fate::Kept(id) => records.push(self.record(id, refused, client).await?),
                Fate::Counted(id) => *again.entry(id).or_default() += 1,
                Fate::Dropped => self.metrics.refusal_dropped(),
            }
        }
        let again: Vec<_> = again.into_iter().collect();
        self.store.keep_refusals(&records, &again).await
    }

    /// What is kept of one.
    async fn record(
        &self,
        id: Id<kind::Refusal>,
        refused: Refused,
        client: Option<&Client>,
    ) -> storage::Result<Record> {
        let Refused {
            endpoint,
            reason,
            code,
            reference,
            at,
            received,
        } = refused;
        let known = self.known_of(reason, &received, client, at).await?;
        let scene = Scene {
            received: &received,
            client,
            known: &known,
            endpoint,
            issuer: &self.config.issuer.url,
            at,
        };
        let (reason, detail) = diagnose(reason, scene);
        let owner = known.owner.map(|owner| owner.client_id);
        let client_id = client.map(|client| client.client_id.clone()).or(owner);
        let claimed = received.client_id.as_deref().map(shown);
        Ok(Record {
            id,
            // What is somebody's secret is no name.
            claimed: claimed.filter(|_| client_id.is_none() && reason != Reason::ClientIdIsSecret),
            client_id,
            endpoint,
            code: code.to_owned(),
            reason,
            detail,
            reference,
            times: 1,
            at,
        })
    }

    /// What the database knows of it, for the few mistakes that it knows anything of.
    async fn known_of(
        &self,
        reason: Reason,
        received: &Received,
        client: Option<&Client>,
        at: Timestamp,
    ) -> storage::Result<Known> {
        let store = &self.store;
        let mut known = Known::default();
        // Userinfo is not told who calls.
        if let Some(token) = received.access_token
            && (client.is_none() || reason == Reason::TokenUnknown)
        {
            known.owner = store.owner_of_access_token(token).await?;
        }
        match (reason, client) {
            (Reason::ClientIdUnknown, None) => {
                let name = received.client_id.as_deref().unwrap_or_default();
                known.is_secret = store.is_client_secret(name).await?;
                let alike = store.client_names_like(name).await?;
                known.near = near::nearest(name, alike);
            }
            (Reason::SecretWrong, Some(client)) => {
                known.secret = store.past_secret(&client.client_id, received, at).await?;
            }
            (Reason::CodeUnknown | Reason::CodeExpired, _) => {
                if let Some(code) = received.code {
                    known.owner = store.owner_of_code(code).await?;
                }
            }
            (Reason::RefreshTokenUnknown, _) => {
                if let Some(token) = received.refresh_token {
                    known.owner = store.owner_of_refresh_token(token).await?;
                }
            }
            (Reason::PushedRequestUnknown, _) => {
                if let Some(pushed) = received.pushed {
                    known.owner = store.owner_of_pushed_request(pushed).await?;
                }
            }
            _ => {}
        }
        Ok(known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_alike_is_counted_and_nobody_fills_the_table() {
        let _shows = crate::shows!(accepting "PV-WHY-3", refusing "PV-WHY-3");
        let random = Random::seeded(1);
        let mut flood = Flood::default();
        let client = |n: u32| ClientId::parse(&format!("c{n}"));
        let at = Timestamp(100_000);
        let mut last = None;
        for n in 0..1000 {
            let fate = flood.fate(None, Reason::ClientIdUnknown, at, &random);
            match fate {
                Fate::Kept(id) => {
                    assert!(n < ALIKE);
                    last = Some(id);
                }
                Fate::Counted(id) => assert_eq!(Some(id), last),
                Fate::Dropped => panic!("{n} was dropped"),
            }
        }
        let other = flood.fate(client(1).as_ref(), Reason::ClientIdUnknown, at, &random);
        assert!(matches!(other, Fate::Kept(_)), "others have their own room");
        let later = flood.fate(None, Reason::ClientIdUnknown, at + WHILE, &random);
        assert!(matches!(later, Fate::Kept(_)), "in another minute");

        // All kinds in all minutes of an hour, and then the next one.
        let rows = |flood: &mut Flood, client: Option<&ClientId>, from: Timestamp| {
            let mut rows = 0;
            for minute in 0..60 {
                for reason in Reason::ALL {
                    let at = from + Seconds(minute * 60);
                    let fate = flood.fate(client, *reason, at, &random);
                    rows += u32::from(matches!(fate, Fate::Kept(_)));
                }
            }
            rows
        };
        let mut flood = Flood::default();
        assert_eq!(rows(&mut flood, None, at), OF_ONE);
        assert_eq!(rows(&mut flood, None, at + LONG_WHILE), OF_ONE);
        let mut flood = Flood::default();
        let mut all = 0;
        for n in 0..20 {
            all += rows(&mut flood, client(n).as_ref(), at);
        }
        assert_eq!(all, OF_ALL);
        let back = flood.fate(client(30).as_ref(), Reason::CodeUsed, Timestamp(5), &random);
        assert!(matches!(back, Fate::Kept(_)), "a clock that was set back");
    }

    #[test]
    fn only_so_many_wait() {
        let _shows = crate::shows!(refusing "PV-WHY-3");
        let refusals = Refusals::default();
        let refused = Refused {
            endpoint: Endpoint::Token,
            reason: Reason::CodeUsed,
            code: "invalid_grant",
            reference: String::new(),
            at: Timestamp(0),
            received: Received::default(),
        };
        for n in 0..2 * WAITING {
            assert_eq!(refusals.have_room(), n < WAITING);
            assert_eq!(refusals.note(refused.clone()), n < WAITING);
        }
        assert_eq!(refusals.take().len(), WAITING);
        assert!(refusals.note(refused));
    }
}

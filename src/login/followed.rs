//! ⚡ The logins that this node shows or collects, in memory: what the collector learns is told to
//! every page that waits for it, and what other nodes learn is asked for once a second.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::Login;
use crate::error::Fault;
use crate::id::{Id, kind};
use crate::secret::{Digest, kind as secret};
use crate::storage::Store;

/// How long after it was last looked at a login counts as watched. Pages without scripts come
/// back every second or two.
const WATCHED: Duration = Duration::from_secs(8);
/// How long after that it is kept in memory.
const KEPT: Duration = Duration::from_secs(30);
/// How long a node that is alone believes what it knows of a login without looking, twice as long as it takes to
/// look at all of them: what people and BankID do goes through it, and nobody waits for what is done in a shell.
const BELIEVED: Duration = Duration::from_secs(2);

/// The logins that this node knows in memory.
#[derive(Clone)]
pub struct Followed {
    store: Store,
    // A std mutex: it is never held across an await, and what is done under it is a map lookup.
    entries: Arc<Mutex<HashMap<Id<kind::Login>, Entry>>>,
    /// Where the apps of orders that were made here come back to.
    returns: Arc<Mutex<HashMap<Digest<secret::ReturnNonce>, Awaited>>>,
    /// Whether no other node was there when that was last looked for.
    is_alone: Arc<AtomicBool>,
}

/// The login that an app comes back to, and for which of its orders.
type Awaited = (Id<kind::Login>, Id<kind::Order>);

struct Entry {
    sender: watch::Sender<Arc<Login>>,
    /// When it was last asked for and found to be so in the database, or was made so by this node.
    learned_at: Option<Instant>,
    seen_at: Instant,
    renewing: bool,
}

impl Followed {
    /// Nothing yet.
    pub fn new(store: Store) -> Followed {
        Followed {
            // Until somebody has looked.
            is_alone: Arc::default(),
            store,
            entries: Arc::default(),
            returns: Arc::default(),
        }
    }

    /// Says whether no other node is there.
    pub fn set_alone(&self, is_alone: bool) {
        self.is_alone.store(is_alone, Ordering::Relaxed);
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<Id<kind::Login>, Entry>> {
        self.entries.lock().expect("nothing panics under this lock")
    }

    fn returns(&self) -> MutexGuard<'_, HashMap<Digest<secret::ReturnNonce>, Awaited>> {
        self.returns.lock().expect("nothing panics under this lock")
    }

    /// The login as this node knows it, from memory when it does. Nobody counts as looking at it.
    pub async fn known(&self, id: Id<kind::Login>) -> Result<Option<Arc<Login>>, Fault> {
        let known = self
            .entries()
            .get(&id)
            .map(|entry| entry.sender.borrow().clone());
        match known {
            Some(login) => Ok(Some(login)),
            None => Ok(self.store.login(id).await?.map(Arc::new)),
        }
    }

    /// The login for one of its pages: from memory, where no other node can have changed it since this one read or
    /// changed it. Who ends it by that names its order, and the database takes an end of an open login with that order
    /// alone. That an order is complete, or its app back, stays so until its answer is dropped, minutes later.
    pub async fn current(&self, id: Id<kind::Login>) -> Result<Option<Arc<Login>>, Fault> {
        match self.believed(id) {
            Some(login) => Ok(Some(login)),
            None => Ok(self.store.login(id).await?.map(Arc::new)),
        }
    }

    fn believed(&self, id: Id<kind::Login>) -> Option<Arc<Login>> {
        if !self.is_alone.load(Ordering::Relaxed) {
            return None;
        }
        let entries = self.entries();
        let entry = entries.get(&id)?;
        let learned_at = entry.learned_at?;
        (learned_at.elapsed() < BELIEVED).then(|| entry.sender.borrow().clone())
    }

    /// Says where the app of a login's order, which was made here, comes back to.
    pub fn awaits(&self, nonce: Digest<secret::ReturnNonce>, login: &Login) {
        self.returns().insert(nonce, (login.id, login.order.id));
    }

    /// The login whose app was told to come back by this nonce for its order of now, in the same way as
    /// [`Followed::current`].
    pub async fn awaited(
        &self,
        nonce: Digest<secret::ReturnNonce>,
    ) -> Result<Option<Arc<Login>>, Fault> {
        let awaited = self.returns().get(&nonce).copied();
        if let Some((login, order)) = awaited
            && let Some(login) = self.believed(login)
            && login.order.id == order
        {
            return Ok(Some(login));
        }
        Ok(self.store.login_by_return(nonce).await?.map(Arc::new))
    }

    /// The login as it is now and as it changes. Counts as somebody looking at it.
    pub async fn follow(
        &self,
        id: Id<kind::Login>,
    ) -> Result<Option<watch::Receiver<Arc<Login>>>, Fault> {
        if let Some(entry) = self.entries().get_mut(&id) {
            entry.seen_at = Instant::now();
            return Ok(Some(entry.sender.subscribe()));
        }
        if self.refresh(id).await?.is_none() {
            return Ok(None);
        }
        Ok(self
            .entries()
            .get(&id)
            .map(|entry| entry.sender.subscribe()))
    }

    /// Says that somebody looks at a login, by a page that comes back.
    pub fn look_at(&self, login: &Arc<Login>) {
        // It may have been read a while ago.
        self.learn(login, None);
        if let Some(entry) = self.entries().get_mut(&login.id) {
            entry.seen_at = Instant::now();
        }
    }

    /// Tells everyone who follows a login what has just been made of it here. What is older than they know is
    /// dropped.
    pub fn publish(&self, login: &Arc<Login>) {
        self.learn(login, Some(Instant::now()));
    }

    fn learn(&self, login: &Arc<Login>, learned_at: Option<Instant>) {
        let mut entries = self.entries();
        let entry = entries.entry(login.id).or_insert_with(|| Entry {
            sender: watch::Sender::new(login.clone()),
            learned_at,
            seen_at: Instant::now(),
            renewing: false,
        });
        entry.sender.send_if_modified(|known| {
            let newer = known.version < login.version;
            if newer {
                *known = login.clone();
                entry.learned_at = learned_at;
            }
            newer
        });
    }

    /// Reads a login again and tells everyone who follows it.
    pub async fn refresh(&self, id: Id<kind::Login>) -> Result<Option<Arc<Login>>, Fault> {
        let asked_at = Instant::now();
        let login = self.store.login(id).await?.map(Arc::new);
        if let Some(login) = &login {
            self.learn(login, Some(asked_at));
        }
        Ok(login)
    }

    /// Tells of a change that is already stored and made `version` of a login. Where this node knows the version
    /// before it, it need not be read again.
    pub async fn moved(
        &self,
        id: Id<kind::Login>,
        version: i64,
        change: impl FnOnce(&mut Login) + Send,
    ) {
        let before = self
            .entries()
            .get(&id)
            .map(|entry| entry.sender.borrow().clone());
        match before {
            Some(before) if before.version + 1 == version => {
                let mut now = Login::clone(&before);
                change(&mut now);
                now.version = version;
                self.publish(&Arc::new(now));
            }
            _ => self.tell(id).await,
        }
    }

    /// The same after a change that is already stored: what was done is done, whether or not it can
    /// be told at once.
    pub async fn tell(&self, id: Id<kind::Login>) {
        if let Err(fault) = self.refresh(id).await {
            tracing::error!(%fault, login = %id, "a changed login could not be read");
        }
    }

    /// Asks, in one query, which of the followed logins changed elsewhere, and tells: also of those
    /// whose order is collected here, because forms are sent to any node. Those that nobody has
    /// looked at for a while are let go.
    pub async fn catch_up(&self) -> Result<(), Fault> {
        // Read once: with many entries the clock would be most of the work.
        let asked_at = Instant::now();
        let known: Vec<(Id<kind::Login>, i64)> = {
            let mut entries = self.entries();
            entries.retain(|_, entry| {
                entry.sender.receiver_count() > 0 || asked_at.duration_since(entry.seen_at) < KEPT
            });
            entries
                .iter()
                .map(|(id, entry)| (*id, entry.sender.borrow().version))
                .collect()
        };
        {
            let entries = self.entries();
            self.returns()
                .retain(|_, (login, _)| entries.contains_key(login));
        }
        if known.is_empty() {
            return Ok(());
        }
        let changed: HashSet<_> = self
            .store
            .changed_logins(&known)
            .await?
            .into_iter()
            .collect();
        {
            let mut entries = self.entries();
            for (id, _) in known.iter().filter(|(id, _)| !changed.contains(id)) {
                if let Some(entry) = entries.get_mut(id) {
                    entry.learned_at = entry.learned_at.max(Some(asked_at));
                }
            }
        }
        for id in changed {
            match self.refresh(id).await {
                Ok(Some(_)) => {}
                Ok(None) => drop(self.entries().remove(&id)),
                Err(fault @ Fault::Database(_)) => return Err(fault),
                // One that this version cannot read must not keep the others waiting.
                Err(fault) => {
                    tracing::error!(%fault, login = %id, "a changed login cannot be read");
                    self.entries().remove(&id);
                }
            }
        }
        Ok(())
    }

    /// The logins that somebody is looking at and that `wanted` picks, each named once until
    /// [`Followed::renewed`] is called for it.
    pub fn claim_renewals(&self, wanted: impl Fn(&Login) -> bool) -> Vec<Arc<Login>> {
        let now = Instant::now();
        self.entries()
            .values_mut()
            .filter(|entry| {
                let unseen = now.duration_since(entry.seen_at);
                let watched = entry.sender.receiver_count() > 0 || unseen < WATCHED;
                watched && !entry.renewing && wanted(&entry.sender.borrow())
            })
            .map(|entry| {
                entry.renewing = true;
                entry.sender.borrow().clone()
            })
            .collect()
    }

    /// Says that a renewal came to its end, one way or another.
    pub fn renewed(&self, id: Id<kind::Login>) {
        if let Some(entry) = self.entries().get_mut(&id) {
            entry.renewing = false;
        }
    }
}

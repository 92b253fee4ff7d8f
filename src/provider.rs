//! The provider as a whole: what it holds, how it starts and how it stops.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use thiserror::Error;
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::admin::role::Reach;
use crate::admin::{Desk, console};
use crate::audit::Actor;
use crate::authorize::Policy;
use crate::authorize::request::Parameters;
use crate::bankid::environment::Worth;
use crate::bankid::party::{self, Parties};
use crate::client::Client;
use crate::client::guessing::Guesses;
use crate::client::keys::PublishedKeys;
use crate::clock::{Clock, Timestamp};
use crate::config::bankid::Profile;
use crate::config::{Config, database};
use crate::error::Fault;
use crate::http::load::Load;
use crate::id::ClientId;
use crate::jose::jwks::Jwks;
use crate::jose::keyring::{KeySet, Keyring, REREAD_INTERVAL};
use crate::language::Language;
use crate::login::collector::Collector;
use crate::login::followed::Followed;
use crate::login::limit::Limits;
use crate::login::ordering;
use crate::login::{LIFETIME, Login};
use crate::outbound::Outbound;
use crate::random::Random;
use crate::refusals::Refusals;
use crate::rekeying;
use crate::secret::{Digest, kind as secret};
use crate::session::delivery;
use crate::storage::{Keys, OpenError, Store};
use crate::sweeping;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::traces::Traces;
use crate::telemetry::usage::Usage;
use crate::token::code::CodeRecord;
use crate::token::fresh::FreshCodes;

/// Everything that a request may need. Cheap to clone.
#[derive(Clone)]
pub struct Provider(Arc<Parts>);

/// The parts of a [`Provider`].
pub struct Parts {
    /// What the operator wrote.
    pub config: Config,
    /// What the configuration says of authorization requests.
    pub policy: Policy,
    /// The database.
    pub store: Store,
    /// The same for those who wait longer: administrators, and the work beside the service.
    pub patient: Store,
    /// The keys of this installation.
    pub keys: Keys,
    /// The keys that tokens are signed with.
    pub keyring: Keyring,
    /// The metadata document, as it goes out.
    pub metadata: OnceLock<Bytes>,
    /// Who we are at BankID.
    pub parties: Parties,
    /// Calls to clients.
    pub outbound: Outbound,
    /// The keys that clients publish.
    pub published_keys: PublishedKeys,
    /// Who tries clients' secrets out.
    pub guesses: Guesses,
    /// How many logins and orders there may be.
    pub limits: Limits,
    /// What is under way.
    pub load: Load,
    /// Requests that were refused, until they are kept.
    pub refusals: Refusals,
    /// What is measured.
    pub metrics: Arc<Metrics>,
    /// Where spans go, if anywhere.
    pub traces: Traces,
    /// Codes that were given out here and not shown yet.
    pub fresh_codes: FreshCodes,
    /// How much each client is used.
    pub usage: Usage,
    /// The logins that this node knows in memory.
    pub followed: Followed,
    /// Who asks BankID about orders.
    pub collector: Collector,
    /// The time.
    pub clock: Clock,
    /// The randomness.
    pub random: Random,
    /// Whether this node could read the keys of the database when it last tried.
    pub data_keys_are_read: AtomicBool,
    /// Where that runs which outlives the request that began it: the threads of the web server end with it.
    pub runtime: Handle,
    /// What work is this process's, and no other's, is known by.
    pub lease_holder: String,
    /// Whether nobody should be sent here any more, because the node will stop.
    pub is_leaving: AtomicBool,
    /// Whether the provider is about to stop: pages that follow a login are let go.
    pub stopping: watch::Sender<bool>,
}

impl std::ops::Deref for Provider {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// A provider that cannot start, in one line for its operator.
#[derive(Debug, Error)]
pub enum StartError {
    /// Where spans go.
    #[error("traces: {0}")]
    Traces(String),
    /// The database.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A part of the start that failed.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// A sector that differs from the one that a client was created with.
    #[error(
        "client.{0}: the sector is {1} and cannot be changed: the client would know nobody any more"
    )]
    Sector(ClientId, String),
    /// A database that holds logins of another of BankID's environments.
    #[error(
        "database.url: this database is one for bankid.environment = \"{0}\", and its logins must not count under \"{1}\": use another one"
    )]
    Environment(String, &'static str),
    /// Calls to clients.
    #[error("outbound: {0}")]
    Outbound(reqwest::Error),
    /// BankID's certificates.
    #[error("bankid: {0}")]
    BankId(#[from] crate::bankid::client::SetupError),
}

/// How often other nodes' progress is asked for, and renewals are looked for.
const CATCH_UP_INTERVAL: Duration = Duration::from_secs(1);
/// How often what was counted of clients is kept.
const USAGE_INTERVAL: Duration = Duration::from_secs(30);
/// How often what was done is sealed.
const SEAL_INTERVAL: Duration = Duration::from_secs(5);
/// How often certificates are looked at.
const CERTIFICATE_INTERVAL: Duration = Duration::from_secs(5);
/// How often the log says that logins are simulated.
const SIMULATED_NOTICE_INTERVAL: Duration = Duration::from_secs(3600);

impl Provider {
    /// Opens the database, the keys and the connection to BankID, and begins to collect. Its work
    /// goes on on the runtime that this is called on.
    pub async fn start(
        config: Config,
        clock: Clock,
        random: Random,
    ) -> Result<Provider, StartError> {
        let now = clock.now();
        let (url, master) = (&config.database_url, &config.master_key);
        // One is made for a first try alone: it has another key, by which everybody has another `sub`.
        let (store, keys) = match config.issuer.is_local {
            true => Store::open(url, master, &random, now).await?,
            false => Store::open_made(url, master, &random, now).await?,
        };
        store.serve();
        if let Some(file) = database::open_file(url) {
            tracing::warn!(file = %file.display(), "the database can be read by everybody on this machine");
        }
        let environment = config.bankid.environment.word();
        let bound = store.bind_environment(environment).await?;
        if bound != environment {
            return Err(StartError::Environment(bound, environment));
        }
        store.note_issuer(&config.issuer.url).await?;
        register_clients(&config, &store, &keys, &clock).await?;
        let keyring = Keyring::open(store.clone(), config.rotation, clock.clone()).await?;
        let parties = Parties::new(config.bankid.parties()?);
        let followed = Followed::new(store.clone());
        let database = if store.is_shared() {
            "postgresql"
        } else {
            "sqlite"
        };
        let metrics = Metrics::new(store.measured()).about(database, environment);
        let metrics = Arc::new(metrics);
        let roots = &config.outbound.roots;
        let traces = Traces::start(config.traces.as_ref(), roots, &random);
        let traces = traces.map_err(StartError::Traces)?;
        let collector = Collector::start(
            &node_id(&config, &store, &random),
            store.clone(),
            parties.clone(),
            followed.clone(),
            metrics.clone(),
            traces.clone(),
            clock.clone(),
        )
        .await?;
        let outbound = Outbound::new(&config.outbound).map_err(StartError::Outbound)?;
        let config_limits = config.limits.clone();
        let load = Load::new(config.room);
        let provider = Provider(Arc::new(Parts {
            policy: Policy {
                issuer: config.issuer.url.clone(),
                acr: acr(&config),
            },
            config,
            patient: store.patient(),
            store,
            keys,
            keyring,
            metadata: OnceLock::new(),
            parties,
            outbound,
            published_keys: PublishedKeys::default(),
            guesses: Guesses::default(),
            limits: Limits::new(config_limits, &clock),
            load,
            refusals: Refusals::default(),
            metrics,
            traces,
            fresh_codes: FreshCodes::default(),
            usage: Usage::default(),
            followed,
            collector,
            clock,
            runtime: Handle::current(),
            lease_holder: random.uuid().to_string(),
            random,
            data_keys_are_read: AtomicBool::new(true),
            is_leaving: AtomicBool::new(false),
            stopping: watch::Sender::new(false),
        }));
        tokio::spawn(provider.collector.clone().watch_over_nodes());
        tokio::spawn(provider.clone().keep_pages_current());
        tokio::spawn(sweeping::look_after(provider.clone()));
        tokio::spawn(provider.clone().keep_refusals());
        tokio::spawn(delivery::tell_again(provider.clone()));
        tokio::spawn(provider.clone().look_after_keys());
        tokio::spawn(provider.clone().seal_audit());
        tokio::spawn(rekeying::learn(provider.clone()));
        tokio::spawn(rekeying::reseal(provider.clone()));
        tokio::spawn(provider.clone().keep_usage());
        tokio::spawn(provider.clone().look_after_certificates());
        for language in provider.config.languages.all() {
            let missing = language.missing().len();
            if missing > 0 {
                tracing::warn!(language = %language.tag(), missing, "a language lacks words, which are shown in English");
            }
        }
        if provider.config.bankid.worth == Worth::Simulated {
            tokio::spawn(say_that_logins_are_simulated());
        }
        Ok(provider)
    }

    /// Keeps in memory what a code that was just stored stands for, where it will be looked for.
    pub fn keep_fresh(&self, code: Digest<secret::Code>, record: CodeRecord) {
        if self.store.exchanges_at_once() {
            self.fresh_codes.keep(code, record, self.clock.now());
        }
    }

    /// The language that a login is in.
    pub fn language_of(&self, login: &Login) -> Language {
        self.config.languages.spoken(&login.asked.language)
    }

    /// Says that nobody should be sent here any more. Whoever comes is served all the same.
    pub fn leave(&self) {
        self.is_leaving.store(true, Ordering::Relaxed);
    }

    /// Lets go of the pages that follow a login. They come back by themselves, to this node's next
    /// start or to another node.
    pub fn begin_to_stop(&self) {
        self.stopping.send_replace(true);
    }

    /// Hands its orders to the other nodes, keeps what was refused last, and closes the database. To be called
    /// when the servers have stopped, on the runtime that goes on.
    pub async fn stop(&self) {
        self.store.stay_here();
        if let Err(fault) = self.keep_waiting_refusals().await {
            tracing::error!(%fault, "refused requests could not be kept");
        }
        if let Err(fault) = self.collector.stop().await {
            tracing::error!(%fault, "the node could not sign off");
        }
        if let Err(fault) = self.store.release_leases(&self.lease_holder).await {
            tracing::error!(%fault, "the work of this node could not be left to others");
        }
        if let Err(fault) = self.usage.add_to(&self.store).await {
            tracing::error!(%fault, "how much clients are used could not be kept");
        }
        if let Err(fault) = self.store.seal_audit(self.clock.now()).await {
            tracing::error!(%fault, "the audit log could not be sealed");
        }
        // When everything is left to others, and at the same time: a receiver of spans that does not answer keeps
        // nobody from the database, and is not waited for longer than that.
        tokio::join!(self.traces.stop(), self.store.close());
    }

    async fn keep_pages_current(self) {
        let mut every = tokio::time::interval(CATCH_UP_INTERVAL);
        loop {
            every.tick().await;
            self.fresh_codes.forget_old(self.clock.now());
            if let Err(fault) = self.followed.catch_up().await {
                tracing::error!(%fault, "changes of logins could not be read");
            }
            let now = self.clock.now();
            for login in self
                .followed
                .claim_renewals(|login| login.wants_renewal(now))
            {
                let provider = self.clone();
                tokio::spawn(async move {
                    let renewed = ordering::renew(&provider, &login).await;
                    if let Err(crate::error::Error::Fault(fault)) = renewed {
                        tracing::warn!(%fault, login = %login.id, "a code could not be renewed");
                    }
                    provider.followed.renewed(login.id);
                });
            }
        }
    }

    /// Takes certificates that were replaced into use, and says in time when one ends.
    async fn look_after_certificates(self) {
        let mut every = tokio::time::interval(CERTIFICATE_INTERVAL);
        let mut troubles: HashMap<String, String> = HashMap::new();
        let mut warned: HashMap<String, (i64, i64)> = HashMap::new();
        let mut stamps = HashMap::new();
        loop {
            every.tick().await;
            let now = self.clock.now();
            for profile in &self.config.bankid.profiles {
                // What was troubled is read again all the same: its cause may lie elsewhere.
                let stamp = profile.stamp();
                let before = stamps.insert(profile.name.clone(), stamp.clone());
                if before.is_some_and(|before| before == stamp)
                    && !troubles.contains_key(&profile.name)
                {
                    continue;
                }
                let trouble = self.renew_certificate(profile, now).err();
                // Once for each reason, and not every few seconds.
                if troubles.get(&profile.name) != trouble.as_ref() {
                    if let Some(reason) = &trouble {
                        tracing::error!(profile = %profile.name, %reason, "a changed certificate is not taken");
                    }
                    match trouble {
                        Some(reason) => troubles.insert(profile.name.clone(), reason),
                        None => troubles.remove(&profile.name),
                    };
                }
            }
            for party in self.parties.all() {
                let days_left = party.days_left(now);
                let today = now.0 / (24 * 60 * 60);
                let mark = party::warning(days_left).map(|mark| (mark, today));
                if let Some(mark) = mark
                    && warned.insert(party.profile.clone(), mark) != Some(mark)
                {
                    tracing::warn!(profile = %party.profile, days_left, "a relying-party certificate ends soon: order another one");
                }
            }
        }
    }

    /// Reads a profile's files again, and makes new orders with what is in them when that is another
    /// certificate.
    fn renew_certificate(&self, profile: &Profile, now: Timestamp) -> Result<(), String> {
        let read = profile.read_again()?;
        let held = self.parties.current(&profile.name);
        let shown = party::fingerprint(read.identity.leaf());
        if held.is_some_and(|party| party.fingerprint == shown) {
            return Ok(());
        }
        let party = self.config.bankid.party(&read).map_err(|e| e.to_string())?;
        if !party.is_valid(now) {
            return Err("it cannot be used now: it has ended, or has not begun".to_owned());
        }
        let days_left = party.days_left(now);
        self.parties.replace(party, now, now + LIFETIME);
        tracing::info!(profile = %profile.name, days_left, "a new relying-party certificate is in use");
        Ok(())
    }

    /// The keys that a request is read with. Where it may hold an `id_token_hint`, they are those of this
    /// moment: one by a key that was revoked a moment ago, wherever that was, is none any more.
    pub async fn keys_to_read(&self, request: &Parameters) -> Result<Arc<KeySet>, Fault> {
        let held = ["id_token_hint", "request"].map(|name| request.first(name));
        match held.iter().any(Option::is_some) {
            true => self.keyring.newest().await,
            false => self.keyring.current().await,
        }
    }

    /// Takes part in the life of the signing keys, and learns what others did.
    async fn look_after_keys(self) {
        let mut every = tokio::time::interval(REREAD_INTERVAL);
        let mut was_read = true;
        loop {
            every.tick().await;
            let read = self.keyring.newest().await;
            if let Err(fault) = &read
                && was_read
            {
                // Once, and not every other second.
                tracing::error!(%fault, "the signing keys cannot be read");
            }
            was_read = read.is_ok();
        }
    }

    /// Gives a client that publishes its keys those, preferably ones that fit.
    pub async fn give_published_keys(
        &self,
        client: &mut Client,
        fit: &(dyn Fn(&Jwks) -> bool + Sync),
    ) {
        let now = self.clock.now();
        self.published_keys
            .give(client, &self.outbound, fit, now)
            .await;
    }

    /// Somebody at work here, on what they may reach.
    pub fn desk(&self, actor: Actor, reach: Reach, gives_administration: bool) -> Desk<'_> {
        Desk {
            config: &self.config,
            store: &self.patient,
            random: &self.random,
            clock: &self.clock,
            actor,
            reach,
            gives_administration,
        }
    }

    async fn keep_usage(self) {
        let mut every = tokio::time::interval(USAGE_INTERVAL);
        loop {
            every.tick().await;
            if let Err(fault) = self.usage.add_to(&self.store).await {
                tracing::error!(%fault, "how much clients are used could not be kept");
            }
        }
    }

    /// Seals what was done, and tells the log where the audit log ends: whoever cuts its end off cannot
    /// change what was told.
    async fn seal_audit(self) {
        let mut every = tokio::time::interval(SEAL_INTERVAL);
        loop {
            every.tick().await;
            match self.store.seal_audit(self.clock.now()).await {
                Ok(Some(head)) => tracing::info!(%head, "the audit log was sealed"),
                Ok(None) => {}
                Err(fault) => tracing::error!(%fault, "the audit log could not be sealed"),
            }
        }
    }
}

async fn register_clients(
    config: &Config,
    store: &Store,
    keys: &Keys,
    clock: &Clock,
) -> Result<(), StartError> {
    let (now, at) = (clock.now(), clock.moment());
    for registered in &config.clients {
        let kept = store
            .client(registered.client.client_id.as_str(), now)
            .await?;
        if let (Some(kept), Some(named)) = (kept, &registered.named_sector)
            && kept.sector != *named
        {
            return Err(StartError::Sector(kept.client_id, kept.sector));
        }
        store
            .register_client(&registered.client, &registered.secrets, at)
            .await?;
    }
    let mut named: Vec<_> = config
        .clients
        .iter()
        .map(|c| c.client.client_id.clone())
        .collect();
    if let Some(admin) = &config.admin {
        let console = console::client(admin);
        let secret = Digest::of(&console::secret(keys));
        store.register_client(&console, &[secret], at).await?;
        named.push(console.client_id);
    }
    Ok(store.forget_file_clients_except(&named, at).await?)
}

/// A node on its own keeps its name, so that a new start of it knows what the last one left. Nodes
/// that share a database need names of their own: configured ones, or a new one at each start.
fn node_id(config: &Config, store: &Store, random: &Random) -> String {
    match (&config.node_id, store.is_shared()) {
        (Some(id), _) => id.clone(),
        (None, false) => "single".to_owned(),
        (None, true) => random.uuid().to_string(),
    }
}

/// A login that anyone can make is never given the worth of a real one.
pub fn acr(config: &Config) -> String {
    match config.bankid.worth {
        Worth::Real => config.login.acr.clone(),
        Worth::Test => TEST_ACR.to_owned(),
        Worth::Simulated => SIMULATED_ACR.to_owned(),
    }
}

/// The authentication context class of a simulated login.
pub const SIMULATED_ACR: &str = "urn:portvakt:acr:simulated";
/// That of a login in BankID's test environment.
pub const TEST_ACR: &str = "urn:portvakt:acr:test";

async fn say_that_logins_are_simulated() {
    let mut every = tokio::time::interval(SIMULATED_NOTICE_INTERVAL);
    loop {
        every.tick().await;
        tracing::warn!("BankID is simulated: anyone can log in as anyone");
    }
}

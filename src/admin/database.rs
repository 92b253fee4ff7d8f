//! The database as a whole: copied, put back, and moved.

use std::path::Path;

use serde_json::json;

use super::Desk;
use crate::audit::seal::Head;
use crate::audit::{Action, Actor};
use crate::clock::Clock;
use crate::config::{Config, database};
use crate::error::Fault;
use crate::random::Random;
use crate::storage::{
    self, BackUp, BackupError, EndedByRestore, EventFilter, MoveError, Moved, OpenError, Returning,
    Snapshot, Store,
};
use thiserror::Error;

/// Whose act it is, where there is no database yet to do it in.
#[derive(Clone, Debug)]
pub struct Bench<'a> {
    /// What the operator wrote.
    pub config: &'a Config,
    /// The randomness.
    pub random: &'a Random,
    /// The time.
    pub clock: &'a Clock,
    /// Who acts.
    pub actor: Actor,
}

impl Bench<'_> {
    fn event(&self, action: Action, after: Option<serde_json::Value>) -> crate::audit::Event {
        crate::audit::Event {
            at: self.clock.moment(),
            actor: self.actor.clone(),
            action,
            object: OBJECT.to_owned(),
            before: None,
            after,
        }
    }
}

const OBJECT: &str = "database";

/// Why a backup is not put back.
#[derive(Debug, Error)]
pub enum RestoreError {
    /// The file, or the place.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// Another issuer's.
    #[error("this is a backup of {0}, and the configuration is one for {1}")]
    Issuer(String, String),
    /// Another environment's.
    #[error(
        "this is a backup of a provider with bankid.environment = \"{0}\", whose logins must not count under \"{1}\""
    )]
    Environment(String, &'static str),
    /// A part of the work.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// A database that was restored.
#[derive(Debug)]
pub struct Restored {
    /// What ended.
    pub ended: EndedByRestore,
    /// When the backup was made, in the form of RFC 3339, as far as its log says.
    pub made_at: Option<String>,
    /// Where the audit log ended in it, before this was told.
    pub head: Option<Head>,
}

/// Copies a SQLite database into a file. The copy holds the event that tells of it; in a database of an
/// earlier version there is none.
pub async fn back_up(bench: &Bench<'_>, to: &Path) -> Result<Snapshot, BackupError> {
    let Bench { config, random, .. } = bench;
    let (url, now) = (&config.database_url, bench.clock.now());
    let copy = BackUp::begin(url, to, random, now)?;
    match Store::open_unchanged(url, &config.master_key, random, now).await {
        Ok((store, _)) => {
            let event = bench.event(Action::DatabaseBackUp, None);
            let told = store.tell_of(&event).await;
            store.close().await;
            told?;
        }
        Err(OpenError::Behind) => {}
        Err(error) => return Err(error.into()),
    }
    copy.end().await
}

/// Puts a backup where no database is, and ends what lived in it.
pub async fn restore(bench: &Bench<'_>, from: &Path) -> Result<Restored, RestoreError> {
    let Bench { config, random, .. } = bench;
    let (url, now) = (&config.database_url, bench.clock.now());
    let returning = Returning::begin(from, url, &config.master_key, random, now).await?;
    let store = returning.store();
    let environment = config.bankid.environment.word();
    if let Some(installation) = store.installation().await? {
        if installation.environment != environment {
            let theirs = installation.environment;
            return Err(RestoreError::Environment(theirs, environment));
        }
        if let Some(issuer) = installation.issuer.filter(|of| *of != config.issuer.url) {
            return Err(RestoreError::Issuer(issuer, config.issuer.url.clone()));
        }
    }
    let filter = EventFilter {
        action: Some(Action::DatabaseBackUp.as_str().to_owned()),
        ..EventFilter::default()
    };
    let made = store.events(&filter, 1).await?;
    let made_at = made
        .first()
        .map(|event| super::written(event.at.timestamp()));
    let head = store.audit_head().await?;
    let after =
        json!({ "backup_made_at": made_at, "audit_head": head.map(|head| head.to_string()) });
    let event = bench.event(Action::DatabaseRestore, Some(after));
    let ended = store.end_what_lived(environment, &event).await?;
    store.seal_audit(now).await?;
    returning.end().await?;
    Ok(Restored {
        ended,
        made_at,
        head,
    })
}

/// Ends what lived in a database that was restored, or that took over, by tools of its own.
pub async fn end_what_lived(desk: &Desk<'_>) -> Result<EndedByRestore, Fault> {
    let head = desk.store.audit_head().await?;
    let after = json!({ "audit_head": head.map(|head| head.to_string()) });
    let event = desk.event(
        Action::DatabaseRestore,
        OBJECT.to_owned(),
        None,
        Some(after),
    );
    let environment = desk.config.bankid.environment.word();
    desk.store.end_what_lived(environment, &event).await
}

/// Moves the database to PostgreSQL, at an address that could stand in the configuration.
pub async fn move_to(bench: &Bench<'_>, to: &str) -> Result<Vec<Moved>, MoveError> {
    let Bench { config, random, .. } = bench;
    let dangers = database::dangers(to, config.database_may_be_unverified);
    if !dangers.is_empty() {
        return Err(MoveError::Danger(dangers.join("; ")));
    }
    let event = bench.event(Action::DatabaseMove, None);
    storage::move_database(&config.database_url, to, &config.master_key, random, &event).await
}

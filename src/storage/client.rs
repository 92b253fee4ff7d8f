//! The table `client`.

use sqlx::types::Json;
use sqlx::{FromRow, QueryBuilder};

use super::administrator::extend_reach;
use super::client_secret::{SecretChange, change_secrets, same_secrets};
use super::column::Row;
use super::logo::keep_logos;
use super::{Backend, Result, Store, Tx, alone, commit, on, rollback, whole};
use crate::audit::client::{Act, acts};
use crate::audit::{Action, Actor, Event};
use crate::client::authentication::ClientSecret;
use crate::client::origin::WebOrigin;
use crate::client::registered::{ManagedBy, Registered, searched};
use crate::client::{Client, Metadata};
use crate::clock::{Moment, Timestamp};
use crate::error::Fault;
use crate::id::{ClientId, Id, kind};
use crate::secret::Digest;
use crate::telemetry::usage::Day;

/// A client as it was decided to be.
#[derive(Clone, Debug)]
pub struct Decided<'a> {
    /// The client.
    pub client: &'a Client,
    /// Who manages it.
    pub managed_by: ManagedBy,
    /// Which file does, when one does.
    pub source: &'a str,
    /// What becomes of its secrets.
    pub secrets: SecretChange,
    /// Since when it is removed, if it is.
    pub removed_at: Option<Timestamp>,
    /// Who looks after it from now on, too.
    pub looked_after_by: Option<Id<kind::Administrator>>,
}

/// What clients did since a time.
#[derive(Clone, Copy, Debug)]
pub enum Activity {
    /// Somebody began to log in to them.
    Used(Timestamp),
    /// Nobody did.
    Unused(Timestamp),
    /// Requests of theirs were refused.
    Failing(Timestamp),
}

/// Which clients are wanted.
#[derive(Clone, Debug, Default)]
pub struct ClientFilter {
    /// Those whose id, name or addresses hold this text.
    pub search: Option<String>,
    /// Those that are managed so.
    pub managed_by: Option<ManagedBy>,
    /// Those of one file.
    pub source: Option<String>,
    /// Those that are removed, and not yet for good, instead of those that are there.
    pub removed: bool,
    /// Those that may have personal numbers.
    pub entitled: bool,
    /// Those that did this lately.
    pub activity: Option<Activity>,
    /// Those that this administrator looks after.
    pub of: Option<String>,
    /// Those after this id.
    pub after: Option<String>,
}

const USED: &str = "(SELECT 1 FROM client_use u WHERE u.client_id = client.client_id AND u.day >= ";

#[derive(FromRow)]
struct ClientRow {
    client_id: ClientId,
    metadata: Json<Metadata>,
    sector: String,
    managed_by: String,
    source: String,
    version: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
    removed_at: Option<Timestamp>,
}

impl ClientRow {
    fn read(self) -> Result<Registered> {
        let row = Row {
            table: "client",
            key: self.client_id.as_str(),
        };
        let managed_by = ManagedBy::parse(&self.managed_by);
        Ok(Registered {
            managed_by: managed_by.ok_or_else(|| row.fault("managed_by"))?,
            source: self.source,
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
            removed_at: self.removed_at,
            secrets: Vec::new(),
            client: Client {
                client_id: self.client_id,
                sector: self.sector,
                metadata: self.metadata.0,
            },
        })
    }
}

impl Store {
    /// A client with all that is kept of it, also when it is removed and can be brought back.
    pub async fn registered(&self, client_id: &ClientId) -> Result<Option<Registered>> {
        let row: Option<ClientRow> = alone!(self, |db| sqlx::query_as(
            "SELECT client_id, metadata, sector, managed_by, source, version, created_at,
                    updated_at, removed_at
               FROM client WHERE client_id = $1"
        )
        .bind(client_id)
        .fetch_optional(db)
        .await)?;
        let Some(row) = row else {
            return Ok(None);
        };
        Ok(Some(Registered {
            secrets: self.kept_secrets(client_id).await?,
            ..row.read()?
        }))
    }

    /// Clients in the order of their ids, without their secrets.
    pub async fn clients(&self, filter: &ClientFilter, most: u16) -> Result<Vec<Registered>> {
        let search = filter.search.as_deref().map(contained);
        macro_rules! asked {
            ($db:ident) => {{
                let mut query = QueryBuilder::new(
                    "SELECT client_id, metadata, sector, managed_by, source, version, created_at,
                            updated_at, removed_at
                       FROM client WHERE ",
                );
                query.push(match filter.removed {
                    true => "removed_at IS NOT NULL",
                    false => "removed_at IS NULL",
                });
                if let Some(search) = &search {
                    query.push(" AND search LIKE ").push_bind(search);
                    query.push(" ESCAPE '!'");
                }
                if let Some(managed_by) = filter.managed_by {
                    query
                        .push(" AND managed_by = ")
                        .push_bind(managed_by.as_str());
                }
                if let Some(source) = &filter.source {
                    query.push(" AND source = ").push_bind(source);
                }
                if filter.entitled {
                    query.push(" AND metadata ->> 'personal_number' IS NOT NULL");
                }
                match filter.activity {
                    Some(Activity::Used(since)) => {
                        query.push(" AND EXISTS ").push(USED);
                        query.push_bind(Day::of(since).0).push(")");
                    }
                    Some(Activity::Unused(since)) => {
                        query.push(" AND NOT EXISTS ").push(USED);
                        query.push_bind(Day::of(since).0).push(")");
                    }
                    Some(Activity::Failing(since)) => {
                        query.push(
                            " AND EXISTS (SELECT 1 FROM refusal r
                                           WHERE r.client_id = client.client_id AND r.at >= ",
                        );
                        query.push_bind(since).push(")");
                    }
                    None => {}
                }
                if let Some(administrator) = &filter.of {
                    query.push(
                        " AND client_id IN (SELECT client_id FROM administrator_client
                                             WHERE administrator_id = ",
                    );
                    query.push_bind(administrator).push(")");
                }
                if let Some(after) = &filter.after {
                    query.push(" AND client_id > ").push_bind(after);
                }
                query.push(" ORDER BY client_id LIMIT ");
                query.push_bind(i64::from(most));
                query.build_query_as::<ClientRow>().fetch_all($db).await
            }};
        }
        let rows = match &self.db {
            Backend::Sqlite(db) => asked!(db),
            Backend::Postgres(db) => asked!(db),
        }?;
        rows.into_iter().map(ClientRow::read).collect()
    }

    /// How many clients there are.
    pub async fn client_count(&self) -> Result<i64> {
        Ok(alone!(self, |db| sqlx::query_scalar(
            "SELECT CAST(count(*) AS BIGINT) FROM client WHERE removed_at IS NULL"
        )
        .fetch_one(db)
        .await)?)
    }

    /// The names of so many clients at the most: those of `first` that there are still, and then others.
    pub async fn client_ids(&self, first: &[ClientId], most: u16) -> Result<Vec<ClientId>> {
        macro_rules! asked {
            ($db:ident) => {{
                let mut query =
                    QueryBuilder::new("SELECT client_id FROM client WHERE removed_at IS NULL");
                query.push(" ORDER BY ");
                if !first.is_empty() {
                    query.push("CASE WHEN client_id IN (");
                    let mut names = query.separated(", ");
                    for client_id in first {
                        names.push_bind(client_id);
                    }
                    query.push(") THEN 0 ELSE 1 END, ");
                }
                query.push("client_id LIMIT ").push_bind(i64::from(most));
                query.build_query_scalar().fetch_all($db).await
            }};
        }
        Ok(match &self.db {
            Backend::Sqlite(db) => asked!(db),
            Backend::Postgres(db) => asked!(db),
        }?)
    }

    /// Saves a client as it was decided, when it is still as it was read; nothing was there when it is to
    /// be created. `false`: somebody else was faster, and nothing is changed.
    pub async fn save_client(
        &self,
        read: Option<&Registered>,
        decided: &Decided<'_>,
        event: &Event,
        now: Timestamp,
    ) -> Result<bool> {
        self.save_clients(&[(read, decided.clone(), vec![event.clone()])], now)
            .await
    }

    /// The same for several at once, each with what is told of it: all of them or none.
    pub async fn save_clients(
        &self,
        all: &[(Option<&Registered>, Decided<'_>, Vec<Event>)],
        now: Timestamp,
    ) -> Result<bool> {
        whole!(self, {
            let mut tx = self.begin().await?;
            for (read, decided, events) in all {
                if !self.save(&mut tx, *read, decided, now).await? {
                    rollback(tx).await?;
                    return Ok(false);
                }
                for (nth, event) in (0..).zip(events) {
                    self.tell_nth(&mut tx, nth, event).await?;
                }
            }
            let saved = all.iter().map(|(_, decided, _)| decided);
            self.commit_clients(tx, saved).await?;
            Ok(true)
        })
    }

    /// Commits what was saved of clients. From now on this node knows them as they have become.
    pub(super) async fn commit_clients<'a>(
        &self,
        tx: Tx,
        saved: impl Iterator<Item = &'a Decided<'a>>,
    ) -> Result<()> {
        let done = commit(tx).await;
        // It may have been done where that could not be said.
        self.clients
            .forget(saved.map(|decided| &decided.client.client_id));
        done
    }

    pub(super) async fn save(
        &self,
        tx: &mut Tx,
        read: Option<&Registered>,
        decided: &Decided<'_>,
        now: Timestamp,
    ) -> Result<bool> {
        let saved = match read {
            None => insert(tx, decided, now).await?,
            Some(read) => update(tx, read, decided, now).await?,
        };
        if !saved {
            return Ok(false);
        }
        let client = decided.client;
        change_secrets(tx, &client.client_id, &decided.secrets, now).await?;
        let origins = match decided.removed_at {
            None => client.metadata.web_origins.as_slice(),
            Some(_) => &[],
        };
        keep_origins(tx, &client.client_id, origins).await?;
        if !keep_logos(tx, read, client, now).await? {
            return Ok(false);
        }
        if let Some(administrator) = decided.looked_after_by {
            extend_reach(tx, administrator, &client.client_id).await?;
        }
        // A login that was under way at the removal may have ended after it.
        let was_removed = read.is_some_and(|read| read.removed_at.is_some());
        if decided.removed_at.is_some() || was_removed {
            forget_what_it_was_given(tx, &client.client_id).await?;
        }
        if decided.removed_at.is_some() || decided.managed_by != ManagedBy::Admin {
            // Nobody could answer it any more.
            forget_entitlement_request(tx, &client.client_id).await?;
        }
        Ok(true)
    }

    /// Whether a client has registered a site whose scripts may call.
    pub async fn is_web_origin(&self, origin: &WebOrigin) -> Result<bool> {
        let found: Option<i64> = alone!(self, |db| sqlx::query_scalar(
            "SELECT CAST(1 AS BIGINT) FROM client_origin WHERE origin = $1 LIMIT 1"
        )
        .bind(origin.as_str())
        .fetch_optional(db)
        .await)?;
        Ok(found.is_some())
    }

    /// Registers a client of the configuration, or brings its registration up to date. The sector of a
    /// client that is there already stays: people would be strangers to it otherwise. Its secrets become
    /// these. Nothing is written where all is so already.
    pub async fn register_client(
        &self,
        client: &Client,
        secrets: &[Digest<ClientSecret>],
        at: Moment,
    ) -> Result<()> {
        loop {
            let read = self.registered(&client.client_id).await?;
            let client = Client {
                sector: read
                    .as_ref()
                    .map_or(&client.sector, |read| &read.client.sector)
                    .clone(),
                ..client.clone()
            };
            if let Some(read) = &read
                && read.client == client
                && (read.managed_by, read.source.as_str()) == (ManagedBy::File, "")
                && read.removed_at.is_none()
                && same_secrets(&read.secrets, secrets)
            {
                return Ok(());
            }
            let decided = Decided {
                client: &client,
                managed_by: ManagedBy::File,
                source: "",
                secrets: SecretChange::Exactly(secrets.to_vec()),
                removed_at: None,
                looked_after_by: None,
            };
            let ours = (ManagedBy::File, "");
            let events = acts(read.as_ref(), &client, ours, secrets);
            let events = events.into_iter().map(|act| configured(act, &client, at));
            let all = [(read.as_ref(), decided, events.collect())];
            if self.save_clients(&all, at.timestamp()).await? {
                return Ok(());
            }
        }
    }

    /// Removes the clients that the configuration no longer names. They can be brought back by being
    /// named again.
    pub async fn forget_file_clients_except(&self, keep: &[ClientId], at: Moment) -> Result<()> {
        let filter = ClientFilter {
            managed_by: Some(ManagedBy::File),
            source: Some(String::new()),
            ..ClientFilter::default()
        };
        for read in self.clients(&filter, u16::MAX).await? {
            if keep.contains(&read.client.client_id) {
                continue;
            }
            let decided = Decided {
                client: &read.client,
                managed_by: read.managed_by,
                source: &read.source,
                secrets: SecretChange::Kept,
                removed_at: Some(at.timestamp()),
                looked_after_by: None,
            };
            let event = Event {
                at,
                actor: Actor::CONFIGURATION,
                action: Action::ClientRemove,
                object: object(&read.client.client_id),
                before: Some(read.said()),
                after: None,
            };
            self.save_client(Some(&read), &decided, &event, at.timestamp())
                .await?;
        }
        Ok(())
    }
}

/// A client as the object of an event.
pub fn object(client_id: &ClientId) -> String {
    format!("client:{client_id}")
}

fn configured(act: Act, client: &Client, at: Moment) -> Event {
    Event {
        at,
        actor: Actor::CONFIGURATION,
        action: act.action,
        object: object(&client.client_id),
        before: act.before,
        after: act.after,
    }
}

impl Store {
    /// Makes what lists are searched in for clients that were registered before there was such a thing.
    pub(super) async fn index_clients(&self) -> Result<()> {
        let rows: Vec<ClientRow> = alone!(self, |db| sqlx::query_as(
            "SELECT client_id, metadata, sector, managed_by, source, version, created_at,
                    updated_at, removed_at
               FROM client WHERE search = ''"
        )
        .fetch_all(db)
        .await)?;
        for row in rows {
            let read = row.read()?;
            alone!(self, |db| sqlx::query(
                "UPDATE client SET search = $2 WHERE client_id = $1"
            )
            .bind(&read.client.client_id)
            .bind(searched(&read.client))
            .execute(db)
            .await
            .map(|_| ()))?;
        }
        Ok(())
    }
}

/// What holds a text, for `LIKE … ESCAPE '!'`.
fn contained(text: &str) -> String {
    let mut pattern = String::from("%");
    for c in text.to_lowercase().chars() {
        if ['%', '_', '!'].contains(&c) {
            pattern.push('!');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

async fn insert(tx: &mut Tx, decided: &Decided<'_>, now: Timestamp) -> Result<bool> {
    on!(tx, |tx| sqlx::query(
        "INSERT INTO client (client_id, metadata, sector, managed_by, source, search, version,
                created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, 1, $7, $7) ON CONFLICT DO NOTHING"
    )
    .bind(&decided.client.client_id)
    .bind(Json(&decided.client.metadata))
    .bind(&decided.client.sector)
    .bind(decided.managed_by.as_str())
    .bind(decided.source)
    .bind(searched(decided.client))
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(|done| done.rows_affected() > 0)
    .map_err(Fault::from))
}

async fn update(
    tx: &mut Tx,
    read: &Registered,
    decided: &Decided<'_>,
    now: Timestamp,
) -> Result<bool> {
    on!(tx, |tx| sqlx::query(
        "UPDATE client
            SET metadata = $3, sector = $4, managed_by = $5, source = $6, search = $7,
                removed_at = $8, version = version + 1, updated_at = $9
          WHERE client_id = $1 AND version = $2"
    )
    .bind(&read.client.client_id)
    .bind(read.version)
    .bind(Json(&decided.client.metadata))
    .bind(&decided.client.sector)
    .bind(decided.managed_by.as_str())
    .bind(decided.source)
    .bind(searched(decided.client))
    .bind(decided.removed_at)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(|done| done.rows_affected() > 0)
    .map_err(Fault::from))
}

async fn keep_origins(tx: &mut Tx, client_id: &ClientId, origins: &[WebOrigin]) -> Result<()> {
    on!(&mut *tx, |tx| sqlx::query(
        "DELETE FROM client_origin WHERE client_id = $1"
    )
    .bind(client_id)
    .execute(&mut **tx)
    .await
    .map(|_| ()))?;
    for origin in origins {
        on!(&mut *tx, |tx| sqlx::query(
            "INSERT INTO client_origin (client_id, origin) VALUES ($1, $2) ON CONFLICT DO NOTHING"
        )
        .bind(client_id)
        .bind(origin.as_str())
        .execute(&mut **tx)
        .await
        .map(|_| ()))?;
    }
    Ok(())
}

/// A client that is gone takes with it what it was given: its grants and their tokens, its sessions, and
/// what people approved for it. A login that is under way ends without it.
async fn forget_what_it_was_given(tx: &mut Tx, client_id: &ClientId) -> Result<()> {
    // In the order in which codes are exchanged, tokens refreshed and sessions ended, so that nobody
    // waits for somebody who waits for them. Tokens go with their grants.
    for statement in [
        "DELETE FROM code WHERE client_id = $1",
        "DELETE FROM session WHERE client_id = $1",
        "DELETE FROM client_grant WHERE client_id = $1",
        "DELETE FROM client_token WHERE client_id = $1",
        "DELETE FROM approval WHERE client_id = $1",
        "DELETE FROM pushed_request WHERE client_id = $1",
    ] {
        on!(&mut *tx, |tx| sqlx::query(statement)
            .bind(client_id)
            .execute(&mut **tx)
            .await
            .map(|_| ())
            .map_err(Fault::from))?;
    }
    Ok(())
}

/// Nobody waits for an answer any more.
async fn forget_entitlement_request(tx: &mut Tx, client_id: &ClientId) -> Result<()> {
    on!(tx, |tx| sqlx::query(
        "DELETE FROM entitlement_request WHERE client_id = $1"
    )
    .bind(client_id)
    .execute(&mut **tx)
    .await
    .map(|_| ())
    .map_err(Fault::from))
}

//! The table `refusal`, and what other tables know of a refused request.

use std::collections::HashMap;
use std::fmt;

use serde::{Serialize, Serializer};
use sqlx::types::Json;
use sqlx::{FromRow, QueryBuilder};

use super::column::Row;
use super::{Result, Store, alone, commit, on, whole};
use crate::client::mistake::diagnosis::{Owner, Past};
use crate::client::mistake::{Detail, Endpoint, Reason, Received, Record};
use crate::client::{Client, Metadata};
use crate::clock::{Seconds, Timestamp};
use crate::id::{ClientId, Id, kind};
use crate::secret::{Digest, kind as secret};

/// How long a refusal is kept.
pub const KEPT: Seconds = Seconds(7 * 24 * 60 * 60);

#[derive(FromRow)]
struct Stored {
    id: String,
    client_id: Option<ClientId>,
    claimed: Option<String>,
    endpoint: String,
    code: String,
    kind: String,
    detail: Json<Detail>,
    reference: String,
    times: i64,
    at: Timestamp,
}

impl Stored {
    /// Nothing for a mistake that only another version knows.
    fn read(self) -> Result<Option<Record>> {
        let row = Row {
            table: "refusal",
            key: &self.id,
        };
        let id = row.id("id", &self.id)?;
        let known = Reason::parse(&self.kind).zip(Endpoint::parse(&self.endpoint));
        Ok(known.map(|(reason, endpoint)| Record {
            id,
            client_id: self.client_id,
            claimed: self.claimed,
            endpoint,
            code: self.code,
            reason,
            detail: self.detail.0,
            reference: self.reference,
            times: self.times,
            at: self.at,
        }))
    }
}

/// A place in a list, newest first: what follows is older.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// When the last one came that was listed.
    pub at: Timestamp,
    /// Its name.
    pub id: Id<kind::Refusal>,
}

impl Place {
    /// Reads the form that is written.
    pub fn parse(text: &str) -> Option<Place> {
        let (at, id) = text.split_once('.')?;
        Some(Place {
            at: Timestamp(at.parse().ok()?),
            id: Id::parse(id)?,
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.at.0, self.id)
    }
}

impl Serialize for Place {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A part of a list, and where it goes on.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Newest first.
    pub records: Vec<Record>,
    /// Where the next part begins; `None` at the end.
    pub next: Option<Place>,
}

impl Store {
    /// Keeps what was refused, and counts what came alike.
    pub async fn keep_refusals(
        &self,
        records: &[Record],
        again: &[(Id<kind::Refusal>, i64)],
    ) -> Result<()> {
        whole!(self, {
            let mut tx = self.begin().await?;
            for record in records {
                on!(&mut tx, |tx| sqlx::query(
                    "INSERT INTO refusal
                    (id, client_id, claimed, endpoint, code, kind, detail, reference, times, at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
                )
                .bind(record.id.to_string())
                .bind(&record.client_id)
                .bind(&record.claimed)
                .bind(record.endpoint.as_str())
                .bind(&record.code)
                .bind(record.reason.as_str())
                .bind(Json(&record.detail))
                .bind(&record.reference)
                .bind(record.times)
                .bind(record.at)
                .execute(&mut **tx)
                .await
                .map(|_| ()))?;
            }
            for (id, times) in again {
                on!(&mut tx, |tx| sqlx::query(
                    "UPDATE refusal SET times = times + $2 WHERE id = $1"
                )
                .bind(id.to_string())
                .bind(times)
                .execute(&mut **tx)
                .await
                .map(|_| ()))?;
            }
            commit(tx).await
        })
    }

    /// A client's refused requests, or those that named no registered client: newest first, from a place
    /// on.
    pub async fn refusals(
        &self,
        client_id: Option<&ClientId>,
        after: Option<Place>,
        limit: u32,
    ) -> Result<Listed> {
        let (at, id) = match after {
            Some(place) => (place.at, place.id.to_string()),
            None => (Timestamp(i64::MAX), String::new()),
        };
        // An index helps either, and no comparison that takes both.
        let query = match client_id {
            Some(_) => {
                "SELECT * FROM refusal
                  WHERE client_id = $4 AND (at < $1 OR (at = $1 AND id < $2))
                  ORDER BY at DESC, id DESC LIMIT $3"
            }
            None => {
                "SELECT * FROM refusal
                  WHERE client_id IS NULL AND (at < $1 OR (at = $1 AND id < $2))
                  ORDER BY at DESC, id DESC LIMIT $3"
            }
        };
        let rows: Vec<Stored> = alone!(self, |db| {
            let query = sqlx::query_as(query)
                .bind(at)
                .bind(&id)
                .bind(i64::from(limit) + 1);
            let query = match client_id {
                Some(client_id) => query.bind(client_id),
                None => query,
            };
            query.fetch_all(db).await
        })?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let has_more = rows.len() > limit;
        let last = rows.get(..limit).and_then(<[Stored]>::last);
        let next = match last.filter(|_| has_more) {
            Some(last) => {
                let row = Row {
                    table: "refusal",
                    key: &last.id,
                };
                Some(Place {
                    at: last.at,
                    id: row.id("id", &last.id)?,
                })
            }
            None => None,
        };
        let read = rows.into_iter().take(limit).map(Stored::read);
        let records: Vec<Option<Record>> = read.collect::<Result<_>>()?;
        Ok(Listed {
            records: records.into_iter().flatten().collect(),
            next,
        })
    }

    /// What the page of an error calls by this reference.
    pub async fn refusal(&self, reference: &str) -> Result<Option<Record>> {
        let row: Option<Stored> = alone!(self, |db| sqlx::query_as(
            "SELECT * FROM refusal WHERE reference = $1 ORDER BY at DESC LIMIT 1"
        )
        .bind(reference)
        .fetch_optional(db)
        .await)?;
        Ok(row.map(Stored::read).transpose()?.flatten())
    }

    /// How many requests of each client were refused since then, for those of which any was.
    pub async fn refusal_counts(&self, since: Timestamp) -> Result<Vec<(ClientId, i64)>> {
        Ok(alone!(self, |db| sqlx::query_as(
            "SELECT client_id, CAST(sum(times) AS BIGINT) FROM refusal
              WHERE client_id IS NOT NULL AND at >= $1 GROUP BY client_id ORDER BY client_id"
        )
        .bind(since)
        .fetch_all(db)
        .await)?)
    }

    /// The same of some clients alone.
    pub async fn refusal_counts_of(
        &self,
        clients: &[ClientId],
        since: Timestamp,
    ) -> Result<HashMap<ClientId, i64>> {
        if clients.is_empty() {
            return Ok(HashMap::new());
        }
        let rows: Vec<(ClientId, i64)> = alone!(self, |db| {
            let mut query = QueryBuilder::new(
                "SELECT client_id, CAST(sum(times) AS BIGINT) FROM refusal WHERE at >= ",
            );
            query.push_bind(since).push(" AND client_id IN (");
            let mut list = query.separated(", ");
            for client in clients {
                list.push_bind(client);
            }
            query.push(") GROUP BY client_id");
            query.build_query_as().fetch_all(db).await
        })?;
        Ok(rows.into_iter().collect())
    }

    /// Those of some clients that are registered.
    pub async fn clients_of(&self, names: &[ClientId]) -> Result<Vec<Client>> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let rows: Vec<(ClientId, Json<Metadata>, String)> = alone!(self, |db| {
            let mut query = QueryBuilder::new(
                "SELECT client_id, metadata, sector FROM client WHERE client_id IN (",
            );
            let mut list = query.separated(", ");
            for name in names {
                list.push_bind(name);
            }
            query.push(")");
            query.build_query_as().fetch_all(db).await
        })?;
        let client = |(client_id, Json(metadata), sector)| Client {
            client_id,
            sector,
            metadata,
        };
        Ok(rows.into_iter().map(client).collect())
    }

    /// The names of clients that are about as long as this one.
    pub async fn client_names_like(&self, name: &str) -> Result<Vec<ClientId>> {
        let length = i64::try_from(name.len()).unwrap_or(i64::MAX - 2);
        Ok(alone!(self, |db| sqlx::query_scalar(
            "SELECT client_id FROM client WHERE length(client_id) BETWEEN $1 AND $2 LIMIT 2000"
        )
        .bind(length - 2)
        .bind(length + 2)
        .fetch_all(db)
        .await)?)
    }

    /// Whether some text is the secret of a client.
    pub async fn is_client_secret(&self, text: &str) -> Result<bool> {
        let digest = Digest::<crate::client::authentication::ClientSecret>::of(text);
        let found: Option<i64> = alone!(self, |db| sqlx::query_scalar(
            "SELECT CAST(1 AS BIGINT) FROM client_secret WHERE digest = $1 LIMIT 1"
        )
        .bind(digest.as_bytes())
        .fetch_optional(db)
        .await)?;
        Ok(found.is_some())
    }

    /// What a wrong secret of a client is: one that ended, or one that holds with space around it.
    pub async fn past_secret(
        &self,
        client_id: &ClientId,
        received: &Received,
        at: Timestamp,
    ) -> Result<Option<Past>> {
        let rows: Vec<(Vec<u8>, Option<Timestamp>)> = alone!(self, |db| sqlx::query_as(
            "SELECT digest, expires_at FROM client_secret WHERE client_id = $1"
        )
        .bind(client_id)
        .fetch_all(db)
        .await)?;
        let is =
            |of: &[Digest<_>], bytes: &[u8]| of.iter().any(|digest| digest.as_bytes() == bytes);
        let past =
            rows.iter().find_map(
                |(bytes, expires_at)| match expires_at.filter(|end| *end <= at) {
                    Some(end) => is(&received.secrets, bytes).then_some(Past::Expired(end)),
                    None => is(&received.trimmed, bytes).then_some(Past::Padded),
                },
            );
        Ok(past)
    }

    /// Whose a code is.
    pub async fn owner_of_code(&self, code: Digest<secret::Code>) -> Result<Option<Owner>> {
        self.owner(
            "SELECT client_id, expires_at, used_at FROM code WHERE digest = $1",
            code.as_bytes(),
        )
        .await
    }

    /// Whose a refresh token is.
    pub async fn owner_of_refresh_token(
        &self,
        token: Digest<secret::RefreshToken>,
    ) -> Result<Option<Owner>> {
        self.owner(
            "SELECT client_id, expires_at, CAST(NULL AS BIGINT) FROM refresh_token WHERE digest = $1",
            token.as_bytes(),
        )
        .await
    }

    /// Whose a pushed request is.
    pub async fn owner_of_pushed_request(
        &self,
        name: Digest<secret::PushedRequest>,
    ) -> Result<Option<Owner>> {
        self.owner(
            "SELECT client_id, expires_at, CAST(NULL AS BIGINT) FROM pushed_request WHERE digest = $1",
            name.as_bytes(),
        )
        .await
    }

    /// Whose an access token is.
    pub async fn owner_of_access_token(
        &self,
        token: Digest<secret::AccessToken>,
    ) -> Result<Option<Owner>> {
        self.owner(
            "SELECT g.client_id, t.expires_at, g.ended_at
               FROM access_token t JOIN client_grant g ON g.id = t.grant_id WHERE t.digest = $1
             UNION ALL
             SELECT client_id, expires_at, CAST(NULL AS BIGINT) FROM client_token WHERE digest = $1",
            token.as_bytes(),
        )
        .await
    }

    async fn owner(&self, query: &'static str, digest: &[u8]) -> Result<Option<Owner>> {
        let row: Option<(ClientId, Timestamp, Option<i64>)> = alone!(self, |db| {
            sqlx::query_as(query).bind(digest).fetch_optional(db).await
        })?;
        Ok(row.map(|(client_id, expires_at, ended_at)| Owner {
            client_id,
            expires_at,
            has_ended: ended_at.is_some(),
        }))
    }
}

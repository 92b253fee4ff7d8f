//! The table `client_use`: how many logins each client began and ended, by day.

use std::collections::HashMap;

use sqlx::QueryBuilder;

use super::{Result, Store, alone, commit, on, whole};
use crate::clock::Timestamp;
use crate::id::ClientId;
use crate::telemetry::usage::{Day, Used};

impl Store {
    /// Adds what was counted.
    pub async fn add_use(&self, counted: &[(ClientId, Day, Used)]) -> Result<()> {
        whole!(self, {
            let mut tx = self.begin().await?;
            for (client_id, day, used) in counted {
                on!(&mut tx, |tx| {
                    sqlx::query(
                "INSERT INTO client_use (client_id, day, began, finished) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (client_id, day) DO UPDATE
                    SET began = client_use.began + excluded.began,
                        finished = client_use.finished + excluded.finished"
            )
            .bind(client_id)
            .bind(day.0)
            .bind(used.began)
            .bind(used.finished)
            .execute(&mut **tx)
            .await
            .map(|_| ())
                })?;
            }
            commit(tx).await
        })
    }

    /// The clients that were used most since the day of a time, the busiest first.
    pub async fn busiest(&self, since: Timestamp, most: u16) -> Result<Vec<(ClientId, Used)>> {
        let rows: Vec<(ClientId, i64, i64)> = alone!(self, |db| sqlx::query_as(
            "SELECT client_id, CAST(sum(began) AS BIGINT) AS all_began,
                    CAST(sum(finished) AS BIGINT) AS all_finished
               FROM client_use WHERE day >= $1
              GROUP BY client_id ORDER BY all_began DESC, client_id LIMIT $2"
        )
        .bind(Day::of(since).0)
        .bind(i64::from(most))
        .fetch_all(db)
        .await)?;
        let used = |(client_id, began, finished)| (client_id, Used { began, finished });
        Ok(rows.into_iter().map(used).collect())
    }

    /// How much some clients were used since the day of a time.
    pub async fn uses_of(
        &self,
        clients: &[ClientId],
        since: Timestamp,
    ) -> Result<HashMap<ClientId, Used>> {
        if clients.is_empty() {
            return Ok(HashMap::new());
        }
        let rows: Vec<(ClientId, i64, i64)> = alone!(self, |db| {
            let mut query = QueryBuilder::new(
                "SELECT client_id, CAST(sum(began) AS BIGINT), CAST(sum(finished) AS BIGINT)
                   FROM client_use WHERE day >= ",
            );
            query.push_bind(Day::of(since).0);
            query.push(" AND client_id IN (");
            let mut list = query.separated(", ");
            for client in clients {
                list.push_bind(client);
            }
            query.push(") GROUP BY client_id");
            query.build_query_as().fetch_all(db).await
        })?;
        let used = |(client_id, began, finished)| (client_id, Used { began, finished });
        Ok(rows.into_iter().map(used).collect())
    }
}

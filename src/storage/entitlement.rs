//! The table `entitlement_request`: rights to personal numbers that wait for a second administrator.

use sqlx::types::Json;

use super::client::Decided;
use super::{Result, Store, alone, commit, on, rollback, whole};
use crate::audit::Event;
use crate::client::Entitlement;
use crate::client::registered::Registered;
use crate::clock::Timestamp;
use crate::id::ClientId;

/// What somebody asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntitlementRequest {
    /// For which client.
    pub client_id: ClientId,
    /// What.
    pub wanted: Entitlement,
    /// Who asked, as the audit log names them.
    pub asked_by: String,
    /// When.
    pub asked_at: Timestamp,
}

impl Store {
    /// Keeps that somebody asks, in place of what was asked before.
    pub async fn ask_entitlement(&self, request: &EntitlementRequest, event: &Event) -> Result<()> {
        whole!(self, {
            let mut tx = self.begin().await?;
            on!(&mut tx, |tx| sqlx::query(
                "INSERT INTO entitlement_request (client_id, wanted, asked_by, asked_at)
             VALUES ($1, $2, $3, $4)
             ON CONFLICT (client_id) DO UPDATE
                SET wanted = excluded.wanted, asked_by = excluded.asked_by,
                    asked_at = excluded.asked_at"
            )
            .bind(&request.client_id)
            .bind(Json(&request.wanted))
            .bind(&request.asked_by)
            .bind(request.asked_at)
            .execute(&mut **tx)
            .await
            .map(|_| ()))?;
            self.tell(&mut tx, event).await?;
            commit(tx).await
        })
    }

    /// What waits for a second administrator, the oldest first.
    pub async fn entitlement_requests(&self) -> Result<Vec<EntitlementRequest>> {
        let rows: Vec<(ClientId, Json<Entitlement>, String, Timestamp)> =
            alone!(self, |db| sqlx::query_as(
                "SELECT client_id, wanted, asked_by, asked_at FROM entitlement_request
                  ORDER BY asked_at, client_id"
            )
            .fetch_all(db)
            .await)?;
        let read = |(client_id, Json(wanted), asked_by, asked_at)| EntitlementRequest {
            client_id,
            wanted,
            asked_by,
            asked_at,
        };
        Ok(rows.into_iter().map(read).collect())
    }

    /// Answers what somebody asked for, while it is still that: `decided` grants it, and nothing refuses
    /// it. `false`: one of the two has changed.
    pub async fn answer_entitlement(
        &self,
        request: &EntitlementRequest,
        granted: Option<(&Registered, &Decided<'_>)>,
        event: &Event,
    ) -> Result<bool> {
        whole!(self, {
            let mut tx = self.begin().await?;
            let rows = on!(&mut tx, |tx| sqlx::query(
                "DELETE FROM entitlement_request
              WHERE client_id = $1 AND asked_by = $2 AND asked_at = $3"
            )
            .bind(&request.client_id)
            .bind(&request.asked_by)
            .bind(request.asked_at)
            .execute(&mut **tx)
            .await
            .map(|done| done.rows_affected()))?;
            let is_saved = match granted {
                Some((read, decided)) if rows > 0 => {
                    let now = event.at.timestamp();
                    self.save(&mut tx, Some(read), decided, now).await?
                }
                _ => rows > 0,
            };
            if !is_saved {
                rollback(tx).await?;
                return Ok(false);
            }
            self.tell(&mut tx, event).await?;
            let saved = granted.map(|(_, decided)| decided);
            self.commit_clients(tx, saved.into_iter()).await?;
            Ok(true)
        })
    }
}

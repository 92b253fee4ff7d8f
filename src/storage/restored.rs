//! What becomes of a database that was restored, or that took over from one that had seen more:
//! whatever lived when it was left behind may have been used, rotated or ended in a past that it does not
//! know. So all of that ends, and what was signed before is not taken again.

use super::{Result, Store, Tx, commit, on, whole};
use crate::audit::Event;
use crate::clock::Timestamp;
use crate::error::Fault;

/// How much has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// Logins that were under way.
    pub logins: u64,
    /// Sessions.
    pub sessions: u64,
    /// What clients had been given by logins, with its codes and tokens.
    pub grants: u64,
}

/// What ends besides, with the time.
const TIMED: [&str; 3] = [
    // Shown again, a code says so.
    "UPDATE code SET used_at = $1 WHERE used_at IS NULL",
    "UPDATE invitation SET used_at = $1 WHERE used_at IS NULL",
    "UPDATE initial_access_token SET revoked_at = $1 WHERE revoked_at IS NULL",
];

/// What goes, or ends in a state of its own.
const UNTIMED: [&str; 4] = [
    "UPDATE bankid_order
        SET answer = NULL, progress = CASE progress WHEN 'ordered' THEN 'cancelled' ELSE 'spent' END
      WHERE progress IN ('ordered', 'complete')",
    "DELETE FROM pushed_request",
    "DELETE FROM client_token",
    "DELETE FROM admin_session",
];

impl Store {
    /// Ends all that lived in a database that was restored, and keeps when that was. The names of what was
    /// used stay. Done again, it ends what began meanwhile.
    pub async fn end_what_lived(&self, environment: &str, event: &Event) -> Result<Ended> {
        let now = event.at.timestamp();
        whole!(self, {
            let mut tx = self.begin().await?;
            on!(&mut tx, |tx| sqlx::query(
                "INSERT INTO installation (id, environment, restored_at) VALUES (1, $1, $2)
             ON CONFLICT (id) DO UPDATE SET restored_at = CASE
                WHEN installation.restored_at > excluded.restored_at THEN installation.restored_at
                ELSE excluded.restored_at END"
            )
            .bind(environment)
            .bind(now)
            .execute(&mut **tx)
            .await
            .map(|_| ()))?;
            let ended = Ended {
            logins: untimed(
                &mut tx,
                "UPDATE login SET state = 'cancelled', version = version + 1 WHERE state = 'open'",
            )
            .await?,
            sessions: timed(
                &mut tx,
                "UPDATE session SET ended_at = $1 WHERE ended_at IS NULL",
                now,
            )
            .await?,
            // Every family of refresh tokens among them: the one that lives here may have been rotated away
            // or revoked since, and nobody can tell which.
            grants: timed(
                &mut tx,
                "UPDATE client_grant SET ended_at = $1 WHERE ended_at IS NULL",
                now,
            )
            .await?,
        };
            for statement in TIMED {
                timed(&mut tx, statement, now).await?;
            }
            for statement in UNTIMED {
                untimed(&mut tx, statement).await?;
            }
            self.tell(&mut tx, event).await?;
            commit(tx).await?;
            Ok(ended)
        })
    }
}

async fn timed(tx: &mut Tx, statement: &'static str, now: Timestamp) -> Result<u64> {
    on!(tx, |tx| sqlx::query(statement)
        .bind(now)
        .execute(&mut **tx)
        .await
        .map(|done| done.rows_affected())
        .map_err(Fault::from))
}

async fn untimed(tx: &mut Tx, statement: &'static str) -> Result<u64> {
    on!(tx, |tx| sqlx::query(statement)
        .execute(&mut **tx)
        .await
        .map(|done| done.rows_affected())
        .map_err(Fault::from))
}

//! What has expired is removed, so that personal data dies with its row.

use super::{Result, Store, alone, refusal};
use crate::client::registered::RESTORABLE;
use crate::clock::{Seconds, Timestamp};
use crate::error::Fault;
use crate::login;
use crate::login::binding::RENEWABLE;

/// How long an ended thing is kept, for a late second use of a code to be noticed.
const KEPT: Seconds = Seconds(24 * 60 * 60);

/// How long it is known how much a client was used.
const USE_KEPT: Seconds = Seconds(400 * 24 * 60 * 60);
/// How much longer names are kept than they can be used: another node's clock may be behind ours.
const SKEW: Seconds = Seconds(60);
/// How long a login may still need a pushed request that is too old to be brought: the choice page may
/// be left open, and then there is a login.
const UNDERWAY: Seconds = Seconds(RENEWABLE.0 + login::LIFETIME.0);

impl Store {
    /// Removes evidence, jobs, clients' secrets, pushed requests and the names of what was signed whose time is up, and
    /// logins, sessions, grants, codes and tokens of all kinds that ended a day ago, and what was refused a
    /// week ago. Safe to run on several nodes at once.
    pub async fn sweep(&self, now: Timestamp) -> Result<()> {
        let long_ended = now - KEPT;
        for (statement, before) in [
            // Nobody can be logged in any more: what BankID said of them goes.
            (
                "UPDATE bankid_order SET answer = NULL, progress = 'spent'
                  WHERE answer IS NOT NULL
                    AND login_id IN (SELECT id FROM login WHERE expires_at < $1)",
                now,
            ),
            ("DELETE FROM evidence WHERE expires_at < $1", now),
            ("DELETE FROM job WHERE expires_at < $1", now),
            (
                "DELETE FROM replay WHERE kind <> 'request_object' AND expires_at < $1",
                now - SKEW,
            ),
            (
                "DELETE FROM replay WHERE kind = 'request_object' AND expires_at < $1",
                now - UNDERWAY,
            ),
            (
                "DELETE FROM pushed_request WHERE expires_at < $1",
                now - UNDERWAY,
            ),
            ("DELETE FROM login WHERE expires_at < $1", long_ended),
            ("DELETE FROM access_token WHERE expires_at < $1", long_ended),
            ("DELETE FROM client_token WHERE expires_at < $1", long_ended),
            // With its code and its refresh tokens: used ones stay until then, because whoever shows
            // one again, however late, must still end what lives of it.
            ("DELETE FROM client_grant WHERE expires_at < $1", long_ended),
            ("DELETE FROM session WHERE expires_at < $1", long_ended),
            (
                "DELETE FROM initial_access_token WHERE expires_at < $1",
                long_ended,
            ),
            // Whoever gets its name next is not theirs who looked after it.
            (
                "DELETE FROM administrator_client WHERE client_id IN
                    (SELECT client_id FROM client WHERE removed_at < $1)",
                now - RESTORABLE,
            ),
            ("DELETE FROM client WHERE removed_at < $1", now - RESTORABLE),
            // After the clients that are gone for good.
            (
                "DELETE FROM logo WHERE given_at < $1
                    AND NOT EXISTS (SELECT 1 FROM client_logo c WHERE c.digest = logo.digest)",
                long_ended,
            ),
            ("DELETE FROM client_secret WHERE expires_at < $1", now),
            (
                "DELETE FROM client_use WHERE day < $1",
                Timestamp((now.0 - USE_KEPT.0) / (24 * 60 * 60)),
            ),
            ("DELETE FROM admin_session WHERE expires_at < $1", now),
            ("DELETE FROM invitation WHERE expires_at < $1", long_ended),
            ("DELETE FROM refusal WHERE at <= $1", now - refusal::KEPT),
            ("DELETE FROM node WHERE heartbeat_at < $1", long_ended),
        ] {
            alone!(self, |db| sqlx::query(statement)
                .bind(before)
                .execute(db)
                .await
                .map(|_| ())
                .map_err(Fault::from))?;
        }
        Ok(())
    }
}

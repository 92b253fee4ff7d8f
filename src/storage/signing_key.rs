//! The table `signing_key`. Who makes a key, and which one takes over, is decided by unique indexes and
//! by conditional updates: however many nodes find that it is time, it happens once.

use sqlx::FromRow;
use zeroize::Zeroizing;

use super::column::Row;
use super::{Result, Store, Tx, alone, commit, on, rollback, sealed, whole};
use crate::audit::Event;
use crate::clock::Timestamp;
use crate::error::Fault;
use crate::jose::algorithm::Algorithm;
use crate::jose::key::NewKey;
use crate::jose::rotation::{KeyRecord, State};

/// What came of a revocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revoked {
    /// The key is gone, and did not sign any more or yet.
    Gone,
    /// The key is gone, and this one, which was announced before, signs in its place.
    Announced(String),
    /// The key is gone, and this one, which nobody has seen yet, signs in its place.
    Fresh(String),
    /// There is no such key, or it is gone already.
    Unknown,
}

#[derive(FromRow)]
struct KeyRow {
    kid: String,
    algorithm: String,
    state: String,
    created_at: Timestamp,
    active_at: Timestamp,
    retained_until: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
}

impl KeyRow {
    fn record(self) -> Result<KeyRecord> {
        let row = Row {
            table: "signing_key",
            key: &self.kid,
        };
        Ok(KeyRecord {
            algorithm: Algorithm::parse(&self.algorithm).ok_or_else(|| row.fault("algorithm"))?,
            state: State::parse(&self.state).ok_or_else(|| row.fault("state"))?,
            created_at: self.created_at,
            active_at: self.active_at,
            retained_until: self.retained_until,
            revoked_at: self.revoked_at,
            kid: self.kid,
        })
    }
}

impl Store {
    /// All keys that ever were, the oldest first, without what is private of them.
    pub async fn signing_keys(&self) -> Result<Vec<KeyRecord>> {
        let rows: Vec<KeyRow> = alone!(self, |db| sqlx::query_as(
            "SELECT kid, algorithm, state, created_at, active_at, retained_until, revoked_at
               FROM signing_key ORDER BY created_at, kid"
        )
        .fetch_all(db)
        .await)?;
        rows.into_iter().map(KeyRow::record).collect()
    }

    /// A key itself: PKCS#8 in DER, opened. `None` when it is gone.
    pub async fn private_signing_key(&self, kid: &str) -> Result<Option<Zeroizing<Vec<u8>>>> {
        let sealed: Option<Vec<u8>> = alone!(self, |db| sqlx::query_scalar(
            "SELECT private FROM signing_key WHERE kid = $1 AND private IS NOT NULL"
        )
        .bind(kid)
        .fetch_optional(db)
        .await)?;
        sealed
            .map(|sealed| {
                let plain = self
                    .sealer
                    .open(sealed::SIGNING_KEY_PRIVATE.of(kid), &sealed);
                let plain = plain.ok_or(Fault::Sealed("signing_key", "private"))?;
                Ok(plain.into())
            })
            .transpose()
    }

    /// Keeps a key that signs from now on, unless its algorithm has one. Whether it was kept.
    pub async fn found_signing_key(&self, key: &NewKey, now: Timestamp) -> Result<bool> {
        self.keep(key, State::Active, now, now, None).await
    }

    /// Keeps a key that will sign, unless another one waits for that. Whether it was kept. The event tells
    /// of it where somebody wanted it before its time.
    pub async fn announce_signing_key(
        &self,
        key: &NewKey,
        active_at: Timestamp,
        now: Timestamp,
        event: Option<&Event>,
    ) -> Result<bool> {
        self.keep(key, State::Announced, active_at, now, event)
            .await
    }

    async fn keep(
        &self,
        key: &NewKey,
        state: State,
        active_at: Timestamp,
        now: Timestamp,
        event: Option<&Event>,
    ) -> Result<bool> {
        whole!(self, {
            let mut tx = self.begin().await?;
            let kept = self.insert(&mut tx, key, state, active_at, now).await?;
            if let Some(event) = event.filter(|_| kept) {
                self.tell(&mut tx, event).await?;
            }
            commit(tx).await?;
            Ok(kept)
        })
    }

    async fn insert(
        &self,
        tx: &mut Tx,
        key: &NewKey,
        state: State,
        active_at: Timestamp,
        now: Timestamp,
    ) -> Result<bool> {
        let place = sealed::SIGNING_KEY_PRIVATE.of(&key.kid);
        let private = self.sealer.seal(place, &key.pkcs8, &self.random);
        on!(tx, |tx| sqlx::query(
            "INSERT INTO signing_key (kid, algorithm, state, private, created_at, active_at)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING"
        )
        .bind(&key.kid)
        .bind(key.algorithm.as_str())
        .bind(state.as_str())
        .bind(&private)
        .bind(now)
        .bind(active_at)
        .execute(&mut **tx)
        .await
        .map(|done| done.rows_affected() > 0)
        .map_err(Fault::from))
    }

    /// Lets an announced key take over from the one that signs, which is retained. `false` when
    /// somebody else did it, or one of the two was revoked.
    pub async fn activate_signing_key(
        &self,
        old: &str,
        new: &str,
        retained_until: Timestamp,
        now: Timestamp,
    ) -> Result<bool> {
        whole!(self, {
            let mut tx = self.begin().await?;
            let retained = on!(&mut tx, |tx| sqlx::query(
                "UPDATE signing_key SET state = 'retained', retained_until = $2
              WHERE kid = $1 AND state = 'active'"
            )
            .bind(old)
            .bind(retained_until)
            .execute(&mut **tx)
            .await
            .map(|done| done.rows_affected()))?;
            let activated = match retained {
                0 => 0,
                _ => on!(&mut tx, |tx| sqlx::query(
                    "UPDATE signing_key SET state = 'active', active_at = $2
                  WHERE kid = $1 AND state = 'announced' AND active_at <= $2"
                )
                .bind(new)
                .bind(now)
                .execute(&mut **tx)
                .await
                .map(|done| done.rows_affected()))?,
            };
            if activated == 0 {
                rollback(tx).await?;
                return Ok(false);
            }
            commit(tx).await?;
            Ok(true)
        })
    }

    /// Lets go of a retained key whose time is up.
    pub async fn remove_signing_key(&self, kid: &str, now: Timestamp) -> Result<bool> {
        alone!(self, |db| sqlx::query(
            "UPDATE signing_key SET state = 'removed', private = NULL
              WHERE kid = $1 AND state = 'retained'
                AND (retained_until IS NULL OR retained_until <= $2)"
        )
        .bind(kid)
        .bind(now)
        .execute(db)
        .await
        .map(|done| done.rows_affected() > 0)
        .map_err(Fault::from))
    }

    /// Removes a key at once, whatever its state. When it signed, the one that is announced takes its
    /// place before its time, or `spare` where there is none: there is always one that signs.
    pub async fn revoke_signing_key(
        &self,
        kid: &str,
        spare: &NewKey,
        event: &Event,
    ) -> Result<Revoked> {
        loop {
            let keys = self.signing_keys().await?;
            let Some(key) = keys
                .iter()
                .find(|key| key.kid == kid && key.state != State::Removed)
            else {
                return Ok(Revoked::Unknown);
            };
            if let Some(revoked) = self.revoke_as(key, spare, event).await? {
                return Ok(revoked);
            }
            // It went on in its life at the same moment.
        }
    }

    async fn revoke_as(
        &self,
        key: &KeyRecord,
        spare: &NewKey,
        event: &Event,
    ) -> Result<Option<Revoked>> {
        let now = event.at.timestamp();
        whole!(self, {
            let mut tx = self.begin().await?;
            let removed = on!(&mut tx, |tx| sqlx::query(
                "UPDATE signing_key SET state = 'removed', private = NULL, revoked_at = $3
              WHERE kid = $1 AND state = $2"
            )
            .bind(&key.kid)
            .bind(key.state.as_str())
            .bind(now)
            .execute(&mut **tx)
            .await
            .map(|done| done.rows_affected()))?;
            if removed == 0 {
                rollback(tx).await?;
                return Ok(None);
            }
            let revoked = match key.state {
                State::Active => {
                    let waiting: Option<String> = on!(&mut tx, |tx| sqlx::query_scalar(
                        "UPDATE signing_key SET state = 'active', active_at = $2
                      WHERE algorithm = $1 AND state = 'announced' RETURNING kid"
                    )
                    .bind(key.algorithm.as_str())
                    .bind(now)
                    .fetch_optional(&mut **tx)
                    .await)?;
                    match waiting {
                        Some(kid) => Revoked::Announced(kid),
                        None => {
                            if !self.insert(&mut tx, spare, State::Active, now, now).await? {
                                rollback(tx).await?;
                                return Ok(None);
                            }
                            Revoked::Fresh(spare.kid.clone())
                        }
                    }
                }
                _ => Revoked::Gone,
            };
            self.tell(&mut tx, event).await?;
            commit(tx).await?;
            Ok(Some(revoked))
        })
    }
}

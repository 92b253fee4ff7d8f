//! The table `evidence`.

use super::{Kept, Result, Store, Tx, alone, on, sealed};
use crate::bankid::evidence::record::Record;
use crate::clock::Timestamp;
use crate::error::Fault;
use crate::id::{Id, kind};

impl Store {
    /// Keeps evidence in the transaction that uses it.
    pub(super) async fn insert_evidence(
        &self,
        tx: &mut Tx,
        kept: &Kept,
        person: &str,
        now: Timestamp,
    ) -> Result<()> {
        let record = &kept.record;
        let id = record.txn.to_string();
        let sealed = self
            .sealer
            .seal_json(sealed::EVIDENCE_RECORD.of(&id), record, &self.random);
        on!(tx, |tx| sqlx::query(
            "INSERT INTO evidence (id, client_id, record, created_at, expires_at, person_id)
             VALUES ($1, $2, $3, $4, $5, $6)"
        )
        .bind(&id)
        .bind(&record.client_id)
        .bind(&sealed)
        .bind(now)
        .bind(kept.until)
        .bind(person)
        .execute(&mut **tx)
        .await
        .map(|_| ())
        .map_err(Fault::from))
    }

    /// The evidence of an order, if it was kept.
    pub async fn evidence(&self, txn: Id<kind::Order>) -> Result<Option<Record>> {
        let id = txn.to_string();
        let sealed: Option<Vec<u8>> = alone!(self, |db| sqlx::query_scalar(
            "SELECT record FROM evidence WHERE id = $1"
        )
        .bind(&id)
        .fetch_optional(db)
        .await)?;
        sealed
            .map(|sealed| {
                self.sealer
                    .open_json(sealed::EVIDENCE_RECORD.of(&id), &sealed)
            })
            .transpose()
    }
}

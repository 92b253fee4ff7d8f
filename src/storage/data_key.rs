//! The table `data_key`: keys for values, forms, numbers and subjects, each wrapped by the master
//! key. They are made once; of several nodes that start together one makes them.

use sqlx::{PgPool, SqlitePool};

use super::{Backend, Result, on};
use crate::clock::Timestamp;
use crate::error::Fault;
use crate::random::Random;
use crate::secret::{Key, Place, Sealer};

/// The keys of this installation.
#[derive(Clone, Debug)]
pub struct Keys {
    /// Seals values in the database.
    pub sealer: Sealer,
    /// Seals what forms carry.
    pub forms: Sealer,
    /// Makes the tokens that forms carry against forgery.
    pub csrf: Key,
    /// Makes the index that finds a person by their number.
    pub index: Key,
    /// Marks and signs the audit log.
    pub audit: Key,
    /// Makes subjects. It is never rotated: every client knows people by what it made.
    pub subject: Key,
}

const GENERATION: u8 = 1;

pub(super) async fn open_or_make(
    db: &Backend<SqlitePool, PgPool>,
    master: &Key,
    random: &Random,
    now: Timestamp,
) -> Result<Keys> {
    let wrapper = Sealer::new(GENERATION, master);
    let key = async |purpose: &'static str| key(db, &wrapper, purpose, random, now).await;
    let forms = key("form").await?;
    Ok(Keys {
        sealer: Sealer::new(GENERATION, &key("seal").await?),
        csrf: Key::from_bytes(&forms.mac(&[b"csrf"])).expect("a MAC has 32 bytes"),
        forms: Sealer::new(GENERATION, &forms),
        index: key("index").await?,
        audit: key("audit").await?,
        subject: key("subject").await?,
    })
}

async fn key(
    db: &Backend<SqlitePool, PgPool>,
    wrapper: &Sealer,
    purpose: &'static str,
    random: &Random,
    now: Timestamp,
) -> Result<Key> {
    let place = Place {
        table: "data_key",
        column: "wrapped",
        row: purpose,
    };
    // Looked for first: once they are made, nobody needs the right to make them.
    let kept = match kept(db, purpose).await? {
        Some(kept) => kept,
        None => {
            let fresh: [u8; 32] = random.bytes();
            let wrapped = wrapper.seal(place, &fresh, random);
            on!(db, |db| sqlx::query(
                "INSERT INTO data_key (purpose, generation, wrapped, created_at)
                 VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING"
            )
            .bind(purpose)
            .bind(i64::from(GENERATION))
            .bind(&wrapped)
            .bind(now)
            .execute(db)
            .await
            .map(|_| ()))?;
            let kept = kept(db, purpose).await?;
            kept.ok_or(Fault::Sealed("data_key", "wrapped"))?
        }
    };
    let plain = wrapper
        .open(place, &kept)
        .ok_or(Fault::Sealed("data_key", "wrapped"))?;
    Key::from_bytes(&plain).ok_or(Fault::Sealed("data_key", "wrapped"))
}

async fn kept(db: &Backend<SqlitePool, PgPool>, purpose: &str) -> Result<Option<Vec<u8>>> {
    Ok(on!(db, |db| sqlx::query_scalar(
        "SELECT wrapped FROM data_key WHERE purpose = $1 AND generation = $2"
    )
    .bind(purpose)
    .bind(i64::from(GENERATION))
    .fetch_optional(db)
    .await)?)
}

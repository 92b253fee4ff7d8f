//! The table `data_key`: keys for values, forms, numbers and subjects, each wrapped by the master
//! key. They are made once; of several nodes that start together one makes them. The keys that seal
//! values and that index numbers have generations, which nodes learn of while they run.

use std::sync::{Arc, PoisonError, RwLock};

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::FromRow;
use zeroize::Zeroizing;

use super::pool::{PgPool, SqlitePool};
use super::{Backend, OpenError, Result, begin, commit, on};
use crate::clock::{Seconds, Timestamp};
use crate::error::Fault;
use crate::random::Random;
use crate::secret::{Key, MasterKeys, Place, Sealer};

/// How long a new generation is known to all nodes before the first of them uses it. They look for one
/// every few seconds.
pub const SETTLING: Seconds = Seconds(60);
/// How much longer the one before it is kept at least: for what a slow node still does with it.
pub const KEPT: Seconds = Seconds(600);

/// The keys of this installation.
#[derive(Clone, Debug)]
pub struct Keys {
    /// Seals what forms carry.
    pub forms: Sealer,
    /// Makes the tokens that forms carry against forgery.
    pub csrf: Key,
    /// Makes the index that finds a person by their number.
    pub index: IndexKeys,
    /// Marks and signs the audit log.
    pub audit: Key,
    /// Makes subjects. It is never rotated: every client knows people by what it made.
    pub subject: Key,
}

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Sealing values.
    Seal,
    /// Sealing forms.
    Form,
    /// Finding people by their number.
    Index,
    /// The audit log.
    Audit,
    /// Subjects.
    Subject,
}

impl Purpose {
    const ALL: [Purpose; 5] = [
        Purpose::Seal,
        Purpose::Form,
        Purpose::Index,
        Purpose::Audit,
        Purpose::Subject,
    ];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Purpose::Seal => "seal",
            Purpose::Form => "form",
            Purpose::Index => "index",
            Purpose::Audit => "audit",
            Purpose::Subject => "subject",
        }
    }
}

/// One key of many, without the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Generation {
    /// Which one, from 1 on. One byte in front of each sealed value says it.
    pub number: u8,
    /// When it was made.
    pub created_at: Timestamp,
}

/// The generation that is used: the newest one that all nodes had time to learn of.
pub fn used(generations: &[Generation], now: Timestamp) -> Option<Generation> {
    let settled = |one: &&Generation| one.created_at + SETTLING <= now;
    let newest = generations.iter().filter(settled).max_by_key(|g| g.number);
    let oldest = generations.iter().min_by_key(|g| g.number);
    newest.or(oldest).copied()
}

/// What a person is found by: what the key of today makes of their number, and what other keys do.
#[derive(Clone, Debug)]
pub struct NumberIndex {
    /// What is written.
    pub written: [u8; 32],
    /// By which generation.
    pub generation: i64,
    /// What is looked for besides, the oldest first.
    pub others: Vec<[u8; 32]>,
    /// The newest generation that this node knows of.
    pub(super) newest: i64,
    /// What nodes take turns by that write different ones: the same for all of them, whichever generations
    /// they know.
    pub(super) turn: [u8; 32],
}

impl From<[u8; 32]> for NumberIndex {
    /// The index of an installation with one generation.
    fn from(written: [u8; 32]) -> NumberIndex {
        NumberIndex {
            written,
            generation: 1,
            others: Vec::new(),
            newest: 1,
            turn: written,
        }
    }
}

/// The keys that index numbers. Clones learn of new generations together.
#[derive(Clone, Debug)]
pub struct IndexKeys {
    ring: Arc<RwLock<Ring>>,
    turns: Key,
}

/// The keys that seal values. Clones learn of new generations together.
#[derive(Clone, Debug)]
pub(super) struct Seals(Arc<RwLock<(Ring, Arc<Sealer>)>>);

/// Generations of a key, the oldest first, and which one is used.
#[derive(Clone, Debug)]
struct Ring {
    used: u8,
    keys: Vec<(u8, Key)>,
}

impl Ring {
    fn key(&self, number: u8) -> Option<&Key> {
        let mut keys = self.keys.iter();
        let (_, key) = keys.find(|(known, _)| *known == number)?;
        Some(key)
    }

    fn with_sealer(self) -> Result<(Ring, Arc<Sealer>)> {
        let used = self.key(self.used);
        let used = used.ok_or(Fault::Sealed("data_key", "wrapped"))?;
        let others = self.keys.iter().filter(|(number, _)| *number != self.used);
        let sealer = others.fold(Sealer::new(self.used, used), |sealer, (number, key)| {
            sealer.also(*number, key)
        });
        Ok((self, Arc::new(sealer)))
    }
}

impl IndexKeys {
    /// What a person is found by.
    pub fn of(&self, personal_number: &[u8]) -> NumberIndex {
        let ring = self.ring.read().unwrap_or_else(PoisonError::into_inner);
        let mac = |key: &Key| key.mac(&[b"personal_number", personal_number]);
        let used = ring.key(ring.used);
        let others = ring.keys.iter().filter(|(number, _)| *number != ring.used);
        NumberIndex {
            written: mac(used.expect("the one that is used is among them")),
            generation: i64::from(ring.used),
            others: others.map(|(_, key)| mac(key)).collect(),
            newest: i64::from(ring.keys.last().expect("there is one").0),
            turn: mac(&self.turns),
        }
    }
}

impl Seals {
    /// The keys as they are at this moment.
    pub fn now(&self) -> Arc<Sealer> {
        let held = self.0.read().unwrap_or_else(PoisonError::into_inner);
        held.1.clone()
    }

    /// Seals a value with the key of today.
    pub fn seal(&self, place: Place<'_>, plain: &[u8], random: &Random) -> Vec<u8> {
        self.now().seal(place, plain, random)
    }

    /// The same for a value as JSON.
    pub fn seal_json<T: Serialize>(&self, place: Place<'_>, value: &T, random: &Random) -> Vec<u8> {
        self.now().seal_json(place, value, random)
    }

    /// Opens a value, whichever generation sealed it.
    pub fn open(&self, place: Place<'_>, sealed: &[u8]) -> Option<Vec<u8>> {
        self.now().open(place, sealed)
    }

    /// The same for a value as JSON.
    pub fn open_json<T: DeserializeOwned>(&self, place: Place<'_>, sealed: &[u8]) -> Result<T> {
        self.now().open_json(place, sealed)
    }
}

/// The master keys, as what they wrap needs them.
#[derive(Clone, Debug)]
pub(super) struct Wrapper {
    current: Sealer,
    former: Vec<Sealer>,
}

/// Master keys have no generation in what they wrapped: which of them it was is found by trying.
const WRAPPED: u8 = 1;

impl Wrapper {
    pub fn new(keys: &MasterKeys) -> Wrapper {
        let sealer = |key: &Key| Sealer::new(WRAPPED, key);
        Wrapper {
            current: sealer(&keys.current),
            former: keys.former.iter().map(sealer).collect(),
        }
    }

    fn open(&self, row: &KeyRow) -> Option<Key> {
        let all = std::iter::once(&self.current).chain(&self.former);
        all.into_iter().find_map(|key| row.opened_by(key))
    }
}

#[derive(Clone, FromRow)]
struct KeyRow {
    purpose: String,
    generation: i64,
    wrapped: Vec<u8>,
    created_at: Timestamp,
}

impl KeyRow {
    fn place(&self) -> String {
        match self.generation {
            // As it was when there was one of each.
            1 => self.purpose.clone(),
            later => format!("{}.{later}", self.purpose),
        }
    }

    fn opened_by(&self, sealer: &Sealer) -> Option<Key> {
        let plain = sealer.open(wrapped_of(&self.place()), &self.wrapped)?;
        Key::from_bytes(&Zeroizing::new(plain))
    }

    fn number(&self) -> Result<u8> {
        u8::try_from(self.generation).map_err(|_| Fault::Sealed("data_key", "generation"))
    }
}

fn wrapped_of(row: &str) -> Place<'_> {
    Place {
        table: "data_key",
        column: "wrapped",
        row,
    }
}

type Db = Backend<SqlitePool, PgPool>;

/// What opening a database comes to.
pub(super) struct Opened {
    pub keys: Keys,
    pub seals: Seals,
    pub wrapper: Wrapper,
    /// Whether a former master key is still needed, because whoever opened may not write.
    pub needs_former: bool,
}

pub(super) async fn open_or_make(
    db: &Db,
    master: &MasterKeys,
    random: &Random,
    now: Timestamp,
) -> std::result::Result<Opened, OpenError> {
    let wrapper = Wrapper::new(master);
    let mut rows = rows(db).await?;
    if !rows.is_empty() && rows.iter().all(|row| wrapper.open(row).is_none()) {
        return Err(OpenError::MasterKey);
    }
    let needs_former = !rewrap(db, &wrapper, &rows, random).await?;
    // Looked for first: once they are made, nobody needs the right to make them.
    let is_missing = |purpose: &Purpose| rows.iter().all(|row| row.purpose != purpose.word());
    let missing: Vec<Purpose> = Purpose::ALL.into_iter().filter(is_missing).collect();
    for purpose in &missing {
        insert(db, &wrapper, *purpose, 1, random, now).await?;
    }
    if !missing.is_empty() {
        // Perhaps another node's.
        rows = self::rows(db).await?;
    }
    let one = |purpose: Purpose| -> Result<Key> {
        let row = rows.iter().find(|row| row.purpose == purpose.word());
        row.and_then(|row| wrapper.open(row))
            .ok_or(Fault::Sealed("data_key", "wrapped"))
    };
    let forms = one(Purpose::Form)?;
    let (seals, index) = (
        ring(&rows, &wrapper, Purpose::Seal, None, now)?,
        ring(&rows, &wrapper, Purpose::Index, None, now)?,
    );
    Ok(Opened {
        keys: Keys {
            csrf: forms.derived(b"csrf"),
            forms: Sealer::new(1, &forms),
            index: IndexKeys {
                ring: Arc::new(RwLock::new(index)),
                turns: forms.derived(b"turns"),
            },
            audit: one(Purpose::Audit)?,
            subject: one(Purpose::Subject)?,
        },
        seals: Seals(Arc::new(RwLock::new(seals.with_sealer()?))),
        wrapper,
        needs_former,
    })
}

/// Takes the keys that are in the database now into use. Those that are known already need no opening: a node
/// goes on while others have another master key wrap them.
pub(super) async fn refresh(
    db: &Db,
    wrapper: &Wrapper,
    seals: &Seals,
    index: &IndexKeys,
    now: Timestamp,
) -> Result<()> {
    let rows = rows(db).await?;
    let known = seals
        .0
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .0
        .clone();
    let ring_of_seals = ring(&rows, wrapper, Purpose::Seal, Some(&known), now)?.with_sealer()?;
    *seals.0.write().unwrap_or_else(PoisonError::into_inner) = ring_of_seals;
    let known = index
        .ring
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    let ring_of_index = ring(&rows, wrapper, Purpose::Index, Some(&known), now)?;
    *index.ring.write().unwrap_or_else(PoisonError::into_inner) = ring_of_index;
    Ok(())
}

fn ring(
    rows: &[KeyRow],
    wrapper: &Wrapper,
    purpose: Purpose,
    known: Option<&Ring>,
    now: Timestamp,
) -> Result<Ring> {
    let rows: Vec<&KeyRow> = rows
        .iter()
        .filter(|row| row.purpose == purpose.word())
        .collect();
    let generations = generations_of(rows.iter().copied())?;
    let used = used(&generations, now).ok_or(Fault::Sealed("data_key", "wrapped"))?;
    let keys: Result<Vec<(u8, Key)>> = rows
        .iter()
        .map(|row| {
            let number = row.number()?;
            let known = known.and_then(|ring| ring.key(number)).cloned();
            let key = known.or_else(|| wrapper.open(row));
            Ok((number, key.ok_or(Fault::Sealed("data_key", "wrapped"))?))
        })
        .collect();
    Ok(Ring {
        used: used.number,
        keys: keys?,
    })
}

fn generations_of<'a>(rows: impl Iterator<Item = &'a KeyRow>) -> Result<Vec<Generation>> {
    rows.map(|row| {
        Ok(Generation {
            number: row.number()?,
            created_at: row.created_at,
        })
    })
    .collect()
}

/// The generations of a key, the oldest first.
pub(super) async fn generations(db: &Db, purpose: Purpose) -> Result<Vec<Generation>> {
    let rows = rows(db).await?;
    generations_of(rows.iter().filter(|row| row.purpose == purpose.word()))
}

async fn rows(db: &Db) -> Result<Vec<KeyRow>> {
    Ok(on!(db, |db| sqlx::query_as(
        "SELECT purpose, generation, wrapped, created_at FROM data_key
          ORDER BY purpose, generation"
    )
    .fetch_all(db)
    .await)?)
}

/// Has the current master key wrap what a former one wrapped: all of it in one commit, and whatever another
/// node does at the same moment comes to the same. `false`: this role may not.
async fn rewrap(db: &Db, wrapper: &Wrapper, rows: &[KeyRow], random: &Random) -> Result<bool> {
    let former = rows
        .iter()
        .filter_map(|row| match row.opened_by(&wrapper.current) {
            Some(_) => None,
            None => {
                let mut former = wrapper.former.iter();
                former
                    .find_map(|former| former.open(wrapped_of(&row.place()), &row.wrapped))
                    .map(|plain| (row, Zeroizing::new(plain)))
            }
        });
    let former: Vec<_> = former.collect();
    if former.is_empty() {
        return Ok(true);
    }
    let mut tx = begin(db).await?;
    for (row, plain) in &former {
        let wrapped = wrapper
            .current
            .seal(wrapped_of(&row.place()), plain, random);
        let done = on!(&mut tx, |tx| sqlx::query(
            "UPDATE data_key SET wrapped = $1
              WHERE purpose = $2 AND generation = $3 AND wrapped = $4"
        )
        .bind(&wrapped)
        .bind(&row.purpose)
        .bind(row.generation)
        .bind(&row.wrapped)
        .execute(&mut **tx)
        .await
        .map(|_| ()));
        match done {
            // Whoever may only read leaves it to those who serve.
            Err(error) if is_denied(&error) => return Ok(false),
            done => done?,
        }
    }
    commit(tx).await?;
    tracing::info!(
        keys = former.len(),
        "the current master key wraps what a former one wrapped"
    );
    Ok(true)
}

fn is_denied(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| code == "42501")
}

/// Makes a key, unless somebody else did. Whether this is it.
pub(super) async fn insert(
    db: &Db,
    wrapper: &Wrapper,
    purpose: Purpose,
    number: u8,
    random: &Random,
    now: Timestamp,
) -> Result<bool> {
    let mut tx = begin(db).await?;
    let inserted = insert_in(&mut tx, wrapper, purpose, number, random, now).await?;
    commit(tx).await?;
    Ok(inserted)
}

/// The same in a transaction.
pub(super) async fn insert_in(
    tx: &mut super::Tx,
    wrapper: &Wrapper,
    purpose: Purpose,
    number: u8,
    random: &Random,
    now: Timestamp,
) -> Result<bool> {
    let mut row = KeyRow {
        purpose: purpose.word().to_owned(),
        generation: i64::from(number),
        wrapped: Vec::new(),
        created_at: now,
    };
    let fresh = Zeroizing::new(random.bytes::<32>());
    row.wrapped = wrapper
        .current
        .seal(wrapped_of(&row.place()), &fresh[..], random);
    on!(tx, |tx| sqlx::query(
        "INSERT INTO data_key (purpose, generation, wrapped, created_at)
         VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING"
    )
    .bind(&row.purpose)
    .bind(row.generation)
    .bind(&row.wrapped)
    .bind(row.created_at)
    .execute(&mut **tx)
    .await
    .map(|done| done.rows_affected() > 0)
    .map_err(Fault::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generation_is_used_when_all_nodes_had_time_to_learn_of_it() {
        let _shows = crate::shows!(accepting "PV-KEY-8", refusing "PV-KEY-8");
        let made = |number, at| Generation {
            number,
            created_at: Timestamp(at),
        };
        let used = |generations: &[Generation], at| {
            used(generations, Timestamp(at)).map(|generation| generation.number)
        };
        assert_eq!(used(&[], 1000), None);
        assert_eq!(used(&[made(1, 1000)], 1000), Some(1), "there is no other");
        let two = [made(1, 0), made(2, 1000)];
        assert_eq!(used(&two, 1059), Some(1));
        assert_eq!(used(&two, 1060), Some(2));
        assert_eq!(used(&[made(2, 1000), made(3, 1030)], 1070), Some(2));
    }
}

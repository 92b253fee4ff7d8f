//! Seals: groups of events, each with its digest, signed in a chain. Who changes, removes, adds or
//! reorders events in the database, or removes seals, cannot make the chain fit again without the
//! installation's key. Whoever removes the end of the log cannot be seen from what is left: the latest
//! seal, the head, is therefore told to the program's log, and can be given to the verification.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

use super::Record;
use crate::clock::{Seconds, Timestamp};
use crate::secret::Key;

/// A SHA-256.
pub type Hash = [u8; 32];

/// In front of the first seal.
pub const NOTHING: Hash = [0; 32];

/// How many seals that are missing in a row are named.
const MISSING: usize = 100;

/// How soon an event is sealed at the latest, while the provider runs.
const SEALED_WITHIN: Seconds = Seconds(120);

/// Who marks events and signs seals.
pub struct Notary {
    key: Key,
    pair: Ed25519KeyPair,
}

impl Notary {
    /// From the installation's key for the log.
    pub fn new(key: Key) -> Notary {
        let seed = key.mac(&[b"seal"]);
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).expect("a seed has 32 bytes");
        Notary { key, pair }
    }

    /// What proves that an event was written by one of our nodes.
    pub fn mac(&self, record: &Record) -> Vec<u8> {
        self.key.mac(&[b"event", &digest(record)]).to_vec()
    }

    fn wrote(&self, record: &Record) -> bool {
        self.mac(record).ct_eq(&record.mac).into()
    }

    /// Makes the seal that follows another one.
    pub fn seal(&self, previous: Option<&Seal>, events: &[Hash], sealed_at: Timestamp) -> Seal {
        let number = previous.map_or(1, |seal| seal.number + 1);
        let previous = previous.map_or(NOTHING, |seal| seal.digest);
        let digest = chained(number, sealed_at, &previous, events);
        Seal {
            number,
            sealed_at,
            previous,
            digest,
            signature: self.pair.sign(&digest).as_ref().to_vec(),
            removed: None,
        }
    }

    /// Signs that a seal's events are gone because they were old enough.
    pub fn removal(&self, seal: &Seal, at: Timestamp) -> Removal {
        Removal {
            at,
            signature: self.pair.sign(&gone(seal, at)).as_ref().to_vec(),
        }
    }

    fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        let public = self.pair.public_key().as_ref();
        UnparsedPublicKey::new(&ED25519, public)
            .verify(message, signature)
            .is_ok()
    }
}

impl fmt::Debug for Notary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Notary")
    }
}

/// A seal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    /// Its place in the chain, from 1.
    pub number: i64,
    /// When it was made.
    pub sealed_at: Timestamp,
    /// The digest of the one before.
    pub previous: Hash,
    /// The digest of all that and of its events.
    pub digest: Hash,
    /// Over the digest (RFC 8032, Ed25519).
    pub signature: Vec<u8>,
    /// Whether its events are gone.
    pub removed: Option<Removal>,
}

/// Says that a seal's events are gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removal {
    /// Since when.
    pub at: Timestamp,
    /// Over seal and time.
    pub signature: Vec<u8>,
}

/// An event's place in a seal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The event.
    pub id: String,
    /// Its digest.
    pub digest: Hash,
}

/// The end of the chain: `number:digest` in hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The number of the last seal.
    pub number: i64,
    /// Its digest.
    pub digest: Hash,
}

impl Head {
    /// Reads what [`fmt::Display`] writes.
    pub fn parse(text: &str) -> Option<Head> {
        let (number, digest) = text.split_once(':')?;
        Some(Head {
            number: number.parse().ok().filter(|number| *number > 0)?,
            digest: hex::decode(digest).ok()?.try_into().ok()?,
        })
    }

    /// The head that a seal is.
    pub fn of(seal: &Seal) -> Head {
        Head {
            number: seal.number,
            digest: seal.digest,
        }
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.number, hex::encode(self.digest))
    }
}

/// The digest of all that an event's row says.
pub fn digest(record: &Record) -> Hash {
    let at = record.at.0.to_be_bytes();
    let parts: [&[u8]; 6] = [
        record.id.as_bytes(),
        &at,
        record.actor.as_bytes(),
        record.action.as_bytes(),
        record.object.as_bytes(),
        record.detail.as_bytes(),
    ];
    let mut hash = Sha256::new();
    for part in parts {
        // Its length in front, so that no two rows give the same message.
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

fn chained(number: i64, sealed_at: Timestamp, previous: &Hash, events: &[Hash]) -> Hash {
    let mut hash = Sha256::new();
    hash.update(b"portvakt audit seal 1\0");
    hash.update(number.to_be_bytes());
    hash.update(sealed_at.0.to_be_bytes());
    hash.update(previous);
    for event in events {
        hash.update(event);
    }
    hash.finalize().into()
}

fn gone(seal: &Seal, at: Timestamp) -> Vec<u8> {
    let mut message = b"portvakt audit removal 1\0".to_vec();
    message.extend_from_slice(&seal.digest);
    message.extend_from_slice(&at.0.to_be_bytes());
    message
}

/// What is wrong with a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// An event does not say what it said when it was sealed.
    Changed(String, i64),
    /// A sealed event is not there.
    Missing(String, i64),
    /// An event was not written by one of our nodes.
    Forged(String),
    /// An event is in no seal, and should be by now.
    Unsealed(String),
    /// A seal's list of events is not the one that was signed: some were added, taken out or reordered.
    Rearranged(i64),
    /// A seal was not signed by this installation, or does not follow the one before.
    Broken(i64),
    /// There is no seal of this number.
    NoSeal(i64),
    /// The log once went on to this seal.
    Tail(Head),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Finding::Changed(id, seal) => {
                write!(
                    f,
                    "event {id} was changed after it was sealed in seal {seal}"
                )
            }
            Finding::Missing(id, seal) => write!(f, "event {id} of seal {seal} was removed"),
            Finding::Forged(id) => write!(f, "event {id} was not written by this installation"),
            Finding::Unsealed(id) => write!(f, "event {id} is in no seal"),
            Finding::Rearranged(seal) => {
                write!(
                    f,
                    "the events of seal {seal} were reordered, or its list was changed"
                )
            }
            Finding::Broken(seal) => {
                write!(
                    f,
                    "seal {seal} is not signed, or does not follow the one before"
                )
            }
            Finding::NoSeal(seal) => write!(f, "seal {seal} was removed"),
            Finding::Tail(head) => write!(f, "the end of the log was removed: it once was {head}"),
        }
    }
}

/// Reads a log from its beginning, a seal at a time.
#[derive(Debug)]
pub struct Reader<'a> {
    notary: &'a Notary,
    head: Option<Head>,
    last: Option<Seal>,
    findings: Vec<Finding>,
}

impl<'a> Reader<'a> {
    /// A reader that has read nothing. `head` is one that the log is known to have had.
    pub fn new(notary: &'a Notary, head: Option<Head>) -> Reader<'a> {
        Reader {
            notary,
            head,
            last: None,
            findings: Vec::new(),
        }
    }

    /// The next seal, with its list of events in its order, and those events that are there.
    pub fn read(&mut self, seal: Seal, lines: &[Line], records: &BTreeMap<String, Record>) {
        let expected = self.last.as_ref();
        let expected = expected.map_or(1, |last| last.number.saturating_add(1));
        // Whoever puts a seal far away must not keep the rest from being told.
        let missing = (expected..seal.number).take(MISSING);
        self.findings.extend(missing.map(Finding::NoSeal));
        let follows = match &self.last {
            Some(last) => seal.previous == last.digest,
            None => seal.previous == NOTHING,
        };
        // After a gap nothing can follow; the gap is named.
        let is_after_gap = seal.number > expected;
        if !(follows || is_after_gap) || !self.notary.signed(&seal.digest, &seal.signature) {
            self.findings.push(Finding::Broken(seal.number));
        }
        if let Some(head) = self.head
            && head.number == seal.number
            && head.digest != seal.digest
        {
            self.findings.push(Finding::Broken(seal.number));
        }
        match &seal.removed {
            Some(removal) => {
                if !self
                    .notary
                    .signed(&gone(&seal, removal.at), &removal.signature)
                {
                    self.findings.push(Finding::Broken(seal.number));
                }
            }
            None => self.events(&seal, lines, records),
        }
        self.last = Some(seal);
    }

    fn events(&mut self, seal: &Seal, lines: &[Line], records: &BTreeMap<String, Record>) {
        let hashes: Vec<Hash> = lines.iter().map(|line| line.digest).collect();
        let all = chained(seal.number, seal.sealed_at, &seal.previous, &hashes);
        if all != seal.digest {
            self.findings.push(Finding::Rearranged(seal.number));
        }
        for line in lines {
            let id = || line.id.clone();
            let finding = match records.get(&line.id) {
                None => Finding::Missing(id(), seal.number),
                Some(record) if digest(record) != line.digest => {
                    Finding::Changed(id(), seal.number)
                }
                Some(record) if !self.notary.wrote(record) => Finding::Forged(id()),
                Some(_) => continue,
            };
            self.findings.push(finding);
        }
    }

    /// The events that are in no seal, and the end of the log.
    pub fn end(mut self, unsealed: &[Record], now: Timestamp) -> Vec<Finding> {
        for record in unsealed {
            if !self.notary.wrote(record) {
                self.findings.push(Finding::Forged(record.id.clone()));
            } else if record.at.timestamp() + SEALED_WITHIN < now {
                self.findings.push(Finding::Unsealed(record.id.clone()));
            }
        }
        let last = self.last.map_or(0, |last| last.number);
        if let Some(head) = self.head
            && head.number > last
        {
            self.findings.push(Finding::Tail(head));
        }
        let mut told = BTreeSet::new();
        self.findings
            .retain(|finding| told.insert(finding.to_string()));
        self.findings
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Moment;
    use crate::random::Random;

    const NOW: Timestamp = Timestamp(1_000_000);

    struct Log {
        notary: Notary,
        seals: Vec<(Seal, Vec<Line>)>,
        records: BTreeMap<String, Record>,
        ids: Vec<String>,
    }

    /// Three seals of three events each.
    fn log() -> Log {
        let random = Random::seeded(5);
        let notary = Notary::new(Key::fresh(&random));
        let mut log = Log {
            seals: Vec::new(),
            records: BTreeMap::new(),
            ids: Vec::new(),
            notary,
        };
        for seal in 0..3 {
            let mut lines = Vec::new();
            for event in 0..3 {
                let mut record = Record {
                    id: random.uuid().to_string(),
                    at: Moment((NOW.0 - 1000 + seal * 10 + event) * 1000),
                    actor: "operator:root".into(),
                    action: "client.create".into(),
                    object: format!("client:{seal}{event}"),
                    detail: "{}".into(),
                    mac: Vec::new(),
                };
                record.mac = log.notary.mac(&record);
                lines.push(Line {
                    id: record.id.clone(),
                    digest: digest(&record),
                });
                log.ids.push(record.id.clone());
                log.records.insert(record.id.clone(), record);
            }
            let hashes: Vec<Hash> = lines.iter().map(|line| line.digest).collect();
            let previous = log.seals.last().map(|(seal, _)| seal);
            let sealed = log.notary.seal(previous, &hashes, NOW - Seconds(900));
            log.seals.push((sealed, lines));
        }
        log
    }

    impl Log {
        fn head(&self) -> Head {
            Head::of(&self.seals[2].0)
        }

        fn record(&mut self, at: usize) -> &mut Record {
            self.records.get_mut(&self.ids[at]).expect("there")
        }

        fn read(&self, head: Option<Head>) -> Vec<Finding> {
            let mut reader = Reader::new(&self.notary, head);
            for (seal, lines) in &self.seals {
                reader.read(seal.clone(), lines, &self.records);
            }
            let sealed: BTreeSet<String> = self
                .seals
                .iter()
                .flat_map(|(_, lines)| lines)
                .map(|line| line.id.clone())
                .collect();
            let unsealed: Vec<Record> = self
                .records
                .values()
                .filter(|record| !sealed.contains(&record.id))
                .cloned()
                .collect();
            reader.end(&unsealed, NOW)
        }
    }

    #[test]
    fn a_log_that_nobody_touched_is_sound() {
        let _shows = crate::shows!(accepting "M8");
        let log = log();
        assert_eq!(log.read(None), []);
        assert_eq!(log.read(Some(log.head())), []);
        assert_eq!(log.read(Some(Head::of(&log.seals[0].0))), []);
        assert_eq!(Head::parse(&log.head().to_string()), Some(log.head()));
    }

    #[test]
    fn whatever_was_done_to_it_is_named() {
        let _shows = crate::shows!(refusing "M8");
        type Hand = fn(&mut Log);
        let told = |hand: Hand| {
            let mut log = log();
            let head = log.head();
            hand(&mut log);
            (log.read(Some(head)), log.ids)
        };
        let (found, ids) = told(|log| log.record(4).actor = "operator:eve".into());
        assert_eq!(found, [Finding::Changed(ids[4].clone(), 2)]);
        let (found, ids) = told(|log| log.record(4).at = Moment(0));
        assert_eq!(found, [Finding::Changed(ids[4].clone(), 2)]);
        let (found, ids) = told(|log| {
            log.records.remove(&log.ids[0]);
        });
        assert_eq!(found, [Finding::Missing(ids[0].clone(), 1)]);
        // With the list changed to fit.
        let (found, ids) = told(|log| {
            log.record(4).detail = "{ }".into();
            let changed = digest(log.record(4));
            log.seals[1].1[1].digest = changed;
        });
        assert_eq!(
            found,
            [Finding::Rearranged(2), Finding::Forged(ids[4].clone())]
        );
        let (found, _) = told(|log| log.seals[1].1.swap(0, 2));
        assert_eq!(found, [Finding::Rearranged(2)]);
        let (found, _) = told(|log| {
            let id = log.seals[2].1.remove(2).id;
            log.records.remove(&id);
        });
        assert_eq!(found, [Finding::Rearranged(3)]);
        // A whole seal in the middle.
        let (found, ids) = told(|log| {
            log.seals.remove(1);
        });
        let mut unsealed = [3, 4, 5].map(|at: usize| Finding::Unsealed(ids[at].clone()));
        unsealed.sort_by_key(Finding::to_string);
        assert_eq!(found[0], Finding::NoSeal(2));
        assert_eq!(found[1..], unsealed);
        // The end, with its events: the head of before tells.
        let (found, _) = told(|log| {
            let (_, lines) = log.seals.pop().expect("three");
            for line in lines {
                log.records.remove(&line.id);
            }
        });
        assert!(matches!(found[..], [Finding::Tail(Head { number: 3, .. })]));
        // A seal that somebody else made, and one that was turned into another time.
        let (found, _) = told(|log| log.seals[2].0.signature[0] ^= 1);
        assert_eq!(found, [Finding::Broken(3)]);
        let (found, _) = told(|log| log.seals[2].0.sealed_at = NOW);
        assert_eq!(found, [Finding::Rearranged(3)]);
        // An event that was smuggled in.
        let (found, _) = told(|log| {
            let mut extra = log.record(0).clone();
            extra.id = "somebody else's".into();
            log.records.insert(extra.id.clone(), extra);
        });
        assert!(matches!(found[..], [Finding::Forged(_)]), "{found:?}");
    }

    #[test]
    fn a_seal_that_somebody_puts_far_away_hides_nothing() {
        let _shows = crate::shows!(refusing "M8");
        for number in [1_000_000_000, i64::MAX] {
            let mut log = log();
            log.record(4).actor = "operator:eve".into();
            let mut far = log.seals[2].0.clone();
            far.number = number;
            log.seals.push((far.clone(), Vec::new()));
            log.seals.push((far, Vec::new()));
            let found = log.read(None);
            assert!(found.contains(&Finding::Changed(log.ids[4].clone(), 2)));
            assert!(found.contains(&Finding::NoSeal(4)));
            assert!(found.contains(&Finding::Rearranged(number)));
            assert!(found.len() < 1000, "{}", found.len());
        }
    }

    #[test]
    fn what_was_removed_in_its_time_says_so() {
        let _shows = crate::shows!(accepting "M8", refusing "M8");
        let removed = |at: Timestamp| {
            let mut log = log();
            let removal = log.notary.removal(&log.seals[0].0, NOW);
            log.seals[0].0.removed = Some(Removal { at, ..removal });
            for line in std::mem::take(&mut log.seals[0].1) {
                log.records.remove(&line.id);
            }
            log.read(None)
        };
        assert_eq!(removed(NOW), []);
        assert_eq!(removed(NOW + Seconds(1)), [Finding::Broken(1)]);
    }
}

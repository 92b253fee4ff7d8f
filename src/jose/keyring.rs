//! Which key signs today, which may still verify, as far as a node knows: it asks the database every
//! other second, so that whatever one node or an operator does is soon known to all.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use jsonwebtoken::Validation;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::algorithm::Algorithm;
use super::key::{NewKey, SigningKey};
use super::rotation::{self, KeyRecord, Rotation, State, Step};
use crate::clock::{Clock, Seconds, Timestamp};
use crate::error::Fault;
use crate::id::{ClientId, Id, kind};
use crate::storage::Store;

/// How often the database is asked.
pub const REREAD_INTERVAL: Duration = Duration::from_secs(2);
/// How long a node goes on by what it knows when the database does not answer.
const HOLDS: Seconds = Seconds(600);

/// The keys of this provider. Cheap to clone.
#[derive(Clone)]
pub struct Keyring(Arc<Parts>);

struct Parts {
    store: Store,
    rotation: Rotation,
    clock: Clock,
    held: RwLock<Held>,
    /// One reads at a time, so that what was read later is never overwritten by what was read before.
    reading: tokio::sync::Mutex<()>,
}

struct Held {
    keys: Arc<KeySet>,
    read_at: Timestamp,
}

impl Keyring {
    /// Opens the stored keys. Where an algorithm has none, one is made.
    pub async fn open(store: Store, rotation: Rotation, clock: Clock) -> Result<Keyring, Fault> {
        let keyring = Keyring(Arc::new(Parts {
            store,
            rotation,
            held: RwLock::new(Held {
                keys: Arc::default(),
                read_at: clock.now(),
            }),
            clock,
            reading: tokio::sync::Mutex::default(),
        }));
        keyring.newest().await?;
        Ok(keyring)
    }

    /// The keys as this node knows them.
    pub async fn current(&self) -> Result<Arc<KeySet>, Fault> {
        let (keys, read_at) = self.held();
        match self.0.clock.now() - read_at <= HOLDS {
            true => Ok(keys),
            false => self.newest().await,
        }
    }

    /// Whether what this node knows of the keys is new enough to go by.
    pub fn is_current(&self) -> bool {
        self.0.clock.now() - self.held().1 <= HOLDS
    }

    /// The keys as they are in the database at this moment, after whatever it was time for.
    pub async fn newest(&self) -> Result<Arc<KeySet>, Fault> {
        let _one = self.0.reading.lock().await;
        let now = self.0.clock.now();
        let mut records = self.0.store.signing_keys().await?;
        loop {
            let steps = rotation::due(&records, &self.0.rotation, now);
            if steps.is_empty() {
                break;
            }
            for step in steps {
                self.take(step, now).await?;
            }
            records = self.0.store.signing_keys().await?;
        }
        let keys = Arc::new(self.parsed(records).await?);
        *self.0.held.write().unwrap_or_else(PoisonError::into_inner) = Held {
            keys: keys.clone(),
            read_at: now,
        };
        Ok(keys)
    }

    /// How many days each algorithm's key still signs.
    pub fn days_left(&self, now: Timestamp) -> Vec<(Algorithm, i64)> {
        let days = |at: Timestamp| (at - now).0.div_euclid(24 * 60 * 60);
        let changes = self.changes().into_iter();
        changes
            .map(|(algorithm, at)| (algorithm, days(at)))
            .collect()
    }

    /// When another key of each algorithm takes over.
    pub fn changes(&self) -> Vec<(Algorithm, Timestamp)> {
        let (keys, _) = self.held();
        Algorithm::ALL
            .into_iter()
            .filter_map(|algorithm| {
                let end = rotation::replaced_at(&keys.records, algorithm, &self.0.rotation)?;
                Some((algorithm, end))
            })
            .collect()
    }

    fn held(&self) -> (Arc<KeySet>, Timestamp) {
        let held = self.0.held.read().unwrap_or_else(PoisonError::into_inner);
        (held.keys.clone(), held.read_at)
    }

    /// Of any number of nodes that take a step, one does it.
    async fn take(&self, step: Step, now: Timestamp) -> Result<(), Fault> {
        let (store, rotation) = (&self.0.store, &self.0.rotation);
        match step {
            Step::Found(algorithm) => {
                let key = made(algorithm).await?;
                if store.found_signing_key(&key, now).await? {
                    tracing::info!(kid = %key.kid, %algorithm, "a first signing key was made");
                }
            }
            Step::Announce(algorithm) => {
                let key = made(algorithm).await?;
                let active_at = now + rotation.announced;
                if store
                    .announce_signing_key(&key, active_at, now, None)
                    .await?
                {
                    tracing::info!(kid = %key.kid, %algorithm, "the next signing key is announced");
                }
            }
            Step::Activate { old, new } => {
                let until = now + rotation.retained;
                if store.activate_signing_key(&old, &new, until, now).await? {
                    tracing::info!(%old, %new, "another signing key has taken over");
                }
            }
            Step::Remove(kid) => {
                if store.remove_signing_key(&kid, now).await? {
                    tracing::info!(%kid, "a signing key that was retained is removed");
                }
            }
        }
        Ok(())
    }

    /// Each key is opened and parsed once.
    async fn parsed(&self, records: Vec<KeyRecord>) -> Result<KeySet, Fault> {
        let (known, _) = self.held();
        let mut keys = Vec::new();
        for record in records.iter().filter(|key| key.state != State::Removed) {
            let key = match known.key(&record.kid) {
                Some(key) => key.clone(),
                None => match self.0.store.private_signing_key(&record.kid).await {
                    Ok(Some(pkcs8)) => Arc::new(
                        SigningKey::parse(record.algorithm, &pkcs8)
                            .filter(|key| key.kid == record.kid)
                            .ok_or_else(|| Fault::Signing(record.kid.clone()))?,
                    ),
                    // Revoked a moment ago.
                    Ok(None) => continue,
                    // One that is not needed yet, or no more, does not keep the others from signing.
                    Err(fault @ Fault::Sealed(..)) if record.state != State::Active => {
                        tracing::error!(%fault, kid = %record.kid, "a signing key does not open");
                        continue;
                    }
                    Err(fault) => return Err(fault),
                },
            };
            keys.push(key);
        }
        Ok(KeySet::of(records, keys))
    }
}

/// On a thread that may be busy for a while.
pub async fn made(algorithm: Algorithm) -> Result<NewKey, Fault> {
    let made = tokio::task::spawn_blocking(move || NewKey::make(algorithm));
    made.await.map_err(|_| Fault::Panicked)?
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[keyring]")
    }
}

/// What an ID token of ours says of whom it was made for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Hint {
    /// The client that it was made for.
    #[serde(rename = "aud")]
    pub client_id: ClientId,
    /// How that client knows the person.
    #[serde(rename = "sub")]
    pub subject: String,
    /// The session that it came from.
    #[serde(default, rename = "sid")]
    pub session: Option<Id<kind::Session>>,
}

/// The keys at one moment.
#[derive(Debug, Default)]
pub struct KeySet {
    records: Vec<KeyRecord>,
    /// Those that are published, in that order.
    keys: Vec<Arc<SigningKey>>,
    jwks: Bytes,
}

impl KeySet {
    fn of(mut records: Vec<KeyRecord>, mut keys: Vec<Arc<SigningKey>>) -> KeySet {
        // Those that sign first, and RS256 before all: some clients take whatever key comes first.
        records.sort_by_key(|record| (record.state, record.algorithm));
        keys.sort_by_key(|key| records.iter().position(|record| record.kid == key.kid));
        let jwks: Vec<&Value> = keys.iter().map(|key| &key.jwk).collect();
        KeySet {
            jwks: json!({ "keys": jwks }).to_string().into(),
            records,
            keys,
        }
    }

    /// RFC 7517 §5: the public keys, those that sign first, as they go out.
    pub fn jwks(&self) -> Bytes {
        self.jwks.clone()
    }

    /// What signs by an algorithm now.
    pub fn signer(&self, algorithm: Algorithm) -> Result<&SigningKey, Fault> {
        let active = rotation::find(&self.records, algorithm, State::Active);
        active
            .and_then(|active| self.key(&active.kid))
            .map(Arc::as_ref)
            .ok_or_else(|| Fault::Signing(format!("for {algorithm}")))
    }

    /// Signs claims as a JWT (RFC 7519) of the given `typ`.
    pub fn sign(
        &self,
        algorithm: Algorithm,
        typ: &'static str,
        claims: &Map<String, Value>,
    ) -> Result<String, Fault> {
        self.signer(algorithm)?.sign(typ, claims)
    }

    /// OpenID Connect Core §3.1.2.1, `id_token_hint`: the subject of an ID token of ours for this
    /// client. Its end may have passed; its key must still be published.
    pub fn hinted_subject(
        &self,
        token: &str,
        issuer: &str,
        client_id: &ClientId,
    ) -> Option<String> {
        let hint = self.hint(token, issuer)?;
        (hint.client_id == *client_id).then_some(hint.subject)
    }

    /// OpenID Connect RP-Initiated Logout §2: what an ID token of ours says of whom it was made for.
    /// Its end may have passed; its key must still be published.
    pub fn hint(&self, token: &str, issuer: &str) -> Option<Hint> {
        let header = jsonwebtoken::decode_header(token).ok()?;
        let key = self.key(header.kid.as_deref()?)?;
        // RFC 8725 §3.1: the algorithm is the key's, whatever the token says.
        let algorithm = key.algorithm.of_library();
        if header.typ.as_deref() != Some("JWT") || header.alg != algorithm {
            return None;
        }
        let mut rules = Validation::new(algorithm);
        rules.validate_exp = false;
        // Our ID tokens have one audience, which [`Hint`] reads.
        rules.validate_aud = false;
        rules.set_issuer(&[issuer]);
        rules.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
        let hint = jsonwebtoken::decode::<Hint>(token, &key.verifier, &rules).ok()?;
        Some(hint.claims)
    }

    fn key(&self, kid: &str) -> Option<&Arc<SigningKey>> {
        self.keys.iter().find(|key| key.kid == kid)
    }
}

#[cfg(test)]
pub mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    fn one(algorithm: Algorithm, state: State) -> (KeyRecord, Arc<SigningKey>) {
        let made = NewKey::make(algorithm).expect("a key");
        let key = SigningKey::parse(algorithm, &made.pkcs8).expect("a key");
        let record = KeyRecord {
            kid: made.kid,
            algorithm,
            state,
            created_at: Timestamp(0),
            active_at: Timestamp(0),
            retained_until: None,
            revoked_at: None,
        };
        (record, Arc::new(key))
    }

    /// Keys for these algorithms.
    pub fn key_set(of: &[(Algorithm, State)]) -> KeySet {
        let keys = of.iter().map(|(algorithm, state)| one(*algorithm, *state));
        let (records, keys) = keys.unzip();
        KeySet::of(records, keys)
    }

    #[test]
    fn those_that_sign_are_published_first() {
        let _shows = crate::shows!(accepting "PV-KEY-3");
        let keys = key_set(&[
            (Algorithm::ES256, State::Retained),
            (Algorithm::ES256, State::Announced),
            (Algorithm::ES256, State::Active),
            (Algorithm::RS256, State::Announced),
            (Algorithm::RS256, State::Active),
        ]);
        let jwks: Value = serde_json::from_slice(&keys.jwks()).expect("JSON");
        let order: Vec<(&str, &Value)> = keys
            .records
            .iter()
            .zip(jwks["keys"].as_array().expect("an array"))
            .map(|(record, jwk)| {
                assert_eq!(jwk["kid"], record.kid);
                (record.state.as_str(), &jwk["alg"])
            })
            .collect();
        let (rs256, es256) = (&Value::from("RS256"), &Value::from("ES256"));
        let expected = [
            ("active", rs256),
            ("active", es256),
            ("announced", rs256),
            ("announced", es256),
            ("retained", es256),
        ];
        assert_eq!(order, expected);
    }

    #[test]
    fn a_hint_is_one_of_our_own_id_tokens_for_the_client_and_nothing_else() {
        let _shows = crate::shows!(refusing "JK-08");
        let both = [
            (Algorithm::RS256, State::Active),
            (Algorithm::EdDSA, State::Active),
        ];
        let (ours, theirs) = (key_set(&both), key_set(&both));
        let client = ClientId::parse("a").expect("an id");
        let claims = |change: &[(&str, Value)]| {
            let mut claims =
                json!({"iss": "https://op.example", "aud": "a", "sub": "s", "exp": 1, "iat": 0});
            for (name, value) in change {
                claims[name] = value.clone();
            }
            claims.as_object().cloned().expect("an object")
        };
        let read = |token: &str| ours.hinted_subject(token, "https://op.example", &client);
        let by = |keys: &KeySet, typ: &'static str, change: &[(&str, Value)]| {
            keys.sign(Algorithm::RS256, typ, &claims(change))
                .expect("signed")
        };
        let good = by(&ours, "JWT", &[]);
        let eddsa = ours.sign(Algorithm::EdDSA, "JWT", &claims(&[]));
        for token in [&good, &eddsa.expect("signed")] {
            assert_eq!(
                read(token).as_deref(),
                Some("s"),
                "an end that has passed is tolerated"
            );
        }
        let kid = &ours.keys[0].kid;
        let payload = good.split('.').nth(1).expect("claims");
        let under =
            |header: Value| format!("{}.{payload}", URL_SAFE_NO_PAD.encode(header.to_string()));
        // A MAC whose key is the public key, which everybody knows.
        let confused = under(json!({"alg": "HS256", "kid": kid, "typ": "JWT"}));
        let secret = ours.keys[0].jwk["n"].as_str().expect("a modulus");
        let mac = jsonwebtoken::crypto::sign(
            confused.as_bytes(),
            &jsonwebtoken::EncodingKey::from_secret(secret.as_bytes()),
            jsonwebtoken::Algorithm::HS256,
        );
        let signature = good.rsplit_once('.').expect("a signature").1;
        for bad in [
            by(&theirs, "JWT", &[]),
            by(&ours, "at+jwt", &[]),
            by(&ours, "JWT", &[("aud", json!("b"))]),
            by(&ours, "JWT", &[("iss", json!("https://other.example"))]),
            by(&ours, "JWT", &[("sub", json!(7))]),
            format!("{good}x"),
            format!("{}.", good.rsplit_once('.').expect("a signature").0),
            String::new(),
            format!("{confused}.{}", mac.expect("a MAC")),
            format!("{}.", under(json!({"alg": "none", "typ": "JWT"}))),
            format!(
                "{}.",
                under(json!({"alg": "none", "kid": kid, "typ": "JWT"}))
            ),
            format!(
                "{}.{signature}",
                under(json!({"alg": "PS256", "kid": kid, "typ": "JWT"}))
            ),
            format!(
                "{}.{signature}",
                under(json!({"alg": "RS256", "typ": "JWT"}))
            ),
            format!(
                "{}.{signature}",
                under(json!({"alg": "RS256", "kid": ours.keys[1].kid, "typ": "JWT"}))
            ),
        ] {
            assert_eq!(read(&bad), None, "{bad}");
        }
    }
}

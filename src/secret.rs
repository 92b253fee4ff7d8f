//! What must not be read by others: secrets that peers hold, digests of them that we keep, and
//! data sealed in the database.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

use aes_gcm_siv::aead::{Aead, KeyInit, Payload};
use aes_gcm_siv::{Aes256GcmSiv, Nonce};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::error::Fault;
use crate::random::Random;

/// The kinds of secrets that a peer may hold, each with the prefix that tells it from the others.
/// A secret of one kind is never read as another: the prefix is checked before anything else.
pub mod kind {
    use super::Kind;

    macro_rules! kinds {
        ($($(#[$doc:meta])* $name:ident = $prefix:literal),+ $(,)?) => {
            $($(#[$doc])* #[derive(Debug)] pub enum $name {}
            impl Kind for $name { const PREFIX: &'static str = $prefix; })+
        };
    }

    kinds! {
        /// An authorization code (RFC 6749 §4.1.2).
        Code = "ac_",
        /// An access token (RFC 6749 §1.4).
        AccessToken = "at_",
        /// A refresh token (RFC 6749 §1.5).
        RefreshToken = "rt_",
        /// The cookie of the browser that began a login.
        LoginCookie = "lc_",
        /// The cookie that a choice form is bound to, before there is a login.
        FormCookie = "fc_",
        /// The cookie of a browser with a session.
        SessionCookie = "sc_",
        /// The number in BankID's `returnUrl`.
        ReturnNonce = "rn_",
        /// The name of a pushed authorization request (RFC 9126 §2.2).
        PushedRequest = "pr_",
        /// What lets a client register itself (RFC 7591 §3).
        InitialAccessToken = "ia_",
        /// What lets a client manage its own registration (RFC 7592 §3).
        RegistrationToken = "ra_",
        /// The link by which somebody becomes an administrator.
        Invitation = "iv_",
        /// The cookie of an administrator's browser.
        AdminCookie = "as_",
        /// The cookie of a browser in which somebody is about to log in to administer.
        AdminLogin = "al_",
    }
}

/// What tells one kind of secret from another.
pub trait Kind {
    /// Three characters in front of every secret of this kind.
    const PREFIX: &'static str;
}

/// 256 random bits that a peer holds, as text. Printed as `[secret]`.
#[derive(ZeroizeOnDrop)]
pub struct Secret<K> {
    text: String,
    #[zeroize(skip)]
    kind: PhantomData<fn() -> K>,
}

impl Secret<kind::AccessToken> {
    /// An access token that was signed (RFC 9068) and is not read back by its shape, but by its `typ`.
    pub fn signed(jwt: String) -> Self {
        Secret {
            text: jwt,
            kind: PhantomData,
        }
    }
}

impl<K: Kind> Secret<K> {
    /// A secret that nobody has yet.
    pub fn fresh(random: &Random) -> Secret<K> {
        Secret::derived(random.bytes::<32>())
    }

    /// A secret that is always the same for whoever makes the same MAC, and for nobody else.
    pub fn derived(mut bytes: [u8; 32]) -> Secret<K> {
        let text = format!("{}{}", K::PREFIX, URL_SAFE_NO_PAD.encode(bytes));
        bytes.zeroize();
        Secret {
            text,
            kind: PhantomData,
        }
    }

    /// Reads a secret of this kind; `None` for anything of another kind or shape.
    pub fn parse(text: &str) -> Option<Secret<K>> {
        let random = text.strip_prefix(K::PREFIX)?;
        let sound = random.len() == 43
            && random
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        sound.then(|| Secret {
            text: text.to_owned(),
            kind: PhantomData,
        })
    }

    /// What the database keeps of it.
    pub fn digest(&self) -> Digest<K> {
        Digest::of(&self.text)
    }
}

impl<K> Secret<K> {
    /// The text itself, to hand to the one peer who may hold it.
    pub fn expose(&self) -> &str {
        &self.text
    }
}

impl<K> Clone for Secret<K> {
    fn clone(&self) -> Self {
        Secret {
            text: self.text.clone(),
            kind: PhantomData,
        }
    }
}
impl<K> fmt::Debug for Secret<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}
impl<K> Serialize for Secret<K> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}
impl<'de, K: Kind> Deserialize<'de> for Secret<K> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Secret::parse(&text).ok_or_else(|| serde::de::Error::custom("not such a secret"))
    }
}

/// SHA-256 of a secret of kind `K`: enough to recognise it, useless to whoever reads the database.
pub struct Digest<K>([u8; 32], PhantomData<fn() -> K>);

impl<K> Digest<K> {
    /// The digest of a secret's text.
    pub fn of(text: &str) -> Digest<K> {
        Digest(Sha256::digest(text.as_bytes()).into(), PhantomData)
    }

    /// A digest read back from the database; `None` unless it has 32 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Digest<K>> {
        Some(Digest(bytes.try_into().ok()?, PhantomData))
    }

    /// The 32 bytes, for the database.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl<K> Clone for Digest<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Digest<K> {}
impl<K> PartialEq for Digest<K> {
    /// In constant time.
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}
impl<K> Eq for Digest<K> {}
impl<K> Hash for Digest<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}
impl<K> fmt::Debug for Digest<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[digest]")
    }
}

/// A 256-bit key. Printed as `[key]`, wiped when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Key([u8; 32]);

impl Key {
    /// A key that nobody has yet.
    pub fn fresh(random: &Random) -> Key {
        Key(random.bytes())
    }

    /// Takes 32 bytes as a key; `None` for another length.
    pub fn from_bytes(bytes: &[u8]) -> Option<Key> {
        Some(Key(bytes.try_into().ok()?))
    }

    /// A key for one purpose alone, which is always the same and says nothing of this one.
    pub fn derived(&self, purpose: &[u8]) -> Key {
        Key(self.mac(&[purpose]))
    }

    /// HMAC-SHA-256 (RFC 2104) of the parts, each with its length in front, so that no two lists
    /// of parts give the same message.
    pub fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(&self.0)
            .expect("HMAC takes keys of any length");
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[key]")
    }
}
impl PartialEq for Key {
    /// In constant time.
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}
impl Eq for Key {}

/// The keys that wrap all others: the one that wraps now, and those that did before and are still read.
#[derive(Clone, Debug)]
pub struct MasterKeys {
    /// The one that wraps.
    pub current: Key,
    /// Those before it.
    pub former: Vec<Key>,
}

impl From<Key> for MasterKeys {
    fn from(current: Key) -> MasterKeys {
        MasterKeys {
            current,
            former: Vec::new(),
        }
    }
}

/// Where a sealed value stands. It is part of what is authenticated: a value that was moved to
/// another row, column or table does not open.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The table's name, or the name of a form.
    pub table: &'static str,
    /// The column's name.
    pub column: &'static str,
    /// The row's primary key, as text.
    pub row: &'a str,
}

/// Seals values with AES-256-GCM-SIV (RFC 8452). A sealed value is the key's generation (one
/// byte), a random 12-byte nonce, and ciphertext with tag. Of several generations one seals, and each opens
/// what it sealed.
#[derive(Clone)]
pub struct Sealer {
    generation: u8,
    ciphers: Vec<(u8, Aes256GcmSiv)>,
}

const NONCE: usize = 12;

impl Sealer {
    /// A sealer that uses `key`, known in sealed values as `generation`.
    pub fn new(generation: u8, key: &Key) -> Sealer {
        Sealer {
            generation,
            ciphers: Vec::new(),
        }
        .also(generation, key)
    }

    /// The same, which also opens what another generation sealed.
    #[must_use]
    pub fn also(mut self, generation: u8, key: &Key) -> Sealer {
        let cipher = Aes256GcmSiv::new_from_slice(&key.0).expect("a key has 32 bytes");
        self.ciphers.push((generation, cipher));
        self
    }

    /// The generation that seals.
    pub fn generation(&self) -> u8 {
        self.generation
    }

    fn cipher(&self, generation: u8) -> Option<&Aes256GcmSiv> {
        let mut ciphers = self.ciphers.iter();
        let (_, cipher) = ciphers.find(|(known, _)| *known == generation)?;
        Some(cipher)
    }

    /// Seals bytes for one place.
    pub fn seal(&self, place: Place<'_>, plain: &[u8], random: &Random) -> Vec<u8> {
        let nonce = random.bytes::<NONCE>();
        let payload = Payload {
            msg: plain,
            aad: &associated(place),
        };
        let sealed = self
            .cipher(self.generation)
            .expect("the one that seals is among them")
            .encrypt(&Nonce::from(nonce), payload)
            .expect("values are far below the cipher's limit of 64 GiB");
        let mut out = Vec::with_capacity(1 + NONCE + sealed.len());
        out.push(self.generation);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        out
    }

    /// Opens what [`Sealer::seal`] made for the same place; `None` for anything else.
    pub fn open(&self, place: Place<'_>, sealed: &[u8]) -> Option<Vec<u8>> {
        let (generation, rest) = sealed.split_first()?;
        let cipher = self.cipher(*generation)?;
        if rest.len() < NONCE {
            return None;
        }
        let (nonce, msg) = rest.split_at(NONCE);
        let nonce: [u8; NONCE] = nonce.try_into().ok()?;
        let payload = Payload {
            msg,
            aad: &associated(place),
        };
        cipher.decrypt(&Nonce::from(nonce), payload).ok()
    }

    /// Seals a value as JSON.
    pub fn seal_json<T: Serialize>(&self, place: Place<'_>, value: &T, random: &Random) -> Vec<u8> {
        let mut plain = serde_json::to_vec(value).expect("our own types are always valid JSON");
        let sealed = self.seal(place, &plain, random);
        plain.zeroize();
        sealed
    }

    /// Opens a value that was sealed as JSON in our own database, where it must open.
    pub fn open_json<T: DeserializeOwned>(
        &self,
        place: Place<'_>,
        sealed: &[u8],
    ) -> Result<T, Fault> {
        let mut plain = self
            .open(place, sealed)
            .ok_or(Fault::Sealed(place.table, place.column))?;
        let value = serde_json::from_slice(&plain);
        plain.zeroize();
        value.map_err(|_| Fault::Sealed(place.table, place.column))
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[sealer]")
    }
}

fn associated(place: Place<'_>) -> Vec<u8> {
    [place.table, place.column, place.row]
        .join("\u{1f}")
        .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Place<'static> = Place {
        table: "login",
        column: "request",
        row: "1",
    };

    #[test]
    fn a_secret_is_read_only_as_its_own_kind() {
        let code = Secret::<kind::Code>::fresh(&Random::seeded(1));
        assert!(Secret::<kind::Code>::parse(code.expose()).is_some());
        assert!(Secret::<kind::AccessToken>::parse(code.expose()).is_none());
        assert!(Secret::<kind::Code>::parse(&format!("{}x", code.expose())).is_none());
        assert!(Secret::<kind::Code>::parse("ac_").is_none());
    }

    #[test]
    fn nothing_secret_is_printed() {
        let code = Secret::<kind::Code>::fresh(&Random::seeded(1));
        let printed = format!(
            "{code:?} {:?} {:?}",
            code.digest(),
            Key::fresh(&Random::seeded(1))
        );
        assert_eq!(printed, "[secret] [digest] [key]");
    }

    #[test]
    fn a_sealed_value_opens_only_where_it_belongs() {
        let random = Random::seeded(1);
        let sealer = Sealer::new(1, &Key::fresh(&random));
        let sealed = sealer.seal(HERE, b"191212121212", &random);
        assert_eq!(
            sealer.open(HERE, &sealed).as_deref(),
            Some(&b"191212121212"[..])
        );
        for elsewhere in [
            Place { row: "2", ..HERE },
            Place {
                column: "answer",
                ..HERE
            },
            Place {
                table: "session",
                ..HERE
            },
        ] {
            assert_eq!(sealer.open(elsewhere, &sealed), None);
        }
        let other = Sealer::new(1, &Key::fresh(&random));
        assert_eq!(other.open(HERE, &sealed), None);
        for at in 0..sealed.len() {
            let mut bent = sealed.clone();
            bent[at] ^= 1;
            assert_eq!(sealer.open(HERE, &bent), None, "byte {at}");
        }
        assert_eq!(sealer.open(HERE, &[]), None);
    }

    #[test]
    fn what_an_older_generation_sealed_opens_beside_the_new_one() {
        let random = Random::seeded(1);
        let (old, new) = (Key::fresh(&random), Key::fresh(&random));
        let before = Sealer::new(1, &old).seal(HERE, b"a", &random);
        let both = Sealer::new(2, &new).also(1, &old);
        let after = both.seal(HERE, b"b", &random);
        assert_eq!((before[0], after[0]), (1, 2));
        assert_eq!(both.open(HERE, &before).as_deref(), Some(&b"a"[..]));
        assert_eq!(both.open(HERE, &after).as_deref(), Some(&b"b"[..]));
        assert_eq!(Sealer::new(2, &new).open(HERE, &before), None);
        // A generation is no more than a name: under another's it does not open.
        let mut renamed = before;
        renamed[0] = 2;
        assert_eq!(both.open(HERE, &renamed), None);
    }

    #[test]
    fn the_parts_of_a_mac_do_not_run_together() {
        let key = Key::fresh(&Random::seeded(1));
        assert_ne!(key.mac(&[b"ab", b"c"]), key.mac(&[b"a", b"bc"]));
    }
}

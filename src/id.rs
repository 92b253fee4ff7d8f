//! Names of things. An `Id<Login>` is not an `Id<Session>`, although both are random UUIDs.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::random::Random;

/// The kinds of things that have an [`Id`].
pub mod kind {
    /// One interaction, from the choice page to its end.
    pub enum Login {}
    /// One BankID order of ours. Its id is not BankID's `orderRef`.
    pub enum Order {}
    /// A person, by a random name that says nothing about them.
    pub enum Person {}
    /// A single sign-on session; its id is the `sid` of OpenID Connect logout.
    pub enum Session {}
    /// What one client received from one login.
    pub enum Grant {}
    /// An access token that is a JWT; its id is its `jti` (RFC 9068 §2.2).
    pub enum AccessToken {}
    /// Something that must happen later.
    pub enum Job {}
    /// Somebody who may administer, whoever they are.
    pub enum Administrator {}
    /// Something that was done, as the audit log tells it.
    pub enum Event {}
    /// What an administrator hands out so that clients register themselves.
    pub enum InitialAccessToken {}
    /// A request of a client that was refused.
    pub enum Refusal {}
}

/// A random name of a thing of kind `K`. It is no credential: whoever knows it can do nothing.
pub struct Id<K>(Uuid, PhantomData<fn() -> K>);

impl<K> Id<K> {
    /// A name that nothing has yet.
    pub fn fresh(random: &Random) -> Id<K> {
        Id(random.uuid(), PhantomData)
    }

    /// A name that is always the same for whoever makes the same MAC.
    pub fn derived(mac: &[u8; 32]) -> Id<K> {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&mac[..16]);
        Id(
            uuid::Builder::from_random_bytes(bytes).into_uuid(),
            PhantomData,
        )
    }

    /// Reads the form that [`fmt::Display`] writes: lower case, with hyphens, nothing else.
    pub fn parse(text: &str) -> Option<Id<K>> {
        let id = Uuid::try_parse(text).ok()?;
        (id.as_hyphenated().to_string() == text).then_some(Id(id, PhantomData))
    }

    /// Its 128 bits.
    pub fn as_u128(&self) -> u128 {
        self.0.as_u128()
    }

    /// The first eight hexadecimal digits, to tell a browser's few logins apart.
    pub fn short(&self) -> String {
        self.to_string()[..8].to_owned()
    }
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Id<K> {}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<K> Eq for Id<K> {}
impl<K> Hash for Id<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}
impl<K> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}
impl<K> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl<K> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de, K> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Id::parse(&text).ok_or_else(|| serde::de::Error::custom("not an id"))
    }
}

/// A client's name for itself at this provider (RFC 6749 §2.2): 1 to 255 visible ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, sqlx::Type)]
#[serde(transparent)]
#[sqlx(transparent)]
pub struct ClientId(String);

impl ClientId {
    /// RFC 6749 Appendix A.1: `client-id = *VSCHAR`; we ask for at least one and no space.
    pub fn parse(text: &str) -> Option<ClientId> {
        let sound = (1..=255).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        sound.then(|| ClientId(text.to_owned()))
    }

    /// A name that no client has yet.
    pub fn fresh(random: &Random) -> ClientId {
        ClientId(random.uuid().to_string())
    }

    /// The text as registered.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl<'de> Deserialize<'de> for ClientId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        ClientId::parse(&text).ok_or_else(|| {
            serde::de::Error::custom("a client_id is 1 to 255 visible ASCII characters")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_spelling() {
        let id = Id::<kind::Login>::fresh(&Random::seeded(1));
        assert_eq!(Id::parse(&id.to_string()), Some(id));
        assert_eq!(
            Id::<kind::Login>::parse(&id.to_string().to_uppercase()),
            None
        );
        assert_eq!(
            Id::<kind::Login>::parse(&id.to_string().replace('-', "")),
            None
        );
        assert_eq!(Id::<kind::Login>::parse("../../etc"), None);
    }

    #[test]
    fn a_client_id_is_visible_ascii() {
        assert!(ClientId::parse("https://app.example/å").is_none());
        assert!(ClientId::parse("").is_none());
        assert!(ClientId::parse("a b").is_none());
        assert!(ClientId::parse(&"x".repeat(256)).is_none());
        assert!(ClientId::parse("https://app.example").is_some());
    }
}

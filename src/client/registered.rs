//! A client as it is kept: who may change it, which secrets it has, and what it was before.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Client;
use super::authentication::ClientSecret;
use crate::clock::{Seconds, Timestamp};
use crate::secret::Digest;

/// For how long a removed client can be brought back.
pub const RESTORABLE: Seconds = Seconds(30 * 24 * 60 * 60);

/// Where a client's registration is kept and may be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ManagedBy {
    /// A file: the configuration, or one of clients.
    File,
    /// Administrators.
    Admin,
    /// The client itself (RFC 7592).
    Registration,
}

impl ManagedBy {
    /// All of them.
    pub const ALL: [ManagedBy; 3] = [ManagedBy::File, ManagedBy::Admin, ManagedBy::Registration];

    /// Its name in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            ManagedBy::File => "file",
            ManagedBy::Admin => "admin",
            ManagedBy::Registration => "registration",
        }
    }

    /// Reads what [`ManagedBy::as_str`] writes.
    pub fn parse(text: &str) -> Option<ManagedBy> {
        ManagedBy::ALL.into_iter().find(|by| by.as_str() == text)
    }
}

/// A client with all that is kept of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// The client. What it is entitled to stands there even when that has ended.
    pub client: Client,
    /// Who manages it.
    pub managed_by: ManagedBy,
    /// Which file does, when one does; the configuration has no name.
    pub source: String,
    /// Counts its changes.
    pub version: i64,
    /// Since when it is registered.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
    /// Since when it is removed, if it is.
    pub removed_at: Option<Timestamp>,
    /// Its secrets, without the secrets, those that have no end first.
    pub secrets: Vec<KeptSecret>,
}

/// What is known of a secret of a client's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeptSecret {
    /// The first digits of its digest, which say nothing about it.
    pub id: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends, if it does.
    pub expires_at: Option<Timestamp>,
}

/// The name of a secret, from its digest.
pub fn secret_id(digest: &Digest<ClientSecret>) -> String {
    hex::encode(&digest.as_bytes()[..4])
}

impl Registered {
    /// Whether it can still be brought back, where it is removed.
    pub fn can_be_restored(&self, now: Timestamp) -> bool {
        self.removed_at.is_some_and(|at| now < at + RESTORABLE)
    }

    /// All that administrators decide of it, by the names that a file has for it.
    pub fn said(&self) -> Value {
        said(&self.client)
    }
}

/// The same of a client that is not kept yet.
pub fn said(client: &Client) -> Value {
    let mut said = serde_json::to_value(&client.metadata).expect("our own types are valid JSON");
    said["sector"] = json!(client.sector);
    said
}

/// What a client is found by, in small letters: its id, its names, and where its people are sent.
pub fn searched(client: &Client) -> String {
    let addresses = client.metadata.redirect_uris.iter();
    let words = [
        client.client_id.as_str(),
        client.metadata.client_name.as_str(),
    ];
    let names = client.metadata.client_names.iter();
    let words = words
        .into_iter()
        .chain(names.map(|(_, name)| name.as_str()));
    let words = words.chain(addresses.map(|uri| uri.as_str()));
    words.collect::<Vec<_>>().join("\n").to_lowercase()
}

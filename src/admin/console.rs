//! The client by which administrators log in: one of our own, by the same protocol as any other.

use serde_json::json;

use super::client::CONSOLE;
use crate::claims::subject::in_sector;
use crate::client::Client;
use crate::config::admin::Admin;
use crate::id::{ClientId, Id, kind};
use crate::secret::Key;
use crate::storage::Keys;

/// The client, as every node registers it.
pub fn client(admin: &Admin) -> Client {
    let metadata = json!({
        "client_name": "Portvakt administration",
        "redirect_uris": [callback(admin)],
        "purpose": {
            "sv": "Logga in som administratör.",
            "en": "Log in as an administrator.",
        },
    });
    Client {
        client_id: ClientId::parse(CONSOLE).expect("visible ASCII"),
        // Who somebody is here is said nowhere else.
        sector: CONSOLE.to_owned(),
        metadata: serde_json::from_value(metadata).expect("our own metadata is sound"),
    }
}

/// By which name somebody administers, if they do.
pub fn subject(key: &Key, person: Id<kind::Person>) -> String {
    in_sector(key, CONSOLE, person)
}

/// Where answers to it go.
pub fn callback(admin: &Admin) -> String {
    format!("{}/callback", admin.address.url)
}

/// Its secret, the same on all nodes and in no place but memory.
pub fn secret(keys: &Keys) -> String {
    hex::encode(keys.csrf.mac(&[b"administration", CONSOLE.as_bytes()]))
}

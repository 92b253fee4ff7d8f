//! A person's rights: to be told what is kept of them, and to have it erased. Here is what that takes of each
//! table ([`holdings`]), and by what a person is recognised ([`marks`]); [`crate::admin::person`] does it.

pub mod holdings;
pub mod marks;

use crate::id::{Id, kind};
use crate::secret::Key;

/// How the audit log names a person. Whoever has the log and the keys finds nobody by it whose row is gone.
pub fn pseudonym(key: &Key, person: Id<kind::Person>) -> String {
    let mac = key.mac(&[b"person", person.to_string().as_bytes()]);
    format!("person:{}", hex::encode(&mac[..16]))
}

/// How it names a person who is not known.
pub const NOBODY: &str = "person:nobody";

//! What is told of a client that a file changes: the same events as if somebody had done one act after
//! the other.

use serde_json::{Value, json};

use super::{Action, difference};
use crate::client::Client;
use crate::client::authentication::ClientSecret;
use crate::client::registered::{ManagedBy, Registered, said, secret_id};
use crate::secret::Digest;

/// An act, with what was before and what is after.
#[derive(Clone, Debug, PartialEq)]
pub struct Act {
    /// What.
    pub action: Action,
    /// What of it was before.
    pub before: Option<Value>,
    /// What of it is now.
    pub after: Option<Value>,
}

/// What it takes to make a client, as it was read, what a file wants it to be. Nothing where it is that.
pub fn acts(
    read: Option<&Registered>,
    client: &Client,
    managed: (ManagedBy, &str),
    secrets: &[Digest<ClientSecret>],
) -> Vec<Act> {
    let had = read.and_then(|read| read.client.metadata.personal_number.as_ref());
    // The right to personal numbers is an act of its own.
    let mut without = client.clone();
    without.metadata.personal_number = had.cloned();
    let mut acts = Vec::new();
    match read {
        None => acts.push(Act {
            action: Action::ClientCreate,
            before: None,
            after: Some(said(&without)),
        }),
        Some(read) => {
            if read.removed_at.is_some() {
                acts.push(Act {
                    action: Action::ClientRestore,
                    before: None,
                    after: Some(read.said()),
                });
            }
            acts.extend(change(read, &without, managed));
        }
    }
    let wanted = client.metadata.personal_number.as_ref();
    if wanted != had {
        acts.push(Act {
            action: match wanted {
                Some(_) => Action::EntitlementGrant,
                None => Action::EntitlementEnd,
            },
            before: Some(json!({ "personal_number": had })),
            after: Some(json!({ "personal_number": wanted })),
        });
    }
    if let Some(read) = read
        && [&read.client, client].map(|c| c.metadata.token_endpoint_auth.has_secret()) == [true; 2]
    {
        acts.extend(secret_acts(read, secrets));
    }
    acts
}

fn change(read: &Registered, client: &Client, managed: (ManagedBy, &str)) -> Option<Act> {
    let manager = |(by, source): (ManagedBy, &str), mut said: Value| {
        said["managed_by"] = json!(by);
        said["source"] = json!(source);
        said
    };
    let (before, after) = difference(
        &manager((read.managed_by, &read.source), read.said()),
        &manager(managed, said(client)),
    );
    (before != after).then_some(Act {
        action: Action::ClientChange,
        before: Some(before),
        after: Some(after),
    })
}

/// One more secret, in whose place the others stay without an end or are gone; or one less.
fn secret_acts(read: &Registered, secrets: &[Digest<ClientSecret>]) -> Vec<Act> {
    let wanted: Vec<String> = secrets.iter().map(secret_id).collect();
    let is_kept = |id: &String| read.secrets.iter().any(|kept| kept.id == *id);
    let overlap = match wanted.iter().any(is_kept) {
        true => Value::Null,
        false => json!(0),
    };
    let added = wanted.iter().filter(|id| !is_kept(id));
    let added: Vec<Act> = added
        .map(|id| Act {
            action: Action::SecretAdd,
            before: None,
            after: Some(json!({ "secret": id, "overlap_seconds": overlap })),
        })
        .collect();
    if !added.is_empty() {
        return added;
    }
    let ended = read
        .secrets
        .iter()
        .filter(|kept| !wanted.contains(&kept.id));
    ended
        .map(|kept| Act {
            action: Action::SecretRemove,
            before: Some(json!({ "secret": kept.id })),
            after: None,
        })
        .collect()
}

//! Clients: registered, changed, removed and brought back, and given secrets.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::logo::with_logos;
use super::{Desk, Done, Unmet, written};
use crate::audit::{Action, Who, difference};
use crate::client::authentication::ClientSecret;
use crate::client::registered::{KeptSecret, ManagedBy, Registered, said, secret_id};
use crate::client::setting::Mistake;
use crate::client::{Client, Metadata};
use crate::clock::Seconds;
use crate::config::client::{not_a_sector, not_an_id, sector_of, unmet};
use crate::id::{ClientId, Id, kind};
use crate::secret::Secret;
use crate::storage::{ClientFilter, Decided, SecretChange, object};

use super::role::Reach;

/// The name of the client by which administrators log in. Nobody registers it.
pub const CONSOLE: &str = "portvakt-admin";

/// In front of every scope of the administration's API.
pub const API_SCOPES: &str = "portvakt:";

/// How long a secret lives beside the one that follows it, unless somebody says otherwise.
pub const OVERLAP: Seconds = Seconds(7 * 24 * 60 * 60);

/// The longest that somebody can say.
pub const LONGEST_OVERLAP: Seconds = Seconds(90 * 24 * 60 * 60);

/// A client to be registered.
#[derive(Clone, Debug)]
pub struct New {
    /// Its id; a new random one, when it has none.
    pub client_id: Option<ClientId>,
    /// Its sector; the host of its redirect URIs, when it is not said.
    pub sector: Option<String>,
    /// Everything else.
    pub metadata: Metadata,
}

/// A client with a secret that was just made, and is shown this once.
#[derive(Debug)]
pub struct Made {
    /// The client as it is now.
    pub registered: Registered,
    /// The secret, where one was made.
    pub secret: Option<Secret<ClientSecret>>,
}

/// A client, as far as the actor may know of it.
pub async fn find(desk: &Desk<'_>, client_id: &str) -> Done<Registered> {
    let unknown = || Unmet::Unknown("client");
    let client_id = ClientId::parse(client_id).ok_or_else(unknown)?;
    let reached = desk.reach.holds(&client_id) && client_id.as_str() != CONSOLE;
    let found = match reached {
        true => desk.store.registered(&client_id).await?,
        false => None,
    };
    found.ok_or_else(unknown)
}

/// Clients in the order of their ids, as far as the actor may know of them.
pub async fn list(desk: &Desk<'_>, filter: &ClientFilter, most: u16) -> Done<Vec<Registered>> {
    let of = match (&desk.reach, &desk.actor.who) {
        (Reach::All, _) => None,
        (Reach::Only(_), Who::Administrator(id)) => Some(id.to_string()),
        (Reach::Only(_), _) => return Ok(Vec::new()),
    };
    let filter = ClientFilter {
        of,
        ..filter.clone()
    };
    let mut found = desk.store.clients(&filter, most.saturating_add(1)).await?;
    found.retain(|read| read.client.client_id.as_str() != CONSOLE);
    found.truncate(usize::from(most));
    Ok(found)
}

/// Registers a client, with a secret where it has one.
pub async fn create(desk: &Desk<'_>, new: New) -> Done<Made> {
    if new.metadata.personal_number.is_some() {
        return Err(entitled_elsewhere());
    }
    let client_id = new
        .client_id
        .unwrap_or_else(|| ClientId::fresh(desk.random));
    let metadata = with_logos(desk, new.metadata).await?;
    let client = judged(desk, None, client_id, new.sector.as_deref(), metadata)?;
    let secret = fresh_secret(desk, &client, false);
    let decided = Decided {
        client: &client,
        managed_by: ManagedBy::Admin,
        source: "",
        secrets: SecretChange::Exactly(secret.iter().map(Secret::digest).collect()),
        removed_at: None,
        looked_after_by: limited(desk),
    };
    let event = desk.event(
        Action::ClientCreate,
        object(&client.client_id),
        None,
        Some(said(&client)),
    );
    if !desk
        .store
        .save_client(None, &decided, &event, desk.now())
        .await?
    {
        return Err(Unmet::Taken);
    }
    made(desk, &client.client_id, secret).await
}

/// Makes a client what it is wanted to be. Nothing is written where it is that already. One that is to have a
/// secret and has none gets one.
pub async fn change(
    desk: &Desk<'_>,
    client_id: &str,
    version: Option<i64>,
    sector: Option<&str>,
    metadata: Metadata,
) -> Done<Made> {
    let read = open(desk, client_id, version).await?;
    let client = tried(desk, &read, sector, metadata).await?;
    if client == read.client {
        return Ok(Made {
            registered: read,
            secret: None,
        });
    }
    if desk.config.second_approver
        && client.metadata.personal_number.is_some()
        && goes_elsewhere(&read.client.metadata, &client.metadata)
    {
        return Err(DECIDED_BY_TWO);
    }
    let had_secret = read.client.metadata.token_endpoint_auth.has_secret();
    let secret = fresh_secret(desk, &client, had_secret);
    let secrets = match (&secret, client.metadata.token_endpoint_auth.has_secret()) {
        (Some(secret), _) => SecretChange::Exactly(vec![secret.digest()]),
        (None, true) => SecretChange::Kept,
        (None, false) => SecretChange::Exactly(Vec::new()),
    };
    let (before, after) = difference(&read.said(), &said(&client));
    save(
        desk,
        &read,
        &client,
        secrets,
        Action::ClientChange,
        (Some(before), Some(after)),
    )
    .await?;
    made(desk, &client.client_id, secret).await
}

/// A client as it would be with other settings, if they hold together. Nothing is changed.
pub async fn tried(
    desk: &Desk<'_>,
    read: &Registered,
    sector: Option<&str>,
    metadata: Metadata,
) -> Done<Client> {
    if metadata.personal_number != read.client.metadata.personal_number {
        return Err(entitled_elsewhere());
    }
    let metadata = with_logos(desk, metadata).await?;
    let id = read.client.client_id.clone();
    let sector = sector.unwrap_or(&read.client.sector);
    judged(desk, Some(read), id, Some(sector), metadata)
}

const DECIDED_BY_TWO: Unmet = Unmet::Forbidden(
    "two administrators decided that this application has personal numbers: end that first, change where its answers go and how it proves who it is, and ask for it again",
);

/// Whether what is told to a client would be told to somebody else.
fn goes_elsewhere(before: &Metadata, after: &Metadata) -> bool {
    before.redirect_uris != after.redirect_uris
        || before.token_endpoint_auth != after.token_endpoint_auth
        || before.tls_client_auth != after.tls_client_auth
        || before.jwks != after.jwks
        || before.jwks_uri != after.jwks_uri
}

/// Removes a client with all that it was given. It can be brought back for a while, without that.
pub async fn remove(desk: &Desk<'_>, client_id: &str, version: Option<i64>) -> Done<()> {
    let read = find(desk, client_id).await?;
    let read = match read.managed_by {
        // It may not manage itself any more.
        ManagedBy::Registration => at_version(guarded(desk, here(read)?)?, version)?,
        _ => open(desk, client_id, version).await?,
    };
    let decided = Decided {
        client: &read.client,
        managed_by: read.managed_by,
        source: &read.source,
        secrets: SecretChange::Kept,
        removed_at: Some(desk.now()),
        looked_after_by: None,
    };
    let id = &read.client.client_id;
    let event = desk.event(Action::ClientRemove, object(id), Some(read.said()), None);
    match desk
        .store
        .save_client(Some(&read), &decided, &event, desk.now())
        .await?
    {
        true => Ok(()),
        false => Err(changed(desk, client_id).await?),
    }
}

/// Brings a removed client back as it was, with its secrets.
pub async fn restore(desk: &Desk<'_>, client_id: &str) -> Done<Registered> {
    let read = guarded(desk, find(desk, client_id).await?)?;
    if !read.can_be_restored(desk.now()) {
        return Err(Unmet::Unknown("removed client"));
    }
    if read.managed_by == ManagedBy::File {
        return Err(Unmet::Elsewhere(read.managed_by, read.source));
    }
    // What it may have may have been decided anew in the meantime.
    let (metadata, sector) = (read.client.metadata.clone(), read.client.sector.clone());
    let id = read.client.client_id.clone();
    judged(desk, Some(&read), id, Some(&sector), metadata)?;
    let what = (None, Some(read.said()));
    save(
        desk,
        &read,
        &read.client,
        SecretChange::Kept,
        Action::ClientRestore,
        what,
    )
    .await?;
    find(desk, client_id).await
}

/// Gives a client one more secret. Those that it has end after a while, so that its application can change
/// over: two live at a time, and an older one ends at once.
pub async fn add_secret(
    desk: &Desk<'_>,
    client_id: &str,
    version: Option<i64>,
    overlap: Seconds,
) -> Done<Made> {
    let read = open(desk, client_id, version).await?;
    if !read.client.metadata.token_endpoint_auth.has_secret() {
        return Err(Unmet::mistake(
            "token_endpoint_auth",
            "a client with this token_endpoint_auth has no secret",
        ));
    }
    if !(Seconds(0)..=LONGEST_OVERLAP).contains(&overlap) {
        return Err(Unmet::mistake("overlap", "must be 0 seconds to 90 days"));
    }
    let secret = Secret::<ClientSecret>::fresh(desk.random);
    let secrets = SecretChange::Added(secret.digest(), desk.now() + overlap);
    let after = json!({ "secret": secret_id(&secret.digest()), "overlap_seconds": overlap.0 });
    let what = (None, Some(after));
    save(desk, &read, &read.client, secrets, Action::SecretAdd, what).await?;
    made(desk, &read.client.client_id, Some(secret)).await
}

/// Ends a secret at once.
pub async fn end_secret(
    desk: &Desk<'_>,
    client_id: &str,
    version: Option<i64>,
    secret_id: &str,
) -> Done<Registered> {
    let read = open(desk, client_id, version).await?;
    if !read.secrets.iter().any(|secret| secret.id == secret_id) {
        return Err(Unmet::Unknown("secret"));
    }
    let what = (Some(json!({ "secret": secret_id })), None);
    let secrets = SecretChange::Ended(secret_id.to_owned());
    save(
        desk,
        &read,
        &read.client,
        secrets,
        Action::SecretRemove,
        what,
    )
    .await?;
    find(desk, client_id).await
}

/// A client that administrators may change, at the version that they saw.
pub async fn open(desk: &Desk<'_>, client_id: &str, version: Option<i64>) -> Done<Registered> {
    let read = guarded(desk, here(find(desk, client_id).await?)?)?;
    match read.managed_by {
        ManagedBy::Admin => at_version(read, version),
        elsewhere => Err(Unmet::Elsewhere(elsewhere, read.source)),
    }
}

/// What administers this installation is changed by those who may give that. Whoever gives such a client
/// another secret or another key could act as it.
fn guarded(desk: &Desk<'_>, read: Registered) -> Done<Registered> {
    match desk.gives_administration || api_scopes(&read.client.metadata).is_empty() {
        true => Ok(read),
        false => Err(Unmet::Forbidden(
            "this client administers this installation: only an owner changes it",
        )),
    }
}

fn here(read: Registered) -> Done<Registered> {
    match read.removed_at {
        None => Ok(read),
        Some(_) => Err(Unmet::Unknown("client")),
    }
}

fn at_version(read: Registered, version: Option<i64>) -> Done<Registered> {
    match version.is_none_or(|version| version == read.version) {
        true => Ok(read),
        false => Err(Unmet::Changed(Box::new(read))),
    }
}

type BeforeAndAfter = (Option<Value>, Option<Value>);

async fn save(
    desk: &Desk<'_>,
    read: &Registered,
    client: &Client,
    secrets: SecretChange,
    action: Action,
    (before, after): BeforeAndAfter,
) -> Done<()> {
    let decided = Decided {
        client,
        managed_by: read.managed_by,
        source: &read.source,
        secrets,
        removed_at: None,
        looked_after_by: None,
    };
    let event = desk.event(action, object(&client.client_id), before, after);
    match desk
        .store
        .save_client(Some(read), &decided, &event, desk.now())
        .await?
    {
        true => Ok(()),
        false => Err(changed(desk, client.client_id.as_str()).await?),
    }
}

/// What somebody else made of a client in the meantime.
pub(super) async fn changed(desk: &Desk<'_>, client_id: &str) -> Done<Unmet> {
    Ok(Unmet::Changed(Box::new(find(desk, client_id).await?)))
}

async fn made(
    desk: &Desk<'_>,
    client_id: &ClientId,
    secret: Option<Secret<ClientSecret>>,
) -> Done<Made> {
    let registered = desk.store.registered(client_id).await?;
    Ok(Made {
        registered: registered.ok_or(Unmet::Unknown("client"))?,
        secret,
    })
}

/// Who looks after a new client besides those who look after all.
fn limited(desk: &Desk<'_>) -> Option<Id<kind::Administrator>> {
    match (&desk.reach, &desk.actor.who) {
        (Reach::Only(_), Who::Administrator(id)) => Some(*id),
        _ => None,
    }
}

fn fresh_secret(desk: &Desk<'_>, client: &Client, had_one: bool) -> Option<Secret<ClientSecret>> {
    let wants = client.metadata.token_endpoint_auth.has_secret() && !had_one;
    wants.then(|| Secret::fresh(desk.random))
}

fn entitled_elsewhere() -> Unmet {
    Unmet::mistake(
        "personal_number",
        "the right to personal numbers is given and ended by itself, not with other settings",
    )
}

/// A client as it would be, if that holds together.
pub(super) fn judged(
    desk: &Desk<'_>,
    read: Option<&Registered>,
    client_id: ClientId,
    sector: Option<&str>,
    metadata: Metadata,
) -> Done<Client> {
    if client_id.as_str() == CONSOLE {
        return Err(Unmet::Taken);
    }
    let mut mistakes = Vec::new();
    let reason = not_an_id(&client_id).filter(|_| read.is_none());
    mistakes.extend(reason.map(|reason| Mistake::new("client_id", reason)));
    let sector = match sector {
        Some(sector) if is_sector(sector) => Ok(sector.to_owned()),
        Some(sector) => Err(not_a_sector(sector)
            .unwrap_or("must be 1 to 255 visible ASCII characters")
            .to_owned()),
        None => sector_of(&client_id, &metadata),
    };
    let sector = sector
        .map_err(|reason| mistakes.push(Mistake::new("sector", reason)))
        .ok();
    let conflicts = metadata.conflicts().into_iter();
    let conflicts = conflicts.chain(metadata.bankid.conflicts());
    mistakes.extend(conflicts.map(|conflict| Mistake::new(conflict.setting, conflict.reason)));
    let client = Client {
        client_id,
        sector: sector.unwrap_or_default(),
        metadata,
    };
    mistakes.extend(unmet(
        &client,
        Some(&desk.config.bankid),
        desk.config.mtls.as_ref(),
    ));
    if !mistakes.is_empty() {
        return Err(Unmet::Mistakes(mistakes));
    }
    let had = read.map(|read| api_scopes(&read.client.metadata));
    if !desk.gives_administration && had.unwrap_or_default() != api_scopes(&client.metadata) {
        return Err(Unmet::Forbidden(
            "only an owner gives a client scopes that begin with portvakt:, or takes them away",
        ));
    }
    Ok(client)
}

/// All that is kept of a client, but its secrets.
pub fn shown(read: &Registered) -> Value {
    let secret = |secret: &KeptSecret| {
        json!({
            "id": secret.id,
            "created_at": written(secret.created_at),
            "expires_at": secret.expires_at.map(written),
        })
    };
    json!({
        "client_id": read.client.client_id,
        "sector": read.client.sector,
        "managed_by": read.managed_by,
        "source": read.source,
        "version": read.version,
        "created_at": written(read.created_at),
        "updated_at": written(read.updated_at),
        "removed_at": read.removed_at.map(written),
        "secrets": read.secrets.iter().map(secret).collect::<Vec<Value>>(),
        "metadata": read.client.metadata,
    })
}

/// Whether a sector can be told apart from others by what is visible of it.
pub fn is_sector(text: &str) -> bool {
    let is_free = not_a_sector(text).is_none();
    is_free && (1..=255).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

/// What a client may do to this installation by its own tokens.
fn api_scopes(metadata: &Metadata) -> BTreeSet<&str> {
    let machine = metadata.client_credentials.iter();
    let scopes = machine.flat_map(|machine| &machine.scopes);
    let scopes = scopes.map(|scope| scope.as_str());
    scopes
        .filter(|scope| scope.starts_with(API_SCOPES))
        .collect()
}

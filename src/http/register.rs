//! Clients that register themselves (RFC 7591), and look after that (RFC 7592). No browser has any business
//! here.

use serde_json::{Map, Value};

use super::answer::{self, Answer, Noted};
use super::input::Request;
use crate::audit::{Actor, Door, Who};
use crate::client::Client;
use crate::client::authentication::ClientSecret;
use crate::client::mistake::Reason;
use crate::client::registration::request::{self, Asked, Offer};
use crate::client::registration::response::{Credentials, information};
use crate::client::registration::{Allowance, Refused, Registration, sector};
use crate::discovery;
use crate::error::{Code, Error, Fault, Refusal};
use crate::id::ClientId;
use crate::provider::Provider;
use crate::secret::{Kind, Secret, kind as secret};
use crate::storage::{By, Managed, SecretChange};

pub async fn post(provider: Provider, request: Request) -> Result<Answer, Error> {
    answered(register(&provider, &request).await)
}

pub async fn get(provider: Provider, request: Request) -> Result<Answer, Error> {
    answered(tell(&provider, &request).await)
}

pub async fn put(provider: Provider, request: Request) -> Result<Answer, Error> {
    answered(replace(&provider, &request).await)
}

pub async fn delete(provider: Provider, request: Request) -> Result<Answer, Error> {
    answered(remove(&provider, &request).await)
}

/// Why somebody does not get what they came for.
enum Unmet {
    /// Too many come from there.
    Crowded,
    /// They show no token.
    Unproven,
    /// Theirs is none, or none any more.
    Unknown,
    /// The client cannot be registered so.
    Refused(Refused),
    /// Anything else.
    Failed(Error),
}

/// RFC 7592 §2: an unknown client reads the same as a wrong token.
const UNKNOWN: Refusal = Refusal::new(
    Code::InvalidToken,
    "the token is unknown, expired, revoked or used up",
)
.because(Reason::RegistrationTokenUnknown);

fn answered(result: Result<Answer, Unmet>) -> Result<Answer, Error> {
    match result {
        Ok(answer) => Ok(answer),
        Err(Unmet::Crowded) => Ok(answer::too_many()),
        Err(Unmet::Unproven) => {
            let noted = Noted::mistake(Reason::RegistrationTokenMissing);
            Ok(answer::bearer_challenge(None).noting(noted))
        }
        Err(Unmet::Unknown) => {
            Ok(answer::bearer_challenge(Some(UNKNOWN)).noting(Noted::refusal(UNKNOWN)))
        }
        Err(Unmet::Refused(refused)) => Ok(answer::unregistered(&refused)),
        Err(Unmet::Failed(error)) => Err(error),
    }
}

/// RFC 7591 §3.
async fn register(provider: &Provider, request: &Request) -> Result<Answer, Unmet> {
    let shown = shown::<secret::InitialAccessToken>(provider, request)?;
    let (store, now) = (&provider.store, provider.clock.now());
    let by = store.initial_access_token(shown.digest(), now).await?;
    let by = by.ok_or(Unmet::Unknown)?;
    let asked = asked(provider, &members(request)?, &by.allowance)?;
    let client_id = ClientId::fresh(&provider.random);
    let sector = sector::settle(&asked, &client_id, &by.allowance)?;
    look_at_sector(provider, &asked).await?;
    let registration = Registration {
        client: Client {
            client_id,
            sector,
            metadata: asked.metadata,
        },
        allowance: by.allowance,
        details: asked.details,
        issued_at: now,
    };
    let token = Secret::fresh(&provider.random);
    let has_secret = registration
        .client
        .metadata
        .token_endpoint_auth
        .has_secret();
    let client_secret = has_secret.then(|| Secret::<ClientSecret>::fresh(&provider.random));
    let digest = client_secret.as_ref().map(Secret::digest);
    let who = By {
        actor: &itself(&registration.client.client_id, request),
        at: provider.clock.moment(),
    };
    let is_registered = store
        .register_by_token(&registration, by.id, token.digest(), digest, who)
        .await?;
    if !is_registered {
        return Err(Unmet::Unknown);
    }
    let client = &registration.client.client_id;
    tracing::info!(%client, initial_access_token = %by.id, "a client registered itself");
    let credentials = Credentials {
        issuer: &provider.config.issuer.url,
        token: &token,
        client_secret: client_secret.as_ref().map(Secret::expose),
    };
    Ok(Answer::created(&information(&registration, credentials)))
}

/// A client that registers itself, or manages that, as who does it.
fn itself(client_id: &ClientId, request: &Request) -> Actor {
    Actor {
        who: Who::Client(client_id.clone()),
        door: Door::Registration,
        address: Some(request.ip),
    }
}

/// RFC 7592 §2.1.
async fn tell(provider: &Provider, request: &Request) -> Result<Answer, Unmet> {
    let (token, managed) = managed(provider, request).await?;
    let credentials = Credentials {
        issuer: &provider.config.issuer.url,
        token: &token,
        client_secret: None,
    };
    Ok(Answer::json(&information(
        &managed.registration,
        credentials,
    )))
}

/// How often a replacement is tried while others change the client, too.
const TRIES: usize = 3;

/// RFC 7592 §2.2: what is not said any more does not hold any more.
async fn replace(provider: &Provider, request: &Request) -> Result<Answer, Unmet> {
    let (token, mut read) = managed(provider, request).await?;
    let (store, now) = (&provider.store, provider.clock.now());
    let members = members(request)?;
    let client_id = read.registration.client.client_id.clone();
    let actor = itself(&client_id, request);
    let by = By {
        actor: &actor,
        at: provider.clock.moment(),
    };
    let secrets = store.client_secrets(&client_id, now).await?;
    request::admit_replacement(&members, &client_id, &secrets)?;
    let asked = asked(provider, &members, &read.registration.allowance)?;
    sector::keep(&asked, &read.registration)?;
    look_at_sector(provider, &asked).await?;
    for _ in 0..TRIES {
        let client_secret = new_secret(provider, &read.registration, &asked);
        let change = match &client_secret {
            Some(fresh) => SecretChange::Exactly(vec![fresh.digest()]),
            None if asked.metadata.token_endpoint_auth.has_secret() => SecretChange::Kept,
            None => SecretChange::Exactly(Vec::new()),
        };
        let (metadata, details) = (&asked.metadata, &asked.details);
        if store
            .replace_registration(&read, metadata, details, change.clone(), by)
            .await?
        {
            tracing::info!(client = %client_id, "a client changed its registration");
            let sent = members.get("client_secret").and_then(Value::as_str);
            let kept = sent.filter(|_| matches!(change, SecretChange::Kept));
            let credentials = Credentials {
                issuer: &provider.config.issuer.url,
                token: &token,
                client_secret: client_secret.as_ref().map(Secret::expose).or(kept),
            };
            let replaced = Registration {
                client: Client {
                    metadata: asked.metadata,
                    ..read.registration.client
                },
                details: asked.details,
                ..read.registration
            };
            return Ok(Answer::json(&information(&replaced, credentials)));
        }
        (_, read) = managed(provider, request).await?;
    }
    Err(Unmet::Crowded)
}

/// A secret for a client that had none and needs one.
fn new_secret(
    provider: &Provider,
    before: &Registration,
    asked: &Asked,
) -> Option<Secret<ClientSecret>> {
    let had = before.client.metadata.token_endpoint_auth.has_secret();
    let has = asked.metadata.token_endpoint_auth.has_secret();
    (has && !had).then(|| Secret::fresh(&provider.random))
}

/// RFC 7592 §2.3.
async fn remove(provider: &Provider, request: &Request) -> Result<Answer, Unmet> {
    let (_, managed) = managed(provider, request).await?;
    let client = &managed.registration.client.client_id;
    let by = By {
        actor: &itself(client, request),
        at: provider.clock.moment(),
    };
    if !provider.store.remove_registration(&managed, by).await? {
        return Err(Unmet::Unknown);
    }
    tracing::info!(%client, "a client removed itself");
    Ok(Answer::nothing())
}

/// The client that the address names, for whoever shows its token.
async fn managed(
    provider: &Provider,
    request: &Request,
) -> Result<(Secret<secret::RegistrationToken>, Managed), Unmet> {
    let token = shown::<secret::RegistrationToken>(provider, request)?;
    let client_id = request.path_part("id").and_then(ClientId::parse);
    let client_id = client_id.ok_or(Unmet::Unknown)?;
    let managed = provider
        .store
        .registration(&client_id, token.digest())
        .await?;
    Ok((token, managed.ok_or(Unmet::Unknown)?))
}

/// RFC 6750 §2.1: in the header alone. What is no such token by its shape is not looked up.
fn shown<K: Kind>(provider: &Provider, request: &Request) -> Result<Secret<K>, Unmet> {
    if !provider.limits.admit_registration(request.ip) {
        provider.metrics.limited("registrations_per_address");
        return Err(Unmet::Crowded);
    }
    let header = request
        .authorization()
        .map_err(Error::from)?
        .unwrap_or_default();
    match header.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
            Secret::parse(token.trim()).ok_or(Unmet::Unknown)
        }
        _ => Err(Unmet::Unproven),
    }
}

fn members(request: &Request) -> Result<Map<String, Value>, Unmet> {
    request
        .json()
        .map_err(|why| Unmet::Failed(Refusal::from(why).into()))
}

fn asked(
    provider: &Provider,
    members: &Map<String, Value>,
    allowance: &Allowance,
) -> Result<Asked, Unmet> {
    let methods = discovery::open_methods(provider.config.mtls.as_ref());
    let offer = Offer {
        allowance,
        methods: &methods,
    };
    Ok(request::read(members, offer)?)
}

/// OpenID Connect Dynamic Client Registration §5.
async fn look_at_sector(provider: &Provider, asked: &Asked) -> Result<(), Unmet> {
    let Some(uri) = &asked.details.sector_identifier_uri else {
        return Ok(());
    };
    let published = provider
        .outbound
        .fetch(uri.as_str(), sector::LARGEST_LIST)
        .await;
    if let Err(trouble) = &published {
        tracing::warn!(%trouble, "the addresses of a sector could not be fetched");
    }
    let published = published.ok();
    Ok(sector::listed(
        published.as_deref(),
        &asked.metadata.redirect_uris,
    )?)
}

impl From<Refused> for Unmet {
    fn from(refused: Refused) -> Unmet {
        Unmet::Refused(refused)
    }
}

impl From<Error> for Unmet {
    fn from(error: Error) -> Unmet {
        Unmet::Failed(error)
    }
}

impl From<Fault> for Unmet {
    fn from(fault: Fault) -> Unmet {
        Unmet::Failed(fault.into())
    }
}

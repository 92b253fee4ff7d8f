//! The table `client_registration`: clients that registered themselves, and manage that.

use sqlx::types::Json;

use super::client::{Decided, object};
use super::client_secret::SecretChange;
use super::{Result, Store, alone, commit, initial_access_token, on, rollback, whole};
use crate::audit::{Action, Actor, Event, difference};
use crate::client::authentication::ClientSecret;
use crate::client::registered::{ManagedBy, Registered, said};
use crate::client::registration::{Allowance, Details, Registration};
use crate::client::{Client, Metadata};
use crate::clock::Moment;
use crate::id::{ClientId, Id, kind};
use crate::secret::{Digest, kind as secret};

/// A registration as it was read, to be replaced only while it is still that.
#[derive(Clone, Debug)]
pub struct Managed {
    /// The registration.
    pub registration: Registration,
    read: Registered,
}

impl Managed {
    fn of(read: Registered, allowance: Allowance, details: Details) -> Managed {
        Managed {
            registration: Registration {
                client: read.client.clone(),
                allowance,
                details,
                issued_at: read.created_at,
            },
            read,
        }
    }
}

/// Who replaces or removes a registration, and when.
#[derive(Clone, Copy, Debug)]
pub struct By<'a> {
    /// Who.
    pub actor: &'a Actor,
    /// When.
    pub at: Moment,
}

impl Store {
    /// Registers a client by an initial access token, which is spent with it. `false`: it was spent,
    /// revoked or too old, and nothing is registered.
    pub async fn register_by_token(
        &self,
        registration: &Registration,
        token: Id<kind::InitialAccessToken>,
        managed_by: Digest<secret::RegistrationToken>,
        client_secret: Option<Digest<ClientSecret>>,
        by: By<'_>,
    ) -> Result<bool> {
        let (client, now) = (&registration.client, registration.issued_at);
        whole!(self, {
            let mut tx = self.begin().await?;
            if !initial_access_token::spend(&mut tx, token, now).await? {
                rollback(tx).await?;
                return Ok(false);
            }
            let decided = Decided {
                client,
                managed_by: ManagedBy::Registration,
                source: "",
                secrets: SecretChange::Exactly(client_secret.into_iter().collect()),
                removed_at: None,
                looked_after_by: None,
            };
            self.save(&mut tx, None, &decided, now).await?;
            on!(&mut tx, |tx| sqlx::query(
                "INSERT INTO client_registration
                (client_id, token, initial_access_token, allowance, details)
             VALUES ($1, $2, $3, $4, $5)"
            )
            .bind(&client.client_id)
            .bind(managed_by.as_bytes())
            .bind(token.to_string())
            .bind(Json(&registration.allowance))
            .bind(Json(&registration.details))
            .execute(&mut **tx)
            .await
            .map(|_| ()))?;
            let mut after = said(client);
            after["initial_access_token"] = token.to_string().into();
            let event = Event {
                at: by.at,
                actor: by.actor.clone(),
                action: Action::ClientCreate,
                object: object(&client.client_id),
                before: None,
                after: Some(after),
            };
            self.tell(&mut tx, &event).await?;
            commit(tx).await?;
            Ok(true)
        })
    }

    /// A client's registration, for whoever shows the token that manages it. A client that has come
    /// under somebody else's management, or is removed, is as good as none.
    pub async fn registration(
        &self,
        client_id: &ClientId,
        token: Digest<secret::RegistrationToken>,
    ) -> Result<Option<Managed>> {
        let row: Option<(Json<Allowance>, Json<Details>)> = alone!(self, |db| {
            sqlx::query_as(
            "SELECT allowance, details FROM client_registration WHERE token = $1 AND client_id = $2"
        )
        .bind(token.as_bytes())
        .bind(client_id)
        .fetch_optional(db)
        .await
        })?;
        let Some((Json(allowance), Json(details))) = row else {
            return Ok(None);
        };
        let read = self
            .registered(client_id)
            .await?
            .filter(|read| read.managed_by == ManagedBy::Registration && read.removed_at.is_none());
        Ok(read.map(|read| Managed::of(read, allowance, details)))
    }

    /// What a client said of itself that only its registration needs.
    pub async fn registration_details(&self, client_id: &ClientId) -> Result<Option<Details>> {
        let row: Option<Json<Details>> = alone!(self, |db| sqlx::query_scalar(
            "SELECT details FROM client_registration WHERE client_id = $1"
        )
        .bind(client_id)
        .fetch_optional(db)
        .await)?;
        Ok(row.map(|Json(details)| details))
    }

    /// Replaces what a client is registered as. `false`: it is not as it was read any more.
    pub async fn replace_registration(
        &self,
        managed: &Managed,
        metadata: &Metadata,
        details: &Details,
        secrets: SecretChange,
        by: By<'_>,
    ) -> Result<bool> {
        let read = &managed.read;
        let client = Client {
            metadata: metadata.clone(),
            ..read.client.clone()
        };
        let (before, after) = difference(&read.said(), &said(&client));
        let event = Event {
            at: by.at,
            actor: by.actor.clone(),
            action: Action::ClientChange,
            object: object(&client.client_id),
            before: Some(before),
            after: Some(after),
        };
        let decided = Decided {
            client: &client,
            managed_by: ManagedBy::Registration,
            source: "",
            secrets,
            removed_at: None,
            looked_after_by: None,
        };
        whole!(self, {
            let mut tx = self.begin().await?;
            if !self
                .save(&mut tx, Some(read), &decided, by.at.timestamp())
                .await?
            {
                rollback(tx).await?;
                return Ok(false);
            }
            on!(&mut tx, |tx| sqlx::query(
                "UPDATE client_registration SET details = $1 WHERE client_id = $2"
            )
            .bind(Json(details))
            .bind(&client.client_id)
            .execute(&mut **tx)
            .await
            .map(|_| ()))?;
            self.tell(&mut tx, &event).await?;
            self.commit_clients(tx, [&decided].into_iter()).await?;
            Ok(true)
        })
    }

    /// Removes a client that removes itself, with all that it was given. `false`: it is not there any
    /// more.
    pub async fn remove_registration(&self, managed: &Managed, by: By<'_>) -> Result<bool> {
        let client_id = &managed.read.client.client_id;
        let event = Event {
            at: by.at,
            actor: by.actor.clone(),
            action: Action::ClientRemove,
            object: object(client_id),
            before: Some(managed.read.said()),
            after: None,
        };
        let decided = Decided {
            client: &managed.read.client,
            managed_by: ManagedBy::Registration,
            source: "",
            secrets: SecretChange::Exactly(Vec::new()),
            removed_at: Some(by.at.timestamp()),
            looked_after_by: None,
        };
        let now = by.at.timestamp();
        loop {
            let Some(read) = self.registered(client_id).await? else {
                return Ok(false);
            };
            // Somebody else may have removed it, or manage it by now.
            if read.removed_at.is_some() || read.managed_by != ManagedBy::Registration {
                return Ok(false);
            }
            if self.save_client(Some(&read), &decided, &event, now).await? {
                return Ok(true);
            }
        }
    }
}

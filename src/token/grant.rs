//! What one client receives from one login. Everything that it gets ends with it.

use super::binding::Binding;
use super::refresh;
use crate::authorize::request::{AuthorizationRequest, Scope};
use crate::authorize::resource::Resources;
use crate::claims::release::{Identity, Release};
use crate::claims::subject::subject;
use crate::client::Client;
use crate::clock::{Seconds, Timestamp};
use crate::id::{ClientId, Id, kind};
use crate::jose::jwks::Thumbprint;
use crate::random::Random;
use crate::secret::{Key, Secret, kind as secret};
use crate::session::Session;

/// How long an access token lives.
pub const ACCESS_TOKEN_LIFETIME: Seconds = Seconds(300);
/// How long an ID token lives.
pub const ID_TOKEN_LIFETIME: Seconds = Seconds(300);

/// A grant.
#[derive(Clone, Debug)]
pub struct Grant {
    /// Its name.
    pub id: Id<kind::Grant>,
    /// To whom.
    pub client_id: ClientId,
    /// The session that it comes from.
    pub session: Id<kind::Session>,
    /// How the client knows the person.
    pub subject: String,
    /// The scope that was granted.
    pub scope: String,
    /// The services that its access tokens may be for.
    pub resources: Resources,
    /// What the client may know, and where it stands.
    pub released: Release,
    /// The person.
    pub identity: Identity,
    /// The request's `nonce`.
    pub nonce: Option<String>,
    /// When the person identified themselves.
    pub auth_time: Timestamp,
    /// The BankID order that they did it with, by our name for it.
    pub txn: Id<kind::Order>,
    /// When the last thing that came of it so far has ended. A refresh token puts it off.
    pub expires_at: Timestamp,
    /// Whether it was ended before that.
    pub has_ended: bool,
}

impl Grant {
    /// What a client gets of a session for its request.
    pub fn of(
        request: &AuthorizationRequest,
        client: &Client,
        session: &Session,
        subject_key: &Key,
        random: &Random,
        now: Timestamp,
    ) -> Grant {
        Grant {
            id: Id::fresh(random),
            client_id: client.client_id.clone(),
            session: session.id,
            subject: subject(subject_key, client, session.person),
            scope: Scope::list(&request.scope),
            resources: request.resources.clone(),
            released: Release::decide(request, client),
            identity: session.identity.clone(),
            nonce: request.nonce.clone(),
            auth_time: session.auth_time,
            txn: session.txn,
            expires_at: now + super::code::LIFETIME + ACCESS_TOKEN_LIFETIME,
            has_ended: false,
        }
    }

    /// The same with less of its scope, and without what that scope stands for.
    pub fn narrowed(&self, scope: &str) -> Grant {
        let (had, keeps) = (Scope::parse_list(&self.scope), Scope::parse_list(scope));
        let mut narrow = self.clone();
        narrow.scope = scope.to_owned();
        for dropped in had.difference(&keeps) {
            narrow.released.without(*dropped);
        }
        narrow
    }

    /// The same for a client as it is registered now: what it was entitled to then, it may not be
    /// any more.
    pub fn for_client(&self, client: &Client) -> Grant {
        let mut grant = self.clone();
        grant.released.keep_entitled(client);
        grant
    }

    /// Tokens for a client: an access token for these resources always, a refresh token where it may
    /// have one. What a client proved to have the key of is bound to that key; a refresh token is bound
    /// to a client that authenticates already, which may use another key the next time (RFC 9449 §5).
    pub fn issue(
        &self,
        client: &Client,
        binding: Option<&Binding>,
        resources: Resources,
        random: &Random,
        now: Timestamp,
    ) -> Tokens {
        Tokens {
            refresh_key: match (binding, client.metadata.token_endpoint_auth.is_proof()) {
                (Some(Binding::Key(key)), false) => Some(key.clone()),
                _ => None,
            },
            access_binding: binding.cloned(),
            access: Secret::fresh(random),
            access_kid: None,
            access_expires_at: now + ACCESS_TOKEN_LIFETIME,
            scope: self.scope.clone(),
            resources,
            refresh: refresh::end(self, client, now).map(|end| (Secret::fresh(random), end)),
            kept_until: None,
        }
    }
}

/// Fresh tokens, to be stored and handed out.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// For userinfo, and for other services.
    pub access: Secret<secret::AccessToken>,
    /// Which key of ours signed it, when it is a JWT.
    pub access_kid: Option<String>,
    /// What it is worth nothing without.
    pub access_binding: Option<Binding>,
    /// Its end.
    pub access_expires_at: Timestamp,
    /// Its scope.
    pub scope: String,
    /// What it is for.
    pub resources: Resources,
    /// For more of them, with its end.
    pub refresh: Option<(Secret<secret::RefreshToken>, Timestamp)>,
    /// The key that this is worth nothing without.
    pub refresh_key: Option<Thumbprint>,
    /// When the refresh token ends now that the client has and keeps.
    pub kept_until: Option<Timestamp>,
}

impl Tokens {
    /// The same for a client that keeps its refresh token and gets none.
    pub fn keeping(self) -> Tokens {
        Tokens {
            kept_until: self.refresh.as_ref().map(|(_, end)| *end),
            refresh: None,
            ..self
        }
    }

    /// When the last of them ends.
    pub fn last_end(&self) -> Timestamp {
        let fresh = self.refresh.as_ref().map(|(_, end)| *end);
        let refresh = fresh.or(self.kept_until);
        refresh.map_or(self.access_expires_at, |end| {
            end.max(self.access_expires_at)
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Somebody's grant to the client `a`, made at second 1000.
    pub fn grant(scope: &str) -> Grant {
        let random = Random::seeded(1);
        let data = serde_json::json!({"user":
            {"personalNumber": "191212121212", "name": "T T", "givenName": "T", "surname": "T"}});
        Grant {
            id: Id::fresh(&random),
            client_id: ClientId::parse("a").expect("an id"),
            session: Id::fresh(&random),
            subject: "s".into(),
            scope: scope.into(),
            resources: Resources::default(),
            released: Release::default(),
            identity: Identity::of(&serde_json::from_value(data).expect("data")),
            nonce: None,
            auth_time: Timestamp(1000),
            txn: Id::fresh(&random),
            expires_at: Timestamp(1_000_000),
            has_ended: false,
        }
    }

    /// A client, with more members of its registration.
    pub fn client(id: &str, more: serde_json::Value) -> Client {
        let mut metadata = serde_json::json!({
            "client_name": "A", "redirect_uris": ["https://a.example/cb"]
        });
        if let (Some(all), serde_json::Value::Object(more)) = (metadata.as_object_mut(), more) {
            all.extend(more);
        }
        Client {
            client_id: ClientId::parse(id).expect("an id"),
            sector: "a.example".into(),
            metadata: serde_json::from_value(metadata).expect("metadata"),
        }
    }
}

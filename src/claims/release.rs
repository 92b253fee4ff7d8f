//! What of a person a client is told, and where: by scope (OpenID Connect Core §5.4), by `claims`
//! (§5.5), and by what the client is entitled to.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::request::ClaimRequest;
use crate::authorize::request::{AuthorizationRequest, Scope};
use crate::bankid::collect::CompletionData;
use crate::bankid::personal_number::PersonalNumber;
use crate::client::Client;

/// A claim about a person that BankID can vouch for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Claim {
    /// The whole name.
    Name,
    /// Given names.
    GivenName,
    /// Surname.
    FamilyName,
    /// Date of birth.
    Birthdate,
    /// Personal number or coordination number, 12 digits.
    PersonalNumber,
}

impl Claim {
    /// All of them, for discovery.
    pub const ALL: [Claim; 5] = [
        Claim::Name,
        Claim::GivenName,
        Claim::FamilyName,
        Claim::Birthdate,
        Claim::PersonalNumber,
    ];
    const PROFILE: [Claim; 4] = [
        Claim::Name,
        Claim::GivenName,
        Claim::FamilyName,
        Claim::Birthdate,
    ];

    /// Its name in tokens (OpenID Connect Core §5.1).
    pub fn as_str(self) -> &'static str {
        match self {
            Claim::Name => "name",
            Claim::GivenName => "given_name",
            Claim::FamilyName => "family_name",
            Claim::Birthdate => "birthdate",
            Claim::PersonalNumber => "personal_number",
        }
    }

    fn may_go_to(self, client: &Client) -> bool {
        self != Claim::PersonalNumber || client.metadata.personal_number.is_some()
    }
}

/// What is released in one grant, and where it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// In the ID token.
    pub id_token: BTreeSet<Claim>,
    /// At userinfo.
    pub userinfo: BTreeSet<Claim>,
}

impl Release {
    /// What a request asks for and its client may have.
    pub fn decide(request: &AuthorizationRequest, client: &Client) -> Release {
        let mut release = Release::default();
        let policy = &client.metadata.claims;
        let names_nobody = policy.names_nobody_in_the_id_token();
        if request.scope.contains(&Scope::Profile) {
            release.userinfo.extend(Claim::PROFILE);
            if client.metadata.profile_in_id_token && !names_nobody {
                release.id_token.extend(Claim::PROFILE);
            }
        }
        if request.scope.contains(&Scope::PersonalNumber) {
            release.userinfo.insert(Claim::PersonalNumber);
            if !names_nobody {
                release.id_token.insert(Claim::PersonalNumber);
            }
        }
        for claim in Claim::ALL {
            let names = policy.names(claim);
            let is_in = |part: &BTreeMap<String, ClaimRequest>| {
                names.iter().any(|name| part.contains_key(*name))
            };
            if is_in(&request.claims.id_token) {
                release.id_token.insert(claim);
            }
            if is_in(&request.claims.userinfo) {
                release.userinfo.insert(claim);
            }
        }
        release.keep_entitled(client);
        release
    }

    /// What is left without a scope value (RFC 6749 §6: a token may be narrower than its grant).
    pub fn without(&mut self, scope: Scope) {
        let dropped: &[Claim] = match scope {
            Scope::Profile => &Claim::PROFILE,
            Scope::PersonalNumber => &[Claim::PersonalNumber],
            Scope::Openid | Scope::OfflineAccess => &[],
        };
        self.id_token.retain(|claim| !dropped.contains(claim));
        self.userinfo.retain(|claim| !dropped.contains(claim));
    }

    /// What is left for a client as it is registered now.
    pub fn keep_entitled(&mut self, client: &Client) {
        self.id_token.retain(|claim| claim.may_go_to(client));
        self.userinfo.retain(|claim| claim.may_go_to(client));
    }

    /// Everything that the client learns, wherever it stands.
    pub fn all(&self) -> BTreeSet<Claim> {
        self.id_token.union(&self.userinfo).copied().collect()
    }
}

/// A person as BankID described them at a login. Stored sealed, never printed.
#[derive(Clone, Serialize, Deserialize)]
pub struct Identity {
    personal_number: PersonalNumber,
    name: String,
    given_name: String,
    family_name: String,
}

impl Identity {
    /// The person of a completed order. Names are taken as the bank wrote them.
    pub fn of(data: &CompletionData) -> Identity {
        Identity {
            personal_number: data.user.personal_number.clone(),
            name: data.user.name.clone(),
            given_name: data.user.given_name.clone(),
            family_name: data.user.surname.clone(),
        }
    }

    /// The number, to find the person by.
    pub fn personal_number(&self) -> &PersonalNumber {
        &self.personal_number
    }

    /// The claims of a release. What is not known is left out, never empty (OpenID Connect Core
    /// §5.3.2).
    pub fn claims(&self, released: &BTreeSet<Claim>) -> Map<String, Value> {
        released
            .iter()
            .filter_map(|claim| Some((claim.as_str().to_owned(), self.value(*claim)?)))
            .collect()
    }

    fn value(&self, claim: Claim) -> Option<Value> {
        let text = match claim {
            Claim::Name => self.name.clone(),
            Claim::GivenName => self.given_name.clone(),
            Claim::FamilyName => self.family_name.clone(),
            Claim::Birthdate => self.personal_number.birthdate()?,
            Claim::PersonalNumber => self.personal_number.expose().to_owned(),
        };
        (!text.is_empty()).then_some(Value::String(text))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[identity]")
    }
}

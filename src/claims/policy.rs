//! By which names a client is told what it may know, and what stands where BankID knows nothing. A policy
//! renames and places what was released; it never widens it.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::release::Claim;
use crate::bankid::personal_number::PersonalNumber;

/// How a client is told of people.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClaimPolicy {
    /// The names to begin with.
    pub preset: ClaimPreset,
    /// Names of its own, in the place of those.
    #[serde(skip_serializing_if = "Names::are_none")]
    pub names: Names,
    /// What stands as `preferred_username` (OpenID Connect Core §5.1), for applications that insist on one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preferred_username: Option<Username>,
    /// Whose e-mail addresses stand as `email`, made of the subject: for applications that insist on one.
    /// They are never said to be verified, because nobody can write to them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_domain: Option<EmailDomain>,
}

/// The names that a kind of application knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimPreset {
    /// Those of OpenID Connect, and `personal_number`.
    #[default]
    Portvakt,
    /// The same; by their scopes they are told at userinfo alone, and the ID token names nobody.
    Minimal,
    /// The same, with the user name that Keycloak asks for, and the session where it looks for it.
    Keycloak,
    /// Those of the Swedish OpenID Connect profile (oidc.se).
    Swedish,
    /// Those of Signicat's BankID.
    Signicat,
    /// Those of Idura's BankID.
    Idura,
}

/// A name for each claim that there is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Names {
    /// The whole name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<ClaimName>,
    /// Given names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given_name: Option<ClaimName>,
    /// Surname.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family_name: Option<ClaimName>,
    /// Date of birth.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub birthdate: Option<ClaimName>,
    /// Personal number or coordination number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub personal_number: Option<ClaimName>,
}

impl Names {
    fn are_none(&self) -> bool {
        *self == Names::default()
    }

    fn of(&self, claim: Claim) -> Option<&str> {
        let name = match claim {
            Claim::Name => &self.name,
            Claim::GivenName => &self.given_name,
            Claim::FamilyName => &self.family_name,
            Claim::Birthdate => &self.birthdate,
            Claim::PersonalNumber => &self.personal_number,
        };
        name.as_ref().map(ClaimName::as_str)
    }
}

/// What can stand as a user name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Username {
    /// The subject.
    Subject,
    /// The whole name, where the client is told it.
    Name,
    /// The personal number, where the client is told it.
    PersonalNumber,
}

/// The name of a claim: 1 to 128 visible ASCII characters, and none that means something else in an ID
/// token or at userinfo.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ClaimName(String);

impl ClaimName {
    /// The most characters.
    pub const LONGEST: usize = 128;

    /// Takes a name as it will be told.
    pub fn parse(text: &str) -> Option<ClaimName> {
        let is_sound = (1..=ClaimName::LONGEST).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\');
        (is_sound && !RESERVED.contains(&text)).then(|| ClaimName(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for ClaimName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        ClaimName::parse(&text).ok_or_else(|| {
            serde::de::Error::custom(
                "must be 1 to 128 visible ASCII characters, and no claim that means something else",
            )
        })
    }
}

/// What ID tokens, logout tokens and userinfo say besides, or could be taken to say (OpenID Connect Core §2,
/// §5.1, RFC 7519 §4.1, RFC 8693 §4, RFC 7800 §3.1).
const RESERVED: [&str; 30] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "iat",
    "nbf",
    "jti",
    "nonce",
    "auth_time",
    "acr",
    "amr",
    "azp",
    "at_hash",
    "c_hash",
    "s_hash",
    "sid",
    "txn",
    "cnf",
    "act",
    "may_act",
    "events",
    "scope",
    "client_id",
    "sub_jwk",
    "_claim_names",
    "_claim_sources",
    "email",
    "email_verified",
    "preferred_username",
    "updated_at",
];

/// A domain of e-mail addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct EmailDomain(String);

impl EmailDomain {
    /// The most characters (RFC 1035 §2.3.4).
    pub const LONGEST: usize = 253;

    /// Labels of letters, digits and hyphens with dots between them (RFC 5321 §2.3.5).
    pub fn parse(text: &str) -> Option<EmailDomain> {
        let is_label = |label: &str| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        let is_domain = text.len() <= EmailDomain::LONGEST
            && text.contains('.')
            && text.split('.').all(is_label);
        is_domain.then(|| EmailDomain(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for EmailDomain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        EmailDomain::parse(&text)
            .ok_or_else(|| serde::de::Error::custom("must be a domain name in small letters"))
    }
}

/// What oidc.se calls the number of somebody who has no personal number.
const COORDINATION_NUMBER: &str = "https://id.oidc.se/claim/coordinationNumber";

impl ClaimPolicy {
    /// Whether it is what every client begins with.
    pub fn is_usual(&self) -> bool {
        *self == ClaimPolicy::default()
    }

    /// Whether what scopes ask for stands at userinfo alone.
    pub fn names_nobody_in_the_id_token(&self) -> bool {
        self.preset == ClaimPreset::Minimal
    }

    /// Whether `session_state` beside the tokens names the session, too. Keycloak looks for it there, and
    /// finds no session by the `sid` of a logout token otherwise.
    pub fn knows_sessions_by_session_state(&self) -> bool {
        self.preset == ClaimPreset::Keycloak
    }

    /// The name that a client knows a claim by, for whoever it is of.
    pub fn name(&self, claim: Claim) -> &str {
        self.names.of(claim).unwrap_or(match (self.preset, claim) {
            (ClaimPreset::Signicat, Claim::PersonalNumber) => "nin",
            (ClaimPreset::Idura, Claim::PersonalNumber) => "ssn",
            (ClaimPreset::Swedish, Claim::PersonalNumber) => {
                "https://id.oidc.se/claim/personalIdentityNumber"
            }
            _ => claim.as_str(),
        })
    }

    /// All names that a client may ask for a claim by: that of the specification, and those that it knows it by.
    pub fn names(&self, claim: Claim) -> Vec<&str> {
        let mut names = vec![claim.as_str(), self.name(claim)];
        if self.has_a_name_for_coordination_numbers(claim) {
            names.push(COORDINATION_NUMBER);
        }
        names
    }

    /// oidc.se has two names: one for personal numbers, and one for coordination numbers.
    fn has_a_name_for_coordination_numbers(&self, claim: Claim) -> bool {
        let is_own = self.names.of(claim).is_some();
        (self.preset, claim) == (ClaimPreset::Swedish, Claim::PersonalNumber) && !is_own
    }

    /// Whether two claims would have one name, so that one of them would be lost.
    pub fn has_one_name_for_two(&self) -> bool {
        let mut names: Vec<&str> = Claim::ALL
            .into_iter()
            .map(|claim| self.name(claim))
            .collect();
        names.extend(self.besides());
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        names.len() != count
    }

    /// The names of what a preset says besides.
    fn besides(&self) -> &'static [&'static str] {
        match self.preset {
            ClaimPreset::Signicat => &["nin_type", "nin_issuing_country"],
            ClaimPreset::Idura => &["country", "identityscheme", "givenname", "surname"],
            ClaimPreset::Swedish => &["https://id.oidc.se/claim/coordinationNumber"],
            ClaimPreset::Portvakt | ClaimPreset::Minimal | ClaimPreset::Keycloak => &[],
        }
    }

    /// What was released, as this client is told it.
    pub fn told(&self, released: &Map<String, Value>, subject: &str) -> Map<String, Value> {
        let mut told = Map::new();
        for claim in Claim::ALL {
            if let Some(value) = released.get(claim.as_str()) {
                told.insert(self.name_of_value(claim, value).to_owned(), value.clone());
            }
        }
        let mut say = |name: &str, value: &str| told.insert(name.to_owned(), value.into());
        let text = |claim: Claim| released.get(claim.as_str()).and_then(Value::as_str);
        let number = text(Claim::PersonalNumber);
        match self.preset {
            ClaimPreset::Signicat if number.is_some() => {
                say("nin_type", "PERSON");
                say("nin_issuing_country", "SE");
            }
            ClaimPreset::Idura => {
                say("identityscheme", "sebankid");
                if number.is_some() {
                    say("country", "SE");
                }
                for (name, claim) in [
                    ("givenname", Claim::GivenName),
                    ("surname", Claim::FamilyName),
                ] {
                    if let Some(value) = text(claim) {
                        say(name, value);
                    }
                }
            }
            _ => {}
        }
        let username = match (self.preferred_username, self.preset) {
            (None, ClaimPreset::Keycloak) | (Some(Username::Subject), _) => Some(subject),
            (Some(Username::Name), _) => text(Claim::Name),
            (Some(Username::PersonalNumber), _) => number,
            (None, _) => None,
        };
        if let Some(username) = username {
            say("preferred_username", username);
        }
        if let Some(EmailDomain(domain)) = &self.email_domain {
            say("email", &format!("{subject}@{domain}").to_lowercase());
            told.insert("email_verified".to_owned(), false.into());
        }
        told
    }

    fn name_of_value(&self, claim: Claim, value: &Value) -> &str {
        let number = value.as_str().and_then(PersonalNumber::parse);
        let is_coordination = number.is_some_and(|number| number.is_of_coordination());
        match is_coordination && self.has_a_name_for_coordination_numbers(claim) {
            true => COORDINATION_NUMBER,
            false => self.name(claim),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const SWEDISH: &str = "https://id.oidc.se/claim/";

    fn released() -> Map<String, Value> {
        let all = json!({"name": "Åsa Ek", "given_name": "Åsa", "family_name": "Ek",
            "birthdate": "1990-03-15", "personal_number": "199003152387"});
        all.as_object().expect("an object").clone()
    }

    fn policy(written: Value) -> ClaimPolicy {
        serde_json::from_value(written).expect("a policy")
    }

    #[test]
    fn each_preset_has_its_names() {
        let _shows = crate::shows!(accepting "PV-CLAIMS-1");
        let base = json!({"name": "Åsa Ek", "given_name": "Åsa", "family_name": "Ek",
            "birthdate": "1990-03-15"});
        for (preset, more) in [
            ("portvakt", json!({"personal_number": "199003152387"})),
            ("minimal", json!({"personal_number": "199003152387"})),
            (
                "keycloak",
                json!({"personal_number": "199003152387", "preferred_username": "s-1"}),
            ),
            (
                "swedish",
                json!({"https://id.oidc.se/claim/personalIdentityNumber": "199003152387"}),
            ),
            (
                "signicat",
                json!({"nin": "199003152387", "nin_type": "PERSON", "nin_issuing_country": "SE"}),
            ),
            (
                "idura",
                json!({"ssn": "199003152387", "country": "SE", "identityscheme": "sebankid",
                "givenname": "Åsa", "surname": "Ek"}),
            ),
        ] {
            let mut expected = base.clone();
            for (name, value) in more.as_object().into_iter().flatten() {
                expected[name] = value.clone();
            }
            let told = policy(json!({"preset": preset})).told(&released(), "s-1");
            assert_eq!(Value::Object(told), expected, "{preset}");
        }
        let mut coordinated = released();
        coordinated.insert("personal_number".into(), "199003752381".into());
        let told = policy(json!({"preset": "swedish"})).told(&coordinated, "s");
        assert_eq!(
            told[&format!("{SWEDISH}coordinationNumber")],
            "199003752381"
        );
        assert_eq!(told.get(&format!("{SWEDISH}personalIdentityNumber")), None);
    }

    #[test]
    fn a_policy_says_nothing_that_was_not_released() {
        let _shows = crate::shows!(accepting "PV-CLAIMS-1", refusing "PV-CLAIMS-1");
        for preset in [
            "portvakt", "minimal", "keycloak", "swedish", "signicat", "idura",
        ] {
            for username in ["name", "personal_number"] {
                let policy = policy(json!({"preset": preset, "preferred_username": username,
                    "names": {"personal_number": "pnr"}}));
                let told = policy.told(&Map::new(), "s");
                let values: Vec<&Value> = told.values().collect();
                assert!(values.iter().all(|value| **value == "sebankid"), "{told:?}");
            }
        }
        let stand_ins =
            policy(json!({"preferred_username": "subject", "email_domain": "x.example"}));
        let told = stand_ins.told(&Map::new(), "AbC");
        assert_eq!(
            Value::Object(told),
            json!({"preferred_username": "AbC", "email": "abc@x.example",
            "email_verified": false})
        );
        let number =
            policy(json!({"preferred_username": "personal_number"})).told(&released(), "s");
        assert_eq!(number["preferred_username"], "199003152387");
    }

    #[test]
    fn a_name_means_one_thing() {
        let _shows = crate::shows!(accepting "PV-CLAIMS-1", refusing "PV-CLAIMS-1");
        for bad in [
            "",
            "sub",
            "iss",
            "email",
            "a b",
            "å",
            "a\"",
            &"x".repeat(129),
        ] {
            assert_eq!(ClaimName::parse(bad), None, "{bad}");
        }
        assert!(ClaimName::parse("https://id.example/pnr").is_some());
        for (written, is_lost) in [
            (json!({}), false),
            (
                json!({"names": {"name": "display", "given_name": "name"}}),
                false,
            ),
            (json!({"names": {"given_name": "name"}}), true),
            (json!({"names": {"birthdate": "personal_number"}}), true),
            (
                json!({"preset": "idura", "names": {"family_name": "surname"}}),
                true,
            ),
            (
                json!({"preset": "signicat", "names": {"birthdate": "nin"}}),
                true,
            ),
        ] {
            assert_eq!(
                policy(written.clone()).has_one_name_for_two(),
                is_lost,
                "{written}"
            );
        }
        for bad in ["", "localhost", "-a.se", "a..se", "A.se", "a.se/x"] {
            assert_eq!(EmailDomain::parse(bad), None, "{bad}");
        }
    }
}

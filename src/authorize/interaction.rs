//! Whether a session answers a request, or the person must be asked (OpenID Connect Core
//! §3.1.2.3).

use std::collections::BTreeSet;

use super::request::{AuthorizationRequest, Prompt, Scope};
use crate::bankid::personal_number::PersonalNumber;
use crate::claims::release::Claim;
use crate::client::mistake::Reason;
use crate::clock::Timestamp;
use crate::error::{Code, Refusal};

/// A session as far as a decision needs it.
#[derive(Clone, Debug)]
pub struct Standing {
    /// When the person last identified themselves.
    pub auth_time: Timestamp,
    /// How this client knows the person.
    pub subject: String,
    /// The person's number.
    pub personal_number: PersonalNumber,
    /// What the person has approved for this client before.
    pub approved: BTreeSet<Claim>,
    /// Whether they approved that the client comes back without them.
    pub approved_offline: bool,
}

impl Standing {
    /// OpenID Connect Core §3.1.2.4, §11: whether nothing is asked for that the person has not seen.
    fn covers(&self, request: &AuthorizationRequest, released: &BTreeSet<Claim>) -> bool {
        let offline = request.scope.contains(&Scope::OfflineAccess);
        self.approved.is_superset(released) && (self.approved_offline || !offline)
    }
}

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The session is good enough: answer at once.
    Answer,
    /// Show the choice page.
    Ask,
    /// Neither is allowed: tell the client.
    Refuse(Refusal),
}

const LOGIN_REQUIRED: Refusal = Refusal::new(
    Code::LoginRequired,
    "prompt=none, and no session that satisfies the request",
)
.because(Reason::LoginRequired);
const CONSENT_REQUIRED: Refusal = Refusal::new(
    Code::ConsentRequired,
    "prompt=none, and the person has not approved all that is asked for",
)
.because(Reason::ConsentRequired);

/// OpenID Connect Core §3.1.2.1 (`prompt`, `max_age`), §3.1.2.2 (the hinted subject), §3.1.2.4.
/// `released` is what the client would learn.
pub fn decide(
    request: &AuthorizationRequest,
    standing: Option<&Standing>,
    released: &BTreeSet<Claim>,
    now: Timestamp,
) -> Decision {
    let silent = request.prompt.contains(&Prompt::None);
    let anew = [Prompt::Login, Prompt::Consent, Prompt::SelectAccount]
        .iter()
        .any(|prompt| request.prompt.contains(prompt));
    match standing.filter(|s| satisfies(request, s, now)) {
        Some(standing) if !anew => match (standing.covers(request, released), silent) {
            (true, _) => Decision::Answer,
            (false, true) => Decision::Refuse(CONSENT_REQUIRED),
            (false, false) => Decision::Ask,
        },
        _ if silent => Decision::Refuse(LOGIN_REQUIRED),
        _ => Decision::Ask,
    }
}

fn satisfies(request: &AuthorizationRequest, standing: &Standing, now: Timestamp) -> bool {
    let fresh = request
        .max_age
        .is_none_or(|max_age| max_age.0 > 0 && standing.auth_time + max_age >= now);
    let subjects = &request.expected_subjects;
    let expected = subjects.is_empty() || subjects.contains(&standing.subject);
    let people = &request.expected_people;
    fresh && expected && (people.is_empty() || people.contains(&standing.personal_number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorize::{Policy, admit, request::Parameters};
    use crate::client::Client;
    use crate::id::ClientId;

    const NOW: Timestamp = Timestamp(10_000);

    fn request(more: &[(&str, &str)]) -> AuthorizationRequest {
        let client = Client {
            client_id: ClientId::parse("a").expect("an id"),
            sector: "a.example".into(),
            metadata: serde_json::from_value(serde_json::json!({
                "client_name": "A", "redirect_uris": ["https://a.example/cb"], "pkce": "accepted",
                "refresh_tokens": true
            }))
            .expect("metadata"),
        };
        let base = [
            ("client_id", "a"),
            ("redirect_uri", "https://a.example/cb"),
            ("response_type", "code"),
            ("scope", "openid"),
        ];
        let pairs = base
            .iter()
            .chain(more)
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        let policy = Policy {
            issuer: "https://op.example".into(),
            acr: "x".into(),
        };
        let hint = |token: &str| (token == "token-of-s").then(|| "s".to_owned());
        admit(&Parameters::from_pairs(pairs), &client, &policy, &hint).expect("an admitted request")
    }

    fn standing(age: i64) -> Standing {
        Standing {
            auth_time: Timestamp(NOW.0 - age),
            subject: "s".into(),
            personal_number: PersonalNumber::parse("191212121212").expect("a number"),
            approved: BTreeSet::from([Claim::Name]),
            approved_offline: false,
        }
    }

    fn decided(more: &[(&str, &str)], standing: Option<&Standing>) -> Decision {
        decide(&request(more), standing, &BTreeSet::new(), NOW)
    }

    #[test]
    fn a_session_answers_unless_the_request_wants_more() {
        let _shows = crate::shows!(accepting "AU-19", refusing "AU-19", accepting "AU-22", accepting "AU-25",
            refusing "AU-27", refusing "AU-29", accepting "O28", refusing "O28");
        let session = standing(100);
        let session = Some(&session);
        assert_eq!(decided(&[], session), Decision::Answer);
        assert_eq!(decided(&[("prompt", "none")], session), Decision::Answer);
        assert_eq!(decided(&[("max_age", "100")], session), Decision::Answer);
        assert_eq!(
            decided(&[("id_token_hint", "token-of-s")], session),
            Decision::Answer
        );
        for asking in [
            ("prompt", "login"),
            ("prompt", "consent"),
            ("prompt", "select_account"),
            ("max_age", "99"),
            ("max_age", "0"),
            ("claims", r#"{"id_token":{"sub":{"value":"other"}}}"#),
        ] {
            assert_eq!(decided(&[asking], session), Decision::Ask, "{asking:?}");
        }
        assert_eq!(decided(&[], None), Decision::Ask);
        let refused = Decision::Refuse(LOGIN_REQUIRED);
        assert_eq!(decided(&[("prompt", "none")], None), refused);
        assert_eq!(
            decided(&[("prompt", "none"), ("max_age", "0")], session),
            refused
        );
        let other = r#"{"id_token":{"sub":{"value":"other"}}}"#;
        assert_eq!(
            decided(&[("prompt", "none"), ("claims", other)], session),
            refused
        );
    }

    #[test]
    fn nothing_is_released_that_was_not_approved() {
        let session = standing(1);
        let asked = |claims: &[Claim], more: &[(&str, &str)]| {
            let released = claims.iter().copied().collect();
            decide(&request(more), Some(&session), &released, NOW)
        };
        assert_eq!(asked(&[Claim::Name], &[]), Decision::Answer);
        assert_eq!(
            asked(&[Claim::Name, Claim::PersonalNumber], &[]),
            Decision::Ask
        );
        assert_eq!(
            asked(&[Claim::PersonalNumber], &[("prompt", "none")]),
            Decision::Refuse(CONSENT_REQUIRED)
        );
    }

    #[test]
    fn the_first_offline_access_shows_the_page() {
        let _shows =
            crate::shows!(accepting "PV-OFFLINE-1", refusing "PV-OFFLINE-1", refusing "AU-19");
        let asked = |session: &Standing, more: &[(&str, &str)]| {
            let mut request = request(more);
            request.scope.insert(Scope::OfflineAccess);
            decide(&request, Some(session), &BTreeSet::new(), NOW)
        };
        let before = standing(1);
        assert_eq!(asked(&before, &[]), Decision::Ask);
        assert_eq!(
            asked(&before, &[("prompt", "none")]),
            Decision::Refuse(CONSENT_REQUIRED)
        );
        let after = Standing {
            approved_offline: true,
            ..standing(1)
        };
        assert_eq!(asked(&after, &[("prompt", "none")]), Decision::Answer);
        assert_eq!(asked(&after, &[("prompt", "consent")]), Decision::Ask);
    }
}

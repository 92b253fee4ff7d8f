//! What clients are told of a logout behind the browser's back (OpenID Connect Back-Channel Logout
//! 1.0), and what follows from their answer.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::logout::Held;
use crate::claims::subject::subject;
use crate::clock::{Seconds, Timestamp};
use crate::id::{ClientId, Id, kind};
use crate::job::{Job, Task};
use crate::random::Random;
use crate::secret::Key;

/// A client must be told that a session has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Who must be told.
    pub client_id: ClientId,
    /// Which session.
    pub session: Id<kind::Session>,
    /// How the client knows the person.
    pub subject: String,
}

/// The notices for sessions that end: one for each whose client wants to be told.
pub fn notices(ended: &[Held], key: &Key, random: &Random, now: Timestamp) -> Vec<Job> {
    ended
        .iter()
        .filter(|held| held.client.metadata.backchannel_logout_uri.is_some())
        .map(|held| Notice {
            client_id: held.client.client_id.clone(),
            session: held.id,
            subject: subject(key, &held.client, held.person),
        })
        .map(|notice| Job::new(Task::LogoutNotice(notice), random, now))
        .collect()
}

/// The type of a logout token (Back-Channel Logout §2.4): nothing else of ours has it.
pub const TYP: &str = "logout+jwt";
/// How long one is good (§2.4 advises two minutes at most).
const TOKEN_LIFETIME: Seconds = Seconds(120);
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// Back-Channel Logout §2.4: the claims of a logout token, made anew for each try. There is never a
/// `nonce`, so that it cannot pass for an ID token.
pub fn claims(
    notice: &Notice,
    issuer: &str,
    random: &Random,
    now: Timestamp,
) -> Map<String, Value> {
    let members = [
        ("iss", issuer.into()),
        ("sub", notice.subject.as_str().into()),
        ("aud", notice.client_id.as_str().into()),
        ("iat", now.0.into()),
        ("exp", (now + TOKEN_LIFETIME).0.into()),
        ("jti", random.uuid().to_string().into()),
        ("sid", notice.session.to_string().into()),
        ("events", json!({ EVENT: {} })),
    ];
    members
        .map(|(name, value)| (name.to_owned(), value))
        .into_iter()
        .collect()
}

/// What follows from a client's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It has heard.
    Heard,
    /// It does not want to hear: no other try would help.
    Refused,
    /// It is down.
    Down,
}

/// Back-Channel Logout §2.5, §2.8: 200 and 204 are good; a server that cannot answer for the moment may
/// be asked again, one that says no may not. `None`: no answer came. Whoever has too much to do (429) is
/// not saying no: a person would stay logged in there.
pub fn verdict(status: Option<u16>) -> Verdict {
    match status {
        Some(200..=299) => Verdict::Heard,
        None | Some(429 | 500..=599) => Verdict::Down,
        Some(_) => Verdict::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1000);

    fn notice(random: &Random) -> Notice {
        Notice {
            client_id: ClientId::parse("a").expect("an id"),
            session: Id::fresh(random),
            subject: "s".into(),
        }
    }

    #[test]
    fn a_logout_token_has_what_it_must_and_nothing_of_an_id_token() {
        let _shows = crate::shows!(accepting "LO-08", refusing "LO-08");
        let random = Random::seeded(1);
        let notice = notice(&random);
        let token = claims(&notice, "https://op.example", &random, NOW);
        let names: Vec<&str> = token.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            ["aud", "events", "exp", "iat", "iss", "jti", "sid", "sub"]
        );
        assert_eq!(token["exp"], 1120);
        assert_eq!(token["events"], json!({ EVENT: {} }));
        let again = claims(&notice, "https://op.example", &random, NOW);
        assert_ne!(token["jti"], again["jti"]);
    }

    #[test]
    fn only_who_is_down_is_tried_again() {
        let _shows = crate::shows!(accepting "LO-09", refusing "LO-09");
        for (status, expected) in [
            (Some(200), Verdict::Heard),
            (Some(204), Verdict::Heard),
            (Some(302), Verdict::Refused),
            (Some(400), Verdict::Refused),
            (Some(404), Verdict::Refused),
            (Some(429), Verdict::Down),
            (Some(500), Verdict::Down),
            (Some(503), Verdict::Down),
            (None, Verdict::Down),
        ] {
            assert_eq!(verdict(status), expected, "{status:?}");
        }
    }
}

//! How sessions end (step 4): a client asks for it, or the person does, and everything that came of
//! them ends too (OpenID Connect RP-Initiated Logout 1.0).
//!
//! One logout ends every session of the browser: they are one person's, and somebody who leaves a
//! shared computer means all of them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::authorize::redirect_uri::{self, PostLogoutAddress};
use crate::authorize::request::Parameters;
use crate::authorize::response;
use crate::client::Client;
use crate::client::mistake::Reason;
use crate::clock::{Seconds, Timestamp};
use crate::id::{Id, kind};
use crate::jose::keyring::Hint;
use crate::language::Tag;
use crate::random::Random;
use crate::secret::{Place, Sealer, Secret, kind as secret};

/// A session of a browser, as far as its end needs it.
#[derive(Clone, Debug)]
pub struct Held {
    /// Its name.
    pub id: Id<kind::Session>,
    /// Whose it is.
    pub person: Id<kind::Person>,
    /// The client that it serves.
    pub client: Client,
}

/// What a request for a logout asks for. One that says nothing asks for nothing but the logout.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// The ID token that it showed, which proves which client asks.
    pub hint: Option<Hint>,
    /// Who asks, or says that it does.
    pub client: Option<Client>,
    /// Where the browser goes afterwards.
    pub address: Option<PostLogoutAddress>,
    /// What that address is told.
    pub state: Option<String>,
}

/// What is wrong with a request for a logout. Then nothing that it says counts: the person is asked,
/// and sent nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mistake {
    /// The parameters cannot be read.
    Unreadable,
    /// A parameter came more than once.
    Repeated,
    /// `id_token_hint` is not an ID token of ours.
    Hint,
    /// `client_id` is not the client that the ID token was made for.
    OtherClient,
    /// There is no such client.
    ClientUnknown,
    /// `post_logout_redirect_uri` came without anything that says whose it is.
    AddressOfNobody,
    /// `post_logout_redirect_uri` is not exactly one of the client's.
    AddressUnregistered,
}

impl From<Mistake> for Reason {
    fn from(mistake: Mistake) -> Reason {
        match mistake {
            Mistake::Unreadable => Reason::ParametersUnreadable,
            Mistake::Repeated => Reason::ParameterRepeated,
            Mistake::Hint => Reason::LogoutHintForeign,
            Mistake::OtherClient => Reason::LogoutHintOfOther,
            Mistake::ClientUnknown => Reason::ClientIdUnknown,
            Mistake::AddressOfNobody => Reason::LogoutAddressUnproven,
            Mistake::AddressUnregistered => Reason::LogoutAddressUnregistered,
        }
    }
}

/// OpenID Connect RP-Initiated Logout §2: which client asks, by the ID token or by its own word; both
/// must say the same. `hint` is what was read from an ID token, if one was sent and is ours.
pub fn client_id<'a>(
    raw: &'a Parameters,
    hint: Option<&'a Hint>,
) -> Result<Option<&'a str>, Mistake> {
    if raw.has_repetition() {
        return Err(Mistake::Repeated);
    }
    if raw.first("id_token_hint").is_some() && hint.is_none() {
        return Err(Mistake::Hint);
    }
    match (raw.first("client_id"), hint) {
        (Some(named), Some(hint)) if named != hint.client_id.as_str() => Err(Mistake::OtherClient),
        (named, hint) => Ok(hint.map(|hint| hint.client_id.as_str()).or(named)),
    }
}

/// OpenID Connect RP-Initiated Logout §2, §3. `client` is the one that [`client_id`] names, if it is
/// registered. `logout_hint` is not needed: a browser's sessions are one person's.
pub fn admit(
    raw: &Parameters,
    hint: Option<Hint>,
    client: Option<Client>,
) -> Result<Asked, Mistake> {
    let named = client_id(raw, hint.as_ref())?.is_some();
    if named && client.is_none() {
        return Err(Mistake::ClientUnknown);
    }
    let address = match (raw.first("post_logout_redirect_uri"), &client) {
        (None, _) => None,
        (Some(_), None) => return Err(Mistake::AddressOfNobody),
        (Some(asked), Some(client)) => {
            Some(redirect_uri::after_logout(asked, client).ok_or(Mistake::AddressUnregistered)?)
        }
    };
    Ok(Asked {
        hint,
        client,
        address,
        state: raw.first("state").map(str::to_owned),
    })
}

/// What follows from a request for a logout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The client has shown that it means this very session.
    LogOut,
    /// Anybody could have sent this: the person says whether they want it.
    Ask,
    /// Nobody is logged in, which is no error (§4). A client that proved itself gets its browser back.
    GoOn,
    /// Nobody is logged in, and nobody knows whether the client asked: the person may go there.
    Rest,
}

/// OpenID Connect RP-Initiated Logout §2, §6: without asking only where the ID token names a session of
/// this browser, with the client that it was made for.
pub fn decide(asked: &Asked, sessions: &[Held]) -> Decision {
    let is_of = |hint: &Hint| {
        sessions.iter().any(|session| {
            hint.session == Some(session.id) && hint.client_id == session.client.client_id
        })
    };
    match &asked.hint {
        Some(_) if sessions.is_empty() => Decision::GoOn,
        None if sessions.is_empty() => Decision::Rest,
        Some(hint) if is_of(hint) => Decision::LogOut,
        _ => Decision::Ask,
    }
}

/// A client's page that is shown in a frame, so that it can forget the person by its own cookies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FramedPage {
    /// What is loaded.
    pub address: String,
    /// The same without its query, as a source expression of a page's policy (CSP 3 §2.3.1).
    pub source: String,
}

/// OpenID Connect Front-Channel Logout §3: one frame for each session whose client has a page for it.
/// Issuer and session are always told, both.
pub fn frames(ended: &[Held], issuer: &str) -> Vec<FramedPage> {
    ended
        .iter()
        .filter_map(|held| {
            let page = held.client.metadata.frontchannel_logout_uri.as_ref()?;
            let plain = page.as_str().split('?').next().unwrap_or_default();
            Some(FramedPage {
                address: response::frame(page, issuer, &held.id.to_string()),
                // These two would end the expression.
                source: plain.replace(';', "%3B").replace(',', "%2C"),
            })
        })
        .collect()
}

/// How long the question may stand.
const FORM_LIFETIME: Seconds = Seconds(10 * 60);

/// What the question's form carries, sealed for the browser whose sessions it is about: no other site
/// can make one.
#[derive(Debug, Serialize, Deserialize)]
pub struct Question {
    /// The request, which is admitted again when the form is sent.
    pub parameters: Parameters,
    /// When the page was made.
    pub issued_at: Timestamp,
    /// What was wrong with the request, of which nothing is left then.
    #[serde(default)]
    pub mistake: Option<Mistake>,
    /// The language that the person chose, which counts more than what the request asks for.
    #[serde(default)]
    pub language: Option<Tag>,
}

impl Question {
    /// Seals the question for the browser that holds `cookie`.
    pub fn seal(
        &self,
        cookie: &Secret<secret::SessionCookie>,
        sealer: &Sealer,
        random: &Random,
    ) -> String {
        let row = hex::encode(cookie.digest().as_bytes());
        URL_SAFE_NO_PAD.encode(sealer.seal_json(place(&row), self, random))
    }

    /// Opens a question that this browser was asked, in time.
    pub fn open(
        text: &str,
        cookie: &Secret<secret::SessionCookie>,
        sealer: &Sealer,
        now: Timestamp,
    ) -> Option<Question> {
        let row = hex::encode(cookie.digest().as_bytes());
        let sealed = URL_SAFE_NO_PAD.decode(text).ok()?;
        let plain = sealer.open(place(&row), &sealed)?;
        let question: Question = serde_json::from_slice(&plain).ok()?;
        (now < question.issued_at + FORM_LIFETIME).then_some(question)
    }
}

fn place(row: &str) -> Place<'_> {
    Place {
        table: "form",
        column: "logout",
        row,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorize::redirect_uri::RedirectUri;
    use crate::id::ClientId;
    use crate::secret::Key;

    const HOME: &str = "https://a.example/bye?x=1";
    const NOW: Timestamp = Timestamp(1000);

    fn client(name: &str) -> Client {
        Client {
            client_id: ClientId::parse(name).expect("an id"),
            sector: name.into(),
            metadata: serde_json::from_value(serde_json::json!({
                "client_name": name,
                "redirect_uris": [format!("https://{name}.example/cb")],
                "post_logout_redirect_uris": [format!("https://{name}.example/bye?x=1")],
            }))
            .expect("metadata"),
        }
    }

    fn hint(name: &str, session: Option<Id<kind::Session>>) -> Hint {
        Hint {
            client_id: ClientId::parse(name).expect("an id"),
            subject: "s".into(),
            session,
        }
    }

    fn raw(pairs: &[(&str, &str)]) -> Parameters {
        let owned = |(n, v): &(&str, &str)| ((*n).to_owned(), (*v).to_owned());
        Parameters::from_pairs(pairs.iter().map(owned))
    }

    #[test]
    fn an_address_is_followed_only_for_the_client_that_registered_exactly_it() {
        let _shows = crate::shows!(accepting "LO-02", refusing "LO-02", accepting "LO-04", refusing "LO-04", accepting "LO-05", refusing "LO-05", accepting "O16", refusing "O16");
        let ours = || Some(hint("a", None));
        let token = ("id_token_hint", "t");
        let home = ("post_logout_redirect_uri", HOME);
        let me = ("client_id", "a");
        for (sent, hint) in [
            (vec![token, home], ours()),
            (vec![token, home, me], ours()),
            (vec![home, me, ("logout_hint", "someone")], None),
        ] {
            let asked = admit(&raw(&sent), hint, Some(client("a"))).expect("admitted");
            assert_eq!(asked.address.expect("an address").as_str(), HOME);
        }
        let other = ("client_id", "b");
        for (sent, hint, client, mistake) in [
            (vec![token, home], None, None, Mistake::Hint),
            (vec![token, home, other], ours(), None, Mistake::OtherClient),
            (vec![home, home], None, None, Mistake::Repeated),
            (vec![home], None, None, Mistake::AddressOfNobody),
            (vec![home, other], None, None, Mistake::ClientUnknown),
            (
                vec![home, other],
                None,
                Some(client("b")),
                Mistake::AddressUnregistered,
            ),
        ] {
            let refused = admit(&raw(&sent), hint, client).expect_err("refused");
            assert_eq!(refused, mistake, "{sent:?}");
        }
        let bent = [
            "https://a.example/bye",
            "https://a.example/bye?x=1&y=2",
            "https://a.example/bye?x=1#f",
            "https://a.example/bye/?x=1",
            "https://a.example/./bye?x=1",
            "https://a.example/b%79e?x=1",
            "https://a.example:443/bye?x=1",
            "https://A.example/bye?x=1",
            "HTTPS://a.example/bye?x=1",
            "http://a.example/bye?x=1",
            "//a.example/bye?x=1",
            "/bye?x=1",
            "https://a.example.evil.example/bye?x=1",
            "https://a.example@evil.example/bye?x=1",
            "https://evil.example\\@a.example/bye?x=1",
            "https://evil.example/?https://a.example/bye?x=1",
            "javascript:alert(1)//https://a.example/bye?x=1",
            "https://a.example/cb",
            "https://a.example/bye?x=1 ",
            "https://b.example/bye?x=1",
        ];
        for address in bent {
            let asked = ("post_logout_redirect_uri", address);
            for (sent, hint) in [(vec![token, asked], ours()), (vec![asked, me], None)] {
                let refused = admit(&raw(&sent), hint, Some(client("a"))).expect_err("refused");
                assert_eq!(refused, Mistake::AddressUnregistered, "{address}");
            }
        }
    }

    #[test]
    fn nobody_is_asked_only_where_the_client_shows_the_session_of_this_browser() {
        let _shows = crate::shows!(accepting "LO-03", refusing "LO-03", accepting "LO-01");
        let random = Random::seeded(1);
        let held = |name: &str| Held {
            id: Id::fresh(&random),
            person: Id::fresh(&random),
            client: client(name),
        };
        let sessions = [held("a"), held("b")];
        let asked = |hint| Asked {
            hint,
            ..Asked::default()
        };
        let of_a = Some(sessions[0].id);
        for (hint, decision) in [
            (Some(hint("a", of_a)), Decision::LogOut),
            (Some(hint("b", of_a)), Decision::Ask),
            (Some(hint("a", Some(Id::fresh(&random)))), Decision::Ask),
            (Some(hint("a", None)), Decision::Ask),
            (None, Decision::Ask),
        ] {
            assert_eq!(
                decide(&asked(hint.clone()), &sessions),
                decision,
                "{hint:?}"
            );
        }
        assert_eq!(decide(&asked(Some(hint("a", of_a))), &[]), Decision::GoOn);
        assert_eq!(decide(&asked(None), &[]), Decision::Rest);
    }

    #[test]
    fn a_frame_has_issuer_and_session_and_a_policy_that_names_it_alone() {
        let _shows = crate::shows!(accepting "LO-12", refusing "LO-12");
        let random = Random::seeded(1);
        let held = |page: Option<&str>| {
            let mut client = client("a");
            client.metadata.frontchannel_logout_uri = page.and_then(RedirectUri::parse);
            Held {
                id: Id::fresh(&random),
                person: Id::fresh(&random),
                client,
            }
        };
        let ended = [
            held(Some("https://a.example/out?x=1")),
            held(None),
            held(Some("https://a.example/a;b,c")),
        ];
        let frames = frames(&ended, "https://op.example");
        let iss = "iss=https%3A%2F%2Fop.example";
        let expected = [
            (
                format!("https://a.example/out?x=1&{iss}&sid={}", ended[0].id),
                "https://a.example/out",
            ),
            (
                format!("https://a.example/a;b,c?{iss}&sid={}", ended[2].id),
                "https://a.example/a%3Bb%2Cc",
            ),
        ]
        .map(|(address, source)| FramedPage {
            address,
            source: source.into(),
        });
        assert_eq!(frames, expected);
        for (page, is_its_own) in [
            ("https://a.example/out", true),
            ("https://a.example:8443/out", false),
            ("https://b.example/out", false),
            ("se.kommunen.app:/out", false),
        ] {
            let held = held(Some(page));
            let metadata = &held.client.metadata;
            assert_eq!(metadata.has_frame_of_its_own(), is_its_own, "{page}");
        }
    }

    #[test]
    fn a_question_is_answered_in_the_browser_that_was_asked_and_in_time() {
        let random = Random::seeded(1);
        let sealer = Sealer::new(1, &Key::fresh(&random));
        let (mine, theirs) = (Secret::fresh(&random), Secret::fresh(&random));
        let question = Question {
            parameters: raw(&[("state", "s")]),
            issued_at: NOW,
            mistake: None,
            language: None,
        };
        let sealed = question.seal(&mine, &sealer, &random);
        let open = |cookie, at| Question::open(&sealed, cookie, &sealer, at).is_some();
        assert!(open(&mine, NOW) && !open(&theirs, NOW));
        assert!(!open(&mine, NOW + FORM_LIFETIME));
        assert!(Question::open("", &mine, &sealer, NOW).is_none());
    }
}

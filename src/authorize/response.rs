//! The answer to an authorization request, on its way to the client. What it says stands in plain
//! members (RFC 6749 §4.1.2, RFC 9207), or in one that is signed (JWT Secured Authorization Response
//! Mode, JARM); these travel in an address, or in a form (OAuth 2.0 Form Post Response Mode).

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

use super::redirect_uri::{PostLogoutAddress, RedirectUri, ReturnAddress, Signing};
use super::request::Carrier;
use crate::clock::{Seconds, Timestamp};
use crate::error::{Fault, Refusal};
use crate::jose::keyring::KeySet;
use crate::secret::{Secret, kind};

/// JARM §2.1 advises against more than ten minutes. A code ends before that by itself.
const SIGNED_LIFETIME: Seconds = Seconds(300);

/// Everything that stands in a form-urlencoded value but letters and digits and these.
const VALUE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// An answer with the one way that it may leave by. Only this module makes one, and it needs a
/// [`ReturnAddress`].
#[derive(Clone, PartialEq, Eq)]
pub enum Departure {
    /// By going to an address.
    Address(Location),
    /// By posting a form.
    FormPost(PostedForm),
}

/// An address at a client, with an answer in its query or its fragment. Only this module makes one, and after a logout
/// it needs a [`PostLogoutAddress`].
#[derive(Clone, PartialEq, Eq)]
pub struct Location(String);

impl Location {
    /// The whole address. It may hold a code: it belongs in a `Location` or a link, not in a log.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// A form that takes an answer to a client.
#[derive(Clone, PartialEq, Eq)]
pub struct PostedForm {
    action: String,
    members: Vec<(&'static str, String)>,
}

impl PostedForm {
    /// Where it is posted to.
    pub fn action(&self) -> &str {
        &self.action
    }

    /// What it says. It may hold a code: it belongs in a form, not in a log.
    pub fn expose(&self) -> &[(&'static str, String)] {
        &self.members
    }
}

impl std::fmt::Debug for Departure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[departure]")
    }
}

/// Who answers, and when.
#[derive(Clone, Copy, Debug)]
pub struct Responder<'a> {
    /// Our name, which every answer holds.
    pub issuer: &'a str,
    /// What signs.
    pub keys: &'a KeySet,
    /// When.
    pub now: Timestamp,
}

/// RFC 6749 §4.1.2: the code.
pub fn success(
    address: &ReturnAddress,
    state: Option<&str>,
    by: Responder<'_>,
    code: &Secret<kind::Code>,
) -> Result<Departure, Fault> {
    depart(address, state, by, &[("code", code.expose())])
}

/// RFC 6749 §4.1.2.1: why there is none.
pub fn failure(
    address: &ReturnAddress,
    state: Option<&str>,
    by: Responder<'_>,
    refusal: Refusal,
) -> Result<Departure, Fault> {
    let members = [
        ("error", refusal.code.as_str()),
        ("error_description", refusal.description),
    ];
    depart(address, state, by, &members)
}

/// OpenID Connect RP-Initiated Logout §3: the state, and nothing else.
pub fn after_logout(address: &PostLogoutAddress, state: Option<&str>) -> Location {
    with_query(address.as_str(), state.map(|state| ("state", state)))
}

/// OpenID Connect Front-Channel Logout §2, §3: a client's page that ends a session, with issuer and
/// session. What it returns is shown in a frame and never left for.
pub fn frame(page: &RedirectUri, issuer: &str, session: &str) -> String {
    with_query(page.as_str(), [("iss", issuer), ("sid", session)]).0
}

/// First what is said, then how it travels.
fn depart(
    address: &ReturnAddress,
    state: Option<&str>,
    by: Responder<'_>,
    news: &[(&'static str, &str)],
) -> Result<Departure, Fault> {
    let said = news
        .iter()
        .copied()
        .chain(state.map(|state| ("state", state)))
        .chain([("iss", by.issuer)])
        .map(|(name, value)| (name, value.to_owned()));
    let members: Vec<(&'static str, String)> = match address.signing() {
        None => said.collect(),
        Some(signing) => vec![("response", signed(signing, by, said)?)],
    };
    let pairs = members.iter().map(|(name, value)| (*name, value.as_str()));
    Ok(match address.carrier() {
        Carrier::Query => Departure::Address(with_query(address.as_str(), pairs)),
        // No redirect URI has a fragment of its own (RFC 6749 §3.1.2).
        Carrier::Fragment => Departure::Address(with(address.as_str(), '#', pairs)),
        // OAuth 2.0 Form Post Response Mode §2: the members are fields, and the redirect URI stays
        // as it is.
        Carrier::Form => Departure::FormPost(PostedForm {
            action: address.as_str().to_owned(),
            members,
        }),
    })
}

/// JARM §2.1: the members, and for whom and how long they are, in one JWT.
fn signed(
    signing: &Signing,
    by: Responder<'_>,
    members: impl Iterator<Item = (&'static str, String)>,
) -> Result<String, Fault> {
    let mut claims: Map<String, Value> = members
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();
    let mut set = |name: &str, value: Value| claims.insert(name.to_owned(), value);
    set("aud", signing.audience.as_str().into());
    set("exp", (by.now + SIGNED_LIFETIME).0.into());
    by.keys.sign(signing.algorithm, "JWT", &claims)
}

/// The redirect URI's own query is kept (RFC 6749 §3.1.2).
fn with_query<'a>(
    address: &str,
    members: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Location {
    let separator = if address.contains('?') { '&' } else { '?' };
    with(address, separator, members)
}

fn with<'a>(
    address: &str,
    mut separator: char,
    members: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Location {
    let mut out = address.to_owned();
    for (name, value) in members {
        out.push(separator);
        out.push_str(name);
        out.push('=');
        out.extend(utf8_percent_encode(value, VALUE));
        separator = '&';
    }
    Location(out)
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::json;

    use super::*;
    use crate::authorize::PageMistake;
    use crate::authorize::redirect_uri::resolve;
    use crate::authorize::request::Parameters;
    use crate::client::Client;
    use crate::error::Code;
    use crate::id::ClientId;
    use crate::jose::algorithm::Algorithm;
    use crate::jose::keyring::tests::key_set;
    use crate::jose::rotation::State;
    use crate::random::Random;

    const ISSUER: &str = "https://op.example";

    fn by(keys: &KeySet) -> Responder<'_> {
        Responder {
            issuer: ISSUER,
            keys,
            now: Timestamp(1000),
        }
    }

    fn resolved(uri: &str, mode: &str) -> Result<ReturnAddress, PageMistake> {
        let client = Client {
            client_id: ClientId::parse("a").expect("an id"),
            sector: "a".into(),
            metadata: serde_json::from_value(
                json!({"client_name": "A", "redirect_uris": [uri], "authorization_signed_response_alg": "ES256"}),
            )
            .expect("metadata"),
        };
        let pairs = [("redirect_uri", uri), ("response_mode", mode)];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        resolve(&Parameters::from_pairs(pairs), &client)
    }

    fn address(uri: &str) -> ReturnAddress {
        resolved(uri, "").expect("registered")
    }

    fn location(departure: &Departure) -> &str {
        match departure {
            Departure::Address(location) => location.expose(),
            Departure::FormPost(_) => panic!("a form"),
        }
    }

    /// The members of an answer, and where it goes without them.
    fn taken_apart(departure: &Departure) -> (String, Vec<(String, String)>) {
        match departure {
            Departure::Address(location) => {
                let url = url::Url::parse(location.expose()).expect("an address");
                assert_eq!(url.fragment(), None);
                let members = url.query_pairs().into_owned();
                let added = members.filter(|(name, _)| name != "x").collect();
                let (uri, _) = location
                    .expose()
                    .split_once("?x=1&")
                    .expect("its own query");
                (format!("{uri}?x=1"), added)
            }
            Departure::FormPost(form) => {
                let members = form.expose().iter().cloned();
                let members = members.map(|(name, value)| (name.to_owned(), value));
                (form.action().to_owned(), members.collect())
            }
        }
    }

    #[test]
    fn an_answer_keeps_the_query_echoes_the_state_and_names_the_issuer() {
        let _shows = crate::shows!(accepting "AU-13", accepting "AU-16", accepting "O2");
        let code = Secret::fresh(&Random::seeded(1));
        let state = "a&b=c #å\u{1F600}";
        let sent = success(
            &address("https://a.example/cb?x=1"),
            Some(state),
            by(&KeySet::default()),
            &code,
        );
        let sent = sent.expect("an answer");
        let url = url::Url::parse(location(&sent)).expect("an address");
        let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let pair = |k: &str, v: &str| (k.to_owned(), v.to_owned());
        let expected = [
            pair("x", "1"),
            pair("code", code.expose()),
            pair("state", state),
            pair("iss", ISSUER),
        ];
        assert_eq!(pairs, expected);
        assert_eq!(url.fragment(), None);
    }

    #[test]
    fn an_error_has_no_code_and_no_state_when_none_was_sent() {
        let refusal = Refusal::new(Code::AccessDenied, "the person said no");
        let sent = failure(
            &address("https://a.example/cb"),
            None,
            by(&KeySet::default()),
            refusal,
        );
        assert_eq!(
            location(&sent.expect("an answer")),
            "https://a.example/cb?error=access_denied&error_description=the%20person%20said%20no&iss=https%3A%2F%2Fop.example"
        );
    }

    #[test]
    fn an_answer_leaves_in_the_mode_that_was_asked_for_or_not_at_all() {
        let _shows =
            crate::shows!(accepting "AU-12", refusing "AU-12", accepting "AU-11", refusing "AU-11");
        let refusal = Refusal::new(Code::AccessDenied, "the person said no");
        let keys = KeySet::default();
        let posted = |uri: &str| {
            let address = resolved(uri, "form_post").expect("registered");
            match failure(&address, Some("s\"<å"), by(&keys), refusal) {
                Ok(Departure::FormPost(form)) => form,
                other => panic!("{other:?}"),
            }
        };
        for uri in [
            "https://a.example/cb?x=1",
            "https://a.example:8443/cb",
            "http://127.0.0.1:5000/cb",
            "http://[::1]:3000/cb",
            "http://localhost/cb",
        ] {
            let form = posted(uri);
            assert_eq!(form.action(), uri);
            let member = |name, value: &str| (name, value.to_owned());
            let expected = [
                member("error", "access_denied"),
                member("error_description", "the person said no"),
                member("state", "s\"<å"),
                member("iss", ISSUER),
            ];
            assert_eq!(form.expose(), expected);
        }
        let fragment = resolved("https://a.example/cb?x=1", "fragment").expect("registered");
        assert_eq!(
            location(&failure(&fragment, None, by(&keys), refusal).expect("an answer")),
            "https://a.example/cb?x=1#error=access_denied&error_description=the%20person%20said%20no&iss=https%3A%2F%2Fop.example"
        );
        let query = resolved("https://a.example/cb", "query").expect("registered");
        assert!(matches!(
            failure(&query, None, by(&keys), refusal),
            Ok(Departure::Address(_))
        ));
        for (uri, mode) in [
            ("https://a.example/cb", "web_message"),
            ("https://a.example/cb", "nonsense"),
            ("https://a.example/cb", "JWT"),
            ("https://a.example/cb", "query.jwt "),
            ("https://a.example/cb", "jwt query"),
            ("https://a.example/cb", "form_post jwt"),
            // No form gets there.
            ("se.kommunen.app:/cb", "form_post"),
            ("se.kommunen.app:/cb", "form_post.jwt"),
        ] {
            let refused = Err(PageMistake::ResponseMode);
            assert_eq!(resolved(uri, mode), refused, "{uri} {mode}");
        }
        assert!(resolved("se.kommunen.app:/cb", "query.jwt").is_ok());
    }

    #[test]
    fn a_signed_answer_says_all_in_one_member_for_its_client_alone() {
        let _shows = crate::shows!(accepting "AU-48", refusing "AU-48", accepting "AU-16");
        let keys = key_set(&[(Algorithm::ES256, State::Active)]);
        let code = Secret::fresh(&Random::seeded(1));
        let refusal = Refusal::new(Code::AccessDenied, "the person said no");
        let uri = "https://a.example/cb?x=1";
        for (mode, carrier) in [
            ("jwt", Carrier::Query),
            ("query.jwt", Carrier::Query),
            ("form_post.jwt", Carrier::Form),
        ] {
            let address = resolved(uri, mode).expect("registered");
            let granted = success(&address, Some("s & t"), by(&keys), &code);
            let denied = failure(&address, None, by(&keys), refusal);
            let outside = json!({"iss": ISSUER, "aud": "a", "exp": 1300});
            for (sent, inside) in [
                (granted, json!({"code": code.expose(), "state": "s & t"})),
                (
                    denied,
                    json!({"error": "access_denied", "error_description": "the person said no"}),
                ),
            ] {
                let sent = sent.expect("an answer");
                let in_form = matches!(sent, Departure::FormPost(_));
                assert_eq!(in_form, carrier == Carrier::Form, "{mode}");
                let (to, members) = taken_apart(&sent);
                assert_eq!(to, uri);
                let names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
                assert_eq!(names, ["response"], "nothing stands outside");
                let parts: Vec<&str> = members[0].1.split('.').collect();
                let read = |part: &str| -> Value {
                    let bytes = URL_SAFE_NO_PAD.decode(part).expect("base64url");
                    serde_json::from_slice(&bytes).expect("JSON")
                };
                assert_eq!(read(parts[0])["alg"], "ES256");
                let mut expected = outside.clone();
                let members = inside.as_object().expect("an object").clone();
                expected.as_object_mut().expect("an object").extend(members);
                assert_eq!(read(parts[1]), expected);
            }
            // What cannot be signed is not sent in the clear instead.
            assert!(failure(&address, None, by(&KeySet::default()), refusal).is_err());
        }
    }
}

//! Pushed authorization requests (RFC 9126): a client leaves its request with us beforehand, and the
//! browser brings only the name that we gave it.

use super::request::Parameters;
use super::request_object::{Unfolded, unfold_pushed};
use super::{Answerable, HintReader, Mistake, PageMistake, Policy, Refused, admit, redirect_uri};
use crate::client::Client;
use crate::client::mistake::Reason;
use crate::clock::{Seconds, Timestamp};
use crate::error::{Code, Refusal};
use crate::secret::{Digest, Secret, kind as secret};

/// How long a browser has to bring the name.
pub const LIFETIME: Seconds = Seconds(9 * 60);

const URN: &str = "urn:ietf:params:oauth:request_uri:";

/// A pushed request as it is kept.
#[derive(Debug)]
pub struct Pushed {
    /// What was pushed, without what the client authenticated by.
    pub parameters: Parameters,
    /// Until when it can be brought.
    pub expires_at: Timestamp,
}

/// RFC 9126 §2.2: the name of a pushed request.
pub fn request_uri(secret: &Secret<secret::PushedRequest>) -> String {
    format!("{URN}{}", secret.expose())
}

/// RFC 9126 §2.1, §2.3, §3: everything that would be refused later is refused now. Says what is to
/// be kept; a signed request by what it asks for.
pub fn push(
    form: &Parameters,
    client: &Client,
    policy: &Policy,
    hint: HintReader<'_>,
    issuer: &str,
    now: Timestamp,
) -> Result<Unfolded, Refusal> {
    if form.first("request_uri").is_some() {
        return Err(REQUEST_URI);
    }
    let form = form.without(&AUTHENTICATION);
    let unfolded = unfold_pushed(&form, client, issuer, now)?;
    match admit(&unfolded.parameters, client, policy, hint) {
        Ok(_) => Ok(unfolded),
        Err(Refused::Client(told)) => Err(told.mistake.into()),
        Err(Refused::Page(mistake)) => {
            Err(Refusal::new(Code::InvalidRequest, said(mistake)).because(mistake.into()))
        }
    }
}

const REQUEST_URI: Refusal = Refusal::new(Code::InvalidRequest, "request_uri cannot be pushed")
    .because(Reason::RequestUriPushed);

/// What a client authenticates by, which is no part of its request (RFC 6749 §2.3.1, RFC 7521 §4.2).
const AUTHENTICATION: [&str; 3] = ["client_secret", "client_assertion", "client_assertion_type"];

/// To a client, what a person would read on a page.
fn said(mistake: PageMistake) -> &'static str {
    match mistake {
        PageMistake::RedirectUriMissing => "redirect_uri is missing",
        PageMistake::RedirectUriUnregistered => {
            "redirect_uri is not exactly one of those that are registered"
        }
        PageMistake::ResponseMode => "response_mode is not supported, or not for this redirect_uri",
        // The client is known by now, and each parameter came once.
        _ => "the request cannot be read",
    }
}

/// RFC 9126 §4: which pushed request a browser brings, if it brings one. Another `request_uri` is
/// none of ours.
pub fn brought(raw: &Parameters) -> Result<Option<Digest<secret::PushedRequest>>, PageMistake> {
    let Some(name) = raw
        .first("request_uri")
        .and_then(|uri| uri.strip_prefix(URN))
    else {
        return Ok(None);
    };
    if raw.is_repeated("request_uri") || raw.first("request").is_some() {
        return Err(PageMistake::RequestUriAmbiguous);
    }
    Secret::parse(name)
        .map(|secret| Some(secret.digest()))
        .ok_or(PageMistake::RequestUriUnknown)
}

/// RFC 9126 §4, RFC 9101 §5: beside a pushed request only its name and the client's count. What else
/// was brought is dropped.
pub fn bare(raw: Parameters) -> Parameters {
    match brought(&raw) {
        Ok(Some(_)) => raw.only(&["client_id", "request_uri"]),
        _ => raw,
    }
}

/// When a pushed request is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// When a browser brings it.
    Brought,
    /// In a login, or a form, that it led to in time.
    Underway,
}

/// RFC 9126 §4: what was pushed, for the client that pushed it and in time. One that has been
/// answered is no longer there.
pub fn read(pushed: Option<Pushed>, when: When, now: Timestamp) -> Result<Parameters, PageMistake> {
    match pushed {
        Some(pushed) if when == When::Underway || now < pushed.expires_at => Ok(pushed.parameters),
        _ => Err(PageMistake::RequestUriUnknown),
    }
}

/// RFC 9126 §6: a client that is registered so is heard by this way alone.
pub fn may_ask_openly(raw: &Parameters, client: &Client) -> Result<(), Refused> {
    if !client.metadata.requires_pushed_requests() {
        return Ok(());
    }
    let address = redirect_uri::resolve(raw, client).map_err(Refused::Page)?;
    Err(Answerable::told(raw, address, Mistake::NotPushed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ClientId;
    use crate::random::Random;

    const NOW: Timestamp = Timestamp(1000);

    fn client(more: serde_json::Value) -> Client {
        let mut metadata = serde_json::json!({
            "client_name": "A", "redirect_uris": ["https://a.example/cb"], "pkce": "accepted"
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            metadata[name] = value.clone();
        }
        Client {
            client_id: ClientId::parse("a").expect("an id"),
            sector: "a.example".into(),
            metadata: serde_json::from_value(metadata).expect("metadata"),
        }
    }

    fn parameters(changes: &[(&str, &str)]) -> Parameters {
        let base = [
            ("client_id", "a"),
            ("redirect_uri", "https://a.example/cb"),
            ("response_type", "code"),
            ("scope", "openid"),
        ];
        let kept = base
            .iter()
            .filter(|(name, _)| changes.iter().all(|(n, _)| n != name));
        let pairs = kept
            .chain(changes)
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        Parameters::from_pairs(pairs)
    }

    fn pushed(changes: &[(&str, &str)]) -> Result<Parameters, Code> {
        let policy = Policy {
            issuer: "https://op.example".into(),
            acr: "x".into(),
        };
        let client = client(serde_json::json!({}));
        push(&parameters(changes), &client, &policy, &|_| None, "", NOW)
            .map(|unfolded| unfolded.parameters)
            .map_err(|refusal| refusal.code)
    }

    #[test]
    fn every_rule_is_applied_when_a_request_is_pushed() {
        let _shows = crate::shows!(accepting "PA-03", refusing "PA-02", refusing "PA-03", accepting "PA-04", refusing "PA-04");
        let secret = [("client_secret", "s"), ("state", "x")];
        assert_eq!(pushed(&secret), Ok(parameters(&[("state", "x")])));
        assert_eq!(
            pushed(&[("prompt", "none")]),
            Ok(parameters(&[("prompt", "none")])),
            "what only the person can decide is left to them"
        );
        for (change, code) in [
            (("request_uri", "urn:x"), Code::InvalidRequest),
            (("redirect_uri", ""), Code::InvalidRequest),
            (
                ("redirect_uri", "http://a.example/cb"),
                Code::InvalidRequest,
            ),
            (
                ("redirect_uri", "https://b.example/cb"),
                Code::InvalidRequest,
            ),
            (("response_mode", "web_message"), Code::InvalidRequest),
            (("response_type", "token"), Code::UnsupportedResponseType),
            (("response_type", ""), Code::InvalidRequest),
            (("scope", "profile"), Code::InvalidScope),
            (("scope", "openid personal_number"), Code::InvalidScope),
            (("code_challenge_method", "plain"), Code::InvalidRequest),
            (("max_age", "x"), Code::InvalidRequest),
            (("id_token_hint", "x"), Code::InvalidRequest),
            (("registration", "{}"), Code::RegistrationNotSupported),
        ] {
            assert_eq!(pushed(&[change]), Err(code), "{change:?}");
        }
    }

    #[test]
    fn beside_a_pushed_request_only_names_count() {
        let _shows = crate::shows!(accepting "AU-42", refusing "AU-36");
        let secret = Secret::fresh(&Random::seeded(1));
        let uri = request_uri(&secret);
        let named = [("request_uri", uri.as_str())];
        let raw = parameters(&named);
        assert_eq!(brought(&raw).map(|d| d == Some(secret.digest())), Ok(true));
        let names = bare(raw);
        assert_eq!(names.first("client_id"), Some("a"));
        assert_eq!(names.first("request_uri"), Some(uri.as_str()));
        assert_eq!(
            (names.first("redirect_uri"), names.first("scope")),
            (None, None)
        );
        for other in [
            "https://a.example/request",
            "",
            "urn:ietf:params:oauth:other:x",
        ] {
            let raw = parameters(&[("request_uri", other)]);
            assert_eq!(
                brought(&raw).map(|found| found.is_some()),
                Ok(false),
                "{other}"
            );
            assert_eq!(bare(raw.clone()), raw);
        }
        let ambiguous = Err(PageMistake::RequestUriAmbiguous);
        let both = parameters(&[named[0], ("request", "x")]);
        assert_eq!(brought(&both).map(|_| ()), ambiguous);
        let twice = parameters(&[named[0], named[0]]);
        assert_eq!(brought(&twice).map(|_| ()), ambiguous);
        let short = parameters(&[("request_uri", &uri[..uri.len() - 1])]);
        assert_eq!(
            brought(&short).map(|_| ()),
            Err(PageMistake::RequestUriUnknown)
        );
    }

    #[test]
    fn a_pushed_request_is_brought_in_time_and_stays_until_its_login_ends() {
        let _shows = crate::shows!(refusing "AU-43", accepting "PV-PAR-1");
        let tried = |when, now| {
            let pushed = Pushed {
                parameters: Parameters::default(),
                expires_at: NOW + LIFETIME,
            };
            read(Some(pushed), when, now).map(|_| ())
        };
        let unknown = Err(PageMistake::RequestUriUnknown);
        assert_eq!(tried(When::Brought, NOW + LIFETIME - Seconds(1)), Ok(()));
        assert_eq!(tried(When::Brought, NOW + LIFETIME), unknown);
        assert_eq!(tried(When::Underway, NOW + LIFETIME + LIFETIME), Ok(()));
        assert_eq!(read(None, When::Underway, NOW).map(|_| ()), unknown);
    }

    #[test]
    fn a_client_that_must_push_is_not_heard_otherwise() {
        let _shows = crate::shows!(accepting "AU-41", refusing "AU-41");
        let strict = client(serde_json::json!({"require_pushed_authorization_requests": true}));
        let policy = Policy {
            issuer: "https://op.example".into(),
            acr: "x".into(),
        };
        assert!(push(&parameters(&[]), &strict, &policy, &|_| None, "", NOW).is_ok());
        match may_ask_openly(&parameters(&[("state", "s")]), &strict) {
            Err(Refused::Client(told)) => {
                assert_eq!(
                    (told.mistake, told.state.as_deref()),
                    (Mistake::NotPushed, Some("s"))
                );
            }
            other => panic!("{other:?}"),
        }
        let elsewhere = parameters(&[("redirect_uri", "https://b.example/cb")]);
        assert!(matches!(
            may_ask_openly(&elsewhere, &strict),
            Err(Refused::Page(PageMistake::RedirectUriUnregistered))
        ));
        assert!(may_ask_openly(&elsewhere, &client(serde_json::json!({}))).is_ok());
    }
}

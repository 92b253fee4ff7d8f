//! The answer to an authorization request, on its way to the client: in an address (RFC 6749
//! §4.1.2) or in a form (OAuth 2.0 Form Post Response Mode), with `iss` (RFC 9207).

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::redirect_uri::{PostLogoutAddress, RedirectUri, ReturnAddress};
use super::request::ResponseMode;
use crate::error::Refusal;
use crate::secret::{Secret, kind};

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
    Query(Location),
    /// By posting a form.
    FormPost(PostedForm),
}

/// An address at a client, with an answer in its query. Only this module makes one, and after a logout
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

/// RFC 6749 §4.1.2: the code.
pub fn success(
    address: &ReturnAddress,
    state: Option<&str>,
    issuer: &str,
    code: &Secret<kind::Code>,
) -> Departure {
    let members = [
        ("code", Some(code.expose())),
        ("state", state),
        ("iss", Some(issuer)),
    ];
    depart(address, &members)
}

/// RFC 6749 §4.1.2.1: why there is none.
pub fn failure(
    address: &ReturnAddress,
    state: Option<&str>,
    issuer: &str,
    refusal: Refusal,
) -> Departure {
    let members = [
        ("error", Some(refusal.code.as_str())),
        ("error_description", Some(refusal.description)),
        ("state", state),
        ("iss", Some(issuer)),
    ];
    depart(address, &members)
}

/// OpenID Connect RP-Initiated Logout §3: the state, and nothing else.
pub fn after_logout(address: &PostLogoutAddress, state: Option<&str>) -> Location {
    with_query(address.as_str(), &[("state", state)])
}

/// OpenID Connect Front-Channel Logout §2, §3: a client's page that ends a session, with issuer and
/// session. What it returns is shown in a frame and never left for.
pub fn frame(page: &RedirectUri, issuer: &str, session: &str) -> String {
    let members = [("iss", Some(issuer)), ("sid", Some(session))];
    with_query(page.as_str(), &members).0
}

fn depart(address: &ReturnAddress, members: &[(&'static str, Option<&str>)]) -> Departure {
    match address.mode() {
        ResponseMode::Query => Departure::Query(with_query(address.as_str(), members)),
        // OAuth 2.0 Form Post Response Mode §2: the members are fields, and the redirect URI stays
        // as it is.
        ResponseMode::FormPost => Departure::FormPost(PostedForm {
            action: address.as_str().to_owned(),
            members: members
                .iter()
                .filter_map(|(name, value)| Some((*name, (*value)?.to_owned())))
                .collect(),
        }),
    }
}

/// The redirect URI's own query is kept (RFC 6749 §3.1.2).
fn with_query(address: &str, members: &[(&str, Option<&str>)]) -> Location {
    let mut out = address.to_owned();
    let mut separator = if out.contains('?') { '&' } else { '?' };
    for (name, value) in members {
        if let Some(value) = value {
            out.push(separator);
            out.push_str(name);
            out.push('=');
            out.extend(utf8_percent_encode(value, VALUE));
            separator = '&';
        }
    }
    Location(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorize::PageMistake;
    use crate::authorize::redirect_uri::resolve;
    use crate::authorize::request::Parameters;
    use crate::client::Client;
    use crate::error::Code;
    use crate::id::ClientId;
    use crate::random::Random;

    fn resolved(uri: &str, mode: &str) -> Result<ReturnAddress, PageMistake> {
        let client = Client {
            client_id: ClientId::parse("a").expect("an id"),
            sector: "a".into(),
            metadata: serde_json::from_value(
                serde_json::json!({"client_name": "A", "redirect_uris": [uri]}),
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
            Departure::Query(location) => location.expose(),
            Departure::FormPost(_) => panic!("a form"),
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
            "https://op.example",
            &code,
        );
        let url = url::Url::parse(location(&sent)).expect("an address");
        let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let pair = |k: &str, v: &str| (k.to_owned(), v.to_owned());
        let expected = [
            pair("x", "1"),
            pair("code", code.expose()),
            pair("state", state),
            pair("iss", "https://op.example"),
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
            "https://op.example",
            refusal,
        );
        assert_eq!(
            location(&sent),
            "https://a.example/cb?error=access_denied&error_description=the%20person%20said%20no&iss=https%3A%2F%2Fop.example"
        );
    }

    #[test]
    fn an_answer_leaves_in_the_mode_that_was_asked_for_or_not_at_all() {
        let _shows =
            crate::shows!(accepting "AU-12", refusing "AU-12", accepting "AU-11", refusing "AU-11");
        let refusal = Refusal::new(Code::AccessDenied, "the person said no");
        let posted = |uri: &str| {
            let address = resolved(uri, "form_post").expect("registered");
            match failure(&address, Some("s\"<å"), "https://op.example", refusal) {
                Departure::FormPost(form) => form,
                Departure::Query(_) => panic!("an address"),
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
                member("iss", "https://op.example"),
            ];
            assert_eq!(form.expose(), expected);
        }
        let query = resolved("https://a.example/cb", "query").expect("registered");
        assert!(matches!(
            failure(&query, None, "https://op.example", refusal),
            Departure::Query(_)
        ));
        for (uri, mode) in [
            ("https://a.example/cb", "fragment"),
            ("https://a.example/cb", "nonsense"),
            // No form gets there.
            ("se.kommunen.app:/cb", "form_post"),
        ] {
            assert_eq!(resolved(uri, mode), Err(PageMistake::ResponseMode), "{uri}");
        }
    }
}

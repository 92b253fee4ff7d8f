//! The answer to an authorization request, as an address to leave for (RFC 6749 §4.1.2, RFC 9207).

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::redirect_uri::ReturnAddress;
use crate::error::Refusal;
use crate::secret::{Secret, kind};

/// Everything that stands in a form-urlencoded value but letters and digits and these.
const VALUE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// An address at a client, with an answer in its query. Only this module makes one, and it needs a
/// [`ReturnAddress`].
#[derive(Clone, PartialEq, Eq)]
pub struct Departure(String);

impl Departure {
    /// The whole address. It may hold a code: it belongs in a `Location` or a link, not in a log.
    pub fn expose(&self) -> &str {
        &self.0
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
    with_query(
        address,
        &[
            ("code", Some(code.expose())),
            ("state", state),
            ("iss", Some(issuer)),
        ],
    )
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
    with_query(address, &members)
}

/// The redirect URI's own query is kept (RFC 6749 §3.1.2).
fn with_query(address: &ReturnAddress, members: &[(&str, Option<&str>)]) -> Departure {
    let mut out = address.as_str().to_owned();
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
    Departure(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorize::redirect_uri::resolve;
    use crate::authorize::request::Parameters;
    use crate::client::Client;
    use crate::error::Code;
    use crate::id::ClientId;
    use crate::random::Random;

    fn address(uri: &str) -> ReturnAddress {
        let client = Client {
            client_id: ClientId::parse("a").expect("an id"),
            sector: "a".into(),
            metadata: serde_json::from_value(
                serde_json::json!({"client_name": "A", "redirect_uris": [uri]}),
            )
            .expect("metadata"),
        };
        let raw = Parameters::from_pairs([("redirect_uri".to_owned(), uri.to_owned())]);
        resolve(&raw, &client).expect("registered")
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
        let url = url::Url::parse(sent.expose()).expect("an address");
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
            sent.expose(),
            "https://a.example/cb?error=access_denied&error_description=the%20person%20said%20no&iss=https%3A%2F%2Fop.example"
        );
    }
}

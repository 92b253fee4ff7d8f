//! What of a refused request is looked at to explain it. It lives for about a second in memory, and
//! what of it is written down goes through [`shown`] or [`reduced`](super::address::reduced).

use serde_json::{Map, Value};

use crate::authorize::request::Parameters;
use crate::client::authentication::ClientSecret;
use crate::jose::jwt;
use crate::secret::{Digest, kind as secret};

/// The most characters that are kept of anything that came.
const LONGEST: usize = 200;
/// How many digits in a row may be somebody's number.
const DIGITS: usize = 10;
/// How many characters in a row are rather a secret than a word. A UUID has 36.
const SECRET: usize = 40;

/// Text that came from outside, fit to be kept and shown: printable ASCII of bounded length, without
/// what could be a personal number or a secret.
pub fn shown(text: &str) -> String {
    let text: Vec<char> = text
        .chars()
        .take(LONGEST + 1)
        .map(|c| match c {
            ' '..='~' => c,
            _ => '?',
        })
        .collect();
    let mut hidden = vec![false; text.len()];
    let of_number = |c: char| c.is_ascii_digit() || [' ', '-', '+'].contains(&c);
    let of_secret = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    hide(&text, &mut hidden, of_number, |run| {
        run.iter().filter(|c| c.is_ascii_digit()).count() >= DIGITS
    });
    hide(&text, &mut hidden, of_secret, |run| run.len() >= SECRET);
    let mut said = String::new();
    for (at, c) in text.iter().take(LONGEST).enumerate() {
        match (hidden[at], at > 0 && hidden[at - 1]) {
            (false, _) => said.push(*c),
            (true, false) => said.push_str("[hidden]"),
            (true, true) => {}
        }
    }
    if text.len() > LONGEST {
        said.push_str("...");
    }
    said
}

/// Marks the runs of some characters that must not be seen.
fn hide(
    text: &[char],
    hidden: &mut [bool],
    is_of_run: impl Fn(char) -> bool,
    must: impl Fn(&[char]) -> bool,
) {
    let mut from = 0;
    while from < text.len() {
        let length = text[from..].iter().take_while(|c| is_of_run(**c)).count();
        let run = from..from + length;
        if must(&text[run.clone()]) {
            hidden[run].fill(true);
        }
        from += length.max(1);
    }
}

/// What a token says of itself, true or not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Token {
    header: Map<String, Value>,
    claims: Map<String, Value>,
}

impl Token {
    /// The parts of a JWT that are no secret; `None` for anything else.
    pub fn read(text: &str) -> Option<Token> {
        const HEADER: [&str; 3] = ["alg", "kid", "typ"];
        const CLAIMS: [&str; 10] = [
            "iss",
            "sub",
            "aud",
            "client_id",
            "exp",
            "iat",
            "nbf",
            "jti",
            "htm",
            "htu",
        ];
        let only = |part: Map<String, Value>, names: &[&str]| -> Map<String, Value> {
            let named = part
                .into_iter()
                .filter(|(n, _)| names.contains(&n.as_str()));
            named.collect()
        };
        Some(Token {
            header: only(jwt::unverified_header(text)?, &HEADER),
            claims: only(jwt::unverified_claims(text)?, &CLAIMS),
        })
    }

    /// A member of the header, as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.header.get(name)?.as_str()
    }

    /// A claim, as text.
    pub fn claim(&self, name: &str) -> Option<&str> {
        self.claims.get(name)?.as_str()
    }

    /// A time.
    pub fn time(&self, name: &str) -> Option<i64> {
        self.claims.get(name)?.as_i64()
    }

    /// Whom it is for.
    pub fn audience(&self) -> Vec<&str> {
        match self.claims.get("aud") {
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
            Some(one) => one.as_str().into_iter().collect(),
            None => Vec::new(),
        }
    }

    /// Whether it has a claim at all.
    pub fn has(&self, name: &str) -> bool {
        self.claims.contains_key(name)
    }
}

/// What came with a refused request.
#[derive(Clone, Debug, Default)]
pub struct Received {
    /// Which client it says that it is from.
    pub client_id: Option<String>,
    /// The parameters of [`Received::PARAMETERS`], once each.
    pub parameters: Parameters,
    /// The names of those that came more than once.
    pub repeated: Vec<String>,
    /// The names of those in the query.
    pub in_query: Vec<String>,
    /// The ways in which the client authenticates.
    pub ways: Vec<&'static str>,
    /// The secret that was shown, in each reading.
    pub secrets: Vec<Digest<ClientSecret>>,
    /// The same without white space around it.
    pub trimmed: Vec<Digest<ClientSecret>>,
    /// The body's content type.
    pub content_type: Option<String>,
    /// The client assertion.
    pub assertion: Option<Token>,
    /// The request object.
    pub request_object: Option<Token>,
    /// The DPoP proof.
    pub proof: Option<Token>,
    /// The address of the endpoint, as a proof must name it.
    pub endpoint: String,
    /// What was shown as an access token at userinfo, or as a hint at a logout.
    pub token: Option<Token>,
    /// The access token.
    pub access_token: Option<Digest<secret::AccessToken>>,
    /// The refresh token.
    pub refresh_token: Option<Digest<secret::RefreshToken>>,
    /// The code.
    pub code: Option<Digest<secret::Code>>,
    /// The pushed request.
    pub pushed: Option<Digest<secret::PushedRequest>>,
    /// How many characters some parameters have, by their names.
    pub lengths: Vec<(&'static str, usize)>,
    /// Whether the connection showed a certificate.
    pub has_certificate: bool,
    /// What the client was told, where that is made for it.
    pub said: Option<String>,
}

impl Received {
    /// The parameters that are looked at by their values.
    pub const PARAMETERS: [&'static str; 10] = [
        "redirect_uri",
        "post_logout_redirect_uri",
        "response_type",
        "response_mode",
        "scope",
        "resource",
        "prompt",
        "grant_type",
        "code_challenge_method",
        "client_id",
    ];
    /// Those that are looked at by their lengths.
    pub const LENGTHS: [&'static str; 3] = ["code_challenge", "code_verifier", "nonce"];

    /// A parameter's value.
    pub fn first(&self, name: &str) -> Option<&str> {
        self.parameters.first(name)
    }

    /// A parameter's length, in words.
    pub fn length(&self, name: &str) -> Option<String> {
        let found = self.lengths.iter().find(|(n, _)| *n == name);
        found.map(|(_, length)| format!("{length} characters"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_be_a_number_or_a_secret_is_not_shown() {
        let _shows = crate::shows!(refusing "PV-WHY-4");
        for (text, expected) in [
            ("app", "app"),
            ("191212121212", "[hidden]"),
            ("19121212-1212", "[hidden]"),
            ("191212 1212", "[hidden]"),
            ("code 123", "code 123"),
            ("/user/1212121212/cb", "/user/[hidden]/cb"),
            ("åäö\n", "????"),
            ("at_0123456789abcdefghijABCDEFGHIJ0123456789abc", "[hidden]"),
            (
                "a.eyJhbGciOiJSUzI1NiIsImtpZCI6ImEiLCJ0eXAiOiJKV1QifQ.b",
                "a.[hidden].b",
            ),
            ("https://app.example:8443/cb", "https://app.example:8443/cb"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
        let long = shown(&"ab ".repeat(100));
        assert!(long.len() == LONGEST + 3 && long.ends_with("..."), "{long}");
    }
}

//! How a client proves who it is (RFC 6749 §2.3, OpenID Connect Core §9).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;

use super::{Authentication, Client};
use crate::error::{Code, Refusal};
use crate::id::ClientId;
use crate::secret::Digest;

/// The kind of a client's secret. It is not one of ours by shape: an operator may bring their own.
pub enum ClientSecret {}

/// What a request says of the client that sends it.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Who it says it is.
    pub client_id: ClientId,
    /// What it shows for it.
    pub proof: Proof,
}

/// What a client shows.
#[derive(Clone, Debug)]
pub enum Proof {
    /// Nothing: only a `client_id` (RFC 6749 §3.2.1).
    Nothing,
    /// Its secret, in one or both readings that the header allows: as it stands and, as RFC 6749
    /// §2.3.1 has it, form-urlencoded. In the form there is only one.
    Secret(Vec<Digest<ClientSecret>>),
}

const UNAUTHENTICATED: Refusal = Refusal::new(
    Code::InvalidClient,
    "client authentication failed: unknown client, wrong secret, or another method than registered",
);

impl Credentials {
    /// RFC 6749 §2.3.1. Reads the `Authorization` header and the form members; a client may use
    /// one method in a request, not two (RFC 6749 §2.3).
    pub fn read(
        authorization: Option<&str>,
        client_id: Option<&str>,
        client_secret: Option<&str>,
    ) -> Result<Credentials, Refusal> {
        let Some(header) = authorization else {
            let client_id = client_id.ok_or(Refusal::new(
                Code::InvalidClient,
                "no client authentication was sent",
            ))?;
            return Ok(Credentials {
                client_id: ClientId::parse(client_id).ok_or(UNAUTHENTICATED)?,
                proof: client_secret.map_or(Proof::Nothing, |secret| {
                    Proof::Secret(vec![Digest::of(secret)])
                }),
            });
        };
        if client_secret.is_some() {
            return Err(Refusal::new(
                Code::InvalidRequest,
                "the client authenticates by header and by form at once",
            ));
        }
        let basic = Credentials::basic(header).ok_or(Refusal::new(
            Code::InvalidClient,
            "the Authorization header is not valid Basic",
        ))?;
        match client_id {
            Some(id) if id != basic.client_id.as_str() => Err(Refusal::new(
                Code::InvalidRequest,
                "client_id differs from the one in the Authorization header",
            )),
            _ => Ok(basic),
        }
    }

    fn basic(header: &str) -> Option<Credentials> {
        let (scheme, value) = header.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let decoded = String::from_utf8(STANDARD.decode(value.trim()).ok()?).ok()?;
        let (id, secret) = decoded.split_once(':')?;
        let mut readings = vec![Digest::of(secret)];
        if let Some(unescaped) = form_decoded(secret)
            && unescaped != secret
        {
            readings.push(Digest::of(&unescaped));
        }
        Some(Credentials {
            client_id: ClientId::parse(&form_decoded(id)?).or_else(|| ClientId::parse(id))?,
            proof: Proof::Secret(readings),
        })
    }
}

fn form_decoded(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8().ok()?;
    Some(decoded.into_owned())
}

/// Checks what was shown against what is registered. `secrets` are the digests that are alive.
/// Every failure reads the same, whether the client exists or not.
pub fn authenticate(
    credentials: &Credentials,
    client: Option<&Client>,
    secrets: &[Digest<ClientSecret>],
) -> Result<(), Refusal> {
    let registered = client.map(|client| client.metadata.token_endpoint_auth);
    match (&credentials.proof, registered) {
        (Proof::Nothing, Some(Authentication::None)) => Ok(()),
        (Proof::Secret(readings), Some(Authentication::ClientSecret)) => {
            // Every pair is compared, so that the time taken tells nothing of the first match.
            let matches = secrets
                .iter()
                .flat_map(|alive| readings.iter().map(move |shown| alive == shown))
                .fold(false, |any, this| any | this);
            if matches {
                Ok(())
            } else {
                Err(UNAUTHENTICATED)
            }
        }
        _ => Err(UNAUTHENTICATED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic(text: &str) -> String {
        format!("Basic {}", STANDARD.encode(text))
    }

    fn client(auth: &str) -> Client {
        let metadata = serde_json::from_value(serde_json::json!({
            "client_name": "A", "redirect_uris": ["https://a.example/cb"], "token_endpoint_auth": auth
        }))
        .expect("metadata");
        Client {
            client_id: ClientId::parse("a").expect("an id"),
            sector: "a.example".into(),
            metadata,
        }
    }

    fn tried(
        header: Option<&str>,
        id: Option<&str>,
        secret: Option<&str>,
        auth: &str,
    ) -> Result<(), Code> {
        let credentials = Credentials::read(header, id, secret).map_err(|r| r.code)?;
        let secrets = [Digest::of("s%c r+t")];
        authenticate(&credentials, Some(&client(auth)), &secrets).map_err(|r| r.code)
    }

    #[test]
    fn a_secret_is_taken_from_the_header_raw_or_form_encoded_and_from_the_form() {
        let _shows = crate::shows!(accepting "TK-06", refusing "TK-06");
        let right = [
            (Some(basic("a:s%c r+t")), None, None),
            (Some(basic("a:s%25c+r%2Bt")), Some("a"), None),
            (None, Some("a"), Some("s%c r+t")),
        ];
        for (header, id, secret) in right {
            assert_eq!(
                tried(header.as_deref(), id, secret, "client_secret"),
                Ok(())
            );
        }
        let wrong = [
            (Some(basic("a:other")), None, None),
            (Some(basic("a:")), None, None),
            (None, Some("a"), Some("")),
            (None, Some("a"), None),
            (None, None, None),
            (Some("Bearer x".to_owned()), None, None),
            (Some("Basic !".to_owned()), None, None),
        ];
        for (header, id, secret) in wrong {
            let got = tried(header.as_deref(), id, secret, "client_secret");
            assert_eq!(got, Err(Code::InvalidClient), "{header:?}");
        }
    }

    #[test]
    fn one_method_at_a_time_and_one_client() {
        let _shows = crate::shows!(refusing "TK-05");
        let header = basic("a:s%c r+t");
        let both = tried(Some(&header), Some("a"), Some("s%c r+t"), "client_secret");
        assert_eq!(both, Err(Code::InvalidRequest));
        let two = tried(Some(&header), Some("b"), None, "client_secret");
        assert_eq!(two, Err(Code::InvalidRequest));
    }

    #[test]
    fn a_public_client_shows_nothing_and_a_confidential_one_may_not() {
        let _shows = crate::shows!(accepting "TK-05");
        assert_eq!(tried(None, Some("a"), None, "none"), Ok(()));
        assert_eq!(
            tried(None, Some("a"), Some("s%c r+t"), "none"),
            Err(Code::InvalidClient)
        );
        assert_eq!(
            tried(None, Some("a"), None, "client_secret"),
            Err(Code::InvalidClient)
        );
    }

    #[test]
    fn an_unknown_client_is_refused_in_the_same_words() {
        let credentials = Credentials::read(None, Some("nobody"), Some("x")).expect("readable");
        assert_eq!(authenticate(&credentials, None, &[]), Err(UNAUTHENTICATED));
    }
}

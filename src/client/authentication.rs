//! How a client proves who it is (RFC 6749 §2.3, OpenID Connect Core §9).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use rustls_pki_types::CertificateDer;
use thiserror::Error;

use super::Client;
use super::assertion::{self, Audience};
use super::certificate::Presented;
use super::method::{Authentication, Method};
use super::mistake::Reason;
use crate::clock::Timestamp;
use crate::error::{Code, Refusal};
use crate::id::ClientId;
use crate::jose::jwks::Jwks;
use crate::jose::jwt::{self, Once};
use crate::secret::{Digest, Kind};

/// The kind of a client's secret. It need not be one of ours by shape: an operator may bring their own.
pub enum ClientSecret {}

impl Kind for ClientSecret {
    const PREFIX: &'static str = "cs_";
}

/// What a request says of the client that sends it, where it may stand.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sent<'a> {
    /// The header `Authorization`.
    pub authorization: Option<&'a str>,
    /// Members of the form.
    pub client_id: Option<&'a str>,
    /// RFC 6749 §2.3.1.
    pub client_secret: Option<&'a str>,
    /// RFC 7521 §4.2.
    pub client_assertion_type: Option<&'a str>,
    /// RFC 7521 §4.2.
    pub client_assertion: Option<&'a str>,
    /// The certificate of the connection.
    pub certificate: Option<&'a Presented>,
}

/// Who a request says that it comes from, and what it shows for it.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Who it says it is.
    pub client_id: ClientId,
    /// What it shows for it.
    pub proof: Proof,
    /// The certificate of its connection, which shows something for clients that go by it.
    pub certificate: Option<Presented>,
}

/// What a client shows in a request.
#[derive(Clone, Debug)]
pub enum Proof {
    /// Nothing: only a `client_id` (RFC 6749 §3.2.1).
    Nothing,
    /// Its secret.
    Secret {
        /// Where it stood.
        by: Method,
        /// In one or both readings that the header allows: as it stands and, as RFC 6749 §2.3.1 has
        /// it, form-urlencoded. In the form there is only one.
        readings: Vec<Digest<ClientSecret>>,
    },
    /// What it signed (RFC 7521 §4.2).
    Assertion(String),
}

/// Why a client did not authenticate. For our log: clients learn nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Mistake {
    /// Nobody has that name.
    #[error("an unknown client")]
    Unknown,
    /// RFC 7591 §2, `token_endpoint_auth_method`.
    #[error("another method than registered")]
    Method,
    /// RFC 6749 §2.3.1.
    #[error("a wrong secret")]
    Secret,
    /// RFC 7523 §3.
    #[error("its assertion: {0}")]
    Assertion(#[from] assertion::Mistake),
    /// An assertion that was used before.
    #[error("its assertion: it was used before")]
    Replayed,
    /// RFC 8705 §2.
    #[error("no certificate, or one that is not the client's")]
    Certificate,
}

/// One text for every failure, whether the client exists or not.
const UNAUTHENTICATED: Refusal = Refusal::new(
    Code::InvalidClient,
    "client authentication failed: unknown client, another method than registered, or a secret, assertion or certificate that does not hold",
);

impl From<Mistake> for Refusal {
    fn from(mistake: Mistake) -> Refusal {
        UNAUTHENTICATED.because(match mistake {
            Mistake::Unknown => Reason::ClientIdUnknown,
            Mistake::Method => Reason::AuthenticationMethod,
            Mistake::Secret => Reason::SecretWrong,
            Mistake::Assertion(assertion::Mistake::Signature) => Reason::AssertionSignature,
            Mistake::Assertion(assertion::Mistake::Algorithm) => Reason::AssertionAlgorithm,
            Mistake::Assertion(assertion::Mistake::Kind) => Reason::AssertionTyp,
            Mistake::Assertion(assertion::Mistake::Subject) => Reason::AssertionSubject,
            Mistake::Assertion(assertion::Mistake::Audience) => Reason::AssertionAudience,
            Mistake::Assertion(assertion::Mistake::Times) => Reason::AssertionTimes,
            Mistake::Assertion(assertion::Mistake::Jti) => Reason::AssertionJti,
            Mistake::Replayed => Reason::AssertionReplayed,
            Mistake::Certificate => Reason::CertificateOther,
        })
    }
}

impl Credentials {
    /// RFC 6749 §2.3.1, RFC 7521 §4.2. A client may use one method in a request, not two (RFC 6749
    /// §2.3). A certificate is none by itself: others may come over such a connection too.
    pub fn read(sent: Sent<'_>) -> Result<Credentials, Refusal> {
        let in_form = sent.client_secret.is_some();
        let asserts = sent.client_assertion.is_some() || sent.client_assertion_type.is_some();
        match (sent.authorization, in_form, asserts) {
            (Some(header), false, false) => Credentials::in_header(header, sent),
            (None, false, true) => Credentials::asserted(sent),
            (None, _, false) => {
                let client_id = sent.client_id.ok_or(
                    Refusal::new(Code::InvalidClient, "no client authentication was sent")
                        .because(Reason::AuthenticationMissing),
                )?;
                let client_id = ClientId::parse(client_id).ok_or(Mistake::Unknown)?;
                let proof = sent.client_secret.map(|secret| Proof::Secret {
                    by: Method::ClientSecretPost,
                    readings: vec![Digest::of(secret)],
                });
                Ok(sent.credentials(client_id, proof.unwrap_or(Proof::Nothing)))
            }
            _ => Err(Refusal::new(
                Code::InvalidRequest,
                "the client authenticates in two ways at once",
            )
            .because(Reason::AuthenticationTwice)),
        }
    }

    /// Whether somebody who does not know could hit upon it.
    pub fn is_guess(&self) -> bool {
        matches!(self.proof, Proof::Secret { .. })
    }

    /// Whether a client that goes by its keys holds one of these, as far as it shows.
    pub fn fit(&self, keys: &Jwks, now: Timestamp) -> bool {
        match &self.proof {
            Proof::Assertion(token) => keys.verify(token, None).is_some(),
            _ => {
                let certificate = self.certificate.as_ref();
                certificate.is_some_and(|shown| shown.is_registered(keys, now))
            }
        }
    }

    fn in_header(header: &str, sent: Sent<'_>) -> Result<Credentials, Refusal> {
        let (client_id, proof) = Credentials::basic(header).ok_or(
            Refusal::new(
                Code::InvalidClient,
                "the Authorization header is not valid Basic",
            )
            .because(Reason::BasicMalformed),
        )?;
        match sent.client_id {
            Some(id) if id != client_id.as_str() => Err(Refusal::new(
                Code::InvalidRequest,
                "client_id differs from the one in the Authorization header",
            )
            .because(Reason::ClientIdDiffers)),
            _ => Ok(sent.credentials(client_id, proof)),
        }
    }

    /// RFC 7523 §3: without `client_id`, the client is who the assertion is about. It is verified
    /// when the client's keys are known.
    fn asserted(sent: Sent<'_>) -> Result<Credentials, Refusal> {
        let token = match (sent.client_assertion_type, sent.client_assertion) {
            (Some(assertion::TYPE), Some(token)) => token,
            _ => return Err(UNAUTHENTICATED.because(Reason::AssertionMalformed)),
        };
        let about = jwt::unverified_claims(token);
        let about = about
            .as_ref()
            .and_then(|claims| claims.get("sub")?.as_str());
        let client_id = sent.client_id.or(about).and_then(ClientId::parse);
        let client_id = client_id.ok_or(UNAUTHENTICATED.because(Reason::AssertionMalformed))?;
        Ok(sent.credentials(client_id, Proof::Assertion(token.to_owned())))
    }

    fn basic(header: &str) -> Option<(ClientId, Proof)> {
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
        let client_id = ClientId::parse(&form_decoded(id)?).or_else(|| ClientId::parse(id))?;
        let by = Method::ClientSecretBasic;
        Some((client_id, Proof::Secret { by, readings }))
    }
}

impl Sent<'_> {
    fn credentials(self, client_id: ClientId, proof: Proof) -> Credentials {
        Credentials {
            client_id,
            proof,
            certificate: self.certificate.cloned(),
        }
    }
}

/// RFC 6749 §2.3.1, Appendix B: a part of a header `Authorization` as a form has it.
pub fn form_decoded(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8().ok()?;
    Some(decoded.into_owned())
}

/// What a proof is measured by, besides the client's registration.
#[derive(Clone, Copy, Debug)]
pub struct Measure<'a> {
    /// The digests of the client's secrets that are alive.
    pub secrets: &'a [Digest<ClientSecret>],
    /// What an assertion may be meant for.
    pub audience: &'a Audience,
    /// Who issues certificates to clients.
    pub authorities: &'a [CertificateDer<'static>],
    /// The time.
    pub now: Timestamp,
}

/// Checks what was shown against what is registered. What may be shown once comes back with its name:
/// the client has authenticated when that was not used before.
pub fn authenticate(
    credentials: &Credentials,
    client: Option<Client>,
    by: Measure<'_>,
) -> Result<(Client, Option<Once>), Mistake> {
    let client = client.ok_or(Mistake::Unknown)?;
    let once = check(credentials, &client, by)?;
    Ok((client, once))
}

fn check(
    credentials: &Credentials,
    client: &Client,
    by: Measure<'_>,
) -> Result<Option<Once>, Mistake> {
    let metadata = &client.metadata;
    let registered = metadata.token_endpoint_auth;
    let certificate = credentials.certificate.as_ref();
    let holds = |does: bool, mistake| does.then_some(None).ok_or(mistake);
    if !metadata.profile.takes(registered) {
        return Err(Mistake::Method);
    }
    match (&credentials.proof, registered) {
        (Proof::Secret { by: way, readings }, _) if registered.takes(*way) => {
            // Every pair is compared, so that the time taken tells nothing of the first match.
            let matches = by
                .secrets
                .iter()
                .flat_map(|alive| readings.iter().map(move |shown| alive == shown))
                .fold(false, |any, this| any | this);
            holds(matches, Mistake::Secret)
        }
        (Proof::Assertion(token), Authentication::PrivateKeyJwt) => {
            Ok(Some(assertion::verify(token, client, by.audience, by.now)?))
        }
        (Proof::Nothing, Authentication::TlsClientAuth) => {
            let known = certificate.zip(metadata.tls_client_auth.as_ref());
            let is_its =
                known.is_some_and(|(shown, subject)| shown.names(subject, by.authorities, by.now));
            holds(is_its, Mistake::Certificate)
        }
        (Proof::Nothing, Authentication::SelfSignedTlsClientAuth) => {
            let known = certificate.zip(metadata.jwks.as_ref());
            let is_its = known.is_some_and(|(shown, keys)| shown.is_registered(keys, by.now));
            holds(is_its, Mistake::Certificate)
        }
        (Proof::Nothing, Authentication::None) => Ok(None),
        _ => Err(Mistake::Method),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Profile;
    use crate::testing::Signer;
    use serde_json::json;

    fn basic(text: &str) -> String {
        format!("Basic {}", STANDARD.encode(text))
    }

    fn client(auth: &str, jwks: &serde_json::Value) -> Client {
        let mut metadata = json!({
            "client_name": "A", "redirect_uris": ["https://a.example/cb"],
            "token_endpoint_auth": auth, "jwks": jwks,
        });
        if auth == "tls_client_auth" {
            metadata["tls_client_auth"] = json!({"san_dns": "a.example"});
        }
        Client {
            client_id: ClientId::parse("a").expect("an id"),
            sector: "a.example".into(),
            metadata: serde_json::from_value(metadata).expect("metadata"),
        }
    }

    const NOW: Timestamp = Timestamp(1_000_000);
    const SECRET: &str = "s%c r+t";

    /// Tries a request on a client, or where there is none; says what goes over the wire.
    fn shown(sent: Sent<'_>, client: Option<Client>) -> Result<(), Refusal> {
        let told = |refusal: Refusal| Refusal::new(refusal.code, refusal.description);
        looked_at(sent, client).map_err(told)
    }

    fn looked_at(sent: Sent<'_>, client: Option<Client>) -> Result<(), Refusal> {
        let credentials = Credentials::read(sent)?;
        let measure = Measure {
            secrets: &[Digest::of(SECRET)],
            audience: &Audience {
                issuer: "https://op.example".to_owned(),
                endpoints: Vec::new(),
            },
            authorities: &[],
            now: NOW,
        };
        authenticate(&credentials, client, measure)?;
        Ok(())
    }

    /// The same on the client `a`, which is registered for a method.
    fn tried(sent: Sent<'_>, auth: &str, jwks: &serde_json::Value) -> Result<(), Refusal> {
        shown(sent, Some(client(auth, jwks)))
    }

    fn by_secret(
        header: Option<&str>,
        id: Option<&str>,
        secret: Option<&str>,
        auth: &str,
    ) -> Result<(), Code> {
        let sent = Sent {
            authorization: header,
            client_id: id,
            client_secret: secret,
            ..Sent::default()
        };
        tried(sent, auth, &json!(null)).map_err(|refusal| refusal.code)
    }

    #[test]
    fn a_secret_is_taken_from_the_header_raw_or_form_encoded_and_from_the_form() {
        let _shows = crate::shows!(accepting "TK-06", refusing "TK-06");
        let right = [
            (Some(basic("a:s%c r+t")), None, None),
            (Some(basic("a:s%25c+r%2Bt")), Some("a"), None),
            (None, Some("a"), Some(SECRET)),
        ];
        for (header, id, secret) in right {
            let got = by_secret(header.as_deref(), id, secret, "client_secret");
            assert_eq!(got, Ok(()));
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
            let got = by_secret(header.as_deref(), id, secret, "client_secret");
            assert_eq!(got, Err(Code::InvalidClient), "{header:?}");
        }
    }

    #[test]
    fn one_method_at_a_time_and_one_client() {
        let _shows = crate::shows!(refusing "TK-05", refusing "O10");
        let header = basic("a:s%c r+t");
        let both = by_secret(Some(&header), Some("a"), Some(SECRET), "client_secret");
        assert_eq!(both, Err(Code::InvalidRequest));
        let two = by_secret(Some(&header), Some("b"), None, "client_secret");
        assert_eq!(two, Err(Code::InvalidRequest));
        let asserts = Sent {
            client_id: Some("a"),
            client_assertion_type: Some(assertion::TYPE),
            client_assertion: Some("x.y.z"),
            ..Sent::default()
        };
        let in_header = Sent {
            authorization: Some(&header),
            ..asserts
        };
        let in_form = Sent {
            client_secret: Some(SECRET),
            ..asserts
        };
        for sent in [in_header, in_form] {
            let refused = tried(sent, "client_secret", &json!(null)).map_err(|r| r.code);
            assert_eq!(refused, Err(Code::InvalidRequest), "{sent:?}");
        }
    }

    #[test]
    fn the_method_is_the_one_that_is_registered() {
        let _shows =
            crate::shows!(accepting "TK-05", refusing "TK-05", accepting "O10", refusing "O10");
        let signer = Signer::new();
        let jwks = signer.jwks();
        let claims = json!({"iss": "a", "sub": "a", "aud": "https://op.example",
            "exp": NOW.0 + 60, "jti": "j"});
        let assertion = signer.sign(&json!({"alg": "ES256"}), &claims);
        let header = basic("a:s%c r+t");
        let named = Sent {
            client_id: Some("a"),
            ..Sent::default()
        };
        let ways = [
            (
                "client_secret_basic",
                Sent {
                    authorization: Some(&header),
                    ..Sent::default()
                },
            ),
            (
                "client_secret_post",
                Sent {
                    client_secret: Some(SECRET),
                    ..named
                },
            ),
            (
                "private_key_jwt",
                Sent {
                    client_assertion_type: Some(assertion::TYPE),
                    client_assertion: Some(&assertion),
                    ..named
                },
            ),
            ("none", named),
        ];
        for registered in [
            "client_secret",
            "client_secret_basic",
            "client_secret_post",
            "private_key_jwt",
            "tls_client_auth",
            "self_signed_tls_client_auth",
            "none",
        ] {
            for (way, sent) in ways {
                let taken = way == registered
                    || (registered == "client_secret" && way.starts_with("client_secret_"));
                let expected = if taken { Ok(()) } else { Err(UNAUTHENTICATED) };
                assert_eq!(
                    tried(sent, registered, &jwks),
                    expected,
                    "{registered} {way}"
                );
            }
        }
    }

    #[test]
    fn a_secret_is_nothing_for_a_fapi_client() {
        let _shows = crate::shows!(accepting "TK-11", refusing "TK-11");
        let sent = Sent {
            client_id: Some("a"),
            client_secret: Some(SECRET),
            ..Sent::default()
        };
        let mut client = client("client_secret", &json!(null));
        assert_eq!(shown(sent, Some(client.clone())), Ok(()));
        client.metadata.profile = Profile::Fapi2;
        assert_eq!(shown(sent, Some(client)), Err(UNAUTHENTICATED));
    }

    #[test]
    fn an_assertion_says_itself_whose_it_is_and_what_it_is() {
        let _shows = crate::shows!(accepting "TK-07", refusing "TK-07");
        let signer = Signer::new();
        let signed = |sub: &str| {
            let claims = json!({"iss": sub, "sub": sub, "aud": "https://op.example",
                "exp": NOW.0 + 60, "jti": "j"});
            signer.sign(&json!({"alg": "ES256"}), &claims)
        };
        let (own, others) = (signed("a"), signed("b"));
        let sent = |client_id, client_assertion_type, client_assertion| Sent {
            client_id,
            client_assertion_type,
            client_assertion,
            ..Sent::default()
        };
        let kind = Some(assertion::TYPE);
        let tried = |sent| tried(sent, "private_key_jwt", &signer.jwks());
        assert_eq!(tried(sent(None, kind, Some(&own))), Ok(()));
        assert_eq!(tried(sent(Some("a"), kind, Some(&own))), Ok(()));
        let saml = Some("urn:ietf:params:oauth:client-assertion-type:saml2-bearer");
        for bad in [
            sent(Some("a"), kind, Some(&others)),
            sent(Some("a"), saml, Some(&own)),
            sent(Some("a"), None, Some(&own)),
            sent(Some("a"), kind, None),
            sent(None, kind, Some("x.y.z")),
            sent(None, kind, Some("")),
        ] {
            assert_eq!(tried(bad), Err(UNAUTHENTICATED), "{bad:?}");
        }
    }

    #[test]
    fn an_unknown_client_is_refused_in_the_same_words() {
        let sent = Sent {
            client_id: Some("nobody"),
            client_secret: Some("x"),
            ..Sent::default()
        };
        assert_eq!(shown(sent, None), Err(UNAUTHENTICATED));
    }

    #[test]
    fn why_is_known_here_and_told_to_nobody() {
        let _shows = crate::shows!(refusing "PV-WHY-6");
        let sent = |client_secret| Sent {
            client_id: Some("a"),
            client_secret,
            ..Sent::default()
        };
        let known = |auth: &str| Some(client(auth, &json!(null)));
        for (secret, client, reason) in [
            (Some("x"), None, Reason::ClientIdUnknown),
            (Some("x"), known("client_secret"), Reason::SecretWrong),
            (None, known("client_secret"), Reason::AuthenticationMethod),
            (Some("x"), known("none"), Reason::AuthenticationMethod),
            (None, known("tls_client_auth"), Reason::CertificateOther),
        ] {
            let refused = looked_at(sent(secret), client.clone());
            assert_eq!(refused, Err(UNAUTHENTICATED.because(reason)));
            assert_eq!(shown(sent(secret), client), Err(UNAUTHENTICATED));
        }
    }
}

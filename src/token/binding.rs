//! What a token is worth nothing without (RFC 7800): a key that its client proves to have in each request
//! (RFC 9449), or the certificate of its client's connection (RFC 8705 §3).

use serde::{Deserialize, Serialize};

use super::dpop::{MISSING, Proof};
use crate::client::mistake::Reason;
use crate::client::{Metadata, Profile};
use crate::error::{Code, Refusal};
use crate::jose::jwks::Thumbprint;

/// What an access token is bound to, as RFC 7800 §3.1 writes it for whoever is sent the token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Binding {
    /// A key (RFC 9449 §6.1).
    #[serde(rename = "jkt")]
    Key(Thumbprint),
    /// A certificate (RFC 8705 §3.1).
    #[serde(rename = "x5t#S256")]
    Certificate(Thumbprint),
}

const NO_CERTIFICATE: Refusal = Refusal::new(
    Code::InvalidRequest,
    "no certificate was shown, and this client's tokens are bound to one: call the endpoint of mtls_endpoint_aliases",
).because(Reason::BindingCertificateMissing);

const BY_CERTIFICATE: Refusal = Refusal::new(
    Code::InvalidDpopProof,
    "this client's tokens are bound to its certificate, and not to a key: send no proof",
)
.because(Reason::BindingProofUnexpected);

/// RFC 9449 §5, RFC 8705 §3, FAPI 2.0 §5.3.2.1: what a client's tokens are bound to, by what came with
/// its request. `certificate` is the one of the connection.
pub fn of_request(
    client: &Metadata,
    proof: Option<&Proof>,
    certificate: Option<Thumbprint>,
) -> Result<Option<Binding>, Refusal> {
    let by_certificate = client.tls_client_certificate_bound_access_tokens;
    match (proof, certificate) {
        // Whoever sends one believes that it gets what is bound to it (RFC 9449 §5).
        (Some(_), _) if by_certificate => Err(BY_CERTIFICATE),
        (None, Some(certificate)) if by_certificate => Ok(Some(Binding::Certificate(certificate))),
        (None, None) if by_certificate => Err(NO_CERTIFICATE),
        (Some(proof), _) => Ok(Some(Binding::Key(proof.key.clone()))),
        (None, _) if client.dpop_bound_access_tokens => Err(MISSING),
        (None, Some(certificate)) if client.profile == Profile::Fapi2 => {
            Ok(Some(Binding::Certificate(certificate)))
        }
        (None, None) if client.profile == Profile::Fapi2 => Err(MISSING),
        (None, _) => Ok(None),
    }
}

/// RFC 6750 §4, RFC 9449 §5, RFC 8705 §3: by which scheme an access token is sent.
pub fn token_type(binding: Option<&Binding>) -> &'static str {
    match binding {
        Some(Binding::Key(_)) => "DPoP",
        Some(Binding::Certificate(_)) | None => "Bearer",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::jose::jwt::Once;
    use crate::secret::Digest;
    use crate::token::grant::tests::client;
    use serde_json::{Value, json};

    #[test]
    fn tokens_are_bound_as_the_client_is_registered_and_by_what_it_shows() {
        let _shows = crate::shows!(accepting "TK-20", refusing "TK-20", accepting "TK-23");
        let thumbprint = |fill: u8| Thumbprint::of(&[fill]);
        let proof = Proof {
            key: thumbprint(1),
            once: Once {
                jti: Digest::of("a"),
                expires_at: Timestamp(0),
                unused_before: Timestamp(0),
            },
        };
        let key = || Ok(Some(Binding::Key(thumbprint(1))));
        let certificate = || Ok(Some(Binding::Certificate(thumbprint(2))));
        // With nothing, with a certificate, with a proof, with both.
        for (registered, expected) in [
            (json!({}), [Ok(None), Ok(None), key(), key()]),
            (
                json!({"dpop_bound_access_tokens": true}),
                [Err(MISSING), Err(MISSING), key(), key()],
            ),
            (
                json!({"tls_client_certificate_bound_access_tokens": true}),
                [
                    Err(NO_CERTIFICATE),
                    certificate(),
                    Err(BY_CERTIFICATE),
                    Err(BY_CERTIFICATE),
                ],
            ),
            (
                json!({"profile": "fapi2"}),
                [Err(MISSING), certificate(), key(), key()],
            ),
            (
                json!({"profile": "fapi2", "dpop_bound_access_tokens": true}),
                [Err(MISSING), Err(MISSING), key(), key()],
            ),
        ] {
            let client = client("a", registered.clone()).metadata;
            let told = [
                of_request(&client, None, None),
                of_request(&client, None, Some(thumbprint(2))),
                of_request(&client, Some(&proof), None),
                of_request(&client, Some(&proof), Some(thumbprint(2))),
            ];
            assert_eq!(told, expected, "{registered}");
        }
        let named = [NO_CERTIFICATE, BY_CERTIFICATE].map(|refusal| refusal.reason);
        let missing = Some(Reason::BindingCertificateMissing);
        assert_eq!(named, [missing, Some(Reason::BindingProofUnexpected)]);
    }

    #[test]
    fn a_binding_is_written_as_resource_servers_read_it() {
        let _shows = crate::shows!(accepting "IN-03");
        // RFC 8705 §3.1, RFC 9449 §6.1.
        let thumbprint = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
        let parsed = Thumbprint::parse(thumbprint).expect("a thumbprint");
        for (binding, written, scheme) in [
            (
                Binding::Key(parsed.clone()),
                json!({"jkt": thumbprint}),
                "DPoP",
            ),
            (
                Binding::Certificate(parsed),
                json!({"x5t#S256": thumbprint}),
                "Bearer",
            ),
        ] {
            let value: Value = serde_json::to_value(&binding).expect("JSON");
            assert_eq!(value, written);
            assert_eq!(
                serde_json::from_value::<Binding>(value).expect("one"),
                binding
            );
            assert_eq!(token_type(Some(&binding)), scheme);
        }
        assert_eq!(token_type(None), "Bearer");
    }
}

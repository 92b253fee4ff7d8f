//! `private_key_jwt`: a client proves who it is by what it signed (RFC 7523 §3, OpenID Connect Core §9).

use serde_json::Value;
use thiserror::Error;

use super::Client;
use crate::clock::Timestamp;
use crate::jose::jwt::{AHEAD, Once, Times};

/// The one kind of assertion that is taken (RFC 7523 §2.2).
pub const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What an assertion may say that it is meant for.
#[derive(Clone, Debug)]
pub struct Audience {
    /// This provider.
    pub issuer: String,
    /// Those of its endpoints whose addresses clients took for its name before FAPI 2.0.
    pub endpoints: Vec<String>,
}

/// What is wrong with an assertion. For our log: clients learn only that they did not authenticate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Mistake {
    /// None of the client's keys made the signature, or by another algorithm than registered.
    #[error("no registered key verifies it")]
    Signature,
    /// RFC 8725 §3.2.
    #[error("an algorithm that the client's profile does not take")]
    Algorithm,
    /// RFC 8725 §3.11.
    #[error("a token of another kind")]
    Kind,
    /// RFC 7523 §3 (1), (2).
    #[error("iss and sub are not the client")]
    Subject,
    /// RFC 7523 §3 (3).
    #[error("aud is not what the client's profile takes")]
    Audience,
    /// RFC 7523 §3 (4), (5), (6).
    #[error("it has ended, begins later, or is good for too long")]
    Times,
    /// RFC 7523 §3 (7), OpenID Connect Core §9.
    #[error("jti is missing")]
    Jti,
}

/// RFC 7523 §3: an assertion by this client to us, good now. It may be used once, by the name that is
/// returned.
pub fn verify(
    token: &str,
    client: &Client,
    audience: &Audience,
    now: Timestamp,
) -> Result<Once, Mistake> {
    let metadata = &client.metadata;
    let signed = metadata
        .jwks
        .as_ref()
        .and_then(|keys| keys.verify(token, metadata.token_endpoint_auth_signing_alg))
        .ok_or(Mistake::Signature)?;
    if !metadata.profile.takes_algorithm(signed.algorithm) {
        return Err(Mistake::Algorithm);
    }
    if !signed.is_of_kind("client-authentication+jwt") {
        return Err(Mistake::Kind);
    }
    let is_client = |name: &str| signed.claims.get(name) == Some(&client.client_id.as_str().into());
    if !is_client("iss") || !is_client("sub") {
        return Err(Mistake::Subject);
    }
    let meant_for = signed.claims.get("aud").unwrap_or(&Value::Null);
    if !metadata.profile.takes_audience(meant_for, audience) {
        return Err(Mistake::Audience);
    }
    let times = Times::read(&signed.claims).ok_or(Mistake::Times)?;
    let longest = metadata.profile.longest_assertion();
    if !times.hold(now) || times.expires_at > now + longest + AHEAD {
        return Err(Mistake::Times);
    }
    times.once(&signed.claims, longest).ok_or(Mistake::Jti)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ClientId;
    use crate::jose::jwks::ClientAlgorithm;
    use crate::testing::Signer;
    use serde_json::json;

    const NOW: Timestamp = Timestamp(1_000_000);
    const ISSUER: &str = "https://op.example";

    fn audience() -> Audience {
        Audience {
            issuer: ISSUER.to_owned(),
            endpoints: vec![format!("{ISSUER}/token"), format!("{ISSUER}/par")],
        }
    }

    fn client(signer: &Signer, more: Value) -> Client {
        let mut metadata = json!({
            "client_name": "A", "redirect_uris": ["https://a.example/cb"],
            "token_endpoint_auth": "private_key_jwt", "jwks": signer.jwks(),
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

    /// What a good assertion says, with changes: null leaves out.
    fn claims(changes: &Value) -> Value {
        let mut claims = json!({
            "iss": "a", "sub": "a", "aud": ISSUER, "iat": NOW.0, "exp": NOW.0 + 60, "jti": "j",
        });
        let members = claims.as_object_mut().expect("an object");
        for (name, value) in changes.as_object().into_iter().flatten() {
            match value {
                Value::Null => members.remove(name),
                value => members.insert(name.clone(), value.clone()),
            };
        }
        claims
    }

    #[test]
    fn an_assertion_is_the_clients_own_to_us_and_in_time() {
        let _shows = crate::shows!(accepting "TK-07", refusing "TK-07", accepting "TK-08", refusing "TK-08",
            accepting "TK-09", refusing "TK-09", accepting "TK-10", refusing "TK-10", accepting "O7", refusing "O7");
        let signer = Signer::new();
        let standard = client(&signer, json!({}));
        let fapi = client(&signer, json!({"profile": "fapi2"}));
        let at = |seconds: i64| json!(NOW.0 + seconds);
        let token_endpoint = format!("{ISSUER}/token");
        use Mistake::{Audience, Jti, Subject, Times};
        let good = (None, None);
        let bad = |mistake| (Some(mistake), Some(mistake));
        for (changes, expected) in [
            (json!({}), good),
            (json!({"iat": null}), good),
            (json!({"iat": at(8), "nbf": at(8)}), good),
            (json!({"iat": at(10), "nbf": at(10)}), good),
            (json!({"iat": at(61)}), bad(Times)),
            (json!({"nbf": at(61)}), bad(Times)),
            (json!({"nbf": "now"}), bad(Times)),
            (json!({"iat": "now"}), bad(Times)),
            (json!({"iat": at(-3600)}), good),
            (json!({"exp": at(1)}), good),
            (json!({"exp": at(0)}), bad(Times)),
            (json!({"exp": at(-1)}), bad(Times)),
            (json!({"exp": null}), bad(Times)),
            (json!({"exp": "later"}), bad(Times)),
            (json!({"exp": at(600)}), good),
            (json!({"exp": at(611)}), (None, Some(Times))),
            (json!({"exp": at(3600)}), (None, Some(Times))),
            (json!({"exp": at(3611)}), bad(Times)),
            (json!({"iss": "b"}), bad(Subject)),
            (json!({"iss": null}), bad(Subject)),
            (json!({"sub": "b"}), bad(Subject)),
            (json!({"sub": null}), bad(Subject)),
            (json!({"sub": ["a"]}), bad(Subject)),
            (json!({"jti": null}), bad(Jti)),
            (json!({"jti": ""}), bad(Jti)),
            (json!({"jti": 7}), bad(Jti)),
            (json!({"aud": null}), bad(Audience)),
            (json!({"aud": ""}), bad(Audience)),
            (json!({"aud": format!("{ISSUER}/")}), bad(Audience)),
            (json!({"aud": "https://evil.example"}), bad(Audience)),
            (json!({"aud": format!("{ISSUER}/userinfo")}), bad(Audience)),
            (json!({"aud": {"issuer": ISSUER}}), bad(Audience)),
            (json!({"aud": []}), bad(Audience)),
            (json!({"aud": token_endpoint}), (None, Some(Audience))),
            (
                json!({"aud": format!("{ISSUER}/par")}),
                (None, Some(Audience)),
            ),
            (json!({"aud": [ISSUER]}), (None, Some(Audience))),
            (
                json!({"aud": [ISSUER, token_endpoint]}),
                (None, Some(Audience)),
            ),
            // What was made for somebody else too may come from them.
            (
                json!({"aud": [ISSUER, "https://evil.example"]}),
                bad(Audience),
            ),
        ] {
            let token = signer.sign(&json!({"alg": "ES256"}), &claims(&changes));
            let tried = |client: &Client| verify(&token, client, &audience(), NOW).err();
            assert_eq!((tried(&standard), tried(&fapi)), expected, "{changes}");
        }
    }

    #[test]
    fn the_algorithm_is_the_keys_the_clients_and_the_profiles() {
        let _shows = crate::shows!(accepting "JK-07", refusing "JK-07", accepting "JK-08", refusing "JK-08",
            accepting "O6", refusing "O6", refusing "TK-07");
        let (signer, other) = (Signer::new(), Signer::new());
        let tried = |client: &Client, token: &str| verify(token, client, &audience(), NOW).err();
        let standard = client(&signer, json!({}));
        let fapi = client(&signer, json!({"profile": "fapi2"}));
        for algorithm in ClientAlgorithm::ALL {
            let alg = algorithm.as_str();
            let token = signer.sign(&json!({"alg": alg}), &claims(&json!({})));
            assert_eq!(tried(&standard, &token), None, "{alg}");
            let taken = ["PS256", "ES256", "EdDSA"].contains(&alg);
            let expected = (!taken).then_some(Mistake::Algorithm);
            assert_eq!(tried(&fapi, &token), expected, "{alg}");
            for only in ClientAlgorithm::ALL {
                let pinned = json!({"token_endpoint_auth_signing_alg": only.as_str()});
                let expected = (only != algorithm).then_some(Mistake::Signature);
                assert_eq!(tried(&client(&signer, pinned), &token), expected, "{alg}");
            }
            let forged = other.sign(&json!({"alg": alg}), &claims(&json!({})));
            assert_eq!(tried(&standard, &forged), Some(Mistake::Signature));
        }
        for alg in ["none", "HS256", "HS512", "RS512", ""] {
            let token = signer.sign(&json!({"alg": alg}), &claims(&json!({})));
            assert_eq!(tried(&standard, &token), Some(Mistake::Signature), "{alg}");
        }
        for token in ["", ".", "..", "a.b.c", "a.b.c.d.e"] {
            assert_eq!(tried(&standard, token), Some(Mistake::Signature));
        }
        let mut keyless = client(&signer, json!({}));
        keyless.metadata.jwks = None;
        let token = signer.sign(&json!({"alg": "ES256"}), &claims(&json!({})));
        assert_eq!(tried(&keyless, &token), Some(Mistake::Signature));
    }

    #[test]
    fn a_token_of_another_kind_is_no_assertion() {
        let _shows = crate::shows!(accepting "GE-04", refusing "GE-04", accepting "TK-07");
        let signer = Signer::new();
        let client = client(&signer, json!({}));
        let tried = |typ: Value| {
            let token = signer.sign(&json!({"alg": "ES256", "typ": typ}), &claims(&json!({})));
            verify(&token, &client, &audience(), NOW).err()
        };
        for typ in [
            "JWT",
            "jwt",
            "client-authentication+jwt",
            "application/client-authentication+jwt",
        ] {
            assert_eq!(tried(json!(typ)), None, "{typ}");
        }
        for typ in [
            json!("oauth-authz-req+jwt"),
            json!("dpop+jwt"),
            json!("at+jwt"),
            json!("logout+jwt"),
            json!("token-introspection+jwt"),
            json!(""),
            json!(1),
            json!(null),
        ] {
            assert_eq!(tried(typ.clone()), Some(Mistake::Kind), "{typ}");
        }
    }
}

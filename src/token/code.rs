//! Authorization codes: issued once, exchanged once (RFC 6749 §4.1.2–3, OpenID Connect Core
//! §3.1.3).

use super::dpop::{self, Proof};
use super::grant::Grant;
use crate::authorize::pkce::{self, Challenge, Misfit};
use crate::authorize::request::AuthorizationRequest;
use crate::client::mistake::Reason;
use crate::clock::{Seconds, Timestamp};
use crate::error::{Code, Refusal};
use crate::jose::jwks::Thumbprint;
use crate::jose::jwt::Once;
use crate::random::Random;
use crate::secret::{Digest, Secret, kind as secret};

/// How long a code may be on its way.
pub const LIFETIME: Seconds = Seconds(60);

/// A fresh code with its grant, to be stored.
#[derive(Debug)]
pub struct Issued {
    /// The code, for the redirect.
    pub code: Secret<secret::Code>,
    /// What it stands for.
    pub grant: Grant,
    /// Where it is sent.
    pub redirect_uri: String,
    /// The PKCE challenge that it is bound to.
    pub challenge: Option<Challenge>,
    /// The key that it is bound to (RFC 9449 §10).
    pub dpop_jkt: Option<Thumbprint>,
    /// Its end.
    pub expires_at: Timestamp,
    /// The pushed request that it answers, spent in the same commit.
    pub pushed: Option<Digest<secret::PushedRequest>>,
    /// The name of the signed request that it answers, spent in the same way.
    pub once: Option<Once>,
}

impl Issued {
    /// A code for a grant, bound to the request that it answers.
    pub fn new(
        grant: Grant,
        request: &AuthorizationRequest,
        random: &Random,
        now: Timestamp,
    ) -> Issued {
        Issued {
            code: Secret::fresh(random),
            grant,
            redirect_uri: request.return_address.as_str().to_owned(),
            challenge: request.challenge.clone(),
            dpop_jkt: request.dpop_jkt.clone(),
            expires_at: now + LIFETIME,
            pushed: request.pushed,
            once: request.once,
        }
    }

    /// What is stored of it, before anybody shows it.
    pub fn record(&self) -> CodeRecord {
        CodeRecord {
            redirect_uri: self.redirect_uri.clone(),
            challenge: self.challenge.clone(),
            dpop_jkt: self.dpop_jkt.clone(),
            expires_at: self.expires_at,
            is_used: false,
            grant: self.grant.clone(),
        }
    }
}

/// A code as it is stored, with its grant.
#[derive(Debug)]
pub struct CodeRecord {
    /// Where it was sent.
    pub redirect_uri: String,
    /// The PKCE challenge that it is bound to.
    pub challenge: Option<Challenge>,
    /// The key that it is bound to.
    pub dpop_jkt: Option<Thumbprint>,
    /// Its end.
    pub expires_at: Timestamp,
    /// Whether it was exchanged, or burnt, before.
    pub is_used: bool,
    /// What it stands for.
    pub grant: Grant,
}

/// What a token request says of the code.
#[derive(Clone, Copy, Debug)]
pub struct Redemption<'a> {
    /// The redirect URI, repeated (RFC 6749 §4.1.3).
    pub redirect_uri: Option<&'a str>,
    /// The PKCE verifier.
    pub code_verifier: Option<&'a str>,
    /// The proof of possession that came with it.
    pub proof: Option<&'a Proof>,
}

/// A code that is not exchanged, and what follows from that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// For the client.
    pub refusal: Refusal,
    /// For the database.
    pub consequence: Consequence,
}

/// What follows from a code that is not exchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consequence {
    /// Nothing: there is nothing to protect.
    Nothing,
    /// The code is spent: its client asked for it and does not know what belongs to it, so that
    /// it was stolen or mixed up.
    BurnCode,
    /// The grant ends, with all that came of it: the code was shown before (RFC 6749 §4.1.2).
    EndGrant,
}

/// RFC 6749 §4.1.3, RFC 7636 §4.6. The client is authenticated and the code is one of its own.
pub fn exchange<'r>(
    record: Option<&'r CodeRecord>,
    redemption: Redemption<'_>,
    now: Timestamp,
) -> Result<&'r Grant, Rejected> {
    let rejected = |description, reason, consequence| Rejected {
        refusal: Refusal::new(Code::InvalidGrant, description).because(reason),
        consequence,
    };
    let record = record.ok_or(rejected(
        "the code is unknown, or another client's",
        Reason::CodeUnknown,
        Consequence::Nothing,
    ))?;
    if record.is_used {
        return Err(rejected(
            "the code was used before",
            Reason::CodeUsed,
            Consequence::EndGrant,
        ));
    }
    if record.grant.has_ended || now >= record.expires_at {
        return Err(rejected(
            "the code has expired",
            Reason::CodeExpired,
            Consequence::Nothing,
        ));
    }
    if redemption.redirect_uri != Some(record.redirect_uri.as_str()) {
        return Err(rejected(
            "redirect_uri is not the one that the code was sent to",
            Reason::CodeRedirectUriOther,
            Consequence::BurnCode,
        ));
    }
    // RFC 9449 §10: whoever brings it without the key has it from somewhere.
    dpop::is_bound(record.dpop_jkt.as_ref(), redemption.proof).map_err(|refusal| Rejected {
        refusal,
        consequence: Consequence::BurnCode,
    })?;
    pkce::verify(record.challenge.as_ref(), redemption.code_verifier).map_err(|misfit| {
        let (description, reason) = match misfit {
            Misfit::Missing => ("code_verifier is missing", Reason::VerifierMissing),
            Misfit::Unasked => (
                "code_verifier was sent, but no code_challenge before it",
                Reason::VerifierUnasked,
            ),
            Misfit::Malformed => (
                "code_verifier must be 43 to 128 unreserved characters",
                Reason::VerifierMalformed,
            ),
            Misfit::Wrong => (
                "code_verifier does not fit the code_challenge",
                Reason::VerifierWrong,
            ),
        };
        rejected(description, reason, Consequence::BurnCode)
    })?;
    Ok(&record.grant)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::claims::release::{Identity, Release};
    use crate::id::{ClientId, Id};

    pub const NOW: Timestamp = Timestamp(1000);
    const URI: &str = "https://a.example/cb";
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

    pub fn record() -> CodeRecord {
        let random = Random::seeded(1);
        let data = serde_json::json!({"user":
            {"personalNumber": "191212121212", "name": "T T", "givenName": "T", "surname": "T"}});
        CodeRecord {
            redirect_uri: URI.into(),
            dpop_jkt: None,
            challenge: Challenge::parse("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
            expires_at: NOW + LIFETIME,
            is_used: false,
            grant: Grant {
                id: Id::fresh(&random),
                client_id: ClientId::parse("a").expect("an id"),
                session: Id::fresh(&random),
                subject: "s".into(),
                scope: "openid".into(),
                resources: Default::default(),
                released: Release::default(),
                identity: Identity::of(&serde_json::from_value(data).expect("data")),
                nonce: None,
                auth_time: NOW,
                txn: Id::fresh(&random),
                expires_at: NOW + LIFETIME,
                has_ended: false,
            },
        }
    }

    fn tried(
        record: &CodeRecord,
        uri: Option<&str>,
        verifier: Option<&str>,
        now: Timestamp,
    ) -> Result<(), Consequence> {
        let redemption = Redemption {
            redirect_uri: uri,
            code_verifier: verifier,
            proof: None,
        };
        exchange(Some(record), redemption, now)
            .map(|_| ())
            .map_err(|r| {
                assert_eq!(r.refusal.code, Code::InvalidGrant);
                r.consequence
            })
    }

    #[test]
    fn a_code_is_exchanged_by_whoever_knows_all_that_belongs_to_it() {
        let _shows = crate::shows!(accepting "TK-14", refusing "TK-14", refusing "TK-13");
        let whole = record();
        assert_eq!(tried(&whole, Some(URI), Some(VERIFIER), NOW), Ok(()));
        assert_eq!(
            tried(
                &whole,
                Some(URI),
                Some(VERIFIER),
                NOW + LIFETIME - Seconds(1)
            ),
            Ok(())
        );
        let burnt = Err(Consequence::BurnCode);
        assert_eq!(tried(&whole, None, Some(VERIFIER), NOW), burnt);
        assert_eq!(
            tried(&whole, Some("https://a.example/cb/"), Some(VERIFIER), NOW),
            burnt
        );
        assert_eq!(tried(&whole, Some(URI), None, NOW), burnt);
        assert_eq!(tried(&whole, Some(URI), Some(&"a".repeat(43)), NOW), burnt);
        assert_eq!(
            tried(&whole, Some(URI), Some(VERIFIER), NOW + LIFETIME),
            Err(Consequence::Nothing)
        );
        let redemption = Redemption {
            redirect_uri: Some(URI),
            code_verifier: None,
            proof: None,
        };
        assert_eq!(
            exchange(None, redemption, NOW)
                .map(|_| ())
                .map_err(|r| r.consequence),
            Err(Consequence::Nothing)
        );
    }

    #[test]
    fn a_code_shown_twice_ends_its_grant_even_when_it_is_old() {
        let used = CodeRecord {
            is_used: true,
            ..record()
        };
        assert_eq!(
            tried(&used, Some(URI), Some(VERIFIER), NOW),
            Err(Consequence::EndGrant)
        );
        assert_eq!(
            tried(&used, None, None, NOW + Seconds(3600)),
            Err(Consequence::EndGrant)
        );
    }

    #[test]
    fn a_verifier_without_a_challenge_is_a_downgrade() {
        let plain = CodeRecord {
            challenge: None,
            ..record()
        };
        assert_eq!(tried(&plain, Some(URI), None, NOW), Ok(()));
        assert_eq!(
            tried(&plain, Some(URI), Some(VERIFIER), NOW),
            Err(Consequence::BurnCode)
        );
    }
}

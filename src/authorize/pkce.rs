//! Proof Key for Code Exchange (RFC 7636): S256 only, as RFC 9700 §2.1.1 asks.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::Mistake;
use super::request::Parameters;

/// A code challenge: base64url of a SHA-256 digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge(String);

/// Why a verifier does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misfit {
    /// A challenge was made and no verifier came.
    Missing,
    /// A verifier came though no challenge was made (RFC 9700 §4.8.2).
    Unasked,
    /// Not 43 to 128 unreserved characters (RFC 7636 §4.1).
    Malformed,
    /// The verifier of something else.
    Wrong,
}

impl Challenge {
    /// RFC 7636 §4.2–4.4.1. `None` when the request has no challenge and need not have one.
    pub fn read(raw: &Parameters, required: bool) -> Result<Option<Challenge>, Mistake> {
        match (
            raw.first("code_challenge"),
            raw.first("code_challenge_method"),
        ) {
            (None, None) if required => Err(Mistake::ChallengeMissing),
            (None, None) => Ok(None),
            (Some(challenge), Some("S256")) => Challenge::parse(challenge)
                .map(Some)
                .ok_or(Mistake::ChallengeMalformed),
            (Some(_), _) => Err(Mistake::ChallengeMethod),
            (None, Some(_)) => Err(Mistake::ChallengeMissing),
        }
    }

    /// 43 characters of base64url.
    pub fn parse(text: &str) -> Option<Challenge> {
        let sound = text.len() == 43 && text.bytes().all(is_base64url);
        sound.then(|| Challenge(text.to_owned()))
    }

    /// The challenge as it was sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// RFC 7636 §4.6, RFC 9700 §2.1.1. A verifier must fit the challenge, and there must be one exactly
/// when there was the other. Compares in constant time.
pub fn verify(challenge: Option<&Challenge>, verifier: Option<&str>) -> Result<(), Misfit> {
    let (challenge, verifier) = match (challenge, verifier) {
        (None, None) => return Ok(()),
        (Some(_), None) => return Err(Misfit::Missing),
        (None, Some(_)) => return Err(Misfit::Unasked),
        (Some(challenge), Some(verifier)) => (challenge, verifier),
    };
    if !(43..=128).contains(&verifier.len()) || !verifier.bytes().all(is_unreserved) {
        return Err(Misfit::Malformed);
    }
    let expected = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
    if bool::from(expected.as_bytes().ct_eq(challenge.0.as_bytes())) {
        Ok(())
    } else {
        Err(Misfit::Wrong)
    }
}

fn is_base64url(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'-' || b == b'_'
}

fn is_unreserved(b: u8) -> bool {
    is_base64url(b) || b == b'.' || b == b'~'
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7636 Appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    fn parameters(pairs: &[(&str, &str)]) -> Parameters {
        Parameters::from_pairs(
            pairs
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned())),
        )
    }

    #[test]
    fn the_vector_of_the_rfc_verifies_and_its_neighbours_do_not() {
        let _shows = crate::shows!(accepting "TK-17", refusing "TK-17", refusing "TK-18");
        let challenge = Challenge::parse(CHALLENGE);
        assert_eq!(verify(challenge.as_ref(), Some(VERIFIER)), Ok(()));
        assert_eq!(verify(challenge.as_ref(), None), Err(Misfit::Missing));
        assert_eq!(
            verify(challenge.as_ref(), Some(&VERIFIER[1..])),
            Err(Misfit::Malformed)
        );
        assert_eq!(
            verify(challenge.as_ref(), Some(&"a".repeat(129))),
            Err(Misfit::Malformed)
        );
        assert_eq!(
            verify(challenge.as_ref(), Some(&"å".repeat(30))),
            Err(Misfit::Malformed)
        );
        assert_eq!(
            verify(challenge.as_ref(), Some(&"a".repeat(43))),
            Err(Misfit::Wrong)
        );
        assert_eq!(
            verify(challenge.as_ref(), Some(CHALLENGE)),
            Err(Misfit::Wrong)
        );
        assert_eq!(verify(None, Some(VERIFIER)), Err(Misfit::Unasked));
        assert_eq!(verify(None, None), Ok(()));
    }

    #[test]
    fn of_all_challenges_and_methods_one_pair_is_accepted() {
        let _shows =
            crate::shows!(accepting "AU-17", refusing "AU-17", refusing "O4", accepting "O4");
        let long = format!("{CHALLENGE}A");
        let challenges = [
            None,
            Some(CHALLENGE),
            Some(""),
            Some(&CHALLENGE[1..]),
            Some(&long),
            Some("not base64url!not base64url!not base64url!!!"),
        ];
        let methods = [
            None,
            Some("S256"),
            Some("plain"),
            Some("s256"),
            Some(""),
            Some("S512"),
        ];
        let mut accepted = Vec::new();
        for challenge in challenges {
            for method in methods {
                let mut pairs = Vec::new();
                pairs.extend(challenge.map(|c| ("code_challenge", c)));
                pairs.extend(method.map(|m| ("code_challenge_method", m)));
                if Challenge::read(&parameters(&pairs), true).is_ok() {
                    accepted.push((challenge, method));
                }
            }
        }
        assert_eq!(accepted, [(Some(CHALLENGE), Some("S256"))]);
    }

    #[test]
    fn a_challenge_may_be_left_out_only_where_it_is_not_required() {
        let _shows = crate::shows!(accepting "AU-18", refusing "AU-18");
        assert_eq!(
            Challenge::read(&parameters(&[]), true),
            Err(Mistake::ChallengeMissing)
        );
        assert_eq!(Challenge::read(&parameters(&[]), false), Ok(None));
        let method_alone = parameters(&[("code_challenge_method", "S256")]);
        assert_eq!(
            Challenge::read(&method_alone, false),
            Err(Mistake::ChallengeMissing)
        );
    }
}

//! An access token at a resource of ours (RFC 6750 §2, RFC 9449 §7, RFC 8705 §3): userinfo, and the
//! administration's API.

use super::dpop;
use super::input::Request;
use crate::client::certificate::Presented;
use crate::client::mistake::Reason;
use crate::error::{Code, Error, Refusal};
use crate::provider::Provider;
use crate::token::access_token::{self, AccessRecord};
use crate::token::binding::Binding;
use crate::token::dpop::{Made, is_bound};

/// For a token that is worth nothing.
pub const INVALID_TOKEN: Refusal = Refusal::new(
    Code::InvalidToken,
    "the access token is unknown, expired or revoked",
)
.because(Reason::TokenUnknown);

/// An access token, by how it was shown.
pub enum Shown {
    /// By itself (RFC 6750 §2.1).
    Bearer(String),
    /// With a proof (RFC 9449 §7.1).
    Dpop(String),
}

/// The token of the header `Authorization`.
pub fn shown(request: &Request) -> Result<Option<Shown>, Refusal> {
    let Some(header) = request.authorization()? else {
        return Ok(None);
    };
    match header.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
            Ok(Some(Shown::Bearer(token.trim().to_owned())))
        }
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("dpop") => {
            Ok(Some(Shown::Dpop(token.trim().to_owned())))
        }
        _ => Err(Refusal::new(
            Code::InvalidRequest,
            "the Authorization header is neither Bearer nor DPoP",
        )
        .because(Reason::TokenScheme)),
    }
}

/// What a token stands for, when it is alive and came by the way that it was given for: RFC 9449 §7.1,
/// §7.2, RFC 8705 §3 allow no other. `endpoint` is where it was shown, as a proof must have it.
pub async fn proven(
    provider: &Provider,
    request: &Request,
    shown: &Shown,
    method: &str,
    endpoint: &str,
) -> Result<AccessRecord, Error> {
    let (text, proves) = match shown {
        Shown::Bearer(token) => (token, false),
        Shown::Dpop(token) => (token, true),
    };
    let digest = access_token::read(text).ok_or(INVALID_TOKEN)?;
    let now = provider.clock.now();
    let record = provider.store.access_token(digest, now).await?;
    let record = record.ok_or(INVALID_TOKEN)?;
    let certificate = request.certificate.as_ref().map(Presented::thumbprint);
    let key = match &record.binding {
        Some(Binding::Key(key)) if proves => Some(key),
        Some(Binding::Certificate(bound)) if !proves && certificate.as_ref() == Some(bound) => None,
        None if !proves => None,
        _ => return Err(INVALID_TOKEN.because(Reason::TokenBinding).into()),
    };
    if key.is_some() {
        let made = Made {
            method,
            endpoint,
            token: Some(text),
        };
        let proof = dpop::read(provider, request, made)?;
        dpop::spend(provider, proof.as_ref()).await?;
        is_bound(key, proof.as_ref())?;
    }
    Ok(record)
}

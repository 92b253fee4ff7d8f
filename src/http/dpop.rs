//! The proof of possession that a request may come with (RFC 9449 §4.1).

use super::input::Request;
use crate::error::{Error, Refusal};
use crate::provider::Provider;
use crate::storage::SignedKind;
use crate::token::dpop::{self, Made, Proof, REPLAYED};

/// What a request is, as its proof must have it.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// Its method.
    pub method: &'a str,
    /// The path of the endpoint.
    pub path: &'a str,
}

/// The proof of a request, verified and used up; `None` where none came. Whoever must authenticate has
/// done so before, so that nobody else can use proofs up.
pub async fn proof(
    provider: &Provider,
    request: &Request,
    asked: Asked<'_>,
) -> Result<Option<Proof>, Error> {
    let proof = verified(provider, request, asked)?;
    spend(provider, proof.as_ref()).await?;
    Ok(proof)
}

/// The same, not used up yet: it takes room in the database, which what comes to nothing is not worth.
pub fn verified(
    provider: &Provider,
    request: &Request,
    asked: Asked<'_>,
) -> Result<Option<Proof>, Refusal> {
    let endpoint = format!("{}{}", request.called_at(&provider.config), asked.path);
    let made = Made {
        method: asked.method,
        endpoint: &endpoint,
        token: None,
    };
    read(provider, request, made)
}

/// The proof of a request that is made at any address of ours, not used up yet.
pub fn read(
    provider: &Provider,
    request: &Request,
    made: Made<'_>,
) -> Result<Option<Proof>, Refusal> {
    let headers: Vec<&str> = request.headers("dpop").collect();
    dpop::read(&headers, made, provider.clock.now())
}

/// Uses a proof up: of any number of requests with it, one goes on.
pub async fn spend(provider: &Provider, proof: Option<&Proof>) -> Result<(), Error> {
    let Some(proof) = proof else {
        return Ok(());
    };
    let (kind, key) = (SignedKind::DpopProof, proof.key.as_str());
    match provider.store.spend(kind, key, &proof.once).await? {
        true => Ok(()),
        false => Err(REPLAYED.into()),
    }
}

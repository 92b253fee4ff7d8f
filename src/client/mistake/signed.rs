//! What is wrong with what a client signed, told by what it says of itself. Whether a signature holds is
//! not looked at again: where nothing else is wrong, it is the signature.

use super::diagnosis::{Found, Scene, audience, listed, told};
use super::received::{Token, shown};
use super::{Endpoint, Reason};
use crate::authorize::request_object::{LONGEST, LONGEST_PUSHED};
use crate::jose::jwks::ClientAlgorithm;
use crate::jose::jwt::AHEAD;

impl Scene<'_> {
    pub(super) fn assertion_key(&self, reason: Reason) -> Found {
        let Some(token) = &self.received.assertion else {
            return told(Reason::AssertionMalformed);
        };
        let only = self
            .metadata()
            .and_then(|m| m.token_endpoint_auth_signing_alg);
        if let Some(found) = self.other_algorithm(token, only, Reason::AssertionAlgorithm) {
            return found;
        }
        match self.unknown_key(token) {
            Some(kid) => told(Reason::AssertionKey).received(Some(kid)),
            None => told(reason),
        }
    }

    fn other_algorithm(
        &self,
        token: &Token,
        only: Option<ClientAlgorithm>,
        reason: Reason,
    ) -> Option<Found> {
        let profile = self.metadata().map(|m| m.profile).unwrap_or_default();
        let taken = |algorithm: &ClientAlgorithm| {
            only.is_none_or(|only| only == *algorithm) && profile.takes_algorithm(*algorithm)
        };
        let taken: Vec<&str> = ClientAlgorithm::ALL
            .into_iter()
            .filter(taken)
            .map(ClientAlgorithm::as_str)
            .collect();
        let alg = token.header("alg")?;
        (!taken.contains(&alg)).then(|| {
            told(reason)
                .registered(Some(listed(taken.into_iter())))
                .received(Some(shown(alg)))
        })
    }

    /// The name of a key that the client has not registered. What it publishes is not looked at.
    fn unknown_key(&self, token: &Token) -> Option<String> {
        let kid = token.header("kid")?;
        let keys = self.metadata()?.jwks.as_ref()?;
        (!keys.names(kid)).then(|| shown(kid))
    }

    pub(super) fn request_object(&self) -> Found {
        let Some(token) = &self.received.request_object else {
            return told(Reason::RequestObjectInvalid);
        };
        if token
            .header("alg")
            .is_some_and(|alg| alg.eq_ignore_ascii_case("none"))
        {
            return told(Reason::RequestObjectUnsigned);
        }
        let only = self.metadata().and_then(|m| m.request_object_signing_alg);
        if let Some(found) = self.other_algorithm(token, only, Reason::RequestObjectAlgorithm) {
            return found;
        }
        if let Some(kid) = self.unknown_key(token) {
            return told(Reason::RequestObjectKey).received(Some(kid));
        }
        if token.claim("iss").map(str::to_owned) != self.client_id() {
            return told(Reason::RequestObjectIssuer)
                .registered(self.client_id())
                .received(Some(token.claim("iss").map_or("none".to_owned(), shown)));
        }
        let to_us = |aud: &&str| aud.starts_with(self.issuer);
        if !token.audience().iter().any(to_us) {
            return told(Reason::RequestObjectAudience)
                .registered(Some(self.issuer.to_owned()))
                .received(Some(audience(token)));
        }
        match token.time("exp") {
            Some(end) if end <= self.at.0 => {
                told(Reason::RequestObjectExpired).seconds(self.at.0 - end)
            }
            Some(end) if self.is_in_time(token, end) => told(Reason::RequestObjectInvalid),
            _ => told(Reason::RequestObjectTimes),
        }
    }

    fn is_in_time(&self, token: &Token, end: i64) -> bool {
        let begins = token.time("nbf");
        let from = begins.unwrap_or(self.at.0);
        let latest = begins.max(token.time("iat")).unwrap_or(from);
        let has_begun = latest <= self.at.0 + AHEAD.0;
        match self.endpoint {
            Endpoint::Par => begins.is_some() && has_begun && end - from <= LONGEST_PUSHED.0,
            _ => has_begun && end - from <= LONGEST.0,
        }
    }
}

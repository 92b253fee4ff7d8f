//! Signed tokens. Ours: by which algorithms ([`algorithm`]), with which keys ([`key`]), how keys come and
//! go ([`rotation`]), and which of them signs today, which may still verify ([`keyring`]). Clients': with
//! their keys, by their algorithms ([`jwks`]).

pub mod algorithm;
pub mod jwks;
pub mod key;
pub mod keyring;
pub mod rotation;

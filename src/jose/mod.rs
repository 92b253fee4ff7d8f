//! Signed tokens. Ours: by which algorithms ([`algorithm`]), with which keys ([`key`]), how keys come and
//! go ([`rotation`]), and which of them signs today, which may still verify ([`keyring`]). Clients': what
//! they say ([`jwt`]), with which keys ([`jwks`], [`public_key`]).

pub mod algorithm;
pub mod jwks;
pub mod jwt;
pub mod key;
pub mod keyring;
pub mod public_key;
pub mod rotation;

//! Signed tokens: which key signs today, which may still verify ([`keyring`]).

pub mod jwks;
pub mod keyring;

//! Portvakt: an OpenID Provider whose only credential is Swedish BankID.
#![forbid(unsafe_code)]

pub mod clock;
pub mod random;
pub mod simulator;

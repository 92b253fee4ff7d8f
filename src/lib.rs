//! Portvakt: an OpenID Provider whose only credential is Swedish BankID.
//!
//! # A login, step by step
//!
//! 1. An application sends a browser to `/authorize`. [`authorize::admit`] applies every rule in
//!    order; [`authorize::interaction`] decides whether a session answers at once.
//! 2. Otherwise the person chooses a device. The choice begins a [`login::Login`] with one order at
//!    BankID ([`login::ordering`]), bound to this browser ([`login::binding`]).
//! 3. [`login::collector`] asks BankID every two seconds, in the words of [`bankid`]; what the
//!    person sees meanwhile is decided by [`login::progress`].
//! 4. When the order is complete and the browser is the one that began, the login ends: the person
//!    has a [`session`], the client a [`token::grant`].
//! 5. What the client may know of the person is decided by [`claims`].
//! 6. The client proves who it is ([`client::authentication`]) and exchanges its [`token::code`] for an
//!    ID token ([`token::id_token`]) and an access token ([`token::access_token`]), and may ask
//!    [`token::userinfo`]. What comes later: [`token::refresh`], [`token::introspection`],
//!    [`token::revocation`].
//! 7. A [`session::logout`] ends what the login began, and every client that wants to hear of it is
//!    told ([`session::notice`]), now or later ([`job`]).
//!
//! What a person reads on the way, and in which language, is in [`language`].
//!
//! Why a client was refused on the way, whoever looks after it is told by [`client::mistake`].
//!
//! Who may do what to an installation, and does it by page, API, shell or file, is in [`admin`]; what was done
//! is in [`audit`]; how a client's requests fail, and why, in [`client::mistake`].
//!
//! What is kept of a person, and until when, is in [`person`]; what has had its time goes by [`sweeping`].
//!
//! All of that is told what time it is ([`clock`]) and given its randomness ([`random`]). The doors
//! are in [`http`], what is kept is in [`storage`], whose keys are replaced by [`rekeying`], and
//! [`provider`] holds it all together.
#![forbid(unsafe_code)]

pub mod admin;
pub mod audit;
pub mod authorize;
pub mod bankid;
pub mod checking;
pub mod claims;
pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
#[cfg(feature = "simulator")]
pub mod demo;
pub mod discovery;
pub mod error;
pub mod http;
pub mod id;
pub mod job;
pub mod jose;
pub mod json;
pub mod language;
pub mod login;
pub mod outbound;
pub mod person;
pub mod provider;
pub mod random;
pub mod refusals;
pub mod rekeying;
pub mod secret;
pub mod session;
#[cfg(feature = "simulator")]
pub mod simulator;
pub mod storage;
pub mod sweeping;
pub mod telemetry;
pub mod token;

#[cfg(debug_assertions)]
#[doc(hidden)]
pub mod testing;

//! BankID's relying-party API, version 6.0, in its own words: what we ask ([`order`]), what it
//! answers ([`collect`]), where it is ([`environment`]), the animated code ([`qr`]), the links that open the app ([`launch`]),
//! the texts it recommends ([`message`]), what it signs for the person ([`evidence`]), and the
//! connection itself ([`client`]) with its [`breaker`].

pub mod breaker;
pub mod client;
pub mod collect;
pub mod environment;
pub mod evidence;
pub mod launch;
pub mod message;
pub mod order;
pub mod party;
pub mod personal_number;
pub mod qr;
pub mod risk;

//! What we ask of BankID: `/auth`, and the tokens that it answers with (BankID relying-party API
//! v6.0, "auth").

use std::fmt;
use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::personal_number::PersonalNumber;
use crate::id::{Id, kind};

/// The body of `POST /auth`. Members without a value are left out: BankID refuses empty strings.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthRequest {
    end_user_ip: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    return_url: Option<String>,
    return_risk: bool,
    user_visible_data: String,
    user_non_visible_data: String,
    #[serde(skip_serializing_if = "Requirement::is_empty")]
    requirement: Requirement,
    web: Web,
}

/// A kind of BankID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// On a phone or tablet.
    Mobile,
    /// In a file on a computer.
    File,
    /// On a smart card.
    Card,
}

/// What a smart card must be in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CardReader {
    /// Any reader; the code may be typed on the keyboard.
    Class1,
    /// A reader with keys of its own.
    Class2,
}

/// What the person's BankID must be and do, beyond the usual. Kept with the order, sealed: it may
/// name a person.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Requirement {
    /// Whether the security code must be typed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub pin_code: bool,
    /// Whether a passport or identity card must be read.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub mrtd: bool,
    /// The reader that a card must be in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub card_reader: Option<CardReader>,
    /// The kinds of BankID that will do, by the policies in their certificates; all, when there are
    /// none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub certificate_policies: Vec<String>,
    /// The only person who can finish it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub personal_number: Option<PersonalNumber>,
}

impl Requirement {
    /// Whether nothing is required. BankID refuses empty members.
    fn is_empty(&self) -> bool {
        *self == Requirement::default()
    }
}

/// What BankID is told of the browser, to judge the risk by: true values or none.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Web {
    referring_domain: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
    device_identifier: String,
}

/// The most characters of a `User-Agent` that BankID takes; browsers inside other apps send more.
const USER_AGENT: usize = 256;

impl Web {
    /// `domain` is the site that starts the app, from configuration; `device` names the browser for
    /// years, and nothing else.
    pub fn new(domain: &str, user_agent: &str, device: &str) -> Web {
        let cut: String = user_agent.chars().take(USER_AGENT).collect();
        Web {
            referring_domain: domain.to_owned(),
            user_agent: (!cut.is_empty()).then_some(cut),
            device_identifier: device.to_owned(),
        }
    }
}

impl AuthRequest {
    /// An identification. `ip` is the address of the person's device; `text` is shown in the app
    /// under "My intention"; `login` is bound into what the person signs; `return_url` is where
    /// the app goes afterwards, when it runs on the device that began.
    pub fn new(
        ip: IpAddr,
        text: &str,
        login: Id<kind::Login>,
        return_url: Option<String>,
        requirement: Requirement,
        web: Web,
    ) -> AuthRequest {
        AuthRequest {
            end_user_ip: plain_address(ip).to_string(),
            return_url,
            return_risk: true,
            user_visible_data: visible_data(text),
            user_non_visible_data: STANDARD.encode(binding(login)),
            requirement,
            web,
        }
    }

    /// What the person's signature will have to cover: the visible and the invisible data, in
    /// base64 as they are sent, what was required, and the certificate that it is asked with.
    pub fn ordered(&self, certificate: &str) -> Ordered {
        Ordered {
            certificate: certificate.to_owned(),
            certificate_der: None,
            visible: self.user_visible_data.clone(),
            non_visible: self.user_non_visible_data.clone(),
            requirement: self.requirement.clone(),
        }
    }
}

/// What was ordered, as far as the answer is judged by it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ordered {
    /// `userVisibleData`.
    pub visible: String,
    /// `userNonVisibleData`.
    pub non_visible: String,
    /// The certificate that it was ordered with, by its fingerprint.
    pub certificate: String,
    /// The certificate itself, in base64, where it will be needed to verify evidence by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_der: Option<String>,
    /// What was required.
    pub requirement: Requirement,
}

/// What the person's signature covers besides the visible text: which of our logins it was for.
pub fn binding(login: Id<kind::Login>) -> String {
    use sha2::Digest;
    let digest = sha2::Sha256::digest(login.to_string());
    format!("portvakt-login-v1 {}", hex::encode(digest))
}

/// BankID refuses IPv4 addresses that are written as IPv6 (`::ffff:192.0.2.1`).
fn plain_address(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(ip, IpAddr::V4),
        IpAddr::V4(_) => ip,
    }
}

/// The most that BankID takes as `userVisibleData` of an identification, in base64 characters.
const VISIBLE_DATA: usize = 1500;

/// Plain text in base64. Control characters and those that change the direction of text are
/// dropped, so that a client's name cannot rearrange the sentence around it; what is too long is
/// cut at a character.
pub(crate) fn visible_data(text: &str) -> String {
    let mut plain: String = text.chars().filter(|c| !rearranges(*c)).collect();
    while STANDARD.encode(&plain).len() > VISIBLE_DATA {
        plain.pop();
    }
    STANDARD.encode(plain)
}

/// Whether a character is a control or bidirectional formatting character.
pub fn rearranges(c: char) -> bool {
    (c.is_control() && c != '\n')
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{2028}' | '\u{2029}'
            | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// BankID's answer to `/auth`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderTokens {
    /// For collect and cancel. Never leaves the server.
    pub order_ref: String,
    /// Starts the app on the same device. Only for the browser that chose the same device.
    pub auto_start_token: String,
    /// Stands in every frame of the animated code.
    pub qr_start_token: String,
    /// The key of the animated code. Never leaves the server.
    pub qr_start_secret: String,
}

impl fmt::Debug for OrderTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[order tokens]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn asked(text: &str, ip: &str, return_url: Option<String>) -> serde_json::Value {
        let login = Id::fresh(&Random::seeded(1));
        let ip = ip.parse().expect("an address");
        let web = Web::new("login.example", "Browser", "d");
        let requirement = Requirement::default();
        serde_json::to_value(AuthRequest::new(
            ip,
            text,
            login,
            return_url,
            requirement,
            web,
        ))
        .expect("JSON")
    }

    fn visible(text: &str) -> String {
        let data = asked(text, "192.0.2.1", None)["userVisibleData"].clone();
        let bytes = STANDARD
            .decode(data.as_str().expect("text"))
            .expect("base64");
        String::from_utf8(bytes).expect("UTF-8")
    }

    #[test]
    fn an_ipv4_address_in_ipv6_clothes_is_written_plainly() {
        assert_eq!(
            asked("x", "::ffff:192.0.2.1", None)["endUserIp"],
            "192.0.2.1"
        );
        assert_eq!(asked("x", "2001:db8::1", None)["endUserIp"], "2001:db8::1");
    }

    #[test]
    fn a_long_user_agent_is_cut_and_an_empty_one_left_out() {
        let _shows = crate::shows!(accepting "BP-23", accepting "PV-WEB-1", refusing "PV-WEB-1");
        let web = |agent: &str| {
            serde_json::to_value(Web::new("login.example", agent, "d")).expect("JSON")
        };
        assert_eq!(web(&"å".repeat(300))["userAgent"], "å".repeat(256));
        assert_eq!(web("Browser")["userAgent"], "Browser");
        assert!(web("").get("userAgent").is_none());
    }

    #[test]
    fn absent_members_are_left_out() {
        let _shows = crate::shows!(accepting "BP-27");
        let plain = asked("x", "192.0.2.1", None);
        assert!(plain.get("returnUrl").is_none() && plain.get("requirement").is_none());
        let required = serde_json::to_value(Requirement {
            pin_code: true,
            certificate_policies: vec!["1.2.3".into()],
            ..Requirement::default()
        });
        let all = Requirement {
            pin_code: true,
            mrtd: true,
            card_reader: Some(CardReader::Class2),
            certificate_policies: vec!["1.2.3".into()],
            personal_number: PersonalNumber::parse("191212121212"),
        };
        let all = serde_json::to_value(all).expect("JSON");
        let names: Vec<&str> = all
            .as_object()
            .into_iter()
            .flatten()
            .map(|(n, _)| n.as_str())
            .collect();
        assert_eq!(
            names,
            [
                "cardReader",
                "certificatePolicies",
                "mrtd",
                "personalNumber",
                "pinCode"
            ]
        );
        assert_eq!(
            required.expect("JSON"),
            serde_json::json!({"pinCode": true, "certificatePolicies": ["1.2.3"]})
        );
        let with = asked("x", "192.0.2.1", Some("https://login.example/r/1".into()));
        assert_eq!(with["returnUrl"], "https://login.example/r/1");
    }

    #[test]
    fn a_name_cannot_rearrange_the_text() {
        let _shows = crate::shows!(accepting "B17", refusing "B17");
        assert_eq!(visible("Log in to A\u{202e}B\r\u{0}C"), "Log in to ABC");
        assert_eq!(visible("Logga in hos # *Åsa*"), "Logga in hos # *Åsa*");
    }

    #[test]
    fn a_long_text_is_cut_at_a_character_within_the_limit() {
        let text = visible(&"å".repeat(2000));
        assert!(text.chars().all(|c| c == 'å'));
        assert_eq!(STANDARD.encode(text).len(), 1500);
    }

    #[test]
    fn the_signature_is_bound_to_the_login() {
        let (one, two) = (Id::fresh(&Random::seeded(1)), Id::fresh(&Random::seeded(2)));
        assert_ne!(binding(one), binding(two));
    }
}

//! The bodies that the API takes, checked as BankID checks them: unknown members are refused,
//! and every limit of the relying-party API v6.0 holds.

use std::net::{IpAddr, Ipv6Addr};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::order::{Operation, Ordered};
use crate::bankid::evidence::Format;

/// Why a body is refused, as `details`.
pub type Details = &'static str;

/// `POST /auth` and `POST /sign`
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct StartBody {
    end_user_ip: String,
    return_url: Option<String>,
    #[serde(default)]
    return_risk: bool,
    user_visible_data: Option<String>,
    user_visible_data_format: Option<String>,
    user_non_visible_data: Option<String>,
    requirement: Option<serde_json::Value>,
    app: Option<App>,
    web: Option<Web>,
}

/// `POST /phone/auth` and `POST /phone/sign`
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct CallBody {
    #[expect(dead_code, reason = "its values are checked by being read")]
    call_initiator: CallInitiator,
    personal_number: String,
    user_visible_data: Option<String>,
    user_visible_data_format: Option<String>,
    user_non_visible_data: Option<String>,
    requirement: Option<serde_json::Value>,
}

#[derive(Deserialize)]
enum CallInitiator {
    #[serde(rename = "user")]
    User,
    #[serde(rename = "RP")]
    RelyingParty,
}

/// `POST /collect` and `POST /cancel`
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct OrderBody {
    /// The order.
    pub order_ref: String,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Requirement {
    #[serde(default)]
    pin_code: bool,
    #[serde(default)]
    mrtd: bool,
    #[expect(dead_code, reason = "its values are checked by being read")]
    card_reader: Option<CardReader>,
    certificate_policies: Option<Vec<String>>,
    personal_number: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum CardReader {
    Class1,
    Class2,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct App {
    app_identifier: Option<String>,
    #[serde(rename = "deviceOS")]
    device_os: Option<String>,
    device_model_name: Option<String>,
    device_identifier: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Web {
    referring_domain: Option<String>,
    user_agent: Option<String>,
    device_identifier: Option<String>,
}

impl StartBody {
    /// What is ordered, if the order is sound.
    pub fn check(self, operation: Operation) -> Result<Ordered, Details> {
        end_user_ip(&self.end_user_ip)?;
        context(self.app.as_ref(), self.web.as_ref())?;
        let data = Data {
            visible: self.user_visible_data,
            format: self.user_visible_data_format,
            non_visible: self.user_non_visible_data,
        };
        Ok(Ordered {
            return_url: return_url(self.return_url)?,
            return_risk: self.return_risk,
            ..ordered(operation, &data, self.requirement)?
        })
    }
}

impl CallBody {
    /// What is ordered, if the order is sound.
    pub fn check(self, operation: Operation) -> Result<Ordered, Details> {
        let data = Data {
            visible: self.user_visible_data,
            format: self.user_visible_data_format,
            non_visible: self.user_non_visible_data,
        };
        let ordered = ordered(operation, &data, self.requirement)?;
        match is_number(&self.personal_number) && ordered.personal_number.is_none() {
            true => Ok(Ordered {
                personal_number: Some(self.personal_number),
                ..ordered
            }),
            false => Err("Invalid personalNumber"),
        }
    }
}

/// What is shown in the app and what is only signed, as it was sent.
struct Data {
    visible: Option<String>,
    format: Option<String>,
    non_visible: Option<String>,
}

fn ordered(
    operation: Operation,
    data: &Data,
    asked: Option<serde_json::Value>,
) -> Result<Ordered, Details> {
    const VISIBLE: Details = "Invalid userVisibleData";
    let (visible_most, non_visible_most) = match operation.is_signature() {
        true => (40_000, 200_000),
        false => (1500, 1500),
    };
    let visible = base64_within(data.visible.as_deref(), visible_most, VISIBLE)?;
    base64_within(
        data.non_visible.as_deref(),
        non_visible_most,
        "Invalid userNonVisibleData",
    )?;
    if operation.is_signature() && visible.is_none() {
        return Err(VISIBLE);
    }
    let format = match (data.format.as_deref(), &visible) {
        (None | Some("plaintext"), _) => Format::Plain,
        (Some("simpleMarkdownV1"), Some(_)) => Format::SimpleMarkdown,
        _ => return Err("Invalid userVisibleDataFormat"),
    };
    let requirement = requirement(asked)?;
    let text = visible.map(String::from_utf8).transpose();
    Ok(Ordered {
        operation,
        text: text.map_err(|_| VISIBLE)?.unwrap_or_default(),
        visible: data.visible.clone(),
        format,
        non_visible: data.non_visible.clone(),
        pin_code: requirement.pin_code,
        mrtd: requirement.mrtd,
        policies: requirement.certificate_policies.unwrap_or_default(),
        personal_number: requirement.personal_number,
        ..Ordered::default()
    })
}

fn end_user_ip(text: &str) -> Result<(), Details> {
    let ip: IpAddr = text.parse().map_err(|_| "Invalid endUserIp")?;
    let is_mapped = |v6: Ipv6Addr| v6.to_ipv4_mapped().is_some();
    match ip {
        IpAddr::V6(v6) if is_mapped(v6) => Err("Invalid endUserIp"),
        _ => Ok(()),
    }
}

/// The literal `null` is taken for "nowhere".
fn return_url(text: Option<String>) -> Result<Option<String>, Details> {
    match text {
        None => Ok(None),
        Some(null) if null == "null" => Ok(None),
        Some(url) if within(&url, 1, 512) && url::Url::parse(&url).is_ok() => Ok(Some(url)),
        Some(_) => Err("Invalid returnUrl"),
    }
}

fn base64_within(
    text: Option<&str>,
    most: usize,
    details: Details,
) -> Result<Option<Vec<u8>>, Details> {
    let Some(text) = text else {
        return Ok(None);
    };
    match STANDARD.decode(text) {
        Ok(bytes) if within(text, 1, most) => Ok(Some(bytes)),
        _ => Err(details),
    }
}

fn requirement(value: Option<serde_json::Value>) -> Result<Requirement, Details> {
    const INVALID: Details = "Invalid requirement";
    let Some(value) = value else {
        return Ok(Requirement::default());
    };
    let requirement: Requirement = serde_json::from_value(value).map_err(|_| INVALID)?;
    let policies = requirement.certificate_policies.as_deref();
    let number = requirement.personal_number.as_deref();
    let sound = policies.is_none_or(|list| !list.is_empty() && list.iter().all(|p| is_policy(p)))
        && number.is_none_or(is_number);
    sound.then_some(requirement).ok_or(INVALID)
}

fn is_number(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

/// An object identifier; one wildcard is allowed from the fifth arc.
fn is_policy(text: &str) -> bool {
    let arcs: Vec<&str> = text.split('.').collect();
    let is_number = |arc: &&str| !arc.is_empty() && arc.bytes().all(|b| b.is_ascii_digit());
    match arcs.split_last() {
        Some((&"*", before)) => before.len() >= 4 && before.iter().all(is_number),
        _ => arcs.len() >= 3 && arcs.iter().all(is_number),
    }
}

fn context(app: Option<&App>, web: Option<&Web>) -> Result<(), Details> {
    match (app, web) {
        (Some(_), Some(_)) => Err("Both app and web"),
        (Some(app), None) => {
            let members = [
                &app.app_identifier,
                &app.device_os,
                &app.device_model_name,
                &app.device_identifier,
            ];
            some_within(&members, 64).ok_or("Invalid app")
        }
        (None, Some(web)) => {
            let domain = web.referring_domain.as_deref();
            let is_domain = |d: &str| {
                within(d, 3, 253)
                    && d.bytes().all(|b| {
                        b.is_ascii_digit() || b.is_ascii_lowercase() || b == b'.' || b == b'-'
                    })
            };
            if !domain.is_none_or(is_domain) {
                return Err("Invalid referringDomain");
            }
            if !web
                .user_agent
                .as_deref()
                .is_none_or(|ua| within(ua, 1, 256))
            {
                return Err("Invalid userAgent");
            }
            if !web
                .device_identifier
                .as_deref()
                .is_none_or(|id| within(id, 1, 64))
            {
                return Err("Invalid deviceIdentifier");
            }
            let members = [
                &web.referring_domain,
                &web.user_agent,
                &web.device_identifier,
            ];
            some_within(&members, 256).ok_or("Invalid web")
        }
        (None, None) => Ok(()),
    }
}

fn some_within(members: &[&Option<String>], most: usize) -> Option<()> {
    let given: Vec<&String> = members.iter().filter_map(|m| m.as_ref()).collect();
    (!given.is_empty() && given.iter().all(|m| within(m, 1, most))).then_some(())
}

fn within(text: &str, least: usize, most: usize) -> bool {
    (least..=most).contains(&text.chars().count())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn checked(change: Value) -> Result<Ordered, String> {
        let mut body = json!({"endUserIp": "192.0.2.1"});
        for (name, value) in change.as_object().expect("an object") {
            body[name] = value.clone();
        }
        let body: StartBody = serde_json::from_value(body).map_err(|e| e.to_string())?;
        body.check(Operation::Auth).map_err(str::to_owned)
    }

    #[test]
    fn what_bankid_takes_is_taken() {
        let _shows = crate::shows!(accepting "PV-SIM-2");
        for sound in [
            json!({}),
            json!({"endUserIp": "2001:db8::1"}),
            json!({"returnUrl": "https://login.example/r/1", "returnRisk": true}),
            json!({"returnUrl": "null"}),
            json!({"userVisibleData": "aGVq", "userVisibleDataFormat": "simpleMarkdownV1"}),
            json!({"requirement": {"pinCode": true, "certificatePolicies": ["1.2.752.78.*"]}}),
            json!({"requirement": {"personalNumber": "191212121212"}}),
            json!({"web": {"referringDomain": "kommunen.se", "userAgent": "x".repeat(256)}}),
            json!({"app": {"deviceOS": "iOS"}}),
        ] {
            assert!(checked(sound.clone()).is_ok(), "{sound}");
        }
    }

    #[test]
    fn what_bankid_refuses_is_refused() {
        let _shows = crate::shows!(refusing "PV-SIM-2");
        for bad in [
            json!({"endUserIp": "::ffff:192.0.2.1"}),
            json!({"endUserIp": "192.0.2.1:443"}),
            json!({"endUserIp": ""}),
            json!({"personalNumber": "191212121212"}),
            json!({"returnUrl": ""}),
            json!({"returnUrl": format!("https://a.example/{}", "x".repeat(512))}),
            json!({"userVisibleData": ""}),
            json!({"userVisibleData": "not base64"}),
            json!({"userVisibleData": STANDARD.encode("x".repeat(1200))}),
            json!({"userVisibleDataFormat": "simpleMarkdownV1"}),
            json!({"userVisibleData": "aGVq", "userVisibleDataFormat": "html"}),
            json!({"userNonVisibleData": "%"}),
            json!({"requirement": {"risk": "low"}}),
            json!({"requirement": {"personalNumber": "1212121212"}}),
            json!({"requirement": {"certificatePolicies": ["1.2.*"]}}),
            json!({"requirement": {"cardReader": "class3"}}),
            json!({"app": {"deviceOs": "x"}}),
            json!({"web": {}}),
            json!({"web": {"referringDomain": "Kommunen.se"}}),
            json!({"web": {"userAgent": "x".repeat(257)}}),
            json!({"web": {"userAgent": ""}}),
            json!({"web": {"userAgent": "x"}, "app": {"deviceOS": "x"}}),
        ] {
            assert!(checked(bad.clone()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_signature_needs_a_text_and_a_call_a_person() {
        let _shows = crate::shows!(accepting "PV-SIM-8", refusing "PV-SIM-8");
        let sign = |text: Option<String>| {
            let body = json!({"endUserIp": "192.0.2.1", "userVisibleData": text});
            let body: StartBody = serde_json::from_value(body).expect("a body");
            body.check(Operation::Sign).map(|ordered| ordered.text)
        };
        assert_eq!(sign(None), Err("Invalid userVisibleData"));
        assert_eq!(sign(Some("aGVq".into())), Ok("hej".to_owned()));
        assert!(sign(Some(STANDARD.encode("x".repeat(30_000)))).is_ok());
        assert!(sign(Some(STANDARD.encode("x".repeat(30_003)))).is_err());
        let call = |body: Value| {
            let body: CallBody = serde_json::from_value(body).map_err(|e| e.to_string())?;
            body.check(Operation::PhoneAuth).map_err(str::to_owned)
        };
        for (body, sound) in [
            (
                json!({"personalNumber": "191212121212", "callInitiator": "user"}),
                true,
            ),
            (
                json!({"personalNumber": "191212121212", "callInitiator": "RP"}),
                true,
            ),
            (
                json!({"personalNumber": "191212121212", "callInitiator": "rp"}),
                false,
            ),
            (
                json!({"personalNumber": "1212121212", "callInitiator": "RP"}),
                false,
            ),
            (json!({"callInitiator": "RP"}), false),
            (json!({"personalNumber": "191212121212"}), false),
            (
                json!({"personalNumber": "191212121212", "callInitiator": "RP", "endUserIp": "192.0.2.1"}),
                false,
            ),
        ] {
            assert_eq!(call(body.clone()).is_ok(), sound, "{body}");
        }
    }
}

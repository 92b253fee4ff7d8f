//! What BankID says of an order (BankID relying-party API v6.0, "collect"). Hint codes are open
//! strings: a new one must never break a login.

use std::fmt;
use std::net::IpAddr;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};

use super::evidence::Evidence;
use super::personal_number::PersonalNumber;

/// The body of `POST /collect` and `POST /cancel`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderRef<'a> {
    /// The order, as `/auth` named it.
    pub order_ref: &'a str,
}

/// BankID's answer to `/collect`.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "status", rename_all = "camelCase")]
pub enum Collected {
    /// The order waits.
    #[serde(rename_all = "camelCase")]
    Pending {
        /// What it waits for.
        #[serde(default, deserialize_with = "lenient")]
        hint_code: Hint,
    },
    /// The order came to nothing.
    #[serde(rename_all = "camelCase")]
    Failed {
        /// Why.
        #[serde(default, deserialize_with = "lenient")]
        hint_code: Hint,
    },
    /// A person approved. This answer is given once.
    #[serde(rename_all = "camelCase")]
    Complete {
        /// Who, and how.
        completion_data: Box<CompletionData>,
    },
}

/// Reads a member that nobody's login hangs on: in another shape it counts as not there. A result is
/// given once, and must not be lost for what is not needed of it.
fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).unwrap_or_default())
}

/// A hint code, known or not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hint(pub String);

impl Hint {
    /// A hint code by its name.
    pub fn new(code: &str) -> Hint {
        Hint(code.to_owned())
    }

    /// Whether no app has taken the order up yet: the code is shown, the link may be used.
    pub fn is_unclaimed(&self) -> bool {
        matches!(self.0.as_str(), "outstandingTransaction" | "noClient")
    }

    /// Whether no app came inside the start window.
    pub fn is_start_failed(&self) -> bool {
        self.0 == "startFailed"
    }
}

/// Who approved, and how. All of it is personal data: it is stored sealed and never printed.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CompletionData {
    /// The person.
    pub user: User,
    /// The device that the app ran on.
    #[serde(default, deserialize_with = "lenient")]
    pub device: Device,
    /// What was done beyond the usual.
    #[serde(
        default,
        deserialize_with = "lenient",
        skip_serializing_if = "Option::is_none"
    )]
    pub step_up: Option<StepUp>,
    /// BankID's view of the risk, when it has one.
    #[serde(
        default,
        deserialize_with = "lenient",
        skip_serializing_if = "Option::is_none"
    )]
    pub risk: Option<String>,
    /// The person's signature, in base64.
    #[serde(
        default,
        deserialize_with = "lenient",
        skip_serializing_if = "Option::is_none"
    )]
    pub signature: Option<String>,
    /// The OCSP response that goes with it, in base64.
    #[serde(
        default,
        deserialize_with = "lenient",
        skip_serializing_if = "Option::is_none"
    )]
    pub ocsp_response: Option<String>,
}

impl CompletionData {
    /// What proves the identification, if it was delivered and kept.
    pub fn evidence(&self) -> Option<Evidence> {
        Some(Evidence {
            signature: self.signature.clone()?,
            ocsp_response: self.ocsp_response.clone()?,
        })
    }

    /// The same without what proves it, which is most of it.
    pub fn without_evidence(self) -> CompletionData {
        CompletionData {
            signature: None,
            ocsp_response: None,
            ..self
        }
    }
}

/// What was done beyond the usual.
#[derive(Clone, Serialize, Deserialize)]
pub struct StepUp {
    /// Whether a passport or identity card was read.
    #[serde(default)]
    pub mrtd: bool,
}

/// The person, as the issuing bank has registered them.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// Personal number or coordination number.
    pub personal_number: PersonalNumber,
    /// The whole name.
    pub name: String,
    /// Given names.
    pub given_name: String,
    /// Surname.
    pub surname: String,
}

/// The device that the app ran on.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Device {
    /// Its address, as BankID saw it and wrote it: what is only a signal must not make an answer
    /// unreadable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_address: Option<String>,
}

impl Device {
    /// The address, when it is one.
    pub fn address(&self) -> Option<IpAddr> {
        self.ip_address.as_deref()?.parse().ok()
    }
}

impl fmt::Debug for CompletionData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[completion data]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Option<Collected> {
        serde_json::from_str(json).ok()
    }

    #[test]
    fn unknown_hints_and_members_are_taken_as_they_come() {
        let _shows = crate::shows!(accepting "B16");
        let pending = read(r#"{"orderRef":"x","status":"pending","hintCode":"brandNew","more":1}"#);
        assert!(
            matches!(pending, Some(Collected::Pending { hint_code }) if hint_code.0 == "brandNew")
        );
        assert!(matches!(
            read(r#"{"status":"failed"}"#),
            Some(Collected::Failed { .. })
        ));
    }

    #[test]
    fn a_completion_without_a_sound_person_is_no_answer() {
        let _shows = crate::shows!(accepting "B15", refusing "B15");
        let with = |user: &str| {
            read(&format!(
                r#"{{"status":"complete","completionData":{{"user":{user}}}}}"#
            ))
        };
        assert!(
            with(r#"{"personalNumber":"191212121212","name":"A B","givenName":"A","surname":"B"}"#)
                .is_some()
        );
        let odd = r#"{"status":"complete","completionData":{"user":{"personalNumber":"191212121212",
            "name":"A B","givenName":"A","surname":"B"},"device":{"ipAddress":"fe80::1%eth0","uhi":"x"},
            "bankIdIssueDate":"2020-02-01","stepUp":{"mrtd":null},"risk":["brandNew"]}}"#;
        let Some(Collected::Complete { completion_data }) = read(odd) else {
            panic!("what is only a signal made the answer unreadable");
        };
        assert_eq!(completion_data.device.address(), None);
        assert!(completion_data.risk.is_none() && completion_data.step_up.is_none());
        for odd in [
            r#"{"status":"pending","hintCode":null}"#,
            r#"{"status":"failed","hintCode":7}"#,
        ] {
            assert!(read(odd).is_some(), "{odd}");
        }
        assert!(
            with(r#"{"personalNumber":"1212121212","name":"A B","givenName":"A","surname":"B"}"#)
                .is_none()
        );
        assert!(with(r#"{"name":"A B","givenName":"A","surname":"B"}"#).is_none());
        assert!(read(r#"{"status":"complete"}"#).is_none());
        assert!(read(r#"{"status":"finished"}"#).is_none());
    }

    #[test]
    fn nothing_of_a_person_is_printed() {
        let json = r#"{"status":"complete","completionData":{"user":{"personalNumber":"191212121212",
            "name":"Tolvan Tolvansson","givenName":"Tolvan","surname":"Tolvansson"},"device":{"ipAddress":"192.0.2.9"}}}"#;
        let printed = format!("{:?}", read(json));
        for part in ["1912", "Tolvan", "192.0"] {
            assert!(!printed.contains(part), "{printed}");
        }
    }
}

//! What a client asks of BankID, and what it takes for an answer.

use serde::{Deserialize, Serialize};

use crate::bankid::order::{CardReader, Kind};
use crate::bankid::party;
use crate::bankid::risk::{OnRisk, RiskPolicy};
use crate::client::Name;
use crate::client::metadata::Conflict;
use crate::clock::Seconds;
use crate::login::device::Devices;

/// A client's demands. By default any BankID will do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Demands {
    /// The relying-party certificate that orders are made with, by the name of its profile. Its own
    /// name is what people see in the app.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Whether the security code must be typed, even where a finger or a face would do.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub pin_code: bool,
    /// Whether a passport or national identity card must be read.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub mrtd: bool,
    /// The kinds of BankID that will do; any when none is named.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<Kind>,
    /// The reader that a card must be in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub card_reader: Option<CardReader>,
    /// What follows from BankID's risk indication.
    pub risk: RiskPolicy,
    /// Where the app must come back, for the login to go on.
    #[serde(rename = "return")]
    pub returning: ReturnPolicy,
    /// Which devices people may use.
    pub devices: Devices,
    /// Whether what proves each identification is verified and kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<KeepEvidence>,
}

/// How evidence is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeepEvidence {
    /// For how many days: 1 to 3 660.
    pub keep_days: u16,
}

impl KeepEvidence {
    /// The most days.
    pub const MOST_DAYS: u16 = 3660;

    /// The same in seconds.
    pub fn lifetime(self) -> Seconds {
        Seconds(i64::from(self.keep_days) * 24 * 60 * 60)
    }
}

impl Demands {
    /// Whether nothing is demanded beyond the usual.
    pub fn are_usual(&self) -> bool {
        *self == Demands::default()
    }

    /// The profile that orders are made with.
    pub fn profile(&self) -> &str {
        self.profile.as_deref().unwrap_or(party::DEFAULT)
    }

    /// The first thing that does not go together.
    pub fn check(&self) -> Result<(), String> {
        let first = self.conflicts().into_iter().next();
        first.map_or(Ok(()), |conflict| Err(conflict.reason.to_owned()))
    }

    /// All that does not go together (BankID relying-party API v6.0, "requirement").
    pub fn conflicts(&self) -> Vec<Conflict> {
        let cards_alone = self.kinds == [Kind::Card];
        let reads_documents = self.mrtd
            || [self.risk.moderate, self.risk.high, self.risk.unknown]
                .contains(&OnRisk::RequireMrtd);
        let phones = self.kinds.is_empty() || self.kinds.contains(&Kind::Mobile);
        let keeps_wrongly =
            |kept: KeepEvidence| !(1..=KeepEvidence::MOST_DAYS).contains(&kept.keep_days);
        let is_plain = |name: &String| Name::parse(name).is_some_and(|n| n.as_str() == name);
        let table = [
            (
                !self.profile.as_ref().is_none_or(is_plain),
                "bankid.profile",
                "bankid.profile must be 1 to 80 visible characters",
            ),
            (
                self.card_reader.is_some() && !cards_alone,
                "bankid.card_reader",
                "bankid.card_reader needs kinds = [\"card\"]",
            ),
            (
                reads_documents && !phones,
                "bankid.kinds",
                "bankid: a passport is read by a phone, and kinds has no mobile",
            ),
            (
                self.evidence.is_some_and(keeps_wrongly),
                "bankid.evidence.keep_days",
                "bankid.evidence.keep_days must be 1 to 3660",
            ),
        ];
        let broken = table.into_iter().filter(|(is_broken, ..)| *is_broken);
        let conflict = |(_, setting, reason)| Conflict { setting, reason };
        broken.map(conflict).collect()
    }
}

/// Where the app must come back after an approval on the same device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReturnPolicy {
    /// In the browser that began, which is known by its cookie.
    #[default]
    Cookie,
    /// The same; or in another browser from the address where the login began, and then somebody
    /// confirms it in the browser that began. Who shares an address with a person can be that
    /// somebody: it is for clients whose people are alone at their address.
    CookieOrSameAddress,
    /// Nowhere: whoever began is logged in when somebody approves, wherever that is. An attacker
    /// can send their link to another person.
    DangerNoReturn,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn demands_are_read_strictly() {
        let read = |text: &str| {
            let table = text.parse().expect("TOML");
            crate::config::written::strictly::<Demands>(table).map_err(|e| e.to_string())
        };
        assert_eq!(read(""), Ok(Demands::default()));
        let all = read(
            "pin_code = true\nkinds = [\"card\"]\ncard_reader = \"class2\"\nreturn = \"cookie_or_same_address\"\ndevices = \"this_only\"\n[risk]\nmoderate = \"require_pin\"\nunknown = \"deny\"",
        )
        .expect("demands");
        assert_eq!(all.check(), Ok(()));
        let json = serde_json::to_value(&all).expect("JSON");
        assert_eq!(
            serde_json::from_value::<Demands>(json).expect("demands"),
            all
        );
        assert!(
            read("card_reader = \"class1\"")
                .expect("demands")
                .check()
                .is_err()
        );
        let unread = read("mrtd = true\nkinds = [\"card\"]").expect("demands");
        assert!(unread.check().is_err(), "nobody could ever do that");
        for wrong in [
            "kinds = [\"phone\"]",
            "risk = { low = \"deny\" }",
            "returns = \"cookie\"",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}

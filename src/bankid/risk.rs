//! What is made of BankID's risk indication (BankID relying-party API v6.0, "risk"): BankID says what
//! it thinks, and the decision is the relying party's. Each client has its policy.

use serde::{Deserialize, Serialize};

use super::collect::CompletionData;
use super::order::Requirement;

/// What follows from an indication.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnRisk {
    /// The person is logged in.
    Allow,
    /// By another order, for which the security code must be typed.
    RequirePin,
    /// By another order, for which a passport or identity card must be read.
    RequireMrtd,
    /// Nobody is logged in.
    Deny,
}

/// A client's policy. What BankID calls `low` is always allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RiskPolicy {
    /// When BankID says `moderate`.
    pub moderate: OnRisk,
    /// When BankID says `high`: signs that somebody is between the person and the page.
    pub high: OnRisk,
    /// When BankID could not tell, or says something that we do not know.
    pub unknown: OnRisk,
}

impl Default for RiskPolicy {
    fn default() -> RiskPolicy {
        RiskPolicy {
            moderate: OnRisk::Allow,
            high: OnRisk::Deny,
            unknown: OnRisk::Allow,
        }
    }
}

/// What a completed order is worth under a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Good.
    Accepted,
    /// Not enough: another order must also require this.
    StepUp(StepUp),
    /// Nothing.
    Denied,
}

/// What another order must require beyond the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepUp {
    /// The security code.
    Pin,
    /// A passport or identity card.
    Mrtd,
}

impl RiskPolicy {
    /// Judges a completed order, which was made with `required`.
    pub fn judge(&self, data: &CompletionData, required: &Requirement) -> Verdict {
        let action = match data.risk.as_deref() {
            Some("low") => OnRisk::Allow,
            Some("moderate") => self.moderate,
            Some("high") => self.high,
            _ => self.unknown,
        };
        let document_was_read = data.step_up.as_ref().is_some_and(|s| s.mrtd);
        match action {
            OnRisk::Allow => Verdict::Accepted,
            OnRisk::RequirePin if required.pin_code => Verdict::Accepted,
            OnRisk::RequirePin => Verdict::StepUp(StepUp::Pin),
            OnRisk::RequireMrtd if document_was_read => Verdict::Accepted,
            OnRisk::RequireMrtd => Verdict::StepUp(StepUp::Mrtd),
            OnRisk::Deny => Verdict::Denied,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(risk: Option<&str>, mrtd: bool) -> CompletionData {
        let data = serde_json::json!({
            "user": {"personalNumber": "191212121212", "name": "T T", "givenName": "T", "surname": "T"},
            "risk": risk,
            "stepUp": {"mrtd": mrtd},
        });
        serde_json::from_value(data).expect("completion data")
    }

    #[test]
    fn each_indication_has_its_consequence() {
        let _shows = crate::shows!(accepting "B14", refusing "B14");
        use OnRisk::{Allow, Deny, RequireMrtd, RequirePin};
        let accepted = Verdict::Accepted;
        let pin = Verdict::StepUp(StepUp::Pin);
        let mrtd = Verdict::StepUp(StepUp::Mrtd);
        for (policy, risk, plain, with_pin, with_document) in [
            (Allow, "moderate", &accepted, &accepted, &accepted),
            (RequirePin, "moderate", &pin, &accepted, &pin),
            (RequireMrtd, "moderate", &mrtd, &mrtd, &accepted),
            (
                Deny,
                "moderate",
                &Verdict::Denied,
                &Verdict::Denied,
                &Verdict::Denied,
            ),
            (RequirePin, "low", &accepted, &accepted, &accepted),
        ] {
            let policy = RiskPolicy {
                moderate: policy,
                ..RiskPolicy::default()
            };
            let judged = |pin_code, document| {
                let required = Requirement {
                    pin_code,
                    ..Requirement::default()
                };
                policy.judge(&data(Some(risk), document), &required)
            };
            assert_eq!(&judged(false, false), plain, "{policy:?}");
            assert_eq!(&judged(true, false), with_pin, "{policy:?}");
            assert_eq!(&judged(false, true), with_document, "{policy:?}");
        }
        // What is absent or new is never low.
        let careful = RiskPolicy {
            unknown: Deny,
            ..RiskPolicy::default()
        };
        for risk in [None, Some("brand new"), Some("LOW")] {
            let required = Requirement::default();
            assert_eq!(
                careful.judge(&data(risk, false), &required),
                Verdict::Denied
            );
            let usual = RiskPolicy::default();
            assert_eq!(usual.judge(&data(risk, false), &required), accepted);
        }
        let usual = RiskPolicy::default();
        assert_eq!(
            usual.judge(&data(Some("high"), true), &Requirement::default()),
            Verdict::Denied
        );
    }
}

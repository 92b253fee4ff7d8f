//! What a person who waits is told ("user messages"), chosen from what BankID says and what we did. How it
//! is said is in [`crate::language::words`].

use serde::{Deserialize, Serialize};

use super::collect::Hint;
use super::risk::StepUp;

/// Something to tell a person, by BankID's name for it (`RFA1`), or by ours where it has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// The app must be started.
    Rfa1,
    /// Ended by another order of the same person.
    Rfa3,
    /// Another order of the same person is in progress.
    Rfa4,
    /// The person cancelled in the app.
    Rfa6,
    /// The app did not answer in time.
    Rfa8,
    /// The person is to identify themselves in the app.
    Rfa9,
    /// The app is being started.
    Rfa13,
    /// The app looks for a BankID, on a computer.
    Rfa15a,
    /// The app looks for a BankID, on a device that is held.
    Rfa15b,
    /// The BankID is blocked or too old.
    Rfa16,
    /// No app was started on this device.
    Rfa17a,
    /// No code was scanned.
    Rfa17b,
    /// Something goes on that has no text of its own.
    Rfa21,
    /// Something failed that has no text of its own.
    Rfa22,
    /// The person is to read an identity document.
    Rfa23,
    /// The person is to show their face.
    Rfa24,
    /// The person is to choose how they confirm who they are.
    Rfa25,
    /// The identity document was not accepted.
    Rfa26,
    /// The face was not recognised.
    Rfa27,
    /// The device cannot read identity documents.
    Rfa28,
    /// There is more than one BankID on the device.
    Rfa29,
    /// The confirmation of who they are failed.
    Rfa30,
    /// The person is to confirm a call.
    CallConfirm,
    /// Another identification must be by the security code. BankID has no text for it.
    StepUpPin,
    /// Another identification must read a document. BankID has no text for it.
    StepUpMrtd,
    /// Somebody logged in who is not the one who must. BankID has no text for it.
    OtherPerson,
    /// The person said that they are in no call.
    CallDeclined,
    /// The app is too old.
    UpdateApp,
    /// The login's own time is up. BankID has no text for it.
    TooLong,
    /// What BankID says of the risk is more than the client takes. BankID has no text for it.
    Denied,
}

impl Message {
    /// All of them.
    pub const ALL: [Message; 30] = [
        Message::TooLong,
        Message::Denied,
        Message::Rfa1,
        Message::Rfa3,
        Message::Rfa4,
        Message::Rfa6,
        Message::Rfa8,
        Message::Rfa9,
        Message::Rfa13,
        Message::Rfa15a,
        Message::Rfa15b,
        Message::Rfa16,
        Message::Rfa17a,
        Message::Rfa17b,
        Message::Rfa21,
        Message::Rfa22,
        Message::Rfa23,
        Message::Rfa24,
        Message::Rfa25,
        Message::Rfa26,
        Message::Rfa27,
        Message::Rfa28,
        Message::Rfa29,
        Message::Rfa30,
        Message::CallConfirm,
        Message::StepUpPin,
        Message::StepUpMrtd,
        Message::OtherPerson,
        Message::CallDeclined,
        Message::UpdateApp,
    ];
}

/// Which device the person chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub enum Device {
    /// "BankID on this device": a link opens the app.
    This,
    /// "BankID on another device": a code is scanned.
    Other,
}

/// For an order that waits.
pub fn pending(hint: &Hint, device: Device, hand_held: bool) -> Message {
    match (hint.0.as_str(), device) {
        ("outstandingTransaction" | "noClient", Device::Other) => Message::Rfa1,
        ("outstandingTransaction" | "noClient", Device::This) => Message::Rfa13,
        ("started", Device::This) if !hand_held => Message::Rfa15a,
        ("started", _) => Message::Rfa15b,
        ("userSign", _) => Message::Rfa9,
        ("userMrtd", _) => Message::Rfa23,
        ("userFace", _) => Message::Rfa24,
        ("userStepUp", _) => Message::Rfa25,
        ("userCallConfirm", _) => Message::CallConfirm,
        _ => Message::Rfa21,
    }
}

/// For an order that came to nothing.
pub fn failed(hint: &Hint, device: Device) -> Message {
    match (hint.0.as_str(), device) {
        ("expiredTransaction", _) => Message::Rfa8,
        ("certificateErr", _) => Message::Rfa16,
        ("userCancel", _) => Message::Rfa6,
        ("cancelled", _) => Message::Rfa3,
        ("startFailed", Device::This) => Message::Rfa17a,
        ("startFailed", Device::Other) => Message::Rfa17b,
        ("notSupportedByUserApp", _) => Message::UpdateApp,
        ("userDeclinedCall", _) => Message::CallDeclined,
        ("mrtdVerificationFailed", _) => Message::Rfa26,
        ("facialRecognitionFailed", _) => Message::Rfa27,
        ("nfcNotSupportedByDevice", _) => Message::Rfa28,
        ("multipleBankIdsOnDevice", _) => Message::Rfa29,
        ("stepUpFailed", _) => Message::Rfa30,
        _ => Message::Rfa22,
    }
}

/// For a person who must do more. BankID has no text for it.
pub fn step_up(step_up: StepUp) -> Message {
    match step_up {
        StepUp::Pin => Message::StepUpPin,
        StepUp::Mrtd => Message::StepUpMrtd,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every hint that BankID names, with whether its text is one of its own.
    const PENDING: &[(&str, bool)] = &[
        ("outstandingTransaction", true),
        ("noClient", true),
        ("started", true),
        ("userMrtd", true),
        ("userStepUp", true),
        ("userFace", true),
        ("userCallConfirm", true),
        ("userSign", true),
        ("processing", false),
        ("brandNew", false),
        ("", false),
    ];
    const FAILED: &[(&str, bool)] = &[
        ("expiredTransaction", true),
        ("certificateErr", true),
        ("userCancel", true),
        ("cancelled", true),
        ("startFailed", true),
        ("userDeclinedCall", true),
        ("notSupportedByUserApp", true),
        ("mrtdVerificationFailed", true),
        ("facialRecognitionFailed", true),
        ("nfcNotSupportedByDevice", true),
        ("multipleBankIdsOnDevice", true),
        ("stepUpFailed", true),
        ("transactionRiskBlocked", false),
        ("brandNew", false),
        ("", false),
    ];

    #[test]
    fn every_status_and_hint_has_a_message() {
        let _shows = crate::shows!(accepting "BC-11", refusing "BC-11", accepting "PV-TEXT-1", refusing "PV-TEXT-1");
        for device in [Device::This, Device::Other] {
            for (hint, own) in PENDING {
                for hand_held in [true, false] {
                    let message = pending(&Hint::new(hint), device, hand_held);
                    assert_eq!(message != Message::Rfa21, *own, "{hint}");
                }
            }
            for (hint, own) in FAILED {
                let message = failed(&Hint::new(hint), device);
                assert_eq!(message != Message::Rfa22, *own, "{hint}");
            }
        }
    }

    #[test]
    fn the_message_depends_on_hint_device_and_what_we_did() {
        use Device::{Other, This};
        let message = |hint, device, hand_held| pending(&Hint::new(hint), device, hand_held);
        for (hint, device, hand_held, expected) in [
            ("outstandingTransaction", Other, false, Message::Rfa1),
            ("outstandingTransaction", This, false, Message::Rfa13),
            ("started", This, false, Message::Rfa15a),
            ("started", This, true, Message::Rfa15b),
            ("started", Other, false, Message::Rfa15b),
            ("userSign", Other, false, Message::Rfa9),
            ("brandNew", Other, false, Message::Rfa21),
        ] {
            assert_eq!(message(hint, device, hand_held), expected, "{hint}");
        }
        let message = |hint, device| failed(&Hint::new(hint), device);
        assert_eq!(message("startFailed", Other), Message::Rfa17b);
        assert_eq!(message("startFailed", This), Message::Rfa17a);
        assert_eq!(message("brandNew", This), Message::Rfa22);
        assert_eq!(step_up(StepUp::Pin), Message::StepUpPin);
        assert_eq!(step_up(StepUp::Mrtd), Message::StepUpMrtd);
    }
}

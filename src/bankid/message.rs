//! The texts that BankID recommends for a person who waits ("user messages"), in Swedish and
//! English, chosen from what BankID says and what we did.

use serde::{Deserialize, Serialize};

use super::collect::Hint;
use super::risk::StepUp;

/// A language that the pages speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Swedish.
    Sv,
    /// English.
    En,
}

impl Language {
    /// All of them.
    pub const ALL: [Language; 2] = [Language::Sv, Language::En];

    /// The first of the preferred languages that we speak: `ui_locales` (OpenID Connect Core
    /// §3.1.2.1), then `Accept-Language` (RFC 9110 §12.5.4, taken in the order written); Swedish
    /// when there is none.
    pub fn choose(ui_locales: Option<&str>, accept_language: Option<&str>) -> Language {
        let wishes = ui_locales.unwrap_or("").split(' ');
        let accepted = accept_language.unwrap_or("").split(',');
        wishes
            .chain(accepted)
            .find_map(|tag| match primary_subtag(tag).as_str() {
                "sv" => Some(Language::Sv),
                "en" => Some(Language::En),
                _ => None,
            })
            .unwrap_or(Language::Sv)
    }

    /// The BCP 47 tag.
    pub fn tag(self) -> &'static str {
        match self {
            Language::Sv => "sv",
            Language::En => "en",
        }
    }
}

fn primary_subtag(tag: &str) -> String {
    let end = tag.find(['-', ';', '_']).unwrap_or(tag.len());
    tag[..end].trim().to_ascii_lowercase()
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

type Text = (&'static str, &'static str);

/// For an order that waits.
pub fn pending(hint: &Hint, device: Device, hand_held: bool, language: Language) -> &'static str {
    let text: Text = match (hint.0.as_str(), device) {
        ("outstandingTransaction" | "noClient", Device::Other) => RFA1,
        ("outstandingTransaction" | "noClient", Device::This) => RFA13,
        ("started", Device::This) if !hand_held => RFA15A,
        ("started", _) => RFA15B,
        ("userSign", _) => RFA9,
        ("userMrtd", _) => RFA23,
        ("userFace", _) => RFA24,
        ("userStepUp", _) => RFA25,
        ("userCallConfirm", _) => CALL_CONFIRM,
        _ => RFA21,
    };
    pick(text, language)
}

/// For an order that came to nothing.
pub fn failed(hint: &Hint, device: Device, language: Language) -> &'static str {
    let text: Text = match (hint.0.as_str(), device) {
        ("expiredTransaction", _) => RFA8,
        ("certificateErr", _) => RFA16,
        ("userCancel", _) => RFA6,
        ("cancelled", _) => RFA3,
        ("startFailed", Device::This) => RFA17A,
        ("startFailed", Device::Other) => RFA17B,
        ("notSupportedByUserApp", _) => UPDATE_APP,
        ("userDeclinedCall", _) => CALL_DECLINED,
        ("mrtdVerificationFailed", _) => RFA26,
        ("facialRecognitionFailed", _) => RFA27,
        ("nfcNotSupportedByDevice", _) => RFA28,
        ("multipleBankIdsOnDevice", _) => RFA29,
        ("stepUpFailed", _) => RFA30,
        _ => RFA22,
    };
    pick(text, language)
}

/// For a person who has another order in progress.
pub fn already_in_progress(language: Language) -> &'static str {
    pick(RFA4, language)
}

/// For a person who must do more. BankID has no text for it.
pub fn step_up(step_up: StepUp, language: Language) -> &'static str {
    let text = match step_up {
        StepUp::Pin => STEP_UP_PIN,
        StepUp::Mrtd => STEP_UP_MRTD,
    };
    pick(text, language)
}

/// For somebody who is not the one who must log in. BankID has no text for it.
pub fn other_person(language: Language) -> &'static str {
    pick(OTHER_PERSON, language)
}

/// For a failure of BankID's or of ours.
pub fn something_went_wrong(language: Language) -> &'static str {
    pick(RFA22, language)
}

fn pick(text: Text, language: Language) -> &'static str {
    match language {
        Language::Sv => text.0,
        Language::En => text.1,
    }
}

const RFA1: Text = ("Starta BankID-appen.", "Start your BankID app.");
const RFA3: Text = (
    "Åtgärden avbröts. Försök igen.",
    "The action was cancelled. Please try again.",
);
const RFA4: Text = (
    "En identifiering eller underskrift pågår redan för ditt personnummer. Försök igen.",
    "An identification or signature is already in progress for your personal identity number. Please try again.",
);
const RFA6: Text = ("Åtgärden avbröts.", "The action was cancelled.");
const RFA8: Text = (
    "BankID-appen svarar inte. Kontrollera att den är startad och att du har internetanslutning. Försök sedan igen.",
    "The BankID app is not responding. Please check that it's started and that you have internet access. Try again.",
);
const RFA9: Text = (
    "Skriv in din säkerhetskod i BankID-appen och välj Identifiera.",
    "Enter your security code in the BankID app and select Identify.",
);
const RFA13: Text = (
    "Försöker starta BankID-appen.",
    "Trying to start your BankID app.",
);
const RFA15A: Text = (
    "Söker efter BankID. Säkerställ att du har ett giltigt BankID på den här datorn. Om du har ett BankID på kort, sätt in kortet i kortläsaren.",
    "Searching for BankID. Make sure you have a valid BankID on this computer. If you have a BankID on card, please insert the card into your card reader.",
);
const RFA15B: Text = (
    "Söker efter BankID. Säkerställ att du har ett giltigt BankID på den här enheten.",
    "Searching for BankID. Make sure you have a valid BankID on this device.",
);
const RFA16: Text = (
    "Ditt BankID är för gammalt eller spärrat. Använd ett annat BankID eller skaffa ett nytt hos din bank.",
    "Your BankID is blocked or too old. Please use another BankID or get a new one from your bank.",
);
const RFA17A: Text = (
    "Du verkar inte ha BankID-appen/programmet. Installera den och skaffa ett BankID hos din bank.",
    "You don't seem to have the BankID app/program. Please install it and get a BankID from your bank.",
);
const RFA17B: Text = (
    "Misslyckades att läsa av QR-koden. Starta BankID-appen och läs av QR-koden.",
    "Failed to scan the QR code. Start the BankID app and scan the QR code.",
);
const RFA21: Text = (
    "En identifiering eller underskrift pågår.",
    "An identification or signing is in progress.",
);
const RFA22: Text = (
    "Något gick fel. Försök igen.",
    "Something went wrong. Please try again.",
);
const RFA23: Text = (
    "Fotografera och läs av din ID-handling med BankID-appen.",
    "Take a photo of, and scan, your ID document with the BankID app.",
);
const RFA24: Text = (
    "Gör en ansiktsigenkänning i BankID-appen.",
    "Complete the face recognition in the BankID app.",
);
const RFA25: Text = (
    "Välj hur du vill bekräfta din identitet i BankID-appen.",
    "Choose how to confirm your identity in the BankID app.",
);
const RFA26: Text = (
    "Kontrollen av din ID-handling misslyckades. Försök igen.",
    "The check of your ID document failed. Please try again.",
);
const RFA27: Text = (
    "Ansiktsigenkänningen misslyckades. Försök igen.",
    "The face recognition failed. Please try again.",
);
const RFA28: Text = (
    "Din enhet saknar den läsare som behövs för att kontrollera ID-handlingar.",
    "Your device lacks the reader needed to check ID documents.",
);
const RFA29: Text = (
    "Du har flera BankID på din enhet. Du behöver radera alla utom ett BankID för att kunna slutföra identifieringen. Det gör du under Meny - Inställningar i din BankID-app.",
    "You have several BankIDs on your device. Remove all but one to complete the identification, under Menu - Settings in your BankID app.",
);
const RFA30: Text = (
    "Bekräftelsen av din identitet misslyckades. Försök igen.",
    "The confirmation of your identity failed. Please try again.",
);
const CALL_CONFIRM: Text = (
    "Bekräfta samtalet i BankID-appen.",
    "Confirm the call in the BankID app.",
);
const STEP_UP_PIN: Text = (
    "Tjänsten vill vara säkrare på att det är du. Identifiera dig en gång till, och skriv då din säkerhetskod.",
    "The service wants to be more certain that it is you. Identify yourself once more, by entering your security code.",
);
const STEP_UP_MRTD: Text = (
    "Tjänsten vill vara säkrare på att det är du. Identifiera dig en gång till, och läs då av ditt pass eller nationella id-kort med BankID-appen.",
    "The service wants to be more certain that it is you. Identify yourself once more, by reading your passport or national identity card with the BankID app.",
);
const OTHER_PERSON: Text = (
    "Inloggningen gäller en annan person än den som identifierade sig.",
    "This login is for another person than the one who identified themselves.",
);
const CALL_DECLINED: Text = (
    "Du svarade att du inte är i ett samtal. Ingen har loggats in.",
    "You said that you are not in a call. Nobody was logged in.",
);
const UPDATE_APP: Text = (
    "Uppdatera BankID-appen och försök igen.",
    "Update the BankID app and try again.",
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_that_of_the_request_then_that_of_the_browser() {
        assert_eq!(Language::choose(Some("fi en"), Some("sv")), Language::En);
        assert_eq!(
            Language::choose(None, Some("en-GB,en;q=0.9,sv;q=0.8")),
            Language::En
        );
        assert_eq!(
            Language::choose(Some("de"), Some("fr;q=0.9, sv-SE")),
            Language::Sv
        );
        assert_eq!(Language::choose(None, None), Language::Sv);
    }

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
    fn every_status_and_hint_has_a_text_in_every_language() {
        let _shows = crate::shows!(accepting "BC-11", refusing "BC-11", accepting "PV-TEXT-1", refusing "PV-TEXT-1");
        let devices = [Device::This, Device::Other];
        for language in Language::ALL {
            for device in devices {
                for (hint, own) in PENDING {
                    for hand_held in [true, false] {
                        let text = pending(&Hint::new(hint), device, hand_held, language);
                        assert_eq!(text != pick(RFA21, language), *own, "{hint}");
                        assert!(text.ends_with('.'), "{text}");
                    }
                }
                for (hint, own) in FAILED {
                    let text = failed(&Hint::new(hint), device, language);
                    assert_eq!(text != pick(RFA22, language), *own, "{hint}");
                    assert!(text.ends_with('.'), "{text}");
                }
            }
        }
        for (sv, en) in [
            RFA1, RFA3, RFA4, RFA9, RFA13, RFA16, RFA17A, RFA17B, RFA21, RFA22, RFA30,
        ] {
            assert_ne!(sv, en);
        }
    }

    #[test]
    fn the_text_depends_on_hint_device_and_what_we_did() {
        let text = |hint, device| pending(&Hint::new(hint), device, false, Language::Sv);
        assert_eq!(
            text("outstandingTransaction", Device::Other),
            "Starta BankID-appen."
        );
        assert_eq!(
            text("outstandingTransaction", Device::This),
            "Försöker starta BankID-appen."
        );
        assert_eq!(
            text("brandNew", Device::Other),
            "En identifiering eller underskrift pågår."
        );
        let text = |hint, device| failed(&Hint::new(hint), device, Language::En);
        assert!(text("startFailed", Device::Other).contains("scan the QR code"));
        assert!(text("startFailed", Device::This).contains("install"));
        assert_eq!(
            text("brandNew", Device::This),
            "Something went wrong. Please try again."
        );
    }
}

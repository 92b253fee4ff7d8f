//! Every text that a person reads on our pages and in the app, in Swedish and in English. A language that
//! an operator adds has the same keys.

use std::collections::HashMap;

use super::Language;
use crate::bankid::message::Message;
use crate::claims::release::Claim;

macro_rules! words {
    ($($name:ident: $sv:literal, $en:literal;)+) => {
        /// Every text, in one language.
        #[derive(Debug, PartialEq, Eq)]
        pub struct Words { $(pub $name: &'static str),+ }
        pub(super) const SWEDISH: Words = Words { $($name: $sv),+ };
        pub(super) const ENGLISH: Words = Words { $($name: $en),+ };

        impl Words {
            /// The words of a language that has these texts. The others are English.
            pub(super) fn made_of(mut texts: HashMap<&'static str, String>) -> Words {
                let mut text = |key| texts.remove(key).map(|text| &*text.leak());
                Words { $($name: text(stringify!($name)).unwrap_or(ENGLISH.$name)),+ }
            }

            /// Every text with its key, in the order of the table.
            pub fn texts(&self) -> Vec<(&'static str, &'static str)> {
                vec![$((stringify!($name), self.$name)),+]
            }
        }
    };
}

impl Words {
    /// The words of a language.
    pub fn of(language: Language) -> &'static Words {
        &language.0.words
    }

    /// What a claim is called on the choice page.
    pub fn claim(&self, claim: Claim) -> &'static str {
        match claim {
            Claim::Name => self.claim_name,
            Claim::GivenName => self.claim_given_name,
            Claim::FamilyName => self.claim_family_name,
            Claim::Birthdate => self.claim_birthdate,
            Claim::PersonalNumber => self.claim_personal_number,
        }
    }

    /// What a person who waits is told.
    pub fn message(&self, message: &Message) -> &'static str {
        match message {
            Message::TooLong => self.too_long,
            Message::Denied => self.denied,
            Message::Rfa1 => self.rfa1,
            Message::Rfa3 => self.rfa3,
            Message::Rfa4 => self.rfa4,
            Message::Rfa6 => self.rfa6,
            Message::Rfa8 => self.rfa8,
            Message::Rfa9 => self.rfa9,
            Message::Rfa13 => self.rfa13,
            Message::Rfa15a => self.rfa15a,
            Message::Rfa15b => self.rfa15b,
            Message::Rfa16 => self.rfa16,
            Message::Rfa17a => self.rfa17a,
            Message::Rfa17b => self.rfa17b,
            Message::Rfa21 => self.rfa21,
            Message::Rfa22 => self.rfa22,
            Message::Rfa23 => self.rfa23,
            Message::Rfa24 => self.rfa24,
            Message::Rfa25 => self.rfa25,
            Message::Rfa26 => self.rfa26,
            Message::Rfa27 => self.rfa27,
            Message::Rfa28 => self.rfa28,
            Message::Rfa29 => self.rfa29,
            Message::Rfa30 => self.rfa30,
            Message::CallConfirm => self.call_confirm,
            Message::StepUpPin => self.step_up_pin,
            Message::StepUpMrtd => self.step_up_mrtd,
            Message::OtherPerson => self.other_person,
            Message::CallDeclined => self.call_declined,
            Message::UpdateApp => self.update_app,
        }
    }
}

words! {
    languages: "Språk", "Language";
    simulated: "Simulerat BankID: vem som helst kan logga in som vem som helst.", "Simulated BankID: anyone can log in as anyone.";
    test_environment: "BankIDs testmiljö: en inloggning här visar inte vem någon är.", "BankID's test environment: a login here does not show who anyone is.";
    heading: "Identifiera dig med BankID", "Identify with BankID";
    help: "Hjälp med inloggningen", "Help with logging in";
    asks: "vill att du loggar in.", "asks you to log in.";
    gets: "När du loggar in får tjänsten veta:", "When you log in, the service learns:";
    gets_nothing: "Tjänsten får veta att det är du när du kommer tillbaka, men varken namn eller personnummer.", "The service learns that it is you when you come back, but neither name nor personal number.";
    claim_name: "ditt namn", "your name";
    claim_given_name: "ditt förnamn", "your given name";
    claim_family_name: "ditt efternamn", "your surname";
    claim_birthdate: "ditt födelsedatum", "your date of birth";
    claim_personal_number: "ditt personnummer", "your personal number";
    offline: "Tjänsten får hämta samma uppgifter igen utan att du loggar in.", "The service may fetch the same information again without you logging in.";
    this_device: "BankID på den här enheten", "BankID on this device";
    other_device: "BankID på en annan enhet", "BankID on another device";
    this_device_help: "BankID-appen öppnas här", "Opens the BankID app here";
    other_device_help: "Läs av en QR-kod med mobilen", "Scan a QR code with your phone";
    choice_renewed: "Sidan hade varit öppen för länge och laddades på nytt. Välj en gång till.", "The page had been open for too long and was loaded anew. Please choose once more.";
    choice_ending: "Sidan gäller snart inte längre. Behöver du mer tid?", "This page will soon be too old. Do you need more time?";
    choice_stay: "Ja, ge mig mer tid", "Yes, give me more time";
    ending: "Tiden för inloggningen är snart slut. Behöver du mer tid?", "The time for this login is nearly up. Do you need more time?";
    begin_anew: "Ja, börja om", "Yes, begin again";
    cookies_off_heading: "Kakor är avstängda", "Cookies are turned off";
    cookies_off_help: "Webbläsaren tar inte emot kakor, och utan dem kan vi inte veta att det är du som kommer tillbaka från BankID-appen. Tillåt kakor för den här sidan och försök igen.", "Your browser does not accept cookies, and without them we cannot know that it is you who comes back from the BankID app. Allow cookies for this page and try again.";
    provider_help: "Hjälp", "Help";
    privacy: "Personuppgifter", "Personal data";
    accessibility: "Tillgänglighet", "Accessibility";
    only_if_you: "Logga bara in om du själv har valt det. Gör det aldrig för att någon ringer och ber dig.", "Log in only if you chose to. Never do it because someone calls and asks you to.";
    elsewhere_before: "Förra gången öppnades svaret från BankID i en annan webbläsare. Händer det igen, välj en annan enhet, eller börja om hos tjänsten i den webbläsare som öppnas.", "Last time the answer from BankID opened in another browser. If it happens again, choose another device, or begin again at the service in the browser that opens.";
    cancel: "Avbryt", "Cancel";
    try_again: "Försök igen", "Try again";
    scan_heading: "Skanna QR-koden med BankID-appen", "Scan the QR code with the BankID app";
    no_connection: "Ingen kontakt just nu. Sidan försöker igen av sig själv.", "No connection right now. This page tries again by itself.";
    scan_step_1: "Starta BankID-appen.", "Start the BankID app.";
    scan_step_2: "Tryck på QR-ikonen.", "Tap the QR icon.";
    scan_step_3: "Skanna koden på skärmen.", "Scan the code on the screen.";
    qr_alt: "QR-kod", "QR code";
    qr_enlarge: "Visa QR-koden i helskärm", "Show the QR code full screen";
    qr_shrink: "Visa sidan igen", "Show the page again";
    qr_whole: "Hela QR-koden syns.", "All of the QR code is in view.";
    qr_part: "Hela QR-koden syns inte. Rulla sidan, eller tryck på koden för att visa den i helskärm.", "Part of the QR code is out of view. Scroll, or press the code to show it full screen.";
    switch_to_this: "Öppna BankID på den här enheten i stället", "Open BankID on this device instead";
    switch_to_other: "Öppna BankID på en annan enhet i stället", "Open BankID on another device instead";
    launch_heading: "Öppna BankID", "Open BankID";
    launch_help: "Tryck på knappen för att starta BankID-appen. När du är klar kommer du tillbaka hit.", "Press the button to start the BankID app. When you are done you come back here.";
    launch_again_help: "Tryck när du är redo, så startar BankID-appen.", "Press when you are ready, and the BankID app starts.";
    not_started: "Öppnades inte BankID-appen? Tryck på knappen igen. Har du ingen BankID-app?", "Did the BankID app not open? Press the button again. No BankID app?";
    install_app: "Hämta BankID-appen", "Get the BankID app";
    in_app: "Du är inne i en annan app. Går inloggningen inte vidare: gå tillbaka till tjänsten, tryck på menyn (⋯), välj Öppna i webbläsare och logga in där.", "You are inside another app. If the login does not go on, go back to the service, press the menu (⋯), choose Open in browser, and log in there.";
    confirm_heading: "Var det du som identifierade dig?", "Was it you who identified yourself?";
    confirm_help: "BankID-appen gick tillbaka till en annan webbläsare på samma nätverk. Fortsätt bara om det var du själv som nyss godkände i BankID-appen.", "The BankID app went back to another browser on the same network. Go on only if it was you who approved in the BankID app just now.";
    confirm_yes: "Ja, logga in mig här", "Yes, log me in here";
    confirm_no: "Nej, det var inte jag", "No, that was not me";
    step_up_heading: "En gång till", "Once more";
    open_app: "Öppna BankID", "Open BankID";
    renewing: "Hämtar en ny QR-kod.", "Fetching a new QR code.";
    code_heading: "Skriv din säkerhetskod", "Enter your security code";
    started_heading: "Söker efter ditt BankID", "Looking for your BankID";
    processing_heading: "Strax klart", "Almost done";
    document_heading: "Läs av din ID-handling", "Read your identity document";
    face_heading: "Visa ditt ansikte", "Show your face";
    in_progress_heading: "En inloggning pågår redan", "A login is in progress already";
    too_long: "Inloggningen tog för lång tid. Försök igen.", "The login took too long. Please try again.";
    denied: "Inloggningen kan inte genomföras just nu. Gå tillbaka till tjänsten, eller kontakta dem om du behöver hjälp.", "The login cannot be completed right now. Go back to the service, or contact them if you need help.";
    declined_heading: "Inloggningen avbröts", "The login was cancelled";
    timed_out_heading: "Tiden gick ut", "Time ran out";
    blocked_heading: "Ditt BankID går inte att använda", "Your BankID cannot be used";
    no_app_heading: "BankID-appen öppnades inte", "The BankID app did not open";
    unscanned_heading: "Koden skannades inte", "The code was not scanned";
    other_person_heading: "Fel person", "Another person";
    update_heading: "BankID-appen är för gammal", "The BankID app is too old";
    working_heading: "Fortsätt i BankID-appen", "Continue in the BankID app";
    await_heading: "Klart i BankID", "Done in BankID";
    await_help: "Gå tillbaka till den flik som BankID-appen öppnade. Hände ingenting? Försök igen.", "Go to the tab that the BankID app opened. Did nothing happen? Try again.";
    other_tab_heading: "Fortsätt i den andra fliken", "Continue in the other tab";
    other_tab_help: "BankID-appen öppnade en ny flik i den här webbläsaren. Inloggningen fortsätter där, och du kan stänga den här fliken.", "The BankID app opened a new tab in this browser. The login continues there, and you can close this tab.";
    continue_here: "Fortsätt här i stället", "Continue here instead";
    elsewhere_heading: "Svaret öppnades i en annan webbläsare", "The answer opened in another browser";
    elsewhere_help: "BankID-appen gick tillbaka till en annan webbläsare än den här, och då kan vi inte veta att det är samma person. Ingen har loggats in. Försök en gång till, eller börja om hos tjänsten i den webbläsare som öppnades.", "The BankID app went back to another browser than this one, so that we cannot know it is the same person. Nobody was logged in. Please try once more, or begin again at the service in the browser that opened.";
    use_qr: "Använd en QR-kod", "Use a QR code";
    failed_heading: "Det gick inte", "That did not work";
    back_to_service: "Tillbaka till tjänsten", "Back to the service";
    log_out: "Logga ut", "Log out";
    log_out_heading: "Vill du logga ut?", "Do you want to log out?";
    log_out_asks: "vill logga ut dig.", "wants to log you out.";
    log_out_refused: "Fel: tjänstens begäran om utloggning är ogiltig.", "Error: the service's request to log you out is invalid.";
    log_out_help: "Du loggas ut ur allt som du är inloggad i från den här webbläsaren:", "You will be logged out of everything that you are logged in to from this browser:";
    log_out_no: "Fortsätt vara inloggad", "Stay logged in";
    logged_out_heading: "Du är utloggad", "You are logged out";
    logged_out_help: "Stäng webbläsaren om flera använder den här enheten: en tjänst kan komma ihåg dig på egen hand.", "Close the browser if others use this device: a service may remember you on its own.";
    logged_out_going: "Tjänsterna loggar ut dig, och strax skickas du vidare.", "The services are logging you out, and you will be sent on in a moment.";
    stayed_heading: "Du är fortfarande inloggad", "You are still logged in";
    stayed_help: "Ingenting har ändrats. Du kan stänga den här sidan.", "Nothing has changed. You can close this page.";
    hint_foreign: "id_token_hint är inte en ID-token härifrån.", "id_token_hint is not an ID token from here.";
    hint_of_other_client: "client_id är inte den som id_token_hint gavs till.", "client_id is not the one that id_token_hint was issued to.";
    parameter_repeated: "En parameter skickades mer än en gång.", "A parameter was sent more than once.";
    post_logout_unproven: "post_logout_redirect_uri behöver id_token_hint eller client_id.", "post_logout_redirect_uri needs id_token_hint or client_id.";
    post_logout_unregistered: "post_logout_redirect_uri är inte exakt någon av dem som är registrerade för tjänsten.", "post_logout_redirect_uri is not exactly one of those registered for the service.";
    leaving_heading: "Du skickas vidare", "You are being sent on";
    leaving_help: "Händer ingenting?", "Nothing happens?";
    go_on: "Gå vidare", "Go on";
    wrong_browser_heading: "Fel webbläsare", "Wrong browser";
    wrong_browser_help: "Inloggningen började i en annan webbläsare, eller så är den redan klar. Gå tillbaka till webbläsaren och fliken där du började, eller börja om hos tjänsten i den här webbläsaren.", "The login began in another browser, or it is finished already. Go back to the browser and the tab where you began, or begin again at the service in this browser.";
    wrong_browser_over: "Kommer du hit i samma webbläsare har det gått för lång tid, eller så tar den inte emot kakor. Börja då om hos tjänsten som du ville logga in på.", "If this is the same browser, too much time has passed, or it does not accept cookies. Then begin again at the service that you wanted to log in to.";
    error_heading: "Något är fel med inloggningen", "Something is wrong with this login";
    mistake_help: "Tjänsten som du kom från skickade en begäran som vi inte kan besvara. Det är inget som du har gjort. Gå tillbaka till tjänsten, och berätta för dem om det händer igen.", "The service that you came from sent a request that we cannot answer. It is nothing that you did. Go back to the service, and tell them if it happens again.";
    for_developers: "För tjänstens utvecklare", "For the service's developers";
    reference: "Referens", "Reference";
    client_missing: "client_id saknas.", "client_id is missing.";
    client_repeated: "client_id skickades mer än en gång.", "client_id was sent more than once.";
    client_unknown: "client_id är okänt.", "client_id is unknown.";
    redirect_uri_missing: "redirect_uri saknas.", "redirect_uri is missing.";
    redirect_uri_repeated: "redirect_uri skickades mer än en gång.", "redirect_uri was sent more than once.";
    redirect_uri_unregistered: "redirect_uri är inte exakt någon av dem som är registrerade för tjänsten.", "redirect_uri is not exactly one of those registered for the service.";
    response_mode: "response_mode stöds inte.", "response_mode is not supported.";
    request_uri_unknown: "request_uri är okänt, för gammalt, redan besvarat eller en annan tjänsts.", "request_uri is unknown, too old, answered already or another service's.";
    request_object: "request är inte en giltig signerad begäran, eller är redan besvarad.", "request is not a valid signed request, or was answered already.";
    request_uri_ambiguous: "request_uri skickades mer än en gång, eller tillsammans med request.", "request_uri was sent more than once, or together with request.";
    unreadable: "Parametrarna kan inte läsas: de ska vara formulärkodad UTF-8 utan styrtecken.", "The parameters cannot be read: they must be form-urlencoded UTF-8 without control characters.";
    stale_heading: "Sidan är för gammal", "This page is too old";
    stale_help: "Gå tillbaka till tjänsten och börja om. Tar webbläsaren emot kakor?", "Go back to the service and begin again. Does your browser accept cookies?";
    over_heading: "Inloggningen är avslutad", "This login is over";
    over_help: "Du har redan loggat in, eller så avbröts inloggningen. Gå tillbaka till tjänsten om du vill logga in igen.", "You have logged in already, or the login was cancelled. Go back to the service if you want to log in again.";
    bankid_down_heading: "BankID svarar inte", "BankID is not responding";
    bankid_down_help: "Det går inte att logga in just nu. Vänta en stund och försök igen.", "Logging in is not possible right now. Wait a moment and try again.";
    queue_heading: "Många loggar in just nu", "Many people are logging in";
    queue_help: "Du står i kö. Sidan försöker igen av sig själv om några sekunder; gör den inte det, tryck på Försök igen.", "You are waiting in line. This page tries again by itself in a few seconds; if it does not, press Try again.";
    not_found_heading: "Sidan finns inte", "No such page";
    not_found_help: "Adressen leder ingenstans. Gå tillbaka till tjänsten som du ville logga in på.", "The address leads nowhere. Go back to the service that you wanted to log in to.";
    fault_heading: "Något gick fel hos oss", "Something went wrong on our side";
    fault_retry_help: "Försök igen. Går det inte heller då är det vi som måste rätta till det.", "Try again. If that does not work either, it is for us to put right.";
    fault_help: "Gå tillbaka och försök igen om en stund.", "Go back and try again in a moment.";
    refused_help: "Begäran kunde inte tas emot. Gå tillbaka till tjänsten och börja om.", "The request could not be accepted. Go back to the service and begin again.";
    // What the app shows of why it is asked.
    intention: "Logga in hos {name}.", "Log in to {name}.";
    intention_care: "Godkänn bara om du själv loggar in där just nu.", "Approve only if you are logging in there right now.";
    // The texts that BankID recommends, by its names for them ("user messages"), and ours for what it has none for.
    rfa1: "Starta BankID-appen.", "Start your BankID app.";
    rfa3: "Åtgärden avbröts. Försök igen.", "The action was cancelled. Please try again.";
    rfa4: "En identifiering eller underskrift pågår redan för ditt personnummer. Försök igen.", "An identification or signature is already in progress for your personal identity number. Please try again.";
    rfa6: "Åtgärden avbröts.", "The action was cancelled.";
    rfa8: "BankID-appen svarar inte. Kontrollera att den är startad och att du har internetanslutning. Försök sedan igen.", "The BankID app is not responding. Please check that it's started and that you have internet access. Try again.";
    rfa9: "Skriv in din säkerhetskod i BankID-appen och välj Identifiera.", "Enter your security code in the BankID app and select Identify.";
    rfa13: "Försöker starta BankID-appen.", "Trying to start your BankID app.";
    rfa15a: "Söker efter BankID. Säkerställ att du har ett giltigt BankID på den här datorn. Om du har ett BankID på kort, sätt in kortet i kortläsaren.", "Searching for BankID. Make sure you have a valid BankID on this computer. If you have a BankID on card, please insert the card into your card reader.";
    rfa15b: "Söker efter BankID. Säkerställ att du har ett giltigt BankID på den här enheten.", "Searching for BankID. Make sure you have a valid BankID on this device.";
    rfa16: "Ditt BankID är för gammalt eller spärrat. Använd ett annat BankID eller skaffa ett nytt hos din bank.", "Your BankID is blocked or too old. Please use another BankID or get a new one from your bank.";
    rfa17a: "Du verkar inte ha BankID-appen/programmet. Installera den och skaffa ett BankID hos din bank.", "You don't seem to have the BankID app/program. Please install it and get a BankID from your bank.";
    rfa17b: "Misslyckades att läsa av QR-koden. Starta BankID-appen och läs av QR-koden.", "Failed to scan the QR code. Start the BankID app and scan the QR code.";
    rfa21: "En identifiering eller underskrift pågår.", "An identification or signing is in progress.";
    rfa22: "Något gick fel. Försök igen.", "Something went wrong. Please try again.";
    rfa23: "Fotografera och läs av din ID-handling med BankID-appen.", "Take a photo of, and scan, your ID document with the BankID app.";
    rfa24: "Gör en ansiktsigenkänning i BankID-appen.", "Complete the face recognition in the BankID app.";
    rfa25: "Välj hur du vill bekräfta din identitet i BankID-appen.", "Choose how to confirm your identity in the BankID app.";
    rfa26: "Kontrollen av din ID-handling misslyckades. Försök igen.", "The check of your ID document failed. Please try again.";
    rfa27: "Ansiktsigenkänningen misslyckades. Försök igen.", "The face recognition failed. Please try again.";
    rfa28: "Din enhet saknar den läsare som behövs för att kontrollera ID-handlingar.", "Your device lacks the reader needed to check ID documents.";
    rfa29: "Du har flera BankID på din enhet. Du behöver radera alla utom ett BankID för att kunna slutföra identifieringen. Det gör du under Meny - Inställningar i din BankID-app.", "You have several BankIDs on your device. Remove all but one to complete the identification, under Menu - Settings in your BankID app.";
    rfa30: "Bekräftelsen av din identitet misslyckades. Försök igen.", "The confirmation of your identity failed. Please try again.";
    call_confirm: "Bekräfta samtalet i BankID-appen.", "Confirm the call in the BankID app.";
    step_up_pin: "Tjänsten vill vara säkrare på att det är du. Identifiera dig en gång till, och skriv då din säkerhetskod.", "The service wants to be more certain that it is you. Identify yourself once more, by entering your security code.";
    step_up_mrtd: "Tjänsten vill vara säkrare på att det är du. Identifiera dig en gång till, och läs då av ditt pass eller nationella id-kort med BankID-appen.", "The service wants to be more certain that it is you. Identify yourself once more, by reading your passport or national identity card with the BankID app.";
    other_person: "Inloggningen gäller en annan person än den som identifierade sig.", "This login is for another person than the one who identified themselves.";
    call_declined: "Du svarade att du inte är i ett samtal. Ingen har loggats in.", "You said that you are not in a call. Nobody was logged in.";
    update_app: "Uppdatera BankID-appen och försök igen.", "Update the BankID app and try again.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_has_words_of_its_own() {
        let _shows = crate::shows!(accepting "BC-11", accepting "PV-TEXT-1", refusing "PV-TEXT-1");
        let (sv, en) = (SWEDISH.texts(), ENGLISH.texts());
        for ((key, sv), (_, en)) in sv.iter().zip(&en) {
            assert!(!sv.trim().is_empty() && !en.trim().is_empty(), "{key}");
        }
        for message in Message::ALL {
            let (sv, en) = (SWEDISH.message(&message), ENGLISH.message(&message));
            assert_ne!(sv, en);
            assert!(sv.ends_with('.') && en.ends_with('.'), "{sv} {en}");
        }
    }

    #[test]
    fn the_messages_are_those_that_bankid_recommends() {
        let _shows = crate::shows!(accepting "BC-11", refusing "BC-11");
        for (message, sv, en) in [
            (
                Message::Rfa1,
                "Starta BankID-appen.",
                "Start your BankID app.",
            ),
            (
                Message::Rfa13,
                "Försöker starta BankID-appen.",
                "Trying to start your BankID app.",
            ),
            (
                Message::Rfa21,
                "En identifiering eller underskrift pågår.",
                "An identification or signing is in progress.",
            ),
            (
                Message::Rfa22,
                "Något gick fel. Försök igen.",
                "Something went wrong. Please try again.",
            ),
        ] {
            assert_eq!(SWEDISH.message(&message), sv);
            assert_eq!(ENGLISH.message(&message), en);
        }
    }
}

//! The languages that people are spoken to in: which one, those that an operator adds, and the switch.

use std::process::Command;

use portvakt::shows;
use serde_json::json;
use tempfile::TempDir;

use crate::chromium::{SAFARI, app as seen_app, ask};
use crate::logout::logout_url;
use crate::support::chromium::{Scripts, browsers_as, is_there};
use crate::support::phone::TOLVAN;
use crate::support::{App, Browser, CALLBACK, Database, Options, Page, on_both, run};

/// A language with a few words, and one that answers to other names.
const FINNISH: &str = "tag = 'fi'\nname = 'Suomi'\n[words]\nheading = 'Tunnistaudu BankID:llä'\n\
    rfa9 = 'Kirjoita tunnuslukusi BankID-sovellukseen.'\nintention = 'Kirjaudu: {name}.'\n";
const NORWEGIAN: &str =
    "tag = 'nb'\nname = 'Norsk'\nalso = ['no', 'nn']\n[words]\ncancel = 'Avbryt!'";

/// Files of languages, by the section that names them.
fn added(files: &[(&str, &str)]) -> (TempDir, String) {
    let directory = tempfile::tempdir().expect("a directory");
    let paths: Vec<String> = files
        .iter()
        .map(|(name, text)| {
            let path = directory.path().join(name);
            std::fs::write(&path, text).expect("written");
            format!("'{}'", path.display())
        })
        .collect();
    let section = format!("[languages]\nfiles = [{}]\n", paths.join(", "));
    (directory, section)
}

async fn speaking(database: Database, files: &[(&str, &str)]) -> App {
    let (_directory, sections) = added(files);
    let options = Options {
        sections,
        ..Options::on(database)
    };
    App::start(options).await
}

async fn finnish(database: Database) -> App {
    speaking(database, &[("fi.toml", FINNISH), ("nb.toml", NORWEGIAN)]).await
}

fn language(page: &Page) -> String {
    page.after("<html lang=\"").expect("a page")
}

/// The languages that a page can be changed to, by what they call themselves.
fn offered(page: &Page) -> Vec<String> {
    let (_, switch) = page
        .body
        .split_once("<nav class=\"languages\"")
        .expect("a switch");
    let (switch, _) = switch.split_once("</nav>").expect("its end");
    let buttons = switch.split("<button ").skip(1);
    buttons
        .map(|button| {
            let (_, name) = button.split_once('>').expect("a button");
            name.split('<').next().expect("a name").to_owned()
        })
        .collect()
}

/// Presses a button of the choice page's switch.
async fn change(browser: &Browser, choice: &Page, language: &str) -> Page {
    assert!(choice.body.contains(&format!(
        "<button form=\"choice\" name=\"language\" value=\"{language}\" lang=\"{language}\""
    )));
    let form = choice.value("form");
    let url = choice.absolute("/login");
    browser
        .post(
            &url,
            &[("form", &form), ("scripts", "off"), ("language", language)],
        )
        .await
}

/// The same of a login's page, and goes where it leads.
async fn change_login(browser: &Browser, login: &Page, language: &str) -> Page {
    assert!(login.body.contains(&format!(
        "<button form=\"in-language\" name=\"language\" value=\"{language}\""
    )));
    let csrf = login.value("csrf");
    let url = format!("{}/language", login.login_url());
    let answer = browser
        .post(&url, &[("csrf", &csrf), ("language", language)])
        .await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    browser.follow(&answer).await
}

#[test]
fn what_counts_more_is_asked_first() {
    run(async {
        let _shows = shows!(accepting "PV-LANG-1", refusing "PV-LANG-1");
        let app = finnish(Database::sqlite()).await;
        for (ui_locales, cookie, accepted, expected) in [
            (None, None, "", "sv"),
            (None, None, "da", "sv"),
            (None, None, "sv;q=0.1, fi;q=0.2, en;q=0", "fi"),
            (None, None, "nn-NO, en;q=0.9", "nb"),
            (None, Some("en"), "fi", "en"),
            (None, Some("da"), "fi", "fi"),
            (Some("nb-NO fi"), Some("en"), "sv", "nb"),
            (Some("da"), Some("en"), "sv", "en"),
            (Some("sv-FI"), Some("en"), "en", "sv"),
        ] {
            let browser = Browser::asking_for(accepted);
            if let Some(cookie) = cookie {
                browser.set_cookie("language", cookie);
            }
            let page = browser
                .get(&app.authorize_url(&[("ui_locales", ui_locales)]))
                .await;
            assert_eq!(page.status, 200);
            assert_eq!(
                language(&page),
                expected,
                "{ui_locales:?} {cookie:?} {accepted}"
            );
        }
        // Pages that belong to no request are in the language of the browser, too.
        let browser = Browser::asking_for("fi");
        let nothing = browser.get(&format!("{}/nothing", app.issuer)).await;
        assert_eq!((nothing.status, language(&nothing).as_str()), (404, "fi"));
        let document = format!("{}/.well-known/openid-configuration", app.issuer);
        let document = browser.get(&document).await;
        let document: serde_json::Value = serde_json::from_str(&document.body).expect("JSON");
        assert_eq!(
            document["ui_locales_supported"],
            json!(["sv", "en", "fi", "nb"])
        );
        // What is advertised is spoken.
        for tag in ["sv", "en", "fi", "nb"] {
            let url = app.authorize_url(&[("ui_locales", Some(tag))]);
            assert_eq!(language(&browser.get(&url).await), tag);
        }
    });
}

#[test]
fn a_language_from_a_file_is_spoken_everywhere_and_english_where_it_lacks_words() {
    run(async {
        let _shows = shows!(accepting "PV-LANG-2", accepting "PV-LANG-3");
        let app = finnish(Database::sqlite()).await;
        let browser = Browser::asking_for("fi");
        let choice = browser.get(&app.authorize_url(&[])).await;
        assert!(choice.body.contains("<html lang=\"fi\" dir=\"ltr\">"));
        assert!(
            choice.body.contains("Tunnistaudu BankID:ll"),
            "{}",
            choice.body
        );
        assert!(choice.body.contains("BankID on another device"));
        let login = browser.choose(&choice, "other").await;
        assert_eq!(language(&login), "fi");
        let claimed = app.phone.scan(&login.qr_text(), TOLVAN).await;
        assert!(claimed.text.starts_with("Kirjaudu: "), "{}", claimed.text);
        assert!(
            claimed
                .text
                .ends_with("Approve only if you are logging in there right now.")
        );
        let working = browser.until(&login, "working").await;
        assert!(
            working.body.contains("Kirjoita tunnuslukusi"),
            "{}",
            working.body
        );
        let (_, told) = browser.status(&login).await;
        assert_eq!(
            told["message"],
            "Kirjoita tunnuslukusi BankID-sovellukseen."
        );
    });
}

#[test]
fn a_client_says_who_it_is_and_why_it_asks_in_the_language_of_the_page() {
    run(async {
        let _shows = shows!(accepting "PV-LANG-5", refusing "PV-LANG-5", accepting "PV-LANG-6");
        let app = finnish(Database::sqlite()).await;
        let note = json!({"sv": "Dygnet runt", "en": "Day and night", "others": {"fi": "Aina"}});
        let metadata = json!({
            "client_name": "Bygglov",
            "client_names": {"en": "Permits", "fi": "Rakennusluvat"},
            "redirect_uris": [CALLBACK],
            "pkce": "accepted",
            "purpose": {"sv": "Sök lov", "en": "Apply", "others": {"fi": "Hae lupaa"}},
            "theme": {"note": note},
        });
        app.register("permits", metadata).await;
        let asked = |language| {
            app.authorize_url(&[
                ("client_id", Some("permits")),
                ("scope", Some("openid")),
                ("ui_locales", Some(language)),
            ])
        };
        for (language, name, purpose, note) in [
            ("sv", "Bygglov", "Sök lov", "Dygnet runt"),
            ("en", "Permits", "Apply", "Day and night"),
            ("fi", "Rakennusluvat", "Hae lupaa", "Aina"),
            // It has no text of its own in this one.
            ("nb", "Bygglov", "Apply", "Day and night"),
        ] {
            let page = Browser::new().get(&asked(language)).await;
            let shown = format!("<strong>{name}</strong>");
            assert!(page.body.contains(&shown), "{language}: {}", page.body);
            for text in [purpose, note] {
                let shown = format!("<p class=\"purpose\">{text}</p>");
                assert!(page.body.contains(&shown), "{language}: {}", page.body);
            }
        }
        let browser = Browser::new();
        let choice = browser.get(&asked("fi")).await;
        let login = browser.choose(&choice, "other").await;
        assert!(login.body.contains("<strong>Rakennusluvat</strong>"));
        let claimed = app.phone.scan(&login.qr_text(), TOLVAN).await;
        assert!(
            claimed
                .text
                .starts_with("Kirjaudu: Rakennusluvat.\nHae lupaa\n"),
            "{}",
            claimed.text
        );
        claimed.approve().await;
        browser.until_departure(&login).await;
        for (language, name) in [("en", "Permits"), ("sv", "Bygglov")] {
            let url = format!("{}/logout?ui_locales={language}", app.issuer);
            let question = browser.get(&url).await;
            assert!(question.body.contains(name), "{}", question.body);
        }
    });
}

on_both!(
    a_switch_changes_the_words_and_nothing_else,
    async |database| {
        let _shows = shows!(accepting "PV-LANG-4", refusing "PV-LANG-4");
        let app = finnish(database).await;
        let browser = Browser::new();
        // What the client asks for gives way to what the person does.
        let url = app.authorize_url(&[("ui_locales", Some("en"))]);
        let choice = browser.get(&url).await;
        assert_eq!(language(&choice), "en");
        assert_eq!(offered(&choice), ["Svenska", "Suomi", "Norsk"]);
        let choice = change(&browser, &choice, "fi").await;
        assert_eq!((choice.status, language(&choice).as_str()), (200, "fi"));
        assert_eq!(offered(&choice), ["Svenska", "English", "Norsk"]);
        assert!(!choice.url.contains('?'), "{}", choice.url);
        let cookie = choice.headers.get_all("set-cookie").iter();
        let cookie = cookie.filter_map(|cookie| cookie.to_str().ok());
        let cookie = cookie.filter(|cookie| cookie.starts_with("language=fi;"));
        let cookie = cookie.collect::<Vec<_>>().join("");
        for attribute in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=31536000"] {
            assert!(cookie.contains(attribute), "{cookie}");
        }
        // Nothing was begun, and nothing ordered.
        assert_eq!(app.phone.codes_on_screen().await, 0);
        let login = browser.choose(&choice, "other").await;
        assert_eq!(language(&login), "fi");
        // On a login's page it is the same login, with the same order.
        let first = app.phone.codes_on_screen().await;
        let changed = change_login(&browser, &login, "sv").await;
        assert_eq!(
            (language(&changed).as_str(), changed.url.as_str()),
            ("sv", login.url.as_str())
        );
        assert_eq!(app.phone.codes_on_screen().await, first);
        // The back button leads to the choice as it was left, and to the login as it is.
        let again = browser.press(&choice, "other").await;
        let again = browser.follow(&again).await;
        assert_eq!(
            (language(&again).as_str(), again.url.as_str()),
            ("sv", login.url.as_str())
        );
        // And so does the same request, whatever the client asks for.
        let resumed = browser.get(&url).await;
        assert_eq!(language(&resumed), "sv");
        let resumed = change(&browser, &resumed, "nb").await;
        assert_eq!(language(&resumed), "nb");
        let login = browser.choose(&resumed, "other").await;
        assert_eq!(
            (language(&login).as_str(), &login.url),
            ("nb", &changed.url)
        );
        app.phone
            .scan(&login.qr_text(), TOLVAN)
            .await
            .approve()
            .await;
        let answer = browser.until_departure(&login).await;
        assert!(answer.location().is_some_and(|to| to.starts_with(CALLBACK)));
        // On the next visit it is remembered, unless the client asks for another.
        let next = [("prompt", Some("login"))];
        assert_eq!(
            language(&browser.get(&app.authorize_url(&next)).await),
            "nb"
        );
    }
);

#[test]
fn a_switch_is_the_persons_own() {
    run(async {
        let _shows = shows!(refusing "PV-LANG-4");
        let app = finnish(Database::sqlite()).await;
        let browser = Browser::new();
        let choice = browser.get(&app.authorize_url(&[])).await;
        let login = browser.choose(&choice, "other").await;
        let url = format!("{}/language", login.login_url());
        let (csrf, stranger) = (login.value("csrf"), Browser::new());
        let form = [("csrf", csrf.as_str()), ("language", "fi")];
        assert_eq!(stranger.post(&url, &form).await.status, 403);
        assert_eq!(browser.post_from_elsewhere(&url, &form).await.status, 403);
        for refused in [
            [("csrf", "x"), ("language", "fi")],
            [("csrf", &csrf), ("language", "da")],
            [("csrf", &csrf), ("language", "\r\n")],
        ] {
            assert_eq!(
                browser.post(&url, &refused).await.status,
                403,
                "{refused:?}"
            );
        }
        assert_eq!(browser.get(&url).await.status, 405);
        assert_eq!(language(&browser.get(&login.url).await), "sv");
        assert_eq!(browser.cookie("language"), None);
        // The tab that the app opened stays that tab.
        let form = [
            ("csrf", csrf.as_str()),
            ("language", "fi"),
            ("tab", "returned"),
        ];
        let answer = browser.post(&url, &form).await;
        let returned = format!("/login/{}/returned", login.login_id());
        assert_eq!(answer.location(), Some(returned));
        // A form for another browser changes nothing on the choice page either.
        let form = choice.value("form");
        let sent = [("form", form.as_str()), ("language", "fi")];
        let answer = stranger.post(&choice.absolute("/login"), &sent).await;
        assert_eq!(answer.status, 403);
        // One that is over stays as it is.
        browser.press_on(&login, "cancel", "").await;
        let form = [("csrf", csrf.as_str()), ("language", "nb")];
        browser.post(&url, &form).await;
        let left = browser.get(&format!("{}/left", login.login_url())).await;
        assert_eq!(language(&left), "fi");
    });
}

#[test]
fn the_question_whether_to_log_out_can_be_read_in_every_language() {
    run(async {
        let _shows = shows!(accepting "PV-LANG-4");
        let app = finnish(Database::sqlite()).await;
        let browser = Browser::new();
        app.log_in(&browser, TOLVAN).await;
        let confirm = format!("{}/logout/confirm", app.issuer);
        for (members, state) in [
            (vec![("client_id", "web"), ("ui_locales", "en")], "en"),
            // What was wrong is still said.
            (
                vec![("post_logout_redirect_uri", "https://a.example/")],
                "sv",
            ),
        ] {
            let question = browser.get(&logout_url(&app, &members)).await;
            assert_eq!(language(&question), state);
            let reason = question.body.contains("post_logout_redirect_uri");
            let form = question.value("form");
            assert!(
                question
                    .body
                    .contains("form=\"question\" name=\"language\" value=\"fi\"")
            );
            let changed = browser
                .post(&confirm, &[("form", &form), ("language", "fi")])
                .await;
            assert_eq!(language(&changed), "fi");
            assert!(changed.body.contains("Do you want to log out?"));
            assert_eq!(changed.body.contains("post_logout_redirect_uri"), reason);
            let form = changed.value("form");
            let stayed = browser
                .post(&confirm, &[("form", &form), ("answer", "no")])
                .await;
            assert_eq!((stayed.status, language(&stayed).as_str()), (200, "fi"));
            browser.set_cookie("language", "");
        }
        assert!(crate::logout::is_logged_in(&app, &browser).await);
    });
}

#[test]
fn a_page_in_another_language_opens_no_app() {
    if !is_there() {
        return;
    }
    run(async {
        let _shows = shows!(accepting "PV-LANG-4", refusing "PV-LAUNCH-5");
        let app = seen_app().await;
        let [browser] = browsers_as(&app.certificate, Scripts::On, Some(SAFARI)).await;
        ask(&browser, &app).await;
        browser.press("nav.languages button[value=en]").await;
        browser.see("html[lang=en] button[value=this]").await;
        browser.press("button[value=this]").await;
        // Safari opens the app by itself, which is a page here.
        browser.see("#continue").await;
        browser.client.back().await.expect("it goes back");
        browser.see("html[lang=en] [data-screen=launch]").await;
        browser.press("nav.languages button[value=sv]").await;
        browser.see("html[lang=sv] [data-screen=launch]").await;
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        browser.see("html[lang=sv] [data-screen=launch]").await;
        // A switch on another screen keeps no later press from opening it.
        browser.press("button[value=other]").await;
        browser.press("nav.languages button[value=en]").await;
        browser.see("html[lang=en] [data-screen=scan]").await;
        browser.press("button[value=this]").await;
        browser.see("#continue").await;
    });
}

#[test]
fn the_program_says_what_a_language_lacks() {
    run(async {
        let _shows = shows!(accepting "PV-LANG-2", refusing "PV-LANG-2", accepting "PV-LANG-3");
        let (directory, section) = added(&[("fi.toml", FINNISH), ("bad.toml", "tag = 'nb'")]);
        let program = |arguments: &[&str]| {
            let output = Command::new(env!("CARGO_BIN_EXE_portvakt"))
                .args(arguments)
                .current_dir(directory.path())
                .output()
                .expect("it runs");
            let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
            let (said, told) = (text(output.stdout), text(output.stderr));
            (output.status.success(), said, told)
        };
        let (good, template, _) = program(&["language", "template", "--tag", "FI"]);
        assert!(good && template.contains("tag = \"fi\"\n"), "{template}");
        assert!(template.contains("# Försök igen\n# Try again\ntry_again = \"\"\n"));
        assert!(!program(&["language", "template", "--tag", "-"]).0);
        let whole: String = template
            .replace("name = \"\"", "name = \"Suomi\"")
            .replace("\nintention = \"\"", "\nintention = \"{name}\"")
            .replace(" = \"\"", " = \"x\"");
        std::fs::write(directory.path().join("whole.toml"), whole).expect("written");
        let (good, said, _) = program(&["language", "check", "whole.toml"]);
        assert_eq!((good, said.as_str()), (true, "whole.toml: complete\n"));
        let (good, said, told) = program(&["language", "check", "fi.toml"]);
        assert!(!good && told.contains("0 wrong"), "{told}");
        assert!(
            said.contains("words.cancel: is missing") && !said.contains("words.heading:"),
            "{said}"
        );
        let (good, said, told) = program(&["language", "check", "bad.toml"]);
        assert!(!good && told.contains("2 wrong"), "{told}");
        assert!(
            said.contains("name: must be") && said.contains("words: must be"),
            "{said}"
        );
        // A configuration with a file that is wrong does not start, and says all that is.
        let app = App::on(Database::sqlite()).await;
        let check = |section: &str| {
            let file = app.directory.path().join("languages.toml");
            let config = app
                .config
                .replacen("[keys]", &format!("{section}\n[keys]"), 1);
            std::fs::write(&file, config).expect("written");
            program(&["check", "--config", file.to_str().expect("a path")])
        };
        let (good, _, told) = check(&section);
        assert!(
            !good && told.contains("languages.files") && told.contains("bad.toml: name: must"),
            "{told}"
        );
        assert!(
            told.contains("bad.toml: words: must") && !told.contains("fi.toml"),
            "{told}"
        );
        let (good, said, told) = check(
            &section
                .split_once(", '")
                .map(|(one, _)| format!("{one}]"))
                .expect("two"),
        );
        assert!(good, "{said} {told}");
        assert!(said.contains("language sv: complete"), "{said}");
        assert!(
            said.contains("language fi: in English, for want of a translation: languages, "),
            "{said}"
        );
        let (good, _, told) = check("[languages]\ndefault = 'fi'");
        assert!(!good && told.contains("fi is neither built in"), "{told}");
        let (good, _, told) = check("[languages]\nfiles = ['none.toml']");
        assert!(
            !good && told.contains("languages.files: none.toml: "),
            "{told}"
        );
    });
}

//! How a client's login page looks, in the administration.

use image::ImageFormat;
use portvakt::admin::role::{Reach, Role};
use portvakt::shows;
use serde_json::json;

use crate::administration_walk::administering;
use crate::client_shell::show;
use crate::logos::{create, data_url, logo_of, picture};
use crate::support::admin::{borrowed, settings};
use crate::support::chromium::{Scripts, is_there};
use crate::support::phone::{ASA, TOLVAN};
use crate::support::{App, Browser, Database, on_both, run};

const PURPOSE: [&str; 3] = [
    "pkce=accepted",
    "purpose={\"sv\":\"Så att vi vet vem du är\",\"en\":\"So that we know who you are\"}",
    "theme.accent=#7a0019",
];

const WINDOWS: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36";

/// The pages within a page.
fn frames(body: &str) -> Vec<String> {
    let parts = body.split("srcdoc=\"").skip(1);
    let inner = parts.map(|part| part.split('"').next().unwrap_or_default());
    let read = |text: &str| {
        text.replace("&#60;", "<")
            .replace("&#62;", ">")
            .replace("&#34;", "\"")
            .replace("&#39;", "'")
            .replace("&#38;", "&")
    };
    inner.map(read).collect()
}

on_both!(
    a_login_page_is_looked_at_without_a_login,
    async |database: Database| {
        let _shows = shows!(accepting "PV-PREVIEW-2", refusing "PV-PREVIEW-2");
        let app = App::on(database).await;
        create(&app, "seen", &PURPOSE);
        let logo = data_url("png", &picture(ImageFormat::Png, 7));
        let logo = format!("theme.logo={logo}");
        set(&app, "seen", &[&logo]);
        let reader = app.administrator(Role::Reader, Reach::All, TOLVAN).await;
        let page = reader.get("/client/seen/look").await;
        assert_eq!(page.status, 200, "{}", page.body);
        let seen = frames(&page.body);
        // Two languages, two screens, two widths, light and dark.
        assert_eq!(seen.len(), 16, "{}", page.body);
        let digest = logo_of(&app, "seen");
        let digest = digest.as_str().expect("a digest");
        for html in &seen {
            for part in [
                "Logotyp",
                &format!("/logo/{digest}.png"),
                "<style>:root{--accent:#7a0019;",
            ] {
                assert!(html.contains(part), "{part}: {html}");
            }
        }
        let of = |part: &str| seen.iter().filter(|html| html.contains(part)).count();
        assert_eq!(of("Så att vi vet vem du är"), 4);
        assert_eq!(of("So that we know who you are"), 4);
        assert_eq!(of("data-screen=\"scan\""), 8);
        assert_eq!(of("<html lang=\"sv\""), 8);
        // It is the page of a login, but for what is that login's own.
        let url = app.authorize_url(&[
            ("client_id", Some("seen")),
            ("redirect_uri", Some("https://logo.example/cb")),
            ("scope", Some("openid profile")),
        ]);
        let real = Browser::with_user_agent(WINDOWS).get(&url).await;
        let sealed = format!("name=\"form\" value=\"{}\"", real.value("form"));
        let real = real.body.replace(&sealed, "name=\"form\" value=\"\"");
        let real = real.replace("<body>", "<body inert>");
        assert!(seen.contains(&real), "{real}");
        // Everything that they are made of is here, and nothing of them can be pressed.
        let logo = reader.get(&format!("/logo/{digest}.png")).await;
        assert_eq!(logo.status, 200);
        assert!(seen.iter().all(|html| html.contains("<body inert>")));
        let boxed = "sandbox=\"allow-same-origin\"";
        assert_eq!(page.body.matches(boxed).count(), seen.len());
        assert_eq!(page.header("x-frame-options"), "DENY");
        // Who only reads changes nothing here.
        assert!(!page.body.contains("type=\"file\""));
        let typed = settings(&app, "seen", &[]).await;
        let refused = reader.post("/client/seen/look", &borrowed(&typed)).await;
        assert_eq!(refused.status, 403);
        // Nobody sees a client that is not theirs.
        let other = app.administrator(
            Role::ClientAdministrator,
            Reach::Only(Default::default()),
            ASA,
        );
        assert_eq!(other.await.get("/client/seen/look").await.status, 404);
        // One that nobody logs in to has no login page.
        app.register(
            "machine",
            json!({"client_name": "M", "client_credentials": {"scopes": ["a"]}}),
        )
        .await;
        let page = reader.get("/client/machine/look").await;
        assert!(page.body.contains("Nobody logs in"), "{}", page.body);
        assert!(frames(&page.body).is_empty());
    }
);

fn set(app: &App, id: &str, settings: &[&str]) {
    crate::support::doors::ran(app, &[&["client", "set", id], settings].concat()).good();
}

on_both!(
    what_is_typed_is_looked_at_and_not_saved,
    async |database: Database| {
        let _shows = shows!(accepting "PV-PREVIEW-3", refusing "PV-PREVIEW-3");
        let app = App::on(database).await;
        create(&app, "typed", &PURPOSE);
        let before = show(&app, "typed");
        let owner = app.administrator(Role::Owner, Reach::All, TOLVAN).await;
        let form = owner.get("/client/typed/edit").await;
        assert!(form.body.contains("formaction=\"/client/typed/look\""));
        let changes = [
            ("client_name", "Nytt <namn>"),
            ("theme.accent", "#12436d"),
            ("theme.note.sv", "Öppet dygnet runt."),
            ("theme.note.en", "Always open."),
        ];
        let fields = settings(&app, "typed", &changes).await;
        let page = owner.post("/client/typed/look", &borrowed(&fields)).await;
        assert_eq!(page.status, 200, "{}", page.body);
        let seen = frames(&page.body);
        assert_eq!(seen.len(), 16);
        for html in &seen {
            assert!(html.contains("Nytt &#60;namn&#62;"), "{html}");
            assert!(html.contains(":root{--accent:#12436d;"), "{html}");
        }
        assert_eq!(seen.iter().filter(|html| html.contains("Öppet")).count(), 4);
        assert_eq!(show(&app, "typed"), before);
        // What could not be saved cannot be looked at, for the same reasons.
        for (name, value, why) in [
            ("theme.accent", "#ffd500", "cannot be read on a light page"),
            (
                "theme.accent_dark",
                "#12436d",
                "cannot be read on a dark page",
            ),
            ("client_name", "", "must be set"),
            (
                "bankid.profile",
                "nowhere",
                "there is no bankid.profile.nowhere",
            ),
            ("theme.logo", &"0".repeat(64), "no picture that is kept"),
        ] {
            let fields = settings(&app, "typed", &[(name, value)]).await;
            let page = owner.post("/client/typed/look", &borrowed(&fields)).await;
            assert_eq!(page.status, 400, "{name}: {}", page.body);
            assert!(page.body.contains(why), "{name}: {}", page.body);
            assert!(frames(&page.body).is_empty());
            let saved = owner.post("/client/typed/edit", &borrowed(&fields)).await;
            assert_eq!(saved.status, 400, "{name}: {}", saved.body);
        }
        assert_eq!(show(&app, "typed"), before);
    }
);

#[test]
fn a_look_is_light_and_dark_and_nothing_in_it_can_be_pressed() {
    if !is_there() {
        return;
    }
    run(async {
        let _shows = shows!(accepting "PV-PREVIEW-2", refusing "PV-PREVIEW-2");
        let app = App::on(Database::sqlite()).await;
        create(&app, "seen", &PURPOSE);
        let logo = data_url("png", &picture(ImageFormat::Png, 7));
        set(&app, "seen", &[&format!("theme.logo={logo}")]);
        let browser = administering(&app, Scripts::On).await;
        browser.go(&format!("{}/client/seen/look", app.admin)).await;
        browser.see(".view iframe").await;
        let of = async |colors: &str, what: &str| {
            let script = format!(
                "const frame = document.querySelector('.view.phone.{colors} iframe');
                 const page = frame.contentDocument, view = frame.contentWindow;
                 if (page.readyState !== 'complete') return null;
                 return {what};"
            );
            for _ in 0..50 {
                let found = browser.execute(&script).await;
                if !found.is_null() {
                    return found;
                }
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
            panic!("{colors} is not shown");
        };
        let is_dark = "view.matchMedia('(prefers-color-scheme: dark)').matches";
        assert_eq!(of("light", is_dark).await, json!(false));
        assert_eq!(of("dark", is_dark).await, json!(true));
        let button = "view.getComputedStyle(page.querySelector('.primary')).backgroundColor";
        assert_eq!(of("light", button).await, json!("rgb(122, 0, 25)"));
        assert_eq!(of("dark", button).await, json!("rgb(142, 197, 242)"));
        let logo = "page.querySelector('.logo img').naturalWidth";
        assert_eq!(of("light", logo).await, json!(40));
        assert_eq!(of("light", "view.innerWidth").await, json!(390));
        // A press does nothing, nor does a form that is sent by force.
        let sent = "(page.querySelector('form').submit(), 'sent')";
        assert_eq!(of("light", sent).await, json!("sent"));
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        assert_eq!(
            of("light", "view.location.href").await,
            json!("about:srcdoc")
        );
        assert!(browser.url().await.ends_with("/client/seen/look"));
        let focused = "(page.querySelector('button').focus(), page.activeElement.tagName)";
        assert_eq!(of("light", focused).await, json!("BODY"));
    });
}

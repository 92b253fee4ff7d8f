//! Clients' logos: given by each door, served, written out, and swept.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use portvakt::admin::role::{Reach, Role};
use portvakt::client::logo::LogoDigest;
use portvakt::clock::Seconds;
use portvakt::shows;
use serde_json::{Value, json};

use crate::client_files::File;
use crate::client_shell::show;
use crate::support::admin::Console;
use crate::support::doors::{left, ran, ran_with};
use crate::support::phone::TOLVAN;
use crate::support::{App, Browser, Database, Page, SECRET, on_both, run};

const CALLBACK: &str = "https://logo.example/cb";
const DAY: Seconds = Seconds(24 * 60 * 60);

/// A picture of one colour, which takes a few lines of base64.
pub fn picture(format: ImageFormat, blue: u8) -> Vec<u8> {
    let image = RgbImage::from_fn(40, 20, |x, _| Rgb([200, u8::from(x > 20) * 100, blue]));
    let mut file = std::io::Cursor::new(Vec::new());
    DynamicImage::from(image)
        .write_to(&mut file, format)
        .expect("encoded");
    file.into_inner()
}

pub fn data_url(kind: &str, file: &[u8]) -> String {
    format!("data:image/{kind};base64,{}", STANDARD.encode(file))
}

/// Creates a client in a shell.
pub fn create(app: &App, id: &str, more: &[&str]) -> String {
    let redirects = format!("redirect_uris=[\"{CALLBACK}\"]");
    let begin = ["client", "create", "--client-id", id, "client_name=Logotyp"];
    ran(app, &[&begin[..], &[&redirects], more].concat()).good()
}

/// What is written of a client's logo.
pub fn logo_of(app: &App, id: &str) -> Value {
    show(app, id)["metadata"]["theme"]["logo"].clone()
}

/// Sends files by the form of the page.
async fn upload(app: &App, console: &Console, id: &str, files: &[(&str, &[u8])]) -> Page {
    let csrf = console.csrf().await;
    let version = show(app, id)["version"].to_string();
    let mut body = Vec::new();
    for (name, value) in [("csrf", &csrf), ("version", &version)] {
        let part =
            format!("--XX\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend(part.bytes());
    }
    for (name, file) in files {
        let part = format!(
            "--XX\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\n"
        );
        body.extend(part.bytes());
        body.extend(*file);
        body.extend(b"\r\n");
    }
    body.extend(b"--XX--\r\n");
    let direct = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .expect("a client");
    let request = direct
        .post(format!("{}/client/{id}/logo", app.admin))
        .header("content-type", "multipart/form-data; boundary=XX")
        .header("sec-fetch-site", "same-origin")
        .body(body);
    console.browser.send(request).await
}

/// A token for the API.
async fn token(app: &App) -> String {
    let scopes = ["portvakt:clients:read", "portvakt:clients:write"];
    let robot = json!({"client_name": "Roboten", "client_credentials": {"scopes": scopes}});
    app.register("robot", robot).await;
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", "robot"),
        ("client_secret", SECRET),
    ];
    let told = app.http.post(format!("{}/token", app.issuer)).form(&form);
    let told: Value = told.send().await.expect("sent").json().await.expect("JSON");
    told["access_token"].as_str().expect("a token").to_owned()
}

async fn by_api(app: &App, token: &str, id: &str, logo: &str) -> (u16, Value) {
    let metadata = json!({"client_name": "Logotyp", "redirect_uris": [CALLBACK],
        "theme": {"logo": logo}});
    let told = app
        .http
        .post(format!("{}/api/v1/clients", app.admin))
        .bearer_auth(token)
        .json(&json!({"client_id": id, "metadata": metadata}))
        .send()
        .await
        .expect("an answer");
    let status = told.status().as_u16();
    (status, told.json().await.expect("JSON"))
}

fn file_of(id: &str, theme: &Value) -> String {
    json!({"client": [{"client_id": id, "client_name": "Logotyp", "client_secret": SECRET,
        "redirect_uris": [CALLBACK], "theme": theme}]})
    .to_string()
}

on_both!(
    each_door_takes_a_logo_and_leaves_the_same,
    async |database: Database| {
        let _shows = shows!(accepting "PV-LOGO-5", refusing "PV-LOGO-5");
        let app = App::on(database).await;
        let png = picture(ImageFormat::Png, 7);
        let url = data_url("png", &png);
        create(&app, "shell", &[&format!("theme={{\"logo\":\"{url}\"}}")]);
        let digest = logo_of(&app, "shell");
        let digest = digest.as_str().expect("a digest");
        assert!(LogoDigest::parse(digest).is_some(), "{digest}");
        let path = app.directory.path().join("given.png");
        std::fs::write(&path, &png).expect("written");
        let beside = format!("theme.logo_file={}", path.display());
        create(&app, "shell-file", &[&beside]);
        // What is kept can be named.
        create(&app, "named", &[&format!("theme.logo={digest}")]);
        std::fs::write(app.directory.path().join("logo.png"), &png).expect("written");
        File::new(&app, "url.yaml", &file_of("url", &json!({"logo": url}))).apply(&[]);
        let beside = file_of("beside", &json!({"logo_file": "logo.png"}));
        let beside = File::new(&app, "beside.yaml", &beside);
        beside.run("apply", &["--source", "beside"]).good();
        assert!(
            beside
                .run("apply", &["--source", "beside"])
                .good()
                .starts_with("0 to change")
        );
        let token = token(&app).await;
        assert_eq!(by_api(&app, &token, "api", &url).await.0, 201);
        let owner = app.administrator(Role::Owner, Reach::All, TOLVAN).await;
        create(&app, "page", &[]);
        let saved = upload(&app, &owner, "page", &[("logo", &png), ("logo_dark", b"")]).await;
        assert_eq!(saved.status, 303, "{}", saved.body);
        for id in ["shell-file", "named", "url", "beside", "api", "page"] {
            assert_eq!(logo_of(&app, id), digest, "{id}");
            let events = left(&app, id).await.events;
            let after = &events.last().expect("an event")["after"]["theme"];
            assert_eq!(*after, json!({"logo": digest}), "{id}");
        }
        // Settings that are patched leave it.
        let patched = app
            .http
            .patch(format!("{}/api/v1/clients/api", app.admin))
            .bearer_auth(&token)
            .header("content-type", "application/merge-patch+json")
            .header("if-match", "*")
            .body(r##"{"metadata": {"theme": {"accent": "#7a0019"}}}"##);
        assert_eq!(patched.send().await.expect("sent").status(), 200);
        assert_eq!(logo_of(&app, "api"), digest);

        // What is no logo is none by any door, and each says why.
        let svg = b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>";
        let unknown = "0".repeat(64);
        for (given, why) in [
            (data_url("png", svg), "SVG"),
            (unknown.clone(), "no picture that is kept"),
            ("https://a.example/logo.png".to_owned(), "must be a picture"),
        ] {
            let (status, problem) = by_api(&app, &token, "bad", &given).await;
            assert_eq!(status, 400, "{problem}");
            assert!(problem.to_string().contains(why), "{problem}");
            assert!(problem.to_string().contains("theme"), "{problem}");
            let file = File::new(&app, "bad.yaml", &file_of("bad", &json!({"logo": given})));
            let told = file.run("plan", &[]).bad();
            assert!(told.contains(why), "{told}");
            let setting = format!("theme.logo={given}");
            let told = ran(&app, &["client", "set", "shell", &setting]).bad();
            assert!(told.contains(why), "{told}");
        }
        let told = upload(&app, &owner, "page", &[("logo", svg)]).await;
        assert_eq!(told.status, 400, "{}", told.body);
        assert!(told.body.contains("is a drawing (SVG)"), "{}", told.body);
        let told = upload(&app, &owner, "page", &[("logo", &vec![0; 700 * 1024])]).await;
        assert!(told.body.contains("more than 640 KiB"), "{}", told.body);
        let dark = upload(&app, &owner, "named", &[("logo_dark", &png), ("logo", b"")]).await;
        assert_eq!(dark.status, 303, "{}", dark.body);
        let both = File::new(
            &app,
            "both.yaml",
            &file_of("both", &json!({"logo": url, "logo_file": "logo.png"})),
        );
        assert!(both.run("plan", &[]).bad().contains("exclude each other"));
        let dark_alone = json!({"logo_dark": url});
        let alone = File::new(&app, "alone.yaml", &file_of("alone", &dark_alone));
        assert!(alone.run("plan", &[]).bad().contains("needs theme.logo"));
        let mixed = json!({"logo_file": "logo.png", "logo_dark": url});
        let mixed = File::new(&app, "mixed.yaml", &file_of("mixed", &mixed));
        assert!(mixed.run("plan", &[]).bad().contains("both as files"));
        let gone = file_of("gone", &json!({"logo_file": "gone.png"}));
        let gone = File::new(&app, "gone.yaml", &gone).run("plan", &[]).bad();
        assert!(gone.contains("gone.png"), "{gone}");
        // Nothing of that was kept.
        assert_eq!(logo_of(&app, "page"), digest);
        assert_eq!(logo_of(&app, "shell"), digest);

        // The configuration has the picture, or a file beside it.
        let configured = |theme: &str| {
            let client = format!(
                "\n[[client]]\nclient_id = \"configured\"\nclient_name = \"K\"\nclient_secret = \"{SECRET}\"\nredirect_uris = [\"{CALLBACK}\"]\ntheme = {theme}\n"
            );
            ran_with(
                &app,
                &format!("{}{client}", app.config),
                &["client", "list"],
            )
        };
        configured("{ logo_file = \"logo.png\" }").good();
        let told = configured(&format!("{{ logo = \"{digest}\" }}")).bad();
        assert!(told.contains("theme.logo_file"), "{told}");

        // Removed by the page, with the one for dark pages.
        let version = show(&app, "named")["version"].to_string();
        let fields = [("remove", "logo"), ("version", version.as_str())];
        let removed = owner.post("/client/named/logo", &fields).await;
        assert_eq!(removed.status, 303, "{}", removed.body);
        assert_eq!(show(&app, "named")["metadata"].get("theme"), None);
    }
);

on_both!(a_logo_is_shown_and_served, async |database: Database| {
    let _shows = shows!(accepting "PV-LOGO-4", refusing "PV-LOGO-4");
    let app = App::on(database).await;
    let jpeg = data_url("jpeg", &picture(ImageFormat::Jpeg, 9));
    let webp = data_url("webp", &picture(ImageFormat::WebP, 99));
    let plain = "pkce=accepted";
    create(&app, "light", &[plain, &format!("theme.logo={jpeg}")]);
    let theme = format!("theme={{\"logo\":\"{jpeg}\",\"logo_dark\":\"{webp}\"}}");
    create(&app, "both", &[plain, &theme]);
    let digest = logo_of(&app, "light")
        .as_str()
        .expect("a digest")
        .to_owned();
    let browser = Browser::new();
    let asked = |id: &'static str| {
        app.authorize_url(&[
            ("client_id", Some(id)),
            ("redirect_uri", Some(CALLBACK)),
            ("scope", Some("openid")),
        ])
    };
    let choice = browser.get(&asked("light")).await;
    let tag = format!("<img src=\"/logo/{digest}.png\" width=\"40\" height=\"20\" alt=\"\">");
    assert!(choice.body.contains(&tag), "{}", choice.body);
    assert!(choice.body.contains("class=\"logo tile\""));
    let login = browser.choose(&choice, "other").await;
    assert!(login.body.contains(&tag), "{}", login.body);
    let dark = show(&app, "both")["metadata"]["theme"]["logo_dark"].clone();
    let dark = format!("srcset=\"/logo/{}.png\"", dark.as_str().expect("a digest"));
    let choice = browser.get(&asked("both")).await;
    assert!(choice.body.contains(&tag) && choice.body.contains(&dark));
    assert!(choice.body.contains("class=\"logo\""));
    let usual = browser.get(&app.authorize_url(&[])).await;
    assert!(!usual.body.contains("/logo/"), "{}", usual.body);

    for place in [&app.issuer, &app.admin] {
        let url = format!("{place}/logo/{digest}.png");
        let served = app.http.get(url).send().await.expect("sent");
        assert_eq!(served.status(), 200);
        for (header, value) in [
            ("content-type", "image/png"),
            ("cache-control", "public, max-age=31536000, immutable"),
            ("x-content-type-options", "nosniff"),
            ("content-security-policy", "default-src 'none'"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(served.headers()[header], value, "{header}");
        }
        let png = served.bytes().await.expect("bytes");
        assert_eq!(LogoDigest::of(&png).to_string(), digest);
        assert_eq!(image::guess_format(&png).ok(), Some(ImageFormat::Png));
        for other in [
            format!("{}.png", "0".repeat(64)),
            digest.clone(),
            format!("{digest}.svg"),
            format!("{}.png", digest.to_uppercase()),
        ] {
            let told = app.http.get(format!("{place}/logo/{other}")).send();
            assert_eq!(told.await.expect("sent").status(), 404, "{other}");
        }
    }
});

on_both!(a_logo_moves_with_its_client, async |database: Database| {
    let _shows = shows!(accepting "PV-LOGO-5", refusing "PV-LOGO-5");
    let app = App::on(database).await;
    let url = data_url("jpeg", &picture(ImageFormat::Jpeg, 1));
    let dark = data_url("webp", &picture(ImageFormat::WebP, 2));
    let theme = format!("theme={{\"logo\":\"{url}\",\"logo_dark\":\"{dark}\"}}");
    create(&app, "moving", &[&theme]);
    let kept = show(&app, "moving")["metadata"]["theme"].clone();
    let export = ["client", "export", "--managed-by", "admin"];
    let written = ran(&app, &export).good();
    let digest = kept["logo"].as_str().expect("a digest");
    assert!(!written.contains(digest) && written.contains("data:image/png;base64,"));
    let there = App::on(Database::sqlite()).await;
    File::new(&there, "moved.toml", &written).apply(&[]);
    assert_eq!(show(&there, "moving")["metadata"]["theme"], kept);
    let told = there
        .http
        .get(format!("{}/logo/{digest}.png", there.issuer));
    assert_eq!(told.send().await.expect("sent").status(), 200);
    // Written and read once more it is the same, here and there.
    let export = ["client", "export", "--source", "clients"];
    let again = ran(&there, &export).good();
    assert_eq!(
        File::new(&there, "again.toml", &again).apply(&[]),
        "0 to change, 1 unchanged.\n"
    );
});

on_both!(
    logos_that_no_client_has_are_swept,
    async |database: Database| {
        let _shows = shows!(accepting "PV-LOGO-6", refusing "PV-LOGO-6");
        let app = App::on(database).await;
        let png = |blue| data_url("png", &picture(ImageFormat::Png, blue));
        let give = |id: &str, blue| {
            let setting = format!("theme.logo={}", png(blue));
            ran(&app, &["client", "set", id, &setting]).good();
            let logo = logo_of(&app, id);
            LogoDigest::parse(logo.as_str().expect("a digest")).expect("a digest")
        };
        for id in ["one", "two", "three"] {
            create(&app, id, &[]);
        }
        let shared = give("one", 1);
        assert_eq!(give("two", 1), shared);
        let (replaced, trashed) = (give("three", 2), give("three", 3));
        let store = &app.provider.store;
        let left_after = async |days: i64| {
            let now = app.clock.now() + Seconds(DAY.0 * days + 60);
            store.sweep(now).await.expect("swept");
            let mut left = Vec::new();
            for digest in [shared, replaced, trashed] {
                left.push(store.logo(digest).await.expect("asked").is_some());
            }
            left
        };
        // Somebody may be about to give what was just replaced to another client.
        assert_eq!(left_after(0).await, [true, true, true]);
        assert_eq!(left_after(1).await, [true, false, true]);
        ran(&app, &["client", "remove", "three"]).good();
        ran(&app, &["client", "set", "one", "theme=null"]).good();
        assert_eq!(left_after(29).await, [true, false, true]);
        // It is there when the client is brought back.
        ran(&app, &["client", "restore", "three"]).good();
        assert_eq!(left_after(40).await, [true, false, true]);
        ran(&app, &["client", "remove", "three"]).good();
        assert_eq!(left_after(31).await, [true, false, false]);
        let two = "theme.logo=null";
        ran(&app, &["client", "set", "two", two]).good();
        assert_eq!(left_after(2).await, [false, false, false]);
    }
);

#[test]
fn a_logo_waits_until_its_administrator_has_shown_a_bankid_again() {
    run(async {
        let _shows = shows!(accepting "PV-LOGO-5", refusing "PV-LOGO-5");
        let app = App::on(Database::sqlite()).await;
        let owner = app.administrator(Role::Owner, Reach::All, TOLVAN).await;
        create(&app, "page", &[]);
        app.clock.advance(Duration::from_secs(11 * 60));
        let png = picture(ImageFormat::Png, 7);
        let asked = upload(&app, &owner, "page", &[("logo", &png)]).await;
        assert!(
            asked.body.contains("Show your BankID again"),
            "{}",
            asked.body
        );
        assert_eq!(logo_of(&app, "page"), Value::Null);
        let login = owner.get("/login?next=%2Flogged-in").await;
        app.come_back(&owner.browser, &login, TOLVAN).await;
        // What was chosen is in the page, and is sent as it is there.
        let fields = asked.fields();
        let fields: Vec<(&str, &str)> = fields
            .iter()
            .filter(|(name, _)| ["version", "logo"].contains(&name.as_str()))
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let saved = owner.post("/client/page/logo", &fields).await;
        assert_eq!(saved.status, 303, "{}", saved.body);
        assert!(logo_of(&app, "page").is_string());
    });
}

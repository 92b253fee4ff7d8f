//! What every page says of its provider, and how what the pages are made of is served.

use std::io::Read;

use portvakt::shows;
use serde_json::json;

use crate::support::phone::TOLVAN;
use crate::support::{App, Browser, CALLBACK, Database, Options, run};

const LOGO: &str = r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 3"><path d="M0 0h9v3z"/><script>alert(1)</script></svg>"#;

async fn app(pages: &str) -> (App, tempfile::TempDir) {
    let files = tempfile::tempdir().expect("a directory");
    std::fs::write(files.path().join("logo.svg"), LOGO).expect("it is written");
    let official = b"\x89PNG\r\n\x1a\nas it was handed out";
    std::fs::write(files.path().join("bankid.png"), official).expect("it is written");
    let sections = pages.replace("{files}", &files.path().display().to_string());
    let options = Options {
        sections,
        ..Options::on(Database::sqlite())
    };
    (App::start(options).await, files)
}

#[test]
fn every_page_says_whose_it_is() {
    run(async {
        let _shows = shows!(accepting "PV-PAGES-1", refusing "PV-PAGES-1");
        let (app, _files) = app(r#"
[pages]
name = "Region <Norr>"
logo_file = "{files}/logo.svg"
bankid_logo_file = "{files}/bankid.png"
help_uri = "https://norr.example/hjalp?a=1&b=2"
privacy_uri = "https://norr.example/uppgifter"
accessibility_uri = "https://norr.example/tillganglighet"
"#)
        .await;
        let browser = Browser::new();
        let choice = browser.get(&app.authorize_url(&[])).await;
        let scan = browser.choose(&choice, "other").await;
        let error = browser
            .get(&app.authorize_url(&[("client_id", None)]))
            .await;
        for page in [&choice, &scan, &error] {
            for part in [
                "Region &#60;Norr&#62;</title>",
                "href=\"https://norr.example/hjalp?a=1&#38;b=2\"",
                "Personuppgifter</a>",
                "Tillgänglighet</a>",
            ] {
                assert!(page.body.contains(part), "{part}: {}", page.body);
            }
        }
        // A logo of BankID's stands where BankID is offered, and is what was handed out.
        let bankid = choice
            .after("class=\"bankid\"><img src=\"")
            .expect("the official logo");
        let served = browser.get(&choice.absolute(&bankid)).await;
        assert_eq!(served.header("content-type"), "image/png");
        assert!(served.body.ends_with("as it was handed out"));
        assert!(!error.body.contains(&bankid));
        // A picture with a script in it runs none, even when it is opened by itself.
        let logo = choice.after("<img src=\"").expect("a logo");
        let served = browser.get(&choice.absolute(&logo)).await;
        assert_eq!(served.header("content-type"), "image/svg+xml");
        assert_eq!(served.body, LOGO);
        let policy = served.header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && policy.contains("sandbox"));
        assert!(served.header("cache-control").contains("immutable"));
        for other in ["/picture/x.svg", "/picture/", "/picture/..%2fbankid.png"] {
            let page = browser.get(&format!("{}{other}", app.issuer)).await;
            assert_eq!(page.status, 404, "{other}");
        }
        assert!(choice.body.contains("för att någon ringer"));
    });
}

#[test]
fn a_provider_that_says_nothing_is_called_by_its_host_and_may_leave_the_warning_out() {
    run(async {
        let _shows = shows!(accepting "PV-PAGES-1");
        let (app, _files) = app("[pages]\ncare_notice = false\n").await;
        let choice = Browser::new().get(&app.authorize_url(&[])).await;
        assert!(choice.body.contains("<span>localhost</span>"));
        assert!(choice.body.contains("BankID"));
        for part in ["för att någon ringer", "<footer", "class=\"bankid\""] {
            assert!(!choice.body.contains(part), "{part}: {}", choice.body);
        }
    });
}

#[test]
fn whoever_can_be_led_nowhere_else_is_led_to_the_service() {
    run(async {
        let _shows = shows!(accepting "PV-HOME-1", refusing "PV-HOME-1");
        let app = App::on(Database::sqlite()).await;
        let metadata = json!({"client_name": "Appen", "redirect_uris": [CALLBACK], "pkce": "accepted",
            "theme": {"home_uri": "https://app.example/start"}});
        app.register("homely", metadata).await;
        let of = |more: &[(&'static str, Option<&'static str>)]| {
            let asked = [("client_id", Some("homely")), ("scope", Some("openid"))];
            app.authorize_url(&[&asked, more].concat())
        };
        let home = "id=\"home\" href=\"https://app.example/start\"";
        let browser = Browser::new();
        let wrong = browser
            .get(&of(&[("redirect_uri", Some("https://evil.example/"))]))
            .await;
        assert!(wrong.body.contains(home), "{}", wrong.body);
        // What the request says of itself leads nowhere.
        assert!(!wrong.body.contains("evil.example"));
        let choice = browser.get(&of(&[])).await;
        let login = browser.choose(&choice, "other").await;
        let claimed = app.phone.scan(&login.qr_text(), TOLVAN).await;
        claimed.approve().await;
        browser.until_departure(&login).await;
        let over = browser.get(&login.url).await;
        assert_eq!(over.status, 410);
        assert!(over.body.contains("Inloggningen är avslutad"));
        assert!(over.body.contains(home), "{}", over.body);
        // Where it is not known, nothing is made up.
        let nobody = app.authorize_url(&[("client_id", Some("nobody"))]);
        let unknown = browser.get(&nobody).await;
        assert!(!unknown.body.contains("id=\"home\""));
    });
}

#[test]
fn what_pages_are_made_of_is_compressed_for_those_who_take_it() {
    run(async {
        let _shows = shows!(accepting "PV-STATIC-1", refusing "PV-STATIC-1");
        let app = App::on(Database::sqlite()).await;
        let choice = Browser::new().get(&app.authorize_url(&[])).await;
        let script = choice.after("script src=\"").expect("a script");
        let url = choice.absolute(&script);
        let http = reqwest::Client::builder()
            .no_proxy()
            .build()
            .expect("a client");
        let plain = http.get(&url).send().await.expect("an answer");
        assert!(!plain.headers().contains_key("content-encoding"));
        let plain = plain.bytes().await.expect("a body");
        for (accepted, is_compressed) in [
            ("gzip, deflate, br", true),
            ("br;q=1.0, GZIP;q=0.5", true),
            ("gzip;q=0", false),
            ("br", false),
            ("identity", false),
        ] {
            let asked = http.get(&url).header("accept-encoding", accepted);
            let answer = asked.send().await.expect("an answer");
            let said = answer.headers().get("content-encoding").cloned();
            assert_eq!(said.is_some(), is_compressed, "{accepted}");
            assert!(
                answer.headers()["cache-control"]
                    .to_str()
                    .is_ok_and(|text| text.contains("immutable"))
            );
            assert_eq!(answer.headers()["vary"], "accept-encoding");
            let body = answer.bytes().await.expect("a body");
            let mut text = Vec::new();
            match is_compressed {
                true => {
                    assert!(body.len() < plain.len());
                    let mut decoder = flate2::read::GzDecoder::new(&body[..]);
                    decoder.read_to_end(&mut text).expect("gzip");
                }
                false => text = body.to_vec(),
            }
            assert_eq!(text, plain, "{accepted}");
        }
        // A page is not: what it holds of secrets must not show in its length.
        let page = http
            .get(app.authorize_url(&[]))
            .header("accept-encoding", "gzip");
        let page = page.send().await.expect("an answer");
        assert!(!page.headers().contains_key("content-encoding"));
    });
}

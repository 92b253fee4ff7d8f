//! The administration in Chromium: as somebody new would walk through it, and with what means ill.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portvakt::admin::role::{Reach, Role};
use portvakt::shows;
use serde_json::{Value, json};

use crate::support::chromium::{Chromium, Scripts, browsers, is_there};
use crate::support::phone::{ASA, TOLVAN};
use crate::support::{Answer, App, Browser, Database, run};

/// Becomes an administrator in Chromium, by the BankID of the same device.
pub async fn administering(app: &App, scripts: Scripts) -> Chromium {
    let (_, link) = app.invite(Role::Owner, Reach::All).await;
    let [browser] = browsers(&app.certificate, scripts).await;
    browser.go(&link).await;
    browser.press("#take").await;
    browser.press("button[value=this]").await;
    browser.press("#open-app").await;
    browser.press(&format!("input[value='{TOLVAN}']")).await;
    browser.press("#continue").await;
    browser.press("#approve").await;
    browser.read("Certificates at BankID").await;
    assert!(browser.url().await.starts_with(&app.admin));
    browser
}

async fn fill(browser: &Chromium, fields: &[(&str, &str)]) {
    for (name, value) in fields {
        let css = format!("main [name='{name}']");
        let field = browser.see(&css).await;
        field.clear().await.expect("it can be emptied");
        browser.write(&css, value).await;
    }
}

/// Whether everything fits into the window, however narrow.
async fn fits(browser: &Chromium) -> bool {
    let script = "return document.documentElement.scrollWidth <= window.innerWidth + 1";
    browser.execute(script).await == json!(true)
}

#[test]
fn somebody_new_sets_keycloak_up_and_a_person_logs_in_there() {
    if !is_there() {
        return;
    }
    run(async {
        let _shows = shows!(accepting "PV-ADMIN-1");
        let app = App::on(Database::sqlite()).await;
        let browser = administering(&app, Scripts::On).await;
        browser.press("a[href='/clients']").await;
        browser.press("#new-client").await;
        browser
            .press("a[href='/clients/new?application=keycloak']")
            .await;
        fill(
            &browser,
            &[
                ("client_name", "Kommunens Keycloak"),
                ("address", "https://sso.example"),
                ("realm", "kommunen"),
                ("alias", "bankid"),
            ],
        )
        .await;
        browser.press("#create").await;
        let secret = browser
            .see("#client-secret")
            .await
            .text()
            .await
            .expect("text");
        portvakt::testing::canary(&secret);
        let copied = browser.see(".copyable").await.text().await.expect("text");
        let import: Value = serde_json::from_str(&copied).expect("JSON");
        let provider = &import["identityProviders"][0]["config"];
        assert!(
            !copied.contains(&secret),
            "a placeholder stands in its place"
        );

        // What Keycloak does with these values, and nothing else.
        let said = |name: &str| provider[name].as_str().expect(name).to_owned();
        let redirect = "https://sso.example/realms/kommunen/broker/bankid/endpoint";
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let mut asked = url::Url::parse(&said("authorizationUrl")).expect("an address");
        asked
            .query_pairs_mut()
            .append_pair("client_id", &said("clientId"))
            .append_pair("redirect_uri", redirect)
            .append_pair("response_type", "code")
            .append_pair("scope", &said("defaultScope"))
            .append_pair("state", "s")
            .append_pair("nonce", "n")
            .append_pair(
                "code_challenge",
                "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
            )
            .append_pair("code_challenge_method", &said("pkceMethod"));
        let answer: Answer = app.log_in_at(&Browser::new(), ASA, asked.as_str()).await;
        assert!(answer.url.as_str().starts_with(redirect), "{}", answer.url);
        let form = [
            ("grant_type", "authorization_code"),
            ("code", answer.code()),
            ("redirect_uri", redirect),
            ("code_verifier", verifier),
            ("client_id", &said("clientId")),
            ("client_secret", &secret),
        ];
        let tokens = app
            .http
            .post(said("tokenUrl"))
            .form(&form)
            .send()
            .await
            .expect("an answer");
        let tokens: Value = tokens.json().await.expect("JSON");
        let id_token = tokens["id_token"].as_str().expect("an ID token");
        let claims = id_token.split('.').nth(1).expect("claims");
        let claims = URL_SAFE_NO_PAD.decode(claims).expect("base64url");
        let claims: Value = serde_json::from_slice(&claims).expect("JSON");
        assert_eq!(claims["iss"], said("issuer").as_str());
        assert!(claims["name"].as_str().is_some_and(|name| !name.is_empty()));

        // A request that fails is explained on the client's page, while somebody looks at it.
        let wrong = asked.as_str().replace("endpoint&", "endpoint%2F&");
        let error = Browser::new().get(&wrong).await;
        assert_eq!(error.status, 400);
        browser.read("trailing slash").await;
        // The person reads a reference to whoever administers, and that finds it.
        let (_, reference) = error.body.split_once("<code>").expect("a reference");
        let (reference, _) = reference.split_once("</code>").expect("its end");
        browser.go(&format!("{}/failures", app.admin)).await;
        browser.write("main [name=reference]", reference).await;
        browser.press("main form button").await;
        browser.read("trailing slash").await;
        browser.read(&said("clientId")).await;
    });
}

#[test]
fn everything_is_done_without_scripts() {
    if !is_there() {
        return;
    }
    run(async {
        let _shows = shows!(accepting "PV-ADMIN-1");
        let app = App::on(Database::sqlite()).await;
        let browser = administering(&app, Scripts::Off).await;
        browser
            .go(&format!("{}/clients/new?application=other", app.admin))
            .await;
        fill(
            &browser,
            &[
                ("client_name", "Utan skript"),
                ("client_id", "utan"),
                ("redirect_uris", "https://a.example/cb"),
            ],
        )
        .await;
        browser.press("#create").await;
        browser.see("#client-secret").await;
        browser.press("#edit").await;
        fill(
            &browser,
            &[
                ("client_name", "Fortfarande utan"),
                ("purpose.sv", "Så är det."),
                ("purpose.en", "So it is."),
            ],
        )
        .await;
        browser.press("#save").await;
        browser.read("The settings are saved.").await;
        browser.read("Fortfarande utan").await;
        // What does not hold together is said at its setting, and what was entered stays.
        browser.press("#edit").await;
        fill(
            &browser,
            &[
                ("redirect_uris", "http://a.example/cb"),
                ("client_name", "Nytt namn"),
            ],
        )
        .await;
        browser.press("#save").await;
        browser.see(".wrong #set-redirect_uris").await;
        assert_eq!(
            browser.attribute("#set-client_name", "value").await,
            "Nytt namn"
        );
        browser.go(&format!("{}/client/utan", app.admin)).await;
        browser.press("#entitle").await;
        // The reason is missing: the browser itself says so.
        browser.write("#purpose", "Journalföring").await;
        browser.press("#entitle").await;
        browser.read("This client may have personal numbers").await;
        browser.press("#end-entitlement").await;
        browser
            .read("This client is told no personal number.")
            .await;
    });
}

const HOSTILE: &[&str] = &[
    "\"><script>window.pwned=1</script>",
    "<img src=x onerror=window.pwned=1>",
    "</title></textarea><svg onload=window.pwned=1>",
    "{{7*7}}${7*7}<%= 7*7 %>",
    "' onmouseover='window.pwned=1",
    "javascript:window.pwned=1",
];

#[test]
fn names_that_mean_ill_are_text() {
    if !is_there() {
        return;
    }
    run(async {
        let _shows = shows!(accepting "M6", refusing "M6");
        let app = App::on(Database::sqlite()).await;
        let owner = app.administrator(Role::Owner, Reach::All, ASA).await;
        let made = async |name: &str, id: &str, uri: &str| {
            let fields = [
                ("application", "other"),
                ("client_name", name),
                ("client_id", id),
                ("redirect_uris", uri),
            ];
            owner.post("/clients/new", &fields).await
        };
        // What is refused where it is registered, with nothing registered.
        for (name, uri) in [
            ("Kommun\u{202e}nek", "https://a.example/cb"),
            ("Kommun\u{200b}en", "https://a.example/cb"),
            ("a\nb", "https://a.example/cb"),
            ("Appen", "javascript:alert(1)"),
            ("Appen", "data:text/html,x"),
            ("Appen", "https://a.example/*"),
            ("Appen", "https://user@a.example/cb"),
            ("Appen", "https://a.example/cb#x"),
            ("Appen", "https://a.example/../cb"),
            ("Appen", "http://a.example/cb"),
        ] {
            let page = made(name, "refused", uri).await;
            assert_eq!(page.status, 400, "{name:?} {uri}: {}", page.body);
        }
        assert_eq!(owner.get("/client/refused").await.status, 404);
        let mut pages = vec!["/".to_owned(), "/clients".to_owned(), "/audit".to_owned()];
        for (n, hostile) in HOSTILE.iter().enumerate() {
            let id = format!("a{n}/?#%2f<b>\"'{}", hostile.replace(' ', "+"));
            let page = made(
                hostile,
                &id,
                &format!("https://a{n}.example/cb?x=%22%3E%3Cscript%3E"),
            )
            .await;
            assert_eq!(page.status, 200, "{hostile}: {}", page.body);
            let path =
                percent_encoding::utf8_percent_encode(&id, percent_encoding::NON_ALPHANUMERIC);
            pages.extend(["", "/edit", "/preview"].map(|end| format!("/client/{path}{end}")));
            let right = [("version", "1"), ("purpose", *hostile), ("days", "30")];
            let asked = owner
                .post(&format!("/client/{path}/entitlement"), &right)
                .await;
            assert_eq!(asked.status, 303, "{}", asked.body);
        }
        let others = [
            "/entitlements",
            "/failures",
            "/sessions",
            "/keys",
            "/administrators",
            "/api",
            "/clients/new",
        ];
        pages.extend(others.map(str::to_owned));
        let browser = administering(&app, Scripts::On).await;
        for width in [1200, 390] {
            browser
                .client
                .set_window_size(width, 900)
                .await
                .expect("resized");
            for path in &pages {
                browser.go(&format!("{}{path}", app.admin)).await;
                browser.see("main h1").await;
                let pwned = browser
                    .execute("return window.pwned === undefined && document.scripts.length === 1")
                    .await;
                assert_eq!(pwned, json!(true), "{path}");
                assert!(fits(&browser).await, "{path} at {width}");
            }
        }
        // The page that people see.
        let id = format!("a0/?#%2f<b>\"'{}", HOSTILE[0]);
        let url = app.authorize_url(&[
            ("client_id", Some(id.as_str())),
            (
                "redirect_uri",
                Some("https://a0.example/cb?x=%22%3E%3Cscript%3E"),
            ),
            ("scope", Some("openid")),
            (
                "code_challenge",
                Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
            ),
            ("code_challenge_method", Some("S256")),
        ]);
        browser.go(&url).await;
        browser.see("form.choices").await;
        assert_eq!(
            browser.execute("return window.pwned === undefined").await,
            json!(true)
        );
        browser.read("window.pwned=1").await;
    });
}

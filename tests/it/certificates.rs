//! Who we are at BankID: names that people see, and certificates that change under running orders.

use std::time::Duration;

use portvakt::config::Config;
use portvakt::shows;

use crate::support::phone::TOLVAN;
use crate::support::{Answer, App, Browser, Database, on_both, run};

fn request<'a>(app: &App, client: &'a str, callback: &'a str, state: &'a str) -> String {
    app.authorize_url(&[
        ("client_id", Some(client)),
        ("redirect_uri", Some(callback)),
        ("scope", Some("openid")),
        ("state", Some(state)),
    ])
}

#[test]
fn people_see_the_name_that_a_client_is_bound_to() {
    run(async {
        let _shows = shows!(accepting "PV-CERT-2", refusing "PV-CERT-2");
        let app = App::on(Database::sqlite()).await;
        for (client, callback, name) in [
            ("taxed", "https://tax.example/callback", "Skattetestet"),
            ("strict", "https://strict.example/callback", "Testkommunen"),
        ] {
            let browser = Browser::new();
            let mut url = request(&app, client, callback, "s");
            if client == "strict" {
                url.push_str("&code_challenge_method=S256&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
            }
            let choice = browser.get(&url).await;
            let login = browser.choose(&choice, "other").await;
            let claimed = app.phone.scan(&login.qr_text(), TOLVAN).await;
            assert_eq!(claimed.relying_party, name);
            claimed.approve().await;
            Answer::of(&browser.until_departure(&login).await).code();
        }
        let unknown = app
            .config
            .replace("profile = \"tax\"", "profile = \"toll\"");
        let refused = Config::parse(&unknown, app.directory.path()).expect_err("refused");
        let said = refused.to_string();
        assert!(
            said.contains("client.taxed: there is no bankid.profile.toll"),
            "{said}"
        );
        let broken = app.config.replace("\"tax.key\"", "\"relying-party.key\"");
        let refused = Config::parse(&broken, app.directory.path()).expect_err("refused");
        let said = refused.to_string();
        assert!(
            said.contains("bankid.profile.tax.certificate_file"),
            "{said}"
        );
    });
}

on_both!(
    a_certificate_is_replaced_under_running_orders,
    async |database| {
        let _shows = shows!(accepting "BP-32", accepting "PV-CERT-1", refusing "PV-CERT-1", accepting "PV-CERT-3");
        let app = App::on(database).await;
        let callback = "https://tax.example/callback";
        let begin = async |state: &str| {
            let browser = Browser::new();
            let choice = browser.get(&request(&app, "taxed", callback, state)).await;
            let login = browser.choose(&choice, "other").await;
            (browser, login)
        };
        let (running, login) = begin("running").await;
        let claimed = app.phone.scan(&login.qr_text(), TOLVAN).await;
        assert_eq!(claimed.relying_party, "Skattetestet");
        let new = app.banks.relying_party("Nya skattetestet").expect("made");
        let write = |name: &str, text: String| {
            std::fs::write(app.directory.path().join(name), text).expect("written");
        };
        write("tax.key", new.key_pem());
        write("tax.pem", new.certificate_pem());
        let mut seen = String::new();
        for n in 0..30 {
            let (browser, login) = begin(&format!("new {n}")).await;
            let person = crate::support::phone::YUSUF;
            let claimed = app.phone.scan(&login.qr_text(), person).await;
            seen = claimed.relying_party.clone();
            if seen == "Nya skattetestet" {
                claimed.approve().await;
                Answer::of(&browser.until_departure(&login).await).code();
                break;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(seen, "Nya skattetestet", "new orders use the new one");
        // The simulator knows an order under the name that made it, and under no other.
        claimed.approve().await;
        Answer::of(&running.until_departure(&login).await).code();
    }
);

//! The browser that began is the browser that ends.

use portvakt::shows;

use crate::support::phone::{ASA, TOLVAN};
use crate::support::{Answer, App, Browser, Database, run};

#[test]
fn another_browser_with_the_address_gets_nothing() {
    run(async {
        let _shows = shows!(accepting "LI-02", refusing "LI-02", accepting "LI-03", refusing "LI-03", accepting "B5", refusing "B5");
        let app = App::on(Database::sqlite()).await;
        let (mine, theirs) = (Browser::new(), Browser::new());
        let choice = mine.get(&app.authorize_url(&[])).await;
        let login = mine.choose(&choice, "other").await;
        // The other browser has a login of its own, so that it does not lack cookies as such.
        let other_choice = theirs.get(&app.authorize_url(&[])).await;
        let other_login = theirs.choose(&other_choice, "other").await;
        let other_csrf = other_login.value("csrf");
        let my_csrf = login.value("csrf");
        let url = login.login_url();
        for path in ["", "/returned", "/finish", "/left", "/events", "/status"] {
            let page = theirs.get(&format!("{url}{path}")).await;
            assert_eq!(page.status, 403, "{path}");
            assert!(
                !page.body.contains("id=\"qr\"") && !page.body.contains("data-screen"),
                "{path}: {}",
                page.body
            );
        }
        for path in ["order", "cancel"] {
            for csrf in [&my_csrf, &other_csrf] {
                let form = [("csrf", csrf.as_str()), ("device", "other")];
                assert_eq!(
                    theirs.post(&format!("{url}/{path}"), &form).await.status,
                    403,
                    "{path}"
                );
            }
            // The right browser, but a form that is not ours.
            let form = [("csrf", other_csrf.as_str()), ("device", "other")];
            assert_eq!(mine.post(&format!("{url}/{path}"), &form).await.status, 403);
            let form = [("csrf", my_csrf.as_str()), ("device", "other")];
            assert_eq!(
                mine.post_from_elsewhere(&format!("{url}/{path}"), &form)
                    .await
                    .status,
                403
            );
            assert_eq!(mine.get(&format!("{url}/{path}")).await.status, 405);
        }
        // A cookie of another login under this one's name is no key either.
        let name = |id: &str| format!("l-{}", &id[..8]);
        let planted = theirs
            .cookie(&name(&other_login.login_id()))
            .expect("a cookie");
        theirs.set_cookie(&name(&login.login_id()), &planted);
        assert_eq!(theirs.get(&format!("{url}/status")).await.status, 403);
        // All of that left the login as it was.
        let page = mine.get(&url).await;
        app.phone
            .scan(&page.qr_text(), TOLVAN)
            .await
            .approve()
            .await;
        let finished = mine.until_departure(&login).await;
        Answer::of(&finished).code();
    });
}

#[test]
fn a_choice_form_is_worth_nothing_in_another_browser() {
    run(async {
        let _shows = shows!(refusing "BC-02", refusing "LI-01", refusing "O17", accepting "O17");
        let app = App::on(Database::sqlite()).await;
        let (mine, theirs) = (Browser::new(), Browser::new());
        let choice = mine.get(&app.authorize_url(&[])).await;
        assert_eq!(
            theirs.press(&choice, "other").await.status,
            403,
            "without a form cookie"
        );
        theirs.get(&app.authorize_url(&[])).await;
        // With one of its own it is asked once more, by a form of its own.
        let asked = theirs.press(&choice, "other").await;
        assert_eq!(asked.status, 200);
        assert_ne!(asked.value("form"), choice.value("form"));
        assert!(theirs.cookie_names().iter().all(|n| !n.starts_with("l-")));
        let form = choice.value("form");
        let fields = [("form", form.as_str()), ("device", "other")];
        let url = format!("{}/login", app.issuer);
        assert_eq!(mine.post_from_elsewhere(&url, &fields).await.status, 403);
        let nowhere = [("form", form.as_str()), ("device", "toaster")];
        assert_eq!(mine.post(&url, &nowhere).await.status, 403);
        assert_eq!(mine.press(&choice, "other").await.status, 303);
    });
}

#[test]
fn a_second_finish_gets_no_second_code() {
    run(async {
        let _shows = shows!(accepting "B9", refusing "B9");
        let app = App::on(Database::sqlite()).await;
        let browser = Browser::new();
        let choice = browser.get(&app.authorize_url(&[])).await;
        let login = browser.choose(&choice, "other").await;
        let window = browser.copy();
        app.phone
            .scan(&login.qr_text(), TOLVAN)
            .await
            .approve()
            .await;
        Answer::of(&browser.until_departure(&login).await).code();
        // A window that still holds the cookie, as after the back button.
        let again = window.get(&format!("{}/finish", login.login_url())).await;
        assert_eq!(again.status, 410);
        assert_eq!(again.location(), None);
        assert!(again.body.contains("Inloggningen är avslutad"));
    });
}

#[test]
fn nobody_begins_with_a_number() {
    run(async {
        let _shows = shows!(accepting "LI-08", refusing "LI-08");
        let app = App::on(Database::sqlite()).await;
        let browser = Browser::new();
        let hinted = app.authorize_url(&[("login_hint", Some(TOLVAN))]);
        let choice = browser.get(&hinted).await;
        // Nothing can be typed, and what is sent all the same is not read.
        let inputs = choice.body.matches("<input").count();
        let hidden = choice.body.matches("type=\"hidden\"").count();
        assert_eq!(
            (inputs, choice.body.matches("<textarea").count()),
            (hidden, 0)
        );
        let mut form = vec![("device", "other"), ("scripts", "off")];
        let sealed = choice.value("form");
        form.push(("form", &sealed));
        for name in ["personal_number", "personalNumber", "login_hint", "pnr"] {
            form.push((name, TOLVAN));
        }
        let pressed = browser.post(&choice.absolute("/login"), &form).await;
        let login = browser.follow(&pressed).await;
        let claimed = app.phone.scan(&login.qr_text(), ASA).await;
        claimed.approve().await;
        let answer = Answer::of(&browser.until_departure(&login).await);
        let tokens = crate::token::redeem(&app, &answer).await;
        let claims = crate::token::claims(&app, &tokens).await;
        assert_eq!(claims["personal_number"], ASA);
    });
}

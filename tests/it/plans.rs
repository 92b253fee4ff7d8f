//! What people wait for costs the same however many logins are kept: no table of many rows is read to its end.

use std::time::Duration;

use portvakt::shows;

use crate::support::phone::{ASA, TOLVAN};
use crate::support::{Answer, App, Browser, Database, SECRET, run};
use crate::token::{claims, exchange, redeem};

#[path = "../../examples/load/history.rs"]
mod history;

/// How many logins of the past there are: enough for one row of a table not to be looked for in all of it.
const PAST: u64 = 20_000;

/// The tables that have rows of each login.
const TABLES: &str =
    "'person', 'login', 'bankid_order', 'session', 'approval', 'client_grant', 'code',
    'access_token', 'refresh_token'";

/// Everything that somebody waits for.
async fn all_of_a_login(app: &App) {
    let browser = Browser::new();
    // By code, with userinfo and introspection.
    let tokens = redeem(app, &app.log_in(&browser, TOLVAN).await).await;
    claims(app, &tokens).await;
    // A code that was given out here is looked up when it comes again.
    let twice = app.log_in(&Browser::new(), TOLVAN).await;
    redeem(app, &twice).await;
    assert_eq!(exchange(app, twice.code(), &[]).await.status, 400);
    let access = tokens["access_token"].as_str().expect("a token");
    crate::introspection::ask(app, "web", access).await;
    // By the session, and out.
    let by_session = browser
        .get(&app.authorize_url(&[("prompt", Some("none"))]))
        .await;
    redeem(app, &Answer::of(&by_session)).await;
    let members = [("id_token_hint", tokens["id_token"].as_str().expect("one"))];
    let out = browser.get(&crate::logout::logout_url(app, &members)).await;
    assert_eq!(out.status, 200, "{}", out.body);
    // In the app on this device, and back by its return address.
    let browser = Browser::new();
    let login = crate::same_device::launched(app, &browser).await;
    let claimed = app.phone.open(&login.launch_link(), ASA).await;
    let back = claimed.return_url.clone().expect("an address");
    claimed.approve().await;
    let returned = browser.get(&back).await;
    let tab = browser.follow(&returned).await;
    redeem(app, &Answer::of(&browser.until_departure(&tab).await)).await;
    // A refresh, and a revocation.
    let tokens = crate::refresh::tokens(app).await;
    let refresh = crate::refresh::text(&tokens, "refresh_token");
    let told = crate::refresh::refresh(app, refresh).await;
    assert_eq!(told.status, 200, "{}", told.body);
    let request = app.http.post(format!("{}/revoke", app.issuer));
    let form = [("token", crate::refresh::text(&told.body, "refresh_token"))];
    let request = request.basic_auth("offline", Some(SECRET)).form(&form);
    assert_eq!(crate::token::told(request).await.status, 200);
    // One that is begun anew, and cancelled.
    let choice = browser
        .get(&app.authorize_url(&[("prompt", Some("login"))]))
        .await;
    let login = browser.choose(&choice, "other").await;
    browser.status(&login).await;
    browser.press_on(&login, "cancel", "").await;
}

#[test]
fn nobody_waits_for_a_table_that_is_read_to_its_end() {
    let Some(database) = Database::whole_postgres() else {
        return;
    };
    run(async {
        let _shows = shows!(accepting "PV-PLAN-1", refusing "PV-PLAN-1");
        let app = App::on(database).await;
        let directory = app.directory.path();
        let url = app.database.url(directory);
        history::fill(&url, PAST).await.expect("filled");
        // Beside another node, for whatever is looked up where a node goes by its memory as long as it is alone.
        let beside = "INSERT INTO node (id, epoch, heartbeat_at) VALUES ('beside', 1, 4000000000) RETURNING id";
        app.database.texts(directory, beside);
        tokio::time::sleep(Duration::from_millis(2500)).await;
        let reset = "SELECT CAST(pg_stat_reset() AS TEXT)";
        app.database.texts(directory, reset);
        all_of_a_login(&app).await;
        // What a connection counted is told when it ends.
        app.stop_provider().await;
        let read = || {
            let question = format!(
                "SELECT relname || ': ' || seq_scan || ' times, ' || seq_tup_read || ' rows'
                   FROM pg_stat_user_tables WHERE seq_tup_read >= {PAST} AND relname IN ({TABLES})"
            );
            app.database.texts(directory, question)
        };
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(read(), [] as [String; 0]);
        // That it would be noticed.
        let whole = "SELECT CAST(count(*) AS TEXT) FROM login WHERE version > 1000";
        app.database.texts(directory, whole);
        for _ in 0..50 {
            if !read().is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("a table that was read to its end was not noticed");
    });
}

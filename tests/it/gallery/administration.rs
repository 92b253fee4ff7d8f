//! The administration: every page, empty and full, and what its forms say.

use std::time::Duration;

use portvakt::admin::role::{Reach, Role};

use super::stage::{CLIENT, Stage};
use super::{Asks, State, state};

pub fn states() -> Vec<State> {
    let mut states = vec![
        state("admin-invitation", Asks::Any, async |stage: &Stage| {
            let (_, link) = stage.app.invite(Role::Owner, Reach::All).await;
            stage.browser.go(&link).await;
            stage.browser.see("#take").await;
        }),
        page("admin-sessions-none", "/sessions?client=nobody"),
        page("admin-failures-empty", "/failures"),
        state("admin-failures", Asks::Any, async |stage: &Stage| {
            let unknown = [("client_id", Some("nobody"))];
            stage.browser.go(&stage.request(&unknown)).await;
            stage.administer("/failures").await;
        }),
        page("admin-failures-not-found", "/failures?reference=nothing"),
        state("admin-sessions", Asks::Any, async |stage: &Stage| {
            stage.log_in_at(CLIENT).await;
            stage.administer("/sessions").await;
        }),
    ];
    states.extend(pages().iter().map(|(name, path)| page(name, path)));
    states.extend(forms());
    states
}

fn pages() -> &'static [(&'static str, &'static str)] {
    &[
        ("admin-home", "/"),
        ("admin-clients", "/clients"),
        ("admin-clients-none-found", "/clients?search=nothing"),
        ("admin-new-client", "/clients/new"),
        ("admin-new-keycloak", "/clients/new?application=keycloak"),
        ("admin-new-other", "/clients/new?application=other"),
        ("admin-client", "/client/gallery"),
        ("admin-client-of-the-configuration", "/client/web"),
        ("admin-client-edit", "/client/gallery/edit"),
        ("admin-client-preview", "/client/gallery/preview"),
        ("admin-client-look", "/client/gallery/look"),
        ("admin-entitlements", "/entitlements"),
        ("admin-keys", "/keys"),
        ("admin-administrators", "/administrators"),
        ("admin-audit", "/audit"),
        ("admin-api", "/api"),
        ("admin-not-found", "/nothing"),
    ]
}

fn forms() -> Vec<State> {
    vec![
        state(
            "admin-new-with-mistakes",
            Asks::Any,
            async |stage: &Stage| {
                stage.administer("/clients/new?application=other").await;
                write(stage, "client_name", "Appen").await;
                write(stage, "redirect_uris", "http://a.example/*").await;
                stage.browser.press("#create").await;
                stage.browser.see(".wrong").await;
            },
        ),
        state(
            "admin-new-with-its-secret",
            Asks::Any,
            async |stage: &Stage| {
                stage.administer("/clients/new?application=other").await;
                write(stage, "client_name", "Appen").await;
                write(stage, "client_id", "appen").await;
                write(stage, "redirect_uris", "https://a.example/cb").await;
                stage.browser.press("#create").await;
                stage.browser.see("#client-secret").await;
            },
        ),
        state(
            "admin-edit-with-mistakes",
            Asks::Any,
            async |stage: &Stage| {
                stage.administer("/client/appen/edit").await;
                write(stage, "redirect_uris", "http://a.example/cb").await;
                stage.browser.press("#save").await;
                stage.browser.see(".wrong #set-redirect_uris").await;
            },
        ),
        state(
            "admin-edit-in-conflict",
            Asks::Any,
            async |stage: &Stage| {
                stage.administer("/client/appen/edit").await;
                let mine = stage.browser.tab().await;
                stage.browser.open_tab().await;
                stage.go_to_administration("/client/appen/edit").await;
                write(stage, "client_name", "Deras").await;
                stage.browser.press("#save").await;
                stage.browser.read("The settings are saved.").await;
                stage.browser.client.close_window().await.expect("closed");
                stage.browser.show_tab(&mine).await;
                write(stage, "client_name", "Mitt").await;
                stage.browser.press("#save").await;
                stage.browser.see("#conflict").await;
            },
        ),
        state("admin-client-removed", Asks::Any, async |stage: &Stage| {
            stage.administer("/client/appen").await;
            write(stage, "confirm", "appen").await;
            stage.browser.press("#remove").await;
            stage.sees_no_more("#remove").await;
            stage.go_to_administration("/client/appen").await;
            stage.browser.see("#restore").await;
        }),
        state("admin-invited", Asks::Any, async |stage: &Stage| {
            stage.administer("/administrators").await;
            stage.browser.write("#name", "Åsa Testsson").await;
            stage.browser.press("input[name=role][value=reader]").await;
            stage.browser.press("#invite").await;
            stage.browser.see("#invitation-link").await;
        }),
        state("admin-again", Asks::Any, async |stage: &Stage| {
            stage.administer("/keys").await;
            stage.app.clock.advance(Duration::from_secs(16 * 60));
            stage.go_to_administration("/keys").await;
            stage
                .browser
                .press("form[action='/keys/announce'] button")
                .await;
            stage.browser.see("#again").await;
        }),
        page("admin-logged-in", "/logged-in"),
        state("admin-logged-out", Asks::Any, async |stage: &Stage| {
            stage.administer("/").await;
            stage.browser.press("form[action='/logout'] button").await;
            stage.browser.read("You are logged out").await;
        }),
    ]
}

fn page(name: &str, path: &'static str) -> State {
    state(name, Asks::Any, async move |stage: &Stage| {
        stage.administer(path).await;
    })
}

async fn write(stage: &Stage, name: &str, text: &str) {
    let css = format!("main [name='{name}']");
    let field = stage.browser.see(&css).await;
    field.clear().await.expect("it can be emptied");
    stage.browser.write(&css, text).await;
}

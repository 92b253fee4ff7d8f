//! Nodes behind Caddy, with the configuration that is shipped.

use portvakt::shows;

use crate::nginx::{
    BEHIND, NAMES, OWN_TLS, a_node_dies_at_the_end_of_a_login, app, frames_come_each_second,
    the_browsers_address_counts, whoever_waits_is_told,
};
use crate::support::cluster::{Node, Place};
use crate::support::dying::Dying;
use crate::support::fronts::{Front, port_of};
use crate::support::{App, Database, run};

#[test]
fn caddy_says_who_calls_and_holds_nothing_back() {
    run(async {
        let _shows = shows!(accepting "PV-FRONT-2", refusing "PV-FRONT-2", accepting "PV-FRONT-4");
        let app = app(Database::sqlite(), "logins_per_address = 6").await;
        let mut node = Node::start_with(&app, "only", &[(OWN_TLS, BEHIND)]).await;
        let places = [node.place, Place::of_nobody(), Place::of_nobody()];
        let Some(_caddy) = Front::caddy(&app, NAMES.provider, places).await else {
            return;
        };
        frames_come_each_second(&app).await;
        the_browsers_address_counts(&app).await;
        node.serving.kill();
        whoever_waits_is_told(&app).await;
    });
}

#[test]
fn caddy_asks_another_node_for_the_end_of_a_login() {
    run(async {
        let _shows = shows!(accepting "PV-FRONT-5", refusing "PV-FRONT-5");
        let app = app(Database::sqlite(), "").await;
        let node = Node::start_with(&app, "only", &[(OWN_TLS, BEHIND)]).await;
        let dying = Dying::before(node.place).await;
        let Some(_caddy) = Front::caddy(&app, NAMES.provider, dying.places).await else {
            return;
        };
        a_node_dies_at_the_end_of_a_login(&app, &dying).await;
    });
}

/// What somebody reads who asks for the administration from an address of this machine.
async fn status_for(app: &App, address: [u8; 4]) -> u16 {
    let host = format!("admin.{}", NAMES.provider);
    let root = reqwest::Certificate::from_der(&app.pages.root()).expect("a certificate");
    let http = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([root])
        .local_address(std::net::IpAddr::from(address))
        .resolve(&host, std::net::SocketAddr::from(([127, 0, 0, 1], 0)));
    let url = format!("https://{host}:{}/", port_of(app));
    let answer = http.build().expect("a client").get(url).send().await;
    answer.expect("an answer").status().as_u16()
}

#[test]
fn caddy_lets_administrators_in_from_where_they_are_and_nowhere_else() {
    run(async {
        let _shows = shows!(accepting "PV-FRONT-6", refusing "PV-FRONT-6");
        let app = app(Database::sqlite(), "").await;
        let places = [0; 3].map(|_| Place::of_nobody());
        let Some(_caddy) = Front::caddy(&app, NAMES.provider, places).await else {
            return;
        };
        assert_eq!(status_for(&app, [127, 0, 0, 200]).await, 403, "elsewhere");
        assert_eq!(status_for(&app, [127, 0, 0, 66]).await, 403, "excepted");
        // Let through, to where no node is.
        assert_eq!(status_for(&app, [127, 0, 0, 5]).await, 503);
    });
}

//! Nodes behind Caddy, with the configuration that is shipped.

use portvakt::shows;

use crate::nginx::{
    BEHIND, NAMES, OWN_TLS, app, frames_come_each_second, the_browsers_address_counts,
    whoever_waits_is_told,
};
use crate::support::cluster::{Node, Place};
use crate::support::fronts::Front;
use crate::support::{Database, run};

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

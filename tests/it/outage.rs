//! PostgreSQL goes away and comes back while people log in.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use portvakt::shows;

use crate::support::balancer::Balancer;
use crate::support::cluster::Node;
use crate::support::postgres::Server;
use crate::support::visitors::Visitors;
use crate::support::{App, Browser, Database, Options, run};
use crate::token::exchange;

/// How many people at once.
const PEOPLE: u64 = 20;
/// Longer than nodes believe of each other that they live.
const LONG: Duration = Duration::from_secs(7);

#[test]
fn postgres_goes_and_comes_back_and_no_login_is_lost() {
    let Some(server) = Server::start() else {
        return;
    };
    let server = Arc::new(server);
    run(async {
        let _shows = shows!(accepting "PV-AWAY-1", refusing "PV-AWAY-1");
        let app = Arc::new(
            App::start(Options {
                sections: "[limits]\nlogins_per_address = 100000".to_owned(),
                ..Options::on(Database::of(&server))
            })
            .await,
        );
        app.stop_provider().await;
        let mut nodes = [
            Node::start(&app, "first").await,
            Node::start(&app, "second").await,
        ];
        let places = nodes.each_ref().map(|node| node.place);
        let _balancer = Balancer::before(&app, &places).await;
        let visitors = Visitors::of(PEOPLE, &app);
        visitors.until_more(5).await;
        let rounds = std::env::var("PORTVAKT_TEST_ROUNDS").map_or(1, |_| 5);
        for _ in 0..rounds {
            // Orderly, and as in a crash.
            for mode in ["fast", "immediate"] {
                server.restart(mode);
                visitors.until_more(6).await;
            }
            server.stop("immediate");
            let since = std::time::Instant::now();
            for node in &nodes {
                node.until_it_says(&app, 503, "database").await;
            }
            let page = Browser::new().get(&app.authorize_url(&[])).await;
            assert_eq!((page.status, page.header("retry-after")), (503, "5"));
            assert!(page.body.contains("id=\"try-again\""), "{}", page.body);
            let code = "ac_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
            let told = exchange(&app, code, &[]).await;
            assert_eq!(
                (told.status, &told.headers["retry-after"]),
                (503, &"5".parse().expect("a value"))
            );
            assert!(told.body["error"].is_string(), "{}", told.body);
            tokio::time::sleep(LONG.saturating_sub(since.elapsed())).await;
            server.start_again();
            for node in &nodes {
                node.until_it_says(&app, 200, "ready").await;
            }
            visitors.until_more(10).await;
        }
        let tally = visitors.leave().await;
        println!("{tally:?}");
        assert!(tally.told_to_wait.load(Ordering::SeqCst) > 0);
        tally.nothing_was_lost_but_at_bankid(&nodes);
        // What a person waits for is there, and nobody had to start a node again.
        for node in &mut nodes {
            assert!(node.serving.is_running());
        }
    });
}

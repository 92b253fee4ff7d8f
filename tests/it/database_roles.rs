//! The roles of `docs/operators.md`, by which the provider adds to the audit log and changes nothing in it.

use std::time::Duration;

use portvakt::admin::{Desk, audit};
use portvakt::audit::Door;
use portvakt::shows;

use crate::storage::open;
use crate::support::doors::{desk, ran, ran_with};
use crate::support::phone::TOLVAN;
use crate::support::{App, Browser, Database, run};
use crate::token::redeem;

/// What the document says for a role.
fn statements(role: &str) -> String {
    let document = include_str!("../../docs/operators.md");
    let blocks = document.split("```sql\n").skip(1);
    let blocks = blocks.filter_map(|rest| rest.split("```").next());
    let mut found = blocks.filter(|block| block.contains(role));
    let statements = found.next().expect("a block");
    format!("CREATE ROLE {role} LOGIN;\n{statements}")
}

#[test]
fn the_provider_needs_no_right_to_change_the_audit_log() {
    let _shows = shows!(accepting "M8", refusing "M8");
    let Some(owner) = Database::postgres() else {
        return;
    };
    run(async {
        let directory = tempfile::tempdir().expect("a directory");
        let url = owner.url(directory.path());
        portvakt::storage::migrate(&url).await.expect("migrated");
        let server = owner.by_role("portvakt_server", &statements("portvakt_server"));
        // It serves, and all that is done in a shell works.
        let app = App::on(server.clone()).await;
        let answer = app.log_in(&Browser::new(), TOLVAN).await;
        redeem(&app, &answer).await;
        app.provider
            .store
            .sweep(app.clock.now())
            .await
            .expect("swept");
        let redirects = "redirect_uris=[\"https://a.example/cb\"]";
        for arguments in [
            &[
                "client",
                "create",
                "--client-id",
                "a",
                "client_name=A",
                redirects,
            ][..],
            &["client", "set", "a", "client_name=B"],
            &["client", "secret", "a"],
            &["client", "entitle", "a", "--purpose", "Tests."],
            &["client", "remove", "a"],
            &["client", "restore", "a"],
            &["client", "token", "issue", "--note", "Tests"],
            &["key", "rotate"],
            &["audit", "list"],
            &["audit", "verify"],
            &["migrate"],
        ] {
            // With nothing to be done, `migrate` needs no right either.
            ran(&app, arguments).good();
        }
        for statement in [
            "UPDATE audit SET actor = 'operator:eve'",
            "DELETE FROM audit",
            "TRUNCATE audit",
            "DROP TABLE audit",
            "ALTER TABLE audit DISABLE TRIGGER ALL",
            "UPDATE audit_seal SET sealed_at = 1",
            "DELETE FROM audit_seal",
            "UPDATE audit_sealed SET position = position + 1000",
            "DELETE FROM audit_sealed",
            "UPDATE _sqlx_migrations SET success = false",
            "CREATE TABLE other (id TEXT)",
        ] {
            let denied = server
                .meddle(directory.path(), statement)
                .expect_err(statement);
            let words = ["permission denied", "must be owner"];
            assert!(
                words.iter().any(|word| denied.contains(word)),
                "{statement}: {denied}"
            );
        }
        // On a database that is behind, it waits for the owner.
        let renamed = |from: i64, to: i64| {
            let sql = format!("UPDATE _sqlx_migrations SET version = {to} WHERE version = {from}");
            owner.meddle(directory.path(), sql).expect("changed");
        };
        renamed(18, 1800);
        let said = ran(&app, &["migrate"]).bad();
        assert!(said.contains("permission denied"), "{said}");
        renamed(1800, 18);
        // Old events go by another role.
        app.stop_provider().await;
        let head = ran(&app, &["audit", "verify"]).good();
        let head = head.lines().nth(1).expect("a head").to_owned();
        let pruner = owner.by_role("portvakt_pruner", &statements("portvakt_pruner"));
        let config = app.config.replace(
            &server.url(app.directory.path()),
            &pruner.url(app.directory.path()),
        );
        assert_ne!(config, app.config);
        let prune = ["audit", "prune", "--keep-days", "90"];
        assert_eq!(
            ran_with(&app, &config, &prune).good(),
            "The events of 0 seals were removed.\n"
        );
        ran_with(&app, &config, &["client", "remove", "a"]).bad();
        for (database, is_allowed) in [(&server, false), (&pruner, true)] {
            let (store, clock, random) = open(database, directory.path()).await;
            clock.advance(Duration::from_secs(91 * 24 * 60 * 60));
            let late = Desk {
                store: &store,
                clock: &clock,
                random: &random,
                ..desk(&app, Door::Cli)
            };
            let pruned = audit::prune(&late, 90).await;
            assert_eq!(pruned.is_ok(), is_allowed, "{pruned:?}");
            if is_allowed {
                store.seal_audit(clock.now()).await.expect("sealed");
                let head = portvakt::audit::seal::Head::parse(&head);
                let found = store.verify_audit(head, clock.now()).await.expect("read");
                assert_eq!(found, []);
            }
            store.close().await;
        }
    });
}

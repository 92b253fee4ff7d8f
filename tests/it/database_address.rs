//! Where the database is, as the environment has a say in it.

use std::process::Command;

use portvakt::shows;

use crate::support::{App, Database, run};

#[test]
fn the_environment_leads_to_no_other_machine() {
    run(async {
        let _shows = shows!(accepting "P11", refusing "P11");
        let app = App::on(Database::sqlite()).await;
        let here = app.database.url(app.directory.path());
        let config = app.config.replace(&here, "postgres:///portvakt");
        assert_ne!(config, app.config);
        let file = app.directory.path().join("elsewhere.toml");
        std::fs::write(&file, config).expect("written");
        let is_refused = |variables: &[(&str, &str)]| {
            let mut check = Command::new(env!("CARGO_BIN_EXE_portvakt"));
            check.arg("check").arg("--config").arg(&file);
            for name in ["PGHOST", "PGHOSTADDR", "PGSSLMODE", "PGPASSWORD"] {
                check.env_remove(name);
            }
            check.envs(variables.iter().copied());
            let ran = check.output().expect("it runs");
            let said = [ran.stdout, ran.stderr].concat();
            let said = String::from_utf8(said).expect("text");
            said.contains("database.url: goes to another machine")
        };
        let remote = ("PGHOST", "db.invalid");
        assert!(is_refused(&[remote]));
        assert!(is_refused(&[
            ("PGHOST", "/nowhere"),
            ("PGHOSTADDR", "192.0.2.1")
        ]));
        assert!(is_refused(&[remote, ("PGSSLMODE", "verify-ca")]));
        assert!(!is_refused(&[("PGHOST", "/nowhere")]));
        assert!(!is_refused(&[("PGHOSTADDR", "127.0.0.1")]));
        assert!(!is_refused(&[remote, ("PGSSLMODE", "verify-full")]));
    });
}

//! The program as it is handed out.

use std::path::Path;
use std::process::Command;

use portvakt::shows;

use crate::support::cluster::Node;
use crate::support::{App, Database, run};

fn ready(config: &Path, wait: &str) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_portvakt"))
        .args(["ready", "--wait", wait, "--config"])
        .arg(config)
        .output()
        .expect("it runs");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8(said).expect("text");
    (output.status.success(), said)
}

#[test]
fn a_node_is_asked_whether_it_is_ready_and_waited_for() {
    run(async {
        let _shows = shows!(accepting "PV-READY-1", refusing "PV-READY-1");
        let app = App::on(Database::sqlite()).await;
        app.stop_provider().await;
        let mut node = Node::start(&app, "node").await;
        let config = app.directory.path().join("node.toml");
        let (is_ready, said) = ready(&config, "0");
        assert!(is_ready && said.starts_with("ready"), "{said}");
        // It looks where to ask, and at nothing else: a file that a node could not start from any more is no matter.
        let text = std::fs::read_to_string(&config).expect("read");
        let changed = text.replace(
            "[keys]",
            "[keys]\nunknown = 1\nmaster_key_file = \"gone.key\"",
        );
        assert_ne!(changed, text);
        let probed = app.directory.path().join("probed.toml");
        std::fs::write(&probed, changed).expect("written");
        let (is_ready, said) = ready(&probed, "0");
        assert!(is_ready && said.starts_with("ready"), "{said}");
        node.serving.tell_to_stop();
        node.until_it_says(&app, 503, "stopping").await;
        let (is_ready, said) = ready(&config, "0");
        assert!(!is_ready && said.contains("stopping"), "{said}");
        assert!(node.serving.ends_well().await);
        let (is_ready, said) = ready(&config, "1");
        assert!(!is_ready && said.contains("does not answer"), "{said}");
        let asked = config.clone();
        let waiting = tokio::task::spawn_blocking(move || ready(&asked, "30"));
        node.start_again(&app).await;
        let (is_ready, said) = waiting.await.expect("it ends");
        assert!(is_ready, "{said}");
        // Where nobody is told, nobody can be asked.
        let silent = app.directory.path().join("silent.toml");
        std::fs::write(&silent, &app.config).expect("written");
        let (is_ready, said) = ready(&silent, "0");
        assert!(!is_ready && said.contains("ops.address"), "{said}");
    });
}

#[test]
fn it_says_its_version() {
    let _shows = shows!(accepting "PV-RELEASE-1");
    let output = Command::new(env!("CARGO_BIN_EXE_portvakt"))
        .arg("--version")
        .output()
        .expect("it runs");
    let said = String::from_utf8(output.stdout).expect("text");
    let version = env!("CARGO_PKG_VERSION");
    assert!(said.starts_with(&format!("portvakt {version}")), "{said}");
    let changes = std::fs::read_to_string("CHANGELOG.md").expect("a file");
    assert!(
        changes.contains(&format!("## {version}")),
        "what is new in it"
    );
}

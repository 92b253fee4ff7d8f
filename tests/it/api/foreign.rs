//! A program of somebody else's, which makes up requests from the OpenAPI document and looks whether every
//! answer is one that stands there.

use std::path::Path;
use std::process::Command;

use portvakt::http::admin::api::DOCUMENT;
use portvakt::shows;

use super::{Caller, app};
use crate::foreign::python;
use crate::support::{Database, run};

#[test]
fn made_up_requests_are_answered_as_the_document_says() {
    let Some(python) = python() else {
        return;
    };
    let _shows = shows!(accepting "PV-API-9");
    run(async {
        let app = app(Database::sqlite()).await;
        let caller = Caller::full(&app).await;
        // What the examples of the document are about.
        for client in ["app", "removed"] {
            caller.client(client).await;
        }
        let authorization = format!("Authorization: Bearer {}", caller.token);
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/foreign");
        let mut command = Command::new(python);
        command
            .args(["-m", "schemathesis.cli", "--no-color", "--config-file"])
            .arg(folder.join("schemathesis.toml"))
            .args(["run", &format!("{}{DOCUMENT}", app.admin)])
            .args(["--header", &authorization])
            // It would ask a machine's proxy for the way to this machine.
            .env("NO_PROXY", "localhost")
            .env("no_proxy", "localhost")
            .current_dir(app.directory.path());
        let output = tokio::task::spawn_blocking(move || command.output());
        let output = output.await.expect("it ran").expect("Python runs");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success(),
            "{said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        // Not all of it was refused: what was made up for this client was done.
        let events = caller.events("app").await.len();
        assert!(events > 5, "{events} events: {said}");
    });
}

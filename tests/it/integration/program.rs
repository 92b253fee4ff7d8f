//! A program that runs beside the provider, with all that it started.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::support::App;

pub struct Program {
    child: Child,
    log: PathBuf,
}

impl Program {
    /// Starts it. What it says goes to a log.
    pub fn start(app: &App, name: &str, mut command: Command) -> Program {
        let log = app.directory.path().join(format!("{name}.log"));
        let said = File::create(&log).expect("a log");
        let also = said.try_clone().expect("a log");
        let child = command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(said)
            .stderr(also)
            .env("TLS_CERTIFICATE", app.directory.path().join("pages.pem"))
            .env("TLS_KEY", app.directory.path().join("pages.key"))
            // It would ask a machine's proxy for the way to this machine.
            .env("NO_PROXY", "*")
            .env("no_proxy", "*")
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        Program { child, log }
    }

    /// What it said so far.
    pub fn said(&self) -> String {
        let said = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&said).into_owned()
    }

    /// Waits until it says that it is there.
    pub async fn until_it_says(&mut self, word: &str) {
        for _ in 0..500 {
            let ended = self.child.try_wait().expect("a child");
            assert!(ended.is_none(), "it ended: {}", self.said());
            if self.said().contains(word) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        panic!("it never says {word}: {}", self.said());
    }

    /// Waits until it answers at an address, which may take it minutes on a machine that has much to do.
    pub async fn until_it_answers(&mut self, app: &App, url: &str) {
        let root = reqwest::Certificate::from_der(&app.pages.root()).expect("a certificate");
        let http = reqwest::Client::builder().tls_certs_only([root]).no_proxy();
        let http = http.build().expect("a client");
        for _ in 0..500 {
            let ended = self.child.try_wait().expect("a child");
            assert!(ended.is_none(), "it ended: {}", self.said());
            if let Ok(answer) = http.get(url).send().await
                && answer.status().is_success()
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        panic!("it does not answer: {}", self.said());
    }
}

impl Drop for Program {
    /// Ends the whole group: some of them start others.
    fn drop(&mut self) {
        if std::thread::panicking() {
            let said = self.said();
            let last: Vec<&str> = said.lines().rev().take(40).collect();
            let last: Vec<&str> = last.into_iter().rev().collect();
            eprintln!("{}:\n{}", self.log.display(), last.join("\n"));
        }
        let group = format!("-{}", self.child.id());
        let _ = Command::new("kill").args(["-9", "--", &group]).status();
        let _ = self.child.wait();
    }
}

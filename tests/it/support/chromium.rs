//! A real browser: headless Chromium, driven by ChromeDriver.

use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fantoccini::wd::WindowHandle;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls_pki_types::CertificateDer;
use serde_json::json;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::sync::{Semaphore, SemaphorePermit};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::left_out;
use super::ports;

/// Whether pages' scripts run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scripts {
    On,
    Off,
}

/// One browser with a profile of its own.
pub struct Chromium {
    pub client: Client,
    driver: Child,
    profile: TempDir,
    _turn: SemaphorePermit<'static>,
}

static SAID: OnceLock<()> = OnceLock::new();
/// Two cores do not drive eight browsers.
static TURNS: Semaphore = Semaphore::const_new(4);

/// Whether there is a Chromium; where there need not be one, its tests are left out.
pub fn is_there() -> bool {
    let there = std::env::var_os("PORTVAKT_TEST_CHROMEDRIVER").is_some();
    if !there {
        left_out("Chromium", &SAID);
    }
    there
}

/// Enough turns for all browsers of a story, taken together so that two stories never wait for
/// each other.
pub async fn browsers<const N: usize>(
    certificate: &CertificateDer<'_>,
    scripts: Scripts,
) -> [Chromium; N] {
    browsers_as(certificate, scripts, None).await
}

/// The same, calling themselves something else.
pub async fn browsers_as<const N: usize>(
    certificate: &CertificateDer<'_>,
    scripts: Scripts,
    user_agent: Option<&str>,
) -> [Chromium; N] {
    let many = u32::try_from(N).expect("a few");
    let mut turns = TURNS.acquire_many(many).await.expect("never closed");
    let mut started = Vec::new();
    for _ in 0..N {
        let turn = turns.split(1).expect("one for each");
        started.push(Chromium::start(certificate, scripts, user_agent, turn).await);
    }
    started.try_into().ok().expect("as many as were started")
}

impl Chromium {
    async fn start(
        certificate: &CertificateDer<'_>,
        scripts: Scripts,
        user_agent: Option<&str>,
        turn: SemaphorePermit<'static>,
    ) -> Chromium {
        let path = |name: &str| std::env::var(name).expect("is_there() was asked");
        let port = ports::free();
        let profile = tempfile::tempdir().expect("a directory");
        // What a browser that is killed leaves behind goes with its profile.
        let driver = Command::new(path("PORTVAKT_TEST_CHROMEDRIVER"))
            .arg(format!("--port={port}"))
            .env("TMPDIR", profile.path())
            // It has a way of its own to know names.
            .env_remove("LD_PRELOAD")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("ChromeDriver starts");
        let capabilities = json!({
            "goog:chromeOptions": {
                "binary": path("PORTVAKT_TEST_CHROMIUM"),
                "args": [
                    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic",
                    "--no-first-run", "--disable-background-networking",
                    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
                    "--window-size=900,900",
                    "--host-resolver-rules=MAP *.example 127.0.0.1",
                    format!("--ignore-certificate-errors-spki-list={}", fingerprint(certificate)),
                    format!("--user-data-dir={}", profile.path().display()),
                ],
                "prefs": {
                    "intl.accept_languages": "sv-SE,sv",
                    "profile.managed_default_content_settings.javascript":
                        if scripts == Scripts::On { 1 } else { 2 },
                },
            }
        });
        let mut capabilities = capabilities.as_object().expect("an object").clone();
        if let Some(user_agent) = user_agent {
            let arguments = capabilities["goog:chromeOptions"]["args"].as_array_mut();
            arguments
                .expect("a list")
                .push(format!("--user-agent={user_agent}").into());
        }
        let url = format!("http://127.0.0.1:{port}");
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(capabilities);
        let mut problem = None;
        for _ in 0..100 {
            match builder.connect(&url).await {
                Ok(client) => {
                    return Chromium {
                        client,
                        driver,
                        profile,
                        _turn: turn,
                    };
                }
                Err(error) => problem = Some(error),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("Chromium does not start: {problem:?}");
    }

    pub async fn go(&self, url: &str) {
        self.client.goto(url).await.expect("the page loads");
    }

    /// Goes to a page that shows something. Pages without scripts come back by themselves, and may do
    /// so while their successor is still on its way: then it is gone to again.
    pub async fn go_and_see(&self, url: &str, css: &str) {
        for _ in 0..10 {
            self.go(url).await;
            if self.sees(css).await {
                return;
            }
        }
        panic!("there is no {css} at {url}: {}", self.text().await);
    }

    /// Whether scripts run, seen on a page of our own: a switch that has no effect would make a test
    /// without scripts one with them.
    pub async fn runs_scripts(&self) -> bool {
        self.go("data:text/html,<title>off</title><script>document.title='on'</script>")
            .await;
        self.client.title().await.expect("a title") == "on"
    }

    /// Waits until something is on the page, whichever page that is by then.
    pub async fn see(&self, css: &str) -> fantoccini::elements::Element {
        for _ in 0..300 {
            if let Ok(found) = self.client.find(Locator::Css(css)).await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let url = self.client.current_url().await;
        panic!("there is no {css} at {url:?}: {}", self.text().await);
    }

    /// Presses a button or follows a link. Pages without scripts come back by themselves, and may
    /// do so under the finger: then it is pressed again.
    pub async fn press(&self, css: &str) {
        let mut problem = None;
        for _ in 0..50 {
            match self.see(css).await.click().await {
                Ok(()) => return,
                Err(error) => problem = Some(error),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{css} cannot be pressed: {problem:?}");
    }

    /// Whether something comes onto the page within three seconds.
    pub async fn sees(&self, css: &str) -> bool {
        for _ in 0..30 {
            if self.client.find(Locator::Css(css)).await.is_ok() {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        false
    }

    pub async fn write(&self, css: &str, text: &str) {
        self.see(css)
            .await
            .send_keys(text)
            .await
            .expect("it can be written in");
    }

    /// An attribute, read again when the page changed meanwhile.
    pub async fn attribute(&self, css: &str, name: &str) -> String {
        for _ in 0..50 {
            if let Ok(Some(value)) = self.see(css).await.attr(name).await {
                return value;
            }
        }
        panic!("{css} has no {name}");
    }

    pub async fn text(&self) -> String {
        match self.client.find(Locator::Css("body")).await {
            Ok(body) => body.text().await.unwrap_or_default(),
            Err(error) => error.to_string(),
        }
    }

    /// Waits for a text on the page.
    pub async fn read(&self, text: &str) {
        let mut seen = String::new();
        for _ in 0..300 {
            seen = self.text().await;
            if seen.contains(text) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{text} never came: {seen}");
    }

    /// Runs a script in the page.
    pub async fn execute(&self, script: &str) -> serde_json::Value {
        let done = self.client.execute(script, Vec::new()).await;
        done.expect("it runs")
    }

    pub async fn url(&self) -> String {
        self.client.current_url().await.expect("an address").into()
    }

    pub async fn tab(&self) -> WindowHandle {
        self.client.window().await.expect("a window")
    }

    /// Another tab, in front.
    pub async fn open_tab(&self) -> WindowHandle {
        let opened = self.client.new_window(true).await.expect("a tab");
        self.show_tab(&opened.handle).await;
        opened.handle
    }

    pub async fn show_tab(&self, tab: &WindowHandle) {
        self.client
            .switch_to_window(tab.clone())
            .await
            .expect("the tab is there");
    }
}

impl Drop for Chromium {
    /// ChromeDriver does not take its browser with it: every process that was started for this
    /// profile is ended by name.
    fn drop(&mut self) {
        let _ = self.driver.kill();
        let _ = self.driver.wait();
        let profile = self.profile.path().display().to_string();
        for _ in 0..20 {
            let left = processes_of(&profile);
            if left.is_empty() {
                return;
            }
            let kill = format!("kill -9 {}", left.join(" "));
            let _ = Command::new("sh")
                .args(["-c", &kill])
                .stderr(Stdio::null())
                .status();
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// The processes whose command line names a profile; the browser's children name it too, or end with
/// it.
fn processes_of(profile: &str) -> Vec<String> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.bytes().all(|b| b.is_ascii_digit()))
        .filter(|pid| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(profile)
        })
        .collect()
}

/// SHA-256 of a certificate's public key, as Chromium's switch wants it.
fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    let (_, parsed) = X509Certificate::from_der(certificate).expect("a certificate");
    STANDARD.encode(Sha256::digest(parsed.tbs_certificate.subject_pki.raw))
}

//! What it takes until somebody sees what they are asked, in the demo: requests and bytes of the choice
//! and of the code, and how soon a browser behind slow 3G shows the choice.
//!
//!     cargo bench --bench first_view
//!
//! The browser takes part where `PORTVAKT_TEST_CHROMIUM` and `PORTVAKT_TEST_CHROMEDRIVER` name one. The demo
//! speaks HTTP/1.1 without TLS, whose handshake takes one or two more round trips of 400 ms.

#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../tests/it/support/chromium.rs"]
mod chromium;
#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../tests/it/support/devtools.rs"]
mod devtools;
#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../tests/it/support/ports.rs"]
mod ports;

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Context, bail};
use portvakt::clock::Clock;
use portvakt::random::Random;
use portvakt::simulator::certificates::Authority;
use reqwest::header::{ACCEPT_ENCODING, CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::json;

use chromium::{Scripts, browsers, is_there};

/// How often the choice is shown to a browser that has kept nothing.
const ROUNDS: usize = 5;
/// Slow 3G: bytes in a second, either way, and milliseconds.
const BYTES: u32 = 400_000 / 8;
const LATENCY: u32 = 400;

fn main() -> anyhow::Result<()> {
    portvakt::cli::install_crypto();
    let demo = Demo::start()?;
    tokio::runtime::Runtime::new()?.block_on(async {
        let mut person = Person::new()?;
        let (choice, request) = person.ask(&demo.application).await?;
        person.report("the choice", &choice).await?;
        let scan = person.choose_another_device(&choice).await?;
        person.report("the code", &scan).await?;
        if is_there() {
            painted(&request).await?;
        }
        Ok(())
    })
}

/// What the browser's module calls where there is none.
fn left_out(part: &'static str, said: &OnceLock<()>) {
    said.get_or_init(|| println!("left out: {part}"));
}

/// `portvakt demo`, for as long as it is held.
struct Demo {
    application: String,
    program: Child,
    /// A program that nobody listens to any more ends.
    said: BufReader<ChildStdout>,
}

impl Demo {
    fn start() -> anyhow::Result<Demo> {
        let mut program = Command::new(env!("CARGO_BIN_EXE_portvakt"))
            .arg("demo")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let said = BufReader::new(program.stdout.take().context("its output")?);
        let mut demo = Demo {
            application: String::new(),
            program,
            said,
        };
        let mut line = String::new();
        while demo.said.read_line(&mut line)? > 0 {
            if let Some((_, address)) = line.split_once("start here:") {
                demo.application = address.trim().to_owned();
                return Ok(demo);
            }
            line.clear();
        }
        bail!("the demo does not start")
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

struct Page {
    url: url::Url,
    body: String,
}

/// One thing that was loaded.
struct Loaded {
    kind: String,
    /// Whether nothing is seen before it is there.
    blocks: bool,
    decoded: usize,
    transferred: usize,
}

/// Somebody with a browser that keeps cookies.
struct Person {
    http: Client,
    cookies: Vec<String>,
}

impl Person {
    fn new() -> anyhow::Result<Person> {
        let http = Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Person {
            http,
            cookies: Vec::new(),
        })
    }

    async fn send(&mut self, request: RequestBuilder) -> anyhow::Result<Response> {
        let answer = request
            .header(COOKIE, self.cookies.join("; "))
            .send()
            .await?;
        for cookie in answer.headers().get_all(SET_COOKIE) {
            let pair = cookie.to_str()?.split(';').next().unwrap_or_default();
            self.cookies.push(pair.to_owned());
        }
        Ok(answer)
    }

    /// From the application to the choice: the page, and where it is.
    async fn ask(&mut self, application: &str) -> anyhow::Result<(Page, String)> {
        let begin = self.http.get(format!("{application}/login"));
        let led = self.send(begin).await?;
        let request = led.headers()[LOCATION].to_str()?.to_owned();
        Ok((self.page(&request).await?, request))
    }

    async fn page(&mut self, url: &str) -> anyhow::Result<Page> {
        let answer = self.send(self.http.get(url)).await?.error_for_status()?;
        Ok(Page {
            url: answer.url().clone(),
            body: answer.text().await?,
        })
    }

    async fn choose_another_device(&mut self, choice: &Page) -> anyhow::Result<Page> {
        let form = between(&choice.body, "name=\"form\" value=\"", "\"").next();
        let fields = [
            ("form", form.context("a form")?),
            ("device", "other"),
            ("scripts", "on"),
        ];
        let pressed = self.http.post(choice.url.join("/login")?);
        let pressed = pressed
            .form(&fields)
            .header("sec-fetch-site", "same-origin");
        let led = self.send(pressed).await?;
        let login = choice.url.join(led.headers()[LOCATION].to_str()?)?;
        self.page(login.as_str()).await
    }

    /// Loads a page with everything on it, and prints what it took.
    async fn report(&mut self, name: &str, page: &Page) -> anyhow::Result<()> {
        let mut all = vec![self.load(&page.url, true).await?];
        for tag in between(&page.body, "<", ">") {
            let is_style = tag.starts_with("link ") && tag.contains("stylesheet");
            let is_seen = tag.starts_with("script ") || tag.starts_with("img ");
            let attribute = if is_style { " href=\"" } else { " src=\"" };
            let Some(address) = between(tag, attribute, "\"").next() else {
                continue;
            };
            if (is_style || is_seen) && !address.starts_with("data:") {
                let blocks = is_style || (tag.starts_with("script ") && !tag.contains(" defer"));
                all.push(self.load(&page.url.join(address)?, blocks).await?);
            }
        }
        let blocking = all.iter().filter(|one| one.blocks).count();
        println!(
            "{name}: {blocking} requests until it is seen, {} in all",
            all.len()
        );
        println!("{:36} {:>12} {:>12}", "", "uncompressed", "transferred");
        for one in &all {
            println!(
                "  {:34} {:12} {:12}",
                one.kind, one.decoded, one.transferred
            );
        }
        let sum = |size: fn(&Loaded) -> usize| all.iter().map(size).sum::<usize>();
        let (decoded, transferred) = (sum(|one| one.decoded), sum(|one| one.transferred));
        println!("  {:34} {decoded:12} {transferred:12}\n", "in all");
        Ok(())
    }

    async fn load(&mut self, url: &url::Url, blocks: bool) -> anyhow::Result<Loaded> {
        let plain = self.send(self.http.get(url.clone())).await?;
        let decoded = plain.error_for_status()?.bytes().await?.len();
        let packed = self
            .http
            .get(url.clone())
            .header(ACCEPT_ENCODING, "gzip, br");
        let packed = self.send(packed).await?.error_for_status()?;
        let line =
            |(name, value): (&reqwest::header::HeaderName, &reqwest::header::HeaderValue)| {
                name.as_str().len() + value.len() + ": \r\n".len()
            };
        let head: usize = packed.headers().iter().map(line).sum();
        let kind = packed.headers().get(CONTENT_TYPE).context("a media type")?;
        Ok(Loaded {
            kind: kind.to_str()?.to_owned(),
            blocks,
            decoded,
            transferred: head + "HTTP/1.1 200 OK\r\n\r\n".len() + packed.bytes().await?.len(),
        })
    }
}

/// Every text between two others.
fn between<'a>(text: &'a str, from: &'a str, to: &'a str) -> impl Iterator<Item = &'a str> {
    let parts = text.split(from).skip(1);
    parts.filter_map(move |part| Some(part.split_once(to)?.0))
}

/// When something of the choice is first seen behind slow 3G, with nothing kept: the median.
async fn painted(request: &str) -> anyhow::Result<()> {
    let (clock, random) = (Clock::system(), Random::system());
    let pages = Authority::new("Bench", &random, clock.now())?.server(&["localhost"])?;
    let [browser] = browsers(&pages.certificate, Scripts::On).await;
    browser.devtools("Network.enable", json!({})).await;
    let slow = json!({
        "offline": false, "latency": LATENCY, "downloadThroughput": BYTES, "uploadThroughput": BYTES
    });
    browser
        .devtools("Network.emulateNetworkConditions", slow)
        .await;
    let first_paint = "return performance.getEntriesByName('first-contentful-paint')[0]?.startTime";
    let mut took = Vec::new();
    for _ in 0..ROUNDS {
        browser.go("about:blank").await;
        browser
            .devtools("Network.clearBrowserCache", json!({}))
            .await;
        browser.forget_cookies().await;
        browser.go(request).await;
        browser.see("button[name=device]").await;
        let mut painted = None;
        while painted.is_none() {
            painted = browser.execute(first_paint).await.as_f64();
        }
        took.extend(painted);
    }
    took.sort_by(f64::total_cmp);
    println!(
        "slow 3G (400 kbit/s, 400 ms), the choice is first seen after {:.0} ms: the median of {ROUNDS}",
        took[ROUNDS / 2]
    );
    Ok(())
}

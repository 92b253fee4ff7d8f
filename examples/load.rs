//! Logs many people in, with the whole way over BankID's API, and says what one login costs.
//!
//!     cargo build --release && cargo run --release --example load -- --logins 500 --parallel 100
//!
//! The provider is a process of its own, `portvakt serve`, so that its CPU and memory are its own in
//! `/proc`. The simulator runs beside the people, in this process. People choose this device: they
//! open the launch link that the page showed by the phone's REST door, approve, and come back by the
//! return address; the application exchanges the code and asks userinfo.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Parser;
use portvakt::clock::Clock;
use portvakt::random::Random;
use portvakt::simulator::certificates::{Authority, server_config};
use portvakt::simulator::people::PEOPLE;
use portvakt::simulator::{self, Settings};
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

#[derive(Debug, Parser)]
struct Options {
    /// How many logins in all.
    #[arg(long, default_value_t = 200)]
    logins: usize,
    /// How many at the same time. A login takes at least the two seconds until BankID is asked again.
    #[arg(long, default_value_t = 50)]
    parallel: usize,
    /// The provider's program.
    #[arg(long, default_value = "target/release/portvakt")]
    program: PathBuf,
    /// `sqlite:…` or `postgres://…`; a new file without it.
    #[arg(long)]
    database: Option<String>,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

const CALLBACK: &str = "https://app.example/callback";
const SECRET: &str = "a-secret-of-the-load-program-0123456789";

fn main() -> anyhow::Result<()> {
    portvakt::cli::install_crypto();
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let options = Options::parse();
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(run(&options))
}

/// The provider's process.
struct Provider(Child);

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Provider {
    /// CPU in seconds, and the most memory it ever had in MiB.
    fn used(&self) -> anyhow::Result<(f64, f64)> {
        let process = PathBuf::from(format!("/proc/{}", self.0.id()));
        let stat = std::fs::read_to_string(process.join("stat"))?;
        let (_, fields) = stat.rsplit_once(')').context("an odd stat")?;
        let ticks: u64 = fields
            .split_whitespace()
            .skip(11)
            .take(2)
            .filter_map(|field| field.parse::<u64>().ok())
            .sum();
        let status = std::fs::read_to_string(process.join("status"))?;
        let peak = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
        // The kernel counts in hundredths of a second.
        Ok((ticks as f64 / 100.0, peak.unwrap_or_default() / 1024.0))
    }
}

struct World {
    issuer: String,
    phone: String,
    /// The simulator has a few people only, and one order at a time for each: whoever begins another
    /// one is cut off from the first.
    people: [tokio::sync::Mutex<&'static str>; 6],
    http: reqwest::Client,
}

async fn run(options: &Options) -> anyhow::Result<()> {
    let (clock, random) = (Clock::system(), Random::system());
    let directory = tempfile::tempdir()?;
    let bind = || TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let (api, phone) = (bind()?, bind()?);
    let port = bind()?.local_addr()?.port();
    let phone_url = format!("http://localhost:{}/", phone.local_addr()?.port());
    let bankid = Authority::new("Load root", &random, clock.now())?;
    let banks = Authority::new("Load banks", &random, clock.now())?;
    let party = banks.relying_party("Load")?;
    for (name, text) in [
        ("root.pem", bankid.root_pem()),
        ("party.pem", party.certificate_pem()),
        ("party.key", party.key_pem()),
    ] {
        std::fs::write(directory.path().join(name), text)?;
    }
    let api_port = api.local_addr()?.port();
    let _simulator = simulator::start(Settings {
        api,
        api_tls: server_config(&bankid.server(&["localhost"])?, Some(&banks))?,
        phone,
        phone_url: phone_url.parse()?,
        phone_tls: None,
        return_root: None,
        clock,
        random: random.clone(),
    })?;
    let database = options.database.clone();
    let place = directory.path().display();
    let config = format!(
        "issuer = \"http://localhost:{port}\"\n[listen]\naddress = \"127.0.0.1:{port}\"\n\
         [database]\nurl = \"{}\"\n[keys]\nmaster_key = \"{}\"\n\
         [limits]\ndanger_no_limits = true\n\
         [bankid]\nenvironment = \"simulator\"\nurl = \"https://localhost:{api_port}/rp/v6.0\"\n\
         phone_url = \"{phone_url}\"\nroot_file = \"root.pem\"\ncertificate_file = \"party.pem\"\n\
         key_file = \"party.key\"\n[[client]]\nclient_id = \"load\"\nclient_secret = \"{SECRET}\"\n\
         client_name = \"Load\"\nredirect_uris = [\"{CALLBACK}\"]\npkce = \"accepted\"\n\
         personal_number = {{ purpose = \"Load.\" }}\n",
        database.unwrap_or_else(|| format!("sqlite:{place}/load.db")),
        STANDARD.encode(random.bytes::<32>()),
    );
    std::fs::write(directory.path().join("portvakt.toml"), config)?;
    let provider = start(&options.program, directory.path())?;
    let world = Arc::new(World {
        issuer: format!("http://localhost:{port}"),
        phone: phone_url,
        people: std::array::from_fn(|n| PEOPLE[n].personal_number.into()),
        http: reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(60))
            .pool_max_idle_per_host(options.parallel)
            .build()?,
    });
    until_it_serves(&world).await?;
    report(options, &provider, world).await
}

fn start(program: &Path, directory: &Path) -> anyhow::Result<Provider> {
    let child = Command::new(program)
        .args(["serve", "--config"])
        .arg(directory.join("portvakt.toml"))
        .stdout(Stdio::null())
        .spawn()
        .with_context(|| format!("{} does not start: build it first", program.display()))?;
    Ok(Provider(child))
}

async fn until_it_serves(world: &World) -> anyhow::Result<()> {
    let url = format!("{}/jwks", world.issuer);
    for _ in 0..200 {
        if world.http.get(&url).send().await.is_ok() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    bail!("the provider does not answer")
}

async fn report(options: &Options, provider: &Provider, world: Arc<World>) -> anyhow::Result<()> {
    let (before, _) = provider.used()?;
    let began = Instant::now();
    let turns = Arc::new(Semaphore::new(options.parallel));
    let mut running = Vec::new();
    for n in 0..options.logins {
        let turn = turns.clone().acquire_owned().await?;
        let world = world.clone();
        running.push(tokio::spawn(async move {
            let began = Instant::now();
            let outcome = log_in(&world, n).await;
            drop(turn);
            outcome.map(|()| began.elapsed())
        }));
    }
    let (mut took, mut failures) = (Vec::new(), Vec::new());
    for login in running {
        match login.await? {
            Ok(length) => took.push(length),
            Err(error) => failures.push(error),
        }
    }
    let wall = began.elapsed();
    let (after, peak) = provider.used()?;
    took.sort();
    let at = |share: f64| {
        let index = ((took.len() as f64 - 1.0) * share) as usize;
        took.get(index).map_or(0.0, Duration::as_secs_f64)
    };
    let result = json!({
        "logins": took.len(),
        "failures": failures.len(),
        "seconds": wall.as_secs_f64(),
        "logins_per_second": took.len() as f64 / wall.as_secs_f64(),
        "seconds_p50": at(0.5),
        "seconds_p95": at(0.95),
        "seconds_p99": at(0.99),
        "provider_cpu_milliseconds_per_login": (after - before) * 1000.0 / took.len().max(1) as f64,
        "provider_peak_mib": peak,
    });
    match options.json {
        true => println!("{result}"),
        false => {
            for (name, value) in result.as_object().into_iter().flatten() {
                println!("{name:40} {:.3}", value.as_f64().unwrap_or_default());
            }
        }
    }
    match failures.first() {
        Some(first) => bail!("{} logins failed, the first: {first:#}", failures.len()),
        None => Ok(()),
    }
}

/// One person's browser: cookies, and what a page says.
struct Visit<'a> {
    world: &'a World,
    cookies: Vec<(String, String)>,
}

struct Shown {
    status: u16,
    location: Option<String>,
    body: String,
}

impl Visit<'_> {
    async fn send(&mut self, request: reqwest::RequestBuilder) -> anyhow::Result<Shown> {
        let pairs: Vec<String> = self
            .cookies
            .iter()
            .map(|(n, v)| format!("{n}={v}"))
            .collect();
        let answer = request
            .header(COOKIE, pairs.join("; "))
            .header(
                "user-agent",
                "Mozilla/5.0 (Windows NT 10.0) Chrome/142.0.0.0",
            )
            .header("sec-fetch-site", "same-origin")
            .send()
            .await?;
        for header in answer.headers().get_all(SET_COOKIE) {
            let (pair, _) = header.to_str()?.split_once(';').context("a cookie")?;
            let (name, value) = pair.split_once('=').context("a cookie")?;
            self.cookies.retain(|(n, _)| n != name);
            self.cookies.push((name.to_owned(), value.to_owned()));
        }
        let location = answer.headers().get(LOCATION);
        Ok(Shown {
            status: answer.status().as_u16(),
            location: location.and_then(|l| l.to_str().ok()).map(str::to_owned),
            body: answer.text().await?,
        })
    }

    async fn get(&mut self, path: &str) -> anyhow::Result<Shown> {
        let url = match path.starts_with('/') {
            true => format!("{}{path}", self.world.issuer),
            false => path.to_owned(),
        };
        self.send(self.world.http.get(url)).await
    }

    async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> anyhow::Result<Shown> {
        let url = format!("{}{path}", self.world.issuer);
        self.send(self.world.http.post(url).form(form)).await
    }
}

impl Shown {
    fn after(&self, marker: &str) -> anyhow::Result<String> {
        let (_, rest) = self
            .body
            .split_once(marker)
            .ok_or_else(|| anyhow!("no {marker} in an answer with status {}", self.status))?;
        let (value, _) = rest.split_once('"').context("a quotation mark")?;
        Ok(value.replace("&#38;", "&").replace("&amp;", "&"))
    }

    fn leads_to(&self) -> anyhow::Result<&str> {
        self.location
            .as_deref()
            .ok_or_else(|| anyhow!("status {} leads nowhere", self.status))
    }
}

async fn phone(world: &World, door: &str, body: Value) -> anyhow::Result<Value> {
    let url = format!("{}api/{door}", world.phone);
    let answer = world.http.post(url).json(&body).send().await?;
    let status = answer.status();
    let body: Value = answer.json().await?;
    match status.is_success() {
        true => Ok(body),
        false => bail!("the phone: {body}"),
    }
}

async fn log_in(world: &World, n: usize) -> anyhow::Result<()> {
    let mut visit = Visit {
        world,
        cookies: Vec::new(),
    };
    let query: String = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("client_id", "load")
        .append_pair("redirect_uri", CALLBACK)
        .append_pair("response_type", "code")
        .append_pair("scope", "openid profile personal_number")
        .append_pair("state", &n.to_string())
        .append_pair("nonce", "n")
        .finish();
    let choice = visit.get(&format!("/authorize?{query}")).await?;
    let form = choice.after("name=\"form\" value=\"")?;
    let fields = [
        ("form", form.as_str()),
        ("device", "this"),
        ("scripts", "off"),
    ];
    let chosen = visit.post("/login", &fields).await?;
    let page = visit.get(chosen.leads_to()?).await?;
    let link = page.after("id=\"open-app\" href=\"")?;
    let (person, approved) = {
        let person = world.people[n % world.people.len()].lock().await;
        let opened = phone(world, "open", json!({ "link": link, "person": *person })).await?;
        let approve = json!({ "handle": opened["handle"], "code": "123456" });
        (*person, phone(world, "approve", approve).await?)
    };
    let back = approved["returnUrl"].as_str().context("a return address")?;
    let returned = visit.get(back).await?;
    let tab = returned.leads_to()?.to_owned();
    let finish = loop {
        let page = visit.get(&tab).await?;
        if let Ok(finish) = page.after("content=\"0;url=") {
            break finish;
        }
        page.after("data-screen=\"working")
            .context("an unexpected page")?;
        tokio::time::sleep(Duration::from_secs(1)).await;
    };
    let departure = visit.get(&finish).await?;
    let left = url::Url::parse(departure.leads_to()?)?;
    let code = left
        .query_pairs()
        .find(|(name, _)| name == "code")
        .context("a code")?
        .1
        .into_owned();
    let exchange = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", CALLBACK),
    ];
    let tokens = world
        .http
        .post(format!("{}/token", world.issuer))
        .basic_auth("load", Some(SECRET))
        .form(&exchange)
        .send()
        .await?;
    let tokens: Value = tokens.error_for_status()?.json().await?;
    let token = tokens["access_token"].as_str().context("a token")?;
    let userinfo = world
        .http
        .get(format!("{}/userinfo", world.issuer))
        .bearer_auth(token)
        .send()
        .await?;
    let claims: Value = userinfo.error_for_status()?.json().await?;
    (claims["personal_number"] == person)
        .then_some(())
        .context("another person logged in")
}

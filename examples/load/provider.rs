//! The provider as a process, with BankID's simulator beside it.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use portvakt::clock::Clock;
use portvakt::random::Random;
use portvakt::simulator::certificates::{Authority, server_config};
use portvakt::simulator::people::PEOPLE;
use portvakt::simulator::{self, Settings};
use serde_json::json;
use tokio::sync::Mutex;

use crate::Options;
use crate::database::Database;
use crate::measure::{MIB, Measured, milliseconds};

/// Where the application is called back. Nobody is there.
pub const CALLBACK: &str = "https://app.example/callback";
/// The application's secret.
pub const SECRET: &str = "a-secret-of-the-load-program-0123456789";

/// Everything that a run needs.
pub struct World {
    /// The provider.
    pub provider: Process,
    /// Its address.
    pub issuer: String,
    /// The phones' address.
    pub phone: String,
    /// Where it says what it counted.
    pub metrics: String,
    /// The simulator has a few people only, and one order at a time for each: whoever begins another
    /// one is cut off from the first.
    pub people: [Mutex<&'static str>; 6],
    /// The browsers', the phones' and the application's connections.
    pub http: reqwest::Client,
    // What runs on until it is dropped.
    _simulator: simulator::Simulator,
}

impl World {
    /// Starts it.
    pub async fn start(options: &Options, database: &Database) -> anyhow::Result<Arc<World>> {
        let (clock, random) = (Clock::system(), Random::system());
        let bind = || TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let (api, phone) = (bind()?, bind()?);
        let (port, ops) = (bind()?.local_addr()?.port(), bind()?.local_addr()?.port());
        let phone_url = format!("http://localhost:{}/", phone.local_addr()?.port());
        let bankid = Authority::new("Load root", &random, clock.now())?;
        let banks = Authority::new("Load banks", &random, clock.now())?;
        let party = banks.relying_party("Load")?;
        let directory = database.directory();
        for (name, text) in [
            ("root.pem", bankid.root_pem()),
            ("party.pem", party.certificate_pem()),
            ("party.key", party.key_pem()),
        ] {
            std::fs::write(directory.join(name), text)?;
        }
        let api_port = api.local_addr()?.port();
        let simulator = simulator::start(Settings {
            api,
            api_tls: server_config(&bankid.server(&["localhost"])?, Some(&banks))?,
            phone,
            phone_url: phone_url.parse()?,
            phone_tls: None,
            return_root: None,
            clock,
            random: random.clone(),
        })?;
        let config = format!(
            "issuer = \"http://localhost:{port}\"\n[listen]\naddress = \"127.0.0.1:{port}\"\n\
             [ops]\naddress = \"127.0.0.1:{ops}\"\n\
             [database]\nurl = \"{}\"\n[keys]\nmaster_key = \"{}\"\n\
             [limits]\ndanger_no_limits = true\nlogins_at_once = 20000\ntokens_at_once = 20000\n\
             [bankid]\nenvironment = \"simulator\"\nurl = \"https://localhost:{api_port}/rp/v6.0\"\n\
             phone_url = \"{phone_url}\"\nroot_file = \"root.pem\"\ncertificate_file = \"party.pem\"\n\
             key_file = \"party.key\"\n[[client]]\nclient_id = \"load\"\nclient_secret = \"{SECRET}\"\n\
             client_name = \"Load\"\nredirect_uris = [\"{CALLBACK}\"]\npkce = \"accepted\"\n\
             refresh_tokens = true\nintrospects = true\n\
             id_token_signed_response_alg = \"{}\"\n\
             personal_number = {{ purpose = \"Load.\" }}\n",
            database.url,
            STANDARD.encode(random.bytes::<32>()),
            options.algorithm,
        );
        std::fs::write(directory.join("portvakt.toml"), config)?;
        let issuer = format!("http://localhost:{port}");
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(600))
            .pool_max_idle_per_host(options.parallel)
            // The provider closes what was idle for fifteen seconds, the simulator after five.
            .pool_idle_timeout(Duration::from_secs(3))
            .build()?;
        let mut command = Command::new(&options.program);
        command
            .args(["serve", "--config"])
            .arg(directory.join("portvakt.toml"));
        let provider = Process::start(command, &http, &format!("{issuer}/jwks")).await?;
        Ok(Arc::new(World {
            provider,
            issuer,
            phone: phone_url,
            metrics: format!("http://127.0.0.1:{ops}/metrics"),
            people: std::array::from_fn(|n| PEOPLE[n].personal_number.into()),
            http,
            _simulator: simulator,
        }))
    }

    /// A count of the provider's, over all its labels.
    pub async fn counted(&self, name: &str) -> anyhow::Result<f64> {
        let text = self.http.get(&self.metrics).send().await?.text().await?;
        let of_name = text.lines().filter(|line| line.starts_with(name));
        Ok(of_name
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum())
    }
}

/// A process that is measured.
pub struct Process {
    child: Child,
    /// How long it was from its start to its first answer.
    pub started_in: Duration,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a process has used.
#[derive(Clone, Copy, Debug)]
pub struct Used {
    /// CPU, of all its threads that live.
    pub cpu: Duration,
    /// Memory in bytes, now.
    pub memory: u64,
    /// The most that it ever was.
    pub peak: u64,
}

impl Process {
    /// Starts it, and waits for its first answer at an address.
    pub async fn start(
        mut command: Command,
        http: &reqwest::Client,
        url: &str,
    ) -> anyhow::Result<Process> {
        let began = Instant::now();
        let child = command.stdout(Stdio::null()).spawn().with_context(|| {
            let program = command.get_program().to_string_lossy().into_owned();
            format!("{program} does not start: build it first")
        })?;
        let mut process = Process {
            child,
            started_in: Duration::ZERO,
        };
        while began.elapsed() < Duration::from_secs(30) {
            if http.get(url).send().await.is_ok() {
                process.started_in = began.elapsed();
                return Ok(process);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        bail!("nothing answers at {url}")
    }

    /// What it has used until now.
    pub fn used(&self) -> anyhow::Result<Used> {
        used(self.child.id())
    }
}

/// What a process has used until now.
pub fn used(id: u32) -> anyhow::Result<Used> {
    let process = Path::new("/proc").join(id.to_string());
    // In nanoseconds, where `stat` counts in hundredths of a second.
    let mut cpu = 0;
    for task in std::fs::read_dir(process.join("task"))? {
        let Ok(text) = std::fs::read_to_string(task?.path().join("schedstat")) else {
            continue;
        };
        let spent = text.split_whitespace().next();
        cpu += spent.and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
    }
    let status = std::fs::read_to_string(process.join("status"))?;
    let kib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok())
            .unwrap_or_default()
    };
    Ok(Used {
        cpu: Duration::from_nanos(cpu),
        memory: kib("VmRSS:") * 1024,
        peak: kib("VmHWM:") * 1024,
    })
}

/// How long the start took, and how much memory is used by now.
pub async fn starts(world: &World) -> anyhow::Result<Measured> {
    let used = world.provider.used()?;
    Ok(Measured::new(
        json!({
            "milliseconds_to_first_answer": milliseconds(world.provider.started_in),
            "provider_memory_mib": used.memory as f64 / MIB,
        }),
        Vec::new(),
    ))
}

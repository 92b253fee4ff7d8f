//! The actors: [`App`] is everything that runs, [`Browser`] a person's browser without scripts,
//! [`Phone`] their phone.

pub mod admin;
pub mod backend;
pub mod balancer;
pub mod between;
pub mod browser;
pub mod campaign;
pub mod chromium;
pub mod cluster;
pub mod crowd;
pub mod database;
pub mod devtools;
pub mod doors;
pub mod dying;
pub mod fronts;
pub mod holding;
pub mod mtls;
pub mod phone;
pub mod ports;
pub mod postgres;
pub mod publisher;
pub mod receiver;
pub mod visitors;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use portvakt::client::Client;
use portvakt::client::registered::{ManagedBy, Registered};
use portvakt::clock::{Clock, Timestamp};
use portvakt::config::Config;
use portvakt::demo::application;
use portvakt::http;
use portvakt::id::ClientId;
use portvakt::jose::algorithm::Algorithm;
use portvakt::provider::Provider;
use portvakt::random::Random;
use portvakt::secret::Digest;
use portvakt::simulator::certificates::{Authority, server_config};
use portvakt::simulator::{self, Settings, Simulator};
use portvakt::storage::ClientFilter;
use portvakt::testing::canary;
use rustls_pki_types::CertificateDer;
use tempfile::TempDir;

pub use backend::{Backend, Told};
pub use browser::{Browser, Page};
pub use database::Database;
pub use phone::Phone;

/// Runs a story on a runtime like the program's own.
pub fn run<F: Future>(story: F) -> F::Output {
    portvakt::cli::install_crypto();
    start_logs();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(story)
}

/// One body, run on both databases.
macro_rules! on_both {
    ($(#[$doc:meta])* $name:ident, $story:expr) => {
        $(#[$doc])*
        mod $name {
            use super::*;

            #[test]
            fn sqlite() {
                let database = $crate::support::Database::sqlite();
                $crate::support::run(($story)(database));
            }

            #[test]
            fn postgres() {
                if let Some(database) = $crate::support::Database::postgres() {
                    $crate::support::run(($story)(database));
                }
            }
        }
    };
}
pub(crate) use on_both;

/// Whether a part that needs more than a Rust toolchain may be left out. `./test` says that
/// nothing may.
pub fn may_leave_out() -> bool {
    std::env::var_os("PORTVAKT_TEST_COMPLETE").is_none()
}

/// Says once which part is left out. Written to standard error itself: the test runner keeps what
/// passing tests print to themselves.
pub fn left_out(part: &'static str, said: &OnceLock<()>) {
    assert!(may_leave_out(), "{part} is needed and not there");
    said.get_or_init(|| {
        use std::io::Write;
        let _ = writeln!(std::io::stderr(), "left out: {part} (./test runs it)");
    });
}

/// Everything is logged, the libraries included, to be searched for what must not be there.
fn start_logs() {
    static STARTED: OnceLock<()> = OnceLock::new();
    STARTED.get_or_init(|| {
        let Some(directory) = std::env::var_os("PORTVAKT_TEST_RECORD") else {
            return;
        };
        let directory = std::path::Path::new(&directory).join("logs");
        std::fs::create_dir_all(&directory).expect("the record can be written");
        let file = directory.join(format!("it-{}.log", std::process::id()));
        let file = std::fs::File::create(file).expect("the record can be written");
        let _ = tracing_subscriber::fmt()
            .with_env_filter("debug,portvakt=trace")
            .with_ansi(false)
            .with_writer(Arc::new(file))
            .try_init();
    });
}

/// The clients that every app knows.
pub const CALLBACK: &str = "https://app.example/callback";
pub const LOGGED_OUT: &str = "https://app.example/logged-out?a=1";
pub const SECRET: &str = "a-secret-of-the-tests-that-is-long-enough-%-+";

/// How an app differs from the usual one.
pub struct Options {
    pub database: Database,
    /// Names other than localhost, over TLS, as browsers will see them.
    pub names: Option<Names>,
    /// Makes the simulator's tokens known in advance.
    pub simulator_seed: Option<u64>,
    /// Has evidence kept for the client `proving`.
    pub evidence: bool,
    /// Has the clients `web` and `careful` told of logouts.
    pub told: Option<Told>,
    /// More keys of the section `keys`.
    pub keys: &'static str,
    /// More of the section `listen`.
    pub listen: &'static str,
    /// More of the section `admin`.
    pub admin: &'static str,
    /// More sections.
    pub sections: String,
    /// Has links open BankID's own app, and no simulated phone.
    pub opens_the_app: bool,
    /// What is done to the database before it is opened.
    pub found: Option<fn(&Database, &std::path::Path, Timestamp)>,
}

/// Host names of different registrable domains.
#[derive(Clone, Copy)]
pub struct Names {
    pub provider: &'static str,
    pub application: &'static str,
    pub phone: &'static str,
}

impl Options {
    pub fn on(database: Database) -> Options {
        Options {
            database,
            names: None,
            simulator_seed: None,
            evidence: false,
            told: None,
            keys: "",
            listen: "",
            admin: "",
            sections: String::new(),
            opens_the_app: false,
            found: None,
        }
    }
}

/// Provider, simulator and sample application, running.
pub struct App {
    pub provider: Provider,
    pub issuer: String,
    pub phone: Phone,
    /// A client application's own connections to the provider.
    pub http: reqwest::Client,
    pub phone_url: String,
    pub application: String,
    /// Where administrators work.
    pub admin: String,
    pub clock: Clock,
    /// Who issues relying-party certificates.
    pub banks: Authority,
    /// Who issues the certificates that pages are served with.
    pub pages: Authority,
    /// The provider's name, where it is not localhost.
    name: Option<&'static str>,
    /// The certificate that the pages are served with, where they are served over TLS.
    pub certificate: CertificateDer<'static>,
    /// The same with its key, for other servers under `*.kommunen.example`.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// The configuration, to start another node or the program itself with.
    pub config: String,
    pub directory: Arc<TempDir>,
    pub database: Database,
    served: ServerHandle,
    administration: ServerHandle,
    pub simulator: Simulator,
    _application: ServerHandle,
}

/// What is served is what the schema describes to editors.
pub fn assert_described(config: &str) {
    static SCHEMA: OnceLock<jsonschema::Validator> = OnceLock::new();
    let schema = SCHEMA.get_or_init(|| {
        let schema = portvakt::config::schema::schema();
        jsonschema::validator_for(&schema).expect("a schema")
    });
    let file: serde_json::Value = toml::from_str(config).expect("TOML");
    let told: Vec<String> = schema
        .iter_errors(&file)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(told.is_empty(), "{told:?}");
}

impl App {
    pub async fn start(options: Options) -> App {
        let (clock, random) = (Clock::system(), Random::system());
        let directory = Arc::new(tempfile::tempdir().expect("a directory"));
        let names = options.names;
        let (provider_listener, provider_port) = ports::listener();
        let (application_listener, application_port) = ports::listener();
        let (phone_listener, phone_port) = ports::listener();
        let (api_listener, api_port) = ports::listener();
        let (admin_listener, admin_port) = ports::listener();
        let scheme = if names.is_some() { "https" } else { "http" };
        let address = |name: Option<&str>, port: u16| {
            format!("{scheme}://{}:{port}", name.unwrap_or("localhost"))
        };
        let issuer = address(names.map(|n| n.provider), provider_port);
        let admin = address(names.map(|n| n.provider), admin_port);
        let application_url = address(names.map(|n| n.application), application_port);
        let phone_url = format!("{}/", address(names.map(|n| n.phone), phone_port));

        let bankid = Authority::new("Test root", &random, clock.now()).expect("made");
        let banks = Authority::new("Test banks", &random, clock.now()).expect("made");
        let pages = Authority::new("Test pages", &random, clock.now()).expect("made");
        let party = banks.relying_party("Testkommunen").expect("made");
        let tax = banks.relying_party("Skattetestet").expect("made");
        for (name, text) in [
            ("root.pem", bankid.root_pem()),
            ("relying-party.pem", party.certificate_pem()),
            ("relying-party.key", party.key_pem()),
            ("tax.pem", tax.certificate_pem()),
            ("tax.key", tax.key_pem()),
        ] {
            std::fs::write(directory.path().join(name), text).expect("written");
        }
        let hosts = names.map_or(vec!["localhost"], |n| {
            vec![n.provider, n.application, n.phone, "*.kommunen.example"]
        });
        let identity = pages.server(&hosts).expect("made");
        let certificate = identity.certificate.clone();
        let tls = names.map(|_| {
            for (name, text) in [
                ("pages.pem", identity.certificate_pem()),
                ("pages.key", identity.key_pem()),
                ("pages-root.pem", pages.root_pem()),
            ] {
                std::fs::write(directory.path().join(name), text).expect("written");
            }
            server_config(&identity, None).expect("made")
        });
        let simulator_random = options
            .simulator_seed
            .map_or_else(Random::system, Random::seeded);
        let simulator = simulator::start(Settings {
            api: api_listener,
            api_tls: server_config(&bankid.server(&["localhost"]).expect("made"), Some(&banks))
                .expect("made"),
            phone: phone_listener,
            phone_url: phone_url.parse().expect("an address"),
            phone_tls: tls.clone(),
            return_root: Some(pages.root()),
            clock: clock.clone(),
            random: simulator_random,
        })
        .expect("started");
        let provider_address = SocketAddr::from((Ipv4Addr::LOCALHOST, provider_port));
        if options.evidence {
            let root = simulator.signer().root_pem().expect("made");
            std::fs::write(directory.path().join("signature-root.pem"), root).expect("written");
        }
        if let Some(told) = &options.told {
            let file = directory.path().join("clients-root.pem");
            std::fs::write(file, &told.root_pem).expect("written");
        }
        let config = configuration(&Placed {
            told: options.told.as_ref(),
            evidence: options.evidence,
            keys: options.keys,
            more_of_listen: options.listen,
            sections: &options.sections,
            issuer: &issuer,
            listen: provider_address,
            tls: tls.is_some(),
            application: &application_url,
            phone: &phone_url,
            api_port,
            database: &options.database.url(directory.path()),
            admin: &admin,
            more_of_admin: options.admin,
        });
        let config = match options.opens_the_app {
            true => config
                .replace("environment = \"simulator\"", "environment = \"custom\"")
                .replace(&format!("phone_url = \"{phone_url}\"\n"), ""),
            false => config,
        };
        if let Some(found) = options.found {
            found(&options.database, directory.path(), clock.now());
        }
        let parsed = Config::parse(&config, directory.path()).expect("a good configuration");
        assert_described(&config);
        if !parsed.issuer.is_local {
            // No provider that others reach makes a database by itself.
            let made = portvakt::storage::migrate(&parsed.database_url).await;
            made.expect("made");
        }
        let provider = Provider::start(parsed, clock.clone(), random.clone())
            .await
            .expect("it starts");
        let runtime = tokio::runtime::Handle::current();
        let administration = http::admin::serve(
            provider.clone(),
            admin_listener,
            tls.clone(),
            runtime.clone(),
        )
        .expect("served");
        let served =
            http::serve(provider.clone(), provider_listener, tls.clone(), runtime).expect("served");
        let application = application::start(application::Settings {
            listener: application_listener,
            tls: tls.clone(),
            url: application_url.clone(),
            issuer: issuer.clone(),
            client_id: "sample".to_owned(),
            client_secret: SECRET.to_owned(),
            behind: String::new(),
            scopes: &["profile", "personal_number"],
            root: names.map(|_| pages.root()),
            resolve: names
                .map(|n| (n.provider.to_owned(), provider_address))
                .into_iter()
                .collect(),
            random,
        })
        .expect("started");
        canary(SECRET);
        App {
            provider,
            phone: match names {
                Some(names) => Phone::behind(&phone_url, names.phone, &pages.root()),
                None => Phone::new(&phone_url),
            },
            // The provider closes what was idle for a quarter of a minute.
            http: knowing(names.map(|names| names.provider), &pages)
                .pool_idle_timeout(Duration::from_secs(8))
                .build()
                .expect("a client"),
            phone_url,
            issuer,
            application: application_url,
            admin,
            clock,
            banks,
            pages,
            name: names.map(|names| names.provider),
            certificate,
            tls,
            config,
            directory,
            database: options.database,
            served: served.handle,
            administration: administration.handle,
            simulator,
            _application: application,
        }
    }

    pub async fn on(database: Database) -> App {
        App::start(Options::on(database)).await
    }

    /// A browser that finds the provider, whatever its name.
    pub fn browser(&self) -> Browser {
        Browser::through(knowing(self.name, &self.pages))
    }

    /// The same on a machine with another address of the loopback network.
    pub fn browser_at(&self, address: [u8; 4]) -> Browser {
        let address = std::net::IpAddr::from(address);
        Browser::through(knowing(self.name, &self.pages).local_address(address))
    }

    /// Stops the provider and nothing else.
    pub async fn stop_provider(&self) {
        self.served.stop(false).await;
        self.administration.stop(false).await;
        self.provider.stop().await;
    }

    /// Registers one more client, whose secret is [`SECRET`].
    pub async fn register(&self, client_id: &str, metadata: serde_json::Value) {
        let metadata: portvakt::client::Metadata =
            serde_json::from_value(metadata).expect("metadata");
        let client = Client {
            client_id: ClientId::parse(client_id).expect("an id"),
            sector: metadata.default_sector().unwrap_or(client_id.to_owned()),
            metadata,
        };
        let at = self.clock.moment();
        self.provider
            .store
            .register_client(&client, &[Digest::of(SECRET)], at)
            .await
            .expect("registered");
    }

    /// The clients that registered themselves.
    pub async fn self_registered(&self) -> Vec<Registered> {
        let filter = ClientFilter {
            managed_by: Some(ManagedBy::Registration),
            ..ClientFilter::default()
        };
        let clients = self.provider.store.clients(&filter, 100).await;
        clients.expect("asked")
    }

    /// An authorization request of the client `web`, with changes: a value replaces, `None`
    /// leaves out.
    pub fn authorize_url(&self, changes: &[(&str, Option<&str>)]) -> String {
        let mut url = url::Url::parse(&format!("{}/authorize", self.issuer)).expect("an address");
        url.query_pairs_mut()
            .extend_pairs(App::asked(changes).iter());
        url.into()
    }

    /// The members of that request.
    pub fn asked<'a>(changes: &[(&'a str, Option<&'a str>)]) -> Vec<(&'a str, &'a str)> {
        let mut members: Vec<(&str, &str)> = vec![
            ("client_id", "web"),
            ("redirect_uri", CALLBACK),
            ("response_type", "code"),
            ("scope", "openid profile personal_number"),
            ("state", "the-state"),
            ("nonce", "the-nonce"),
        ];
        for (name, value) in changes {
            members.retain(|(n, _)| n != name);
            members.extend(value.map(|value| (*name, value)));
        }
        members
    }

    /// A whole login by QR, up to the redirect with a code.
    pub async fn log_in(&self, browser: &Browser, person: &str) -> Answer {
        self.log_in_with(browser, person, &[]).await
    }

    pub async fn log_in_with(
        &self,
        browser: &Browser,
        person: &str,
        changes: &[(&str, Option<&str>)],
    ) -> Answer {
        self.log_in_at(browser, person, &self.authorize_url(changes))
            .await
    }

    pub async fn log_in_at(&self, browser: &Browser, person: &str, url: &str) -> Answer {
        let choice = browser.get(url).await;
        let login = browser.choose(&choice, "other").await;
        self.phone
            .scan(&login.qr_text(), person)
            .await
            .approve()
            .await;
        let finished = browser.until_departure(&login).await;
        Answer::of(&finished)
    }
}

/// Connections that find the provider by a name that is looked up here alone, with a certificate of ours.
fn knowing(name: Option<&str>, pages: &Authority) -> reqwest::ClientBuilder {
    let http = reqwest::Client::builder().no_proxy();
    match name {
        None => http,
        Some(name) => http
            .tls_certs_only([reqwest::Certificate::from_der(&pages.root()).expect("a certificate")])
            .resolve(name, SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
    }
}

/// What a client reads from the redirect back to it, or from the form that is posted to it.
#[derive(Debug)]
pub struct Answer {
    pub url: url::Url,
    members: Vec<(String, String)>,
}

impl Answer {
    pub fn of(page: &Page) -> Answer {
        match page.location() {
            Some(location) => Answer::at(&location),
            None => Answer::posted(page),
        }
    }

    pub fn at(location: &str) -> Answer {
        let url = url::Url::parse(location).expect("an address");
        let members = match url.fragment() {
            Some(fragment) => url::form_urlencoded::parse(fragment.as_bytes())
                .into_owned()
                .collect(),
            None => url.query_pairs().into_owned().collect(),
        };
        Answer::known(url, members)
    }

    fn posted(page: &Page) -> Answer {
        let action = page
            .after("<form method=\"post\" action=\"")
            .unwrap_or_else(|| panic!("neither a redirect nor a form: {}", page.body));
        let members = page.fields();
        Answer::known(url::Url::parse(&action).expect("an address"), members)
    }

    fn known(url: url::Url, members: Vec<(String, String)>) -> Answer {
        let answer = Answer { url, members };
        if let Some(code) = answer.get("code") {
            canary(code);
        }
        answer
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        let mut found = self.members.iter().filter(|(n, _)| n == name);
        let (first, second) = (found.next(), found.next());
        assert!(second.is_none(), "{name} came twice");
        first.map(|(_, value)| value.as_str())
    }

    pub fn code(&self) -> &str {
        self.get("code")
            .unwrap_or_else(|| panic!("no code: {:?}", self.get("error")))
    }

    pub fn names(&self) -> Vec<&str> {
        self.members.iter().map(|(n, _)| n.as_str()).collect()
    }
}

const PROVING: &str = r#"
[[client]]
client_id = "proving"
client_secret = "a-secret-of-the-tests-that-is-long-enough-%-+"
client_name = "Arkivet"
redirect_uris = ["https://proof.example/callback"]
pkce = "accepted"
personal_number = { purpose = "Tests." }
bankid = { evidence = { keep_days = 30 } }
"#;

/// For each algorithm a client that has everything signed with it.
fn signing() -> String {
    let client = |algorithm: Algorithm| {
        let id = algorithm.as_str().to_lowercase();
        format!(
            r#"
[[client]]
client_id = "{id}"
client_secret = "{SECRET}"
client_name = "Den signerade appen"
redirect_uris = ["https://{id}.example/callback"]
pkce = "accepted"
id_token_signed_response_alg = "{algorithm}"
userinfo_signed_response_alg = "{algorithm}"
authorization_signed_response_alg = "{algorithm}"
"#
        )
    };
    Algorithm::ALL.map(client).concat()
}

struct Placed<'a> {
    told: Option<&'a Told>,
    evidence: bool,
    keys: &'a str,
    more_of_listen: &'a str,
    sections: &'a str,
    issuer: &'a str,
    listen: SocketAddr,
    tls: bool,
    application: &'a str,
    phone: &'a str,
    api_port: u16,
    database: &'a str,
    admin: &'a str,
    more_of_admin: &'a str,
}

fn configuration(at: &Placed<'_>) -> String {
    let master_key = STANDARD.encode([7; 32]);
    canary(&master_key);
    let tls = match at.tls {
        true => "tls_certificate_file = \"pages.pem\"\ntls_key_file = \"pages.key\"",
        false => "",
    };
    let (signature_root, proving) = match at.evidence {
        true => ("signature_root_file = \"signature-root.pem\"", PROVING),
        false => ("", ""),
    };
    let outbound = match at.told {
        Some(_) => "[outbound]\nallow_networks = [\"127.0.0.0/8\"]\nca_file = \"clients-root.pem\"",
        None => "",
    };
    let told = |path: &str| {
        at.told.map_or(String::new(), |told| {
            format!("backchannel_logout_uri = \"{}{path}\"", told.url)
        })
    };
    format!(
        r#"issuer = "{issuer}"
[listen]
address = "{listen}"
{tls}
{more_of_listen}
[admin]
url = "{admin}"
address = "127.0.0.1:0"
{more_of_admin}
{sections}
[database]
url = "{database}"
[keys]
master_key = "{master_key}"
{keys}
[bankid]
environment = "simulator"
url = "https://localhost:{api_port}/rp/v6.0"
phone_url = "{phone}"
root_file = "root.pem"
certificate_file = "relying-party.pem"
key_file = "relying-party.key"
{signature_root}
danger_simulated_bankid = true
{outbound}
[bankid.profile.tax]
certificate_file = "tax.pem"
key_file = "tax.key"

[[client]]
client_id = "sample"
client_secret = "{SECRET}"
client_name = "Provappen"
redirect_uris = ["{application}/callback"]
post_logout_redirect_uris = ["{application}/"]
frontchannel_logout_uri = "{application}/frontchannel-logout"
personal_number = {{ purpose = "Tests." }}

[[client]]
client_id = "web"
client_secret = "{SECRET}"
previous_client_secret = "{SECRET}-before"
client_name = "Kommunens e-tjänster"
redirect_uris = ["{CALLBACK}", "https://app.example/callback?a=1"]
post_logout_redirect_uris = ["{LOGGED_OUT}"]
{web_told}
purpose = {{ sv = "Ansök om bygglov.", en = "Apply for a building permit." }}
pkce = "accepted"
personal_number = {{ purpose = "Tests." }}

[[client]]
client_id = "strict"
client_secret = "{SECRET}-strict"
client_name = "Strikta appen"
redirect_uris = ["https://strict.example/callback"]

[[client]]
client_id = "careful"
client_secret = "{SECRET}"
client_name = "Banken"
redirect_uris = ["https://bank.example/callback"]
{careful_told}
pkce = "accepted"
bankid = {{ risk = {{ moderate = "require_pin", unknown = "require_mrtd" }} }}

[[client]]
client_id = "lenient"
client_secret = "{SECRET}"
client_name = "Snälla appen"
redirect_uris = ["https://lenient.example/callback"]
post_logout_redirect_uris = ["https://lenient.example/bye"]
frontchannel_logout_uri = "https://lenient.example/front?x=1"
pkce = "accepted"
bankid = {{ return = "cookie_or_same_address" }}

[[client]]
client_id = "trusting"
client_secret = "{SECRET}"
client_name = "Godtrogna appen"
redirect_uris = ["https://trusting.example/callback"]
pkce = "accepted"
bankid = {{ return = "danger_no_return" }}

[[client]]
client_id = "this-only"
client_secret = "{SECRET}"
client_name = "Här och nu"
redirect_uris = ["https://here.example/callback"]
pkce = "accepted"
bankid = {{ devices = "this_only", pin_code = true }}

[[client]]
client_id = "taxed"
client_secret = "{SECRET}"
client_name = "Skatteappen"
redirect_uris = ["https://tax.example/callback"]
pkce = "accepted"
bankid = {{ profile = "tax" }}

[[client]]
client_id = "offline"
client_secret = "{SECRET}"
client_name = "Appen som minns"
redirect_uris = ["https://offline.example/callback"]
pkce = "accepted"
personal_number = {{ purpose = "Tests." }}
refresh_tokens = {{ lifetime_days = 30 }}

[[client]]
client_id = "resource"
client_secret = "{SECRET}"
client_name = "Resursen"
redirect_uris = ["https://resource.example/callback"]
refresh_tokens = true
introspects = true

[[client]]
client_id = "public"
token_endpoint_auth = "none"
client_name = "Öppna appen"
redirect_uris = ["http://127.0.0.1/callback", "https://public.example/callback", "{application}/in-the-browser"]
web_origins = ["https://public.example", "{application}"]
sector = "public.example"
pkce = "accepted"
{proving}
{signing}"#,
        web_told = told("/web?x=1"),
        careful_told = told("/careful"),
        signing = signing(),
        keys = at.keys,
        issuer = at.issuer,
        admin = at.admin,
        more_of_listen = at.more_of_listen,
        more_of_admin = at.more_of_admin,
        sections = at.sections,
        listen = at.listen,
        database = at.database,
        api_port = at.api_port,
        phone = at.phone,
        application = at.application,
    )
}

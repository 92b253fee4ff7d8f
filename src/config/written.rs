//! The configuration file as it is written: every key with its meaning and its default.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::ops::Deref;
use std::path::PathBuf;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Error as _};
use url::Url;

use super::client::SecretDigest;
use super::environment::complaint;
use super::identity::Passphrase;
use super::{FEWEST_DAYS, MOST_DAYS, schema};
use crate::client::Metadata;
use crate::client::certificate::HeaderFormat;
use crate::client::setting::{Mistake, from_json};
use crate::id::ClientId;

/// The whole file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Written {
    /// The provider's own address, as clients know it: `https://login.example.se`. http is taken
    /// on `localhost` alone.
    pub issuer: String,
    /// Where requests are taken.
    #[serde(default)]
    pub listen: Listen,
    /// Where clients show certificates.
    pub mtls: Option<Mtls>,
    /// Where the operator's machines look.
    #[serde(default)]
    pub ops: Ops,
    /// Where spans are sent to.
    pub traces: Option<Traces>,
    /// Where the database is.
    #[serde(default)]
    pub database: Database,
    /// The keys that come from outside.
    #[serde(default)]
    pub keys: Keys,
    /// This node among others.
    #[serde(default)]
    pub node: Node,
    /// BankID.
    pub bankid: BankId,
    /// How many logins and orders there may be.
    #[serde(default)]
    pub limits: Limits,
    /// Where clients may be called.
    #[serde(default)]
    pub outbound: Outbound,
    /// How logins are.
    #[serde(default)]
    pub login: Login,
    /// How long people are remembered.
    #[serde(default)]
    pub retention: Retention,
    /// What the pages say of the provider.
    #[serde(default)]
    pub pages: Pages,
    /// What people are spoken to in.
    #[serde(default)]
    pub languages: Languages,
    /// Where administrators work.
    pub admin: Option<Admin>,
    /// Clients that are registered here.
    #[serde(default)]
    #[schemars(with = "Vec<schema::ClientTable>")]
    pub client: Vec<Client>,
}

/// `[listen]`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Listen {
    /// Address and port.
    pub address: SocketAddr,
    /// A PEM file with the certificate chain, when TLS ends here and not in a proxy.
    pub tls_certificate_file: Option<PathBuf>,
    /// A PEM file with its key.
    pub tls_key_file: Option<PathBuf>,
    /// Networks of proxies whose `X-Forwarded-For` is believed: `["10.0.0.0/8"]`.
    #[schemars(with = "Vec<String>")]
    pub trusted_proxies: Vec<IpNet>,
}

impl Default for Listen {
    fn default() -> Listen {
        Listen {
            address: SocketAddr::from(([127, 0, 0, 1], 8080)),
            tls_certificate_file: None,
            tls_key_file: None,
            trusted_proxies: Vec::new(),
        }
    }
}

/// `[mtls]`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mtls {
    /// The address that clients with certificates call: `https://mtls.login.example.se`. Another one
    /// than the issuer, so that no browser is asked for a certificate.
    pub url: String,
    /// Address and port of a listener of our own, when TLS ends here and not in a proxy.
    pub address: Option<SocketAddr>,
    /// A PEM file with the certificate chain that is shown there.
    pub tls_certificate_file: Option<PathBuf>,
    /// A PEM file with its key.
    pub tls_key_file: Option<PathBuf>,
    /// A PEM file with the authorities that issue the certificates of `tls_client_auth`.
    pub client_ca_file: Option<PathBuf>,
    /// The header in which a proxy of `listen.trusted_proxies` hands over the client's certificate.
    pub certificate_header: Option<String>,
    /// How it stands there; `rfc9440` when it is not said.
    pub certificate_format: Option<HeaderFormat>,
}

/// `[admin]`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Admin {
    /// The address of the administration's pages and of its API: `https://admin.login.example.se`. Another
    /// one than the issuer.
    pub url: String,
    /// Address and port where requests to it are taken; on this machine alone, where nothing is said.
    #[serde(default = "admin_address")]
    pub address: SocketAddr,
    /// Allows an address that others might reach without TLS: in a container, where a proxy alone does.
    #[serde(default)]
    pub danger_any_address: bool,
    /// A PEM file with the certificate chain, when TLS ends here and not in a proxy.
    pub tls_certificate_file: Option<PathBuf>,
    /// A PEM file with its key.
    pub tls_key_file: Option<PathBuf>,
    /// How long an administrator is logged in, in seconds: 300 to 43200.
    #[serde(default = "admin_session_lifetime")]
    #[schemars(range(min = 300, max = 43_200))]
    pub session_lifetime: i64,
    /// Whether a second administrator must say yes before a client may have personal numbers.
    #[serde(default)]
    pub second_approver: bool,
}

fn admin_address() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 8081))
}

fn admin_session_lifetime() -> i64 {
    3600
}

/// `[ops]`
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Ops {
    /// Address and port for `/healthz`, `/readyz` and `/metrics`, which are for the operator's machines
    /// alone. Without it there is no such listener.
    pub address: Option<SocketAddr>,
    /// Allows an address that others might reach: in a container, for instance, where nobody does.
    pub danger_any_address: bool,
}

/// `[traces]`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Traces {
    /// Where a receiver of OpenTelemetry takes spans, by OTLP over HTTP:
    /// `http://127.0.0.1:4318/v1/traces`.
    pub endpoint: String,
    /// Which share of all logins and other traces is sent, from 0 to 1.
    #[serde(default = "share")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub share: f64,
    /// A file of lines `Name: value`, which are sent along. OpenTelemetry's own variables (`OTEL_…`) add
    /// nothing.
    pub headers_file: Option<PathBuf>,
}

fn share() -> f64 {
    1.0
}

/// `[database]`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Database {
    /// Where it is: `sqlite:portvakt.db`, or `postgres://user:password@host/name`.
    pub url: String,
    /// A file that holds that address, because of the password in it.
    pub url_file: Option<PathBuf>,
    /// Allows a PostgreSQL on another machine whose certificate is not verified.
    pub danger_unverified: bool,
}

impl Default for Database {
    fn default() -> Database {
        Database {
            danger_unverified: false,
            url: "sqlite:portvakt.db".to_owned(),
            url_file: None,
        }
    }
}

/// `[keys]`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Keys {
    /// The key that wraps all others: 32 bytes in base64.
    pub master_key: Option<String>,
    /// A file that holds it.
    pub master_key_file: Option<PathBuf>,
    /// Keys that were the master key before, which are still read: what they wrap is wrapped by the
    /// current one at the next start.
    pub former_master_keys: Vec<String>,
    /// Files that hold such keys, one each.
    pub former_master_key_files: Vec<PathBuf>,
    /// How many days a signing key is published before it signs.
    #[schemars(range(min = FEWEST_DAYS, max = MOST_DAYS))]
    pub announce_days: u16,
    /// How many days it signs, until the next one takes over.
    #[schemars(range(min = FEWEST_DAYS + 1, max = MOST_DAYS))]
    pub rotate_days: u16,
    /// How many days it is published after that.
    #[schemars(range(min = FEWEST_DAYS, max = MOST_DAYS))]
    pub retain_days: u16,
}

impl Default for Keys {
    fn default() -> Keys {
        Keys {
            master_key: None,
            master_key_file: None,
            former_master_keys: Vec::new(),
            former_master_key_files: Vec::new(),
            announce_days: 14,
            rotate_days: 90,
            retain_days: 14,
        }
    }
}

/// `[node]`
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Node {
    /// This node's name among those that share the database; without it, a new one at each start.
    pub id: Option<String>,
}

/// `[bankid]`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BankId {
    /// Which BankID.
    pub environment: Environment,
    /// Its API, for a simulator or a custom environment: `https://localhost:3002/rp/v6.0`.
    pub url: Option<Url>,
    /// Where a simulated phone waits for launch links. A custom environment without one opens
    /// BankID's own app.
    pub phone_url: Option<Url>,
    /// For a simulator or a custom environment: a PEM file with the one root that its server
    /// certificate must come from. BankID's own roots are built in.
    pub root_file: Option<PathBuf>,
    /// Our relying-party certificate: a PKCS#12 container with its key, or PEM with or without it.
    #[schemars(extend("x-read-again" = true))]
    pub certificate_file: PathBuf,
    /// A PEM file with its key, when `certificate_file` does not hold it.
    #[schemars(extend("x-read-again" = true))]
    pub key_file: Option<PathBuf>,
    /// What opens the container or the encrypted key; nothing when it is not written.
    #[schemars(with = "Option<String>")]
    pub passphrase: Option<Passphrase>,
    /// A file that holds it.
    #[schemars(extend("x-read-again" = true))]
    pub passphrase_file: Option<PathBuf>,
    /// More relying-party certificates, by the names that clients call them: what people see in the
    /// app is the name in the certificate.
    #[serde(default)]
    pub profile: BTreeMap<String, Certificate>,
    /// The domain that starts the app, as BankID is told to judge the risk by: normally the
    /// registrable one. Without it, the issuer's host.
    pub referring_domain: Option<String>,
    /// A PEM file with the root of the banks' certificates, to verify evidence by. BankID hands it out;
    /// it is another one than that of its servers.
    pub signature_root_file: Option<PathBuf>,
    /// A TOML file with rows for browsers that start the app, or come back from it, in another way
    /// than is built in.
    pub launch_file: Option<PathBuf>,
    /// Allows a simulated or custom BankID for an issuer that others can reach. Anyone can log in as anyone.
    #[serde(default)]
    pub danger_simulated_bankid: bool,
}

impl BankId {
    /// The certificate of clients that name no profile.
    pub fn certificate(&self) -> Certificate {
        Certificate {
            certificate_file: self.certificate_file.clone(),
            key_file: self.key_file.clone(),
            passphrase: self.passphrase.clone(),
            passphrase_file: self.passphrase_file.clone(),
        }
    }
}

/// `[bankid.profile.NAME]`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// A PKCS#12 container with its key, or PEM with or without it.
    #[schemars(extend("x-read-again" = true))]
    pub certificate_file: PathBuf,
    /// A PEM file with its key, when `certificate_file` does not hold it.
    #[schemars(extend("x-read-again" = true))]
    pub key_file: Option<PathBuf>,
    /// What opens the container or the encrypted key; nothing when it is not written.
    #[schemars(with = "Option<String>")]
    pub passphrase: Option<Passphrase>,
    /// A file that holds it.
    #[schemars(extend("x-read-again" = true))]
    pub passphrase_file: Option<PathBuf>,
}

/// Which BankID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Environment {
    /// Real people.
    Production,
    /// BankID's own test environment: anyone can make test people there.
    Test,
    /// A simulator.
    Simulator,
    /// Something else that speaks BankID's API and is trusted no more than a simulator.
    Custom,
}

impl Environment {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Environment::Production => "production",
            Environment::Test => "test",
            Environment::Simulator => "simulator",
            Environment::Custom => "custom",
        }
    }
}

/// `[limits]`, for this node, and each for a minute where nothing else is said
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// New logins from one address.
    pub logins_per_address: NonZeroU32,
    /// Networks from which many people come by few addresses, and which are not limited by address:
    /// `["198.51.100.0/24"]`.
    #[schemars(with = "Vec<String>")]
    pub large_networks: Vec<IpNet>,
    /// BankID orders for one client.
    pub orders_per_client: NonZeroU32,
    /// BankID orders in all.
    pub orders: NonZeroU32,
    /// Requests of people that are worked at at the same moment.
    pub logins_at_once: NonZeroU32,
    /// Requests of applications that are worked at at the same moment.
    pub tokens_at_once: NonZeroU32,
    /// No limits at all, for tests and measurements.
    pub danger_no_limits: bool,
}

impl Default for Limits {
    fn default() -> Limits {
        let some = |n| NonZeroU32::new(n).expect("not zero");
        Limits {
            logins_per_address: some(600),
            large_networks: Vec::new(),
            orders_per_client: some(30_000),
            orders: some(60_000),
            logins_at_once: some(512),
            tokens_at_once: some(512),
            danger_no_limits: false,
        }
    }
}

/// `[outbound]`
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Outbound {
    /// Networks that are called besides the public one: `["10.20.0.0/16"]`. Link-local addresses never
    /// are.
    #[schemars(with = "Vec<String>")]
    pub allow_networks: Vec<IpNet>,
    /// Host names that are called although their addresses are private.
    pub allow_hosts: Vec<String>,
    /// A PEM file with roots that are trusted besides the system's, for clients, for the receiver of
    /// traces, and when `portvakt check` calls the issuer.
    pub ca_file: Option<PathBuf>,
}

/// `[login]`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Login {
    /// The authentication context class that a BankID login has here.
    pub acr: String,
    /// How long a session lasts, in seconds.
    #[schemars(range(min = 60, max = 86_400))]
    pub session_lifetime: i64,
}

impl Default for Login {
    fn default() -> Login {
        Login {
            acr: "http://id.swedenconnect.se/loa/1.0/uncertified-loa3".to_owned(),
            session_lifetime: crate::session::LIFETIME.0,
        }
    }
}

/// `[retention]`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// For how many months a person is remembered who does not come back.
    #[schemars(range(min = 1, max = 1200))]
    pub person_months: i64,
}

impl Default for Retention {
    fn default() -> Retention {
        Retention { person_months: 36 }
    }
}

/// `[pages]`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Pages {
    /// What the provider is called on its pages; its host, when it is not said.
    pub name: Option<String>,
    /// A file with its logo: PNG or SVG.
    pub logo_file: Option<PathBuf>,
    /// A file with the logo that BankID hands out, which is shown as it is. Without it, BankID's name
    /// stands there in letters.
    pub bankid_logo_file: Option<PathBuf>,
    /// Whether people are warned of those who call and ask them to log in.
    pub care_notice: bool,
    /// Where people find help with logging in.
    pub help_uri: Option<Url>,
    /// What is done with personal data.
    pub privacy_uri: Option<Url>,
    /// The accessibility statement.
    pub accessibility_uri: Option<Url>,
}

impl Default for Pages {
    fn default() -> Pages {
        Pages {
            name: None,
            logo_file: None,
            bankid_logo_file: None,
            care_notice: true,
            help_uri: None,
            privacy_uri: None,
            accessibility_uri: None,
        }
    }
}

/// `[languages]`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Languages {
    /// The language of whoever asks for nothing that is spoken: `sv`.
    pub default: String,
    /// TOML files with languages besides Swedish and English: `["fi.toml"]`.
    pub files: Vec<PathBuf>,
}

impl Default for Languages {
    fn default() -> Languages {
        Languages {
            default: "sv".to_owned(),
            files: Vec::new(),
        }
    }
}

/// `[[client]]`
#[derive(Debug, Deserialize)]
#[serde(try_from = "toml::Table")]
pub struct Client {
    /// What stands in the file alone.
    pub own: Own,
    /// Everything else.
    pub metadata: Metadata,
}

impl Deref for Client {
    type Target = Own;
    fn deref(&self) -> &Own {
        &self.own
    }
}

/// What a client is beside its metadata. The logos stand within `theme`.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Own {
    /// Its name in the protocol.
    #[schemars(with = "String", length(min = 1, max = 255))]
    pub client_id: ClientId,
    /// Its secret, at least 32 characters.
    pub client_secret: Option<String>,
    /// A file that holds it.
    pub client_secret_file: Option<PathBuf>,
    /// The secret before this one, which is taken too while it is written here: so it is replaced
    /// without a moment in which the application cannot log anyone in.
    pub previous_client_secret: Option<String>,
    /// A file that holds it.
    pub previous_client_secret_file: Option<PathBuf>,
    /// What its secret is recognised by, where the secret itself is not at hand: `sha256:…`.
    #[schemars(with = "Option<String>")]
    pub client_secret_digest: Option<SecretDigest>,
    /// The same of the one before it.
    #[schemars(with = "Option<String>")]
    pub previous_client_secret_digest: Option<SecretDigest>,
    /// Its sector for pairwise subjects; the host of its first redirect URI when it is not said.
    pub sector: Option<String>,
    /// A file that holds its logo.
    #[schemars(extend("x-within" = "theme"))]
    pub logo_file: Option<PathBuf>,
    /// The same for dark pages.
    #[schemars(extend("x-within" = "theme"))]
    pub logo_dark_file: Option<PathBuf>,
}

/// Reads what an operator wrote, in which nothing may be misspelt. The same types are read leniently
/// from the database, where a newer version may have written more.
pub fn strictly<T: DeserializeOwned>(table: toml::Table) -> Result<T, toml::de::Error> {
    let mut unknown = Vec::new();
    let read = serde_ignored::deserialize(toml::Value::Table(table), |path| {
        unknown.push(path.to_string());
    })?;
    match unknown.first() {
        None => Ok(read),
        Some(key) => Err(toml::de::Error::custom(format!("unknown key {key}"))),
    }
}

impl TryFrom<toml::Table> for Client {
    type Error = toml::de::Error;

    fn try_from(table: toml::Table) -> Result<Client, toml::de::Error> {
        let (client, metadata) = Client::split(table)?;
        Ok(client(strictly(metadata)?))
    }
}

impl Client {
    /// The same with every mistake at its setting.
    pub fn examine(table: toml::Table) -> Result<Client, Vec<Mistake>> {
        let one = |reason: &str| vec![Mistake::new("", reason)];
        let (client, metadata) = Client::split(table).map_err(|error| one(&complaint(&error)))?;
        let metadata = serde_json::to_value(metadata).map_err(|error| one(&error.to_string()))?;
        from_json(metadata).map(client)
    }

    /// What is a client's own here, and its metadata. By hand, because serde's `flatten` would let unknown
    /// keys pass.
    fn split(
        mut table: toml::Table,
    ) -> Result<(impl FnOnce(Metadata) -> Client, toml::Table), toml::de::Error> {
        let own = [
            "client_id",
            "client_secret",
            "client_secret_file",
            "previous_client_secret",
            "previous_client_secret_file",
            "client_secret_digest",
            "previous_client_secret_digest",
            "sector",
        ];
        let mut own = own
            .into_iter()
            .filter_map(|key| Some((key.to_owned(), table.remove(key)?)))
            .collect::<toml::Table>();
        if let Some(theme) = table.get_mut("theme").and_then(toml::Value::as_table_mut) {
            // What is read from files comes after all that is looked at in the table.
            if theme.contains_key("logo_file") && theme.contains_key("logo_dark") {
                return Err(toml::de::Error::custom(
                    "theme.logo_file and theme.logo_dark: write both as files, or both as pictures",
                ));
            }
            for key in ["logo_file", "logo_dark_file"] {
                own.extend(theme.remove(key).map(|file| (key.to_owned(), file)));
            }
        }
        let own: Own = own.try_into()?;
        let client = move |metadata| Client { own, metadata };
        Ok((client, table))
    }
}

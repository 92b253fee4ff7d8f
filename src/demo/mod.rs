//! `portvakt demo`: provider, BankID and a sample application, with nothing to configure. It is the
//! same code as everywhere else: real HTTP between the three, and mutual TLS to BankID, which is the
//! simulator or BankID's own test environment.

pub mod application;

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::ValueEnum;
use tokio::runtime::Runtime;

use crate::admin::administrator::{Invited, invite};
use crate::admin::role::{Reach, Role};
use crate::audit::{Actor, Door, Who};
use crate::bankid::party;
use crate::cli::{until_told_to_stop, write_private};
use crate::client::Name;
use crate::clock::Clock;
use crate::config::Config;
use crate::config::identity::Passphrase;
use crate::http;
use crate::provider::Provider;
use crate::random::Random;
use crate::simulator::certificates::{Authority, Identity, server_config};
use crate::simulator::command::{API_PORT, PHONE_PORT};
use crate::simulator::{self, Settings, Simulator};

const PROVIDER_PORT: u16 = 8080;
const APPLICATION_PORT: u16 = 3000;
const ADMIN_PORT: u16 = 8081;

/// What can be said.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Which BankID people log in with.
    #[arg(long, value_enum, default_value_t)]
    bankid: Which,
    /// For BankID's test environment: a relying-party certificate with its key, as PKCS#12 or PEM.
    #[arg(long, value_name = "FILE", required_if_eq("bankid", "test"))]
    certificate: Option<PathBuf>,
    /// What opens it. Without it, the passphrase of the certificate that BankID publishes for tests.
    #[arg(long, value_name = "TEXT", default_value = "qwerty123")]
    passphrase: Passphrase,
}

/// Which BankID the demo uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Which {
    /// A BankID that is made at start, with a phone in the browser.
    #[default]
    Simulator,
    /// BankID's own test environment, with a BankID app that is set to it.
    Test,
}

/// A BankID for the demo.
struct Bank {
    /// Its section in the configuration.
    section: String,
    /// The phone of a simulated one.
    phone: Option<String>,
    /// Held, so that it goes on for as long as the demo.
    _simulator: Option<Simulator>,
}

/// Starts everything and waits to be stopped.
pub async fn run(options: &Options, runtime: &Runtime) -> anyhow::Result<()> {
    let (clock, random) = (Clock::system(), Random::system());
    // Gone when the demo ends: its people are nobody, and nothing needs to be remembered of them.
    let directory = tempfile::tempdir().context("no place for the demo's files")?;
    let provider_listener = bind(PROVIDER_PORT)?;
    let application_listener = bind(APPLICATION_PORT)?;
    let admin_listener = bind(ADMIN_PORT)?;
    let admin_url = address_of(&admin_listener)?;
    let issuer = address_of(&provider_listener)?;
    let application_url = address_of(&application_listener)?;
    let bank = match (options.bankid, &options.certificate) {
        (Which::Simulator, None) => simulated(directory.path(), &clock, &random)?,
        (Which::Simulator, Some(_)) => {
            bail!("--certificate is for --bankid test: the simulator makes its own")
        }
        (Which::Test, Some(certificate)) => Bank {
            section: test_section(certificate, &options.passphrase)?,
            phone: None,
            _simulator: None,
        },
        (Which::Test, None) => bail!("--bankid test needs --certificate"),
    };
    let client_secret = STANDARD.encode(random.bytes::<32>());
    let text = configuration(&Parts {
        issuer: &issuer,
        application: &application_url,
        admin: &admin_url,
        bankid: &bank.section,
        client_secret: &client_secret,
        master_key: &STANDARD.encode(random.bytes::<32>()),
        directory: directory.path(),
    });
    let config = Config::parse(&text, directory.path())?;
    let provider = Provider::start(config, clock, random.clone()).await?;
    let served = http::serve(
        provider.clone(),
        provider_listener,
        None,
        runtime.handle().clone(),
    )?;
    let administration = http::admin::serve(
        provider.clone(),
        admin_listener,
        None,
        runtime.handle().clone(),
    )?;
    let invitation = invitation(&provider).await?;
    let _application = application::start(application::Settings {
        listener: application_listener,
        tls: None,
        url: application_url.clone(),
        issuer: issuer.clone(),
        client_id: "sample".to_owned(),
        client_secret,
        behind: String::new(),
        scopes: &["profile", "personal_number"],
        root: None,
        resolve: Vec::new(),
        random,
    })?;
    println!(
        "{}",
        greeting(
            &application_url,
            &issuer,
            &invitation,
            bank.phone.as_deref()
        )
    );
    if options.bankid == Which::Test {
        println!("\n{}", reached(&provider).await);
    }
    until_told_to_stop().await?;
    provider.begin_to_stop();
    served.handle.stop(false).await;
    administration.handle.stop(false).await;
    provider.stop().await;
    Ok(())
}

/// Starts a simulator.
fn simulated(directory: &Path, clock: &Clock, random: &Random) -> anyhow::Result<Bank> {
    let phone = bind(PHONE_PORT)?;
    let api = bind(API_PORT)?;
    let phone_url = format!("{}/", address_of(&phone)?);
    let bankid = Authority::new("Simulated BankID SSL Root CA", random, clock.now())?;
    let banks = Authority::new("Simulated bank RP CA", random, clock.now())?;
    write_certificates(directory, &bankid, &banks.relying_party("Portvakt demo")?)?;
    let section = simulator_section(api.local_addr()?.port(), &phone_url);
    let simulator = simulator::start(Settings {
        api,
        api_tls: server_config(&bankid.server(&["localhost"])?, Some(&banks))?,
        phone,
        phone_url: url::Url::parse(&phone_url)?,
        phone_tls: None,
        return_root: None,
        clock: clock.clone(),
        random: random.clone(),
    })?;
    Ok(Bank {
        section,
        phone: Some(phone_url),
        _simulator: Some(simulator),
    })
}

fn write_certificates(directory: &Path, root: &Authority, party: &Identity) -> anyhow::Result<()> {
    for (name, text) in [
        ("root.pem", root.root_pem()),
        ("relying-party.pem", party.certificate_pem()),
        ("relying-party.key", party.key_pem()),
    ] {
        write_private(&directory.join(name), &text)?;
    }
    Ok(())
}

fn simulator_section(api_port: u16, phone: &str) -> String {
    format!(
        r#"[bankid]
environment = "simulator"
url = "https://localhost:{api_port}/rp/v6.0"
phone_url = "{phone}"
root_file = "root.pem"
certificate_file = "relying-party.pem"
key_file = "relying-party.key""#
    )
}

fn test_section(certificate: &Path, passphrase: &Passphrase) -> anyhow::Result<String> {
    // The configuration's own paths are relative to the demo's directory.
    let certificate = std::path::absolute(certificate).context("--certificate")?;
    let certificate = certificate
        .to_str()
        .context("--certificate: the name of the file is not UTF-8")?;
    let quoted = |text: &str| toml::Value::from(text).to_string();
    Ok(format!(
        "[bankid]\nenvironment = \"test\"\ncertificate_file = {}\npassphrase = {}",
        quoted(certificate),
        quoted(passphrase.text())
    ))
}

/// What to do now.
fn greeting(application: &str, issuer: &str, invitation: &str, phone: Option<&str>) -> String {
    let provider = format!(
        "     The provider:                         {issuer}/.well-known/openid-configuration
     The administration, for 15 minutes:   {invitation}"
    );
    let start = format!("  1. The sample application, start here:   {application}");
    match phone {
        Some(phone) => format!(
            r#"Portvakt's demo is running.

{start}
  2. The phone with BankID:                {phone}
{provider}

Open 1 and press "Log in". Choose "BankID on another device", open 2 in another window,
and scan the code there. Press Ctrl+C to stop."#
        ),
        None => format!(
            r#"Portvakt's demo is running with BankID's own test environment.

{start}
{provider}

Open 1 and press "Log in". Choose "BankID on another device" and scan the code with the BankID app of a
phone that is set to BankID's test environment and holds a test BankID. The phone needs no way to this
computer. "BankID on this device" opens this computer's BankID program, which must be set to it too.
docs/bankid-test.md tells how. Press Ctrl+C to stop."#
        ),
    }
}

/// The link by which whoever opens it first administers the demo.
async fn invitation(provider: &Provider) -> anyhow::Result<String> {
    let actor = Actor {
        who: Who::Operator("demo".to_owned()),
        door: Door::Cli,
        address: None,
    };
    let invited = Invited {
        name: Name::parse("Demo").context("a name")?,
        role: Role::Owner,
        reach: Reach::All,
    };
    let (_, link) = invite(&provider.desk(actor, Reach::All, true), invited).await?;
    let admin = provider
        .config
        .admin
        .as_ref()
        .context("the section admin")?;
    Ok(format!(
        "{}/invitation/{}",
        admin.address.url,
        link.expose()
    ))
}

/// Whether BankID's test environment answers, because nobody sees why a login fails.
async fn reached(provider: &Provider) -> String {
    let Some(party) = provider.parties.current(party::DEFAULT) else {
        return String::new();
    };
    match party.bankid.probe().await {
        Ok(()) => "BankID's test environment answers.".to_owned(),
        Err(failure) => format!("BankID's test environment cannot be used now: {failure}"),
    }
}

/// The usual port, or any free one.
fn bind(port: u16) -> anyhow::Result<TcpListener> {
    let at = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    TcpListener::bind(at(port))
        .or_else(|_| TcpListener::bind(at(0)))
        .context("no free port on 127.0.0.1")
}

fn address_of(listener: &TcpListener) -> anyhow::Result<String> {
    Ok(format!(
        "http://localhost:{}",
        listener.local_addr()?.port()
    ))
}

struct Parts<'a> {
    issuer: &'a str,
    application: &'a str,
    admin: &'a str,
    bankid: &'a str,
    client_secret: &'a str,
    master_key: &'a str,
    directory: &'a Path,
}

fn configuration(of: &Parts<'_>) -> String {
    format!(
        r#"issuer = "{issuer}"

[database]
url = "sqlite:{directory}/demo.db"

[keys]
master_key = "{master_key}"

[admin]
url = "{admin}"

[pages]
name = "Portvakt"

{bankid}

[[client]]
client_id = "sample"
client_secret = "{client_secret}"
client_name = "Sample application"
client_names = {{ sv = "Exempelappen" }}
redirect_uris = ["{application}/callback"]
post_logout_redirect_uris = ["{application}/"]
purpose = {{ sv = "Visa vad en inloggning ger.", en = "Show what a login gives." }}
personal_number = {{ purpose = "The demo shows it." }}
"#,
        issuer = of.issuer,
        directory = of.directory.display(),
        master_key = of.master_key,
        bankid = of.bankid,
        client_secret = of.client_secret,
        application = of.application,
        admin = of.admin,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bankid::environment::{Official, Worth};
    use crate::bankid::launch::{Link, Manner};
    use crate::bankid::order::OrderTokens;
    use clap::Parser;

    fn tokens() -> OrderTokens {
        OrderTokens {
            order_ref: "o".into(),
            auto_start_token: "a".into(),
            qr_start_token: "q".into(),
            qr_start_secret: "s".into(),
        }
    }

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    fn options(arguments: &[&str]) -> Option<Options> {
        let line = [&["demo"], arguments].concat();
        Line::try_parse_from(line).ok().map(|line| line.options)
    }

    fn parsed(section: &str, directory: &Path) -> Result<Config, crate::config::Problems> {
        let text = configuration(&Parts {
            issuer: "http://localhost:8080",
            application: "http://localhost:3000",
            admin: "http://localhost:8081",
            bankid: section,
            client_secret: &"s".repeat(43),
            master_key: &STANDARD.encode([7; 32]),
            directory,
        });
        Config::parse(&text, directory)
    }

    #[test]
    fn the_arguments_say_which_bankid() {
        for (arguments, expected) in [
            (&[][..], Some((Which::Simulator, "qwerty123"))),
            (
                &["--bankid", "simulator"],
                Some((Which::Simulator, "qwerty123")),
            ),
            (&["--bankid", "test"], None),
            (&["--bankid", "production"], None),
            (
                &["--bankid", "test", "--certificate", "x.p12"],
                Some((Which::Test, "qwerty123")),
            ),
            (
                &[
                    "--bankid",
                    "test",
                    "--certificate",
                    "x.p12",
                    "--passphrase",
                    "other",
                ],
                Some((Which::Test, "other")),
            ),
        ] {
            let options = options(arguments);
            let said = options.as_ref().map(|o| (o.bankid, o.passphrase.text()));
            assert_eq!(said, expected, "{arguments:?}");
            assert!(!format!("{options:?}").contains("other"));
        }
    }

    #[test]
    fn the_simulator_is_a_configuration_that_holds_together() {
        let directory = tempfile::tempdir().expect("a directory");
        let (now, random) = (Clock::system().now(), Random::system());
        let bank = Authority::new("A bank", &random, now).expect("made");
        let party = bank.relying_party("Portvakt demo").expect("made");
        write_certificates(directory.path(), &bank, &party).expect("written");
        let section = simulator_section(3002, "http://localhost:3001/");
        let config = parsed(&section, directory.path()).expect("a good configuration");
        assert_eq!(config.bankid.worth, Worth::Simulated);
        let launch = |link| {
            let manner = Manner {
                link,
                ..Manner::default()
            };
            config.bankid.links.link(&manner, &tokens()).to_string()
        };
        assert!(launch(Link::Universal).starts_with("http://localhost:3001/?autostarttoken="));
        let said = greeting(
            "http://localhost:3000",
            "x",
            "i",
            Some("http://localhost:3001/"),
        );
        assert!(said.contains("The phone with BankID:                http://localhost:3001/"));
    }

    #[test]
    fn the_test_environment_is_a_configuration_with_bankids_own_addresses() {
        let directory = tempfile::tempdir().expect("a directory");
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
        let odd = directory.path().join("it's \"mine\".pfx");
        std::fs::copy(fixtures.join("relying-party-legacy.pfx"), &odd).expect("copied");
        let right = Passphrase::from("qwerty123".to_owned());
        for certificate in [fixtures.join("relying-party.p12"), odd] {
            let section = test_section(&certificate, &right).expect("text");
            let config = parsed(&section, directory.path()).expect("a good configuration");
            assert_eq!(config.bankid.worth, Worth::Test);
            assert_eq!(config.bankid.base, Official::Test.api());
            let launch = |link| {
                let manner = Manner {
                    link,
                    ..Manner::default()
                };
                config.bankid.links.link(&manner, &tokens()).to_string()
            };
            assert!(launch(Link::Universal).starts_with("https://app.bankid.com/?"));
            assert!(launch(Link::Scheme).starts_with("bankid:///?"));
            config.bankid.parties().expect("clients");
        }
        let wrong = Passphrase::from("it's \\ \"not\"\n".to_owned());
        let section = test_section(&fixtures.join("relying-party.p12"), &wrong).expect("text");
        let problems = parsed(&section, directory.path()).expect_err("another passphrase");
        assert_eq!(
            problems.to_string(),
            "bankid.passphrase: does not open bankid.certificate_file"
        );
        let said = greeting("http://localhost:3000", "x", "i", None);
        assert!(said.contains("http://localhost:3000") && !said.contains("The phone with BankID:"));
    }
}

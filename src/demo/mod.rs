//! `portvakt demo`: provider, simulator and a sample application, with nothing to configure. It is
//! the same code as everywhere else: real HTTP between the three, and mutual TLS to the simulator.

pub mod application;

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::runtime::Runtime;

use crate::cli::{until_told_to_stop, write_private};
use crate::clock::Clock;
use crate::config::Config;
use crate::http;
use crate::provider::Provider;
use crate::random::Random;
use crate::simulator::certificates::{Authority, server_config};
use crate::simulator::command::{API_PORT, PHONE_PORT};
use crate::simulator::{self, Settings};

const PROVIDER_PORT: u16 = 8080;
const APPLICATION_PORT: u16 = 3000;

/// Starts everything and waits to be stopped.
pub async fn run(runtime: &Runtime) -> anyhow::Result<()> {
    let (clock, random) = (Clock::system(), Random::system());
    // Gone when the demo ends: its people are nobody, and nothing needs to be remembered of them.
    let directory = tempfile::tempdir().context("no place for the demo's files")?;
    let provider_listener = bind(PROVIDER_PORT)?;
    let application_listener = bind(APPLICATION_PORT)?;
    let phone_listener = bind(PHONE_PORT)?;
    let api_listener = bind(API_PORT)?;
    let issuer = address_of(&provider_listener)?;
    let application_url = address_of(&application_listener)?;
    let phone_url = format!("{}/", address_of(&phone_listener)?);

    let bankid = Authority::new("Simulated BankID SSL Root CA", &random, clock.now())?;
    let banks = Authority::new("Simulated bank RP CA", &random, clock.now())?;
    let party = banks.relying_party("Portvakt demo")?;
    for (name, text) in [
        ("root.pem", bankid.root_pem()),
        ("relying-party.pem", party.certificate_pem()),
        ("relying-party.key", party.key_pem()),
    ] {
        write_private(&directory.path().join(name), &text)?;
    }
    let client_secret = STANDARD.encode(random.bytes::<32>());
    let api_port = api_listener.local_addr()?.port();
    let _simulator = simulator::start(Settings {
        api: api_listener,
        api_tls: server_config(&bankid.server(&["localhost"])?, Some(&banks))?,
        phone: phone_listener,
        phone_url: url::Url::parse(&phone_url)?,
        phone_tls: None,
        return_root: None,
        clock: clock.clone(),
        random: random.clone(),
    })?;
    let text = configuration(&Addresses {
        issuer: &issuer,
        application: &application_url,
        phone: &phone_url,
        api_port,
        client_secret: &client_secret,
        master_key: &STANDARD.encode(random.bytes::<32>()),
        directory: directory.path(),
    });
    let config = Config::parse(&text, directory.path())?;
    let provider = Provider::start(config, clock.clone(), random.clone()).await?;
    let served = http::serve(
        provider.clone(),
        provider_listener,
        None,
        runtime.handle().clone(),
    )?;
    let _application = application::start(application::Settings {
        listener: application_listener,
        tls: None,
        url: application_url.clone(),
        issuer: issuer.clone(),
        client_id: "sample".to_owned(),
        client_secret,
        root: None,
        resolve: Vec::new(),
        random,
    })?;
    println!("Portvakt's demo is running.\n");
    println!("  1. The sample application, start here:   {application_url}");
    println!("  2. The phone with BankID:                {phone_url}");
    println!(
        "     The provider:                         {issuer}/.well-known/openid-configuration\n"
    );
    println!(
        "Open 1 and press \"Log in\". Choose \"BankID on another device\", open 2 in another window,"
    );
    println!("and scan the code there. Press Ctrl+C to stop.");
    until_told_to_stop().await?;
    provider.begin_to_stop();
    served.handle.stop(false).await;
    provider.stop().await;
    Ok(())
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

struct Addresses<'a> {
    issuer: &'a str,
    application: &'a str,
    phone: &'a str,
    api_port: u16,
    client_secret: &'a str,
    master_key: &'a str,
    directory: &'a Path,
}

fn configuration(at: &Addresses<'_>) -> String {
    format!(
        r#"issuer = "{issuer}"

[database]
url = "sqlite:{directory}/demo.db"

[keys]
master_key = "{master_key}"

[bankid]
environment = "simulator"
url = "https://localhost:{api_port}/rp/v6.0"
phone_url = "{phone}"
root_file = "root.pem"
certificate_file = "relying-party.pem"
key_file = "relying-party.key"

[[client]]
client_id = "sample"
client_secret = "{client_secret}"
client_name = "Sample application"
redirect_uris = ["{application}/callback"]
purpose = {{ sv = "Visa vad en inloggning ger.", en = "Show what a login gives." }}
personal_number = {{ purpose = "The demo shows it." }}
"#,
        issuer = at.issuer,
        directory = at.directory.display(),
        master_key = at.master_key,
        api_port = at.api_port,
        phone = at.phone,
        client_secret = at.client_secret,
        application = at.application,
    )
}

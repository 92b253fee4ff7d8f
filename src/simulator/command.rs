//! ⚡ `portvakt simulate`: the simulator on its own, for anyone's tests.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;

use anyhow::Context;

use super::certificates::{Authority, server_config};
use super::{Settings, start};
use crate::cli::{until_told_to_stop, write_private};
use crate::clock::Clock;
use crate::random::Random;

/// The port of the phone, when it is not said.
pub const PHONE_PORT: u16 = 3001;
/// The port of the API, when it is not said.
pub const API_PORT: u16 = 3002;

/// What can be said.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The port of the relying-party API (HTTPS, client certificates).
    #[arg(long, default_value_t = API_PORT)]
    api_port: u16,
    /// The port of the phone.
    #[arg(long, default_value_t = PHONE_PORT)]
    phone_port: u16,
    /// Where the certificates for relying parties are written.
    #[arg(long, default_value = "portvakt-simulator")]
    directory: PathBuf,
    /// The name that people see in the app.
    #[arg(long, default_value = "Test av BankID")]
    name: String,
}

/// Starts the simulator, says how to reach it, and waits to be stopped.
pub async fn run(options: &Options) -> anyhow::Result<()> {
    let (clock, random) = (Clock::system(), Random::system());
    let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let bind = |port| {
        let address = SocketAddr::new(loopback, port);
        TcpListener::bind(address).with_context(|| format!("cannot listen on {address}"))
    };
    let (api, phone) = (bind(options.api_port)?, bind(options.phone_port)?);
    let phone_url = url::Url::parse(&format!("http://localhost:{}/", phone.local_addr()?.port()))?;
    let api_url = format!("https://localhost:{}/rp/v6.0", api.local_addr()?.port());
    let bankid = Authority::new("Simulated BankID SSL Root CA", &random, clock.now())?;
    let banks = Authority::new("Simulated bank RP CA", &random, clock.now())?;
    let server = bankid.server(&["localhost", "127.0.0.1"])?;
    let party = banks.relying_party(&options.name)?;
    let files = [
        ("root.pem", bankid.root_pem()),
        ("relying-party.pem", party.certificate_pem()),
        ("relying-party.key", party.key_pem()),
    ];
    std::fs::create_dir_all(&options.directory)?;
    for (name, text) in files {
        write_private(&options.directory.join(name), &text)?;
    }
    let simulator = start(Settings {
        api,
        api_tls: server_config(&server, Some(&banks))?,
        phone,
        phone_url: phone_url.clone(),
        phone_tls: None,
        return_root: None,
        clock,
        random,
    })?;
    let signature_root = simulator.signer().root_pem()?;
    write_private(
        &options.directory.join("signature-root.pem"),
        &signature_root,
    )?;
    let directory = options.directory.display();
    println!("The simulated BankID is ready. For portvakt.toml:\n");
    println!(
        "[bankid]\nenvironment = \"simulator\"\nurl = \"{api_url}\"\nphone_url = \"{phone_url}\""
    );
    println!("root_file = \"{directory}/root.pem\"");
    println!("certificate_file = \"{directory}/relying-party.pem\"");
    println!("key_file = \"{directory}/relying-party.key\"\n");
    println!("The phone: {phone_url}");
    until_told_to_stop().await?;
    simulator.stop().await;
    Ok(())
}

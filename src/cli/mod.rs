//! The command line: demo · serve · ready · simulate · migrate · check · backup · restore · migrate-database · client · key ·
//! language · admin · audit · evidence · person.

mod admin;
mod check;
mod client;
mod configuration;
mod database;
mod failures;
mod key;
mod language;
mod person;
mod ready;
mod shell;
mod token;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use anyhow::{Context, Error};
use clap::{Parser, Subcommand};
use futures_util::future::join_all;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

use crate::admin::evidence::{self, Environment};
use crate::clock::Clock;
use crate::config::Config;
use crate::http;
use crate::http::tls::{self, Clients};
use crate::provider::Provider;
use crate::random::Random;
use crate::storage;
use crate::telemetry::{self, LogFormat};

/// An OpenID Provider whose only credential is Swedish BankID.
#[derive(Debug, Parser)]
#[command(name = "portvakt", version = VERSION.as_str())]
struct Arguments {
    /// How logs look.
    #[arg(long, global = true, value_enum, default_value_t)]
    log_format: LogFormat,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Provider, BankID and a sample application, with nothing to configure.
    #[cfg(feature = "simulator")]
    Demo(crate::demo::Options),
    /// The provider.
    Serve(ConfigFile),
    /// Says whether the node on this machine may be sent people, as `/readyz` does.
    Ready(ready::Ready),
    /// BankID's API v6.0 and a phone in the browser, for anyone's tests.
    #[cfg(feature = "simulator")]
    Simulate(crate::simulator::command::Options),
    /// Makes the database, or brings its tables up to date.
    Migrate(ConfigFile),
    /// Copies a SQLite database into a file, while it is served.
    Backup(database::Backup),
    /// Puts a backup where no database is, and ends all that lived in it.
    Restore(database::Restore),
    /// Moves a SQLite database that is not served to PostgreSQL.
    MigrateDatabase(database::Move),
    /// Looks at configuration, database, keys, BankID, the way here and the addresses of clients, and says what
    /// is wrong and what to do about it.
    Check(check::Check),
    /// What can be configured.
    #[command(subcommand)]
    Config(configuration::Command),
    /// Clients: who they are, and what they may have.
    #[command(subcommand)]
    Client(client::Command),
    /// Who administers.
    #[command(subcommand)]
    Admin(admin::Command),
    /// Who did what.
    #[command(subcommand)]
    Audit(admin::AuditCommand),
    /// What proves an identification.
    #[command(subcommand)]
    Evidence(EvidenceCommand),
    /// A person's rights: to be told what is kept of them, and to have it erased.
    #[command(subcommand)]
    Person(person::Command),
    /// The keys that tokens are signed with, and those of the database.
    #[command(subcommand)]
    Key(key::Command),
    /// Languages besides Swedish and English.
    #[command(subcommand)]
    Language(language::Command),
}

#[derive(Debug, Subcommand)]
enum EvidenceCommand {
    /// Writes the evidence of one identification, for clients that have it kept. It holds personal
    /// data.
    Export {
        #[command(flatten)]
        file: ConfigFile,
        /// The claim `txn` of the ID token.
        #[arg(long)]
        txn: String,
        /// Where it is written; without, on standard output.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Verifies such a file. It needs nothing but the file and the root.
    Verify {
        /// The file.
        file: PathBuf,
        /// The root of the banks' certificates, in PEM.
        #[arg(long)]
        root: PathBuf,
        /// Where the BankID is from.
        #[arg(long, value_enum, default_value_t = Environment::Production)]
        environment: Environment,
    },
}

#[derive(Debug, clap::Args)]
struct ConfigFile {
    /// The configuration file.
    #[arg(long, default_value = "portvakt.toml", env = "PORTVAKT_CONFIG")]
    config: PathBuf,
}

/// The version, and what it was built from where whoever built it said so (`PORTVAKT_COMMIT`). Nothing is looked
/// up: the same sources give the same program.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let version = env!("CARGO_PKG_VERSION");
    match option_env!("PORTVAKT_COMMIT") {
        Some(commit) if !commit.is_empty() => format!("{version} ({commit})"),
        _ => version.to_owned(),
    }
});

/// Runs the program with the arguments it was given.
pub fn run() -> anyhow::Result<()> {
    #[cfg(target_os = "linux")]
    use_small_pages();
    install_crypto();
    let arguments = Arguments::parse();
    telemetry::start(arguments.log_format);
    raise_file_limit();
    let runtime = Runtime::new().context("the runtime cannot start")?;
    let done = runtime.block_on(async {
        match arguments.command {
            #[cfg(feature = "simulator")]
            Command::Demo(options) => crate::demo::run(&options, &runtime).await,
            Command::Serve(file) => serve(&file.config, &runtime).await,
            Command::Ready(command) => ready::run(command).await,
            #[cfg(feature = "simulator")]
            Command::Simulate(options) => crate::simulator::command::run(&options).await,
            Command::Migrate(file) => migrate(&file.config).await,
            Command::Backup(command) => database::back_up(command).await,
            Command::Restore(command) => database::restore(command).await,
            Command::MigrateDatabase(command) => database::move_to(command).await,
            Command::Check(command) => check::run(command).await,
            Command::Config(command) => {
                configuration::run(&command);
                Ok(())
            }
            Command::Client(command) => client::run(command).await,
            Command::Admin(command) => admin::run(command).await,
            Command::Audit(command) => admin::audit(command).await,
            Command::Evidence(command) => evidence_of(command).await,
            Command::Person(command) => person::run(command).await,
            Command::Key(command) => key::run(command).await,
            Command::Language(command) => language::run(command),
        }
    });
    // Names that the system still looks up for nobody would be waited for to the end.
    runtime.shutdown_timeout(ENDING);
    done
}

/// How long threads may take that nobody waits for.
const ENDING: Duration = Duration::from_secs(5);

/// Whether the program takes these words, its name first. Nothing is done.
pub fn parse(words: &[String]) -> Result<(), clap::Error> {
    Arguments::try_parse_from(words).map(drop)
}

/// One TLS library for everything, before anything uses it.
pub fn install_crypto() {
    // It fails when it was done before, as in tests, and then nothing needs doing.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// Memory is taken from the system in pages of four KiB and not of two MiB. What a login or a person who waits
/// needs is small and of many lives, so that most of a large page would be held and not used: twenty MiB when
/// nobody is there.
#[cfg(target_os = "linux")]
fn use_small_pages() {
    // Where it cannot be said, more is held, and nothing else is different.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

/// Each browser that waits holds a connection.
fn raise_file_limit() {
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::warn!(%error, "the limit of open files could not be raised");
    }
}

async fn serve(file: &Path, runtime: &Runtime) -> anyhow::Result<()> {
    let config = Config::read(file)?;
    let listener = TcpListener::bind(config.listen)
        .with_context(|| format!("cannot listen on {}", config.listen))?;
    let tls = config
        .tls
        .as_ref()
        .map(|files| tls::server("listen", files, Clients::Unasked).map_err(Error::msg))
        .transpose()?;
    let mtls = config.mtls.as_ref().and_then(|mtls| mtls.listener.clone());
    let mtls = mtls
        .map(|(address, files)| {
            let listener = TcpListener::bind(address)
                .with_context(|| format!("mtls.address: cannot listen on {address}"))?;
            let tls = tls::server("mtls", &files, Clients::MayShowCertificates);
            Ok::<_, Error>((listener, tls.map_err(Error::msg)?))
        })
        .transpose()?;
    let admin = config.admin.clone();
    let admin = admin
        .map(|admin| {
            let listener = TcpListener::bind(admin.listen)
                .with_context(|| format!("admin.address: cannot listen on {}", admin.listen))?;
            let tls = admin.tls.as_ref();
            let tls = tls.map(|files| tls::server("admin", files, Clients::Unasked));
            Ok::<_, Error>((listener, tls.transpose().map_err(Error::msg)?))
        })
        .transpose()?;
    let provider = Provider::start(config, Clock::system(), Random::system()).await?;
    let served = http::serve(provider.clone(), listener, tls, runtime.handle().clone())?;
    let mtls = mtls
        .map(|(listener, tls)| {
            http::serve(
                provider.clone(),
                listener,
                Some(tls),
                runtime.handle().clone(),
            )
        })
        .transpose()?;
    let admin = admin
        .map(|(listener, tls)| {
            http::admin::serve(provider.clone(), listener, tls, runtime.handle().clone())
        })
        .transpose()?;
    let ops = match provider.config.ops {
        Some(address) => {
            let listener = TcpListener::bind(address)
                .with_context(|| format!("ops.address: cannot listen on {address}"))?;
            Some(http::ops::serve(
                provider.clone(),
                listener,
                runtime.handle(),
            )?)
        }
        None => None,
    };
    tracing::info!(issuer = %provider.config.issuer.url, address = %provider.config.listen, "serving");
    let told = until_told_to_stop().await?;
    tracing::info!("stopping");
    provider.leave();
    if told == Told::ByMachine {
        // Until whoever sends people here has seen it. Being told again cuts it short.
        tokio::select! {
            () = tokio::time::sleep(LEAVING) => {}
            again = until_told_to_stop() => drop(again?),
        }
    }
    provider.begin_to_stop();
    let stops = [Some(served), mtls, admin].into_iter().flatten();
    join_all(stops.map(|served| served.handle.stop(true))).await;
    if tokio::time::timeout(SIGNING_OFF, provider.stop())
        .await
        .is_err()
    {
        tracing::error!(
            "the database does not answer: what this node did is left to the others as after a crash"
        );
    }
    // The last to go: it says that the node is stopping.
    if let Some(ops) = ops {
        ops.stop(false).await;
    }
    Ok(())
}

/// How long a node that will stop is still served from, while its readiness says that it will.
const LEAVING: Duration = Duration::from_secs(5);
/// How long a node may take to leave its work to others: longer than BankID may take for the answers that are
/// still to come, because it gives each of them once.
const SIGNING_OFF: Duration = Duration::from_secs(20);

/// Who wants that the program stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Whatever starts and stops it (SIGTERM).
    ByMachine,
    /// Somebody at the keyboard (SIGINT).
    ByHand,
}

/// Ends at SIGTERM or SIGINT.
pub async fn until_told_to_stop() -> anyhow::Result<Told> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(tokio::select! {
        _ = terminate.recv() => Told::ByMachine,
        _ = interrupt.recv() => Told::ByHand,
    })
}

async fn migrate(file: &Path) -> anyhow::Result<()> {
    let config = Config::read(file)?;
    storage::migrate(&config.database_url).await?;
    println!("The database is up to date.");
    Ok(())
}

async fn evidence_of(command: EvidenceCommand) -> anyhow::Result<()> {
    match command {
        EvidenceCommand::Export { file, txn, out } => {
            let config = Config::read(&file.config)?;
            let text = evidence::export(&config, &txn).await?;
            match out {
                Some(out) => write_private(&out, &text)?,
                None => print!("{text}"),
            }
        }
        EvidenceCommand::Verify {
            file,
            root,
            environment,
        } => print!("{}", evidence::verify(&file, &root, environment)?),
    }
    Ok(())
}

/// Writes a file that nobody else may open, whoever might read what was there before.
pub fn write_private(file: &Path, text: &str) -> anyhow::Result<()> {
    use std::fs::Permissions;
    use std::io::Write;
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
    const OURS: u32 = 0o600;
    let write = || {
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(OURS);
        let mut opened = options.open(file)?;
        // A terminal or a pipe stays whose it is.
        if opened.metadata()?.is_file() {
            // Of a file that somebody else owns this is refused, before anything of it is gone.
            opened.set_permissions(Permissions::from_mode(OURS))?;
            opened.set_len(0)?;
        }
        opened.write_all(text.as_bytes())
    };
    let written: std::io::Result<()> = write();
    written.with_context(|| format!("cannot write {}", file.display()))
}

//! Logs, as text or as JSON, and [`metrics`]. What may be in them is decided where the values are made: secrets,
//! numbers and names print as words like `[secret]`.

mod clients;
mod labels;
pub mod metrics;
mod process;
pub mod seldom;
pub mod state;
pub mod text;
pub mod traces;
pub mod usage;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

/// How logs look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For collectors: one object a line.
    Json,
}

/// Starts logging to standard error. `RUST_LOG` says how much; without it, `info` for us and
/// `warn` for the libraries.
pub fn start(format: LogFormat) {
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn,portvakt=info"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_span_events(FmtSpan::NONE)
        .with_writer(std::io::stderr);
    // A second start, as in tests, changes nothing.
    let _ = match format {
        LogFormat::Text => builder.with_ansi(false).try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
}

//! The command line.
#![forbid(unsafe_code)]

fn main() -> anyhow::Result<()> {
    portvakt::cli::run()
}

//! The command line.
#![forbid(unsafe_code)]

/// A login makes thousands of small values: the system's own allocator takes twice as long for them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> anyhow::Result<()> {
    portvakt::cli::run()
}

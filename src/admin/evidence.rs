//! Evidence of identifications: taken out of the database, and verified anywhere.

use std::path::Path;

use anyhow::{Context, anyhow, bail};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::written;
use crate::bankid::environment::{Official, Worth};
use crate::bankid::evidence::Trust;
use crate::bankid::evidence::record::Record;
use crate::clock::Clock;
use crate::config::Config;
use crate::id::Id;
use crate::random::Random;
use crate::storage::Store;

/// The evidence of one identification as a file that can be verified without us. `txn` is the claim of
/// that name in the client's ID token.
pub async fn export(config: &Config, txn: &str) -> anyhow::Result<String> {
    let txn = Id::parse(txn).context("that is no txn: it is a UUID in small letters")?;
    let (random, now) = (Random::system(), Clock::system().now());
    let (url, master) = (&config.database_url, &config.master_key);
    let (store, _) = Store::open_unchanged(url, master, &random, now).await?;
    let record = store.evidence(txn).await?;
    store.close().await;
    let record =
        record.context("there is no evidence of it: it was never kept, or its time is up")?;
    Ok(record.write())
}

/// Where a BankID is from.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum Environment {
    /// Real people.
    Production,
    /// BankID's own test environment.
    Test,
    /// A simulator.
    Simulator,
}

/// What a file proved, in lines for a person.
pub fn verify(file: &Path, root: &Path, environment: Environment) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("{} cannot be read", file.display()))?;
    let trust = trust(root, environment)?;
    let record = Record::read(&text)?;
    let verified = record.verify(&trust)?;
    Ok(format!(
        "verified\nperson:        {}\nsigned at:     {}\ntxn:           {}\nclient:        {}\nshown name:    {}\npolicy:        {}\n",
        record.personal_number.expose(),
        written(verified.signed_at),
        record.txn,
        record.client_id,
        verified.display_name,
        verified.policy,
    ))
}

fn trust(root: &Path, environment: Environment) -> anyhow::Result<Trust> {
    let shown = root.display();
    let root = CertificateDer::from_pem_file(root)
        .map_err(|e| anyhow!("{shown} holds no certificate in PEM: {e}"))?;
    let (worth, official) = match environment {
        Environment::Production => (Worth::Real, Some(Official::Production)),
        Environment::Test => (Worth::Test, Some(Official::Test)),
        Environment::Simulator => (Worth::Simulated, None),
    };
    if let Some(Err(reason)) = official.map(|official| official.takes_signature_root(&root)) {
        bail!("{shown} {reason}");
    }
    Ok(Trust {
        root,
        policies: worth.all_policies(),
    })
}

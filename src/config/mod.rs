//! What the operator writes. A file is read into [`written::Written`], which refuses unknown keys;
//! [`Config`] is what comes of it, and cannot be wrong. All mistakes are told at once, each with
//! its key.

pub mod admin;
pub mod bankid;
pub mod client;
mod dangers;
pub mod database;
mod environment;
pub mod identity;
pub mod issuer;
pub mod keys;
pub mod languages;
pub mod mtls;
pub mod outbound;
pub mod pages;
pub mod reference;
pub mod schema;
pub mod traces;
pub mod written;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ipnet::IpNet;

use crate::bankid::environment::Worth;
use crate::clock::Seconds;
use crate::http::load::Room;
use crate::jose::rotation::Rotation;
use crate::language::Languages;
use crate::login::limit::Budget;
use crate::outbound::Allowed;
use crate::secret::MasterKeys;
use admin::Admin;
use bankid::BankId;
use client::RegisteredClient;
use environment::Variables;
use issuer::Issuer;
use mtls::Mtls;
use pages::Pages;
use written::Written;

/// A configuration that holds together.
#[derive(Clone, Debug)]
pub struct Config {
    /// Who we are.
    pub issuer: Issuer,
    /// Where requests are taken.
    pub listen: SocketAddr,
    /// Where the operator's machines look.
    pub ops: Option<SocketAddr>,
    /// Where spans are sent to, if anywhere.
    pub traces: Option<traces::Traces>,
    /// The certificate that is shown there, when no proxy does.
    pub tls: Option<TlsFiles>,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Where clients show certificates, if anywhere.
    pub mtls: Option<Mtls>,
    /// Where the database is.
    pub database_url: String,
    /// Whether it may be on another machine whose certificate is not verified.
    pub database_may_be_unverified: bool,
    /// The keys that wrap all others: the one of today, and those before it.
    pub master_key: MasterKeys,
    /// How signing keys come and go.
    pub rotation: Rotation,
    /// This node's name among those that share the database.
    pub node_id: Option<String>,
    /// BankID, real or simulated.
    pub bankid: BankId,
    /// How many logins and orders there may be; nothing, when there are no limits.
    pub limits: Option<Budget>,
    /// How much is done at once; all that comes, when there are no limits.
    pub room: Option<Room>,
    /// Where clients may be called.
    pub outbound: Allowed,
    /// How logins are.
    pub login: Login,
    /// How long a person is remembered who does not come back.
    pub person_kept: Seconds,
    /// What the pages say of the provider.
    pub pages: Arc<Pages>,
    /// The languages that people are spoken to in.
    pub languages: Languages,
    /// Where administrators work, if anywhere.
    pub admin: Option<Admin>,
    /// Whether a second administrator must say yes before a client may have personal numbers.
    pub second_approver: bool,
    /// Whether the file itself must be read by nobody else, where people log in with their own BankID.
    pub holds_secrets: bool,
    /// The clients that this file registers.
    pub clients: Vec<RegisteredClient>,
}

/// A certificate chain and its key, as PEM files.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The chain, leaf first.
    pub certificate_file: PathBuf,
    /// The key.
    pub key_file: PathBuf,
}

/// How logins are.
#[derive(Clone, Debug)]
pub struct Login {
    /// The authentication context class of a BankID login.
    pub acr: String,
    /// How long a session lasts.
    pub session_lifetime: Seconds,
}

/// One thing that is wrong, with its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key, with its section: `bankid.url`.
    pub key: String,
    /// What is wrong with it.
    pub reason: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.key, self.reason)
    }
}

/// Everything that is wrong.
#[derive(Debug)]
pub struct Problems(pub Vec<Problem>);

impl std::fmt::Display for Problems {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (n, problem) in self.0.iter().enumerate() {
            write!(f, "{}{problem}", if n > 0 { "\n" } else { "" })?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

impl From<Findings> for Problems {
    fn from(found: Findings) -> Problems {
        Problems(found.0)
    }
}

/// Collects problems, so that all are told at once.
#[derive(Debug, Default)]
pub(crate) struct Findings(Vec<Problem>);

impl Findings {
    pub(crate) fn add(&mut self, key: &str, reason: impl Into<String>) {
        self.0.push(Problem {
            key: key.to_owned(),
            reason: reason.into(),
        });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes what was found in one section as found in another.
    pub(crate) fn adopt(&mut self, other: Findings, section: &str, as_section: &str) {
        self.0.extend(other.0.into_iter().map(|problem| Problem {
            key: match problem.key.strip_prefix(section) {
                Some(rest) => format!("{as_section}{rest}"),
                None => problem.key,
            },
            ..problem
        }));
    }

    pub(crate) fn take<T>(&mut self, key: &str, result: Result<T, String>) -> Option<T> {
        result.map_err(|reason| self.add(key, reason)).ok()
    }
}

impl Config {
    /// Reads a configuration file, and what the environment says in its place. Paths are relative to the
    /// file.
    pub fn read(file: &Path) -> Result<Config, Problems> {
        Config::read_with(file, &environment::variables()?)
    }

    /// Reads where the operator's listener is, and nothing else: no secret, no certificate, and no mistake that a
    /// running node has nothing to do with. For a probe, which comes every few seconds.
    pub fn read_ops_address(file: &Path) -> Result<Option<SocketAddr>, Problems> {
        environment::ops_address(&text_of(file)?).map_err(|problem| Problems(vec![problem]))
    }

    fn read_with(file: &Path, variables: &Variables) -> Result<Config, Problems> {
        let text = text_of(file)?;
        let base = file.parent().unwrap_or(Path::new("."));
        let config = Config::parse_with(&text, base, variables)?;
        if config.holds_secrets && dangers::is_open_to_all(file) {
            let reason = "holds secrets, and can be read by everybody on this machine: chmod o= it";
            return Err(one(&file.display().to_string(), reason.to_owned()));
        }
        Ok(config)
    }

    /// Reads a configuration from text; `base` is where relative paths begin.
    pub fn parse(text: &str, base: &Path) -> Result<Config, Problems> {
        Config::parse_with(text, base, &Variables::new())
    }

    fn parse_with(text: &str, base: &Path, variables: &Variables) -> Result<Config, Problems> {
        let mut found = Findings::default();
        let said = environment::said(variables, &mut found);
        let read = environment::read(text, &said).map_err(|problem| {
            let mut problems = Problems::from(std::mem::take(&mut found));
            problems.0.push(problem);
            problems
        });
        let (mut written, holds_secrets) = read?;
        let variable = |name: &str| variables.get(name).cloned();
        keys::add_from_environment(&mut written.keys, variable, &mut found);
        Config::check(written, holds_secrets, base, found)
            .map_err(|problems| environment::named(problems, &said))
    }

    fn check(
        written: Written,
        holds_secrets: bool,
        base: &Path,
        mut found: Findings,
    ) -> Result<Config, Problems> {
        let danger = written.bankid.danger_simulated_bankid;
        let issuer = found.take("issuer", Issuer::parse(&written.issuer));
        dangers::check(&written, issuer.as_ref(), base, &mut found);
        let database_url = database::check(&written.database, base, &mut found);
        let holds_secrets = holds_secrets && dangers::is_earnest(&written, issuer.as_ref());
        let bankid = BankId::check(&written.bankid, issuer.as_ref(), base, &mut found);
        if let (Some(issuer), Some(bankid)) = (&issuer, &bankid)
            && bankid.worth == Worth::Simulated
            && !(danger || issuer.is_local)
        {
            found.add(
                "bankid.environment",
                "a simulated or custom BankID logs in anyone as anyone: it needs an issuer on http://localhost, or danger_simulated_bankid = true",
            );
        }
        let master_key = keys::master_keys(&written.keys, base, &mut found);
        let rotation = rotation(&written.keys, &mut found);
        let clients = client::check_all(written.client, base, &mut found);
        let listen = &written.listen;
        let tls = tls_files(
            "listen",
            listen.tls_certificate_file.as_deref(),
            listen.tls_key_file.as_deref(),
            base,
            &mut found,
        );
        let mtls = match (written.mtls, &issuer) {
            (Some(written), Some(issuer)) => mtls::check(written, issuer, listen, base, &mut found),
            _ => None,
        };
        client::check_with(&clients, bankid.as_ref(), mtls.as_ref(), &mut found);
        let admin = match (written.admin, &issuer) {
            (Some(written), Some(issuer)) => admin::check(written, issuer, base, &mut found),
            _ => None,
        };
        let outbound = outbound::check(written.outbound, base, &mut found);
        let traces = traces::check(written.traces.as_ref(), base, &mut found);
        let languages = languages::check(&written.languages, base, &mut found);
        if !(1..=1200).contains(&written.retention.person_months) {
            found.add("retention.person_months", "must be 1 to 1200 months");
        }
        if !(60..=86_400).contains(&written.login.session_lifetime) {
            found.add("login.session_lifetime", "must be 60 to 86400 seconds");
        }
        let pages = match (&issuer, &bankid) {
            (Some(issuer), Some(bankid)) => Some(pages::check(
                written.pages,
                issuer,
                bankid.worth,
                base,
                &mut found,
            )),
            _ => None,
        };
        match (issuer, bankid, master_key, pages, languages) {
            (Some(issuer), Some(bankid), Some(master_key), Some(pages), Some(languages))
                if found.is_empty() =>
            {
                Ok(Config {
                    issuer,
                    listen: written.listen.address,
                    ops: written.ops.address,
                    traces,
                    tls,
                    mtls,
                    trusted_proxies: written.listen.trusted_proxies,
                    database_url,
                    database_may_be_unverified: written.database.danger_unverified,
                    master_key,
                    rotation,
                    node_id: written.node.id,
                    bankid,
                    room: room(&written.limits),
                    limits: limits(written.limits),
                    outbound,
                    login: Login {
                        acr: written.login.acr,
                        session_lifetime: Seconds(written.login.session_lifetime),
                    },
                    // No month is longer.
                    person_kept: Seconds(written.retention.person_months * 31 * 24 * 60 * 60),
                    pages: Arc::new(pages),
                    languages,
                    second_approver: admin.as_ref().is_some_and(|admin| admin.second_approver),
                    admin,
                    holds_secrets,
                    clients,
                })
            }
            _ => Err(Problems(found.0)),
        }
    }
}

fn room(written: &written::Limits) -> Option<Room> {
    (!written.danger_no_limits).then_some(Room {
        logins: written.logins_at_once.get(),
        tokens: written.tokens_at_once.get(),
        // Each login has a page or two that follow it.
        pages: written.logins_at_once.get().saturating_mul(4),
    })
}

fn limits(written: written::Limits) -> Option<Budget> {
    (!written.danger_no_limits).then_some(Budget {
        logins_per_address: written.logins_per_address,
        large_networks: written.large_networks,
        orders_per_client: written.orders_per_client,
        orders: written.orders,
    })
}

fn text_of(file: &Path) -> Result<String, Problems> {
    std::fs::read_to_string(file).map_err(|e| one(&file.display().to_string(), e.to_string()))
}

fn one(key: &str, reason: String) -> Problems {
    Problems(vec![Problem {
        key: key.to_owned(),
        reason,
    }])
}

fn tls_files(
    section: &str,
    certificate: Option<&Path>,
    key: Option<&Path>,
    base: &Path,
    found: &mut Findings,
) -> Option<TlsFiles> {
    match (certificate, key) {
        (None, None) => None,
        (Some(certificate), Some(key)) => Some(TlsFiles {
            certificate_file: base.join(certificate),
            key_file: base.join(key),
        }),
        _ => {
            found.add(
                section,
                "tls_certificate_file and tls_key_file belong together",
            );
            None
        }
    }
}

/// The fewest days that a key is published before and after it signs: clients keep keys for a day, and
/// a session, by whose ID token somebody may be named, lasts as long at the most.
pub(crate) const FEWEST_DAYS: u16 = 2;
/// The most days that a key signs.
pub(crate) const MOST_DAYS: u16 = 3650;

fn rotation(keys: &written::Keys, found: &mut Findings) -> Rotation {
    for (key, days) in [
        ("keys.announce_days", keys.announce_days),
        ("keys.retain_days", keys.retain_days),
    ] {
        if !(FEWEST_DAYS..=MOST_DAYS).contains(&days) {
            let reason =
                format!("must be {FEWEST_DAYS} to {MOST_DAYS}: clients keep keys for a day");
            found.add(key, reason);
        }
    }
    if keys.rotate_days <= keys.announce_days || keys.rotate_days > MOST_DAYS {
        let reason = format!("must be more than announce_days, and at most {MOST_DAYS}");
        found.add("keys.rotate_days", reason);
    }
    let days = |days: u16| Seconds(i64::from(days) * 24 * 60 * 60);
    Rotation {
        announced: days(keys.announce_days),
        active: days(keys.rotate_days),
        retained: days(keys.retain_days),
    }
}

/// A value that is written here or stands in a file, but not both.
pub(crate) fn text_or_file(
    value: Option<&str>,
    file: Option<&Path>,
    base: &Path,
    name: &str,
) -> Result<String, String> {
    match (value, file) {
        (Some(value), None) => Ok(value.to_owned()),
        (None, Some(file)) => std::fs::read_to_string(base.join(file))
            .map(|text| text.trim_end_matches(['\r', '\n']).to_owned())
            .map_err(|e| format!("{name}_file {}: {e}", file.display())),
        (None, None) => Err(format!("{name} or {name}_file is needed")),
        (Some(_), Some(_)) => Err(format!("{name} and {name}_file exclude each other")),
    }
}

//! `[database]`: where everything is kept.
//!
//! What is judged is what the driver makes of an address, the environment's part in it (`PGHOST`, `PGSSLMODE`)
//! included: whoever reads it in another way finds another machine than the one that is called.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::sqlite::SqliteConnectOptions;
use url::Url;

use super::{Findings, dangers, text_or_file, written};

/// The address as the driver takes it, with the files in it beside the configuration.
pub(super) fn check(written: &written::Database, base: &Path, found: &mut Findings) -> String {
    let Some((key, url)) = said(written, base, found) else {
        return String::new();
    };
    for reason in dangers(&url, written.danger_unverified) {
        found.add(key, reason);
    }
    match is_sqlite(&url) {
        true => found.take(key, sqlite_beside(&url, base)),
        false => Some(postgres_beside(&url, base)),
    }
    .unwrap_or_default()
}

/// The address as it is written, and by which key.
fn said(
    written: &written::Database,
    base: &Path,
    found: &mut Findings,
) -> Option<(&'static str, String)> {
    let key = "database.url_file";
    let Some(file) = &written.url_file else {
        return Some(("database.url", written.url.clone()));
    };
    if written.url != written::Database::default().url {
        found.add(key, "url and url_file exclude each other");
        return None;
    }
    let read = text_or_file(None, Some(file), base, "url");
    Some((key, found.take(key, read)?))
}

/// The file of a database, where its mode lets everybody on this machine read or change it. That is told and not
/// refused: the folder that it is in may be closed to them.
pub fn open_file(url: &str) -> Option<PathBuf> {
    let options = SqliteConnectOptions::from_str(url);
    let options = options.ok().filter(|_| is_sqlite(url))?;
    let file = options.get_filename();
    dangers::is_open_to_all(file).then(|| file.to_owned())
}

fn is_sqlite(url: &str) -> bool {
    url.starts_with("sqlite:")
}

/// What must not be run of an address. A PostgreSQL on another machine may be one whose certificate is not
/// verified where the operator says so.
pub fn dangers(url: &str, may_be_unverified: bool) -> Vec<String> {
    if is_sqlite(url) {
        let is_in_memory = url.contains(":memory:") || url.contains("mode=memory");
        let reason =
            "is in memory alone: keys, clients and everybody's sub would be gone at the next start";
        return is_in_memory
            .then(|| reason.to_owned())
            .into_iter()
            .collect();
    }
    match postgres(url, may_be_unverified) {
        Ok(dangers) => dangers,
        Err(reason) => vec![reason],
    }
}

fn postgres(url: &str, may_be_unverified: bool) -> Result<Vec<String>, String> {
    if !(url.starts_with("postgres:") || url.starts_with("postgresql:")) {
        return Err("must begin with sqlite: or postgres:".to_owned());
    }
    let parsed = Url::parse(url).map_err(|_| "is not an address")?;
    let mut names = BTreeSet::new();
    for (name, _) in parsed.query_pairs() {
        let name = plain(&name).to_owned();
        if !name.starts_with("options") && !names.insert(name.clone()) {
            // The driver takes the last, and whoever reads it perhaps the first.
            return Err(format!("says {name} twice"));
        }
    }
    let options = PgConnectOptions::from_str(url)
        .map_err(|_| "is not an address that the driver of PostgreSQL understands")?;
    let host = options.get_host();
    if options.get_socket().is_some() || host.starts_with('/') || is_loopback(host) {
        return Ok(Vec::new());
    }
    let mut dangers = Vec::new();
    // Not verify-ca: the driver adds `sslrootcert` to the authorities that everybody trusts, and any of these
    // gives a certificate to anybody for a name of their own.
    if !(matches!(options.get_ssl_mode(), PgSslMode::VerifyFull) || may_be_unverified) {
        dangers.push(format!("goes to another machine ({host}), and must have sslmode=verify-full (and sslrootcert=…): whoever is between could read and change everything (danger_unverified, where nobody is)"));
    }
    let password = password(&parsed).or_else(|| std::env::var("PGPASSWORD").ok());
    if password.is_some_and(|it| WELL_KNOWN.contains(&it.to_ascii_lowercase().as_str())) {
        dangers.push("has a password that everybody knows".to_owned());
    }
    Ok(dangers)
}

/// The one name of what the driver knows by several.
fn plain(name: &str) -> &str {
    match name {
        "ssl-mode" => "sslmode",
        "ssl-root-cert" | "ssl-ca" => "sslrootcert",
        "ssl-cert" => "sslcert",
        "ssl-key" => "sslkey",
        "hostaddr" => "host",
        name => name,
    }
}

const WELL_KNOWN: &[&str] = &[
    "postgres", "password", "portvakt", "secret", "changeme", "admin", "123456", "test",
];

fn is_loopback(host: &str) -> bool {
    let ip = host.trim_start_matches('[').trim_end_matches(']');
    let ip = ip.parse::<IpAddr>();
    host == "localhost" || ip.is_ok_and(|ip| ip.to_canonical().is_loopback())
}

/// Whether an address holds a password.
pub(super) fn has_password(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| password(&url).is_some())
}

fn password(url: &Url) -> Option<String> {
    let mut pairs = url.query_pairs();
    let said = pairs.find(|(name, _)| name == "password");
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    match said {
        Some((_, password)) => Some(password.into_owned()),
        None => url.password().map(decoded),
    }
}

/// What would end a file's name in an address, or mean something else in it.
const SPECIAL: &AsciiSet = &CONTROLS.add(b'%').add(b'?').add(b'#');

fn sqlite_beside(url: &str, base: &Path) -> Result<String, String> {
    let (named, options) = url.split_once('?').unwrap_or((url, ""));
    let named = named.trim_start_matches("sqlite://");
    let named = named.trim_start_matches("sqlite:");
    let file = percent_decode_str(named).decode_utf8();
    let file = file.map_err(|_| "names a file that is not UTF-8")?;
    if file.is_empty() {
        return Err("names no file".to_owned());
    }
    let file = base.join(PathBuf::from(&*file));
    let file = file.to_str().ok_or("is in a folder that is not UTF-8")?;
    let question = if options.is_empty() { "" } else { "?" };
    let file = utf8_percent_encode(file, SPECIAL);
    Ok(format!("sqlite:{file}{question}{options}"))
}

/// Files of certificates and keys. What begins as PEM does is one itself.
fn postgres_beside(url: &str, base: &Path) -> String {
    let Ok(mut parsed) = Url::parse(url) else {
        return url.to_owned();
    };
    let beside = |name: &str, value: &str| {
        let is_file = matches!(plain(name), "sslrootcert" | "sslcert" | "sslkey")
            && !value.trim_start().starts_with("-----BEGIN");
        let file = is_file.then(|| base.join(value))?;
        Some(file.to_string_lossy().into_owned())
    };
    let pairs: Vec<(String, String)> = parsed.query_pairs().into_owned().collect();
    if !pairs
        .iter()
        .any(|(name, value)| beside(name, value).is_some())
    {
        return url.to_owned();
    }
    let pairs = pairs.into_iter().map(|(name, value)| {
        let value = beside(&name, &value).unwrap_or(value);
        (name, value)
    });
    let pairs: Vec<_> = pairs.collect();
    parsed.query_pairs_mut().clear().extend_pairs(pairs);
    parsed.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_beside_the_configuration() {
        let _shows = crate::shows!(accepting "PV-CONFIG-3", refusing "PV-CONFIG-3");
        let checked = |url: &str, base: &str| {
            let mut found = Findings::default();
            let written = written::Database {
                url_file: None,
                url: url.to_owned(),
                danger_unverified: false,
            };
            let url = check(&written, Path::new(base), &mut found);
            assert!(found.is_empty(), "{url}: {found:?}");
            url
        };
        for (url, base, expected) in [
            ("sqlite:a.db", "/etc/p", "sqlite:/etc/p/a.db"),
            (
                "sqlite://a.db?mode=rw",
                "/etc/p",
                "sqlite:/etc/p/a.db?mode=rw",
            ),
            ("sqlite:/var/a.db", "/etc/p", "sqlite:/var/a.db"),
            ("sqlite:///var/a.db", "/etc/p", "sqlite:/var/a.db"),
            ("sqlite:a.db", "", "sqlite:a.db"),
            (
                "sqlite:a%3f.db",
                "/what?/50%",
                "sqlite:/what%3F/50%25/a%3F.db",
            ),
            (
                "postgres://u@db/x?sslmode=verify-full&sslrootcert=ca.pem",
                "/etc/p",
                "postgres://u@db/x?sslmode=verify-full&sslrootcert=%2Fetc%2Fp%2Fca.pem",
            ),
            (
                "postgres://u@db/x?ssl-ca=/ca.pem&sslmode=verify-full",
                "/etc/p",
                "postgres://u@db/x?ssl-ca=%2Fca.pem&sslmode=verify-full",
            ),
            (
                "postgres://u@localhost/x?options=-c%20search_path%3Dt",
                "/etc/p",
                "postgres://u@localhost/x?options=-c%20search_path%3Dt",
            ),
        ] {
            assert_eq!(checked(url, base), expected, "{url}");
        }
        // What SQLite opens in the end.
        let url = checked("sqlite:a%3f.db", "/what?/50%");
        let options = SqliteConnectOptions::from_str(&url).expect("an address");
        assert_eq!(options.get_filename(), Path::new("/what?/50%/a?.db"));
        let mut found = Findings::default();
        let written = written::Database {
            url_file: None,
            url: "sqlite:".to_owned(),
            danger_unverified: false,
        };
        check(&written, Path::new("/etc/p"), &mut found);
        assert!(!found.is_empty());
    }

    #[test]
    fn an_address_is_judged_as_the_driver_reads_it() {
        let _shows = crate::shows!(accepting "P11", refusing "P11");
        for good in [
            "postgres://u:K4vq@localhost/x",
            "postgres://u@[::1]/x",
            "postgres://u@127.0.0.9/x?sslmode=disable",
            "postgres:///x?host=/run/postgresql",
            "postgres://u@%2Frun%2Fpostgresql/x",
            "postgres://u@db.example.se/x?host=/run/postgresql",
            "postgres://u:K4vq@db.example.se/x?sslmode=verify-full",
            "postgres://u@db.example.se/x?ssl-mode=verify-full&ssl-ca=ca.pem&options=-c%20a%3Db&options=-c%20c%3Dd",
        ] {
            assert_eq!(dangers(good, false), Vec::<String>::new(), "{good}");
        }
        for (bad, reason) in [
            (
                "postgres://u@db.example.se/x",
                "another machine (db.example.se)",
            ),
            (
                "postgres://u@localhost/x?hostaddr=192.0.2.7",
                "another machine (192.0.2.7)",
            ),
            (
                "postgres:///x?host=db.example.se",
                "another machine (db.example.se)",
            ),
            ("postgres://u@db/x?sslmode=verify-ca", "another machine"),
            (
                "postgres://u@db/x?sslmode=verify-ca&sslrootcert=ca.pem",
                "another machine",
            ),
            (
                "postgres://u@db/x?sslmode=verify-full&sslmode=disable",
                "says sslmode twice",
            ),
            (
                "postgres://u@db/x?sslmode=verify-full&ssl-mode=disable",
                "says sslmode twice",
            ),
            (
                "postgres:///x?host=/run/postgresql&host=db",
                "says host twice",
            ),
            (
                "postgres:///x?host=localhost&hostaddr=192.0.2.7",
                "says host twice",
            ),
            (
                "postgres://u@db/x?sslmode=nonsense",
                "the driver of PostgreSQL",
            ),
            (
                "postgres://u@db/x?sslmode=verify-full&password=Portvakt",
                "a password that everybody knows",
            ),
            (
                "postgres://u:%70ostgres@db/x?sslmode=verify-full",
                "a password that everybody knows",
            ),
        ] {
            let told = dangers(bad, false);
            assert!(
                told.len() == 1 && told[0].contains(reason),
                "{bad}: {told:?}"
            );
        }
        assert!(dangers("postgres://u@db/x", true).is_empty());
        assert!(has_password("postgres://u@localhost/x?password=a"));
        assert!(has_password("postgres://u:a@localhost/x"));
        assert!(!has_password("postgres://u@localhost/x"));
    }
}

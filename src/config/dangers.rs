//! What would work and must not be run: a provider that starts with it would be open to somebody. Each is
//! told in one line, with its key.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use toml::{Table, Value};

use super::issuer::Issuer;
use super::written::{Environment, Written};
use super::{Findings, database};

pub(super) fn check(written: &Written, issuer: Option<&Issuer>, base: &Path, found: &mut Findings) {
    networks(written, found);
    listeners(written, found);
    limits(written, found);
    names(written, found);
    if is_earnest(written, issuer) {
        private_files(written, base, found);
        one_key_for_one_thing(written, base, found);
        clear_text(written, found);
        switches(written, found);
    }
}

/// Whether people log in with their own BankID, who alone can be hurt by some things.
pub(super) fn is_earnest(written: &Written, issuer: Option<&Issuer>) -> bool {
    let is_real = matches!(
        written.bankid.environment,
        Environment::Production | Environment::Test
    );
    is_real && issuer.is_some_and(|issuer| issuer.is_secure)
}

/// The widest network that can be somebody's own.
const WIDEST: (u8, u8) = (8, 16);

fn is_too_wide(network: &IpNet) -> bool {
    let (v4, v6) = WIDEST;
    match network {
        IpNet::V4(network) => network.prefix_len() < v4,
        IpNet::V6(network) => network.prefix_len() < v6,
    }
}

fn networks(written: &Written, found: &mut Findings) {
    for (key, networks, then) in [
        (
            "listen.trusted_proxies",
            &written.listen.trusted_proxies,
            "anybody could say from which address they come",
        ),
        (
            "outbound.allow_networks",
            &written.outbound.allow_networks,
            "clients could have anything called",
        ),
        (
            "limits.large_networks",
            &written.limits.large_networks,
            "no address would be limited",
        ),
    ] {
        if let Some(wide) = networks.iter().find(|network| is_too_wide(network)) {
            let (v4, v6) = WIDEST;
            let reason = format!("{wide} is too wide (at most /{v4}, or /{v6} of IPv6): {then}");
            found.add(key, reason);
        }
    }
}

fn listeners(written: &Written, found: &mut Findings) {
    let ops = written.ops.address;
    if let Some(address) = ops
        && is_public(address.ip())
        && !written.ops.danger_any_address
    {
        found.add(
            "ops.address",
            "is open to others, and says without TLS how the node is: use a loopback or private address (or danger_any_address, where nobody else reaches it)",
        );
    }
    let admin = written.admin.as_ref();
    if let Some(admin) = admin
        && is_public(admin.address.ip())
        && admin.tls_certificate_file.is_none()
        && !admin.danger_any_address
    {
        found.add(
            "admin.address",
            "is open to others without TLS: use a loopback or private address with a proxy before it, or TLS (or danger_any_address, where nobody else reaches it)",
        );
    }
    let mtls = written.mtls.as_ref().and_then(|mtls| mtls.address);
    let all = [
        ("listen.address", Some(written.listen.address)),
        ("admin.address", admin.map(|admin| admin.address)),
        ("ops.address", ops),
        ("mtls.address", mtls),
    ];
    for (n, (key, address)) in all.iter().enumerate() {
        let same = |(_, other): &&(&str, Option<SocketAddr>)| {
            address.is_some_and(|address| address.port() != 0 && *other == Some(address))
        };
        if let Some((other, _)) = all[..n].iter().find(same) {
            found.add(
                key,
                format!("is {other} too: each has an address of its own"),
            );
        }
    }
}

/// Whether others than our own machines may reach an address. To listen on all is to listen on a public one,
/// where there is one.
fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            let is_shared = a == 100 && (64..128).contains(&b);
            !(v4.is_loopback() || v4.is_private() || v4.is_link_local() || is_shared)
        }
        IpAddr::V6(v6) => !(v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local()),
    }
}

fn limits(written: &Written, found: &mut Findings) {
    let limits = &written.limits;
    if limits.orders_per_client > limits.orders {
        found.add(
            "limits.orders_per_client",
            "is more than limits.orders: one client could use up what all have",
        );
    }
}

fn names(written: &Written, found: &mut Findings) {
    let acr = &written.login.acr;
    if acr.is_empty() || acr.contains(char::is_whitespace) {
        found.add("login.acr", "must be one name: every ID token says it");
    } else if acr.ends_with("loa4") {
        found.add("login.acr", "is more than any BankID is worth");
    }
    if let Some(id) = &written.node.id
        && !((1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic()))
    {
        found.add("node.id", "must be 1 to 64 visible characters of ASCII");
    }
}

/// Files that hold what nobody else may know, with their keys.
fn secret_files(written: &Written) -> Vec<(String, &PathBuf)> {
    let (keys, bankid) = (&written.keys, &written.bankid);
    let mut files: Vec<(String, Option<&PathBuf>)> = vec![
        ("keys.master_key_file".into(), keys.master_key_file.as_ref()),
        (
            "bankid.passphrase_file".into(),
            bankid.passphrase_file.as_ref(),
        ),
        (
            "database.url_file".into(),
            written.database.url_file.as_ref(),
        ),
    ];
    let traces = written.traces.as_ref();
    files.push((
        "traces.headers_file".into(),
        traces.and_then(|traces| traces.headers_file.as_ref()),
    ));
    let former = keys.former_master_key_files.iter();
    files.extend(former.map(|file| ("keys.former_master_key_files".to_owned(), Some(file))));
    files.extend(
        tls_keys(written)
            .into_iter()
            .map(|(key, file)| (key.to_owned(), Some(file))),
    );
    files.extend(
        party_keys(written)
            .into_iter()
            .map(|(key, file)| (key, Some(file))),
    );
    for (name, profile) in &bankid.profile {
        let key = format!("bankid.profile.{name}.passphrase_file");
        files.push((key, profile.passphrase_file.as_ref()));
    }
    for client in &written.client {
        let id = client.client_id.as_str();
        for (name, file) in [
            ("client_secret_file", &client.client_secret_file),
            (
                "previous_client_secret_file",
                &client.previous_client_secret_file,
            ),
        ] {
            files.push((format!("client.{id}.{name}"), file.as_ref()));
        }
    }
    let named = files.into_iter();
    named.filter_map(|(key, file)| Some((key, file?))).collect()
}

/// Where the keys of our own certificates are.
fn tls_keys(written: &Written) -> Vec<(&'static str, &PathBuf)> {
    let (mtls, admin) = (written.mtls.as_ref(), written.admin.as_ref());
    let keys = [
        ("listen.tls_key_file", written.listen.tls_key_file.as_ref()),
        (
            "mtls.tls_key_file",
            mtls.and_then(|mtls| mtls.tls_key_file.as_ref()),
        ),
        (
            "admin.tls_key_file",
            admin.and_then(|admin| admin.tls_key_file.as_ref()),
        ),
    ];
    let named = keys.into_iter();
    named.filter_map(|(key, file)| Some((key, file?))).collect()
}

/// Where the keys of our relying-party certificates are: in a file of their own, or with the certificate.
fn party_keys(written: &Written) -> Vec<(String, &PathBuf)> {
    let bankid = &written.bankid;
    let mut keys = Vec::new();
    let default = (
        "bankid".to_owned(),
        &bankid.certificate_file,
        &bankid.key_file,
    );
    let named = bankid.profile.iter().map(|(name, profile)| {
        let section = format!("bankid.profile.{name}");
        (section, &profile.certificate_file, &profile.key_file)
    });
    for (section, certificate, key) in std::iter::once(default).chain(named) {
        keys.push(match key {
            Some(key) => (format!("{section}.key_file"), key),
            None => (format!("{section}.certificate_file"), certificate),
        });
    }
    keys
}

/// A key that every user of the machine can read is a key that every program on it has.
fn private_files(written: &Written, base: &Path, found: &mut Findings) {
    for (key, file) in secret_files(written) {
        if is_open_to_all(&base.join(file)) {
            let reason = format!(
                "{} can be read by everybody on this machine: chmod o= it",
                file.display()
            );
            found.add(&key, reason);
        }
    }
}

/// Whether a file's mode lets everybody read or change it. What is not there is told of elsewhere.
pub(super) fn is_open_to_all(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    const OTHERS: u32 = 0o006;
    std::fs::metadata(file).is_ok_and(|about| about.permissions().mode() & OTHERS != 0)
}

/// Whether the file itself holds what nobody else may know. By what stands in it, because a variable of the
/// environment may stand in its place and does not remove it.
pub(super) fn holds_secrets(file: &Table) -> bool {
    let section = |name: &str| file.get(name).and_then(Value::as_table);
    let holds = |table: Option<&Table>, keys: &[&str]| {
        let holds = |key: &&str| table.is_some_and(|table| table.contains_key(*key));
        keys.iter().any(holds)
    };
    let bankid = section("bankid");
    let profiles = bankid.and_then(|bankid| bankid.get("profile")?.as_table());
    let mut profiles = profiles.into_iter().flat_map(Table::values);
    let clients = file.get("client").and_then(Value::as_array);
    let mut clients = clients.into_iter().flatten();
    let url = section("database").and_then(|database| database.get("url")?.as_str());
    let former = section("keys").and_then(|keys| keys.get("former_master_keys")?.as_array());
    holds(section("keys"), &["master_key"])
        || former.is_some_and(|former| !former.is_empty())
        || holds(bankid, &["passphrase"])
        || profiles.any(|profile| holds(profile.as_table(), &["passphrase"]))
        || url.is_some_and(database::has_password)
        || clients.any(|client| {
            let secrets = ["client_secret", "previous_client_secret"];
            holds(client.as_table(), &secrets)
        })
}

/// Whoever has one key must not have another thing by it.
fn one_key_for_one_thing(written: &Written, base: &Path, found: &mut Findings) {
    let read = |file: &PathBuf| std::fs::read(base.join(file)).ok();
    let tls: Vec<_> = tls_keys(written)
        .into_iter()
        .filter_map(|(key, file)| Some((key, read(file)?)))
        .collect();
    for (key, file) in party_keys(written) {
        let same = read(file).and_then(|held| tls.iter().find(|(_, other)| *other == held));
        if let Some((other, _)) = same {
            let reason =
                format!("holds the same key as {other}: BankID's certificate is for BankID alone");
            found.add(&key, reason);
        }
    }
    let text = |text: &Option<String>, file: &Option<PathBuf>| {
        let held = file
            .as_ref()
            .and_then(|file| std::fs::read_to_string(base.join(file)).ok());
        text.clone().or(held).map(|text| text.trim().to_owned())
    };
    let master = text(&written.keys.master_key, &written.keys.master_key_file);
    let Some(master) = master else {
        return;
    };
    for client in &written.client {
        let secret = text(&client.client_secret, &client.client_secret_file);
        if secret.is_some_and(|secret| secret == master) {
            let key = format!("client.{}.client_secret", client.client_id.as_str());
            found.add(&key, "is the master key: an application would have it");
        }
    }
}

/// Passwords of sessions and numbers of people must not go over a network that others see.
fn clear_text(written: &Written, found: &mut Findings) {
    let listen = &written.listen;
    let has_tls = listen.tls_certificate_file.is_some();
    if !has_tls && !listen.address.ip().is_loopback() && listen.trusted_proxies.is_empty() {
        found.add(
            "listen.address",
            "takes requests of others without TLS: name the proxies that end it (listen.trusted_proxies), or have it end here (listen.tls_certificate_file)",
        );
    }
}

/// Switches for tests have no place where people log in with their own BankID.
fn switches(written: &Written, found: &mut Findings) {
    if written.limits.danger_no_limits {
        found.add(
            "limits.danger_no_limits",
            "is for tests and measurements: BankID's orders cost money, and anybody can begin them",
        );
    }
    if written.bankid.danger_simulated_bankid {
        found.add(
            "bankid.danger_simulated_bankid",
            "has no place beside a real BankID: take it out, so that no later change makes anyone anyone",
        );
    }
}

#[cfg(all(test, feature = "simulator"))]
mod tests;

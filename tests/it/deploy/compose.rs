//! What the compose file starts, without an engine for containers: its script makes the secrets, a PostgreSQL
//! of Debian's is started with its options and prepared by its script, and the program goes there with its
//! configuration. Nothing is changed but names, ports and places.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use portvakt::config::Config;
use portvakt::shows;
use portvakt::testing::canary;
use tempfile::TempDir;

use super::{copy, said, write_party, write_private};
use crate::support::fronts::{deploy, shipped};
use crate::support::postgres::{Server, is_root};

/// The folder of the compose file, with secrets.
struct Prepared(TempDir);

impl Prepared {
    /// `from` stands in for the name of the database's machine.
    fn made(machine: &str) -> Prepared {
        let place = TempDir::new().expect("a directory");
        copy(&deploy().join("compose"), place.path());
        let script = place.path().join("prepare");
        let text = std::fs::read_to_string(&script).expect("text");
        let named = text.replace("DNS:postgres", &format!("DNS:{machine}"));
        assert_ne!(text.replace("DNS:postgres", ""), text);
        std::fs::write(&script, named).expect("written");
        let prepared = Prepared(place);
        // Without what the bank gives, it makes nothing.
        let refused = prepared.prepare();
        assert!(!refused.status.success());
        assert!(said(&refused).contains("comes from the bank"));
        write_party(&prepared.secret(""));
        let made = prepared.prepare();
        assert!(made.status.success(), "{}", said(&made));
        prepared
    }

    /// Files belong to whoever runs the test, and not to the users of the images.
    fn prepare(&self) -> Output {
        let bin = self.0.path().join("bin");
        std::fs::create_dir_all(&bin).expect("a folder");
        let _ = std::os::unix::fs::symlink("/bin/true", bin.join("chown"));
        let path = std::env::var("PATH").unwrap_or_default();
        Command::new(self.0.path().join("prepare"))
            .env("PATH", format!("{}:{path}", bin.display()))
            .output()
            .expect("it runs")
    }

    fn secret(&self, name: &str) -> PathBuf {
        self.0.path().join("secrets").join(name)
    }

    fn text(&self, name: &str) -> String {
        let text = std::fs::read_to_string(self.secret(name)).expect("a secret");
        canary(text.trim());
        text
    }

    /// The configuration with the secrets where they are here.
    fn configuration(&self) -> String {
        let folder = self.0.path().join("secrets").display().to_string();
        shipped("compose/portvakt.toml").replace("/run/secrets", &folder)
    }

    fn write(&self, configuration: &str) -> PathBuf {
        let file = self.0.path().join("portvakt.toml");
        std::fs::write(&file, configuration).expect("written");
        file
    }
}

#[test]
fn what_compose_mounts_is_what_the_provider_starts_with() {
    let _shows = shows!(accepting "PV-DEPLOY-2", refusing "PV-DEPLOY-2");
    let prepared = Prepared::made("postgres");
    let text = prepared.configuration();
    let config = Config::read(&prepared.write(&text)).expect("a good configuration");
    assert_eq!(config.issuer.url, "https://login.example.se");
    // What the script made stays what it is.
    let (key, password) = (
        prepared.text("master.key"),
        prepared.text("postgres.password"),
    );
    assert!(prepared.prepare().status.success());
    assert_eq!(prepared.text("master.key"), key);
    assert_eq!(prepared.text("postgres.password"), password);
    for (from, to, told) in [
        ("sslmode=verify-full", "sslmode=require", "database.url"),
        ("danger_any_address = true", "", "is open to others"),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text);
        let problems = Config::read(&prepared.write(&changed)).expect_err("a danger");
        assert!(problems.to_string().contains(told), "{problems}");
    }
}

/// The options of PostgreSQL in the compose file.
fn options(prepared: &Prepared, place: &Path) -> String {
    let text = shipped("compose/compose.yaml");
    let (_, from) = text.split_once("      - postgres\n").expect("a command");
    let (lines, _) = from.split_once("    environment:").expect("its end");
    let words = lines
        .lines()
        .map(|line| line.trim().trim_start_matches("- "));
    let options = words.collect::<Vec<_>>().join(" ");
    assert!(options.contains("ssl=on") && options.contains("hba_file="));
    for name in ["postgres.pem", "postgres.key"] {
        let to = place.join(name);
        write_private(&to, prepared.text(name));
        given_to_postgres(&to);
    }
    let hba = place.join("pg_hba.conf");
    write_private(&hba, shipped("compose/pg_hba.conf"));
    given_to_postgres(&hba);
    let place = place.display().to_string();
    options
        .replace("/run/secrets", &place)
        .replace("/etc/portvakt", &place)
}

fn given_to_postgres(file: &Path) {
    if is_root() {
        let given = Command::new("chown").arg("postgres").arg(file).status();
        assert!(given.expect("it runs").success());
    }
}

#[test]
fn the_provider_comes_to_the_database_over_tls_and_in_no_other_way() {
    let _shows = shows!(accepting "PV-DEPLOY-5", refusing "PV-DEPLOY-5");
    let prepared = Prepared::made("localhost");
    let administrators = prepared.0.path().join("password-of-postgres");
    write_private(&administrators, prepared.text("postgres-admin.password"));
    given_to_postgres(&administrators);
    open_the_way(prepared.0.path());
    let pwfile = format!("--pwfile={}", administrators.display());
    let Some(mut server) = Server::made("postgres", &["--auth=scram-sha-256", &pwfile]) else {
        return;
    };
    let options = options(&prepared, server.place());
    server.start_with(&options);
    let watched = Watched::made(server.bin());
    let script = Command::new(prepared.0.path().join("make-database.sh"))
        .env("PATH", watched.path())
        .env("PGHOST", server.place())
        .env("PGPORT", server.port().to_string())
        .env(
            "PGPASSWORD",
            prepared.text("postgres-admin.password").trim(),
        )
        .env(
            "PORTVAKT_PASSWORD_FILE",
            prepared.secret("postgres.password"),
        )
        .output()
        .expect("it runs");
    assert!(script.status.success(), "{}", said(&script));
    let pgpass = prepared.secret("pgpass");
    let port = server.port();
    let there = prepared
        .text("pgpass")
        .replace("postgres:5432:", &format!("localhost:{port}:"));
    write_private(&pgpass, there);
    let text = prepared
        .configuration()
        .replace("@postgres/", &format!("@localhost:{port}/"));
    let migrated = |text: &str, pgpass: &Path| {
        let output = Command::new(env!("CARGO_BIN_EXE_portvakt"))
            .args(["migrate", "--config"])
            .arg(prepared.write(text))
            .env("PGPASSFILE", pgpass)
            .output()
            .expect("it runs");
        (output.status.success(), said(&output))
    };
    let nobody = Path::new("/dev/null");
    for (changed, pgpass, told) in [
        (
            text.replace("sslmode=verify-full", "sslmode=disable"),
            pgpass.as_path(),
            "no encryption",
        ),
        (
            text.replace("@localhost:", "@127.0.0.1:"),
            &pgpass,
            "certificate",
        ),
        (text.replace("/postgres-ca.pem", "/master.key"), &pgpass, ""),
        (text.clone(), nobody, "password"),
    ] {
        assert!(changed != text || pgpass == nobody);
        let (is_migrated, said) = migrated(&changed, pgpass);
        assert!(!is_migrated && said.contains(told), "{told}: {said}");
    }
    let (is_migrated, said) = migrated(&text, &pgpass);
    assert!(is_migrated, "{said}");
    let readme = shipped("README.md");
    let (_, copying) = readme.split_once("sh -c \\\n      '").expect("a command");
    let (copying, _) = copying
        .split_once("' > portvakt.dump")
        .expect("what it makes");
    let secrets = prepared.secret("").display().to_string();
    let copied = Command::new("sh")
        .args(["-c", &copying.replace("/run/secrets", &secrets)])
        .env("PATH", watched.path())
        .env("PGHOST", server.place())
        .env("PGPORT", server.port().to_string())
        .output()
        .expect("it runs");
    assert!(
        copied.stdout.starts_with(b"PGDMP"),
        "{}",
        crate::deploy::said(&copied)
    );
    let lines = watched.lines();
    assert!(lines.contains("psql ") && lines.contains("pg_dump "));
    for password in ["postgres.password", "postgres-admin.password"] {
        assert!(!lines.contains(prepared.text(password).trim()), "{lines}");
    }
}

/// PostgreSQL's programs, and what was on their command lines, which everybody on a machine can read.
struct Watched(TempDir);

impl Watched {
    fn made(bin: &Path) -> Watched {
        use std::os::unix::fs::PermissionsExt;
        let place = TempDir::new().expect("a directory");
        let lines = place.path().join("lines");
        std::fs::write(&lines, "").expect("written");
        for program in ["psql", "pg_dump"] {
            let file = place.path().join(program);
            let (lines, real) = (lines.display(), bin.join(program));
            let script = format!(
                "#!/bin/sh\nprintf '{program} %s\\n' \"$*\" >> {lines}\nexec {} \"$@\"\n",
                real.display()
            );
            std::fs::write(&file, script).expect("written");
            let may_run = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(&file, may_run).expect("set");
        }
        Watched(place)
    }

    fn path(&self) -> String {
        let path = std::env::var("PATH").unwrap_or_default();
        format!("{}:{path}", self.0.path().display())
    }

    fn lines(&self) -> String {
        std::fs::read_to_string(self.0.path().join("lines")).expect("lines")
    }
}

/// Docker's own address in the network stands for others: whoever comes by it is neither a proxy nor an administrator.
#[test]
fn the_gateway_is_nobody() {
    let _shows = shows!(refusing "PV-DEPLOY-2");
    let text = shipped("compose/compose.yaml");
    let value = |key: &str| {
        let (_, rest) = text.split_once(key).expect(key);
        rest.lines().next().expect("a value").trim().to_owned()
    };
    let gateway: IpAddr = value("gateway: ").parse().expect("an address");
    let prepared = Prepared::made("postgres");
    let config = Config::read(&prepared.write(&prepared.configuration()));
    let config = config.expect("a good configuration");
    let caddy: IpAddr = value("ipv4_address: ").parse().expect("an address");
    let trusts = |address: IpAddr| {
        let mut proxies = config.trusted_proxies.iter();
        proxies.any(|network| network.contains(&address))
    };
    assert!(trusts(caddy) && !trusts(gateway));
    assert_eq!(value("PORTVAKT_ADMIN_NOT_FROM: "), format!("{gateway}/32"));
    // Connections over IPv6 would come by it: no port is there for them.
    let (_, ports) = text.split_once("    ports:\n").expect("ports");
    let ports = ports
        .lines()
        .map_while(|line| line.strip_prefix("      - "));
    assert_eq!(
        ports.collect::<Vec<_>>(),
        ["\"0.0.0.0:80:80\"", "\"0.0.0.0:443:443\""]
    );
    assert_eq!(text.matches("ports:\n").count(), 1);
}

/// The user of PostgreSQL must come to a file in this folder.
fn open_the_way(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let all_may_enter = std::fs::Permissions::from_mode(0o711);
    std::fs::set_permissions(folder, all_may_enter).expect("set");
}

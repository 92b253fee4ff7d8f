//! What must not be run, each by itself.

use std::os::unix::fs::PermissionsExt;

use crate::clock::Clock;
use crate::config::Config;
use crate::random::Random;
use crate::simulator::certificates::Authority;

/// The example, with every file that it names as an operator would have them.
fn place() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    let bank = Authority::new("A bank", &Random::system(), Clock::system().now());
    let party = bank.expect("made").relying_party("Kommunen").expect("made");
    for (name, text, mode) in [
        (
            "master.key",
            "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n".to_owned(),
            0o600,
        ),
        (
            "open.key",
            "CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg=\n".to_owned(),
            0o604,
        ),
        ("relying-party.pem", party.certificate_pem(), 0o644),
        ("relying-party.key", party.key_pem(), 0o640),
        ("open-party.key", party.key_pem(), 0o644),
        (
            "both.pem",
            party.certificate_pem() + &party.key_pem(),
            0o644,
        ),
        ("tls.pem", party.certificate_pem(), 0o644),
        ("open-tls.key", "another key".to_owned(), 0o644),
        ("kommunen.secret", format!("{}\n", "s".repeat(43)), 0o600),
        ("open.secret", format!("{}\n", "s".repeat(43)), 0o644),
    ] {
        let file = directory.path().join(name);
        std::fs::write(&file, text).expect("written");
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&file, mode).expect("set");
    }
    directory
}

const EXAMPLE: &str = include_str!("../../../examples/portvakt.toml");

/// What is found, when parts of the example are something else.
fn told(directory: &tempfile::TempDir, changes: &[(&str, &str)]) -> String {
    let mut text = EXAMPLE.to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replacen(from, to, 1);
    }
    match Config::parse(&text, directory.path()) {
        Ok(_) => String::new(),
        Err(problems) => problems.to_string(),
    }
}

#[test]
fn no_provider_starts_with_what_must_not_be_run() {
    let _shows = crate::shows!(accepting "P11", refusing "P11", refusing "B18");
    let directory = place();
    const DATABASE: &str = "url = \"sqlite:portvakt.db\"";
    const LISTEN: &str = "address = \"127.0.0.1:8080\"";
    const ADMIN: &str = "address = \"127.0.0.1:8081\"";
    const OPS: &str = "address = \"127.0.0.1:9464\"";
    const PROXIES: &str = "trusted_proxies = [\"10.0.0.0/8\"]";
    const MASTER: &str = "master_key_file = \"master.key\"";
    const ENVIRONMENT: &str = "environment = \"production\"";
    const SECRET: &str = "client_secret_file = \"kommunen.secret\"";
    let tls = "tls_certificate_file = \"tls.pem\"\ntls_key_file = \"relying-party.key\"";
    let remote =
        |rest: &str| format!("url = \"postgres://portvakt:K4vq@db.example.se/portvakt{rest}\"");
    for changes in [
        &[][..],
        &[(LISTEN, "address = \"0.0.0.0:8080\"")],
        &[(ADMIN, "address = \"10.1.2.3:8081\"")],
        &[(OPS, "address = \"[fd00::1]:9464\"")],
        &[(OPS, "address = \"0.0.0.0:9464\"\ndanger_any_address = true")],
        &[(
            ADMIN,
            "address = \"0.0.0.0:8081\"\ndanger_any_address = true",
        )],
        &[(
            DATABASE,
            "url = \"postgres://portvakt:K4vq@localhost/portvakt\"",
        )],
        &[(
            DATABASE,
            "url = \"postgres:///portvakt?host=/run/postgresql\"",
        )],
        &[(DATABASE, &remote("?sslmode=verify-full"))],
        &[(DATABASE, &(remote("") + "\ndanger_unverified = true"))],
        &[("[node]", "[node]\nid = \"login-1\"")],
    ] {
        assert_eq!(told(&directory, changes), "", "{changes:?}");
    }
    let cases: &[(&[(&str, &str)], &str)] = &[
        (
            &[("issuer = \"https://", "issuer = \"http://")],
            "issuer: must be https",
        ),
        (
            &[(
                "issuer = \"https://login.example.se\"",
                "issuer = \"https://login.example.se/op\"",
            )],
            "issuer: must not have a path",
        ),
        (
            &[(MASTER, "master_key_file = \"open.key\"")],
            "keys.master_key_file: open.key can be read by everybody",
        ),
        (
            &[(
                MASTER,
                &format!("{MASTER}\nformer_master_key_files = [\"open.key\"]"),
            )],
            "keys.former_master_key_files: open.key can be",
        ),
        (
            &[(
                "key_file = \"relying-party.key\"",
                "key_file = \"open-party.key\"",
            )],
            "bankid.key_file: open-party.key can be",
        ),
        (
            &[(
                "certificate_file = \"relying-party.pem\"\nkey_file = \"relying-party.key\"",
                "certificate_file = \"both.pem\"",
            )],
            "bankid.certificate_file: both.pem can be",
        ),
        (
            &[(SECRET, "client_secret_file = \"open.secret\"")],
            "client_secret_file: open.secret can be",
        ),
        (
            &[(
                LISTEN,
                &format!(
                    "{LISTEN}\ntls_certificate_file = \"tls.pem\"\ntls_key_file = \"open-tls.key\""
                ),
            )],
            "listen.tls_key_file: open-tls.key can be",
        ),
        (
            &[(MASTER, "master_key = \"\"")],
            "keys: master_key must be 32 bytes",
        ),
        (
            &[(
                MASTER,
                "master_key = \"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"",
            )],
            "keys: master_key is no random key",
        ),
        (
            &[(
                MASTER,
                "master_key = \"Y29ycmVjdCBob3JzZSBiYXR0ZXJ5IHN0YXBsZSAxMjM=\"",
            )],
            "keys: master_key is no random key",
        ),
        (
            &[(MASTER, "")],
            "keys: master_key or master_key_file is needed",
        ),
        (
            &[(
                MASTER,
                &format!("{MASTER}\nformer_master_key_files = [\"master.key\"]"),
            )],
            "is the same key as master_key",
        ),
        (
            &[(LISTEN, &format!("{LISTEN}\n{tls}"))],
            "bankid.key_file: holds the same key as listen.tls_key_file",
        ),
        (
            &[(SECRET, "client_secret_file = \"master.key\"")],
            "client_secret: is the master key",
        ),
        (
            &[(SECRET, "client_secret = \"\"")],
            "client_secret must have at least",
        ),
        (
            &[(
                SECRET,
                "client_secret = \"change-me-change-me-change-me-change-me\"",
            )],
            "client_secret is an example",
        ),
        (
            &[(PROXIES, "trusted_proxies = [\"0.0.0.0/0\"]")],
            "listen.trusted_proxies: 0.0.0.0/0 is too wide",
        ),
        (
            &[(PROXIES, "trusted_proxies = [\"10.0.0.0/8\", \"::/0\"]")],
            "listen.trusted_proxies: ::/0 is too wide",
        ),
        (
            &[(LISTEN, "address = \"0.0.0.0:8080\""), (PROXIES, "")],
            "listen.address: takes requests of others without TLS",
        ),
        (
            &[(OPS, "address = \"0.0.0.0:9464\"")],
            "ops.address: is open to others",
        ),
        (
            &[(OPS, "address = \"203.0.113.9:9464\"")],
            "ops.address: is open to others",
        ),
        (
            &[(ADMIN, "address = \"0.0.0.0:8081\"")],
            "admin.address: is open to others without TLS",
        ),
        (
            &[(ADMIN, "address = \"[2001:db8::1]:8081\"")],
            "admin.address: is open to others without TLS",
        ),
        (&[(OPS, ADMIN)], "ops.address: is admin.address too"),
        (
            &[(
                "url = \"https://admin.login.example.se\"",
                "url = \"https://login.example.se\"",
            )],
            "admin.url: must have another host",
        ),
        (
            &[(
                "session_lifetime = 3600\n# Whether a second",
                "session_lifetime = 10\n# Whether a second",
            )],
            "admin.session_lifetime: must be 300 to 43200",
        ),
        (
            &[(
                "# How long a session answers for its client, in seconds: 60 to 86400.\nsession_lifetime = 3600",
                "session_lifetime = 8640000",
            )],
            "login.session_lifetime: must be 60 to 86400",
        ),
        (
            &[("person_months = 36", "person_months = 0")],
            "retention.person_months: must be 1 to 1200",
        ),
        (
            &[(
                "[admin]",
                "[mtls]\nurl = \"https://mtls.example.se\"\n[admin]",
            )],
            "mtls: certificates come by",
        ),
        (
            &[
                (
                    "[admin]",
                    "[mtls]\nurl = \"https://mtls.example.se\"\ncertificate_header = \"Client-Cert\"\n[admin]",
                ),
                (PROXIES, ""),
            ],
            "mtls.certificate_header: is believed from listen.trusted_proxies",
        ),
        (
            &[("allow_networks = []", "allow_networks = [\"0.0.0.0/0\"]")],
            "outbound.allow_networks: 0.0.0.0/0 is too wide",
        ),
        (
            &[("large_networks = []", "large_networks = [\"::/0\"]")],
            "limits.large_networks: ::/0 is too wide",
        ),
        (
            &[("logins_per_address = 600", "logins_per_address = 0")],
            "a nonzero u32",
        ),
        (&[("orders = 60000", "orders = 0")], "a nonzero u32"),
        (
            &[("orders = 60000", "orders = 100")],
            "limits.orders_per_client: is more than limits.orders",
        ),
        (
            &[("[limits]", "[limits]\ndanger_no_limits = true")],
            "limits.danger_no_limits: is for tests",
        ),
        (
            &[("[bankid]", "[bankid]\ndanger_simulated_bankid = true")],
            "bankid.danger_simulated_bankid: has no place",
        ),
        (
            &[("[bankid]", "[bankid]\nroot_file = \"tls.pem\"")],
            "bankid: url, phone_url and root_file are for a simulator",
        ),
        (
            &[(
                "[bankid]",
                "[bankid]\nurl = \"https://appapi2.test.bankid.com/rp/v6.0\"",
            )],
            "bankid: url, phone_url and root_file are for a simulator",
        ),
        (
            &[("[bankid]", "[bankid]\nsignature_root_file = \"tls.pem\"")],
            "bankid.signature_root_file: ",
        ),
        (
            &[(
                ENVIRONMENT,
                "environment = \"simulator\"\nurl = \"https://localhost:1/rp/v6.0\"\nphone_url = \"http://localhost:2/\"\nroot_file = \"tls.pem\"",
            )],
            "bankid.environment: a simulated or custom BankID",
        ),
        (
            &[(DATABASE, &remote(""))],
            "database.url: goes to another machine",
        ),
        (
            &[(DATABASE, &remote("?sslmode=prefer"))],
            "database.url: goes to another machine",
        ),
        (
            &[(DATABASE, &remote("?sslmode=require"))],
            "database.url: goes to another machine",
        ),
        (
            &[(
                DATABASE,
                "url = \"postgres://portvakt:portvakt@db.example.se/portvakt?sslmode=verify-full\"",
            )],
            "database.url: has a password that everybody knows",
        ),
        (
            &[(DATABASE, "url = \"sqlite::memory:\"")],
            "database.url: is in memory alone",
        ),
        (
            &[(DATABASE, "url = \"mysql://db/portvakt\"")],
            "database.url: must begin with sqlite: or postgres:",
        ),
        (
            &[("uncertified-loa3\"", "loa4\"")],
            "login.acr: is more than any BankID is worth",
        ),
        (
            &[(
                "acr = \"http://id.swedenconnect.se/loa/1.0/uncertified-loa3\"",
                "acr = \"\"",
            )],
            "login.acr: must be one name",
        ),
        (
            &[("[node]", "[node]\nid = \"\"")],
            "node.id: must be 1 to 64",
        ),
        (
            &[("announce_days = 14", "announce_days = 0")],
            "keys.announce_days: must be 2 to",
        ),
        (
            &[("rotate_days = 90", "rotate_days = 10")],
            "keys.rotate_days: must be more than announce_days",
        ),
    ];
    assert!(cases.len() >= 30);
    for (changes, expected) in cases {
        let told = told(&directory, changes);
        assert!(told.contains(expected), "{changes:?}: {told:?}");
        assert_eq!(told.lines().count(), 1, "{changes:?}: {told}");
    }
}

#[test]
fn a_configuration_that_holds_secrets_is_for_its_owner() {
    let _shows = crate::shows!(refusing "P11");
    let directory = place();
    let file = directory.path().join("portvakt.toml");
    let written = |text: &str, mode| {
        std::fs::write(&file, text).expect("written");
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&file, mode).expect("set");
        Config::read(&file).map(|_| ()).map_err(|e| e.to_string())
    };
    assert_eq!(written(EXAMPLE, 0o644), Ok(()), "it names files alone");
    let secret = format!("client_secret = \"{}\"", "s".repeat(43));
    let held = EXAMPLE.replace("client_secret_file = \"kommunen.secret\"", &secret);
    assert_ne!(held, EXAMPLE);
    assert_eq!(written(&held, 0o640), Ok(()));
    let told = written(&held, 0o644).expect_err("refused");
    assert!(
        told.contains("holds secrets, and can be read by everybody"),
        "{told}"
    );
}

#[test]
fn a_key_in_the_environment_is_not_in_the_file() {
    let _shows = crate::shows!(accepting "P11", refusing "P11");
    let directory = place();
    let file = directory.path().join("portvakt.toml");
    let read = |text: &str| {
        std::fs::write(&file, text).expect("written");
        let open = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(&file, open).expect("set");
        let keys = [
            (
                "PORTVAKT_MASTER_KEY",
                "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=",
            ),
            (
                "PORTVAKT_FORMER_MASTER_KEYS",
                "CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg=",
            ),
        ];
        let keys = keys.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let read = Config::read_with(&file, &keys.into());
        read.map(|config| config.master_key.former.len())
            .map_err(|e| e.to_string())
    };
    let without = EXAMPLE.replace("master_key_file = \"master.key\"", "");
    assert_eq!(read(&without), Ok(1));
    let with = without.replace(
        "client_secret_file = \"kommunen.secret\"",
        &format!("client_secret = \"{}\"", "s".repeat(43)),
    );
    let told = read(&with).expect_err("refused");
    assert!(told.contains("holds secrets"), "{told}");
}

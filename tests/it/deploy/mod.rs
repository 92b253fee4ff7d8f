//! The files of `deploy/` are what they are for: those who read them take them, and the provider that they
//! start does.

mod compose;
mod image;
mod units;

use std::path::Path;
use std::process::{Command, Output};

use portvakt::clock::Clock;
use portvakt::config::Config;
use portvakt::random::Random;
use portvakt::shows;
use portvakt::simulator::certificates::Authority;

use crate::foreign::{program, python};
use crate::support::fronts::{deploy, shipped};

/// What a command said, of which it must not be silent that it failed.
fn said(output: &Output) -> String {
    let texts = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    texts.concat()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        match from.is_dir() {
            true => copy(&from, &to),
            false => drop(std::fs::copy(from, to).expect("copied")),
        }
    }
}

/// Writes a file that nobody but its owner may read.
fn write_private(file: &Path, text: impl AsRef<[u8]>) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(file, text).expect("written");
    let private = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(file, private).expect("set");
}

/// What the bank gives: a container, and what opens it.
fn write_party(folder: &Path) {
    let bank = Authority::new("A bank", &Random::system(), Clock::system().now()).expect("made");
    let party = bank.relying_party("Kommunen").expect("made");
    let pem = tempfile::NamedTempFile::new().expect("a file");
    let both = format!("{}{}", party.certificate_pem(), party.key_pem());
    write_private(pem.path(), both);
    let container = folder.join("relying-party.p12");
    write_private(&container, "");
    let made = Command::new("openssl")
        .args(["pkcs12", "-export", "-passout", "pass:qwerty123", "-in"])
        .arg(pem.path())
        .arg("-out")
        .arg(&container)
        .output()
        .expect("it runs");
    assert!(made.status.success(), "{}", said(&made));
    write_private(&folder.join("relying-party.passphrase"), "qwerty123\n");
}

#[test]
fn kubernetes_and_compose_files_are_as_their_schemas_have_them() {
    let _shows = shows!(accepting "PV-DEPLOY-1", refusing "PV-DEPLOY-1");
    let Some(python) = python() else {
        return;
    };
    let lint = |folder: &Path| {
        let mut lint = program(python.clone(), "lint_deploy.py");
        lint.arg(folder).output().expect("it runs")
    };
    let shipped = lint(&deploy());
    assert!(shipped.status.success(), "{}", said(&shipped));
    let directory = tempfile::tempdir().expect("a directory");
    copy(&deploy(), directory.path());
    for (file, from, to, told) in [
        (
            "kubernetes/base/deployment.yaml",
            "replicas: 3",
            "replicas: three",
            "three",
        ),
        (
            "kubernetes/base/deployment.yaml",
            "readOnlyRootFilesystem: true",
            "readOnlyRootFilesystem: false",
            "rule",
        ),
        (
            "kubernetes/base/deployment.yaml",
            "failureThreshold: 1\n",
            "failureTreshold: 1\n",
            "failureTreshold",
        ),
        (
            "kubernetes/base/networkpolicy.yaml",
            "\"100.64.0.0/10\", ",
            "",
            "100.64.0.0/10",
        ),
        (
            "kubernetes/base/service.yaml",
            "targetPort: http",
            "targetPort: web",
            "no port is web",
        ),
        (
            "kubernetes/migrate/job.yaml",
            "defaultMode: 0440",
            "defaultMode: 0444",
            "everybody can read",
        ),
        (
            "kubernetes/overlays/example/kustomization.yaml",
            "- ../../base",
            "- ../../basis",
            "overlays/example",
        ),
        (
            "compose/compose.yaml",
            "read_only: true",
            "read_onlyy: true",
            "read_onlyy",
        ),
        ("compose/compose.yaml", "- pgpass\n", "- pgpas\n", "pgpas"),
        (
            "compose/compose.yaml",
            "condition: service_healthy",
            "condition: healthy",
            "healthy",
        ),
        (
            "docker/Dockerfile",
            "rust:1.94-slim-bookworm",
            "rust:latest",
            "latest",
        ),
    ] {
        let whole = std::fs::read_to_string(directory.path().join(file)).expect("text");
        assert!(whole.contains(from), "{from}");
        let broken = whole.replacen(from, to, 1);
        std::fs::write(directory.path().join(file), broken).expect("written");
        let lint = lint(directory.path());
        let said = said(&lint);
        assert!(
            !lint.status.success() && said.contains(told),
            "{file}: {to}: {said}"
        );
        std::fs::write(directory.path().join(file), whole).expect("written");
    }
}

/// What the example has as a comment is what it says it is, too.
#[test]
fn the_rule_for_traces_is_one_that_kubernetes_takes() {
    let _shows = shows!(accepting "PV-DEPLOY-1");
    let Some(python) = python() else {
        return;
    };
    let directory = tempfile::tempdir().expect("a directory");
    copy(&deploy(), directory.path());
    let file = "kubernetes/overlays/example/kustomization.yaml";
    let whole = shipped(file);
    let (before, rule) = whole.split_once("      # - op: add\n").expect("a rule");
    let rule = rule.replace("      #   ", "        ");
    let whole = format!("{before}      - op: add\n{rule}");
    std::fs::write(directory.path().join(file), whole).expect("written");
    let mut lint = program(python, "lint_deploy.py");
    let lint = lint.arg(directory.path()).output().expect("it runs");
    assert!(lint.status.success(), "{}", said(&lint));
    let folder = directory.path().join(file);
    let rendered = Command::new("kubectl")
        .arg("kustomize")
        .arg(folder.parent().expect("a folder"))
        .output()
        .expect("it runs");
    assert!(said(&rendered).contains("port: 4318"));
}

/// The provider takes what the pods read: nothing in it is one of the dangers that it does not start with.
#[test]
fn the_configuration_of_the_pods_is_one_that_the_provider_starts_with() {
    let _shows = shows!(accepting "PV-DEPLOY-2", refusing "PV-DEPLOY-2");
    let directory = tempfile::tempdir().expect("a directory");
    let secrets = directory.path().join("secrets");
    std::fs::create_dir(&secrets).expect("a folder");
    write_private(
        &secrets.join("master.key"),
        "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n",
    );
    write_party(&secrets);
    let read = |text: &str| {
        let file = directory.path().join("portvakt.toml");
        std::fs::write(&file, text).expect("written");
        Config::read(&file).map_err(|problems| problems.to_string())
    };
    for (file, issuer) in [
        ("base", "https://login.example.se"),
        ("overlays/example", "https://login.kommunen.example"),
    ] {
        let text = shipped(&format!("kubernetes/{file}/portvakt.toml"));
        let text = text.replace("/run/portvakt", &secrets.display().to_string());
        // The base says nothing of a cluster that it does not know, and does not start.
        let text = match file {
            "base" => {
                let told = read(&text).expect_err("nobody is believed");
                assert!(told.contains("listen.trusted_proxies"), "{told}");
                text.replace("proxies = []", "proxies = [\"192.0.2.0/24\"]")
            }
            _ => text,
        };
        let config = read(&text).unwrap_or_else(|problems| panic!("{file}: {problems}"));
        assert_eq!(config.issuer.url, issuer);
        assert!(config.ops.is_some() && config.admin.is_some());
        for (from, to, told) in [
            ("sslmode=verify-full", "sslmode=require", "database.url"),
            ("danger_any_address = true", "", "is open to others"),
            ("trusted_proxies = [\"192.0.2.0/24\"]", "", "listen.address"),
        ] {
            assert!(text.contains(from), "{from}");
            let told_of = read(&text.replacen(from, to, 1)).expect_err("a danger");
            assert!(told_of.contains(told), "{told_of}");
        }
    }
}

#[test]
fn caddys_file_is_one_that_caddy_takes() {
    let _shows = shows!(accepting "PV-DEPLOY-1");
    static SAID: std::sync::OnceLock<()> = std::sync::OnceLock::new();
    let Some(caddy) = crate::support::fronts::program("caddy", &SAID) else {
        return;
    };
    let file = deploy().join("caddy/Caddyfile");
    let place = tempfile::tempdir().expect("a directory");
    let ran = |command: &str| {
        let output = Command::new(&caddy)
            .args([command, "--config"])
            .arg(&file)
            .env("HOME", place.path())
            .env_remove("XDG_DATA_HOME")
            .env_remove("XDG_CONFIG_HOME")
            .output()
            .expect("it runs");
        assert!(output.status.success(), "{}", said(&output));
        said(&output)
    };
    ran("validate");
    // It warns of what is there for nothing.
    assert!(!ran("adapt").contains("\"warn\""));
    let formatted = Command::new(&caddy).arg("fmt").arg(&file).output();
    let formatted = formatted.expect("it runs").stdout;
    assert_eq!(
        String::from_utf8_lossy(&formatted),
        shipped("caddy/Caddyfile")
    );
}

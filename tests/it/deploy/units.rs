//! The units of systemd. Where these tests run, systemd does not run them; it says what it makes of them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use portvakt::shows;
use tempfile::TempDir;

use super::said;
use crate::support::fronts::{deploy, program, shipped};
use crate::support::phone::TOLVAN;
use crate::support::ports;
use crate::support::{App, Browser, Database, run};

const UNITS: [&str; 3] = [
    "portvakt.service",
    "portvakt-backup.service",
    "portvakt-backup.timer",
];

fn analyze() -> Option<PathBuf> {
    static SAID: OnceLock<()> = OnceLock::new();
    program("systemd-analyze", &SAID)
}

/// The units with the program where it is here.
fn units() -> TempDir {
    let place = TempDir::new().expect("a directory");
    for unit in UNITS {
        let text = shipped(&format!("systemd/{unit}"));
        let text = text.replace("/usr/local/bin/portvakt", env!("CARGO_BIN_EXE_portvakt"));
        std::fs::write(place.path().join(unit), text).expect("written");
    }
    place
}

/// The exposure that `systemd-analyze security` finds, of 10.
fn exposure(analyze: &Path, unit: &Path) -> f64 {
    let output = Command::new(analyze)
        .args(["security", "--offline=true", "--no-pager"])
        .arg(unit)
        .output()
        .expect("it runs");
    let text = said(&output);
    let (_, rest) = text.rsplit_once(": ").expect("a level");
    let level = rest.split_whitespace().next().expect("a number");
    level.parse().unwrap_or_else(|_| panic!("{text}"))
}

#[test]
fn systemd_takes_the_units_and_finds_them_closed() {
    let _shows = shows!(accepting "PV-DEPLOY-4", refusing "PV-DEPLOY-4");
    let Some(analyze) = analyze() else {
        return;
    };
    let place = units();
    let verified = |place: &Path| {
        let files = UNITS.map(|unit| place.join(unit));
        let output = Command::new(&analyze)
            .args(["verify", "--man=no"])
            .args(files)
            .output()
            .expect("it runs");
        (output.status.success(), said(&output))
    };
    let (is_good, text) = verified(place.path());
    assert!(is_good && text.is_empty(), "{text}");
    for (unit, most) in [("portvakt.service", 1.2), ("portvakt-backup.service", 0.5)] {
        let level = exposure(&analyze, &place.path().join(unit));
        assert!(level <= most, "{unit}: {level}");
    }
    let unit = place.path().join("portvakt.service");
    let whole = std::fs::read_to_string(&unit).expect("text");
    let open = whole
        .replace("ProtectSystem=strict\n", "")
        .replace("NoNewPrivileges=yes\n", "");
    std::fs::write(&unit, open).expect("written");
    assert!(exposure(&analyze, &unit) > 1.2);
    let wrong = whole.replace("ProtectHome=yes", "ProtectHome=perhaps");
    std::fs::write(&unit, wrong).expect("written");
    let (_, text) = verified(place.path());
    assert!(text.contains("perhaps"), "{text}");
}

/// The user is made, and then the folders, as Debian does it at boot.
#[test]
fn the_user_and_the_folders_are_made() {
    let _shows = shows!(accepting "PV-DEPLOY-4");
    if analyze().is_none() || !crate::support::postgres::is_root() {
        return;
    }
    let root = TempDir::new().expect("a directory");
    std::fs::create_dir_all(root.path().join("etc")).expect("a folder");
    let ran = |command: &str, more: &[&str], file: &str| {
        let output = Command::new(command)
            .arg(format!("--root={}", root.path().display()))
            .args(more)
            .arg(deploy().join("systemd").join(file))
            .output()
            .expect("it runs");
        assert!(output.status.success(), "{}", said(&output));
    };
    ran("systemd-sysusers", &[], "portvakt.sysusers");
    ran("systemd-tmpfiles", &["--create"], "portvakt.tmpfiles");
    use std::os::unix::fs::PermissionsExt;
    for (folder, mode) in [
        ("etc/portvakt", 0o750),
        ("var/lib/portvakt", 0o700),
        ("var/backups/portvakt", 0o700),
    ] {
        let about = std::fs::metadata(root.path().join(folder)).expect("a folder");
        assert_eq!(about.permissions().mode() & 0o777, mode, "{folder}");
    }
}

/// The calls of a set of systemd's, with those of the sets in it.
fn calls(analyze: &Path, set: &str) -> BTreeSet<String> {
    let output = Command::new(analyze)
        .args(["syscall-filter", "--no-pager", set])
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{}", said(&output));
    let text = String::from_utf8(output.stdout).expect("text");
    let named = text.lines().skip(1).map(str::trim);
    named
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .flat_map(|name| match name.starts_with('@') {
            true => calls(analyze, name),
            false => BTreeSet::from([name.to_owned()]),
        })
        .collect()
}

/// What the filter of a unit lets through, read as systemd does.
fn let_through(analyze: &Path, unit: &str) -> BTreeSet<String> {
    let mut through = calls(analyze, "@default");
    let text = shipped(&format!("systemd/{unit}"));
    for line in text
        .lines()
        .filter_map(|line| line.strip_prefix("SystemCallFilter="))
    {
        let (takes_out, sets) = match line.strip_prefix('~') {
            Some(sets) => (true, sets),
            None => (false, line),
        };
        for call in sets.split_whitespace().flat_map(|set| calls(analyze, set)) {
            match takes_out {
                true => through.remove(&call),
                false => through.insert(call),
            };
        }
    }
    through
}

/// A node is watched from its start, through a login, to its end: it does nothing that its unit forbids.
#[test]
fn a_login_makes_no_call_that_the_unit_forbids() {
    static SAID: OnceLock<()> = OnceLock::new();
    let (Some(analyze), Some(strace)) = (analyze(), program("strace", &SAID)) else {
        return;
    };
    run(async {
        let _shows = shows!(accepting "PV-DEPLOY-4", accepting "PV-RELEASE-1");
        let app = App::on(Database::sqlite()).await;
        app.stop_provider().await;
        let file = app.directory.path().join("watched.toml");
        let ops = format!("[ops]\naddress = \"127.0.0.1:{}\"\n[bankid]", ports::free());
        let config = app.config.replacen("[bankid]", &ops, 1);
        std::fs::write(&file, config).expect("written");
        let seen = app.directory.path().join("calls");
        let mut watched = Command::new(strace)
            .args([
                "-f",
                "-qq",
                "--seccomp-bpf",
                "-e",
                "signal=none",
                "-s",
                "300",
                "-o",
            ])
            .arg(&seen)
            .arg(env!("CARGO_BIN_EXE_portvakt"))
            .args(["serve", "--config"])
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let browser = Browser::new();
        let url = format!("{}/jwks", app.issuer);
        for _ in 0..300 {
            if browser.try_get(&url).await.is_ok() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        app.log_in(&browser, TOLVAN).await.code();
        // Those of the program: strace itself goes on until it has ended.
        let mut pids = Command::new("pgrep");
        let pids = pids.arg("-P").arg(watched.id().to_string()).output();
        let pids = said(&pids.expect("it runs"));
        let told = Command::new("kill").args(["-INT", pids.trim()]).status();
        assert!(told.expect("it runs").success());
        assert!(watched.wait().expect("it ends").success());
        let text = std::fs::read_to_string(&seen).expect("calls");
        let made: BTreeSet<String> = text
            .lines()
            .filter_map(|line| line.split_whitespace().nth(1)?.split_once('('))
            .map(|(call, _)| call.to_owned())
            .collect();
        assert!(
            made.contains("sendto") || made.contains("write"),
            "{made:?}"
        );
        let through = let_through(&analyze, "portvakt.service");
        // The first is systemd's own, before the filter is there; root's SQLite gives files to root, and
        // nobody else's does.
        let own = ["execve", "fchown", "fchown32"];
        let forbidden: Vec<&String> = made
            .iter()
            .filter(|call| !through.contains(*call) && !own.contains(&call.as_str()))
            .collect();
        assert!(forbidden.is_empty(), "{forbidden:?}");
        // Nor did it look at its sources: what it shows and what it makes of the database is in it.
        let sources = env!("CARGO_MANIFEST_DIR");
        for folder in ["static", "templates", "migrations", "src"] {
            assert!(!text.contains(&format!("{sources}/{folder}")), "{folder}");
        }
        assert!(text.contains("/watched.toml"), "what it reads is seen");
    });
}

/// The line of the unit that makes a copy, with the places of the test.
#[test]
fn the_unit_that_makes_copies_makes_one() {
    run(async {
        let _shows = shows!(accepting "PV-DEPLOY-4");
        let app = App::on(Database::sqlite()).await;
        let place = app.directory.path().display().to_string();
        std::fs::write(app.directory.path().join("portvakt.toml"), &app.config).expect("written");
        let backups = app.directory.path().join("backups");
        std::fs::create_dir(&backups).expect("a folder");
        let text = shipped("systemd/portvakt-backup.service");
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("ExecStart="));
        let line = line.expect("a line");
        let script = line.strip_prefix("/bin/sh -ec '").expect("a script");
        let script = script.trim_end_matches('\'');
        let script = script.replace("$$", "$").replace("%%", "%");
        let script = script
            .replace("/usr/local/bin/portvakt", env!("CARGO_BIN_EXE_portvakt"))
            .replace("/var/backups/portvakt", &format!("{place}/backups"))
            .replace("/etc/portvakt", &place);
        let output = Command::new("/bin/sh").args(["-ec", &script]).output();
        let output = output.expect("it runs");
        assert!(output.status.success(), "{}", said(&output));
        let made: Vec<_> = std::fs::read_dir(&backups).expect("a folder").collect();
        assert_eq!(made.len(), 1, "{made:?}");
    });
}

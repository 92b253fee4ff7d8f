//! A BankID client of somebody else's, in another language, against `portvakt simulate`.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use portvakt::shows;
use serde::Deserialize;
use tempfile::TempDir;

use crate::support::left_out;

static SAID: OnceLock<()> = OnceLock::new();

/// The Python of a virtual environment with the packages of `tests/foreign/requirements.txt`, or
/// nothing where there is none and there need not be one.
pub fn python() -> Option<PathBuf> {
    let python = std::env::var_os("PORTVAKT_TEST_PYTHON");
    if python.is_none() {
        left_out("Python", &SAID);
    }
    python.map(PathBuf::from)
}

/// A program of `tests/foreign`, with what runs it.
pub fn program(interpreter: PathBuf, name: &str) -> Command {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/foreign");
    let mut command = Command::new(interpreter);
    command
        .arg(folder.join(name))
        // It would ask a machine's proxy for the way to this machine.
        .env("NO_PROXY", "localhost")
        .env("no_proxy", "localhost");
    command
}

/// `portvakt simulate`, as a developer starts it.
struct Simulating {
    child: Child,
    directory: TempDir,
    bankid: BankId,
}

/// The settings that it prints.
#[derive(Deserialize)]
struct Printed {
    bankid: BankId,
}

#[derive(Deserialize)]
struct BankId {
    url: String,
    phone_url: String,
    root_file: String,
    certificate_file: String,
    key_file: String,
}

impl Simulating {
    /// Starts it on free ports and waits until it says that it is ready.
    fn start() -> Simulating {
        let directory = tempfile::tempdir().expect("a directory");
        let file = |name| std::fs::File::create(directory.path().join(name)).expect("a file");
        let mut child = Command::new(env!("CARGO_BIN_EXE_portvakt"))
            .args(["simulate", "--api-port", "0", "--phone-port", "0"])
            .arg("--directory")
            .arg(directory.path().join("files"))
            .env("RUST_LOG", "trace")
            .stdin(Stdio::null())
            .stdout(file("out"))
            .stderr(file("log"))
            .spawn()
            .expect("the program starts");
        for _ in 0..200 {
            std::thread::sleep(Duration::from_millis(50));
            let said = read(&directory, "out");
            // The address of the phone is the last that it prints.
            if let Some((settings, phone)) = said.split_once("The phone: ")
                && phone.ends_with('\n')
            {
                let (_, settings) = settings.split_at(settings.find("[bankid]").expect("settings"));
                let Printed { bankid } = toml::from_str(settings).expect("TOML");
                return Simulating {
                    child,
                    directory,
                    bankid,
                };
            }
        }
        let _ = child.kill();
        let _ = child.wait();
        panic!("it does not get ready: {}", read(&directory, "log"));
    }
}

impl Drop for Simulating {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // What it said is searched with the rest.
        if let Some(record) = std::env::var_os("PORTVAKT_TEST_RECORD") {
            let logs = Path::new(&record).join("logs");
            let _ = std::fs::create_dir_all(&logs);
            let name = format!("simulate-{}.log", self.child.id());
            let _ = std::fs::copy(self.directory.path().join("log"), logs.join(name));
        }
    }
}

fn read(directory: &TempDir, name: &str) -> String {
    std::fs::read_to_string(directory.path().join(name)).unwrap_or_default()
}

#[test]
fn a_client_of_somebody_elses_works_with_the_simulator_as_it_is() {
    let Some(python) = python() else {
        return;
    };
    let _shows = shows!(accepting "PV-SIM-12");
    let simulating = Simulating::start();
    let bankid = &simulating.bankid;
    let output = program(python, "pybankid_client.py")
        .args([
            &bankid.url,
            &bankid.root_file,
            &bankid.certificate_file,
            &bankid.key_file,
            &bankid.phone_url,
        ])
        .output()
        .expect("Python runs");
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

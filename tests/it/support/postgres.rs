//! A PostgreSQL server of a test's own, which it may stop and start: what all tests share must stay.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use tempfile::TempDir;

use super::left_out;
use super::ports;

pub struct Server {
    bin: PathBuf,
    place: TempDir,
    port: u16,
    /// What it is started with besides.
    options: String,
}

static SAID: OnceLock<()> = OnceLock::new();

impl Server {
    /// One with nothing in it, that keeps on the disk what it says that it keeps.
    pub fn start() -> Option<Server> {
        let server = Server::made("portvakt", &["--auth=trust"])?;
        server.start_again();
        Some(server)
    }

    /// One that does not run yet, of a superuser, with more of what its cluster is made with.
    pub fn made(superuser: &str, how: &[&str]) -> Option<Server> {
        let Some(bin) = newest_programs() else {
            left_out("PostgreSQL", &SAID);
            return None;
        };
        let place = tempfile::tempdir().expect("a directory");
        let all_may_enter = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(place.path(), all_may_enter).expect("set");
        if is_root() {
            let mut given = Command::new("chown");
            let given = given.arg("postgres").arg(place.path()).status();
            assert!(given.expect("it runs").success());
        }
        let server = Server {
            bin,
            place,
            port: ports::free(),
            options: String::new(),
        };
        let data = server.data();
        let fresh = ["-D", &data, "-U", superuser, "--no-sync"];
        server.run("initdb", &[&fresh, how].concat());
        Some(server)
    }

    /// Starts it with more options.
    pub fn start_with(&mut self, options: &str) {
        options.clone_into(&mut self.options);
        self.start_again();
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where its socket is.
    pub fn place(&self) -> &Path {
        self.place.path()
    }

    /// Its programs.
    pub fn bin(&self) -> &Path {
        &self.bin
    }

    pub fn url(&self) -> String {
        format!("postgres://portvakt@127.0.0.1:{}/postgres", self.port)
    }

    /// `smart`, `fast` or `immediate`: the last is a crash.
    pub fn stop(&self, mode: &str) {
        self.run("pg_ctl", &["-D", &self.data(), "-w", "-m", mode, "stop"]);
    }

    pub fn start_again(&self) {
        let place = self.place.path().display();
        let options = format!(
            "-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories={place} -c fsync=on {}",
            self.port, self.options
        );
        let log = format!("{place}/log");
        self.run(
            "pg_ctl",
            &[
                "-D",
                &self.data(),
                "-w",
                "-l",
                &log,
                "-o",
                &options,
                "start",
            ],
        );
    }

    /// Stops it and starts it in one.
    pub fn restart(&self, mode: &str) {
        let log = format!("{}/log", self.place.path().display());
        self.run(
            "pg_ctl",
            &["-D", &self.data(), "-w", "-l", &log, "-m", mode, "restart"],
        );
    }

    fn data(&self) -> String {
        format!("{}/data", self.place.path().display())
    }

    /// PostgreSQL does not run as root.
    fn run(&self, program: &str, arguments: &[&str]) {
        let program = self.bin.join(program);
        let mut command = match is_root() {
            true => {
                let mut command = Command::new("runuser");
                command.args(["-u", "postgres", "--"]).arg(&program);
                command
            }
            false => Command::new(&program),
        };
        // What it says it says to files: the server that it starts would keep a pipe open.
        let said = tempfile::NamedTempFile::new().expect("a file");
        let status = command
            .args(arguments)
            .current_dir(self.place.path())
            .stdin(Stdio::null())
            .stdout(said.reopen().expect("the file"))
            .stderr(said.reopen().expect("the file"))
            .status()
            .expect("it runs");
        let text = std::fs::read_to_string(said.path()).unwrap_or_default();
        assert!(status.success(), "{program:?} {arguments:?}: {text}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that was stopped already says so, and that is all.
        let data = self.data();
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            if Path::new(&data).join("postmaster.pid").exists() {
                self.stop("immediate");
            }
        }));
    }
}

/// Where Debian keeps the programs of the newest version that is there.
fn newest_programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let newest = versions
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .max()?;
    Some(format!("/usr/lib/postgresql/{newest}/bin").into())
}

pub fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

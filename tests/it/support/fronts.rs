//! The proxies that people put in front of the provider, with the configuration that is shipped: nothing is
//! changed in it but addresses, names and the places of certificates and logs.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpStream;

use super::cluster::Place;
use super::ports;
use super::postgres::is_root;
use super::{App, left_out};

/// A program of Debian's, where it is or need not be.
pub fn program(name: &'static str, said: &OnceLock<()>) -> Option<PathBuf> {
    let folders = ["/usr/sbin", "/usr/bin"].map(|folder| Path::new(folder).join(name));
    let found = folders.into_iter().find(|file| file.is_file());
    if found.is_none() {
        left_out(name, said);
    }
    found
}

/// Where the files are that are shipped.
pub fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy")
}

/// One of them.
pub fn shipped(name: &str) -> String {
    std::fs::read_to_string(deploy().join(name)).expect("a file that is shipped")
}

/// The names that shipped files have.
pub const NAME: &str = "login.example.se";
/// The addresses that they have for nodes.
const NODES: [&str; 3] = ["10.0.0.11:8080", "10.0.0.12:8080", "10.0.0.13:8080"];

/// A proxy in the place of an app's provider. It ends with it.
pub struct Front {
    child: Child,
    place: TempDir,
    log: &'static str,
}

impl Front {
    /// nginx before nodes, or nothing where there is none and there need not be one. The app has `name` for
    /// its provider.
    pub async fn nginx(app: &App, name: &str, nodes: [Place; 3]) -> Option<Front> {
        static SAID: OnceLock<()> = OnceLock::new();
        let nginx = program("nginx", &SAID)?;
        let place = TempDir::new().expect("a directory");
        let at = place.path().display().to_string();
        let (port, plain) = (port_of(app), ports::free());
        certificate(app, name, place.path());
        let common = format!("{at}/server.conf");
        let mut text = shipped("nginx/portvakt.conf")
            .replace("/etc/nginx/portvakt/server.conf", &common)
            .replace("listen [::]:443", &format!("listen 127.0.0.2:{port}"))
            .replace("listen [::]:80", &format!("listen 127.0.0.2:{plain}"))
            .replace("listen 443", &format!("listen 127.0.0.1:{port}"))
            .replace("listen 80", &format!("listen 127.0.0.1:{plain}"))
            .replace(NAME, name);
        let of_servers = shipped("nginx/server.conf")
            .replace(
                "/etc/nginx/portvakt/login.example.se",
                &format!("{at}/page"),
            )
            .replace("/var/log/nginx", &at);
        std::fs::write(&common, of_servers).expect("written");
        for (written, node) in NODES.iter().zip(nodes) {
            assert!(text.contains(written), "{written}");
            text = text.replace(written, &format!("127.0.0.1:{}", node.public));
        }
        // The issuer here has a port.
        for host in ["", "mtls."] {
            let written = format!("Host {host}{name};");
            assert!(text.contains(&written), "{written}");
            text = text.replace(&written, &format!("Host {host}{name}:{port};"));
        }
        std::fs::write(place.path().join("portvakt.conf"), text).expect("written");
        let around = format!(
            "daemon off; worker_processes 2; pid {at}/pid; user root;\n\
             events {{ worker_connections 1024; }}\n\
             http {{\n\
             client_body_temp_path {at}/body; proxy_temp_path {at}/proxy; fastcgi_temp_path {at}/fastcgi;\n\
             uwsgi_temp_path {at}/uwsgi; scgi_temp_path {at}/scgi;\n\
             access_log {at}/others.log; ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3;\n\
             include {at}/portvakt.conf;\n\
             }}\n"
        );
        let around = match is_root() {
            true => around,
            false => around.replace(" user root;", ""),
        };
        let main = place.path().join("nginx.conf");
        std::fs::write(&main, around).expect("written");
        let mut command = Command::new(nginx);
        command.args(["-e", "stderr", "-c"]).arg(&main);
        Some(Front::started(command, place, "portvakt.log", port).await)
    }

    /// The same of Caddy, which would fetch certificates by itself and is given one here.
    pub async fn caddy(app: &App, name: &str, nodes: [Place; 3]) -> Option<Front> {
        static SAID: OnceLock<()> = OnceLock::new();
        let caddy = program("caddy", &SAID)?;
        let place = TempDir::new().expect("a directory");
        let at = place.path().display().to_string();
        let port = port_of(app);
        certificate(app, name, place.path());
        let here = "{\n\tadmin off\n\tauto_https off\n\tdefault_bind 127.0.0.1\n";
        let log = format!("log default {{\n\t\toutput file {at}/log\n");
        let certificate = format!("\ttls {at}/page.pem {at}/page.key\n\theader Strict-");
        let text = shipped("caddy/Caddyfile")
            .replacen("{\n", here, 1)
            .replacen("log default {\n", &log, 1)
            .replace("\theader Strict-", &certificate)
            .replace("health_port 9464", &format!("health_port {}", nodes[0].ops));
        let file = place.path().join("Caddyfile");
        std::fs::write(&file, text).expect("written");
        std::fs::write(place.path().join("log"), "").expect("written");
        let nodes = nodes.map(|node| format!("127.0.0.1:{}", node.public));
        let mut command = Command::new(caddy);
        command
            .args(["run", "--config"])
            .arg(file)
            .env("HOME", place.path())
            .env_remove("XDG_DATA_HOME")
            .env_remove("XDG_CONFIG_HOME")
            .env("PORTVAKT_HOST", format!("{name}:{port}"))
            .env("PORTVAKT_NODES", nodes.join(" "))
            .env(
                "PORTVAKT_ADMIN_NODES",
                format!("127.0.0.1:{}", ports::free()),
            )
            .env("PORTVAKT_ADMIN_FROM", "127.0.0.0/25")
            .env("PORTVAKT_ADMIN_NOT_FROM", "127.0.0.66/32");
        Some(Front::started(command, place, "log", port).await)
    }

    async fn started(mut command: Command, place: TempDir, log: &'static str, port: u16) -> Front {
        let said = std::fs::File::create(place.path().join("said")).expect("a file");
        let child = command
            .stdin(Stdio::null())
            .stdout(said.try_clone().expect("a file"))
            .stderr(said)
            .spawn()
            .expect("it starts");
        let front = Front { child, place, log };
        for _ in 0..200 {
            if TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                return front;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let said = std::fs::read_to_string(front.place.path().join("said")).expect("a file");
        panic!("it does not listen: {said}");
    }

    /// What it wrote to the log that was there before it. Only nginx has one.
    pub fn others_log(&self) -> String {
        std::fs::read_to_string(self.place.path().join("others.log")).unwrap_or_default()
    }

    /// What it wrote of requests.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.place.path().join(self.log)).expect("a log")
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        // SIGTERM, which its workers hear of too.
        let pid = self.child.id().to_string();
        let _ = Command::new("kill").arg(pid).status();
        let _ = self.child.wait();
        // What it wrote is searched for secrets with all other logs.
        if let Some(record) = std::env::var_os("PORTVAKT_TEST_RECORD") {
            let name = format!("front-{}.log", self.child.id());
            let kept = Path::new(&record).join("logs").join(name);
            let _ = std::fs::copy(self.place.path().join(self.log), kept);
        }
    }
}

pub fn port_of(app: &App) -> u16 {
    let (_, port) = app.issuer.rsplit_once(':').expect("a port");
    port.parse().expect("a port")
}

/// A certificate for all names of the provider, where the proxy finds it.
fn certificate(app: &App, name: &str, place: &Path) {
    let names = [
        name.to_owned(),
        format!("mtls.{name}"),
        format!("admin.{name}"),
    ];
    let names = names.each_ref().map(String::as_str);
    let made = app.pages.server(&names).expect("made");
    for (file, text) in [
        ("page.pem", made.certificate_pem()),
        ("page.key", made.key_pem()),
    ] {
        std::fs::write(place.join(file), text).expect("written");
    }
}

//! What stands between a node and PostgreSQL: it reads which statement goes by, and a test decides what
//! becomes of it. It knows as much of PostgreSQL's protocol (version 3) as that takes, and speaks without TLS.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::ports;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::Notify;
use tokio::time::sleep;

/// A statement that a node runs.
#[derive(Clone, Debug)]
pub struct Statement {
    /// In one line.
    pub sql: String,
    /// Its parameters, as they are on the wire.
    bound: Vec<u8>,
}

impl Statement {
    /// Whether it begins like this, and has this among its parameters.
    pub fn is(&self, begins: &str, bound: &str) -> bool {
        let bound = bound.as_bytes();
        let mut parts = self.bound.windows(bound.len().max(1));
        self.sql.starts_with(begins) && (bound.is_empty() || parts.any(|part| part == bound))
    }
}

impl Statement {
    /// Whether it is, or has as one of its parts, a statement that begins like this, with this among the
    /// parameters.
    pub fn runs(&self, begins: &str, bound: &str) -> bool {
        self.is(begins, bound) || (self.is_of_parts() && self.has(begins, bound))
    }

    /// Whether what runs such a statement is committed here.
    pub fn commits(&self, before: &[Statement], begins: &str, bound: &str) -> bool {
        match self.sql.as_str() {
            "COMMIT" => before.iter().any(|it| it.is(begins, bound)),
            _ => self.is_of_parts() && self.has(begins, bound),
        }
    }

    fn has(&self, part: &str, bound: &str) -> bool {
        self.sql.contains(part) && self.is("", bound)
    }

    fn is_of_parts(&self) -> bool {
        self.sql.starts_with("WITH ")
    }
}

/// When something becomes of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum When {
    /// The node has said it, and the database has not heard of it.
    Unsent,
    /// The database has heard of it, and nobody knows what it does.
    Sent,
    /// The database has done it, and the node does not know.
    Done,
}

impl When {
    pub const ALL: [When; 3] = [When::Unsent, When::Sent, When::Done];
}

/// What becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The connection is cut.
    Cut(When),
    /// Nothing goes on, until the node hangs up.
    Held(When),
    /// The connection is cut, and the database hears of it this much later.
    Late(Duration),
}

/// Is told of each statement, and of those before it in its transaction; the first fate that it decides on is
/// the last thing that it is asked.
type Watcher = Box<dyn FnMut(&Statement, &[Statement]) -> Option<Fate> + Send>;

pub struct Between {
    pub port: u16,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    watcher: Mutex<Option<Watcher>>,
    met: Notify,
    /// How many connections are held that the node has not hung up yet.
    silent: AtomicUsize,
}

impl Between {
    /// Stands in front of the server that an address of PostgreSQL's names.
    pub async fn start(url: &str) -> Between {
        let (host, port) = server_of(url);
        let server = lookup_host((host.as_str(), port)).await;
        let server = server.expect("looked up").next().expect("an address");
        let (listener, port) = ports::awaited();
        let shared = Arc::new(Shared::default());
        let serving = shared.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let shared = serving.clone();
                // However a connection ends, it is no matter of ours.
                tokio::spawn(async move { Connection::serve(client, server, shared).await });
            }
        });
        Between { port, shared }
    }

    /// A configuration's database is reached through here, by this change of its lines.
    pub fn detour(&self, url: &str) -> (String, String) {
        let (host, port) = server_of(url);
        let here = format!("@127.0.0.1:{}/", self.port);
        (format!("@{host}:{port}/"), here)
    }

    /// Has every statement shown from now on.
    pub fn watch(
        &self,
        watcher: impl FnMut(&Statement, &[Statement]) -> Option<Fate> + Send + 'static,
    ) {
        *self.watcher() = Some(Box::new(watcher));
    }

    /// Lets everything pass from now on.
    pub fn let_pass(&self) {
        *self.watcher() = None;
    }

    /// Waits until a statement met its fate.
    pub async fn met(&self) {
        self.shared.met.notified().await;
    }

    /// Waits until the node has hung up every connection that was held.
    pub async fn until_none_is_silent(&self) {
        for _ in 0..600 {
            if self.shared.silent.load(Ordering::SeqCst) == 0 {
                return;
            }
            sleep(Duration::from_millis(50)).await;
        }
        panic!("a silent connection is kept");
    }

    fn watcher(&self) -> std::sync::MutexGuard<'_, Option<Watcher>> {
        self.shared.watcher.lock().expect("unpoisoned")
    }
}

fn server_of(url: &str) -> (String, u16) {
    let url = url::Url::parse(url).expect("an address");
    let host = url.host_str().expect("a host").to_owned();
    (host, url.port().unwrap_or(5432))
}

/// What the node says up to where it waits for an answer.
struct Turn {
    bytes: Vec<u8>,
    runs: Option<Statement>,
}

struct Connection {
    client: TcpStream,
    server: TcpStream,
    /// Prepared statements by their names.
    prepared: HashMap<Vec<u8>, String>,
    /// What ran in the transaction that is under way.
    transaction: Vec<Statement>,
}

const SSL_REQUEST: [u8; 4] = 80_877_103_u32.to_be_bytes();

impl Connection {
    async fn serve(client: TcpStream, server: SocketAddr, shared: Arc<Shared>) -> io::Result<()> {
        let server = TcpStream::connect(server).await?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let mut connection = Connection {
            client,
            server,
            prepared: HashMap::new(),
            transaction: Vec::new(),
        };
        connection.start_up().await?;
        loop {
            let turn = connection.turn().await?;
            let fate = connection.judge(&turn, &shared);
            if connection.pass(&turn, fate).await? {
                continue;
            }
            shared.met.notify_one();
            if let Some(Fate::Held(_)) = fate {
                shared.silent.fetch_add(1, Ordering::SeqCst);
                while connection.client.read_u8().await.is_ok() {}
                shared.silent.fetch_sub(1, Ordering::SeqCst);
            }
            return Ok(());
        }
    }

    /// Whose turn it is, up to where the server is ready.
    async fn start_up(&mut self) -> io::Result<()> {
        loop {
            let length = self.client.read_u32().await?;
            let mut body = vec![0; rest(length)?];
            self.client.read_exact(&mut body).await?;
            if body.starts_with(&SSL_REQUEST) {
                self.client.write_all(b"N").await?;
                continue;
            }
            self.server.write_u32(length).await?;
            self.server.write_all(&body).await?;
            break;
        }
        loop {
            let (kind, bytes) = message(&mut self.server).await?;
            self.client.write_all(&bytes).await?;
            match (kind, bytes.get(5..9)) {
                (b'Z', _) => return Ok(()),
                // A password, or a step on the way to one.
                (b'R', Some([0, 0, 0, 3 | 5 | 10 | 11])) => {
                    let (_, said) = message(&mut self.client).await?;
                    self.server.write_all(&said).await?;
                }
                _ => {}
            }
        }
    }

    async fn turn(&mut self) -> io::Result<Turn> {
        let mut turn = Turn {
            bytes: Vec::new(),
            runs: None,
        };
        let mut bound = None;
        loop {
            let (kind, bytes) = message(&mut self.client).await?;
            let body = &bytes[5..];
            match kind {
                b'P' => {
                    let (name, sql) = (text(body, 0), text(body, 1));
                    self.prepared.insert(name, in_one_line(&sql));
                }
                b'B' => {
                    let sql = self.prepared.get(&text(body, 1));
                    bound = Some(Statement {
                        sql: sql.cloned().unwrap_or_default(),
                        bound: body.to_vec(),
                    });
                }
                b'E' => turn.runs = bound.take(),
                b'Q' => {
                    turn.runs = Some(Statement {
                        sql: in_one_line(&text(body, 0)),
                        bound: Vec::new(),
                    });
                }
                _ => {}
            }
            turn.bytes.extend(bytes);
            match kind {
                b'Q' | b'S' => return Ok(turn),
                b'X' => {
                    self.server.write_all(&turn.bytes).await?;
                    return Err(io::ErrorKind::ConnectionAborted.into());
                }
                _ => {}
            }
        }
    }

    fn judge(&mut self, turn: &Turn, shared: &Shared) -> Option<Fate> {
        let statement = turn.runs.as_ref()?;
        let mut watcher = shared.watcher.lock().expect("unpoisoned");
        let fate = watcher.as_mut()?(statement, &self.transaction);
        if fate.is_some() {
            *watcher = None;
        }
        fate
    }

    /// `false` when it met its fate.
    async fn pass(&mut self, turn: &Turn, fate: Option<Fate>) -> io::Result<bool> {
        let when = match fate {
            Some(Fate::Cut(when) | Fate::Held(when)) => Some(when),
            Some(Fate::Late(delay)) => {
                self.client.shutdown().await?;
                sleep(delay).await;
                Some(When::Done)
            }
            None => None,
        };
        if when == Some(When::Unsent) {
            return Ok(false);
        }
        self.server.write_all(&turn.bytes).await?;
        if when == Some(When::Sent) {
            return Ok(false);
        }
        let mut answer = Vec::new();
        let is_idle = loop {
            let (kind, bytes) = message(&mut self.server).await?;
            answer.extend(&bytes);
            if kind == b'Z' {
                break bytes.ends_with(b"I");
            }
        };
        if when == Some(When::Done) {
            return Ok(false);
        }
        match (is_idle, &turn.runs) {
            (true, _) => self.transaction.clear(),
            (false, Some(statement)) => self.transaction.push(statement.clone()),
            (false, None) => {}
        }
        self.client.write_all(&answer).await?;
        Ok(true)
    }
}

/// A whole message, and of which kind it is.
async fn message(from: &mut TcpStream) -> io::Result<(u8, Vec<u8>)> {
    let kind = from.read_u8().await?;
    let length = from.read_u32().await?;
    let mut bytes = vec![kind];
    bytes.extend(length.to_be_bytes());
    bytes.resize(5 + rest(length)?, 0);
    from.read_exact(&mut bytes[5..]).await?;
    Ok((kind, bytes))
}

/// How much follows a length, which counts itself.
fn rest(length: u32) -> io::Result<usize> {
    let rest = length.checked_sub(4).ok_or(io::ErrorKind::InvalidData)?;
    Ok(usize::try_from(rest).expect("at least 32 bits"))
}

/// One of the texts that a message begins with.
fn text(body: &[u8], at: usize) -> Vec<u8> {
    let mut texts = body.split(|byte| *byte == 0);
    texts.nth(at).unwrap_or_default().to_vec()
}

fn in_one_line(sql: &[u8]) -> String {
    let sql = String::from_utf8_lossy(sql);
    sql.split_whitespace().collect::<Vec<_>>().join(" ")
}

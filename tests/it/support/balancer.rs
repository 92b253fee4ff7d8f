//! What stands in front of several nodes: it asks each once a second whether it is ready, sends what comes to
//! those that are, in turn, and sends nothing twice that was sent. Where none is ready it sends to any, as many do.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use actix_web::dev::ServerHandle;
use actix_web::http::StatusCode;
use actix_web::web::{Bytes, Data};
use actix_web::{App as Actix, HttpRequest, HttpResponse, HttpServer, web};
use futures_util::stream;

use super::App;
use super::cluster::Place;

pub struct Balancer {
    nodes: Arc<Nodes>,
    _asking: tokio::task::JoinSet<()>,
    _served: ServerHandle,
}

struct Nodes {
    all: Vec<Behind>,
    turn: AtomicUsize,
    /// How much was sent while no node was ready.
    unready: AtomicUsize,
    http: reqwest::Client,
}

/// A node, as seen from here.
struct Behind {
    place: Place,
    is_ready: AtomicBool,
    sent: AtomicUsize,
    /// When the latest question was asked that was answered with yes.
    ready_at: Mutex<Option<Instant>>,
    /// How often it took nothing, so soon after it had said yes that nobody can have known.
    surprises: AtomicUsize,
}

/// How often readiness is asked for.
const INTERVAL: Duration = Duration::from_secs(1);
/// For how long a node that will stop is still served from.
const LEAVING: Duration = Duration::from_secs(5);

impl Balancer {
    /// Takes the place of an app's provider, which must have been stopped.
    pub async fn before(app: &App, places: &[Place]) -> Balancer {
        let (_, port) = app.issuer.rsplit_once(':').expect("a port");
        let port: u16 = port.parse().expect("a port");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("a free port");
        let http = reqwest::Client::builder()
            .pool_idle_timeout(Duration::from_secs(8))
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a client");
        let behind = |place: &Place| Behind {
            place: *place,
            is_ready: AtomicBool::new(false),
            sent: AtomicUsize::new(0),
            ready_at: Mutex::default(),
            surprises: AtomicUsize::new(0),
        };
        let nodes = Arc::new(Nodes {
            all: places.iter().map(behind).collect(),
            turn: AtomicUsize::new(0),
            unready: AtomicUsize::new(0),
            http,
        });
        let data = Data::new(nodes.clone());
        let server = HttpServer::new(move || {
            Actix::new()
                .app_data(data.clone())
                .default_service(web::to(pass))
        })
        .workers(2)
        .disable_signals()
        // Longer than whoever comes keeps a connection for the next time.
        .keep_alive(Duration::from_secs(15))
        .listen(listener)
        .expect("served")
        .run();
        let handle = server.handle();
        tokio::spawn(server);
        let mut asking = tokio::task::JoinSet::new();
        for index in 0..nodes.all.len() {
            asking.spawn(nodes.clone().ask(index));
        }
        let balancer = Balancer {
            nodes,
            _asking: asking,
            _served: handle,
        };
        for node in 0..places.len() {
            balancer.until(node, true).await;
        }
        balancer
    }

    /// Waits until a node is sent people, or is not.
    pub async fn until(&self, node: usize, is_ready: bool) {
        for _ in 0..600 {
            if self.nodes.all[node].is_ready.load(Ordering::SeqCst) == is_ready {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("node {node} is never ready = {is_ready}");
    }

    /// How many requests were sent to any node, because none was ready.
    pub fn sent_unready(&self) -> usize {
        self.nodes.unready.load(Ordering::SeqCst)
    }

    /// How often a node took nothing less than five seconds after it had said that it is ready.
    pub fn surprises(&self) -> usize {
        let all = self.nodes.all.iter();
        all.map(|node| node.surprises.load(Ordering::SeqCst)).sum()
    }

    /// How many requests a node was sent.
    pub fn sent(&self, node: usize) -> usize {
        self.nodes.all[node].sent.load(Ordering::SeqCst)
    }
}

impl Behind {
    /// Asked just before it was told to stop, it still has its five seconds.
    fn refuses(&self) {
        self.is_ready.store(false, Ordering::SeqCst);
        let ready_at = *self.ready_at.lock().expect("unpoisoned");
        if ready_at.is_some_and(|at| at.elapsed() < LEAVING) {
            self.surprises.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl Nodes {
    async fn ask(self: Arc<Nodes>, index: usize) {
        let node = &self.all[index];
        let url = format!("http://127.0.0.1:{}/readyz", node.place.ops);
        loop {
            let asked_at = Instant::now();
            let asked = self.http.get(&url).timeout(INTERVAL * 3).send().await;
            match asked {
                Ok(answer) => {
                    let is_ready = answer.status() == 200;
                    if is_ready {
                        *node.ready_at.lock().expect("unpoisoned") = Some(asked_at);
                    }
                    node.is_ready.store(is_ready, Ordering::SeqCst);
                }
                Err(error) if error.is_connect() => node.is_ready.store(false, Ordering::SeqCst),
                // One that takes its time, on a machine that has much to do.
                Err(_) => {}
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }

    fn next(&self) -> &Behind {
        let turn = self.turn.fetch_add(1, Ordering::SeqCst);
        let ready: Vec<&Behind> = self
            .all
            .iter()
            .filter(|node| node.is_ready.load(Ordering::SeqCst))
            .collect();
        match ready.len() {
            0 => {
                self.unready.fetch_add(1, Ordering::SeqCst);
                &self.all[turn % self.all.len()]
            }
            many => ready[turn % many],
        }
    }
}

/// Headers that are between two of the three and not for the third (RFC 9110 §7.6.1).
const OF_THE_CONNECTION: [&str; 4] = [
    "connection",
    "content-length",
    "keep-alive",
    "transfer-encoding",
];

async fn pass(nodes: Data<Arc<Nodes>>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let mut tried = 0;
    loop {
        let node = nodes.next();
        match sent(&nodes, node, &request, body.clone()).await {
            Ok(answer) => return passed_back(answer),
            // Nothing was sent.
            Err(error) if error.is_connect() && tried < nodes.all.len() => {
                node.refuses();
                tried += 1;
            }
            Err(error) => {
                return HttpResponse::BadGateway().body(format!(
                    "node {} did not answer {} {}: {error:?}",
                    node.place.public,
                    request.method(),
                    request.path()
                ));
            }
        }
    }
}

async fn sent(
    nodes: &Nodes,
    node: &Behind,
    request: &HttpRequest,
    body: Bytes,
) -> Result<reqwest::Response, reqwest::Error> {
    node.sent.fetch_add(1, Ordering::SeqCst);
    let url = format!("http://127.0.0.1:{}{}", node.place.public, request.uri());
    let method = reqwest::Method::from_bytes(request.method().as_str().as_bytes());
    let mut onward = nodes
        .http
        .request(method.expect("a method"), url)
        .body(body);
    for (name, value) in request.headers() {
        if !OF_THE_CONNECTION.contains(&name.as_str()) {
            onward = onward.header(name.as_str(), value.as_bytes());
        }
    }
    onward.send().await
}

fn passed_back(answer: reqwest::Response) -> HttpResponse {
    let status = StatusCode::from_u16(answer.status().as_u16()).expect("a status");
    let mut back = HttpResponse::build(status);
    for (name, value) in answer.headers() {
        if !OF_THE_CONNECTION.contains(&name.as_str()) {
            back.append_header((name.as_str(), value.as_bytes()));
        }
    }
    back.streaming(stream::unfold(Some(answer), |answer| async {
        let mut answer = answer?;
        match answer.chunk().await {
            Ok(chunk) => Some((Ok(chunk?), Some(answer))),
            Err(error) => Some((Err(error), None)),
        }
    }))
}

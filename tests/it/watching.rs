//! What is measured, and what is shipped to look at it with: the table of the document, Prometheus' rules, Grafana's
//! dashboard.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use portvakt::shows;

use crate::support::phone::{ASA, TOLVAN};
use crate::support::ports;
use crate::support::{App, Backend, Browser, Database, Options, left_out, on_both, run};

static SAID: OnceLock<()> = OnceLock::new();

/// Prometheus' tool, or nothing where there is none and there need not be one.
fn promtool() -> Option<PathBuf> {
    let tool = std::env::var_os("PORTVAKT_TEST_PROMTOOL");
    if tool.is_none() {
        left_out("promtool", &SAID);
    }
    tool.map(PathBuf::from)
}

fn shipped(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("deploy")
        .join(path)
}

fn read(path: &str) -> String {
    std::fs::read_to_string(shipped(path)).expect("it is shipped")
}

const TABLE: &str = include_str!("../../docs/monitoring.md");

/// A row of the table, or what a scrape says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Described {
    kind: String,
    labels: BTreeSet<String>,
    help: String,
}

/// The table of the document.
fn table() -> BTreeMap<String, Described> {
    let rows = TABLE.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| {
        let cells: Vec<&str> = row
            .trim_end_matches('|')
            .split(" | ")
            .map(str::trim)
            .collect();
        let [name, kind, labels, help] = cells.as_slice() else {
            return None;
        };
        let labels = labels
            .split(',')
            .map(|label| label.trim().trim_matches('`'));
        let described = Described {
            kind: (*kind).to_owned(),
            labels: labels
                .filter(|l| !l.is_empty())
                .map(str::to_owned)
                .collect(),
            help: (*help).to_owned(),
        };
        Some((name.trim_end_matches('`').to_owned(), described))
    })
    .collect()
}

/// What came of one look at `/metrics`.
#[derive(Debug)]
struct Scrape {
    text: String,
    described: BTreeMap<String, Described>,
    /// Name and labels of each number.
    samples: BTreeMap<String, f64>,
}

impl Scrape {
    fn read(text: String) -> Scrape {
        let mut described: BTreeMap<String, Described> = BTreeMap::new();
        let mut samples = BTreeMap::new();
        for line in text.lines() {
            if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|l| l.split_once(' '))
            {
                described.entry(name.to_owned()).or_default().help = help.to_owned();
            } else if let Some((name, kind)) =
                line.strip_prefix("# TYPE ").and_then(|l| l.split_once(' '))
            {
                described.entry(name.to_owned()).or_default().kind = kind.to_owned();
            } else {
                let (sample, value) = line.rsplit_once(' ').expect("a sample");
                samples.insert(sample.to_owned(), value.parse().expect("a number"));
                let (name, labels) = sample.split_once('{').unwrap_or((sample, ""));
                let described = described.get_mut(&family(name)).expect("it is described");
                let labels = labels.trim_end_matches('}').split("\",");
                let names = labels.filter_map(|label| label.split_once('='));
                let names = names.map(|(name, _)| name.to_owned());
                described.labels.extend(names.filter(|name| name != "le"));
            }
        }
        Scrape {
            text,
            described,
            samples,
        }
    }

    /// All numbers that belong to a name that a query may use.
    fn of(&self, name: &str) -> BTreeMap<&str, f64> {
        let is_it = |sample: &str| sample.split('{').next() == Some(name);
        let samples = self.samples.iter().filter(|(sample, _)| is_it(sample));
        samples
            .map(|(sample, value)| (sample.as_str(), *value))
            .collect()
    }
}

/// By what a number is described: a histogram has three kinds of them.
fn family(name: &str) -> String {
    let name = match name.contains("_seconds") && !name.ends_with("_total") {
        true => ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|end| name.strip_suffix(end))
            .unwrap_or(name),
        false => name,
    };
    name.to_owned()
}

/// An app whose operator listens.
struct Watched {
    app: App,
    port: u16,
}

impl Watched {
    async fn start(database: Database, backend: &Backend) -> Watched {
        let options = Options {
            told: Some(backend.told.clone()),
            ..Options::on(database)
        };
        let app = App::start(options).await;
        let (listener, port) = ports::listener();
        let handle = tokio::runtime::Handle::current();
        portvakt::http::ops::serve(app.provider.clone(), listener, &handle).expect("served");
        Watched { app, port }
    }

    async fn ask(&self, accept: &str) -> (String, String) {
        let url = format!("http://127.0.0.1:{}/metrics", self.port);
        let answer = self.app.http.get(url).header("accept", accept).send().await;
        let answer = answer.expect("an answer");
        let media_type = answer.headers()["content-type"]
            .to_str()
            .expect("text")
            .to_owned();
        (media_type, answer.text().await.expect("text"))
    }

    async fn scrape(&self) -> Scrape {
        let (media_type, text) = self.ask("text/plain;version=0.0.4").await;
        assert_eq!(media_type, "text/plain; version=0.0.4; charset=utf-8");
        Scrape::read(text)
    }

    /// A scrape when all is well in it that the provider does after its start.
    async fn first(&self) -> Scrape {
        for _ in 0..100 {
            let scrape = self.scrape().await;
            if !scrape.of("portvakt_data_key_generations").is_empty() {
                return scrape;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the keys of the database are never looked at");
    }
}

/// Everything that a login and its like leave, with a look while a page follows one.
async fn story(watched: &Watched) -> Scrape {
    let app = &watched.app;
    let browser = Browser::new();
    let answer = app.log_in(&browser, TOLVAN).await;
    crate::token::redeem(app, &answer).await;
    // A code in two hands, and a code that is none.
    crate::token::exchange(app, answer.code(), &[]).await;
    crate::token::exchange(app, "nonsense", &[]).await;
    // Another person in the same browser: the client is told, and does not hear.
    app.log_in_with(&browser, ASA, &[("prompt", Some("login"))])
        .await;
    let tokens = crate::refresh::tokens(app).await;
    let token = crate::refresh::text(&tokens, "refresh_token");
    crate::refresh::refresh(app, token).await;
    // Time enough for the question to BankID that finds the order scanned.
    let other = Browser::new();
    let choice = other.get(&app.authorize_url(&[("state", Some("b"))])).await;
    let login = other.choose(&choice, "other").await;
    let events = other
        .try_events(&login.login_url())
        .await
        .expect("a stream");
    let order = app.phone.scan(&login.qr_text(), TOLVAN).await;
    let mut seen = watched.scrape().await;
    for _ in 0..60 {
        let hint = "portvakt_bankid_hints_total{hint=\"userSign\"}";
        if seen.samples[hint] > 0.0 && seen.samples["portvakt_jobs_oldest_age_seconds"] > 0.0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        seen = watched.scrape().await;
    }
    drop(events);
    order.decline().await;
    seen
}

on_both!(
    the_table_of_metrics_is_what_there_is,
    async |database: Database| {
        let _shows = shows!(accepting "PV-OPS-3", refusing "PV-OPS-3", accepting "PV-OPS-4");
        let is_sqlite = matches!(database, Database::Sqlite);
        let backend = Backend::start();
        backend.answer(503, Duration::ZERO);
        let watched = Watched::start(database, &backend).await;
        let table = table();
        let first = watched.first().await;
        // Everything is there before anything happened.
        let described = |scrape: &Scrape| -> BTreeMap<String, Described> {
            let all = scrape.described.iter();
            all.map(|(name, described)| {
                (
                    name.clone(),
                    Described {
                        labels: BTreeSet::new(),
                        ..described.clone()
                    },
                )
            })
            .collect()
        };
        let unlabelled: BTreeMap<_, _> = table
            .iter()
            .map(|(name, row)| {
                (
                    name.clone(),
                    Described {
                        labels: BTreeSet::new(),
                        ..row.clone()
                    },
                )
            })
            .collect();
        let is_elsewhere = |name: &str| !is_sqlite && name == "portvakt_database_disk_free_bytes";
        for (name, row) in unlabelled.iter().filter(|(name, _)| !is_elsewhere(name)) {
            assert_eq!(described(&first).get(name), Some(row), "{name}");
        }
        for name in described(&first).keys() {
            assert!(
                table.contains_key(name),
                "{name} is not in docs/monitoring.md"
            );
        }
        for name in table.keys() {
            let is_there = first
                .samples
                .keys()
                .any(|sample| family(sample.split('{').next().unwrap_or_default()) == *name);
            assert_eq!(is_there, !is_elsewhere(name), "{name}");
        }
        for (sample, expected) in [
            ("portvakt_logins_begun_total{client=\"web\"}", 0.0),
            (
                "portvakt_logins_ended_total{client=\"web\",outcome=\"finished\"}",
                0.0,
            ),
            (
                "portvakt_tokens_issued_total{grant_type=\"authorization_code\",kind=\"id_token\"}",
                0.0,
            ),
            (
                "portvakt_bankid_answers_total{operation=\"auth\",outcome=\"ok\"}",
                0.0,
            ),
            (
                "portvakt_http_requests_total{route=\"token\",status=\"2xx\"}",
                0.0,
            ),
            ("portvakt_ready", 1.0),
        ] {
            assert_eq!(first.samples.get(sample), Some(&expected), "{sample}");
        }
        let seen = story(&watched).await;
        for (name, row) in &table {
            assert!(
                is_elsewhere(name) || seen.described[name].labels == row.labels,
                "{name}: {:?}",
                seen.described[name].labels
            );
        }
        for (sample, expected) in [
            ("portvakt_logins_begun_total{client=\"web\"}", 3.0),
            (
                "portvakt_logins_ended_total{client=\"web\",outcome=\"finished\"}",
                2.0,
            ),
            (
                "portvakt_logins_ended_total{client=\"offline\",outcome=\"finished\"}",
                1.0,
            ),
            (
                "portvakt_tokens_issued_total{grant_type=\"authorization_code\",kind=\"id_token\"}",
                2.0,
            ),
            (
                "portvakt_tokens_issued_total{grant_type=\"refresh_token\",kind=\"refresh_token\"}",
                1.0,
            ),
            (
                "portvakt_refusals_total{endpoint=\"token\",error=\"invalid_grant\"}",
                2.0,
            ),
            ("portvakt_grants_ended_by_reuse_total{kind=\"code\"}", 1.0),
            ("portvakt_bankid_orders_live", 1.0),
            ("portvakt_event_streams_open", 1.0),
            ("portvakt_jobs_waiting", 1.0),
        ] {
            assert_eq!(seen.samples.get(sample), Some(&expected), "{sample}");
        }
        // A client that is removed is told of no more.
        let store = &watched.app.provider.store;
        let ids = store.client_ids(&[], 1000).await.expect("asked");
        assert!(ids.len() > 2, "{ids:?}");
        // However many there are, those that somebody asks about come first, unless they are gone.
        let last = ids.last().expect("one").clone();
        let gone = portvakt::id::ClientId::parse("gone").expect("an id");
        let asked = [gone, last.clone()];
        let two = store.client_ids(&asked, 2).await.expect("asked");
        assert_eq!(two, [last, ids[0].clone()]);
        let kept: Vec<_> = ids.into_iter().filter(|id| id.as_str() != "web").collect();
        store
            .forget_file_clients_except(&kept, watched.app.clock.moment())
            .await
            .expect("forgotten");
        let later = watched.scrape().await;
        assert!(
            later
                .samples
                .contains_key("portvakt_logins_begun_total{client=\"offline\"}")
        );
        assert!(!later.text.contains("client=\"web\""));
        // Whoever reads OpenMetrics gets it.
        let (media_type, text) = watched
            .ask("application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
            .await;
        assert_eq!(
            media_type,
            "application/openmetrics-text; version=1.0.0; charset=utf-8"
        );
        assert!(
            text.ends_with("# EOF\n") && text.contains("# TYPE portvakt_logins_begun counter\n")
        );
        for name in [TOLVAN, ASA, "Tolvan"] {
            assert!(!text.contains(name), "{name} is in {text}");
        }
    }
);

/// The names of metrics in a query: what begins as ours or the process's do, and is no name of a label.
fn names(query: &str) -> BTreeSet<String> {
    let words = query.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let ours = words.filter(|word| word.starts_with("portvakt_") || word.starts_with("process_"));
    ours.map(str::to_owned).collect()
}

/// The values of a key in YAML of ours, block texts included.
fn expressions(yaml: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = yaml.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(value) = line.trim_start().strip_prefix("expr: ") else {
            continue;
        };
        let mut text = value.to_owned();
        while value == "|"
            && lines
                .peek()
                .is_some_and(|next| next.starts_with("          "))
        {
            text += lines.next().unwrap_or_default();
        }
        found.push(text);
    }
    found
}

fn dashboard() -> Vec<String> {
    let dashboard: serde_json::Value =
        serde_json::from_str(&read("grafana/portvakt.json")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let targets = panels
        .iter()
        .filter_map(|panel| panel["targets"].as_array());
    let queries = targets
        .flatten()
        .map(|target| target["expr"].as_str().expect("a query").to_owned());
    queries.collect()
}

/// What is on the dashboard and does not move by a login: what goes wrong, and what is as it is.
const STILL: &[&str] = &[
    "portvakt_ready",
    "portvakt_build_info",
    "portvakt_bankid_certificate_expiry_timestamp_seconds",
    "portvakt_signing_key_change_timestamp_seconds",
    "portvakt_database_connections_limit",
    "portvakt_database_given_up_total",
    "portvakt_requests_limited_total",
    "portvakt_faults_total",
    "portvakt_clock_skew_seconds",
    // These are numbers of a moment: the next look may find what this one did.
    "portvakt_http_requests_under_way",
    "portvakt_database_connections",
    "portvakt_database_disk_free_bytes",
];

#[test]
fn what_dashboard_and_alerts_ask_for_is_there_and_moves() {
    run(async {
        let _shows = shows!(accepting "PV-OPS-5", refusing "PV-OPS-5");
        let backend = Backend::start();
        backend.answer(503, Duration::ZERO);
        let watched = Watched::start(Database::sqlite(), &backend).await;
        let first = watched.first().await;
        let seen = story(&watched).await;
        let shown = dashboard();
        assert!(shown.len() > 30, "{}", shown.len());
        let on_dashboard: BTreeSet<String> = shown.iter().flat_map(|query| names(query)).collect();
        for name in &on_dashboard {
            assert!(
                !seen.of(name).is_empty(),
                "{name} of the dashboard is not there"
            );
            let moved = first.of(name) != seen.of(name);
            assert!(
                moved || STILL.contains(&name.as_str()),
                "{name} does not move by a login"
            );
        }
        for name in STILL {
            assert!(
                on_dashboard.contains(*name),
                "{name} is not on the dashboard"
            );
        }
        let rules = expressions(&read("prometheus/alerts.yaml"));
        assert!(rules.len() > 25, "{}", rules.len());
        for name in rules.iter().flat_map(|query| names(query)) {
            assert!(
                !seen.of(&name).is_empty(),
                "{name} of the alerts is not there"
            );
        }
    });
}

#[test]
fn every_alert_is_tried_and_says_where_it_is_told_what_to_do() {
    let _shows = shows!(accepting "PV-OPS-6", refusing "PV-OPS-6");
    let rules = read("prometheus/alerts.yaml");
    let tried = read("prometheus/alerts_test.yaml");
    let alerts: Vec<&str> = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "))
        .collect();
    let links: Vec<&str> = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("runbook: "))
        .collect();
    assert!(alerts.len() > 25 && alerts.len() == links.len());
    for (alert, link) in alerts.iter().zip(links) {
        assert!(
            tried.contains(&format!("{{alertname=\"{alert}\"}}', value: 1")),
            "{alert} never fires in a test"
        );
        assert_eq!(link, format!("docs/monitoring.md#{}", alert.to_lowercase()));
        assert!(
            TABLE.contains(&format!("\n### {alert}\n")),
            "{alert} is not in docs/monitoring.md"
        );
    }
    let told: Vec<&str> = TABLE
        .lines()
        .filter_map(|line| line.strip_prefix("### Portvakt"))
        .collect();
    assert_eq!(told.len(), alerts.len(), "what is told of is an alert");
}

#[test]
fn prometheus_takes_what_is_shipped_and_what_is_measured() {
    let Some(promtool) = promtool() else {
        return;
    };
    let _shows = shows!(accepting "PV-OPS-7", refusing "PV-OPS-7");
    let tried = |arguments: &[&str], input: &str| {
        let mut child = Command::new(&promtool)
            .args(arguments)
            .current_dir(shipped("prometheus"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("promtool starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        stdin.write_all(input.as_bytes()).expect("written");
        drop(stdin);
        let output = child.wait_with_output().expect("promtool ends");
        let said = [output.stdout, output.stderr].concat();
        (
            output.status.success(),
            String::from_utf8_lossy(&said).into_owned(),
        )
    };
    for arguments in [
        ["check", "rules", "alerts.yaml"],
        ["test", "rules", "alerts_test.yaml"],
        ["check", "config", "prometheus.yaml"],
    ] {
        let (is_well, said) = tried(&arguments, "");
        assert!(is_well, "{arguments:?}: {said}");
    }
    let scrapes = run(async {
        let backend = Backend::start();
        let watched = Watched::start(Database::sqlite(), &backend).await;
        let first = watched.first().await;
        [first.text, story(&watched).await.text]
    });
    for text in scrapes {
        let (is_well, said) = tried(&["check", "metrics"], &text);
        assert!(is_well && said.is_empty(), "{said}");
    }
    // It would say something.
    let (is_well, said) = tried(
        &["check", "metrics"],
        "# TYPE a_days_left gauge\na_days_left 1\n",
    );
    assert!(!is_well && said.contains("seconds"), "{said}");
}

//! How long administrators wait with ten thousand clients: a page of the list, a search, one client, a
//! change with its event, by the functions of all doors and by the pages.
//!
//!     cargo bench --bench clients
//!
//! On SQLite, and on PostgreSQL too where `PORTVAKT_BENCH_POSTGRES` names an empty database. It fails
//! when anything takes 100 ms or more at the 99th percentile.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use portvakt::admin::administrator::{self, Invited};
use portvakt::admin::role::{Reach, Role};
use portvakt::admin::{Desk, client};
use portvakt::audit::{Action, Actor, Door, Who};
use portvakt::client::registered::{ManagedBy, said};
use portvakt::client::{Client, Metadata, Name};
use portvakt::clock::{Clock, Seconds};
use portvakt::config::Config;
use portvakt::id::ClientId;
use portvakt::provider::Provider;
use portvakt::random::Random;
use portvakt::simulator::certificates::Authority;
use portvakt::storage::{
    Activity, AdminSession, ClientFilter, Decided, SecretChange, Store, object,
};
use portvakt::telemetry::usage::{Day, Used};
use reqwest::header::COOKIE;
use serde_json::json;

const CLIENTS: usize = 10_000;
const ROUNDS: usize = 300;
const TARGET: Duration = Duration::from_millis(100);
/// What each client's use is known of.
const DAYS: i64 = 30;

fn main() -> anyhow::Result<()> {
    portvakt::cli::install_crypto();
    let runtime = tokio::runtime::Runtime::new()?;
    let directory = tempfile::tempdir()?;
    let mut databases = vec![format!("sqlite:{}/bench.db", directory.path().display())];
    databases.extend(std::env::var("PORTVAKT_BENCH_POSTGRES").ok());
    let mut is_slow = false;
    for url in databases {
        let name = url.split(':').next().unwrap_or_default().to_owned();
        println!("{name}, {CLIENTS} clients: milliseconds");
        println!("{:44} {:>8} {:>8}", "", "median", "99th");
        let table = runtime.block_on(measured(&url, directory.path()))?;
        is_slow |= table.iter().any(|took| *took >= TARGET);
    }
    match is_slow {
        true => bail!("something takes 100 ms or more"),
        false => Ok(()),
    }
}

/// What each thing took at the 99th percentile.
type Table = Vec<Duration>;

async fn timed<T>(
    table: &mut Table,
    what: &'static str,
    mut act: impl AsyncFnMut(usize) -> anyhow::Result<T>,
) -> anyhow::Result<()> {
    let mut took = Vec::new();
    for round in 0..ROUNDS {
        let began = Instant::now();
        act(round).await.context(what)?;
        took.push(began.elapsed());
    }
    took.sort();
    let at = |share: usize| took[(took.len() - 1) * share / 100];
    let shown = |took: Duration| took.as_secs_f64() * 1000.0;
    println!("{what:44} {:8.2} {:8.2}", shown(at(50)), shown(at(99)));
    table.push(at(99));
    Ok(())
}

async fn measured(database: &str, directory: &std::path::Path) -> anyhow::Result<Table> {
    let (clock, random) = (Clock::system(), Random::system());
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    let port = listener.local_addr()?.port();
    let banks = Authority::new("Banks", &random, clock.now())?;
    let party = banks.relying_party("Bench")?;
    for (name, text) in [
        ("root.pem", banks.root_pem()),
        ("party.pem", party.certificate_pem()),
        ("party.key", party.key_pem()),
    ] {
        std::fs::write(directory.join(name), text)?;
    }
    // Nobody logs in: BankID is never asked.
    let config = format!(
        "issuer = \"http://localhost:1\"\n[database]\nurl = \"{database}\"\n\
         [keys]\nmaster_key = \"{}\"\n[admin]\nurl = \"http://localhost:{port}\"\n\
         address = \"127.0.0.1:{port}\"\n[bankid]\nenvironment = \"simulator\"\n\
         url = \"https://localhost:2/rp/v6.0\"\nphone_url = \"http://localhost:3/\"\n\
         root_file = \"root.pem\"\ncertificate_file = \"party.pem\"\nkey_file = \"party.key\"\n",
        STANDARD.encode(random.bytes::<32>()),
    );
    let config = Config::parse(&config, directory)?;
    let provider = Provider::start(config, clock.clone(), random.clone()).await?;
    let runtime = tokio::runtime::Handle::current();
    let served = portvakt::http::admin::serve(provider.clone(), listener, None, runtime)?;
    let desk = Desk {
        config: &provider.config,
        store: &provider.store,
        random: &random,
        clock: &clock,
        actor: Actor {
            who: Who::Operator("bench".into()),
            door: Door::Cli,
            address: None,
        },
        reach: Reach::All,
        gives_administration: true,
    };
    fill(&desk).await?;
    let mut table = Table::new();
    by_functions(&desk, &mut table).await?;
    by_pages(&desk, port, &mut table).await?;
    served.handle.stop(false).await;
    provider.stop().await;
    Ok(table)
}

fn id(n: usize) -> String {
    format!("client-{n:05}")
}

fn named(n: usize) -> anyhow::Result<Client> {
    // Whose words stand in many names and in few.
    let metadata: Metadata = serde_json::from_value(json!({
        "client_name": format!("Förvaltning {} e-tjänst {n:05}", n % 97),
        "redirect_uris": [format!("https://app{n}.example.se/callback"), format!("https://app{n}.example.se/cb2")],
        "post_logout_redirect_uris": [format!("https://app{n}.example.se/")],
        "purpose": {"sv": "Ansök om bygglov.", "en": "Apply for a building permit."},
    }))?;
    Ok(Client {
        client_id: ClientId::parse(&id(n)).context("an id")?,
        sector: format!("app{n}.example.se"),
        metadata,
    })
}

async fn fill(desk: &Desk<'_>) -> anyhow::Result<()> {
    let all = (0..CLIENTS)
        .map(named)
        .collect::<anyhow::Result<Vec<_>>>()?;
    for part in all.chunks(1000) {
        let part: Vec<_> = part
            .iter()
            .map(|client| {
                let decided = Decided {
                    client,
                    managed_by: ManagedBy::Admin,
                    source: "",
                    secrets: SecretChange::Kept,
                    removed_at: None,
                    looked_after_by: None,
                };
                let id = object(&client.client_id);
                let event = desk.event(Action::ClientCreate, id, None, Some(said(client)));
                (None, decided, vec![event])
            })
            .collect();
        if !desk.store.save_clients(&part, desk.now()).await? {
            bail!("the database is not empty");
        }
    }
    let today = Day::of(desk.now()).0;
    for day in 0..DAYS {
        let used = all.iter().map(|client| {
            let used = Used {
                began: 2,
                finished: 1,
            };
            (client.client_id.clone(), Day(today - day), used)
        });
        desk.store.add_use(&used.collect::<Vec<_>>()).await?;
    }
    desk.store.seal_audit(desk.now()).await?;
    Ok(())
}

fn filter(search: Option<&str>, activity: Option<Activity>, after: Option<String>) -> ClientFilter {
    ClientFilter {
        search: search.map(str::to_owned),
        activity,
        after,
        ..ClientFilter::default()
    }
}

async fn by_functions(desk: &Desk<'_>, table: &mut Table) -> anyhow::Result<()> {
    let month = desk.now() - Seconds(DAYS * 24 * 60 * 60);
    timed(table, "a page of the list", async |round| {
        let after = Some(id(round * 31 % CLIENTS));
        Ok(client::list(desk, &filter(None, None, after), 51).await?)
    })
    .await?;
    timed(table, "a search that finds one", async |round| {
        let search = format!("tjänst {:05}", round * 31 % CLIENTS);
        let found = client::list(desk, &filter(Some(&search), None, None), 51).await?;
        if found.len() != 1 {
            bail!("{} for {search}", found.len());
        }
        Ok(())
    })
    .await?;
    timed(table, "a search that finds nothing", async |_| {
        Ok(client::list(desk, &filter(Some("landsting"), None, None), 51).await?)
    })
    .await?;
    timed(table, "those that nobody used: none", async |_| {
        let unused = Some(Activity::Unused(month));
        Ok(client::list(desk, &filter(None, unused, None), 51).await?)
    })
    .await?;
    timed(table, "one client", async |round| {
        Ok(client::find(desk, &id(round * 31 % CLIENTS)).await?)
    })
    .await?;
    timed(table, "a change of one, with its event", async |round| {
        let id = id(round * 31 % CLIENTS);
        let read = client::find(desk, &id).await?;
        let mut metadata = read.client.metadata;
        metadata.client_name = Name::parse(&format!("Namn {round}")).context("a name")?;
        let made = client::change(desk, &id, Some(read.version), None, metadata).await?;
        if made.registered.version != read.version + 1 {
            bail!("nothing changed");
        }
        Ok(())
    })
    .await?;
    timed(table, "a seal", async |_| {
        Ok(Store::seal_audit(desk.store, desk.now()).await?)
    })
    .await
}

async fn by_pages(desk: &Desk<'_>, port: u16, table: &mut Table) -> anyhow::Result<()> {
    let invited = Invited {
        name: Name::parse("Bench").context("a name")?,
        role: Role::Owner,
        reach: Reach::All,
    };
    let (_, link) = administrator::invite(desk, invited).await?;
    let administrator = administrator::enrol(desk, link.digest(), "somebody").await?;
    let session = AdminSession {
        administrator,
        auth_time: desk.now(),
        expires_at: desk.now() + Seconds(3600),
    };
    let cookie = administrator::begin_session(desk, &session).await?;
    let cookie = format!("admin={}", cookie.expose());
    let http = reqwest::Client::builder().no_proxy().build()?;
    let page = async |path: String, holds: &str| {
        let url = format!("http://localhost:{port}{path}");
        let answer = http.get(&url).header(COOKIE, &cookie).send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        match status.is_success() && text.contains(holds) {
            true => Ok(()),
            false => bail!("{url}: {status}, without {holds}"),
        }
    };
    timed(table, "GET /clients", async |round| {
        let at = round * 31 % (CLIENTS - 1);
        page(format!("/clients?after={}", id(at)), &id(at + 1)).await
    })
    .await?;
    timed(table, "GET /clients?search=", async |round| {
        let at = round * 31 % CLIENTS;
        page(format!("/clients?search=nt-{at:05}"), &id(at)).await
    })
    .await?;
    for (what, path) in [
        ("GET /clients?state=unused", "/clients?state=unused"),
        ("GET /clients?state=failing", "/clients?state=failing"),
        ("GET /clients?state=entitled", "/clients?state=entitled"),
        ("GET /audit", "/audit"),
        ("GET /", "/"),
    ] {
        timed(table, what, async |_| {
            page(path.to_owned(), "</html>").await
        })
        .await?;
    }
    timed(table, "GET /client/{client_id}", async |round| {
        let id = id(round * 31 % CLIENTS);
        page(format!("/client/{id}"), &id).await
    })
    .await?;
    timed(table, "GET /client/{client_id}/edit", async |round| {
        let id = id(round * 31 % CLIENTS);
        page(format!("/client/{id}/edit"), "name=\"client_name\"").await
    })
    .await
}

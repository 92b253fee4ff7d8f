//! Why a request was refused: wrong requests of all kinds over HTTP, and what whoever looks after the
//! client finds of them.

mod callers;
mod kept;
mod pages;
mod tokens;

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use portvakt::admin::failure::{self, Failure};
use portvakt::client::mistake::Reason;
use portvakt::id::ClientId;
use portvakt::shows;
use portvakt::testing::Signer;
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::client_auth::{by_key, metadata};
use crate::support::{Answer, App, Browser, Database, Page, SECRET, on_both};

pub type Change<'a> = (&'a str, Option<&'a str>);

pub const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// An administrator who looks at what came of wrong requests.
pub struct Looking<'a> {
    pub app: &'a App,
    pub browser: Browser,
    pub seen: Mutex<BTreeSet<&'static str>>,
}

impl Looking<'_> {
    pub fn on(app: &App) -> Looking<'_> {
        Looking {
            app,
            browser: Browser::new(),
            seen: Mutex::default(),
        }
    }

    pub async fn all(&self, client: Option<&str>) -> Vec<Failure> {
        let provider = &self.app.provider;
        provider.keep_waiting_refusals().await.expect("kept");
        let client = client.map(|client| ClientId::parse(client).expect("an id"));
        let list = failure::list(&provider.store, client.as_ref(), None, 1000).await;
        list.expect("a list").failures
    }

    /// What is found under the reference of an error page.
    pub async fn found(&self, page: &Page) -> Failure {
        let provider = &self.app.provider;
        provider.keep_waiting_refusals().await.expect("kept");
        let (_, rest) = page.body.split_once("<code>").expect("a reference");
        let (reference, _) = rest.split_once('<').expect("its end");
        let found = failure::find(&provider.store, reference).await;
        let found = found.expect("answered");
        found.unwrap_or_else(|| panic!("nothing under {reference}"))
    }

    /// A page tells of a mistake, by its reference.
    pub async fn page(&self, url: &str, kind: &'static str) -> Failure {
        let page = self.browser.get(url).await;
        assert_eq!(page.status, 400, "{kind}: {}", page.body);
        let found = self.found(&page).await;
        assert_eq!(found.kind, kind, "{found:?}");
        assert_eq!(found.endpoint, "authorize");
        self.seen.lock().expect("unpoisoned").insert(kind);
        found
    }

    /// A wrong authorization request that ends on a page.
    pub async fn asks(&self, changes: &[Change<'_>], kind: &'static str) -> Failure {
        // Only so many of a kind are kept in a minute.
        self.app.clock.advance(Duration::from_secs(61));
        self.page(&self.app.authorize_url(changes), kind).await
    }

    /// One that the client is told of.
    pub async fn is_told(&self, client: &str, changes: &[Change<'_>], kind: &'static str) {
        let page = self.browser.get(&self.app.authorize_url(changes)).await;
        let location = page.location();
        let location = location.unwrap_or_else(|| panic!("{kind}: {} {}", page.status, page.body));
        assert!(location.contains("error="), "{kind}: {location}");
        self.is_there(Some(client), "authorize", kind).await;
    }

    pub async fn is_there(
        &self,
        client: Option<&str>,
        endpoint: &str,
        kind: &'static str,
    ) -> Failure {
        let all = self.all(client).await;
        let found = all
            .iter()
            .find(|f| f.kind == kind && f.endpoint == endpoint);
        let kinds: Vec<_> = all.iter().map(|f| (f.endpoint, f.kind)).collect();
        let found = found.unwrap_or_else(|| panic!("{kind} at {endpoint} is not in {kinds:?}"));
        self.seen.lock().expect("unpoisoned").insert(kind);
        found.clone()
    }

    /// A wrong request of a client itself.
    pub async fn sends(
        &self,
        client: Option<&str>,
        request: RequestBuilder,
        kind: &'static str,
    ) -> Failure {
        let request = request.build().expect("a request");
        let path = request.url().path().to_owned();
        let answer = self.app.http.execute(request).await.expect("an answer");
        let status = answer.status().as_u16();
        assert!((400..500).contains(&status), "{kind}: {status}");
        let endpoint = path.split('/').nth(1).expect("an endpoint");
        self.is_there(client, endpoint, kind).await
    }

    pub fn post(&self, path: &str) -> RequestBuilder {
        self.app.http.post(format!("{}{path}", self.app.issuer))
    }

    pub fn web(&self, path: &str, form: &[(&str, &str)]) -> RequestBuilder {
        let request = self.post(path).basic_auth("web", Some(SECRET));
        request.form(form)
    }

    /// A code of a client that the person of this browser is logged in to.
    pub async fn code(&self, changes: &[Change<'_>]) -> String {
        let silent = [&[("prompt", Some("none"))], changes].concat();
        let page = self.browser.get(&self.app.authorize_url(&silent)).await;
        Answer::of(&page).code().to_owned()
    }
}

/// The clients that are wrong in ways that no other client can be.
pub async fn app(database: Database, signer: &Signer) -> App {
    let app = App::on(database).await;
    let jwks = signer.jwks();
    for (client, more) in [
        (
            "posting",
            json!({"token_endpoint_auth": "client_secret_post"}),
        ),
        (
            "heading",
            json!({"token_endpoint_auth": "client_secret_basic"}),
        ),
        (
            "pushing",
            json!({"require_pushed_authorization_requests": true}),
        ),
        (
            "signing",
            json!({"require_signed_request_object": true, "jwks": jwks}),
        ),
        ("moding", json!({"response_modes": ["query.jwt"]})),
        ("bound", json!({"dpop_bound_access_tokens": true})),
        (
            "bare",
            json!({"redirect_uris": [], "client_credentials": {"scopes": ["read"]}}),
        ),
        (
            "served",
            json!({"resources": ["urn:api"], "refresh_tokens": true}),
        ),
    ] {
        app.register(client, metadata(&more)).await;
    }
    app.register("keyed", by_key(signer, "standard")).await;
    app
}

impl Looking<'_> {
    /// A request of the client `signing`, good but for one member; times are counted from now.
    pub fn request_object(
        &self,
        signer: &Signer,
        header: &Value,
        name: &str,
        value: &Value,
    ) -> String {
        let now = self.app.clock.now().0;
        let mut claims = json!({"iss": "signing", "aud": self.app.issuer, "exp": now + 60, "nbf": now,
            "jti": "once", "client_id": "signing", "response_type": "code", "scope": "openid",
            "redirect_uri": crate::client_auth::CALLBACK});
        claims[name] = match value.as_i64() {
            Some(seconds) => json!(now + seconds),
            None => value.clone(),
        };
        signer.sign(header, &claims)
    }
}

/// Every row as the database has it, after a statement.
pub async fn raw(database: &Database, url: &str, first: Option<String>) -> String {
    use sqlx::{AssertSqlSafe, Connection, Executor};
    const ALL: &str = "SELECT CAST(detail AS TEXT) || coalesce(claimed, '') || code || reference
          || coalesce(client_id, '') FROM refusal";
    let first = AssertSqlSafe(first.unwrap_or_else(|| "SELECT 1".to_owned()));
    let rows: Vec<String> = match database {
        Database::Sqlite => {
            let mut db = sqlx::SqliteConnection::connect(url)
                .await
                .expect("a connection");
            db.execute(first).await.expect("done");
            sqlx::query_scalar(ALL)
                .fetch_all(&mut db)
                .await
                .expect("rows")
        }
        Database::Postgres(_) => {
            let mut db = sqlx::PgConnection::connect(url)
                .await
                .expect("a connection");
            db.execute(first).await.expect("done");
            sqlx::query_scalar(ALL)
                .fetch_all(&mut db)
                .await
                .expect("rows")
        }
    };
    rows.join("\n")
}

/// What only tests of the rules come to: it takes certificates, or many requests at once.
const ELSEWHERE: [Reason; 6] = [
    Reason::CertificateMissing,
    Reason::CertificateOther,
    Reason::BindingCertificateMissing,
    Reason::BindingProofUnexpected,
    Reason::RefreshTokenCrowded,
    Reason::RefreshTokenUnbound,
];
/// What the story of the authorization request's pages comes to, besides all redirect URIs.
const OF_PAGES: [Reason; 10] = [
    Reason::ClientIdMissing,
    Reason::ClientIdRepeated,
    Reason::ClientIdMisspelt,
    Reason::ResponseModeUnsupported,
    Reason::ParametersUnreadable,
    Reason::PushedRequestUnknown,
    Reason::PushedRequestExpired,
    Reason::PushedRequestOfOther,
    Reason::RequestsAmbiguous,
    Reason::RequestObjectInvalid,
];

on_both!(
    every_wrong_request_of_a_client_is_found_by_its_client,
    async |database: Database| {
        let _shows = shows!(accepting "PV-WHY-1", accepting "PV-WHY-2", refusing "PV-WHY-4");
        let signer = Signer::new();
        let app = app(database, &signer).await;
        let looking = Looking::on(&app);
        callers::redirects(&looking, &signer).await;
        callers::elsewhere(&looking, &signer).await;
        callers::callers(&looking, &signer).await;
        tokens::tokens(&looking, &signer).await;
        callers::registrations(&looking).await;
        tokens::later(&looking).await;
        let seen = looking.seen.lock().expect("unpoisoned").clone();
        let missing: Vec<&str> = Reason::ALL
            .iter()
            .filter(|reason| !ELSEWHERE.contains(reason) && !OF_PAGES.contains(reason))
            .map(|reason| reason.as_str())
            .filter(|name| !seen.contains(name) && !name.starts_with("redirect_uri_"))
            .collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
);

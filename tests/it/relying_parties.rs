//! Relying parties that are made with other people's libraries, in other languages.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use portvakt::shows;
use portvakt::testing::canary;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::foreign::{program, python};
use crate::support::phone::TOLVAN;
use crate::support::{App, Browser, Database, SECRET, left_out, run};

static SAID: OnceLock<()> = OnceLock::new();

const CLIENT: &str = "somebody-elses";
const CALLBACK: &str = "https://else.example/callback";
const GOODBYE: &str = "https://else.example/goodbye";
/// Longer than a program takes between two lines, also on a machine that has much to do.
const PATIENCE: Duration = Duration::from_secs(60);

/// The relying party for Node.js, or nothing where its packages are not and need not be.
fn openid_client() -> Option<Command> {
    let variable = |name| std::env::var_os(name).map(PathBuf::from);
    let installed = variable("PORTVAKT_TEST_NODE").zip(variable("PORTVAKT_TEST_NODE_PACKAGES"));
    if installed.is_none() {
        left_out("Node.js", &SAID);
    }
    let (node, packages) = installed?;
    let mut command = program(node, "openid_client.mjs");
    command.arg(packages);
    Some(command)
}

fn authlib() -> Option<Command> {
    Some(program(python()?, "authlib_client.py"))
}

/// A program that is a relying party, and what it says.
struct RelyingParty {
    child: Child,
    said: mpsc::UnboundedReceiver<String>,
    answers: ChildStdin,
}

impl RelyingParty {
    fn start(mut command: Command, settings: &Value) -> RelyingParty {
        let mut child = command
            .arg(settings.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let (say, said) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let _ = say.send(line);
            }
        });
        RelyingParty {
            answers: child.stdin.take().expect("piped"),
            child,
            said,
        }
    }

    /// The next thing that it says: its kind, and the rest.
    async fn said(&mut self) -> (String, Value) {
        let next = tokio::time::timeout(PATIENCE, self.said.recv()).await;
        let Ok(Some(line)) = next else {
            panic!("it says no more: {}", self.complaint());
        };
        let said: Value = serde_json::from_str(&line).expect("JSON");
        let mut members = said.as_object().expect("an object").clone().into_iter();
        members.next().expect("a member")
    }

    async fn expect(&mut self, kind: &str) -> Value {
        let (said, value) = self.said().await;
        assert_eq!(said, kind, "{value}");
        value
    }

    async fn asked_to_open(&mut self) -> String {
        let url = self.expect("open").await;
        url.as_str().expect("an address").to_owned()
    }

    fn answer(&mut self, line: &str) {
        writeln!(self.answers, "{line}").expect("it listens");
    }

    /// What it wrote before it gave up.
    fn complaint(&mut self) -> String {
        let _ = self.child.kill();
        let mut complaint = String::new();
        let mut errors = self.child.stderr.take().expect("asked for once");
        errors.read_to_string(&mut complaint).expect("text");
        complaint
    }
}

impl Drop for RelyingParty {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How a relying party goes about it. What is left out is off.
struct Variant {
    /// The registered name of how it authenticates.
    authentication: &'static str,
    /// Members of its settings that are on.
    ways: &'static [&'static str],
    /// Metadata that it and the provider have of it.
    metadata: Value,
}

impl Variant {
    /// Whether it signs something, for which it has a key.
    fn signs(&self) -> bool {
        self.authentication == "private_key_jwt" || self.does("signed_request")
    }

    fn does(&self, way: &str) -> bool {
        self.ways.contains(&way)
    }

    fn settings(&self, app: &App) -> Value {
        let mut settings = json!({
            "issuer": app.issuer,
            "client_id": CLIENT,
            "client_secret": SECRET,
            "redirect_uri": CALLBACK,
            "post_logout_redirect_uri": GOODBYE,
            "authentication": self.authentication,
            "metadata": self.metadata,
        });
        for way in self.ways {
            settings[way] = true.into();
        }
        settings
    }

    /// Registers it as one that may do nothing else.
    async fn register(&self, app: &App, keys: Option<Value>) {
        let mut metadata = json!({
            "client_name": "Någon annans app",
            "token_endpoint_auth": self.authentication,
            "redirect_uris": [CALLBACK],
            "post_logout_redirect_uris": [GOODBYE],
            "refresh_tokens": true,
            "dpop_bound_access_tokens": self.does("bound"),
            "require_pushed_authorization_requests": self.does("pushed"),
            "require_signed_request_object": self.does("signed_request"),
        });
        for (name, value) in self.metadata.as_object().into_iter().flatten() {
            metadata[name] = value.clone();
        }
        if let Some(keys) = keys {
            metadata["jwks"] = keys;
        }
        app.register(CLIENT, metadata).await;
    }
}

/// A login that is declined, one that is not, and all that comes after, as a library does it.
async fn goes_all_the_way(app: &App, command: Command, variant: &Variant) -> Value {
    let browser = Browser::new();
    let mut party = RelyingParty::start(command, &variant.settings(app));
    let keys = match variant.signs() {
        true => {
            let keys = party.expect("keys").await;
            party.answer("registered");
            Some(keys)
        }
        false => None,
    };
    variant.register(app, keys).await;

    let unwilling = browser.get(&party.asked_to_open().await).await;
    let declined = browser.press(&unwilling, "none").await;
    let back = declined.after("content=\"0;url=").expect("an address");
    party.answer(&back);

    let url = party.asked_to_open().await;
    let answer = app.log_in_at(&browser, TOLVAN, &url).await;
    assert_eq!(
        answer.names().contains(&"response"),
        variant.does("signed_answer")
    );
    party.answer(answer.url.as_str());

    let url = party.asked_to_open().await;
    let knows = |browser: &Browser| browser.cookie("session").is_some();
    assert!(knows(&browser));
    let farewell = browser.get(&url).await;
    assert_eq!(farewell.status, 303, "{}", farewell.body);
    assert!(!knows(&browser));
    party.answer(&farewell.location().expect("an address"));

    let saw = party.expect("saw").await;
    for tokens in [&saw["tokens"], &saw["refreshed"]] {
        for name in ["access_token", "refresh_token", "id_token"] {
            canary(tokens[name].as_str().unwrap_or_default());
        }
    }
    assert_eq!(saw["declined"], "access_denied");
    let claims = &saw["claims"];
    assert_eq!(
        (&claims["iss"], &claims["aud"]),
        (&json!(app.issuer), &json!(CLIENT))
    );
    assert!(
        claims["at_hash"].is_string() && claims["nonce"].is_string(),
        "{claims}"
    );
    for (name, value) in [("given_name", "Tolvan"), ("family_name", "Tolvansson")] {
        assert_eq!(
            (&claims[name], &saw["userinfo"][name]),
            (&json!(value), &json!(value))
        );
    }
    for other in [
        &saw["userinfo"],
        &saw["refreshed_claims"],
        &saw["introspected"],
    ] {
        assert_eq!(other["sub"], claims["sub"]);
    }
    for name in ["auth_time", "sid", "acr"] {
        assert_eq!(saw["refreshed_claims"][name], claims[name], "{name}");
    }
    let (before, after) = (&saw["tokens"], &saw["refreshed"]);
    assert_ne!(after["access_token"], before["access_token"]);
    assert_ne!(after["refresh_token"], before["refresh_token"]);
    // A client of FAPI 2.0 keeps the one that it has.
    let is_kept = variant.metadata["profile"] == "fapi2";
    assert_eq!(after["refresh_token"].is_null(), is_kept);
    let introspected = &saw["introspected"];
    assert_eq!(
        (&introspected["active"], &introspected["client_id"]),
        (&json!(true), &json!(CLIENT))
    );
    assert_eq!(introspected["cnf"]["jkt"], saw["jkt"]);
    assert_eq!(saw["jkt"].is_string(), variant.does("bound"));
    let kind = if variant.does("bound") {
        "DPoP"
    } else {
        "Bearer"
    };
    assert_eq!(introspected["token_type"], kind);
    assert_eq!(saw["revoked"], json!({"active": false}));
    assert_eq!(saw["spent"], "invalid_grant");
    saw
}

/// A login by openid-client on a provider of its own.
fn by_openid_client(variant: &Variant) {
    let Some(command) = openid_client() else {
        return;
    };
    let _shows = shows!(accepting "PV-LIBRARY-1");
    run(async {
        let app = App::on(Database::sqlite()).await;
        let saw = goes_all_the_way(&app, command, variant).await;
        let scheme = if variant.does("bound") {
            "DPoP"
        } else {
            "Bearer"
        };
        let challenges = saw["challenges"].as_array().expect("challenges");
        let own = json!([scheme.to_lowercase(), "invalid_token"]);
        assert!(challenges.contains(&own), "{challenges:?}");
    });
}

#[test]
fn openid_client_goes_all_the_way_by_its_secret_in_the_header() {
    by_openid_client(&Variant {
        authentication: "client_secret_basic",
        ways: &[],
        metadata: json!({}),
    });
}

#[test]
fn openid_client_goes_all_the_way_by_its_secret_in_the_form() {
    by_openid_client(&Variant {
        authentication: "client_secret_post",
        ways: &[],
        metadata: json!({"id_token_signed_response_alg": "PS256"}),
    });
}

#[test]
fn openid_client_goes_all_the_way_with_tokens_that_are_bound_to_its_key() {
    by_openid_client(&Variant {
        authentication: "client_secret_basic",
        ways: &["pushed", "bound"],
        metadata: json!({}),
    });
}

#[test]
fn openid_client_goes_all_the_way_with_all_that_we_can_sign() {
    by_openid_client(&Variant {
        authentication: "client_secret_basic",
        ways: &["signed_answer"],
        metadata: json!({
            "id_token_signed_response_alg": "EdDSA",
            "userinfo_signed_response_alg": "ES256",
            "authorization_signed_response_alg": "PS256",
        }),
    });
}

#[test]
fn openid_client_goes_all_the_way_with_requests_that_it_signs() {
    by_openid_client(&Variant {
        authentication: "client_secret_basic",
        ways: &["signed_request"],
        metadata: json!({"request_object_signing_alg": "ES256"}),
    });
}

#[test]
fn openid_client_goes_all_the_way_by_its_key() {
    by_openid_client(&Variant {
        authentication: "private_key_jwt",
        ways: &[],
        metadata: json!({}),
    });
}

#[test]
fn openid_client_goes_all_the_way_as_fapi_2_asks() {
    by_openid_client(&Variant {
        authentication: "private_key_jwt",
        ways: &["pushed", "bound", "signed_answer"],
        metadata: json!({
            "profile": "fapi2",
            "id_token_signed_response_alg": "ES256",
            "authorization_signed_response_alg": "ES256",
        }),
    });
}

#[test]
fn openid_client_goes_all_the_way_with_everything_at_once() {
    by_openid_client(&Variant {
        authentication: "private_key_jwt",
        ways: &["signed_request", "pushed", "bound", "signed_answer"],
        metadata: json!({
            "profile": "fapi2",
            "id_token_signed_response_alg": "PS256",
            "userinfo_signed_response_alg": "PS256",
            "authorization_signed_response_alg": "PS256",
        }),
    });
}

/// A login by Authlib on a provider of its own.
fn by_authlib(authentication: &'static str) {
    let Some(command) = authlib() else {
        return;
    };
    let _shows = shows!(accepting "PV-LIBRARY-2");
    run(async {
        let app = App::on(Database::sqlite()).await;
        let variant = Variant {
            authentication,
            ways: &[],
            metadata: json!({}),
        };
        let saw = goes_all_the_way(&app, command, &variant).await;
        let challenge = saw["challenges"][0][1].as_str().expect("a challenge");
        assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
    });
}

#[test]
fn authlib_goes_all_the_way_by_its_secret_in_the_header() {
    by_authlib("client_secret_basic");
}

#[test]
fn authlib_goes_all_the_way_by_its_secret_in_the_form() {
    by_authlib("client_secret_post");
}

#[test]
fn authlib_goes_all_the_way_by_its_key() {
    by_authlib("private_key_jwt");
}

//! How client applications prove who they are by certificates (RFC 8705).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use portvakt::client::certificate::HeaderFormat;
use portvakt::shows;
use portvakt::testing::certificates::{ClientAuthority, Made};
use serde_json::{Value, json};

use crate::client_auth::{
    CALLBACK, CHALLENGE, VERIFIER, discovery, is_unauthenticated, metadata, start_with,
};
use crate::crash::Serving;
use crate::dpop::Prover;
use crate::support::mtls::{Site, behind_proxy};
use crate::support::phone::TOLVAN;
use crate::support::{Answer, App, Browser, Database, Options, SECRET, on_both, run};
use crate::token::{Told, told};

fn by_subject(subject: &Value) -> Value {
    metadata(&json!({"token_endpoint_auth": "tls_client_auth", "tls_client_auth": subject}))
}

fn by_own_certificate(made: &Made) -> Value {
    let auth = "self_signed_tls_client_auth";
    metadata(&json!({"token_endpoint_auth": auth, "jwks": {"keys": [made.jwk()]}}))
}

/// Asks for tokens with a code that is none: `invalid_grant` comes after authentication.
async fn knock(
    http: &reqwest::Client,
    url: &str,
    client_id: &str,
    header: &[(&str, &str)],
) -> Told {
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", client_id),
        ("code", "ac_none"),
        ("redirect_uri", CALLBACK),
    ];
    let mut request = http.post(format!("{url}/token"));
    for (name, value) in header {
        request = request.header(*name, *value);
    }
    told(request.form(&form)).await
}

fn is_known(told: &Told) {
    assert_eq!(
        (told.status, told.body["error"].as_str()),
        (400, Some("invalid_grant")),
        "{}",
        told.body
    );
}

on_both!(
    a_client_shows_its_certificate_where_certificates_are_shown,
    async |database: Database| {
        let _shows = shows!(accepting "TK-12", refusing "TK-12", accepting "TK-11", accepting "TK-04", refusing "TK-04");
        let site = Site::new();
        let (app, _served) = start_with(&site, database).await;
        let (issued, own) = (site.authority.issue(), Made::self_signed());
        let strangers = ClientAuthority::new().issue();
        app.register("issued", by_subject(&json!({"san_dns": "client.example"})))
            .await;
        app.register(
            "named",
            by_subject(&json!({"subject_dn": "CN=client\\, one,O=Kommunen,C=SE"})),
        )
        .await;
        app.register(
            "elsewhere",
            by_subject(&json!({"san_dns": "other.example"})),
        )
        .await;
        app.register("own", by_own_certificate(&own)).await;
        use reqwest::tls::Version;
        for version in [Version::TLS_1_2, Version::TLS_1_3] {
            let holder = |made: &Made| site.client_of(Some(made), version);
            let nobody = site.client_of(None, version);
            let (holder_of_issued, holder_of_own) = (holder(&issued), holder(&own));
            is_known(&knock(&holder_of_issued, &site.url, "issued", &[]).await);
            is_known(&knock(&holder_of_issued, &site.url, "named", &[]).await);
            is_known(&knock(&holder_of_own, &site.url, "own", &[]).await);
            is_known(&knock(&holder(&own.renewed()), &site.url, "own", &[]).await);
            // A public client may come this way, with a certificate or without.
            is_known(&knock(&holder_of_own, &site.url, "public", &[]).await);
            is_known(&knock(&nobody, &site.url, "public", &[]).await);
            for (http, client) in [
                (&holder_of_issued, "elsewhere"),
                (&holder_of_issued, "own"),
                (&holder_of_issued, "web"),
                (&holder_of_issued, "nobody"),
                (&holder_of_own, "issued"),
                (&holder(&strangers), "issued"),
                (&holder(&Made::self_signed()), "own"),
                (&nobody, "issued"),
                (&nobody, "own"),
            ] {
                is_unauthenticated(&knock(http, &site.url, client, &[]).await);
            }
        }
        // Where browsers come, nobody is asked for a certificate, and a header is not one.
        let header = format!(":{}:", STANDARD.encode(&issued.der));
        let shown = [("client-cert", header.as_str())];
        is_unauthenticated(&knock(&app.http, &app.issuer, "issued", &shown).await);
        let nobody = site.client(None);
        is_unauthenticated(&knock(&nobody, &site.url, "issued", &shown).await);
        // A browser's pages are not there, nor anything else.
        let holder = site.client(Some(&issued));
        for path in [
            "/authorize",
            "/jwks",
            "/.well-known/openid-configuration",
            "/register",
            "/x",
        ] {
            let answer = holder
                .get(format!("{}{path}", site.url))
                .send()
                .await
                .expect("an answer");
            assert_eq!(answer.status(), 421, "{path}");
        }
    }
);

fn aliased(discovery: &Value, name: &str) -> String {
    let alias = discovery["mtls_endpoint_aliases"][name].as_str();
    alias.expect("an alias").to_owned()
}

/// What the client `own` is answered, which pushes its request by its certificate.
async fn code(app: &App, http: &reqwest::Client, discovery: &Value) -> Answer {
    let push = [
        ("client_id", "own"),
        ("redirect_uri", CALLBACK),
        ("response_type", "code"),
        ("scope", "openid offline_access"),
        ("prompt", "consent"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    let endpoint = aliased(discovery, "pushed_authorization_request_endpoint");
    let pushed = told(http.post(endpoint).form(&push)).await;
    let name = pushed.body["request_uri"].as_str().expect("a name");
    portvakt::testing::canary(name);
    let parameters = [("client_id", "own"), ("request_uri", name)];
    let url = format!("{}/authorize", app.issuer);
    let url = url::Url::parse_with_params(&url, parameters).expect("an address");
    app.log_in_at(&Browser::new(), TOLVAN, url.as_str()).await
}

#[test]
fn a_whole_login_goes_by_a_certificate() {
    run(async {
        let _shows = shows!(accepting "TK-12", accepting "PA-01");
        let site = Site::new();
        let (app, _served) = start_with(&site, Database::sqlite()).await;
        let own = Made::self_signed();
        let mut registered = by_own_certificate(&own);
        registered["profile"] = json!("fapi2");
        app.register("own", registered).await;
        let http = site.client(Some(&own));
        let discovery: Value = discovery(&app).await;
        let alias = |name: &str| aliased(&discovery, name);
        let answer = code(&app, &http, &discovery).await;
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", "own"),
            ("code", answer.code()),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        // Somebody else's certificate spends nothing.
        let stranger = site.client(Some(&Made::self_signed()));
        let token_endpoint = alias("token_endpoint");
        is_unauthenticated(&told(stranger.post(&token_endpoint).form(&form)).await);
        let key = Prover::new("ES256");
        let bound = |url: &str| key.proof_at(&app, "POST", url, None);
        let request = || http.post(&token_endpoint).form(&form);
        // A proof is for the address that was called.
        for elsewhere in [format!("{}/token", app.issuer), alias("userinfo_endpoint")] {
            let refused = told(request().header("DPoP", bound(&elsewhere))).await;
            assert_eq!(refused.body["error"], "invalid_dpop_proof");
        }
        let tokens = told(request().header("DPoP", bound(&token_endpoint))).await;
        assert_eq!(tokens.status, 200, "{}", tokens.body);
    });
}

#[test]
fn a_token_is_bound_to_the_certificate_that_it_was_fetched_by() {
    run(async {
        let _shows = shows!(accepting "UI-08", refusing "UI-08", accepting "TK-20", refusing "TK-20", accepting "TK-23",
            accepting "IN-03", accepting "DI-15");
        let site = Site::new();
        let (app, _served) = start_with(&site, Database::sqlite()).await;
        let own = Made::self_signed();
        let (http, stranger) = (
            site.client(Some(&own)),
            site.client(Some(&Made::self_signed())),
        );
        let discovery: Value = discovery(&app).await;
        assert_eq!(
            discovery["tls_client_certificate_bound_access_tokens"],
            true
        );
        let [token_endpoint, userinfo, introspection] = [
            "token_endpoint",
            "userinfo_endpoint",
            "introspection_endpoint",
        ]
        .map(|name| aliased(&discovery, name));
        for profile in ["fapi2", "standard"] {
            let mut registered = by_own_certificate(&own);
            registered["profile"] = json!(profile);
            registered["refresh_tokens"] = json!(true);
            if profile == "standard" {
                registered["tls_client_certificate_bound_access_tokens"] = json!(true);
            }
            app.register("own", registered).await;
            let answer = code(&app, &http, &discovery).await;
            let form = [
                ("grant_type", "authorization_code"),
                ("client_id", "own"),
                ("code", answer.code()),
                ("redirect_uri", CALLBACK),
                ("code_verifier", VERIFIER),
            ];
            let tokens = told(http.post(&token_endpoint).form(&form)).await;
            assert_eq!(tokens.status, 200, "{}", tokens.body);
            assert_eq!(tokens.body["token_type"], "Bearer");
            let refresh = tokens.body["refresh_token"].as_str().expect("a token");
            portvakt::testing::canary(refresh);
            let form = [
                ("grant_type", "refresh_token"),
                ("client_id", "own"),
                ("refresh_token", refresh),
            ];
            let again = told(http.post(&token_endpoint).form(&form)).await;
            assert_eq!(again.status, 200, "{}", again.body);
            for tokens in [&tokens, &again] {
                let token = tokens.body["access_token"].as_str().expect("a token");
                portvakt::testing::canary(token);
                let ask = async |http: &reqwest::Client, url: &str, scheme: &str| {
                    let request = http.get(url);
                    let request = request.header("authorization", format!("{scheme} {token}"));
                    request.send().await.expect("an answer").status().as_u16()
                };
                assert_eq!(ask(&http, &userinfo, "Bearer").await, 200);
                let nobody = site.client(None);
                for (thief, url, scheme) in [
                    (&stranger, &userinfo, "Bearer"),
                    (&nobody, &userinfo, "Bearer"),
                    (&http, &userinfo, "DPoP"),
                    (&app.http, &format!("{}/userinfo", app.issuer), "Bearer"),
                ] {
                    assert_eq!(ask(thief, url, scheme).await, 401, "{url}");
                }
                let form = [("client_id", "own"), ("token", token)];
                let told = told(http.post(&introspection).form(&form)).await;
                let expected = json!({"x5t#S256": own.thumbprint()});
                assert_eq!(told.body["cnf"], expected);
            }
        }
        // By a secret and without a certificate there is nothing to bind to.
        app.register(
            "web-bound",
            json!({
                "client_name": "Banken", "redirect_uris": [CALLBACK],
                "tls_client_certificate_bound_access_tokens": true
            }),
        )
        .await;
        let form = [("grant_type", "authorization_code"), ("code", "x")];
        let request = app.http.post(format!("{}/token", app.issuer));
        let refused = told(request.basic_auth("web-bound", Some(SECRET)).form(&form)).await;
        let error = refused.body["error"].as_str();
        assert_eq!((refused.status, error), (400, Some("invalid_request")));
    });
}

#[test]
fn the_program_itself_takes_certificates() {
    run(async {
        let _shows = shows!(accepting "TK-12", refusing "TK-12");
        let mut site = Site::new();
        let own = Made::self_signed();
        let jwk = own.jwk();
        let client = format!(
            r#"
[[client]]
client_id = "own"
client_name = "Egna appen"
redirect_uris = ["{CALLBACK}"]
token_endpoint_auth = "self_signed_tls_client_auth"
jwks = {{ keys = [{{ kty = "EC", crv = "P-256", x = {}, y = {} }}] }}
"#,
            jwk["x"], jwk["y"]
        );
        let sections = site.section() + &client;
        let app = App::start(Options {
            sections,
            ..Options::on(Database::sqlite())
        })
        .await;
        app.stop_provider().await;
        site.let_go();
        let mut serving = Serving::start(&app, "with-mtls", &[]).await;
        is_known(&knock(&site.client(Some(&own)), &site.url, "own", &[]).await);
        is_unauthenticated(&knock(&site.client(None), &site.url, "own", &[]).await);
        is_unauthenticated(&knock(&app.http, &app.issuer, "own", &[]).await);
        assert!(serving.stop(), "it ends well");
    });
}

#[test]
fn a_certificate_in_a_header_is_believed_from_our_proxy_alone() {
    run(async {
        let _shows = shows!(accepting "GE-02", refusing "GE-02");
        for format in [HeaderFormat::Rfc9440, HeaderFormat::EscapedPem] {
            let authority = ClientAuthority::new();
            let write = |made: &Made| match format {
                HeaderFormat::Rfc9440 => format!(":{}:", STANDARD.encode(&made.der)),
                HeaderFormat::EscapedPem => {
                    let (certificate, _) =
                        made.pem.split_once("-----BEGIN PRIVATE").expect("a key");
                    utf8_percent_encode(certificate, NON_ALPHANUMERIC).to_string()
                }
            };
            let issued = write(&authority.issue());
            let strangers = write(&ClientAuthority::new().issue());
            for (listen, is_ours) in [
                (r#"trusted_proxies = ["127.0.0.0/8"]"#, true),
                (r#"trusted_proxies = ["192.0.2.0/24"]"#, false),
            ] {
                let (sections, _directory) = behind_proxy(&authority, format);
                let options = Options {
                    sections,
                    listen,
                    ..Options::on(Database::sqlite())
                };
                let app = App::start(options).await;
                let subject = json!({"san_uri": "https://client.example/id"});
                app.register("issued", by_subject(&subject)).await;
                let host = ("host", "mtls.portvakt.example");
                let knock = async |header: &[(&str, &str)]| {
                    knock(&app.http, &app.issuer, "issued", header).await
                };
                let right = knock(&[host, ("client-cert", &issued)]).await;
                match is_ours {
                    true => is_known(&right),
                    false => is_unauthenticated(&right),
                }
                is_unauthenticated(&knock(&[host, ("client-cert", &strangers)]).await);
                is_unauthenticated(&knock(&[host]).await);
                is_unauthenticated(&knock(&[host, ("client-cert", "")]).await);
                is_unauthenticated(&knock(&[host, ("x-client-cert", &issued)]).await);
                let twice = [host, ("client-cert", &issued), ("client-cert", &issued)];
                is_unauthenticated(&knock(&twice).await);
                // It is for connections to that name: the proxy asks nobody for a certificate elsewhere.
                is_unauthenticated(&knock(&[("client-cert", &issued)]).await);
            }
        }
    });
}

#[test]
fn a_client_that_goes_by_certificates_needs_a_place_to_show_them() {
    run(async {
        let _shows =
            shows!(accepting "TK-12", refusing "TK-12", accepting "TK-11", refusing "TK-11");
        let app = App::on(Database::sqlite()).await;
        let problems = |client: &str, sections: &str| {
            let base = "client_id = \"x\"\nclient_name = \"X\"\nredirect_uris = [\"https://x.example/cb\"]";
            let client = format!("\n[[client]]\n{base}\n{client}\n");
            let (head, tail) = app.config.split_once("[database]").expect("a section");
            let config = format!("{head}{sections}\n[database]{tail}{client}");
            let read = portvakt::config::Config::parse(&config, app.directory.path());
            read.err().map(|problems| problems.to_string())
        };
        let site = Site::new();
        let with = site.section();
        let without_authorities = with.replace("client_ca_file", "# client_ca_file");
        let issued = "token_endpoint_auth = \"tls_client_auth\"\ntls_client_auth = { san_dns = \"x.example\" }";
        let jwk = Made::self_signed().jwk();
        let own = format!(
            "token_endpoint_auth = \"self_signed_tls_client_auth\"\njwks = {{ keys = [{{ kty = \"EC\", crv = \"P-256\", x = {}, y = {} }}] }}",
            jwk["x"], jwk["y"]
        );
        assert_eq!(problems(issued, &with), None);
        assert_eq!(problems(&own, &with), None);
        assert_eq!(problems(&own, &without_authorities), None);
        let told = |got: Option<String>, line: &str| {
            let got = got.expect("refused");
            assert!(got.contains(line), "{got}");
        };
        let no_authority = "client.x: tls_client_auth needs mtls.client_ca_file";
        told(problems(issued, ""), no_authority);
        told(problems(issued, &without_authorities), no_authority);
        told(
            problems(&own, ""),
            "client.x: self_signed_tls_client_auth needs the section mtls",
        );
        let secret = format!("{own}\nclient_secret = \"{SECRET}\"");
        told(
            problems(&secret, &with),
            "client.x: a client with this token_endpoint_auth has no secret",
        );
        let weak = format!("profile = \"fapi2\"\nclient_secret = \"{SECRET}\"");
        told(
            problems(&weak, &with),
            "client.x: profile fapi2 takes private_key_jwt",
        );
        let nameless = "token_endpoint_auth = \"tls_client_auth\"";
        told(
            problems(nameless, &with),
            "client.x: tls_client_auth names the certificate's subject",
        );
        let unreadable = issued.replace("san_dns = \"x.example\"", "subject_dn = \"x, y\"");
        told(
            problems(&unreadable, &with),
            "a distinguished name is written as",
        );
    });
}

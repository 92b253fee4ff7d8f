//! The simulator refuses what BankID refuses.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use portvakt::bankid::evidence::{self, Evidence, Expected, Format, Function, Trust};
use portvakt::bankid::personal_number::PersonalNumber;
use portvakt::clock::Clock;
use portvakt::random::Random;
use portvakt::shows;
use portvakt::simulator::certificates::{Authority, Identity, server_config};
use portvakt::simulator::{self, Settings, Simulator};
use rustls::RootCertStore;
use serde_json::{Value, json};

use crate::support::ports;
use crate::support::{Phone, phone, run};

struct Api {
    url: String,
    phone: Phone,
    clock: Clock,
    bankid: Authority,
    banks: Authority,
    http: reqwest::Client,
    party: Identity,
    simulator: Simulator,
}

fn client(root: &Authority, identity: Option<&Identity>) -> reqwest::Client {
    let mut roots = RootCertStore::empty();
    roots.add(root.root()).expect("a root");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots);
    let tls = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => builder
            .with_client_auth_cert(vec![identity.certificate.clone()], identity.key())
            .expect("a certificate"),
    };
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .build()
        .expect("a client")
}

async fn start() -> Api {
    let (clock, random) = (Clock::system(), Random::system());
    let (api, api_port) = ports::listener();
    let (phone, phone_port) = ports::listener();
    let bankid = Authority::new("Root", &random, clock.now()).expect("made");
    let banks = Authority::new("Banks", &random, clock.now()).expect("made");
    let party = banks.relying_party("Kommunen").expect("made");
    let url = format!("https://localhost:{api_port}/rp/v6.0");
    let phone_url = format!("http://localhost:{phone_port}/");
    let simulator = simulator::start(Settings {
        api,
        api_tls: server_config(&bankid.server(&["localhost"]).expect("made"), Some(&banks))
            .expect("made"),
        phone,
        phone_url: phone_url.parse().expect("an address"),
        phone_tls: None,
        return_root: None,
        clock: clock.clone(),
        random,
    })
    .expect("started");
    let http = client(&bankid, Some(&party));
    Api {
        url,
        phone: Phone::new(&phone_url),
        clock,
        bankid,
        banks,
        http,
        party,
        simulator,
    }
}

impl Api {
    /// A client that has not connected yet, and what it may order.
    fn another_connection(&self) -> (reqwest::Client, String) {
        let party = self.banks.relying_party("Kommunen").expect("made");
        let body = json!({"endUserIp": "192.0.2.1"});
        (client(&self.bankid, Some(&party)), body.to_string())
    }

    async fn call(&self, operation: &str, body: Value) -> (u16, Value) {
        let answer = self
            .http
            .post(format!("{}/{operation}", self.url))
            .header("content-type", "application/json")
            .body(body.to_string())
            .send()
            .await
            .expect("an answer");
        (answer.status().as_u16(), answer.json().await.expect("JSON"))
    }

    async fn order(&self) -> Value {
        let (status, order) = self.call("auth", json!({"endUserIp": "192.0.2.1"})).await;
        assert_eq!(status, 200, "{order}");
        order
    }

    fn frame(&self, order: &Value, seconds: u64) -> String {
        use hmac::{Hmac, KeyInit, Mac};
        let secret = order["qrStartSecret"].as_str().expect("a secret");
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).expect("any length");
        mac.update(seconds.to_string().as_bytes());
        let token = order["qrStartToken"].as_str().expect("a token");
        format!(
            "bankid.{token}.{seconds}.{}",
            hex::encode(mac.finalize().into_bytes())
        )
    }
}

#[test]
fn nobody_gets_in_without_a_certificate_of_the_banks() {
    run(async {
        let _shows = shows!(accepting "PV-SIM-1", refusing "PV-SIM-1");
        let api = start().await;
        let strangers =
            Authority::new("Strangers", &Random::system(), api.clock.now()).expect("made");
        let stranger = strangers.relying_party("Kommunen").expect("made");
        for http in [
            client(&api.bankid, None),
            client(&api.bankid, Some(&stranger)),
            client(&strangers, None),
        ] {
            assert!(
                http.post(format!("{}/auth", api.url))
                    .body("{}")
                    .send()
                    .await
                    .is_err()
            );
        }
        api.order().await;
    });
}

#[test]
fn the_framing_is_exact() {
    run(async {
        let _shows = shows!(refusing "BP-25", accepting "PV-SIM-2", refusing "PV-SIM-2");
        let api = start().await;
        let post = |kind: Option<&str>, body: &'static str| {
            let request = api.http.post(format!("{}/auth", api.url)).body(body);
            match kind {
                Some(kind) => request.header("content-type", kind),
                None => request,
            }
        };
        const GOOD: &str = r#"{"endUserIp":"192.0.2.1"}"#;
        for (request, status, code) in [
            (
                post(Some("application/json; charset=utf-8"), GOOD),
                415,
                "unsupportedMediaType",
            ),
            (post(None, GOOD), 415, "unsupportedMediaType"),
            (
                post(Some("application/json"), "{"),
                400,
                "invalidParameters",
            ),
            (
                post(
                    Some("application/json"),
                    r#"{"endUserIp":"192.0.2.1","extra":1}"#,
                ),
                400,
                "invalidParameters",
            ),
            (
                api.http.get(format!("{}/auth", api.url)),
                405,
                "methodNotAllowed",
            ),
            (api.http.post(format!("{}/other", api.url)), 404, "notFound"),
        ] {
            let answer = request.send().await.expect("an answer");
            assert_eq!(answer.status(), status, "{code}");
            let body: Value = answer.json().await.expect("JSON");
            assert_eq!(body["errorCode"], code);
            assert!(body["details"].is_string());
        }
        assert_eq!(
            post(Some("application/json"), GOOD)
                .send()
                .await
                .expect("an answer")
                .status(),
            200
        );
    });
}

#[test]
fn an_order_lives_as_long_as_at_bankid_and_its_result_is_given_once() {
    run(async {
        let _shows = shows!(accepting "PV-SIM-3", refusing "PV-SIM-3");
        let api = start().await;
        let order = api.order().await;
        let body = json!({"orderRef": order["orderRef"]});
        let (status, told) = api.call("collect", body.clone()).await;
        assert_eq!(
            (status, told["hintCode"].as_str()),
            (200, Some("outstandingTransaction"))
        );
        let (status, told) = api.call("collect", body.clone()).await;
        assert_eq!(
            (status, told["errorCode"].as_str()),
            (429, Some("tooManyRequests"))
        );
        api.clock.advance(Duration::from_secs(31));
        let (_, told) = api.call("collect", body.clone()).await;
        assert_eq!(
            (told["status"].as_str(), told["hintCode"].as_str()),
            (Some("failed"), Some("startFailed"))
        );
        let (status, told) = api.call("collect", body.clone()).await;
        assert_eq!(
            (status, told["details"].as_str()),
            (400, Some("No such order"))
        );
        assert_eq!(api.call("cancel", body).await.0, 400);
        let order = api.order().await;
        let body = json!({"orderRef": order["orderRef"]});
        assert_eq!(api.call("cancel", body.clone()).await, (200, json!({})));
        assert_eq!(api.call("cancel", body).await.0, 400);
    });
}

#[test]
fn a_phone_approves_what_it_sees_and_never_an_order_by_its_reference() {
    run(async {
        let _shows = shows!(accepting "PV-SIM-4", refusing "PV-SIM-4");
        let api = start().await;
        let order = api.order().await;
        let reference = order["orderRef"].as_str().expect("a reference");
        for seen in [
            reference,
            &api.frame(&order, 60),
            &api.frame(&order, 0).replace("bankid", "x"),
        ] {
            assert!(
                api.phone.try_scan(seen, phone::TOLVAN).await.is_err(),
                "{seen}"
            );
        }
        assert!(
            api.phone
                .try_open(
                    &format!("bankid:///?autostarttoken={reference}"),
                    phone::TOLVAN
                )
                .await
                .is_err()
        );
        assert!(
            api.phone
                .raw("approve", json!({"orderRef": reference, "code": "123456"}))
                .await
                .is_err()
        );
        let claimed = api.phone.scan(&api.frame(&order, 0), phone::TOLVAN).await;
        assert_eq!(claimed.relying_party, "Kommunen");
        assert!(claimed.type_code("000000").await.is_err());
        claimed.approve().await;
        let (_, told) = api.call("collect", json!({"orderRef": reference})).await;
        let user = &told["completionData"]["user"];
        assert_eq!(
            (user["personalNumber"].as_str(), user["name"].as_str()),
            (Some(phone::TOLVAN), Some("Tolvan Tolvansson"))
        );
        assert!(told["completionData"]["signature"].is_string());

        let order = api.order().await;
        let link = format!(
            "https://app.bankid.com/?autostarttoken={}",
            order["autoStartToken"].as_str().expect("a token")
        );
        api.phone.open(&link, phone::ASA).await.decline().await;
        let (_, told) = api
            .call("collect", json!({"orderRef": order["orderRef"]}))
            .await;
        assert_eq!(told["hintCode"], "userCancel");
    });
}

#[test]
fn what_is_approved_is_signed_and_can_be_verified() {
    run(async {
        let api = start().await;
        let trust = Trust {
            root: api.simulator.signer().root().expect("made"),
            policies: vec!["1.2.3.4.25".to_owned()],
        };
        for (operation, function, format) in [
            ("auth", Function::Identification, Format::Plain),
            ("sign", Function::Signing, Format::SimpleMarkdown),
        ] {
            let mut body = json!({
                "endUserIp": "192.0.2.1",
                "userVisibleData": STANDARD.encode("# Åre kommun"),
                "userNonVisibleData": STANDARD.encode([0, 1, 2]),
            });
            if format == Format::SimpleMarkdown {
                body["userVisibleDataFormat"] = "simpleMarkdownV1".into();
            }
            let (_, order) = api.call(operation, body).await;
            let claimed = api.phone.scan(&api.frame(&order, 0), phone::ASA).await;
            claimed.approve().await;
            let reference = json!({"orderRef": order["orderRef"]});
            let (_, told) = api.call("collect", reference).await;
            let evidence: Evidence =
                serde_json::from_value(told["completionData"].clone()).expect("evidence");
            let mut expected = Expected {
                relying_party: api.party.certificate.clone(),
                function,
                visible: Some("# Åre kommun".into()),
                format,
                non_visible: Some(vec![0, 1, 2]),
                personal_number: PersonalNumber::parse(phone::ASA).expect("a number"),
            };
            let verified = evidence::verify(&evidence, &expected, &trust).expect("good evidence");
            assert_eq!(verified.display_name, "Kommunen");
            assert_eq!(verified.policy, trust.policies[0]);
            expected.non_visible = Some(vec![0, 1, 3]);
            let flaw = evidence::verify(&evidence, &expected, &trust).err();
            assert_eq!(flaw, Some(evidence::Flaw::NonVisibleData));
        }
    });
}

#[test]
fn a_person_has_one_order_at_a_time() {
    run(async {
        let _shows = shows!(accepting "PV-SIM-6", refusing "PV-SIM-6");
        let api = start().await;
        let (first, second) = (api.order().await, api.order().await);
        let old = api.phone.scan(&api.frame(&first, 0), phone::TOLVAN).await;
        assert!(
            api.phone
                .try_scan(&api.frame(&first, 0), phone::ASA)
                .await
                .is_err(),
            "it is taken"
        );
        api.phone
            .scan(&api.frame(&second, 0), phone::TOLVAN)
            .await
            .approve()
            .await;
        assert!(old.type_code("123456").await.is_err());
        let (_, told) = api
            .call("collect", json!({"orderRef": first["orderRef"]}))
            .await;
        assert_eq!(
            (told["status"].as_str(), told["hintCode"].as_str()),
            (Some("failed"), Some("cancelled"))
        );
        let third = api.order().await;
        let blocked = api.phone.scan(&api.frame(&third, 0), phone::TOLVAN).await;
        for _ in 0..3 {
            assert!(blocked.type_code("000000").await.is_err());
        }
        let (_, told) = api
            .call("collect", json!({"orderRef": third["orderRef"]}))
            .await;
        assert_eq!(told["hintCode"], "certificateErr");
    });
}

#[test]
fn the_phone_is_pressed_by_its_own_pages_alone() {
    run(async {
        let _shows = shows!(accepting "PV-SIM-7", refusing "PV-SIM-7");
        let api = start().await;
        let url = api.phone.address();
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a client");
        let elsewhere = http
            .get(&url)
            .header("host", "evil.example")
            .send()
            .await
            .expect("an answer");
        assert_eq!(elsewhere.status(), 421);
        let form = [("person", phone::TOLVAN), ("text", "x")];
        let post = || http.post(format!("{url}scan")).form(&form);
        for (name, value) in [
            ("origin", "https://evil.example"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            let answer = post().header(name, value).send().await.expect("an answer");
            assert_eq!(answer.status(), 403, "{name}: {value}");
        }
        assert_eq!(
            post().send().await.expect("an answer").status(),
            400,
            "its own are read"
        );
    });
}

#[test]
fn a_signature_is_approved_as_an_identification_is() {
    run(async {
        let _shows = shows!(accepting "PV-SIM-8", refusing "PV-SIM-8");
        let api = start().await;
        let (status, told) = api.call("sign", json!({"endUserIp": "192.0.2.1"})).await;
        assert_eq!(
            (status, told["details"].as_str()),
            (400, Some("Invalid userVisibleData"))
        );
        let body = json!({"endUserIp": "192.0.2.1", "userVisibleData": "SGVq"});
        let (status, order) = api.call("sign", body).await;
        assert_eq!(status, 200, "{order}");
        let claimed = api.phone.scan(&api.frame(&order, 0), phone::TOLVAN).await;
        assert_eq!(claimed.text, "Hej");
        claimed.approve().await;
        let (_, told) = api
            .call("collect", json!({"orderRef": order["orderRef"]}))
            .await;
        assert_eq!(told["status"], "complete");
    });
}

#[test]
fn a_person_in_a_call_is_asked_whether_they_are() {
    run(async {
        let _shows = shows!(accepting "PV-SIM-9", refusing "PV-SIM-9");
        let api = start().await;
        let body = json!({"personalNumber": phone::TOLVAN, "callInitiator": "RP"});
        let answer = json!({"person": phone::TOLVAN});
        let none = api.phone.raw("answer", answer.clone()).await;
        assert!(none.is_err(), "nobody calls");
        for operation in ["phone/auth", "phone/sign"] {
            let mut body = body.clone();
            if operation == "phone/sign" {
                body["userVisibleData"] = "SGVq".into();
            }
            let (status, order) = api.call(operation, body.clone()).await;
            assert_eq!(
                (status, order.as_object().map(|o| o.len())),
                (200, Some(1)),
                "{order}"
            );
            let collect = json!({"orderRef": order["orderRef"]});
            let other = api.phone.raw("answer", json!({"person": phone::ASA})).await;
            assert!(other.is_err(), "it is for one person");
            let call = api
                .phone
                .raw("answer", answer.clone())
                .await
                .expect("a call");
            let (_, told) = api.call("collect", collect.clone()).await;
            assert_eq!(told["hintCode"], "userCallConfirm");
            let approve = json!({"handle": call["handle"], "code": "123456"});
            assert!(
                api.phone.raw("approve", approve.clone()).await.is_err(),
                "not yet"
            );
            let confirm = json!({"handle": call["handle"], "inCall": true});
            api.phone.raw("confirm", confirm).await.expect("confirmed");
            api.phone.raw("approve", approve).await.expect("approved");
            api.clock.advance(Duration::from_secs(2));
            let (_, told) = api.call("collect", collect).await;
            assert_eq!(told["status"], "complete");
        }
        // Who is not in a call says so, and who is busy is busy.
        let (_, order) = api.call("phone/auth", body.clone()).await;
        let (status, told) = api.call("phone/auth", body.clone()).await;
        assert_eq!(
            (status, told["errorCode"].as_str()),
            (400, Some("alreadyInProgress"))
        );
        let (_, told) = api
            .call("collect", json!({"orderRef": order["orderRef"]}))
            .await;
        assert_eq!(told["hintCode"], "cancelled");
        let (_, order) = api.call("phone/auth", body).await;
        let call = api.phone.raw("answer", answer).await.expect("a call");
        let confirm = json!({"handle": call["handle"], "inCall": false});
        api.phone.raw("confirm", confirm).await.expect("said");
        let (_, told) = api
            .call("collect", json!({"orderRef": order["orderRef"]}))
            .await;
        assert_eq!(told["hintCode"], "userDeclinedCall");
    });
}

#[test]
fn people_have_the_troubles_that_people_have() {
    run(async {
        let _shows = shows!(accepting "PV-SIM-10", refusing "PV-SIM-10");
        let api = start().await;
        let people: Vec<Value> = reqwest::get(format!("{}api/people", api.phone.address()))
            .await
            .expect("an answer")
            .json()
            .await
            .expect("JSON");
        assert!(people.len() >= 12, "{}", people.len());
        let number = |about: &str| {
            let person = people
                .iter()
                .find(|p| p["about"].as_str().is_some_and(|a| a.contains(about)));
            let person = person.unwrap_or_else(|| panic!("nobody is {about}"));
            person["personalNumber"]
                .as_str()
                .expect("a number")
                .to_owned()
        };
        for who in [
            "minor",
            "coordination",
            "protected",
            "capitals",
            "hundred",
            "hardly fits",
        ] {
            let order = api.order().await;
            let claimed = api.phone.scan(&api.frame(&order, 0), &number(who)).await;
            claimed.approve().await;
        }
        let order = |requirement: Value| {
            let body = json!({"endUserIp": "192.0.2.1", "requirement": requirement});
            let api = &api;
            async move { api.call("auth", body).await.1 }
        };
        let hint = |order: &Value| {
            let body = json!({"orderRef": order["orderRef"]});
            let api = &api;
            async move { api.call("collect", body).await.1["hintCode"].clone() }
        };
        let blocked = order(json!({})).await;
        let frame = api.frame(&blocked, 0);
        assert!(
            api.phone
                .try_scan(&frame, &number("blocked"))
                .await
                .is_err()
        );
        assert_eq!(hint(&blocked).await, "certificateErr");
        // A computer has no camera, and a BankID of the wrong kind is not found.
        let on_file = order(json!({"certificatePolicies": ["1.2.3.4.25"]})).await;
        let frame = api.frame(&on_file, 0);
        assert!(
            api.phone
                .try_scan(&frame, &number("on a computer"))
                .await
                .is_err()
        );
        assert_eq!(hint(&on_file).await, "outstandingTransaction");
        let link = format!(
            "bankid:///?autostarttoken={}",
            on_file["autoStartToken"].as_str().expect("a token")
        );
        assert!(
            api.phone
                .try_open(&link, &number("on a computer"))
                .await
                .is_err()
        );
        api.clock.advance(Duration::from_secs(2));
        assert_eq!(hint(&on_file).await, "started");
        let several = order(json!({"mrtd": true})).await;
        let claimed = api
            .phone
            .scan(&api.frame(&several, 0), &number("several"))
            .await;
        assert_eq!(hint(&several).await, "userMrtd");
        assert!(claimed.type_code("123456").await.is_err());
        api.clock.advance(Duration::from_secs(2));
        assert_eq!(hint(&several).await, "multipleBankIdsOnDevice");
    });
}

#[test]
fn every_hint_can_be_told_and_every_whim_be_had() {
    run(async {
        let _shows = shows!(accepting "PV-SIM-11", refusing "PV-SIM-11");
        let api = start().await;
        let order = api.order().await;
        let claimed = api.phone.scan(&api.frame(&order, 0), phone::TOLVAN).await;
        let body = json!({"orderRef": order["orderRef"]});
        for told in ["started", "userFace", "processing", "brandNew"] {
            claimed.hint(told, false).await;
            let (_, now) = api.call("collect", body.clone()).await;
            assert_eq!(
                (now["status"].as_str(), now["hintCode"].as_str()),
                (Some("pending"), Some(told))
            );
            api.clock.advance(Duration::from_secs(2));
        }
        claimed.hint("facialRecognitionFailed", true).await;
        let (_, now) = api.call("collect", body).await;
        assert_eq!(
            (now["status"].as_str(), now["hintCode"].as_str()),
            (Some("failed"), Some("facialRecognitionFailed"))
        );

        let start = json!({"endUserIp": "192.0.2.1"});
        for (code, status) in [
            ("alreadyInProgress", 400),
            ("invalidParameters", 400),
            ("unauthorized", 401),
            ("notFound", 404),
            ("methodNotAllowed", 405),
            ("requestTimeout", 408),
            ("unsupportedMediaType", 415),
            ("tooManyRequests", 429),
            ("internalError", 500),
            ("maintenance", 503),
        ] {
            api.phone
                .whim(json!({"operation": "auth", "what": {"error": code}}))
                .await;
            let (answered, told) = api.call("auth", start.clone()).await;
            assert_eq!((answered, told["errorCode"].as_str()), (status, Some(code)));
        }
        let post = |operation: &str| {
            let request = api.http.post(format!("{}/{operation}", api.url));
            let request = request.header("content-type", "application/json");
            request
                .body(start.to_string())
                .timeout(Duration::from_millis(700))
        };
        api.phone.whim(json!({"what": "garbage"})).await;
        let garbage = post("auth").send().await.expect("an answer");
        assert!(garbage.json::<Value>().await.is_err());
        for never in ["hang", "lose"] {
            api.phone
                .whim(json!({"operation": "auth", "what": never}))
                .await;
            assert!(
                post("auth").send().await.is_err_and(|e| e.is_timeout()),
                "{never}"
            );
        }
        api.phone.whim(json!({"what": {"delay": 300}})).await;
        let began = std::time::Instant::now();
        assert_eq!(api.call("auth", start.clone()).await.0, 200);
        assert!(began.elapsed() >= Duration::from_millis(300));
        let made = async || api.phone.listed().await["orders"].as_array().map(Vec::len);
        let before = made().await;
        api.phone.whim(json!({"what": {"late": 5000}})).await;
        assert!(post("auth").send().await.is_err_and(|e| e.is_timeout()));
        assert_eq!(made().await, before.map(|many| many + 1), "done at once");
        api.phone
            .whim(json!({"what": {"patch": {"orderRef": null, "more": 1}}}))
            .await;
        let (_, changed) = api.call("auth", start.clone()).await;
        assert_eq!(
            (&changed["orderRef"], &changed["more"]),
            (&Value::Null, &json!(1))
        );
        // What was lost had been made, and what hung had not.
        let listed = api.phone.listed().await;
        assert_eq!(
            listed["orders"].as_array().map(Vec::len),
            Some(5),
            "{listed}"
        );
        assert!(
            listed["calls"].to_string().contains("503 maintenance"),
            "{listed}"
        );
        assert!(
            !listed
                .to_string()
                .contains(order["orderRef"].as_str().expect("a name"))
        );

        api.phone.whim(json!({"what": "tls"})).await;
        let (party, _) = api.another_connection();
        let refused = party.post(format!("{}/auth", api.url)).send().await;
        assert!(refused.is_err_and(|e| e.is_connect()));
        api.phone.no_whims().await;
        let (party, body) = api.another_connection();
        let taken = party
            .post(format!("{}/auth", api.url))
            .header("content-type", "application/json");
        assert_eq!(
            taken.body(body).send().await.expect("an answer").status(),
            200
        );
    });
}

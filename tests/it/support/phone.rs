//! A person's phone, by the simulator's REST door.

use std::net::SocketAddr;
use std::time::Duration;

use portvakt::testing::canary;
use rustls_pki_types::CertificateDer;
use serde_json::{Value, json};

pub const TOLVAN: &str = "191212121212";
pub const ASA: &str = "199003152387";
pub const YUSUF: &str = "198506722399";

#[derive(Clone)]
pub struct Phone {
    url: String,
    http: reqwest::Client,
}

/// An order that a phone has taken up.
#[derive(Debug)]
pub struct Claimed {
    pub relying_party: String,
    pub text: String,
    /// Whether the code must be typed.
    pub pin_code: bool,
    /// Whether a passport must be read.
    pub mrtd: bool,
    pub return_url: Option<String>,
    handle: String,
    phone: Phone,
}

impl std::fmt::Debug for Phone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Phone")
    }
}

impl Phone {
    pub fn new(url: &str) -> Phone {
        Phone::named(url, reqwest::Client::builder())
    }

    /// A phone behind a name that only browsers here can look up, with a certificate of ours.
    pub fn behind(url: &str, name: &str, root: &CertificateDer<'_>) -> Phone {
        let root = reqwest::Certificate::from_der(root).expect("a certificate");
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        Phone::named(
            url,
            reqwest::Client::builder()
                .tls_certs_only([root])
                .resolve(name, loopback),
        )
    }

    fn named(url: &str, http: reqwest::ClientBuilder) -> Phone {
        for text in [
            TOLVAN,
            ASA,
            YUSUF,
            "Tolvansson",
            "Östergren-Lindström",
            "Demir",
        ] {
            canary(text);
        }
        // The simulator closes what was idle for five seconds, and a request must not meet that.
        let http = http.pool_idle_timeout(Duration::from_secs(2)).no_proxy();
        let http = http.build().expect("a client");
        Phone {
            url: url.to_owned(),
            http,
        }
    }

    pub fn address(&self) -> String {
        self.url.clone()
    }

    async fn post(&self, path: &str, body: Value) -> Result<Value, String> {
        let answer = self
            .http
            .post(format!("{}api/{path}", self.url))
            .json(&body)
            .send()
            .await
            .expect("the simulator answers");
        let sound = answer.status().is_success();
        let body: Value = answer.json().await.expect("JSON");
        match sound {
            true => Ok(body),
            false => Err(body["error"].as_str().unwrap_or_default().to_owned()),
        }
    }

    pub async fn try_scan(&self, text: &str, person: &str) -> Result<Claimed, String> {
        let body = self
            .post("scan", json!({ "qr": text, "person": person }))
            .await?;
        Ok(self.claimed(&body))
    }

    pub async fn scan(&self, text: &str, person: &str) -> Claimed {
        self.try_scan(text, person)
            .await
            .expect("the code is taken")
    }

    pub async fn try_open(&self, link: &str, person: &str) -> Result<Claimed, String> {
        let body = self
            .post("open", json!({ "link": link, "person": person }))
            .await?;
        Ok(self.claimed(&body))
    }

    pub async fn open(&self, link: &str, person: &str) -> Claimed {
        self.try_open(link, person)
            .await
            .expect("the link is taken")
    }

    pub async fn raw(&self, path: &str, body: Value) -> Result<Value, String> {
        self.post(path, body).await
    }

    /// The next calls to BankID's API go wrong.
    pub async fn whim(&self, whim: Value) {
        self.post("whims", whim).await.expect("the whim is taken");
    }

    /// They go right again.
    pub async fn no_whims(&self) {
        let answer = self.http.delete(format!("{}api/whims", self.url));
        answer.send().await.expect("an answer");
    }

    /// What a door tells whoever asks.
    pub async fn told(&self, path: &str) -> Value {
        let answer = self.http.get(format!("{}api/{path}", self.url));
        let answer = answer.send().await.expect("an answer");
        answer.json().await.expect("JSON")
    }

    /// What relying parties ordered and called for.
    pub async fn listed(&self) -> Value {
        self.told("orders").await
    }

    /// How many orders wait to be scanned.
    pub async fn codes_on_screen(&self) -> usize {
        self.told("screens").await.as_array().expect("a list").len()
    }

    fn claimed(&self, body: &Value) -> Claimed {
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let return_url = body["returnUrl"].as_str().map(str::to_owned);
        if let Some(nonce) = return_url
            .as_deref()
            .and_then(|url| url.rsplit(['/', '#']).next())
        {
            canary(nonce);
        }
        Claimed {
            relying_party: text("relyingParty"),
            text: text("text"),
            pin_code: body["pinCode"] == true,
            mrtd: body["mrtd"] == true,
            handle: text("handle"),
            return_url,
            phone: self.clone(),
        }
    }
}

impl Claimed {
    pub async fn type_code(&self, code: &str) -> Result<(), String> {
        let body = json!({ "handle": self.handle, "code": code });
        self.phone.post("approve", body).await.map(|_| ())
    }

    /// Something happens in the app.
    pub async fn hint(&self, hint: &str, fails: bool) {
        let body = json!({ "handle": self.handle, "hintCode": hint, "fails": fails });
        self.phone.post("hint", body).await.expect("it happens");
    }

    /// An approval that BankID thinks something of.
    pub async fn approve_at_risk(&self, risk: &str) {
        let body = json!({ "handle": self.handle, "code": "123456", "risk": risk });
        self.phone.post("approve", body).await.expect("taken");
    }

    pub async fn approve(&self) {
        self.type_code("123456")
            .await
            .expect("the approval is taken");
    }

    pub async fn decline(&self) {
        let body = json!({ "handle": self.handle });
        self.phone
            .post("decline", body)
            .await
            .expect("the refusal is taken");
    }
}

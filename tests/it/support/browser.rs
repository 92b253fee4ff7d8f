//! A browser without scripts: cookies, forms and redirects, and the headers that browsers send.

use std::sync::Mutex;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use portvakt::testing::canary;
use reqwest::Method;
use reqwest::header::{HeaderMap, LOCATION, SET_COOKIE};
use serde_json::Value;

pub struct Browser {
    http: reqwest::Client,
    /// In the order that they were first set, which is the order that they are sent in.
    cookies: Mutex<Vec<(String, String)>>,
    /// Another port that is connected to, whatever the address says.
    port: Mutex<Option<u16>>,
    pub user_agent: &'static str,
    /// The languages that it asks for.
    accept_language: &'static str,
    /// Where a proxy says that it is.
    address: Option<&'static str>,
}

/// What a browser got.
#[derive(Debug, Clone)]
pub struct Page {
    pub url: String,
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

impl Browser {
    pub fn new() -> Browser {
        Browser::through(reqwest::Client::builder())
    }

    pub fn with_user_agent(user_agent: &'static str) -> Browser {
        Browser {
            user_agent,
            ..Browser::through(reqwest::Client::builder())
        }
    }

    /// A browser whose connections are like this.
    pub fn through(connections: reqwest::ClientBuilder) -> Browser {
        let http = connections
            .pool_idle_timeout(Duration::from_secs(2))
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(30))
            .build()
            .expect("a client");
        Browser {
            http,
            cookies: Mutex::default(),
            port: Mutex::default(),
            user_agent: "Mozilla/5.0 (X11; Linux x86_64) Chrome/150.0.0.0 Safari/537.36",
            accept_language: "sv-SE,sv;q=0.9",
            address: None,
        }
    }

    /// A browser behind a proxy that says where it is.
    pub fn from_address(address: &'static str) -> Browser {
        Browser {
            address: Some(address),
            ..Browser::new()
        }
    }

    /// The same browser, which says of itself that it is somewhere else.
    pub fn claiming(self, address: &'static str) -> Browser {
        Browser {
            address: Some(address),
            ..self
        }
    }

    /// A browser that asks for languages.
    pub fn asking_for(accept_language: &'static str) -> Browser {
        Browser {
            accept_language,
            ..Browser::new()
        }
    }

    /// Another window on the same cookies, as they are now.
    pub fn copy(&self) -> Browser {
        let copy = Browser::with_user_agent(self.user_agent);
        *copy.cookies.lock().expect("unpoisoned") =
            self.cookies.lock().expect("unpoisoned").clone();
        copy
    }

    /// Forgets who it was, as a window does that is closed and was a private one.
    pub fn forget(&self) {
        self.cookies.lock().expect("unpoisoned").clear();
    }

    pub fn cookie_names(&self) -> Vec<String> {
        let cookies = self.cookies.lock().expect("unpoisoned");
        cookies.iter().map(|(name, _)| name.clone()).collect()
    }

    pub fn cookie(&self, name: &str) -> Option<String> {
        let cookies = self.cookies.lock().expect("unpoisoned");
        cookies
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.clone())
    }

    pub fn set_cookie(&self, name: &str, value: &str) {
        let mut cookies = self.cookies.lock().expect("unpoisoned");
        match cookies.iter_mut().find(|(n, _)| n == name) {
            Some((_, old)) => *old = value.to_owned(),
            None => cookies.push((name.to_owned(), value.to_owned())),
        }
    }

    /// From now on everything goes to this port of the machine, as through a load balancer.
    pub fn connect_to(&self, port: u16) {
        *self.port.lock().expect("unpoisoned") = Some(port);
    }

    fn rerouted(&self, url: &str) -> (String, Option<String>) {
        let mut url = url::Url::parse(url).expect("an address");
        match *self.port.lock().expect("unpoisoned") {
            None => (url.into(), None),
            Some(port) => {
                let host = url.authority().to_owned();
                url.set_port(Some(port)).expect("an address with a port");
                (url.into(), Some(host))
            }
        }
    }

    pub async fn get(&self, url: &str) -> Page {
        self.try_get(url).await.expect("an answer")
    }

    /// The same, where there may be no answer.
    pub async fn try_get(&self, url: &str) -> Result<Page, reqwest::Error> {
        let request = self.at(Method::GET, url);
        let page = self.try_send(request).await?;
        Ok(Page {
            url: url.to_owned(),
            ..page
        })
    }

    /// A form of one of our own pages.
    pub async fn post(&self, url: &str, form: &[(&str, &str)]) -> Page {
        self.try_post(url, form).await.expect("an answer")
    }

    /// The same, where there may be no answer.
    pub async fn try_post(&self, url: &str, form: &[(&str, &str)]) -> Result<Page, reqwest::Error> {
        let request = self
            .at(Method::POST, url)
            .form(form)
            .header("origin", "null")
            .header("sec-fetch-site", "same-origin");
        let page = self.try_send(request).await?;
        Ok(Page {
            url: url.to_owned(),
            ..page
        })
    }

    /// A request to where this address leads at present.
    fn at(&self, method: Method, url: &str) -> reqwest::RequestBuilder {
        let (sent_to, host) = self.rerouted(url);
        let request = self.http.request(method, sent_to);
        match host {
            Some(host) => request.header("host", host),
            None => request,
        }
    }

    /// The stream of a login's states, unless there is no answer.
    pub async fn try_events(&self, login_url: &str) -> Result<reqwest::Response, reqwest::Error> {
        let request = self.at(Method::GET, &format!("{login_url}/events?code=modules"));
        self.dressed(request).send().await
    }

    /// The same for as long as it lasts.
    pub async fn events(&self, login: &Page) -> reqwest::Response {
        let url = format!("{}/events?code=modules", login.login_url());
        let request = self.at(Method::GET, &url);
        let request = self.dressed(request).timeout(Duration::from_secs(600));
        request.send().await.expect("an answer")
    }

    /// A form of somebody else's page.
    pub async fn post_from_elsewhere(&self, url: &str, form: &[(&str, &str)]) -> Page {
        let request = self
            .http
            .post(url)
            .form(form)
            .header("origin", "https://evil.example")
            .header("sec-fetch-site", "cross-site");
        self.send(request).await
    }

    pub async fn send(&self, request: reqwest::RequestBuilder) -> Page {
        self.try_send(request).await.expect("an answer")
    }

    async fn try_send(&self, request: reqwest::RequestBuilder) -> Result<Page, reqwest::Error> {
        let answer = self.dressed(request).send().await?;
        let page = Page {
            url: answer.url().to_string(),
            status: answer.status().as_u16(),
            headers: answer.headers().clone(),
            body: answer.text().await?,
        };
        self.take_cookies(&page);
        Ok(page)
    }

    /// With the headers that every request of the browser has.
    fn dressed(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        let cookies = {
            let cookies = self.cookies.lock().expect("unpoisoned");
            let pairs: Vec<String> = cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
            pairs.join("; ")
        };
        let request = match cookies.is_empty() {
            true => request,
            false => request.header("cookie", cookies),
        };
        let request = match self.address {
            Some(address) => request.header("x-forwarded-for", address),
            None => request,
        };
        request
            .header("user-agent", self.user_agent)
            .header("accept-language", self.accept_language)
    }

    fn take_cookies(&self, page: &Page) {
        for header in page.headers.get_all(SET_COOKIE) {
            let header = header.to_str().expect("ASCII");
            let (pair, attributes) = header.split_once(';').unwrap_or((header, ""));
            let (name, value) = pair.split_once('=').expect("a pair");
            if attributes.contains("Max-Age=0") {
                let mut cookies = self.cookies.lock().expect("unpoisoned");
                cookies.retain(|(n, _)| n != name);
            } else {
                canary(value);
                self.set_cookie(name, value);
            }
        }
    }

    /// Presses a button of the choice page.
    pub async fn choose(&self, choice: &Page, device: &str) -> Page {
        let page = self.press(choice, device).await;
        assert_eq!(page.status, 303, "{}", page.body);
        self.follow(&page).await
    }

    /// The same, without going where it leads.
    pub async fn press(&self, choice: &Page, device: &str) -> Page {
        assert_eq!(
            choice.status,
            200,
            "{:?} {}",
            choice.location(),
            choice.body
        );
        let form = choice.value("form");
        let url = choice.absolute("/login");
        self.post(
            &url,
            &[("form", &form), ("device", device), ("scripts", "off")],
        )
        .await
    }

    /// Goes where a redirect of ours leads.
    pub async fn follow(&self, page: &Page) -> Page {
        let location = page.location().expect("a redirect");
        self.get(&page.absolute(&location)).await
    }

    /// A form of a login's own page.
    pub async fn press_on(&self, login: &Page, what: &str, device: &str) -> Page {
        let csrf = login.value("csrf");
        let url = format!("{}/{what}", login.login_url());
        self.post(&url, &[("csrf", &csrf), ("device", device)])
            .await
    }

    /// Comes back to a login's page, as a page without scripts does, until it shows this screen.
    pub async fn until(&self, login: &Page, screen: &str) -> Page {
        let mut seen = String::new();
        for _ in 0..120 {
            let page = self.get(&login.url).await;
            seen = page
                .screen()
                .unwrap_or_else(|| format!("{} {:?}", page.status, page.location()));
            if seen == screen {
                return page;
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        panic!("the page never came to {screen}: {seen}");
    }

    /// Comes back to a login's page until it leads to the client.
    pub async fn until_departure(&self, login: &Page) -> Page {
        let mut seen = String::new();
        for _ in 0..120 {
            let page = self.get(&login.url).await;
            if page.screen().as_deref() == Some("finish") {
                // By a page and not by a redirect: a form may have led here.
                let finish = page.after("content=\"0;url=").expect("a refresh");
                return self.get(&page.absolute(&finish)).await;
            }
            seen = page.screen().unwrap_or(page.body);
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        panic!("the login never ended: {seen}");
    }

    pub async fn status(&self, login: &Page) -> (u16, Value) {
        let page = self.get(&format!("{}/status", login.login_url())).await;
        (
            page.status,
            serde_json::from_str(&page.body).unwrap_or_default(),
        )
    }
}

impl Page {
    pub fn location(&self) -> Option<String> {
        Some(
            self.headers
                .get(LOCATION)?
                .to_str()
                .expect("ASCII")
                .to_owned(),
        )
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().expect("ASCII"))
    }

    pub fn absolute(&self, path: &str) -> String {
        let base = url::Url::parse(&self.url).expect("an address");
        base.join(path).expect("an address").into()
    }

    /// The value of a hidden field.
    pub fn value(&self, name: &str) -> String {
        let marker = format!("name=\"{name}\" value=\"");
        self.after(&marker)
            .unwrap_or_else(|| panic!("no {name} in {} {}", self.status, self.body))
    }

    /// The hidden fields with their values.
    pub fn fields(&self) -> Vec<(String, String)> {
        let (_, form) = self.body.split_once("<form").expect("a form");
        let fields = form.split("<input type=\"hidden\" name=\"").skip(1);
        fields
            .map(|field| {
                let (name, rest) = field.split_once("\" value=\"").expect("a value");
                let (value, _) = rest.split_once('"').expect("its end");
                let value = [
                    ("&#34;", "\""),
                    ("&#39;", "'"),
                    ("&#60;", "<"),
                    ("&#62;", ">"),
                    ("&#38;", "&"),
                ]
                .iter()
                .fold(value.to_owned(), |text, (from, to)| text.replace(from, to));
                (name.to_owned(), value)
            })
            .collect()
    }

    pub fn after(&self, marker: &str) -> Option<String> {
        let (_, rest) = self.body.split_once(marker)?;
        let (value, _) = rest.split_once('"')?;
        Some(value.replace("&amp;", "&").replace("&#38;", "&"))
    }

    pub fn screen(&self) -> Option<String> {
        self.after("data-screen=\"")
    }

    /// The login's address, without what stands behind its id.
    pub fn login_url(&self) -> String {
        let login = self.after("data-login=\"").expect("a login page");
        self.absolute(&login)
    }

    pub fn login_id(&self) -> String {
        self.login_url()
            .rsplit('/')
            .next()
            .expect("an id")
            .to_owned()
    }

    pub fn launch_link(&self) -> String {
        let link = self
            .after("id=\"open-app\" href=\"")
            .expect("a launch link");
        if let Some((_, token)) = link.split_once("autostarttoken=") {
            canary(token);
        }
        link
    }

    /// What a camera reads from the picture on the page.
    pub fn qr_text(&self) -> String {
        let path = self
            .after("shape-rendering=\"crispEdges\"><path d=\"")
            .unwrap_or_else(|| panic!("no code: {}", self.body));
        read_qr(&path)
    }
}

/// How many modules a code is wide.
const SIDE: usize = 45;

/// Decodes the picture by a reader that is not ours.
pub fn read_qr(path: &str) -> String {
    let mut dark = [[false; SIDE]; SIDE];
    for run in path.split('M').filter(|run| !run.is_empty()) {
        let numbers: Vec<usize> = run
            .split(|c: char| !c.is_ascii_digit())
            .filter_map(|n| n.parse().ok())
            .collect();
        let (x, y, width) = (numbers[0], numbers[1], numbers[2]);
        dark[y][x..x + width].fill(true);
    }
    read_code(|x, y| dark[y][x])
}

/// The same of the modules that a page draws by itself.
pub fn read_modules(modules: &str) -> String {
    let bytes = STANDARD.decode(modules).expect("Base64");
    read_code(|x, y| {
        let n = y * SIDE + x;
        bytes[n / 8] & (0x80 >> (n % 8)) != 0
    })
}

fn read_code(is_dark: impl Fn(usize, usize) -> bool) -> String {
    let grid = rqrr::SimpleGrid::from_func(SIDE, is_dark);
    let (_, text) = rqrr::Grid::new(grid).decode().expect("a readable code");
    // The code's authentication is as secret as a password for as long as it is fresh.
    if let Some(code) = text.rsplit('.').next() {
        canary(code);
    }
    text
}

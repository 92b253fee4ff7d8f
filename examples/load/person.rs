//! One person's browser and phone, and the application that they come from.

use anyhow::{Context, anyhow, bail, ensure};
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use serde_json::{Value, json};

use crate::Device;
use crate::provider::{CALLBACK, SECRET, World};

/// One person's browser: cookies, and what a page says.
pub struct Visit<'a> {
    world: &'a World,
    cookies: Vec<(String, String)>,
}

/// What came back.
struct Shown {
    status: u16,
    location: Option<String>,
    body: String,
}

/// What an application has of a login.
#[derive(Clone, Debug, Default)]
pub struct Tokens {
    pub access: String,
    pub refresh: String,
}

impl<'a> Visit<'a> {
    /// A browser that was never here.
    pub fn new(world: &'a World) -> Visit<'a> {
        Visit {
            world,
            cookies: Vec::new(),
        }
    }

    /// What it would bring along, for a browser that comes back later.
    pub fn cookies(self) -> Vec<(String, String)> {
        self.cookies
    }

    /// A browser that comes back.
    pub fn again(world: &'a World, cookies: &[(String, String)]) -> Visit<'a> {
        Visit {
            world,
            cookies: cookies.to_owned(),
        }
    }

    async fn ask(&mut self, request: reqwest::RequestBuilder) -> anyhow::Result<reqwest::Response> {
        let pairs = self.cookies.iter().map(|(n, v)| format!("{n}={v}"));
        let pairs: Vec<String> = pairs.collect();
        let answer = request
            .header(COOKIE, pairs.join("; "))
            .header(
                "user-agent",
                "Mozilla/5.0 (Windows NT 10.0) Chrome/142.0.0.0",
            )
            .header("sec-fetch-site", "same-origin")
            .send()
            .await?;
        for header in answer.headers().get_all(SET_COOKIE) {
            let (pair, _) = header.to_str()?.split_once(';').context("a cookie")?;
            let (name, value) = pair.split_once('=').context("a cookie")?;
            self.cookies.retain(|(n, _)| n != name);
            self.cookies.push((name.to_owned(), value.to_owned()));
        }
        Ok(answer)
    }

    async fn send(&mut self, request: reqwest::RequestBuilder) -> anyhow::Result<Shown> {
        let answer = self.ask(request).await?;
        let location = answer.headers().get(LOCATION);
        Ok(Shown {
            status: answer.status().as_u16(),
            location: location.and_then(|l| l.to_str().ok()).map(str::to_owned),
            body: answer.text().await?,
        })
    }

    async fn get(&mut self, path: &str) -> anyhow::Result<Shown> {
        let url = match path.starts_with('/') {
            true => format!("{}{path}", self.world.issuer),
            false => path.to_owned(),
        };
        self.send(self.world.http.get(url)).await
    }

    async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> anyhow::Result<Shown> {
        let url = format!("{}{path}", self.world.issuer);
        self.send(self.world.http.post(url).form(form)).await
    }

    /// From the application to the page of a device, where an order was made.
    async fn choose(&mut self, device: Device, scope: &str) -> anyhow::Result<(String, Shown)> {
        let choice = self.get(&asked(scope)).await?;
        let form = choice.after("name=\"form\" value=\"")?;
        let device = match device {
            Device::This => "this",
            Device::Other => "other",
        };
        let fields = [
            ("form", form.as_str()),
            ("device", device),
            ("scripts", "on"),
        ];
        let chosen = self.post("/login", &fields).await?;
        let address = chosen.leads_to()?.to_owned();
        let page = self.get(&address).await?;
        Ok((address, page))
    }

    /// The whole login, to the code.
    pub async fn log_in(&mut self, n: usize, device: Device, scope: &str) -> anyhow::Result<Login> {
        let (address, page) = self.choose(device, scope).await?;
        let person = self.world.people[n % self.world.people.len()].lock().await;
        let number = *person;
        let (tab, stream) = match device {
            Device::This => {
                let link = page.after("id=\"open-app\" href=\"")?;
                let asked = json!({ "link": link, "person": number });
                let back = approve(self.world, "open", asked).await?;
                drop(person);
                let back = back.context("a return address")?;
                let returned = self.get(&back).await?;
                let tab = returned.leads_to()?.to_owned();
                self.get(&tab).await?.after("data-login=\"")?;
                (tab, format!("{address}/events?tab=returned&code=modules"))
            }
            Device::Other => {
                let code = read(&page.after("shape-rendering=\"crispEdges\"><path d=\"")?)?;
                let asked = json!({ "qr": code, "person": number });
                approve(self.world, "scan", asked).await?;
                drop(person);
                (address.clone(), format!("{address}/events?code=modules"))
            }
        };
        ensure!(tab.starts_with(&address), "another login's page");
        self.until_finish(&stream).await?;
        let departure = self.get(&format!("{address}/finish")).await?;
        Ok(Login {
            person: number,
            code: code_of(departure.leads_to()?)?,
        })
    }

    /// Listens until the page would go on to the end.
    async fn until_finish(&mut self, stream: &str) -> anyhow::Result<()> {
        let mut events = self.events(stream).await?;
        let mut text = String::new();
        while let Some(chunk) = events.chunk().await? {
            text += std::str::from_utf8(&chunk)?;
            if text.contains("\"screen\":\"finish\"") {
                return Ok(());
            }
        }
        bail!("the events ended without an end: {text}")
    }

    /// Server-sent events of a login.
    async fn events(&mut self, path: &str) -> anyhow::Result<reqwest::Response> {
        let url = format!("{}{path}", self.world.issuer);
        let answer = self.ask(self.world.http.get(url)).await?;
        Ok(answer.error_for_status()?)
    }

    /// A code on the screen, and the events that change it.
    pub async fn wait_for_scan(&mut self) -> anyhow::Result<reqwest::Response> {
        let (address, page) = self.choose(Device::Other, SCOPE).await?;
        page.after("shape-rendering=\"crispEdges\"><path d=\"")?;
        self.events(&format!("{address}/events?code=modules")).await
    }

    /// A login at node-oidc-provider: its form, sent as it is.
    pub async fn log_in_beside(&mut self, issuer: &str) -> anyhow::Result<String> {
        let asked = asked(SCOPE).replace("/authorize", "/auth");
        let led = self.get(&format!("{issuer}{asked}")).await?;
        let form = format!("{issuer}{}", led.leads_to()?);
        let page = self.get(&form).await?;
        ensure!(page.body.contains("<form"), "no form");
        let empty: [(&str, &str); 0] = [];
        let sent = self.send(self.world.http.post(&form).form(&empty)).await?;
        let departure = self.get(sent.leads_to()?).await?;
        code_of(departure.leads_to()?)
    }

    /// By the session that this browser has: a code at once.
    pub async fn log_in_again(&mut self) -> anyhow::Result<String> {
        let departure = self.get(&asked(SCOPE)).await?;
        code_of(departure.leads_to()?)
    }
}

/// A login that came to its end.
pub struct Login {
    /// Who it should be.
    pub person: &'static str,
    /// What the application got.
    pub code: String,
}

/// What an application usually asks for.
pub const SCOPE: &str = "openid profile personal_number";
/// The same, to come back without the person.
pub const OFFLINE: &str = "openid profile personal_number offline_access";

fn asked(scope: &str) -> String {
    let query: String = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("client_id", "load")
        .append_pair("redirect_uri", CALLBACK)
        .append_pair("response_type", "code")
        .append_pair("scope", scope)
        .append_pair("state", "a-state-of-usual-length")
        .append_pair("nonce", "a-nonce-of-usual-length")
        .finish();
    format!("/authorize?{query}")
}

fn code_of(location: &str) -> anyhow::Result<String> {
    let left = url::Url::parse(location)?;
    let mut pairs = left.query_pairs();
    let code = pairs.find(|(name, _)| name == "code");
    let (_, code) = code.with_context(|| format!("no code in {location}"))?;
    Ok(code.into_owned())
}

impl Shown {
    fn after(&self, marker: &str) -> anyhow::Result<String> {
        let (_, rest) = self
            .body
            .split_once(marker)
            .ok_or_else(|| anyhow!("no {marker} in an answer with status {}", self.status))?;
        let (value, _) = rest.split_once('"').context("a quotation mark")?;
        Ok(value.replace("&#38;", "&").replace("&amp;", "&"))
    }

    fn leads_to(&self) -> anyhow::Result<&str> {
        self.location
            .as_deref()
            .ok_or_else(|| anyhow!("status {} leads nowhere", self.status))
    }
}

/// A phone takes an order up and approves it. Where the app comes back to, if it does.
async fn approve(world: &World, door: &str, asked: Value) -> anyhow::Result<Option<String>> {
    let taken_up = phone(world, door, asked).await?;
    let approval = json!({ "handle": taken_up["handle"], "code": "123456" });
    let approved = phone(world, "approve", approval).await?;
    Ok(approved["returnUrl"].as_str().map(str::to_owned))
}

async fn phone(world: &World, door: &str, body: Value) -> anyhow::Result<Value> {
    let url = format!("{}api/{door}", world.phone);
    let answer = world.http.post(url).json(&body).send().await?;
    let status = answer.status();
    let body: Value = answer.json().await?;
    match status.is_success() {
        true => Ok(body),
        false => bail!("the phone: {body}"),
    }
}

/// What a camera reads.
fn read(path: &str) -> anyhow::Result<String> {
    const SIDE: usize = portvakt::bankid::qr::MODULES;
    let mut dark = [[false; SIDE]; SIDE];
    let subpaths = path.split('M').filter(|subpath| !subpath.is_empty());
    for subpath in subpaths {
        let mut numbers = subpath
            .split(|c: char| !c.is_ascii_digit())
            .filter_map(|n| n.parse::<usize>().ok());
        let (Some(x), Some(y), Some(width)) = (numbers.next(), numbers.next(), numbers.next())
        else {
            bail!("an odd path");
        };
        dark[y][x..x + width].fill(true);
    }
    let grid = rqrr::SimpleGrid::from_func(SIDE, |x, y| dark[y][x]);
    let (_, text) = rqrr::Grid::new(grid).decode()?;
    Ok(text)
}

/// The application's exchange.
pub async fn exchange(world: &World, code: &str) -> anyhow::Result<Tokens> {
    exchange_at(world, &format!("{}/token", world.issuer), code).await
}

/// The same at some provider's token endpoint.
pub async fn exchange_at(world: &World, url: &str, code: &str) -> anyhow::Result<Tokens> {
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", CALLBACK),
    ];
    token(world, url, &form).await
}

/// New tokens for a refresh token.
pub async fn refresh(world: &World, refresh_token: &str) -> anyhow::Result<Tokens> {
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token),
    ];
    token(world, &format!("{}/token", world.issuer), &form).await
}

async fn token(world: &World, url: &str, form: &[(&str, &str)]) -> anyhow::Result<Tokens> {
    let answer = client_post(world, url, form).await?;
    let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
    ensure!(answer["id_token"].is_string(), "no ID token");
    Ok(Tokens {
        access: text("access_token"),
        refresh: text("refresh_token"),
    })
}

async fn client_post(world: &World, url: &str, form: &[(&str, &str)]) -> anyhow::Result<Value> {
    let answer = world
        .http
        .post(url)
        .basic_auth("load", Some(SECRET))
        .form(form)
        .send()
        .await?;
    Ok(answer.error_for_status()?.json().await?)
}

/// Who an access token is about.
pub async fn userinfo(world: &World, access_token: &str) -> anyhow::Result<Value> {
    userinfo_at(world, &format!("{}/userinfo", world.issuer), access_token).await
}

/// The same at some provider's userinfo endpoint.
pub async fn userinfo_at(world: &World, url: &str, access_token: &str) -> anyhow::Result<Value> {
    let answer = world.http.get(url).bearer_auth(access_token).send().await?;
    Ok(answer.error_for_status()?.json().await?)
}

/// What an access token is worth.
pub async fn introspect(world: &World, access_token: &str) -> anyhow::Result<()> {
    let url = format!("{}/introspect", world.issuer);
    let answer = client_post(world, &url, &[("token", access_token)]).await?;
    ensure!(answer["active"] == true, "a token that is not active");
    Ok(())
}

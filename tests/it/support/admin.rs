//! An administrator at their browser.

use portvakt::admin::administrator::{Invited, invite};
use portvakt::admin::role::{Administrator, Reach, Role};
use portvakt::audit::{Actor, Door, Who};
use portvakt::client::Name;
use portvakt::client::setting::to_form;
use portvakt::id::ClientId;
use portvakt::testing::canary;
use reqwest::header::LOCATION;

use super::{App, Browser, Page};

/// An administrator who is logged in.
pub struct Console {
    pub browser: Browser,
    pub administrator: Administrator,
    url: String,
}

/// Whoever has a shell on the machine.
pub fn operator() -> Actor {
    Actor {
        who: Who::Operator("tests".to_owned()),
        door: Door::Cli,
        address: None,
    }
}

impl App {
    /// Invites somebody, as the command line does. The link, and who it is.
    pub async fn invite(&self, role: Role, reach: Reach) -> (Administrator, String) {
        let desk = self.provider.desk(operator(), Reach::All, true);
        let invited = Invited {
            name: Name::parse("Kim Testsson").expect("a name"),
            role,
            reach,
        };
        let (administrator, link) = invite(&desk, invited).await.expect("invited");
        canary(link.expose());
        let link = format!("{}/invitation/{}", self.admin, link.expose());
        (administrator, link)
    }

    /// An administrator of a role, who is this person.
    pub async fn administrator(&self, role: Role, reach: Reach, person: &str) -> Console {
        let (administrator, link) = self.invite(role, reach).await;
        let browser = Browser::new();
        let page = self.enrol(&browser, &link, person).await;
        assert_eq!(page.status, 200, "{}", page.body);
        Console {
            browser,
            administrator,
            url: self.admin.clone(),
        }
    }

    /// Takes an invitation by a BankID, up to the page that leads on.
    pub async fn enrol(&self, browser: &Browser, link: &str, person: &str) -> Page {
        let first = browser.get(link).await;
        assert_eq!(first.status, 200, "{}", first.body);
        let begin = first.after("id=\"take\" href=\"").expect("a link");
        let begun = browser.get(&first.absolute(&begin)).await;
        self.come_back(browser, &begun, person).await
    }

    /// Logs in where the administration led, and comes back to it.
    pub async fn come_back(&self, browser: &Browser, begun: &Page, person: &str) -> Page {
        assert_eq!(begun.status, 303, "{}", begun.body);
        let asked = begun.headers[LOCATION].to_str().expect("ASCII");
        let choice = browser.get(asked).await;
        let login = browser.choose(&choice, "other").await;
        let code = login.qr_text();
        self.phone.scan(&code, person).await.approve().await;
        let finished = browser.until_departure(&login).await;
        browser.get(&finished.location().expect("a redirect")).await
    }
}

impl Console {
    pub async fn get(&self, path: &str) -> Page {
        self.browser.get(&format!("{}{path}", self.url)).await
    }

    /// A form of a page that this administrator has open.
    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        let csrf = self.csrf().await;
        let mut form = vec![("csrf", csrf.as_str())];
        form.extend(fields);
        self.browser
            .post(&format!("{}{path}", self.url), &form)
            .await
    }

    /// What this administrator's forms carry.
    pub async fn csrf(&self) -> String {
        self.get("/").await.value("csrf")
    }
}

/// A client's settings as its form has them, with changes.
pub async fn settings(
    app: &App,
    client_id: &str,
    changes: &[(&str, &str)],
) -> Vec<(String, String)> {
    let id = ClientId::parse(client_id).expect("an id");
    let read = app.provider.store.registered(&id).await.expect("read");
    let read = read.expect("registered");
    let mut fields: Vec<(String, String)> = to_form(&read.client.metadata)
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    for (name, value) in changes {
        fields.retain(|(n, _)| n != name);
        fields.push(((*name).to_owned(), (*value).to_owned()));
    }
    fields.push(("version".to_owned(), read.version.to_string()));
    fields.push(("sector".to_owned(), read.client.sector));
    fields
}

pub fn borrowed(fields: &[(String, String)]) -> Vec<(&str, &str)> {
    fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}

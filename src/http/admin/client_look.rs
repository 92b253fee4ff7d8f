//! How a client's login page looks: made as a login makes it, of what is saved or of what is being typed. And
//! its logo, which is given here.

use actix_web::http::StatusCode;
use askama::Template;

use super::super::answer::Answer;
use super::super::assets::url;
use super::super::authorize::{Facts, WARNS_AFTER, choice_page};
use super::super::input::Request;
use super::super::logo;
use super::super::page::{Choice, Frame as PublicFrame, Logo as PublicLogo};
use super::super::screen::LoginPage;
use super::Caller;
use super::client_edit::typed;
use super::client_page::named;
use super::clients::PARAMETER_LIMIT;
use super::page::{Frame, Labelled, Look, Spoken, Viewed, client_path};
use crate::admin::preview::asks;
use crate::admin::role::Permission;
use crate::admin::{Unmet, client};
use crate::authorize::request::{AuthorizationRequest, Scope};
use crate::bankid::qr::Picture;
use crate::client::logo::Logo;
use crate::client::registered::{ManagedBy, Registered};
use crate::client::setting::{Mistake, from_form};
use crate::client::{Client, Metadata};
use crate::language::Language;
use crate::login::device::Offers;
use crate::login::progress::Screen;
use crate::provider::Provider;

pub async fn show(provider: Provider, request: Request, caller: Caller) -> Result<Answer, Unmet> {
    let read = client::find(&caller.desk(&provider), &named(&request)?).await?;
    let query = request.query(PARAMETER_LIMIT).unwrap_or_default();
    let notice = (query.first("done") == Some("logo")).then_some("The logo is saved.");
    let metadata = read.client.metadata.clone();
    look(&provider, &caller, &read, Source::Saved(notice), metadata).await
}

/// The same of a form that is being filled in. Nothing is saved.
pub async fn show_typed(
    provider: Provider,
    request: Request,
    caller: Caller,
) -> Result<Answer, Unmet> {
    let desk = caller.desk(&provider);
    let read = client::open(&desk, &named(&request)?, None).await?;
    let (sent, sector) = typed(&caller);
    let wanted = match from_form(&sent, &read.client.metadata) {
        Ok(metadata) => client::tried(&desk, &read, Some(&sector), metadata).await,
        Err(mistakes) => Err(Unmet::Mistakes(mistakes)),
    };
    match wanted {
        Ok(client) => look(&provider, &caller, &read, Source::Typed, client.metadata).await,
        Err(Unmet::Mistakes(mistakes)) => {
            mistaken(&provider, &caller, &read, Source::Typed, mistakes).await
        }
        Err(unmet) => Err(unmet),
    }
}

pub async fn save_logo(
    provider: Provider,
    request: Request,
    caller: Caller,
) -> Result<Answer, Unmet> {
    let (desk, id) = (caller.desk(&provider), named(&request)?);
    let version = caller.version()?;
    let read = client::open(&desk, &id, None).await?;
    let saved = match with_logos(&caller, read.client.metadata.clone()) {
        Ok(metadata) => client::change(&desk, &id, version, None, metadata).await,
        Err(mistake) => Err(Unmet::Mistakes(vec![mistake])),
    };
    match saved {
        Ok(_) => Ok(Answer::see(&format!("{}/look?done=logo", client_path(&id)))),
        Err(Unmet::Mistakes(mistakes)) => {
            mistaken(&provider, &caller, &read, Source::Saved(None), mistakes).await
        }
        Err(unmet) => Err(unmet),
    }
}

/// The settings with the logos that were sent. One that was not chosen stays.
fn with_logos(caller: &Caller, mut metadata: Metadata) -> Result<Metadata, Mistake> {
    let theme = &mut metadata.theme;
    for (field, name, place) in [
        ("logo", "theme.logo", &mut theme.logo),
        ("logo_dark", "theme.logo_dark", &mut theme.logo_dark),
    ] {
        if let Some(text) = caller.field(field) {
            let logo = Logo::parse(text).map_err(|reason| Mistake::new(name, reason))?;
            *place = Some(logo);
        }
    }
    match caller.field("remove") {
        // What stands on dark pages stands in its place.
        Some("logo") => (theme.logo, theme.logo_dark) = (None, None),
        Some("logo_dark") => theme.logo_dark = None,
        _ => {}
    }
    Ok(metadata)
}

/// What a look is of.
#[derive(Clone, Copy)]
enum Source {
    /// What is saved, with word of what was done.
    Saved(Option<&'static str>),
    /// What somebody has in their form.
    Typed,
}

/// The page without a look, for what does not hold together.
async fn mistaken(
    provider: &Provider,
    caller: &Caller,
    read: &Registered,
    source: Source,
    mistakes: Vec<Mistake>,
) -> Result<Answer, Unmet> {
    let saved = logo::shown(provider, &read.client.metadata.theme).await?;
    let page = Look {
        mistakes: Labelled::all(mistakes),
        ..frame_of(provider, caller, read, source, saved)
    };
    Ok(Answer::page_with(StatusCode::BAD_REQUEST, &page))
}

async fn look(
    provider: &Provider,
    caller: &Caller,
    read: &Registered,
    source: Source,
    metadata: Metadata,
) -> Result<Answer, Unmet> {
    let logo = logo::shown(provider, &metadata.theme).await?;
    let client = Client {
        metadata: metadata.at(provider.clock.now()),
        ..read.client.clone()
    };
    let (languages, refused) = match asked(provider, &client) {
        Ok(request) => (views(provider, &client, &request, logo.as_ref()), None),
        Err(refused) => (Vec::new(), Some(refused)),
    };
    let page = Look {
        languages,
        refused,
        ..frame_of(provider, caller, read, source, logo)
    };
    Ok(Answer::page(&page).in_colors(&client.metadata.theme))
}

fn frame_of(
    provider: &Provider,
    caller: &Caller,
    read: &Registered,
    source: Source,
    logo: Option<PublicLogo>,
) -> Look {
    let name = read.client.metadata.client_name.as_str();
    let is_ours = read.managed_by == ManagedBy::Admin && read.removed_at.is_none();
    let (is_typed, notice) = match source {
        Source::Saved(notice) => (false, notice),
        Source::Typed => (true, None),
    };
    Look {
        frame: Frame::new(provider, caller, &format!("How {name} looks")).under("Clients"),
        path: client_path(read.client.client_id.as_str()),
        name: name.to_owned(),
        version: read.version,
        may_change: caller.may(Permission::WriteClients) && is_ours && !is_typed,
        is_typed,
        notice,
        mistakes: Vec::new(),
        refused: None,
        logo,
        languages: Vec::new(),
    }
}

/// A request for all that the client may be told. What is in signed ones is not known.
fn asked(provider: &Provider, client: &Client) -> Result<AuthorizationRequest, String> {
    let mut open = client.clone();
    open.metadata.require_signed_request_object = false;
    let mut scopes = vec![Scope::Openid, Scope::Profile];
    if client.metadata.personal_number.is_some() {
        scopes.push(Scope::PersonalNumber);
    }
    asks(&open, &scopes, &provider.policy).map(|(_, request)| request)
}

/// A browser that is looked at: what it is called, its class, and what it calls itself.
const BROWSERS: [(&str, &str, &str); 2] = [
    (
        "phone",
        "phone",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1",
    ),
    (
        "computer",
        "wide",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36",
    ),
];

fn views(
    provider: &Provider,
    client: &Client,
    request: &AuthorizationRequest,
    logo: Option<&PublicLogo>,
) -> Vec<Spoken> {
    let in_language = |language: Language| {
        let mut views = Vec::new();
        for (browser, width, user_agent) in BROWSERS {
            let facts = Facts {
                language,
                user_agent,
                elsewhere_before: false,
                renewed: false,
                warns_after: WARNS_AFTER.0,
                logo: logo.cloned(),
                form: String::new(),
            };
            let choice = choice_page(&provider.config, client, request, facts);
            let choice = Choice {
                frame: choice.frame.inert(),
                ..choice
            };
            let scan = choice
                .offers
                .other
                .then(|| scan_page(provider, client, language, choice.offers, logo));
            let mut add = |what: &str, html: String| {
                for colors in ["light", "dark"] {
                    views.push(Viewed {
                        label: format!("{what}, {browser}, {colors}"),
                        class: format!("{width} {colors}"),
                        html: html.clone(),
                    });
                }
            };
            add("The choice", rendered(&choice));
            if let Some(scan) = scan {
                add("The code", rendered(&scan));
            }
        }
        Spoken {
            tag: language.tag().as_str(),
            is_open: language == provider.config.languages.usual(),
            views,
        }
    };
    provider.config.languages.all().map(in_language).collect()
}

/// The screen with a code that leads nowhere.
fn scan_page(
    provider: &Provider,
    client: &Client,
    language: Language,
    offers: Offers,
    logo: Option<&PublicLogo>,
) -> LoginPage {
    const NOBODYS: &str = "00000000-0000-4000-8000-000000000000";
    let frame = PublicFrame::new(language, &provider.config.pages);
    let code = format!("bankid.{NOBODYS}.0.{}", "0".repeat(64));
    LoginPage {
        frame: frame.themed(&client.metadata.theme, logo.cloned()).inert(),
        client_name: client.metadata.name(language).to_owned(),
        id: NOBODYS.to_owned(),
        reference: String::new(),
        csrf: String::new(),
        screen: Screen::Scan {
            picture: Picture::of(&code).expect("a frame fits"),
        },
        offers,
        in_app: false,
        starts_by_itself: false,
        tab_query: "",
        refresh: None,
        warns_after: 0,
        device: "other",
        script: url("login.js"),
    }
}

fn rendered(page: &impl Template) -> String {
    page.render()
        .expect("a template of plain values always renders")
}

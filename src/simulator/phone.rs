//! ⚡ The phone in the browser: pick a person, scan a code or open a link, see who asks and for
//! what, approve or decline.

use actix_web::http::{StatusCode, header};
use actix_web::web::{self, Data, Form, Path, Query, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use serde::Deserialize;
use serde_json::json;

use super::Shared;
use super::book::{Afterwards, Book, Call, Listed, OnScreen, Request};
use super::order::{Risk, Start, Typed, Unusable};
use super::people::{PEOPLE, Person};

pub fn routes(config: &mut ServiceConfig) {
    config
        .route("/", web::get().to(home))
        .route("/scan", web::post().to(scan))
        .route("/open", web::post().to(open))
        .route("/order/{handle}", web::get().to(order))
        .route("/order/{handle}/approve", web::post().to(approve))
        .route("/order/{handle}/decline", web::post().to(decline))
        .route("/order/{handle}/confirm", web::post().to(confirm))
        .route("/order/{handle}/hint", web::post().to(hint))
        .route("/answer", web::post().to(answer_call))
        .route("/orders", web::get().to(orders))
        .route("/orders/whim", web::post().to(whim))
        .route("/done", web::get().to(done))
        .route("/static/phone.css", web::get().to(style))
        .route("/static/phone.js", web::get().to(script))
        .configure(super::rest::routes)
        .default_service(web::route().to(nowhere));
}

#[derive(Template)]
#[template(path = "simulator/home.html")]
struct Home {
    people: &'static [Person],
    chosen: String,
    codes: Vec<OnScreen>,
    /// Who is wanted in a call, and by whom.
    calls: Vec<(&'static Person, String)>,
    /// The token of a launch link that opened this page.
    auto_start_token: Option<String>,
    trouble: Option<&'static str>,
}

/// How many people are shown at once.
const FIRST_PEOPLE: usize = 4;

impl Home {
    fn first_people(&self) -> &'static [Person] {
        &self.people[..FIRST_PEOPLE]
    }

    fn other_people(&self) -> &'static [Person] {
        &self.people[FIRST_PEOPLE..]
    }

    fn is_other_chosen(&self) -> bool {
        let is_chosen = |person: &Person| person.personal_number == self.chosen;
        self.other_people().iter().any(is_chosen)
    }
}

#[derive(Template)]
#[template(path = "simulator/order.html")]
struct OrderPage {
    request: Request,
    is_wrong: bool,
    pending_hints: &'static [&'static str],
    failed_hints: &'static [&'static str],
}

/// What may happen in the app while an order is open (relying-party API v6.0, "collect").
const PENDING_HINTS: &[&str] = &[
    "userSign",
    "started",
    "userMrtd",
    "userStepUp",
    "userFace",
    "processing",
];
/// What an order may come to.
const FAILED_HINTS: &[&str] = &[
    "expiredTransaction",
    "certificateErr",
    "cancelled",
    "startFailed",
    "notSupportedByUserApp",
    "mrtdVerificationFailed",
    "facialRecognitionFailed",
    "nfcNotSupportedByDevice",
    "multipleBankIdsOnDevice",
    "stepUpFailed",
    "transactionRiskBlocked",
];

#[derive(Template)]
#[template(path = "simulator/orders.html")]
struct Orders {
    orders: Vec<Listed>,
    calls: Vec<(String, Call)>,
    whims: Vec<String>,
}

#[derive(Template)]
#[template(path = "simulator/done.html")]
struct Done {
    message: &'static str,
    address: Option<String>,
}

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

fn page(status: StatusCode, template: &impl Template) -> HttpResponse {
    let html = template
        .render()
        .expect("a template of plain values always renders");
    HttpResponse::build(status)
        .insert_header((header::CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header(("permissions-policy", "camera=(self)"))
        .insert_header(("referrer-policy", "no-referrer"))
        .insert_header(("x-content-type-options", "nosniff"))
        .body(html)
}

fn see(path: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((header::LOCATION, path))
        .finish()
}

#[derive(Deserialize)]
struct HomeQuery {
    autostarttoken: Option<String>,
    person: Option<String>,
}

async fn home(shared: Data<Shared>, request: HttpRequest, query: Query<HomeQuery>) -> HttpResponse {
    let HomeQuery {
        autostarttoken,
        person,
    } = query.into_inner();
    let chosen = person.or_else(|| request.cookie("person").map(|c| c.value().to_owned()));
    show_home(&shared, chosen, autostarttoken, None)
}

fn show_home(
    shared: &Shared,
    chosen: Option<String>,
    token: Option<String>,
    trouble: Option<Unusable>,
) -> HttpResponse {
    let now = shared.clock.moment();
    let called = |book: &mut Book, person: &'static Person| {
        let caller = book.caller(person, now)?;
        Some((person, caller))
    };
    let status = match trouble {
        None => StatusCode::OK,
        Some(_) => StatusCode::BAD_REQUEST,
    };
    page(
        status,
        &Home {
            people: PEOPLE,
            chosen: chosen.unwrap_or_else(|| PEOPLE[0].personal_number.to_owned()),
            codes: shared.book(|book| book.on_screen(now)),
            calls: shared.book(|book| PEOPLE.iter().filter_map(|p| called(book, p)).collect()),
            auto_start_token: token,
            trouble: trouble.map(Unusable::sentence),
        },
    )
}

#[derive(Deserialize)]
struct ScanForm {
    person: String,
    /// The text of a code.
    text: Option<String>,
    /// A code on some screen, by the token that stands in it.
    screen: Option<String>,
}

async fn scan(shared: Data<Shared>, form: Form<ScanForm>) -> HttpResponse {
    let Some(person) = Person::find(&form.person) else {
        return show_home(&shared, None, None, Some(Unusable::NoOrder));
    };
    let now = shared.clock.moment();
    let claimed = shared.book(|book| {
        let text = match &form.screen {
            Some(token) => book.frame_on_screen(token, now).ok_or(Unusable::NoOrder)?,
            None => form.text.clone().unwrap_or_default(),
        };
        book.scan(&text, person, &shared.random, now)
    });
    claimed_or_home(&shared, person, claimed)
}

#[derive(Deserialize)]
struct OpenForm {
    person: String,
    /// A launch link, or the token in one.
    link: String,
}

async fn open(shared: Data<Shared>, form: Form<OpenForm>) -> HttpResponse {
    let Some(person) = Person::find(&form.person) else {
        return show_home(&shared, None, None, Some(Unusable::NoOrder));
    };
    let now = shared.clock.moment();
    let token = token_of_link(&form.link);
    let claimed = shared.book(|book| book.open(&token, person, &shared.random, now));
    claimed_or_home(&shared, person, claimed)
}

/// The token in a launch link of either form.
pub fn token_of_link(link: &str) -> String {
    match url::Url::parse(link.trim()) {
        Ok(url) => url
            .query_pairs()
            .find(|(name, _)| name == "autostarttoken")
            .map(|(_, value)| value.into_owned())
            .unwrap_or_default(),
        Err(_) => link.trim().to_owned(),
    }
}

fn claimed_or_home(
    shared: &Shared,
    person: &Person,
    claimed: Result<Request, Unusable>,
) -> HttpResponse {
    match claimed {
        Ok(claimed) => HttpResponse::SeeOther()
            .insert_header((header::LOCATION, format!("/order/{}", claimed.handle)))
            .insert_header((
                header::SET_COOKIE,
                format!(
                    "person={}; Path=/; SameSite=Lax; HttpOnly",
                    person.personal_number
                ),
            ))
            .finish(),
        Err(trouble) => {
            let chosen = Some(person.personal_number.to_owned());
            show_home(shared, chosen, None, Some(trouble))
        }
    }
}

#[derive(Deserialize)]
struct OrderQuery {
    wrong: Option<String>,
}

async fn order(
    shared: Data<Shared>,
    handle: Path<String>,
    query: Query<OrderQuery>,
) -> HttpResponse {
    let now = shared.clock.moment();
    match shared.book(|book| book.request(&handle, now)) {
        Some(request) => page(
            StatusCode::OK,
            &OrderPage {
                request,
                is_wrong: query.wrong.is_some(),
                pending_hints: PENDING_HINTS,
                failed_hints: FAILED_HINTS,
            },
        ),
        None => see("/done?what=over"),
    }
}

#[derive(Deserialize)]
struct ApproveForm {
    code: String,
    #[serde(default)]
    afterwards: String,
    #[serde(default)]
    risk: Risk,
}

async fn approve(
    shared: Data<Shared>,
    handle: Path<String>,
    form: Form<ApproveForm>,
) -> HttpResponse {
    let afterwards = match form.afterwards.as_str() {
        "elsewhere" => Afterwards::Elsewhere,
        "nothing" => Afterwards::Nothing,
        "old-app" => Afterwards::OldApp,
        _ => Afterwards::Here,
    };
    let now = shared.clock.moment();
    let return_url = shared
        .book(|book| book.request(&handle, now))
        .and_then(|r| r.return_url);
    let (code, risk) = (form.code.trim(), form.risk);
    match shared.book(|book| book.approve(&handle, code, risk, afterwards, now)) {
        Typed::TooSoon => see(&format!("/order/{handle}")),
        Typed::Wrong => see(&format!("/order/{handle}?wrong=1")),
        Typed::Blocked => see("/done?what=blocked"),
        Typed::Over => see("/done?what=over"),
        Typed::Approved => match (return_url, afterwards) {
            (Some(address), Afterwards::Here) => page(
                StatusCode::OK,
                &Done {
                    message: "You have identified yourself. Going back to the browser.",
                    address: Some(address),
                },
            ),
            (Some(address), Afterwards::Elsewhere) => {
                shared.open_elsewhere(&address).await;
                see("/done?what=elsewhere")
            }
            _ => see("/done?what=approved"),
        },
    }
}

async fn decline(shared: Data<Shared>, handle: Path<String>) -> HttpResponse {
    let now = shared.clock.moment();
    match shared.book(|book| book.decline(&handle, now)) {
        true => see("/done?what=declined"),
        false => see("/done?what=over"),
    }
}

#[derive(Deserialize)]
struct CallForm {
    person: String,
}

async fn answer_call(shared: Data<Shared>, form: Form<CallForm>) -> HttpResponse {
    let Some(person) = Person::find(&form.person) else {
        return show_home(&shared, None, None, Some(Unusable::NoOrder));
    };
    let now = shared.clock.moment();
    let claimed = shared.book(|book| book.answer_call(person, &shared.random, now));
    claimed_or_home(&shared, person, claimed)
}

#[derive(Deserialize)]
struct ConfirmForm {
    in_call: String,
}

async fn confirm(
    shared: Data<Shared>,
    handle: Path<String>,
    form: Form<ConfirmForm>,
) -> HttpResponse {
    let now = shared.clock.moment();
    let is_in_call = form.in_call == "yes";
    let told = shared.book(|book| book.confirm_call(&handle, is_in_call, now));
    match (told, is_in_call) {
        (true, true) => see(&format!("/order/{handle}")),
        (true, false) => see("/done?what=declined"),
        (false, _) => see("/done?what=over"),
    }
}

#[derive(Deserialize)]
struct HintForm {
    hint: String,
}

async fn hint(shared: Data<Shared>, handle: Path<String>, form: Form<HintForm>) -> HttpResponse {
    let now = shared.clock.moment();
    let fails = FAILED_HINTS.contains(&form.hint.as_str());
    let told = shared.book(|book| book.hint(&handle, &form.hint, fails, now));
    match told && !fails {
        true => see(&format!("/order/{handle}")),
        false => see("/done?what=over"),
    }
}

/// Everything that was ordered, and what the API refused and why.
async fn orders(shared: Data<Shared>) -> HttpResponse {
    let now = shared.clock.moment();
    let (orders, calls) = shared.book(|book| (book.list(now), book.calls()));
    let ago = |call: Call| {
        let seconds = now.seconds_since(call.at);
        (format!("{seconds} s ago"), call)
    };
    let whims = shared.whims(|whims| whims.all());
    let orders = Orders {
        orders,
        calls: calls.into_iter().map(ago).collect(),
        whims: whims.iter().map(|whim| json!(whim).to_string()).collect(),
    };
    page(StatusCode::OK, &orders)
}

#[derive(Deserialize)]
struct WhimForm {
    whim: String,
}

async fn whim(shared: Data<Shared>, form: Form<WhimForm>) -> HttpResponse {
    match serde_json::from_str(&form.whim) {
        Ok(whim) => shared.whims(|whims| whims.add(whim)),
        Err(_) => shared.whims(|whims| whims.clear()),
    }
    see("/orders")
}

#[derive(Deserialize)]
struct DoneQuery {
    what: Option<String>,
}

async fn done(query: Query<DoneQuery>) -> HttpResponse {
    let message = match query.what.as_deref() {
        Some("approved") => "You have identified yourself. Go back to the page where you began.",
        Some("declined") => "You said no. Nobody was logged in.",
        Some("elsewhere") => {
            "You have identified yourself, and the app went back to another browser."
        }
        Some("blocked") => "The code was wrong too many times. This BankID is blocked for now.",
        _ => "This is over: it took too long, was cancelled, or the app is too old.",
    };
    page(
        StatusCode::OK,
        &Done {
            message,
            address: None,
        },
    )
}

async fn nowhere() -> HttpResponse {
    page(
        StatusCode::NOT_FOUND,
        &Done {
            message: "There is nothing here.",
            address: None,
        },
    )
}

async fn style() -> HttpResponse {
    asset(
        "text/css; charset=utf-8",
        concat!(
            include_str!("../../static/base.css"),
            include_str!("../../static/phone.css")
        ),
    )
}

async fn script() -> HttpResponse {
    asset(
        "text/javascript; charset=utf-8",
        include_str!("../../static/phone.js"),
    )
}

fn asset(content_type: &'static str, body: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, content_type))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .body(body)
}

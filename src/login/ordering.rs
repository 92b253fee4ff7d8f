//! ⚡ Making orders: a login's first one, and those that take its place.

use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::time::Instant;

use super::{Asked, Comeback, Event, LIFETIME, Login, Order, Progress, Renewal, State};
use crate::bankid::client::{Cause, Failure};
use crate::bankid::collect::Hint;
use crate::bankid::environment::Worth;
use crate::bankid::message::Device;
use crate::bankid::order::{AuthRequest, Kind, OrderTokens, Ordered, Requirement, Web};
use crate::bankid::party::Party;
use crate::client::Client;
use crate::client::bankid::ReturnPolicy;
use crate::error::{Error, Fault};
use crate::id::{Id, kind};
use crate::language::{Language, Words};
use crate::provider::Provider;
use crate::secret::{Digest, Secret, kind as secret};
use crate::storage::Old;
use crate::telemetry::traces;

/// Begins a login with its first order, which requires what is asked for `beyond` the client's demands. Of any number of callers with the same form one begins it;
/// the others' orders are cancelled, and all of them find the same login.
pub async fn begin(
    provider: &Provider,
    id: Id<kind::Login>,
    browser: Digest<secret::LoginCookie>,
    asked: Asked,
    client: &Client,
    device: Device,
    beyond: Requirement,
) -> Result<(), Error> {
    let (order, nonce) = order(provider, id, &asked, client, device, beyond).await?;
    let now = provider.clock.now();
    let login = Login {
        id,
        browser,
        client_id: client.client_id.clone(),
        asked,
        expires_at: now + LIFETIME,
        orders_made: 1,
        state: State::Open,
        order,
        renewal: Renewal::default(),
        version: 1,
    };
    let node = provider.collector.node();
    let began = provider.store.begin_login(&login, nonce, &node, now).await;
    if matches!(began, Ok(true)) {
        provider.usage.began(&client.client_id, now);
        provider.metrics.login_began(&client.client_id);
    }
    let first = Arc::new(login.clone());
    if started(provider, login, began).await? {
        // As it is stored: nobody else knows of it yet.
        provider.followed.publish(&first);
        if let Some(nonce) = nonce {
            provider.followed.awaits(nonce, &first);
        }
    }
    Ok(())
}

/// Makes a new order for a login, in the place of the present one, which is ended first. `ip` is where
/// the person's browser is now: BankID judges the risk by it. `false`: it may not, or somebody else did
/// at the same moment.
pub async fn again(
    provider: &Provider,
    login: &Login,
    device: Device,
    ip: IpAddr,
) -> Result<bool, Error> {
    let now = provider.clock.now();
    if !login.may_order_again(now) {
        return Ok(false);
    }
    let Some(client) = provider
        .store
        .client(login.client_id.as_str(), provider.clock.now())
        .await?
    else {
        return Ok(false);
    };
    let mut login = login.clone();
    if let Progress::Ordered(_) = login.order.progress
        && !end_order(provider, &login).await?
    {
        // It came to its own end at the same moment.
        match provider.store.login(login.id).await? {
            Some(ended) if ended.order.id == login.order.id && ended.may_order_again(now) => {
                login = ended;
            }
            _ => return Ok(false),
        }
    }
    let beyond = login.stepped_up(now);
    let asked = Asked {
        ip,
        ..login.asked.clone()
    };
    let (order, nonce) = order(provider, login.id, &asked, &client, device, beyond).await?;
    let now = provider.clock.now();
    let old = Old {
        order: login.order.id,
        is_unmet: login.is_unmet(now),
    };
    let Ok(renewed) = login
        .clone()
        .on(Event::Reordered(Box::new(order.clone())), now)
    else {
        cancel_at_bankid(provider, &login.asked, &order).await;
        return Ok(false);
    };
    let node = provider.collector.node();
    let replaced = provider
        .store
        .replace_order(&renewed, &old, nonce, &node, now)
        .await;
    let id = renewed.id;
    let is_started = started(provider, renewed, replaced).await?;
    if is_started {
        provider.followed.tell(id).await;
    }
    Ok(is_started)
}

/// Makes a new order in the place of one that nobody took up in time. `false`: it need not, or another
/// node has set out to.
pub async fn renew(provider: &Provider, login: &Login) -> Result<bool, Error> {
    let now = provider.clock.now();
    if !login.wants_renewal(now) || !provider.store.claim_renewal(login, now).await? {
        return Ok(false);
    }
    provider.followed.tell(login.id).await;
    again(provider, login, login.order.device, login.asked.ip).await
}

/// Ends a login's order that still waits: here first, so that nothing that BankID says of it later counts,
/// then at BankID. `false` when it no longer waits.
pub async fn end_order(provider: &Provider, login: &Login) -> Result<bool, Error> {
    let progress = Progress::Cancelled;
    let ended = provider
        .store
        .keep_progress(login.id, login.order.id, &progress, None)
        .await?
        .is_some();
    if ended {
        provider.followed.tell(login.id).await;
        cancel_at_bankid(provider, &login.asked, &login.order).await;
    }
    Ok(ended)
}

/// What follows when an order was made: it is collected, or, when it lost its race, cancelled.
async fn started(
    provider: &Provider,
    login: Login,
    stored: Result<bool, Fault>,
) -> Result<bool, Error> {
    match stored {
        Ok(true) => {
            provider.collector.collect(&login, None);
            Ok(true)
        }
        Ok(false) => {
            cancel_at_bankid(provider, &login.asked, &login.order).await;
            Ok(false)
        }
        Err(fault) => {
            provider.runtime.spawn(settle(provider.clone(), login));
            Err(fault.into())
        }
    }
}

/// How long a database that failed is asked whether it stored an order. BankID's own start window
/// is over by then.
const DOUBT: u32 = 60;

/// For how many of these looks a login that is not there may still come: what a node has said over a
/// connection that then broke, the database may hear of a little later.
const LATE: u32 = 5;

/// Nobody knows whether a commit that failed happened, or is about to: a stored order must be collected,
/// and one that will not be stored must not be left open.
async fn settle(provider: Provider, login: Login) {
    let mut missed = 0;
    for _ in 0..DOUBT {
        let now = provider.clock.now();
        match provider.store.settled_login(&login, now).await {
            Ok(Some(stored)) if stored.order.id == login.order.id => {
                let stored = Arc::new(stored);
                provider.followed.publish(&stored);
                return provider.collector.collect(&stored, None);
            }
            Ok(None) if missed < LATE => missed += 1,
            Ok(_) => return cancel_at_bankid(&provider, &login.asked, &login.order).await,
            Err(_) => {}
        }
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
}

/// Ends an order at BankID, as far as that can be done: an order that nobody ends is over within
/// three minutes.
pub async fn cancel_at_bankid(provider: &Provider, asked: &Asked, order: &Order) {
    provider.collector.release(order.id);
    let profile = asked.demands.profile();
    let Some(party) = provider
        .parties
        .of_order(profile, &order.ordered.certificate)
    else {
        return;
    };
    let asked_at = Instant::now();
    let answer = party.bankid.cancel(&order.tokens.order_ref).await;
    let took = asked_at.elapsed();
    provider.metrics.bankid_answered("cancel", &answer, took);
    provider
        .traces
        .bankid_answered("cancel", None, &answer, took);
    provider.metrics.order_ended(&Progress::Cancelled);
    if let Err(failure) = answer {
        tracing::info!(%failure, "an order could not be cancelled");
    }
}

async fn order(
    provider: &Provider,
    login: Id<kind::Login>,
    asked: &Asked,
    client: &Client,
    device: Device,
    beyond: Requirement,
) -> Result<(Order, Option<Digest<secret::ReturnNonce>>), Error> {
    let must_return =
        device == Device::This && asked.demands.returning != ReturnPolicy::DangerNoReturn;
    let nonce = must_return.then(|| Secret::<secret::ReturnNonce>::fresh(&provider.random));
    let return_url = nonce.as_ref().map(|nonce| {
        let (issuer, id) = (&provider.config.issuer.url, login.to_string());
        let returning = &asked.manner.returning;
        returning.address(issuer, &id, nonce.expose(), asked.scripts)
    });
    let text = intention(client, provider.config.languages.spoken(&asked.language));
    let domain = &provider.config.bankid.referring_domain;
    let web = Web::new(domain, &asked.user_agent, &asked.browser_name);
    let required = requirement(asked, device, provider.config.bankid.worth, beyond);
    let request = AuthRequest::new(asked.ip, &text, login, return_url, required, web);
    let party = provider.parties.current(asked.demands.profile());
    let party = party.ok_or(Fault::NoProfile)?;
    if !provider.limits.admit_order(&client.client_id) {
        provider.metrics.limited("orders");
        return Err(Failure::Crowded.into());
    }
    traces::about_login(login);
    let tokens = ask(provider, &party, &request).await?;
    let order = Order {
        id: Id::fresh(&provider.random),
        device,
        tokens,
        ordered: Ordered {
            certificate_der: asked
                .demands
                .evidence
                .map(|_| STANDARD.encode(&party.certificate)),
            ..request.ordered(&party.fingerprint)
        },
        received_at: provider.clock.moment(),
        progress: Progress::Ordered(Hint::new("outstandingTransaction")),
        answered_at: None,
        comeback: match must_return {
            true => Comeback::Awaited,
            false => Comeback::NotExpected,
        },
    };
    Ok((order, nonce.map(|nonce| nonce.digest())))
}

/// Asks BankID for an order, unless it has failed too often just now.
async fn ask(
    provider: &Provider,
    party: &Party,
    request: &AuthRequest,
) -> Result<OrderTokens, Failure> {
    let clock = &provider.clock;
    let breaker = || {
        party
            .breaker
            .lock()
            .expect("nothing panics under this lock")
    };
    if !breaker().admits(clock.moment()) {
        provider.metrics.limited("bankid_rests");
        return Err(Failure::Resting);
    }
    let asked_at = Instant::now();
    let answer = party.bankid.auth(request).await;
    let took = asked_at.elapsed();
    provider.metrics.bankid_answered("auth", &answer, took);
    provider.traces.bankid_answered("auth", None, &answer, took);
    let failed = answer
        .as_ref()
        .is_err_and(|failure| failure.cause() == Cause::BankId);
    if breaker().report(failed, clock.moment()) {
        tracing::error!("BankID makes no orders: people are told at once, until one is made again");
    }
    answer
}

/// What an order requires: what the client demands, the one person who may finish it where the
/// request names one, and what goes beyond that this time. A code is scanned by a phone alone.
fn requirement(asked: &Asked, device: Device, worth: Worth, beyond: Requirement) -> Requirement {
    let demands = &asked.demands;
    let kinds = match device {
        Device::Other => &[Kind::Mobile],
        Device::This => demands.kinds.as_slice(),
    };
    let policies = kinds.iter().flat_map(|kind| worth.policies(*kind));
    Requirement {
        pin_code: demands.pin_code || beyond.pin_code,
        mrtd: demands.mrtd || beyond.mrtd,
        card_reader: demands.card_reader,
        certificate_policies: policies.map(|policy| (*policy).to_owned()).collect(),
        personal_number: match asked.expected_people.as_slice() {
            [only] => Some(only.clone()),
            _ => None,
        },
    }
}

/// What the app shows under "My intention": to whom, why, and the one advice that stops a relayed
/// code.
fn intention(client: &Client, language: Language) -> String {
    let name = client.metadata.name(language);
    let purpose = client
        .metadata
        .purpose
        .as_ref()
        .map(|purpose| format!("\n{}", purpose.text(language)))
        .unwrap_or_default();
    let words = Words::of(language);
    let asks = words.intention.replace("{name}", name);
    format!("{asks}{purpose}\n{}", words.intention_care)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bankid::order::visible_data;
    use crate::client::Metadata;

    /// A client with a name and purposes of so many of the widest characters.
    fn client(name: usize, purpose: usize) -> Option<Client> {
        let wide = |many| "\u{1f600}".repeat(many);
        let metadata = serde_json::json!({
            "client_name": wide(name),
            "redirect_uris": ["https://a.example/cb"],
            "purpose": {"sv": wide(purpose), "en": wide(purpose)},
        });
        Some(Client {
            client_id: crate::id::ClientId::parse("a")?,
            sector: "a.example".to_owned(),
            metadata: serde_json::from_value::<Metadata>(metadata).ok()?,
        })
    }

    #[test]
    fn what_is_registered_always_fits_in_the_app() {
        let _shows = crate::shows!(accepting "BP-28", refusing "BP-28");
        let longest = client(80, 140).expect("it may be registered");
        for language in Language::BUILT_IN {
            let text = intention(&longest, language);
            let sent = STANDARD.decode(visible_data(&text)).expect("base64");
            assert_eq!(String::from_utf8(sent).as_deref(), Ok(text.as_str()));
        }
        assert!(client(81, 140).is_none() && client(80, 141).is_none());
    }
}

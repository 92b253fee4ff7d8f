//! The app comes back: the return address was opened, in the browser that began or in another.
//! The nonce is good once, whoever shows it.

use std::sync::Arc;

use super::answer::{self, Answer};
use super::input::Request;
use super::login::is_own;
use crate::error::Error;
use crate::login::{Event, Login, Opened};
use crate::provider::Provider;
use crate::secret::{Secret, kind as secret};

/// By `/r/{nonce}`: the tab that it opens ends the login.
pub async fn by_address(provider: Provider, request: Request) -> Result<Answer, Error> {
    let nonce = request.path_part("nonce").unwrap_or_default().to_owned();
    Ok(match come_back(&provider, &request, &nonce).await? {
        Some(login) => Answer::see(&format!("/login/{}/returned", login.id)),
        None => answer::wrong_browser(&request.view(&provider)),
    })
}

/// By a fragment, which the page's own script reads: Safari stays in the same tab.
pub async fn by_fragment(provider: Provider, request: Request) -> Result<Answer, Error> {
    let form = request.form(256).unwrap_or_default();
    let nonce = form.first("nonce").unwrap_or_default().to_owned();
    Ok(match come_back(&provider, &request, &nonce).await? {
        Some(login) => {
            let next = format!("/login/{}/returned", login.id);
            Answer::json(&serde_json::json!({ "next": next }))
        }
        None => answer::forbidden_json(),
    })
}

/// Whether another browser is where the login began. An address of our own proxies says nothing.
fn is_near(provider: &Provider, request: &Request, login: &Login) -> bool {
    request.ip == login.asked.ip && request.ip_is_a_callers(&provider.config.trusted_proxies)
}

/// The login, when it was opened where it began.
async fn come_back(
    provider: &Provider,
    request: &Request,
    nonce: &str,
) -> Result<Option<Arc<Login>>, Error> {
    let Some(nonce) = Secret::<secret::ReturnNonce>::parse(nonce) else {
        return Ok(None);
    };
    let Some(login) = provider.followed.awaited(nonce.digest()).await? else {
        return Ok(None);
    };
    let opened = match is_own(provider, request, &login) {
        true => Opened::Here,
        false if is_near(provider, request, &login) => Opened::SameAddress,
        false => Opened::Elsewhere,
    };
    let returned = Login::clone(&login).on(Event::Returned(opened), provider.clock.now());
    if let Ok(moved) = returned
        && let Some(version) = provider.store.keep_return(&moved).await?
    {
        if opened != Opened::Here {
            let same_address = opened == Opened::SameAddress;
            tracing::warn!(login = %login.id, same_address, "BankID returned to a browser that did not begin the login");
        }
        let comeback = moved.order.comeback;
        let change = |login: &mut Login| login.order.comeback = comeback;
        provider.followed.moved(login.id, version, change).await;
    }
    Ok((opened == Opened::Here).then_some(login))
}

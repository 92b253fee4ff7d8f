//! The signing keys.

use super::super::answer::Answer;
use super::super::input::Request;
use super::Caller;
use super::page::{Frame, KeyRow, Keys};
use crate::admin::role::Permission;
use crate::admin::{Unmet, key};
use crate::jose::algorithm::Algorithm;
use crate::jose::rotation::State;
use crate::provider::Provider;
use crate::storage::Revoked;

pub async fn list(provider: Provider, _: Request, caller: Caller) -> Result<Answer, Unmet> {
    page(&provider, &caller, None).await
}

async fn page(
    provider: &Provider,
    caller: &Caller,
    notice: Option<String>,
) -> Result<Answer, Unmet> {
    let keys = key::list(&caller.desk(provider)).await?;
    let row = |record: &crate::jose::rotation::KeyRecord| KeyRow {
        kid: record.kid.clone(),
        algorithm: record.algorithm.as_str(),
        state: record.state.as_str(),
        fate: key::fate(record, &keys, &provider.config.rotation),
        is_gone: record.state == State::Removed,
    };
    Ok(Answer::page(&Keys {
        frame: Frame::new(provider, caller, "Keys"),
        rows: keys.iter().map(row).collect(),
        algorithms: Algorithm::ALL.map(Algorithm::as_str).to_vec(),
        may_write: caller.may(Permission::WriteKeys),
        notice,
    }))
}

pub async fn announce(provider: Provider, _: Request, caller: Caller) -> Result<Answer, Unmet> {
    let algorithm = caller.field("algorithm").and_then(Algorithm::parse);
    let algorithm = algorithm.ok_or_else(|| {
        let all = Algorithm::ALL.map(Algorithm::as_str).join(", ");
        Unmet::mistake("algorithm", format!("must be one of {all}"))
    })?;
    let announced = key::announce(&caller.desk(&provider), algorithm).await?;
    let word = if announced.is_new {
        "is"
    } else {
        "was already"
    };
    let notice = format!("{} {word} announced for {algorithm}.", announced.key.kid);
    page(&provider, &caller, Some(notice)).await
}

pub async fn revoke(provider: Provider, _: Request, caller: Caller) -> Result<Answer, Unmet> {
    let kid = caller.field("kid").unwrap_or_default();
    if caller.field("confirm") != Some(kid) {
        return Err(Unmet::mistake(
            "confirm",
            "write the key's kid, so that it is this one",
        ));
    }
    let (algorithm, revoked) = key::revoke(&caller.desk(&provider), kid).await?;
    // This node need not wait to learn of it.
    provider.keyring.newest().await?;
    let notice = match revoked {
        Revoked::Announced(next) | Revoked::Fresh(next) => {
            format!("{kid} is revoked. {next} signs {algorithm} in its place.")
        }
        Revoked::Gone | Revoked::Unknown => format!("{kid} is revoked. It did not sign."),
    };
    page(&provider, &caller, Some(notice)).await
}

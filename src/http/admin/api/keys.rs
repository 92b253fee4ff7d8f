//! The signing keys.

use serde_json::json;

use super::super::super::answer::Answer;
use super::read::text;
use super::{Answered, Call, shown};
use crate::admin::key;
use crate::jose::algorithm::Algorithm;
use crate::storage::Revoked;

pub async fn list(call: Call) -> Answered {
    let keys = key::list(&call.desk()).await?;
    let items = keys.iter().map(shown::key).collect();
    Ok(Answer::json(&shown::part(items, None)))
}

pub async fn announce(call: Call) -> Answered {
    let mut members = call.members();
    let reason = "must be RS256, PS256, ES256 or EdDSA";
    let algorithm = members.need("algorithm", text(reason, Algorithm::parse));
    let algorithm = members.end(algorithm)?;
    let announced = key::announce(&call.desk(), algorithm).await?;
    let told = shown::key(&announced.key);
    Ok(match announced.is_new {
        true => Answer::created(&told),
        false => Answer::json(&told),
    })
}

pub async fn revoke(call: Call) -> Answered {
    let kid = call.part("kid");
    let (algorithm, revoked) = key::revoke(&call.desk(), kid).await?;
    // This node need not wait to learn of it.
    call.provider.keyring.newest().await?;
    let follower = match revoked {
        Revoked::Announced(next) | Revoked::Fresh(next) => Some(next),
        Revoked::Gone | Revoked::Unknown => None,
    };
    Ok(Answer::json(&json!({
        "kid": kid,
        "algorithm": algorithm,
        "replaced_by": follower,
    })))
}

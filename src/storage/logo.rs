//! The tables `logo` and `client_logo`.

use super::{Result, Store, Tx, alone, on};
use crate::client::Client;
use crate::client::logo::{Drawn, Logo, LogoDigest, Size};
use crate::client::registered::Registered;
use crate::clock::Timestamp;
use crate::error::Fault;

impl Store {
    /// The file of a logo.
    pub async fn logo(&self, digest: LogoDigest) -> Result<Option<Vec<u8>>> {
        Ok(alone!(self, |db| sqlx::query_scalar(
            "SELECT png FROM logo WHERE digest = $1"
        )
        .bind(digest.as_bytes())
        .fetch_optional(db)
        .await)?)
    }

    /// How large a logo is; nothing for one that is not kept.
    pub async fn logo_size(&self, digest: LogoDigest) -> Result<Option<Size>> {
        let row: Option<(i64, i64)> = alone!(self, |db| sqlx::query_as(
            "SELECT width, height FROM logo WHERE digest = $1"
        )
        .bind(digest.as_bytes())
        .fetch_optional(db)
        .await)?;
        let fault = |column| Fault::Row("logo", column, digest.to_string());
        row.map(|(width, height)| {
            Ok(Size {
                width: u32::try_from(width).map_err(|_| fault("width"))?,
                height: u32::try_from(height).map_err(|_| fault("height"))?,
            })
        })
        .transpose()
    }
}

/// Keeps a client's logos, and that it has them. `false`: one that it is to have is not kept any more, and
/// nobody gave it.
pub async fn keep_logos(
    tx: &mut Tx,
    read: Option<&Registered>,
    client: &Client,
    now: Timestamp,
) -> Result<bool> {
    let theme = &client.metadata.theme;
    // What nobody drew comes by no door.
    if theme.logos().any(|(_, logo)| logo.digest().is_none()) {
        return Err(Fault::Row("client", "theme", client.client_id.to_string()));
    }
    let digests = theme.digests();
    let before = read.map(|read| read.client.metadata.theme.digests());
    if before.unwrap_or_default() == digests {
        return Ok(true);
    }
    on!(&mut *tx, |tx| sqlx::query(
        "DELETE FROM client_logo WHERE client_id = $1"
    )
    .bind(&client.client_id)
    .execute(&mut **tx)
    .await
    .map(|_| ()))?;
    for (_, logo) in theme.logos() {
        let is_kept = match logo {
            Logo::Drawn(drawn) => keep(tx, drawn, now).await?,
            Logo::Kept(digest) => renew(tx, *digest, now).await?,
            Logo::Given(_) => false,
        };
        if !is_kept {
            return Ok(false);
        }
    }
    for digest in digests {
        on!(&mut *tx, |tx| sqlx::query(
            "INSERT INTO client_logo (client_id, digest) VALUES ($1, $2) ON CONFLICT DO NOTHING"
        )
        .bind(&client.client_id)
        .bind(digest.as_bytes())
        .execute(&mut **tx)
        .await
        .map(|_| ()))?;
    }
    Ok(true)
}

async fn keep(tx: &mut Tx, drawn: &Drawn, now: Timestamp) -> Result<bool> {
    on!(tx, |tx| sqlx::query(
        "INSERT INTO logo (digest, png, width, height, given_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (digest) DO UPDATE SET given_at = $5"
    )
    .bind(drawn.digest.as_bytes())
    .bind(&drawn.png)
    .bind(i64::from(drawn.size.width))
    .bind(i64::from(drawn.size.height))
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(|done| done.rows_affected() > 0)
    .map_err(Fault::from))
}

/// What is given anew is not swept: a sweep that waits for this sees it.
async fn renew(tx: &mut Tx, digest: LogoDigest, now: Timestamp) -> Result<bool> {
    on!(tx, |tx| sqlx::query(
        "UPDATE logo SET given_at = $2 WHERE digest = $1"
    )
    .bind(digest.as_bytes())
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(|done| done.rows_affected() > 0)
    .map_err(Fault::from))
}

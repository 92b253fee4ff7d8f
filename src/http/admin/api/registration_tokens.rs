//! Tokens by which clients register themselves.

use super::super::super::answer::Answer;
use super::read::{number, text};
use super::{Answered, Call, shown};
use crate::admin::Unmet;
use crate::admin::client::is_sector;
use crate::admin::token::{self, Wanted};
use crate::client::Pkce;
use crate::client::refresh::{MOST_DAYS, RefreshTokens};
use crate::client::registration::{Allowance, Note};
use crate::clock::Seconds;
use crate::id::Id;

/// The most clients that may register by one.
pub const MOST_USES: u32 = 10_000;
/// The longest that one may live.
pub const LONGEST: u32 = 366 * DAY;
const DAY: u32 = 24 * 60 * 60;

pub async fn list(call: Call) -> Answered {
    let tokens = token::list(&call.desk()).await?;
    let items = tokens.iter().map(shown::registration_token).collect();
    Ok(Answer::json(&shown::part(items, None)))
}

pub async fn issue(call: Call) -> Answered {
    let mut members = call.members();
    let note = "must be 1 to 120 characters without control characters";
    let note = members.need("note", text(note, Note::parse));
    let uses = members.may("uses", number(1, MOST_USES));
    let lifetime = members.may("lifetime_seconds", number(60, LONGEST));
    let refresh_days = members.may("refresh_token_days", number(1, MOST_DAYS.into()));
    let pkce = members.may(
        "pkce",
        text("must be required or accepted", |text| match text {
            "required" => Some(Pkce::Required),
            "accepted" => Some(Pkce::Accepted),
            _ => None,
        }),
    );
    let sector = members.may(
        "sector",
        text("must be 1 to 255 visible ASCII characters", |text| {
            is_sector(text).then(|| text.to_owned())
        }),
    );
    let refresh_days = refresh_days.and_then(|days| u16::try_from(days).ok());
    let wanted = members.end(note.map(|note| Wanted {
        note,
        uses: uses.unwrap_or(1),
        lifetime: Seconds(i64::from(lifetime.unwrap_or(DAY))),
        allowance: Allowance {
            refresh_tokens: refresh_days.map_or(RefreshTokens::Off, RefreshTokens::Days),
            pkce: pkce.unwrap_or_default(),
            sector,
        },
    }))?;
    let (token, shown_once) = token::issue(&call.desk(), wanted).await?;
    let mut told = shown::registration_token(&token);
    told["token"] = shown_once.expose().into();
    Ok(Answer::created(&told))
}

pub async fn revoke(call: Call) -> Answered {
    let id = Id::parse(call.part("token_id")).ok_or(Unmet::Unknown("token"))?;
    token::revoke(&call.desk(), id).await?;
    Ok(Answer::nothing())
}

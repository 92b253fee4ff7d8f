//! Refresh tokens (RFC 6749 §6, OpenID Connect Core §11–12): given where `offline_access` was
//! approved, and rotated at every use, so that a stolen one is noticed (RFC 9700 §4.14.2). Clients of
//! FAPI 2.0 keep theirs: a stolen one is worth nothing without their key, and a lost answer costs them
//! nothing (FAPI 2.0 §5.3.2.1).
//!
//! A client whose answer was lost, or which asked twice at once, has one more try: for a minute the
//! predecessor works again, as long as its successor was not used, and a second successor then takes
//! the place of the first. Whatever else is shown again ends the grant. The one exception is requests
//! that were sent at once: see `AT_ONCE`.

use std::collections::BTreeSet;

use super::grant::Grant;
use crate::authorize::request::Scope;
use crate::client::mistake::Reason;
use crate::client::{Client, Profile};
use crate::clock::{Seconds, Timestamp};
use crate::error::{Code, Refusal};
use crate::jose::jwks::Thumbprint;

/// For how long after its first use a token works once more.
pub const GRACE: Seconds = Seconds(60);
/// For how long after its second use a token's third one is refused and no more: a client that sent
/// many requests at once must not lose what one of them got. After that a third use ends the grant.
/// It costs no honest client anything, because one that still asks with this token has neither
/// successor. Longer than nodes' clocks may be apart, and short, because a thief who took both uses is
/// not noticed by it.
const AT_ONCE: Seconds = Seconds(15);
/// After how long without use a token ends, even when its grant goes on (RFC 9700 §4.14.2).
const IDLE: Seconds = Seconds(7 * 24 * 60 * 60);

/// No such token. The client has none by that name, whoever else may have one.
pub const UNKNOWN: Refusal = Refusal::new(
    Code::InvalidGrant,
    "the refresh token is unknown, or another client's",
)
.because(Reason::RefreshTokenUnknown);

/// A refresh token as it is stored, with its grant and what became of its successors.
#[derive(Debug)]
pub struct RefreshRecord {
    /// Its end, as it was when it was given.
    pub expires_at: Timestamp,
    /// The key that it is worth nothing without: a public client's.
    pub key: Option<Thumbprint>,
    /// When it was used for the first time.
    pub used_at: Option<Timestamp>,
    /// Whether another one took its place before it was used.
    pub is_replaced: bool,
    /// When it was used once more, and its first successor was replaced.
    pub used_again_at: Option<Timestamp>,
    /// Whether one of them was used.
    pub successor_is_used: bool,
    /// What it stands for.
    pub grant: Grant,
}

impl RefreshRecord {
    /// Until when it is taken, the one more try aside; `None` if it is not taken now. `client` is its
    /// own.
    pub fn live_until(&self, client: &Client, now: Timestamp) -> Option<Timestamp> {
        let is_live = matches!(turn(self, client, now), Ok(Turn::First | Turn::Kept));
        self.end(client).filter(|_| is_live)
    }

    /// Its end for a client as it is registered now: a shorter time holds for what was given before,
    /// too.
    fn end(&self, client: &Client) -> Option<Timestamp> {
        Some(self.expires_at.min(last(&self.grant, client)?))
    }
}

/// Which use of a token this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The first.
    First,
    /// The one more try, which costs the successor its life.
    Again,
    /// One of any number: the client keeps the token.
    Kept,
}

/// A token that is not taken, and what follows from that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// For the client.
    pub refusal: Refusal,
    /// Whether two hold what one should, so that the grant ends, with all that came of it.
    pub ends_grant: bool,
}

/// RFC 6749 §6, RFC 9700 §4.14.2. The client is authenticated and the token is one of its own; `asked`
/// is when the request came.
pub fn turn(record: &RefreshRecord, client: &Client, asked: Timestamp) -> Result<Turn, Rejected> {
    let rejected = |description, reason, ends_grant| Rejected {
        refusal: Refusal::new(Code::InvalidGrant, description).because(reason),
        ends_grant,
    };
    if record.grant.has_ended {
        return Err(rejected(
            "the refresh token was revoked",
            Reason::RefreshTokenRevoked,
            false,
        ));
    }
    if record.key.is_none() && !client.metadata.token_endpoint_auth.is_proof() {
        // From when the client authenticated: whoever took it could use it now.
        return Err(rejected(
            "the refresh token is bound to no key",
            Reason::RefreshTokenUnbound,
            false,
        ));
    }
    let reused = Err(rejected(
        "the refresh token was used before",
        Reason::RefreshTokenReused,
        true,
    ));
    if record.is_replaced || record.successor_is_used {
        return reused;
    }
    let turn = match (record.used_at, record.used_again_at) {
        (None, _) if client.metadata.profile == Profile::Fapi2 => Turn::Kept,
        (None, _) => Turn::First,
        // Whoever shows a public client's token again has no more than the one who lost it.
        (Some(_), None) if !client.metadata.token_endpoint_auth.is_proof() => return reused,
        (Some(used_at), None) if asked < used_at + GRACE => Turn::Again,
        (_, Some(used_again_at)) if asked < used_again_at + AT_ONCE => {
            return Err(rejected(
                "the refresh token was used twice before",
                Reason::RefreshTokenCrowded,
                false,
            ));
        }
        _ => return reused,
    };
    match record.end(client) {
        Some(end) if asked < end => Ok(turn),
        _ => Err(rejected(
            "the refresh token has expired",
            Reason::RefreshTokenExpired,
            false,
        )),
    }
}

/// RFC 6749 §6: a refresh may ask for less than was granted, never for more. Everything here is
/// OpenID Connect, so that `openid` stays.
pub fn narrow(grant: &Grant, asked: Option<&str>) -> Result<Grant, Refusal> {
    let Some(asked) = asked else {
        return Ok(grant.clone());
    };
    let granted: BTreeSet<&str> = grant.scope.split(' ').collect();
    let mut wanted = asked.split(' ').filter(|value| !value.is_empty());
    if !wanted.all(|value| granted.contains(value)) {
        return Err(Refusal::new(
            Code::InvalidScope,
            "the scope is wider than what was granted",
        )
        .because(Reason::ScopeWider));
    }
    let kept = Scope::parse_list(asked);
    if !kept.contains(&Scope::Openid) {
        return Err(
            Refusal::new(Code::InvalidScope, "the scope must contain openid")
                .because(Reason::OpenidMissing),
        );
    }
    Ok(grant.narrowed(&Scope::list(&kept)))
}

/// OpenID Connect Core §11: until when a grant may be refreshed, if at all, by its client as it is
/// registered now. It is counted from when the person logged in, not from when a session of theirs gave
/// the client another grant.
fn last(grant: &Grant, client: &Client) -> Option<Timestamp> {
    let lifetime = client.metadata.refresh_lifetime()?;
    let may_refresh = Scope::parse_list(&grant.scope).contains(&Scope::OfflineAccess);
    may_refresh.then_some(grant.auth_time + lifetime)
}

/// When a token that is given now ends: when nobody uses it, and with its grant at the latest. `None`
/// where the client gets no token.
pub fn end(grant: &Grant, client: &Client, now: Timestamp) -> Option<Timestamp> {
    let end = last(grant, client)?.min(now + IDLE);
    (now < end).then_some(end)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::claims::release::{Claim, Release};
    use crate::token::grant::tests::{client, grant};

    const NOW: Timestamp = Timestamp(1000);
    const DAY: Seconds = Seconds(86_400);

    /// The client of [`grant`], which may refresh for so many days after the login.
    fn lasting(days: u16) -> Client {
        client("a", json!({"refresh_tokens": {"lifetime_days": days}}))
    }

    fn record() -> RefreshRecord {
        RefreshRecord {
            expires_at: NOW + Seconds(3600),
            key: None,
            used_at: None,
            is_replaced: false,
            used_again_at: None,
            successor_is_used: false,
            grant: grant("openid profile offline_access"),
        }
    }

    fn used() -> RefreshRecord {
        RefreshRecord {
            used_at: Some(NOW),
            ..record()
        }
    }

    /// What comes of a use so many seconds later; of a refusal, whether it ends the grant.
    fn tried(record: &RefreshRecord, later: i64) -> Result<Turn, bool> {
        turn(record, &lasting(1), NOW + Seconds(later)).map_err(|rejected| {
            assert_eq!(rejected.refusal.code, Code::InvalidGrant);
            rejected.ends_grant
        })
    }

    #[test]
    fn a_token_works_once_and_once_more_within_a_minute() {
        let _shows =
            crate::shows!(accepting "PV-REFRESH-1", refusing "PV-REFRESH-1", refusing "TK-25");
        assert_eq!(tried(&record(), 0), Ok(Turn::First));
        assert_eq!(tried(&used(), 0), Ok(Turn::Again));
        assert_eq!(tried(&used(), 59), Ok(Turn::Again));
        assert_eq!(tried(&used(), 60), Err(true));
    }

    #[test]
    fn what_a_client_had_while_it_authenticated_is_nothing_to_a_public_one() {
        let _shows = crate::shows!(accepting "TK-26", refusing "TK-26");
        let public = client(
            "a",
            json!({"refresh_tokens": {"lifetime_days": 1}, "token_endpoint_auth": "none",
                "dpop_bound_access_tokens": true}),
        );
        let bound = RefreshRecord {
            key: Some(Thumbprint::of(b"a key")),
            ..record()
        };
        assert_eq!(turn(&bound, &public, NOW), Ok(Turn::First));
        let unbound = turn(&record(), &public, NOW).expect_err("refused");
        assert_eq!(unbound.refusal.code, Code::InvalidGrant);
        assert_eq!(unbound.refusal.reason, Some(Reason::RefreshTokenUnbound));
        assert!(!unbound.ends_grant);
        assert_eq!(record().live_until(&public, NOW), None);
    }

    #[test]
    fn a_client_of_fapi_keeps_its_token() {
        let _shows = crate::shows!(accepting "TK-27", refusing "TK-27");
        let fapi = client(
            "a",
            json!({"profile": "fapi2", "refresh_tokens": {"lifetime_days": 1}}),
        );
        let at = |record: &RefreshRecord, later| {
            turn(record, &fapi, NOW + Seconds(later)).map_err(|rejected| rejected.ends_grant)
        };
        assert_eq!(at(&record(), 0), Ok(Turn::Kept));
        assert_eq!(at(&record(), 3599), Ok(Turn::Kept));
        assert_eq!(at(&record(), 3600), Err(false));
        assert!(record().live_until(&fapi, NOW).is_some());
        // From before it was a client of FAPI.
        assert_eq!(at(&used(), 60), Err(true));
    }

    #[test]
    fn a_third_use_ends_the_grant_unless_it_was_sent_with_the_others() {
        let _shows = crate::shows!(refusing "PV-REFRESH-1", refusing "O5");
        let twice = RefreshRecord {
            used_again_at: Some(NOW + Seconds(50)),
            ..used()
        };
        assert_eq!(tried(&twice, 50), Err(false));
        let crowded = turn(&twice, &lasting(1), NOW + Seconds(50)).expect_err("refused");
        let reason = Some(Reason::RefreshTokenCrowded);
        assert_eq!(crowded.refusal.reason, reason);
        // On a node whose clock is behind.
        assert_eq!(tried(&twice, 45), Err(false));
        assert_eq!(tried(&twice, 64), Err(false));
        assert_eq!(tried(&twice, 65), Err(true));
    }

    #[test]
    fn what_two_hands_hold_ends_the_grant() {
        let _shows = crate::shows!(refusing "O5");
        let successor_used = RefreshRecord {
            successor_is_used: true,
            ..used()
        };
        assert_eq!(tried(&successor_used, 0), Err(true));
        let replaced = RefreshRecord {
            is_replaced: true,
            ..record()
        };
        assert_eq!(tried(&replaced, 0), Err(true));
        // Even when the shown token is long past its end.
        assert_eq!(tried(&used(), 7200), Err(true));
        let mut ended = used();
        ended.grant.has_ended = true;
        assert_eq!(tried(&ended, 0), Err(false));
    }

    #[test]
    fn a_token_ends_after_its_clients_time_or_a_week_without_use() {
        let _shows = crate::shows!(accepting "TK-28", refusing "TK-28");
        assert_eq!(tried(&record(), 3599), Ok(Turn::First));
        assert_eq!(tried(&record(), 3600), Err(false));
        let grant = grant("openid offline_access");
        let days = |n: i64| Seconds(n * DAY.0);
        let given = |client: &Client, now| end(&grant, client, now);
        assert_eq!(given(&lasting(90), NOW), Some(NOW + days(7)));
        assert_eq!(
            given(&lasting(90), NOW + days(85)),
            Some(grant.auth_time + days(90))
        );
        assert_eq!(given(&lasting(90), grant.auth_time + days(90)), None);
        assert_eq!(given(&client("a", json!({})), NOW), None);
    }

    #[test]
    fn a_shorter_time_holds_for_what_was_given_before() {
        let _shows = crate::shows!(accepting "TK-28", refusing "TK-28");
        let record = RefreshRecord {
            expires_at: NOW + Seconds(7 * DAY.0),
            ..record()
        };
        let at = |client: &Client, now| {
            let taken = turn(&record, client, now).is_ok();
            assert_eq!(taken, record.live_until(client, now).is_some());
            taken
        };
        let day_later = record.grant.auth_time + DAY;
        assert!(at(&lasting(2), day_later));
        assert!(at(&lasting(1), day_later - Seconds(1)));
        assert!(!at(&lasting(1), day_later));
        assert_eq!(record.live_until(&lasting(1), NOW), Some(day_later));
        assert!(!at(&client("a", json!({"refresh_tokens": false})), NOW));
        let public = json!({"refresh_tokens": true, "token_endpoint_auth": "none"});
        assert!(!at(&client("a", public), NOW));
    }

    #[test]
    fn a_scope_is_narrowed_and_never_widened() {
        let _shows = crate::shows!(accepting "TK-25", refusing "TK-25");
        let mut grant = grant("openid profile offline_access");
        let claims = BTreeSet::from([Claim::Name, Claim::Birthdate]);
        grant.released = Release {
            id_token: claims.clone(),
            userinfo: claims,
        };
        let same = narrow(&grant, None).expect("the same");
        assert_eq!(
            (same.scope, same.released),
            (grant.scope.clone(), grant.released.clone())
        );
        let less = narrow(&grant, Some("openid")).expect("less");
        assert_eq!(
            (less.scope.as_str(), less.released),
            ("openid", Release::default())
        );
        for wide in [
            "openid personal_number",
            "openid email",
            "profile",
            "OPENID",
            " ",
        ] {
            let refused = narrow(&grant, Some(wide)).map(|_| ());
            assert_eq!(
                refused.map_err(|r| r.code),
                Err(Code::InvalidScope),
                "{wide}"
            );
        }
    }
}

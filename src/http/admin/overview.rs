//! What there is to know at a glance.

use super::super::answer::Answer;
use super::super::input::Request;
use super::Caller;
use super::page::{Certificate, Figure, Frame, Home, Used, client_path};
use crate::admin::entitlement;
use crate::admin::role::{Permission, Reach};
use crate::admin::{Unmet, client};
use crate::clock::{Seconds, Timestamp};
use crate::provider::Provider;

/// How many days the figures look back.
pub const MONTH: Seconds = Seconds(30 * 24 * 60 * 60);
const WEEK: Seconds = Seconds(7 * 24 * 60 * 60);
const DAY: Seconds = Seconds(24 * 60 * 60);
/// When somebody should think of another certificate.
const SOON: i64 = 60;
const BUSIEST: usize = 10;

pub async fn home(provider: Provider, _: Request, caller: Caller) -> Result<Answer, Unmet> {
    let now = provider.clock.now();
    let sees_clients = caller.may(Permission::ReadClients);
    let certificates: Vec<Certificate> = provider
        .parties
        .all()
        .iter()
        .map(|party| {
            let days_left = party.days_left(now);
            Certificate {
                profile: party.profile.clone(),
                shown_name: party.display_name.clone(),
                days_left,
                is_troubling: days_left < SOON,
            }
        })
        .collect();
    let (mut figures, mut busiest) = (Vec::new(), Vec::new());
    if sees_clients {
        (figures, busiest) = of_clients(&provider, &caller, now).await?;
    }
    if caller.may(Permission::ReadKeys) {
        let left = provider
            .keyring
            .days_left(now)
            .into_iter()
            .map(|(_, days)| days);
        let least = left.min();
        figures.push(Figure {
            label: "days until a signing key is replaced",
            value: least.map_or_else(|| "–".to_owned(), |days| days.to_string()),
            is_troubling: false,
            path: "/keys",
        });
    }
    Ok(Answer::page(&Home {
        frame: Frame::new(&provider, &caller, "Overview"),
        issuer: provider.config.issuer.url.clone(),
        figures,
        certificates,
        busiest,
    }))
}

async fn of_clients(
    provider: &Provider,
    caller: &Caller,
    now: Timestamp,
) -> Result<(Vec<Figure>, Vec<Used>), Unmet> {
    let desk = caller.desk(provider);
    let clients = match &desk.reach {
        // But for our own.
        Reach::All => (provider.store.client_count().await? - 1).max(0),
        Reach::Only(clients) => i64::try_from(clients.len()).unwrap_or(i64::MAX),
    };
    let waiting = entitlement::waiting(&desk).await?.len();
    let refused = provider.store.refusal_counts(now - DAY).await?;
    let refused = refused.iter().filter(|(id, _)| desk.reach.holds(id));
    let refused: i64 = refused.map(|(_, count)| count).sum();
    let mut busiest = Vec::new();
    let uses = match &desk.reach {
        // More than are shown: some may be removed by now.
        Reach::All => provider.store.busiest(now - WEEK, 100).await?,
        Reach::Only(clients) => {
            let uses = provider.store.uses_of(clients, now - WEEK).await?;
            let mut uses: Vec<_> = uses.into_iter().collect();
            uses.sort_by_key(|(_, used)| std::cmp::Reverse(used.began));
            uses
        }
    };
    for (id, used) in uses {
        // What cannot be found is not this administrator's to see.
        let Ok(read) = client::find(&desk, id.as_str()).await else {
            continue;
        };
        busiest.push(Used {
            path: client_path(id.as_str()),
            name: read.client.metadata.client_name.as_str().to_owned(),
            began: used.began,
            finished: used.finished,
        });
        if busiest.len() == BUSIEST {
            break;
        }
    }
    let figures = vec![
        Figure {
            label: "clients",
            value: clients.to_string(),
            is_troubling: false,
            path: "/clients",
        },
        Figure {
            label: "requests refused since yesterday",
            value: refused.to_string(),
            is_troubling: refused > 0,
            path: "/clients?state=failing",
        },
        Figure {
            label: "rights that wait for a second administrator",
            value: waiting.to_string(),
            is_troubling: waiting > 0,
            path: "/entitlements",
        },
    ];
    Ok((figures, busiest))
}

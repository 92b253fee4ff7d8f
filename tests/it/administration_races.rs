//! What several administrators do at once, or one while another looks at what was before.

use futures_util::future::join_all;
use portvakt::admin::Desk;
use portvakt::admin::administrator::{Invited, change, enrol, invite, remove};
use portvakt::admin::client::New;
use portvakt::admin::role::{Administrator, Reach, Role};
use portvakt::audit::Door;
use portvakt::client::Name;
use portvakt::id::ClientId;
use portvakt::shows;
use serde_json::json;

use crate::support::doors::desk;
use crate::support::{App, Database, on_both};

async fn enrolled(desk: &Desk<'_>, role: Role, reach: Reach, subject: &str) -> Administrator {
    let name = Name::parse("Kim Testsson").expect("a name");
    let invited = invite(desk, Invited { name, role, reach }).await;
    let (_, link) = invited.expect("invited");
    enrol(desk, link.digest(), subject).await.expect("enrolled")
}

fn new(id: &str) -> New {
    let redirect = format!("https://{id}.example/cb");
    let metadata = json!({"client_name": "Appen", "redirect_uris": [redirect]});
    New {
        client_id: ClientId::parse(id),
        sector: None,
        metadata: serde_json::from_value(metadata).expect("metadata"),
    }
}

on_both!(
    owners_who_remove_each_other_leave_one,
    async |database: Database| {
        let _shows = shows!(accepting "M1", refusing "M1");
        let app = App::on(database).await;
        let desk = desk(&app, Door::Cli);
        for round in 0..20 {
            let subjects = [format!("one {round}"), format!("other {round}")];
            let mut owners = Vec::new();
            for subject in &subjects {
                owners.push(enrolled(&desk, Role::Owner, Reach::All, subject).await);
            }
            // Nobody else is left from the round before.
            let all = app.provider.store.administrators().await.expect("read");
            for left in all {
                if !owners.iter().any(|owner| owner.id == left.id) {
                    let gone = remove(&desk, &left.id.to_string(), None).await;
                    gone.expect("there are two others");
                }
            }
            let ids: Vec<String> = owners.iter().map(|owner| owner.id.to_string()).collect();
            let (desk, ids) = (&desk, &ids);
            let acts = ids.iter().enumerate().map(|(n, id)| async move {
                match (round + n) % 2 {
                    0 => remove(desk, id, None).await.is_ok(),
                    _ => {
                        let changed = change(desk, id, None, Role::Reader, Reach::All).await;
                        changed.is_ok()
                    }
                }
            });
            let done = join_all(acts).await;
            assert_eq!(done.iter().filter(|done| **done).count(), 1, "{round}");
            let all = app.provider.store.administrators().await.expect("read");
            let is_owner = |one: &&Administrator| one.role == Role::Owner && one.is_enrolled;
            assert_eq!(all.iter().filter(is_owner).count(), 1, "{round}");
        }
    }
);

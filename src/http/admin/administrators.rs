//! Who administers.

use super::super::answer::Answer;
use super::super::input::Request;
use super::Caller;
use super::page::{AdministratorRow, Administrators, Frame, RoleRow, shown};
use crate::admin::Unmet;
use crate::admin::administrator::{self, Invited};
use crate::admin::role::{Permission, Reach, Role};
use crate::client::Name;
use crate::client::setting::Mistake;
use crate::id::ClientId;
use crate::provider::Provider;

pub async fn list(provider: Provider, _: Request, caller: Caller) -> Result<Answer, Unmet> {
    page(&provider, &caller, None, Vec::new()).await
}

async fn page(
    provider: &Provider,
    caller: &Caller,
    link: Option<String>,
    mistakes: Vec<Mistake>,
) -> Result<Answer, Unmet> {
    let all = administrator::list(&caller.desk(provider)).await?;
    let row = |one: crate::admin::role::Administrator| AdministratorRow {
        id: one.id.to_string(),
        name: one.name.as_str().to_owned(),
        role: one.role,
        is_limited: one.reach != Reach::All,
        clients: match &one.reach {
            Reach::All => String::new(),
            Reach::Only(clients) => {
                let clients = clients.iter().map(ClientId::as_str);
                clients.collect::<Vec<_>>().join("\n")
            }
        },
        state: if one.is_enrolled {
            "enrolled"
        } else {
            "invited"
        },
        since: shown(one.created_at),
        version: one.version,
    };
    let status = match mistakes.is_empty() {
        true => actix_web::http::StatusCode::OK,
        false => actix_web::http::StatusCode::BAD_REQUEST,
    };
    let page = Administrators {
        frame: Frame::new(provider, caller, "Administrators"),
        rows: all.into_iter().map(row).collect(),
        roles: Role::ALL.map(|role| RoleRow { role }).into(),
        may_write: caller.may(Permission::WriteAdministrators),
        link,
        mistakes,
    };
    Ok(Answer::page_with(status, &page))
}

fn role(caller: &Caller) -> Result<(Role, Reach), Unmet> {
    let role = caller.field("role").and_then(Role::parse);
    let role = role.ok_or_else(|| Unmet::mistake("role", "must be one of the roles"))?;
    let named = caller.field("clients").unwrap_or_default();
    let mut clients = Vec::new();
    for name in named.split_whitespace() {
        let client_id = ClientId::parse(name);
        clients.push(client_id.ok_or_else(|| {
            Unmet::mistake(
                "clients",
                "each is the id of a client, on a line of its own",
            )
        })?);
    }
    let is_limited = caller.field("reach") == Some("only");
    if !is_limited && !clients.is_empty() {
        return Err(Unmet::mistake(
            "clients",
            "are named, and the box above them is not ticked: tick it, or name none",
        ));
    }
    Ok((
        role,
        match is_limited {
            true => Reach::Only(clients),
            false => Reach::All,
        },
    ))
}

pub async fn invite(provider: Provider, _: Request, caller: Caller) -> Result<Answer, Unmet> {
    let invited = invited(&caller);
    let made = match invited {
        Ok(invited) => administrator::invite(&caller.desk(&provider), invited).await,
        Err(unmet) => Err(unmet),
    };
    match made {
        Ok((_, link)) => {
            let admin = provider.config.admin.as_ref();
            let address = admin.map_or("", |admin| &admin.address.url);
            let link = format!("{address}/invitation/{}", link.expose());
            page(&provider, &caller, Some(link), Vec::new()).await
        }
        Err(Unmet::Mistakes(mistakes)) => page(&provider, &caller, None, mistakes).await,
        Err(unmet) => Err(unmet),
    }
}

fn invited(caller: &Caller) -> Result<Invited, Unmet> {
    let name = Name::parse(caller.field("name").unwrap_or_default());
    let name = name.ok_or_else(|| {
        Unmet::mistake(
            "name",
            "must be 1 to 80 characters without control characters",
        )
    })?;
    let (role, reach) = role(caller)?;
    Ok(Invited { name, role, reach })
}

pub async fn change(provider: Provider, request: Request, caller: Caller) -> Result<Answer, Unmet> {
    let changed = async {
        let id = request.path_part("id").unwrap_or_default();
        let (role, reach) = role(&caller)?;
        administrator::change(&caller.desk(&provider), id, caller.version()?, role, reach).await
    };
    match changed.await {
        Ok(_) => Ok(Answer::see("/administrators")),
        Err(Unmet::Mistakes(mistakes)) => page(&provider, &caller, None, mistakes).await,
        Err(unmet) => Err(unmet),
    }
}

pub async fn remove(provider: Provider, request: Request, caller: Caller) -> Result<Answer, Unmet> {
    let id = request.path_part("id").unwrap_or_default();
    administrator::remove(&caller.desk(&provider), id, caller.version()?).await?;
    Ok(Answer::see("/administrators"))
}

//! `portvakt admin` and `portvakt audit`: who administers, and who did what.

use anyhow::{Context, bail};
use clap::Subcommand;
use serde_json::json;

use super::ConfigFile;
use super::shell::{self, Shell, table};
use crate::admin::administrator::{self, INVITED_FOR, Invited};
use crate::admin::role::{Administrator, Reach, Role};
use crate::admin::{audit as log, written};
use crate::audit::Door;
use crate::audit::seal::Head;
use crate::client::Name;
use crate::id::ClientId;
use crate::storage::EventFilter;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Makes a link by which somebody becomes an administrator, and shows it this once.
    Invite {
        #[command(flatten)]
        file: ConfigFile,
        /// What they are called here.
        #[arg(long, value_parser = name)]
        name: Name,
        /// owner, client_administrator, key_administrator, auditor or reader.
        #[arg(long, value_parser = role, default_value = "owner")]
        role: Role,
        /// For a client administrator: the clients that they look after; without, all of them.
        #[arg(long, value_parser = client_id)]
        client: Vec<ClientId>,
    },
    /// Says who administers, and who is invited to.
    List {
        #[command(flatten)]
        file: ConfigFile,
        /// For another program.
        #[arg(long)]
        json: bool,
    },
    /// Changes what somebody may do.
    Change {
        #[command(flatten)]
        file: ConfigFile,
        /// Their id, as it is listed.
        id: String,
        /// owner, client_administrator, key_administrator, auditor or reader.
        #[arg(long, value_parser = role)]
        role: Role,
        /// For a client administrator: the clients that they look after; without, all of them.
        #[arg(long, value_parser = client_id)]
        client: Vec<ClientId>,
    },
    /// Lets somebody administer no more, at once.
    Remove {
        #[command(flatten)]
        file: ConfigFile,
        /// Their id, as it is listed.
        id: String,
    },
}

#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Shows the latest events, the latest first.
    List {
        #[command(flatten)]
        file: ConfigFile,
        /// Of one thing alone: client:kommunen, key:…, administrator:…
        #[arg(long)]
        object: Option<String>,
        /// By one actor alone: administrator:…, operator:…
        #[arg(long)]
        actor: Option<String>,
        /// Of one kind alone: client.change …
        #[arg(long)]
        action: Option<String>,
        /// How many.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=10_000))]
        most: u16,
        /// For another program, with what was before and after.
        #[arg(long)]
        json: bool,
    },
    /// Reads the whole log, and names every event that was changed, removed, added or reordered.
    Verify {
        #[command(flatten)]
        file: ConfigFile,
        /// A head that the log is known to have had, as the program's own log told it: finds out whether the
        /// end was cut off since.
        #[arg(long, value_parser = head)]
        head: Option<Head>,
    },
    /// Lets go of old events, and leaves signed marks in their place.
    Prune {
        #[command(flatten)]
        file: ConfigFile,
        /// How many days are kept: 90 or more.
        #[arg(long)]
        keep_days: u16,
    },
}

fn name(text: &str) -> Result<Name, String> {
    Name::parse(text).ok_or_else(|| "1 to 80 characters without control characters".to_owned())
}

fn role(text: &str) -> Result<Role, String> {
    Role::parse(text).ok_or_else(|| Role::ALL.map(Role::as_str).join(", "))
}

fn client_id(text: &str) -> Result<ClientId, String> {
    ClientId::parse(text).ok_or_else(|| "1 to 255 visible ASCII characters".to_owned())
}

fn head(text: &str) -> Result<Head, String> {
    Head::parse(text).ok_or_else(|| "a number, a colon and 64 hexadecimal digits".to_owned())
}

fn reach(clients: &[ClientId]) -> Reach {
    match clients {
        [] => Reach::All,
        clients => Reach::Only(clients.to_vec()),
    }
}

pub async fn run(command: Command) -> anyhow::Result<()> {
    let file = match &command {
        Command::Invite { file, .. }
        | Command::List { file, .. }
        | Command::Change { file, .. }
        | Command::Remove { file, .. } => file,
    };
    let shell = Shell::open(file).await?;
    let said = said(&shell, command).await;
    shell.end(said).await
}

async fn said(shell: &Shell, command: Command) -> anyhow::Result<String> {
    let desk = shell.desk(Door::Cli);
    Ok(match command {
        Command::Invite {
            name, role, client, ..
        } => {
            let admin = shell.config.admin.as_ref();
            let admin =
                admin.context("the configuration has no section admin: there are no pages")?;
            let invited = Invited {
                name,
                role,
                reach: reach(&client),
            };
            let (_, link) = administrator::invite(&desk, invited).await?;
            format!(
                "{}/invitation/{}\nIt is shown this once, and works once, for {} minutes. Whoever opens it and shows a BankID\n\
                 becomes {}.\n",
                admin.address.url,
                link.expose(),
                INVITED_FOR.0 / 60,
                role.as_str(),
            )
        }
        Command::List { json: true, .. } => {
            let all = administrator::list(&desk).await?;
            shell::json(&all.iter().map(shown).collect::<Vec<_>>())?
        }
        Command::List { json: false, .. } => {
            let all = administrator::list(&desk).await?;
            let row = |one: &Administrator| {
                let state = if one.is_enrolled {
                    "enrolled"
                } else {
                    "invited"
                };
                vec![
                    one.id.to_string(),
                    one.role.as_str().to_owned(),
                    clients(&one.reach),
                    state.to_owned(),
                    written(one.created_at),
                    one.name.as_str().to_owned(),
                ]
            };
            let rows: Vec<_> = all.iter().map(row).collect();
            table(&["id", "role", "clients", "state", "since", "name"], &rows)
        }
        Command::Change {
            id, role, client, ..
        } => {
            let changed = administrator::change(&desk, &id, None, role, reach(&client)).await?;
            let (role, clients) = (changed.role.as_str(), clients(&changed.reach));
            format!("{id} is {role} now, for {clients}.\n")
        }
        Command::Remove { id, .. } => {
            administrator::remove(&desk, &id, None).await?;
            format!("{id} does not administer any more.\n")
        }
    })
}

fn clients(reach: &Reach) -> String {
    match reach {
        Reach::All => "all".to_owned(),
        Reach::Only(clients) => {
            let clients = clients.iter().map(ClientId::as_str);
            clients.collect::<Vec<_>>().join(",")
        }
    }
}

fn shown(one: &Administrator) -> serde_json::Value {
    json!({
        "id": one.id, "name": one.name, "role": one.role, "clients": one.reach,
        "enrolled": one.is_enrolled, "created_at": one.created_at,
    })
}

pub async fn audit(command: AuditCommand) -> anyhow::Result<()> {
    let file = match &command {
        AuditCommand::List { file, .. }
        | AuditCommand::Verify { file, .. }
        | AuditCommand::Prune { file, .. } => file,
    };
    let shell = Shell::open(file).await?;
    let changes = matches!(command, AuditCommand::Prune { .. });
    let said = told(&shell, command).await;
    match changes {
        true => shell.end(said).await,
        // The log is left as it was found.
        false => shell.end_unsealed(said).await,
    }
}

async fn told(shell: &Shell, command: AuditCommand) -> anyhow::Result<String> {
    let desk = shell.desk(Door::Cli);
    match command {
        AuditCommand::List {
            object,
            actor,
            action,
            most,
            json,
            ..
        } => {
            let filter = EventFilter {
                object,
                actor,
                action,
                before: None,
            };
            let events = log::list(&desk, &filter, most).await?;
            if json {
                return shell::json(&events);
            }
            let row = |event: &log::Shown| {
                vec![
                    event.at.clone(),
                    event.action.clone(),
                    event.object.clone(),
                    event.actor.clone(),
                    event.door.as_str().unwrap_or_default().to_owned(),
                    event.address.clone().unwrap_or_default(),
                ]
            };
            let rows: Vec<_> = events.iter().map(row).collect();
            Ok(table(
                &["at", "action", "object", "actor", "door", "from"],
                &rows,
            ))
        }
        AuditCommand::Verify { head, .. } => {
            let (found, last) = log::verify(&desk, head).await?;
            match (found.is_empty(), last) {
                (true, None) => Ok("The log is empty.\n".to_owned()),
                (true, Some(last)) => Ok(format!(
                    "The log is as it was written. Its head is\n{last}\nKeep that elsewhere: `--head` finds out later whether the end was cut off.\n"
                )),
                (false, _) => {
                    let lines = found.iter().map(ToString::to_string);
                    bail!("{}", lines.collect::<Vec<_>>().join("\n"))
                }
            }
        }
        AuditCommand::Prune { keep_days, .. } => {
            let seals = log::prune(&desk, keep_days).await?;
            Ok(format!("The events of {seals} seals were removed.\n"))
        }
    }
}

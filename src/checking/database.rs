//! The database: whether it is there, as this version needs it, and set up as it should be.

use super::finding::Finding;
use crate::clock::{SKEW, Timestamp};
use crate::http::ops::{LITTLE_ROOM, NO_ROOM};
use crate::storage::{Condition, OpenError, Store};

const ABOUT: &str = "database";
const MIB: u64 = 1024 * 1024;
/// The oldest PostgreSQL that its makers still mend.
const OLDEST: i32 = 15;

/// A database that does not open.
pub fn unopened(error: &OpenError) -> Finding {
    let remedy = match error {
        OpenError::Missing(_) | OpenError::Unmade => {
            "See where database.url leads; run portvakt migrate if this is the first start."
        }
        OpenError::Behind => "Take a backup (portvakt backup), and run portvakt migrate.",
        OpenError::Newer(..) => "Use the version of portvakt that is on the other nodes.",
        OpenError::MasterKey => {
            "Configure the master key that this database was made with (docs/runbooks.md)."
        }
        OpenError::Scheme => "Write sqlite: and a file, or postgres: and an address.",
        OpenError::Make(..) => "See whether the folder is there, and who may write in it.",
        OpenError::Connect(_) => {
            "See whether the server runs and can be reached from here, and whether user and password are right."
        }
        OpenError::Migrate(_) | OpenError::Keys(_) => {
            "See what the database's own log says; docs/runbooks.md tells of keys."
        }
    };
    Finding::error(ABOUT, "database", error.to_string(), remedy)
}

/// One that is open.
pub async fn check(store: &Store, now: Timestamp) -> Vec<Finding> {
    let mut found = vec![Finding::ok(ABOUT, "database", "good")];
    match store.condition(now).await {
        Ok(condition) => found.extend(judge(&condition)),
        Err(fault) => found.push(Finding::error(
            ABOUT,
            "database_condition",
            fault.to_string(),
            "See whether its user may read the tables, and what the database's own log says.",
        )),
    }
    if let Ok(Some(theirs)) = store.clock().await {
        found.push(clock(now, theirs));
    }
    found
}

/// This machine's clock against the database's, which is what nodes agree by.
fn clock(now: Timestamp, theirs: Timestamp) -> Finding {
    let skew = now.distance(theirs);
    match skew > SKEW {
        true => Finding::error(
            "clock",
            "clock_database",
            format!(
                "is {} s off the database's: nodes here are not ready",
                skew.0
            ),
            "Have both machines set their clocks by the network (chrony, systemd-timesyncd).",
        ),
        false => Finding::ok("clock", "clock_database", "goes with the database's"),
    }
}

/// How it is set up.
fn judge(condition: &Condition) -> Vec<Finding> {
    match condition {
        Condition::Sqlite { journal, room } => {
            let journal = (journal != "wal").then(|| {
                Finding::error(
                    ABOUT,
                    "sqlite_journal",
                    format!("its journal is {journal} and not wal: its file system does not share memory between programs"),
                    "Keep the file on a disk of this machine: network file systems lose what is written.",
                )
            });
            journal.into_iter().chain(room.map(disk)).collect()
        }
        Condition::Postgres {
            version,
            connections,
            reserved,
            per_node,
            nodes,
            isolation,
            is_copy,
            encoding,
        } => {
            let mut found = Vec::new();
            let major = version / 10_000;
            found.push(match major < OLDEST {
                true => Finding::warning(
                    ABOUT,
                    "postgres_version",
                    format!("PostgreSQL {major} is not mended any more by those who make it"),
                    format!("Move to PostgreSQL {OLDEST} or later."),
                ),
                false => Finding::ok(ABOUT, "postgres_version", format!("PostgreSQL {major}")),
            });
            found.push(room_for_nodes(*connections - *reserved, *per_node, *nodes));
            if isolation != "read committed" {
                found.push(Finding::warning(
                    ABOUT,
                    "postgres_isolation",
                    format!("transactions are {isolation} by default: more of them are given up and tried again"),
                    "ALTER ROLE … SET default_transaction_isolation = 'read committed'",
                ));
            }
            if *is_copy {
                found.push(Finding::error(
                    ABOUT,
                    "postgres_copy",
                    "is a copy that follows another server, and nothing can be written to it",
                    "Lead database.url to the server that is written to.",
                ));
            }
            if encoding != "UTF8" {
                found.push(Finding::error(
                    ABOUT,
                    "postgres_encoding",
                    format!("keeps texts as {encoding}: names with other letters cannot be kept"),
                    "Make the database with ENCODING 'UTF8', and move there.",
                ));
            }
            found
        }
    }
}

fn disk(room: u64) -> Finding {
    let said = format!("its disk has {} MiB left", room / MIB);
    let remedy = "Free some room: logins fail while nothing can be written.";
    match room {
        room if room < NO_ROOM => Finding::error(ABOUT, "sqlite_room", said, remedy),
        room if room < LITTLE_ROOM => Finding::warning(ABOUT, "sqlite_room", said, remedy),
        _ => Finding::ok(ABOUT, "sqlite_room", said),
    }
}

/// Whether as many nodes as there are, and one that takes another's place, get their connections.
fn room_for_nodes(free: i32, per_node: usize, nodes: i64) -> Finding {
    let per_node = i64::try_from(per_node).unwrap_or(i64::MAX);
    let wanted = per_node.saturating_mul(nodes.max(1) + 1);
    let said = format!(
        "takes {free} connections; {} nodes and one more want up to {wanted}",
        nodes.max(1)
    );
    match i64::from(free) < wanted {
        true => Finding::warning(
            ABOUT,
            "postgres_connections",
            said,
            format!("Raise max_connections, or run fewer nodes: each wants {per_node}."),
        ),
        false => Finding::ok(ABOUT, "postgres_connections", said),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checking::finding::{Level, worst};

    fn postgres() -> Condition {
        Condition::Postgres {
            version: 150_004,
            connections: 100,
            reserved: 3,
            per_node: 16,
            nodes: 3,
            isolation: "read committed".to_owned(),
            is_copy: false,
            encoding: "UTF8".to_owned(),
        }
    }

    fn changed(change: impl FnOnce(&mut Condition)) -> Condition {
        let mut condition = postgres();
        change(&mut condition);
        condition
    }

    #[test]
    fn a_database_is_judged_by_how_it_is_set_up() {
        let _shows = crate::shows!(accepting "PV-CHECK-6", refusing "PV-CHECK-6");
        let sqlite = |journal: &str, room| Condition::Sqlite {
            journal: journal.to_owned(),
            room,
        };
        macro_rules! with {
            ($name:ident, $value:expr) => {
                changed(|condition| {
                    if let Condition::Postgres { $name, .. } = condition {
                        *$name = $value;
                    }
                })
            };
        }
        for (condition, id, level) in [
            (sqlite("wal", Some(1 << 30)), "", Level::Ok),
            (sqlite("wal", None), "", Level::Ok),
            (sqlite("delete", None), "sqlite_journal", Level::Error),
            (sqlite("wal", Some(1000)), "sqlite_room", Level::Error),
            (
                sqlite("wal", Some(100 * MIB)),
                "sqlite_room",
                Level::Warning,
            ),
            (postgres(), "", Level::Ok),
            (with!(version, 140_009), "postgres_version", Level::Warning),
            (
                with!(connections, 66),
                "postgres_connections",
                Level::Warning,
            ),
            (with!(connections, 67), "", Level::Ok),
            (with!(nodes, 6), "postgres_connections", Level::Warning),
            (with!(is_copy, true), "postgres_copy", Level::Error),
            (
                with!(encoding, "LATIN1".to_owned()),
                "postgres_encoding",
                Level::Error,
            ),
            (
                with!(isolation, "serializable".to_owned()),
                "postgres_isolation",
                Level::Warning,
            ),
        ] {
            let found = judge(&condition);
            assert_eq!(worst(&found), level, "{condition:?}: {found:?}");
            let odd: Vec<_> = found.iter().filter(|f| f.level != Level::Ok).collect();
            assert_eq!(odd.len(), usize::from(!id.is_empty()), "{odd:?}");
            assert!(
                odd.iter().all(|f| f.id == id && f.remedy.is_some()),
                "{odd:?}"
            );
        }
        for (theirs, level) in [
            (0, Level::Ok),
            (5, Level::Ok),
            (6, Level::Error),
            (-6, Level::Error),
        ] {
            let now = Timestamp(1_800_000_000);
            let found = clock(now, Timestamp(now.0 + theirs));
            assert_eq!(found.level, level, "{theirs}");
        }
    }
}

//! All that is kept of one person, wherever it is. Most of it is found by the person's row; what was asked of a
//! login, a pushed request, and what an earlier version wrote are opened one by one, because nothing that can
//! be read leads from a number to them.

mod found;

use std::collections::BTreeSet;

use sqlx::FromRow;
use sqlx::types::Json;

use super::grant::GrantRow;
use super::{NumberIndex, Result, Store, alone, person, sealed};
use crate::authorize::request::Parameters;
use crate::bankid::collect::CompletionData;
use crate::bankid::evidence::record::Record;
use crate::bankid::order::Ordered;
use crate::clock::Timestamp;
use crate::id::{ClientId, Id, kind};
use crate::job::Task;
use crate::login::Asked;
use crate::person::marks::Marks;

pub use found::{
    ApprovalTrace, EvidenceTrace, GrantTrace, Handle, Known, LoginTrace, NoticeTrace, RequestTrace,
    SessionTrace, Traces,
};

/// How many rows are opened at a time.
const BATCH: usize = 500;

#[derive(FromRow)]
struct SessionColumns {
    id: String,
    client_id: ClientId,
    identity: Vec<u8>,
    auth_time: Timestamp,
    txn: String,
    expires_at: Timestamp,
    ended_at: Option<Timestamp>,
}

#[derive(FromRow)]
struct GrantColumns {
    created_at: Timestamp,
    #[sqlx(flatten)]
    grant: GrantRow,
}

#[derive(FromRow)]
struct LoginColumns {
    id: String,
    login_id: String,
    client_id: ClientId,
    asked: Vec<u8>,
    state: String,
    created_at: Timestamp,
    expires_at: Timestamp,
    device: String,
    ordered: Option<Vec<u8>>,
    answer: Option<Vec<u8>>,
}

#[derive(FromRow)]
struct EvidenceColumns {
    id: String,
    record: Vec<u8>,
    created_at: Timestamp,
    expires_at: Timestamp,
}

#[derive(FromRow)]
struct RequestColumns {
    digest: Vec<u8>,
    client_id: ClientId,
    parameters: Vec<u8>,
    expires_at: Timestamp,
}

impl Store {
    /// The people that a number leads to, by every key: one, or none.
    pub async fn people(&self, index: &NumberIndex) -> Result<Vec<Known>> {
        let mut people = Vec::new();
        for value in index.others.iter().chain([&index.written]) {
            let row: Option<(String, Timestamp, Option<Timestamp>)> =
                alone!(self, |db| sqlx::query_as(
                    "SELECT id, created_at, used_at FROM person WHERE number_index = $1"
                )
                .bind(&value[..])
                .fetch_optional(db)
                .await)?;
            if let Some((id, created_at, used_at)) = row {
                people.push(Known {
                    id: person::read(&id)?,
                    created_at,
                    used_at,
                });
            }
        }
        Ok(people)
    }

    /// Every sector that clients are in.
    pub async fn sectors(&self) -> Result<Vec<String>> {
        Ok(alone!(self, |db| sqlx::query_scalar(
            "SELECT DISTINCT sector FROM client"
        )
        .fetch_all(db)
        .await)?)
    }

    /// All that is kept of somebody.
    pub async fn traces(&self, people: Vec<Known>, marks: &Marks) -> Result<Traces> {
        let mut found = Traces {
            people,
            ..Traces::default()
        };
        for person in found.people.clone() {
            let id = person.id.to_string();
            found.sessions.extend(self.sessions_of(&id).await?);
            found.grants.extend(self.grants_of(&id).await?);
            found.approvals.extend(self.approvals_of(&id).await?);
            found.evidence.extend(self.evidence_of(&id, marks).await?);
        }
        let sessions = found.session_ids();
        found
            .grants
            .extend(self.old_grants(&sessions, marks).await?);
        found.evidence.extend(self.loose_evidence(marks).await?);
        let sessions = found.session_ids();
        let orders = found.sessions.iter().map(|one| one.txn.clone());
        let orders: BTreeSet<String> = orders
            .chain(found.grants.iter().map(|one| one.grant.txn.to_string()))
            .chain(found.evidence.iter().map(|one| one.record.txn.to_string()))
            .collect();
        found.logins = self.logins_of(&orders, marks).await?;
        found.requests = self.requests_naming(marks).await?;
        found.notices = self.notices_of(&sessions, marks).await?;
        Ok(found)
    }

    async fn sessions_of(&self, person: &str) -> Result<Vec<SessionTrace>> {
        let rows: Vec<SessionColumns> = alone!(self, |db| sqlx::query_as(
            "SELECT id, client_id, identity, auth_time, txn, expires_at, ended_at FROM session
              WHERE person_id = $1 ORDER BY auth_time, id"
        )
        .bind(person)
        .fetch_all(db)
        .await)?;
        let read = |row: SessionColumns| {
            let place = sealed::SESSION_IDENTITY.of(&row.id);
            Ok(SessionTrace {
                identity: self.sealer.open_json(place, &row.identity)?,
                id: row.id,
                client_id: row.client_id,
                auth_time: row.auth_time,
                txn: row.txn,
                expires_at: row.expires_at,
                ended_at: row.ended_at,
            })
        };
        rows.into_iter().map(read).collect()
    }

    async fn grants_of(&self, person: &str) -> Result<Vec<GrantTrace>> {
        let ids: Vec<String> = alone!(self, |db| sqlx::query_scalar(
            "SELECT id FROM client_grant WHERE person_id = $1 ORDER BY created_at, id"
        )
        .bind(person)
        .fetch_all(db)
        .await)?;
        self.grants(&ids).await
    }

    /// Those of an earlier version: by the session, or by the name that the client knows somebody by.
    async fn old_grants(
        &self,
        sessions: &BTreeSet<String>,
        marks: &Marks,
    ) -> Result<Vec<GrantTrace>> {
        let (mut ids, mut after) = (Vec::new(), String::new());
        loop {
            let rows: Vec<(String, String, String)> = alone!(self, |db| sqlx::query_as(
                "SELECT id, session_id, subject FROM client_grant
                  WHERE person_id IS NULL AND id > $1 ORDER BY id LIMIT 500"
            )
            .bind(&after)
            .fetch_all(db)
            .await)?;
            let theirs = rows
                .iter()
                .filter(|(_, session, subject)| sessions.contains(session) || marks.hold(subject));
            ids.extend(theirs.map(|(id, ..)| id.clone()));
            match rows.last() {
                Some((last, ..)) if rows.len() == BATCH => after.clone_from(last),
                _ => return self.grants(&ids).await,
            }
        }
    }

    async fn grants(&self, ids: &[String]) -> Result<Vec<GrantTrace>> {
        let mut grants = Vec::new();
        for id in ids {
            let row: Option<GrantColumns> = alone!(self, |db| {
                sqlx::query_as(
                "SELECT id, client_id, session_id, subject, scope, resources, released, identity,
                        nonce, auth_time, txn, created_at, expires_at, ended_at
                   FROM client_grant WHERE id = $1"
            )
            .bind(id)
            .fetch_optional(db)
            .await
            })?;
            let Some(row) = row else {
                continue;
            };
            let handles: Vec<Handle> = alone!(self, |db| {
                sqlx::query_as(
                "SELECT 'code' AS kind, digest, expires_at, used_at FROM code WHERE grant_id = $1
                  UNION ALL
                 SELECT 'access_token', digest, expires_at, NULL FROM access_token WHERE grant_id = $1
                  UNION ALL
                 SELECT 'refresh_token', digest, expires_at, used_at FROM refresh_token
                  WHERE grant_id = $1 ORDER BY kind, expires_at"
            )
            .bind(id)
            .fetch_all(db)
            .await
            })?;
            grants.push(GrantTrace {
                created_at: row.created_at,
                ended_at: row.grant.ended_at(),
                grant: self.read_grant(row.grant)?,
                handles,
            });
        }
        Ok(grants)
    }

    async fn approvals_of(&self, person: &str) -> Result<Vec<ApprovalTrace>> {
        Ok(alone!(self, |db| sqlx::query_as(
            "SELECT client_id, claims, approved_at, offline_access FROM approval
              WHERE person_id = $1 ORDER BY client_id"
        )
        .bind(person)
        .fetch_all(db)
        .await)?)
    }

    async fn evidence_of(&self, person: &str, marks: &Marks) -> Result<Vec<EvidenceTrace>> {
        let rows: Vec<EvidenceColumns> = alone!(self, |db| sqlx::query_as(
            "SELECT id, record, created_at, expires_at FROM evidence WHERE person_id = $1
              ORDER BY created_at, id"
        )
        .bind(person)
        .fetch_all(db)
        .await)?;
        Ok(self.evidence_among(rows, marks))
    }

    /// What an earlier version kept, and what outlived its person: earlier versions left it the id of nobody.
    async fn loose_evidence(&self, marks: &Marks) -> Result<Vec<EvidenceTrace>> {
        let (mut found, mut after) = (Vec::new(), String::new());
        loop {
            let rows: Vec<EvidenceColumns> = alone!(self, |db| sqlx::query_as(
                "SELECT id, record, created_at, expires_at FROM evidence
                  WHERE id > $1
                    AND (person_id IS NULL
                         OR NOT EXISTS (SELECT 1 FROM person p WHERE p.id = evidence.person_id))
                  ORDER BY id LIMIT 500"
            )
            .bind(&after)
            .fetch_all(db)
            .await)?;
            let is_last = rows.len() < BATCH;
            after = rows.last().map_or(after, |row| row.id.clone());
            found.extend(self.evidence_among(rows, marks));
            if is_last {
                return Ok(found);
            }
        }
    }

    fn evidence_among(&self, rows: Vec<EvidenceColumns>, marks: &Marks) -> Vec<EvidenceTrace> {
        let theirs = rows.into_iter().filter_map(|row| {
            let place = sealed::EVIDENCE_RECORD.of(&row.id);
            let record: Record = opened(self.sealer.open_json(place, &row.record))?;
            marks
                .are_of(&record.personal_number)
                .then_some(EvidenceTrace {
                    record,
                    created_at: row.created_at,
                    expires_at: row.expires_at,
                })
        });
        theirs.collect()
    }

    async fn logins_of(&self, orders: &BTreeSet<String>, marks: &Marks) -> Result<Vec<LoginTrace>> {
        let (mut found, mut after) = (Vec::new(), String::new());
        loop {
            let rows: Vec<LoginColumns> = alone!(self, |db| {
                sqlx::query_as(
                "SELECT o.id, o.login_id, l.client_id, l.asked, l.state, l.created_at, l.expires_at,
                        o.device, o.ordered, o.answer
                   FROM bankid_order o JOIN login l ON l.id = o.login_id
                  WHERE o.id > $1 ORDER BY o.id LIMIT 500"
            )
            .bind(&after)
            .fetch_all(db)
            .await
            })?;
            let is_last = rows.len() < BATCH;
            after = rows.last().map_or(after, |row| row.id.clone());
            let theirs = rows.into_iter();
            found.extend(theirs.filter_map(|row| self.login_of(row, orders, marks)));
            if is_last {
                return Ok(found);
            }
        }
    }

    fn login_of(
        &self,
        row: LoginColumns,
        orders: &BTreeSet<String>,
        marks: &Marks,
    ) -> Option<LoginTrace> {
        let asked = sealed::LOGIN_ASKED.of(&row.login_id);
        let asked: Asked = opened(self.sealer.open_json(asked, &row.asked))?;
        let ordered = row.ordered.as_deref().and_then(|ordered| {
            let place = sealed::ORDER_ORDERED.of(&row.id);
            opened::<Ordered>(self.sealer.open_json(place, ordered))
        });
        let answer = row.answer.as_deref().and_then(|answer| {
            let place = sealed::ORDER_ANSWER.of(&row.id);
            opened::<CompletionData>(self.sealer.open_json(place, answer))
        });
        let answer = answer.filter(|answer| marks.are_of(&answer.user.personal_number));
        let required = ordered.and_then(|ordered| ordered.requirement.personal_number);
        let is_theirs = orders.contains(&row.id) || answer.is_some();
        let is_named = marks.are_in(&asked.parameters)
            || asked.expected_people.iter().any(|one| marks.are_of(one))
            || required.is_some_and(|one| marks.are_of(&one));
        (is_theirs || is_named).then_some(LoginTrace {
            login: row.login_id,
            order: row.id,
            client_id: row.client_id,
            created_at: row.created_at,
            expires_at: row.expires_at,
            state: row.state,
            device: row.device,
            asked,
            answer,
            is_theirs,
        })
    }

    async fn requests_naming(&self, marks: &Marks) -> Result<Vec<RequestTrace>> {
        let (mut found, mut after) = (Vec::new(), Vec::new());
        loop {
            let rows: Vec<RequestColumns> = alone!(self, |db| sqlx::query_as(
                "SELECT digest, client_id, parameters, expires_at FROM pushed_request
                  WHERE digest > $1 ORDER BY digest LIMIT 500"
            )
            .bind(&after)
            .fetch_all(db)
            .await)?;
            let is_last = rows.len() < BATCH;
            after = rows.last().map_or(after, |row| row.digest.clone());
            let named = rows.into_iter().filter_map(|row| {
                let place = hex::encode(&row.digest);
                let place = sealed::PUSHED_PARAMETERS.of(&place);
                let parameters: Parameters = opened(self.sealer.open_json(place, &row.parameters))?;
                marks.are_in(&parameters).then_some(RequestTrace {
                    digest: row.digest,
                    client_id: row.client_id,
                    expires_at: row.expires_at,
                })
            });
            found.extend(named);
            if is_last {
                return Ok(found);
            }
        }
    }

    async fn notices_of(
        &self,
        sessions: &BTreeSet<String>,
        marks: &Marks,
    ) -> Result<Vec<NoticeTrace>> {
        let rows: Vec<(Json<Task>, Timestamp)> = alone!(self, |db| sqlx::query_as(
            "SELECT task, expires_at FROM job ORDER BY id"
        )
        .fetch_all(db)
        .await)?;
        let theirs = rows.into_iter().filter_map(|(Json(task), expires_at)| {
            let Task::LogoutNotice(notice) = task;
            let is_theirs =
                sessions.contains(&notice.session.to_string()) || marks.hold(&notice.subject);
            is_theirs.then_some(NoticeTrace { notice, expires_at })
        });
        Ok(theirs.collect())
    }

    /// When an administrator logged in, and until when.
    pub async fn admin_sessions(
        &self,
        id: Id<kind::Administrator>,
    ) -> Result<Vec<(Timestamp, Timestamp)>> {
        Ok(alone!(self, |db| sqlx::query_as(
            "SELECT auth_time, expires_at FROM admin_session
              WHERE administrator_id = $1 ORDER BY auth_time"
        )
        .bind(id.to_string())
        .fetch_all(db)
        .await)?)
    }
}

/// A value that does not open is nobody's: whoever seals anew says so, too.
fn opened<T>(value: Result<T>) -> Option<T> {
    value
        .inspect_err(|fault| tracing::error!(%fault, "a sealed value is passed over"))
        .ok()
}

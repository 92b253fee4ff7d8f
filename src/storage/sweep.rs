//! What has had its time is removed, in small commits, so that personal data dies with its row. Until when what
//! is kept is told by [`crate::person::holdings`].

use sqlx::AssertSqlSafe;

use super::{Result, Store, alone, commit, on, refusal, whole};
use crate::client::registered::RESTORABLE;
use crate::clock::{Seconds, Timestamp};
use crate::error::Fault;
use crate::id::{Id, kind};
use crate::login;
use crate::login::binding::RENEWABLE;

/// How long an ended thing is kept, for a late second use of a code to be noticed.
const KEPT: Seconds = Seconds(24 * 60 * 60);
/// How long it is kept what BankID said of a person whom nobody logged in.
const ANSWER_KEPT: Seconds = Seconds(10 * 60);
/// How long it is known how much a client was used.
const USE_KEPT: Seconds = Seconds(400 * 24 * 60 * 60);
/// How much longer names are kept than they can be used: another node's clock may be behind ours.
const SKEW: Seconds = Seconds(60);
/// How long a login may still need a pushed request that is too old to be brought: the choice page may
/// be left open, and then there is a login.
const UNDERWAY: Seconds = Seconds(RENEWABLE.0 + login::LIFETIME.0);
/// How much later a grant may have ended than its person was last here, before that is written.
const DAY: Seconds = Seconds(24 * 60 * 60);
/// How many rows go in one commit: nobody waits long for it.
const BATCH: u64 = 500;

/// Rows of a table that have had their time.
struct Rule {
    table: &'static str,
    /// The primary key.
    key: &'static str,
    /// Which rows, `$1` being the time before which it was over.
    which: &'static str,
    /// How long they are kept after that.
    kept: Seconds,
}

const fn rule(table: &'static str, key: &'static str, which: &'static str, kept: Seconds) -> Rule {
    Rule {
        table,
        key,
        which,
        kept,
    }
}

const AT_ONCE: Seconds = Seconds(0);

/// All of them, in their order.
const RULES: &[Rule] = &[
    rule("evidence", "id", "expires_at < $1", AT_ONCE),
    rule("job", "id", "expires_at < $1", AT_ONCE),
    rule(
        "replay",
        "kind, signer, jti",
        "kind <> 'request_object' AND expires_at < $1",
        SKEW,
    ),
    rule(
        "replay",
        "kind, signer, jti",
        "kind = 'request_object' AND expires_at < $1",
        UNDERWAY,
    ),
    rule("pushed_request", "digest", "expires_at < $1", UNDERWAY),
    rule("login", "id", "expires_at < $1", KEPT),
    rule("access_token", "digest", "expires_at < $1", KEPT),
    rule("client_token", "digest", "expires_at < $1", KEPT),
    // Before the grant: whoever erases a person takes their locks in this order.
    rule(
        "code",
        "digest",
        "grant_id IN (SELECT id FROM client_grant WHERE expires_at < $1)",
        KEPT,
    ),
    rule(
        "code",
        "digest",
        "grant_id IN (SELECT id FROM client_grant WHERE ended_at < $1)",
        KEPT,
    ),
    // With its code and its refresh tokens: used ones stay until then, because whoever shows one again,
    // however late, must still end what lives of it. Of one that was ended nothing lives.
    rule("client_grant", "id", "expires_at < $1", KEPT),
    rule("client_grant", "id", "ended_at < $1", KEPT),
    rule("session", "id", "expires_at < $1", KEPT),
    rule("initial_access_token", "id", "expires_at < $1", KEPT),
    // Whoever gets its name next is not theirs who looked after it.
    rule(
        "administrator_client",
        "administrator_id, client_id",
        "client_id IN (SELECT client_id FROM client WHERE removed_at < $1)",
        RESTORABLE,
    ),
    rule("client", "client_id", "removed_at < $1", RESTORABLE),
    // After the clients that are gone for good.
    rule(
        "logo",
        "digest",
        "given_at < $1 AND NOT EXISTS (SELECT 1 FROM client_logo c WHERE c.digest = logo.digest)",
        KEPT,
    ),
    rule(
        "client_secret",
        "client_id, digest",
        "expires_at < $1",
        AT_ONCE,
    ),
    rule("client_use", "client_id, day", "day < $1 / 86400", USE_KEPT),
    rule("admin_session", "digest", "expires_at < $1", AT_ONCE),
    rule("invitation", "digest", "expires_at < $1", KEPT),
    rule("refusal", "id", "at <= $1", refusal::KEPT),
    rule("node", "id", "heartbeat_at < $1", KEPT),
];

impl Rule {
    /// Says it of the rows themselves, too: one that was given new life since it was found stays. What somebody
    /// else holds just now is left for the next time, so that nobody waits for a sweep that waits for them;
    /// SQLite has one writer.
    fn statement(&self, is_shared: bool) -> String {
        let unheld = match is_shared {
            true => "FOR UPDATE SKIP LOCKED",
            false => "",
        };
        let Rule {
            table, key, which, ..
        } = self;
        format!(
            "DELETE FROM {table}
              WHERE ({key}) IN (SELECT {key} FROM {table} WHERE {which} LIMIT {BATCH} {unheld})
                AND ({which})"
        )
    }
}

impl Store {
    /// Removes what has had its time, but for people. Safe to run on several nodes at once, and again.
    pub async fn sweep(&self, now: Timestamp) -> Result<()> {
        self.drop_answers(now).await?;
        self.note_last_use(now).await?;
        for rule in RULES {
            let statement = rule.statement(self.is_shared());
            loop {
                let rows = alone!(self, |db| sqlx::query(AssertSqlSafe(statement.clone()))
                    .bind(now - rule.kept)
                    .execute(db)
                    .await
                    .map(|done| done.rows_affected()))?;
                if rows < BATCH {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Drops what BankID said of people whom nobody logged in with it in time.
    pub async fn drop_answers(&self, now: Timestamp) -> Result<()> {
        whole!(self, {
            let mut tx = self.begin().await?;
            // The login first, as everywhere; whoever looks at it is told.
            for (statement, before) in [
            (
                "UPDATE login SET version = version + 1
                  WHERE state = 'open' AND id IN
                    (SELECT login_id FROM bankid_order WHERE answer IS NOT NULL AND answered_at < $1)",
                now - ANSWER_KEPT,
            ),
            (
                "UPDATE bankid_order SET answer = NULL, progress = 'spent'
                  WHERE answer IS NOT NULL AND answered_at < $1",
                now - ANSWER_KEPT,
            ),
            // Without a time it is an earlier version's.
            (
                "UPDATE bankid_order SET answer = NULL, progress = 'spent'
                  WHERE answer IS NOT NULL AND answered_at IS NULL
                    AND login_id IN (SELECT id FROM login WHERE expires_at < $1)",
                now,
            ),
        ] {
            on!(&mut tx, |tx| sqlx::query(statement)
                .bind(before)
                .execute(&mut **tx)
                .await
                .map(|_| ()))?;
        }
            commit(tx).await
        })
    }

    /// Keeps when people were last here whose grants are about to go: a refresh token may have been used
    /// long after its login.
    async fn note_last_use(&self, now: Timestamp) -> Result<()> {
        let over = now - KEPT;
        alone!(self, |db| {
            sqlx::query(
            "WITH gone AS (
                SELECT person_id,
                       max(CASE WHEN ended_at < expires_at THEN ended_at ELSE expires_at END) AS last
                  FROM client_grant WHERE expires_at < $1 OR ended_at < $1 GROUP BY person_id)
             UPDATE person SET used_at = (SELECT last FROM gone WHERE person_id = person.id)
              WHERE used_at < $2
                AND id IN (SELECT person_id FROM gone WHERE last > person.used_at)"
        )
        .bind(over)
        .bind(over - DAY)
        .execute(db)
        .await
        .map(|_| ())
        .map_err(Fault::from)
        })
    }

    /// Removes people who were last here before a time and of whom nothing else is left. Those who administer
    /// stay: whoever has a subject that is one of theirs. How many went.
    pub async fn sweep_people(
        &self,
        before: Timestamp,
        now: Timestamp,
        administers_as: impl Fn(Id<kind::Person>) -> String,
    ) -> Result<u64> {
        self.date_undated_people(now).await?;
        let mut gone = 0;
        loop {
            // What an earlier version gave says of nobody whose it is: until it is over, nobody goes.
            let found: Vec<String> = alone!(self, |db| {
                sqlx::query_scalar(
                    "SELECT id FROM person p
                      WHERE used_at < $1
                        AND NOT EXISTS (SELECT 1 FROM session s WHERE s.person_id = p.id)
                        AND NOT EXISTS (SELECT 1 FROM client_grant g WHERE g.person_id = p.id)
                        AND NOT EXISTS (SELECT 1 FROM client_grant g WHERE g.person_id IS NULL)
                      ORDER BY used_at LIMIT 500",
                )
                .bind(before)
                .fetch_all(db)
                .await
            })?;
            for person in &found {
                let id = super::person::read(person)?;
                let is_one = self.administrator_of(&administers_as(id)).await?.is_some();
                gone += match is_one {
                    true => self.date_person(person, now).await?,
                    false => self.remove_person(person, before).await?,
                };
            }
            if (found.len() as u64) < BATCH {
                return Ok(gone);
            }
        }
    }

    /// Those of an earlier version were here at some time until now.
    async fn date_undated_people(&self, now: Timestamp) -> Result<()> {
        loop {
            let rows = alone!(self, |db| sqlx::query(
                "UPDATE person SET used_at = $1
                  WHERE id IN (SELECT id FROM person WHERE used_at IS NULL LIMIT 500)
                    AND used_at IS NULL"
            )
            .bind(now)
            .execute(db)
            .await
            .map(|done| done.rows_affected()))?;
            if rows < BATCH {
                return Ok(());
            }
        }
    }

    /// Has somebody be looked at again much later. Nobody went.
    async fn date_person(&self, person: &str, now: Timestamp) -> Result<u64> {
        alone!(self, |db| sqlx::query(
            "UPDATE person SET used_at = $1 WHERE id = $2"
        )
        .bind(now)
        .bind(person)
        .execute(db)
        .await
        .map(|_| 0)
        .map_err(Fault::from))
    }

    /// Whoever has logged in at this moment stays. Evidence that is kept for longer is nobody's row's then, and is
    /// found by what is in it.
    async fn remove_person(&self, person: &str, before: Timestamp) -> Result<u64> {
        whole!(self, {
            let mut tx = self.begin().await?;
            let gone = on!(&mut tx, |tx| sqlx::query(
                "DELETE FROM person
                  WHERE id = $1 AND used_at < $2
                    AND NOT EXISTS (SELECT 1 FROM session s WHERE s.person_id = person.id)
                    AND NOT EXISTS (SELECT 1 FROM client_grant g WHERE g.person_id = person.id)"
            )
            .bind(person)
            .bind(before)
            .execute(&mut **tx)
            .await
            .map(|done| done.rows_affected()))?;
            if gone > 0 {
                on!(&mut tx, |tx| sqlx::query(
                    "UPDATE evidence SET person_id = NULL WHERE person_id = $1"
                )
                .bind(person)
                .execute(&mut **tx)
                .await
                .map(|_| ()))?;
            }
            commit(tx).await?;
            Ok(gone)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::person::holdings::HOLDINGS;

    /// A length of time as the document has it.
    fn words(length: Seconds) -> String {
        let (minute, hour) = (60, 60 * 60);
        match length.0 {
            60 => "1 minute".to_owned(),
            n if n < 2 * hour => format!("{} minutes", n / minute),
            n if n < 2 * 24 * hour => format!("{} hours", n / hour),
            n => format!("{} days", n / (24 * hour)),
        }
    }

    #[test]
    fn what_is_told_of_a_table_is_what_is_done() {
        let _shows = crate::shows!(accepting "D5", refusing "D5");
        let until = |table: &str| {
            let mut holdings = HOLDINGS.iter();
            let found = holdings.find(|one| one.table == table);
            found.expect("it is known").until
        };
        for rule in RULES {
            let (told, kept) = (until(rule.table), words(rule.kept));
            assert!(
                rule.kept == AT_ONCE || told.contains(&kept),
                "{}: {kept} is not in \"{told}\"",
                rule.table
            );
            // A time that is told is kept: what says "24 hours" must not go at once.
            assert!(rule.kept != AT_ONCE || !told.contains("hours"), "{told}");
        }
        assert!(until("bankid_order").contains(&words(ANSWER_KEPT)));
        assert!(until("login").contains(&words(login::LIFETIME)));
        assert_eq!(crate::job::LIFETIME.0, 60 * 60);
        assert_eq!(until("job"), "an hour");
    }
}

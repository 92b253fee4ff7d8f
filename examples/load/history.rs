//! Logins of the past: rows as so many logins leave them, of as many people, none of them swept yet.

use portvakt::clock::Clock;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, SqliteConnection};

/// How many rows one statement makes.
const AT_ONCE: u64 = 50_000;

/// What a login leaves, of the `n`th: `id` is different in each row, and `bytes` is as long as what is sealed.
const ROWS: [&str; 8] = [
    "INSERT INTO person (id, number_index, index_generation, created_at, used_at)
     SELECT id, digest, 1, now, now FROM past",
    "INSERT INTO login (id, browser, client_id, asked, state, order_id, orders_made, version,
                        created_at, expires_at)
     SELECT id, digest, 'load', bytes, 'finished', id, 1, 4, now, until FROM past",
    "INSERT INTO bankid_order (id, login_id, device, tokens, received_at_ms, progress, hint,
                               return_nonce, comeback, node_id, node_epoch, ordered)
     SELECT id, id, 'this', bytes, now * 1000, 'spent', '', digest, 'here', 'past', 1, bytes
       FROM past",
    "INSERT INTO session (id, browser, person_id, client_id, identity, auth_time, txn, expires_at)
     SELECT id, digest, id, 'load', bytes, now, id, until FROM past",
    "INSERT INTO approval (person_id, client_id, claims, approved_at, offline_access)
     SELECT id, 'load', '[]', now, FALSE FROM past",
    "INSERT INTO client_grant (id, client_id, session_id, subject, scope, released, identity,
                               auth_time, txn, created_at, expires_at, resources, person_id)
     SELECT id, 'load', id, id, 'openid profile personal_number', '{}', bytes, now, id, now,
            until, '[]', id FROM past",
    "INSERT INTO code (digest, grant_id, client_id, redirect_uri, expires_at, used_at)
     SELECT digest, id, 'load', 'https://app.example/callback', until, now FROM past",
    "INSERT INTO access_token (digest, grant_id, expires_at, scope, resources)
     SELECT digest, id, until, 'openid profile personal_number', '[]' FROM past",
];

/// Fills a database.
pub async fn fill(url: &str, count: u64) -> anyhow::Result<()> {
    let now = Clock::system().now().0;
    let until = now + 6 * 60 * 60;
    for first in (0..count).step_by(AT_ONCE as usize) {
        let last = (first + AT_ONCE).min(count) - 1;
        match url.starts_with("sqlite:") {
            true => {
                let past = format!(
                    "WITH RECURSIVE number(n) AS
                        (SELECT {first} UNION ALL SELECT n + 1 FROM number WHERE n < {last}),
                     past AS
                        (SELECT printf('00000000-0000-4000-8000-%012x', n) AS id,
                                CAST(printf('%032d', n) AS BLOB) AS digest,
                                zeroblob(300) AS bytes, {now} AS now, {until} AS until
                           FROM number) "
                );
                let mut database = SqliteConnection::connect(url).await?;
                for row in ROWS {
                    // SQLite takes the WITH of a SELECT before the INSERT.
                    database
                        .execute(AssertSqlSafe(format!("{past}{row}")))
                        .await?;
                }
            }
            false => {
                let past = format!(
                    "WITH past AS
                        (SELECT '00000000-0000-4000-8000-' || lpad(to_hex(n), 12, '0') AS id,
                                convert_to(lpad(n::TEXT, 32, '0'), 'UTF8') AS digest,
                                decode(repeat('00', 300), 'hex') AS bytes,
                                {now}::BIGINT AS now, {until}::BIGINT AS until
                           FROM generate_series({first}, {last}) AS n) "
                );
                let mut database = PgConnection::connect(url).await?;
                for row in ROWS {
                    let row = row
                        .replace("'[]'", "'[]'::JSONB")
                        .replace("'{}'", "'{}'::JSONB");
                    database
                        .execute(AssertSqlSafe(format!("{past}{row}")))
                        .await?;
                }
            }
        }
    }
    if !url.starts_with("sqlite:") {
        let mut database = PgConnection::connect(url).await?;
        database.execute("VACUUM ANALYZE").await?;
    }
    Ok(())
}

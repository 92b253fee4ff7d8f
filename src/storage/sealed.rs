//! Which columns are sealed. This is the one list of them: a place that values are sealed for is made from
//! it, so that whatever is sealed is sealed anew when the key is replaced.

use crate::secret::Place;

/// A column of sealed values.
#[derive(Debug)]
pub(super) struct SealedColumn {
    pub table: &'static str,
    pub column: &'static str,
    /// The primary key.
    pub key: &'static str,
    pub key_is: KeyIs,
}

/// What a primary key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyIs {
    Text,
    /// A digest, which is written in hexadecimal in a [`Place`].
    Digest,
}

impl SealedColumn {
    /// The value's place in one row.
    pub fn of<'a>(&self, row: &'a str) -> Place<'a> {
        Place {
            table: self.table,
            column: self.column,
            row,
        }
    }
}

macro_rules! sealed_columns {
    ($($name:ident = $table:literal, $column:literal, by $key:literal, $key_is:ident;)+) => {
        $(pub(super) const $name: &SealedColumn = &SealedColumn {
            table: $table,
            column: $column,
            key: $key,
            key_is: KeyIs::$key_is,
        };)+
        /// All of them.
        pub(super) const ALL: &[&SealedColumn] = &[$($name),+];
    };
}

sealed_columns! {
    PUSHED_PARAMETERS = "pushed_request", "parameters", by "digest", Digest;
    LOGIN_ASKED = "login", "asked", by "id", Text;
    ORDER_TOKENS = "bankid_order", "tokens", by "id", Text;
    ORDER_ORDERED = "bankid_order", "ordered", by "id", Text;
    ORDER_ANSWER = "bankid_order", "answer", by "id", Text;
    SESSION_IDENTITY = "session", "identity", by "id", Text;
    GRANT_IDENTITY = "client_grant", "identity", by "id", Text;
    EVIDENCE_RECORD = "evidence", "record", by "id", Text;
    SIGNING_KEY_PRIVATE = "signing_key", "private", by "kid", Text;
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::storage::{Backend, connect, migrate};

    /// Columns of bytes that are not sealed, because nobody can learn anything from them.
    const NOT_SEALED: &[(&str, &str)] = &[
        // Digests of 256 random bits.
        ("access_token", "digest"),
        ("admin_session", "digest"),
        ("bankid_order", "return_nonce"),
        ("client_registration", "token"),
        ("client_secret", "digest"),
        ("client_token", "digest"),
        ("code", "digest"),
        ("initial_access_token", "digest"),
        ("invitation", "digest"),
        ("login", "browser"),
        ("pushed_request", "digest"),
        ("refresh_token", "digest"),
        ("refresh_token", "predecessor"),
        ("session", "browser"),
        // A keyed digest of a number.
        ("person", "number_index"),
        // Digests of names that clients chose.
        ("replay", "jti"),
        // Keys, which the master key seals.
        ("data_key", "wrapped"),
        // What holds the audit log together.
        ("audit", "mac"),
        ("audit_seal", "digest"),
        ("audit_seal", "previous"),
        ("audit_seal", "removal"),
        ("audit_seal", "signature"),
        ("audit_sealed", "digest"),
        // Pictures that everybody may see.
        ("logo", "digest"),
        ("logo", "png"),
        ("client_logo", "digest"),
    ];

    #[test]
    fn every_column_of_bytes_is_sealed_or_holds_nothing_to_seal() {
        let _shows = crate::shows!(accepting "PV-KEY-9", refusing "PV-KEY-9");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.expect("a runtime").block_on(async {
            let directory = tempfile::tempdir().expect("a directory");
            let url = format!("sqlite:{}", directory.path().join("a.db").display());
            migrate(&url).await.expect("migrated");
            let Backend::Sqlite(db) = connect(&url).await.expect("opened") else {
                panic!("another database");
            };
            let columns: Vec<(String, String, i64)> = sqlx::query_as(
                "SELECT m.name, c.name, c.pk FROM sqlite_master m, pragma_table_info(m.name) c
                  WHERE m.type = 'table' AND m.name <> '_sqlx_migrations' AND c.type = 'BYTEA'",
            )
            .fetch_all(&db)
            .await
            .expect("asked");
            let of_bytes: BTreeSet<(&str, &str)> = columns
                .iter()
                .map(|(table, column, _)| (table.as_str(), column.as_str()))
                .collect();
            let sealed = ALL.iter().map(|one| (one.table, one.column));
            let known: BTreeSet<_> = sealed.chain(NOT_SEALED.iter().copied()).collect();
            assert_eq!(of_bytes, known, "say of each whether it is sealed");
            for one in ALL {
                assert!(!NOT_SEALED.contains(&(one.table, one.column)), "{one:?}");
                let keys: Vec<(String, String)> =
                    sqlx::query_as("SELECT name, type FROM pragma_table_info($1) WHERE pk > 0")
                        .bind(one.table)
                        .fetch_all(&db)
                        .await
                        .expect("asked");
                let [(key, kind)] = &keys[..] else {
                    panic!("{one:?}: {keys:?}");
                };
                let expected = match one.key_is {
                    KeyIs::Text => "TEXT",
                    KeyIs::Digest => "BYTEA",
                };
                assert_eq!((key.as_str(), kind.as_str()), (one.key, expected));
            }
        });
    }
}

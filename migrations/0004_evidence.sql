-- What proves an identification, sealed, for clients that have it kept. Its id is the order's, which
-- stands in the ID token as `txn`.
CREATE TABLE evidence (
    id         TEXT   NOT NULL PRIMARY KEY,
    client_id  TEXT   NOT NULL,
    record     BYTEA  NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX evidence_expires_at ON evidence (expires_at);

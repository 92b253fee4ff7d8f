-- A signing key for each algorithm, and its whole life: announced, active, retained, removed. The
-- table is made anew because SQLite cannot change what a column is checked for.
ALTER TABLE signing_key RENAME TO signing_key_before;
DROP INDEX signing_key_active;
CREATE TABLE signing_key (
    kid            TEXT   NOT NULL PRIMARY KEY,
    algorithm      TEXT   NOT NULL CHECK (algorithm IN ('RS256', 'PS256', 'ES256', 'EdDSA')),
    state          TEXT   NOT NULL CHECK (state IN ('announced', 'active', 'retained', 'removed')),
    -- Gone when the key is.
    private        BYTEA,
    created_at     BIGINT NOT NULL,
    -- Since when it signs, or from when on it will.
    active_at      BIGINT NOT NULL,
    retained_until BIGINT,
    revoked_at     BIGINT
);
INSERT INTO signing_key (kid, algorithm, state, private, created_at, active_at)
SELECT kid, algorithm, state, private, created_at, created_at FROM signing_key_before;
DROP TABLE signing_key_before;
-- However many nodes find that it is time: one key signs, and one waits.
CREATE UNIQUE INDEX signing_key_active ON signing_key (algorithm) WHERE state = 'active';
CREATE UNIQUE INDEX signing_key_announced ON signing_key (algorithm) WHERE state = 'announced';

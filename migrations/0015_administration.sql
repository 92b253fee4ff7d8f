-- One more key: what the audit log is signed and sealed with. The table is made anew because SQLite cannot
-- change what a column is checked for.
ALTER TABLE data_key RENAME TO data_key_before;
CREATE TABLE data_key (
    purpose     TEXT   NOT NULL CHECK (purpose IN ('seal', 'form', 'index', 'subject', 'audit')),
    generation  BIGINT NOT NULL,
    wrapped     BYTEA  NOT NULL,
    created_at  BIGINT NOT NULL,
    PRIMARY KEY (purpose, generation)
);
INSERT INTO data_key SELECT purpose, generation, wrapped, created_at FROM data_key_before;
DROP TABLE data_key_before;

-- Who did what. Rows are inserted, in the transaction of what they tell of, and never changed.
CREATE TABLE audit (
    id     TEXT   NOT NULL PRIMARY KEY,
    at_ms  BIGINT NOT NULL,
    actor  TEXT   NOT NULL,
    action TEXT   NOT NULL,
    object TEXT   NOT NULL,
    detail TEXT   NOT NULL,
    mac    BYTEA  NOT NULL
);
CREATE INDEX audit_at ON audit (at_ms, id);
CREATE INDEX audit_object ON audit (object, at_ms);

-- Groups of events, each signed together with the one before it. One whose events are gone because they
-- were old enough says so, signed too.
CREATE TABLE audit_seal (
    number     BIGINT NOT NULL PRIMARY KEY,
    sealed_at  BIGINT NOT NULL,
    previous   BYTEA  NOT NULL,
    digest     BYTEA  NOT NULL,
    signature  BYTEA  NOT NULL,
    removed_at BIGINT,
    removal    BYTEA
);
CREATE TABLE audit_sealed (
    audit_id TEXT   NOT NULL PRIMARY KEY,
    seal     BIGINT NOT NULL,
    position BIGINT NOT NULL,
    digest   BYTEA  NOT NULL
);
CREATE UNIQUE INDEX audit_sealed_seal ON audit_sealed (seal, position);

-- A removed client can be brought back for a while; `source` tells one file's clients from another's;
-- `search` is what a list is searched in.
ALTER TABLE client ADD COLUMN removed_at BIGINT;
ALTER TABLE client ADD COLUMN source TEXT NOT NULL DEFAULT '';
ALTER TABLE client ADD COLUMN search TEXT NOT NULL DEFAULT '';
CREATE INDEX client_removed_at ON client (removed_at) WHERE removed_at IS NOT NULL;

-- Those that may have personal numbers are few.
CREATE INDEX client_entitled ON client (client_id) WHERE metadata ->> 'personal_number' IS NOT NULL;

-- The right to personal numbers that one administrator asked for and another has not granted yet.
CREATE TABLE entitlement_request (
    client_id  TEXT   NOT NULL PRIMARY KEY REFERENCES client ON DELETE CASCADE,
    wanted     JSONB  NOT NULL,
    asked_by   TEXT   NOT NULL,
    asked_at   BIGINT NOT NULL
);

CREATE TABLE administrator (
    id          TEXT    NOT NULL PRIMARY KEY,
    name        TEXT    NOT NULL,
    role        TEXT    NOT NULL
        CHECK (role IN ('owner', 'client_administrator', 'key_administrator', 'auditor', 'reader')),
    all_clients BOOLEAN NOT NULL,
    -- Who it is, as our own clients know people; nobody yet, while the invitation is not taken.
    subject     TEXT    UNIQUE,
    version     BIGINT  NOT NULL,
    created_at  BIGINT  NOT NULL,
    removed_at  BIGINT
);
CREATE TABLE administrator_client (
    administrator_id TEXT NOT NULL REFERENCES administrator ON DELETE CASCADE,
    client_id        TEXT NOT NULL,
    PRIMARY KEY (administrator_id, client_id)
);
CREATE TABLE invitation (
    digest           BYTEA  NOT NULL PRIMARY KEY,
    administrator_id TEXT   NOT NULL REFERENCES administrator ON DELETE CASCADE,
    created_at       BIGINT NOT NULL,
    expires_at       BIGINT NOT NULL,
    used_at          BIGINT
);
CREATE TABLE admin_session (
    digest           BYTEA  NOT NULL PRIMARY KEY,
    administrator_id TEXT   NOT NULL REFERENCES administrator ON DELETE CASCADE,
    auth_time        BIGINT NOT NULL,
    created_at       BIGINT NOT NULL,
    expires_at       BIGINT NOT NULL
);
CREATE INDEX admin_session_administrator_id ON admin_session (administrator_id);

-- How many logins each client began and ended, by day.
CREATE TABLE client_use (
    client_id TEXT   NOT NULL,
    day       BIGINT NOT NULL,
    began     BIGINT NOT NULL,
    finished  BIGINT NOT NULL,
    PRIMARY KEY (client_id, day)
);
-- All of a few days, and nothing of the others.
CREATE INDEX client_use_day ON client_use (day, client_id, began, finished);

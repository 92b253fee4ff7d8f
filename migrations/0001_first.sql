-- One text for SQLite and PostgreSQL. Times are seconds since 1970 unless a name ends in _ms,
-- keys are made by the program, digests are SHA-256, and what is sealed is AES-256-GCM-SIV.

-- Keys that other keys wrap: one row for each purpose and generation.
CREATE TABLE data_key (
    purpose     TEXT   NOT NULL CHECK (purpose IN ('seal', 'form', 'index', 'subject')),
    generation  BIGINT NOT NULL,
    wrapped     BYTEA  NOT NULL,
    created_at  BIGINT NOT NULL,
    PRIMARY KEY (purpose, generation)
);

CREATE TABLE client (
    client_id   TEXT   NOT NULL PRIMARY KEY,
    metadata    JSONB  NOT NULL,
    sector      TEXT   NOT NULL,
    managed_by  TEXT   NOT NULL CHECK (managed_by IN ('file', 'admin', 'registration')),
    version     BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL
);

CREATE TABLE client_secret (
    client_id   TEXT   NOT NULL REFERENCES client ON DELETE CASCADE,
    digest      BYTEA  NOT NULL,
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT,
    PRIMARY KEY (client_id, digest)
);

-- One interaction. Its order is the one that counts; earlier ones stay until it is swept.
CREATE TABLE login (
    id          TEXT   NOT NULL PRIMARY KEY,
    browser     BYTEA  NOT NULL UNIQUE,
    client_id   TEXT   NOT NULL,
    asked       BYTEA  NOT NULL,
    state       TEXT   NOT NULL CHECK (state IN ('open', 'finished', 'cancelled')),
    order_id    TEXT   NOT NULL,
    orders_made BIGINT NOT NULL,
    version     BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL
);
CREATE INDEX login_expires_at ON login (expires_at);

CREATE TABLE bankid_order (
    id             TEXT   NOT NULL PRIMARY KEY,
    login_id       TEXT   NOT NULL REFERENCES login ON DELETE CASCADE,
    device         TEXT   NOT NULL CHECK (device IN ('this', 'other')),
    tokens         BYTEA  NOT NULL,
    received_at_ms BIGINT NOT NULL,
    progress       TEXT   NOT NULL
        CHECK (progress IN ('ordered', 'complete', 'failed', 'cancelled', 'lost', 'spent')),
    hint           TEXT   NOT NULL,
    answer         BYTEA,
    answered_at    BIGINT,
    return_nonce   BYTEA  UNIQUE,
    comeback       TEXT   NOT NULL
        CHECK (comeback IN ('not_expected', 'awaited', 'here', 'elsewhere')),
    node_id        TEXT   NOT NULL,
    node_epoch     BIGINT NOT NULL,
    taken_over_at  BIGINT
);
CREATE INDEX bankid_order_login_id ON bankid_order (login_id);
CREATE INDEX bankid_order_live ON bankid_order (node_id) WHERE progress = 'ordered';

-- A node that collects orders, and when it last said that it is alive.
CREATE TABLE node (
    id           TEXT   NOT NULL PRIMARY KEY,
    epoch        BIGINT NOT NULL,
    heartbeat_at BIGINT NOT NULL
);

CREATE TABLE person (
    id           TEXT   NOT NULL PRIMARY KEY,
    number_index BYTEA  NOT NULL UNIQUE,
    created_at   BIGINT NOT NULL
);

CREATE TABLE session (
    id         TEXT   NOT NULL PRIMARY KEY,
    browser    BYTEA  NOT NULL,
    person_id  TEXT   NOT NULL REFERENCES person ON DELETE CASCADE,
    client_id  TEXT   NOT NULL,
    identity   BYTEA  NOT NULL,
    auth_time  BIGINT NOT NULL,
    txn        TEXT   NOT NULL,
    expires_at BIGINT NOT NULL,
    ended_at   BIGINT
);
CREATE INDEX session_browser ON session (browser);
CREATE INDEX session_person_id ON session (person_id);
CREATE INDEX session_expires_at ON session (expires_at);

-- What a person approved for a client.
CREATE TABLE approval (
    person_id   TEXT   NOT NULL REFERENCES person ON DELETE CASCADE,
    client_id   TEXT   NOT NULL,
    claims      JSONB  NOT NULL,
    approved_at BIGINT NOT NULL,
    PRIMARY KEY (person_id, client_id)
);

-- What one client received from one login. (GRANT is a word of SQL.)
CREATE TABLE client_grant (
    id         TEXT   NOT NULL PRIMARY KEY,
    client_id  TEXT   NOT NULL,
    session_id TEXT   NOT NULL,
    subject    TEXT   NOT NULL,
    scope      TEXT   NOT NULL,
    released   JSONB  NOT NULL,
    identity   BYTEA  NOT NULL,
    nonce      TEXT,
    auth_time  BIGINT NOT NULL,
    txn        TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    ended_at   BIGINT
);
CREATE INDEX client_grant_session_id ON client_grant (session_id);
CREATE INDEX client_grant_expires_at ON client_grant (expires_at);

CREATE TABLE code (
    digest       BYTEA  NOT NULL PRIMARY KEY,
    grant_id     TEXT   NOT NULL REFERENCES client_grant ON DELETE CASCADE,
    client_id    TEXT   NOT NULL,
    redirect_uri TEXT   NOT NULL,
    challenge    TEXT,
    expires_at   BIGINT NOT NULL,
    used_at      BIGINT
);
CREATE INDEX code_grant_id ON code (grant_id);

CREATE TABLE access_token (
    digest     BYTEA  NOT NULL PRIMARY KEY,
    grant_id   TEXT   NOT NULL REFERENCES client_grant ON DELETE CASCADE,
    expires_at BIGINT NOT NULL
);
CREATE INDEX access_token_grant_id ON access_token (grant_id);

CREATE TABLE signing_key (
    kid        TEXT   NOT NULL PRIMARY KEY,
    algorithm  TEXT   NOT NULL CHECK (algorithm IN ('RS256')),
    state      TEXT   NOT NULL CHECK (state IN ('announced', 'active', 'retained', 'removed')),
    private    BYTEA  NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX signing_key_active ON signing_key (algorithm) WHERE state = 'active';

-- What an administrator hands out so that clients register themselves. It is spent in the commit of the
-- registration; an old one stays for a while, so that it can be told what became of it.
CREATE TABLE initial_access_token (
    id         TEXT   NOT NULL PRIMARY KEY,
    digest     BYTEA  NOT NULL UNIQUE,
    note       TEXT   NOT NULL,
    allowance  JSONB  NOT NULL,
    uses       BIGINT NOT NULL,
    uses_left  BIGINT NOT NULL CHECK (uses_left >= 0),
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT
);
CREATE INDEX initial_access_token_expires_at ON initial_access_token (expires_at);

-- A client that removes itself takes with it what it was given.
CREATE INDEX session_client_id ON session (client_id);
CREATE INDEX client_grant_client_id ON client_grant (client_id);
CREATE INDEX approval_client_id ON approval (client_id);

-- What is kept of a client because it registered itself: by which token it manages itself, by which one it
-- came, what that one allowed, and what it said that nothing else needs.
CREATE TABLE client_registration (
    client_id            TEXT  NOT NULL PRIMARY KEY REFERENCES client ON DELETE CASCADE,
    token                BYTEA NOT NULL UNIQUE,
    initial_access_token TEXT  NOT NULL,
    allowance            JSONB NOT NULL,
    details              JSONB NOT NULL
);

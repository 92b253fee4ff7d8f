-- The services that access tokens may be for, and are for. Null, as in what an earlier version wrote, is
-- this provider alone.
ALTER TABLE client_grant ADD COLUMN resources JSONB;
ALTER TABLE access_token ADD COLUMN resources JSONB;
-- The key that signed an access token, where it is a JWT: it ends with the key.
ALTER TABLE access_token ADD COLUMN kid TEXT;
-- Access tokens that clients have for themselves, without a login.
CREATE TABLE client_token (
    digest     BYTEA  NOT NULL PRIMARY KEY,
    client_id  TEXT   NOT NULL,
    scope      TEXT   NOT NULL,
    resources  JSONB  NOT NULL,
    cnf        JSONB,
    kid        TEXT,
    expires_at BIGINT NOT NULL
);
CREATE INDEX client_token_expires_at ON client_token (expires_at);

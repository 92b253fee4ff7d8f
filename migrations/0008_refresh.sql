-- Refresh tokens. One that was used stays as long as its grant, so that a second use is noticed.
-- Its successors know it by its digest; one that a second successor took the place of is replaced.
CREATE TABLE refresh_token (
    digest      BYTEA  NOT NULL PRIMARY KEY,
    grant_id    TEXT   NOT NULL REFERENCES client_grant ON DELETE CASCADE,
    client_id   TEXT   NOT NULL,
    predecessor BYTEA,
    expires_at  BIGINT NOT NULL,
    used_at     BIGINT,
    replaced_at BIGINT
);
CREATE INDEX refresh_token_grant_id ON refresh_token (grant_id);
CREATE INDEX refresh_token_predecessor ON refresh_token (predecessor);
-- The scope of an access token, which may be narrower than its grant's. Null in tokens of an earlier
-- version.
ALTER TABLE access_token ADD COLUMN scope TEXT;
-- With refresh tokens a grant outlives its access tokens by far, so they are swept by themselves.
CREATE INDEX access_token_expires_at ON access_token (expires_at);
-- Whether the person approved that the client comes back without them.
ALTER TABLE approval ADD COLUMN offline_access BOOLEAN NOT NULL DEFAULT FALSE;

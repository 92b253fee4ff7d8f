-- The names of tokens that were signed and used, until the tokens are too old anyway. `kind` is the kind of
-- token: a name of one kind says nothing of another. `signer` is the client, or the thumbprint of its key.
CREATE TABLE replay (
    kind       TEXT   NOT NULL,
    signer     TEXT   NOT NULL,
    jti        BYTEA  NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (kind, signer, jti)
);
CREATE INDEX replay_expires_at ON replay (expires_at);

INSERT INTO replay (kind, signer, jti, expires_at)
SELECT 'request_object', client_id, jti, expires_at FROM request_object;
DROP TABLE request_object;

-- Authorization requests that clients left with us beforehand, until they are answered or too old.
CREATE TABLE pushed_request (
    digest     BYTEA  NOT NULL PRIMARY KEY,
    client_id  TEXT   NOT NULL,
    parameters BYTEA  NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX pushed_request_expires_at ON pushed_request (expires_at);

-- The names of signed requests that were used, until the requests are too old anyway.
CREATE TABLE request_object (
    client_id  TEXT   NOT NULL,
    jti        BYTEA  NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (client_id, jti)
);
CREATE INDEX request_object_expires_at ON request_object (expires_at);

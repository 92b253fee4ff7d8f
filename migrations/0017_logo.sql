-- Logos, as they are served: made by us from what was given. `given_at` is when one was last given to a client;
-- one that no client has is swept a day later.
CREATE TABLE logo (
    digest   BYTEA  NOT NULL PRIMARY KEY,
    width    BIGINT NOT NULL,
    height   BIGINT NOT NULL,
    given_at BIGINT NOT NULL,
    png      BYTEA  NOT NULL
);

-- Which clients have which, those that can be brought back among them.
CREATE TABLE client_logo (
    client_id TEXT  NOT NULL REFERENCES client ON DELETE CASCADE,
    digest    BYTEA NOT NULL,
    PRIMARY KEY (client_id, digest)
);
CREATE INDEX client_logo_digest ON client_logo (digest);

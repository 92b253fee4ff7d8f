-- Requests of clients that were refused, for whoever looks after the client, for a week. No secret and no
-- personal data is in them. `client_id` is null where the request named no registered client; what it named
-- instead is `claimed`, cut and hidden where it could be more than a name. `times` counts what came alike in
-- the same minute and has no row of its own.
CREATE TABLE refusal (
    id        TEXT   NOT NULL PRIMARY KEY,
    client_id TEXT,
    claimed   TEXT,
    endpoint  TEXT   NOT NULL,
    code      TEXT   NOT NULL,
    kind      TEXT   NOT NULL,
    detail    JSONB  NOT NULL,
    reference TEXT   NOT NULL,
    times     BIGINT NOT NULL,
    at        BIGINT NOT NULL
);
CREATE INDEX refusal_client_id ON refusal (client_id, at);
CREATE INDEX refusal_reference ON refusal (reference);
CREATE INDEX refusal_at ON refusal (at);

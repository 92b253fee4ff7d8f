-- What must happen after an answer was given, such as telling a client of a logout. A job is made in the
-- commit of what it follows from, tried by one node at a time, and goes when it is done or its time is up.
CREATE TABLE job (
    id         TEXT   NOT NULL PRIMARY KEY,
    task       JSONB  NOT NULL,
    tries      BIGINT NOT NULL,
    next_at    BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX job_next_at ON job (next_at);

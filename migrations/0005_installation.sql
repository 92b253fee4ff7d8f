-- What this database is for. A login that was made in one of BankID's environments must never count in
-- another.
CREATE TABLE installation (
    id          BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    environment TEXT   NOT NULL
);

-- Which generation of the index key a person is found by: rows move to the newest one when the person logs
-- in, because only then is the number there.
ALTER TABLE person ADD COLUMN index_generation BIGINT NOT NULL DEFAULT 1;
CREATE INDEX person_index_generation ON person (index_generation);

-- Work that one node does at a time, and until when it is that node's.
CREATE TABLE lease (
    name        TEXT   NOT NULL PRIMARY KEY,
    holder      TEXT   NOT NULL,
    held_until  BIGINT NOT NULL
);

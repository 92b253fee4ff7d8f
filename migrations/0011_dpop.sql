-- The keys that clients have bound what they receive to, by thumbprint.
ALTER TABLE code ADD COLUMN dpop_jkt TEXT;
ALTER TABLE access_token ADD COLUMN dpop_jkt TEXT;
ALTER TABLE refresh_token ADD COLUMN dpop_jkt TEXT;
-- The names of proofs that were used, until the proofs are too old anyway.
CREATE TABLE dpop_proof (
    name       BYTEA  NOT NULL PRIMARY KEY,
    expires_at BIGINT NOT NULL
);
CREATE INDEX dpop_proof_expires_at ON dpop_proof (expires_at);

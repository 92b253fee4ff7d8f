-- The keys that clients have bound what they receive to, by thumbprint.
ALTER TABLE code ADD COLUMN dpop_jkt TEXT;
ALTER TABLE refresh_token ADD COLUMN dpop_jkt TEXT;
-- What an access token is worth nothing without, as RFC 7800 writes it.
ALTER TABLE access_token ADD COLUMN cnf JSONB;

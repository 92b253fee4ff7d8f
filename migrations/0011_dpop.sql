-- The keys that clients have bound what they receive to, by thumbprint.
ALTER TABLE code ADD COLUMN dpop_jkt TEXT;
ALTER TABLE access_token ADD COLUMN dpop_jkt TEXT;
ALTER TABLE refresh_token ADD COLUMN dpop_jkt TEXT;

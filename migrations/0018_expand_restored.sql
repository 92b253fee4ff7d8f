-- Whose logins these are, and until when things that were signed may have been used in a past that this
-- database does not know: it was restored then, or took over from one that had seen more.
ALTER TABLE installation ADD COLUMN issuer TEXT;
ALTER TABLE installation ADD COLUMN restored_at BIGINT;

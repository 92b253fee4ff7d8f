-- How often, and when last, somebody set out to renew a login's code, so that one node does it at a
-- time and nobody tries for ever.
ALTER TABLE login ADD COLUMN renewals_tried BIGINT NOT NULL DEFAULT 0;
ALTER TABLE login ADD COLUMN renewal_tried_at BIGINT NOT NULL DEFAULT 0;

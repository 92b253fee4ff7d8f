-- What was ordered, sealed: the data that the person's signature covers, and what was required. Null
-- in orders of an earlier version.
ALTER TABLE bankid_order ADD COLUMN ordered BYTEA;
-- The app came back in another browser, from the address where the login began: the person must
-- confirm it in the browser that began.
ALTER TABLE bankid_order ADD COLUMN vouched BIGINT NOT NULL DEFAULT 0;

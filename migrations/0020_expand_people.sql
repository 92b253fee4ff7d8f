-- Whose a grant is, and whose evidence, so that all that is kept of a person can be found. Null in what an
-- earlier version wrote, and in evidence that outlived its person.
ALTER TABLE client_grant ADD COLUMN person_id TEXT;
CREATE INDEX client_grant_person_id ON client_grant (person_id);
ALTER TABLE evidence ADD COLUMN person_id TEXT;
CREATE INDEX evidence_person_id ON evidence (person_id);

-- The day on which a person last logged in, or something that came of it ended. Null until it is known.
ALTER TABLE person ADD COLUMN used_at BIGINT;
CREATE INDEX person_used_at ON person (used_at);

-- What goes by itself before its row does, or before the row's own time.
CREATE INDEX bankid_order_answered_at ON bankid_order (answered_at) WHERE answer IS NOT NULL;
CREATE INDEX client_grant_ended_at ON client_grant (ended_at) WHERE ended_at IS NOT NULL;

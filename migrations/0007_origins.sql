-- The sites whose scripts may call, as clients have registered them.
CREATE TABLE client_origin (
    client_id TEXT NOT NULL REFERENCES client ON DELETE CASCADE,
    origin    TEXT NOT NULL,
    PRIMARY KEY (client_id, origin)
);
CREATE INDEX client_origin_origin ON client_origin (origin);

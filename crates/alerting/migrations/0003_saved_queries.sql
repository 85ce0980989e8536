-- Statements that are kept by name. Whoever has the same scope sees and changes them, and nobody else.
CREATE TABLE saved_queries (
    scope TEXT NOT NULL,
    name TEXT NOT NULL,
    sql TEXT NOT NULL,
    description TEXT,
    -- A JSON array of the parameters' types by name, $1 first.
    parameters TEXT NOT NULL,
    saved_by TEXT NOT NULL,
    saved_at BIGINT NOT NULL,
    PRIMARY KEY (scope, name)
);

-- The control plane: alerts and their life, what receivers are owed, who may call the API.
--
-- Every *_at, *_seen and *_until is milliseconds since 1970-01-01 UTC; JSON is kept as text.
-- Nothing here is peculiar to SQLite, so that the same tables can be made in PostgreSQL.

-- How far the alerts topic was read: the next offset to read of each partition,
-- moved in the transaction that applies what was read.
CREATE TABLE positions (
    topic           TEXT    NOT NULL,
    kafka_partition INTEGER NOT NULL,
    next_offset     BIGINT  NOT NULL,
    PRIMARY KEY (topic, kafka_partition)
);

-- Sequences without gaps or surprises: a rolled-back transaction takes no number with it.
CREATE TABLE sequences (
    name   TEXT   NOT NULL PRIMARY KEY,
    newest BIGINT NOT NULL
);
INSERT INTO sequences (name, newest) VALUES ('change', 0), ('notice', 0);

-- One alert as it stands after its newest revision.
CREATE TABLE alerts (
    alert_id        TEXT    NOT NULL PRIMARY KEY,
    dedup_key       TEXT    NOT NULL,
    tenant          TEXT    NOT NULL,
    detector        TEXT    NOT NULL,
    class           TEXT    NOT NULL,
    severity        INTEGER NOT NULL,
    state           TEXT    NOT NULL,
    revision        BIGINT  NOT NULL,
    last_seen       BIGINT  NOT NULL,
    opened_at       BIGINT  NOT NULL,
    updated_at      BIGINT  NOT NULL,
    closed_at       BIGINT,
    closed_by       TEXT,
    verdict         TEXT,
    snoozed_until   BIGINT,
    opened_sequence BIGINT  NOT NULL,
    sequence        BIGINT  NOT NULL,
    alert           TEXT    NOT NULL
);
CREATE UNIQUE INDEX alerts_by_opening ON alerts (opened_sequence);
CREATE INDEX alerts_by_tenant ON alerts (tenant, opened_sequence);

-- Every change of every alert, in the order in which it was applied: what live listeners are
-- sent, and the audit trail. A detector's change has a revision, a person's has an actor.
CREATE TABLE alert_changes (
    sequence BIGINT NOT NULL PRIMARY KEY,
    alert_id TEXT   NOT NULL REFERENCES alerts (alert_id) ON DELETE CASCADE,
    revision BIGINT,
    tenant   TEXT   NOT NULL,
    at       BIGINT NOT NULL,
    change   TEXT   NOT NULL,
    action   TEXT,
    actor    TEXT,
    note     TEXT,
    UNIQUE (alert_id, revision)
);

-- Where notices go. Neither addresses nor secrets are kept here, only what decides who is told what.
CREATE TABLE destinations (
    name            TEXT    NOT NULL PRIMARY KEY,
    kind            TEXT    NOT NULL,
    route           TEXT    NOT NULL,
    configured      INTEGER NOT NULL,
    disabled_at     BIGINT,
    disabled_reason TEXT,
    paused_until    BIGINT
);

-- What one destination has been told, or is about to be told, of one episode.
CREATE TABLE threads (
    destination TEXT    NOT NULL,
    dedup_key   TEXT    NOT NULL,
    severity    INTEGER NOT NULL,
    closed      INTEGER NOT NULL,
    sent_at     BIGINT,
    PRIMARY KEY (destination, dedup_key)
);

-- The outbox: one message that one destination is owed. Within a destination and dedup key they
-- leave in the order of their ids.
CREATE TABLE notices (
    id          BIGINT  NOT NULL PRIMARY KEY,
    message_id  TEXT    NOT NULL UNIQUE,
    destination TEXT    NOT NULL,
    dedup_key   TEXT    NOT NULL,
    alert_id    TEXT    NOT NULL,
    tenant      TEXT    NOT NULL,
    kind        TEXT    NOT NULL,
    severity    INTEGER NOT NULL,
    alert       TEXT    NOT NULL,
    queued_at   BIGINT  NOT NULL,
    due_at      BIGINT  NOT NULL,
    expires_at  BIGINT  NOT NULL,
    attempts    INTEGER NOT NULL,
    state       TEXT    NOT NULL,
    finished_at BIGINT,
    last_error  TEXT
);
-- Partial, because what is pending or undelivered is little beside what was delivered.
CREATE INDEX notices_pending ON notices (destination, dedup_key, id) WHERE state = 'pending';
CREATE INDEX notices_undelivered ON notices (destination, id) WHERE state = 'undelivered';
CREATE INDEX notices_by_alert ON notices (alert_id, id);

-- API tokens, as SHA-256. Revoked ones stay, so that the audit trail can name them.
CREATE TABLE tokens (
    token_hash TEXT   NOT NULL PRIMARY KEY,
    name       TEXT   NOT NULL,
    role       TEXT   NOT NULL,
    scope      TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT
);
CREATE UNIQUE INDEX tokens_by_name ON tokens (name) WHERE revoked_at IS NULL;

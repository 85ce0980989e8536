-- What a change made of its alert, so that the trail still says so when the alert has moved on.
ALTER TABLE alert_changes ADD COLUMN state TEXT;
ALTER TABLE alert_changes ADD COLUMN verdict TEXT;
ALTER TABLE alert_changes ADD COLUMN snoozed_until BIGINT;

-- A listener of one partner reads on from where it was, and not through everybody else's changes.
CREATE INDEX alert_changes_by_tenant ON alert_changes (tenant, sequence);

-- From then on a token is good for nothing. NULL: it is good until it is revoked.
ALTER TABLE tokens ADD COLUMN expires_at BIGINT;

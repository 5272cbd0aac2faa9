-- How far the event stream was worked off, by whom.
CREATE TABLE cursors (
    name TEXT NOT NULL PRIMARY KEY,
    position BIGINT NOT NULL,
    holder BIGINT NOT NULL,
    leased_until BIGINT NOT NULL
) /*without rowid*/;

-- A message to a person, as it is sent. It stays for a while, so that it is made once.
CREATE TABLE messages (
    id BYTEA NOT NULL PRIMARY KEY,
    channel TEXT NOT NULL,
    recipient TEXT NOT NULL,
    status TEXT NOT NULL,
    status_at BIGINT,
    failure TEXT,
    created_at BIGINT NOT NULL,
    subject TEXT NOT NULL,
    text TEXT NOT NULL,
    html TEXT
) /*without rowid*/;
CREATE INDEX messages_by_time ON messages (created_at);

-- Which reminders of an event were called for, and for which start.
CREATE TABLE reminders (
    event_id BYTEA NOT NULL,
    days BIGINT NOT NULL,
    starts_at BIGINT NOT NULL,
    PRIMARY KEY (event_id, days)
) /*without rowid*/;

-- Who wants to be told of bookings by webhook.
CREATE TABLE webhooks (
    id BYTEA NOT NULL PRIMARY KEY,
    owner BYTEA NOT NULL,
    of_all BIGINT NOT NULL,
    url TEXT NOT NULL,
    kinds TEXT NOT NULL,
    secret TEXT NOT NULL,
    created_at BIGINT NOT NULL
) /*without rowid*/;

-- What is told to whom. Those of one webhook and event are delivered in turn: each names the next.
CREATE TABLE deliveries (
    id BYTEA NOT NULL PRIMARY KEY,
    webhook_id BYTEA NOT NULL,
    event_id BYTEA NOT NULL,
    kind TEXT NOT NULL,
    status TEXT NOT NULL,
    since BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    tried_at BIGINT,
    answer BIGINT,
    failure TEXT,
    next_id BYTEA,
    made_at BIGINT NOT NULL,
    body TEXT NOT NULL
) /*without rowid*/;
CREATE INDEX deliveries_by_webhook ON deliveries (webhook_id, id);
CREATE INDEX deliveries_by_time ON deliveries (made_at);

-- The last delivery that waits in the queue of a webhook and event.
CREATE TABLE sequences (
    webhook_id BYTEA NOT NULL,
    event_id BYTEA NOT NULL,
    tail BYTEA NOT NULL,
    PRIMARY KEY (webhook_id, event_id)
) /*without rowid*/;

-- One text for both databases: BIGINT, TEXT, BYTEA and BOOLEAN only; time in microseconds, money in won.
-- /*without rowid*/ and /*serial*/ are the two words the drivers spell differently.

CREATE TABLE emails (
    address TEXT NOT NULL PRIMARY KEY,
    user_id BYTEA NOT NULL
) /*without rowid*/;

CREATE TABLE users (
    id BYTEA NOT NULL PRIMARY KEY,
    email TEXT NOT NULL,
    password_hash TEXT,
    name TEXT NOT NULL,
    phone TEXT,
    role TEXT NOT NULL,
    created_at BIGINT NOT NULL
) /*without rowid*/;

CREATE TABLE revoked_tokens (
    id BYTEA NOT NULL PRIMARY KEY,
    expires_at BIGINT NOT NULL
) /*without rowid*/;

CREATE TABLE events (
    id BYTEA NOT NULL PRIMARY KEY,
    owner BYTEA NOT NULL,
    title TEXT NOT NULL,
    category TEXT NOT NULL,
    venue TEXT NOT NULL,
    location TEXT NOT NULL,
    address TEXT,
    artist TEXT,
    image_url TEXT,
    starts_at BIGINT NOT NULL,
    ends_at BIGINT NOT NULL,
    sale_opens BIGINT,
    sale_closes BIGINT,
    organizer_name TEXT,
    organizer_contact TEXT,
    tags TEXT NOT NULL,
    max_per_user BIGINT,
    room_capacity BIGINT,
    room_pass BIGINT,
    min_price BIGINT NOT NULL,
    max_price BIGINT NOT NULL,
    status TEXT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    -- Long ones last: SQLite walks through what comes before a column to read it.
    description TEXT NOT NULL,
    ticket_types TEXT NOT NULL,
    layout TEXT NOT NULL
) /*without rowid*/;
CREATE INDEX events_by_start ON events (starts_at, id);
CREATE INDEX events_by_category ON events (category, starts_at, id);

CREATE TABLE gateway_events (
    id TEXT NOT NULL PRIMARY KEY,
    received_at BIGINT NOT NULL
) /*without rowid*/;

CREATE TABLE reservations (
    id BYTEA NOT NULL PRIMARY KEY,
    event_id BYTEA NOT NULL,
    user_id BYTEA NOT NULL,
    seats TEXT NOT NULL,
    items TEXT NOT NULL,
    count BIGINT NOT NULL,
    total BIGINT NOT NULL,
    status TEXT NOT NULL,
    claimed_until BIGINT NOT NULL,
    status_at BIGINT,
    tender TEXT,
    tender_id BYTEA,
    refund BIGINT,
    admitted_at BIGINT,
    payment_id BYTEA,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
) /*without rowid*/;
CREATE INDEX reservations_by_user ON reservations (user_id, id);
CREATE INDEX reservations_to_lapse ON reservations (claimed_until) WHERE status = 'pending';

CREATE TABLE payments (
    id BYTEA NOT NULL PRIMARY KEY,
    reservation_id BYTEA NOT NULL,
    event_id BYTEA NOT NULL,
    user_id BYTEA NOT NULL,
    amount BIGINT NOT NULL,
    gateway TEXT NOT NULL,
    reference TEXT,
    client_secret TEXT,
    status TEXT NOT NULL,
    status_at BIGINT,
    method TEXT,
    refund TEXT,
    refunded_at BIGINT,
    created_at BIGINT NOT NULL
) /*without rowid*/;
CREATE INDEX payments_by_reference ON payments (reference) WHERE reference IS NOT NULL;

CREATE TABLE wallets (
    user_id BYTEA NOT NULL PRIMARY KEY,
    balance BIGINT NOT NULL
) /*without rowid*/;

CREATE TABLE stocks (
    ticket_type_id BYTEA NOT NULL PRIMARY KEY,
    event_id BYTEA NOT NULL,
    quantity BIGINT NOT NULL,
    sold BIGINT NOT NULL,
    held BIGINT NOT NULL
) /*without rowid*/;
CREATE INDEX stocks_by_event ON stocks (event_id);

CREATE TABLE portions (
    reservation_id BYTEA NOT NULL,
    ticket_type_id BYTEA NOT NULL,
    quantity BIGINT NOT NULL,
    claimed_until BIGINT NOT NULL,
    PRIMARY KEY (reservation_id, ticket_type_id)
) /*without rowid*/;
CREATE INDEX portions_by_type ON portions (ticket_type_id, claimed_until);

CREATE TABLE claims (
    event_id BYTEA NOT NULL,
    ordinal BIGINT NOT NULL,
    version BIGINT NOT NULL,
    reservation_id BYTEA NOT NULL,
    claimed_until BIGINT NOT NULL,
    PRIMARY KEY (event_id, ordinal)
) /*without rowid*/;

CREATE TABLE transfers (
    id BYTEA NOT NULL PRIMARY KEY,
    made_at BIGINT NOT NULL,
    debit TEXT NOT NULL,
    debit_id BYTEA,
    credit TEXT NOT NULL,
    credit_id BYTEA,
    amount BIGINT NOT NULL,
    reservation_id BYTEA,
    payment_id BYTEA
) /*without rowid*/;

CREATE TABLE jobs (
    id BYTEA NOT NULL PRIMARY KEY,
    errand TEXT NOT NULL,
    subject BYTEA NOT NULL,
    news TEXT,
    method TEXT,
    run_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    created_at BIGINT NOT NULL
) /*without rowid*/;
CREATE INDEX jobs_by_time ON jobs (run_at);

CREATE TABLE answers (
    key TEXT NOT NULL PRIMARY KEY,
    request BYTEA NOT NULL,
    status BIGINT NOT NULL,
    body BYTEA NOT NULL,
    given_at BIGINT NOT NULL
) /*without rowid*/;
CREATE INDEX answers_by_time ON answers (given_at);

CREATE TABLE outbox (
    position /*serial*/ PRIMARY KEY,
    made_at BIGINT NOT NULL,
    node BIGINT NOT NULL,
    fact TEXT NOT NULL,
    event_id BYTEA NOT NULL,
    subject BYTEA NOT NULL,
    body TEXT NOT NULL
);

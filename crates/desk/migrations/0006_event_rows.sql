-- SQLite looks a key up in a table without row ids by comparing whole rows, which for an event means fetching 50 KB of
-- layout from a dozen overflow pages, and every batch of holds looks at the version of its events. With row ids the key
-- has an index of its own, and the layout is fetched only by those who want it.

CREATE TABLE events_by_row (
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
);
INSERT INTO events_by_row (
    id, owner, title, category, venue, location, address, artist, image_url, starts_at, ends_at, sale_opens,
    sale_closes, organizer_name, organizer_contact, tags, max_per_user, room_capacity, room_pass, min_price,
    max_price, status, version, created_at, updated_at, description, ticket_types, layout
) SELECT
    id, owner, title, category, venue, location, address, artist, image_url, starts_at, ends_at, sale_opens,
    sale_closes, organizer_name, organizer_contact, tags, max_per_user, room_capacity, room_pass, min_price,
    max_price, status, version, created_at, updated_at, description, ticket_types, layout
FROM events;
DROP TABLE events;
ALTER TABLE events_by_row RENAME TO events;
CREATE INDEX events_by_start ON events (starts_at, id);
CREATE INDEX events_by_category ON events (category, starts_at, id);

-- Movie tickets. Ids are time-ordered, so "newest first" is the order of the key, and every index ends in it. The
-- indexes hold the status too: a filtered list is counted without looking at the tickets themselves.
CREATE TABLE movie_tickets (
    id BYTEA NOT NULL PRIMARY KEY,
    theater_name TEXT NOT NULL,
    user_id TEXT NOT NULL,
    movie_title TEXT NOT NULL,
    price BIGINT NOT NULL,
    status TEXT NOT NULL,
    issued_at BIGINT NOT NULL,
    canceled_at BIGINT,
    memo TEXT,
    reason TEXT
) /*without rowid*/;
CREATE INDEX movie_tickets_by_theater ON movie_tickets (theater_name, id, status);
CREATE INDEX movie_tickets_by_user ON movie_tickets (user_id, id, status);
CREATE INDEX movie_tickets_by_title ON movie_tickets (movie_title, id, status);
CREATE INDEX movie_tickets_by_status ON movie_tickets (status, id);

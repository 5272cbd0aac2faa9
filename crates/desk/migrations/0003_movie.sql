-- Movie tickets. Every index ends in what a list is ordered by and holds the status too, so that a page is found and a
-- list is counted without looking at the tickets themselves.
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
CREATE INDEX movie_tickets_by_time ON movie_tickets (issued_at, id, status);
CREATE INDEX movie_tickets_by_theater ON movie_tickets (theater_name, issued_at, id, status);
CREATE INDEX movie_tickets_by_user ON movie_tickets (user_id, issued_at, id, status);
CREATE INDEX movie_tickets_by_title ON movie_tickets (movie_title, issued_at, id, status);

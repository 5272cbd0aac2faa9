-- The waiting room. A lane's places are numbered without gaps; its row is the lock of all that is in it.

CREATE TABLE room_lanes (
    id BYTEA NOT NULL PRIMARY KEY,
    next_number BIGINT NOT NULL,
    head_number BIGINT NOT NULL,
    inside BIGINT NOT NULL,
    waiting BIGINT NOT NULL,
    used BIGINT NOT NULL,
    capacity BIGINT NOT NULL
) /*without rowid*/;

CREATE TABLE room_waiters (
    lane_id BYTEA NOT NULL,
    user_id BYTEA NOT NULL,
    number BIGINT NOT NULL,
    PRIMARY KEY (lane_id, user_id)
) /*without rowid*/;

CREATE TABLE room_places (
    lane_id BYTEA NOT NULL,
    number BIGINT NOT NULL,
    version BIGINT NOT NULL,
    place_id BYTEA NOT NULL,
    user_id BYTEA NOT NULL,
    status TEXT NOT NULL,
    status_at BIGINT,
    joined_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    ends_at BIGINT NOT NULL,
    PRIMARY KEY (lane_id, number)
) /*without rowid*/;
-- Who is in, wherever in the line; those who wait stand from the lane's head on.
CREATE INDEX places_inside ON room_places (lane_id) WHERE status IN ('inside', 'used');
-- What can be forgotten in time.
CREATE INDEX places_over ON room_places (status_at)
    WHERE status IN ('completed', 'left', 'lapsed', 'absent', 'requeued');

-- What nodes of a shared database tell each other of changed places (an hour).
CREATE TABLE room_news (
    position /*serial*/ PRIMARY KEY,
    made_at BIGINT NOT NULL,
    node BIGINT NOT NULL,
    lane_id BYTEA NOT NULL,
    body TEXT NOT NULL
);

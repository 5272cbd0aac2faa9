-- What nodes of a shared database tell each other of those who are connected to them (a minute).
CREATE TABLE node_news (
    position /*serial*/ PRIMARY KEY,
    made_at BIGINT NOT NULL,
    node BIGINT NOT NULL,
    body TEXT NOT NULL
);

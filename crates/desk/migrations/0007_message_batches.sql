-- Messages are sent in batches, a job for each. With row ids, since they are longer than a table without wants them; and
-- a batch's stand side by side.

CREATE TABLE messages_by_row (
    id BYTEA NOT NULL PRIMARY KEY,
    batch BYTEA NOT NULL,
    channel TEXT NOT NULL,
    recipient TEXT NOT NULL,
    status TEXT NOT NULL,
    status_at BIGINT,
    failure TEXT,
    created_at BIGINT NOT NULL,
    subject TEXT NOT NULL,
    text TEXT NOT NULL,
    html TEXT
);
INSERT INTO messages_by_row (
    id, batch, channel, recipient, status, status_at, failure, created_at, subject, text, html
) SELECT
    id, id, channel, recipient, status, status_at, failure, created_at, subject, text, html
FROM messages;
DROP TABLE messages;
ALTER TABLE messages_by_row RENAME TO messages;
CREATE INDEX messages_by_batch ON messages (batch);
CREATE INDEX messages_by_time ON messages (created_at);
UPDATE jobs SET errand = 'send_messages' WHERE errand = 'send_message';

-- What is known of encrypted attachments; their bytes are elsewhere. What is over keeps its row until its bytes are gone.
CREATE TABLE blobs (
    blob       BLOB PRIMARY KEY CHECK (length(blob) = 16),
    -- Without a foreign key: the bytes outlive the account by a moment.
    owner      BLOB NOT NULL,
    size       INTEGER NOT NULL,
    uploaded   INTEGER NOT NULL,
    expires    INTEGER NOT NULL,
    keep_until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX blobs_of_owner ON blobs (owner);
CREATE INDEX blobs_expiring ON blobs (expires);
-- Whoever goes takes their attachments along.
CREATE TRIGGER blobs_of_gone AFTER DELETE ON accounts BEGIN
    UPDATE blobs SET expires = 0 WHERE owner = OLD.account;
END;

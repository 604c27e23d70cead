-- What is known of encrypted attachments; their bytes are elsewhere. What is over keeps its row until its bytes are gone.
CREATE TABLE blobs (
    blob       BYTEA PRIMARY KEY CHECK (octet_length(blob) = 16),
    -- Without a foreign key: the bytes outlive the account by a moment.
    owner      BYTEA NOT NULL,
    size       BIGINT NOT NULL,
    uploaded   BIGINT NOT NULL,
    expires    BIGINT NOT NULL,
    keep_until BIGINT NOT NULL
);
CREATE INDEX blobs_of_owner ON blobs (owner);
CREATE INDEX blobs_expiring ON blobs (expires);
-- Whoever goes takes their attachments along.
CREATE FUNCTION end_blobs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE blobs SET expires = 0 WHERE owner = OLD.account;
    RETURN NULL;
END $$;
CREATE TRIGGER blobs_of_gone AFTER DELETE ON accounts FOR EACH ROW EXECUTE FUNCTION end_blobs();

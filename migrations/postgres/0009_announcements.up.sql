-- What the relay says to everybody, as it was signed. Who has got it stands nowhere.
CREATE TABLE announcements (
    announcement BYTEA PRIMARY KEY CHECK (octet_length(announcement) = 16),
    issued       BIGINT NOT NULL,
    expires      BIGINT NOT NULL,
    notice       BYTEA NOT NULL
);

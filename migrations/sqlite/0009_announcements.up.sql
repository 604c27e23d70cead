-- What the relay says to everybody, as it was signed. Who has got it stands nowhere.
CREATE TABLE announcements (
    announcement BLOB PRIMARY KEY CHECK (length(announcement) = 16),
    issued       INTEGER NOT NULL,
    expires      INTEGER NOT NULL,
    notice       BLOB NOT NULL
) STRICT, WITHOUT ROWID;

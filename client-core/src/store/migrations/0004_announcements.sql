-- What the relay has announced, each once; told when somebody has seen it.
CREATE TABLE announcements (
    id      BLOB PRIMARY KEY CHECK (length(id) = 16),
    issued  INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    text    TEXT NOT NULL,
    told    INTEGER NOT NULL DEFAULT 0 CHECK (told IN (0, 1))
) STRICT, WITHOUT ROWID;

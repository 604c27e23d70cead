-- Everything a profile holds. Times are milliseconds since 1970; counters that the wire allows to
-- use all 64 bits are kept as the same 64 bits, so nothing sorts by them.

CREATE TABLE profile (
    id             INTEGER PRIMARY KEY CHECK (id = 1),
    name           TEXT    NOT NULL,
    relay_url      TEXT    NOT NULL,
    relay_key      BLOB    NOT NULL CHECK (length(relay_key) = 32),
    account_key    BLOB    NOT NULL CHECK (length(account_key) = 32),
    device         BLOB    NOT NULL,
    prekeys        BLOB    NOT NULL,
    cursor         INTEGER NOT NULL DEFAULT 0,
    access         TEXT,
    access_expires INTEGER,
    refresh        TEXT,
    -- 0: made; 1: sent to the relay, outcome unknown; 2: registered.
    registration   INTEGER NOT NULL CHECK (registration IN (0, 1, 2))
) STRICT;

CREATE TABLE contacts (
    name        TEXT    PRIMARY KEY,
    account     BLOB    NOT NULL CHECK (length(account) = 16),
    account_key BLOB    NOT NULL CHECK (length(account_key) = 32),
    chat        BLOB    NOT NULL CHECK (length(chat) = 16),
    trust       INTEGER NOT NULL,
    offered_key BLOB    CHECK (offered_key IS NULL OR length(offered_key) = 32)
) STRICT, WITHOUT ROWID;

CREATE TABLE device_lists (
    account BLOB PRIMARY KEY,
    list    BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
    device BLOB PRIMARY KEY,
    state  BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE chats (
    chat         BLOB    PRIMARY KEY,
    sent_counter INTEGER NOT NULL,
    position     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE chat_counters (
    chat    BLOB    NOT NULL REFERENCES chats ON UPDATE CASCADE ON DELETE CASCADE,
    device  BLOB    NOT NULL,
    counter INTEGER NOT NULL,
    PRIMARY KEY (chat, device)
) STRICT, WITHOUT ROWID;

CREATE TABLE chat_heads (
    chat    BLOB    NOT NULL REFERENCES chats ON UPDATE CASCADE ON DELETE CASCADE,
    place   INTEGER NOT NULL,
    message BLOB    NOT NULL,
    PRIMARY KEY (chat, place)
) STRICT, WITHOUT ROWID;

CREATE TABLE chat_gaps (
    chat     BLOB    NOT NULL REFERENCES chats ON UPDATE CASCADE ON DELETE CASCADE,
    place    INTEGER NOT NULL,
    device   BLOB    NOT NULL,
    first    INTEGER NOT NULL,
    last     INTEGER NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (chat, place)
) STRICT, WITHOUT ROWID;

CREATE TABLE messages (
    id          BLOB    NOT NULL,
    chat        BLOB    NOT NULL,
    peer        TEXT    NOT NULL,
    -- 0: incoming; 1: outgoing.
    direction   INTEGER NOT NULL,
    position    INTEGER NOT NULL,
    -- 0: text; 1: of a later version; 2: undecryptable; 3: note.
    kind        INTEGER NOT NULL,
    body        TEXT,
    number      INTEGER,
    sent_at     INTEGER NOT NULL,
    accepted_at INTEGER,
    stored_at   INTEGER,
    read_at     INTEGER,
    -- 0: queued; 1: accepted; 2: stored; 3: read; 9: failed, with the code.
    delivery    INTEGER NOT NULL,
    failure     INTEGER,
    printed     INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (chat, id)
) STRICT;
CREATE INDEX messages_by_place ON messages (peer, position);
CREATE INDEX messages_by_id ON messages (id);
CREATE INDEX messages_undelivered ON messages (peer) WHERE direction = 1 AND delivery IN (1, 2);
CREATE INDEX messages_unread ON messages (peer) WHERE direction = 0 AND kind <> 3 AND read_at IS NULL;
CREATE INDEX messages_unprinted ON messages (printed) WHERE direction = 0 AND kind < 2 AND printed = 0;

CREATE TABLE drafts (
    peer TEXT PRIMARY KEY,
    text TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE seen (
    device  BLOB    NOT NULL,
    message BLOB    NOT NULL,
    at      INTEGER NOT NULL,
    PRIMARY KEY (device, message)
) STRICT, WITHOUT ROWID;
CREATE INDEX seen_by_age ON seen (at);

CREATE TABLE outbox (
    place   INTEGER PRIMARY KEY,
    message BLOB    NOT NULL,
    peer    TEXT    NOT NULL,
    chat    BLOB    NOT NULL,
    content BLOB    NOT NULL,
    shown   INTEGER NOT NULL,
    wire    BLOB
) STRICT;

CREATE TABLE undecryptable (
    message       BLOB    NOT NULL PRIMARY KEY,
    chat          BLOB    NOT NULL,
    sender        BLOB    NOT NULL,
    sender_device BLOB    NOT NULL,
    cause         INTEGER NOT NULL,
    received_at   INTEGER NOT NULL,
    ciphertext    BLOB    NOT NULL
) STRICT;

CREATE TABLE send_log (
    message BLOB    NOT NULL PRIMARY KEY,
    peer    TEXT    NOT NULL,
    content BLOB    NOT NULL,
    sent_at INTEGER NOT NULL
) STRICT;
CREATE INDEX send_log_by_age ON send_log (sent_at);

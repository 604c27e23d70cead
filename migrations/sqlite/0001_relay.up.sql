-- The relay's schema. Identifiers are their 16 bytes, times are milliseconds since 1970.

CREATE TABLE accounts (
    account       BLOB PRIMARY KEY CHECK (length(account) = 16),
    name          TEXT NOT NULL UNIQUE,
    display_name  TEXT,
    role          TEXT NOT NULL,
    created       INTEGER NOT NULL,
    -- How the client stretches the password.
    scheme        TEXT NOT NULL,
    salt          BLOB NOT NULL CHECK (length(salt) = 16),
    memory_kib    INTEGER NOT NULL,
    passes        INTEGER NOT NULL,
    lanes         INTEGER NOT NULL,
    -- What the relay remembers of the stretched password, keyed with a pepper that is not here.
    verifier_salt BLOB NOT NULL CHECK (length(verifier_salt) = 16),
    verifier      BLOB NOT NULL CHECK (length(verifier) = 32),
    -- The present device list, as signed by the account key.
    list_version  INTEGER NOT NULL,
    device_list   BLOB NOT NULL
) STRICT;

-- AUTOINCREMENT: a number is never given to another device, so that a mailbox never changes hands.
CREATE TABLE devices (
    number      INTEGER PRIMARY KEY AUTOINCREMENT,
    device      BLOB NOT NULL UNIQUE CHECK (length(device) = 16),
    account     BLOB NOT NULL REFERENCES accounts (account),
    certificate BLOB NOT NULL
) STRICT;
CREATE INDEX devices_of_account ON devices (account);

-- Positions are never given out again, so the head outlives the messages.
CREATE TABLE mailboxes (
    device  INTEGER PRIMARY KEY REFERENCES devices (number),
    head    INTEGER NOT NULL DEFAULT 0,
    waiting INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Rows lie in the order of arrival with their body inside, so that a commit appends; the only
-- index that every row has is two integers wide. Mailbox and sender are device numbers, without a
-- foreign key, which would be looked up for every message.
CREATE TABLE messages (
    id         INTEGER PRIMARY KEY,
    mailbox    INTEGER NOT NULL,
    seq        INTEGER NOT NULL,
    message    BLOB NOT NULL,
    chat       BLOB NOT NULL,
    sender     INTEGER NOT NULL,
    stored_at  INTEGER NOT NULL,
    expires_at INTEGER,
    body       BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX messages_of_mailbox ON messages (mailbox, seq);
-- Messages that wait for the longest time expire in the order of arrival and need no index.
CREATE INDEX messages_expiring ON messages (expires_at) WHERE expires_at IS NOT NULL;

-- Which message ids a device has used, for what, so that sending again stores nothing twice.
CREATE TABLE sent (
    id        INTEGER PRIMARY KEY,
    device    INTEGER NOT NULL,
    message   BLOB NOT NULL,
    content   BLOB NOT NULL,
    stored_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX sent_by_device ON sent (device, message);

CREATE TABLE chats (
    chat    BLOB PRIMARY KEY CHECK (length(chat) = 16),
    created INTEGER NOT NULL
) STRICT;
CREATE TABLE chat_members (
    account BLOB NOT NULL REFERENCES accounts (account),
    chat    BLOB NOT NULL REFERENCES chats (chat),
    PRIMARY KEY (account, chat)
) STRICT, WITHOUT ROWID;
CREATE INDEX members_of_chat ON chat_members (chat);

-- A prekey that was given out keeps its row without its content: its id can never stand for
-- another key, and an upload that comes twice cannot bring it back.
CREATE TABLE prekeys (
    device  INTEGER NOT NULL REFERENCES devices (number),
    kind    INTEGER NOT NULL,
    id      INTEGER NOT NULL,
    hash    BLOB NOT NULL,
    content BLOB,
    PRIMARY KEY (device, kind, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX prekeys_held ON prekeys (device, kind, id) WHERE content IS NOT NULL;

-- A login and the tokens that descend from it.
CREATE TABLE families (
    family  BLOB PRIMARY KEY CHECK (length(family) = 16),
    account BLOB NOT NULL REFERENCES accounts (account),
    device  BLOB NOT NULL,
    expires INTEGER NOT NULL,
    revoked INTEGER
) STRICT;
CREATE INDEX families_expiring ON families (expires);
CREATE TABLE refresh_tokens (
    hash    BLOB PRIMARY KEY CHECK (length(hash) = 32),
    family  BLOB NOT NULL REFERENCES families (family) ON DELETE CASCADE,
    used    INTEGER NOT NULL DEFAULT 0,
    expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX tokens_of_family ON refresh_tokens (family);

-- The relay's schema. Identifiers are their 16 bytes, times are milliseconds since 1970.

CREATE TABLE accounts (
    account       BYTEA PRIMARY KEY CHECK (octet_length(account) = 16),
    -- In the order of bytes, whatever the database's language: prefixes and pages depend on it.
    name          TEXT COLLATE "C" NOT NULL UNIQUE,
    display_name  TEXT,
    role          TEXT NOT NULL,
    created       BIGINT NOT NULL,
    -- How the client stretches the password.
    scheme        TEXT NOT NULL,
    salt          BYTEA NOT NULL CHECK (octet_length(salt) = 16),
    memory_kib    BIGINT NOT NULL,
    passes        BIGINT NOT NULL,
    lanes         BIGINT NOT NULL,
    -- What the relay remembers of the stretched password, keyed with a pepper that is not here.
    verifier_salt BYTEA NOT NULL CHECK (octet_length(verifier_salt) = 16),
    verifier      BYTEA NOT NULL CHECK (octet_length(verifier) = 32),
    -- The present device list, as signed by the account key.
    list_version  BIGINT NOT NULL,
    device_list   BYTEA NOT NULL
);

-- A number is never given to another device, so that a mailbox never changes hands and a node may
-- remember numbers for as long as it runs.
CREATE TABLE devices (
    number      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    device      BYTEA NOT NULL UNIQUE CHECK (octet_length(device) = 16),
    account     BYTEA NOT NULL REFERENCES accounts (account),
    certificate BYTEA NOT NULL
);
CREATE INDEX devices_of_account ON devices (account);

-- Positions are never given out again, so the head outlives the messages. Whoever writes or deletes
-- messages holds the row of their mailbox; rows are locked in the order of their numbers. Pages are
-- left half empty, so that a new head needs no new entry in the index.
CREATE TABLE mailboxes (
    device  BIGINT PRIMARY KEY REFERENCES devices (number),
    head    BIGINT NOT NULL DEFAULT 0,
    waiting BIGINT NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

-- Mailbox and sender are device numbers, without a foreign key, which would be looked up for every
-- message. Every message has a time to go.
CREATE TABLE messages (
    mailbox    BIGINT NOT NULL,
    seq        BIGINT NOT NULL,
    message    BYTEA NOT NULL,
    chat       BYTEA NOT NULL,
    sender     BIGINT NOT NULL,
    stored_at  BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    body       BYTEA NOT NULL,
    PRIMARY KEY (mailbox, seq)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000);
CREATE INDEX messages_expiring ON messages (expires_at);
-- Ciphertext does not get smaller.
ALTER TABLE messages ALTER COLUMN body SET STORAGE EXTERNAL;

-- Which message ids a device has used, for what, so that sending again stores nothing twice.
CREATE TABLE sent (
    device    BIGINT NOT NULL,
    message   BYTEA NOT NULL,
    content   BYTEA NOT NULL,
    stored_at BIGINT NOT NULL,
    PRIMARY KEY (device, message)
);
CREATE INDEX sent_by_age ON sent (stored_at);

CREATE TABLE chats (
    chat    BYTEA PRIMARY KEY CHECK (octet_length(chat) = 16),
    created BIGINT NOT NULL
);
CREATE TABLE chat_members (
    account BYTEA NOT NULL REFERENCES accounts (account),
    chat    BYTEA NOT NULL REFERENCES chats (chat),
    PRIMARY KEY (account, chat)
);
CREATE INDEX members_of_chat ON chat_members (chat);

-- A prekey that was given out keeps its row without its content: its id can never stand for
-- another key, and an upload that comes twice cannot bring it back.
CREATE TABLE prekeys (
    device  BIGINT NOT NULL REFERENCES devices (number),
    kind    SMALLINT NOT NULL,
    id      BIGINT NOT NULL,
    hash    BYTEA NOT NULL,
    content BYTEA,
    PRIMARY KEY (device, kind, id)
);
CREATE INDEX prekeys_held ON prekeys (device, kind, id) WHERE content IS NOT NULL;

-- A login and the tokens that descend from it.
CREATE TABLE families (
    family  BYTEA PRIMARY KEY CHECK (octet_length(family) = 16),
    account BYTEA NOT NULL REFERENCES accounts (account),
    device  BYTEA NOT NULL,
    expires BIGINT NOT NULL,
    revoked BIGINT
);
CREATE INDEX families_expiring ON families (expires);
CREATE TABLE refresh_tokens (
    hash    BYTEA PRIMARY KEY CHECK (octet_length(hash) = 32),
    family  BYTEA NOT NULL REFERENCES families (family) ON DELETE CASCADE,
    used    BOOLEAN NOT NULL DEFAULT FALSE,
    expires BIGINT NOT NULL
);
CREATE INDEX tokens_of_family ON refresh_tokens (family);

-- Which relay this is: a hash of secrets that are not here. Nodes with other ones would refuse each
-- other's tokens and passwords.
CREATE TABLE belongs_to (
    one_row     BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (one_row),
    fingerprint BYTEA NOT NULL
);

-- Nodes keep the members and devices of chats in memory. They hear here, when it is committed, whose
-- list has changed and which chat has other members.
CREATE FUNCTION tell_list_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('susurro_rosters', 'account:' || encode(OLD.account, 'hex'));
    RETURN NULL;
END $$;
CREATE TRIGGER list_changed AFTER UPDATE OF list_version ON accounts
    FOR EACH ROW WHEN (OLD.list_version <> NEW.list_version) EXECUTE FUNCTION tell_list_changed();
CREATE FUNCTION tell_members_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('susurro_rosters', 'chat:' || encode(OLD.chat, 'hex'));
    RETURN NULL;
END $$;
CREATE TRIGGER members_changed AFTER UPDATE OR DELETE ON chat_members
    FOR EACH ROW EXECUTE FUNCTION tell_members_changed();
CREATE FUNCTION tell_members_added() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('susurro_rosters', 'chat:' || encode(NEW.chat, 'hex'));
    RETURN NULL;
END $$;
CREATE TRIGGER members_added AFTER INSERT ON chat_members
    FOR EACH ROW EXECUTE FUNCTION tell_members_added();

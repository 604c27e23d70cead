-- Since when an account may not log in; NULL for one that may.
ALTER TABLE accounts ADD COLUMN disabled INTEGER;
CREATE INDEX families_of_account ON families (account);

-- Who may register where registration is by invite. The invite itself is not here, only its hash.
CREATE TABLE invites (
    invite  BLOB PRIMARY KEY CHECK (length(invite) = 32),
    uses    INTEGER NOT NULL,
    used    INTEGER NOT NULL DEFAULT 0,
    note    TEXT,
    created INTEGER NOT NULL,
    expires INTEGER,
    revoked INTEGER
) STRICT, WITHOUT ROWID;

-- Families that were ended, in the order of that, for as long as an access token of theirs could
-- still be shown. Whoever works on the same database reads on here: a command beside a running
-- relay takes effect without asking it.
CREATE TABLE revocations (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    family BLOB NOT NULL CHECK (length(family) = 16),
    until  INTEGER NOT NULL
) STRICT;
INSERT INTO revocations (family, until) SELECT family, revoked + 3600000 FROM families WHERE revoked IS NOT NULL;

-- Accounts that a command has asked to erase; who runs the relay does it.
CREATE TABLE erasures (
    account BLOB PRIMARY KEY CHECK (length(account) = 16)
) STRICT, WITHOUT ROWID;

-- Since when an account may not log in; NULL for one that may.
ALTER TABLE accounts ADD COLUMN disabled BIGINT;
CREATE INDEX families_of_account ON families (account);

-- Who may register where registration is by invite. The invite itself is not here, only its hash.
CREATE TABLE invites (
    invite  BYTEA PRIMARY KEY CHECK (octet_length(invite) = 32),
    uses    BIGINT NOT NULL,
    used    BIGINT NOT NULL DEFAULT 0,
    note    TEXT,
    created BIGINT NOT NULL,
    expires BIGINT,
    revoked BIGINT
);

-- Families that were ended, for as long as an access token of theirs could still be shown. Every
-- node reads on here: what one of them, or a command, has ended takes effect on all of them.
CREATE TABLE revocations (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    family BYTEA NOT NULL CHECK (octet_length(family) = 16),
    until  BIGINT NOT NULL
);
CREATE INDEX revocations_of_family ON revocations (family);
INSERT INTO revocations (family, until) SELECT family, revoked + 3600000 FROM families WHERE revoked IS NOT NULL;

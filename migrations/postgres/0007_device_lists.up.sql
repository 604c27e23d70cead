-- Since when a device is in its account's list no longer. Its row stays, because what it has sent may still wait.
ALTER TABLE devices ADD COLUMN removed BIGINT;

-- Accounts that a command has asked to erase; a node does it.
CREATE TABLE erasures (
    account BYTEA PRIMARY KEY CHECK (octet_length(account) = 16)
);

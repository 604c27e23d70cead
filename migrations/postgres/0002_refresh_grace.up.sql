-- The refresh token that was exchanged last, and when it first was: its answer may have been lost.
ALTER TABLE families ADD COLUMN previous BYTEA CHECK (octet_length(previous) = 32);
ALTER TABLE families ADD COLUMN exchanged BIGINT;

-- What the recovery key of an account proves itself by: a salted hash, as of a password.
CREATE TABLE recoveries (
    account  BYTEA PRIMARY KEY CHECK (octet_length(account) = 16),
    salt     BYTEA NOT NULL CHECK (octet_length(salt) = 16),
    verifier BYTEA NOT NULL CHECK (octet_length(verifier) = 32),
    created  BIGINT NOT NULL
);

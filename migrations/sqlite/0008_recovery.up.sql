-- What the recovery key of an account proves itself by: a salted hash, as of a password.
CREATE TABLE recoveries (
    account  BLOB PRIMARY KEY CHECK (length(account) = 16),
    salt     BLOB NOT NULL CHECK (length(salt) = 16),
    verifier BLOB NOT NULL CHECK (length(verifier) = 32),
    created  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

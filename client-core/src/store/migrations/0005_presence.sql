-- Whether contacts may know when this account is connected. Off until somebody switches it on.
ALTER TABLE profile ADD COLUMN presence INTEGER NOT NULL DEFAULT 0 CHECK (presence IN (0, 1));

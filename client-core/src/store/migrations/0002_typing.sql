-- Whether typing is told to others, and theirs shown. On as for everybody before: who tells nothing
-- is shown nothing.
ALTER TABLE profile ADD COLUMN typing_notices INTEGER NOT NULL DEFAULT 1 CHECK (typing_notices IN (0, 1));

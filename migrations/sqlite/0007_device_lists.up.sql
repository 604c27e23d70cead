-- Since when a device is in its account's list no longer. Its row stays, because what it has sent may still wait.
ALTER TABLE devices ADD COLUMN removed INTEGER;

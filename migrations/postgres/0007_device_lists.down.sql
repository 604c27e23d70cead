DROP TABLE erasures;
ALTER TABLE devices DROP COLUMN removed;

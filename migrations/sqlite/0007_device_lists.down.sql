ALTER TABLE devices DROP COLUMN removed;

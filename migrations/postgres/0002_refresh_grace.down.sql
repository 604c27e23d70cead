ALTER TABLE families DROP COLUMN exchanged;
ALTER TABLE families DROP COLUMN previous;

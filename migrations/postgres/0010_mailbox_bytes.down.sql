ALTER TABLE mailboxes DROP COLUMN bytes;

-- The bytes of what waits in a mailbox, so that they have a limit as well. At least as many: what was acknowledged is only added
-- up when there is little room left.
ALTER TABLE mailboxes ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
UPDATE mailboxes SET bytes = (SELECT coalesce(sum(length(body)), 0) FROM messages WHERE mailbox = device);

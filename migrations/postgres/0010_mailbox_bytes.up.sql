-- The bytes of what waits in a mailbox, so that they have a limit as well. Exactly as many, unless nodes of an older version have
-- been at work; a mailbox that was empty once is right again.
ALTER TABLE mailboxes ADD COLUMN bytes BIGINT NOT NULL DEFAULT 0;
UPDATE mailboxes SET bytes = (SELECT coalesce(sum(octet_length(body)), 0) FROM messages WHERE mailbox = device);

-- Attachments (kind 4, their body is JSON) are printed like texts.
DROP INDEX messages_unprinted;
CREATE INDEX messages_unprinted ON messages (printed) WHERE direction = 0 AND kind IN (0, 1, 4) AND printed = 0;

-- What the members of a chat have agreed on, and who has left it. The version rises with each change, so that none is lost.
ALTER TABLE chats ADD COLUMN config_version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE chats ADD COLUMN suite INTEGER NOT NULL DEFAULT 1;
ALTER TABLE chats ADD COLUMN disappear_after INTEGER NOT NULL DEFAULT 0;
ALTER TABLE chats ADD COLUMN changed_by BLOB CHECK (length(changed_by) = 16);
ALTER TABLE chats ADD COLUMN changed INTEGER;
ALTER TABLE chat_members ADD COLUMN left_at INTEGER;

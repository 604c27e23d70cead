ALTER TABLE chat_members DROP COLUMN left_at;
ALTER TABLE chats DROP COLUMN changed;
ALTER TABLE chats DROP COLUMN changed_by;
ALTER TABLE chats DROP COLUMN disappear_after;
ALTER TABLE chats DROP COLUMN suite;
ALTER TABLE chats DROP COLUMN config_version;

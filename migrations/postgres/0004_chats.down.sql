DROP TRIGGER config_changed ON chats;
DROP FUNCTION tell_config_changed();
ALTER TABLE chat_members DROP COLUMN left_at;
ALTER TABLE chats
    DROP COLUMN changed,
    DROP COLUMN changed_by,
    DROP COLUMN disappear_after,
    DROP COLUMN suite,
    DROP COLUMN config_version;

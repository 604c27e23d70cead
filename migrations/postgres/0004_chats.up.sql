-- What the members of a chat have agreed on, and who has left it. The version rises with each change, so that none is lost.
ALTER TABLE chats
    ADD COLUMN config_version BIGINT NOT NULL DEFAULT 1,
    ADD COLUMN suite BIGINT NOT NULL DEFAULT 1,
    ADD COLUMN disappear_after BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN changed_by BYTEA CHECK (octet_length(changed_by) = 16),
    ADD COLUMN changed BIGINT;
ALTER TABLE chat_members ADD COLUMN left_at BIGINT;

CREATE FUNCTION tell_config_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('susurro_rosters', 'chat:' || encode(NEW.chat, 'hex'));
    RETURN NULL;
END $$;
CREATE TRIGGER config_changed AFTER UPDATE OF config_version ON chats
    FOR EACH ROW EXECUTE FUNCTION tell_config_changed();

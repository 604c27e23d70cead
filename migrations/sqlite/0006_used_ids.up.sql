-- Message ids are random: an index of all of them has another page to change for nearly each message. Rows of
-- `sent` lie in the order of arrival; the index is brought up to them many at once, in its own order.
CREATE TABLE used_ids (
    device  INTEGER NOT NULL,
    message BLOB NOT NULL,
    -- The row of `sent`.
    id      INTEGER NOT NULL,
    PRIMARY KEY (device, message)
) STRICT, WITHOUT ROWID;
-- Rows of `sent` up to this one are in the index.
CREATE TABLE used_ids_up_to (
    only  INTEGER PRIMARY KEY CHECK (only = 1),
    up_to INTEGER NOT NULL
) STRICT;
-- Whoever forgets an id forgets it in the index as well.
CREATE TRIGGER used_ids_forget AFTER DELETE ON sent BEGIN
    DELETE FROM used_ids WHERE device = old.device AND message = old.message AND id = old.id;
END;
INSERT INTO used_ids SELECT device, message, id FROM sent;
INSERT INTO used_ids_up_to SELECT 1, coalesce(max(id), 0) FROM sent;
DROP INDEX sent_by_device;

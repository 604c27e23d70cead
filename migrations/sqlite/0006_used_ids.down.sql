DROP TRIGGER used_ids_forget;
CREATE UNIQUE INDEX sent_by_device ON sent (device, message);
DROP TABLE used_ids_up_to;
DROP TABLE used_ids;

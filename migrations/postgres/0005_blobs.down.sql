DROP TRIGGER blobs_of_gone ON accounts;
DROP FUNCTION end_blobs();
DROP TABLE blobs;

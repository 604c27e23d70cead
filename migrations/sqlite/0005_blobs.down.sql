DROP TRIGGER blobs_of_gone;
DROP TABLE blobs;

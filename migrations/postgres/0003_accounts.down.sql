DROP TABLE revocations;
DROP TABLE invites;
DROP INDEX families_of_account;
ALTER TABLE accounts DROP COLUMN disabled;

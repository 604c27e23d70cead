-- A row in every table of the newest schema.
INSERT INTO accounts VALUES (decode(repeat('00', 16), 'hex'), 'alice', NULL, 'user', 1, 'argon2id-v1', decode(repeat('00', 16), 'hex'),
                             65536, 3, 1, decode(repeat('00', 16), 'hex'), decode(repeat('00', 32), 'hex'), 1, '\x00', 1);
INSERT INTO devices (device, account, certificate) VALUES (decode(repeat('00', 16), 'hex'), decode(repeat('00', 16), 'hex'), '\x00');
INSERT INTO mailboxes SELECT number, 5, 1, 1 FROM devices;
INSERT INTO messages SELECT number, 5, decode(repeat('00', 16), 'hex'), decode(repeat('00', 16), 'hex'), number, 1, 1, '\x00' FROM devices;
INSERT INTO sent SELECT number, decode(repeat('00', 16), 'hex'), decode(repeat('00', 32), 'hex'), 1 FROM devices;
INSERT INTO blobs VALUES (decode(repeat('00', 16), 'hex'), decode(repeat('00', 16), 'hex'), 5, 5, 1, 1);
INSERT INTO chats VALUES (decode(repeat('00', 16), 'hex'), 1, 2, 1, 3600, decode(repeat('00', 16), 'hex'), 1);
INSERT INTO chat_members VALUES (decode(repeat('00', 16), 'hex'), decode(repeat('00', 16), 'hex'), 1);
INSERT INTO prekeys SELECT number, 0, 1, decode(repeat('00', 32), 'hex'), NULL FROM devices;
INSERT INTO families VALUES (decode(repeat('00', 16), 'hex'), decode(repeat('00', 16), 'hex'), decode(repeat('00', 16), 'hex'), 1, NULL,
                             decode(repeat('00', 32), 'hex'), 1);
INSERT INTO invites VALUES (decode(repeat('00', 32), 'hex'), 2, 1, 'family', 1, NULL, NULL);
INSERT INTO erasures VALUES (decode(repeat('00', 16), 'hex'));
INSERT INTO recoveries VALUES (decode(repeat('00', 16), 'hex'), decode(repeat('00', 16), 'hex'), decode(repeat('00', 32), 'hex'), 1);
INSERT INTO revocations (family, until) VALUES (decode(repeat('00', 16), 'hex'), 1);
INSERT INTO refresh_tokens VALUES (decode(repeat('00', 32), 'hex'), decode(repeat('00', 16), 'hex'), FALSE, 1);
INSERT INTO belongs_to (fingerprint) VALUES ('\x00');
INSERT INTO announcements VALUES ('\x07070707070707070707070707070707', 1, 2, '\x0102');

-- A row in every table of the newest schema.
INSERT INTO accounts VALUES (zeroblob(16), 'alice', NULL, 'user', 1, 'argon2id-v1', zeroblob(16), 65536, 3, 1,
                             zeroblob(16), zeroblob(32), 1, x'00', 1);
INSERT INTO devices (device, account, certificate) VALUES (zeroblob(16), zeroblob(16), x'00');
INSERT INTO mailboxes VALUES (1, 5, 1, 1);
INSERT INTO messages VALUES (1, 1, 5, zeroblob(16), zeroblob(16), 1, 1, NULL, x'00');
INSERT INTO sent VALUES (1, 1, zeroblob(16), zeroblob(32), 1);
INSERT INTO blobs VALUES (zeroblob(16), zeroblob(16), 5, 5, 1, 1);
INSERT INTO used_ids VALUES (1, zeroblob(16), 1);
INSERT INTO chats VALUES (zeroblob(16), 1, 2, 1, 3600, zeroblob(16), 1);
INSERT INTO chat_members VALUES (zeroblob(16), zeroblob(16), 1);
INSERT INTO prekeys VALUES (1, 0, 1, zeroblob(32), NULL);
INSERT INTO families VALUES (zeroblob(16), zeroblob(16), zeroblob(16), 1, NULL, zeroblob(32), 1);
INSERT INTO invites VALUES (zeroblob(32), 2, 1, 'family', 1, NULL, NULL);
INSERT INTO recoveries VALUES (zeroblob(16), zeroblob(16), zeroblob(32), 1);
INSERT INTO revocations VALUES (1, zeroblob(16), 1);
INSERT INTO erasures VALUES (zeroblob(16));
INSERT INTO refresh_tokens VALUES (zeroblob(32), zeroblob(16), 0, 1);
INSERT INTO announcements VALUES (x'07070707070707070707070707070707', 1, 2, x'0102');

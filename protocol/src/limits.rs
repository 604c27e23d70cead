//! Limits of the protocol, each with the reason for its number (`docs/protocol.md`, section 3).

/// Bytes of one WebSocket message. Four times the largest ciphertext: room for a `Send` to a few
/// devices, small enough that a connection's buffers stay cheap.
pub const FRAME_MAX: usize = 256 * 1024;

/// Bytes of one ciphertext. A text of [`TEXT_MAX`] bytes with padding, an initial header and a
/// post-quantum ciphertext stays below; larger things travel as blobs.
pub const CIPHERTEXT_MAX: usize = 64 * 1024;

/// Bytes of UTF-8 in one text message: half a ciphertext, so that padding (at most 12 % at this
/// size) and headers can never push a legal text over [`CIPHERTEXT_MAX`].
pub const TEXT_MAX: usize = 32 * 1024;

/// Shortest account name: shorter ones are squatted at once.
pub const NAME_MIN: usize = 3;

/// Longest account name: fits a column of a narrow terminal twice.
pub const NAME_MAX: usize = 50;

/// Characters of a display name.
pub const DISPLAY_NAME_MAX: usize = 100;

/// Items of one page of any list.
pub const PAGE_MAX: u32 = 100;

/// Devices of one account: pairwise fan-out is simpler than a group up to about this many.
pub const DEVICES_MAX: usize = 16;

/// One-time prekeys of each kind that a relay keeps for a device: two refills.
pub const ONE_TIME_PREKEYS_MAX: usize = 200;

/// One-time prekeys of each kind that a client publishes.
pub const ONE_TIME_PREKEYS_TARGET: usize = 100;

/// Below this many the relay says `PrekeysLow` and the client refills: 30 first contacts while a
/// device is offline are rare, 70 spent ones are worth an upload.
pub const ONE_TIME_PREKEYS_LOW: usize = 30;

/// Seconds until a message that nobody fetched is dropped, and the most a sender may ask for.
pub const TIME_TO_LIVE_MAX: u32 = 30 * 24 * 3600;

/// Deliveries without acknowledgement on one connection; the rest waits in the mailbox, so that
/// a slow reader costs the relay no memory.
pub const DELIVERY_WINDOW: u32 = 256;

/// Bytes of ciphertext in that window.
pub const DELIVERY_WINDOW_BYTES: usize = 1024 * 1024;

/// Bytes of one ciphertext in a `Whisper`: three times what a typing notice takes. Nobody is to
/// carry messages past the store this way.
pub const WHISPER_MAX: usize = 1024;

/// Bytes of every padded signal in a whisper, so that its size says nothing: the smallest size of
/// any content.
pub const WHISPER_PADDED: usize = 256;

/// Seconds between two typing notices while somebody goes on typing.
pub const TYPING_EVERY_SECONDS: u64 = 4;

/// Seconds that a typing notice asks to be shown: one may get lost.
pub const TYPING_SECONDS: u8 = 10;

/// Seconds for which a typing notice is shown at most, whatever it asks for.
pub const TYPING_SECONDS_MAX: u8 = 15;

/// Whispers of one device that a relay forwards in a minute: somebody who types in several
/// conversations at once stays below a quarter of it.
pub const WHISPERS_A_MINUTE: u32 = 120;

/// Whispers that wait for one connection; older ones make way. What is older than that many is
/// no longer of interest to anybody.
pub const WHISPERS_WAITING: usize = 64;

/// Accounts in each list of a `Presence`: more contacts than somebody looks at, and few enough that
/// a connection which says so takes 8 KiB at the relay.
pub const PRESENCE_MAX: usize = 256;

/// Characters of an announcement: what fits a screen of text and is read.
pub const ANNOUNCEMENT_MAX: usize = 1000;

/// Seconds for which an announcement is told at most: as long as a message waits.
pub const ANNOUNCEMENT_SECONDS_MAX: u64 = 30 * 24 * 3600;

/// Announcements that are in force at a time, the newest: a device gets all of them with each connection.
pub const ANNOUNCEMENTS_MAX: usize = 8;

/// Seconds within which a client has to send `Hello`: half-open connections must not pile up.
pub const HANDSHAKE_SECONDS: u64 = 10;

/// Seconds of silence from a client after which the relay closes: two missed pings.
pub const IDLE_SECONDS: u64 = 90;

/// Seconds between a client's pings.
pub const PING_SECONDS: u64 = 30;

/// Bytes of one REST request body: a full prekey upload (100 post-quantum keys of 1.3 KiB, as
/// base64) is about 200 KiB.
pub const REST_BODY_MAX: usize = 1024 * 1024;

/// Messages waiting in one mailbox before senders are told that it is full.
pub const MAILBOX_MESSAGES_MAX: u64 = 100_000;

/// Argon2id memory in KiB below which a client refuses to stretch a password
/// (a hostile relay must not be able to ask for a cheap one).
pub const PASSWORD_MEMORY_KIB_MIN: u32 = 64 * 1024;

/// Argon2id memory in KiB above which a client refuses: a hostile relay must not exhaust it.
pub const PASSWORD_MEMORY_KIB_MAX: u32 = 1024 * 1024;

/// Argon2id passes below which a client refuses.
pub const PASSWORD_PASSES_MIN: u32 = 3;

/// Argon2id passes above which a client refuses.
pub const PASSWORD_PASSES_MAX: u32 = 16;

/// Argon2id lanes above which a client refuses.
pub const PASSWORD_LANES_MAX: u32 = 16;

/// Characters of a password that a client accepts at registration; the relay never sees it.
pub const PASSWORD_MIN: usize = 8;

/// Characters of an invite that a relay looks at.
pub const INVITE_MAX: usize = 100;

/// Registrations that one invite may be good for.
pub const INVITE_USES_MAX: u32 = 100_000;

/// Characters of the note beside an invite.
pub const INVITE_NOTE_MAX: usize = 200;

/// Seconds an access token lives.
pub const ACCESS_SECONDS: u64 = 3600;

/// Seconds a refresh token lives.
pub const REFRESH_SECONDS: u64 = 30 * 24 * 3600;

/// Seconds after its exchange in which a refresh token is taken again, while nothing that came of it was used.
pub const REFRESH_GRACE_SECONDS: u64 = 60;

/// Seconds a login nonce is accepted.
pub const LOGIN_NONCE_SECONDS: u64 = 300;

/// Bytes of one chunk of a blob: what a lost connection costs at most, and as much as a body may have.
pub const BLOB_CHUNK: usize = 1_048_576;

/// Bytes of the largest blob: an attachment of `ATTACHMENT_MAX`, padded, with its tags.
pub const BLOB_MAX: u64 = 104_883_216;

/// Bytes of the largest attachment: 100 MiB.
pub const ATTACHMENT_MAX: u64 = 104_857_600;

/// Seconds for which an upload may take; one that is not whole then is dropped.
pub const BLOB_UPLOAD_SECONDS: u32 = 86_400;

//! Relays with one rule switched off, and the check that has to catch each.

use crate::build::{Change, Twin};

/// A twin that differs in one place.
macro_rules! twin {
    ($name:literal, $caught_by:literal, $file:literal, $find:literal => $replace:literal) => {
        Twin { name: $name, caught_by: $caught_by, changes: &[Change { file: $file, find: $find, replace: $replace }] }
    };
}

pub(crate) const TWINS: &[Twin] = &[
    twin!("accepts-a-bad-tag",
        "SES-1/flipped-tag",
        "protocol/src/session.rs",
        ".map_err(|_| ErrorCode::BadTag)?;"
        => ".or_else(|_| if TWIN { Ok(()) } else { Err(ErrorCode::BadTag) })?;"
    ),
    twin!("does-not-check-seq", "SES-2/gap", "protocol/src/session.rs",
        "if frame.seq != self.next {" => "if !TWIN && frame.seq != self.next {"),
    twin!("accepts-any-version", "SES-3/version", "protocol/src/session.rs",
        "if frame.version != VERSION {" => "if !TWIN && frame.version != VERSION {"),
    twin!("token-hash-unchecked", "HS-2/token-hash", "protocol/src/handshake.rs",
        "if hello.token_hash.0 != token_hash(access_token) {" => "if !TWIN && hello.token_hash.0 != token_hash(access_token) {"),
    twin!("relay-key-unchecked", "HS-2/relay-key", "protocol/src/handshake.rs",
        "if hello.relay_key.0 != *relay_key {" => "if !TWIN && hello.relay_key.0 != *relay_key {"),
    twin!("signature-unchecked", "HS-2/stolen-token", "protocol/src/handshake.rs",
        "verify_tag(device_key, Label::Hello, &self.body, &self.tag)?;"
        => "if !TWIN { verify_tag(device_key, Label::Hello, &self.body, &self.tag)?; }"),
    twin!("zero-ephemeral-accepted", "HS-5/zero", "protocol/src/handshake.rs",
        "if !shared.was_contributory() {" => "if !TWIN && !shared.was_contributory() {"),
    twin!("replayed-hello-takes-over", "HS-7/replayed-hello", "server/src/adapters/inbound/ws/handshake.rs",
        "let (sealer, mut opener) = (opened.sealer, opened.opener);"
        => "let (sealer, mut opener) = (opened.sealer, opened.opener);
            if TWIN { let _ = relay.attach(claims, opened.turn).await; }"),
    twin!("late-first-frame-takes-over", "HS-13/late", "server/src/adapters/outbound/bus.rs",
        "if connections.get(&device).is_some_and(|newest| newest.turn > turn) {"
        => "if !TWIN && connections.get(&device).is_some_and(|newest| newest.turn > turn) {"),
    twin!("first-ack-anywhere", "CONN-6/above-head", "server/src/service/connect.rs",
        "(low..=high).contains(&first).then_some((first, first))"
        => "(TWIN || (low..=high).contains(&first)).then_some((first, first))"),
    twin!("takes-text-messages", "FRAME-2/text", "server/src/adapters/inbound/ws/wire.rs",
        "Some(Ok(Message::Text(_))) => Err(ErrorCode::MalformedFrame.into()),"
        => "Some(Ok(Message::Text(_))) if TWIN => Ok(None),
            Some(Ok(Message::Text(_))) => Err(ErrorCode::MalformedFrame.into()),"),
    twin!("ends-at-an-unknown-kind", "FRAME-3/unknown", "server/src/adapters/inbound/ws/connection.rs",
        "FrameKind::Unknown(about) => {"
        => "FrameKind::Unknown(about) if TWIN => Err(End::Because(ErrorCode::UnexpectedFrame, about)),
            FrameKind::Unknown(about) => {"),
    twin!("acks-beyond", "CONN-10/beyond", "server/src/adapters/inbound/ws/connection.rs",
        "if ack.cursor > self.delivered {" => "if !TWIN && ack.cursor > self.delivered {"),
    twin!("ignores-the-window", "DLV-3/count", "server/src/adapters/inbound/ws/connection.rs",
        "fits && (bytes > 0 || self.window_bytes < DELIVERY_WINDOW_BYTES) || self.window.is_empty()"
        => "TWIN || fits && (bytes > 0 || self.window_bytes < DELIVERY_WINDOW_BYTES) || self.window.is_empty()"),
    twin!("delivers-out-of-order", "DLV-1/waiting-order", "server/src/adapters/inbound/ws/connection.rs",
        "for message in read {"
        => "let mut read = read;
            if TWIN && read.len() > 2 { read.swap(0, 1); }
            for message in read {"),
    twin!("forgets-idempotence", "SEND-2/again", "server/src/adapters/outbound/sqlite/deposit.rs",
        "known.find(&mut statements.known, &done.added, &key)? {"
        => "known.find(&mut statements.known, &done.added, &key)?.filter(|_| !TWIN) {"),
    twin!("takes-a-reused-id", "SEND-2/other-contents", "server/src/adapters/outbound/sqlite/deposit.rs",
        "let same = content == message.content;" => "let same = TWIN || content == message.content;"),
    twin!("accepts-a-stale-list", "SEND-4/newer-list", "server/src/domain/message.rs",
        "if !matches!(named[..], [list] if list.version == member.list_version) {"
        => "if !TWIN && !matches!(named[..], [list] if list.version == member.list_version) {"),
    twin!("takes-messages-of-strangers", "SEND-3/not-a-member", "server/src/domain/message.rs",
        "if !roster.members.iter().any(|m| m.account == *sender) {"
        => "if !TWIN && !roster.members.iter().any(|m| m.account == *sender) {"),
    twin!("takes-oversize-ciphertexts", "SEND-5/too-large", "server/src/domain/message.rs",
        "if submission.deposits.iter().any(|d| d.ciphertext.len() > CIPHERTEXT_MAX) {"
        => "if !TWIN && submission.deposits.iter().any(|d| d.ciphertext.len() > CIPHERTEXT_MAX) {"),
    twin!("forwards-whispers-of-strangers", "WHISPER-2/not-a-member", "server/src/domain/message.rs",
        "if !roster.members.iter().any(|m| m.account == sender) {"
        => "if !TWIN && !roster.members.iter().any(|m| m.account == sender) {"),
    twin!("takes-oversize-whispers", "WHISPER-4/too-large", "server/src/domain/message.rs",
        "if whisper.deposits.iter().any(|d| d.ciphertext.len() > WHISPER_MAX) {"
        => "if !TWIN && whisper.deposits.iter().any(|d| d.ciphertext.len() > WHISPER_MAX) {"),
    twin!("whispers-without-end", "WHISPER-5/rate", "server/src/service/whisper.rs",
        "if allowance.retry_after.is_some() {" => "if !TWIN && allowance.retry_after.is_some() {"),
    twin!("shows-everybody", "PRE-3/not-shown", "server/src/domain/presence.rs",
        "self.shown_to.binary_search(to).is_ok()" => "TWIN || self.shown_to.binary_search(to).is_ok()"),
    twin!("keeps-who-has-gone", "PRE-2/left", "server/src/service/connect.rs",
        "self.presences.end(slot);" => "if !TWIN { self.presences.end(slot); }"),
    twin!("takes-long-presences", "PRE-4/shown-too-many", "server/src/domain/presence.rs",
        "if shown_to.len() > PRESENCE_MAX || watching.len() > PRESENCE_MAX {"
        => "if !TWIN && (shown_to.len() > PRESENCE_MAX || watching.len() > PRESENCE_MAX) {"),
    twin!("gives-a-prekey-twice", "CLAIM-1/order", "server/src/adapters/outbound/sqlite/prekeys.rs",
        "for (kind, id) in spent {" => "for (kind, id) in spent.into_iter().filter(|_| !TWIN) {"),
    twin!("accepts-a-lower-prekey", "PUB-3/lower", "server/src/domain/prekey.rs",
        "if same_kind().any(|k| k.id > item.id) {" => "if !TWIN && same_kind().any(|k| k.id > item.id) {"),
    twin!("shows-chats-of-others", "CHAT-1/of-others", "server/src/service/chats.rs",
        "let mine = record.filter(|record| record.is_of(&claims.account));"
        => "let mine = record.filter(|record| TWIN || record.is_of(&claims.account));"),
    twin!("says-that-a-name-is-unknown", "ERR-3/bytes", "server/src/service/login.rs",
        "let Some(credentials) = known.filter(|_| right) else {"
        => "if TWIN && known.is_none() { return Err(ErrorCode::NotFound.into()); }
            let Some(credentials) = known.filter(|_| right) else {"),
    twin!("is-quick-about-unknown-names", "ERR-3/time", "server/src/service/login.rs",
        "let salt = known.as_ref().map_or([0; 16], |c| c.verifier.salt);"
        => "if TWIN && known.is_none() { return Err(ErrorCode::InvalidCredentials.into()); }
            let salt = known.as_ref().map_or([0; 16], |c| c.verifier.salt);"),
    twin!("takes-any-proof", "AUTH-10/bad-proof", "server/src/service/login.rs",
        ".map_err(|_| ErrorCode::BadSignature)?;" => ".or_else(|_| if TWIN { Ok(()) } else { Err(ErrorCode::BadSignature) })?;"),
    twin!("keeps-sockets-after-logout", "CONN-8/logout", "server/src/service/refresh.rs",
        "self.ports.bus.revoke(claims.family);" => "if !TWIN { self.ports.bus.revoke(claims.family); }"),
    twin!("forgives-a-reused-refresh-token", "AUTH-6/reuse-closes", "server/src/service/refresh.rs",
        "self.ports.bus.revoke(family);" => "if !TWIN { self.ports.bus.revoke(family); }"),
    twin!("revocation-unchecked", "TOK-3/logout", "server/src/service/authenticate.rs",
        "if self.ports.sessions.is_revoked(claims.family).await? {"
        => "if !TWIN && self.ports.sessions.is_revoked(claims.family).await? {"),
    twin!("takes-any-first-list", "AUTH-8/two-devices", "server/src/domain/account.rs",
        "if list.body().version != 1 || list.certificates().len() != 1 {"
        => "if !TWIN && (list.body().version != 1 || list.certificates().len() != 1) {"),
    twin!("pages-without-end", "PAGE-2/limits", "server/src/service/profile.rs",
        "asked.unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX)"
        => "if TWIN { asked.unwrap_or(PAGE_MAX) } else { asked.unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX) }"),
];

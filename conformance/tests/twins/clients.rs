//! Clients with one rule switched off, and the check that has to catch each.

use crate::build::{Change, Twin};

/// A twin that differs in one place.
macro_rules! twin {
    ($name:literal, $caught_by:literal, $file:literal, $find:literal => $replace:literal) => {
        Twin { name: $name, caught_by: $caught_by, changes: &[Change { file: $file, find: $find, replace: $replace }] }
    };
}

pub(crate) const TWINS: &[Twin] = &[
    Twin {
        name: "relay-key-not-pinned",
        caught_by: "HS-3/other-relay-key",
        changes: &[
            Change {
                file: "protocol/src/handshake.rs",
                find: "if welcome.relay_key.0 != self.relay_key {",
                replace: "if !TWIN && welcome.relay_key.0 != self.relay_key {",
            },
            Change {
                file: "protocol/src/handshake.rs",
                find: "verify_tag(&self.relay_key, Label::Welcome, &transcript, &frame.tag)?;",
                replace: "verify_tag(if TWIN { &welcome.relay_key.0 } else { &self.relay_key }, Label::Welcome, &transcript, &frame.tag)?;",
            },
        ],
    },
    twin!("welcome-unverified", "HS-4/welcome-badly-signed", "protocol/src/handshake.rs",
        "let signature = tag.try_into().map_err(|_| ErrorCode::BadSignature)?;"
        => "if TWIN && label == Label::Welcome { return Ok(()); }
            let signature = tag.try_into().map_err(|_| ErrorCode::BadSignature)?;"),
    twin!("prekey-signature-unchecked", "KEY-5/forged-signature", "protocol/src/keys.rs",
        "signed.verify(&owner.signing_key.0, kind.label())?;"
        => "if !TWIN { signed.verify(&owner.signing_key.0, kind.label())?; }"),
    Twin {
        name: "devices-of-anybody",
        caught_by: "KEY-2/device-added-by-relay",
        changes: &[
            Change {
                file: "protocol/src/keys.rs",
                find: "signed.verify(&body.account_key.0, Label::DeviceCertificate)?;",
                replace: "if !TWIN { signed.verify(&body.account_key.0, Label::DeviceCertificate)?; }",
            },
            Change {
                file: "protocol/src/keys.rs",
                find: "signed.verify(&body.account_key.0, Label::DeviceList)?;",
                replace: "if !TWIN { signed.verify(&body.account_key.0, Label::DeviceList)?; }",
            },
        ],
    },
    twin!("takes-an-older-list", "KEY-3/rolled-back-list", "protocol/src/keys.rs",
        "if offered < known_version {" => "if !TWIN && offered < known_version {"),
    twin!("takes-a-forked-list", "KEY-3/forked-list", "protocol/src/keys.rs",
        "if same_but_different || broken_chain {" => "if !TWIN && (same_but_different || broken_chain) {"),
    twin!("acknowledges-before-it-keeps", "ACK-3/acknowledged-is-durable", "client-core/src/driver.rs",
        "        if let Err(error) = self.store.commit(&commit).await {"
        => "        if TWIN && commit.iter().any(|change| matches!(change, crate::store::port::Mutation::Seen(..))) {
            let frames: Vec<_> = effects.extract_if(.., |effect| matches!(effect, Effect::Transmit(_))).collect();
            for effect in frames {
                self.perform(effect);
            }
            // Long enough to be killed in between.
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        if let Err(error) = self.store.commit(&commit).await {"),
    twin!("does-not-pad", "PAD-1/every-length", "client-core/src/crypto/padding.rs",
        "out.resize(end, 0);" => "if !TWIN { out.resize(end, 0); }"),
    twin!("takes-any-padding", "PAD-1/bad-padding", "client-core/src/crypto/padding.rs",
        "if padded[marker] != 0x80 || padded_length(marker) != padded.len() {"
        => "if !TWIN && (padded[marker] != 0x80 || padded_length(marker) != padded.len()) {"),
    twin!("prints-what-a-terminal-obeys", "CON-7/control-characters", "client-tui/src/sanitize.rs",
        "'\\0'..='\\x1f' => char::from_u32(0x2400 + u32::from(c)).unwrap_or(REPLACEMENT),"
        => "_ if TWIN => c,
            '\\0'..='\\x1f' => char::from_u32(0x2400 + u32::from(c)).unwrap_or(REPLACEMENT),"),
    twin!("believes-the-outside", "CON-1/other-chat-inside", "client-core/src/sync/inbox.rs",
        "if content.message != envelope.message || content.chat != origin.chat {"
        => "if !TWIN && (content.message != envelope.message || content.chat != origin.chat) {"),
    twin!("accepts-a-verified-persons-new-key", "KEY-4/changed-key-verified", "client-core/src/sync/trust.rs",
        "            Trust::Unverified | Trust::Changed => {
                self.replace_key(contact, offered, Trust::Changed);"
        => "            _ if TWIN => self.replace_key(contact, offered, Trust::Changed),
            Trust::Unverified | Trust::Changed => {
                self.replace_key(contact, offered, Trust::Changed);"),
    twin!("logged-out-by-anybody", "HS-6/error-before-welcome", "client-core/src/sync/connect.rs",
        "            ErrorCode::Superseded => self.block(Trouble::Superseded),"
        => "            code if TWIN && is_about_token(code) => {
                self.forget_tokens();
                self.block(Trouble::LoggedOut);
            }
            ErrorCode::Superseded => self.block(Trouble::Superseded),"),
    twin!("asks-who-whispers", "SIGNAL-3/flood", "client-core/src/sync/whispers.rs",
        "let Some(name) = self.people.name_of(&whispered.sender).cloned() else { return };"
        => "if TWIN { self.want(super::jobs::Job::Chat(whispered.chat)); }
            let Some(name) = self.people.name_of(&whispered.sender).cloned() else { return };"),
    twin!("encrypts-again-for-each-try", "SEND-7/dropped-twice", "client-core/src/sync/outbox.rs",
        "if let Some(wire) = &entry.wire {" => "if let Some(wire) = entry.wire.as_ref().filter(|_| !TWIN) {"),
    twin!("stretches-as-little-as-asked", "PWD-2/weak-or-costly-stretching", "client-core/src/crypto/password.rs",
        "if params.memory_kib < PASSWORD_MEMORY_KIB_MIN || params.passes < PASSWORD_PASSES_MIN || params.lanes == 0 {"
        => "if !TWIN && (params.memory_kib < PASSWORD_MEMORY_KIB_MIN || params.passes < PASSWORD_PASSES_MIN || params.lanes == 0) {"),
    twin!("any-service-is-a-relay", "REST-6/something-else-answers", "client-core/src/transport/http.rs",
        "if info.service != \"susurro\" ||" => "if (!TWIN && info.service != \"susurro\") ||"),
    twin!("ignores-smaller-limits", "LIM-2/smaller-limits", "client-core/src/sync/outbox.rs",
        "if self.relay_takes(&wire) &&" => "if (TWIN || self.relay_takes(&wire)) &&"),
    twin!("closes-without-a-code", "FRAME-5/malformed-bodies", "client-core/src/sync/connect.rs",
        "self.close_socket(Some(code));" => "self.close_socket(if TWIN { None } else { Some(code) });"),
    twin!("opens-a-chat-of-others", "REST-9/chat-of-others", "client-core/src/sync/people.rs",
        "if chat.chat != expected || !chat.members.iter().any(|member| member.account == account) {"
        => "if !TWIN && (chat.chat != expected || !chat.members.iter().any(|member| member.account == account)) {"),
    twin!("announced-by-anybody", "ANN-3/forged", "protocol/src/announcement.rs",
        "self.announcement.verify(relay_key, Label::Announcement).map_err(|_| ErrorCode::BadSignature)?;"
        => "if !TWIN { self.announcement.verify(relay_key, Label::Announcement).map_err(|_| ErrorCode::BadSignature)?; }"),
    twin!("announced-again", "ANN-4/once", "client-core/src/store/commit.rs",
        "query(\"UPDATE announcements SET told = 1 WHERE id = ?\")"
        => "query(if TWIN { \"UPDATE announcements SET told = 0 WHERE id = ?\" } else { \"UPDATE announcements SET told = 1 WHERE id = ?\" })"),
];

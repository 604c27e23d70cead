//! One good input for each structure, as seeds of the fuzz corpora and as bytes to mutate.

use bytes::Bytes;
use serde::Serialize;
use susurro_protocol::announcement::{Announcement, Notice};
use susurro_protocol::bytes::{Bin, Fixed};
use susurro_protocol::codec::{Structure, decode, encode};
use susurro_protocol::command::{Ack, Deposit, ListVersion, Ping, Presence, Send, Whisper};
use susurro_protocol::content::{self, Attachment, Content, Receipt, Repair, Resent, Text};
use susurro_protocol::event::{
    Deliver, DevicesChanged, ErrorNotice, GoingAway, Pong, PrekeysLow, PresenceChanged, Rejected, Stored, Whispered,
};
use susurro_protocol::frame::{FrameKind, RawFrame};
use susurro_protocol::handshake::{Hello, Welcome, refuse};
use susurro_protocol::keys::{DeviceList, OneTimePrekey, PQ_PUBLIC_KEY_BYTES, Prekey, PrekeyBundle, PrekeyKind};
use susurro_protocol::rest::{self, SignedText};
use susurro_protocol::signal::{SIGNAL_TYPING, Signal, TYPING_STARTED, Typing};
use susurro_protocol::{AccountId, AnnouncementId, BlobId, ChatId, DeviceId, ErrorCode, MessageId};

use super::people::{self, Handshake};

/// A seed.
pub struct Sample {
    /// The target it belongs to.
    pub target: &'static str,
    /// Its file name.
    pub name: &'static str,
    /// The input.
    pub input: Vec<u8>,
}

/// The first frame that the client of the fixed handshake sends: `Ack` with its cursor.
pub fn first_frame(played: &mut Handshake) -> Bytes {
    played.client.sealer.seal(FrameKind::Ack, &Ack { cursor: 7 }).unwrap().into()
}

/// All seeds.
pub fn samples() -> Vec<Sample> {
    let mut all = frames();
    all.extend(commands());
    all.extend(events());
    all.extend(signed());
    all.extend(contents());
    all.extend(rest());
    all.extend([
        sample("identifier", "hexadecimal", message(1).to_string().into_bytes()),
        sample("identifier", "bytes", vec![7; 16]),
        sample("identifier", "name", b"alice_b-9".to_vec()),
        sample("identifier", "base64url", b"AAEC_-8".to_vec()),
    ]);
    all
}

/// A value of each msgpack structure as JSON, which shows the names of its fields in their order.
pub fn as_json() -> Vec<(&'static str, Vec<u8>)> {
    structures().into_iter().map(|(name, json, _)| (name, json)).collect()
}

/// A value of each msgpack structure: its name, as JSON, and as the wire has it.
pub fn structures() -> Vec<(&'static str, Vec<u8>, Vec<u8>)> {
    fn one<T: Serialize + Structure>(value: &T) -> (&'static str, Vec<u8>, Vec<u8>) {
        (T::NAME, serde_json::to_vec(value).unwrap(), encode(value))
    }
    let played = people::handshake();
    let body = |message: &Bytes| RawFrame::decode(message).unwrap().body;
    vec![
        one(&people::certificate().signed().clone()),
        one(people::certificate().body()),
        one(device_list().body()),
        one(prekey(PrekeyKind::Signed).body()),
        one(&one_time()),
        one(&bundle()),
        one(&decode::<Hello>(&body(&played.hello)).unwrap()),
        one(&decode::<Welcome>(&body(&played.welcome)).unwrap()),
        one(&send()),
        one(&list(2)),
        one(&deposit(4, 20)),
        one(&Ack { cursor: 1 }),
        one(&Ping { nonce: 1 }),
        one(&whisper()),
        one(&presence()),
        one(&stored()),
        one(&rejected()),
        one(&deliver()),
        one(&whispered()),
        one(&presence_changed()),
        one(&Pong { nonce: 1 }),
        one(&announced()),
        one(&announcement()),
        one(&DevicesChanged { account: account(2), version: 2 }),
        one(&PrekeysLow { one_time: 3, pq_one_time: 0 }),
        one(&GoingAway { retry_after: 1500 }),
        one(&notice()),
        one(&text_content()),
        one(&Text { text: "x".into() }),
        one(&Receipt { state: content::RECEIPT_READ, messages: vec![message(1)], at: 1_790_000_000_000 }),
        one(&Repair { messages: vec![message(1)] }),
        one(&Resent { content: encode(&text_content()).into() }),
        one(&attachment()),
        one(&signal()),
        one(&typing()),
    ]
}

/// The device list of the fixed client.
pub fn device_list() -> DeviceList {
    DeviceList::issue(&people::account_key(), None, 1_790_000_000, vec![people::certificate()])
}

/// A prekey of the fixed client.
pub fn prekey(kind: PrekeyKind) -> Prekey {
    let size = if kind == PrekeyKind::Signed { 32 } else { PQ_PUBLIC_KEY_BYTES };
    let owner = (people::account(), people::device());
    Prekey::issue(&people::device_key(), owner, kind, 12, 1_790_000_000, &vec![9; size])
}

/// A prekey bundle of the fixed client.
pub fn bundle() -> PrekeyBundle {
    PrekeyBundle {
        device: people::device(),
        signed_prekey: prekey(PrekeyKind::Signed).signed().clone(),
        pq_prekey: prekey(PrekeyKind::PqOneTime).signed().clone(),
        pq_kind: PrekeyKind::PqOneTime.number(),
        one_time_prekey: Some(one_time()),
    }
}

/// A `Send` with two ciphertexts.
pub fn send() -> Send {
    Send {
        message: message(1),
        chat: chat(),
        lists: vec![list(2), list(3)],
        deposits: vec![deposit(4, 20), deposit(5, 300)],
        time_to_live: 3600,
    }
}

/// A text in its content.
pub fn text_content() -> Content {
    let body = encode(&Text { text: "café ☕".into() });
    with_body(content::TYPE_TEXT, body)
}

fn frames() -> Vec<Sample> {
    let mut played = people::handshake();
    let first = first_frame(&mut played);
    let mut later = RawFrame::decode(&first).unwrap().encode();
    later[0] = 0x96;
    later.push(0xc0);
    let reply = played.relay.sealer.seal(FrameKind::Stored, &stored()).unwrap();
    let unknown = played.relay.sealer.seal(FrameKind::Unknown(999), &Ping { nonce: 1 }).unwrap();
    vec![
        sample("frame", "ack", first.to_vec()),
        sample("frame", "later-element", later),
        sample("frame", "unknown-kind", unknown),
        sample("frame", "refusal", refuse(&notice())),
        sample("hello", "hello", played.hello.to_vec()),
        sample("hello", "body", RawFrame::decode(&played.hello).unwrap().body.to_vec()),
        sample("welcome", "welcome", played.welcome.to_vec()),
        sample("welcome", "body", RawFrame::decode(&played.welcome).unwrap().body.to_vec()),
        sample("welcome", "refusal", refuse(&notice())),
        sample("session", "first", first.to_vec()),
        sample("session", "reflected", reply),
    ]
}

fn commands() -> Vec<Sample> {
    vec![
        selected("command", 0, "send", &send()),
        selected("command", 1, "ack", &Ack { cursor: 70_000 }),
        selected("command", 2, "ping", &Ping { nonce: u64::MAX }),
        selected("command", 3, "list-version", &list(2)),
        selected("command", 4, "deposit", &deposit(4, 20)),
        selected("command", 5, "whisper", &whisper()),
        selected("command", 6, "presence", &presence()),
    ]
}

fn events() -> Vec<Sample> {
    vec![
        selected("event", 0, "stored", &stored()),
        selected("event", 1, "rejected", &rejected()),
        selected("event", 2, "deliver", &deliver()),
        selected("event", 3, "pong", &Pong { nonce: 1 }),
        selected("event", 4, "devices-changed", &DevicesChanged { account: account(2), version: 2 }),
        selected("event", 5, "prekeys-low", &PrekeysLow { one_time: 3, pq_one_time: 0 }),
        selected("event", 6, "going-away", &GoingAway { retry_after: 1500 }),
        selected("event", 7, "error", &notice()),
        selected("event", 8, "whispered", &whispered()),
        selected("event", 9, "announcement", &announcement()),
        selected("event", 10, "notice", &announced().announcement),
        selected("event", 11, "presence-changed", &presence_changed()),
    ]
}

fn signed() -> Vec<Sample> {
    let certificate = people::certificate();
    let list = device_list();
    let (signed_prekey, pq) = (prekey(PrekeyKind::Signed), prekey(PrekeyKind::PqOneTime));
    vec![
        selected("signed", 0, "signed-bytes", certificate.signed()),
        selected("signed", 1, "certificate-body", certificate.body()),
        selected("signed", 2, "list-body", list.body()),
        selected("signed", 3, "prekey-body", signed_prekey.body()),
        selected("signed", 4, "one-time-prekey", &one_time()),
        selected("signed", 5, "bundle", &bundle()),
        selected("signed", 6, "certificate", certificate.signed()),
        selected("signed", 7, "list", list.signed()),
        selected("signed", 8, "signed-prekey", signed_prekey.signed()),
        selected("signed", 9, "pq-prekey", pq.signed()),
    ]
}

fn attachment() -> Attachment {
    Attachment {
        name: "x".into(),
        media_type: "text/plain".into(),
        size: 1,
        blob: BlobId::from_bytes([3; 16]),
        key: Fixed([4; 32]),
        hash: Fixed([5; 32]),
    }
}

fn contents() -> Vec<Sample> {
    let receipt = Receipt { state: content::RECEIPT_STORED, messages: vec![message(1), message(2)], at: 1 };
    let repair = Repair { messages: vec![message(1)] };
    let resent = Resent { content: encode(&text_content()).into() };
    vec![
        sample("content", "text", encode(&text_content())),
        sample("content", "receipt", encode(&with_body(content::TYPE_RECEIPT, encode(&receipt)))),
        sample("content", "repair", encode(&with_body(content::TYPE_REPAIR, encode(&repair)))),
        sample("content", "resent", encode(&with_body(content::TYPE_RESENT, encode(&resent)))),
        sample("content", "attachment", encode(&with_body(content::TYPE_ATTACHMENT, encode(&attachment())))),
        sample("content", "attachment-body", encode(&attachment())),
        sample("content", "later-type", encode(&with_body(77, vec![0xc0]))),
        sample("content", "text-body", text_content().body.as_slice().to_vec()),
        sample("content", "receipt-body", encode(&receipt)),
        sample("content", "signal", encode(&signal())),
        sample("content", "signal-later-type", encode(&Signal { kind: 77, ..signal() })),
        sample("content", "typing", encode(&typing())),
    ]
}

fn rest() -> Vec<Sample> {
    let problem = rest::Problem {
        kind: "urn:susurro:error:stale-device-list".into(),
        title: ErrorCode::StaleDeviceList.text().into(),
        status: 409,
        code: ErrorCode::StaleDeviceList,
        detail: None,
        stale: vec![account(2)],
        missing: vec![device(4)],
        extra: vec![],
    };
    let info = rest::RelayInfo {
        service: "susurro".into(),
        software: "0.1.0".into(),
        min_version: 1,
        max_version: 1,
        relay_key: Fixed(people::relay_key().verifying_key().to_bytes()),
        registration: "open".into(),
        time: 1_790_000_000_000,
        ciphertext_max: 65_536,
    };
    let list = SignedText::of(device_list().signed());
    let tokens = rest::TokenResponse {
        account: account(2),
        device: device(4),
        access_token: "a.b.c".into(),
        access_expires_in: 3600,
        refresh_token: "r".into(),
        refresh_expires_in: 1,
    };
    let register = rest::RegisterRequest {
        username: "alice".into(),
        stretch: stretch(),
        auth: Fixed([1; 32]),
        device_list: list.clone(),
        invite: None,
    };
    let login = rest::LoginRequest {
        username: "alice".into(),
        auth: Fixed([1; 32]),
        device: device(4),
        nonce: nonce(),
        proof: Fixed([2; 64]),
    };
    let entry = rest::UserEntry { account: account(2), name: name(), display_name: Some("Alice".into()) };
    let devices = rest::UserDevices { account: account(2), name: name(), device_list: list.clone() };
    let publish = rest::PublishKeys {
        signed_prekey: SignedText::of(prekey(PrekeyKind::Signed).signed()),
        pq_last_resort: SignedText::of(prekey(PrekeyKind::PqLastResort).signed()),
        one_time: vec![one_time()],
        pq_one_time: vec![],
    };
    let bundle_text = rest::BundleText {
        device: device(4),
        signed_prekey: SignedText::of(prekey(PrekeyKind::Signed).signed()),
        pq_prekey: SignedText::of(prekey(PrekeyKind::PqOneTime).signed()),
        pq_kind: 2,
        one_time_prekey: Some(one_time()),
    };
    let config = rest::ChatConfig { changed_by: Some(account(2)), changed: Some(2), ..rest::ChatConfig::INITIAL };
    let member = rest::ChatMember { account: account(2), name: name() };
    let chat_json = rest::Chat { chat: chat(), kind: "direct".into(), members: vec![member], created: 1, config };
    let post = rest::PostMessage {
        message: message(1),
        lists: vec![self::list(2)],
        deposits: vec![deposit(4, 20)],
        time_to_live: 0,
    };
    vec![
        json(0, "problem", &problem),
        json(1, "relay-info", &info),
        json(2, "auth-params", &rest::AuthParams { stretch: stretch(), nonce: nonce() }),
        json(3, "register", &register),
        json(4, "login", &login),
        json(5, "tokens", &tokens),
        json(6, "refresh", &rest::RefreshRequest { refresh_token: "r".into() }),
        json(7, "update-me", &rest::UpdateMe { display_name: None }),
        json(8, "users", &rest::Page { items: vec![entry], next: Some("alice".into()) }),
        json(9, "devices", &devices),
        json(10, "publish-keys", &publish),
        json(11, "claim", &rest::ClaimRequest { account: account(2), devices: vec![device(4)] }),
        json(12, "claimed", &rest::ClaimResponse { device_list: list, bundles: vec![bundle_text] }),
        json(13, "chat", &chat_json),
        json(14, "waiting", &rest::Page { items: vec![rest::WaitingMessage { delivery: deliver() }], next: None }),
        json(15, "post-message", &post),
        json(17, "chat-config", &config),
        json(18, "configure-chat", &rest::ConfigureChat { version: 1, suite: Some(1), disappear_after: Some(60) }),
        json(19, "new-blob", &rest::NewBlob { blob: BlobId::from_bytes([7; 16]), size: 300, expires_after: 0 }),
        json(
            20,
            "blob-state",
            &rest::BlobState { blob: BlobId::from_bytes([7; 16]), size: 300, offset: 30, expires: 9 },
        ),
        json(16, "acknowledge-messages", &rest::AcknowledgeMessages { up_to: 300, proof: Fixed([2; 64]) }),
    ]
}

fn sample(target: &'static str, name: &'static str, input: Vec<u8>) -> Sample {
    Sample { target, name, input }
}

/// Targets with several structures take the number of the structure in front.
fn selected<T: Serialize + Structure>(target: &'static str, selector: u8, name: &'static str, value: &T) -> Sample {
    sample(target, name, [vec![selector], encode(value)].concat())
}

fn json<T: Serialize>(selector: u8, name: &'static str, value: &T) -> Sample {
    sample("rest", name, [vec![selector], serde_json::to_vec(value).unwrap()].concat())
}

fn with_body(kind: u16, body: Vec<u8>) -> Content {
    Content {
        message: message(1),
        chat: chat(),
        counter: 3,
        parents: vec![message(8)],
        sent_at: 1_790_000_000_000,
        sender_list: Fixed([5; 32]),
        recipient_list: Fixed([6; 32]),
        kind,
        body: body.into(),
    }
}

fn stored() -> Stored {
    Stored { message: message(1), stored_at: 1_790_000_000_000 }
}

fn rejected() -> Rejected {
    Rejected {
        message: message(1),
        code: ErrorCode::StaleDeviceList,
        stale: vec![account(2)],
        missing: vec![device(4)],
        extra: vec![],
        retry_after: 0,
    }
}

fn deliver() -> Deliver {
    Deliver {
        seq: 300,
        message: message(1),
        chat: chat(),
        sender: account(2),
        sender_device: device(4),
        stored_at: 1_790_000_000_000,
        ciphertext: vec![0xee; 40].into(),
    }
}

fn signal() -> Signal {
    Signal { counter: 1_790_000_000_000, kind: SIGNAL_TYPING, body: encode(&typing()).into() }
}

fn typing() -> Typing {
    Typing { state: TYPING_STARTED, seconds: 10 }
}

fn whisper() -> Whisper {
    Whisper { chat: chat(), deposits: vec![deposit(4, 20)] }
}

fn presence() -> Presence {
    Presence { shown_to: vec![account(3)], watching: vec![account(3), account(4)] }
}

fn presence_changed() -> PresenceChanged {
    PresenceChanged { joined: vec![account(3)], left: vec![account(4)] }
}

fn announced() -> Notice {
    Notice::sign(&people::relay_key(), &announcement())
}

fn announcement() -> Announcement {
    let id = AnnouncementId::from_bytes([9; 16]);
    let (issued, expires) = (1_790_000_000_000, 1_790_604_800_000);
    Announcement { id, issued, expires, text: "Maintenance on Sunday at nine.".into() }
}

fn whispered() -> Whispered {
    Whispered { chat: chat(), sender: account(2), sender_device: device(4), ciphertext: vec![0xee; 40].into() }
}

fn notice() -> ErrorNotice {
    ErrorNotice::of(ErrorCode::UnsupportedVersion)
}

fn stretch() -> rest::StretchParams {
    let scheme = rest::AUTH_SCHEME.into();
    rest::StretchParams { scheme, salt: Fixed([3; 16]), memory_kib: 65_536, passes: 3, lanes: 1 }
}

fn nonce() -> Bin {
    vec![4; 24].into()
}

fn name() -> susurro_protocol::AccountName {
    "alice".parse().unwrap()
}

fn one_time() -> OneTimePrekey {
    OneTimePrekey { id: 5, key: Fixed([8; 32]) }
}

fn list(account_byte: u8) -> ListVersion {
    ListVersion { account: account(account_byte), version: 1 }
}

fn deposit(device_byte: u8, size: usize) -> Deposit {
    Deposit { device: device(device_byte), ciphertext: vec![0xcc; size].into() }
}

fn message(byte: u8) -> MessageId {
    MessageId::from_bytes([byte; 16])
}

fn account(byte: u8) -> AccountId {
    AccountId::from_bytes([byte; 16])
}

fn device(byte: u8) -> DeviceId {
    DeviceId::from_bytes([byte; 16])
}

fn chat() -> ChatId {
    ChatId::direct(&account(2), &account(3))
}

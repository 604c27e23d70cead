//! Every decoder of the protocol, fed with bytes of a stranger. Fuzz targets and tests call the
//! same functions: whatever comes in, they return, and check on the way that errors are the
//! documented ones and that what was read is written and read again alike.

use std::fmt::Debug;
use std::sync::OnceLock;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use susurro_protocol::codec::{Structure, decode, encode};
use susurro_protocol::frame::RawFrame;
use susurro_protocol::handshake::{Hello, ReceivedHello, Welcome, refusal};
use susurro_protocol::keys::{self, DeviceCertificate, DeviceList, Prekey, PrekeyKind};
use susurro_protocol::signed::SignedBytes;
use susurro_protocol::{AccountName, ErrorCode, MessageId, announcement, command, content, event, rest, signal};

use super::people;

/// Name of the target, and what it does with its input.
pub type Decoder = (&'static str, fn(&[u8]));

/// All targets. `fuzz/fuzz_targets` has one file for each.
pub const DECODERS: &[Decoder] = &[
    ("frame", frame),
    ("hello", hello),
    ("welcome", welcome),
    ("session", session),
    ("command", command),
    ("event", event),
    ("signed", signed),
    ("content", content),
    ("rest", rest),
    ("identifier", identifier),
];

/// The target with this name.
pub fn decoder(name: &str) -> Option<fn(&[u8])> {
    DECODERS.iter().find(|(own, _)| *own == name).map(|(_, run)| *run)
}

fn frame(input: &[u8]) {
    match RawFrame::decode(&Bytes::copy_from_slice(input)) {
        Ok(frame) => assert_eq!(RawFrame::decode(&frame.encode().into()), Ok(frame)),
        Err(code) => assert!(matches!(code, ErrorCode::MalformedFrame | ErrorCode::FrameTooLarge), "{code}"),
    }
}

fn hello(input: &[u8]) {
    structure::<Hello>(input);
    let Ok(frame) = RawFrame::decode(&Bytes::copy_from_slice(input)) else { return };
    let relay = people::relay_key();
    let outcome =
        ReceivedHello::read(frame.clone(), &relay.verifying_key().to_bytes(), people::TOKEN).and_then(|hello| {
            hello.verify(&people::device_key().verifying_key().to_bytes(), &relay, [0x66; 32].into(), 1, 2)
        });
    match outcome {
        // Nobody but the device can make one: it is the sample, whatever hangs behind it.
        Ok(_) => assert_eq!(frame.body, genuine().0.body),
        Err(code) => assert!(
            matches!(
                code,
                ErrorCode::UnexpectedFrame
                    | ErrorCode::MalformedBody
                    | ErrorCode::UnsupportedVersion
                    | ErrorCode::RelayKeyMismatch
                    | ErrorCode::Unauthenticated
                    | ErrorCode::BadSignature
            ),
            "{code}"
        ),
    }
}

fn welcome(input: &[u8]) {
    structure::<Welcome>(input);
    let Ok(frame) = RawFrame::decode(&Bytes::copy_from_slice(input)) else { return };
    let _ = refusal(&frame);
    match people::client_start().0.finish(&frame) {
        Ok(_) => assert_eq!(frame.body, genuine().1.body),
        Err(code) => assert!(
            matches!(
                code,
                ErrorCode::UnexpectedFrame
                    | ErrorCode::MalformedBody
                    | ErrorCode::RelayKeyMismatch
                    | ErrorCode::BadSignature
                    | ErrorCode::UnsupportedVersion
            ),
            "{code}"
        ),
    }
}

fn session(input: &[u8]) {
    match people::handshake().relay.opener.open_message(&Bytes::copy_from_slice(input)) {
        Ok(frame) => assert_eq!(frame.body(), &genuine().2.body),
        Err(code) => assert!(
            matches!(
                code,
                ErrorCode::MalformedFrame
                    | ErrorCode::FrameTooLarge
                    | ErrorCode::UnsupportedVersion
                    | ErrorCode::BadTag
                    | ErrorCode::BadSequence
            ),
            "{code}"
        ),
    }
}

/// The genuine `Hello`, `Welcome` and first frame of the client in the fixed handshake.
fn genuine() -> &'static (RawFrame, RawFrame, RawFrame) {
    static GENUINE: OnceLock<(RawFrame, RawFrame, RawFrame)> = OnceLock::new();
    GENUINE.get_or_init(|| {
        let mut played = people::handshake();
        let first = super::samples::first_frame(&mut played);
        let read = |message: &Bytes| RawFrame::decode(message).unwrap();
        (read(&played.hello), read(&played.welcome), read(&first))
    })
}

fn command(input: &[u8]) {
    let Some((selector, bytes)) = input.split_first() else { return };
    match selector % 7 {
        0 => structure::<command::Send>(bytes),
        1 => structure::<command::Ack>(bytes),
        2 => structure::<command::Ping>(bytes),
        3 => structure::<command::ListVersion>(bytes),
        4 => structure::<command::Deposit>(bytes),
        5 => structure::<command::Whisper>(bytes),
        _ => structure::<command::Presence>(bytes),
    }
}

fn event(input: &[u8]) {
    let Some((selector, bytes)) = input.split_first() else { return };
    match selector % 12 {
        0 => structure::<event::Stored>(bytes),
        1 => structure::<event::Rejected>(bytes),
        2 => structure::<event::Deliver>(bytes),
        3 => structure::<event::Pong>(bytes),
        4 => structure::<event::DevicesChanged>(bytes),
        5 => structure::<event::PrekeysLow>(bytes),
        6 => structure::<event::GoingAway>(bytes),
        7 => structure::<event::ErrorNotice>(bytes),
        8 => structure::<event::Whispered>(bytes),
        9 => structure::<announcement::Announcement>(bytes),
        10 => object(bytes, |announcement| {
            announcement::Notice { announcement }.verify(&people::relay_key().verifying_key().to_bytes()).is_ok()
        }),
        _ => structure::<event::PresenceChanged>(bytes),
    }
}

fn signed(input: &[u8]) {
    let Some((selector, bytes)) = input.split_first() else { return };
    match selector % 10 {
        0 => structure::<SignedBytes>(bytes),
        1 => structure::<keys::CertificateBody>(bytes),
        2 => structure::<keys::DeviceListBody>(bytes),
        3 => structure::<keys::PrekeyBody>(bytes),
        4 => structure::<keys::OneTimePrekey>(bytes),
        5 => structure::<keys::PrekeyBundle>(bytes),
        6 => object(bytes, |signed| DeviceCertificate::verify(signed).is_ok()),
        7 => object(bytes, |signed| DeviceList::verify(signed).is_ok()),
        kind => object(bytes, |signed| {
            let kind = if kind == 8 { PrekeyKind::Signed } else { PrekeyKind::PqOneTime };
            Prekey::verify(signed, people::certificate().body(), kind).is_ok()
        }),
    }
}

/// Verification answers alike for the same bytes, and never believes a changed signature.
fn object(bytes: &[u8], believes: impl Fn(SignedBytes) -> bool) {
    let Ok(signed) = decode::<SignedBytes>(bytes) else { return };
    if believes(signed.clone()) {
        let mut forged = signed;
        forged.signature.0[0] ^= 1;
        assert!(!believes(forged));
    }
}

fn content(input: &[u8]) {
    structure::<content::Content>(input);
    structure::<content::Text>(input);
    structure::<content::Receipt>(input);
    structure::<content::Repair>(input);
    structure::<content::Resent>(input);
    structure::<content::Attachment>(input);
    structure::<signal::Signal>(input);
    structure::<signal::Typing>(input);
    if let Ok(content) = decode::<content::Content>(input) {
        let known = (content::TYPE_TEXT..=content::TYPE_ATTACHMENT).contains(&content.kind);
        match content.body() {
            Ok(body) => assert_eq!(matches!(body, content::Body::Unknown(_)), !known),
            Err(_) => assert!(known),
        }
    }
    if let Ok(signal) = decode::<signal::Signal>(input) {
        let known = signal.kind == signal::SIGNAL_TYPING;
        match signal.body() {
            Ok(body) => assert_eq!(matches!(body, signal::SignalBody::Unknown(_)), !known),
            Err(_) => assert!(known),
        }
    }
}

fn rest(input: &[u8]) {
    let Some((selector, bytes)) = input.split_first() else { return };
    match selector % 16 {
        0 => json::<rest::Problem>(bytes),
        1 => json::<rest::RelayInfo>(bytes),
        2 => json::<rest::AuthParams>(bytes),
        3 => json::<rest::RegisterRequest>(bytes),
        4 => json::<rest::LoginRequest>(bytes),
        5 => json::<rest::TokenResponse>(bytes),
        6 => json::<rest::RefreshRequest>(bytes),
        7 => json::<rest::UpdateMe>(bytes),
        8 => json::<rest::Page<rest::UserEntry>>(bytes),
        9 => json::<rest::UserDevices>(bytes),
        10 => json::<rest::PublishKeys>(bytes),
        11 => json::<rest::ClaimRequest>(bytes),
        12 => {
            json::<rest::ClaimResponse>(bytes);
            if let Ok(claimed) = serde_json::from_slice::<rest::ClaimResponse>(bytes) {
                let _ = claimed.device_list.read();
                claimed.bundles.iter().for_each(|bundle| drop(bundle.read()));
            }
        }
        13 => json::<rest::Chat>(bytes),
        14 => json::<rest::Page<rest::WaitingMessage>>(bytes),
        16 => json::<rest::AcknowledgeMessages>(bytes),
        17 => json::<rest::ChatConfig>(bytes),
        18 => json::<rest::ConfigureChat>(bytes),
        19 => json::<rest::NewBlob>(bytes),
        20 => json::<rest::BlobState>(bytes),
        _ => json::<rest::PostMessage>(bytes),
    }
}

fn identifier(input: &[u8]) {
    if let Ok(id) = MessageId::try_from(input) {
        assert_eq!(id.to_string().parse(), Ok(id));
    }
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Ok(id) = text.parse::<MessageId>() {
        assert_eq!(id.to_string(), text);
    }
    if let Ok(name) = text.parse::<AccountName>() {
        assert_eq!(name.as_str(), text);
        assert!((3..=50).contains(&text.len()));
    }
    if let Some(bytes) = susurro_protocol::bytes::from_base64(text) {
        assert_eq!(susurro_protocol::bytes::to_base64(&bytes), text);
    }
}

/// Reads one structure; writes and reads it again when it was one.
pub fn structure<T: Serialize + DeserializeOwned + Structure + PartialEq + Debug>(bytes: &[u8]) {
    match decode::<T>(bytes) {
        Ok(value) => assert_eq!(decode::<T>(&encode(&value)), Ok(value)),
        Err(malformed) => assert_eq!(malformed.structure, T::NAME),
    }
}

fn json<T: Serialize + DeserializeOwned>(bytes: &[u8]) {
    // Compared as text: what carries secrets has no equality.
    if let Ok(value) = serde_json::from_slice::<T>(bytes) {
        let once = serde_json::to_string(&value).unwrap();
        let again = serde_json::to_string(&serde_json::from_str::<T>(&once).unwrap()).unwrap();
        assert_eq!(once, again);
    }
}

//! The handshake that opens a connection (`docs/protocol.md`, section 9).
//!
//! `Hello` is signed by the device, `Welcome` by the relay over both; the session keys come from
//! two X25519 ephemerals and the transcript. A stolen token without the device's signing key
//! opens nothing, and a proxy that ends TLS can neither read the keys nor forge a frame.
//!
//! A replayed `Hello` gets an answer but no session key, which is why a relay treats the
//! connection as the device's only after the first session frame.

use ::bytes::Bytes;
use ed25519_dalek::SigningKey;
use hkdf::Hkdf;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use crate::bytes::Fixed;
use crate::codec::{self, structures};
use crate::error::ErrorCode;
use crate::frame::{FrameKind, RawFrame};
use crate::ids::{AccountId, DeviceId, MailboxSeq};
use crate::limits::{CIPHERTEXT_MAX, DELIVERY_WINDOW, FRAME_MAX};
use crate::session::{FrameKey, FrameOpener, FrameSealer};
use crate::signed::{self, Label};
use crate::version::{self, MIN_VERSION, VERSION};

const TRANSCRIPT_LABEL: &[u8] = b"susurro/v1/handshake\0";
const KEYS_LABEL: &[u8] = b"susurro/v1/session-keys";

/// The client's first frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Lowest version that the client speaks.
    pub min_version: u8,
    /// Highest version that the client speaks.
    pub max_version: u8,
    /// The account.
    pub account: AccountId,
    /// The device, whose signing key signs this frame.
    pub device: DeviceId,
    /// The relay key that the client has pinned: a relay with another one refuses.
    pub relay_key: Fixed<32>,
    /// X25519 ephemeral of the client.
    pub ephemeral: Fixed<32>,
    /// SHA-256 of the access token that came with the upgrade request.
    pub token_hash: Fixed<32>,
    /// The last mailbox position that the client has made durable; 0 for none.
    pub cursor: MailboxSeq,
}

/// What every position of a mailbox grows by when a relay is restored from a backup (HS-14). The quotient
/// of a position by it counts restorations.
pub const RESTORATION: MailboxSeq = 1 << 32;

/// The relay's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The chosen version.
    pub version: u8,
    /// The relay's long-term key, which signs this frame.
    pub relay_key: Fixed<32>,
    /// X25519 ephemeral of the relay.
    pub ephemeral: Fixed<32>,
    /// The relay's clock in milliseconds since 1970.
    pub time: u64,
    /// The last position given out in this mailbox; below the client's cursor only when the
    /// relay was restored from a backup.
    pub mailbox_head: MailboxSeq,
    /// Largest frame in bytes.
    pub frame_max: u32,
    /// Largest ciphertext in bytes.
    pub ciphertext_max: u32,
    /// Deliveries without acknowledgement.
    pub window: u32,
}

structures!(Hello, Welcome);

impl Welcome {
    /// What this version of the relay offers, with the parts that a connection decides left to
    /// the caller.
    #[must_use]
    pub fn of_relay(version: u8, relay_key: [u8; 32], ephemeral: [u8; 32], time: u64, mailbox_head: u64) -> Self {
        Self {
            version,
            relay_key: Fixed(relay_key),
            ephemeral: Fixed(ephemeral),
            time,
            mailbox_head,
            frame_max: FRAME_MAX as u32,
            ciphertext_max: CIPHERTEXT_MAX as u32,
            window: DELIVERY_WINDOW,
        }
    }
}

/// The two directions of an open session.
pub struct SessionPair {
    /// What this side sends.
    pub sealer: FrameSealer,
    /// What it receives.
    pub opener: FrameOpener,
}

/// A client between `Hello` and `Welcome`.
pub struct ClientHandshake {
    ephemeral: StaticSecret,
    hello: Vec<u8>,
    relay_key: [u8; 32],
}

/// Who a client says it is, with the key that proves it.
pub struct ClientIdentity<'a> {
    /// The account.
    pub account: AccountId,
    /// The device.
    pub device: DeviceId,
    /// The device's signing key.
    pub signing_key: &'a SigningKey,
}

impl ClientHandshake {
    /// Makes `Hello`. `ephemeral` is 32 fresh random bytes.
    #[must_use]
    pub fn start(
        who: &ClientIdentity<'_>,
        relay_key: [u8; 32],
        access_token: &str,
        cursor: MailboxSeq,
        ephemeral: Zeroizing<[u8; 32]>,
    ) -> (Self, Vec<u8>) {
        let ephemeral = StaticSecret::from(*ephemeral);
        let hello = codec::encode(&Hello {
            min_version: MIN_VERSION,
            max_version: VERSION,
            account: who.account,
            device: who.device,
            relay_key: Fixed(relay_key),
            ephemeral: Fixed(PublicKey::from(&ephemeral).to_bytes()),
            token_hash: Fixed(token_hash(access_token)),
            cursor,
        });
        let tag = signed::sign(who.signing_key, Label::Hello, &hello);
        let frame = crate::frame::encode(VERSION, FrameKind::Hello, 0, &hello, &tag);
        (Self { ephemeral, hello, relay_key }, frame)
    }

    /// Verifies `Welcome` and derives the session.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::RelayKeyMismatch`] for another key than the pinned one,
    /// [`ErrorCode::BadSignature`], [`ErrorCode::UnsupportedVersion`], or how the frame is malformed.
    /// A relay that refuses sends an unauthenticated `Error` frame instead; the caller reads that
    /// with [`refusal`] before this.
    pub fn finish(self, frame: &RawFrame) -> Result<(Welcome, SessionPair), ErrorCode> {
        if frame.kind != FrameKind::Welcome || frame.seq != 0 {
            return Err(ErrorCode::UnexpectedFrame);
        }
        let welcome: Welcome = codec::decode(&frame.body).map_err(|_| ErrorCode::MalformedBody)?;
        if welcome.relay_key.0 != self.relay_key {
            return Err(ErrorCode::RelayKeyMismatch);
        }
        let transcript = transcript(&self.hello, &frame.body);
        verify_tag(&self.relay_key, Label::Welcome, &transcript, &frame.tag)?;
        if version::negotiate(welcome.version, welcome.version).is_none() {
            return Err(ErrorCode::UnsupportedVersion);
        }
        let [to_relay, to_client] = session_keys(&self.ephemeral, &welcome.ephemeral.0, &transcript)?;
        let pair = SessionPair { sealer: FrameSealer::new(to_relay), opener: FrameOpener::new(to_client) };
        Ok((welcome, pair))
    }
}

/// A `Hello` whose structure, version, relay key and token were checked, before its signature.
///
/// The relay looks the device up by these claims and then calls [`verify`](Self::verify).
pub struct ReceivedHello {
    hello: Hello,
    version: u8,
    body: Bytes,
    tag: Bytes,
}

impl ReceivedHello {
    /// Reads `Hello`.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::UnexpectedFrame`], [`ErrorCode::MalformedBody`],
    /// [`ErrorCode::UnsupportedVersion`], [`ErrorCode::RelayKeyMismatch`], or
    /// [`ErrorCode::Unauthenticated`] when it was made for another token.
    pub fn read(frame: RawFrame, relay_key: &[u8; 32], access_token: &str) -> Result<Self, ErrorCode> {
        if frame.kind != FrameKind::Hello || frame.seq != 0 {
            return Err(ErrorCode::UnexpectedFrame);
        }
        let hello: Hello = codec::decode(&frame.body).map_err(|_| ErrorCode::MalformedBody)?;
        let version = version::negotiate(hello.min_version, hello.max_version).ok_or(ErrorCode::UnsupportedVersion)?;
        if hello.relay_key.0 != *relay_key {
            return Err(ErrorCode::RelayKeyMismatch);
        }
        if hello.token_hash.0 != token_hash(access_token) {
            return Err(ErrorCode::Unauthenticated);
        }
        Ok(Self { hello, version, body: frame.body, tag: frame.tag })
    }

    /// What the client claims.
    #[must_use]
    pub fn claims(&self) -> &Hello {
        &self.hello
    }

    /// Checks the signature with the device's signing key and answers. `ephemeral` is 32 fresh
    /// random bytes, `time` milliseconds since 1970.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::BadSignature`] when the device key did not sign this, or when the ephemeral
    /// contributes nothing.
    pub fn verify(
        self,
        device_key: &[u8; 32],
        relay_key: &SigningKey,
        ephemeral: Zeroizing<[u8; 32]>,
        time: u64,
        mailbox_head: MailboxSeq,
    ) -> Result<(Vec<u8>, SessionPair), ErrorCode> {
        let own_key = relay_key.verifying_key().to_bytes();
        self.answer(device_key, relay_key, ephemeral, |version, ephemeral| {
            Welcome::of_relay(version, own_key, ephemeral, time, mailbox_head)
        })
    }

    /// As [`verify`](Self::verify), with a `Welcome` of the caller's own, who gets the chosen version
    /// and the public ephemeral: for a relay with limits of its own (LIM-2).
    ///
    /// # Errors
    ///
    /// As [`verify`](Self::verify).
    pub fn answer(
        self,
        device_key: &[u8; 32],
        relay_key: &SigningKey,
        ephemeral: Zeroizing<[u8; 32]>,
        welcome: impl FnOnce(u8, [u8; 32]) -> Welcome,
    ) -> Result<(Vec<u8>, SessionPair), ErrorCode> {
        verify_tag(device_key, Label::Hello, &self.body, &self.tag)?;
        let ephemeral = StaticSecret::from(*ephemeral);
        let welcome = codec::encode(&welcome(self.version, PublicKey::from(&ephemeral).to_bytes()));
        let transcript = transcript(&self.body, &welcome);
        let tag = signed::sign(relay_key, Label::Welcome, &transcript);
        let [to_relay, to_client] = session_keys(&ephemeral, &self.hello.ephemeral.0, &transcript)?;
        let frame = crate::frame::encode(VERSION, FrameKind::Welcome, 0, &welcome, &tag);
        Ok((frame, SessionPair { sealer: FrameSealer::new(to_client), opener: FrameOpener::new(to_relay) }))
    }
}

/// An `Error` frame in place of `Welcome`. It has no key to be authenticated with, so it may only
/// end the attempt, never change what the client believes.
#[must_use]
pub fn refuse(error: &crate::event::ErrorNotice) -> Vec<u8> {
    crate::frame::encode(VERSION, FrameKind::Error, 0, &codec::encode(error), &[])
}

/// The refusal in `frame`, when it is one.
#[must_use]
pub fn refusal(frame: &RawFrame) -> Option<crate::event::ErrorNotice> {
    let is_refusal = frame.kind == FrameKind::Error && frame.seq == 0;
    is_refusal.then(|| codec::decode(&frame.body).ok()).flatten()
}

/// SHA-256 of a token's text.
#[must_use]
pub fn token_hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// What both sides have said, as one hash: the bodies of `Hello` and `Welcome`.
#[must_use]
pub fn transcript(hello: &[u8], welcome: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(TRANSCRIPT_LABEL);
    for part in [hello, welcome] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

fn verify_tag(key: &[u8; 32], label: Label, body: &[u8], tag: &[u8]) -> Result<(), ErrorCode> {
    let signature = tag.try_into().map_err(|_| ErrorCode::BadSignature)?;
    signed::verify(key, label, body, signature).map_err(|_| ErrorCode::BadSignature)
}

/// The keys client → relay and relay → client, from the private half of one ephemeral and the
/// public half of the other.
///
/// # Errors
///
/// [`ErrorCode::BadSignature`] when the public half contributes nothing.
pub fn derive_keys(
    ours: &Zeroizing<[u8; 32]>,
    theirs: &[u8; 32],
    transcript: &[u8; 32],
) -> Result<[Zeroizing<[u8; 32]>; 2], ErrorCode> {
    session_keys(&StaticSecret::from(**ours), theirs, transcript).map(|keys| keys.map(|key| Zeroizing::new(key.0)))
}

fn session_keys(ours: &StaticSecret, theirs: &[u8; 32], transcript: &[u8; 32]) -> Result<[FrameKey; 2], ErrorCode> {
    let shared = ours.diffie_hellman(&PublicKey::from(*theirs));
    if !shared.was_contributory() {
        return Err(ErrorCode::BadSignature);
    }
    let mut okm = Zeroizing::new([0; 64]);
    // 64 bytes is far below HKDF's limit of 255 blocks, its only error.
    let _ = Hkdf::<Sha256>::new(Some(transcript), shared.as_bytes()).expand(KEYS_LABEL, &mut okm[..]);
    let half = |range: std::ops::Range<usize>| {
        let mut key = FrameKey([0; 32]);
        key.0.copy_from_slice(&okm[range]);
        key
    };
    Ok([half(0..32), half(32..64)])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

    use super::*;
    use crate::command::Ping;

    const TOKEN: &str = "an access token";

    struct Parties {
        device: SigningKey,
        relay: SigningKey,
    }

    impl Parties {
        fn new() -> Self {
            Self { device: SigningKey::from_bytes(&[1; 32]), relay: SigningKey::from_bytes(&[2; 32]) }
        }

        fn relay_key(&self) -> [u8; 32] {
            self.relay.verifying_key().to_bytes()
        }

        fn hello(&self) -> (ClientHandshake, RawFrame) {
            let who = ClientIdentity {
                account: AccountId::from_bytes([3; 16]),
                device: DeviceId::from_bytes([4; 16]),
                signing_key: &self.device,
            };
            let (client, hello) = ClientHandshake::start(&who, self.relay_key(), TOKEN, 9, Zeroizing::new([5; 32]));
            (client, RawFrame::decode(&hello.into()).unwrap())
        }

        fn answer(&self, hello: RawFrame) -> Result<(RawFrame, SessionPair), ErrorCode> {
            let device_key = self.device.verifying_key().to_bytes();
            let received = ReceivedHello::read(hello, &self.relay_key(), TOKEN)?;
            let (welcome, pair) = received.verify(&device_key, &self.relay, Zeroizing::new([6; 32]), 77, 10)?;
            Ok((RawFrame::decode(&welcome.into())?, pair))
        }
    }

    #[test]
    fn both_sides_derive_the_same_two_directions() {
        let parties = Parties::new();
        let (client, hello) = parties.hello();
        let (welcome, mut of_relay) = parties.answer(hello).unwrap();
        let (welcome, mut of_client) = client.finish(&welcome).unwrap();
        assert_eq!((welcome.version, welcome.time, welcome.mailbox_head), (VERSION, 77, 10));

        let ping = Bytes::from(of_client.sealer.seal(FrameKind::Ping, &Ping { nonce: 1 }).unwrap());
        let pong = Bytes::from(of_relay.sealer.seal(FrameKind::Ping, &Ping { nonce: 1 }).unwrap());
        assert_eq!(of_client.opener.open_message(&ping), Err(ErrorCode::BadTag), "nothing reflects");
        assert!(of_relay.opener.open_message(&ping).is_ok());
        assert!(of_client.opener.open_message(&pong).is_ok());
    }

    #[test]
    fn every_changed_bit_of_either_frame_ends_the_handshake() {
        let parties = Parties::new();
        let (_, hello) = parties.hello();
        for bit in 0..hello.body.len() * 8 {
            let mut changed = hello.clone();
            changed.body = flipped(&hello.body, bit);
            assert!(parties.answer(changed).is_err(), "bit {bit} of Hello");
        }
        let (welcome, _) = parties.answer(hello).unwrap();
        for bit in 0..welcome.body.len() * 8 {
            let mut changed = welcome.clone();
            changed.body = flipped(&welcome.body, bit);
            assert!(parties.hello().0.finish(&changed).is_err(), "bit {bit} of Welcome");
        }
        for bit in [0, 255, 511] {
            let mut changed = welcome.clone();
            changed.tag = flipped(&welcome.tag, bit);
            assert_eq!(parties.hello().0.finish(&changed).err(), Some(ErrorCode::BadSignature));
        }
    }

    #[test]
    fn another_relay_key_token_device_key_or_version_is_refused() {
        let parties = Parties::new();
        let read = |key: &[u8; 32], token| ReceivedHello::read(parties.hello().1, key, token).err();
        assert_eq!(read(&[9; 32], TOKEN), Some(ErrorCode::RelayKeyMismatch));
        assert_eq!(read(&parties.relay_key(), "a stolen token"), Some(ErrorCode::Unauthenticated));

        let thief = Parties { device: SigningKey::from_bytes(&[8; 32]), relay: parties.relay.clone() };
        assert_eq!(parties.answer(thief.hello().1).err(), Some(ErrorCode::BadSignature));

        let impostor = Parties { device: parties.device.clone(), relay: SigningKey::from_bytes(&[7; 32]) };
        let (welcome, _) = impostor.answer(impostor.hello().1).unwrap();
        assert_eq!(parties.hello().0.finish(&welcome).err(), Some(ErrorCode::RelayKeyMismatch));

        let mut later = parties.hello().1;
        let mut hello: Hello = codec::decode(&later.body).unwrap();
        (hello.min_version, hello.max_version) = (VERSION + 1, VERSION + 3);
        later.body = codec::encode(&hello).into();
        assert_eq!(parties.answer(later).err(), Some(ErrorCode::UnsupportedVersion));
    }

    #[test]
    fn attack_6_a_welcome_of_another_connection_does_not_fit() {
        let parties = Parties::new();
        let (welcome, _) = parties.answer(parties.hello().1).unwrap();
        let who = ClientIdentity {
            account: AccountId::from_bytes([3; 16]),
            device: DeviceId::from_bytes([4; 16]),
            signing_key: &parties.device,
        };
        let (fresh, _) = ClientHandshake::start(&who, parties.relay_key(), TOKEN, 9, Zeroizing::new([55; 32]));
        assert_eq!(fresh.finish(&welcome).err(), Some(ErrorCode::BadSignature));
    }

    #[test]
    fn attack_1_an_ephemeral_that_contributes_nothing_is_refused() {
        let parties = Parties::new();
        let (_, mut frame) = parties.hello();
        let mut hello: Hello = codec::decode(&frame.body).unwrap();
        hello.ephemeral = Fixed([0; 32]);
        frame.body = codec::encode(&hello).into();
        frame.tag = Bytes::copy_from_slice(&signed::sign(&parties.device, Label::Hello, &frame.body));
        assert_eq!(parties.answer(frame).err(), Some(ErrorCode::BadSignature));
    }

    #[test]
    fn a_refusal_is_read_and_nothing_else_is_taken_for_one() {
        let notice = crate::event::ErrorNotice::of(ErrorCode::TokenExpired);
        let frame = RawFrame::decode(&refuse(&notice).into()).unwrap();
        assert_eq!(refusal(&frame), Some(notice));
        let (client, hello) = Parties::new().hello();
        assert_eq!(refusal(&hello), None);
        assert_eq!(client.finish(&frame).err(), Some(ErrorCode::UnexpectedFrame));
    }

    fn flipped(bytes: &Bytes, bit: usize) -> Bytes {
        let mut changed = bytes.to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        changed.into()
    }
}

//! HMAC sessions: the frames after the handshake (`docs/protocol.md`, section 10).

use ::bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::codec::{self, Structure};
use crate::error::ErrorCode;
use crate::frame::{self, FrameKind, RawFrame, SESSION_TAG_BYTES, VerifiedFrame};
use crate::limits::FRAME_MAX;
use crate::version::VERSION;

const LABEL: &[u8] = b"susurro/v1/frame\0";

/// The key of one direction.
#[derive(Clone, ZeroizeOnDrop)]
pub(crate) struct FrameKey(pub(crate) [u8; 32]);

/// Seals the frames that this side sends.
pub struct FrameSealer {
    keyed: Keyed,
    next: u64,
    version: u8,
}

/// Opens the frames that the other side sends.
pub struct FrameOpener {
    keyed: Keyed,
    next: u64,
}

/// HMAC-SHA256 that has taken in its key and the label: a frame begins with a copy of it, which
/// saves two of the hash's blocks, half the work of a short frame. It is wiped when it goes.
struct Keyed(Hmac<Sha256>);

impl FrameSealer {
    pub(crate) fn new(key: FrameKey) -> Self {
        Self { keyed: Keyed::new(&key), next: 1, version: VERSION }
    }

    /// A direction with this key, the next frame of which has the number `next`: for checks of
    /// other implementations, which hold a direction to its keys.
    #[must_use]
    pub fn resume(key: [u8; 32], next: u64) -> Self {
        Self { keyed: Keyed::new(&FrameKey(key)), next, version: VERSION }
    }

    /// Says another version from the next frame on: for checks of what the other side makes of it (SES-3).
    pub fn claim_version(&mut self, version: u8) {
        self.version = version;
    }

    /// The next frame of this direction, as bytes of one WebSocket message.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::FrameTooLarge`] when the body does not fit; no sequence number is spent.
    pub fn seal<T: serde::Serialize + Structure>(&mut self, kind: FrameKind, body: &T) -> Result<Vec<u8>, ErrorCode> {
        self.seal_body(kind, &codec::encode(body))
    }

    /// [`seal`](Self::seal) for a body that is encoded already.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::FrameTooLarge`] when the body does not fit; no sequence number is spent.
    pub fn seal_body(&mut self, kind: FrameKind, body: &[u8]) -> Result<Vec<u8>, ErrorCode> {
        // Array, three integers, two lengths: below 32 bytes.
        if body.len() + SESSION_TAG_BYTES + 32 > FRAME_MAX {
            return Err(ErrorCode::FrameTooLarge);
        }
        let tag = self.keyed.tag(self.version, kind, self.next, body);
        let bytes = frame::encode(self.version, kind, self.next, body, &tag);
        self.next += 1;
        Ok(bytes)
    }
}

impl FrameOpener {
    pub(crate) fn new(key: FrameKey) -> Self {
        Self { keyed: Keyed::new(&key), next: 1 }
    }

    /// As [`FrameSealer::resume`].
    #[must_use]
    pub fn resume(key: [u8; 32], next: u64) -> Self {
        Self { keyed: Keyed::new(&FrameKey(key)), next }
    }

    /// Verifies the next frame of this direction. After an error the session is over.
    ///
    /// # Errors
    ///
    /// In this order: [`ErrorCode::BadTag`] for a tag that does not hold, [`ErrorCode::UnsupportedVersion`],
    /// or [`ErrorCode::BadSequence`] for a genuine frame out of its turn (a replay or a gap).
    pub fn open(&mut self, frame: RawFrame) -> Result<VerifiedFrame, ErrorCode> {
        let code = self.keyed.code(frame.version, frame.kind, frame.seq, &frame.body);
        code.verify_slice(&frame.tag).map_err(|_| ErrorCode::BadTag)?;
        if frame.version != VERSION {
            return Err(ErrorCode::UnsupportedVersion);
        }
        if frame.seq != self.next {
            return Err(ErrorCode::BadSequence);
        }
        self.next += 1;
        Ok(VerifiedFrame::of(frame))
    }

    /// Reads and verifies one WebSocket message.
    ///
    /// # Errors
    ///
    /// As [`RawFrame::decode`] and [`open`](Self::open).
    pub fn open_message(&mut self, message: &Bytes) -> Result<VerifiedFrame, ErrorCode> {
        RawFrame::decode(message).and_then(|frame| self.open(frame))
    }
}

/// The tag of a frame under the key of its direction.
#[must_use]
pub fn frame_tag(key: [u8; 32], version: u8, kind: FrameKind, seq: u64, body: &[u8]) -> [u8; SESSION_TAG_BYTES] {
    Keyed::new(&FrameKey(key)).tag(version, kind, seq, body)
}

impl Keyed {
    fn new(key: &FrameKey) -> Self {
        // HMAC fills a short key with zeros up to the hash's block (RFC 2104, section 2).
        let mut block = Zeroizing::new([0; 64]);
        block[..32].copy_from_slice(&key.0);
        let mut mac = Hmac::<Sha256>::new((&*block).into());
        mac.update(LABEL);
        Self(mac)
    }

    fn tag(&self, version: u8, kind: FrameKind, seq: u64, body: &[u8]) -> [u8; SESSION_TAG_BYTES] {
        self.code(version, kind, seq, body).finalize().into_bytes().into()
    }

    fn code(&self, version: u8, kind: FrameKind, seq: u64, body: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        let mut head = [0; 11];
        head[0] = version;
        head[1..3].copy_from_slice(&kind.number().to_be_bytes());
        head[3..].copy_from_slice(&seq.to_be_bytes());
        mac.update(&head);
        mac.update(body);
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Ping;

    fn pair() -> (FrameSealer, FrameOpener) {
        (FrameSealer::new(FrameKey([1; 32])), FrameOpener::new(FrameKey([1; 32])))
    }

    fn sealed(sealer: &mut FrameSealer) -> Bytes {
        sealer.seal(FrameKind::Ping, &Ping { nonce: 5 }).map(Bytes::from).unwrap_or_default()
    }

    #[test]
    fn frames_open_in_order_and_a_replay_or_a_gap_is_refused() {
        let (mut sealer, mut opener) = pair();
        let (one, two, three) = (sealed(&mut sealer), sealed(&mut sealer), sealed(&mut sealer));
        assert_eq!(opener.open_message(&one).map(|f| f.seq()), Ok(1));
        assert_eq!(opener.open_message(&one), Err(ErrorCode::BadSequence));
        assert_eq!(opener.open_message(&three), Err(ErrorCode::BadSequence));
        assert_eq!(opener.open_message(&two).map(|f| f.seq()), Ok(2));
    }

    #[test]
    fn every_flipped_bit_is_refused() {
        let (mut sealer, _) = pair();
        let frame = sealed(&mut sealer);
        for bit in 0..frame.len() * 8 {
            let mut flipped = frame.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let (_, mut opener) = pair();
            assert!(opener.open_message(&flipped.into()).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn short_long_and_empty_tags_are_refused() {
        let (mut sealer, mut opener) = pair();
        let frame = RawFrame::decode(&sealed(&mut sealer));
        for length in [0, 16, 31, 33] {
            let mut changed = frame.clone();
            if let Ok(frame) = &mut changed {
                let mut tag = frame.tag.to_vec();
                tag.resize(length, 0);
                frame.tag = tag.into();
            }
            assert_eq!(changed.and_then(|f| opener.open(f)), Err(ErrorCode::BadTag));
        }
    }

    #[test]
    fn a_body_over_the_limit_is_refused_and_spends_no_number() {
        let (mut sealer, mut opener) = pair();
        assert_eq!(sealer.seal_body(FrameKind::Send, &vec![0; FRAME_MAX]), Err(ErrorCode::FrameTooLarge));
        assert_eq!(opener.open_message(&sealed(&mut sealer)).map(|f| f.seq()), Ok(1));
    }
}

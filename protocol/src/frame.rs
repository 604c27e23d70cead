//! Frames: `[version, kind, seq, body, tag]` (`docs/protocol.md`, section 8).
//!
//! A [`RawFrame`] is only well-formed. What it says may be acted on once it became a
//! [`VerifiedFrame`], which only `session` makes.

use ::bytes::Bytes;
use rmp::decode::{self, Bytes as Reader};
use rmp::encode;

use crate::error::ErrorCode;
use crate::limits::FRAME_MAX;

/// Bytes of a session tag: HMAC-SHA256, whole.
pub const SESSION_TAG_BYTES: usize = 32;

/// Bytes of a handshake tag: an Ed25519 signature.
pub const HANDSHAKE_TAG_BYTES: usize = 64;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $number:literal;)+) => {
        /// What a frame is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum FrameKind {
            $($(#[$doc])* $name,)+
            /// A kind of a later version.
            Unknown(u16),
        }

        impl FrameKind {
            /// Every kind that this version knows.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// Its number on the wire.
            #[must_use]
            pub const fn number(self) -> u16 {
                match self {
                    $(Self::$name => $number,)+
                    Self::Unknown(number) => number,
                }
            }

            /// The kind with this number.
            #[must_use]
            pub const fn of_number(number: u16) -> Self {
                match number {
                    $($number => Self::$name,)+
                    number => Self::Unknown(number),
                }
            }
        }
    };
}

kinds! {
    /// Client: opens the connection.
    Hello = 1;
    /// Relay: answers `Hello`.
    Welcome = 2;
    /// Client: deposits a message.
    Send = 16;
    /// Client: acknowledges deliveries.
    Ack = 17;
    /// Client: a signal that is forwarded and never stored.
    Whisper = 18;
    /// Client: to whom it is shown, and of whom it wants to know.
    Presence = 19;
    /// Client: asks for a sign of life.
    Ping = 20;
    /// Relay: the message is durable.
    Stored = 32;
    /// Relay: the message was not taken.
    Rejected = 33;
    /// Relay: a message for this device.
    Deliver = 34;
    /// Relay: a signal of another device, forwarded.
    Whispered = 35;
    /// Relay: who came and who went.
    PresenceChanged = 36;
    /// Relay: answers `Ping`.
    Pong = 37;
    /// Relay: an announcement.
    Notice = 38;
    /// Relay: an account's device list changed.
    DevicesChanged = 39;
    /// Relay: one-time prekeys run out.
    PrekeysLow = 40;
    /// Relay: closing soon, with when to come back.
    GoingAway = 41;
    /// Relay or client: something was wrong.
    Error = 42;
}

/// A well-formed frame that nobody has verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawFrame {
    /// Protocol version.
    pub version: u8,
    /// What it is.
    pub kind: FrameKind,
    /// Position in its direction: 0 in the handshake, then from 1 upwards.
    pub seq: u64,
    /// The structure of its kind, as bytes.
    pub body: Bytes,
    /// Signature or authentication code.
    pub tag: Bytes,
}

impl RawFrame {
    /// Reads one WebSocket message. Body and tag share the memory of `message`.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::FrameTooLarge`] above [`FRAME_MAX`], [`ErrorCode::MalformedFrame`] for
    /// anything but the five elements, unknown trailing elements aside.
    pub fn decode(message: &Bytes) -> Result<Self, ErrorCode> {
        if message.len() > FRAME_MAX {
            return Err(ErrorCode::FrameTooLarge);
        }
        read(message).ok_or(ErrorCode::MalformedFrame)
    }

    /// The bytes of one WebSocket message.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode(self.version, self.kind, self.seq, &self.body, &self.tag)
    }
}

/// A frame whose signature or tag held and whose turn it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedFrame {
    kind: FrameKind,
    seq: u64,
    body: Bytes,
}

impl VerifiedFrame {
    /// Only the places that verify may call this.
    pub(crate) fn of(frame: RawFrame) -> Self {
        Self { kind: frame.kind, seq: frame.seq, body: frame.body }
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> FrameKind {
        self.kind
    }

    /// Its sequence number.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The structure of its kind, as bytes.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }
}

/// Writes the bytes of a frame without needing its parts in one value.
#[must_use]
pub(crate) fn encode(version: u8, kind: FrameKind, seq: u64, body: &[u8], tag: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + tag.len() + 32);
    // Writing to a `Vec` cannot fail, and lengths are below FRAME_MAX.
    let _ = encode::write_array_len(&mut out, 5)
        .and_then(|_| encode::write_uint(&mut out, version.into()))
        .and_then(|_| encode::write_uint(&mut out, kind.number().into()))
        .and_then(|_| encode::write_uint(&mut out, seq))
        .and_then(|_| write_bin(&mut out, body))
        .and_then(|_| write_bin(&mut out, tag));
    out
}

fn write_bin(out: &mut Vec<u8>, bytes: &[u8]) -> Result<rmp::Marker, encode::ValueWriteError> {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let marker = encode::write_bin_len(out, length)?;
    out.extend_from_slice(bytes);
    Ok(marker)
}

fn read(message: &Bytes) -> Option<RawFrame> {
    let mut reader = Reader::new(message);
    let elements = decode::read_array_len(&mut reader).ok()?;
    let version = decode::read_int(&mut reader).ok()?;
    let kind = FrameKind::of_number(decode::read_int(&mut reader).ok()?);
    let seq = decode::read_int(&mut reader).ok()?;
    let body = read_bin(message, &mut reader)?;
    let tag = read_bin(message, &mut reader)?;
    let rest = reader.remaining_slice();
    // Elements of later versions are skipped, bytes behind the array are not.
    let whole = match elements {
        5 => rest.is_empty(),
        6.. => crate::codec::is_exactly(elements - 5, rest),
        _ => false,
    };
    whole.then_some(RawFrame { version, kind, seq, body, tag })
}

fn read_bin(message: &Bytes, reader: &mut Reader<'_>) -> Option<Bytes> {
    let length = usize::try_from(decode::read_bin_len(reader).ok()?).ok()?;
    let rest = reader.remaining_slice();
    let bytes = rest.get(..length)?;
    let shared = message.slice_ref(bytes);
    *reader = Reader::new(&rest[length..]);
    Some(shared)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> RawFrame {
        RawFrame {
            version: 1,
            kind: FrameKind::Ping,
            seq: 7,
            body: Bytes::from_static(&[0x91, 1]),
            tag: Bytes::from_static(&[9; 32]),
        }
    }

    #[test]
    fn a_frame_reads_back_and_its_bytes_are_the_documented_ones() {
        let bytes = sample().encode();
        assert_eq!(bytes[..8], [0x95, 1, 20, 7, 0xc4, 2, 0x91, 1]);
        assert_eq!(RawFrame::decode(&bytes.into()), Ok(sample()));
    }

    #[test]
    fn later_elements_are_skipped_and_everything_else_is_refused() {
        let bytes = sample().encode();
        let mut longer = bytes.clone();
        longer[0] = 0x97;
        longer.extend([0x92, 1, 2, 0xa1, b'x']);
        assert_eq!(RawFrame::decode(&longer.clone().into()), Ok(sample()));
        longer.push(0);
        assert_eq!(RawFrame::decode(&longer.into()), Err(ErrorCode::MalformedFrame));
        for cut in 0..bytes.len() {
            let part = Bytes::copy_from_slice(&bytes[..cut]);
            assert_eq!(RawFrame::decode(&part), Err(ErrorCode::MalformedFrame));
        }
        let large = Bytes::from(vec![0; FRAME_MAX + 1]);
        assert_eq!(RawFrame::decode(&large), Err(ErrorCode::FrameTooLarge));
    }
}

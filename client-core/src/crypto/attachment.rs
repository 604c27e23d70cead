//! The encryption of attachments (`docs/protocol.md`, section 13.2): pieces under a key of their own.

use chacha20poly1305::aead::AeadInOut as _;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit as _, Nonce, Tag};
use sha2::{Digest as _, Sha256};
use susurro_protocol::limits::ATTACHMENT_MAX;
use zeroize::Zeroizing;

use super::padding::padded_length;

/// Bytes of an encrypted piece but the last one: sixteen to a chunk of a blob.
pub const PIECE_BYTES: usize = 65_536;

/// Bytes of its tag.
pub const TAG_BYTES: usize = 16;

/// Bytes of a file, or of its padding, in a piece.
pub const CONTENT_BYTES: usize = PIECE_BYTES - TAG_BYTES;

/// What pieces are bound to, besides their place.
const AD: &[u8] = b"susurro/v1/attachment\0";

/// Bytes of a file of this size after padding; `None` above `ATTACHMENT_MAX`.
#[must_use]
pub fn padded_size(size: u64) -> Option<u64> {
    // The size travels in the message: there is no marker, and the padding is only zeros.
    let size = usize::try_from(size).ok().filter(|_| size <= ATTACHMENT_MAX)?;
    u64::try_from(padded_length(size.saturating_sub(1))).ok()
}

/// Bytes of the blob of a file of this size; `None` above `ATTACHMENT_MAX`.
#[must_use]
pub fn blob_size(size: u64) -> Option<u64> {
    let padded = padded_size(size)?;
    Some(padded + padded.div_ceil(CONTENT_BYTES as u64) * TAG_BYTES as u64)
}

/// A piece that was not encrypted under this key, for this place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a piece of the attachment is not what was sent")]
pub struct BadPiece;

/// Encrypts and decrypts the pieces of one attachment.
pub struct AttachmentKey(ChaCha20Poly1305);

impl AttachmentKey {
    /// The key of one attachment and of nothing else: pieces are numbered, so two files under one key would
    /// share their nonces.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        Self(ChaCha20Poly1305::new(key.into()))
    }

    /// Encrypts piece `number`, counted from 0. Only the last one may have fewer than [`CONTENT_BYTES`].
    ///
    /// # Errors
    ///
    /// [`BadPiece`] for one that is too long.
    pub fn seal(&self, number: u64, last: bool, content: &[u8]) -> Result<Vec<u8>, BadPiece> {
        if content.len() > CONTENT_BYTES {
            return Err(BadPiece);
        }
        let mut sealed = Vec::with_capacity(content.len() + TAG_BYTES);
        sealed.extend_from_slice(content);
        let tag = self.0.encrypt_inout_detached(&nonce(number, last), AD, sealed.as_mut_slice().into());
        sealed.extend_from_slice(&tag.map_err(|_| BadPiece)?);
        Ok(sealed)
    }

    /// Decrypts piece `number`.
    ///
    /// # Errors
    ///
    /// [`BadPiece`] for any other key, place or bytes.
    pub fn open(&self, number: u64, last: bool, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, BadPiece> {
        let (content, tag) = sealed.split_last_chunk::<TAG_BYTES>().ok_or(BadPiece)?;
        let mut content = Zeroizing::new(content.to_vec());
        let opened =
            self.0.decrypt_inout_detached(&nonce(number, last), AD, content.as_mut_slice().into(), &Tag::from(*tag));
        opened.map_err(|_| BadPiece)?;
        Ok(content)
    }
}

impl std::fmt::Debug for AttachmentKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AttachmentKey(redacted)")
    }
}

/// The number of the piece, three zeros, and whether it is the last: nothing can be reordered or cut off.
fn nonce(number: u64, last: bool) -> Nonce {
    let mut nonce = [0; 12];
    nonce[..8].copy_from_slice(&number.to_be_bytes());
    nonce[11] = u8::from(last);
    nonce.into()
}

/// A file on its way to become a blob, a piece at a time.
#[derive(Debug)]
pub struct Sealing {
    key: AttachmentKey,
    number: u64,
    /// Bytes of the file that are still to come.
    left: u64,
    /// The same with its padding.
    padded_left: u64,
    hash: Sha256,
}

impl Sealing {
    /// Begins with a file of so many bytes, under a key that was made for it; `None` above `ATTACHMENT_MAX`.
    #[must_use]
    pub fn new(key: &[u8; 32], size: u64) -> Option<Self> {
        let padded_left = padded_size(size)?;
        Some(Self { key: AttachmentKey::new(key), number: 0, left: size, padded_left, hash: Sha256::new() })
    }

    /// Bytes of the file that the next piece takes; 0 where it is only padding. `None` when all is done.
    #[must_use]
    pub fn wants(&self) -> Option<usize> {
        (self.padded_left > 0).then(|| part(self.left, CONTENT_BYTES))
    }

    /// The next piece, from exactly as many bytes of the file as it [wants](Self::wants).
    ///
    /// # Errors
    ///
    /// [`BadPiece`] for more or less, and when all is done.
    pub fn seal(&mut self, content: &[u8]) -> Result<Vec<u8>, BadPiece> {
        if self.wants() != Some(content.len()) {
            return Err(BadPiece);
        }
        let length = part(self.padded_left, CONTENT_BYTES);
        let mut padded = Zeroizing::new(vec![0; length]);
        padded[..content.len()].copy_from_slice(content);
        self.left -= content.len() as u64;
        self.padded_left -= length as u64;
        let piece = self.key.seal(self.number, self.padded_left == 0, &padded)?;
        self.number += 1;
        self.hash.update(&piece);
        Ok(piece)
    }

    /// SHA-256 of all pieces so far.
    #[must_use]
    pub fn hash(self) -> [u8; 32] {
        self.hash.finalize().into()
    }
}

/// A blob on its way to become a file, a piece at a time. Its length and its hash were checked before.
#[derive(Debug)]
pub struct Opening {
    key: AttachmentKey,
    number: u64,
    /// Bytes of the blob that are still to come.
    sealed_left: u64,
    /// Bytes of the file.
    left: u64,
}

impl Opening {
    /// Begins with the blob of a file of so many bytes; `None` above `ATTACHMENT_MAX`.
    #[must_use]
    pub fn new(key: &[u8; 32], size: u64) -> Option<Self> {
        Some(Self { key: AttachmentKey::new(key), number: 0, sealed_left: blob_size(size)?, left: size })
    }

    /// Bytes of the next piece; `None` when all is done.
    #[must_use]
    pub fn wants(&self) -> Option<usize> {
        (self.sealed_left > 0).then(|| part(self.sealed_left, PIECE_BYTES))
    }

    /// The bytes of the file in the next piece, without its padding.
    ///
    /// # Errors
    ///
    /// [`BadPiece`] for any bytes but those that were sent, for padding that is not zeros, and when all is done.
    pub fn open(&mut self, piece: &[u8]) -> Result<Zeroizing<Vec<u8>>, BadPiece> {
        if self.wants() != Some(piece.len()) {
            return Err(BadPiece);
        }
        let last = self.sealed_left == piece.len() as u64;
        let mut content = self.key.open(self.number, last, piece)?;
        let kept = part(self.left, content.len());
        if content[kept..].iter().any(|byte| *byte != 0) {
            return Err(BadPiece);
        }
        content.truncate(kept);
        self.number += 1;
        self.sealed_left -= piece.len() as u64;
        self.left -= kept as u64;
        Ok(content)
    }
}

/// As much of what is left as fits.
fn part(left: u64, most: usize) -> usize {
    usize::try_from(left).unwrap_or(usize::MAX).min(most)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use proptest::prelude::*;
    use proptest::sample::Index;
    use susurro_protocol::limits::{BLOB_CHUNK, BLOB_MAX};

    use super::*;

    #[test]
    fn sizes_are_padded_and_the_largest_fits_into_a_blob() {
        for (size, padded) in
            [(0, 256), (1, 256), (256, 256), (257, 512), (4096, 4096), (4097, 4352), (ATTACHMENT_MAX, ATTACHMENT_MAX)]
        {
            assert_eq!(padded_size(size), Some(padded), "{size}");
        }
        assert_eq!(blob_size(1), Some(272));
        assert_eq!(blob_size(ATTACHMENT_MAX), Some(BLOB_MAX));
        assert_eq!(blob_size(ATTACHMENT_MAX + 1), None);
        assert!(BLOB_CHUNK.is_multiple_of(PIECE_BYTES));
    }

    #[test]
    fn a_piece_opens_at_its_place_alone() {
        let key = AttachmentKey::new(&[7; 32]);
        let sealed = key.seal(3, false, b"content").unwrap();
        assert_eq!(key.open(3, false, &sealed).unwrap().as_slice(), b"content");
        assert_eq!(key.open(2, false, &sealed), Err(BadPiece));
        assert_eq!(key.open(3, true, &sealed), Err(BadPiece));
        assert_eq!(AttachmentKey::new(&[8; 32]).open(3, false, &sealed), Err(BadPiece));
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(key.open(3, false, &changed), Err(BadPiece), "{at}");
        }
        assert_eq!(key.open(0, true, &sealed[..15]), Err(BadPiece));
        assert_eq!(key.seal(0, true, &vec![0; CONTENT_BYTES + 1]), Err(BadPiece));
    }

    fn sealed(content: &[u8]) -> Vec<Vec<u8>> {
        let mut sealing = Sealing::new(&[7; 32], content.len() as u64).unwrap();
        let (mut pieces, mut rest) = (Vec::new(), content);
        while let Some(wanted) = sealing.wants() {
            let (now, later) = rest.split_at(wanted);
            pieces.push(sealing.seal(now).unwrap());
            rest = later;
        }
        assert_eq!(sealing.seal(b""), Err(BadPiece), "nothing behind the last piece");
        assert_eq!(sealing.hash(), <[u8; 32]>::from(Sha256::digest(pieces.concat())));
        pieces
    }

    fn opened(size: u64, blob: &[u8]) -> Result<Vec<u8>, BadPiece> {
        let mut opening = Opening::new(&[7; 32], size).ok_or(BadPiece)?;
        let (mut content, mut rest) = (Vec::new(), blob);
        while let Some(wanted) = opening.wants() {
            let (now, later) = rest.split_at(wanted.min(rest.len()));
            content.extend_from_slice(&opening.open(now)?);
            rest = later;
        }
        if rest.is_empty() { Ok(content) } else { Err(BadPiece) }
    }

    #[test]
    fn a_piece_of_padding_alone_follows_where_the_padded_size_asks_for_it() {
        // Between the end of a piece and the next padded size there is one of zeros.
        let size = (1..)
            .map(|n| n * CONTENT_BYTES as u64)
            .find(|size| padded_size(*size).unwrap() > size.next_multiple_of(CONTENT_BYTES as u64));
        let content = vec![3; usize::try_from(size.unwrap()).unwrap()];
        let pieces = sealed(&content);
        assert!(pieces.len() > content.len() / CONTENT_BYTES);
        assert!(opened(size.unwrap(), &pieces.concat()).unwrap() == content);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn what_was_sealed_opens_and_nothing_else_does(
            size in 0..4 * CONTENT_BYTES, fill in any::<u8>(), at in any::<Index>(), other in any::<Index>(),
            bit in 0..8_u8,
        ) {
            let content: Vec<u8> = (0..size).map(|n| fill.wrapping_add(n.to_le_bytes()[0])).collect();
            let pieces = sealed(&content);
            let (blob, size) = (pieces.concat(), size as u64);
            prop_assert_eq!(blob.len() as u64, blob_size(size).unwrap());
            prop_assert!(opened(size, &blob) == Ok(content));

            let mut flipped = blob.clone();
            flipped[at.index(blob.len())] ^= 1 << bit;
            prop_assert_eq!(opened(size, &flipped), Err(BadPiece));
            prop_assert_eq!(opened(size, &blob[..at.index(blob.len())]), Err(BadPiece), "cut");
            prop_assert_eq!(opened(size, &[&blob[..], &[0]].concat()), Err(BadPiece), "longer");
            let (one, two) = (at.index(pieces.len()), other.index(pieces.len()));
            if one != two {
                let mut swapped = pieces.clone();
                swapped.swap(one, two);
                prop_assert_eq!(opened(size, &swapped.concat()), Err(BadPiece), "swapped");
                let mut repeated = pieces.clone();
                repeated[one] = pieces[two].clone();
                prop_assert_eq!(opened(size, &repeated.concat()), Err(BadPiece), "repeated");
                let mut left_out = pieces.clone();
                left_out.remove(one);
                prop_assert_eq!(opened(size, &left_out.concat()), Err(BadPiece), "left out");
                // Cut behind a piece, with a size that asks for no more than that: the last one is not marked as such.
                let shorter = (pieces.len() as u64 - 1) * CONTENT_BYTES as u64;
                prop_assert_eq!(opened(shorter, &pieces[..pieces.len() - 1].concat()), Err(BadPiece), "cut to fit");
            }
        }
    }
}

//! Encrypted attachments, of which the relay knows a size and nothing else.

use susurro_protocol::limits::{BLOB_CHUNK, BLOB_MAX, BLOB_UPLOAD_SECONDS, TIME_TO_LIVE_MAX};
use susurro_protocol::rest::{BlobState, NewBlob};
use susurro_protocol::{AccountId, BlobId, ErrorCode};

use super::error::Error;

/// Bytes that the attachments of an account may take at once, unless the operator says otherwise: 1 GiB.
pub const BLOB_QUOTA: u64 = 1 << 30;

/// Milliseconds for which the bytes of a blob outlive the blob itself: an upload that is under way may still write
/// some.
pub const AFTERLIFE_MS: u64 = 60_000;

/// What the store knows of a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlobRecord {
    /// Its identifier.
    pub blob: BlobId,
    /// Who uploads it, and whose quota it counts against.
    pub owner: AccountId,
    /// Bytes in whole.
    pub size: u64,
    /// Bytes that are here, from the first.
    pub uploaded: u64,
    /// When it goes as it is now, in milliseconds since 1970: soon as long as it is not whole.
    pub expires: u64,
    /// When it goes once it is whole.
    pub keep_until: u64,
}

impl BlobRecord {
    /// What a client sees of it.
    #[must_use]
    pub fn shown(&self) -> BlobState {
        let Self { blob, size, uploaded, keep_until, .. } = *self;
        BlobState { blob, size, offset: uploaded, expires: keep_until }
    }

    /// Whether all of it is here.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.uploaded == self.size
    }
}

/// What became of the beginning of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begun {
    /// There was none before.
    Made,
    /// There is one under this identifier; perhaps somebody else's.
    Known(BlobRecord),
    /// It does not fit into the account's quota.
    NoRoom,
}

/// A new blob, as somebody asks for it.
///
/// # Errors
///
/// `TooLarge`; `InvalidRequest` for nothing at all or a life that is too long.
pub fn begin(owner: AccountId, new: &NewBlob, now: u64) -> Result<BlobRecord, Error> {
    if new.size > BLOB_MAX {
        return Err(ErrorCode::TooLarge.into());
    }
    if new.size == 0 {
        return Err(Error::invalid("a blob has at least one byte"));
    }
    if new.expires_after > TIME_TO_LIVE_MAX {
        return Err(Error::invalid("blobs are not kept for that long"));
    }
    let life = if new.expires_after == 0 { TIME_TO_LIVE_MAX } else { new.expires_after };
    let until = |seconds: u32| now + u64::from(seconds) * 1000;
    let expires = until(life.min(BLOB_UPLOAD_SECONDS));
    Ok(BlobRecord { blob: new.blob, owner, size: new.size, uploaded: 0, expires, keep_until: until(life) })
}

/// What to do with a piece of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece {
    /// It is the next one; the number of the chunk.
    Next(u32),
    /// It is here already.
    Known,
}

/// Looks at a piece that begins at `start`.
///
/// # Errors
///
/// `InvalidRequest` for a piece that is no chunk of this blob; `BlobConflict` for one that is not the next.
pub fn piece(record: &BlobRecord, start: u64, bytes: u64, size: u64) -> Result<Piece, Error> {
    let chunk = BLOB_CHUNK as u64;
    let end = start.checked_add(bytes).filter(|end| *end <= record.size);
    let end = end.ok_or_else(|| Error::invalid("the range ends behind the blob"))?;
    if size != record.size || !start.is_multiple_of(chunk) || bytes == 0 {
        return Err(Error::invalid("the range is not one of this blob's chunks"));
    }
    if bytes != chunk && end != record.size || bytes > chunk {
        return Err(Error::invalid("every chunk but the last has its full size"));
    }
    if end <= record.uploaded {
        return Ok(Piece::Known);
    }
    if start != record.uploaded {
        return Err(ErrorCode::BlobConflict.into());
    }
    u32::try_from(start / chunk).map(Piece::Next).map_err(|_| Error::invalid("the range ends behind the blob"))
}

/// How many chunks a blob has.
#[must_use]
pub fn chunks(size: u64) -> u32 {
    u32::try_from(size.div_ceil(BLOB_CHUNK as u64)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may stop anywhere")]
    use super::*;

    const OWNER: AccountId = AccountId::from_bytes([1; 16]);
    const CHUNK: u64 = BLOB_CHUNK as u64;

    fn new(size: u64, expires_after: u32) -> NewBlob {
        NewBlob { blob: BlobId::from_bytes([7; 16]), size, expires_after }
    }

    #[test]
    fn an_upload_that_is_not_finished_goes_early() {
        let day = u64::from(BLOB_UPLOAD_SECONDS) * 1000;
        let record = begin(OWNER, &new(5, 0), 1_000).unwrap();
        assert_eq!((record.expires, record.keep_until), (1_000 + day, 1_000 + u64::from(TIME_TO_LIVE_MAX) * 1000));
        let record = begin(OWNER, &new(5, 60), 1_000).unwrap();
        assert_eq!((record.expires, record.keep_until), (61_000, 61_000));
    }

    #[test]
    fn sizes_and_lives_have_limits() {
        let code = |new| begin(OWNER, &new, 0).map_err(|refused| refused.code()).map(|_| ());
        assert_eq!(code(new(BLOB_MAX, TIME_TO_LIVE_MAX)), Ok(()));
        assert_eq!(code(new(BLOB_MAX + 1, 0)), Err(ErrorCode::TooLarge));
        assert_eq!(code(new(0, 0)), Err(ErrorCode::InvalidRequest));
        assert_eq!(code(new(1, TIME_TO_LIVE_MAX + 1)), Err(ErrorCode::InvalidRequest));
    }

    #[test]
    fn pieces_are_whole_chunks_in_their_order() {
        let size = 2 * CHUNK + 5;
        let record = BlobRecord { uploaded: CHUNK, ..begin(OWNER, &new(size, 0), 0).unwrap() };
        let code = |start, bytes| piece(&record, start, bytes, size).map_err(|refused| refused.code());
        assert_eq!(code(0, CHUNK), Ok(Piece::Known));
        assert_eq!(code(CHUNK, CHUNK), Ok(Piece::Next(1)));
        assert_eq!(code(2 * CHUNK, 5), Err(ErrorCode::BlobConflict), "not before the one in between");
        for (start, bytes) in [(CHUNK, CHUNK - 1), (CHUNK, CHUNK + 5), (1, CHUNK), (2 * CHUNK, 6), (2 * CHUNK, 0)] {
            assert_eq!(code(start, bytes), Err(ErrorCode::InvalidRequest), "{start} {bytes}");
        }
        assert_eq!(code(u64::MAX, CHUNK), Err(ErrorCode::InvalidRequest));
        assert!(piece(&record, CHUNK, CHUNK, size + 1).is_err());
        assert_eq!(chunks(size), 3);
        assert_eq!(chunks(CHUNK), 1);
    }
}

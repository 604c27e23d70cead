//! Encrypted attachments: uploading, reading, deleting.

use bytes::Bytes;
use susurro_protocol::limits::BLOB_CHUNK;
use susurro_protocol::rest::{BlobState, NewBlob};
use susurro_protocol::{BlobId, ErrorCode};

use super::Relay;
use crate::domain::Error;
use crate::domain::blob::{self, AFTERLIFE_MS, Begun, BlobRecord, Piece};
use crate::domain::token::Claims;

/// Blobs of one step of tidying up.
const BATCH: u32 = 50;

impl Relay {
    /// Begins an upload; the same once more tells how far it is. Says whether this made it.
    ///
    /// # Errors
    ///
    /// `TooLarge`, `InvalidRequest`; `BlobConflict` for an identifier that stands for another blob; `BlobQuota`.
    pub async fn begin_blob(&self, claims: &Claims, new: &NewBlob) -> Result<(BlobState, bool), Error> {
        let now = self.now();
        let record = blob::begin(claims.account, new, now)?;
        match self.ports.blob_records.begin_blob(record, self.blob_quota, now).await? {
            Begun::Made => Ok((record.shown(), true)),
            Begun::Known(known) if known.owner == claims.account && known.size == new.size && known.expires > now => {
                Ok((known.shown(), false))
            }
            Begun::Known(_) => Err(ErrorCode::BlobConflict.into()),
            Begun::NoRoom => Err(ErrorCode::BlobQuota.into()),
        }
    }

    /// Takes the next chunk of an upload of the caller: the bytes from `start` of a blob of `size`. One that is here
    /// already changes nothing.
    ///
    /// # Errors
    ///
    /// `NotFound` for blobs of others; `InvalidRequest` and `BlobConflict` as in [`blob::piece`].
    pub async fn put_blob(
        &self,
        claims: &Claims,
        blob: BlobId,
        start: u64,
        size: u64,
        bytes: Bytes,
    ) -> Result<BlobState, Error> {
        let now = self.now();
        let record = self.blob(blob, now).await?;
        if record.owner != claims.account {
            return Err(ErrorCode::NotFound.into());
        }
        let end = start.saturating_add(bytes.len() as u64);
        let Piece::Next(chunk) = blob::piece(&record, start, bytes.len() as u64, size)? else {
            return Ok(record.shown());
        };
        self.ports.blobs.put(blob, chunk, bytes).await?;
        // Somebody else may have been faster with the same chunk, or the blob is over by now.
        self.ports.blob_records.advance_blob(blob, start, end, now).await?;
        let record = self.blob(blob, now).await?;
        if record.uploaded < end { Err(ErrorCode::BlobConflict.into()) } else { Ok(record.shown()) }
    }

    /// What is known of a blob: of a whole one to everybody who knows its identifier, otherwise to its owner.
    ///
    /// # Errors
    ///
    /// `NotFound`.
    pub async fn blob_state(&self, claims: &Claims, blob: BlobId) -> Result<BlobState, Error> {
        let record = self.blob(blob, self.now()).await?;
        if record.is_whole() || record.owner == claims.account {
            Ok(record.shown())
        } else {
            Err(ErrorCode::NotFound.into())
        }
    }

    /// As [`blob_state`](Self::blob_state), of a blob that can be downloaded: also its owner gets nothing of half a one.
    ///
    /// # Errors
    ///
    /// `NotFound`.
    pub async fn whole_blob(&self, claims: &Claims, blob: BlobId) -> Result<BlobState, Error> {
        let state = self.blob_state(claims, blob).await?;
        if state.offset < state.size { Err(ErrorCode::NotFound.into()) } else { Ok(state) }
    }

    /// The bytes of a whole blob from `start` to the end of its chunk, at most up to `end`.
    ///
    /// # Errors
    ///
    /// `Internal` when the bytes are not there.
    pub async fn blob_bytes(&self, blob: BlobId, start: u64, end: u64) -> Result<Bytes, Error> {
        let chunk = BLOB_CHUNK as u64;
        let number = u32::try_from(start / chunk).map_err(|_| ErrorCode::NotFound)?;
        let bytes = self.ports.blobs.get(blob, number).await?;
        let from = usize::try_from(start % chunk).unwrap_or(usize::MAX);
        let to = usize::try_from(end.saturating_sub(u64::from(number) * chunk)).unwrap_or(usize::MAX).min(bytes.len());
        if from >= to {
            return Err(Error::Internal("a chunk of a blob is shorter than it was".to_owned()));
        }
        Ok(bytes.slice(from..to))
    }

    /// Deletes a blob of the caller.
    ///
    /// # Errors
    ///
    /// `NotFound` for blobs of others and one that is gone.
    pub async fn delete_blob(&self, claims: &Claims, blob: BlobId) -> Result<(), Error> {
        let now = self.now();
        if self.blob(blob, now).await?.owner != claims.account {
            return Err(ErrorCode::NotFound.into());
        }
        self.ports.blob_records.end_blob(blob, now).await
    }

    /// Deletes the bytes of some blobs that are over, then what is known of them. Says how many.
    pub(super) async fn tidy_blobs(&self) -> Result<u64, Error> {
        let over = self.ports.blob_records.over_blobs(self.now().saturating_sub(AFTERLIFE_MS), BATCH).await?;
        let mut gone = Vec::with_capacity(over.len());
        let mut failed = None;
        for (blob, size) in over {
            match self.ports.blobs.delete(blob, blob::chunks(size)).await {
                Ok(()) => gone.push(blob),
                Err(error) => failed = Some(error),
            }
        }
        let gone = if gone.is_empty() { 0 } else { self.ports.blob_records.forget_blobs(gone).await? };
        failed.map_or(Ok(gone), Err)
    }

    async fn blob(&self, blob: BlobId, now: u64) -> Result<BlobRecord, Error> {
        let record = self.ports.blob_records.blob(blob).await?;
        record.filter(|record| record.expires > now).ok_or_else(|| ErrorCode::NotFound.into())
    }
}

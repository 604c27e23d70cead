//! Encrypted attachments: what is known of them, and their bytes.

use bytes::Bytes;
use susurro_protocol::BlobId;

use super::Answer;
use crate::domain::blob::{Begun, BlobRecord};

/// What is known of each blob.
pub trait BlobRecords: Send + Sync {
    /// Notes a new blob, when its identifier is free and the owner's blobs that are not over at `now` take no more than
    /// `quota` bytes with it.
    fn begin_blob(&self, new: BlobRecord, quota: u64, now: u64) -> Answer<'_, Begun>;

    /// A blob, also one that is over.
    fn blob(&self, blob: BlobId) -> Answer<'_, Option<BlobRecord>>;

    /// Notes that so many bytes are there, if it was `from` before and the blob is not over at `now`. A blob that is
    /// whole with it goes at its `keep_until`. Says whether it was noted.
    fn advance_blob(&self, blob: BlobId, from: u64, to: u64, now: u64) -> Answer<'_, bool>;

    /// Lets a blob be over.
    fn end_blob(&self, blob: BlobId, now: u64) -> Answer<'_, ()>;

    /// At most `batch` blobs that were over at `before`, and those whose owners are gone, with their sizes.
    fn over_blobs(&self, before: u64, batch: u32) -> Answer<'_, Vec<(BlobId, u64)>>;

    /// Forgets blobs whose bytes are gone. Says how many.
    fn forget_blobs(&self, blobs: Vec<BlobId>) -> Answer<'_, u64>;
}

/// The bytes of blobs, in chunks of `BLOB_CHUNK`.
pub trait Blobs: Send + Sync {
    /// Keeps a chunk, in place of what was there. Durable when it answers.
    fn put(&self, blob: BlobId, chunk: u32, bytes: Bytes) -> Answer<'_, ()>;

    /// A chunk.
    fn get(&self, blob: BlobId, chunk: u32) -> Answer<'_, Bytes>;

    /// Deletes chunks 0 to `chunks` − 1, as far as they are there.
    fn delete(&self, blob: BlobId, chunks: u32) -> Answer<'_, ()>;
}

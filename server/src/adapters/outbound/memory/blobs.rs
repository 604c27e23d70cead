//! The ports of blobs: what is known of them, and their bytes.

use bytes::Bytes;
use susurro_protocol::BlobId;

use super::{MemoryStore, done};
use crate::domain::Error;
use crate::domain::blob::{Begun, BlobRecord};
use crate::ports::{Answer, BlobRecords, Blobs};

impl BlobRecords for MemoryStore {
    fn begin_blob(&self, new: BlobRecord, quota: u64, now: u64) -> Answer<'_, Begun> {
        let mut state = MemoryStore::state(self);
        if let Some(known) = state.blobs.get(&new.blob) {
            return done(Ok(Begun::Known(*known)));
        }
        let taken = state.blobs.values().filter(|blob| blob.owner == new.owner && blob.expires > now);
        if taken.map(|blob| blob.size).sum::<u64>().saturating_add(new.size) > quota {
            return done(Ok(Begun::NoRoom));
        }
        state.blobs.insert(new.blob, new);
        done(Ok(Begun::Made))
    }

    fn blob(&self, blob: BlobId) -> Answer<'_, Option<BlobRecord>> {
        done(Ok(MemoryStore::state(self).blobs.get(&blob).copied()))
    }

    fn advance_blob(&self, blob: BlobId, from: u64, to: u64, now: u64) -> Answer<'_, bool> {
        let mut state = MemoryStore::state(self);
        let record = state.blobs.get_mut(&blob).filter(|record| record.uploaded == from && record.expires > now);
        let noted = record.map(|record| {
            record.uploaded = to;
            if record.is_whole() {
                record.expires = record.keep_until;
            }
        });
        done(Ok(noted.is_some()))
    }

    fn end_blob(&self, blob: BlobId, now: u64) -> Answer<'_, ()> {
        if let Some(record) = MemoryStore::state(self).blobs.get_mut(&blob) {
            record.expires = record.expires.min(now);
        }
        done(Ok(()))
    }

    fn over_blobs(&self, before: u64, batch: u32) -> Answer<'_, Vec<(BlobId, u64)>> {
        let state = MemoryStore::state(self);
        let mut over: Vec<_> = state.blobs.values().filter(|blob| blob.expires <= before).collect();
        over.sort_unstable_by_key(|blob| (blob.expires, blob.blob));
        done(Ok(over.iter().take(batch as usize).map(|blob| (blob.blob, blob.size)).collect()))
    }

    fn forget_blobs(&self, blobs: Vec<BlobId>) -> Answer<'_, u64> {
        let mut state = MemoryStore::state(self);
        let gone = blobs.iter().filter(|blob| state.blobs.remove(blob).is_some()).count();
        done(Ok(gone as u64))
    }
}

impl Blobs for MemoryStore {
    fn put(&self, blob: BlobId, chunk: u32, bytes: Bytes) -> Answer<'_, ()> {
        MemoryStore::state(self).chunks.insert((blob, chunk), bytes);
        done(Ok(()))
    }

    fn get(&self, blob: BlobId, chunk: u32) -> Answer<'_, Bytes> {
        let found = MemoryStore::state(self).chunks.get(&(blob, chunk)).cloned();
        done(found.ok_or_else(|| Error::Internal("a chunk of a blob is not there".to_owned())))
    }

    fn delete(&self, blob: BlobId, _chunks: u32) -> Answer<'_, ()> {
        MemoryStore::state(self).chunks.retain(|(other, _), _| *other != blob);
        done(Ok(()))
    }
}

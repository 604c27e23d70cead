//! Attachments: the message of a file waits at the head of its conversation until the relay has the whole blob.
//!
//! What the relay has is asked anew after every interruption, so nothing of an upload is kept here.

use std::collections::BTreeMap;

use rand_core::CryptoRng;
use susurro_protocol::content::{Attachment, RECEIPT_SAVED, TYPE_ATTACHMENT};
use susurro_protocol::limits::BLOB_CHUNK;
use susurro_protocol::rest::{BlobState, NewBlob};
use susurro_protocol::{AccountName, BlobId, ErrorCode, MessageId, codec};

use super::engine::Engine;
use super::jobs::Job;
use super::types::{Effect, Refused, Request, RequestFailure, Token};
use crate::crypto::attachment::blob_size;
use crate::model::{ClientEvent, Delivery, MessageContent};
use crate::store::port::Mutation;

/// Uploads of this run.
#[derive(Default)]
pub(super) struct Uploads(BTreeMap<MessageId, Upload>);

struct Upload {
    peer: AccountName,
    blob: BlobId,
    size: u64,
    /// Bytes that the relay has; `None` before it was asked.
    offset: Option<u64>,
}

impl Uploads {
    /// The next request of an upload.
    pub(super) fn request(&self, message: &MessageId) -> Option<Request> {
        let Upload { blob, size, offset, .. } = self.0.get(message)?;
        Some(match offset {
            None => Request::BeginBlob(NewBlob { blob: *blob, size: *size, expires_after: 0 }),
            Some(offset) => {
                let (blob, offset, size) = (*blob, *offset, *size);
                Request::PutBlob { blob, offset, size, bytes: bytes::Bytes::new() }
            }
        })
    }

    /// Takes the relay's word for how far an upload is. An offset that no upload can have is none. `None` for one
    /// that was given up meanwhile.
    fn advanced(&mut self, message: &MessageId, state: &BlobState) -> Result<Option<&Upload>, RequestFailure> {
        let Some(upload) = self.0.get_mut(message) else { return Ok(None) };
        let aligned = state.offset == upload.size || state.offset.is_multiple_of(BLOB_CHUNK as u64);
        let stands = upload.offset.is_some_and(|before| state.offset <= before);
        if state.blob != upload.blob || state.size != upload.size || state.offset > upload.size || !aligned || stands {
            return Err(RequestFailure::NotARelay);
        }
        upload.offset = Some(state.offset);
        Ok(Some(upload))
    }

    /// Whether a refusal means that the relay has another offset than it said, or nothing any more: it is asked again.
    pub(super) fn starts_over(&mut self, job: &Job, code: ErrorCode) -> bool {
        let Job::Upload(message) = job else { return false };
        let lost = matches!(code, ErrorCode::NotFound | ErrorCode::BlobConflict);
        lost && self.0.get_mut(message).is_some_and(|upload| upload.offset.take().is_some())
    }

    pub(super) fn forget(&mut self, message: &MessageId) {
        self.0.remove(message);
    }
}

impl<R: CryptoRng> Engine<R> {
    /// Queues a file. `again` for a message that failed: it is in the timeline already.
    pub(super) fn attach(
        &mut self,
        peer: AccountName,
        message: MessageId,
        attachment: Attachment,
        again: bool,
    ) -> Result<(), Refused> {
        self.check_peer(&peer)?;
        if self.is_known(&message) {
            return Ok(());
        }
        let body = codec::encode(&attachment);
        if again {
            self.draft.keep(Mutation::Delivery(message, Delivery::Queued, self.now));
            self.draft.emit(ClientEvent::Delivery { peer: peer.clone(), message, delivery: Delivery::Queued });
        } else {
            self.show_own(&peer, message, MessageContent::Attachment(Box::new(attachment)));
        }
        self.queue(peer, message, TYPE_ATTACHMENT, body, true);
        Ok(())
    }

    /// The relay says how far an upload is.
    pub(super) fn upload_advanced(&mut self, message: MessageId, state: &BlobState) -> Result<(), RequestFailure> {
        if let Some(Upload { peer, size, .. }) = self.uploads.advanced(&message, state)? {
            let (peer, done, size) = (peer.clone(), state.offset, *size);
            self.draft.emit(ClientEvent::Transfer { peer, message, done, size });
        }
        Ok(())
    }

    /// Whether the relay has the file of this message; sees to it otherwise.
    pub(super) fn is_uploaded(&mut self, peer: &AccountName, message: MessageId, attachment: &Attachment) -> bool {
        let Some(size) = blob_size(attachment.size) else { return true };
        let fresh = Upload { peer: peer.clone(), blob: attachment.blob, size, offset: None };
        let upload = self.uploads.0.entry(message).or_insert(fresh);
        if upload.offset == Some(size) {
            return true;
        }
        self.want(Job::Upload(message));
        false
    }

    /// An attachment of this person was saved here: tells them, so that the relay need not keep it.
    pub(super) fn saved(&mut self, peer: &AccountName, message: MessageId) -> Result<(), Refused> {
        if !self.people.contacts.contains_key(peer) {
            return Err(Refused::UnknownContact(peer.clone()));
        }
        self.queue_receipt(peer, RECEIPT_SAVED, vec![message]);
        Ok(())
    }

    /// An attachment arrived where it was to go. Where either side has more devices, the others may still want it, and
    /// its time ends it.
    pub(super) fn attachment_saved(&mut self, from: &AccountName, messages: &[MessageId]) {
        let alone = |account| self.people.lists.get(account).is_some_and(|list| list.certificates().len() == 1);
        let both = self.people.contacts.get(from).is_some_and(|contact| alone(&contact.account));
        let Some(tokens) = self.tokens.current.as_ref().filter(|_| both && alone(&self.me.account)) else { return };
        for message in messages {
            let access_token = Token(tokens.access.clone());
            self.draft.effects.push(Effect::DropBlob { peer: from.clone(), message: *message, access_token });
        }
    }
}

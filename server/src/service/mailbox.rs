//! Reading and emptying one's own mailbox.

use susurro_protocol::event::Deliver;
use susurro_protocol::limits::{DELIVERY_WINDOW_BYTES, PAGE_MAX};
use susurro_protocol::rest::{AcknowledgeMessages, Page, WaitingMessage, acknowledgement_proof};
use susurro_protocol::signed::{self, Label};
use susurro_protocol::{ChatId, DeviceId, ErrorCode, MailboxSeq};

use super::Relay;
use super::profile::page_limit;
use crate::domain::Error;
use crate::domain::message::{self, Waiting};
use crate::domain::token::Claims;

impl Relay {
    /// The oldest messages behind a position, bounded in number and bytes.
    ///
    /// # Errors
    ///
    /// Only those of the store.
    pub async fn waiting(
        &self,
        mailbox: DeviceId,
        after: MailboxSeq,
        limit: u32,
        bytes: usize,
    ) -> Result<Vec<Waiting>, Error> {
        self.ports.mailboxes.read(mailbox, after, limit, bytes).await
    }

    /// Forgets deliveries that a device has made durable.
    pub fn acknowledge(&self, mailbox: DeviceId, cursor: MailboxSeq) {
        tracing::trace!(target: "susurro_server::seen", event = "acknowledged", mailbox = message::short(&mailbox), seq = cursor);
        self.ports.mailboxes.acknowledge(mailbox, cursor);
    }

    /// A page of what waits for the calling device in one chat. Reading acknowledges nothing.
    ///
    /// # Errors
    ///
    /// `NotFound` for chats of others.
    pub async fn chat_messages(
        &self,
        claims: &Claims,
        chat: ChatId,
        after: MailboxSeq,
        limit: Option<u32>,
    ) -> Result<Page<WaitingMessage>, Error> {
        self.chat(claims, chat).await?;
        let limit = page_limit(limit) as usize;
        let (mut items, mut cursor, mut bytes) = (Vec::new(), after, 0);
        // A few pages of the mailbox a request: other chats' messages may lie in between.
        for _ in 0..SCAN_PAGES {
            let rows = self.waiting(claims.device, cursor, PAGE_MAX, DELIVERY_WINDOW_BYTES).await?;
            if rows.is_empty() {
                return Ok(Page { items, next: None });
            }
            for row in rows {
                if items.len() == limit || bytes >= DELIVERY_WINDOW_BYTES {
                    return Ok(Page { items, next: Some(cursor.to_string()) });
                }
                cursor = row.seq;
                if row.chat == chat {
                    bytes += row.ciphertext.len();
                    items.push(WaitingMessage { delivery: delivery(row) });
                }
            }
        }
        Ok(Page { items, next: Some(cursor.to_string()) })
    }

    /// Forgets what the calling device has made durable of one chat: what [`chat_messages`](Self::chat_messages)
    /// gave it up to a position. Durable when it answers.
    ///
    /// # Errors
    ///
    /// `NotFound` for chats of others; `BadSignature` without the device's key, so that a stolen token deletes
    /// nothing; `InvalidRequest` for a position that was never given out, which would one day delete a message that
    /// nobody has seen.
    pub async fn acknowledge_chat(
        &self,
        claims: &Claims,
        chat: ChatId,
        request: &AcknowledgeMessages,
    ) -> Result<(), Error> {
        let AcknowledgeMessages { up_to, proof } = request;
        let up_to = *up_to;
        self.chat(claims, chat).await?;
        let device = self.ports.devices.device(claims.device).await?.ok_or(ErrorCode::UnknownDevice)?;
        let relay_key = self.keys.signing.verifying_key().to_bytes();
        let signed = acknowledgement_proof(&relay_key, &claims.account, &claims.device, &chat, up_to);
        let key = &device.certificate.body().signing_key.0;
        signed::verify(key, Label::Acknowledgement, &signed, &proof.0).map_err(|_| ErrorCode::BadSignature)?;
        if up_to > self.mailbox_head(claims.device).await? {
            return Err(Error::invalid("`up_to` lies beyond everything that came"));
        }
        tracing::trace!(target: "susurro_server::seen", event = "acknowledged", mailbox = message::short(&claims.device), seq = up_to);
        self.ports.mailboxes.acknowledge_chat(claims.device, chat, up_to).await
    }

    /// Whether a device exists, and the last position given out in its mailbox.
    ///
    /// # Errors
    ///
    /// `UnknownDevice`.
    pub async fn mailbox_head(&self, mailbox: DeviceId) -> Result<MailboxSeq, Error> {
        let state = self.ports.mailboxes.state(mailbox).await?;
        Ok(state.ok_or(ErrorCode::UnknownDevice)?.head)
    }
}

/// Pages of a mailbox that one request looks through.
const SCAN_PAGES: u32 = 10;

/// A waiting message as it goes over the wire.
#[must_use]
pub(crate) fn delivery(waiting: Waiting) -> Deliver {
    Deliver {
        seq: waiting.seq,
        message: waiting.message,
        chat: waiting.chat,
        sender: waiting.sender,
        sender_device: waiting.sender_device,
        stored_at: waiting.stored_at,
        ciphertext: susurro_protocol::bytes::Bin(waiting.ciphertext),
    }
}

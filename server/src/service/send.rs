//! Depositing a message: the same for both doors.

use susurro_protocol::ErrorCode;

use super::Relay;
use crate::domain::Error;
use crate::domain::message::{Deposited, NewMessage, Submission, check_devices, check_shape, content_hash, expires_at};
use crate::domain::token::Claims;
use crate::ports::Receipt;

impl Relay {
    /// Checks a message and queues it for the store. The receipt that comes back ends when the
    /// message is durable; messages of one connection become durable in the order of the calls.
    ///
    /// # Errors
    ///
    /// `InvalidRequest`, `TooLarge`, `UnknownChat`, [`Error::StaleDeviceList`]; the receipt may
    /// still bring `MailboxFull`, `MessageIdReused` or `StorageUnavailable`.
    pub async fn send(&self, claims: &Claims, submission: Submission) -> Result<Receipt, Error> {
        check_shape(&submission)?;
        let content = content_hash(&submission);
        let roster = self.ports.chats.roster(submission.chat).await?.ok_or(ErrorCode::UnknownChat.into());
        let checked = roster.and_then(|roster| {
            check_devices(&submission, &roster, &claims.account, &claims.device).map(|()| roster.disappear_after)
        });
        let disappear_after = match checked {
            Ok(disappear_after) => disappear_after,
            // A list may have changed, or somebody left the chat, since the first try whose answer
            // got lost: what was taken then must not look refused now.
            Err(refused) => {
                return match self.ports.mailboxes.recall(claims.device, submission.message).await? {
                    Some((known, stored_at)) if known == content => {
                        Ok(Box::pin(std::future::ready(Ok(Deposited::Repeated { stored_at }))))
                    }
                    _ => Err(refused),
                };
            }
        };
        let stored_at = self.now();
        let expires_at = expires_at(stored_at, submission.time_to_live, disappear_after);
        let message = NewMessage {
            message: submission.message,
            chat: submission.chat,
            sender: claims.account,
            sender_device: claims.device,
            content,
            stored_at,
            expires_at,
            deposits: submission.deposits.into_iter().map(|d| (d.device, d.ciphertext.0)).collect(),
        };
        self.ports.mailboxes.deposit(message).await
    }
}

//! What has to be tidied up while nobody asks.

use super::Relay;

/// Rows of one step: small, so that no sender waits behind it.
const BATCH: u32 = 500;

impl Relay {
    /// Drops what is past its time, a small batch a transaction, until nothing is left to drop.
    /// Says how much went.
    pub async fn tidy(&self) -> u64 {
        let mut gone = 0;
        if let Err(error) = self.ports.announcements.forget_announcements(self.now()).await {
            tracing::warn!(%error, "could not forget announcements, will try again");
        }
        loop {
            let now = self.now();
            let messages = self.ports.mailboxes.expire(now, BATCH).await;
            let sessions = self.ports.sessions.expire(now, BATCH).await;
            let blobs = self.tidy_blobs().await;
            match (messages, sessions, blobs) {
                (Ok(0), Ok(0), Ok(0)) => return gone,
                (Ok(messages), Ok(sessions), Ok(blobs)) => gone += messages + sessions + blobs,
                (Err(error), _, _) | (_, Err(error), _) | (_, _, Err(error)) => {
                    tracing::warn!(%error, "could not tidy up, will try again");
                    return gone;
                }
            }
        }
    }
}

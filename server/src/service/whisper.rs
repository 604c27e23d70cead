//! Signals that are forwarded and never stored.

use std::sync::PoisonError;

use susurro_protocol::command::Whisper;

use super::Relay;
use crate::domain::Error;
use crate::domain::message::{check_whisper, signals};
use crate::domain::token::Claims;

impl Relay {
    /// Hands a whisper to those of its devices that are connected. What may not be forwarded, or
    /// comes too often, is forgotten without a word: nobody waits for an answer.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` or `TooLarge` for what no client sends.
    pub async fn whisper(&self, claims: &Claims, whisper: Whisper) -> Result<(), Error> {
        check_whisper(&whisper)?;
        let allowance = self.whispers.lock().unwrap_or_else(PoisonError::into_inner).take(claims.device, self.now());
        if allowance.retry_after.is_some() {
            return Ok(());
        }
        match self.ports.chats.roster(whisper.chat).await {
            Ok(Some(roster)) => {
                self.ports.bus.whisper(signals(whisper, &roster, claims.account, claims.device));
            }
            Ok(None) => {}
            Err(error) => tracing::debug!(%error, "a whisper is forgotten"),
        }
        Ok(())
    }
}

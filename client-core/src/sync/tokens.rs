//! Tokens: refreshed before they expire, once more when the relay refuses them, and given up when
//! it refuses that too.

use rand_core::CryptoRng;
use susurro_protocol::limits::ACCESS_SECONDS;
use susurro_protocol::rest::TokenResponse;
use zeroize::Zeroizing;

use super::connect::Link;
use super::engine::Engine;
use super::jobs::is_about_token;
use super::types::RequestFailure;
use crate::model::Trouble;
use crate::store::port::{Mutation, Tokens};
use susurro_protocol::ErrorCode;

/// Milliseconds of life that an access token must have left to be used: a handshake and a slow
/// clock fit in.
const MARGIN: u64 = 60_000;

/// Milliseconds after which the refusal of a refreshed token is a new one: the relay has taken it
/// back meanwhile.
const DOUBT_ENDS_AFTER: u64 = 10_000;

#[derive(Default)]
pub(super) struct TokenState {
    pub(super) current: Option<Tokens>,
    /// Counts refreshes: a refusal of an earlier token says nothing of the present one.
    pub(super) generation: u64,
    /// The relay refused the access token although it should be good.
    pub(super) doubted: bool,
    /// When it was refreshed for that reason last. That something worked since says nothing: a relay
    /// that takes the new token and refuses it in the session would be asked in a loop.
    pub(super) refreshed_in_doubt: Option<u64>,
}

impl<R: CryptoRng> Engine<R> {
    /// Whether the access token can be used now. One that claims to live longer than tokens do
    /// was dated by a clock that has been put back since.
    pub(super) fn token_is_fresh(&self) -> bool {
        let Some(tokens) = &self.tokens.current else { return false };
        let left = tokens.access_expires.saturating_sub(self.now);
        !self.tokens.doubted && left > MARGIN && left <= 2 * ACCESS_SECONDS * 1000
    }

    /// The relay refused the access token: refresh it, but only once in a row.
    pub(super) fn doubt_token(&mut self, generation: u64) {
        if generation != self.tokens.generation {
            return;
        }
        self.tokens.doubted = true;
        let refreshed = self.tokens.refreshed_in_doubt.take();
        if refreshed.is_some_and(|at| self.now.abs_diff(at) < DOUBT_ENDS_AFTER) {
            // The refresh token was good a moment ago: kept for when a person tries again.
            self.block(Trouble::LoggedOut);
        }
    }

    pub(super) fn refreshed(&mut self, answer: TokenResponse) {
        if (answer.account, answer.device) != (self.me.account, self.me.device.device()) {
            return self.logged_out();
        }
        let tokens = Tokens {
            access: Zeroizing::new(answer.access_token),
            // A relay that says nonsense gets asked again sooner, not never.
            access_expires: self.now.saturating_add(answer.access_expires_in.min(ACCESS_SECONDS) * 1000),
            refresh: Zeroizing::new(answer.refresh_token),
        };
        self.draft.keep(Mutation::Tokens(Some(tokens.clone())));
        self.tokens.current = Some(tokens);
        self.tokens.generation += 1;
        if std::mem::take(&mut self.tokens.doubted) {
            self.tokens.refreshed_in_doubt = Some(self.now);
        }
        if matches!(self.connector.link, Link::Refreshing) {
            self.open_socket();
        }
    }

    pub(super) fn refresh_failed(&mut self, attempts: u32, failure: RequestFailure) {
        let (trouble, retry_after) = match failure {
            RequestFailure::Refused { code, .. }
                if is_about_token(code) || matches!(code, ErrorCode::InvalidCredentials | ErrorCode::UnknownDevice) =>
            {
                return self.logged_out();
            }
            RequestFailure::Refused { retry_after, .. } => (Trouble::Overloaded, retry_after.unwrap_or(0)),
            RequestFailure::Unreachable => (Trouble::Unreachable, 0),
            RequestFailure::NotARelay => (Trouble::NotARelay, 0),
        };
        if matches!(self.connector.link, Link::Refreshing) {
            self.lose(trouble, retry_after);
        } else {
            self.put_off_refresh(attempts, retry_after);
        }
    }

    /// The relay takes none of the tokens, and only a password brings new ones. They are kept all
    /// the same: a refusal is signed by nobody, and an impostor at the relay's address must not
    /// be able to log anybody out.
    pub(super) fn logged_out(&mut self) {
        self.tokens.doubted = false;
        self.tokens.refreshed_in_doubt = None;
        self.block(Trouble::LoggedOut);
    }

    pub(super) fn forget_tokens(&mut self) {
        if self.tokens.current.take().is_some() {
            self.draft.keep(Mutation::Tokens(None));
        }
        self.tokens.doubted = false;
        self.tokens.refreshed_in_doubt = None;
    }
}

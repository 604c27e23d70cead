//! Opening a connection for a device.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use susurro_protocol::event::Deliver;
use susurro_protocol::frame::RawFrame;
use susurro_protocol::handshake::ReceivedHello;
use susurro_protocol::session::{FrameOpener, FrameSealer};
use susurro_protocol::{DeviceId, ErrorCode, MailboxSeq};
use zeroize::Zeroizing;

use super::Relay;
use crate::domain::Error;
use crate::domain::message::Waiting;
use crate::domain::token::Claims;
use crate::ports::{Slot, Turn};

/// Numbers connections in the order of their `Welcome`.
#[derive(Default)]
pub(super) struct Turns(AtomicU64);

impl Turns {
    /// `now`, in milliseconds since 1970, times 2¹⁶; more than the number before when the clock was set back.
    fn next(&self, now: u64) -> u64 {
        let now = now << 16;
        let next = |last: u64| now.max(last + 1);
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, |last| Some(next(last))).map_or(now, next)
    }
}

/// A connection whose `Hello` was believed.
pub struct Opened {
    /// The bytes of `Welcome`.
    pub welcome: Vec<u8>,
    /// Seals what goes out.
    pub sealer: FrameSealer,
    /// Opens what comes in.
    pub opener: FrameOpener,
    /// Where the client may go on.
    pub resume: Resume,
    /// Its place among the connections of its device.
    pub turn: Turn,
}

/// Where delivery goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resume {
    /// Behind a position that the client names: no lower than that of its `Hello`, no higher than
    /// what was given out.
    Between(MailboxSeq, MailboxSeq),
    /// The client has seen positions that this relay never gave out: it was restored from a backup.
    /// Everything that waits comes again, behind this position, whatever the client names.
    Restored(MailboxSeq),
}

impl Resume {
    /// The position behind which delivery starts and up to which messages may be forgotten, when
    /// the first `Ack` names `first`.
    #[must_use]
    pub fn start(self, first: MailboxSeq) -> Option<(MailboxSeq, MailboxSeq)> {
        match self {
            Self::Between(low, high) => (low..=high).contains(&first).then_some((first, first)),
            Self::Restored(start) => Some((start, 0)),
        }
    }
}

impl Relay {
    /// Answers `Hello` on a connection that came with `token`.
    ///
    /// # Errors
    ///
    /// What [`ReceivedHello`] refuses; `Unauthenticated` when the token is of another account or
    /// device, `UnknownDevice` when the device is gone.
    pub async fn open(&self, frame: RawFrame, claims: &Claims, token: &str) -> Result<Opened, Error> {
        let key = &self.keys.signing;
        let hello = ReceivedHello::read(frame, key.verifying_key().as_bytes(), token)?;
        let said = hello.claims();
        if said.account != claims.account || said.device != claims.device {
            return Err(ErrorCode::Unauthenticated.into());
        }
        let cursor = said.cursor;
        let device = self.ports.devices.device(claims.device).await?.ok_or(ErrorCode::UnknownDevice)?;
        let head = self.mailbox_head(claims.device).await?;
        let (resume, shown) = if cursor <= head {
            (Resume::Between(cursor, head), head)
        } else {
            // Messages that came after the restore have positions that the client takes for old.
            // It is told of a head below them, so that it goes on there and acknowledges nothing
            // that it has not seen.
            let oldest = self.waiting(claims.device, 0, 1, 0).await?.first().map(|waiting| waiting.seq);
            let start = oldest.map_or(head, |oldest| oldest.saturating_sub(1));
            (Resume::Restored(start), start)
        };
        let ephemeral = Zeroizing::new(self.random()?);
        let signing_key = device.certificate.body().signing_key.0;
        let (welcome, pair) = hello.verify(&signing_key, key, ephemeral, self.now(), shown)?;
        let turn = Turn { welcomed: self.turns.next(self.now()), tie: u64::from_be_bytes(self.random()?) };
        Ok(Opened { welcome, sealer: pair.sealer, opener: pair.opener, resume, turn })
    }

    /// Makes a connection the one of its device, after its first session frame.
    ///
    /// # Errors
    ///
    /// `HandshakeTimeout` when that frame was so late that a newer connection of the device is open, which goes on.
    /// `TokenRevoked` when the token was taken back during the handshake.
    pub async fn attach(&self, claims: &Claims, turn: Turn) -> Result<Arc<Slot>, Error> {
        let slot = self.ports.bus.attach(claims.device, claims.family, turn);
        let slot = slot.ok_or(ErrorCode::HandshakeTimeout)?;
        // In this order: a logout either finds the connection or is found here.
        if let Err(revoked) = self.check_not_revoked(claims).await {
            self.ports.bus.detach(claims.device, &slot);
            return Err(revoked);
        }
        Ok(slot)
    }

    /// Takes a connection away again.
    pub fn detach(&self, device: DeviceId, slot: &Arc<Slot>) {
        self.ports.bus.detach(device, slot);
        self.presences.end(slot);
    }

    /// A message as it goes out to its device.
    #[must_use]
    pub fn delivery(&self, waiting: Waiting) -> Deliver {
        super::fanout::seen("delivered", &waiting);
        super::mailbox::delivery(waiting)
    }
}

#[cfg(test)]
mod tests {
    use super::{Resume, Turns};

    #[test]
    fn turns_rise_also_when_the_clock_falls() {
        let turns = Turns::default();
        let taken: Vec<_> = [5, 5, 9, 3, 10].map(|now| turns.next(now)).into();
        assert_eq!(taken, [5 << 16, (5 << 16) + 1, 9 << 16, (9 << 16) + 1, 10 << 16]);
    }

    #[test]
    fn the_first_acknowledgement_goes_on_from_hello_and_forgets_nothing_after_a_restore() {
        let usual = Resume::Between(3, 5);
        assert_eq!(usual.start(3), Some((3, 3)));
        assert_eq!(usual.start(5), Some((5, 5)));
        assert_eq!((usual.start(2), usual.start(6)), (None, None));
        assert_eq!(Resume::Restored(7).start(9), Some((7, 0)));
    }
}

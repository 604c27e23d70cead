//! Opening a connection for a device.

use std::sync::Arc;

use susurro_protocol::frame::RawFrame;
use susurro_protocol::handshake::ReceivedHello;
use susurro_protocol::session::{FrameOpener, FrameSealer};
use susurro_protocol::{DeviceId, ErrorCode, MailboxSeq};
use zeroize::Zeroizing;

use super::Relay;
use crate::domain::Error;
use crate::domain::message::Waiting;
use crate::domain::token::Claims;
use crate::ports::Slot;
use susurro_protocol::event::Deliver;

/// A connection whose `Hello` was believed.
pub struct Opened {
    /// The bytes of `Welcome`.
    pub welcome: Vec<u8>,
    /// Seals what goes out.
    pub sealer: FrameSealer,
    /// Opens what comes in.
    pub opener: FrameOpener,
    /// The position that the client says it has.
    pub cursor: MailboxSeq,
    /// The last position given out.
    pub head: MailboxSeq,
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
        let ephemeral = Zeroizing::new(self.random()?);
        let signing_key = device.certificate.body().signing_key.0;
        let (welcome, pair) = hello.verify(&signing_key, key, ephemeral, self.now(), head)?;
        Ok(Opened { welcome, sealer: pair.sealer, opener: pair.opener, cursor, head })
    }

    /// Makes a connection the one of its device, after its first session frame.
    ///
    /// # Errors
    ///
    /// `TokenRevoked` when the token was taken back during the handshake.
    pub async fn attach(&self, claims: &Claims) -> Result<Arc<Slot>, Error> {
        let slot = self.ports.bus.attach(claims.device, claims.family);
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
    }

    /// A message as it goes out to its device.
    #[must_use]
    pub fn delivery(&self, waiting: Waiting) -> Deliver {
        super::fanout::seen("delivered", &waiting);
        super::mailbox::delivery(waiting)
    }
}

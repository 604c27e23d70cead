//! From the upgrade to the first session frame.

use std::sync::Arc;
use std::time::Duration;

use susurro_protocol::command::Ack;
use susurro_protocol::event::ErrorNotice;
use susurro_protocol::frame::{FrameKind, RawFrame};
use susurro_protocol::session::{FrameOpener, FrameSealer};
use susurro_protocol::{ErrorCode, MailboxSeq, codec, handshake};

use tokio::time::{Instant, sleep_until};

use super::wire::{End, Wire};
use crate::domain::Error;
use crate::domain::token::Claims;
use crate::ports::Slot;
use crate::service::Relay;
use crate::shutdown::Listener;

/// A connection that its device has proven to be its own.
pub(super) struct Session {
    pub(super) sealer: FrameSealer,
    pub(super) opener: FrameOpener,
    /// Where delivery starts.
    pub(super) cursor: MailboxSeq,
    pub(super) slot: Arc<Slot>,
}

/// Why there is no session.
pub(super) struct Failed {
    pub(super) end: End,
    /// What can still be said to the client under the session's keys.
    pub(super) sealer: Option<FrameSealer>,
}

/// Answers `Hello` and waits for the first `Ack`, both within `patience`. Only that proves that the client has the
/// session keys: a replayed `Hello` gets a `Welcome` and no further, so nothing of the device is touched before.
pub(super) async fn shake(
    wire: &mut Wire,
    relay: &Relay,
    claims: &Claims,
    token: &str,
    patience: Duration,
    shutdown: &mut Listener,
) -> Result<Session, Failed> {
    let until = Instant::now() + patience;
    let opened = in_time(until, shutdown, async {
        let message = next(wire).await?;
        let hello = RawFrame::decode(&message)?;
        if hello.kind == FrameKind::Error {
            return Err(End::Gone);
        }
        relay.open(hello, claims, token).await.map_err(|error| end(&error))
    });
    let opened = opened.await.map_err(|end| Failed { end, sealer: None })?;
    let (sealer, mut opener) = (opened.sealer, opened.opener);
    // From `Welcome` on the client can check what it is told, an end included.
    let begun = in_time(until, shutdown, async {
        wire.feed(opened.welcome).await?;
        wire.flush().await?;
        let frame = opener.open_message(&next(wire).await?)?;
        let kind = frame.kind();
        if kind != FrameKind::Ack {
            return Err(End::Because(ErrorCode::UnexpectedFrame, kind.number()));
        }
        let malformed = End::Because(ErrorCode::MalformedBody, kind.number());
        let first: Ack = codec::decode(frame.body()).map_err(|_| malformed)?;
        let unexpected = End::Because(ErrorCode::UnexpectedFrame, kind.number());
        opened.resume.start(first.cursor).ok_or(unexpected)
    });
    let attached = match begun.await {
        Ok(start) => relay.attach(claims, opened.turn).await.map(|slot| (slot, start)).map_err(|error| end(&error)),
        Err(end) => Err(end),
    };
    let (slot, (cursor, durable)) = match attached {
        Ok(attached) => attached,
        Err(end) => return Err(Failed { end, sealer: Some(sealer) }),
    };
    if durable > 0 {
        relay.acknowledge(claims.device, durable);
    }
    Ok(Session { sealer, opener, cursor, slot })
}

/// A step of the handshake, which neither an idle client nor a shutdown waits for.
async fn in_time<T>(
    until: Instant,
    shutdown: &mut Listener,
    step: impl Future<Output = Result<T, End>>,
) -> Result<T, End> {
    tokio::select! {
        done = step => done,
        () = sleep_until(until) => Err(ErrorCode::HandshakeTimeout.into()),
        () = shutdown.begun() => Err(ErrorCode::GoingAway.into()),
    }
}

/// Tells the client why there is no session.
pub(super) async fn refuse(mut wire: Wire, failed: Failed) {
    let (code, about) = match failed.end {
        End::Because(code, about) => (code, about),
        End::Heard(code) => return wire.close(code).await,
        End::Gone => return,
    };
    let notice = ErrorNotice { about, ..ErrorNotice::of(code) };
    let frame = match failed.sealer {
        Some(mut sealer) => sealer.seal(FrameKind::Error, &notice).unwrap_or_default(),
        None => handshake::refuse(&notice),
    };
    if wire.feed(frame).await.is_ok() {
        wire.close(code).await;
    }
}

/// The end that an error of a use case means for a connection.
pub(super) fn end(error: &Error) -> End {
    if matches!(error, Error::Storage(_) | Error::Internal(_)) {
        tracing::error!(%error, "a connection failed");
    }
    error.code().into()
}

async fn next(wire: &mut Wire) -> Result<bytes::Bytes, End> {
    loop {
        if let Some(message) = wire.receive().await? {
            return Ok(message);
        }
    }
}

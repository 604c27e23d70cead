//! Bytes in and out of one socket, with an end to every wait.

use std::future::poll_fn;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use susurro_protocol::ErrorCode;
use susurro_protocol::limits::FRAME_MAX;
use tokio::time::timeout;

/// How long a closing connection is read, so that the close frame is not lost in a reset.
const LINGER: Duration = Duration::from_secs(2);

/// Why a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The other side is gone, or does not take what is written.
    Gone,
    /// The other side has said why.
    Heard(ErrorCode),
    /// This side has a reason, about a frame of this kind (0 for none).
    Because(ErrorCode, u16),
}

impl End {
    /// The reason, if there is one.
    pub(super) fn code(self) -> Option<ErrorCode> {
        match self {
            Self::Gone => None,
            Self::Heard(code) | Self::Because(code, _) => Some(code),
        }
    }
}

impl From<ErrorCode> for End {
    fn from(code: ErrorCode) -> Self {
        Self::Because(code, 0)
    }
}

/// One socket.
pub(super) struct Wire {
    socket: WebSocket,
    patience: Duration,
}

impl Wire {
    pub(super) fn new(socket: WebSocket, patience: Duration) -> Self {
        Self { socket, patience }
    }

    /// The next message that is not a control frame; `Ok(None)` for a control frame, which is a
    /// sign of life all the same. Can be dropped at any point without losing anything.
    pub(super) async fn receive(&mut self) -> Result<Option<Bytes>, End> {
        match self.socket.next().await {
            Some(Ok(Message::Binary(bytes))) => Ok(Some(bytes)),
            Some(Ok(Message::Text(_))) => Err(ErrorCode::MalformedFrame.into()),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(None),
            Some(Ok(Message::Close(_))) | None => Err(End::Gone),
            Some(Err(error)) if is_too_large(&error) => Err(ErrorCode::FrameTooLarge.into()),
            Some(Err(_)) => Err(End::Gone),
        }
    }

    /// Adds a frame to what is written at the next [`flush`](Self::flush), or earlier.
    pub(super) async fn feed(&mut self, frame: Vec<u8>) -> Result<(), End> {
        self.ready().await?;
        self.push(frame)
    }

    /// Waits until there is room for a frame: almost always at once. Can be dropped at any point.
    pub(super) async fn ready(&mut self) -> Result<(), End> {
        let ready = poll_fn(|context| self.socket.poll_ready_unpin(context));
        timeout(self.patience, ready).await.map_err(|_| End::Gone)?.map_err(|_| End::Gone)
    }

    /// Adds a frame after [`ready`](Self::ready).
    pub(super) fn push(&mut self, frame: Vec<u8>) -> Result<(), End> {
        debug_assert!(frame.len() <= FRAME_MAX, "the sealer checks the size");
        self.socket.start_send_unpin(Message::Binary(frame.into())).map_err(|_| End::Gone)
    }

    /// Writes what was fed. Can be dropped at any point.
    pub(super) async fn flush(&mut self) -> Result<(), End> {
        timeout(self.patience, self.socket.flush()).await.map_err(|_| End::Gone)?.map_err(|_| End::Gone)
    }

    /// Says why, and waits a moment for the other side to have heard it.
    pub(super) async fn close(mut self, code: ErrorCode) {
        let frame = CloseFrame { code: code.close_code(), reason: Utf8Bytes::from_static(code.slug()) };
        let goodbye = async {
            self.socket.send(Message::Close(Some(frame))).await?;
            while self.socket.next().await.is_some_and(|message| message.is_ok()) {}
            Ok::<(), axum::Error>(())
        };
        // Whoever does not hear it in time finds a closed connection.
        let _ = timeout(LINGER, goodbye).await;
    }
}

fn is_too_large(error: &axum::Error) -> bool {
    use std::error::Error as _;
    let mut source = error.source();
    while let Some(error) = source {
        // The WebSocket library's own type is not ours to name: its text is checked by a test.
        if error.to_string().starts_with("Space limit exceeded") {
            return true;
        }
        source = error.source();
    }
    false
}

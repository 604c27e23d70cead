//! The WebSocket at `/ws` (`docs/protocol.md`, section 8).

use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use susurro_protocol::ErrorCode;
use susurro_protocol::limits::FRAME_MAX;
use susurro_protocol::version::SUBPROTOCOL;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::http::{HeaderValue, header};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::RelayUrl;
use super::http::{TransportError, cause, is_problem, refusal, retry_after};
use crate::sync::types::{SocketId, Token};

/// For connection, TLS and upgrade together.
const OPEN_TIMEOUT: Duration = Duration::from_secs(15);

/// For one batch of frames to leave: a connection that takes none for so long is dead.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// For a close frame to leave; nobody waits for the other side's.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Frames that wait to be written. The engine sends only so much ahead of the relay's answers;
/// a socket that falls so far behind has no use.
const OUTGOING_MAX: usize = 4096;

/// What happens to a socket.
#[derive(Debug)]
pub enum SocketEvent {
    /// The upgrade succeeded.
    Opened,
    /// It did not; the last event.
    Failed(TransportError),
    /// A binary message.
    Frame(Bytes),
    /// It ended; the last event.
    Closed(Option<ErrorCode>),
}

/// A socket that is opening or open. Dropping it closes it.
#[derive(Debug)]
pub struct Socket {
    id: SocketId,
    outgoing: Option<mpsc::Sender<Message>>,
    task: JoinHandle<()>,
}

impl Socket {
    /// Opens a socket in a task of its own; everything that happens to it goes to `events`.
    #[must_use]
    pub fn open(id: SocketId, url: &RelayUrl, token: &Token, events: mpsc::Sender<(SocketId, SocketEvent)>) -> Self {
        let (outgoing, queue) = mpsc::channel(OUTGOING_MAX);
        let request = request(url, token);
        let task = tokio::spawn(async move {
            run(request, queue, &Events { id, events }).await;
        });
        Self { id, outgoing: Some(outgoing), task }
    }

    /// Its number.
    #[must_use]
    pub fn id(&self) -> SocketId {
        self.id
    }

    /// Queues a binary message. What does not fit ends the socket, with a `Closed` event.
    pub fn transmit(&mut self, message: Vec<u8>) {
        if self.outgoing.as_ref().is_some_and(|queue| queue.try_send(Message::Binary(message.into())).is_err()) {
            self.outgoing = None;
        }
    }

    /// Writes what is queued, closes (with the code of an error, if there was one), and waits for
    /// that, for a short time.
    pub async fn close(mut self, code: Option<ErrorCode>) {
        if let Some((queue, code)) = self.outgoing.take().zip(code) {
            // A full queue belongs to a connection that takes nothing any more.
            let _ = queue.try_send(Message::Close(Some(close_frame(code))));
        }
        let _ = timeout(CLOSE_TIMEOUT, &mut self.task).await;
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Where events of a socket go.
struct Events {
    id: SocketId,
    events: mpsc::Sender<(SocketId, SocketEvent)>,
}

impl Events {
    async fn tell(&self, event: SocketEvent) {
        // Nobody listens any more only when the client is closed.
        let _ = self.events.send((self.id, event)).await;
    }
}

type Stream = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn run(request: Option<Request>, queue: mpsc::Receiver<Message>, events: &Events) {
    let Some(request) = request else { return events.tell(SocketEvent::Failed(TransportError::NotARelay)).await };
    let config = WebSocketConfig::default().max_message_size(Some(FRAME_MAX)).max_frame_size(Some(FRAME_MAX));
    // Small frames must not wait for each other (Nagle's algorithm).
    let connect = tokio_tungstenite::connect_async_with_config(request, Some(config), true);
    let stream = match timeout(OPEN_TIMEOUT, connect).await {
        Ok(Ok((stream, _))) => stream,
        Ok(Err(error)) => return events.tell(SocketEvent::Failed(failure(error))).await,
        Err(_) => {
            return events.tell(SocketEvent::Failed(TransportError::Unreachable("no answer in time".to_owned()))).await;
        }
    };
    events.tell(SocketEvent::Opened).await;
    let code = serve(stream, queue, events).await;
    events.tell(SocketEvent::Closed(code)).await;
}

/// Reads and writes until the socket ends. Reading goes on while a write waits, so that two sides
/// which write at once do not wait for each other.
async fn serve(stream: Stream, mut queue: mpsc::Receiver<Message>, events: &Events) -> Option<ErrorCode> {
    let (mut sink, mut source) = stream.split();
    let write = async {
        while let Some(message) = queue.recv().await {
            let mut told = message.is_close();
            let batch = async {
                sink.feed(message).await?;
                while let Ok(message) = queue.try_recv() {
                    told |= message.is_close();
                    sink.feed(message).await?;
                }
                sink.flush().await
            };
            if !matches!(timeout(WRITE_TIMEOUT, batch).await, Ok(Ok(()))) {
                return false;
            }
            if told {
                return true;
            }
        }
        let _ = timeout(CLOSE_TIMEOUT, sink.close()).await;
        false
    };
    let read = async {
        loop {
            match source.next().await {
                Some(Ok(Message::Binary(bytes))) => events.tell(SocketEvent::Frame(bytes)).await,
                Some(Ok(Message::Close(frame))) => return (frame.as_ref().and_then(close_code), false),
                // Pings are answered by the library; a relay sends no text.
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Text(_))) => return (Some(ErrorCode::MalformedFrame), true),
                Some(Err(tungstenite::Error::Capacity(_))) => return (Some(ErrorCode::FrameTooLarge), true),
                Some(Err(_)) | None => return (None, false),
            }
        }
    };
    let (code, found_here, mut told) = tokio::select! {
        (code, found_here) = read => (code, found_here, false),
        told = write => (None, false, told),
    };
    if let Some(code) = code.filter(|_| found_here) {
        // SES-5: the relay is told why.
        let close = sink.send(Message::Close(Some(close_frame(code))));
        told = matches!(timeout(CLOSE_TIMEOUT, close).await, Ok(Ok(())));
    }
    if told {
        // A connection that is dropped with bytes unread takes the close frame with it.
        let rest = async { while let Some(Ok(_)) = source.next().await {} };
        let _ = timeout(CLOSE_TIMEOUT, rest).await;
    }
    code
}

fn close_frame(code: ErrorCode) -> CloseFrame {
    CloseFrame { code: code.close_code().into(), reason: code.slug().into() }
}

fn request(url: &RelayUrl, token: &Token) -> Option<Request> {
    let mut request = url.websocket().into_client_request().ok()?;
    let mut bearer = HeaderValue::from_str(&format!("Bearer {}", token.0.as_str())).ok()?;
    bearer.set_sensitive(true);
    request.headers_mut().insert(header::AUTHORIZATION, bearer);
    request.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    Some(request)
}

fn failure(error: tungstenite::Error) -> TransportError {
    match error {
        tungstenite::Error::Http(response) => {
            let (parts, body) = response.into_parts();
            let problem = is_problem(&parts.headers);
            // The library reads only the beginning of a refusal; its status says enough then.
            match refusal(parts.status, problem, &body.unwrap_or_default(), retry_after(&parts.headers)) {
                TransportError::NotARelay if problem => TransportError::Refused {
                    code: if parts.status.as_u16() == 401 { ErrorCode::Unauthenticated } else { ErrorCode::Internal },
                    retry_after: retry_after(&parts.headers),
                },
                other => other,
            }
        }
        tungstenite::Error::Io(error) => cause(&error),
        tungstenite::Error::Tls(error) => cause(&error),
        _ => TransportError::NotARelay,
    }
}

fn close_code(frame: &CloseFrame) -> Option<ErrorCode> {
    let code = u16::from(frame.code);
    ErrorCode::ALL.iter().copied().find(|known| known.close_code() == code)
}

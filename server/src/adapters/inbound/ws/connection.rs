//! One open session: what comes in, what goes out, and when it ends.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::WebSocket;
use bytes::Bytes;
use futures_util::FutureExt as _;
use susurro_protocol::announcement::Notice;
use susurro_protocol::bytes::Bin;
use susurro_protocol::codec::{self, Structure};
use susurro_protocol::command::{Ack, Ping, Presence, Send};
use susurro_protocol::event::{ErrorNotice, GoingAway, Pong, PresenceChanged, Rejected, Stored, Whispered};
use susurro_protocol::frame::{FrameKind, VerifiedFrame};
use susurro_protocol::limits::{CIPHERTEXT_MAX, DELIVERY_WINDOW, DELIVERY_WINDOW_BYTES};
use susurro_protocol::session::{FrameOpener, FrameSealer};
use susurro_protocol::{ErrorCode, MailboxSeq, MessageId};
use tokio::time::{Instant, sleep_until};

use super::Timing;
use super::handshake;
use super::wire::{End, Wire};
use crate::domain::Error;
use crate::domain::error::Mismatch;
use crate::domain::message::{Deposited, Signal, Submission, Waiting};
use crate::domain::presence::messages_worth;
use crate::domain::rate::Spent;
use crate::domain::token::Claims;
use crate::metrics::metrics;
use crate::ports::{Receipt, Slot, Taken};
use crate::service::Relay;
use crate::shutdown::Listener;

/// Messages of one connection that wait for their commit. More are not read from the socket.
const UNANSWERED_MAX: usize = 128;

/// Frames that are read before what they caused is written.
const READS_MAX: usize = 128;

/// Milliseconds before a message that was refused for now is worth another try, and how much more
/// for some.
const RETRY_MS: u32 = 1_000;
const RETRY_SPREAD_MS: u32 = 2_000;

/// Milliseconds before a client comes back to a relay that goes away, and how much more for each
/// connection, up to a limit: ten thousand clients come back over half a minute.
const RETURN_MS: u32 = 250;
const RETURN_SPREAD_PER_CONNECTION_MS: usize = 3;
const RETURN_SPREAD_MAX_MS: usize = 30_000;

/// Messages that were taken and are not answered. The store answers in the order in which it took
/// them, so that only the oldest has to be waited for: one wake-up for all that one commit settled.
#[derive(Default)]
struct Unanswered(VecDeque<(MessageId, Receipt)>);

impl Unanswered {
    fn push(&mut self, message: MessageId, receipt: Receipt) {
        self.0.push_back((message, receipt));
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    /// What became of the oldest; `None` when there is none. Can be dropped at any point.
    async fn next(&mut self) -> Option<(MessageId, Result<u64, Error>)> {
        let (message, receipt) = self.0.front_mut()?;
        let message = *message;
        let done = receipt.await;
        self.0.pop_front();
        Some((message, done.and_then(Deposited::accepted)))
    }
}

/// Serves a connection from its upgrade to its end.
pub(super) async fn serve(
    socket: WebSocket,
    relay: Arc<Relay>,
    claims: Claims,
    token: String,
    timing: Timing,
    mut shutdown: Listener,
) {
    let mut wire = Wire::new(socket, timing.idle);
    // What only the beginning and the end need lies in memory of its own, which an open connection does not keep.
    let shaken = handshake::shake(&mut wire, &relay, &claims, &token, timing.handshake, &mut shutdown);
    let shaken = Box::pin(shaken).await;
    drop(token);
    let session = match shaken {
        Ok(session) => session,
        Err(failed) => {
            metrics().handshake_refused(failed.end.code());
            return Box::pin(handshake::refuse(wire, failed)).await;
        }
    };
    metrics().opened.inc();
    tracing::debug!("a connection is open");
    let spent = relay.left(claims.device);
    let mut connection = Connection {
        wire,
        relay,
        claims,
        sealer: session.sealer,
        opener: session.opener,
        slot: session.slot,
        told: Vec::new(),
        delivered: session.cursor,
        window: VecDeque::new(),
        window_bytes: 0,
        behind: true,
        unanswered: Unanswered::default(),
        heard: Instant::now(),
        spent,
        held: Instant::now(),
        timing,
    };
    let end = connection.run(&mut shutdown).await;
    connection.relay.detach(connection.claims.device, &connection.slot);
    connection.relay.keep(connection.claims.device, connection.spent);
    metrics().closed(end.code());
    tracing::debug!(?end, "a connection ends");
    Box::pin(connection.say_goodbye(end)).await;
}

struct Connection {
    wire: Wire,
    relay: Arc<Relay>,
    claims: Claims,
    sealer: FrameSealer,
    opener: FrameOpener,
    slot: Arc<Slot>,
    /// The announcements that it began with.
    told: Vec<Arc<Notice>>,
    /// The last position that was sent.
    delivered: MailboxSeq,
    /// What was sent and not acknowledged: position and bytes.
    window: VecDeque<(MailboxSeq, usize)>,
    window_bytes: usize,
    /// There may be more in the store than the slot has brought.
    behind: bool,
    unanswered: Unanswered,
    heard: Instant,
    /// What the device has left of its pace, and until when nothing is read because that was too much.
    spent: Spent,
    held: Instant,
    timing: Timing,
}

impl Connection {
    async fn run(&mut self, shutdown: &mut Listener) -> End {
        match self.talk(shutdown).await {
            Ok(()) => Box::pin(self.leave()).await.err().unwrap_or(ErrorCode::GoingAway.into()),
            Err(end) => end,
        }
    }

    /// Talks until the relay goes away or the connection ends.
    async fn talk(&mut self, shutdown: &mut Listener) -> Result<(), End> {
        if let Some(low) = self.relay.low_prekeys(self.claims.device).await.map_err(|error| handshake::end(&error))? {
            self.feed(FrameKind::PrekeysLow, &low).await?;
        }
        // What is announced from here on comes through the slot, which is attached already.
        self.told = self.relay.notices();
        for notice in self.told.clone() {
            self.feed(FrameKind::Notice, &*notice).await?;
        }
        let slot = self.slot.clone();
        // Set again only when it rings: most of the time somebody has said something by then.
        let mut silence = pin!(sleep_until(self.heard + self.timing.idle));
        loop {
            self.catch_up().await?;
            self.flush().await?;
            tokio::select! {
                () = shutdown.begun() => return Ok(()),
                () = slot.rung() => self.wake().await?,
                Some(answered) = self.unanswered.next() => self.answer(answered).await?,
                received = self.wire.receive(), if self.may_read() => {
                    self.hear(received?).await?;
                }
                // What a device brings too fast stays in its socket, in order, until its time has come.
                () = sleep_until(self.held), if self.is_held() => self.heard = Instant::now(),
                () = &mut silence => {
                    let until = self.heard.max(self.held) + self.timing.idle;
                    if until <= Instant::now() {
                        return Err(ErrorCode::IdleTimeout.into());
                    }
                    silence.as_mut().reset(until);
                }
            }
            // Whatever else is there already is dealt with before the one write.
            for _ in 0..READS_MAX {
                if !self.may_read() {
                    break;
                }
                let Some(received) = self.wire.receive().now_or_never() else { break };
                self.hear(received?).await?;
            }
            while let Some(Some(answered)) = self.unanswered.next().now_or_never() {
                self.answer(answered).await?;
            }
        }
    }

    /// Lets what was taken become durable, then tells the client when to come back.
    async fn leave(&mut self) -> Result<(), End> {
        while let Some(answered) = self.unanswered.next().await {
            self.answer(answered).await?;
        }
        let spread = (self.relay.connections() * RETURN_SPREAD_PER_CONNECTION_MS).clamp(500, RETURN_SPREAD_MAX_MS);
        let spread = self.relay.spread(u32::try_from(spread).unwrap_or(u32::MAX));
        self.feed(FrameKind::GoingAway, &GoingAway { retry_after: RETURN_MS + spread }).await?;
        self.flush().await
    }

    async fn say_goodbye(mut self, end: End) {
        let (code, about) = match end {
            End::Because(code, about) => (code, about),
            End::Heard(code) => return self.wire.close(code).await,
            End::Gone => return,
        };
        if code != ErrorCode::GoingAway {
            let notice = ErrorNotice { about, ..ErrorNotice::of(code) };
            let sealed = self.sealer.seal(FrameKind::Error, &notice).unwrap_or_default();
            if self.wire.feed(sealed).await.is_err() {
                return;
            }
        }
        self.wire.close(code).await;
    }

    fn is_held(&self) -> bool {
        self.held > Instant::now()
    }

    fn may_read(&self) -> bool {
        self.unanswered.len() < UNANSWERED_MAX && !self.is_held()
    }

    /// Counts what came in.
    fn count(&mut self, messages: u64, bytes: usize) {
        let wait = self.relay.spend(&mut self.spent, messages, bytes);
        if wait > 0 {
            self.held = self.heard + Duration::from_millis(wait);
        }
    }

    async fn hear(&mut self, message: Option<Bytes>) -> Result<(), End> {
        self.heard = Instant::now();
        let Some(message) = message else {
            self.count(0, 0);
            return Ok(());
        };
        let frame = self.opener.open_message(&message)?;
        self.count(u64::from(frame.kind() == FrameKind::Send), message.len());
        metrics().received(frame.kind());
        match frame.kind() {
            FrameKind::Send => self.take(body(&frame)?).await,
            FrameKind::Ack => self.acknowledge(&body(&frame)?),
            FrameKind::Whisper => {
                let forwarded = self.relay.whisper(&self.claims, body(&frame)?).await;
                forwarded.map_err(|error| End::Because(error.code(), FrameKind::Whisper.number()))
            }
            FrameKind::Presence => self.show(body(&frame)?),
            FrameKind::Ping => {
                let Ping { nonce } = body(&frame)?;
                self.feed(FrameKind::Pong, &Pong { nonce }).await
            }
            FrameKind::Error => match body::<ErrorNotice>(&frame) {
                Ok(notice) if notice.code == ErrorCode::UnknownKind => Ok(()),
                Ok(notice) => Err(End::Heard(notice.code)),
                // An error is never answered with an error.
                Err(_) => Err(End::Heard(ErrorCode::MalformedBody)),
            },
            FrameKind::Unknown(about) => {
                let notice = ErrorNotice { about, ..ErrorNotice::of(ErrorCode::UnknownKind) };
                self.feed(FrameKind::Error, &notice).await
            }
            other => Err(End::Because(ErrorCode::UnexpectedFrame, other.number())),
        }
    }

    fn show(&mut self, presence: Presence) -> Result<(), End> {
        self.count(messages_worth(&presence), 0);
        let said = self.relay.presence(&self.claims, &self.slot, presence);
        said.map_err(|error| End::Because(error.code(), FrameKind::Presence.number()))
    }

    /// Takes a message in. Its answer comes in its turn, when it is durable or refused.
    async fn take(&mut self, send: Send) -> Result<(), End> {
        let Send { message, chat, lists, deposits, time_to_live } = send;
        let submission = Submission { message, chat, lists, deposits, time_to_live };
        let receipt = match self.relay.send(&self.claims, submission).await {
            Ok(receipt) => receipt,
            Err(refused) => Box::pin(std::future::ready(Err(refused))),
        };
        self.unanswered.push(message, receipt);
        Ok(())
    }

    async fn answer(&mut self, (message, outcome): (MessageId, Result<u64, Error>)) -> Result<(), End> {
        let refused = match outcome {
            Ok(stored_at) => {
                metrics().stored.inc();
                return self.feed(FrameKind::Stored, &Stored { message, stored_at }).await;
            }
            Err(refused) => refused,
        };
        let code = refused.code();
        metrics().rejected(code);
        if matches!(refused, Error::Internal(_)) {
            tracing::error!(error = %refused, "a message was not stored");
        }
        let Mismatch { stale, missing, extra } = match refused {
            Error::StaleDeviceList(mismatch) => *mismatch,
            _ => Mismatch::default(),
        };
        let retry_after = if code.is_temporary() { RETRY_MS + self.relay.spread(RETRY_SPREAD_MS) } else { 0 };
        self.feed(FrameKind::Rejected, &Rejected { message, code, stale, missing, extra, retry_after }).await
    }

    /// Makes room in the window. Acknowledging what was never delivered here is no small mistake:
    /// it would delete messages that nobody has seen.
    fn acknowledge(&mut self, ack: &Ack) -> Result<(), End> {
        if ack.cursor > self.delivered {
            return Err(End::Because(ErrorCode::UnexpectedFrame, FrameKind::Ack.number()));
        }
        let mut any = false;
        while let Some((_, bytes)) = self.window.pop_front_if(|(seq, _)| *seq <= ack.cursor) {
            self.window_bytes -= bytes;
            any = true;
        }
        if any {
            self.relay.acknowledge(self.claims.device, ack.cursor);
        }
        Ok(())
    }

    /// Looks at what the bus has brought.
    async fn wake(&mut self) -> Result<(), End> {
        let Taken { messages, behind, signals, prekeys_low, devices_changed, presence, notices, ending, .. } =
            self.slot.take();
        if let Some(ending) = ending {
            return Err(ending.0.into());
        }
        for changed in devices_changed {
            self.feed(FrameKind::DevicesChanged, &changed).await?;
        }
        if let Some(low) = prekeys_low {
            self.feed(FrameKind::PrekeysLow, &low).await?;
        }
        for notice in notices {
            // Announced while this connection began: it was told, and then handed to everybody.
            if self.told.iter().any(|told| Arc::ptr_eq(told, &notice)) {
                continue;
            }
            self.feed(FrameKind::Notice, &*notice).await?;
        }
        if !presence.is_empty() {
            let of = |wanted: bool| presence.iter().filter(move |(_, joined)| **joined == wanted);
            let [left, joined] = [false, true].map(|wanted| of(wanted).map(|(account, _)| *account).collect());
            self.feed(FrameKind::PresenceChanged, &PresenceChanged { joined, left }).await?;
        }
        for Signal { chat, sender, sender_device, ciphertext, .. } in signals {
            let whispered = Whispered { chat, sender, sender_device, ciphertext: Bin(ciphertext) };
            self.feed(FrameKind::Whispered, &whispered).await?;
        }
        self.behind |= behind;
        for message in messages {
            // Positions that were seen are old news; a gap or a full window is for the store.
            if self.behind || message.seq <= self.delivered {
                continue;
            }
            if message.seq == self.delivered + 1 && self.has_room(message.ciphertext.len()) {
                self.deliver(message).await?;
            } else {
                self.behind = true;
            }
        }
        Ok(())
    }

    /// Reads from the store what the slot could not hold, as far as the window allows.
    async fn catch_up(&mut self) -> Result<(), End> {
        while self.behind && self.has_room(0) {
            let limit = DELIVERY_WINDOW - u32::try_from(self.window.len()).unwrap_or(DELIVERY_WINDOW);
            let bytes = DELIVERY_WINDOW_BYTES - self.window_bytes;
            let read = self.relay.waiting(self.claims.device, self.delivered, limit, bytes).await;
            let read = read.map_err(|error| handshake::end(&error))?;
            // What leaves room for the largest message was everything.
            let size: usize = read.iter().map(|message| message.ciphertext.len()).sum();
            self.behind = !read.is_empty() && (read.len() >= limit as usize || size + CIPHERTEXT_MAX > bytes);
            for message in read {
                if !self.has_room(message.ciphertext.len()) {
                    self.behind = true;
                    return Ok(());
                }
                self.deliver(message).await?;
            }
        }
        Ok(())
    }

    /// Whether a message of this size may go out. A single one always may.
    fn has_room(&self, bytes: usize) -> bool {
        let fits = self.window.len() < DELIVERY_WINDOW as usize && self.window_bytes + bytes <= DELIVERY_WINDOW_BYTES;
        fits && (bytes > 0 || self.window_bytes < DELIVERY_WINDOW_BYTES) || self.window.is_empty()
    }

    async fn deliver(&mut self, message: Waiting) -> Result<(), End> {
        let (seq, bytes) = (message.seq, message.ciphertext.len());
        let delivery = self.relay.delivery(message);
        self.feed(FrameKind::Deliver, &delivery).await?;
        metrics().delivered.inc();
        self.delivered = seq;
        self.window.push_back((seq, bytes));
        self.window_bytes += bytes;
        Ok(())
    }

    async fn feed<T: serde::Serialize + Structure>(&mut self, kind: FrameKind, body: &T) -> Result<(), End> {
        // Almost always there is room, and nothing has to be set up to wait for it.
        let ready = self.wire.ready().now_or_never();
        match ready {
            Some(ready) => ready?,
            None => tokio::select! {
                ready = self.wire.ready() => ready?,
                // A connection that takes nothing must still make way for a newer one.
                ending = self.slot.ended() => return Err(ending.0.into()),
            },
        }
        // Not before there is room: a frame that was sealed and left out would be a gap in front of the reason for
        // the end.
        let frame = self.sealer.seal(kind, body)?;
        metrics().sent(kind);
        self.wire.push(frame)
    }

    async fn flush(&mut self) -> Result<(), End> {
        if let Some(flushed) = self.wire.flush().now_or_never() {
            return flushed;
        }
        tokio::select! {
            flushed = self.wire.flush() => flushed,
            ending = self.slot.ended() => Err(ending.0.into()),
        }
    }
}

fn body<T: serde::de::DeserializeOwned + Structure>(frame: &VerifiedFrame) -> Result<T, End> {
    codec::decode(frame.body()).map_err(|_| End::Because(ErrorCode::MalformedBody, frame.kind().number()))
}

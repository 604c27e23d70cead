//! A WebSocket to the relay, and frames on it as any client or no client would make them.

use std::time::{Duration, Instant};

use ed25519_dalek::SigningKey;
use futures_util::{SinkExt as _, StreamExt as _};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use susurro_protocol::bytes::Fixed;
use susurro_protocol::codec::{self, Structure};
use susurro_protocol::command::{Ack, Deposit, ListVersion, Ping, Send};
use susurro_protocol::event::{Deliver, ErrorNotice, Pong, Rejected, Stored};
use susurro_protocol::frame::{FrameKind, RawFrame};
use susurro_protocol::handshake::{Hello, Welcome};
use susurro_protocol::signed::{self, Label};
use susurro_protocol::version::SUBPROTOCOL;
use susurro_protocol::{ChatId, ErrorCode, MailboxSeq, MessageId};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::handshake::client::{Request, Response};
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};
use x25519_dalek::{PublicKey, StaticSecret};

use super::answer::row;
use super::ground::{PATIENCE, Person, random};
use crate::suite::{Outcome, Stop};

/// A WebSocket behind its upgrade.
pub(super) struct Line {
    pub(super) stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    pub(super) upgraded: Response,
    /// How long to wait for the next message.
    patience: Duration,
}

/// What came on a line.
#[derive(Debug)]
pub(super) enum Heard {
    /// A binary message that is a frame.
    Frame(RawFrame),
    /// A close frame: code and reason.
    Closed(u16, String),
    /// An end without a close frame.
    Gone,
}

/// A `Hello` before it is signed, to be changed by a check.
pub(super) struct Draft {
    pub(super) hello: Hello,
    pub(super) key: SigningKey,
    pub(super) label: Label,
    pub(super) secret: StaticSecret,
}

/// An open session, with the counters of both directions.
pub(super) struct Session {
    pub(super) line: Line,
    pub(super) to_relay: [u8; 32],
    pub(super) from_relay: [u8; 32],
    /// Frames that were sent.
    pub(super) sent: u64,
    heard: u64,
}

/// A verified frame of the relay.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) kind: FrameKind,
    pub(super) body: bytes::Bytes,
}

/// A frame with these parts.
pub(super) fn raw(version: u8, kind: u16, seq: u64, body: &[u8], tag: &[u8]) -> Vec<u8> {
    let kind = FrameKind::of_number(kind);
    let (body, tag) = (bytes::Bytes::copy_from_slice(body), bytes::Bytes::copy_from_slice(tag));
    RawFrame { version, kind, seq, body, tag }.encode()
}

/// The tag of a session frame (section 10), computed here and not by the code that relays share.
pub(super) fn tag(key: &[u8; 32], version: u8, kind: u16, seq: u64, body: &[u8]) -> Vec<u8> {
    let mut block = [0; 64];
    block[..32].copy_from_slice(key);
    let mut mac = Hmac::<Sha256>::new((&block).into());
    for part in [&b"susurro/v1/frame\0"[..], &[version], &kind.to_be_bytes(), &seq.to_be_bytes(), body] {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

impl Draft {
    /// The frame, with whatever `hello` says now.
    pub(super) fn frame(&self) -> Vec<u8> {
        self.frame_with(&codec::encode(&self.hello))
    }

    /// A signed frame with this body.
    pub(super) fn frame_with(&self, body: &[u8]) -> Vec<u8> {
        raw(1, 1, 0, body, &signed::sign(&self.key, self.label, body))
    }

    /// Verifies a `Welcome` that answers `hello_body` and derives the keys client → relay and relay → client
    /// (section 9).
    fn keys(
        &self,
        hello_body: &[u8],
        answer: &RawFrame,
        relay_key: &[u8; 32],
    ) -> Result<(Welcome, [[u8; 32]; 2]), Stop> {
        let failed = |seen: &str| Stop::failed("a Welcome as section 9 has it", seen);
        if answer.kind != FrameKind::Welcome || answer.seq != 0 {
            return Err(failed(&format!("{:?} with seq {}", answer.kind, answer.seq)));
        }
        let welcome: Welcome = codec::decode(&answer.body).map_err(|error| failed(&error.to_string()))?;
        let mut transcript = Sha256::new();
        transcript.update(b"susurro/v1/handshake\0");
        for part in [hello_body, &answer.body] {
            transcript.update((part.len() as u64).to_be_bytes());
            transcript.update(part);
        }
        let transcript: [u8; 32] = transcript.finalize().into();
        let signature = answer.tag.as_ref().try_into().map_err(|_| failed("a tag of another length than 64"))?;
        if welcome.relay_key.0 != *relay_key
            || signed::verify(relay_key, Label::Welcome, &transcript, signature).is_err()
        {
            return Err(failed("its tag does not hold under the relay's key"));
        }
        let shared = self.secret.diffie_hellman(&PublicKey::from(welcome.ephemeral.0));
        let mut keys = [0; 64];
        Hkdf::<Sha256>::new(Some(&transcript), shared.as_bytes())
            .expand(b"susurro/v1/session-keys", &mut keys)
            .map_err(|error| failed(&error.to_string()))?;
        let mut halves = [[0; 32]; 2];
        halves[0].copy_from_slice(&keys[..32]);
        halves[1].copy_from_slice(&keys[32..]);
        Ok((welcome, halves))
    }
}

impl Person {
    /// The request that opens a WebSocket.
    pub(super) fn upgrade(&self) -> Result<Request, Stop> {
        let wrong = |error: &dyn std::fmt::Display| Stop::failed("an address for a WebSocket", error.to_string());
        let url = format!("{}/ws", self.url.replacen("http", "ws", 1));
        let mut request = url.into_client_request().map_err(|error| wrong(&error))?;
        let bearer = format!("Bearer {}", self.tokens.access_token).parse().map_err(|error| wrong(&error))?;
        request.headers_mut().insert("authorization", bearer);
        request.headers_mut().insert("sec-websocket-protocol", SUBPROTOCOL.parse().map_err(|error| wrong(&error))?);
        Ok(request)
    }

    /// A WebSocket behind its upgrade.
    pub(super) async fn dial(&self) -> Result<Line, Stop> {
        match dial(self.upgrade()?).await? {
            Ok(line) => Ok(line),
            Err(status) => Err(Stop::failed("101 for an upgrade", format!("status {status}"))),
        }
    }

    /// A `Hello` with nothing wrong in it.
    pub(super) fn draft(&self, cursor: MailboxSeq) -> Draft {
        let secret = StaticSecret::from(random::<32>());
        let hello = Hello {
            min_version: 1,
            max_version: 1,
            account: self.account,
            device: self.device,
            relay_key: Fixed(self.relay_key),
            ephemeral: Fixed(PublicKey::from(&secret).to_bytes()),
            token_hash: Fixed(Sha256::digest(self.tokens.access_token.as_bytes()).into()),
            cursor,
        };
        Draft { hello, key: self.signing_key.clone(), label: Label::Hello, secret }
    }

    /// Sends this draft on a new line and goes on behind `Welcome`.
    pub(super) async fn greet_with(&self, draft: &Draft) -> Result<(Welcome, Session), Stop> {
        let mut line = self.dial().await?;
        let body = codec::encode(&draft.hello);
        line.send(draft.frame_with(&body)).await;
        match line.hear().await? {
            Heard::Frame(frame) => {
                let (welcome, [to_relay, from_relay]) = draft.keys(&body, &frame, &self.relay_key)?;
                Ok((welcome, Session { line, to_relay, from_relay, sent: 0, heard: 0 }))
            }
            other => Err(Stop::failed("Welcome", format!("{other:?}"))),
        }
    }

    /// A connection behind `Welcome`, before its first session frame.
    pub(super) async fn greet(&self, cursor: MailboxSeq) -> Result<(Welcome, Session), Stop> {
        self.greet_with(&self.draft(cursor)).await
    }

    /// An open session.
    pub(super) async fn connect(&self, cursor: MailboxSeq) -> Result<Session, Stop> {
        let (_, mut session) = self.greet(cursor).await?;
        session.say(FrameKind::Ack, &Ack { cursor }).await;
        Ok(session)
    }

    /// An open session behind everything that waits, which is forgotten, and the position where it begins.
    pub(super) async fn afresh(&self) -> Result<(MailboxSeq, Session), Stop> {
        let (welcome, mut session) = self.greet(0).await?;
        session.say(FrameKind::Ack, &Ack { cursor: welcome.mailbox_head }).await;
        session.quiet().await?;
        Ok((welcome.mailbox_head, session))
    }

    /// An open session in which nothing old is delivered.
    pub(super) async fn connect_behind(&self) -> Result<Session, Stop> {
        self.afresh().await.map(|(_, session)| session)
    }

    /// Acknowledges everything, and waits until it is forgotten.
    pub(super) async fn empty_mailbox(&self) -> Outcome {
        let (head, session) = self.afresh().await?;
        drop(session);
        // An acknowledgement becomes durable a moment later. To a client that is ahead of it a relay names the
        // position before the oldest message that waits (CONN-7), which is the head when nothing does.
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.greet(head + 1000).await?.0.mailbox_head != head && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// A message with this text in place of a ciphertext.
    pub(super) fn message(&self, chat: ChatId, to: &Self, text: &[u8]) -> Send {
        Send {
            message: MessageId::from_bytes(random()),
            chat,
            lists: [self.account, to.account].map(|account| ListVersion { account, version: 1 }).to_vec(),
            deposits: vec![Deposit { device: to.device, ciphertext: text.into() }],
            time_to_live: 0,
        }
    }
}

/// A WebSocket, or the status that refuses it.
pub(super) async fn dial(request: Request) -> Result<Result<Line, u16>, Stop> {
    let dialled = timeout(PATIENCE, connect_async_with_config(request, None, true)).await;
    match dialled.map_err(|_| Stop::failed("an answer to an upgrade", "nothing"))? {
        Ok((stream, upgraded)) => Ok(Ok(Line { stream, upgraded, patience: PATIENCE })),
        Err(tungstenite::Error::Http(response)) => Ok(Err(response.status().as_u16())),
        Err(error) => Err(Stop::failed("an answer to an upgrade", error.to_string())),
    }
}

impl Line {
    /// Sends a binary message. The relay may have hung up already: what it said is read next.
    pub(super) async fn send(&mut self, message: Vec<u8>) {
        let _ = timeout(PATIENCE, self.stream.send(Message::Binary(message.into()))).await;
    }

    pub(super) async fn send_text(&mut self, text: &str) {
        let _ = timeout(PATIENCE, self.stream.send(Message::text(text))).await;
    }

    /// What comes next, control frames left out.
    pub(super) async fn hear(&mut self) -> Result<Heard, Stop> {
        loop {
            let next = timeout(self.patience, self.stream.next()).await;
            let waited = format!("something from the relay within {} s", self.patience.as_secs());
            let next = next.map_err(|_| Stop::failed(waited, "nothing"))?;
            return Ok(match next {
                Some(Ok(Message::Binary(bytes))) => {
                    let frame = RawFrame::decode(&bytes);
                    Heard::Frame(frame.map_err(|error| Stop::failed("a frame from the relay", error.to_string()))?)
                }
                Some(Ok(Message::Text(text))) => {
                    return Err(Stop::failed("binary messages from the relay", format!("text: {text}")));
                }
                Some(Ok(Message::Close(Some(close)))) => Heard::Closed(close.code.into(), close.reason.to_string()),
                Some(Ok(Message::Close(None)) | Err(_)) | None => Heard::Gone,
                Some(Ok(_)) => continue,
            });
        }
    }

    /// Passes when the relay refuses in place of `Welcome`: an `Error` frame with `seq` 0 and an empty tag, then a
    /// close frame (CONN-5, CONN-17).
    pub(super) async fn refused(mut self, code: ErrorCode) -> Outcome {
        let expected = format!("{} in place of Welcome, then close {}", code.slug(), row(code).close);
        let failed = |seen: String| Err(Stop::failed(expected.clone(), seen));
        let frame = match self.hear().await? {
            Heard::Frame(frame) => frame,
            other => return failed(format!("{other:?}")),
        };
        if frame.kind != FrameKind::Error || frame.seq != 0 || !frame.tag.is_empty() {
            return failed(format!("{:?} with seq {} and a tag of {} bytes", frame.kind, frame.seq, frame.tag.len()));
        }
        let notice = codec::decode::<ErrorNotice>(&frame.body);
        if notice.as_ref().map(|notice| notice.code) != Ok(code) {
            return failed(format!("{notice:?}"));
        }
        self.closed(code).await
    }

    /// Passes when a close frame of this error comes next.
    pub(super) async fn closed(&mut self, code: ErrorCode) -> Outcome {
        let row = row(code);
        match self.hear().await? {
            Heard::Closed(number, reason) if number == row.close && reason == row.name => Ok(()),
            other => Err(Stop::failed(format!("close {} {}", row.close, row.name), format!("{other:?}"))),
        }
    }
}

impl Session {
    /// A frame as the next one of the client would be.
    pub(super) fn seal(&mut self, kind: FrameKind, body: &[u8]) -> Vec<u8> {
        self.sent += 1;
        self.sealed(1, kind.number(), self.sent, body)
    }

    /// A frame with a tag that holds, whatever it says.
    pub(super) fn sealed(&self, version: u8, kind: u16, seq: u64, body: &[u8]) -> Vec<u8> {
        raw(version, kind, seq, body, &tag(&self.to_relay, version, kind, seq, body))
    }

    pub(super) async fn say<T: Serialize + Structure>(&mut self, kind: FrameKind, body: &T) {
        self.say_body(kind, &codec::encode(body)).await;
    }

    pub(super) async fn say_body(&mut self, kind: FrameKind, body: &[u8]) {
        let frame = self.seal(kind, body);
        self.line.send(frame).await;
    }

    pub(super) async fn ack(&mut self, cursor: MailboxSeq) {
        self.say(FrameKind::Ack, &Ack { cursor }).await;
    }

    /// The next frame, verified; or the end.
    pub(super) async fn any(&mut self) -> Result<Result<Frame, Heard>, Stop> {
        let frame = match self.line.hear().await? {
            Heard::Frame(frame) => frame,
            other => return Ok(Err(other)),
        };
        let number = frame.kind.number();
        if frame.tag != tag(&self.from_relay, frame.version, number, frame.seq, &frame.body) {
            return Err(Stop::failed("a frame whose tag holds", format!("{:?} with seq {}", frame.kind, frame.seq)));
        }
        self.heard += 1;
        if frame.seq != self.heard || frame.version != 1 {
            let seen = format!("{:?} with seq {} of version {}", frame.kind, frame.seq, frame.version);
            return Err(Stop::failed(format!("frame {} of version 1", self.heard), seen));
        }
        Ok(Ok(Frame { kind: frame.kind, body: frame.body }))
    }

    /// The next frame but words about prekeys, which depend on what else a check does.
    pub(super) async fn frame(&mut self) -> Result<Frame, Stop> {
        loop {
            match self.any().await? {
                Ok(frame) if frame.kind == FrameKind::PrekeysLow => {}
                Ok(frame) => return Ok(frame),
                Err(end) => return Err(Stop::failed("a frame", format!("{end:?}"))),
            }
        }
    }

    pub(super) async fn expect<T: DeserializeOwned + Structure>(&mut self, kind: FrameKind) -> Result<T, Stop> {
        let frame = self.frame().await?;
        if frame.kind != kind {
            return Err(Stop::failed(format!("{kind:?}"), told(&frame)));
        }
        codec::decode(&frame.body).map_err(|error| Stop::failed(format!("{kind:?}"), error.to_string()))
    }

    pub(super) async fn delivery(&mut self) -> Result<Deliver, Stop> {
        self.expect(FrameKind::Deliver).await
    }

    /// Sends a message and waits for what becomes of it.
    pub(super) async fn deposit(&mut self, send: &Send) -> Result<Result<Stored, Rejected>, Stop> {
        self.say(FrameKind::Send, send).await;
        self.answer().await
    }

    /// What became of a message.
    pub(super) async fn answer(&mut self) -> Result<Result<Stored, Rejected>, Stop> {
        let frame = self.frame().await?;
        let malformed = |error: codec::Malformed| Stop::failed("Stored or Rejected", error.to_string());
        match frame.kind {
            FrameKind::Stored => codec::decode(&frame.body).map(Ok).map_err(malformed),
            FrameKind::Rejected => codec::decode(&frame.body).map(Err).map_err(malformed),
            _ => Err(Stop::failed("Stored or Rejected", told(&frame))),
        }
    }

    /// Passes when the message is stored.
    pub(super) async fn stored(&mut self, send: &Send) -> Result<Stored, Stop> {
        match self.deposit(send).await? {
            Ok(stored) if stored.message == send.message => Ok(stored),
            other => Err(Stop::failed(format!("Stored of {}", send.message), format!("{other:?}"))),
        }
    }

    /// Passes when the message is rejected with this code.
    pub(super) async fn rejected(&mut self, send: &Send, code: ErrorCode) -> Result<Rejected, Stop> {
        match self.deposit(send).await? {
            Err(rejected) if rejected.code == code && rejected.message == send.message => Ok(rejected),
            other => Err(Stop::failed(format!("Rejected with {}", code.slug()), format!("{other:?}"))),
        }
    }

    /// Passes when the relay answers a ping and has nothing else to say before.
    pub(super) async fn quiet(&mut self) -> Outcome {
        let nonce = u64::from_be_bytes(random());
        self.say(FrameKind::Ping, &Ping { nonce }).await;
        let pong: Pong = self.expect(FrameKind::Pong).await?;
        crate::suite::check::same("Pong with nonce", &nonce, &pong.nonce)
    }

    /// How many whispers come before the answer to a ping.
    pub(super) async fn whispers_until_pong(&mut self) -> Result<usize, Stop> {
        self.say(FrameKind::Ping, &Ping { nonce: 1 }).await;
        let mut whispers = 0;
        loop {
            let frame = self.frame().await?;
            match frame.kind {
                FrameKind::Whispered => whispers += 1,
                FrameKind::Pong => return Ok(whispers),
                _ => return Err(Stop::failed("Whispered or Pong", told(&frame))),
            }
        }
    }

    /// Passes when the session ends with this error: an `Error` frame of the session, then a close frame.
    pub(super) async fn ended(mut self, code: ErrorCode) -> Outcome {
        self.told_the_end(code).await?;
        self.line.closed(code).await
    }

    /// [`ended`](Self::ended) for an end that takes its time.
    pub(super) async fn ended_within(mut self, code: ErrorCode, time: Duration) -> Outcome {
        self.line.patience = time;
        self.ended(code).await
    }

    async fn told_the_end(&mut self, code: ErrorCode) -> Outcome {
        let expected = format!("Error {}, then close {}", code.slug(), row(code).close);
        loop {
            match self.any().await? {
                Ok(frame) if frame.kind == FrameKind::PrekeysLow => {}
                Ok(frame) if frame.kind == FrameKind::Error => {
                    let notice = codec::decode::<ErrorNotice>(&frame.body);
                    let right = notice.as_ref().is_ok_and(|notice| notice.code == code);
                    return if right { Ok(()) } else { Err(Stop::failed(expected, format!("{notice:?}"))) };
                }
                Ok(frame) => return Err(Stop::failed(expected, told(&frame))),
                Err(end) => return Err(Stop::failed(expected, format!("{end:?}"))),
            }
        }
    }
}

/// A frame in words, an error with what it says.
fn told(frame: &Frame) -> String {
    match frame.kind {
        FrameKind::Error => format!("{:?}", codec::decode::<ErrorNotice>(&frame.body)),
        FrameKind::Rejected => format!("{:?}", codec::decode::<Rejected>(&frame.body)),
        kind => format!("{kind:?} with {} bytes", frame.body.len()),
    }
}

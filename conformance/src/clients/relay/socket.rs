//! One WebSocket of a relay: upgrade, handshake, session (sections 8 to 12).

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use susurro_protocol::command::{Ack, Ping, Send};
use susurro_protocol::event::{Deliver, ErrorNotice, Pong, Stored};
use susurro_protocol::frame::{FrameKind, RawFrame};
use susurro_protocol::handshake::{Hello, ReceivedHello, SessionPair, Welcome, refuse};
use susurro_protocol::limits::FRAME_MAX;
use susurro_protocol::version::SUBPROTOCOL;
use susurro_protocol::{DeviceId, ErrorCode, codec};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use zeroize::Zeroizing;

use super::rules::{Greeting, Point, Say, Turn};
use super::seen::Seen;
use super::{Asked, Relay, Reply, lock, now};
use crate::clients::random;

type Socket = WebSocketStream<TcpStream>;

/// The connection is over.
struct Over;

/// An open session.
struct Session {
    number: u64,
    device: DeviceId,
    hello: Hello,
    head: u64,
    pair: SessionPair,
    /// The highest position that was delivered here.
    delivered: u64,
    /// Whether its first frame came.
    heard: bool,
    acked: bool,
}

impl Relay {
    pub(super) async fn socket(self: &Arc<Self>, mut stream: TcpStream, asked: &Asked) {
        let offered = asked.header("sec-websocket-protocol").unwrap_or_default();
        if !offered.split(',').any(|one| one.trim() == SUBPROTOCOL) {
            self.object("VER-1: an upgrade that does not offer susurro.v1");
        }
        let token = asked.token().or_else(|| asked.query.strip_prefix("token=")).unwrap_or_default().to_owned();
        let known = self.world().check_token(Some(&token));
        let device = match known {
            Ok(device) => device,
            Err(code) => {
                let _ = stream.write_all(&Reply::problem(401, code).encode()).await;
                return;
            }
        };
        let reply = Reply { status: 101, headers: Vec::new(), body: Vec::new() }
            .with("upgrade", "websocket")
            .with(
                "sec-websocket-accept",
                derive_accept_key(asked.header("sec-websocket-key").unwrap_or_default().as_bytes()),
            )
            .with("sec-websocket-protocol", SUBPROTOCOL);
        let reply = match lock(&self.rules).after.as_mut() {
            Some(rule) => rule(asked, reply),
            None => reply,
        };
        match self.turn(&Point::Answering(asked)) {
            Turn::Go => {}
            Turn::Cut | Turn::Half => return,
            Turn::Freeze => return std::future::pending().await,
        }
        if stream.write_all(&upgrade(&reply)).await.is_err() || reply.status != 101 {
            return;
        }
        let config = WebSocketConfig::default().max_message_size(Some(FRAME_MAX)).max_frame_size(Some(FRAME_MAX));
        let mut socket = Socket::from_raw_socket(stream, Role::Server, Some(config)).await;
        if let Ok(mut session) = self.handshake(&mut socket, device, &token).await {
            let (sender, mut queue) = mpsc::unbounded_channel();
            let _ = self.session(&mut socket, &mut session, &sender, &mut queue).await;
        }
        self.something_was_seen();
    }

    async fn handshake(&self, socket: &mut Socket, device: DeviceId, token: &str) -> Result<Session, Over> {
        let number = self.next_connection();
        let message = self.next_message(socket, number).await?;
        let raw =
            RawFrame::decode(&message).map_err(|_| self.refuse_client("FRAME-1: a first message that is no frame"))?;
        let body = raw.body.clone();
        let hello: Hello =
            codec::decode(&body).map_err(|_| self.refuse_client("HS-2: a first frame that is no Hello"))?;
        let signing_key = self.world().devices.get(&device).map(|known| known.signing_key);
        let signing_key = signing_key.filter(|_| hello.device == device);
        let Some(signing_key) = signing_key else {
            self.object("HS-2: a Hello of another device than the token's");
            let _ = socket.send(Message::Binary(refuse(&ErrorNotice::of(ErrorCode::Unauthenticated)).into())).await;
            return Err(Over);
        };
        let (key, head) = {
            let world = self.world();
            (world.key.clone(), world.devices.get(&device).map_or(0, |known| known.head_for(hello.cursor)))
        };
        // A lying relay does not care which key the client has pinned.
        let answer = ReceivedHello::read(raw, &hello.relay_key.0, token).and_then(|received| {
            received.answer(&signing_key, &key, Zeroizing::new(random()), |version, ephemeral| {
                let own_key = key.verifying_key().to_bytes();
                let mut welcome = Welcome::of_relay(version, own_key, ephemeral, now(), head);
                if let Some(rule) = lock(&self.rules).welcome.as_mut() {
                    rule(&mut welcome);
                }
                welcome
            })
        });
        let (welcome, pair) =
            answer.map_err(|code| self.refuse_client(&format!("HS-2: a Hello that a relay refuses with {code}")))?;
        self.record().hello(number, &hello);
        self.something_was_seen();
        self.act(socket, self.turn(&Point::Greeted(&hello)), &[]).await?;
        let greeting = Greeting { hello: &hello, hello_body: &body, honest: &welcome, key: &key };
        let instead = lock(&self.rules).greet.as_mut().and_then(|rule| rule(&greeting));
        self.act(socket, self.turn(&Point::Greeting), &welcome).await?;
        let mut session = Session { number, device, hello, head, pair, delivered: 0, heard: false, acked: false };
        for say in instead.unwrap_or_else(|| vec![Say::Message(welcome)]) {
            self.say_now(socket, &mut session, say).await?;
        }
        Ok(session)
    }

    async fn session(
        &self,
        socket: &mut Socket,
        session: &mut Session,
        sender: &mpsc::UnboundedSender<Say>,
        queue: &mut mpsc::UnboundedReceiver<Say>,
    ) -> Result<(), Over> {
        loop {
            tokio::select! {
                message = self.next_message(socket, session.number) => {
                    let message = message?;
                    self.hear(socket, session, sender, &message).await?;
                }
                say = queue.recv() => {
                    let say = say.ok_or(Over)?;
                    self.say_now(socket, session, say).await?;
                }
            }
        }
    }

    async fn hear(
        &self,
        socket: &mut Socket,
        session: &mut Session,
        sender: &mpsc::UnboundedSender<Say>,
        message: &Bytes,
    ) -> Result<(), Over> {
        let frame = session.pair.opener.open_message(message);
        let frame =
            frame.map_err(|code| self.refuse_client(&format!("SES-1: a frame that a relay refuses with {code}")))?;
        let (kind, body) = (frame.kind(), frame.body().to_vec());
        {
            let mut record = self.record();
            if !std::mem::replace(&mut session.heard, true) {
                record.first_frame(kind, &body, &session.hello, session.head);
            }
            record.frame(session.number, kind, &body);
        }
        self.something_was_seen();
        self.act(socket, self.turn(&Point::Heard(kind, &body)), &[]).await?;
        let instead = {
            let (mut rules, mut world) = (lock(&self.rules), self.world());
            rules.heard.as_mut().and_then(|rule| rule(&mut world, kind, &body))
        };
        let says = match instead {
            Some(says) => says,
            None => self.answer(session, sender, kind, &body),
        };
        for say in says {
            self.say_now(socket, session, say).await?;
        }
        Ok(())
    }

    /// What an honest relay says to a frame.
    fn answer(
        &self,
        session: &mut Session,
        sender: &mpsc::UnboundedSender<Say>,
        kind: FrameKind,
        body: &[u8],
    ) -> Vec<Say> {
        match kind {
            FrameKind::Ack => codec::decode(body).map(|ack: Ack| self.acked(session, sender, ack)).unwrap_or_default(),
            FrameKind::Ping => match codec::decode::<Ping>(body) {
                Ok(ping) => vec![Say::Frame(FrameKind::Pong, codec::encode(&Pong { nonce: ping.nonce }))],
                Err(_) => Vec::new(),
            },
            FrameKind::Send => {
                let Ok(send) = codec::decode::<Send>(body) else { return Vec::new() };
                let stored = self.world().store(session.device, &send, now());
                match stored {
                    Ok((stored_at, put)) => {
                        for (device, delivery) in put {
                            self.say_frame(device, FrameKind::Deliver, &delivery);
                        }
                        let stored = Stored { message: send.message, stored_at };
                        vec![Say::Frame(FrameKind::Stored, codec::encode(&stored))]
                    }
                    Err(rejected) => vec![Say::Frame(FrameKind::Rejected, codec::encode(&rejected))],
                }
            }
            // Last words, or a kind that the client does not know. It has to close by itself (SES-5): a relay that closed
            // first would not see how.
            FrameKind::Error => Vec::new(),
            // Nobody is told of it: the person at the other end does not listen for whispers.
            FrameKind::Whisper => Vec::new(),
            _ => {
                self.object("FRAME-4: a frame that no client sends");
                Vec::new()
            }
        }
    }

    fn acked(&self, session: &mut Session, sender: &mpsc::UnboundedSender<Say>, ack: Ack) -> Vec<Say> {
        if session.acked {
            if ack.cursor > session.delivered.max(session.hello.cursor).max(session.head) {
                self.object("CONN-10: it acknowledges what was not delivered to it");
            }
            self.world().forget(session.device, ack.cursor);
            return Vec::new();
        }
        session.acked = true;
        let restored = session.head < session.hello.cursor;
        let from = if restored { session.head } else { ack.cursor };
        lock(&self.live).insert(session.device, sender.clone());
        self.world().forget(session.device, from);
        let mailbox = self.world().devices.get(&session.device).map(|known| known.mailbox.clone()).unwrap_or_default();
        let mut rules = lock(&self.rules);
        let mailbox = match rules.deliveries.as_mut() {
            Some(rule) => rule(mailbox),
            None => mailbox,
        };
        let opening = rules.opening.as_mut().map(|rule| rule()).unwrap_or_default();
        let deliveries = mailbox.iter().map(|delivery| Say::Frame(FrameKind::Deliver, codec::encode(delivery)));
        opening.into_iter().chain(deliveries).collect()
    }

    async fn say_now(&self, socket: &mut Socket, session: &mut Session, say: Say) -> Result<(), Over> {
        match say {
            Say::Frame(kind, body) => {
                if kind == FrameKind::Deliver
                    && let Ok(delivery) = codec::decode::<Deliver>(&body)
                {
                    session.delivered = session.delivered.max(delivery.seq);
                    if let Some(version) = lock(&self.rules).version {
                        session.pair.sealer.claim_version(version);
                    }
                }
                if kind == FrameKind::Rejected {
                    self.record().rejected(&body);
                }
                let bytes = session.pair.sealer.seal_body(kind, &body).map_err(|_| Over)?;
                self.act(socket, self.turn(&Point::Saying(kind)), &bytes).await?;
                let messages = match lock(&self.rules).said.as_mut() {
                    Some(rule) => rule(kind, bytes),
                    None => vec![bytes],
                };
                for message in messages {
                    socket.send(Message::Binary(message.into())).await.map_err(|_| Over)?;
                }
                Ok(())
            }
            Say::Message(bytes) => socket.send(Message::Binary(bytes.into())).await.map_err(|_| Over),
            Say::Text(text) => socket.send(Message::Text(text.into())).await.map_err(|_| Over),
            Say::Close(code) => {
                let frame = CloseFrame { code: CloseCode::from(code), reason: "".into() };
                let _ = socket.close(Some(frame)).await;
                // What the client says to it is read, so that the close frame is not lost.
                while let Some(Ok(_)) = socket.next().await {}
                Err(Over)
            }
            Say::Cut => Err(Over),
        }
    }

    /// Does what a rule says about this moment; `message` is what was about to go.
    async fn act(&self, socket: &mut Socket, turn: Turn, message: &[u8]) -> Result<(), Over> {
        match turn {
            Turn::Go => Ok(()),
            Turn::Cut => Err(Over),
            Turn::Freeze => std::future::pending().await,
            Turn::Half => {
                let length = u16::try_from(message.len()).unwrap_or(u16::MAX).to_be_bytes();
                let half = [&[0x82, 126], &length[..], &message[..message.len() / 2]].concat();
                let _ = socket.get_mut().write_all(&half).await;
                Err(Over)
            }
        }
    }

    async fn next_message(&self, socket: &mut Socket, number: u64) -> Result<Bytes, Over> {
        loop {
            match socket.next().await {
                Some(Ok(Message::Binary(bytes))) => {
                    let mut record = self.record();
                    record.bytes.extend(&bytes);
                    record.last_message = bytes.to_vec();
                    return Ok(bytes);
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(frame))) => {
                    self.record().events.push(Seen::Ended(number, frame.map(|frame| frame.code.into())));
                    self.something_was_seen();
                    return Err(Over);
                }
                Some(Ok(Message::Text(_) | Message::Frame(_))) => {
                    self.object("FRAME-2: a text message");
                    return Err(Over);
                }
                Some(Err(_)) | None => {
                    self.record().events.push(Seen::Ended(number, None));
                    self.something_was_seen();
                    return Err(Over);
                }
            }
        }
    }

    fn refuse_client(&self, what: &str) -> Over {
        self.object(what);
        Over
    }
}

/// The answer to an upgrade: no length, and the connection goes on.
fn upgrade(reply: &Reply) -> Vec<u8> {
    if reply.status != 101 {
        return reply.encode();
    }
    let mut out = b"HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\n".to_vec();
    for (name, value) in &reply.headers {
        out.extend(format!("{name}: {value}\r\n").into_bytes());
    }
    out.extend(b"\r\n");
    out
}

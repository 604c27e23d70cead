//! How a client talks to a server: in the real protocol to the relay, in a few bytes to the bare
//! servers. Every answer is checked; what is wrong ends the measurement.

use std::collections::VecDeque;

use bytes::Bytes;
use rmp::decode;
use susurro_protocol::bytes::Bin;
use susurro_protocol::codec;
use susurro_protocol::command::{Ack, Deposit, ListVersion, Send};
use susurro_protocol::event::{Deliver, ErrorNotice, Rejected, Stored};
use susurro_protocol::frame::{FrameKind, RawFrame};
use susurro_protocol::handshake::{ClientHandshake, ClientIdentity, refusal};
use susurro_protocol::session::{FrameOpener, FrameSealer};
use susurro_protocol::{ChatId, DeviceId, MessageId};
use zeroize::Zeroizing;

use crate::bare;
use crate::chance::Chance;
use crate::failed::{Outcome, failed};
use crate::people::Person;
use crate::socket::Socket;

/// What a client has heard.
pub enum Heard {
    /// That many messages of its own are durable, or at least delivered where nothing is stored.
    Stored(u32),
    /// A body.
    Body(Bytes),
    /// Something that does not matter here.
    Nothing,
}

/// One end of a pair.
pub enum Voice {
    /// Of the relay.
    Real(Box<Real>),
    /// Of a bare server.
    Bare(Bare),
}

/// A session with the relay.
pub struct Real {
    sealer: FrameSealer,
    opener: FrameOpener,
    chat: ChatId,
    lists: Vec<ListVersion>,
    peer: DeviceId,
    /// Identifiers of what this end sends; the other end draws the same ones as `expected`.
    ids: Chance,
    expected: Chance,
    unanswered: VecDeque<MessageId>,
    delivered: u64,
    acknowledged: u64,
}

/// A connection to a bare server.
pub struct Bare {
    peer: [u8; 16],
    stores: bool,
    received: Vec<u64>,
}

impl Voice {
    /// Opens the connection of `me`, who talks with `peer`: the handshake and the first `Ack`.
    /// `seed` is what both ends draw identifiers from.
    ///
    /// # Errors
    ///
    /// When the relay refuses, or proves to be another one.
    pub async fn open(
        address: &str,
        relay_key: [u8; 32],
        me: &Person,
        peer: &Person,
        seed: &Chance,
    ) -> Outcome<(Socket, Self)> {
        let headers = format!("Sec-WebSocket-Protocol: susurro.v1\r\nAuthorization: Bearer {}\r\n", me.token);
        let mut socket = Socket::open(address, "/ws", &headers).await?;
        let who = ClientIdentity { account: me.account, device: me.device, signing_key: &me.signing_key };
        let mut ephemeral = Zeroizing::new([0; 32]);
        getrandom::fill(&mut ephemeral[..]).map_err(|why| crate::failed::Failed(why.to_string()))?;
        let (handshake, hello) = ClientHandshake::start(&who, relay_key, &me.token, 0, ephemeral);
        socket.push(&hello);
        socket.flush().await?;
        let welcome = loop {
            match socket.message()? {
                Some(message) => break RawFrame::decode(&message)?,
                None => socket.fill_soon().await?,
            }
        };
        if let Some(notice) = refusal(&welcome) {
            return failed(format!("the relay refuses a connection: {}", notice.text));
        }
        let (_, mut pair) = handshake.finish(&welcome)?;
        socket.push(&pair.sealer.seal(FrameKind::Ack, &Ack { cursor: 0 })?);
        socket.flush().await?;
        let lists = [me.account, peer.account].map(|account| ListVersion { account, version: 1 });
        let real = Real {
            sealer: pair.sealer,
            opener: pair.opener,
            chat: ChatId::direct(&me.account, &peer.account),
            lists: lists.to_vec(),
            peer: peer.device,
            ids: seed.clone(),
            expected: seed.clone(),
            unanswered: VecDeque::new(),
            delivered: 0,
            acknowledged: 0,
        };
        Ok((socket, Self::Real(Box::new(real))))
    }

    /// Opens a connection to a bare server, `stores` telling which of the two.
    ///
    /// # Errors
    ///
    /// When it does not answer.
    pub async fn open_bare(address: &str, me: u32, peer: u32, stores: bool) -> Outcome<(Socket, Self)> {
        let socket = Socket::open(address, &format!("/ws?u={me}"), "").await?;
        Ok((socket, Self::Bare(Bare { peer: bare::person(peer), stores, received: Vec::new() })))
    }

    /// Sends a body to the peer, at the next flush.
    ///
    /// # Errors
    ///
    /// When it is too large for a frame.
    pub fn send(&mut self, socket: &mut Socket, body: Bytes) -> Outcome {
        match self {
            Self::Real(real) => {
                let message = MessageId::from_bytes(real.ids.id());
                let deposits = vec![Deposit { device: real.peer, ciphertext: Bin(body) }];
                let send = Send { message, chat: real.chat, lists: real.lists.clone(), deposits, time_to_live: 0 };
                real.unanswered.push_back(message);
                socket.push(&real.sealer.seal(FrameKind::Send, &send)?);
            }
            Self::Bare(bare) => socket.push(&bare::frame_to(&bare.peer, &body)),
        }
        Ok(())
    }

    /// Reads one message of the server.
    ///
    /// # Errors
    ///
    /// For a refusal, and for anything out of its turn, twice, missing or changed.
    pub fn hear(&mut self, message: Bytes) -> Outcome<Heard> {
        match self {
            Self::Real(real) => real.hear(&message),
            Self::Bare(bare) => bare.hear(&message),
        }
    }

    /// Confirms everything that was heard since the last time, at the next flush: what arrived
    /// together is confirmed together, as a client does that writes it in one transaction.
    ///
    /// # Errors
    ///
    /// None in practice.
    pub fn acknowledge(&mut self, socket: &mut Socket) -> Outcome {
        match self {
            Self::Real(real) if real.delivered > real.acknowledged => {
                real.acknowledged = real.delivered;
                socket.push(&real.sealer.seal(FrameKind::Ack, &Ack { cursor: real.delivered })?);
            }
            Self::Bare(bare) if !bare.received.is_empty() => {
                if bare.stores {
                    let mut frame = vec![0x92, 3, 0xdd];
                    frame.extend_from_slice(&(bare.received.len() as u32).to_be_bytes());
                    for id in &bare.received {
                        frame.push(0xcf);
                        frame.extend_from_slice(&id.to_be_bytes());
                    }
                    socket.push(&frame);
                } else {
                    // Nobody answers for the forwarder: the other end does.
                    socket.push(&bare::frame_to(&bare.peer, &(bare.received.len() as u32).to_be_bytes()));
                }
                bare.received.clear();
            }
            _ => {}
        }
        Ok(())
    }
}

impl Real {
    fn hear(&mut self, message: &Bytes) -> Outcome<Heard> {
        let frame = self.opener.open_message(message)?;
        match frame.kind() {
            FrameKind::Stored => {
                let Stored { message, .. } = codec::decode(frame.body())?;
                if self.unanswered.pop_front() != Some(message) {
                    return failed("a message was answered out of its turn");
                }
                Ok(Heard::Stored(1))
            }
            FrameKind::Deliver => {
                let Deliver { seq, message, chat, sender_device, ciphertext, .. } = codec::decode(frame.body())?;
                if seq != self.delivered + 1 || message != MessageId::from_bytes(self.expected.id()) {
                    return failed(format!("position {seq} came behind {}, or twice, or another", self.delivered));
                }
                if chat != self.chat || sender_device != self.peer {
                    return failed("a message came from somebody else");
                }
                self.delivered = seq;
                Ok(Heard::Body(ciphertext.0))
            }
            FrameKind::PrekeysLow => Ok(Heard::Nothing),
            FrameKind::Rejected => {
                let Rejected { code, .. } = codec::decode(frame.body())?;
                failed(format!("a message was refused: {code:?}"))
            }
            FrameKind::Error => {
                let ErrorNotice { text, .. } = codec::decode(frame.body())?;
                failed(format!("the relay says: {text}"))
            }
            other => failed(format!("a frame {other:?} came")),
        }
    }
}

impl Bare {
    fn hear(&mut self, message: &Bytes) -> Outcome<Heard> {
        match self.read(message) {
            Some(heard) => Ok(heard),
            None => failed("a bare server sends something else"),
        }
    }

    fn read(&mut self, message: &Bytes) -> Option<Heard> {
        let mut reader = decode::Bytes::new(message);
        decode::read_array_len(&mut reader).ok()?;
        match decode::read_int::<u8, _>(&mut reader).ok()? {
            1 => decode::read_int(&mut reader).ok().map(Heard::Stored),
            2 => {
                let id = decode::read_int(&mut reader).ok()?;
                decode::read_bin_len(&mut reader).ok()?;
                let body = message.slice_ref(reader.remaining_slice());
                match <[u8; 4]>::try_from(&body[..]) {
                    Ok(count) if !self.stores => Some(Heard::Stored(u32::from_be_bytes(count))),
                    _ => {
                        self.received.push(id);
                        Some(Heard::Body(body))
                    }
                }
            }
            _ => None,
        }
    }
}

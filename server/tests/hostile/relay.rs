//! The relay behind the handshake: the real door and the real use cases over memory, one verified
//! session, and whatever an input says comes in it.
//!
//! After each input: every `Send` that could be read was answered once, in order, with `Stored` or
//! `Rejected`, as long as the connection lived; it ended, if it did, with a close frame; and the
//! recipient, who connects afterwards, gets exactly what was stored, once and unchanged.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, OnceLock};

use axum::serve::Listener;
use bytes::Bytes;
use ed25519_dalek::SigningKey;
use futures_util::{SinkExt as _, StreamExt as _};
use susurro_protocol::bytes::Fixed;
use susurro_protocol::codec::{self, decode, encode};
use susurro_protocol::command::{Ack, Deposit, ListVersion, Ping, Send};
use susurro_protocol::event::{Deliver, Pong, Rejected, Stored};
use susurro_protocol::frame::{FrameKind, RawFrame};
use susurro_protocol::handshake::{ClientHandshake, ClientIdentity, SessionPair};
use susurro_protocol::keys::{CertificateBody, DeviceCertificate, DeviceList};
use susurro_protocol::rest::{AUTH_SCHEME, RegisterRequest, SignedText, StretchParams};
use susurro_protocol::version::{SUBPROTOCOL, SUITE};
use susurro_protocol::{AccountId, ChatId, DeviceId, MessageId};
use susurro_server::adapters::inbound::http;
use susurro_server::adapters::inbound::ws::{self, Timing};
use susurro_server::adapters::outbound::bus::LocalBus;
use susurro_server::adapters::outbound::jwt::JwtTokens;
use susurro_server::adapters::outbound::memory::MemoryStore;
use susurro_server::adapters::outbound::system::SystemEntropy;
use susurro_server::domain::login::LoginKeys;
use susurro_server::domain::mailbox::MailboxBounds;
use susurro_server::ports::{Answer, Bus, Clock, Passwords};
use susurro_server::service::{Fanout, Ports, Relay, RelayKeys};
use susurro_server::shutdown::Shutdown;
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use zeroize::Zeroizing;

/// Steps of one input. More would only be slower.
const STEPS_MAX: usize = 256;
/// What a connection holds unread: more than all answers to one input, so that nobody waits.
const PIPE: usize = 4 << 20;
/// Messages that wait in one mailbox before it is full.
const MAILBOX_MAX: u64 = 40;
/// The nonce of the ping after the last step.
const LAST: u64 = 0x0123_4567_89ab_cdef;
const NOW: u64 = 1_800_000_000_000;

/// What became of an input.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Story {
    /// Answers `Stored`.
    pub stored: usize,
    /// Answers `Rejected`.
    pub rejected: usize,
    /// What the recipient got.
    pub delivered: usize,
    /// Whether the relay ended the connection.
    pub ended: bool,
}

/// A time that stands still.
struct Still;

impl Clock for Still {
    fn now(&self) -> u64 {
        NOW
    }
}

/// Hashes nothing: passwords are not what is tried here.
struct Plain;

impl Passwords for Plain {
    fn hash(&self, stretched: [u8; 32], _salt: [u8; 16]) -> Answer<'_, [u8; 32]> {
        Box::pin(std::future::ready(Ok(stretched)))
    }
}

/// Connections out of nowhere.
struct Pipes(mpsc::Receiver<DuplexStream>);

impl Listener for Pipes {
    type Io = DuplexStream;
    type Addr = ();

    async fn accept(&mut self) -> (DuplexStream, ()) {
        match self.0.recv().await {
            Some(pipe) => (pipe, ()),
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}

/// Who somebody is, made once.
struct Person {
    name: &'static str,
    key: SigningKey,
    device: DeviceId,
    account: AccountId,
    list: SignedText,
}

impl Person {
    fn new(name: &'static str, seed: u8) -> Self {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let public = key.verifying_key().to_bytes();
        let (account, device) = (AccountId::of_account_key(&public), DeviceId::from_bytes([seed; 16]));
        let body = CertificateBody {
            suite: SUITE,
            account,
            account_key: Fixed(public),
            device,
            signing_key: Fixed(public),
            identity_key: Fixed([seed; 32]),
            created: 1,
        };
        let list = DeviceList::issue(&key, None, 1, vec![DeviceCertificate::issue(&key, body)]);
        Self { name, key, device, account, list: SignedText::of(list.signed()) }
    }
}

fn people() -> &'static [Person; 2] {
    static PEOPLE: OnceLock<[Person; 2]> = OnceLock::new();
    PEOPLE.get_or_init(|| [Person::new("alice", 7), Person::new("bob", 8)])
}

fn chat() -> ChatId {
    ChatId::direct(&people()[0].account, &people()[1].account)
}

/// The message that step 1 sends: its number makes its identifier, the size its ciphertext.
fn message(number: u8, size: u16) -> Send {
    let list = |person: &Person| ListVersion { account: person.account, version: 1 };
    let ciphertext = vec![number; usize::from(size)].into();
    Send {
        message: MessageId::from_bytes([number; 16]),
        chat: chat(),
        lists: people().iter().map(list).collect(),
        deposits: vec![Deposit { device: people()[1].device, ciphertext }],
        time_to_live: 0,
    }
}

/// One thing that the client does.
enum Step {
    /// A frame of this kind with these bytes, sealed as it should be.
    Frame(FrameKind, Vec<u8>),
    /// Bytes that no session has sealed.
    Raw(Vec<u8>),
    /// A text message.
    Text(Vec<u8>),
    /// A frame of which a bit is flipped after it was sealed.
    Flipped(FrameKind, Vec<u8>, u16),
}

/// Takes steps from an input until nothing is left.
struct Script<'a>(&'a [u8]);

impl Script<'_> {
    fn u8(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes([self.u8()?, self.u8()?]))
    }

    /// As many bytes as the next two say, or as there are.
    fn block(&mut self) -> Option<Vec<u8>> {
        let length = usize::from(self.u16()?).min(self.0.len());
        let (block, rest) = self.0.split_at(length);
        self.0 = rest;
        Some(block.to_vec())
    }

    /// A good message with some of its bytes changed.
    fn edited(&mut self) -> Option<Vec<u8>> {
        let mut body = encode(&message(self.u8()?, 30));
        for _ in 0..self.u8()? % 8 {
            let (at, with) = (usize::from(self.u16()?) % body.len(), self.u8()?);
            body[at] = with;
        }
        Some(body)
    }

    fn step(&mut self) -> Option<Step> {
        Some(match self.u8()? % 9 {
            0 => Step::Frame(FrameKind::of_number(self.u16()?), self.block()?),
            1 => Step::Frame(FrameKind::Send, encode(&message(self.u8()?, self.u16()?))),
            2 => Step::Frame(FrameKind::Send, self.edited()?),
            3 => Step::Frame(FrameKind::Ack, encode(&Ack { cursor: self.u8()?.into() })),
            4 => Step::Frame(FrameKind::Ping, encode(&Ping { nonce: self.u8()?.into() })),
            5 => Step::Raw(self.block()?),
            6 => Step::Text(self.block()?),
            7 => Step::Flipped(FrameKind::Ping, encode(&Ping { nonce: 1 }), self.u16()?),
            _ => Step::Frame(FrameKind::Send, self.block()?),
        })
    }
}

/// A relay of its own for each input.
struct World {
    doors: mpsc::Sender<DuplexStream>,
    relay_key: [u8; 32],
    tokens: [String; 2],
    _shutdown: Shutdown,
}

impl World {
    async fn new() -> Self {
        let bus: Arc<dyn Bus> = Arc::new(LocalBus::default());
        let store = Arc::new(MemoryStore::new(MailboxBounds::of_messages(MAILBOX_MAX), Arc::new(Fanout(bus.clone()))));
        let signing = SigningKey::from_bytes(&[1; 32]);
        let relay_key = signing.verifying_key().to_bytes();
        let keys = [("0001".to_owned(), Zeroizing::new([2; 32]))];
        let ports = Ports {
            accounts: store.clone(),
            administration: store.clone(),
            invites: store.clone(),
            announcements: store.clone(),
            devices: store.clone(),
            prekeys: store.clone(),
            chats: store.clone(),
            blob_records: store.clone(),
            blobs: store.clone(),
            mailboxes: store.clone(),
            sessions: store,
            bus,
            tokens: Arc::new(JwtTokens::new(&relay_key, &keys).unwrap()),
            passwords: Arc::new(Plain),
            clock: Arc::new(Still),
            entropy: Arc::new(SystemEntropy),
        };
        let relay = Arc::new(Relay::new(ports, RelayKeys { signing, login: LoginKeys::new([3; 32], [4; 32]) }));
        let mut tokens = Vec::new();
        for person in people() {
            let stretch = StretchParams {
                scheme: AUTH_SCHEME.into(),
                salt: Fixed([0; 16]),
                memory_kib: 64 * 1024,
                passes: 3,
                lanes: 1,
            };
            let request = RegisterRequest {
                username: person.name.into(),
                stretch,
                auth: Fixed([9; 32]),
                device_list: person.list.clone(),
                invite: None,
            };
            tokens.push(relay.register(request).await.unwrap().access_token);
        }
        let claims = relay.authenticate(&tokens[0]).await.unwrap();
        relay.open_chat(&claims, people()[1].name).await.unwrap();
        let shutdown = Shutdown::default();
        let (doors, pipes) = mpsc::channel(1);
        let router = http::finish(ws::router(relay, Timing::default(), shutdown.listener()));
        tokio::spawn(async move { axum::serve(Pipes(pipes), router).await });
        Self { doors, relay_key, tokens: tokens.try_into().unwrap(), _shutdown: shutdown }
    }

    /// Connects a person and sends the first `Ack`.
    async fn connect(&self, who: usize) -> Talk {
        let (own, theirs) = tokio::io::duplex(PIPE);
        self.doors.send(theirs).await.unwrap();
        let mut request = "ws://relay/ws".into_client_request().unwrap();
        let headers = request.headers_mut();
        headers.insert("authorization", format!("Bearer {}", self.tokens[who]).parse().unwrap());
        headers.insert("sec-websocket-protocol", HeaderValue::from_static(SUBPROTOCOL));
        let (mut socket, _) = tokio_tungstenite::client_async(request, own).await.unwrap();
        let person = &people()[who];
        let identity = ClientIdentity { account: person.account, device: person.device, signing_key: &person.key };
        let (handshake, hello) =
            ClientHandshake::start(&identity, self.relay_key, &self.tokens[who], 0, [0x55; 32].into());
        socket.send(Message::Binary(hello.into())).await.unwrap();
        let Some(Ok(Message::Binary(welcome))) = socket.next().await else { panic!("no Welcome") };
        let (_, session) = handshake.finish(&RawFrame::decode(&welcome).unwrap()).unwrap();
        let mut talk = Talk { socket, session };
        assert!(talk.say(FrameKind::Ack, &encode(&Ack { cursor: 0 })).await);
        talk
    }
}

struct Talk {
    socket: WebSocketStream<DuplexStream>,
    session: SessionPair,
}

impl Talk {
    /// False when the connection is gone, or when the frame is too large to be one.
    async fn say(&mut self, kind: FrameKind, body: &[u8]) -> bool {
        match self.session.sealer.seal_body(kind, body) {
            Ok(bytes) => self.put(Message::Binary(bytes.into())).await,
            Err(_) => true,
        }
    }

    async fn put(&mut self, message: Message) -> bool {
        self.socket.feed(message).await.is_ok()
    }

    /// The next frame; `None` when the relay has closed with a code.
    async fn hear(&mut self) -> Option<(FrameKind, Bytes)> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Binary(bytes))) => {
                    let frame = self.session.opener.open_message(&bytes).expect("the relay's frames are in order");
                    return Some((frame.kind(), frame.body().clone()));
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(Some(frame)))) => {
                    assert_ne!(u16::from(frame.code), 1011, "the relay has failed");
                    return None;
                }
                other => panic!("the connection ended without a close frame: {other:?}"),
            }
        }
    }
}

/// Plays an input against a relay of its own.
///
/// # Panics
///
/// When the relay did what it must not.
pub fn run(input: &[u8]) -> Story {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let story = runtime.block_on(play(input));
    runtime.shutdown_background();
    story
}

async fn play(input: &[u8]) -> Story {
    let world = World::new().await;
    let mut alice = world.connect(0).await;
    let mut asked = Vec::new();
    let mut sent: BTreeMap<MessageId, Vec<Send>> = BTreeMap::new();
    let mut script = Script(input);
    let mut alive = true;
    for _ in 0..STEPS_MAX {
        let Some(step) = script.step() else { break };
        alive &= match step {
            Step::Frame(kind, body) => {
                if kind == FrameKind::Send
                    && let Ok(send) = decode::<Send>(&body)
                {
                    asked.push(send.message);
                    sent.entry(send.message).or_default().push(send);
                }
                alice.say(kind, &body).await
            }
            Step::Raw(bytes) => alice.put(Message::Binary(bytes.into())).await,
            Step::Text(bytes) => alice.put(Message::Text(String::from_utf8_lossy(&bytes).into_owned().into())).await,
            Step::Flipped(kind, body, bit) => {
                let mut bytes = alice.session.sealer.seal_body(kind, &body).unwrap();
                let bit = usize::from(bit) % (bytes.len() * 8);
                bytes[bit / 8] ^= 1 << (bit % 8);
                alice.put(Message::Binary(bytes.into())).await
            }
        };
    }
    if alive {
        let _ = alice.say(FrameKind::Ping, &encode(&Ping { nonce: LAST })).await && alice.socket.flush().await.is_ok();
    }

    let mut story = Story::default();
    let mut stored = Vec::new();
    let mut answers = asked.iter();
    loop {
        let Some((kind, body)) = alice.hear().await else {
            story.ended = true;
            break;
        };
        match kind {
            FrameKind::Stored => {
                let Stored { message, .. } = codec::decode(&body).unwrap();
                assert_eq!(Some(&message), answers.next(), "answers come in the order of the questions");
                stored.push(message);
                story.stored += 1;
            }
            FrameKind::Rejected => {
                let Rejected { message, .. } = codec::decode(&body).unwrap();
                assert_eq!(Some(&message), answers.next(), "answers come in the order of the questions");
                story.rejected += 1;
            }
            FrameKind::Pong if matches!(decode(&body), Ok(Pong { nonce: LAST })) => break,
            FrameKind::Pong | FrameKind::Error | FrameKind::PrekeysLow => {}
            other => panic!("{other:?} to somebody who has no mail"),
        }
    }
    if !story.ended {
        // A `Pong` may overtake answers that wait for their commit: they come, all the same.
        while answers.len() > 0 {
            let (kind, body) = alice.hear().await.expect("an answer to every Send");
            let message = match kind {
                FrameKind::Stored => decode::<Stored>(&body).map(|answer| {
                    stored.push(answer.message);
                    story.stored += 1;
                    answer.message
                }),
                FrameKind::Rejected => decode::<Rejected>(&body).map(|answer| {
                    story.rejected += 1;
                    answer.message
                }),
                _ => continue,
            };
            assert_eq!(message.as_ref().ok(), answers.next());
        }
    }
    story.delivered = collect(&world, &stored, &sent, story.ended).await;
    story
}

/// The recipient's mailbox against what was stored. When the relay ended the connection, what it
/// had taken may have been stored without an answer.
async fn collect(world: &World, stored: &[MessageId], sent: &BTreeMap<MessageId, Vec<Send>>, ended: bool) -> usize {
    let mut bob = world.connect(1).await;
    assert!(bob.say(FrameKind::Ping, &encode(&Ping { nonce: LAST })).await);
    bob.socket.flush().await.unwrap();
    let mut got = BTreeMap::new();
    let mut position = 0;
    while let Some((kind, body)) = bob.hear().await {
        match kind {
            FrameKind::Deliver => {
                let delivery: Deliver = decode(&body).unwrap();
                assert!(delivery.seq > position, "positions rise");
                position = delivery.seq;
                assert_eq!((delivery.sender, delivery.sender_device), (people()[0].account, people()[0].device));
                let known = sent.get(&delivery.message).into_iter().flatten();
                let genuine = |send: &Send| send.deposits.iter().any(|d| d.ciphertext == delivery.ciphertext);
                assert!(known.into_iter().any(genuine), "a message that nobody sent");
                assert!(got.insert(delivery.message, ()).is_none(), "a message twice");
            }
            FrameKind::Pong => break,
            FrameKind::PrekeysLow => {}
            other => panic!("{other:?} in an idle session"),
        }
    }
    for message in stored {
        assert!(got.contains_key(message), "a message that was stored is not delivered");
    }
    assert!(ended || got.keys().all(|message| stored.contains(message)), "a message that was not stored is delivered");
    got.len()
}

/// Inputs to begin with.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let framed = |kind: FrameKind, body: &[u8]| {
        let length = u16::try_from(body.len()).unwrap().to_be_bytes();
        [&[0], &kind.number().to_be_bytes()[..], &length, body].concat()
    };
    let send = [[1, 1, 0, 40], [1, 2, 1, 0], [1, 1, 0, 40]].concat();
    let reject = [&[1, 1, 0, 0][..], &[2, 3, 1, 0, 30, 0x55]].concat();
    let flip = [&[1, 1, 0, 40][..], &[7, 0, 77]].concat();
    let talk = [[3, 0], [4, 9]].concat();
    let kinds = [
        framed(FrameKind::Unknown(999), b"later"),
        framed(
            FrameKind::Error,
            &encode(&susurro_protocol::event::ErrorNotice::of(susurro_protocol::ErrorCode::UnknownKind)),
        ),
        framed(FrameKind::Ping, &encode(&Ping { nonce: 1 })),
        framed(FrameKind::Stored, &encode(&Stored { message: MessageId::from_bytes([1; 16]), stored_at: 1 })),
    ]
    .concat();
    let full: Vec<u8> = (0..50).flat_map(|number| [1, number, 0, 20]).collect();
    vec![
        ("send", send),
        ("reject", reject),
        ("flip", flip),
        ("talk", talk),
        ("kinds", kinds),
        ("full", full),
        ("ack-ahead", vec![3, 9]),
        ("raw", vec![5, 0, 3, 0x95, 1, 2]),
        ("text", vec![6, 0, 2, b'h', b'i']),
    ]
}

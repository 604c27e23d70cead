//! A relay in memory that keeps the rules of `docs/protocol.md`: everything in it is durable at
//! once, connections are not.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use sha2::{Digest, Sha256};
use susurro_client_core::store::port::Tokens;
use susurro_client_core::sync::{Answer, Request, RequestFailure};
use susurro_protocol::command::{Ack, Ping, Send, Whisper};
use susurro_protocol::event::{
    Deliver, DevicesChanged, ErrorNotice, GoingAway, Pong, PrekeysLow, Rejected, Stored, Whispered,
};
use susurro_protocol::frame::{FrameKind, RawFrame};
use susurro_protocol::handshake::{RESTORATION, ReceivedHello, SessionPair, Welcome, refuse};
use susurro_protocol::keys::DeviceList;
use susurro_protocol::limits::BLOB_CHUNK;
use susurro_protocol::rest::{BlobState, Chat, ChatMember, ClaimResponse, SignedText, TokenResponse, UserDevices};
use susurro_protocol::{AccountId, AccountName, BlobId, ChatId, DeviceId, ErrorCode, MailboxSeq, MessageId, codec};
use zeroize::Zeroizing;

use crate::dice::Dice;
use crate::people::Person;
use crate::prekeys::Keys;

pub static RELAY_KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::from_bytes(&[77; 32]));

/// Small, so that histories meet it.
const WINDOW: usize = 4;

pub type ConnId = u64;

/// What the relay does to a connection.
pub enum Out {
    Send(ConnId, Vec<u8>),
    Close(ConnId, Option<ErrorCode>),
}

pub struct Relay {
    pub accounts: BTreeMap<AccountName, Account>,
    pub devices: BTreeMap<DeviceId, Device>,
    /// Hash of what was stored under each identifier.
    stored: HashMap<MessageId, ([u8; 32], u64)>,
    pub chats: BTreeMap<ChatId, [AccountId; 2]>,
    access: HashMap<String, (DeviceId, u64)>,
    refresh: HashMap<String, DeviceId>,
    connections: BTreeMap<ConnId, Connection>,
    pub dice: Dice,
    /// Per mille of sends that are refused for the moment.
    pub refusals: u64,
    /// What it announces.
    pub ciphertext_max: u32,
    /// Per mille of deposits that are delivered twice.
    pub duplicates: u64,
    /// Per mille of whispers that are lost, that come twice, and after which old ones come again.
    pub whisper_chaos: u64,
    /// Every whisper that was ever forwarded or lost, and to whom.
    pub whispers: Vec<(DeviceId, Whispered)>,
    /// Deliveries that were acknowledged since the last look.
    pub acknowledged: Vec<(DeviceId, Deliver)>,
    /// Owner, size and offset of each blob; their bytes are no part of this world.
    pub blobs: BTreeMap<BlobId, (AccountId, u64, u64)>,
    /// Bytes of the largest blob that is taken.
    pub blob_quota: u64,
    /// Message identifiers that came with other contents than before.
    pub reused: Vec<MessageId>,
    serial: u64,
}

pub struct Account {
    pub account: AccountId,
    pub list: DeviceList,
}

#[derive(Clone)]
pub struct Device {
    pub account: AccountId,
    signing_key: [u8; 32],
    pub mailbox: BTreeMap<MailboxSeq, Deliver>,
    pub head: MailboxSeq,
    pub keys: Keys,
}

struct Connection {
    token: String,
    session: Option<(SessionPair, DeviceId)>,
    /// The last position that was sent, once the first `Ack` came.
    sent: Option<MailboxSeq>,
}

fn blob_state(blob: BlobId, size: u64, offset: u64) -> BlobState {
    BlobState { blob, size, offset, expires: u64::MAX }
}

impl Relay {
    pub fn new(seed: u64) -> Self {
        Self {
            accounts: BTreeMap::new(),
            devices: BTreeMap::new(),
            stored: HashMap::new(),
            chats: BTreeMap::new(),
            access: HashMap::new(),
            refresh: HashMap::new(),
            connections: BTreeMap::new(),
            dice: Dice::new(seed),
            refusals: 0,
            ciphertext_max: 65_536,
            duplicates: 0,
            whisper_chaos: 0,
            whispers: Vec::new(),
            acknowledged: Vec::new(),
            blobs: BTreeMap::new(),
            blob_quota: u64::MAX,
            reused: Vec::new(),
            serial: 0,
        }
    }

    /// Registers a person and gives the first tokens.
    pub fn register(&mut self, person: &Person, now: u64) -> Tokens {
        self.accounts.insert(person.name.clone(), Account { account: person.account(), list: person.list.clone() });
        let certificate = person.device.certificate().body();
        let device = Device {
            account: person.account(),
            signing_key: certificate.signing_key.0,
            mailbox: BTreeMap::new(),
            head: 0,
            keys: Keys::new(&person.publication),
        };
        self.devices.insert(person.device_id(), device);
        let tokens = self.issue_tokens(person.device_id(), now);
        Tokens {
            access: Zeroizing::new(tokens.access_token),
            access_expires: now + tokens.access_expires_in * 1000,
            refresh: Zeroizing::new(tokens.refresh_token),
        }
    }

    fn issue_tokens(&mut self, device: DeviceId, now: u64) -> TokenResponse {
        self.serial += 1;
        let (access_token, refresh_token) = (format!("access-{}", self.serial), format!("refresh-{}", self.serial));
        self.access.insert(access_token.clone(), (device, now + 3_600_000));
        self.refresh.insert(refresh_token.clone(), device);
        TokenResponse {
            account: self.devices[&device].account,
            device,
            access_token,
            access_expires_in: 3600,
            refresh_token,
            refresh_expires_in: 30 * 24 * 3600,
        }
    }

    /// All access tokens end early.
    pub fn revoke_access(&mut self) {
        self.access.clear();
    }

    pub fn revoke_refresh(&mut self) {
        self.refresh.clear();
    }

    fn check_token(&self, token: &str, now: u64) -> Result<DeviceId, ErrorCode> {
        match self.access.get(token) {
            None => Err(ErrorCode::TokenRevoked),
            Some((_, expires)) if *expires < now => Err(ErrorCode::TokenExpired),
            Some((device, _)) => Ok(*device),
        }
    }

    /// The process ends: connections are gone, everything else stays.
    pub fn restart(&mut self) {
        self.connections.clear();
    }

    pub fn going_away(&mut self) -> Vec<Out> {
        let mut out = Vec::new();
        let connections: Vec<_> = self.connections.keys().copied().collect();
        for conn in connections {
            let retry_after = 500 + self.dice.below(3000) as u32;
            self.send(conn, FrameKind::GoingAway, &GoingAway { retry_after }, &mut out);
        }
        out
    }

    pub fn disconnected(&mut self, conn: ConnId) {
        self.connections.remove(&conn);
    }

    pub fn opened(&mut self, conn: ConnId, token: String, now: u64) -> Result<(), ErrorCode> {
        self.check_token(&token, now)?;
        self.connections.insert(conn, Connection { token, session: None, sent: None });
        Ok(())
    }

    /// Takes one message of a connection.
    pub fn message(&mut self, conn: ConnId, bytes: Vec<u8>, now: u64) -> Vec<Out> {
        let mut out = Vec::new();
        let Some(connection) = self.connections.get_mut(&conn) else { return out };
        if connection.session.is_none() {
            self.hello(conn, bytes, now, &mut out);
            return out;
        }
        let Some((pair, device)) = &mut connection.session else { return out };
        let device = *device;
        let frame = match pair.opener.open_message(&Bytes::from(bytes)) {
            Ok(frame) => frame,
            Err(code) => {
                self.connections.remove(&conn);
                return vec![Out::Close(conn, Some(code))];
            }
        };
        match frame.kind() {
            FrameKind::Ack => self.ack(conn, device, codec::decode(frame.body()).unwrap(), &mut out),
            FrameKind::Whisper => self.whisper(device, codec::decode(frame.body()).unwrap(), &mut out),
            FrameKind::Send => self.deposit(conn, device, frame.body(), now, &mut out),
            FrameKind::Ping => {
                let ping: Ping = codec::decode(frame.body()).unwrap();
                self.send(conn, FrameKind::Pong, &Pong { nonce: ping.nonce }, &mut out);
            }
            _ => {}
        }
        out
    }

    fn hello(&mut self, conn: ConnId, bytes: Vec<u8>, now: u64, out: &mut Vec<Out>) {
        let token = self.connections[&conn].token.clone();
        let ephemeral = Zeroizing::new(std::array::from_fn(|_| self.dice.roll() as u8));
        let answer = RawFrame::decode(&Bytes::from(bytes))
            .and_then(|frame| ReceivedHello::read(frame, &RELAY_KEY.verifying_key().to_bytes(), &token))
            .and_then(|hello| {
                let device = hello.claims().device;
                let known = self.devices.get(&device).ok_or(ErrorCode::UnknownDevice)?;
                let own_key = RELAY_KEY.verifying_key().to_bytes();
                let (head, ciphertext_max) = (known.head, self.ciphertext_max);
                let answer = hello.answer(&known.signing_key, &RELAY_KEY, ephemeral, |version, ephemeral| Welcome {
                    ciphertext_max,
                    ..Welcome::of_relay(version, own_key, ephemeral, now, head)
                })?;
                Ok((answer, device))
            });
        match answer {
            Ok(((welcome, pair), device)) => {
                if let Some(connection) = self.connections.get_mut(&conn) {
                    connection.session = Some((pair, device));
                }
                out.push(Out::Send(conn, welcome));
            }
            Err(code) => {
                self.connections.remove(&conn);
                out.push(Out::Send(conn, refuse(&ErrorNotice::of(code))));
                out.push(Out::Close(conn, Some(code)));
            }
        }
    }

    fn ack(&mut self, conn: ConnId, device: DeviceId, ack: Ack, out: &mut Vec<Out>) {
        if self.connections[&conn].sent.is_none() {
            let others = self.connections.iter().filter(|(other, connection)| {
                **other != conn
                    && connection.sent.is_some()
                    && connection.session.as_ref().is_some_and(|s| s.1 == device)
            });
            let others: Vec<_> = others.map(|(other, _)| *other).collect();
            for other in others {
                self.connections.remove(&other);
                out.push(Out::Close(other, Some(ErrorCode::Superseded)));
            }
            if let Some(connection) = self.connections.get_mut(&conn) {
                connection.sent = Some(ack.cursor);
            }
        }
        if let Some(known) = self.devices.get_mut(&device) {
            let rest = known.mailbox.split_off(&(ack.cursor + 1));
            let done = std::mem::replace(&mut known.mailbox, rest);
            self.acknowledged.extend(done.into_values().map(|delivery| (device, delivery)));
        }
        self.deliver(device, out);
    }

    /// Sends what waits for a device, within the window.
    pub fn deliver(&mut self, device: DeviceId, out: &mut Vec<Out>) {
        let open = self.connections.iter().find(|(_, connection)| {
            connection.sent.is_some() && connection.session.as_ref().is_some_and(|(_, d)| *d == device)
        });
        let Some((conn, connection)) = open else { return };
        let (conn, sent) = (*conn, connection.sent.unwrap_or(0));
        let mailbox = &self.devices[&device].mailbox;
        let waiting = mailbox.range(..=sent).count();
        let next: Vec<_> =
            mailbox.range(sent + 1..).take(WINDOW.saturating_sub(waiting)).map(|(_, d)| d.clone()).collect();
        for delivery in next {
            if let Some(connection) = self.connections.get_mut(&conn) {
                connection.sent = Some(delivery.seq);
            }
            self.send(conn, FrameKind::Deliver, &delivery, out);
        }
    }

    /// Positions as they are after a restoration from a backup.
    pub fn restored(&mut self, device: DeviceId) {
        if let Some(device) = self.devices.get_mut(&device) {
            device.head += RESTORATION;
            device.mailbox.clear();
        }
    }

    fn deposit(&mut self, conn: ConnId, device: DeviceId, body: &[u8], now: u64, out: &mut Vec<Out>) {
        let send: Send = codec::decode(body).unwrap();
        let hash: [u8; 32] = Sha256::digest(body).into();
        match self.store(device, &send, hash, now) {
            Ok((stored_at, devices)) => {
                let stored = Stored { message: send.message, stored_at };
                self.send(conn, FrameKind::Stored, &stored, out);
                for device in devices {
                    self.deliver(device, out);
                }
            }
            Err(rejected) => self.send(conn, FrameKind::Rejected, &rejected, out),
        }
    }

    fn whisper(&mut self, from: DeviceId, whisper: Whisper, out: &mut Vec<Out>) {
        let sender = self.devices[&from].account;
        for deposit in whisper.deposits {
            let whispered =
                Whispered { chat: whisper.chat, sender, sender_device: from, ciphertext: deposit.ciphertext };
            self.whispers.push((deposit.device, whispered.clone()));
            if !self.dice.chance(self.whisper_chaos) {
                self.forward(deposit.device, &whispered, out);
            }
            while self.dice.chance(self.whisper_chaos) {
                // One of before, or this one again.
                let (to, old) = self.whispers[self.dice.below(self.whispers.len() as u64) as usize].clone();
                self.forward(to, &old, out);
            }
        }
    }

    /// Forwards a whisper when its device is connected.
    pub fn forward(&mut self, device: DeviceId, whispered: &Whispered, out: &mut Vec<Out>) {
        let open = self.connections.iter().find(|(_, connection)| {
            connection.sent.is_some() && connection.session.as_ref().is_some_and(|(_, d)| *d == device)
        });
        if let Some((conn, _)) = open {
            let conn = *conn;
            self.send(conn, FrameKind::Whispered, whispered, out);
        }
    }

    fn store(
        &mut self,
        from: DeviceId,
        send: &Send,
        hash: [u8; 32],
        now: u64,
    ) -> Result<(u64, Vec<DeviceId>), Rejected> {
        let rejected = |code| Rejected {
            message: send.message,
            code,
            stale: Vec::new(),
            missing: Vec::new(),
            extra: Vec::new(),
            retry_after: 0,
        };
        if let Some((known, stored_at)) = self.stored.get(&send.message) {
            if *known == hash {
                return Ok((*stored_at, Vec::new()));
            }
            self.reused.push(send.message);
            return Err(rejected(ErrorCode::MessageIdReused));
        }
        let sender = self.devices[&from].account;
        let members = self.chats.get(&send.chat).filter(|members| members.contains(&sender));
        let members = *members.ok_or_else(|| rejected(ErrorCode::UnknownChat))?;
        if self.dice.chance(self.refusals) {
            return Err(Rejected { retry_after: 700, ..rejected(ErrorCode::StorageUnavailable) });
        }
        let lists = self.accounts.values().filter(|account| members.contains(&account.account));
        let stale: Vec<_> = lists
            .filter(|account| {
                let version = send.lists.iter().find(|list| list.account == account.account).map(|list| list.version);
                version != Some(account.list.body().version)
            })
            .map(|account| account.account)
            .collect();
        if !stale.is_empty() {
            return Err(Rejected { stale, ..rejected(ErrorCode::StaleDeviceList) });
        }
        for deposit in &send.deposits {
            let device = self.devices.get_mut(&deposit.device).ok_or_else(|| rejected(ErrorCode::UnknownDevice))?;
            for _ in 0..1 + u8::from(self.dice.chance(self.duplicates)) {
                device.head += 1;
                let delivery = Deliver {
                    seq: device.head,
                    message: send.message,
                    chat: send.chat,
                    sender,
                    sender_device: from,
                    stored_at: now,
                    ciphertext: deposit.ciphertext.clone(),
                };
                device.mailbox.insert(delivery.seq, delivery);
            }
        }
        self.stored.insert(send.message, (hash, now));
        Ok((now, send.deposits.iter().map(|deposit| deposit.device).collect()))
    }

    /// A frame of the session with any body.
    pub fn say(&mut self, conn: ConnId, kind: FrameKind, body: &[u8]) -> Out {
        let session = self.connections.get_mut(&conn).and_then(|connection| connection.session.as_mut());
        Out::Send(conn, session.unwrap().0.sealer.seal_body(kind, body).unwrap())
    }

    fn send<T: serde::Serialize + codec::Structure>(
        &mut self,
        conn: ConnId,
        kind: FrameKind,
        body: &T,
        out: &mut Vec<Out>,
    ) {
        let session = self.connections.get_mut(&conn).and_then(|connection| connection.session.as_mut());
        if let Some((pair, _)) = session {
            out.push(Out::Send(conn, pair.sealer.seal(kind, body).unwrap()));
        }
    }

    /// Signs the same devices again under the next version.
    pub fn next_list(&mut self, person: &Person, now: u64) -> DevicesChanged {
        let account = self.accounts.get_mut(&person.name).unwrap();
        let certificates = account.list.certificates().to_vec();
        account.list = person.account_key.issue_list(Some(&account.list), now / 1000, certificates);
        DevicesChanged { account: account.account, version: account.list.body().version }
    }

    /// As [`next_list`](Self::next_list), and tells everybody connected.
    pub fn new_list(&mut self, person: &Person, now: u64) -> Vec<Out> {
        let changed = self.next_list(person, now);
        let mut out = Vec::new();
        let connections: Vec<_> = self.connections.keys().copied().collect();
        for conn in connections {
            self.send(conn, FrameKind::DevicesChanged, &changed, &mut out);
        }
        out
    }

    /// Answers a request.
    pub fn request(
        &mut self,
        request: Request,
        token: Option<&str>,
        now: u64,
        out: &mut Vec<Out>,
    ) -> Result<Answer, RequestFailure> {
        let refused = |code| RequestFailure::Refused { code, retry_after: None };
        if let Request::Refresh { refresh_token } = &request {
            let device = self.refresh.get(refresh_token.0.as_str()).copied();
            let device = device.ok_or(refused(ErrorCode::TokenRevoked))?;
            return Ok(Answer::Tokens(self.issue_tokens(device, now)));
        }
        let device = self.check_token(token.unwrap_or(""), now).map_err(refused)?;
        let me = self.devices[&device].account;
        match request {
            Request::Refresh { .. } => Err(refused(ErrorCode::InvalidRequest)),
            Request::FetchDevices(name) => {
                let account = self.accounts.get(&name).ok_or(refused(ErrorCode::NotFound))?;
                let device_list = SignedText::of(account.list.signed());
                Ok(Answer::Devices(UserDevices { account: account.account, name, device_list }))
            }
            Request::Claim { account, devices } => {
                let owner =
                    self.accounts.values().find(|a| a.account == account).ok_or(refused(ErrorCode::NotFound))?;
                let device_list = SignedText::of(owner.list.signed());
                let mut bundles = Vec::new();
                for id in devices {
                    let Some(device) = self.devices.get_mut(&id) else { continue };
                    bundles.push(device.keys.claim(id));
                    if device.keys.is_low() {
                        let low = PrekeysLow {
                            one_time: device.keys.one_time.len() as u32,
                            pq_one_time: device.keys.pq.len() as u32,
                        };
                        let conns =
                            self.connections.iter().filter(|(_, c)| c.session.as_ref().is_some_and(|s| s.1 == id));
                        let conns: Vec<_> = conns.map(|(conn, _)| *conn).collect();
                        for conn in conns {
                            self.send(conn, FrameKind::PrekeysLow, &low, out);
                        }
                    }
                }
                Ok(Answer::Bundles(ClaimResponse { device_list, bundles }))
            }
            Request::OpenChat(name) => {
                let peer = self.accounts.get(&name).ok_or(refused(ErrorCode::NotFound))?.account;
                let chat = ChatId::direct(&me, &peer);
                self.chats.insert(chat, [me, peer]);
                Ok(Answer::Chat(self.chat(chat, now)))
            }
            Request::FetchChat(chat) => {
                let known = self.chats.get(&chat).is_some_and(|members| members.contains(&me));
                if known { Ok(Answer::Chat(self.chat(chat, now))) } else { Err(refused(ErrorCode::NotFound)) }
            }
            Request::PublishKeys(publication) => {
                let keys = &mut self.devices.get_mut(&device).ok_or(refused(ErrorCode::UnknownDevice))?.keys;
                keys.publish(&publication);
                Ok(Answer::Keys(keys.count()))
            }
            Request::BeginBlob(new) => {
                if new.size > self.blob_quota {
                    return Err(refused(ErrorCode::BlobQuota));
                }
                let (owner, size, offset) = *self.blobs.entry(new.blob).or_insert((me, new.size, 0));
                let same = owner == me && size == new.size;
                if same {
                    Ok(Answer::Blob(blob_state(new.blob, size, offset)))
                } else {
                    Err(refused(ErrorCode::BlobConflict))
                }
            }
            // Without its bytes, of which an engine has none: a chunk is what begins at its place.
            Request::PutBlob { blob, offset, size, .. } => match self.blobs.get_mut(&blob) {
                Some((owner, whole, here)) if *owner == me && *whole == size => {
                    if offset == *here {
                        *here = size.min(offset + BLOB_CHUNK as u64);
                    }
                    let state = blob_state(blob, size, *here);
                    if offset < *here { Ok(Answer::Blob(state)) } else { Err(refused(ErrorCode::BlobConflict)) }
                }
                _ => Err(refused(ErrorCode::NotFound)),
            },
            Request::CountKeys => Ok(Answer::Keys(self.devices[&device].keys.count())),
        }
    }

    fn chat(&self, chat: ChatId, now: u64) -> Chat {
        let members = self.chats[&chat];
        let members = self.accounts.iter().filter(|(_, account)| members.contains(&account.account));
        Chat {
            chat,
            kind: "direct".into(),
            members: members.map(|(name, a)| ChatMember { account: a.account, name: name.clone() }).collect(),
            created: now,
            config: susurro_protocol::rest::ChatConfig::INITIAL,
        }
    }
}

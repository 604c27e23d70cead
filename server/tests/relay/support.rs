//! A small client: enough of one to talk to a relay, and to talk badly.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use susurro_protocol::bytes::{Bin, Fixed};
use susurro_protocol::codec::{self, Structure};
use susurro_protocol::command::{Ack, Deposit, ListVersion, Ping, Send};
use susurro_protocol::event::{Deliver, ErrorNotice, Pong, Rejected, Stored};
use susurro_protocol::frame::{FrameKind, RawFrame, VerifiedFrame};
use susurro_protocol::handshake::{ClientHandshake, ClientIdentity, SessionPair, Welcome, refusal};
use susurro_protocol::keys::{
    CertificateBody, DeviceCertificate, DeviceList, OneTimePrekey, PQ_PUBLIC_KEY_BYTES, Prekey, PrekeyKind,
};
use susurro_protocol::rest::{
    AUTH_SCHEME, AuthParams, Chat, LoginRequest, OpenChat, Problem, PublishKeys, RegisterRequest, RelayInfo,
    SignedText, StretchParams, TokenResponse, login_proof,
};
use susurro_protocol::signed::{self, Label};
use susurro_protocol::version::{SUBPROTOCOL, SUITE};
use susurro_protocol::{AccountId, ChatId, DeviceId, ErrorCode, MailboxSeq, MessageId};
use susurro_server::compose::{self, RunningRelay};
use susurro_server::config::Config;
use susurro_server::domain::rate::{Pace, PerMinute};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, client_async};
use xtask::services::Database;
use zeroize::Zeroizing;

/// Set to `postgres` by `cargo xtask test`, to run all of this once more on another store.
const STORAGE: &str = "XTASK_STORAGE";

/// How long anything may take before a test gives up on it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// More than any test brings.
const PACE: Pace = Pace { messages: PerMinute(u32::MAX), kib: PerMinute(u32::MAX) };

/// A configuration whose rates are in nobody's way.
pub(crate) fn config(data_dir: &Path) -> Config {
    Config {
        auth_rate: PerMinute(100_000),
        rest_rate: PerMinute(100_000),
        search_rate: PerMinute(100_000),
        pace: PACE,
        ..Config::new(data_dir)
    }
}

/// A relay in a directory of its own, and perhaps with a database on a server.
pub(crate) struct Relay {
    pub(crate) running: RunningRelay,
    pub(crate) dir: tempfile::TempDir,
    database: Option<Database>,
}

/// A relay whose configuration says everything.
pub(crate) async fn relay_at(dir: tempfile::TempDir, config: Config) -> Relay {
    let running = compose::start(config).await.unwrap();
    Relay { running, dir, database: None }
}

pub(crate) async fn relay() -> Relay {
    relay_with(|config| config).await
}

pub(crate) async fn relay_with(change: impl FnOnce(Config) -> Config) -> Relay {
    start(database(), change).await
}

/// A database on a server, when the tests run on one.
pub(crate) fn database() -> Option<Database> {
    let wanted = std::env::var_os(STORAGE).is_some_and(|storage| storage == "postgres");
    wanted.then(|| xtask::services::database().unwrap())
}

/// A relay whose files a test looks at, whatever the others run on.
pub(crate) async fn embedded() -> Relay {
    embedded_with(|config| config).await
}

pub(crate) async fn embedded_with(change: impl FnOnce(Config) -> Config) -> Relay {
    start(None, change).await
}

async fn start(database: Option<Database>, change: impl FnOnce(Config) -> Config) -> Relay {
    let dir = tempfile::tempdir().unwrap();
    let running = compose::start(change(on(database.as_ref(), config(dir.path())))).await.unwrap();
    Relay { running, dir, database }
}

fn on(database: Option<&Database>, config: Config) -> Config {
    Config { database: database.map(Database::url), database_connections: 4, ..config }
}

/// What stays of a relay that has ended.
pub(crate) struct Again {
    dir: tempfile::TempDir,
    database: Option<Database>,
}

impl Again {
    pub(crate) async fn start(&self) -> RunningRelay {
        compose::start(on(self.database.as_ref(), config(self.dir.path()))).await.unwrap()
    }
}

impl Relay {
    /// Ends the relay and starts another one on the same files.
    pub(crate) async fn restart(self) -> Self {
        self.restart_with(|config| config).await
    }

    /// What the program needs to be told, beside the directory, to work on the same relay.
    pub(crate) fn settings(&self) -> Option<(&'static str, String)> {
        self.database.as_ref().map(|database| ("SUSURRO_DATABASE", database.url()))
    }

    /// The relay, and what it takes to start it again.
    pub(crate) fn parted(self) -> (RunningRelay, Again) {
        (self.running, Again { dir: self.dir, database: self.database })
    }

    pub(crate) async fn restart_with(self, change: impl FnOnce(Config) -> Config) -> Self {
        assert!(self.running.shutdown().await, "the shutdown takes less than its deadline");
        let config = on(self.database.as_ref(), config(self.dir.path()));
        let running = compose::start(change(config)).await.unwrap();
        Self { running, ..self }
    }
}

/// An account with one device, and its tokens.
pub(crate) struct Person {
    pub(crate) url: String,
    pub(crate) relay_key: [u8; 32],
    pub(crate) account: AccountId,
    pub(crate) device: DeviceId,
    pub(crate) account_key: SigningKey,
    pub(crate) signing_key: SigningKey,
    /// The first device list.
    pub(crate) list: DeviceList,
    pub(crate) auth: [u8; 32],
    pub(crate) tokens: TokenResponse,
    pub(crate) http: reqwest::Client,
}

/// 32 bytes that nobody else has.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}

pub(crate) fn stretch() -> StretchParams {
    StretchParams { scheme: AUTH_SCHEME.into(), salt: Fixed(random()), memory_kib: 64 * 1024, passes: 3, lanes: 1 }
}

/// A device list of version 1 with one device.
pub(crate) fn first_list(account_key: &SigningKey, signing_key: &SigningKey, device: DeviceId) -> DeviceList {
    let public = account_key.verifying_key().to_bytes();
    let body = CertificateBody {
        suite: SUITE,
        account: AccountId::of_account_key(&public),
        account_key: Fixed(public),
        device,
        signing_key: Fixed(signing_key.verifying_key().to_bytes()),
        identity_key: Fixed(random()),
        created: 1,
    };
    DeviceList::issue(account_key, None, 1, vec![DeviceCertificate::issue(account_key, body)])
}

pub(crate) async fn register(relay: &Relay, name: &str) -> Person {
    register_at(relay.running.url(), reqwest::Client::new(), name).await
}

/// Registers at any relay, pinning the key that it shows.
pub(crate) async fn register_at(url: String, http: reqwest::Client, name: &str) -> Person {
    let info: RelayInfo = answer(http.get(format!("{url}/.well-known/susurro"))).await.unwrap();
    let relay_key = info.relay_key.0;
    let (account_key, signing_key) = (SigningKey::from_bytes(&random()), SigningKey::from_bytes(&random()));
    let device = DeviceId::from_bytes(random());
    let list = first_list(&account_key, &signing_key, device);
    let auth = random();
    let request = RegisterRequest {
        username: name.to_owned(),
        stretch: stretch(),
        auth: Fixed(auth),
        device_list: SignedText::of(list.signed()),
        invite: None,
    };
    let response = http.post(format!("{url}/auth/register")).json(&request).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::CREATED);
    let tokens = response.json().await.unwrap();
    let account = list.body().account;
    Person { url, relay_key, account, device, account_key, signing_key, list, auth, tokens, http }
}

/// Alice and Bob with a chat.
pub(crate) async fn pair(relay: &Relay) -> (Person, Person, ChatId) {
    let (alice, bob) = (register(relay, "alice").await, register(relay, "bob").await);
    let chat = alice.open_chat("bob").await;
    (alice, bob, chat)
}

impl Person {
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url)).bearer_auth(&self.tokens.access_token)
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Problem> {
        answer(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Problem> {
        answer(self.request(Method::POST, path).json(body)).await
    }

    pub(crate) async fn put<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Problem> {
        answer(self.request(Method::PUT, path).json(body)).await
    }

    pub(crate) async fn open_chat(&self, peer: &str) -> ChatId {
        let chat: Chat = self.post("/chats", &OpenChat { peer: peer.to_owned() }).await.unwrap();
        chat.chat
    }

    pub(crate) async fn params(&self, name: &str) -> AuthParams {
        answer(self.http.get(format!("{}/auth/params?username={name}", self.url))).await.unwrap()
    }

    pub(crate) async fn login_as(
        &self,
        name: &str,
        auth: [u8; 32],
        device: DeviceId,
    ) -> Result<TokenResponse, Problem> {
        let nonce = self.params(name).await.nonce;
        let proof = login_proof(&self.relay_key, &self.account, &device, nonce.as_slice());
        let proof = Fixed(signed::sign(&self.signing_key, Label::Login, &proof));
        let request = LoginRequest { username: name.to_owned(), auth: Fixed(auth), device, nonce, proof };
        self.post("/auth/login", &request).await
    }

    pub(crate) async fn logout(&self) {
        let response = self.request(Method::POST, "/auth/logout").send().await.unwrap();
        assert_eq!(response.status(), StatusCode::NO_CONTENT);
    }

    /// An upload of prekeys with these one-time ids of each kind.
    pub(crate) fn keys(&self, ids: std::ops::RangeInclusive<u64>) -> PublishKeys {
        let prekey = |kind, id, key: &[u8]| {
            SignedText::of(Prekey::issue(&self.signing_key, (self.account, self.device), kind, id, 1, key).signed())
        };
        let (x25519, pq) = (|id: u64| [id as u8; 32], |id: u64| vec![id as u8; PQ_PUBLIC_KEY_BYTES]);
        PublishKeys {
            signed_prekey: prekey(PrekeyKind::Signed, 1, &x25519(1)),
            pq_last_resort: prekey(PrekeyKind::PqLastResort, 1, &pq(1)),
            one_time: ids.clone().map(|id| OneTimePrekey { id, key: Fixed(x25519(id)) }).collect(),
            pq_one_time: ids.map(|id| prekey(PrekeyKind::PqOneTime, id, &pq(id))).collect(),
        }
    }

    /// A message with this text in place of a ciphertext.
    pub(crate) fn message(&self, chat: ChatId, to: &Person, text: &[u8]) -> Send {
        Send {
            message: MessageId::from_bytes(random()),
            chat,
            lists: [self.account, to.account].map(|account| ListVersion { account, version: 1 }).to_vec(),
            deposits: vec![Deposit { device: to.device, ciphertext: Bin::from(text) }],
            time_to_live: 0,
        }
    }

    /// A connection up to the upgrade.
    pub(crate) async fn dial(&self) -> Result<Socket, StatusCode> {
        self.dial_with(|request| request).await
    }

    pub(crate) async fn dial_with(
        &self,
        change: impl FnOnce(tungstenite::handshake::client::Request) -> tungstenite::handshake::client::Request,
    ) -> Result<Socket, StatusCode> {
        let url = format!("{}/ws", self.url.replacen("http", "ws", 1));
        let mut request = url.into_client_request().unwrap();
        let headers = request.headers_mut();
        headers.insert("authorization", format!("Bearer {}", self.tokens.access_token).parse().unwrap());
        headers.insert("sec-websocket-protocol", SUBPROTOCOL.parse().unwrap());
        let request = change(request);
        let tcp = TcpStream::connect(self.url.strip_prefix("http://").unwrap()).await.unwrap();
        tcp.set_nodelay(true).unwrap();
        match client_async(request, MaybeTlsStream::Plain(tcp)).await {
            Ok((stream, _)) => Ok(Socket { stream }),
            Err(tungstenite::Error::Http(response)) => Err(StatusCode::from_u16(response.status().as_u16()).unwrap()),
            Err(other) => panic!("{other}"),
        }
    }

    pub(crate) fn hello(&self, cursor: MailboxSeq) -> (ClientHandshake, Vec<u8>) {
        let who = ClientIdentity { account: self.account, device: self.device, signing_key: &self.signing_key };
        ClientHandshake::start(&who, self.relay_key, &self.tokens.access_token, cursor, Zeroizing::new(random()))
    }

    /// A connection behind `Welcome`, before its first session frame.
    pub(crate) async fn greet(&self, cursor: MailboxSeq) -> (Welcome, Talk) {
        let mut socket = self.dial().await.unwrap();
        let (handshake, hello) = self.hello(cursor);
        socket.send(hello).await;
        let welcome = socket.raw().await.unwrap();
        if let Some(notice) = refusal(&welcome) {
            panic!("{}", notice.code);
        }
        let (welcome, pair) = handshake.finish(&welcome).unwrap();
        (welcome, Talk { socket, pair })
    }

    /// An open session.
    pub(crate) async fn connect(&self, cursor: MailboxSeq) -> Talk {
        let (_, mut talk) = self.greet(cursor).await;
        talk.say(FrameKind::Ack, &Ack { cursor }).await;
        talk
    }
}

/// The answer to a request, or its problem.
pub(crate) async fn answer<T: DeserializeOwned>(request: RequestBuilder) -> Result<T, Problem> {
    let response = request.send().await.unwrap();
    let status = response.status();
    if status == StatusCode::NO_CONTENT {
        return Ok(serde_json::from_value(serde_json::Value::Null).unwrap());
    }
    if status.is_success() {
        return Ok(response.json().await.unwrap());
    }
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let problem: Problem = response.json().await.unwrap();
    assert_eq!(problem.status, status.as_u16());
    Err(problem)
}

/// The code of a problem, for comparing.
pub(crate) fn code<T>(outcome: Result<T, Problem>) -> Option<ErrorCode> {
    outcome.err().map(|problem| problem.code)
}

/// What a socket ended with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Closed(pub(crate) Option<u16>);

pub(crate) struct Socket {
    pub(crate) stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Socket {
    pub(crate) async fn send(&mut self, bytes: impl Into<Bytes>) {
        // The relay may have hung up already; what it said is read next.
        let _ = self.stream.send(Message::Binary(bytes.into())).await;
    }

    pub(crate) async fn receive(&mut self) -> Result<Bytes, Closed> {
        loop {
            match timeout(PATIENCE, self.stream.next()).await.expect("the relay says something") {
                Some(Ok(Message::Binary(bytes))) => return Ok(bytes),
                Some(Ok(Message::Close(frame))) => return Err(Closed(frame.map(|frame| frame.code.into()))),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(Closed(None)),
            }
        }
    }

    pub(crate) async fn raw(&mut self) -> Result<RawFrame, Closed> {
        self.receive().await.map(|bytes| RawFrame::decode(&bytes).unwrap())
    }

    /// The refusal that comes in place of `Welcome`, and the close code behind it.
    pub(crate) async fn refused(mut self) -> (ErrorCode, Closed) {
        let notice = refusal(&self.raw().await.unwrap()).expect("a refusal");
        (notice.code, self.receive().await.unwrap_err())
    }
}

/// An open session.
pub(crate) struct Talk {
    pub(crate) socket: Socket,
    pub(crate) pair: SessionPair,
}

impl Talk {
    pub(crate) async fn say<T: Serialize + Structure>(&mut self, kind: FrameKind, body: &T) {
        let frame = self.pair.sealer.seal(kind, body).unwrap();
        self.socket.send(frame).await;
    }

    pub(crate) async fn ack(&mut self, cursor: MailboxSeq) {
        self.say(FrameKind::Ack, &Ack { cursor }).await;
    }

    /// The next frame but words about prekeys, which depend on what else a test does.
    pub(crate) async fn frame(&mut self) -> Result<VerifiedFrame, Closed> {
        loop {
            let bytes = self.socket.receive().await?;
            let frame = self.pair.opener.open_message(&bytes).unwrap();
            if frame.kind() != FrameKind::PrekeysLow {
                return Ok(frame);
            }
        }
    }

    pub(crate) async fn expect<T: DeserializeOwned + Structure>(&mut self, kind: FrameKind) -> T {
        let frame = self.frame().await.unwrap();
        assert_eq!(frame.kind(), kind);
        codec::decode(frame.body()).unwrap()
    }

    pub(crate) async fn delivery(&mut self) -> Deliver {
        self.expect(FrameKind::Deliver).await
    }

    /// Sends a message and waits for what becomes of it.
    pub(crate) async fn deposit(&mut self, send: &Send) -> Result<Stored, Rejected> {
        self.say(FrameKind::Send, send).await;
        let frame = self.frame().await.unwrap();
        match frame.kind() {
            FrameKind::Stored => Ok(codec::decode(frame.body()).unwrap()),
            FrameKind::Rejected => Err(codec::decode(frame.body()).unwrap()),
            other => panic!("{other:?}"),
        }
    }

    /// Whether the relay still answers, and has nothing else to say before that.
    pub(crate) async fn is_quiet(&mut self) -> bool {
        self.say(FrameKind::Ping, &Ping { nonce: 77 }).await;
        let frame = self.frame().await.unwrap();
        frame.kind() == FrameKind::Pong && codec::decode::<Pong>(frame.body()).unwrap().nonce == 77
    }

    /// The error that ends the session, and the close code behind it.
    pub(crate) async fn ended(mut self) -> (ErrorCode, Closed) {
        let notice: ErrorNotice = self.expect(FrameKind::Error).await;
        (notice.code, self.socket.receive().await.unwrap_err())
    }
}

//! Servers that are no relay, or a bad one: a few lines of HTTP over TCP, answered by a function.

#![allow(dead_code, unreachable_pub, reason = "each test program uses its part of it")]

use std::sync::{Arc, Mutex};

use ed25519_dalek::SigningKey;
use susurro_protocol::ErrorCode;
use susurro_protocol::bytes::Fixed;
use susurro_protocol::keys::DeviceList;
use susurro_protocol::rest::{
    AUTH_SCHEME, AuthParams, KeyCount, LoginRequest, Problem, PublishKeys, RegisterRequest, RelayInfo, StretchParams,
    TokenResponse, login_proof,
};
use susurro_protocol::signed::{self, Label};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

/// A request: method, path with query, body.
pub struct Asked {
    pub method: String,
    pub path: String,
    pub body: Vec<u8>,
}

/// What goes back: raw bytes of an HTTP answer, after which the connection is closed.
pub type Reply = Vec<u8>;

/// Starts a server; gives its address.
pub async fn serve(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut stream = BufReader::new(stream);
                let Some(asked) = read(&mut stream).await else { return };
                let _ = stream.get_mut().write_all(&answer(&asked)).await;
                let _ = stream.get_mut().shutdown().await;
            });
        }
    });
    url
}

async fn read(stream: &mut BufReader<tokio::net::TcpStream>) -> Option<Asked> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    let mut words = line.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut length = 0;
    loop {
        line.clear();
        stream.read_line(&mut line).await.ok()?;
        let header = line.trim().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Asked { method, path, body })
}

pub fn reply(status: u16, kind: &str, body: impl AsRef<[u8]>) -> Reply {
    let body = body.as_ref();
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

pub fn json(value: &impl serde::Serialize) -> Reply {
    reply(200, "application/json", serde_json::to_vec(value).unwrap())
}

pub fn problem(status: u16, code: ErrorCode) -> Reply {
    let problem = Problem {
        kind: format!("urn:susurro:error:{}", code.slug()),
        title: code.text().to_owned(),
        status,
        code,
        detail: None,
        stale: Vec::new(),
        missing: Vec::new(),
        extra: Vec::new(),
    };
    reply(status, "application/problem+json", serde_json::to_vec(&problem).unwrap())
}

/// What a relay remembers of one account.
pub struct Account {
    pub name: String,
    pub list: DeviceList,
    pub stretch: StretchParams,
    pub auth: [u8; 32],
    pub prekeys: Option<PublishKeys>,
}

/// How the registration of a [`FakeRelay`] goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    None,
    /// The connection ends before the relay does anything.
    Before,
    /// The relay takes the account, and its answer is lost.
    After,
    /// The relay answers with this.
    Refuse(u16, ErrorCode),
}

/// Enough of a relay for registration, login and logout; no prekeys, no socket.
pub struct FakeRelay {
    pub key: SigningKey,
    pub accounts: Mutex<Vec<Account>>,
    pub fault: Mutex<Fault>,
    /// What it says of how to stretch a password, when that is not the truth.
    pub weak: Mutex<Option<StretchParams>>,
    /// An invite that is good for one registration, where one is needed.
    pub invite: Mutex<Option<Option<String>>>,
    pub asked: Mutex<Vec<String>>,
}

const NONCE: &[u8] = b"a nonce of the fake relay";

impl FakeRelay {
    pub async fn start() -> (Arc<Self>, String) {
        let relay = Arc::new(Self {
            key: SigningKey::from_bytes(&[42; 32]),
            accounts: Mutex::default(),
            fault: Mutex::new(Fault::None),
            weak: Mutex::default(),
            invite: Mutex::new(None),
            asked: Mutex::default(),
        });
        let this = relay.clone();
        let url = serve(move |asked| this.answer(asked)).await;
        (relay, url)
    }

    pub fn fail(&self, fault: Fault) {
        *self.fault.lock().unwrap() = fault;
    }

    pub fn names(&self) -> Vec<String> {
        self.accounts.lock().unwrap().iter().map(|account| account.name.clone()).collect()
    }

    fn answer(&self, asked: &Asked) -> Reply {
        let (path, query) = asked.path.split_once('?').unwrap_or((&asked.path, ""));
        self.asked.lock().unwrap().push(format!("{} {path}", asked.method));
        match path {
            "/.well-known/susurro" => json(&info(self.key.verifying_key().to_bytes())),
            "/auth/params" => json(&self.params(query.trim_start_matches("username="))),
            "/auth/register" => self.register(&serde_json::from_slice(&asked.body).unwrap()),
            "/auth/login" => self.login(&serde_json::from_slice(&asked.body).unwrap()),
            "/keys" if asked.method == "PUT" => self.publish(serde_json::from_slice(&asked.body).unwrap()),
            "/auth/logout" => reply(204, "text/plain", ""),
            _ => problem(404, ErrorCode::NotFound),
        }
    }

    fn params(&self, name: &str) -> AuthParams {
        let known = self.accounts.lock().unwrap();
        let known = known.iter().find(|account| account.name == name).map(|account| account.stretch.clone());
        let invented = StretchParams {
            scheme: AUTH_SCHEME.to_owned(),
            salt: Fixed([1; 16]),
            memory_kib: 64 * 1024,
            passes: 3,
            lanes: 1,
        };
        let stretch = self.weak.lock().unwrap().clone().or(known).unwrap_or(invented);
        AuthParams { stretch, nonce: NONCE.into() }
    }

    fn register(&self, request: &RegisterRequest) -> Reply {
        let fault = std::mem::replace(&mut *self.fault.lock().unwrap(), Fault::None);
        match fault {
            Fault::Before => return Vec::new(),
            Fault::Refuse(status, code) => return problem(status, code),
            Fault::None | Fault::After => {}
        }
        let list = DeviceList::verify(request.device_list.read().unwrap()).unwrap();
        let mut invite = self.invite.lock().unwrap();
        if let Some(good) = &mut *invite {
            if good.is_none() || *good != request.invite {
                return problem(403, ErrorCode::InvalidInvite);
            }
            *good = None;
        }
        let mut accounts = self.accounts.lock().unwrap();
        if accounts.iter().any(|account| account.name == request.username) {
            return problem(409, ErrorCode::NameTaken);
        }
        let answer = tokens(&list);
        accounts.push(Account {
            name: request.username.clone(),
            list,
            stretch: request.stretch.clone(),
            auth: request.auth.0,
            prekeys: None,
        });
        if fault == Fault::After { Vec::new() } else { answer }
    }

    /// Of the newest account: the fake's tokens do not say whose they are.
    fn publish(&self, keys: PublishKeys) -> Reply {
        let count = |keys: usize| u32::try_from(keys).unwrap();
        let (one_time, pq_one_time) = (count(keys.one_time.len()), count(keys.pq_one_time.len()));
        self.accounts.lock().unwrap().last_mut().unwrap().prekeys = Some(keys);
        json(&KeyCount { one_time, pq_one_time, digest: Fixed([0; 32]) })
    }

    fn login(&self, request: &LoginRequest) -> Reply {
        let accounts = self.accounts.lock().unwrap();
        let known = accounts.iter().find(|a| a.name == request.username && a.auth == request.auth.0);
        let Some(account) = known else { return problem(401, ErrorCode::InvalidCredentials) };
        let Some(certificate) = account.list.certificate(&request.device) else {
            return problem(403, ErrorCode::UnknownDevice);
        };
        let body = certificate.body();
        let relay_key = self.key.verifying_key().to_bytes();
        let proof = login_proof(&relay_key, &body.account, &request.device, request.nonce.as_slice());
        if request.nonce.as_slice() != NONCE
            || signed::verify(&body.signing_key.0, Label::Login, &proof, &request.proof.0).is_err()
        {
            return problem(401, ErrorCode::BadSignature);
        }
        tokens(&account.list)
    }
}

pub fn info(key: [u8; 32]) -> RelayInfo {
    RelayInfo {
        service: "susurro".to_owned(),
        software: "0.0.0".to_owned(),
        min_version: 1,
        max_version: 1,
        relay_key: Fixed(key),
        registration: "open".to_owned(),
        time: 0,
        ciphertext_max: 65536,
    }
}

fn tokens(list: &DeviceList) -> Reply {
    json(&TokenResponse {
        account: list.body().account,
        device: list.certificates()[0].body().device,
        access_token: "access".to_owned(),
        access_expires_in: 3600,
        refresh_token: "refresh".to_owned(),
        refresh_expires_in: 86400,
    })
}

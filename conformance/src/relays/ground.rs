//! The relay under test, and the throwaway people that checks are made with.

use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ed25519_dalek::SigningKey;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use susurro_protocol::bytes::Fixed;
use susurro_protocol::keys::{CertificateBody, DeviceCertificate, DeviceList};
use susurro_protocol::rest::{
    AUTH_SCHEME, AuthParams, Chat, RegisterRequest, RelayInfo, SignedText, StretchParams, TokenResponse, login_proof,
};
use susurro_protocol::signed::{self, Label};
use susurro_protocol::version::SUITE;
use susurro_protocol::{AccountId, ChatId, DeviceId};

use super::answer::Answer;
use crate::suite::Stop;
use crate::suite::run::pause;

/// How long one answer may take: generous, since tests share two cores.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// The longest pause that a relay may ask for before the suite no longer waits.
const PAUSE_MAX: Duration = Duration::from_secs(120);

/// The relay under test.
pub struct Ground {
    /// Where it is, without a slash at the end.
    pub(super) url: String,
    pub(super) http: Client,
    /// What it says of itself.
    pub(super) info: RelayInfo,
    /// Checks that wait for more than half a minute are skipped.
    pub(super) quick: bool,
    pairs: Mutex<Vec<Arc<Pair>>>,
}

/// Two people with a chat, for one check at a time.
pub(super) struct Pair {
    pub(super) alice: Person,
    pub(super) bob: Person,
    pub(super) chat: ChatId,
}

/// A pair until its check is done; then another check may have it.
pub(super) struct Lease<'a> {
    pair: Arc<Pair>,
    ground: &'a Ground,
}

/// An account with one device.
pub(super) struct Person {
    pub(super) url: String,
    pub(super) http: Client,
    pub(super) relay_key: [u8; 32],
    pub(super) name: String,
    pub(super) account: AccountId,
    pub(super) device: DeviceId,
    pub(super) account_key: SigningKey,
    pub(super) signing_key: SigningKey,
    pub(super) auth: [u8; 32],
    pub(super) list: DeviceList,
    pub(super) tokens: TokenResponse,
}

/// Somebody who has not registered yet.
pub(super) struct Candidate {
    pub(super) name: String,
    pub(super) account_key: SigningKey,
    pub(super) signing_key: SigningKey,
    pub(super) device: DeviceId,
    pub(super) auth: [u8; 32],
}

/// Random bytes of the operating system. Without them nothing can be checked at all.
pub(super) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // An error would leave zeros, which collide at the second use and fail loudly there.
    let _ = getrandom::fill(&mut bytes);
    bytes
}

/// A name that nobody has: 20 characters with a given beginning.
pub(super) fn fresh_name(beginning: &str) -> String {
    format!("{beginning}{}", &hex::encode(random::<10>())[..20 - beginning.len().min(19)])
}

impl Candidate {
    pub(super) fn new() -> Self {
        Self {
            name: fresh_name("sc-"),
            account_key: SigningKey::from_bytes(&random()),
            signing_key: SigningKey::from_bytes(&random()),
            device: DeviceId::from_bytes(random()),
            auth: random(),
        }
    }

    /// What the account key certifies of the device.
    pub(super) fn certificate_body(&self) -> CertificateBody {
        let account_key = self.account_key.verifying_key().to_bytes();
        CertificateBody {
            suite: SUITE,
            account: AccountId::of_account_key(&account_key),
            account_key: Fixed(account_key),
            device: self.device,
            signing_key: Fixed(self.signing_key.verifying_key().to_bytes()),
            identity_key: Fixed(random()),
            created: 1_790_000_000,
        }
    }

    pub(super) fn list(&self) -> DeviceList {
        let certificate = DeviceCertificate::issue(&self.account_key, self.certificate_body());
        DeviceList::issue(&self.account_key, None, 1_790_000_000, vec![certificate])
    }

    /// The body of `POST /auth/register`, to be changed by a check.
    pub(super) fn request(&self, list: &SignedText) -> Value {
        let request = RegisterRequest {
            username: self.name.clone(),
            stretch: StretchParams {
                scheme: AUTH_SCHEME.into(),
                salt: Fixed(random()),
                memory_kib: 64 * 1024,
                passes: 3,
                lanes: 1,
            },
            auth: Fixed(self.auth),
            device_list: list.clone(),
            invite: None,
        };
        json!(request)
    }
}

impl Ground {
    /// Asks the relay what it is; `None` with words when there is none.
    ///
    /// # Errors
    ///
    /// What to tell the person.
    pub async fn find(url: &str, quick: bool) -> Result<Self, String> {
        let url = url.trim_end_matches('/').to_owned();
        let http = Client::builder().timeout(PATIENCE).build().map_err(|error| error.to_string())?;
        let answer = http.get(format!("{url}/.well-known/susurro")).send().await;
        let info = match answer {
            Ok(answer) if answer.status().is_success() => answer.json::<RelayInfo>().await.ok(),
            Ok(_) => None,
            Err(error) => return Err(format!("{url} does not answer: {error}")),
        };
        let info = info.filter(|info| info.service == "susurro");
        let info = info.ok_or_else(|| format!("{url} answers, but is no relay"))?;
        Ok(Self { url, http, info, quick, pairs: Mutex::default() })
    }

    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    pub(super) async fn get(&self, path: &str) -> Result<Answer, Stop> {
        ask(self.request(Method::GET, path)).await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Answer, Stop> {
        ask(self.request(Method::POST, path).json(body)).await
    }

    /// Somebody new.
    pub(super) async fn person(&self) -> Result<Person, Stop> {
        self.register(Candidate::new()).await
    }

    pub(super) async fn register(&self, candidate: Candidate) -> Result<Person, Stop> {
        let list = candidate.list();
        let request = candidate.request(&SignedText::of(list.signed()));
        let tokens = self.post("/auth/register", &request).await?.read(201)?;
        let Candidate { name, account_key, signing_key, device, auth } = candidate;
        Ok(Person {
            url: self.url.clone(),
            http: self.http.clone(),
            relay_key: self.info.relay_key.0,
            name,
            account: list.body().account,
            device,
            account_key,
            signing_key,
            auth,
            list,
            tokens,
        })
    }

    /// Two people with a chat and empty mailboxes.
    pub(super) async fn pair(&self) -> Result<Lease<'_>, Stop> {
        let free = self.pairs.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let pair = match free {
            Some(pair) => pair,
            None => Arc::new(self.new_pair().await?),
        };
        for person in [&pair.alice, &pair.bob] {
            person.empty_mailbox().await?;
        }
        Ok(Lease { pair, ground: self })
    }

    /// Two people whom no other check has touched or will.
    pub(super) async fn new_pair(&self) -> Result<Pair, Stop> {
        let (alice, bob) = (self.person().await?, self.person().await?);
        let chat = alice.open_chat(&bob.name).await?;
        Ok(Pair { alice, bob, chat })
    }

    pub(super) async fn params(&self, name: &str) -> Result<AuthParams, Stop> {
        self.get(&format!("/auth/params?username={name}")).await?.read(200)
    }
}

impl Deref for Lease<'_> {
    type Target = Pair;
    fn deref(&self) -> &Pair {
        &self.pair
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let mut pairs = self.ground.pairs.lock().unwrap_or_else(PoisonError::into_inner);
        pairs.push(self.pair.clone());
    }
}

impl Person {
    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url)).bearer_auth(&self.tokens.access_token)
    }

    pub(super) async fn get(&self, path: &str) -> Result<Answer, Stop> {
        ask(self.request(Method::GET, path)).await
    }

    pub(super) async fn post(&self, path: &str, body: &impl serde::Serialize) -> Result<Answer, Stop> {
        ask(self.request(Method::POST, path).json(body)).await
    }

    pub(super) async fn put(&self, path: &str, body: &impl serde::Serialize) -> Result<Answer, Stop> {
        ask(self.request(Method::PUT, path).json(body)).await
    }

    pub(super) async fn patch(&self, path: &str, body: &Value) -> Result<Answer, Stop> {
        ask(self.request(Method::PATCH, path).json(body)).await
    }

    pub(super) async fn open_chat(&self, peer: &str) -> Result<ChatId, Stop> {
        let answer = self.post("/chats", &json!({"peer": peer})).await?;
        let status = if answer.status == 200 { 200 } else { 201 };
        answer.read::<Chat>(status).map(|chat| chat.chat)
    }

    pub(super) async fn logout(&self) -> Result<(), Stop> {
        ask(self.request(Method::POST, "/auth/logout")).await?.is(204)
    }

    /// The body of `POST /auth/login`, to be changed by a check.
    pub(super) fn login_request(&self, nonce: &[u8]) -> Value {
        let proof = login_proof(&self.relay_key, &self.account, &self.device, nonce);
        json!({
            "username": self.name,
            "auth": Fixed(self.auth),
            "device": self.device,
            "nonce": susurro_protocol::bytes::to_base64(nonce),
            "proof": Fixed(signed::sign(&self.signing_key, Label::Login, &proof)),
        })
    }

    /// Another login of the same device.
    pub(super) async fn login(&self, ground: &Ground) -> Result<TokenResponse, Stop> {
        let nonce = ground.params(&self.name).await?.nonce;
        ground.post("/auth/login", &self.login_request(nonce.as_slice())).await?.read(200)
    }

    /// The same person with other tokens.
    pub(super) fn with_tokens(&self, tokens: TokenResponse) -> Self {
        Self {
            url: self.url.clone(),
            http: self.http.clone(),
            relay_key: self.relay_key,
            name: self.name.clone(),
            account: self.account,
            device: self.device,
            account_key: self.account_key.clone(),
            signing_key: self.signing_key.clone(),
            auth: self.auth,
            list: self.list.clone(),
            tokens,
        }
    }

    /// The same person who shows this access token.
    pub(super) fn with_token(&self, token: &str) -> Self {
        let mut other = self.with_tokens(self.tokens.clone());
        token.clone_into(&mut other.tokens.access_token);
        other
    }
}

/// Asks, and waits when the relay says so, as a client must.
pub(super) async fn ask(request: RequestBuilder) -> Result<Answer, Stop> {
    loop {
        let Some(again) = request.try_clone() else { return once(request).await };
        let answer = once(again).await?;
        if answer.status != 429 {
            return Ok(answer);
        }
        let wait = answer.header("retry-after").and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs);
        match wait {
            Some(wait) if wait > Duration::ZERO && wait <= PAUSE_MAX => pause(wait).await,
            _ => {
                let seen = format!("Retry-After: {:?}", answer.header("retry-after"));
                return Err(Stop::failed("a refusal by 429 with Retry-After, 1 to 120 seconds", seen));
            }
        }
    }
}

/// Asks once, whatever the answer.
pub(super) async fn once(request: RequestBuilder) -> Result<Answer, Stop> {
    let answer = request.send().await.map_err(|error| no_answer(&error))?;
    Answer::of(answer).await.map_err(|error| no_answer(&error))
}

fn no_answer(error: &reqwest::Error) -> Stop {
    let mut seen = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        seen.push_str(": ");
        seen.push_str(&inner.to_string());
        source = inner.source();
    }
    Stop::failed("an answer over HTTP", seen)
}

//! The REST interface (`docs/protocol.md`, section 15).

use std::time::Duration;

use bytes::Bytes;
use reqwest::{Method, RequestBuilder, Response, StatusCode, header};
use serde::Serialize;
use serde::de::DeserializeOwned;
use susurro_protocol::limits::REST_BODY_MAX;
use susurro_protocol::objects::Objects;
use susurro_protocol::rest::{
    AuthParams, BlobState, ChangePassword, ClaimRequest, DeleteMe, LoginRequest, Me, OpenChat, Page, Problem,
    PutDevices, RecoverRequest, RefreshRequest, RegisterRequest, RelayInfo, SetRecovery, SignedAnnouncement,
    TokenResponse, UpdateMe, UserDevices, UserEntry,
};
use susurro_protocol::{AccountName, BlobId, ErrorCode, version};

use super::RelayUrl;
use crate::sync::types::{Answer, ConnectFailure, Request, RequestFailure, Token};

const OCTETS: &str = "application/octet-stream";

/// For a connection to open. A relay that needs longer is not usable for a conversation.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// For a whole request: a full upload of prekeys over a slow line fits.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// For one chunk of a blob: a slow line uploads a mebibyte in it.
const CHUNK_TIMEOUT: Duration = Duration::from_secs(120);

/// For the next bytes of a download. As a whole it may take as long as it does.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Longer than any download takes that goes on.
const DOWNLOAD_TIMEOUT: Duration = Duration::from_secs(24 * 3600);

/// Bytes of an answer: as many as a request may have. More is no relay's answer.
const ANSWER_MAX: usize = REST_BODY_MAX;

/// Why a request was not answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// No connection, or none in time.
    #[error("unreachable: {0}")]
    Unreachable(String),
    /// Somebody answers with a certificate that is not trusted here.
    #[error("certificate: {0}")]
    Certificate(String),
    /// The answer is none that a relay gives.
    #[error("not a relay")]
    NotARelay,
    /// The relay refused.
    #[error("refused: {code}")]
    Refused {
        /// Why.
        code: ErrorCode,
        /// `Retry-After`, in milliseconds.
        retry_after: Option<u64>,
    },
}

impl From<TransportError> for RequestFailure {
    fn from(error: TransportError) -> Self {
        match error {
            TransportError::Unreachable(_) | TransportError::Certificate(_) => Self::Unreachable,
            TransportError::NotARelay => Self::NotARelay,
            TransportError::Refused { code, retry_after } => Self::Refused { code, retry_after },
        }
    }
}

impl From<TransportError> for ConnectFailure {
    fn from(error: TransportError) -> Self {
        match error {
            TransportError::Unreachable(_) | TransportError::Certificate(_) => Self::Unreachable,
            TransportError::NotARelay => Self::NotARelay,
            TransportError::Refused { code, retry_after } => Self::Refused { code, retry_after },
        }
    }
}

/// Requests to one relay. Certificates are checked against the system's (`SSL_CERT_FILE` and
/// `SSL_CERT_DIR` are respected), redirects are not followed: a token never goes elsewhere.
#[derive(Debug, Clone)]
pub struct Http {
    client: reqwest::Client,
    url: RelayUrl,
}

impl Http {
    /// Prepares requests; nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`TransportError::Unreachable`] when the system's certificates cannot be read.
    pub fn new(url: RelayUrl) -> Result<Self, TransportError> {
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("susurro/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| broken(&error))?;
        Ok(Self { client, url })
    }

    /// Where the relay is.
    #[must_use]
    pub fn url(&self) -> &RelayUrl {
        &self.url
    }

    /// `GET /.well-known/susurro`, which tells a relay from everything else.
    ///
    /// # Errors
    ///
    /// [`TransportError::NotARelay`] also when there is no common protocol version.
    pub async fn info(&self) -> Result<RelayInfo, TransportError> {
        let info: RelayInfo = self.get("/.well-known/susurro", None).await.map_err(|error| match error {
            // A relay gives this to everybody.
            TransportError::Refused { code, .. } if !code.is_temporary() => TransportError::NotARelay,
            other => other,
        })?;
        if info.service != "susurro" || version::negotiate(info.min_version, info.max_version).is_none() {
            return Err(TransportError::NotARelay);
        }
        Ok(info)
    }

    /// `GET /auth/params`.
    ///
    /// # Errors
    ///
    /// [`TransportError`].
    pub async fn auth_params(&self, name: &AccountName) -> Result<AuthParams, TransportError> {
        // A name needs no escaping: its characters are a-z, 0-9, _ and -.
        self.get(&format!("/auth/params?username={name}"), None).await
    }

    /// `POST /auth/register`.
    ///
    /// # Errors
    ///
    /// [`TransportError`].
    pub async fn register(&self, request: &RegisterRequest) -> Result<TokenResponse, TransportError> {
        self.send(Method::POST, "/auth/register", None, request).await
    }

    /// `POST /auth/login`.
    ///
    /// # Errors
    ///
    /// [`TransportError`].
    pub async fn login(&self, request: &LoginRequest) -> Result<TokenResponse, TransportError> {
        self.send(Method::POST, "/auth/login", None, request).await
    }

    /// `POST /users/me/password`.
    ///
    /// # Errors
    ///
    /// [`TransportError`].
    pub async fn change_password(&self, request: &ChangePassword, token: &Token) -> Result<(), TransportError> {
        let request = self.request(Method::POST, "/users/me/password", Some(token)).json(request);
        self.answer(request).await.map(drop)
    }

    /// `POST /auth/recover`.
    ///
    /// # Errors
    ///
    /// [`TransportError`].
    pub async fn recover(&self, request: &RecoverRequest) -> Result<TokenResponse, TransportError> {
        self.send(Method::POST, "/auth/recover", None, request).await
    }

    /// `PUT /users/me/recovery`.
    ///
    /// # Errors
    ///
    /// [`TransportError`].
    pub async fn set_recovery(&self, request: &SetRecovery, token: &Token) -> Result<(), TransportError> {
        let request = self.request(Method::PUT, "/users/me/recovery", Some(token)).json(request);
        self.answer(request).await.map(drop)
    }

    /// `GET /users/{name}/devices`.
    ///
    /// # Errors
    ///
    /// [`TransportError`].
    pub async fn devices(&self, name: &AccountName, token: &Token) -> Result<UserDevices, TransportError> {
        self.get(&format!("/users/{name}/devices"), Some(token)).await
    }

    /// `GET /announcements`.
    ///
    /// # Errors
    ///
    /// [`TransportError`].
    pub async fn announcements(&self, token: &Token) -> Result<Page<SignedAnnouncement>, TransportError> {
        self.get("/announcements", Some(token)).await
    }

    /// `PUT /users/me/devices`.
    ///
    /// # Errors
    ///
    /// [`TransportError`].
    pub async fn put_devices(&self, request: &PutDevices, token: &Token) -> Result<UserDevices, TransportError> {
        self.send(Method::PUT, "/users/me/devices", Some(token), request).await
    }

    /// `PATCH /users/me`.
    ///
    /// # Errors
    ///
    /// [`TransportError`].
    pub async fn update_me(&self, request: &UpdateMe, token: &Token) -> Result<Me, TransportError> {
        self.send(Method::PATCH, "/users/me", Some(token), request).await
    }

    /// `DELETE /users/me`.
    ///
    /// # Errors
    ///
    /// [`TransportError`].
    pub async fn delete_me(&self, request: &DeleteMe, token: &Token) -> Result<(), TransportError> {
        let request = self.request(Method::DELETE, "/users/me", Some(token)).json(request);
        self.answer(request).await.map(drop)
    }

    /// `POST /auth/logout`.
    ///
    /// # Errors
    ///
    /// [`TransportError`].
    pub async fn logout(&self, token: &Token) -> Result<(), TransportError> {
        let request = self.request(Method::POST, "/auth/logout", Some(token));
        self.answer(request).await.map(drop)
    }

    /// `GET /users/search` for the beginning of a name; only characters that a name may have are sent.
    ///
    /// # Errors
    ///
    /// [`TransportError`].
    pub async fn search_users(&self, prefix: &str, token: &Token) -> Result<Page<UserEntry>, TransportError> {
        let allowed = |c: &char| matches!(c, 'a'..='z' | '0'..='9' | '_' | '-');
        let prefix: String = prefix.chars().filter(allowed).collect();
        self.get(&format!("/users/search?q={prefix}"), Some(token)).await
    }

    /// Makes a request of the engine.
    ///
    /// # Errors
    ///
    /// [`TransportError`].
    pub async fn perform(&self, request: Request, token: Option<&Token>) -> Result<Answer, TransportError> {
        match request {
            Request::Refresh { refresh_token } => {
                let request = RefreshRequest { refresh_token: refresh_token.0.as_str().to_owned() };
                self.send(Method::POST, "/auth/refresh", None, &request).await.map(Answer::Tokens)
            }
            Request::FetchDevices(name) => {
                self.get(&format!("/users/{name}/devices"), token).await.map(Answer::Devices)
            }
            Request::Claim { account, devices } => {
                let request = ClaimRequest { account, devices };
                self.send(Method::POST, "/keys/claim", token, &request).await.map(Answer::Bundles)
            }
            Request::OpenChat(name) => {
                let request = OpenChat { peer: name.as_str().to_owned() };
                self.send(Method::POST, "/chats", token, &request).await.map(Answer::Chat)
            }
            Request::FetchChat(chat) => self.get(&format!("/chats/{chat}"), token).await.map(Answer::Chat),
            Request::PublishKeys(keys) => self.send(Method::PUT, "/keys", token, &*keys).await.map(Answer::Keys),
            Request::BeginBlob(new) => self.send(Method::POST, "/blobs", token, &new).await.map(Answer::Blob),
            Request::PutBlob { blob, offset, size, bytes } => {
                self.put_blob(blob, (offset, size), bytes, token).await.map(Answer::Blob)
            }
            Request::CountKeys => self.get("/keys/count", token).await.map(Answer::Keys),
        }
    }

    async fn put_blob(
        &self,
        blob: BlobId,
        (offset, size): (u64, u64),
        bytes: Bytes,
        token: Option<&Token>,
    ) -> Result<BlobState, TransportError> {
        let range = format!("bytes {offset}-{}/{size}", (offset + bytes.len() as u64).saturating_sub(1));
        let request = self.request(Method::PUT, &format!("/blobs/{blob}"), token).timeout(CHUNK_TIMEOUT);
        let request = request.header(header::CONTENT_TYPE, OCTETS).header(header::CONTENT_RANGE, range).body(bytes);
        serde_json::from_slice(&self.answer(request).await?).map_err(|_| TransportError::NotARelay)
    }

    /// `GET /blobs/{blob}` from an offset; every piece that comes is given to `keep`, in order.
    ///
    /// # Errors
    ///
    /// [`TransportError`], also that of `keep`; what was kept until then is good.
    pub async fn download(
        &self,
        blob: BlobId,
        offset: u64,
        token: &Token,
        mut keep: impl FnMut(&[u8]) -> Result<(), TransportError>,
    ) -> Result<(), TransportError> {
        let request = self.request(Method::GET, &format!("/blobs/{blob}"), Some(token)).timeout(DOWNLOAD_TIMEOUT);
        let request = request.header(header::RANGE, format!("bytes={offset}-"));
        let late = || TransportError::Unreachable("no answer in time".to_owned());
        let sent = tokio::time::timeout(READ_TIMEOUT, request.send()).await.map_err(|_| late())?;
        let mut response = sent.map_err(|error| broken(&error))?;
        match response.status() {
            StatusCode::PARTIAL_CONTENT => {}
            // A relay that leaves ranges aside begins anew.
            StatusCode::OK if offset == 0 => {}
            status => {
                let (problem, retry_after) = (is_problem(response.headers()), retry_after(response.headers()));
                return Err(refusal(status, problem, &read(response).await?, retry_after));
            }
        }
        loop {
            let next = tokio::time::timeout(READ_TIMEOUT, response.chunk()).await.map_err(|_| late())?;
            match next.map_err(|error| broken(&error))? {
                Some(bytes) => keep(&bytes)?,
                None => return Ok(()),
            }
        }
    }

    /// `DELETE /blobs/{blob}`.
    ///
    /// # Errors
    ///
    /// [`TransportError`].
    pub async fn delete_blob(&self, blob: BlobId, token: &Token) -> Result<(), TransportError> {
        self.answer(self.request(Method::DELETE, &format!("/blobs/{blob}"), Some(token))).await.map(drop)
    }

    async fn get<T: DeserializeOwned>(&self, path: &str, token: Option<&Token>) -> Result<T, TransportError> {
        parsed(&self.answer(self.request(Method::GET, path, token)).await?)
    }

    async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        token: Option<&Token>,
        body: &impl Serialize,
    ) -> Result<T, TransportError> {
        parsed(&self.answer(self.request(method, path, token).json(body)).await?)
    }

    fn request(&self, method: Method, path: &str, token: Option<&Token>) -> RequestBuilder {
        let request = self.client.request(method, self.url.with_path(path));
        match token {
            // `bearer_auth` marks the header as sensitive: it is left out of logs.
            Some(token) => request.bearer_auth(token.0.as_str()),
            None => request,
        }
    }

    async fn answer(&self, request: RequestBuilder) -> Result<Vec<u8>, TransportError> {
        let response = request.send().await.map_err(|error| broken(&error))?;
        let status = response.status();
        let problem = is_problem(response.headers());
        let retry_after = retry_after(response.headers());
        let body = read(response).await?;
        if status.is_success() { Ok(body) } else { Err(refusal(status, problem, &body, retry_after)) }
    }
}

/// What an answer that is no success means.
pub(super) fn refusal(status: StatusCode, problem: bool, body: &[u8], retry_after: Option<u64>) -> TransportError {
    if problem && let Ok(problem) = parsed::<Problem>(body) {
        return TransportError::Refused { code: problem.code, retry_after };
    }
    match status {
        // A proxy that stands before a relay which is down.
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {
            TransportError::Unreachable(format!("HTTP {}", status.as_u16()))
        }
        StatusCode::TOO_MANY_REQUESTS => TransportError::Refused { code: ErrorCode::RateLimited, retry_after },
        _ => TransportError::NotARelay,
    }
}

pub(super) fn is_problem(headers: &header::HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.starts_with("application/problem+json")
}

/// `Retry-After` in milliseconds; dates, which no relay sends, are left aside.
pub(super) fn retry_after(headers: &header::HeaderMap) -> Option<u64> {
    let seconds: u64 = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    seconds.checked_mul(1000)
}

async fn read(mut response: Response) -> Result<Vec<u8>, TransportError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| broken(&error))? {
        if body.len() + chunk.len() > ANSWER_MAX {
            return Err(TransportError::NotARelay);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The innermost cause, in the system's words; the address is told elsewhere.
fn broken(error: &reqwest::Error) -> TransportError {
    if error.is_timeout() { TransportError::Unreachable("no answer in time".to_owned()) } else { cause(error) }
}

/// The innermost reason of an error of the way to the relay.
pub(super) fn cause(error: &(dyn std::error::Error + 'static)) -> TransportError {
    let mut cause = error;
    loop {
        if let Some(error @ rustls::Error::InvalidCertificate(_)) = cause.downcast_ref() {
            return TransportError::Certificate(error.to_string());
        }
        // An I/O error does not give what it wraps as its source, but the source of that.
        let wrapped = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        cause = match wrapped {
            Some(inner) => inner,
            None => match cause.source() {
                Some(inner) => inner,
                None => return TransportError::Unreachable(cause.to_string()),
            },
        };
    }
}

/// An answer of its structure (ENC-8): what is not, no relay has said.
fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T, TransportError> {
    serde_json::from_slice(body).map(|Objects(answer)| answer).map_err(|_| TransportError::NotARelay)
}

#[cfg(test)]
mod tests {
    use susurro_protocol::rest::{Page, UserEntry};

    use super::*;

    #[test]
    fn an_array_of_the_members_is_no_answer() {
        let id = "0123456789abcdef0123456789abcdef";
        let page = |text: &str| parsed::<Page<UserEntry>>(text.as_bytes()).map(|page| page.items.len());
        let whole = format!(r#"{{"items":[{{"account":"{id}","name":"bob","display_name":null}}],"next":null}}"#);
        assert_eq!(page(&whole), Ok(1));
        assert_eq!(page("[[],null]"), Err(TransportError::NotARelay));
        let inner = format!(r#"{{"items":[["{id}","bob",null]],"next":null}}"#);
        assert_eq!(page(&inner), Err(TransportError::NotARelay));
    }
}

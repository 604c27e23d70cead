//! `/blobs/…`

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream::try_unfold;
use susurro_protocol::rest::{BlobState, NewBlob};
use susurro_protocol::{BlobId, ErrorCode};
use tokio::time::timeout;

use super::extract::{Caller, Json, Path};
use super::refusals;
use crate::adapters::inbound::problem::Failure;
use crate::adapters::inbound::serve::BodyPatience;
use crate::domain::Error;
use crate::service::Relay;

const OCTETS: &str = "application/octet-stream";
const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");
const UPLOAD_LENGTH: HeaderName = HeaderName::from_static("upload-length");

/// Begins an upload; the same once more tells how far it is.
#[utoipa::path(
    post,
    path = "/blobs",
    tag = "blobs",
    request_body = NewBlob,
    security(("token" = [])),
    responses(
        (status = 200, description = "The upload, which was begun before.", body = BlobState),
        (status = 201, description = "The upload, begun by this.", body = BlobState),
        refusals::BeginBlob
    )
)]
pub(super) async fn begin_blob(
    State(relay): State<Arc<Relay>>,
    Caller(claims): Caller,
    Json(new): Json<NewBlob>,
) -> Result<(StatusCode, Json<BlobState>), Failure> {
    let (state, made) = relay.begin_blob(&claims, &new).await?;
    Ok((if made { StatusCode::CREATED } else { StatusCode::OK }, Json(state)))
}

/// Uploads the next chunk, which the header says the place of.
#[utoipa::path(
    put,
    path = "/blobs/{blob}",
    tag = "blobs",
    params(
        ("blob" = BlobId, Path, description = "The blob."),
        ("Content-Range" = String, Header, description = "`bytes FIRST-LAST/SIZE`.")
    ),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    security(("token" = [])),
    responses(
        (status = 200, description = "The upload as it is now.", body = BlobState),
        refusals::PutBlob
    )
)]
pub(super) async fn put_blob(
    State(relay): State<Arc<Relay>>,
    Caller(claims): Caller,
    Path(blob): Path<BlobId>,
    Octets { range, size, bytes }: Octets,
) -> Result<Json<BlobState>, Failure> {
    if range.end - range.start != bytes.len() as u64 {
        return Err(Error::invalid("the body has not as many bytes as its range").into());
    }
    Ok(Json(relay.put_blob(&claims, blob, range.start, size, bytes).await?))
}

/// How large a blob is, and how much of it is here.
#[utoipa::path(
    head,
    path = "/blobs/{blob}",
    tag = "blobs",
    params(("blob" = BlobId, Path, description = "The blob.")),
    security(("token" = [])),
    responses(
        (status = 200, description = "It is there, at least in part.", headers(
            ("upload-offset" = u64, description = "Bytes that are here."),
            ("upload-length" = u64, description = "Bytes in whole.")
        )),
        refusals::Blob
    )
)]
pub(super) async fn head_blob(
    State(relay): State<Arc<Relay>>,
    Caller(claims): Caller,
    Path(blob): Path<BlobId>,
) -> Result<Response, Failure> {
    let state = relay.blob_state(&claims, blob).await?;
    let mut response = Body::empty().into_response();
    let headers = response.headers_mut();
    if state.offset == state.size {
        headers.insert(header::CONTENT_LENGTH, state.size.into());
    }
    describe(headers, &state);
    Ok(response)
}

/// The bytes of a blob, or of a range of it.
#[utoipa::path(
    get,
    path = "/blobs/{blob}",
    tag = "blobs",
    params(
        ("blob" = BlobId, Path, description = "The blob."),
        ("Range" = Option<String>, Header, description = "`bytes=FIRST-LAST`; a single range.")
    ),
    security(("token" = [])),
    responses(
        (status = 200, description = "All of it.", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 206, description = "The range.", body = Vec<u8>, content_type = "application/octet-stream"),
        refusals::ReadBlob
    )
)]
pub(super) async fn read_blob(
    State(relay): State<Arc<Relay>>,
    Caller(claims): Caller,
    Path(blob): Path<BlobId>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let state = relay.whole_blob(&claims, blob).await?;
    let wanted = headers.get(header::RANGE).and_then(|value| value.to_str().ok());
    let range = match wanted.map_or(Wanted::All, |text| wanted_range(text, state.size)) {
        Wanted::All => None,
        Wanted::Part(range) => Some(range),
        Wanted::Nothing => {
            let mut response = Failure::from(ErrorCode::RangeNotSatisfiable).into_response();
            insert(response.headers_mut(), header::CONTENT_RANGE, format!("bytes */{}", state.size));
            return Ok(response);
        }
    };
    let Range { start, end } = range.clone().unwrap_or(0..state.size);
    // One chunk in memory at a time; a failure in the middle ends the connection.
    let bytes = try_unfold(start, move |at| {
        let relay = relay.clone();
        async move {
            if at >= end {
                return Ok(None);
            }
            match relay.blob_bytes(blob, at, end).await {
                Ok(bytes) => {
                    let next = at + bytes.len() as u64;
                    Ok(Some((bytes, next)))
                }
                Err(error) => {
                    tracing::error!(%error, "a download failed");
                    Err(io::Error::other("the relay cannot read on"))
                }
            }
        }
    });
    let mut response = Body::from_stream(bytes).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(OCTETS));
    headers.insert(header::CONTENT_LENGTH, (end - start).into());
    if range.is_some() {
        insert(headers, header::CONTENT_RANGE, format!("bytes {start}-{}/{}", end - 1, state.size));
    }
    describe(headers, &state);
    if range.is_some() {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(response)
}

/// Deletes a blob that the account has uploaded.
#[utoipa::path(
    delete,
    path = "/blobs/{blob}",
    tag = "blobs",
    params(("blob" = BlobId, Path, description = "The blob.")),
    security(("token" = [])),
    responses(
        (status = 204, description = "It is gone."),
        refusals::Blob
    )
)]
pub(super) async fn delete_blob(
    State(relay): State<Arc<Relay>>,
    Caller(claims): Caller,
    Path(blob): Path<BlobId>,
) -> Result<StatusCode, Failure> {
    relay.delete_blob(&claims, blob).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn describe(headers: &mut HeaderMap, state: &BlobState) {
    headers.insert(UPLOAD_OFFSET, state.offset.into());
    headers.insert(UPLOAD_LENGTH, state.size.into());
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: String) {
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(name, value);
    }
}

/// A piece of a blob, and its place.
pub(super) struct Octets {
    range: Range<u64>,
    size: u64,
    bytes: Bytes,
}

impl<S: Send + Sync> FromRequest<S> for Octets {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        // Judged after the body was read: whoever is refused in the middle of sending may never read why.
        let placed = place(request.headers());
        let patience = request.extensions().get::<BodyPatience>().map_or(Duration::MAX, |patience| patience.0);
        let Ok(read) = timeout(patience, Bytes::from_request(request, state)).await else {
            return Err(ErrorCode::IdleTimeout.into());
        };
        match read {
            Ok(bytes) => {
                let (range, size) = placed?;
                Ok(Self { range, size, bytes })
            }
            Err(why) if why.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(ErrorCode::TooLarge.into()),
            Err(_) => Err(Error::invalid("the body cannot be read").into()),
        }
    }
}

/// Where the body belongs, as the headers say.
fn place(headers: &HeaderMap) -> Result<(Range<u64>, u64), Error> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if text(header::CONTENT_TYPE) != Some(OCTETS) {
        return Err(Error::invalid("the body has to be application/octet-stream"));
    }
    let place = text(header::CONTENT_RANGE).and_then(content_range);
    place.ok_or_else(|| Error::invalid("Content-Range: bytes FIRST-LAST/SIZE is missing"))
}

/// Reads `bytes FIRST-LAST/SIZE` (RFC 9110, section 14.4).
fn content_range(text: &str) -> Option<(Range<u64>, u64)> {
    let (range, size) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last) = (number(first)?, number(last)?);
    (first <= last).then_some((first..last.checked_add(1)?, number(size)?))
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Wanted {
    All,
    Part(Range<u64>),
    Nothing,
}

/// Reads `bytes=FIRST-LAST` (RFC 9110, section 14.2). What is no single range is left alone, as it may be.
fn wanted_range(text: &str, size: u64) -> Wanted {
    let read = || {
        let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
        match (first, last) {
            ("", last) => {
                let last = number(last)?;
                Some(if last == 0 { Wanted::Nothing } else { Wanted::Part(size.saturating_sub(last)..size) })
            }
            (first, last) => {
                let first = number(first)?;
                let end = if last.is_empty() { size } else { number(last)?.saturating_add(1).min(size) };
                if !last.is_empty() && number(last)? < first {
                    return None;
                }
                Some(if first >= size { Wanted::Nothing } else { Wanted::Part(first..end) })
            }
        }
    };
    read().unwrap_or(Wanted::All)
}

/// A whole number, digits alone.
fn number(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_a_piece_is_read_exactly() {
        assert_eq!(content_range("bytes 0-4/10"), Some((0..5, 10)));
        for wrong in
            ["bytes 4-3/10", "bytes 0-4/*", "bytes */10", "0-4/10", "bytes 0-4", "bytes -4/10", "bytes +1-4/10"]
        {
            assert_eq!(content_range(wrong), None, "{wrong}");
        }
        assert_eq!(content_range(&format!("bytes 0-{}/10", u64::MAX)), None);
    }

    #[test]
    fn a_single_range_is_read_and_anything_else_means_all() {
        let part = |range| Wanted::Part(range);
        for (text, wanted) in [
            ("bytes=0-4", part(0..5)),
            ("bytes=5-", part(5..10)),
            ("bytes=-3", part(7..10)),
            ("bytes=-30", part(0..10)),
            ("bytes=9-99", part(9..10)),
            ("bytes=10-", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=0-1,3-4", Wanted::All),
            ("bytes=4-3", Wanted::All),
            ("bytes=a-b", Wanted::All),
            ("lines=0-4", Wanted::All),
            ("bytes=-", Wanted::All),
        ] {
            assert_eq!(wanted_range(text, 10), wanted, "{text}");
        }
    }
}

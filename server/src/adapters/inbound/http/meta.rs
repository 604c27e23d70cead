//! The relay about itself.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use serde::Serialize;
use susurro_protocol::rest::RelayInfo;

use super::extract::Json;
use crate::adapters::inbound::problem::Failure;
use crate::service::Relay;

#[derive(Serialize)]
pub(super) struct Status {
    status: &'static str,
}

const OK: Json<Status> = Json(Status { status: "ok" });

pub(super) async fn info(State(relay): State<Arc<Relay>>) -> Json<RelayInfo> {
    Json(relay.info())
}

/// The process answers.
pub(super) async fn healthz() -> Json<Status> {
    OK
}

/// The store answers as well.
pub(super) async fn readyz(State(relay): State<Arc<Relay>>) -> Result<Json<Status>, Failure> {
    relay.ready().await?;
    Ok(OK)
}

/// Nothing that the relay says belongs into a cache or another site's frame.
pub(super) async fn headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

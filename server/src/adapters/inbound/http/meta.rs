//! The relay about itself.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use serde::Serialize;
use susurro_protocol::rest::RelayInfo;

use super::extract::Json;
use super::refusals;
use crate::adapters::inbound::problem::Failure;
use crate::ports::Reach;
use crate::service::Relay;

/// Answer of a relay that is well.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct Status {
    /// `ok`.
    status: &'static str,
}

/// Answer of a relay that takes messages.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct Readiness {
    /// `ok`.
    status: &'static str,
    /// How the nodes of the relay reach each other: `alone`, `linked`, or `polling` when some do not hear the others, so
    /// that messages between nodes come some seconds later. A node that polls is ready: it stores and delivers
    /// everything, and the others would be no better off.
    nodes: &'static str,
}

const OK: Json<Status> = Json(Status { status: "ok" });

/// What this relay is.
#[utoipa::path(
    get,
    path = "/.well-known/susurro",
    tag = "relay",
    responses(
        (status = 200, description = "Name, versions, key and limits.", body = RelayInfo)
    )
)]
pub(super) async fn info(State(relay): State<Arc<Relay>>) -> Json<RelayInfo> {
    Json(relay.info())
}

/// The process answers.
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "relay",
    responses(
        (status = 200, description = "It does.", body = Status)
    )
)]
pub(super) async fn healthz() -> Json<Status> {
    OK
}

/// The store answers as well.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "relay",
    responses(
        (status = 200, description = "It does.", body = Readiness),
        refusals::Ready
    )
)]
pub(super) async fn readyz(State(relay): State<Arc<Relay>>) -> Result<Json<Readiness>, Failure> {
    relay.ready().await?;
    let nodes = match relay.reach() {
        Reach::Alone => "alone",
        Reach::Linked => "linked",
        Reach::Polling => "polling",
    };
    Ok(Json(Readiness { status: "ok", nodes }))
}

/// Nothing that the relay says belongs into a cache or another site's frame.
pub(super) async fn headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

//! `/keys/…`

use std::sync::Arc;

use axum::extract::State;
use susurro_protocol::rest::{ClaimRequest, ClaimResponse, KeyCount, PublishKeys};

use super::extract::{Caller, Json};
use super::refusals;
use crate::adapters::inbound::problem::Failure;
use crate::service::Relay;

/// Publishes prekeys of the device. The same again changes nothing.
#[utoipa::path(
    put,
    path = "/keys",
    tag = "keys",
    request_body = PublishKeys,
    security(("token" = [])),
    responses(
        (status = 200, description = "What the relay holds now.", body = KeyCount),
        refusals::Publish
    )
)]
pub(super) async fn publish(
    State(relay): State<Arc<Relay>>,
    Caller(claims): Caller,
    Json(upload): Json<PublishKeys>,
) -> Result<Json<KeyCount>, Failure> {
    Ok(Json(relay.publish_keys(&claims, upload).await?))
}

/// What the relay holds of the device.
#[utoipa::path(
    get,
    path = "/keys/count",
    tag = "keys",
    security(("token" = [])),
    responses(
        (status = 200, description = "Counts and digest.", body = KeyCount),
        refusals::OfAccount
    )
)]
pub(super) async fn count(State(relay): State<Arc<Relay>>, Caller(claims): Caller) -> Result<Json<KeyCount>, Failure> {
    Ok(Json(relay.key_count(&claims).await?))
}

/// Takes one bundle of prekeys a device.
#[utoipa::path(
    post,
    path = "/keys/claim",
    tag = "keys",
    request_body = ClaimRequest,
    security(("token" = [])),
    responses(
        (status = 200, description = "The bundles.", body = ClaimResponse),
        refusals::Claim
    )
)]
pub(super) async fn claim(
    State(relay): State<Arc<Relay>>,
    Json(request): Json<ClaimRequest>,
) -> Result<Json<ClaimResponse>, Failure> {
    Ok(Json(relay.claim_keys(request).await?))
}

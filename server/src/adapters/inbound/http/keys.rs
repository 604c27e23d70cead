//! `/keys/…`

use std::sync::Arc;

use axum::extract::State;
use susurro_protocol::rest::{ClaimRequest, ClaimResponse, KeyCount, PublishKeys};

use super::extract::{Caller, Json};
use crate::adapters::inbound::problem::Failure;
use crate::service::Relay;

pub(super) async fn publish(
    State(relay): State<Arc<Relay>>,
    Caller(claims): Caller,
    Json(upload): Json<PublishKeys>,
) -> Result<Json<KeyCount>, Failure> {
    Ok(Json(relay.publish_keys(&claims, upload).await?))
}

pub(super) async fn count(State(relay): State<Arc<Relay>>, Caller(claims): Caller) -> Result<Json<KeyCount>, Failure> {
    Ok(Json(relay.key_count(&claims).await?))
}

pub(super) async fn claim(
    State(relay): State<Arc<Relay>>,
    Json(request): Json<ClaimRequest>,
) -> Result<Json<ClaimResponse>, Failure> {
    Ok(Json(relay.claim_keys(request).await?))
}

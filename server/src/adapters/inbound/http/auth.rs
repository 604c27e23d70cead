//! `/auth/…`

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use susurro_protocol::rest::{AuthParams, LoginRequest, RefreshRequest, RegisterRequest, TokenResponse};

use super::extract::{Caller, Json, Query};
use crate::adapters::inbound::problem::Failure;
use crate::domain::Error;
use crate::service::Relay;

#[derive(Deserialize)]
pub(super) struct Username {
    username: String,
}

pub(super) async fn params(
    State(relay): State<Arc<Relay>>,
    Query(query): Query<Username>,
) -> Result<Json<AuthParams>, Failure> {
    Ok(Json(relay.auth_params(&query.username).await?))
}

pub(super) async fn register(
    State(relay): State<Arc<Relay>>,
    Json(request): Json<RegisterRequest>,
) -> Result<(StatusCode, Json<TokenResponse>), Failure> {
    let tokens = whole(async move { relay.register(request).await }).await?;
    Ok((StatusCode::CREATED, Json(tokens)))
}

pub(super) async fn login(
    State(relay): State<Arc<Relay>>,
    Json(request): Json<LoginRequest>,
) -> Result<Json<TokenResponse>, Failure> {
    Ok(Json(relay.login(request).await?))
}

pub(super) async fn refresh(
    State(relay): State<Arc<Relay>>,
    Json(request): Json<RefreshRequest>,
) -> Result<Json<TokenResponse>, Failure> {
    Ok(Json(whole(async move { relay.refresh(request).await }).await?))
}

pub(super) async fn logout(State(relay): State<Arc<Relay>>, Caller(claims): Caller) -> Result<StatusCode, Failure> {
    whole(async move { relay.logout(&claims).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Carries a use case of several steps to its end, also when the client hangs up in between.
async fn whole<T: Send + 'static>(steps: impl Future<Output = Result<T, Error>> + Send + 'static) -> Result<T, Error> {
    tokio::spawn(steps).await.map_err(|why| Error::Internal(why.to_string()))?
}

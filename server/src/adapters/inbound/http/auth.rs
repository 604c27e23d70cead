//! `/auth/…`

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use susurro_protocol::rest::{
    AuthParams, LoginRequest, RecoverRequest, RefreshRequest, RegisterRequest, TokenResponse,
};

use utoipa::IntoParams;

use super::extract::{Caller, Json, Query};
use super::refusals;
use crate::adapters::inbound::problem::Failure;
use crate::domain::Error;
use crate::service::Relay;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Username {
    /// Any text; nobody need have it as a name.
    username: String,
}

/// How the password of a name is stretched, and a nonce to sign at login.
///
/// The answer for a name that nobody has cannot be told from a real one.
#[utoipa::path(
    get,
    path = "/auth/params",
    tag = "accounts",
    params(Username),
    responses(
        (status = 200, description = "Parameters and nonce.", body = AuthParams),
        refusals::Params
    )
)]
pub(super) async fn params(
    State(relay): State<Arc<Relay>>,
    Query(query): Query<Username>,
) -> Result<Json<AuthParams>, Failure> {
    Ok(Json(relay.auth_params(&query.username).await?))
}

/// Registers an account with its first device.
#[utoipa::path(
    post,
    path = "/auth/register",
    tag = "accounts",
    request_body = RegisterRequest,
    responses(
        (status = 201, description = "Registered and logged in.", body = TokenResponse),
        refusals::Register
    )
)]
pub(super) async fn register(
    State(relay): State<Arc<Relay>>,
    Json(request): Json<RegisterRequest>,
) -> Result<(StatusCode, Json<TokenResponse>), Failure> {
    let tokens = whole(async move { relay.register(request).await }).await?;
    Ok((StatusCode::CREATED, Json(tokens)))
}

/// Logs a device in.
#[utoipa::path(
    post,
    path = "/auth/login",
    tag = "accounts",
    request_body = LoginRequest,
    responses(
        (status = 200, description = "Logged in.", body = TokenResponse),
        refusals::Login
    )
)]
pub(super) async fn login(
    State(relay): State<Arc<Relay>>,
    Json(request): Json<LoginRequest>,
) -> Result<Json<TokenResponse>, Failure> {
    Ok(Json(relay.login(request).await?))
}

/// Sets another password with the recovery key, ends every login of the account and logs a device in.
///
/// A device that is not in the account's list comes with the next list.
#[utoipa::path(
    post,
    path = "/auth/recover",
    tag = "accounts",
    request_body = RecoverRequest,
    responses(
        (status = 200, description = "Recovered and logged in.", body = TokenResponse),
        refusals::Recover
    )
)]
pub(super) async fn recover(
    State(relay): State<Arc<Relay>>,
    Json(request): Json<RecoverRequest>,
) -> Result<Json<TokenResponse>, Failure> {
    Ok(Json(whole(async move { relay.recover(request).await }).await?))
}

/// Exchanges a refresh token.
///
/// It is good once, and again within a minute as long as nothing that came of it was used. Any other showing of an
/// exchanged token ends the login.
#[utoipa::path(
    post,
    path = "/auth/refresh",
    tag = "accounts",
    request_body = RefreshRequest,
    responses(
        (status = 200, description = "New tokens.", body = TokenResponse),
        refusals::Refresh
    )
)]
pub(super) async fn refresh(
    State(relay): State<Arc<Relay>>,
    Json(request): Json<RefreshRequest>,
) -> Result<Json<TokenResponse>, Failure> {
    Ok(Json(whole(async move { relay.refresh(request).await }).await?))
}

/// Ends the login that the token is of, with all its tokens and connections.
#[utoipa::path(
    post,
    path = "/auth/logout",
    tag = "accounts",
    security(("token" = [])),
    responses(
        (status = 204, description = "Ended."),
        refusals::OfAccount
    )
)]
pub(super) async fn logout(State(relay): State<Arc<Relay>>, Caller(claims): Caller) -> Result<StatusCode, Failure> {
    whole(async move { relay.logout(&claims).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Carries a use case of several steps to its end, also when the client hangs up in between.
pub(super) async fn whole<T: Send + 'static>(
    steps: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    tokio::spawn(steps).await.map_err(|why| Error::Internal(why.to_string()))?
}

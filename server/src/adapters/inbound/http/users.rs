//! `/users/…`

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use susurro_protocol::AccountName;
use susurro_protocol::rest::{
    ChangePassword, DeleteMe, Me, Page, PutDevices, RecoveryState, SetRecovery, UpdateMe, UserDevices, UserEntry,
};

use utoipa::IntoParams;

use super::auth::whole;
use super::extract::{Caller, Json, Path, Query};
use super::refusals;
use crate::adapters::inbound::problem::Failure;
use crate::service::Relay;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Search {
    /// What the names begin with; nothing for everybody.
    #[serde(default)]
    q: String,
    /// `next` of the page before.
    after: Option<String>,
    /// At most this many, up to 100, and 100 when left out; other numbers are taken to the nearer end.
    #[serde(default, deserialize_with = "susurro_protocol::rest::nearest_limit")]
    #[param(schema_with = susurro_protocol::openapi::whole_number, required = false)]
    limit: Option<u32>,
}

/// The profile of the account.
#[utoipa::path(
    get,
    path = "/users/me",
    tag = "people",
    security(("token" = [])),
    responses(
        (status = 200, description = "The profile.", body = Me),
        refusals::OfAccount
    )
)]
pub(super) async fn me(State(relay): State<Arc<Relay>>, Caller(claims): Caller) -> Result<Json<Me>, Failure> {
    Ok(Json(relay.me(&claims).await?))
}

/// Changes the profile.
#[utoipa::path(
    patch,
    path = "/users/me",
    tag = "people",
    request_body = UpdateMe,
    security(("token" = [])),
    responses(
        (status = 200, description = "The profile as it is now.", body = Me),
        refusals::Asked
    )
)]
pub(super) async fn update_me(
    State(relay): State<Arc<Relay>>,
    Caller(claims): Caller,
    Json(update): Json<UpdateMe>,
) -> Result<Json<Me>, Failure> {
    Ok(Json(relay.update_me(&claims, update).await?))
}

/// Changes the password, and ends every other login of the account.
#[utoipa::path(
    post,
    path = "/users/me/password",
    tag = "accounts",
    request_body = ChangePassword,
    security(("token" = [])),
    responses(
        (status = 204, description = "Changed; the token that asked stays good."),
        refusals::Proven
    )
)]
pub(super) async fn change_password(
    State(relay): State<Arc<Relay>>,
    Caller(claims): Caller,
    Json(request): Json<ChangePassword>,
) -> Result<StatusCode, Failure> {
    whole(async move { relay.change_password(&claims, request).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Since when the account has a recovery key.
#[utoipa::path(
    get,
    path = "/users/me/recovery",
    tag = "accounts",
    security(("token" = [])),
    responses(
        (status = 200, description = "When it was set.", body = RecoveryState),
        refusals::OfAccount
    )
)]
pub(super) async fn recovery(
    State(relay): State<Arc<Relay>>,
    Caller(claims): Caller,
) -> Result<Json<RecoveryState>, Failure> {
    Ok(Json(relay.recovery_state(&claims).await?))
}

/// Sets or takes away what the recovery key of the account proves itself by.
#[utoipa::path(
    put,
    path = "/users/me/recovery",
    tag = "accounts",
    request_body = SetRecovery,
    security(("token" = [])),
    responses(
        (status = 204, description = "Set, or taken away."),
        refusals::Proven
    )
)]
pub(super) async fn set_recovery(
    State(relay): State<Arc<Relay>>,
    Caller(claims): Caller,
    Json(request): Json<SetRecovery>,
) -> Result<StatusCode, Failure> {
    whole(async move { relay.set_recovery(&claims, request).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Replaces the device list by its direct successor.
#[utoipa::path(
    put,
    path = "/users/me/devices",
    tag = "people",
    request_body = PutDevices,
    security(("token" = [])),
    responses(
        (status = 200, description = "The present list.", body = UserDevices),
        refusals::PutDevices
    )
)]
pub(super) async fn put_devices(
    State(relay): State<Arc<Relay>>,
    Caller(claims): Caller,
    Json(request): Json<PutDevices>,
) -> Result<Json<UserDevices>, Failure> {
    Ok(Json(whole(async move { relay.put_devices(&claims, request).await }).await?))
}

/// Deletes the account and everything of it.
#[utoipa::path(
    delete,
    path = "/users/me",
    tag = "accounts",
    request_body = DeleteMe,
    security(("token" = [])),
    responses(
        (status = 204, description = "There is no such account any more."),
        refusals::Proven
    )
)]
pub(super) async fn delete_me(
    State(relay): State<Arc<Relay>>,
    Caller(claims): Caller,
    Json(request): Json<DeleteMe>,
) -> Result<StatusCode, Failure> {
    whole(async move { relay.delete_me(&claims, request).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Accounts whose names begin with `q`, in order.
#[utoipa::path(
    get,
    path = "/users/search",
    tag = "people",
    params(Search),
    security(("token" = [])),
    responses(
        (status = 200, description = "A page.", body = Page<UserEntry>),
        refusals::Found
    )
)]
pub(super) async fn search(
    State(relay): State<Arc<Relay>>,
    Query(search): Query<Search>,
) -> Result<Json<Page<UserEntry>>, Failure> {
    Ok(Json(relay.search(&search.q, search.after.as_deref(), search.limit).await?))
}

/// The signed device list of an account.
#[utoipa::path(
    get,
    path = "/users/{name}/devices",
    tag = "people",
    params(("name" = AccountName, Path, description = "Name of the account.")),
    security(("token" = [])),
    responses(
        (status = 200, description = "The list.", body = UserDevices),
        refusals::Devices
    )
)]
pub(super) async fn devices(
    State(relay): State<Arc<Relay>>,
    Path(name): Path<String>,
) -> Result<Json<UserDevices>, Failure> {
    Ok(Json(relay.user_devices(&name).await?))
}

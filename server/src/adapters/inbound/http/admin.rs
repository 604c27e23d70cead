//! `/admin/…`: for accounts with the role `admin`, which is looked up at each request.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use susurro_protocol::AccountName;
use susurro_protocol::rest::{
    AdminUser, ChangeUser, ConnectedDevice, CreateInvite, CreatedInvite, InviteEntry, NewAnnouncement, Page,
    RelayStatus, SignedAnnouncement,
};

use utoipa::IntoParams;

use super::auth::whole;
use super::extract::{Caller, Json, Path, Query};
use super::refusals;
use crate::adapters::inbound::problem::Failure;
use crate::metrics::metrics;
use crate::service::{Passed, Relay};

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Users {
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

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Paged {
    /// `next` of the page before.
    after: Option<String>,
    /// At most this many, up to 100, and 100 when left out; other numbers are taken to the nearer end.
    #[serde(default, deserialize_with = "susurro_protocol::rest::nearest_limit")]
    #[param(schema_with = susurro_protocol::openapi::whole_number, required = false)]
    limit: Option<u32>,
}

/// Announcements in force, oldest first.
#[utoipa::path(
    get,
    path = "/announcements",
    tag = "relay",
    security(("token" = [])),
    responses(
        (status = 200, description = "All of them, in one page.", body = Page<SignedAnnouncement>),
        refusals::OfAccount
    )
)]
pub(super) async fn announcements(State(relay): State<Arc<Relay>>) -> Result<Json<Page<SignedAnnouncement>>, Failure> {
    Ok(Json(relay.announcements().await?))
}

/// Announces something to everybody, signed by the relay.
#[utoipa::path(
    post,
    path = "/announcements",
    tag = "administration",
    request_body = NewAnnouncement,
    security(("token" = [])),
    responses(
        (status = 201, description = "The announcement.", body = SignedAnnouncement),
        refusals::AdminAsked
    )
)]
pub(super) async fn announce(
    State(relay): State<Arc<Relay>>,
    Json(new): Json<NewAnnouncement>,
) -> Result<(StatusCode, Json<SignedAnnouncement>), Failure> {
    Ok((StatusCode::CREATED, Json(whole(async move { relay.announce(&new).await }).await?)))
}

/// The relay in figures.
#[utoipa::path(
    get,
    path = "/admin/status",
    tag = "administration",
    security(("token" = [])),
    responses(
        (status = 200, description = "The figures.", body = RelayStatus),
        refusals::AdminOnly
    )
)]
pub(super) async fn status(State(relay): State<Arc<Relay>>) -> Result<Json<RelayStatus>, Failure> {
    let passed = Passed { stored: metrics().stored.get(), delivered: metrics().delivered.get() };
    Ok(Json(relay.status(passed).await?))
}

/// Devices that are connected to the node that is asked.
#[utoipa::path(
    get,
    path = "/users/connected",
    tag = "administration",
    params(Paged),
    security(("token" = [])),
    responses(
        (status = 200, description = "A page.", body = Page<ConnectedDevice>),
        refusals::AdminFound
    )
)]
pub(super) async fn connected(
    State(relay): State<Arc<Relay>>,
    Query(query): Query<Paged>,
) -> Result<Json<Page<ConnectedDevice>>, Failure> {
    Ok(Json(relay.connected(query.after.as_deref(), query.limit).await?))
}

/// Accounts, by name, with their roles.
#[utoipa::path(
    get,
    path = "/admin/users",
    tag = "administration",
    params(Users),
    security(("token" = [])),
    responses(
        (status = 200, description = "A page.", body = Page<AdminUser>),
        refusals::AdminFound
    )
)]
pub(super) async fn users(
    State(relay): State<Arc<Relay>>,
    Query(query): Query<Users>,
) -> Result<Json<Page<AdminUser>>, Failure> {
    Ok(Json(relay.office().users(&query.q, query.after.as_deref(), query.limit).await?))
}

/// One account.
#[utoipa::path(
    get,
    path = "/admin/users/{name}",
    tag = "administration",
    params(("name" = AccountName, Path, description = "Name of the account.")),
    security(("token" = [])),
    responses(
        (status = 200, description = "The account.", body = AdminUser),
        refusals::AdminNamed
    )
)]
pub(super) async fn user(
    State(relay): State<Arc<Relay>>,
    Path(name): Path<String>,
) -> Result<Json<AdminUser>, Failure> {
    Ok(Json(relay.office().user(&name).await?))
}

/// Disables, enables, promotes or demotes an account other than one's own.
#[utoipa::path(
    post,
    path = "/admin/users/{name}",
    tag = "administration",
    params(("name" = AccountName, Path, description = "Name of the account.")),
    request_body = ChangeUser,
    security(("token" = [])),
    responses(
        (status = 200, description = "The account as it is now.", body = AdminUser),
        refusals::AdminChange
    )
)]
pub(super) async fn change_user(
    State(relay): State<Arc<Relay>>,
    Caller(claims): Caller,
    Path(name): Path<String>,
    Json(change): Json<ChangeUser>,
) -> Result<Json<AdminUser>, Failure> {
    Ok(Json(whole(async move { relay.change_user(&claims, &name, &change).await }).await?))
}

/// Deletes an account other than one's own, with everything of it.
#[utoipa::path(
    delete,
    path = "/admin/users/{name}",
    tag = "administration",
    params(("name" = AccountName, Path, description = "Name of the account.")),
    security(("token" = [])),
    responses(
        (status = 204, description = "There is no such account any more."),
        refusals::AdminDelete
    )
)]
pub(super) async fn delete_user(
    State(relay): State<Arc<Relay>>,
    Caller(claims): Caller,
    Path(name): Path<String>,
) -> Result<StatusCode, Failure> {
    whole(async move { relay.delete_user(&claims, &name).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Invites, also those that are used up or over.
#[utoipa::path(
    get,
    path = "/admin/invites",
    tag = "administration",
    params(Paged),
    security(("token" = [])),
    responses(
        (status = 200, description = "A page.", body = Page<InviteEntry>),
        refusals::AdminFound
    )
)]
pub(super) async fn invites(
    State(relay): State<Arc<Relay>>,
    Query(query): Query<Paged>,
) -> Result<Json<Page<InviteEntry>>, Failure> {
    Ok(Json(relay.office().invites(query.after.as_deref(), query.limit).await?))
}

/// Makes an invite. Its text is in this answer and nowhere else.
#[utoipa::path(
    post,
    path = "/admin/invites",
    tag = "administration",
    request_body = CreateInvite,
    security(("token" = [])),
    responses(
        (status = 201, description = "The invite.", body = CreatedInvite),
        refusals::AdminAsked
    )
)]
pub(super) async fn create_invite(
    State(relay): State<Arc<Relay>>,
    Json(wanted): Json<CreateInvite>,
) -> Result<(StatusCode, Json<CreatedInvite>), Failure> {
    Ok((StatusCode::CREATED, Json(relay.office().create_invite(wanted).await?)))
}

/// Takes an invite back.
#[utoipa::path(
    delete,
    path = "/admin/invites/{invite}",
    tag = "administration",
    params(("invite" = String, Path, description = "Identifier of the invite, from the list.", pattern = "^[0-9a-f]{16}$")),
    security(("token" = [])),
    responses(
        (status = 204, description = "Nobody can register with it any more."),
        refusals::AdminSought
    )
)]
pub(super) async fn revoke_invite(
    State(relay): State<Arc<Relay>>,
    Path(invite): Path<String>,
) -> Result<StatusCode, Failure> {
    relay.office().revoke_invite(&invite).await?;
    Ok(StatusCode::NO_CONTENT)
}

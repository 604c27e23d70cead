//! `/users/…`

use std::sync::Arc;

use axum::extract::State;
use serde::Deserialize;
use susurro_protocol::rest::{Me, Page, UpdateMe, UserDevices, UserEntry};

use super::extract::{Caller, Json, Path, Query};
use crate::adapters::inbound::problem::Failure;
use crate::service::Relay;

#[derive(Deserialize)]
pub(super) struct Search {
    #[serde(default)]
    q: String,
    after: Option<String>,
    limit: Option<u32>,
}

pub(super) async fn me(State(relay): State<Arc<Relay>>, Caller(claims): Caller) -> Result<Json<Me>, Failure> {
    Ok(Json(relay.me(&claims).await?))
}

pub(super) async fn update_me(
    State(relay): State<Arc<Relay>>,
    Caller(claims): Caller,
    Json(update): Json<UpdateMe>,
) -> Result<Json<Me>, Failure> {
    Ok(Json(relay.update_me(&claims, update).await?))
}

pub(super) async fn search(
    State(relay): State<Arc<Relay>>,
    Query(search): Query<Search>,
) -> Result<Json<Page<UserEntry>>, Failure> {
    Ok(Json(relay.search(&search.q, search.after.as_deref(), search.limit).await?))
}

pub(super) async fn devices(
    State(relay): State<Arc<Relay>>,
    Path(name): Path<String>,
) -> Result<Json<UserDevices>, Failure> {
    Ok(Json(relay.user_devices(&name).await?))
}

//! The door for what is asked and answered: HTTPS and JSON.

mod admin;
mod auth;
mod blobs;
mod chats;
mod description;
mod extract;
mod gate;
mod keys;
mod meta;
pub(super) mod refusals;
mod users;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRef};
use axum::middleware::{from_fn, from_fn_with_state};
use susurro_protocol::ErrorCode;
use susurro_protocol::limits::REST_BODY_MAX;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use gate::{Gate, Limits};

use super::problem::Failure;
use super::watch;
use crate::ports::Rates;
use crate::service::Relay;

/// What the handlers work on.
#[derive(Clone)]
struct Api {
    relay: Arc<Relay>,
    gate: Arc<Gate>,
}

impl FromRef<Api> for Arc<Relay> {
    fn from_ref(api: &Api) -> Self {
        api.relay.clone()
    }
}

/// All routes of the REST interface, with their description.
pub fn router(relay: Arc<Relay>, limits: Limits, rates: Arc<dyn Rates>) -> OpenApiRouter {
    let api = Api { relay, gate: Arc::new(Gate::new(limits, rates)) };
    let open =
        description::begun().routes(routes!(meta::info)).routes(routes!(meta::healthz)).routes(routes!(meta::readyz));
    let params = OpenApiRouter::new()
        .routes(routes!(auth::params))
        .route_layer(from_fn_with_state(api.clone(), gate::by_address));
    let auth = OpenApiRouter::new()
        .routes(routes!(auth::register))
        .routes(routes!(auth::login))
        .routes(routes!(auth::recover))
        .routes(routes!(auth::refresh))
        .route_layer(from_fn_with_state(api.clone(), gate::auth));
    // Its address counts before its token is looked at.
    let logout = OpenApiRouter::new()
        .routes(routes!(auth::logout))
        .routes(routes!(users::change_password))
        .routes(routes!(users::delete_me))
        .routes(routes!(users::set_recovery))
        .route_layer(from_fn_with_state(api.clone(), gate::authenticated))
        .route_layer(from_fn_with_state(api.clone(), gate::auth));
    // Counted twice: as a search, and as a request like every other.
    let search =
        OpenApiRouter::new().routes(routes!(users::search)).route_layer(from_fn_with_state(api.clone(), gate::search));
    let caller = OpenApiRouter::new()
        .routes(routes!(users::me, users::update_me))
        .merge(search)
        .routes(routes!(users::put_devices))
        .routes(routes!(users::recovery))
        .routes(routes!(users::devices))
        .routes(routes!(admin::announcements))
        .routes(routes!(keys::publish))
        .routes(routes!(keys::count))
        .routes(routes!(keys::claim))
        .routes(routes!(chats::list, chats::open))
        .routes(routes!(blobs::begin_blob))
        .routes(routes!(blobs::head_blob, blobs::read_blob, blobs::put_blob, blobs::delete_blob))
        .routes(routes!(chats::get, chats::leave))
        .routes(routes!(chats::configure))
        .routes(routes!(chats::messages, chats::send))
        .routes(routes!(chats::acknowledge))
        .route_layer(from_fn_with_state(api.clone(), gate::account))
        .route_layer(from_fn_with_state(api.clone(), gate::authenticated));
    let admin = OpenApiRouter::new()
        .routes(routes!(admin::announce))
        .routes(routes!(admin::status))
        .routes(routes!(admin::connected))
        .routes(routes!(admin::users))
        .routes(routes!(admin::user, admin::change_user, admin::delete_user))
        .routes(routes!(admin::invites, admin::create_invite))
        .routes(routes!(admin::revoke_invite))
        .route_layer(from_fn_with_state(api.clone(), gate::admin))
        .route_layer(from_fn_with_state(api.clone(), gate::account))
        .route_layer(from_fn_with_state(api.clone(), gate::authenticated));
    open.merge(params)
        .merge(auth)
        .merge(logout)
        .merge(caller)
        .merge(admin)
        .layer(DefaultBodyLimit::max(REST_BODY_MAX))
        .with_state(api)
}

/// Adds the description of all routes, answers for paths and methods that do not exist, and what
/// every answer carries. To be put around all routes of the relay.
pub fn finish(router: OpenApiRouter) -> Router {
    description::served(router)
        .fallback(|| async { Failure::from(ErrorCode::NotFound) })
        .method_not_allowed_fallback(|| async { Failure::from(ErrorCode::MethodNotAllowed) })
        .layer(from_fn(meta::headers))
        .layer(from_fn(watch::measured))
}

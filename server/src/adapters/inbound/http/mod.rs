//! The door for what is asked and answered: HTTPS and JSON.

mod auth;
mod chats;
mod extract;
mod gate;
mod keys;
mod meta;
mod users;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRef};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, patch, post, put};
use susurro_protocol::ErrorCode;
use susurro_protocol::limits::REST_BODY_MAX;

pub use gate::{Gate, Limits};

use super::problem::Failure;
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

/// All routes of the REST interface.
pub fn router(relay: Arc<Relay>, limits: Limits) -> Router {
    let api = Api { relay, gate: Arc::new(Gate::new(limits)) };
    let open = Router::new()
        .route("/.well-known/susurro", get(meta::info))
        .route("/healthz", get(meta::healthz))
        .route("/readyz", get(meta::readyz));
    let params = Router::new()
        .route("/auth/params", get(auth::params))
        .route_layer(from_fn_with_state(api.clone(), gate::address));
    let auth = Router::new()
        .route("/auth/register", post(auth::register))
        .route("/auth/login", post(auth::login))
        .route("/auth/refresh", post(auth::refresh))
        .route_layer(from_fn_with_state(api.clone(), gate::auth));
    // Its address counts before its token is looked at.
    let logout = Router::new()
        .route("/auth/logout", post(auth::logout))
        .route_layer(from_fn_with_state(api.clone(), gate::authenticated))
        .route_layer(from_fn_with_state(api.clone(), gate::auth));
    let caller = Router::new()
        .route("/users/me", get(users::me).merge(patch(users::update_me)))
        .route("/users/search", get(users::search))
        .route("/users/{name}/devices", get(users::devices))
        .route("/keys", put(keys::publish))
        .route("/keys/count", get(keys::count))
        .route("/keys/claim", post(keys::claim))
        .route("/chats", get(chats::list).merge(post(chats::open)))
        .route("/chats/{chat}", get(chats::get))
        .route("/chats/{chat}/messages", get(chats::messages).merge(post(chats::send)))
        .route_layer(from_fn_with_state(api.clone(), gate::account))
        .route_layer(from_fn_with_state(api.clone(), gate::authenticated));
    open.merge(params)
        .merge(auth)
        .merge(logout)
        .merge(caller)
        .layer(DefaultBodyLimit::max(REST_BODY_MAX))
        .with_state(api)
}

/// Answers for paths and methods that do not exist, and what every answer carries. To be put
/// around all routes of the relay.
pub fn finish(router: Router) -> Router {
    router
        .fallback(|| async { Failure::from(ErrorCode::NotFound) })
        .method_not_allowed_fallback(|| async { Failure::from(ErrorCode::MethodNotAllowed) })
        .layer(from_fn(meta::headers))
}

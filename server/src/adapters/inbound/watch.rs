//! The door for those who watch the relay: metrics, on a listener of their own.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tracing::Instrument as _;

use crate::metrics::{CONTENT_TYPE, metrics};
use crate::ports::Reach;
use crate::service::Relay;

/// `GET /metrics`.
pub fn router(relay: Arc<Relay>) -> Router {
    Router::new().route("/metrics", get(scrape)).with_state(relay)
}

async fn scrape(State(relay): State<Arc<Relay>>) -> Response {
    let metrics = metrics();
    metrics.connections.set(i64::try_from(relay.connections()).unwrap_or(i64::MAX));
    metrics.bus_up.set(i64::from(relay.reach() != Reach::Polling));
    metrics.store_ready.set(i64::from(relay.ready().await.is_ok()));
    // A store that does not answer keeps the size that it had.
    if let Ok(bytes) = relay.store_bytes().await {
        metrics.store_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], metrics.text()).into_response()
}

/// Counts and times a request by the template of its path, since the path itself holds names and ids, and
/// gives it an id by which the log and the answer name it.
pub(super) async fn measured(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let method = method(request.method());
    let id = request_id();
    let begun = Instant::now();
    let span = tracing::error_span!("request", id);
    let mut response = next.run(request).instrument(span.clone()).await;
    let route = route.as_ref().map_or("unmatched", MatchedPath::as_str);
    let (status, took) = (response.status().as_u16(), begun.elapsed());
    metrics().answered(method, route, status, took);
    // What goes wrong here has said so already, under the same id.
    span.in_scope(|| tracing::debug!(method, route, status, ms = took.as_millis(), "answered"));
    if let Ok(id) = HeaderValue::try_from(id) {
        response.headers_mut().insert("x-request-id", id);
    }
    response
}

/// Tells the lines of one request in the log apart from those of others; means nothing elsewhere.
fn request_id() -> String {
    static START: LazyLock<u32> = LazyLock::new(|| {
        let mut bytes = [0; 4];
        // Without randomness the numbers repeat after a restart, which confuses nobody but a reader.
        let _ = getrandom::fill(&mut bytes);
        u32::from_be_bytes(bytes)
    });
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("{:08x}{:08x}", *START, NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A method by its name; those that clients make up are all one.
fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

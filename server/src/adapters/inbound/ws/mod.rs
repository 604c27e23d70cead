//! The door for what happens: WebSocket and frames (`docs/protocol.md`, sections 8 to 12).

mod connection;
mod handshake;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{FromRequestParts as _, Request, State};
use axum::response::Response;
use susurro_protocol::limits::{DEVICES_MAX, FRAME_MAX, HANDSHAKE_SECONDS, IDLE_SECONDS};
use susurro_protocol::version::SUBPROTOCOL;
use susurro_protocol::{AccountId, ErrorCode};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::bearer;
use super::http::refusals;
use super::places::Places;
use super::problem::Failure;
use crate::domain::Error;
use crate::service::Relay;
use crate::shutdown::Listener;

/// Bytes that are read at once. Most frames are smaller, and every connection has this buffer for
/// as long as it lives.
const READ_BUFFER: usize = 4 * 1024;

/// Bytes that are gathered before they are written: many small frames a system call.
const WRITE_BUFFER: usize = 16 * 1024;

/// How long a connection may take for things.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// From the upgrade to the first session frame.
    pub handshake: Duration,
    /// Between two frames of the client, and for one write to get through to it.
    pub idle: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self { handshake: Duration::from_secs(HANDSHAKE_SECONDS), idle: Duration::from_secs(IDLE_SECONDS) }
    }
}

/// Sockets of one account: each of its devices has one and opens the next before the last is gone.
const ACCOUNT_SOCKETS: u32 = 2 * DEVICES_MAX as u32;

/// Seconds after which an account with too many sockets may try again: handshakes that nobody goes on with are over.
const SOCKETS_AGAIN: u64 = HANDSHAKE_SECONDS;

#[derive(Clone)]
struct Door {
    accounts: Places<AccountId>,
    relay: Arc<Relay>,
    timing: Timing,
    shutdown: Listener,
}

/// The route of the WebSocket, with its description.
pub fn router(relay: Arc<Relay>, timing: Timing, shutdown: Listener) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(upgrade)).with_state(Door {
        accounts: Places::default(),
        relay,
        timing,
        shutdown,
    })
}

/// Becomes a WebSocket of the subprotocol `susurro.v1`.
#[utoipa::path(
    get,
    path = "/ws",
    tag = "chats",
    security(("token" = []), ("query" = [])),
    responses(
        (status = 101, description = "From here on the frames of the protocol document, sections 8 to 12."),
        refusals::Upgrade
    )
)]
async fn upgrade(State(door): State<Door>, request: Request) -> Result<Response, Failure> {
    let (mut parts, _) = request.into_parts();
    let token = bearer::from_upgrade(&parts);
    let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &door).await;
    let token = token.ok_or_else(|| match &upgrade {
        Ok(_) => ErrorCode::Unauthenticated.into(),
        // Tells `susurro-server check` that a proxy has lost the upgrade on its way.
        Err(_) => Error::explained(ErrorCode::Unauthenticated, "this is no WebSocket upgrade either".to_owned()),
    })?;
    let claims = door.relay.authenticate(&token).await?;
    let upgrade = upgrade.map_err(|_| Error::invalid("this path is for WebSocket upgrades"))?;
    let upgrade = upgrade.protocols([SUBPROTOCOL]);
    if upgrade.selected_protocol().is_none() {
        let why = format!("the subprotocol is {SUBPROTOCOL}");
        return Err(Error::explained(ErrorCode::UnsupportedVersion, why).into());
    }
    let place = door.accounts.take(claims.account, ACCOUNT_SOCKETS).ok_or(Error::RateLimited(SOCKETS_AGAIN))?;
    Ok(upgrade
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_write_buffer_size(WRITE_BUFFER + 2 * FRAME_MAX)
        // One byte more than a frame may have: that one gets its own close code.
        .max_message_size(FRAME_MAX + 1)
        .max_frame_size(FRAME_MAX + 1)
        .on_upgrade(async move |socket| {
            connection::serve(socket, door.relay, claims, token, door.timing, door.shutdown).await;
            drop(place);
        }))
}

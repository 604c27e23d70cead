//! How a client reaches its relay: addresses, REST and the WebSocket.

mod http;
mod url;
mod websocket;

pub use http::{Http, TransportError};
pub use url::{BadUrl, INSECURE_HTTP, RelayUrl};
pub use websocket::{Socket, SocketEvent};

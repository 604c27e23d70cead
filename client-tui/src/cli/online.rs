//! Getting a connection, and saying why there is none.

use std::time::Duration;

use susurro_client_core::Error;
use susurro_client_core::client::Client;
use susurro_client_core::model::{Connection, Trouble};

/// Connects, or says why not: at once when nothing or no relay answers, else when the time ran out.
pub(crate) async fn connect(client: &Client, patience: Duration) -> Result<(), Error> {
    let mut connection = client.connection();
    client.go_online();
    let mut last = None;
    let connected = async {
        loop {
            let now = connection.borrow_and_update().clone();
            match now {
                Connection::Connected => return Ok(()),
                Connection::Blocked(trouble) => return Err(error(client, &trouble)),
                Connection::Waiting { trouble: trouble @ (Trouble::Unreachable | Trouble::NotARelay), .. } => {
                    return Err(error(client, &trouble));
                }
                Connection::Waiting { trouble, .. } => last = Some(trouble),
                Connection::Offline | Connection::Connecting => {}
            }
            if connection.changed().await.is_err() {
                return Err(Error::Closed);
            }
        }
    };
    match tokio::time::timeout(patience, connected).await {
        Ok(outcome) => outcome,
        Err(_) => Err(error(client, &last.unwrap_or(Trouble::Unreachable))),
    }
}

/// What is in the way, as an error.
pub(crate) fn error(client: &Client, trouble: &Trouble) -> Error {
    let me = client.me();
    match trouble {
        Trouble::Unreachable | Trouble::Lost => Error::Unreachable { url: me.relay_url, cause: "no answer".to_owned() },
        Trouble::NotARelay => Error::NotARelay { url: me.relay_url },
        Trouble::GoingAway | Trouble::Overloaded => Error::RelayBusy,
        Trouble::Superseded => Error::Superseded,
        Trouble::RelayKeyChanged => {
            Error::RelayKeyChanged { pinned: me.relay_fingerprint, offered: "another one".to_owned() }
        }
        Trouble::LoggedOut => Error::LoggedOut,
    }
}

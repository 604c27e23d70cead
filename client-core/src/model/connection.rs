//! The state of the connection, as a status line tells it.

/// How things stand with the relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Connection {
    /// Nobody asked for a connection, or the account is logged out.
    Offline,
    /// On the way.
    Connecting,
    /// Connected: what is sent now is sent.
    Connected,
    /// Trying again at `at` (milliseconds since 1970), because of `trouble`.
    Waiting {
        /// When the next attempt starts.
        at: u64,
        /// What was in the way.
        trouble: Trouble,
    },
    /// Stopped until a person acts.
    Blocked(Trouble),
}

/// What is in the way of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing answers at the relay's address.
    Unreachable,
    /// Something answers that is no relay, or speaks no common version.
    NotARelay,
    /// The relay said that it goes away and when to come back.
    GoingAway,
    /// The relay said that it has too much to do, or cannot store.
    Overloaded,
    /// The connection was lost or went silent.
    Lost,
    /// Another program took over this device's connection.
    Superseded,
    /// The relay showed another key than the pinned one. Needs a person.
    RelayKeyChanged,
    /// Tokens are no longer good: log in again. Needs a person.
    LoggedOut,
}

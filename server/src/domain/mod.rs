//! The rules of the relay: no sockets, no database, no clock, nothing asynchronous.

pub mod account;
pub mod announcement;
pub mod blob;
pub mod crowd;
pub mod error;
pub mod invite;
pub mod login;
pub mod mailbox;
pub mod message;
pub mod prekey;
pub mod presence;
pub mod proxies;
pub mod rate;
pub mod schema;
pub mod token;

pub use error::Error;

//! The words on the wire of Susurro.
//!
//! This crate is pure: it holds no socket, no clock, no randomness of its own and no database.
//! Everything takes bytes and gives bytes, so that clients, relays and checks share one reading
//! of `docs/protocol.md`, whose sections the items here cite.

pub mod announcement;
pub mod bytes;
pub mod codec;
pub mod command;
pub mod content;
pub mod error;
pub mod event;
pub mod frame;
pub mod handshake;
pub mod ids;
pub mod keys;
pub mod limits;
pub mod objects;
#[cfg(feature = "openapi")]
pub mod openapi;
pub mod rest;
pub mod session;
pub mod signal;
pub mod signed;
pub mod version;

pub use error::ErrorCode;
pub use ids::{AccountId, AccountName, AnnouncementId, BlobId, ChatId, DeviceId, MailboxSeq, MessageId, PrekeyId};

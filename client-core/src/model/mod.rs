//! What a face shows and a store keeps, without any input or output.

pub mod announcement;
pub mod connection;
pub mod contact;
pub mod event;
pub mod message;

pub use announcement::Announcement;
pub use connection::{Connection, Trouble};
pub use contact::{ChatSummary, Contact, Trust};
pub use event::ClientEvent;
pub use message::{Cause, Delivery, Direction, MessageContent, MessageView};

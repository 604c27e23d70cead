//! What the relay needs from the world: small traits, each with one contract that every adapter
//! keeps (`tests/contract.rs`).

mod accounts;
mod administration;
mod announcements;
mod blobs;
mod bus;
mod chats;
mod link;
mod mailboxes;
mod neighbours;
mod prekeys;
mod rates;
mod sessions;
mod system;

use std::future::Future;
use std::pin::Pin;

pub use accounts::{Accounts, Devices};
pub use administration::{Administration, Figures, Invites};
pub use announcements::Announcements;
pub use blobs::{BlobRecords, Blobs};
pub use bus::{Bus, Ending, Node, Reach, Slot, Taken, Turn};
pub use chats::Chats;
pub use link::{AtWork, Attachment, Audience, Connections, Heard, Link, Shown, Word};
pub use mailboxes::{Commits, MailboxState, Mailboxes, Receipt};
pub use neighbours::{Around, Neighbours, Stance};
pub use prekeys::{Claimed, Prekeys};
pub use rates::{Asker, Counted, Rates};
pub use sessions::Sessions;
pub use system::{Clock, Entropy, Passwords, Tokens};

use crate::domain::Error;

/// What a port answers later.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

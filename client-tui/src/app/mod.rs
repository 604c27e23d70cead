//! What the interface knows, and how it changes: pure.
//!
//! [`update`](update::update) takes the [`Model`] and a [`Msg`], changes the model and returns
//! [`Effect`]s for somebody else to perform. There is no clock, socket, file or terminal here.

pub mod effect;
pub mod failure;
pub mod field;
pub mod layout;
pub mod model;
pub mod msg;
pub mod rows;
pub mod update;
pub mod words;
pub mod wrap;

pub use effect::Effect;
pub use model::Model;
pub use msg::Msg;
pub use update::update;

//! What connects the use cases with the world. Adapters never call one another.

pub mod inbound;
pub mod outbound;

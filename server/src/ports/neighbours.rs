//! Who else is at work on the same database.

use super::Answer;

/// What a node is to the others that look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stance {
    /// It hears what they say, and they hear what it says.
    Linked,
    /// It does not: whoever is connected elsewhere has to look for what it stores.
    Unheard,
    /// It is no node: a command beside them.
    Visitor,
}

/// The nodes on a database beside the one that asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Around {
    /// All of them.
    pub others: u64,
    /// Those among them that are [`Stance::Unheard`].
    pub unheard: u64,
}

/// The nodes of a relay as its database knows them: also those that no [`Link`](super::Link) reaches.
pub trait Neighbours: Send + Sync {
    /// Says what this node is, which holds until it says something else or is gone, and tells who else is there.
    fn look(&self, stance: Stance) -> Answer<'_, Around>;
}

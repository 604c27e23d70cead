//! The shape of a finding of `doctor`.

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What: `profile`, `passphrase`, `store`, `relay`, `relay key`, `clock`, `login`, `prekeys`, `outbox`.
    pub name: &'static str,
    /// How it is.
    pub outcome: Outcome,
}

/// How it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Well; what was found.
    Ok(String),
    /// Not well.
    Err {
        /// What was found.
        what: String,
        /// What to do about it.
        next: String,
    },
}

impl Check {
    /// Whether it is well.
    #[must_use]
    pub const fn is_ok(&self) -> bool {
        matches!(self.outcome, Outcome::Ok(_))
    }
}

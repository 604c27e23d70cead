//! A check: one thing that is tried on a program, and what has to come of it.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;

/// What is known of a check before it runs.
#[derive(Debug, Clone, Copy)]
pub struct About {
    /// `HS-2/wrong-relay-key`: the requirement that it is named after, and what is done.
    pub id: &'static str,
    /// Requirements of `docs/protocol.md` that a failure would show to be broken.
    pub covers: &'static [&'static str],
    /// What is tried, in one line.
    pub tried: &'static str,
}

/// A check on a program that `C` gives access to.
pub struct Check<C> {
    /// Its name and purpose.
    pub about: About,
    /// Tries it once.
    pub run: for<'a> fn(&'a C) -> Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>,
}

/// What came of a check.
pub type Outcome = Result<(), Stop>;

/// Why a check did not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// The program did something else than it has to.
    Failed {
        /// What the document asks for.
        expected: String,
        /// What was seen.
        seen: String,
    },
    /// It cannot be tried on this program; not a fault of it.
    Skipped(String),
}

impl About {
    /// `HS` of `HS-2/wrong-relay-key`: what `--only` selects by.
    #[must_use]
    pub fn group(&self) -> &'static str {
        self.id.split('-').next().unwrap_or(self.id)
    }
}

impl Stop {
    /// A failure.
    pub fn failed(expected: impl Into<String>, seen: impl Into<String>) -> Self {
        Self::Failed { expected: expected.into(), seen: seen.into() }
    }

    /// Not tried, and why.
    pub fn skipped(why: impl Into<String>) -> Self {
        Self::Skipped(why.into())
    }
}

/// Passes when `holds`.
///
/// # Errors
///
/// [`Stop::Failed`] with both sentences.
pub fn that(holds: bool, expected: impl Into<String>, seen: impl Debug) -> Outcome {
    if holds { Ok(()) } else { Err(Stop::failed(expected, format!("{seen:?}"))) }
}

/// Passes when both are the same.
///
/// # Errors
///
/// [`Stop::Failed`] with both values.
pub fn same<T: Debug + PartialEq>(what: &str, expected: &T, seen: &T) -> Outcome {
    that(expected == seen, format!("{what} {expected:?}"), seen)
}

/// A [`Check`] of an asynchronous function: its id, what it covers, what it tries, and the function.
#[macro_export]
macro_rules! check {
    ($id:literal, [$($covers:literal),+ $(,)?], $tried:literal, $function:path) => {
        $crate::suite::Check {
            about: $crate::suite::About { id: $id, covers: &[$($covers),+], tried: $tried },
            run: |target| Box::pin($function(target)),
        }
    };
}

//! How findings are told: a line each, a summary, an exit code.

use std::io::{self, Write};
use std::time::Duration;

use super::check::{About, Outcome, Stop};

/// What came of one check.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The check.
    pub about: About,
    /// Its outcome.
    pub outcome: Outcome,
    /// How long it took.
    pub took: Duration,
}

/// Writes findings as they come and keeps them.
pub struct Reporter<W> {
    out: W,
    findings: Vec<Finding>,
}

impl<W: Write> Reporter<W> {
    /// Tells to `out`.
    pub fn new(out: W) -> Self {
        Self { out, findings: Vec::new() }
    }

    /// One line, and two more when it failed.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn tell(&mut self, finding: Finding) -> io::Result<()> {
        let About { id, tried, .. } = finding.about;
        match &finding.outcome {
            Ok(()) => writeln!(self.out, "passed   {id}  {tried}")?,
            Err(Stop::Skipped(why)) => writeln!(self.out, "skipped  {id}  {tried}: {why}")?,
            Err(Stop::Failed { expected, seen }) => {
                writeln!(self.out, "FAILED   {id}  {tried}\n         expected: {expected}\n         seen:     {seen}")?;
            }
        }
        self.findings.push(finding);
        Ok(())
    }

    /// `N passed, N failed, N skipped`; whether nothing failed.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn summary(&mut self) -> io::Result<bool> {
        let failed = self.count(|outcome| matches!(outcome, Err(Stop::Failed { .. })));
        let skipped = self.count(|outcome| matches!(outcome, Err(Stop::Skipped(_))));
        let passed = self.count(Result::is_ok);
        writeln!(self.out, "{passed} passed, {failed} failed, {skipped} skipped")?;
        Ok(failed == 0)
    }

    /// All that was told.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    fn count(&self, kind: impl Fn(&Outcome) -> bool) -> usize {
        self.findings.iter().filter(|finding| kind(&finding.outcome)).count()
    }
}

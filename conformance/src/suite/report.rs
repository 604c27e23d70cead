//! How findings are told: a line each as they come, a summary, and where the run stands.

use std::io::{self, IsTerminal as _, Write};
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

/// How many findings of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Checks that held.
    pub passed: usize,
    /// Checks that did not.
    pub failed: usize,
    /// Checks that could not be tried.
    pub skipped: usize,
}

/// Writes findings as they come and keeps them.
pub struct Reporter<W> {
    out: W,
    colours: bool,
    /// Where the run stands is written here: a line that replaces itself.
    progress: Option<Box<dyn Write + Send>>,
    findings: Vec<Finding>,
}

/// Escape sequences of ECMA-48: red, green and yellow letters, and none.
const COLOURS: [&str; 3] = ["\x1b[31m", "\x1b[32m", "\x1b[33m"];
const PLAIN: &str = "\x1b[0m";

impl<W: Write> Reporter<W> {
    /// Tells to `out`, without colours and without progress.
    pub fn new(out: W) -> Self {
        Self { out, colours: false, progress: None, findings: Vec::new() }
    }

    /// With colours or without.
    #[must_use]
    pub fn with_colours(self, colours: bool) -> Self {
        Self { colours, ..self }
    }

    /// Shows progress on `progress`, which has to be a terminal.
    #[must_use]
    pub fn with_progress(self, progress: Option<Box<dyn Write + Send>>) -> Self {
        Self { progress, ..self }
    }

    /// Says how far the run is: `done` of `all`, and one that is being tried.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn stands(&mut self, done: usize, all: usize, trying: &str) -> io::Result<()> {
        let Some(progress) = &mut self.progress else { return Ok(()) };
        // To the first column, and what stood there erased.
        write!(progress, "\r\x1b[K{done}/{all}  {trying}")?;
        progress.flush()
    }

    /// One line, and two more when it failed.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn tell(&mut self, finding: Finding) -> io::Result<()> {
        self.clear()?;
        let About { id, tried, .. } = finding.about;
        match &finding.outcome {
            Ok(()) => writeln!(self.out, "{}  {id}  {tried}", self.word("passed ", 1))?,
            Err(Stop::Skipped(why)) => writeln!(self.out, "{}  {id}  {tried}: {why}", self.word("skipped", 2))?,
            Err(Stop::Failed { expected, seen }) => {
                let word = self.word("FAILED ", 0);
                writeln!(self.out, "{word}  {id}  {tried}\n         expected: {expected}\n         seen:     {seen}")?;
            }
        }
        self.out.flush()?;
        self.findings.push(finding);
        Ok(())
    }

    /// `N passed, N failed, N skipped`; whether nothing failed.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn summary(&mut self) -> io::Result<bool> {
        self.clear()?;
        let Counts { passed, failed, skipped } = counts(&self.findings);
        writeln!(self.out, "{passed} passed, {failed} failed, {skipped} skipped")?;
        Ok(failed == 0)
    }

    /// All that was told.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    fn clear(&mut self) -> io::Result<()> {
        match &mut self.progress {
            Some(progress) => progress.write_all(b"\r\x1b[K").and_then(|()| progress.flush()),
            None => Ok(()),
        }
    }

    fn word(&self, word: &str, colour: usize) -> String {
        if self.colours { format!("{}{word}{PLAIN}", COLOURS[colour]) } else { word.to_owned() }
    }
}

/// A reporter to stdout as a person or a script expects it: colours only on a terminal and without `NO_COLOR`
/// (<https://no-color.org>), progress on stderr when that is a terminal.
#[must_use]
pub fn usual() -> Reporter<io::Stdout> {
    let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let progress = io::stderr().is_terminal().then(|| Box::new(io::stderr()) as Box<dyn Write + Send>);
    Reporter::new(io::stdout()).with_colours(wanted && io::stdout().is_terminal()).with_progress(progress)
}

/// How many of each kind there are.
#[must_use]
pub fn counts(findings: &[Finding]) -> Counts {
    findings.iter().fold(Counts::default(), |counts, finding| match finding.outcome {
        Ok(()) => Counts { passed: counts.passed + 1, ..counts },
        Err(Stop::Failed { .. }) => Counts { failed: counts.failed + 1, ..counts },
        Err(Stop::Skipped(_)) => Counts { skipped: counts.skipped + 1, ..counts },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(colours: bool) -> String {
        let about = About { id: "HS-1/x", covers: &["HS-1"], tried: "something" };
        let finding = |outcome| Finding { about, outcome, took: Duration::ZERO };
        let mut reporter = Reporter::new(Vec::new()).with_colours(colours);
        let outcomes = [Ok(()), Err(Stop::failed("this", "that")), Err(Stop::skipped("no way"))];
        assert!(outcomes.into_iter().all(|outcome| reporter.tell(finding(outcome)).is_ok()));
        assert_eq!(reporter.summary().ok(), Some(false));
        String::from_utf8(reporter.out).unwrap_or_default()
    }

    #[test]
    fn a_line_a_check_and_a_summary() {
        assert_eq!(
            told(false),
            "passed   HS-1/x  something\nFAILED   HS-1/x  something\n         expected: this\n         seen:     \
             that\nskipped  HS-1/x  something: no way\n1 passed, 1 failed, 1 skipped\n"
        );
    }

    #[test]
    fn colours_are_around_the_first_word_only() {
        let lines = told(true);
        assert!(lines.starts_with("\x1b[32mpassed \x1b[0m  HS-1/x"), "{lines}");
        assert_eq!(lines.matches('\x1b').count(), 6);
    }
}

//! Adds up what the test runner says, so that one line at the end tells the whole run.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use crate::step::{Failure, Outcome};

/// How many tests ran, and how they ended.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Tests that passed.
    pub passed: u64,
    /// Tests that failed.
    pub failed: u64,
    /// Tests that were not run.
    pub ignored: u64,
}

impl Tally {
    /// Adds a line when it is the runner's verdict over a group of tests.
    ///
    /// Begins with `test result:` as in `test result: ok. 3 passed; 0 failed; 1 ignored; …` of
    /// `cargo test`, or with `Summary [` as in `Summary [1.2s] 9 tests run: 8 passed, 1 failed, 2
    /// skipped` of nextest, which also shows lines of the first kind when a test failed.
    pub fn add_line(&mut self, line: &str, verdict: &str) {
        let line = line.trim_start();
        if !line.starts_with(verdict) {
            return;
        }
        for part in line.split([';', ',', '.', ':']) {
            let mut words = part.split_whitespace();
            let (Some(Ok(count)), Some(what)) = (words.next().map(str::parse::<u64>), words.next()) else { continue };
            match what {
                "passed" => self.passed += count,
                "failed" => self.failed += count,
                "ignored" | "skipped" => self.ignored += count,
                _ => {}
            }
        }
    }
}

/// Runs a test runner, shows what it prints, and adds up its verdicts.
///
/// `on_stderr` says where this runner prints them: nextest on the error stream.
///
/// # Errors
///
/// A line when the runner cannot be started or read. A run with failed tests is no error here.
pub fn run(command: &mut Command, on_stderr: bool) -> Outcome<(Tally, bool)> {
    let broken = |error: std::io::Error| Failure(format!("the test runner cannot be run: {error}"));
    if on_stderr {
        command.stderr(Stdio::piped());
    } else {
        command.stdout(Stdio::piped());
    }
    let mut child = command.spawn().map_err(broken)?;
    let output: Option<Box<dyn std::io::Read>> = if on_stderr {
        child.stderr.take().map(|stream| Box::new(stream) as _)
    } else {
        child.stdout.take().map(|stream| Box::new(stream) as _)
    };
    let verdict = if on_stderr { "Summary [" } else { "test result:" };
    let mut tally = Tally::default();
    if let Some(output) = output {
        let mut reader = BufReader::new(output);
        let mut line = Vec::new();
        // Bytes, not lines of text: a test may print anything.
        while reader.read_until(b'\n', &mut line).map_err(broken)? > 0 {
            tally.add_line(&String::from_utf8_lossy(&line), verdict);
            let shown = if on_stderr { std::io::stderr().write_all(&line) } else { std::io::stdout().write_all(&line) };
            shown.map_err(broken)?;
            line.clear();
        }
    }
    let status = child.wait().map_err(broken)?;
    Ok((tally, status.success()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdicts_of_a_runner_are_added_and_other_lines_are_not() {
        let lines = [
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.52s\n",
            "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 4 filtered out; finished in 1.00s\n",
            "     Summary [   1.200s] 9 tests run: 8 passed (1 slow), 1 failed, 2 skipped\n",
            "7 passed; 7 failed\n",
            "test names_of_tests::result ... ok\n",
        ];
        let tally = |verdict| {
            let mut tally = Tally::default();
            lines.iter().for_each(|line| tally.add_line(line, verdict));
            tally
        };
        assert_eq!(tally("test result:"), Tally { passed: 15, failed: 2, ignored: 1 });
        assert_eq!(tally("Summary ["), Tally { passed: 8, failed: 1, ignored: 2 });
    }
}

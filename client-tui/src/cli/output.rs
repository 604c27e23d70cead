//! Stdout is data, stderr is talk.

use std::io::{self, Write};

use super::failure::Failure;

/// Says something to a person, on stderr. Text from others must have gone through `sanitize`.
pub(crate) fn talk(text: &str) {
    // When nobody can be told, there is nobody to tell that either.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// What other programs read.
pub(crate) struct Data<W = io::Stdout> {
    out: W,
}

impl Data {
    pub(crate) fn stdout() -> Self {
        Self { out: io::stdout() }
    }
}

impl<W: Write> Data<W> {
    /// Writes a line and sees to it that it left this program.
    pub(crate) fn line(&mut self, line: &str) -> Result<(), Failure> {
        self.text(line)?;
        self.text("\n")?;
        self.out.flush().map_err(failure)
    }

    /// Writes text as it is.
    pub(crate) fn text(&mut self, text: &str) -> Result<(), Failure> {
        self.out.write_all(text.as_bytes()).map_err(failure)
    }
}

fn failure(error: io::Error) -> Failure {
    if error.kind() == io::ErrorKind::BrokenPipe { Failure::ReaderGone } else { Failure::Output(error) }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_went_away_is_told_from_a_full_disk() {
        assert!(matches!(Data { out: Closed }.line("x"), Err(Failure::ReaderGone)));
        assert!(matches!(failure(io::ErrorKind::StorageFull.into()), Failure::Output(_)));
    }

    #[test]
    fn a_line_is_written_with_its_end() {
        let mut data = Data { out: Vec::new() };
        assert!(data.line("hello").is_ok());
        assert_eq!(data.out, b"hello\n");
    }
}

//! Searches bytes for what must not be in them.

use std::collections::BTreeSet;
use std::path::Path;

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Something that only the people themselves may ever see.
#[derive(Clone)]
pub struct Marker {
    /// What it is, for the report.
    pub name: String,
    needles: Vec<(&'static str, Vec<u8>)>,
}

impl Marker {
    /// A marker of at least eight bytes, looked for raw, in hexadecimal of both cases, and in both
    /// base64 alphabets at each of the three alignments that it may have inside longer data.
    #[must_use]
    pub fn new(name: impl Into<String>, raw: &[u8]) -> Self {
        let mut needles = vec![
            ("raw", raw.to_vec()),
            ("hex", hex::encode(raw).into_bytes()),
            ("HEX", hex::encode_upper(raw).into_bytes()),
        ];
        for alignment in 0..3 {
            let shifted = [&[0; 2][..alignment], raw].concat();
            // The outermost digits mix with neighbouring bytes: only whole ones count.
            let (first, last) = ((alignment * 8).div_ceil(6), shifted.len() * 8 / 6);
            let digits = |text: String| text.as_bytes().get(first..last).unwrap_or_default().to_vec();
            needles.push(("base64", digits(STANDARD_NO_PAD.encode(&shifted))));
            needles.push(("base64url", digits(URL_SAFE_NO_PAD.encode(&shifted))));
        }
        Self { name: name.into(), needles }
    }
}

/// Markers that are looked for all at once: as long as it takes to read, however many there are.
pub struct Markers {
    names: Vec<String>,
    /// Of each needle: whose it is, and in what form.
    needles: Vec<(usize, &'static str)>,
    automaton: AhoCorasick,
}

impl Markers {
    /// All of these.
    ///
    /// # Panics
    ///
    /// When they are more than an automaton can hold, which is beyond any test.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test cannot go on without what it looks for")]
    pub fn of(markers: &[Marker]) -> Self {
        let of_each =
            |(number, marker): (usize, &Marker)| marker.needles.iter().map(|(form, _)| (number, *form)).collect();
        let needles: Vec<(usize, &str)> = markers.iter().enumerate().flat_map::<Vec<_>, _>(of_each).collect();
        let patterns = markers.iter().flat_map(|marker| marker.needles.iter().map(|(_, needle)| needle));
        let automaton = AhoCorasick::new(patterns).expect("an automaton of the markers");
        Self { names: markers.iter().map(|marker| marker.name.clone()).collect(), needles, automaton }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Every marker in `bytes`, as lines of a report: once, in the form that ends first.
    #[must_use]
    pub fn leaks(&self, place: &str, bytes: &[u8]) -> Vec<String> {
        let mut seen = BTreeSet::new();
        let found = self
            .automaton
            .find_overlapping_iter(bytes)
            .filter_map(|found| self.needles.get(found.pattern().as_usize()));
        let first: Vec<_> = found.filter(|(marker, _)| seen.insert(*marker)).collect();
        let name = |marker: usize| self.names.get(marker).map_or("?", String::as_str);
        first.into_iter().map(|(marker, form)| format!("{place}: {} as {form}", name(*marker))).collect()
    }

    /// Every marker in every file below `folder` (or in the one file), as lines of a report, with the
    /// number of bytes that were searched.
    ///
    /// # Errors
    ///
    /// When a file cannot be read.
    pub fn leaks_below(&self, folder: &Path) -> std::io::Result<(Vec<String>, usize)> {
        if folder.is_file() {
            let bytes = std::fs::read(folder)?;
            return Ok((self.leaks(&folder.display().to_string(), &bytes), bytes.len()));
        }
        let mut found = (Vec::new(), 0);
        for entry in std::fs::read_dir(folder)? {
            let (lines, bytes) = self.leaks_below(&entry?.path())?;
            found.0.extend(lines);
            found.1 += bytes;
        }
        Ok(found)
    }
}

/// Every marker in `bytes`, as lines of a report.
#[must_use]
pub fn leaks(place: &str, bytes: &[u8], markers: &[Marker]) -> Vec<String> {
    Markers::of(markers).leaks(place, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_found_in_every_form_and_at_every_place() {
        let secret = b"the quick brown fox";
        let other = Marker::new("other", b"jumps over the lazy dog");
        let markers = Markers::of(&[other, Marker::new("secret", secret)]);
        let found = |bytes: &[u8]| markers.leaks("there", bytes);
        assert_eq!(found(b"nothing of the kind"), [""; 0]);
        assert_eq!(found(b"__the quick brown fox__the quick brown fox"), ["there: secret as raw"]);
        assert_eq!(found(hex::encode(secret).as_bytes()), ["there: secret as hex"]);
        assert_eq!(found(b"the quick brown fox jumps over the lazy dog").len(), 2);
        for before in 0..7 {
            let longer = [&b"0123456"[..before], secret, b"tail"].concat();
            assert_eq!(found(STANDARD_NO_PAD.encode(&longer).as_bytes()), ["there: secret as base64"], "{before}");
            assert_eq!(found(URL_SAFE_NO_PAD.encode(&longer).as_bytes()).len(), 1, "{before}");
        }
    }
}

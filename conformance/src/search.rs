//! Searches bytes for what must not be in them.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use memchr::memmem;

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

    /// How it stands in `bytes`, when it does.
    #[must_use]
    pub fn found_in(&self, bytes: &[u8]) -> Option<&'static str> {
        self.needles.iter().find(|(_, needle)| memmem::find(bytes, needle).is_some()).map(|(form, _)| *form)
    }
}

/// Every marker in `bytes`, as lines of a report.
#[must_use]
pub fn leaks(place: &str, bytes: &[u8], markers: &[Marker]) -> Vec<String> {
    markers
        .iter()
        .filter_map(|marker| marker.found_in(bytes).map(|form| format!("{place}: {} as {form}", marker.name)))
        .collect()
}

/// Every marker in every file below `folder` (or in the one file), as lines of a report, with the
/// number of bytes that were searched.
///
/// # Errors
///
/// When a file cannot be read.
pub fn leaks_below(folder: &Path, markers: &[Marker]) -> std::io::Result<(Vec<String>, usize)> {
    if folder.is_file() {
        let bytes = std::fs::read(folder)?;
        return Ok((leaks(&folder.display().to_string(), &bytes, markers), bytes.len()));
    }
    let mut found = (Vec::new(), 0);
    for entry in std::fs::read_dir(folder)? {
        let (lines, bytes) = leaks_below(&entry?.path(), markers)?;
        found.0.extend(lines);
        found.1 += bytes;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_found_in_every_form_and_at_every_place() {
        let secret = b"the quick brown fox";
        let marker = Marker::new("secret", secret);
        assert_eq!(marker.found_in(b"nothing of the kind"), None);
        assert_eq!(marker.found_in(b"__the quick brown fox__"), Some("raw"));
        assert_eq!(marker.found_in(hex::encode(secret).as_bytes()), Some("hex"));
        for before in 0..7 {
            let longer = [&b"0123456"[..before], secret, b"tail"].concat();
            assert!(marker.found_in(STANDARD_NO_PAD.encode(&longer).as_bytes()).is_some(), "{before}");
            assert!(marker.found_in(URL_SAFE_NO_PAD.encode(&longer).as_bytes()).is_some(), "{before}");
        }
    }
}

//! Blindness, tested: no word and no secret of the conversation is in any file of the relay.

use std::io;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

/// Bytes below which a text is found by chance.
const MARKER_MIN: usize = 8;

/// Something that must not be in a file of the relay.
pub(crate) struct Marker {
    /// What it is, to be said when it was found.
    pub(crate) what: String,
    forms: Vec<Vec<u8>>,
}

/// What was looked through.
pub(crate) struct Searched {
    /// How many files.
    pub(crate) files: usize,
    /// How many bytes.
    pub(crate) bytes: u64,
    /// What was found, and where.
    pub(crate) found: Vec<(String, PathBuf)>,
}

impl Marker {
    /// `text` as it is, in hexadecimal digits and in base64 at any place of a longer text.
    pub(crate) fn new(what: impl Into<String>, text: &str) -> Self {
        let bytes = text.as_bytes();
        debug_assert!(bytes.len() >= MARKER_MIN, "found by chance");
        let mut forms = vec![bytes.to_vec(), hex::encode(bytes).into_bytes(), hex::encode_upper(bytes).into_bytes()];
        for alphabet in [&STANDARD, &URL_SAFE] {
            forms.extend((0..3).map(|shift| inside_base64(alphabet, bytes, shift)));
        }
        forms.sort();
        forms.dedup();
        Self { what: what.into(), forms }
    }

    /// `text` as it is: something short that is expected to be found.
    pub(crate) fn known(what: impl Into<String>, text: &str) -> Self {
        Self { what: what.into(), forms: vec![text.as_bytes().to_vec()] }
    }

    fn is_in(&self, bytes: &[u8]) -> bool {
        self.forms.iter().any(|form| contains(bytes, form))
    }
}

/// Looks for every marker in every file below `folder`.
pub(crate) fn search(folder: &Path, markers: &[Marker]) -> io::Result<Searched> {
    let mut searched = Searched { files: 0, bytes: 0, found: Vec::new() };
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
                continue;
            }
            let bytes = std::fs::read(entry.path())?;
            searched.files += 1;
            searched.bytes += bytes.len() as u64;
            let found = markers.iter().filter(|marker| marker.is_in(&bytes));
            searched.found.extend(found.map(|marker| (marker.what.clone(), entry.path())));
        }
    }
    Ok(searched)
}

/// What stays the same of the base64 of a longer text that has `bytes` in it after `shift` others
/// (modulo 3): digits that also hold bits of neighbours are cut.
fn inside_base64(alphabet: &impl Engine, bytes: &[u8], shift: usize) -> Vec<u8> {
    let mut padded = vec![0; shift];
    padded.extend_from_slice(bytes);
    let text = alphabet.encode(&padded).into_bytes();
    let first = (shift * 8).div_ceil(6);
    let whole = padded.len() * 8 / 6;
    text[first..whole].to_vec()
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    let Some(first) = needle.first() else { return true };
    let mut rest = haystack;
    while let Some(at) = rest.iter().position(|byte| byte == first) {
        rest = &rest[at..];
        if rest.starts_with(needle) {
            return true;
        }
        rest = &rest[1..];
    }
    false
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]
    use super::*;

    const TEXT: &str = "the cranes are back¿¿¿";

    fn found_in(contents: &[u8]) -> bool {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("deep")).unwrap();
        std::fs::write(folder.path().join("deep/file"), contents).unwrap();
        !search(folder.path(), &[Marker::new("text", TEXT)]).unwrap().found.is_empty()
    }

    #[test]
    fn a_text_is_found_raw_in_hex_and_in_base64_at_every_shift() {
        assert!(found_in(format!("xx{TEXT}yy").as_bytes()));
        assert!(found_in(format!("xx{}yy", hex::encode(TEXT)).as_bytes()));
        assert!(found_in(format!("xx{}yy", hex::encode_upper(TEXT)).as_bytes()));
        for before in ["", "a", "ab", "abc"] {
            let longer = format!("{before}{TEXT}and more");
            assert!(found_in(STANDARD.encode(&longer).as_bytes()), "{before}");
            assert!(found_in(URL_SAFE.encode(&longer).as_bytes()), "{before}");
        }
    }

    #[test]
    fn other_contents_are_not_taken_for_the_text() {
        assert!(!found_in(b""));
        assert!(!found_in(&TEXT.as_bytes()[..TEXT.len() - 2]));
        assert!(!found_in(hex::encode(TEXT.to_uppercase()).as_bytes()));
    }
}

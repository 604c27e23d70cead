//! Padding (`docs/crypto.md`, section 5): what a relay learns from a length.
//!
//! Content is followed by one byte 0x80 and zeros (ISO/IEC 7816-4) up to 256, 512, 1,024, 2,048
//! or 4,096 bytes, and above that to the next length of Padmé (Nikitin et al., "Reducing metadata
//! leakage from encrypted files and communication with PURBs", PETS 2019, section 4).

use zeroize::Zeroizing;

/// Smallest padded length: a receipt and a short text look alike.
pub const SMALLEST: usize = 256;
/// Largest length of the doubling rule; Padmé wastes less above it.
pub const DOUBLING_MAX: usize = 4096;

/// Content whose padding is not the one that its length asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("wrong padding")]
pub struct BadPadding;

/// Length after padding of `content` bytes.
#[must_use]
pub fn padded_length(content: usize) -> usize {
    let with_marker = content + 1;
    if with_marker <= DOUBLING_MAX {
        return with_marker.next_power_of_two().max(SMALLEST);
    }
    // Padmé: keep as many leading bits as log2 of the length has, and round up the rest.
    let exponent = with_marker.ilog2();
    let kept = exponent.ilog2() + 1;
    let mask = (1_usize << (exponent - kept)) - 1;
    (with_marker + mask) & !mask
}

/// Appends content and its padding to `out`, which should have the capacity already.
pub fn pad_into(content: &[u8], out: &mut Vec<u8>) {
    let end = out.len() + padded_length(content.len());
    out.extend_from_slice(content);
    out.push(0x80);
    out.resize(end, 0);
}

/// Takes the padding off. Only for authenticated bytes: the time it takes depends on them.
///
/// # Errors
///
/// [`BadPadding`] when the marker is missing or the length is not the one for this content; a
/// sender thereby has no choice that could carry a mark.
pub fn unpad(mut padded: Zeroizing<Vec<u8>>) -> Result<Zeroizing<Vec<u8>>, BadPadding> {
    let marker = padded.iter().rposition(|byte| *byte != 0).ok_or(BadPadding)?;
    if padded[marker] != 0x80 || padded_length(marker) != padded.len() {
        return Err(BadPadding);
    }
    padded.truncate(marker);
    Ok(padded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_lengths() {
        for (content, padded) in [
            (0, 256),
            (255, 256),
            (256, 512),
            (1023, 1024),
            (1024, 2048),
            (4095, 4096),
            (4096, 4352),
            (4351, 4352),
            (4352, 4608),
            (9000, 9216),
            (32 * 1024, 34 * 1024),
            (60_000, 61_440),
        ] {
            assert_eq!(padded_length(content), padded, "{content}");
        }
    }

    #[test]
    fn padding_comes_off_and_any_other_is_refused() {
        let padded = |content: &[u8]| {
            let mut out = Vec::new();
            pad_into(content, &mut out);
            Zeroizing::new(out)
        };
        for content in [&b""[..], b"x", &[0x80; 255], &[0; 256], &[0x80, 0, 0]] {
            assert_eq!(unpad(padded(content)).as_deref().map(Vec::as_slice), Ok(content));
        }
        let refused = |change: fn(&mut Vec<u8>)| {
            let mut bytes = padded(b"text");
            change(&mut bytes);
            assert_eq!(unpad(bytes), Err(BadPadding));
        };
        refused(|bytes| bytes[255] = 1);
        refused(|bytes| bytes[4] = 0x81);
        refused(|bytes| bytes.truncate(255));
        refused(|bytes| bytes.resize(512, 0));
        refused(|bytes| bytes.fill(0));
        refused(Vec::clear);
    }
}

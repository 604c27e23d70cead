//! Versions and suites (`docs/protocol.md`, section 2).

/// The one protocol version that this crate speaks.
pub const VERSION: u8 = 1;

/// The lowest version that this crate still accepts in a negotiation.
pub const MIN_VERSION: u8 = 1;

/// The WebSocket subprotocol of [`VERSION`].
pub const SUBPROTOCOL: &str = "susurro.v1";

/// Suite 1: X25519, Ed25519, ML-KEM-768, SHA-256, HKDF, XChaCha20-Poly1305, ChaCha20-Poly1305.
pub const SUITE: u16 = 1;

/// The highest version both sides speak, or `None` when their ranges do not meet.
#[must_use]
pub fn negotiate(min: u8, max: u8) -> Option<u8> {
    let highest = max.min(VERSION);
    (min <= max && highest >= min.max(MIN_VERSION)).then_some(highest)
}

#[cfg(test)]
mod tests {
    use super::negotiate;

    #[test]
    fn the_highest_common_version_is_chosen_and_disjoint_or_reversed_ranges_are_refused() {
        assert_eq!(negotiate(1, 1), Some(1));
        assert_eq!(negotiate(1, 9), Some(1));
        assert_eq!(negotiate(0, 1), Some(1));
        assert_eq!(negotiate(2, 9), None);
        assert_eq!(negotiate(0, 0), None);
        assert_eq!(negotiate(2, 1), None);
    }
}

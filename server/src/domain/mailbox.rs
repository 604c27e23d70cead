//! How much may wait for one device.

use susurro_protocol::limits::MAILBOX_MESSAGES_MAX;

/// Bytes of ciphertext that may wait in one mailbox, unless the operator says otherwise: 256 MiB. A hundred thousand texts
/// take less; the largest messages would take 6 GiB.
pub const MAILBOX_BYTES: u64 = 256 << 20;

/// What one mailbox takes before senders are told that it is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MailboxBounds {
    /// Messages that wait.
    pub messages: u64,
    /// Bytes of their ciphertexts. At least as many as one message may have, or that one never finds room.
    pub bytes: u64,
}

impl MailboxBounds {
    /// As many as these, whatever their size.
    #[must_use]
    pub const fn of_messages(messages: u64) -> Self {
        Self { messages, bytes: u64::MAX }
    }

    /// Whether one more ciphertext of `size` bytes fits beside `waiting` messages of `bytes` bytes.
    #[must_use]
    pub fn admit(&self, waiting: u64, bytes: u64, size: usize) -> bool {
        waiting < self.messages && bytes.saturating_add(size as u64) <= self.bytes
    }
}

impl Default for MailboxBounds {
    fn default() -> Self {
        Self { messages: MAILBOX_MESSAGES_MAX, bytes: MAILBOX_BYTES }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mailbox_is_full_by_number_or_by_bytes() {
        let bounds = MailboxBounds { messages: 3, bytes: 100 };
        assert!(bounds.admit(2, 90, 10));
        assert!(!bounds.admit(3, 0, 1));
        assert!(!bounds.admit(0, 91, 10));
        assert!(bounds.admit(0, 0, 100));
        assert!(!bounds.admit(0, u64::MAX, 1));
        assert!(MailboxBounds::of_messages(1).admit(0, u64::MAX - 1, usize::MAX));
    }
}

//! Who this client is, and the safety number of a conversation.

use susurro_protocol::{AccountId, AccountName, DeviceId};

use crate::model::Trust;

/// Who this client is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Me {
    /// Name on the relay.
    pub name: AccountName,
    /// The account.
    pub account: AccountId,
    /// `http://` or `https://`, without a trailing slash.
    pub relay_url: String,
    /// Of the pinned relay key: what its operator can compare.
    pub relay_fingerprint: String,
}

/// What two people compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SafetyInfo {
    /// This side.
    pub ours: AccountName,
    /// The other side.
    pub theirs: AccountName,
    /// 12 groups of 5 digits, the same on both sides.
    pub groups: Vec<String>,
    /// What a QR code carries, the same on both sides.
    pub qr: Vec<u8>,
    /// What is known of the other's key.
    pub trust: Trust,
}

/// A key as people compare it: SHA-256, the first 20 bytes as ten groups of four hexadecimal digits.
#[must_use]
pub fn fingerprint(key: &[u8; 32]) -> String {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(key);
    let groups: Vec<String> = digest[..20].chunks(2).map(|pair| format!("{:02x}{:02x}", pair[0], pair[1])).collect();
    groups.join(" ")
}

/// A device of one's own account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnDevice {
    /// Its identifier.
    pub device: DeviceId,
    /// When its certificate was made, in seconds since 1970.
    pub created: u64,
    /// Whether it is the one that this runs on.
    pub this: bool,
}

/// Who may register on a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegistrationPolicy {
    /// Everybody.
    Open,
    /// Whoever has an invite.
    Invite,
    /// Nobody.
    Closed,
}

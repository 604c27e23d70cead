//! Published prekeys.

use susurro_protocol::DeviceId;
use susurro_protocol::rest::{BundleText, KeyCount};

use super::Answer;
use crate::domain::prekey::Item;

/// What a claim took from one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// The bundle.
    pub bundle: BundleText,
    /// What is left.
    pub left: KeyCount,
}

/// Prekeys of every device.
pub trait Prekeys: Send + Sync {
    /// Adds verified prekeys by the rules of [`crate::domain::prekey::plan`], all or none.
    fn publish(&self, device: DeviceId, items: Vec<Item>) -> Answer<'_, KeyCount>;

    /// What is held for a device.
    fn count(&self, device: DeviceId) -> Answer<'_, KeyCount>;

    /// Takes one bundle a device, oldest keys first. A one-time key is never given out twice.
    /// Devices that have not published are left out.
    fn claim(&self, devices: Vec<DeviceId>) -> Answer<'_, Vec<Claimed>>;
}

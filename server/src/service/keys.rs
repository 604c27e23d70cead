//! Prekeys: published by their device, claimed by whoever wants to write to it.

use susurro_protocol::event::PrekeysLow;
use susurro_protocol::rest::{ClaimRequest, ClaimResponse, KeyCount, PublishKeys};
use susurro_protocol::{DeviceId, ErrorCode};

use super::Relay;
use crate::domain::Error;
use crate::domain::prekey;
use crate::domain::token::Claims;

impl Relay {
    /// Publishes prekeys of the calling device.
    ///
    /// # Errors
    ///
    /// `InvalidPrekeys`; then nothing was taken.
    pub async fn publish_keys(&self, claims: &Claims, upload: PublishKeys) -> Result<KeyCount, Error> {
        let device = self.ports.devices.device(claims.device).await?.ok_or(ErrorCode::UnknownDevice)?;
        let items = prekey::verify(&upload, device.certificate.body())?;
        self.ports.prekeys.publish(device.device, items).await
    }

    /// What is held for the calling device.
    ///
    /// # Errors
    ///
    /// Only those of the store.
    pub async fn key_count(&self, claims: &Claims) -> Result<KeyCount, Error> {
        self.ports.prekeys.count(claims.device).await
    }

    /// Takes a bundle for each of an account's devices, or for those that are named.
    ///
    /// # Errors
    ///
    /// `NotFound` for an account that does not exist.
    pub async fn claim_keys(&self, request: ClaimRequest) -> Result<ClaimResponse, Error> {
        let list = self.ports.devices.list(request.account).await?.ok_or(ErrorCode::NotFound)?;
        let signed = list.list.read().map_err(|why| Error::Internal(why.to_string()))?;
        let verified =
            susurro_protocol::keys::DeviceList::verify(signed).map_err(|why| Error::Internal(why.to_string()))?;
        let wanted = |device: &DeviceId| request.devices.is_empty() || request.devices.contains(device);
        let devices = verified.certificates().iter().map(|c| c.body().device).filter(wanted).collect();
        let claimed = self.ports.prekeys.claim(devices).await?;
        for one in claimed.iter().filter(|one| prekey::is_low(&one.left)) {
            self.ports.bus.prekeys_low(one.bundle.device, low(&one.left));
        }
        Ok(ClaimResponse { device_list: list.list, bundles: claimed.into_iter().map(|one| one.bundle).collect() })
    }

    /// What to tell a device that has just connected.
    ///
    /// # Errors
    ///
    /// Only those of the store.
    pub async fn low_prekeys(&self, device: DeviceId) -> Result<Option<PrekeysLow>, Error> {
        let count = self.ports.prekeys.count(device).await?;
        Ok(prekey::is_low(&count).then(|| low(&count)))
    }
}

fn low(count: &KeyCount) -> PrekeysLow {
    PrekeysLow { one_time: count.one_time, pq_one_time: count.pq_one_time }
}

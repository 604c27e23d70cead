//! Another device list in the place of the present one.

use susurro_protocol::ErrorCode;
use susurro_protocol::keys::DeviceList;
use susurro_protocol::rest::SignedText;

use super::{Mailbox, State};
use crate::domain::Error;
use crate::domain::account::{Device, next_list};
use crate::domain::token::FamilyId;

impl State {
    pub(super) fn change_list(&mut self, list: &DeviceList) -> Result<Vec<FamilyId>, Error> {
        let account = list.body().account;
        let registered = self.by_id(account).ok_or(ErrorCode::Unauthenticated)?;
        let damaged = |why: String| Error::Internal(why);
        let known = registered.list.read().map_err(|why| damaged(why.to_string()))?;
        let known = DeviceList::verify(known).map_err(|why| damaged(why.to_string()))?;
        let difference = next_list(&known, list)?;
        if difference.added.iter().any(|device| self.devices.contains_key(device) || self.removed.contains(device)) {
            return Err(Error::explained(ErrorCode::InvalidDeviceList, "the device identifier is taken"));
        }
        for device in &difference.removed {
            self.devices.remove(device);
            self.mailboxes.remove(device);
            self.prekeys.remove(device);
            self.sent.retain(|(sender, _), _| sender != device);
            self.removed.insert(*device);
        }
        let added = list.certificates().iter().filter(|c| difference.added.contains(&c.body().device));
        for certificate in added {
            let device = certificate.body().device;
            self.devices.insert(device, Device { account, device, certificate: certificate.clone() });
            self.mailboxes.insert(device, Mailbox::default());
        }
        let devices = list.certificates().iter().map(|c| c.body().device).collect();
        if let Some(registered) = self.accounts.values_mut().find(|registered| registered.account.id == account) {
            registered.list_version = list.body().version;
            registered.list = SignedText::of(list.signed());
            registered.devices = devices;
        }
        let of_removed = self.families.iter_mut().filter(|(_, family)| difference.removed.contains(&family.device));
        let open = of_removed.filter(|(_, family)| !family.revoked);
        Ok(open
            .map(|(id, family)| {
                family.revoked = true;
                *id
            })
            .collect())
    }
}

//! Device lists of others.

use susurro_protocol::event::DevicesChanged;
use susurro_protocol::keys::DeviceList;
use susurro_protocol::rest::{PutDevices, SignedText, UserDevices};
use susurro_protocol::{AccountId, ErrorCode};

use super::Relay;
use crate::domain::Error;
use crate::domain::account;
use crate::domain::token::Claims;

impl Relay {
    /// Puts the next device list of the caller's account in the place of the present one. Devices that are not in it
    /// any longer lose their logins and connections at once; everybody who has a chat with the account is told.
    /// The present list again changes nothing.
    ///
    /// # Errors
    ///
    /// `InvalidDeviceList`.
    pub async fn put_devices(&self, claims: &Claims, request: PutDevices) -> Result<UserDevices, Error> {
        let list = self.next_list(claims.account, &request.device_list).await?;
        self.replace_list(list).await?;
        let now = self.ports.devices.list(claims.account).await?.ok_or(ErrorCode::Unauthenticated)?;
        Ok(UserDevices { account: now.account, name: now.name, device_list: now.list })
    }

    /// A list that may take the place of the account's present one, or is that.
    pub(super) async fn next_list(&self, account: AccountId, text: &SignedText) -> Result<DeviceList, Error> {
        let wrong = |why: String| Error::explained(ErrorCode::InvalidDeviceList, why);
        let damaged = |why: String| Error::Internal(why);
        let list =
            DeviceList::verify(text.read().map_err(|why| wrong(why.to_string()))?).map_err(Error::device_list)?;
        if list.body().account != account {
            return Err(wrong("the list is another account's".to_owned()));
        }
        let present = self.ports.devices.list(account).await?.ok_or(ErrorCode::Unauthenticated)?.list;
        if present != SignedText::of(list.signed()) {
            let present = present.read().map_err(|why| damaged(why.to_string()))?;
            let present = DeviceList::verify(present).map_err(|why| damaged(why.to_string()))?;
            account::next_list(&present, &list)?;
        }
        Ok(list)
    }

    /// Puts a list that [`next_list`](Self::next_list) has let through in its place, and tells whoever is concerned.
    pub(super) async fn replace_list(&self, list: DeviceList) -> Result<(), Error> {
        let changed = DevicesChanged { account: list.body().account, version: list.body().version };
        let present = self.ports.devices.list(changed.account).await?.ok_or(ErrorCode::Unauthenticated)?;
        if present.list == SignedText::of(list.signed()) {
            return Ok(());
        }
        let ended = self.ports.devices.change_list(list, self.now()).await?;
        self.close_connections(&ended);
        let audience = self.ports.devices.audience(changed.account).await?;
        self.ports.bus.devices_changed(audience, changed);
        Ok(())
    }

    /// The signed device list of an account.
    ///
    /// # Errors
    ///
    /// `InvalidName`, `NotFound`.
    pub async fn user_devices(&self, name: &str) -> Result<UserDevices, Error> {
        let name = account::parse_name(name)?;
        let account = self.ports.accounts.by_name(&name).await?.ok_or(ErrorCode::NotFound)?;
        let list = self.ports.devices.list(account.id).await?.ok_or(ErrorCode::NotFound)?;
        Ok(UserDevices { account: list.account, name: list.name, device_list: list.list })
    }
}

//! Device lists of others.

use susurro_protocol::ErrorCode;
use susurro_protocol::event::DevicesChanged;
use susurro_protocol::keys::DeviceList;
use susurro_protocol::rest::{PutDevices, SignedText, UserDevices};

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
        let wrong = |why: String| Error::explained(ErrorCode::InvalidDeviceList, why);
        let signed = request.device_list.read().map_err(|why| wrong(why.to_string()))?;
        let list = DeviceList::verify(signed).map_err(Error::device_list)?;
        if list.body().account != claims.account {
            return Err(wrong("the list is another account's".to_owned()));
        }
        let present = self.ports.devices.list(claims.account).await?.ok_or(ErrorCode::Unauthenticated)?;
        if present.list != SignedText::of(list.signed()) {
            let changed = DevicesChanged { account: claims.account, version: list.body().version };
            let ended = self.ports.devices.change_list(list, self.now()).await?;
            self.close_connections(&ended);
            let audience = self.ports.devices.audience(claims.account).await?;
            self.ports.bus.devices_changed(audience, changed);
        }
        let now = self.ports.devices.list(claims.account).await?.ok_or(ErrorCode::Unauthenticated)?;
        Ok(UserDevices { account: now.account, name: now.name, device_list: now.list })
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

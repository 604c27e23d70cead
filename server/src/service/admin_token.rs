//! Access tokens that a command beside the relay makes.

use susurro_protocol::ErrorCode;
use susurro_protocol::keys::DeviceList;
use susurro_protocol::limits::ACCESS_SECONDS;

use super::Office;
use crate::domain::Error;
use crate::domain::account::Role;
use crate::domain::token::{Claims, FamilyId, NewFamily, RefreshHash};
use crate::ports::{Devices, Sessions, Tokens};

impl Office {
    /// An access token of an account that administers the relay, as of a login of its first device: for a
    /// command, whose caller holds the relay's own keys and so could make it anyway. It opens no connection, which
    /// needs the device's key, and nobody has a refresh token to it.
    ///
    /// # Errors
    ///
    /// `InvalidName`, `NotFound`; `Forbidden` for an account that is no admin; `AccountDisabled`.
    pub async fn token(
        &self,
        name: &str,
        devices: &dyn Devices,
        sessions: &dyn Sessions,
        tokens: &dyn Tokens,
    ) -> Result<String, Error> {
        let account = self.account(name).await?;
        if account.role != Role::Admin {
            return Err(Error::explained(
                ErrorCode::Forbidden,
                "only an administrator has use for it: promote it first",
            ));
        }
        let list = devices.list(account.id).await?.ok_or(ErrorCode::NotFound)?;
        let list = DeviceList::verify(list.list.read().map_err(|why| Error::Internal(why.to_string()))?)
            .map_err(|why| Error::Internal(why.to_string()))?;
        let device = list.certificates().first().ok_or(ErrorCode::UnknownDevice)?.body().device;
        let (mut family, mut unused) = ([0; 16], [0; 32]);
        self.entropy.fill(&mut family)?;
        self.entropy.fill(&mut unused)?;
        let (now, family) = (self.clock.now(), FamilyId(family));
        // Nobody has the refresh token of this login: it ends with its access token.
        let (refresh, expires) = (RefreshHash(unused), now + ACCESS_SECONDS * 1000);
        sessions.begin(NewFamily { family, account: account.id, device, proven: None, refresh, expires }).await?;
        tracing::info!("an access token of an administrator was made by command");
        let (account, role, issued) = (account.id, account.role, now / 1000);
        tokens.issue(&Claims { account, device, role, family, issued, expires: issued + ACCESS_SECONDS })
    }
}

//! Registration of an account with its first device.

use susurro_protocol::ErrorCode;
use susurro_protocol::rest::{RegisterRequest, TokenResponse};

use super::Relay;
use crate::domain::Error;
use crate::domain::account::{self, Account, NewAccount, Role, Verifier};
use crate::domain::invite::{InviteHash, Registration};

impl Relay {
    /// Registers an account and logs its device in.
    ///
    /// # Errors
    ///
    /// `RegistrationClosed`, `InvalidName`, `InvalidRequest` for a bad cost of stretching, `InvalidDeviceList`,
    /// `InvalidInvite`, `NameTaken`, `AccountExists`.
    pub async fn register(&self, request: RegisterRequest) -> Result<TokenResponse, Error> {
        if self.registration == Registration::Closed {
            return Err(ErrorCode::RegistrationClosed.into());
        }
        let name = account::parse_name(&request.username)?;
        account::check_stretch(&request.stretch)?;
        let list = account::first_list(&request.device_list)?;
        // Both looked up before the slow hash; the store decides in the end. The invite comes first: without
        // one nobody learns which names there are.
        let invite = self.invite(request.invite.as_deref()).await?;
        if self.ports.accounts.by_name(&name).await?.is_some() {
            return Err(ErrorCode::NameTaken.into());
        }
        let salt = self.random()?;
        let hash = self.ports.passwords.hash(request.auth.0, salt).await?;
        let (id, device) = (list.body().account, list.certificates().first().map(|c| c.body().device));
        let device = device.ok_or_else(|| Error::Internal("a verified list without a certificate".to_owned()))?;
        let account = Account { id, name, display_name: None, role: Role::User, created: self.now(), disabled: None };
        let role = account.role;
        let stretch = request.stretch;
        let new = NewAccount { account, stretch, verifier: Verifier { salt, hash }, list, invite };
        self.ports.accounts.register(new).await?;
        self.begin_session(id, device, role, None).await
    }

    /// The invite that a registration is counted on.
    async fn invite(&self, shown: Option<&str>) -> Result<Option<InviteHash>, Error> {
        if self.registration != Registration::Invite {
            return Ok(None);
        }
        let hash = shown.map(InviteHash::of).ok_or(ErrorCode::InvalidInvite)?;
        match self.ports.invites.invite(hash).await?.filter(|invite| invite.is_good(self.now())) {
            Some(_) => Ok(Some(hash)),
            None => Err(ErrorCode::InvalidInvite.into()),
        }
    }
}

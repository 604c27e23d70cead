//! What those who run the relay do: the same over HTTP and on the command line.

use std::sync::Arc;

use susurro_protocol::rest::{AdminUser, ChangeUser, CreateInvite, CreatedInvite, InviteEntry, Page};
use susurro_protocol::{AccountId, ErrorCode};

use super::Relay;
use super::profile::{page, page_limit};
use crate::domain::Error;
use crate::domain::account::{self, Account, Role};
use crate::domain::invite::{self, Invite, InviteHash, InviteId};
use crate::domain::token::{Claims, FamilyId};
use crate::ports::{Accounts, Administration, Announcements, Clock, Entropy, Invites};

/// Accounts and invites from above. It needs no running relay, only its database.
#[derive(Clone)]
pub struct Office {
    /// Who has registered.
    pub accounts: Arc<dyn Accounts>,
    /// What may be done with them.
    pub administration: Arc<dyn Administration>,
    /// Who may register.
    pub invites: Arc<dyn Invites>,
    /// What the relay says to everybody.
    pub announcements: Arc<dyn Announcements>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
}

impl Office {
    /// Accounts whose name begins with `prefix`, by name.
    ///
    /// # Errors
    ///
    /// Only those of the store.
    pub async fn users(&self, prefix: &str, after: Option<&str>, limit: Option<u32>) -> Result<Page<AdminUser>, Error> {
        if !account::is_name_prefix(prefix) {
            return Ok(Page { items: Vec::new(), next: None });
        }
        let limit = page_limit(limit);
        let found = self.accounts.search(prefix, after.unwrap_or_default(), limit + 1).await?;
        Ok(page(found.into_iter().map(entry).collect(), limit, |user| user.name.to_string()))
    }

    /// One account.
    ///
    /// # Errors
    ///
    /// `InvalidName`, `NotFound`.
    pub async fn user(&self, name: &str) -> Result<AdminUser, Error> {
        self.account(name).await.map(entry)
    }

    /// Changes what an account may do, and whether it may log in. Names the logins that ended, whose
    /// connections have to be closed.
    ///
    /// # Errors
    ///
    /// `InvalidName`, `NotFound`, `InvalidRequest` for a role that there is none.
    pub async fn change_user(&self, name: &str, change: &ChangeUser) -> Result<(AdminUser, Vec<FamilyId>), Error> {
        let id = self.account(name).await?.id;
        let role = match &change.role {
            Some(role) => Some(Role::exactly(role).ok_or_else(|| Error::invalid("a role is either user or admin"))?),
            None => None,
        };
        let mut ended = Vec::new();
        if let Some(role) = role {
            self.administration.set_role(id, role).await?;
            tracing::info!(role = role.as_str(), "the role of an account was set");
        }
        match change.disabled {
            Some(true) => {
                ended = self.administration.disable(id, self.clock.now()).await?;
                tracing::info!(logins = ended.len(), "an account was disabled");
            }
            Some(false) => {
                self.administration.enable(id).await?;
                tracing::info!("an account was enabled");
            }
            None => {}
        }
        Ok((self.user(name).await?, ended))
    }

    /// Asks whoever runs the relay to erase an account; until then it is disabled.
    ///
    /// # Errors
    ///
    /// `InvalidName`, `NotFound`.
    pub async fn ask_to_erase(&self, name: &str) -> Result<(), Error> {
        let id = self.account(name).await?.id;
        self.administration.ask_to_erase(id, self.clock.now()).await?;
        Ok(())
    }

    /// Erases what was asked for. Names the logins that ended.
    ///
    /// # Errors
    ///
    /// Only those of the store.
    pub async fn erase_asked(&self) -> Result<Vec<FamilyId>, Error> {
        let mut ended = Vec::new();
        for account in self.administration.to_erase().await? {
            ended.extend(self.administration.erase(account, None, self.clock.now()).await?);
            tracing::info!("an account was deleted by the operator");
        }
        Ok(ended)
    }

    /// Makes an invite.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` for no uses, too many, or a note that may not be.
    pub async fn create_invite(&self, wanted: CreateInvite) -> Result<CreatedInvite, Error> {
        invite::check_invite(wanted.uses, wanted.note.as_deref())?;
        let mut random = [0; invite::INVITE_BYTES];
        self.entropy.fill(&mut random)?;
        let (code, created) = (invite::code(&random), self.clock.now());
        let invite = Invite {
            hash: InviteHash::of(&code),
            uses: wanted.uses,
            used: 0,
            note: wanted.note,
            created,
            expires: wanted.expires_in.map(|seconds| created + u64::from(seconds) * 1000),
            revoked: None,
        };
        let listed = listed(&invite);
        self.invites.create_invite(invite).await?;
        Ok(CreatedInvite { invite: code, entry: listed })
    }

    /// The invites, also those that are used up or over.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` for a cursor that was not given out.
    pub async fn invites(&self, after: Option<&str>, limit: Option<u32>) -> Result<Page<InviteEntry>, Error> {
        let unknown = |_| Error::invalid("`after` is what `next` of the page before was");
        let after = after.map(|after| after.parse::<InviteId>().map_err(unknown)).transpose()?;
        let limit = page_limit(limit);
        let found = self.invites.invites(after, limit + 1).await?;
        Ok(page(found.iter().map(listed).collect(), limit, |entry| entry.id.clone()))
    }

    /// Takes an invite back.
    ///
    /// # Errors
    ///
    /// `NotFound`.
    pub async fn revoke_invite(&self, id: &str) -> Result<(), Error> {
        let known = self.invites.revoke_invite(id.parse()?, self.clock.now()).await?;
        if known { Ok(()) } else { Err(ErrorCode::NotFound.into()) }
    }

    pub(super) async fn account(&self, name: &str) -> Result<Account, Error> {
        let name = account::parse_name(name)?;
        self.accounts.by_name(&name).await?.ok_or_else(|| ErrorCode::NotFound.into())
    }
}

fn entry(account: Account) -> AdminUser {
    let Account { id, name, display_name, role, created, disabled } = account;
    AdminUser { account: id, name, display_name, role: role.as_str().to_owned(), disabled, created }
}

fn listed(invite: &Invite) -> InviteEntry {
    let Invite { hash, uses, used, note, created, expires, revoked } = invite.clone();
    InviteEntry { id: hash.id().to_string(), uses, used, note, created, expires, revoked }
}

impl Relay {
    /// What an administrator may do without the command line.
    #[must_use]
    pub fn office(&self) -> Office {
        Office {
            accounts: self.ports.accounts.clone(),
            administration: self.ports.administration.clone(),
            invites: self.ports.invites.clone(),
            announcements: self.ports.announcements.clone(),
            clock: self.ports.clock.clone(),
            entropy: self.ports.entropy.clone(),
        }
    }

    /// Whether the caller administers this relay now, whatever the token said when it was made.
    ///
    /// # Errors
    ///
    /// `Forbidden`.
    pub async fn check_admin(&self, claims: &Claims) -> Result<(), Error> {
        let account = self.account_of(claims).await?;
        let is_admin = account.role == Role::Admin && account.disabled.is_none();
        if is_admin { Ok(()) } else { Err(ErrorCode::Forbidden.into()) }
    }

    /// [`Office::change_user`], with the connections of what ended closed.
    ///
    /// # Errors
    ///
    /// Those, and `InvalidRequest` for the caller's own account: nobody locks themselves out.
    pub async fn change_user(&self, claims: &Claims, name: &str, change: &ChangeUser) -> Result<AdminUser, Error> {
        self.check_not_oneself(claims.account, name).await?;
        let (user, ended) = self.office().change_user(name, change).await?;
        self.close_connections(&ended);
        Ok(user)
    }

    /// Closes the connections of logins that somebody beside this process has ended, and erases the accounts
    /// that somebody beside it has asked to, and tells what was announced.
    ///
    /// # Errors
    ///
    /// Only those of the store.
    pub async fn hear_elsewhere(&self) -> Result<(), Error> {
        let ended = self.ports.administration.ended_elsewhere().await?;
        self.close_connections(&ended);
        let ended = self.office().erase_asked().await?;
        self.close_connections(&ended);
        self.hear_announcements().await
    }

    /// Erases an account other than the caller's own.
    ///
    /// # Errors
    ///
    /// `InvalidName`, `NotFound`, `InvalidRequest` for the caller's own account.
    pub async fn delete_user(&self, claims: &Claims, name: &str) -> Result<(), Error> {
        self.check_not_oneself(claims.account, name).await?;
        let id = self.office().account(name).await?.id;
        let ended = self.ports.administration.erase(id, None, self.now()).await?;
        self.close_connections(&ended);
        tracing::info!("an account was deleted by an administrator");
        Ok(())
    }

    pub(super) fn close_connections(&self, ended: &[FamilyId]) {
        for family in ended {
            self.ports.bus.revoke(*family);
        }
    }

    async fn check_not_oneself(&self, caller: AccountId, name: &str) -> Result<(), Error> {
        let own = self.ports.accounts.by_id(caller).await?;
        if own.is_some_and(|own| own.name.as_str() == name) {
            return Err(Error::invalid(
                "ask another administrator to change your own account, or use the command line",
            ));
        }
        Ok(())
    }
}
